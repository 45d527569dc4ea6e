//! What a replay of several containers does, resolved and validated.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::container_choice::{ContainerChoice, current};
use super::database::{ALL_CONTAINERS, is_pattern, of_one};
use super::given::Given;
use super::replay::{FeedPlan, ReplayPlan};
use super::setting::Row;
use super::table;
use crate::cli::location::Location;
use crate::cosmos::max_ru::MaxRu;
use crate::destination::directories::lasting_name;
use crate::durable::shown_path;
use crate::error::usage;
use crate::state::database_file::{ContainerPlace, DatabaseFile};

/// The replay of several containers, as it was typed.
#[derive(Debug)]
pub struct DatabaseReplay {
    /// What is replayed.
    pub source: DatabaseSource,
    given: Given,
}

impl DatabaseReplay {
    /// The replay of several containers, if the source is the export of a database, or a pattern of containers.
    ///
    /// # Errors
    ///
    /// If there is another source too, or if the command line asks for something that is of one container.
    pub fn new(given: &Given) -> Result<Option<Self>> {
        let sources = given.list(&table::SOURCES);
        let mut local = sources.iter().filter_map(Location::path);
        let is_live = given
            .typed(&table::FROM_CONTAINER)
            .is_some_and(|name| is_pattern(&name));
        let directory = local.find_map(DatabaseFile::named);
        if !is_live && directory.is_none() {
            ContainerChoice::refuse(
                given,
                "name the directory that `export --all-containers` wrote, or --from-container 'DATABASE/*'; or leave it out",
            )?;
            return Ok(None);
        }
        for (row, why, instead) in &REFUSED_BY_REPLAY {
            let is_of_live = is_live && OF_LIVE.iter().any(|own| own.name == row.name);
            if given.is_typed(row) && !is_of_live {
                return Err(of_one(&row.flag(), why, instead));
            }
        }
        let source = match (directory, ReplayPlan::new(given)?.feed) {
            (_, Some(feed)) => {
                ensure_state(&feed, given)?;
                DatabaseSource::Live(feed)
            }
            (Some(directory), None) if sources.len() == 1 => DatabaseSource::Export(directory),
            (Some(directory), None) => {
                return Err(usage(
                    format!(
                        "`{}` is the export of a database, and there are other sources",
                        shown_path(&directory)
                    ),
                    "replay it alone; the directory of one of its containers can be one source of several",
                ));
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(Self {
            source,
            given: given.clone(),
        }))
    }

    /// The containers of `file` that are replayed: of several with one name the one that exists, or the last one.
    ///
    /// # Errors
    ///
    /// If a name, or everything, selects none.
    pub fn of_file<'a>(&self, file: &'a DatabaseFile) -> Result<Vec<&'a ContainerPlace>> {
        let mut selected = current(file);
        let names: Vec<&str> = selected.iter().map(|one| &*one.name).collect();
        let chosen = self.choose(&names)?;
        selected.retain(|one| chosen.contains(&&*one.name));
        Ok(selected)
    }

    /// Those of these containers that are replayed.
    ///
    /// # Errors
    ///
    /// If a name, or everything, selects none.
    pub fn choose<'a>(&self, names: &[&'a str]) -> Result<Vec<&'a str>> {
        let of_source = match &self.source {
            DatabaseSource::Export(_) => ALL_CONTAINERS,
            DatabaseSource::Live(feed) => &feed.container,
        };
        ContainerChoice::of(of_source, &self.given).choose(names, "replay")
    }

    /// What all replays together keep to.
    ///
    /// # Errors
    ///
    /// As [`ReplayPlan::new`].
    pub fn bounds(&self) -> Result<ReplayBounds> {
        let plan = ReplayPlan::new(&self.given)?;
        Ok(ReplayBounds {
            writes: plan.concurrency,
            max_ru: plan.max_ru,
            follows: plan.feed.is_some_and(|feed| feed.follow),
            states: plan.state,
        })
    }

    /// The replay of one of the containers: of this one of an export, or of the one of this name.
    ///
    /// # Errors
    ///
    /// As [`ReplayPlan::new`].
    pub fn plan_of(&self, container: &str, directory: Option<PathBuf>) -> Result<ReplayPlan> {
        let mut plan = ReplayPlan::new(&self.given)?;
        if let Some(directory) = directory {
            plan.sources = vec![Location::Local(directory)];
        }
        if let Some(feed) = &mut plan.feed {
            container.clone_into(&mut feed.container);
        }
        plan.state = plan.state.map(|directory| state_of(&directory, container));
        Ok(plan)
    }
}

/// What the replays of several containers keep to together.
#[derive(Debug, Clone)]
pub struct ReplayBounds {
    /// Writes in flight at the same time.
    pub writes: usize,
    /// The budget in RU/s, if there is one.
    pub max_ru: Option<MaxRu>,
    /// Whether they continue until they are stopped, so that all have to run at once.
    pub follows: bool,
    /// The directory of their states, if they have some.
    pub states: Option<PathBuf>,
}

/// Refuses to follow several containers without states: what was deleted while the copy stood still would stay.
fn ensure_state(feed: &FeedPlan, given: &Given) -> Result<()> {
    if !feed.follow || given.is_typed(&table::POSITION.row) {
        return Ok(());
    }
    Err(usage(
        "a copy of several containers that follows needs a place for their positions",
        "name a directory with --state: each container has a file in it, and the same command continues all of them",
    ))
}

/// The state of a container in the directory of the states.
fn state_of(directory: &Path, container: &str) -> PathBuf {
    directory.join(format!("{}.json", lasting_name(container)))
}

/// What a copy of a database in use can have all the same.
static OF_LIVE: [&Row; 2] = [&table::REPLAY_FOLLOW.row, &table::POSITION.row];

/// What is of the replay of one container.
static REFUSED_BY_REPLAY: [(&Row, &str, &str); 7] = [
    (
        &table::SHARED_GROUP.row,
        "shares the ranges of one container",
        "leave it out, or start instances for each container, each with a group of its own",
    ),
    (
        &table::REPLAY_FOLLOW.row,
        "follows containers in use, and an export has an end",
        "leave it out, or copy the database itself: --from-container 'DATABASE/*' --follow --state DIR",
    ),
    (
        &table::CONTAINER.row,
        "names one target, and each container is replayed to one of its own name",
        "leave it out; --only selects containers, and `replay DIR/NAME -c OTHER` gives one another name",
    ),
    (
        &table::POSITION.row,
        "keeps the position in one container",
        "leave it out: a replay that begins again leaves the same documents; or replay each container by itself",
    ),
    (
        &table::DEAD_LETTER.row,
        "is for the changes of one container",
        "leave it out, or replay each container by itself",
    ),
    (
        &table::PARTITION_KEY_PATHS.row,
        "is that of one container",
        "leave it out: --create takes the definition of each",
    ),
    (
        &table::METRICS_LISTEN.row,
        "answers about one container",
        "leave it out; the summary has the figures of each container",
    ),
];

/// Where the containers are that are replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseSource {
    /// In the export of a database, in this directory.
    Export(PathBuf),
    /// In a database, by the feed that is like this: its container is a pattern.
    Live(FeedPlan),
}

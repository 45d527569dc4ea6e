//! What a replay of several containers does, resolved and validated.

use std::path::PathBuf;

use anyhow::Result;

use super::container_choice::{ContainerChoice, current};
use super::database::{ALL_CONTAINERS, is_pattern, of_one};
use super::given::Given;
use super::replay::{FeedPlan, ReplayPlan};
use super::setting::Row;
use super::table;
use crate::cli::location::Location;
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
            if given.is_typed(row) {
                return Err(of_one(&row.flag(), why, instead));
            }
        }
        let source = match (directory, ReplayPlan::new(given)?.feed) {
            (_, Some(feed)) => DatabaseSource::Live(feed),
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
        Ok(plan)
    }
}

/// What is of the replay of one container.
static REFUSED_BY_REPLAY: [(&Row, &str, &str); 6] = [
    (
        &table::REPLAY_FOLLOW.row,
        "never ends, so the containers after it would not be copied",
        "leave it out, or copy each container by itself: --from-container DATABASE/NAME --follow",
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

//! What a comparison of several containers does, resolved and validated.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::comparison::{ComparePlan, ComparedSide};
use super::container_choice::{ContainerChoice, current};
use super::database::{ALL_CONTAINERS, is_pattern, of_one};
use super::given::Given;
use super::replay::FeedPlan;
use super::setting::Row;
use super::table;
use crate::cli::location::Location;
use crate::durable::shown_path;
use crate::error::usage;
use crate::report::SummaryFormat;
use crate::state::database_file::{ContainerPlace, DatabaseFile};

/// The comparison of several containers, as it was typed.
#[derive(Debug)]
pub struct DatabaseComparison {
    /// The side whose containers are looked for.
    pub source: ComparedDatabase,
    /// The side on which they are looked for.
    pub target: ComparedDatabase,
    /// How to print the summary.
    pub summary: SummaryFormat,
    /// The report of all, if there is one.
    pub report: Option<Location>,
    given: Given,
}

/// A side with several containers.
#[derive(Debug)]
pub enum ComparedDatabase {
    /// The export of a database, in this directory.
    Export(PathBuf),
    /// A database: the source is named, with a pattern as its container; the target is that of the connection.
    Live(Option<FeedPlan>),
}

impl DatabaseComparison {
    /// The comparison of several containers, if a side is the export of a database, or a pattern of containers.
    ///
    /// # Errors
    ///
    /// If only one side is, or if the command line asks for something that is of one container.
    pub fn new(given: &Given) -> Result<Option<Self>> {
        let named = |sources: &[Location]| {
            let mut local = sources.iter().filter_map(Location::path);
            local.find_map(DatabaseFile::named)
        };
        let (sources, with) = (
            given.list(&table::COMPARED),
            given.list(&table::COMPARED_WITH),
        );
        let (source, target) = (named(&sources), named(&with));
        let pattern = given
            .typed(&table::COMPARED_CONTAINER)
            .filter(|name| is_pattern(name));
        if source.is_none() && target.is_none() && pattern.is_none() {
            ContainerChoice::refuse(
                given,
                "name the directory that `export --all-containers` wrote, or --from-container 'DATABASE/*'; or leave it out",
            )?;
            return Ok(None);
        }
        for (row, why, instead) in &REFUSED {
            if given.is_typed(row) {
                return Err(of_one(&row.flag(), why, instead));
            }
        }
        let plan = ComparePlan::new(given)?;
        let source = match (source, plan.source) {
            (Some(directory), _) => ComparedDatabase::of(directory, &sources)?,
            (None, ComparedSide::Container(feed)) if pattern.is_some() => {
                ComparedDatabase::Live(feed)
            }
            (None, _) => return Err(only_one("the target", target.as_deref(), "the source")),
        };
        let target = match (target, plan.target) {
            (Some(directory), _) => ComparedDatabase::of(directory, &with)?,
            (None, ComparedSide::Container(_)) => ComparedDatabase::Live(None),
            (None, ComparedSide::Files(_)) => {
                let directory = match &source {
                    ComparedDatabase::Export(directory) => Some(&**directory),
                    ComparedDatabase::Live(_) => None,
                };
                return Err(only_one("the source", directory, "the target"));
            }
        };
        Ok(Some(Self {
            source,
            target,
            summary: plan.summary,
            report: plan.report,
            given: given.clone(),
        }))
    }

    /// Those of these containers of both sides that are compared.
    ///
    /// # Errors
    ///
    /// If a name, or everything, selects none.
    pub fn choose<'a>(&self, names: &[&'a str]) -> Result<Vec<&'a str>> {
        let of_source = match &self.source {
            ComparedDatabase::Live(Some(feed)) => &feed.container,
            ComparedDatabase::Live(None) | ComparedDatabase::Export(_) => ALL_CONTAINERS,
        };
        ContainerChoice::of(of_source, &self.given).choose(names, "compare")
    }

    /// The comparison of one of the containers, of which `directories` are the exports, where a side is one.
    ///
    /// # Errors
    ///
    /// As [`ComparePlan::new`].
    pub fn plan_of(
        &self,
        container: &str,
        directories: [Option<PathBuf>; 2],
    ) -> Result<ComparePlan> {
        let mut plan = ComparePlan::new(&self.given)?;
        for (side, directory) in [&mut plan.source, &mut plan.target]
            .into_iter()
            .zip(directories)
        {
            if let Some(directory) = directory {
                *side = ComparedSide::Files(vec![Location::Local(directory)]);
            }
        }
        if let ComparedSide::Container(Some(feed)) = &mut plan.source {
            container.clone_into(&mut feed.container);
        }
        plan.of_several = Some(container.to_owned());
        Ok(plan)
    }
}

impl ComparedDatabase {
    fn of(directory: PathBuf, all: &[Location]) -> Result<Self> {
        if all.len() == 1 {
            return Ok(Self::Export(directory));
        }
        Err(usage(
            format!(
                "`{}` is the export of a database, and its side has other files",
                shown_path(&directory)
            ),
            "compare it alone; the directory of one of its containers can be one of several",
        ))
    }

    /// The containers of an export, as they are now.
    #[must_use]
    pub fn containers(file: &DatabaseFile) -> Vec<&ContainerPlace> {
        current(file)
    }
}

/// One side is a database, and the other is not.
fn only_one(side: &str, directory: Option<&Path>, other: &str) -> anyhow::Error {
    let what = match directory {
        Some(directory) => format!(
            "`{}`, {side}, is the export of a database",
            shown_path(directory)
        ),
        None => format!("{side} is several containers"),
    };
    usage(
        format!("{what}, and {other} is not a database"),
        "name one with the same containers, or the directory of one container: DIR/NAME",
    )
}

/// What is of the comparison of one container.
static REFUSED: [(&Row, &str, &str); 5] = [
    (
        &table::COMPARED_FOLLOW.row,
        "does not end, so the containers after it would not be compared",
        "leave it out, or follow each container by itself: --from-container DATABASE/NAME --follow",
    ),
    (
        &table::CONTAINER.row,
        "names one target, and each container is compared with the one of its own name",
        "leave it out; --only selects containers, and `compare DIR/NAME -c OTHER` compares one with another name",
    ),
    (
        &table::COMPARED_KEY.row,
        "is the partition key of one container",
        "leave it out: exports and containers say which one they have",
    ),
    (
        &table::COMPARED_REPAIR.row,
        "has the documents of one container",
        "leave it out, and repair each container that differs by itself: `compare DIR/NAME -c NAME --repair-to DIR`",
    ),
    (
        &table::METRICS_LISTEN.row,
        "answers about one container",
        "leave it out; the summary has the figures of each container",
    ),
];

//! What is replayed: files and streams, or the feed of another container.

use std::sync::Arc;

use anyhow::Result;

use super::address::{describe, same_container};
use super::interpreter::Unclear;
use super::position::{InputPosition, Standing};
use crate::cli::location::Location;
use crate::durable::shown_path;
use crate::error::usage;
use crate::feed::ContainerAddress;
use crate::job::Connected;
use crate::report::Report;
use crate::settings::{FeedPlan, ReplayPlan};
use crate::source::{Fingerprint, Input, Inputs, Mark};
use crate::state::model::ShardOfPlan;

/// Finds the files to replay, and reports what the user should know about them.
pub(super) fn find_inputs(plan: &ReplayPlan, report: &Report) -> Result<Inputs> {
    let inputs = Inputs::find(&plan.sources, plan.input, &plan.csv)?;
    for notice in &inputs.notices {
        report.warning(notice);
    }
    Ok(inputs)
}

/// Refuses a file for dead letters that is read as a source: each letter would be read again.
pub(super) fn refuse_as_dead_letters(inputs: &Inputs, place: &Location) -> Result<()> {
    let is_there = |input: &&Input| match place {
        Location::Objects(address) => input.is_below(address),
        Location::Local(path) => input.is_the_file(path),
        Location::StandardStream => false,
    };
    let Some(input) = inputs.inputs.iter().find(is_there) else {
        return Ok(());
    };
    Err(usage(
        format!(
            "the {} of dead letters, `{}`, is read as a source: {input}",
            if place.path().is_some() {
                "file"
            } else {
                "place"
            },
            place.shown()
        ),
        "name another one for --dead-letter",
    ))
}

/// The source of a replay.
pub(super) enum ReplaySource {
    /// Files and streams, read one after the other.
    Files(Files),
    /// The feed of a container.
    Container {
        connected: Connected,
        plan: FeedPlan,
        /// The share of a plan that is read, if it is not all of it.
        share: Option<ShardOfPlan>,
    },
}

/// Files and streams.
pub(super) struct Files {
    pub(super) inputs: Arc<Vec<Input>>,
    /// The total size in bytes; none if it is not known.
    pub(super) total_bytes: Option<u64>,
    /// The containers that they were exported from, as far as known.
    origins: Vec<ContainerAddress>,
}

/// Where a change is in the source, as messages name it.
#[derive(Debug)]
pub(super) struct SourceLocation {
    /// The file, stream or feed.
    pub(super) name: String,
    /// What is counted in it.
    unit: &'static str,
    /// The number of the change.
    pub(super) number: u64,
    /// The line on which it begins, if lines are not what is counted.
    line: Option<u64>,
}

impl SourceLocation {
    /// The record of a file or a stream that ends at `mark`.
    pub(super) fn in_file(input: &Input, mark: Mark) -> Self {
        let within = mark.within;
        Self {
            name: input.to_string(),
            unit: if within.is_some() { "record" } else { "line" },
            number: mark.line,
            line: within.map(|within| within.first_line),
        }
    }

    /// What is counted in its source, as a dead letter names it.
    pub(super) fn counted(&self) -> &'static str {
        // A change of a feed, too, has its number as a line.
        if self.line.is_some() {
            "record"
        } else {
            "line"
        }
    }

    /// The error of a record of which nothing declares what it is.
    pub(super) fn unclear(&self, why: Unclear) -> anyhow::Error {
        usage(format!("{self}: {}", why.reason), why.hint)
    }
}

/// Where the record of an input is that ends at `mark`, as messages name it.
pub(crate) fn source_location(input: &Input, mark: Mark) -> String {
    SourceLocation::in_file(input, mark).to_string()
}

impl std::fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {} {}", self.name, self.unit, self.number)?;
        match self.line {
            Some(line) => write!(f, " (line {line})"),
            None => Ok(()),
        }
    }
}

impl ReplaySource {
    pub(super) fn of_files(inputs: Inputs) -> Self {
        let total_bytes = (!inputs.may_wait()).then(|| inputs.total_bytes());
        Self::Files(Files {
            total_bytes,
            inputs: Arc::new(inputs.inputs),
            origins: inputs.origins,
        })
    }

    /// The location of the change that ends at this position.
    pub(super) fn location(&self, position: InputPosition) -> SourceLocation {
        let (name, unit) = match self {
            Self::Files(files) => match files.inputs.get(position.input) {
                Some(input) => return SourceLocation::in_file(input, position.mark),
                None => (String::new(), "line"),
            },
            Self::Container { connected, .. } => {
                let source = &connected.source;
                let name = format!("the feed of {}/{}", source.database, source.container);
                (name, "change")
            }
        };
        SourceLocation {
            name,
            unit,
            number: position.mark.line,
            line: None,
        }
    }

    /// Whether it is known to have the partition key with these paths.
    pub(super) fn has_key(&self, paths: &[String]) -> bool {
        match self {
            Self::Files(files) => {
                let mut inputs = files.inputs.iter();
                inputs.all(|input| input.partition_key.as_deref() == Some(paths))
            }
            Self::Container { connected, .. } => connected.client.partition_key_paths() == paths,
        }
    }

    /// Whether it is known to have another partition key than the one with these paths.
    pub(super) fn has_another_key(&self, paths: &[String]) -> bool {
        match self {
            Self::Files(files) => {
                let mut known = files
                    .inputs
                    .iter()
                    .filter_map(|input| input.partition_key.as_deref());
                known.any(|known| known != paths)
            }
            Self::Container { connected, .. } => connected.client.partition_key_paths() != paths,
        }
    }

    /// The fraction that is done once everything before `standing` is, if the whole is known.
    pub(super) fn done(&self, standing: &Standing) -> Option<f64> {
        match self {
            Self::Files(files) => {
                let total = files.total_bytes.filter(|total| *total > 0)?;
                Some((standing.bytes as f64 / total as f64).min(1.0))
            }
            Self::Container { .. } => None,
        }
    }

    /// Refuses to apply changes to the container they came from.
    pub(super) fn refuse_as_target(&self, target: &ContainerAddress) -> Result<()> {
        let is_target = |origin: &ContainerAddress| same_container(origin, target);
        let same = format!(
            "source and target are the same container, {}",
            describe(target)
        );
        match self {
            Self::Files(files) if files.origins.iter().any(is_target) => Err(usage(
                format!("{same}: changes since the export would be undone"),
                "name another target with -d and -c; to undo changes on purpose, name the files instead \
                 of the directory",
            )),
            Self::Container { connected, .. } if is_target(&connected.source) => Err(usage(
                same,
                "name another target with -d and -c, or another source with --from-container",
            )),
            _ => Ok(()),
        }
    }
}

impl Files {
    /// Checks that the files begin with those whose fingerprints are `known`.
    ///
    /// # Errors
    ///
    /// If they do not. The error names both sides.
    pub(super) fn check(&self, known: &[Fingerprint], hint: &str) -> Result<()> {
        for (index, known) in known.iter().enumerate() {
            let input = self.inputs.get(index);
            let found = match input {
                Some(input) => input.fingerprint(Some(known.prefix))?,
                None => None,
            };
            if found.as_ref() != Some(known) {
                let found = input.map_or("nothing".to_owned(), ToString::to_string);
                return Err(usage(
                    format!(
                        "the state belongs to another source: input {} was `{}`, but is now {found}, \
                         or its content has changed",
                        index + 1,
                        shown_path(&known.path)
                    ),
                    hint,
                ));
            }
        }
        Ok(())
    }
}

//! What is replayed: files and streams, or the feed of another container.

use std::sync::Arc;

use anyhow::Result;

use super::address::{describe, same_container};
use super::position::InputPosition;
use crate::error::usage;
use crate::feed::ContainerAddress;
use crate::job::Connected;
use crate::report::Report;
use crate::settings::{FeedPlan, ReplayPlan};
use crate::source::{BytesRead, Fingerprint, Input, Inputs};

/// Finds the files that are to be replayed, and reports what there is to know of them.
pub(super) fn find_inputs(plan: &ReplayPlan, report: &Report) -> Result<Inputs> {
    let inputs = Inputs::find(&plan.sources)?;
    for notice in &inputs.notices {
        report.warning(notice);
    }
    Ok(inputs)
}

/// The source of a replay.
pub(super) enum Origin {
    /// Read one after the other.
    Files(Files),
    /// Its feed.
    Container {
        connected: Connected,
        plan: FeedPlan,
    },
}

/// Files and streams.
pub(super) struct Files {
    pub(super) inputs: Arc<Vec<Input>>,
    /// The bytes of all of them; 0 if that is not known.
    pub(super) total_bytes: u64,
    pub(super) bytes_read: BytesRead,
    /// The containers that they were exported from, as far as it is known.
    origins: Vec<ContainerAddress>,
}

/// Where a change stands in the source, for people.
#[derive(Debug)]
pub(super) struct Place {
    /// The file, or what else it is.
    pub(super) name: String,
    /// What is counted there.
    unit: &'static str,
    /// Its number.
    pub(super) number: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {} {}", self.name, self.unit, self.number)
    }
}

impl Origin {
    pub(super) fn of_files(inputs: Inputs) -> Self {
        let total_bytes = match inputs.may_wait() {
            true => 0,
            false => inputs.total_bytes(),
        };
        Self::Files(Files {
            total_bytes,
            bytes_read: BytesRead::default(),
            inputs: Arc::new(inputs.inputs),
            origins: inputs.origins,
        })
    }

    /// The change before this position.
    pub(super) fn place(&self, position: InputPosition) -> Place {
        let (name, unit) = match self {
            Self::Files(files) => {
                let input = files.inputs.get(position.input);
                (input.map(ToString::to_string).unwrap_or_default(), "line")
            }
            Self::Container { connected, .. } => {
                let source = &connected.source;
                let name = format!("the feed of {}/{}", source.database, source.container);
                (name, "change")
            }
        };
        Place {
            name,
            unit,
            number: position.mark.line,
        }
    }

    /// Which part of it was read, if that can be told.
    pub(super) fn done(&self) -> Option<f64> {
        match self {
            Self::Files(files) if files.total_bytes > 0 => {
                Some(files.bytes_read.get() as f64 / files.total_bytes as f64)
            }
            _ => None,
        }
    }

    /// Refuses to apply changes to the container that they are of.
    pub(super) fn refuse_as_target(&self, target: &ContainerAddress) -> Result<()> {
        let is_target = |origin: &ContainerAddress| same_container(origin, target);
        let same = format!(
            "source and target are the same container, {}",
            describe(target)
        );
        match self {
            Self::Files(files) if files.origins.iter().any(is_target) => Err(usage(
                format!("{same}: what has changed since the export would be undone"),
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
    /// Whether these are the files whose fingerprints are `known`, or those and more.
    ///
    /// # Errors
    ///
    /// If they are not. Both sides are named.
    pub(super) fn check(&self, known: &[Fingerprint], anew: &str) -> Result<()> {
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
                        "the state is of another source: input {} was `{}`, and now there is {found}, \
                         or its content has changed",
                        index + 1,
                        known.path.display()
                    ),
                    anew,
                ));
            }
        }
        Ok(())
    }
}

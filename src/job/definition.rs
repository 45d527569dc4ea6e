//! The definition of the container beside an export of it.
//!
//! The export does not depend on it: what cannot be read is named, and the documents are exported without it.

use anyhow::{Context, Result};

use super::Connected;
use crate::cosmos::definition::ContainerDefinition;
use crate::cosmos::offers::{Throughput, ThroughputMode};
use crate::destination::Destination;
use crate::report::Report;
use crate::state::container_file::{ContainerFile, MAX_BYTES};
use crate::state::model::State;

/// What was read of a container besides its documents.
#[derive(Debug)]
pub(super) struct Definition {
    /// None if it could not be read, which was reported.
    definition: Option<ContainerDefinition>,
    throughput: Throughput,
    unread: Unread,
}

/// What of the definition could not be read.
#[derive(Debug, Clone, Default)]
pub(super) struct Unread {
    /// Its names: `definition`, `throughput`.
    pub(super) names: Vec<&'static str>,
    /// Whether the credential does not cover it.
    pub(super) is_denied: bool,
}

/// Reads the definition of the container, if the destination has a place for it. What cannot be read is reported.
pub(super) async fn read(
    connected: &Connected,
    destination: &dyn Destination,
    report: &Report,
) -> Option<Definition> {
    destination.definition_name()?;
    let mut unread = Unread::default();
    let definition = match connected.client.definition() {
        Ok(definition) => Some(definition),
        Err(error) => {
            unread.names.push("definition");
            report.warning(&format!(
                "the definition of the container could not be read: {error:#}"
            ));
            None
        }
    };
    let throughput = match connected.client.throughput_at_once().await {
        Ok(throughput) => {
            unread.is_denied = throughput == Throughput::NotReadable;
            throughput
        }
        Err(error) => {
            report.warning(&format!("the throughput could not be read: {error:#}"));
            Throughput::NotReadable
        }
    };
    if throughput == Throughput::NotReadable {
        unread.names.push("throughput");
    }
    Some(Definition {
        definition,
        throughput,
        unread,
    })
}

impl Definition {
    /// Writes it beside the export of `state`, unless it is there already. Returns what is missing in it.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(super) fn write(
        self,
        state: &State,
        destination: &dyn Destination,
        report: &Report,
    ) -> Result<Unread> {
        let unread = self.unread;
        let Some(definition) = self.definition else {
            return Ok(unread);
        };
        let name = destination.definition_name().unwrap_or_default();
        let mut new = ContainerFile::of(state, definition, self.throughput.into());
        let there = destination
            .definition(MAX_BYTES)
            .with_context(|| format!("cannot read `{name}`"))?;
        if let Some(there) = there {
            match ContainerFile::parse(&there) {
                Ok(there) => {
                    // It was readable then.
                    if new.throughput.mode == ThroughputMode::NotReadable {
                        new.throughput = there.throughput;
                    }
                    let is_the_same = there.definition.is_the_same_as(&new.definition);
                    if is_the_same && there.contradiction(state).is_none() {
                        if there.throughput == new.throughput {
                            return Ok(unread);
                        }
                    } else {
                        report.notice(&format!(
                            "the definition of the container differs from the one in `{name}`, which is replaced"
                        ));
                    }
                }
                Err(error) => report.notice(&format!("`{name}` is replaced: {error:#}")),
            }
        }
        destination.replace_definition(&new.render(state)?)?;
        Ok(unread)
    }
}

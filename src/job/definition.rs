//! The definition of the container beside an export of it.
//!
//! The export does not depend on it: what cannot be read is named, and the documents are exported without it.

use anyhow::{Context, Result};

use super::Connected;
use crate::cosmos::companion::{CompanionKind, Companions, Unread as CompanionsUnread};
use crate::cosmos::companions::ReadCompanions;
use crate::cosmos::definition::ContainerDefinition;
use crate::cosmos::offers::Throughput;
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
    companions: Companions,
    /// Kinds of companions that could not be read.
    unread_companions: Vec<CompanionKind>,
    unread: Unread,
}

/// What of the definition could not be read.
#[derive(Debug, Clone, Default)]
pub(super) struct Unread {
    /// Its names: `definition`, `throughput`, `triggers`.
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
    let client = &connected.client;
    let mut unread = Unread::default();
    let definition = match client.definition() {
        Ok(definition) => Some(definition),
        Err(error) => {
            unread.names.push("definition");
            report.warning(&format!(
                "the definition of the container could not be read: {error:#}"
            ));
            None
        }
    };
    let companions = async {
        match &definition {
            Some(definition) => client.companions(definition).await,
            // There is no file for them.
            None => ReadCompanions::default(),
        }
    };
    let throughput = Box::pin(client.throughput_at_once());
    let (throughput, companions) = futures_util::join!(throughput, Box::pin(companions));
    let throughput = match throughput {
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
    let mut unread_companions = Vec::new();
    for (kind, why) in companions.unread {
        let names = kind.names();
        match why {
            // Nobody can have made any.
            CompanionsUnread::NotSupported => continue,
            CompanionsUnread::Denied => unread.is_denied = true,
            CompanionsUnread::Failed(reason) => {
                report.warning(&format!("the {names} could not be read: {reason}"));
            }
        }
        unread_companions.push(kind);
        unread.names.push(names);
    }
    Some(Definition {
        definition,
        throughput,
        companions: companions.known,
        unread_companions,
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
        let throughput = self.throughput.into();
        let companions = (self.companions, self.unread_companions);
        let mut new = ContainerFile::of(state, definition, throughput, companions);
        let there = destination
            .definition(MAX_BYTES)
            .with_context(|| format!("cannot read `{name}`"))?;
        if let Some(there) = there {
            match ContainerFile::parse(&there) {
                Ok(there) => {
                    let is_own = there.contradiction(state).is_none();
                    if is_own {
                        // What was readable then.
                        new.complete_from(&there);
                    }
                    if !is_own || new.contradicts(&there) {
                        report.notice(&format!(
                            "the definition of the container differs from the one in `{name}`, which is replaced"
                        ));
                    } else if new.has_no_more_than(&there) {
                        return Ok(unread);
                    }
                }
                Err(error) => report.notice(&format!("`{name}` is replaced: {error:#}")),
            }
        }
        destination.replace_definition(&new.render(state)?)?;
        Ok(unread)
    }
}

//! `container.json`: the definition of the container that an export is of, and its scripts, as the service sent them.
//!
//! It is no part of the state: an export without it is whole, and whoever has it needs nothing else to make such a
//! container again. So it says itself which export it belongs to, and has a checksum.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::model::State;
use crate::clock;
use crate::cosmos::companion::{CompanionKind, Companions, MAX_COMPANION_BYTES};
use crate::cosmos::definition::{ContainerDefinition, MAX_DEFINITION_BYTES};
use crate::cosmos::offers::{ThroughputMode, ThroughputSetting};
use crate::destination::read_up_to;
use crate::durable::shown_path;
use crate::error::with_hint;

const NAME: &str = "cosmos-tail container";
/// The format that this build writes, and the newest that it reads.
const VERSION: u32 = 1;
/// The longest file that is read, in bytes.
pub const MAX_BYTES: u64 = (MAX_DEFINITION_BYTES + MAX_COMPANION_BYTES) as u64 + (64 << 10);

/// The text of the file. Later formats may have more.
#[derive(Debug, Serialize, Deserialize)]
struct Text {
    format: String,
    version: u32,
    export_id: uuid::Uuid,
    database: String,
    container: String,
    container_rid: String,
    #[serde(with = "time::serde::rfc3339")]
    read: OffsetDateTime,
    throughput: ThroughputSetting,
    /// The checksum of the text of `definition`.
    #[serde(with = "crate::destination::checksum_text")]
    crc32c: u32,
    definition: Box<RawValue>,
    /// What of the companions could not be read. Files of earlier builds have none of these.
    #[serde(default)]
    not_readable: Vec<String>,
    /// The checksum of the text of `companions`.
    #[serde(default, with = "crate::destination::optional_checksum_text")]
    companions_crc32c: Option<u32>,
    /// The scripts, and the client encryption keys that the definition names.
    #[serde(default)]
    companions: Option<Box<RawValue>>,
}

/// The definition of the container of an export.
#[derive(Debug, Clone)]
pub struct ContainerFile {
    /// The export.
    pub export_id: uuid::Uuid,
    /// The name of the container's database.
    pub database: String,
    /// The container's name.
    pub container: String,
    /// The container's resource id.
    pub container_rid: String,
    /// Its throughput when the definition was read.
    pub throughput: ThroughputSetting,
    /// The definition.
    pub definition: ContainerDefinition,
    /// What the container has beside it, as far as it could be read.
    pub companions: Companions,
    /// What of that could not be read, for people.
    pub not_readable: Vec<String>,
    /// Whether it is not what was written: somebody changed it.
    pub is_changed: bool,
}

impl ContainerFile {
    /// What is known now about the container of `state`.
    pub fn of(
        state: &State,
        definition: ContainerDefinition,
        throughput: ThroughputSetting,
        (companions, not_readable): (Companions, Vec<CompanionKind>),
    ) -> Self {
        Self {
            export_id: state.export_id,
            database: state.source.database.clone(),
            container: state.source.container.clone(),
            container_rid: state.source.container_rid.clone(),
            throughput,
            definition,
            companions,
            not_readable: names_of(&not_readable),
            is_changed: false,
        }
    }

    /// Takes over from `earlier` what could not be read this time.
    pub fn complete_from(&mut self, earlier: &Self) {
        if self.throughput.mode == ThroughputMode::NotReadable {
            self.throughput = earlier.throughput;
        }
        self.companions.complete_from(&earlier.companions);
        let known: Vec<String> = names_of(&self.companions.kinds());
        self.not_readable.retain(|name| !known.contains(name));
    }

    /// Whether both make different containers, as far as known.
    pub fn contradicts(&self, other: &Self) -> bool {
        !self.definition.is_the_same_as(&other.definition)
            || self.companions.contradict(&other.companions)
    }

    /// Whether all that it has is in `other`, which it does not contradict.
    pub fn has_no_more_than(&self, other: &Self) -> bool {
        self.throughput == other.throughput
            && self.not_readable == other.not_readable
            && self.companions.kinds() == other.companions.kinds()
    }

    /// The text of the file, for the export of `state`.
    ///
    /// # Errors
    ///
    /// If it cannot be serialized.
    pub fn render(&self, state: &State) -> Result<Vec<u8>> {
        let definition = self.definition.text().to_owned();
        let companions = self.companions.text()?;
        let mut text = serde_json::to_vec(&Text {
            format: NAME.to_owned(),
            version: VERSION,
            export_id: self.export_id,
            database: state.source.database.clone(),
            container: state.source.container.clone(),
            container_rid: self.container_rid.clone(),
            // Fractions of a second help nobody.
            read: clock::now().replace_nanosecond(0)?,
            throughput: self.throughput,
            crc32c: crc32c::crc32c(definition.get().as_bytes()),
            definition,
            not_readable: self.not_readable.clone(),
            companions_crc32c: Some(crc32c::crc32c(companions.get().as_bytes())),
            companions: Some(companions),
        })?;
        text.push(b'\n');
        Ok(text)
    }

    /// What is in the file.
    ///
    /// # Errors
    ///
    /// If it is something else or of a newer version, in words.
    pub fn parse(text: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            format: String,
            version: u32,
        }
        ensure!(
            (text.len() as u64) < MAX_BYTES,
            "it is longer than any definition of a container"
        );
        let json = |error: serde_json::Error| anyhow!("{error}");
        let version: Version = serde_json::from_slice(text).map_err(json)?;
        ensure!(
            version.format == NAME,
            "it is not marked as the definition of a container by cosmos-tail"
        );
        ensure!(
            version.version <= VERSION,
            "its format {} is newer than this build supports ({VERSION})",
            version.version
        );
        let text: Text = serde_json::from_slice(text).map_err(json)?;
        let crc32c = |text: &RawValue| crc32c::crc32c(text.get().as_bytes());
        let companions = text.companions.as_deref();
        let is_changed = crc32c(&text.definition) != text.crc32c
            || companions.map(crc32c) != text.companions_crc32c;
        let companions = companions.map(Companions::parse).transpose()?;
        Ok(Self {
            export_id: text.export_id,
            database: text.database,
            container: text.container,
            container_rid: text.container_rid,
            throughput: text.throughput,
            is_changed,
            companions: companions.unwrap_or_default(),
            not_readable: text.not_readable,
            definition: ContainerDefinition::parse(text.definition)?,
        })
    }

    /// What is in the file `path`; none if it does not exist.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or as [`ContainerFile::parse`], with a hint.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let read = || -> Result<Option<Self>> {
            let text = read_up_to(path, MAX_BYTES)?;
            text.map(|text| Self::parse(&text)).transpose()
        };
        read()
            .map_err(|error| {
                with_hint(
                    error,
                    "restore it from where it was copied from, or move it away",
                )
            })
            .with_context(|| {
                format!(
                    "`{}` cannot be used as the definition of a container",
                    shown_path(&path)
                )
            })
    }

    /// What in it contradicts the export of `state`, in words.
    pub fn contradiction(&self, state: &State) -> Option<String> {
        if self.export_id != state.export_id {
            return Some(format!("belongs to the export {}", self.export_id));
        }
        if self.container_rid != state.source.container_rid {
            return Some(format!("is of another container, {:?}", self.container_rid));
        }
        if !state.partition_key.is_empty() && state.partition_key != self.definition.key_paths() {
            return Some(format!(
                "has the partition key {}, but the state has {}",
                shown_key(self.definition.key_paths()),
                shown_key(&state.partition_key)
            ));
        }
        self.is_changed
            .then(|| "was changed after it was written".to_owned())
    }
}

fn names_of(kinds: &[CompanionKind]) -> Vec<String> {
    kinds.iter().map(|kind| kind.names().to_owned()).collect()
}

/// The paths of a partition key, for people.
pub fn shown_key(paths: &[String]) -> String {
    format!("`{}`", paths.join("`, `"))
}

//! `container.json`: the definition of the container that an export is of, as the service sent it.
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
use crate::cosmos::definition::{ContainerDefinition, MAX_DEFINITION_BYTES};
use crate::cosmos::offers::ThroughputSetting;
use crate::destination::read_up_to;
use crate::durable::shown_path;
use crate::error::with_hint;

const NAME: &str = "cosmos-tail container";
/// The format that this build writes, and the newest that it reads.
const VERSION: u32 = 1;
/// The longest file that is read, in bytes.
pub const MAX_BYTES: u64 = MAX_DEFINITION_BYTES as u64 + (64 << 10);

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
    /// Whether the definition is not the one that was written: somebody changed it.
    pub is_changed: bool,
}

impl ContainerFile {
    /// What is known now about the container of `state`.
    pub fn of(
        state: &State,
        definition: ContainerDefinition,
        throughput: ThroughputSetting,
    ) -> Self {
        Self {
            export_id: state.export_id,
            database: state.source.database.clone(),
            container: state.source.container.clone(),
            container_rid: state.source.container_rid.clone(),
            throughput,
            definition,
            is_changed: false,
        }
    }

    /// The text of the file, for the export of `state`.
    ///
    /// # Errors
    ///
    /// If it cannot be serialized.
    pub fn render(&self, state: &State) -> Result<Vec<u8>> {
        let definition = self.definition.text().to_owned();
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
        let crc32c = crc32c::crc32c(text.definition.get().as_bytes());
        Ok(Self {
            export_id: text.export_id,
            database: text.database,
            container: text.container,
            container_rid: text.container_rid,
            throughput: text.throughput,
            is_changed: crc32c != text.crc32c,
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

/// The paths of a partition key, for people.
pub fn shown_key(paths: &[String]) -> String {
    format!("`{}`", paths.join("`, `"))
}

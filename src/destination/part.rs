//! Parts of series, as a state keeps them.

use serde::{Deserialize, Serialize};

use super::partition::Partition;
use crate::feed::RangeState;

/// A part of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartId {
    /// Its series.
    pub series: u32,
    /// Its number within the series, from 1.
    pub part: u32,
}

/// A series of part files: `part 1`, `part 2`, …; at most the last is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesState {
    /// The number of the range whose series it is; 0 for the one series of all ranges.
    pub id: u32,
    /// The number of the next part to be created, from 1.
    pub next_part: u32,
    /// The part being written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<FileState>,
}

/// One part file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileState {
    /// Its series.
    pub series: u32,
    /// Its part number.
    pub part: u32,
    /// Committed length in bytes.
    pub length: u64,
    /// Committed rows.
    pub rows: u64,
    /// CRC-32C of the committed bytes, as eight hexadecimal digits.
    #[serde(with = "checksum_text")]
    pub crc32c: u32,
    /// The positions of its ranges when it was begun: a repair returns to them, and they are the start of the
    /// span of the feed that it holds.
    pub start: Vec<RangeState>,
    /// The positions of its ranges when it was sealed: the end of that span. Empty while it is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub end: Vec<RangeState>,
    /// How its destination finds it again, where its name does not follow from its series and number
    /// alone: text that only the destination reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The id of its upload, where uploads have ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
    /// The pieces that it was uploaded in; empty where files are appended to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<Piece>,
    /// The number of the manifest object that lists it: the generation of the commit that sealed it. Only where the
    /// manifest is not one file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u64>,
    /// Which of the column sets of the export it has, from 0.
    #[serde(default, skip_serializing_if = "is_first")]
    pub columns: u32,
}

/// A piece of a part, which a store has acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// What the store calls it.
    pub id: String,
    /// Its length in bytes.
    pub length: u64,
}

/// An upload that is not to be completed: a later process aborts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// The name of the object that it would become.
    pub place: String,
    /// What the store calls it.
    pub id: String,
}

/// Whether it is the first column set, which need not be written.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
pub(super) fn is_first(columns: &u32) -> bool {
    *columns == 0
}

impl FileState {
    /// The directory of the local table that it is in, if the table is partitioned.
    pub fn partition(&self) -> Option<Partition> {
        Partition::parse(self.place.as_deref()?)
    }

    /// Which part it is.
    pub fn id(&self) -> PartId {
        PartId {
            series: self.series,
            part: self.part,
        }
    }
}

/// How much of the manifest is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestMark {
    /// Length in bytes.
    pub length: u64,
    /// Entries: published files.
    pub entries: u64,
    /// CRC-32C of the committed bytes. Absent in states of older builds, and if nothing is committed.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "optional_checksum_text"
    )]
    pub crc32c: Option<u32>,
}

/// A part that an earlier run left open, cut to what was committed.
#[derive(Debug)]
pub struct ResumedPart {
    /// Its series.
    pub series: u32,
    /// Its number.
    pub part: u32,
    /// Its length in bytes.
    pub length: u64,
    /// Its rows.
    pub rows: u64,
    /// CRC-32C of its bytes.
    pub crc32c: u32,
    /// How its destination finds it again, see [`FileState::place`].
    pub place: Option<String>,
}

impl ResumedPart {
    /// The directory of the local table that it is in, if the table is partitioned.
    pub(super) fn partition(&self) -> Option<Partition> {
        Partition::parse(self.place.as_deref()?)
    }

    /// Which part it is.
    pub fn id(&self) -> PartId {
        PartId {
            series: self.series,
            part: self.part,
        }
    }
}

/// A checksum as text: eight hexadecimal digits.
pub mod checksum_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes the checksum.
    ///
    /// # Errors
    ///
    /// The serializer's.
    pub fn serialize<S: Serializer>(checksum: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{checksum:08x}"))
    }

    /// Reads the checksum.
    ///
    /// # Errors
    ///
    /// If the text is not eight hexadecimal digits.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.len() {
            8 => u32::from_str_radix(&text, 16).map_err(D::Error::custom),
            _ => Err(D::Error::custom("a checksum has eight hexadecimal digits")),
        }
    }
}

/// A checksum as text that may be absent.
pub mod optional_checksum_text {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::checksum_text;

    /// Writes the checksum.
    ///
    /// # Errors
    ///
    /// The serializer's.
    pub fn serialize<S: Serializer>(
        checksum: &Option<u32>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match checksum {
            Some(checksum) => checksum_text::serialize(checksum, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads the checksum.
    ///
    /// # Errors
    ///
    /// If the text is not eight hexadecimal digits.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<u32>, D::Error> {
        #[derive(Deserialize)]
        struct Checksum(#[serde(with = "checksum_text")] u32);
        let checksum = Option::<Checksum>::deserialize(deserializer)?;
        Ok(checksum.map(|Checksum(checksum)| checksum))
    }
}

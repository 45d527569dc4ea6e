//! Records, and their positions in an input.

use anyhow::Result;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::feed::RecordForm;

/// A position in one input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// How many bytes of the input were read, after decompression.
    pub offset: u64,
    /// How many lines, rows or values were read.
    pub line: u64,
    /// Where this is among JSON values that are not one per line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
}

/// A position among JSON values that are not one per line, at the end of one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// Whether it is within an array.
    pub array: bool,
    /// The number of its line, from 1.
    pub line: u64,
    /// How many bytes of that line are before it.
    pub column: u64,
    /// The line on which the value begins.
    #[serde(skip)]
    pub first_line: u64,
}

/// One document or change.
#[derive(Debug, Clone)]
pub struct Record {
    /// The JSON text as it is in the source, not yet checked.
    pub json: Bytes,
    /// What it is; none if nothing declares it.
    pub form: Option<RecordForm>,
    /// The position after it. Its own number is [`Mark::line`].
    pub end: Mark,
    /// How many bytes of the input, before decompression, end with it, as far as that can be known.
    pub raw_end: u64,
}

/// Reads the records of one input, in their order.
pub trait RecordReader: Send {
    /// The next record; none at the end.
    ///
    /// # Errors
    ///
    /// If the input cannot be read further. Nothing is known about the rest of it.
    fn next(&mut self) -> Result<Option<Record>>;
}

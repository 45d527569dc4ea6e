//! Where a replay's changes come from: files that an export wrote, read back row by row.
//!
//! Each kind of file has a [`RecordReader`], which yields JSON text: a document, or the envelope of
//! a change. What that means is not looked at here.

mod csv;
mod parquet;
#[cfg(test)]
mod property_tests;
mod rows;
#[cfg(test)]
mod tests;

use ::bytes::Bytes;
use anyhow::Result;
use serde::{Deserialize, Serialize};

pub use self::csv::CsvRows;
pub use self::parquet::ParquetRows;

/// Where reading stands within one input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Bytes of the input that were read, after decompression.
    pub offset: u64,
    /// Lines, or rows, that were read.
    pub line: u64,
}

/// One document or change.
#[derive(Debug, Clone)]
pub struct Record {
    /// The JSON text as it stands in the source, which nobody has checked.
    pub json: Bytes,
    /// Where the source stands after it. The record itself is on line [`Mark::line`].
    pub end: Mark,
}

/// Reads the records of one input, in their order.
pub trait RecordReader: Send {
    /// The next record; none at the end.
    ///
    /// # Errors
    ///
    /// If the input cannot be read on: nothing is known of what follows.
    fn next(&mut self) -> Result<Option<Record>>;
}

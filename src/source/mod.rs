//! Where a replay's changes come from: files and streams of documents and of changes in their
//! envelopes, read one after the other.
//!
//! An [`Input`] is one file or standard input. What kind it is of is told by its first bytes and
//! its name; each kind has a [`RecordReader`] in a file of its own, which yields JSON text: a
//! document, or the envelope of a change. What that means is not looked at here.

mod caught;
mod csv;
mod inputs;
mod jsonl;
#[cfg(test)]
mod meaning;
mod members;
mod opened;
mod parquet;
#[cfg(test)]
mod property_tests;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::bytes::Bytes;
use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};

pub(crate) use self::caught::caught;
pub use self::csv::CsvRows;
pub use self::inputs::{CsvForm, Fingerprint, Input, Inputs};
pub use self::parquet::ParquetRows;

#[cfg(test)]
use crate::feed::page::{elements, members};
#[cfg(test)]
use crate::schema::fit::{self, Decimal};

use self::opened::{Kind, Opened};
use crate::error::with_hint;

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

/// How many bytes of all inputs were read, before decompression.
#[derive(Debug, Clone, Default)]
pub struct BytesRead(Arc<AtomicU64>);

impl BytesRead {
    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Opens `input` and goes to `mark`.
///
/// # Errors
///
/// If it cannot be opened, is not what it seems, or ends before `mark`.
pub fn open(input: &Input, mark: Mark, read: &BytesRead) -> Result<Box<dyn RecordReader>> {
    let opened = Opened::new(input, mark, read)?;
    match opened.kind {
        Kind::Text => Ok(Box::new(jsonl::JsonLines::new(opened, mark))),
        Kind::Csv => {
            let Some(form) = &input.csv else {
                return Err(with_hint(
                    anyhow!("what the columns of {input} are is not known"),
                    "it stands in the state of the export: name the export's directory, or keep the \
                     state beside the file; other CSV has to be made JSON lines first",
                ));
            };
            let schema = form.schema.as_ref();
            let rows = CsvRows::new(opened.bytes, opened.name, schema, &form.options, mark)?;
            Ok(Box::new(rows))
        }
        Kind::Parquet => {
            let file = input.open_file()?;
            let rows = ParquetRows::new(file, input.to_string(), mark)?;
            read.add(input.length);
            Ok(Box::new(rows))
        }
    }
}

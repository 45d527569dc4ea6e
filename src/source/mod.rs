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
#[path = "../../fuzz/cases/meaning.rs"]
mod meaning;
mod members;
mod open;
mod opened;
mod parquet;
#[cfg(test)]
mod property_tests;
mod record;
mod rows;
#[cfg(test)]
mod tests;

pub(crate) use caught::caught;
pub use csv::CsvRows;
pub use inputs::{CsvForm, Fingerprint, Input, Inputs};
pub use open::open;
pub use parquet::ParquetRows;
pub use record::{BytesRead, Mark, Record, RecordReader};

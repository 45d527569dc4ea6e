//! Reads back what exports and tails wrote: files and streams of documents, or of changes in their
//! envelopes, one after the other.
//!
//! An [`Input`] is one file or standard input. Its first bytes and its name determine its kind. Each kind
//! has a [`RecordReader`] in a file of its own, which returns JSON text, and what it is declared to be: a document, or the
//! envelope of a change. What the text means is not interpreted here.

mod caught;
mod chunks;
mod csv;
mod declaration;
mod frames;
mod inputs;
mod jsonl;
#[cfg(test)]
#[path = "../../fuzz/cases/meaning.rs"]
mod meaning;
mod open;
mod opened;
mod parquet;
mod progress;
#[cfg(test)]
mod property_tests;
mod record;
mod rows;
#[cfg(test)]
mod tests;

pub(crate) use caught::caught;
pub(crate) use chunks::FileChunks;
pub use csv::CsvRows;
pub(crate) use declaration::heading;
pub use inputs::{CsvForm, Fingerprint, Input, Inputs};
pub use open::open;
pub use parquet::ParquetRows;
pub use record::{Mark, Record, RecordReader};

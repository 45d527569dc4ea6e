//! Reads back what exports and tails wrote: files and streams of documents, or of changes in their
//! envelopes, one after the other.
//!
//! An [`Input`] is one file or standard input. Its first bytes determine its kind, and its name whether it is CSV.
//! Each kind has a [`RecordReader`] in a file of its own, which returns JSON text, and what it is declared to be: a
//! document, or the envelope of a change. What the text means is not interpreted here.

mod arrangement;
mod arrow;
mod batches;
mod caught;
mod chunks;
mod compressed_later;
mod csv;
mod csv_reading;
mod declaration;
mod exported;
mod foreign;
mod framer;
mod frames;
mod input;
mod inputs;
mod jsonl;
mod letters;
#[cfg(test)]
#[path = "../../fuzz/cases/meaning.rs"]
mod meaning;
mod messages;
mod names;
mod open;
mod opened;
mod other_csv;
mod other_parquet;
mod other_rows;
mod parquet;
mod progress;
#[cfg(test)]
mod property_tests;
mod record;
mod rows;
#[cfg(test)]
mod tests;
mod typed;
mod values;
#[cfg(test)]
mod values_tests;

pub use arrow::read_arrow;
pub(crate) use caught::caught;
pub(crate) use chunks::FileChunks;
pub(crate) use compressed_later::{CompressedLater, compressed_later};
pub use csv::CsvRows;
pub use csv_reading::CsvReading;
pub(crate) use declaration::heading;
pub use exported::Exported;
pub use input::{CsvForm, Fingerprint, Input};
pub use inputs::{Inputs, SourceDefinition};
pub use letters::name_of_letters;
pub(crate) use messages::Messages;
pub use open::{open, read_json};
pub use parquet::ParquetRows;
pub use record::{Mark, Passing, Record, RecordReader, Text, Within};

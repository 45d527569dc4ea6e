//! The formats of files: they turn pages of changes into the bytes of a file or a stream.
//!
//! [`Encoder`] is the seam. A format is an encoder in a file of its own, and a line in [`encoders()`]. A
//! [`Compressor`] compresses text as a whole; Parquet and Arrow compress their columns themselves.

mod arrow;
mod changes;
mod columnar;
mod compression;
mod csv;
mod encoder;
mod encoders;
mod extension;
mod jsonl;
mod options;
mod order;
mod parquet;
mod table;
#[cfg(test)]
mod table_tests;

pub use changes::{AskWidth, ChangeEncoder, Limits};
pub use compression::Compressor;
pub use csv::header_name;
pub use encoder::{Encoded, Encoder, EncoderOptions, FileAbout, NewEncoder};
pub use encoders::encoders;
pub use extension::{Extension, is_compressed_by_name};
pub use options::{Compression, CsvOptions, Extra, Format};

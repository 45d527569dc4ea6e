//! The formats of files: pages of changes become the bytes of a file or of a stream.
//!
//! [`Encoder`] is the seam: a format is an encoder, in a file of its own, and a line in
//! [`encoders()`]. Text is compressed as a whole by a [`Compressor`]; Parquet compresses within.

mod changes;
mod compression;
mod csv;
mod encoder;
mod encoders;
mod jsonl;
mod options;
mod parquet;
mod table;
#[cfg(test)]
mod table_tests;

pub use changes::{ChangeEncoder, Limits};
pub use compression::Compressor;
pub use encoder::{Encoded, Encoder, EncoderOptions, FileAbout, NewEncoder};
pub use encoders::encoders;
pub use options::{Compression, CsvOptions, Format};

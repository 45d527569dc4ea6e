//! Parquet: typed columns in row groups of bounded memory.
//!
//! Rows are collected as Arrow arrays, about a megabyte at a time, and passed to the writer of the row group,
//! which encodes and compresses them at once. A file is unreadable without its footer, so no part of it
//! can be committed before it is finished.

mod dictionary;

use anyhow::{Context, Result};
use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression as Codec, GzipLevel, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::columnar::{BATCH_BYTES, Columns, Rows, about_file};
use super::csv::makes_rows;
use super::encoder::{Encoded, Encoder, EncoderOptions, FileAbout};
use super::options::Compression;
use crate::feed::RangeId;
use crate::feed::page::Page;

/// A dictionary that grows larger is abandoned for the rest of its row group: with so many different values
/// it is not worth a lookup for each.
const DICTIONARY_BYTES: usize = 256 << 10;

/// Writes documents as Parquet.
pub(super) struct Parquet {
    compression: Compression,
    row_group_bytes: usize,
    rows: Rows,
    columns: Option<Columns>,
    /// The writer of the file; none before its first rows.
    file: Option<ArrowWriter<Vec<u8>>>,
}

impl Parquet {
    pub(super) fn new(options: &EncoderOptions) -> Self {
        Self {
            compression: options.compression,
            row_group_bytes: usize::try_from(options.row_group_bytes).unwrap_or(usize::MAX),
            rows: Rows::new(options),
            columns: None,
            file: None,
        }
    }

    /// Encodes the collected rows, and ends the row group if it has reached its size.
    fn encode_batch(&mut self) -> Result<()> {
        let Some(columns) = &mut self.columns else {
            return Ok(());
        };
        if columns.rows() > 0 {
            let rows = columns.take()?;
            let file = match &mut self.file {
                Some(file) => file,
                None => self.file.insert(new_file(&rows, self.compression)?),
            };
            file.write(&rows).context("cannot write Parquet")?;
        }
        if let Some(file) = &mut self.file
            && file.memory_size() >= self.row_group_bytes
        {
            file.flush().context("cannot write Parquet")?;
        }
        Ok(())
    }

    /// Takes the finished bytes of the file.
    fn take_bytes(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if let Some(file) = &mut self.file {
            file.sync().context("cannot write Parquet")?;
            // A buffer kept for the next bytes would be as large as a row group, in every file.
            let mut bytes = std::mem::take(file.inner_mut());
            if out.is_empty() {
                *out = bytes
            } else {
                out.append(&mut bytes)
            }
        }
        Ok(())
    }
}

impl Encoder for Parquet {
    fn begin(&mut self, _: &FileAbout<'_>, _: &mut Vec<u8>) -> Result<()> {
        if self.columns.is_none() {
            self.columns = Some(self.rows.columns()?);
        }
        Ok(())
    }

    fn makes_rows(&self, page: &Page) -> bool {
        makes_rows(self.rows.mode, page)
    }

    fn encode(&mut self, range: RangeId, page: &Page, out: &mut Vec<u8>) -> Result<Encoded> {
        let mut encoded = Encoded::whole(0);
        if !self.makes_rows(page) {
            return Ok(encoded);
        }
        let mut items = page.items().peekable();
        while items.peek().is_some() {
            let Some(columns) = &mut self.columns else {
                return Ok(encoded);
            };
            self.rows
                .append(range, &mut items, BATCH_BYTES, columns, &mut encoded)?;
            if columns.bytes() >= BATCH_BYTES {
                self.encode_batch()?;
            }
        }
        self.take_bytes(out)?;
        Ok(encoded)
    }

    fn buffered_bytes(&self) -> usize {
        let gathered = self.columns.iter().map(Columns::bytes);
        let encoded = self.file.iter().map(ArrowWriter::memory_size);
        gathered.chain(encoded).sum()
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.encode_batch()?;
        if let Some(file) = &mut self.file {
            file.flush().context("cannot write Parquet")?;
        }
        self.take_bytes(out)
    }

    fn finish(&mut self, about: &FileAbout<'_>, out: &mut Vec<u8>) -> Result<()> {
        self.encode_batch()?;
        let columns = self.columns.as_ref().context("no file was started")?;
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                let no_rows = RecordBatch::new_empty(columns.schema().clone());
                new_file(&no_rows, self.compression)?
            }
        };
        for (key, value) in about_file(about, columns.documents())? {
            file.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        let mut bytes = file.into_inner().context("cannot end a Parquet file")?;
        out.append(&mut bytes);
        Ok(())
    }
}

/// A file whose first rows are these. They are not written yet.
fn new_file(rows: &RecordBatch, compression: Compression) -> Result<ArrowWriter<Vec<u8>>> {
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("cosmos-tail version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(codec(compression)?)
        .set_dictionary_page_size_limit(DICTIONARY_BYTES);
    for column in dictionary::columns_without(rows) {
        properties = properties.set_column_dictionary_enabled(column, false);
    }
    let options = ArrowWriterOptions::new().with_properties(properties.build());
    ArrowWriter::try_new_with_options(Vec::new(), rows.schema(), options)
        .context("cannot begin a Parquet file")
}

fn codec(compression: Compression) -> Result<Codec> {
    Ok(match compression {
        Compression::None => Codec::UNCOMPRESSED,
        Compression::Snappy => Codec::SNAPPY,
        Compression::Lz4 => Codec::LZ4_RAW,
        Compression::Gzip(level) => Codec::GZIP(GzipLevel::try_new(level)?),
        Compression::Zstd(level) => Codec::ZSTD(ZstdLevel::try_new(level)?),
    })
}

//! Parquet files of an export.

use anyhow::{Context, Result, bail};
use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::file::reader::ChunkReader;

use super::batches::{Batches, damaged};
use super::caught::caught;
use super::record::{Mark, Record, RecordReader};
use super::typed::TypedRows;
use crate::feed::RecordForm;

/// How many rows are decoded at once.
pub(super) const BATCH_ROWS: usize = 1024;

/// Reads rows.
pub struct ParquetRows(TypedRows);

/// The batches of a file.
pub(super) struct ParquetBatches {
    batches: ParquetRecordBatchReader,
    /// How many rows the file has.
    all_rows: u64,
    /// Its length in bytes.
    length: u64,
}

impl ParquetRows {
    /// Starts at the row after `mark`. The metadata of the file describes its columns.
    ///
    /// # Errors
    ///
    /// If it is not a Parquet file, was not written by an export, or has fewer rows than the mark.
    pub fn new(file: impl ChunkReader + 'static, name: String, mark: Mark) -> Result<Self> {
        let damaged = damaged(&name, mark.line);
        caught(|| Self::open(file, name, mark)).unwrap_or(Err(damaged))
    }

    fn open(file: impl ChunkReader + 'static, name: String, mark: Mark) -> Result<Self> {
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())
            .with_context(|| format!("{name} is not a complete Parquet file"))?;
        let batches = ParquetBatches::open(file, metadata.clone(), &name, mark)?;
        let said = metadata.metadata().file_metadata().key_value_metadata();
        let value = |key: &str| {
            let found = said.into_iter().flatten().find(|one| one.key == key);
            found.and_then(|one| one.value.as_deref())
        };
        let batches = Box::new(batches);
        TypedRows::new(name, metadata.schema(), value, batches, mark.line).map(Self)
    }

    /// What the rows are, by their columns.
    pub(super) fn form(&self) -> RecordForm {
        self.0.form()
    }
}

impl RecordReader for ParquetRows {
    fn next(&mut self) -> Result<Option<Record>> {
        self.0.next()
    }
}

impl ParquetBatches {
    /// The batches after `mark`.
    pub(super) fn open(
        file: impl ChunkReader + 'static,
        metadata: ArrowReaderMetadata,
        name: &str,
        mark: Mark,
    ) -> Result<Self> {
        let length = file.len();
        let rows = metadata.metadata().file_metadata().num_rows();
        let all_rows = u64::try_from(rows).unwrap_or_default();
        if mark.line > all_rows {
            bail!("{name} is shorter than the part of it that was read before");
        }
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
            .with_batch_size(BATCH_ROWS)
            .with_offset(usize::try_from(mark.line)?)
            .build()
            .with_context(|| format!("cannot read {name}"))?;
        Ok(Self {
            batches,
            all_rows,
            length,
        })
    }
}

impl Batches for ParquetBatches {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.batches.next().transpose()?)
    }

    fn raw_end(&self, row: u64) -> u64 {
        (self.length as f64 * (row as f64 / self.all_rows.max(1) as f64)) as u64
    }
}

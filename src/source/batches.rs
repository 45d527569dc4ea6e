//! Batches of rows in columns, whatever file they come from.

use anyhow::{Result, anyhow};
use arrow_array::RecordBatch;

use crate::error::with_hint;

/// The batches of a file, in their order.
pub(super) trait Batches: Send {
    /// The next batch; none at the end.
    fn next(&mut self) -> Result<Option<RecordBatch>>;

    /// How many bytes of the input, before decompression, end with this row, as far as that can be known.
    fn raw_end(&self, row: u64) -> u64;
}

/// The error of a file on which the library panics.
pub(super) fn damaged(name: &str, row: u64) -> anyhow::Error {
    with_hint(
        anyhow!("{name} is damaged: it cannot be read after row {row}"),
        "`verify` reports which files of an export are intact",
    )
}

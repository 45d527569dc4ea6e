//! The seam between pages and bytes: one encoder for each format.

use std::sync::{Arc, OnceLock};

use anyhow::Result;

use super::options::{Compression, CsvOptions, Format};
use crate::feed::RangeState;
use crate::feed::page::Page;
use crate::feed::{FeedMode, RangeId};
use crate::schema::TableLayout;

/// Turns pages into the bytes of files or of a stream, one file after another.
///
/// Bytes are appended to `out`, which the caller writes, compresses and counts.
pub trait Encoder: Send {
    /// Begins a file, or the stream.
    ///
    /// # Errors
    ///
    /// If the file cannot be begun.
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    /// Whether [`encode`](Self::encode) would make rows of the page. A file is begun for rows only.
    fn makes_rows(&self, page: &Page) -> bool {
        page.items().any(|item| item.document().is_some())
    }

    /// Takes the changes of a page of `range`. What is not appended to `out` yet is kept for a
    /// later call.
    ///
    /// # Errors
    ///
    /// If a document cannot be represented in the format.
    fn encode(&mut self, range: RangeId, page: &Page, out: &mut Vec<u8>) -> Result<Encoded>;

    /// Whether what is made for a terminal is in a form for terminals already.
    fn is_for_terminals(&self) -> bool {
        false
    }

    /// Bytes of memory taken by what is kept for a later call.
    fn buffered_bytes(&self) -> usize {
        0
    }

    /// Appends what is kept, to free its memory.
    ///
    /// # Errors
    ///
    /// If it cannot be represented.
    fn flush(&mut self, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    /// Ends the file; the next call is [`begin`](Self::begin).
    ///
    /// # Errors
    ///
    /// If the file cannot be ended.
    fn finish(&mut self, _about: &FileAbout<'_>, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }
}

/// What a file can say of itself.
#[derive(Debug)]
pub struct FileAbout<'a> {
    /// The export that it belongs to.
    pub export_id: uuid::Uuid,
    /// The name of the container.
    pub container: &'a str,
    /// Where its ranges stood before its first row.
    pub start: &'a [RangeState],
    /// Where they stand after its last one.
    pub end: &'a [RangeState],
}

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoded {
    /// Rows that were made.
    pub rows: u64,
    /// Rows of which something did not fit its column, or had none.
    pub overflowed: u64,
    /// Whether the whole page was dealt with. If not, the position must not move past it.
    pub is_whole: bool,
}

impl Encoded {
    /// A whole page of `rows`, of which each one fit.
    pub(super) fn whole(rows: u64) -> Self {
        Self {
            rows,
            overflowed: 0,
            is_whole: true,
        }
    }
}

/// Makes an encoder for each series.
pub type NewEncoder = dyn Fn() -> Result<Box<dyn Encoder>> + Send + Sync;

/// What encoders need to know.
#[derive(Debug, Clone)]
pub struct EncoderOptions {
    /// The format of the files.
    pub format: Format,
    /// The mode of the feed: in one of them rows are documents, in the other changes.
    pub mode: FeedMode,
    /// How a format compresses that does so by itself.
    pub compression: Compression,
    /// How CSV is written.
    pub csv: CsvOptions,
    /// Bytes of a row group in memory.
    pub row_group_bytes: u64,
    /// The paths of the container's partition key.
    pub partition_key_paths: Vec<String>,
    /// How documents become rows: known before the first row is, at the latest.
    pub layout: Arc<OnceLock<TableLayout>>,
}

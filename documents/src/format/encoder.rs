//! The seam between pages and bytes: one encoder for each format.

use std::sync::{Arc, OnceLock};

use anyhow::Result;

use super::options::{Compression, CsvOptions, Extra, Format};
use crate::feed::RangeState;
use crate::feed::page::Page;
use crate::feed::{FeedMode, RangeId};
use crate::schema::{TableForm, TableLayout};

/// Turns pages into the bytes of files or of a stream, one file after another.
///
/// Bytes are appended to `out`, which the caller writes, compresses and counts.
pub trait Encoder: Send {
    /// Begins a file or the stream. What `about` says of positions is what is known before its first row.
    ///
    /// # Errors
    ///
    /// If the file cannot be begun.
    fn begin(&mut self, _about: &FileAbout<'_>, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    /// Whether [`encode`](Self::encode) would make rows of the page. A file is begun for rows only.
    fn makes_rows(&self, page: &Page) -> bool {
        page.items().any(|item| item.document().is_some())
    }

    /// Encodes the changes of a page of `range`. Bytes that are not yet appended to `out` stay in memory until a
    /// later call.
    ///
    /// # Errors
    ///
    /// If a document cannot be represented in the format.
    fn encode(&mut self, range: RangeId, page: &Page, out: &mut Vec<u8>) -> Result<Encoded>;

    /// Notes that the page that was just encoded took its range from one position to another.
    ///
    /// # Errors
    ///
    /// If rows that are complete by now cannot be written.
    fn moved(
        &mut self,
        _before: &RangeState,
        _after: &RangeState,
        _out: &mut Vec<u8>,
    ) -> Result<()> {
        Ok(())
    }

    /// Whether its output is already escaped for terminals.
    fn is_for_terminals(&self) -> bool {
        false
    }

    /// How many bytes of memory hold rows for a later call.
    fn buffered_bytes(&self) -> usize {
        0
    }

    /// Appends these rows, to free their memory.
    ///
    /// # Errors
    ///
    /// If they cannot be represented.
    fn flush(&mut self, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    /// Ends the file or the stream; the next call is [`begin`](Self::begin). A stream may not have begun.
    ///
    /// # Errors
    ///
    /// If the file cannot be ended.
    fn finish(&mut self, _about: &FileAbout<'_>, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }
}

/// The description of a file that the file itself may contain.
#[derive(Debug)]
pub struct FileAbout<'a> {
    /// The export that it belongs to.
    pub export_id: uuid::Uuid,
    /// The name of the container.
    pub container: &'a str,
    /// The positions of its ranges before its first row.
    pub start: &'a [RangeState],
    /// Their positions after its last row.
    pub end: &'a [RangeState],
}

/// The result of encoding a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoded {
    /// How many rows it made.
    pub rows: u64,
    /// How many rows have something in the overflow column.
    pub overflowed: u64,
    /// How many rows lack values that fit no column.
    pub dropped: u64,
    /// Whether the whole page was encoded. If not, the position must not move past it.
    pub is_whole: bool,
}

impl Encoded {
    /// A whole page of `rows` without overflow.
    pub(super) fn whole(rows: u64) -> Self {
        Self {
            rows,
            overflowed: 0,
            dropped: 0,
            is_whole: true,
        }
    }
}

/// Makes an encoder for each series.
pub type NewEncoder = dyn Fn() -> Result<Box<dyn Encoder>> + Send + Sync;

/// What encoders need.
#[derive(Debug, Clone)]
pub struct EncoderOptions {
    /// The format of the files.
    pub format: Format,
    /// Whether there are no files, but one stream.
    pub is_stream: bool,
    /// The mode of the feed: rows are documents in one mode, and changes in the other.
    pub mode: FeedMode,
    /// The compression within files, for formats that have it.
    pub compression: Compression,
    /// How CSV is written.
    pub csv: CsvOptions,
    /// The size of a row group in memory.
    pub row_group_bytes: u64,
    /// The paths of the container's partition key.
    pub partition_key_paths: Vec<String>,
    /// How documents become rows. It is set before the first row at the latest.
    pub layout: Arc<OnceLock<TableLayout>>,
    /// How tables are written beside that.
    pub form: TableForm,
    /// What happens to values that fit no column.
    pub extra: Extra,
}

//! Arrow: a file with a footer, or to standard output a stream, whose batches say where a reader stands after them.
//!
//! A batch ends with a page, so that the positions in its metadata are exact.

mod message;
mod operations;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_ipc::writer::{
    DictionaryHandling, DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions,
};
use arrow_ipc::{Block, CompressionType};
use arrow_schema::{Metadata, Schema, SchemaRef};

use self::operations::Operations;
use super::columnar::{BATCH_BYTES, Columns, Rows, about_file};
use super::csv::makes_rows;
use super::encoder::{Encoded, Encoder, EncoderOptions, FileAbout};
use super::options::Compression;
use crate::feed::page::Page;
use crate::feed::{RangeId, RangeState};
use crate::schema::metadata;

/// Writes documents as Arrow.
pub(super) struct Arrow {
    is_stream: bool,
    options: IpcWriteOptions,
    rows: Rows,
    columns: Option<Columns>,
    open: Option<Open>,
    buffers: IpcWriteContext,
}

/// The file or the stream that was begun.
struct Open {
    schema: SchemaRef,
    operations: Operations,
    dictionaries: DictionaryTracker,
    /// How many bytes it has.
    length: u64,
    dictionary_blocks: Vec<Block>,
    batch_blocks: Vec<Block>,
    /// The ranges that have moved since the last batch, as they were then.
    start: BTreeMap<RangeId, RangeState>,
    /// The same ranges as they are now.
    end: BTreeMap<RangeId, RangeState>,
}

impl Arrow {
    pub(super) fn new(options: &EncoderOptions) -> Result<Self> {
        let (codec, level) = match options.compression {
            Compression::Lz4 => (Some(CompressionType::LZ4_FRAME), None),
            Compression::Zstd(level) => (Some(CompressionType::ZSTD), Some(level)),
            // The command line allows no other.
            Compression::None | Compression::Snappy | Compression::Gzip(_) => (None, None),
        };
        Ok(Self {
            is_stream: options.is_stream,
            options: IpcWriteOptions::default()
                .try_with_compression(codec)?
                .try_with_compression_level(level)?
                // A word that comes later is added; nothing is written again.
                .with_dictionary_handling(DictionaryHandling::Delta),
            rows: Rows::new(options),
            columns: None,
            open: None,
            buffers: IpcWriteContext::default(),
        })
    }

    fn open(&mut self, about: &FileAbout<'_>, out: &mut Vec<u8>) -> Result<()> {
        let Some(columns) = &self.columns else {
            return Ok(());
        };
        let before = out.len();
        if !self.is_stream {
            message::begin_file(out);
        }
        let plain = Operations::schema(columns.schema());
        let mut said = about_file(about, columns.documents())?;
        // Where it will end is not known.
        said.retain(|(key, _)| *key != metadata::END);
        let mut dictionaries = DictionaryTracker::new(!self.is_stream);
        let schema = IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(
            &plain.clone().with_metadata(of_pairs(said)),
            &mut dictionaries,
            &self.options,
        );
        message::append(schema, 0, &self.options, out)?;
        self.open = Some(Open {
            schema: Arc::new(plain),
            operations: Operations::new(),
            dictionaries,
            length: (out.len() - before) as u64,
            dictionary_blocks: Vec::new(),
            batch_blocks: Vec::new(),
            start: BTreeMap::new(),
            end: BTreeMap::new(),
        });
        Ok(())
    }

    /// Writes the collected rows as a batch.
    fn write_batch(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let (Some(columns), Some(open)) = (&mut self.columns, &mut self.open) else {
            return Ok(());
        };
        let rows = columns.take()?;
        let rows = open.operations.encode(&rows, &open.schema)?;
        let (words, mut batch) = IpcDataGenerator::default()
            .encode(
                &rows,
                &mut open.dictionaries,
                &self.options,
                &mut self.buffers,
            )
            .context("cannot write Arrow")?;
        let start: Vec<RangeState> = std::mem::take(&mut open.start).into_values().collect();
        let end: Vec<RangeState> = std::mem::take(&mut open.end).into_values().collect();
        let said = of_pairs([
            (metadata::START, serde_json::to_string(&start)?),
            (metadata::END, serde_json::to_string(&end)?),
        ]);
        batch.ipc_message = message::with_metadata(&batch.ipc_message, &said)?;
        let before = out.len();
        let at = |out: &Vec<u8>| open.length + (out.len() - before) as u64;
        for words in words {
            let block = message::append(words, at(out), &self.options, out)?;
            open.dictionary_blocks.push(block);
        }
        let block = message::append(batch, at(out), &self.options, out)?;
        open.batch_blocks.push(block);
        open.length += (out.len() - before) as u64;
        if self.is_stream {
            // Nobody will look for them in a footer.
            open.dictionary_blocks.clear();
            open.batch_blocks.clear();
        }
        Ok(())
    }

    fn has_rows(&self) -> bool {
        self.columns
            .as_ref()
            .is_some_and(|columns| columns.rows() > 0)
    }
}

impl Encoder for Arrow {
    fn begin(&mut self, about: &FileAbout<'_>, out: &mut Vec<u8>) -> Result<()> {
        if self.columns.is_none() {
            self.columns = Some(self.rows.columns()?);
        }
        self.open(about, out)
    }

    fn makes_rows(&self, page: &Page) -> bool {
        makes_rows(self.rows.mode, page)
    }

    fn encode(&mut self, range: RangeId, page: &Page, _: &mut Vec<u8>) -> Result<Encoded> {
        let mut encoded = Encoded::whole(0);
        if let Some(columns) = &mut self.columns
            && makes_rows(self.rows.mode, page)
        {
            let mut items = page.items().peekable();
            self.rows
                .append(range, &mut items, usize::MAX, columns, &mut encoded)?;
        }
        Ok(encoded)
    }

    fn moved(&mut self, before: &RangeState, after: &RangeState, out: &mut Vec<u8>) -> Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.start
            .entry(before.id)
            .or_insert_with(|| before.clone());
        open.end.insert(after.id, after.clone());
        match &self.columns {
            Some(columns) if columns.bytes() >= BATCH_BYTES => self.write_batch(out),
            _ => Ok(()),
        }
    }

    fn buffered_bytes(&self) -> usize {
        self.columns.as_ref().map_or(0, Columns::bytes)
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.has_rows() {
            self.write_batch(out)?;
        }
        Ok(())
    }

    fn finish(&mut self, about: &FileAbout<'_>, out: &mut Vec<u8>) -> Result<()> {
        if self.open.is_none() && self.is_stream {
            // Without rows it is a stream nevertheless, which readers take for a table.
            self.columns = Some(self.rows.columns_or_id()?);
            self.open(about, out)?;
        }
        let moved = self.open.as_ref().is_some_and(|open| !open.end.is_empty());
        if self.has_rows() || (self.is_stream && moved) {
            // The last batch of a stream says where it ends, even if only pages without rows came after the one before.
            self.write_batch(out)?;
        }
        message::end(out);
        let open = self.open.take().context("no file was started")?;
        if self.is_stream {
            return Ok(());
        }
        let columns = self.columns.as_ref().context("no file was started")?;
        let said = about_file(about, columns.documents())?;
        let schema = Schema::clone(&open.schema).with_metadata(of_pairs(said));
        message::append_footer(&schema, &open.dictionary_blocks, &open.batch_blocks, out)
    }
}

fn of_pairs(pairs: impl IntoIterator<Item = (&'static str, String)>) -> Metadata {
    let pairs = pairs.into_iter();
    pairs.map(|(key, value)| (key.to_owned(), value)).collect()
}

//! The messages of Arrow, from the beginning of a file or a stream to its end.
//!
//! A file is a stream between two marks, with a footer, so that both are read alike, and from a pipe.

use std::io::{self, Read};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::FileDecoder;
use arrow_ipc::{Block, Message, RecordBatch as BatchHeader, root_as_message};
use arrow_schema::SchemaRef;

/// How a file begins and ends.
pub(super) const MAGIC: &[u8] = b"ARROW1";

/// What every message begins with, before its length.
pub(super) const CONTINUES: [u8; 4] = [0xff; 4];

/// The most bytes that a compressed column of a batch may have: a damaged length must not take all memory.
const MAX_BUFFER: i64 = 4 << 30;

/// A file or a stream that is read.
pub(crate) struct Messages<R> {
    bytes: R,
    is_file: bool,
    schema: SchemaRef,
    decoder: FileDecoder,
    /// How many bytes were read.
    offset: u64,
    has_ended: bool,
}

/// A message, and what comes after its header.
struct Framed {
    /// The prefix, the header and the body, one after another.
    bytes: Vec<u8>,
    header: usize,
}

/// One batch.
pub(crate) struct Batch {
    /// How many rows it has.
    pub(crate) rows: u64,
    framed: Framed,
}

impl<R: Read> Messages<R> {
    /// Reads up to the columns.
    ///
    /// # Errors
    ///
    /// If it is not Arrow.
    pub(crate) fn open(mut bytes: R) -> Result<Self> {
        let mut first = [0; 8];
        let mut offset = 0;
        let mut read = |first: &mut [u8; 8]| -> Result<()> {
            let read = read_up_to(&mut bytes, first)?;
            offset += read as u64;
            ensure!(read == first.len(), CutOff);
            Ok(())
        };
        read(&mut first)?;
        let is_file = first.starts_with(MAGIC);
        if is_file {
            read(&mut first)?;
        }
        // Writers fill up to a multiple of 8, or of more.
        while is_file && first == [0; 8] {
            read(&mut first)?;
        }
        let mut this = Self {
            bytes,
            is_file,
            schema: Arc::new(arrow_schema::Schema::empty()),
            decoder: FileDecoder::new(
                Arc::new(arrow_schema::Schema::empty()),
                arrow_ipc::MetadataVersion::V5,
            ),
            offset,
            has_ended: false,
        };
        let framed = this.message(Some(first))?;
        let framed = framed.ok_or_else(|| anyhow!("it ends before its columns"))?;
        let message = framed.message()?;
        let schema = message
            .header_as_schema()
            .ok_or_else(|| anyhow!("it does not begin with its columns"))?;
        this.schema = Arc::new(try_fb_to_schema(schema)?);
        this.decoder = FileDecoder::new(Arc::clone(&this.schema), message.version());
        Ok(this)
    }

    /// The columns, and what the file says of itself.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many bytes were read.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next batch, not yet decoded; none at the end.
    ///
    /// # Errors
    ///
    /// If it is damaged, or there is no end.
    pub(crate) fn next(&mut self) -> Result<Option<Batch>> {
        while !self.has_ended {
            let Some(framed) = self.message(None)? else {
                self.has_ended = true;
                if self.is_file {
                    self.read_footer()?;
                }
                break;
            };
            let message = framed.message()?;
            if let Some(words) = message.header_as_dictionary_batch() {
                check(words.data(), framed.body())?;
                let (block, buffer) = framed.into_block();
                self.decoder.read_dictionary(&block, &buffer)?;
                continue;
            }
            let Some(rows) = message.header_as_record_batch() else {
                bail!("it has a message that is no rows");
            };
            check(Some(rows), framed.body())?;
            let rows = u64::try_from(rows.length())?;
            return Ok(Some(Batch { rows, framed }));
        }
        Ok(None)
    }

    /// The rows of a batch.
    ///
    /// # Errors
    ///
    /// If they are damaged.
    pub(crate) fn decode(&self, batch: Batch) -> Result<RecordBatch> {
        let (block, buffer) = batch.framed.into_block();
        let rows = self.decoder.read_record_batch(&block, &buffer)?;
        rows.ok_or_else(|| anyhow!("it has a message without rows"))
    }

    /// The next message, whose first bytes may have been read; none at the end.
    fn message(&mut self, first: Option<[u8; 8]>) -> Result<Option<Framed>> {
        let prefix = match first {
            Some(first) => first,
            None => {
                let mut prefix = [0; 8];
                let read = read_up_to(&mut self.bytes, &mut prefix)?;
                self.offset += read as u64;
                if read < prefix.len() {
                    bail!(CutOff);
                }
                prefix
            }
        };
        let [a, b, c, d, length @ ..] = prefix;
        ensure!(
            [a, b, c, d] == CONTINUES,
            "it has no message where one should be"
        );
        let length = i32::from_le_bytes(length);
        if length == 0 {
            return Ok(None);
        }
        let header = u64::try_from(length).context("it has a message of a negative length")?;
        let mut bytes = prefix.to_vec();
        self.read(header, &mut bytes)?;
        let framed = Framed {
            header: bytes.len(),
            bytes,
        };
        let body = u64::try_from(framed.message()?.bodyLength())
            .context("it has a message of a negative length")?;
        let Framed { mut bytes, header } = framed;
        // At once, but not more than a damaged length may claim.
        bytes.reserve(usize::try_from(body.min(64 << 20))?);
        self.read(body, &mut bytes)?;
        Ok(Some(Framed { bytes, header }))
    }

    fn read(&mut self, length: u64, into: &mut Vec<u8>) -> Result<()> {
        let read = (&mut self.bytes).take(length).read_to_end(into)? as u64;
        self.offset += read;
        if read < length {
            bail!(CutOff);
        }
        Ok(())
    }

    /// Reads the footer of a file, which says where its batches are, and the mark after it.
    fn read_footer(&mut self) -> Result<()> {
        let mut footer = Vec::new();
        let read = self.bytes.read_to_end(&mut footer)? as u64;
        self.offset += read;
        let Some((before, [a, b, c, d, magic @ ..])) = footer.split_last_chunk::<10>() else {
            bail!(CutOff);
        };
        let length = i32::from_le_bytes([*a, *b, *c, *d]);
        if magic != MAGIC || usize::try_from(length) != Ok(before.len()) {
            bail!(CutOff);
        }
        Ok(())
    }
}

impl Framed {
    fn message(&self) -> Result<Message<'_>> {
        root_as_message(&self.bytes[8..self.header]).map_err(|why| anyhow!("{why}"))
    }

    fn body(&self) -> &[u8] {
        &self.bytes[self.header..]
    }

    fn into_block(self) -> (Block, Buffer) {
        let body = self.bytes.len() - self.header;
        // Both were lengths of messages.
        let block = Block::new(0, self.header as i32, body as i64);
        (block, Buffer::from_vec(self.bytes))
    }
}

/// The error of a file that has no end.
#[derive(Debug)]
pub(crate) struct CutOff;

impl std::fmt::Display for CutOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it has no end")
    }
}

impl std::error::Error for CutOff {}

/// Checks that what a batch says of its body can be so, since memory is taken for it.
fn check(batch: Option<BatchHeader<'_>>, body: &[u8]) -> Result<()> {
    let batch = batch.ok_or_else(|| anyhow!("it has a dictionary without words"))?;
    ensure!(batch.length() >= 0, "it has a batch of a negative length");
    for node in batch.nodes().into_iter().flatten() {
        ensure!(
            (0..=1 << 40).contains(&node.length()) && node.null_count() >= 0,
            "it has a column of a wrong length"
        );
    }
    for buffer in batch.buffers().into_iter().flatten() {
        let at = usize::try_from(buffer.offset())?;
        let length = usize::try_from(buffer.length())?;
        let bytes = at
            .checked_add(length)
            .and_then(|end| body.get(at..end))
            .ok_or_else(|| anyhow!("it has a column outside of its batch"))?;
        if batch.compression().is_some()
            && let Some(plain) = bytes.first_chunk::<8>()
        {
            let plain = i64::from_le_bytes(*plain);
            ensure!(
                (-1..=MAX_BUFFER).contains(&plain),
                "it has a compressed column of a wrong length"
            );
        }
    }
    Ok(())
}

fn read_up_to(bytes: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match bytes.read(&mut into[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

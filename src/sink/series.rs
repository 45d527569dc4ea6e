//! One series: its open part, and what was written since the last checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, bail};

use super::pool::{BUFFER_BYTES, BufferPool, Gathered};
use crate::destination::{
    Destination, Kind, PartId, PartReceipt, PartWriter, Receipt, ResumedPart, Written,
};
use crate::failpoint;
use crate::feed::page::Page;
use crate::feed::{Position, RangeId, RangeState};
use crate::format::{Compression, Compressor, Encoded, Encoder, FileAbout};

/// What all series of a job have in common.
#[derive(Debug)]
pub struct SinkOptions {
    /// The export, for files that name it.
    pub export_id: uuid::Uuid,
    /// The name of the container, for the same files.
    pub container: String,
    /// How the files are compressed.
    pub compression: Compression,
    /// Whether a file can be committed before it is finished.
    pub commits_within_files: bool,
    /// A part is sealed, and the next one begun, at this many bytes.
    pub rotate_bytes: Option<u64>,
    /// Bytes of rows that all encoders together may keep in memory.
    pub encoder_memory: usize,
}

impl SinkOptions {
    fn about<'a>(&'a self, start: &'a [RangeState], end: &'a [RangeState]) -> FileAbout<'a> {
        FileAbout {
            export_id: self.export_id,
            container: &self.container,
            start,
            end,
        }
    }
}

/// The writer of one series.
pub(super) struct Series {
    id: u32,
    destination: Arc<dyn Destination>,
    options: Arc<SinkOptions>,
    encoder: Box<dyn Encoder>,
    compressor: Option<Compressor>,
    /// Bytes of the file that are not yet written.
    gathered: Gathered,
    /// Output of the encoder for the compressor, if there is one.
    encoded: Gathered,
    target: Target,
    next_part: u32,
    /// Parts that were sealed since the last receipt.
    sealed: Vec<PartReceipt>,
    /// The positions of ranges that have moved since the last receipt, or since the start of a part that
    /// cannot be committed yet.
    positions: BTreeMap<RangeId, Position>,
    /// What was written and can be committed.
    written: Written,
    /// What was written to a part that can only be committed once it is finished.
    unfinished: Written,
}

enum Target {
    /// Part files; one may be open.
    Parts(Option<OpenPart>),
    /// A stream, once it has begun.
    Stream(Option<Box<dyn PartWriter>>),
}

struct OpenPart {
    part: u32,
    writer: Box<dyn PartWriter>,
    length: u64,
    rows: u64,
    crc32c: u32,
    /// Whether it has grown since the last receipt.
    dirty: bool,
    /// The ranges that were written to it, as they were before, as far as this run knows.
    start: BTreeMap<RangeId, RangeState>,
    /// The same ranges as they are now.
    end: BTreeMap<RangeId, RangeState>,
}

impl OpenPart {
    fn new(part: u32, writer: Box<dyn PartWriter>) -> Self {
        Self {
            part,
            writer,
            length: 0,
            rows: 0,
            crc32c: 0,
            dirty: true,
            start: BTreeMap::new(),
            end: BTreeMap::new(),
        }
    }
}

impl Series {
    pub(super) fn new(
        id: u32,
        destination: Arc<dyn Destination>,
        options: Arc<SinkOptions>,
        encoder: Box<dyn Encoder>,
        next_part: u32,
    ) -> Self {
        let target = if destination.kind() == Kind::Stream {
            Target::Stream(None)
        } else {
            Target::Parts(None)
        };
        Self {
            id,
            destination,
            compressor: Compressor::of_text(options.compression),
            options,
            encoder,
            gathered: Gathered::default(),
            encoded: Gathered::default(),
            target,
            next_part,
            sealed: Vec::new(),
            positions: BTreeMap::new(),
            written: Written::default(),
            unfinished: Written::default(),
        }
    }

    /// Continues a part that an earlier run left open.
    pub(super) fn resume(&mut self, resumed: &ResumedPart) -> Result<()> {
        let writer = self.destination.reopen(resumed)?;
        self.target = Target::Parts(Some(OpenPart {
            length: resumed.length,
            rows: resumed.rows,
            crc32c: resumed.crc32c,
            dirty: false,
            ..OpenPart::new(resumed.part, writer)
        }));
        self.next_part = resumed.part + 1;
        Ok(())
    }

    /// Writes the documents of a page. `before` is its range as it was before the page.
    pub(super) fn write(
        &mut self,
        before: RangeState,
        page: &Page,
        position: Position,
        request_charge: f64,
    ) -> Result<()> {
        if self.encoder.makes_rows(page) {
            self.begin(&before)?;
        }
        let range = before.id;
        let encoded = self.encode(|encoder, out| encoder.encode(range, page, out))?;
        let Encoded {
            rows,
            overflowed,
            dropped,
            is_whole,
        } = encoded;
        self.unfinished.documents += rows;
        self.unfinished.overflowed += overflowed;
        self.unfinished.dropped += dropped;
        self.unfinished.request_charge += request_charge;
        if is_whole {
            let after = RangeState {
                position: Some(position.clone()),
                ..before.clone()
            };
            self.encode(|encoder, out| encoder.moved(&before, &after, out))?;
            if let Target::Parts(Some(part)) = &mut self.target {
                part.start.entry(range).or_insert(before);
                part.end.insert(range, after);
            }
            self.positions.insert(range, position);
        }
        if let Target::Parts(Some(part)) = &mut self.target {
            part.rows += rows;
            part.dirty |= rows > 0;
        }
        if self.gathered.bytes.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        if self.is_full() {
            self.seal()?;
        }
        Ok(())
    }

    /// Calls the encoder, and compresses its output if the file is compressed.
    fn encode<T>(
        &mut self,
        call: impl FnOnce(&mut dyn Encoder, &mut Vec<u8>) -> Result<T>,
    ) -> Result<T> {
        let Some(compressor) = &mut self.compressor else {
            return call(self.encoder.as_mut(), &mut self.gathered.bytes);
        };
        self.encoded.bytes.clear();
        let outcome = call(self.encoder.as_mut(), &mut self.encoded.bytes)?;
        compressor.write(&self.encoded.bytes, &mut self.gathered.bytes)?;
        self.encoded.bytes.clear();
        Ok(outcome)
    }

    /// Whether the open part has reached the size at which it is sealed.
    fn is_full(&self) -> bool {
        let Target::Parts(Some(part)) = &self.target else {
            return false;
        };
        if part.writer.should_end() {
            return true;
        }
        let Some(max) = self.options.rotate_bytes else {
            return false;
        };
        let waiting = self.gathered.bytes.len() + self.encoder.buffered_bytes();
        part.length + waiting as u64 >= max
    }

    /// Begins a part if none is open. `before` is the range of its first row.
    fn begin(&mut self, before: &RangeState) -> Result<()> {
        self.seal_past()?;
        let id = PartId {
            series: self.id,
            part: self.next_part,
        };
        match &mut self.target {
            Target::Stream(Some(_)) | Target::Parts(Some(_)) => return Ok(()),
            Target::Stream(stream) => *stream = Some(self.destination.open(id)?),
            Target::Parts(open) => {
                *open = Some(OpenPart::new(id.part, self.destination.open(id)?));
                self.next_part += 1;
            }
        }
        let options = Arc::clone(&self.options);
        let start = std::slice::from_ref(before);
        let about = options.about(start, &[]);
        self.encode(|encoder, out| encoder.begin(&about, out))
    }

    /// Hands all gathered bytes to the destination.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.gathered.bytes.is_empty() {
            return Ok(());
        }
        match &mut self.target {
            Target::Parts(Some(part)) => {
                for bytes in self.gathered.bytes.chunks(BUFFER_BYTES) {
                    part.writer.append(bytes)?;
                    part.length += bytes.len() as u64;
                    part.crc32c = crc32c::crc32c_append(part.crc32c, bytes);
                }
            }
            Target::Stream(Some(stream)) => stream.append(&self.gathered.bytes)?,
            Target::Parts(None) | Target::Stream(None) => {
                bail!("bytes were gathered without an open part")
            }
        }
        self.unfinished.bytes += self.gathered.bytes.len() as u64;
        self.gathered.bytes.clear();
        Ok(())
    }

    /// Borrows memory to write in.
    pub(super) fn enter(&mut self, pool: &mut BufferPool) {
        pool.lend(&mut self.gathered);
        if self.compressor.is_some() {
            pool.lend(&mut self.encoded);
        }
    }

    /// Returns the memory that it no longer needs.
    pub(super) fn leave(&mut self, pool: &mut BufferPool) {
        pool.take_back(&mut self.gathered);
        pool.take_back(&mut self.encoded);
    }

    /// Drops what was gathered: nothing more will be written.
    pub(super) fn discard(&mut self) {
        self.gathered.bytes.clear();
        self.encoded.bytes.clear();
    }

    /// Bytes of memory for rows of the encoder.
    pub(super) fn encoder_memory(&self) -> usize {
        self.encoder.buffered_bytes()
    }

    /// Writes the rows that the encoder keeps.
    pub(super) fn flush_encoder(&mut self) -> Result<()> {
        self.encode(|encoder, out| encoder.flush(out))?;
        self.flush()
    }

    /// The number of the next part.
    pub(super) fn next_part(&self) -> u32 {
        self.next_part
    }

    /// Whether bytes are gathered for a pipe, whose reader waits for them.
    pub(super) fn wants_flush_when_idle(&self) -> bool {
        matches!(self.target, Target::Stream(_)) && !self.gathered.bytes.is_empty()
    }

    /// Writes everything that was encoded to the file, as far as the format allows.
    fn settle(&mut self) -> Result<()> {
        if let Some(compressor) = &mut self.compressor {
            compressor.end_frame(&mut self.gathered.bytes)?;
        }
        self.flush()
    }

    /// Seals the open part: nothing more will be added to it.
    fn seal(&mut self) -> Result<()> {
        let Target::Parts(Some(part)) = &self.target else {
            return Ok(());
        };
        let start: Vec<RangeState> = part.start.values().cloned().collect();
        let end: Vec<RangeState> = part.end.values().cloned().collect();
        let options = Arc::clone(&self.options);
        let about = options.about(&start, &end);
        self.encode(|encoder, out| encoder.finish(&about, out))?;
        self.settle()?;
        if let Target::Parts(open) = &mut self.target
            && let Some(mut part) = open.take()
        {
            part.writer.cut()?;
            self.written.take_over(&mut self.unfinished);
            self.sealed
                .push(receipt_of(&part, true, std::mem::take(&mut self.positions)));
        }
        Ok(())
    }

    /// Seals the open part if its place is not for what comes now.
    fn seal_past(&mut self) -> Result<()> {
        let Target::Parts(Some(part)) = &self.target else {
            return Ok(());
        };
        let id = PartId {
            series: self.id,
            part: part.part,
        };
        if self.destination.is_past(id) {
            self.seal()?;
        }
        Ok(())
    }

    /// Ends the stream: nothing more will be written to it.
    pub(super) fn end_stream(&mut self) -> Result<()> {
        let options = Arc::clone(&self.options);
        let about = options.about(&[], &[]);
        self.encode(|encoder, out| encoder.finish(&about, out))?;
        if let Target::Stream(stream @ None) = &mut self.target
            && !self.gathered.bytes.is_empty()
        {
            let id = PartId {
                series: self.id,
                part: self.next_part,
            };
            *stream = Some(self.destination.open(id)?);
        }
        self.settle()
    }

    /// Reports what was written since the last receipt, and seals the open part with `seal`. `None` if there is
    /// nothing to report.
    pub(super) fn checkpoint(&mut self, seal: bool) -> Result<Option<Receipt>> {
        if seal {
            self.seal()?;
        }
        self.seal_past()?;
        if let Target::Stream(Some(_)) = self.target {
            // The positions say that these rows were written.
            self.encode(|encoder, out| encoder.flush(out))?;
        }
        let mut parts = std::mem::take(&mut self.sealed);
        let mut positions = Vec::new();
        if self.options.commits_within_files
            && !failpoint::is_planted("defect.position-before-data")
        {
            self.settle()?;
        }
        match &mut self.target {
            // Its rows cannot be read before it is finished, so it does not count yet.
            Target::Parts(Some(_)) if !self.options.commits_within_files => {}
            target => {
                self.written.take_over(&mut self.unfinished);
                let moved = std::mem::take(&mut self.positions);
                match target {
                    Target::Parts(Some(part)) if part.dirty => {
                        part.dirty = false;
                        part.writer.cut()?;
                        parts.push(receipt_of(part, false, moved));
                    }
                    _ => positions.extend(moved),
                }
            }
        }
        if parts.is_empty() && positions.is_empty() && self.written == Written::default() {
            return Ok(None);
        }
        Ok(Some(Receipt {
            series: self.id,
            parts,
            positions,
            written: std::mem::take(&mut self.written),
        }))
    }
}

fn receipt_of(
    part: &OpenPart,
    sealed: bool,
    positions: BTreeMap<RangeId, Position>,
) -> PartReceipt {
    PartReceipt {
        part: part.part,
        length: part.length,
        rows: part.rows,
        crc32c: part.crc32c,
        sealed,
        positions: positions.into_iter().collect(),
    }
}

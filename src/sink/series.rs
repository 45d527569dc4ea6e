//! One series: the part that is open, and what has been written since the last checkpoint.

use std::collections::BTreeMap;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use fs_err as fs;

use super::format::{Encoded, Encoder};
use super::{PartReceipt, Receipt};
use crate::error::with_hint;
use crate::feed::page::Page;
use crate::feed::{Position, RangeId};
use crate::state::names::FileNames;

/// Bytes gathered before they are handed to the system.
const BUFFER_BYTES: usize = 256 << 10;

/// A part that an earlier run left open, cut to what was committed.
#[derive(Debug)]
pub struct ResumedPart {
    /// Its series.
    pub series: u32,
    /// Its number.
    pub part: u32,
    /// Its length in bytes.
    pub length: u64,
    /// Its rows.
    pub rows: u64,
    /// CRC-32C of its bytes.
    pub crc32c: u32,
}

/// The writer of one series.
pub(super) struct Series {
    id: u32,
    names: Arc<FileNames>,
    encoder: Box<dyn Encoder>,
    /// Bytes encoded but not yet written.
    buffer: Vec<u8>,
    target: Target,
    next_part: u32,
    sealed: Vec<PartReceipt>,
    positions: BTreeMap<RangeId, Position>,
    documents: u64,
    bytes: u64,
    request_charge: f64,
}

enum Target {
    /// Part files, of which one may be open.
    Parts(Option<OpenPart>),
    StandardOutput,
}

struct OpenPart {
    part: u32,
    file: fs::File,
    length: u64,
    rows: u64,
    crc32c: u32,
    /// Whether it has grown since the last receipt.
    dirty: bool,
}

impl Series {
    pub(super) fn new(
        id: u32,
        names: Arc<FileNames>,
        encoder: Box<dyn Encoder>,
        next_part: u32,
    ) -> Self {
        let target = match names.is_standard_output() {
            true => Target::StandardOutput,
            false => Target::Parts(None),
        };
        Self {
            id,
            names,
            encoder,
            buffer: Vec::new(),
            target,
            next_part,
            sealed: Vec::new(),
            positions: BTreeMap::new(),
            documents: 0,
            bytes: 0,
            request_charge: 0.0,
        }
    }

    /// Goes on with a part that an earlier run left open.
    pub(super) fn resume(&mut self, resumed: &ResumedPart) -> Result<()> {
        let path = self.names.open_part(self.id, resumed.part);
        let mut file = fs::OpenOptions::new().write(true).open(path)?;
        file.seek(SeekFrom::Start(resumed.length))?;
        self.target = Target::Parts(Some(OpenPart {
            part: resumed.part,
            file,
            length: resumed.length,
            rows: resumed.rows,
            crc32c: resumed.crc32c,
            dirty: false,
        }));
        self.next_part = resumed.part + 1;
        Ok(())
    }

    /// Writes the documents of a page of `range`, after which the range stands at `position`.
    pub(super) fn write(
        &mut self,
        range: RangeId,
        page: &Page,
        position: Position,
        request_charge: f64,
    ) -> Result<()> {
        let before = self.buffer.len();
        let Encoded { rows, is_whole } = self.encoder.encode(range, page, &mut self.buffer)?;
        self.bytes += (self.buffer.len() - before) as u64;
        self.documents += rows;
        if self.buffer.len() > before {
            self.open()?;
        }
        if let Target::Parts(Some(part)) = &mut self.target {
            part.rows += rows;
            part.dirty |= self.buffer.len() > before;
        }
        if is_whole {
            self.positions.insert(range, position);
        }
        self.request_charge += request_charge;
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Begins a part if none is open.
    fn open(&mut self) -> Result<()> {
        let Target::Parts(open @ None) = &mut self.target else {
            return Ok(());
        };
        let path = self.names.open_part(self.id, self.next_part);
        let finished = self.names.part(self.id, self.next_part);
        if !self.names.is_append() && finished.exists() {
            return Err(with_hint(
                anyhow::anyhow!("`{}` exists already", finished.display()),
                "it was not made by this export; move it away, then resume",
            ));
        }
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)?;
        *open = Some(OpenPart {
            part: self.next_part,
            file,
            length: 0,
            rows: 0,
            crc32c: 0,
            dirty: true,
        });
        self.next_part += 1;
        Ok(())
    }

    /// Hands all that is gathered to the system.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        match &mut self.target {
            Target::Parts(Some(part)) => {
                part.file.write_all(&self.buffer)?;
                part.length += self.buffer.len() as u64;
                part.crc32c = crc32c::crc32c_append(part.crc32c, &self.buffer);
            }
            Target::Parts(None) => ensure!(false, "bytes were gathered for no part"),
            Target::StandardOutput => {
                let mut stdout = std::io::stdout().lock();
                let written = stdout.write_all(&self.buffer).and_then(|()| stdout.flush());
                written.context("cannot write to standard output")?;
            }
        }
        // A page of an unusual size must not be paid for until the end.
        if self.buffer.capacity() > 16 * BUFFER_BYTES {
            self.buffer = Vec::new();
        }
        self.buffer.clear();
        Ok(())
    }

    /// The number of the next part.
    pub(super) fn next_part(&self) -> u32 {
        self.next_part
    }

    /// Whether what is gathered waits for a reader at the other end of a pipe.
    pub(super) fn wants_flush_when_idle(&self) -> bool {
        matches!(self.target, Target::StandardOutput) && !self.buffer.is_empty()
    }

    /// Reports what was written since the last receipt; with `seal` nothing will be added to the
    /// open part. Nothing to report is no receipt.
    pub(super) fn checkpoint(&mut self, seal: bool) -> Result<Option<Receipt>> {
        self.flush()?;
        let mut parts = std::mem::take(&mut self.sealed);
        if let Target::Parts(open) = &mut self.target {
            if let Some(part) = open.as_mut().filter(|part| part.dirty || seal) {
                part.dirty = false;
                parts.push(PartReceipt {
                    part: part.part,
                    length: part.length,
                    rows: part.rows,
                    crc32c: part.crc32c,
                    sealed: seal,
                    unsynced: part
                        .file
                        .file()
                        .try_clone()
                        .context("cannot sync a part file")?,
                });
            }
            if seal {
                *open = None;
            }
        }
        if parts.is_empty() && self.positions.is_empty() && self.documents == 0 {
            return Ok(None);
        }
        Ok(Some(Receipt {
            series: self.id,
            parts,
            positions: std::mem::take(&mut self.positions).into_iter().collect(),
            documents: std::mem::take(&mut self.documents),
            bytes: std::mem::take(&mut self.bytes),
            request_charge: std::mem::take(&mut self.request_charge),
        }))
    }
}

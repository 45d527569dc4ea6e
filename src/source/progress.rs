//! How much of an input a record ends at, in bytes before decompression.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The size of a block.
const BLOCK: usize = 256 << 10;

/// Blocks that are remembered: a reader may be ahead of its records by one.
const REMEMBERED: usize = 4;

/// How many bytes were read of an input, before decompression.
#[derive(Debug, Clone, Default)]
pub(super) struct RawBytes(Arc<AtomicU64>);

impl RawBytes {
    pub(super) fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where the blocks of an input end: after decompression, and before it.
#[derive(Debug, Clone, Default)]
pub(super) struct Blocks(Arc<Mutex<VecDeque<(u64, u64)>>>);

impl Blocks {
    /// How many bytes before decompression come before `offset` after it. Within a block they are in proportion.
    pub(super) fn raw_at(&self, offset: u64) -> u64 {
        let ends = self.lock();
        let Some(after) = ends.iter().position(|(end, _)| *end >= offset) else {
            return ends.back().map_or(0, |(_, raw)| *raw);
        };
        let (end, raw_end) = ends[after];
        let (start, raw_start) = match after.checked_sub(1) {
            Some(before) => ends[before],
            None => return raw_end,
        };
        let length = end.saturating_sub(start).max(1);
        let share = offset.saturating_sub(start) as f64 / length as f64;
        raw_start + (raw_end.saturating_sub(raw_start) as f64 * share) as u64
    }

    fn push(&self, end: (u64, u64)) {
        let mut ends = self.lock();
        if ends.len() > REMEMBERED {
            ends.pop_front();
        }
        ends.push_back(end);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, u64)>> {
        // Nothing here panics between two changes of it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads decompressed bytes in blocks, and notes how many bytes before decompression each took.
pub(super) struct InBlocks<R> {
    inner: R,
    raw: RawBytes,
    blocks: Blocks,
    buffer: Box<[u8]>,
    /// The part of the buffer that was not consumed yet.
    unread: std::ops::Range<usize>,
    /// How many bytes were read after decompression.
    offset: u64,
}

impl<R: Read> InBlocks<R> {
    /// Begins at `offset` after decompression, where the bytes counted by `raw` have been read.
    pub(super) fn new(inner: R, raw: RawBytes, offset: u64) -> Self {
        let blocks = Blocks::default();
        blocks.push((offset, raw.get()));
        Self {
            inner,
            raw,
            blocks,
            buffer: vec![0; BLOCK].into_boxed_slice(),
            unread: 0..0,
            offset,
        }
    }

    pub(super) fn blocks(&self) -> Blocks {
        self.blocks.clone()
    }
}

impl<R: Read> Read for InBlocks<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: Read> BufRead for InBlocks<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.unread.is_empty() {
            let read = loop {
                match self.inner.read(&mut self.buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read?,
                }
            };
            self.unread = 0..read;
            self.offset += read as u64;
            self.blocks.push((self.offset, self.raw.get()));
        }
        Ok(&self.buffer[self.unread.clone()])
    }

    fn consume(&mut self, bytes: usize) {
        self.unread.start = (self.unread.start + bytes).min(self.unread.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_within_a_block_are_in_proportion() {
        let raw = RawBytes::default();
        raw.add(100);
        let mut reader = InBlocks::new(io::repeat(7).take(1000), raw.clone(), 50);
        let blocks = reader.blocks();
        assert_eq!(blocks.raw_at(50), 100);
        raw.add(500);
        assert_eq!(reader.fill_buf().unwrap().len(), 1000);
        reader.consume(1);
        for (offset, expected) in [(50, 100), (51, 100), (550, 350), (1050, 600), (2000, 600)] {
            assert_eq!(blocks.raw_at(offset), expected, "{offset}");
        }
        // The end adds nothing.
        reader.consume(999);
        assert!(reader.fill_buf().unwrap().is_empty());
        assert_eq!(blocks.raw_at(1050), 600);
    }
}

//! How much may wait between the reader and those who take what it reads.

/// Bytes of pages that may wait to be written, for each range that is read at the same time.
const BUFFERED_BYTES_A_RANGE: usize = 1 << 20;
/// The same, at least: a page can have 4 MB and more.
const MIN_BUFFERED_BYTES: usize = 8 << 20;
/// The same, at most.
const MAX_BUFFERED_BYTES: usize = 64 << 20;
/// Events that may wait for the coordinator; their pages are bounded in bytes.
pub(super) const EVENTS: usize = 256;

/// Bytes of pages that may wait, when so many ranges are read at the same time.
pub(super) fn buffered_bytes(concurrency: usize) -> usize {
    (concurrency * BUFFERED_BYTES_A_RANGE).clamp(MIN_BUFFERED_BYTES, MAX_BUFFERED_BYTES)
}

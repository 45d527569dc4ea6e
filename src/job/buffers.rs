//! How much may be buffered between the reader and its consumers.

/// Buffered bytes of pages for each range that is read at the same time.
const BUFFERED_BYTES_PER_RANGE: usize = 1 << 20;
/// The minimum in all: a page can have 4 MB and more.
const MIN_BUFFERED_BYTES: usize = 8 << 20;
/// The maximum in all.
const MAX_BUFFERED_BYTES: usize = 64 << 20;
/// Buffered events; the bytes of their pages are bounded separately.
pub(crate) const EVENTS: usize = 256;

/// Bytes of pages that may be buffered if `concurrency` ranges are read at the same time.
pub(crate) fn buffered_bytes(concurrency: usize) -> usize {
    (concurrency * BUFFERED_BYTES_PER_RANGE).clamp(MIN_BUFFERED_BYTES, MAX_BUFFERED_BYTES)
}

//! How the memory of a comparison is divided.

use crate::content::digest::RANGE_BYTES;

/// Bytes of a document whose contents are compared, with the free space of its map.
const SORTED_BYTES: u64 = 160;
/// Bytes of a document whose text is kept, beside the text.
const KEPT_BYTES: u64 = 400;

/// How much memory there is for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// The number of buckets of a digest is two to the power of this.
    pub(super) bucket_bits: u32,
    /// Bytes of the filter of a side of files.
    pub(super) filter: usize,
    /// The most documents whose contents are compared at once.
    pub(super) sorted: u64,
    /// The most documents whose texts are kept at once, and the bytes of these.
    pub(super) kept: u64,
    pub(super) texts: usize,
}

impl Memory {
    /// Divides so many bytes: a quarter for both digests, one for the filter of each side, and, once these are done, half
    /// for documents.
    pub(super) fn of(bytes: u64) -> Self {
        let quarter = bytes / 4;
        let buckets = (quarter / (2 * RANGE_BYTES)).clamp(1 << 10, 1 << 24);
        let half = usize::try_from(bytes / 2).unwrap_or(usize::MAX);
        Self {
            bucket_bits: buckets.ilog2(),
            filter: half / 2,
            sorted: (bytes / 2 / SORTED_BYTES).max(10_000),
            kept: (quarter / KEPT_BYTES).max(1000),
            texts: (half / 2).max(8 << 20),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_memory_is_for_each_step() {
        let memory = Memory::of(128 << 20);
        assert_eq!(memory.bucket_bits, 19);
        assert_eq!(memory.filter, 32 << 20);
        assert!(memory.sorted > 400_000, "{memory:?}");
        // The smallest.
        assert!(Memory::of(0).bucket_bits >= 10);
    }
}

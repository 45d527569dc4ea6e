//! The memory in which the series of a writer thread gather bytes.

/// Bytes gathered before they are handed to the destination: few enough that they are still in the
/// processor's cache when they are read again, and that the system need not find long runs of free memory.
pub(super) const BUFFER_BYTES: usize = 256 << 10;

/// Spare buffers that are kept for each thread: one for the bytes of a file, one for text that is to be compressed.
const MAX_SPARES: usize = 2;

/// A buffer with more capacity than this, after an unusually large page, is freed once it is empty.
const MAX_SPARE: usize = 16 * BUFFER_BYTES;

/// Bytes that a series has gathered, in memory that a [`BufferPool`] counts.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// The bytes.
    pub(super) bytes: Vec<u8>,
    /// The capacity that the pool has counted.
    counted: usize,
}

/// Lends buffers to the series of a thread, or of a few, each of which writes one at a time: a container can have thousands
/// of them. It counts what they keep.
#[derive(Debug)]
pub(super) struct BufferPool {
    /// Empty buffers, the largest last.
    spare: Vec<Vec<u8>>,
    max_spares: usize,
    lent: usize,
}

impl Default for BufferPool {
    fn default() -> Self {
        Self::of_threads(1)
    }
}

impl BufferPool {
    /// The buffers of so many threads.
    pub(super) fn of_threads(threads: usize) -> Self {
        Self {
            spare: Vec::new(),
            max_spares: MAX_SPARES * threads,
            lent: 0,
        }
    }

    /// Lends the largest spare buffer, unless the series has kept one.
    pub(super) fn lend(&mut self, gathered: &mut Gathered) {
        if gathered.bytes.capacity() == 0 {
            gathered.bytes = self.spare.pop().unwrap_or_default();
        }
        self.count(gathered);
    }

    /// Takes back a buffer without bytes. One with bytes stays with the series, in no more memory than it
    /// needs.
    pub(super) fn take_back(&mut self, gathered: &mut Gathered) {
        if gathered.bytes.is_empty() {
            let empty = std::mem::take(&mut gathered.bytes);
            self.keep(empty);
        } else if gathered.bytes.capacity() > 2 * BUFFER_BYTES {
            let fitting = gathered.bytes.clone();
            let large = std::mem::replace(&mut gathered.bytes, fitting);
            self.keep(large);
        }
        self.count(gathered);
    }

    /// Bytes of memory that series have kept.
    pub(super) fn lent(&self) -> usize {
        self.lent
    }

    fn keep(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() == 0 || buffer.capacity() > MAX_SPARE {
            return;
        }
        buffer.clear();
        self.spare.push(buffer);
        self.spare.sort_by_key(Vec::capacity);
        if self.spare.len() > self.max_spares {
            self.spare.remove(0);
        }
    }

    fn count(&mut self, gathered: &mut Gathered) {
        let capacity = gathered.bytes.capacity();
        self.lent = self.lent - gathered.counted + capacity;
        gathered.counted = capacity;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Series that gather, write and stop in any order: the pool's count is the sum of their capacities.
    #[test]
    fn the_pool_counts_what_the_series_keep() {
        let mut pool = BufferPool::default();
        let mut series: Vec<Gathered> = Vec::new();
        series.resize_with(8, Gathered::default);
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let one = random.usize(..series.len());
            pool.lend(&mut series[one]);
            if random.bool() {
                let length = random.usize(..3 * BUFFER_BYTES);
                series[one].bytes.resize(length, 0);
            } else {
                series[one].bytes.clear();
            }
            pool.take_back(&mut series[one]);
            let kept: usize = series.iter().map(|one| one.bytes.capacity()).sum();
            assert_eq!(pool.lent(), kept);
            assert!(pool.spare.len() <= MAX_SPARES);
        }
        for one in &mut series {
            one.bytes.clear();
            pool.take_back(one);
        }
        assert_eq!(pool.lent(), 0);
    }

    #[test]
    fn bytes_stay_with_their_series_in_memory_that_fits() {
        let mut pool = BufferPool::default();
        let mut one = Gathered::default();
        pool.lend(&mut one);
        one.bytes.reserve(8 * BUFFER_BYTES);
        one.bytes.extend_from_slice(b"gathered");
        pool.take_back(&mut one);
        assert_eq!(one.bytes, b"gathered");
        assert!(pool.lent() < BUFFER_BYTES, "{}", pool.lent());

        let mut other = Gathered::default();
        pool.lend(&mut other);
        assert!(other.bytes.is_empty());
        assert!(
            other.bytes.capacity() >= 8 * BUFFER_BYTES,
            "it is not reused"
        );
    }
}

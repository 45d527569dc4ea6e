//! How much is read at once over a connection that several jobs share.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// The bound of all jobs over one connection.
#[derive(Debug, Clone)]
pub struct ReadBound {
    /// A permit for each range that is read at once.
    pub turns: Arc<Semaphore>,
    /// A permit for each byte of the pages that wait to be written.
    pub memory: Arc<Semaphore>,
    /// How many bytes these are in all.
    pub bytes: u32,
    /// How many jobs run at once.
    pub jobs: usize,
}

impl ReadBound {
    /// So many ranges at once, with so many bytes of pages. As many jobs run: each has at least one range to read, so a
    /// range that waits for an answer keeps no other job from a turn.
    pub fn new(ranges: usize, bytes: u32) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(ranges)),
            memory: Arc::new(Semaphore::new(bytes as usize)),
            bytes,
            jobs: ranges,
        }
    }
}

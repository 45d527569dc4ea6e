//! What the replays of several containers share that run side by side: the writes under way, the budget, and the memory
//! for pages and for changes that wait.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::budget::Budget;
use crate::cosmos::max_ru::MaxRu;

/// How many bytes of changes may wait to be applied.
const MAX_WAITING_BYTES: usize = 64 << 20;
/// Ranges of a replay by itself that are read in parallel. Few are enough, since writing takes longer than reading.
const RANGES: usize = 8;
/// Ranges of several replays that are read in parallel.
const RANGES_TOGETHER: usize = 32;
/// Bytes of pages of one replay that may wait, and of several.
const BUFFERED_BYTES: u32 = 8 << 20;
const BUFFERED_TOGETHER: u32 = 64 << 20;

/// What several replays share. By default it is nothing: a replay by itself.
#[derive(Debug, Clone)]
pub struct Together {
    /// A permit for each write that is under way.
    pub(super) writes: Option<Arc<Semaphore>>,
    pub(super) budget: Option<Arc<Budget>>,
    /// How many bytes of changes of one replay may wait.
    pub(super) waiting_bytes: usize,
    /// How many ranges of one replay are read in parallel.
    pub(super) ranges: usize,
    /// How many bytes of its pages may wait.
    pub(super) buffered_bytes: u32,
}

impl Default for Together {
    fn default() -> Self {
        Self {
            writes: None,
            budget: None,
            waiting_bytes: MAX_WAITING_BYTES,
            ranges: RANGES,
            buffered_bytes: BUFFERED_BYTES,
        }
    }
}

impl Together {
    /// Of `replays` at once, which have so many writes under way in all. A share of the throughput is one of each container's,
    /// so there is no budget for all of them.
    pub fn new(replays: usize, writes: usize, max_ru: Option<MaxRu>) -> Self {
        let budget = match max_ru {
            Some(MaxRu::PerSecond(units)) => Some(Arc::new(Budget::new(units))),
            Some(MaxRu::Percent(_)) | None => None,
        };
        let replays = replays.max(1);
        let share = u32::try_from(replays).unwrap_or(u32::MAX);
        Self {
            writes: Some(Arc::new(Semaphore::new(writes.max(1)))),
            budget,
            waiting_bytes: MAX_WAITING_BYTES / replays,
            ranges: (RANGES_TOGETHER / replays).clamp(1, RANGES),
            buffered_bytes: (BUFFERED_TOGETHER / share).clamp(1, BUFFERED_BYTES),
        }
    }
}

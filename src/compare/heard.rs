//! What is known of a container while several readings of it go on: how far its partitions are, and which numbers of
//! ranges are free.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::feed::RangeId;
use crate::reader::{Floor, Sight};

/// What is known of a container.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// How far each partition has been seen, by the feed and by readings.
    sight: Sight,
    /// Whether its feed is followed.
    is_followed: Arc<AtomicBool>,
    /// Whether that has ended, so that nothing new will be known of partitions.
    has_ended: Arc<AtomicBool>,
    /// The next number of a range; that of both sides.
    next: Arc<AtomicU32>,
}

impl Heard {
    /// The same numbers for a container of its own.
    pub(super) fn of_another(&self) -> Self {
        Self {
            sight: Sight::default(),
            is_followed: Arc::default(),
            has_ended: Arc::default(),
            next: Arc::clone(&self.next),
        }
    }

    /// A number for a range.
    pub(super) fn number(&self) -> RangeId {
        RangeId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Its feed is followed from now on. Returns where that notes how far the partitions are.
    pub(super) fn follow(&self) -> Sight {
        self.is_followed.store(true, Ordering::Relaxed);
        self.sight.clone()
    }

    /// What a reading that begins now must have seen, if the feed is followed: whatever was read before. A replica that
    /// lags would answer with less.
    pub(super) fn floor(&self) -> Option<Floor> {
        let is_followed = self.is_followed.load(Ordering::Relaxed);
        let waits = !self.has_ended.load(Ordering::Relaxed);
        is_followed.then(|| self.sight.floor(waits))
    }

    /// The feed is not read any further.
    pub(super) fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    /// Whether it is not known yet how far a partition is, and will be.
    pub(super) fn will_know(&self, partition: &str) -> bool {
        let is_read =
            self.is_followed.load(Ordering::Relaxed) && !self.has_ended.load(Ordering::Relaxed);
        is_read && !self.sight.has(partition)
    }
}

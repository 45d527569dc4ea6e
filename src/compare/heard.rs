//! What is known of a container while several readings of it go on: how far its partitions are, and which numbers of
//! ranges are free.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock;
use crate::feed::{PinnedEnd, RangeId};

/// What is known of a container.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// The highest position in each partition, by its id.
    positions: Arc<Mutex<HashMap<String, u64>>>,
    /// The next number of a range; that of both sides.
    next: Arc<AtomicU32>,
}

impl Heard {
    /// The same numbers for a container of its own.
    pub(super) fn of_another(&self) -> Self {
        Self {
            positions: Arc::default(),
            next: Arc::clone(&self.next),
        }
    }

    /// A number for a range.
    pub(super) fn number(&self) -> RangeId {
        RangeId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A partition was read up to here.
    pub(super) fn read_to(&self, partition: &str, lsn: u64) {
        let mut positions = self
            .positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match positions.get_mut(partition) {
            Some(known) => *known = lsn.max(*known),
            None => {
                positions.insert(partition.to_owned(), lsn);
            }
        }
    }

    /// What a reading of a part of this partition must have seen before it is at the head: whatever was read of it
    /// before. A replica that lags would answer with less.
    pub(super) fn end_of(&self, partition: &str) -> Option<PinnedEnd> {
        let positions = self
            .positions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Some(PinnedEnd {
            etag: String::new(),
            partition: Some(partition.to_owned()),
            pinned_at: clock::now(),
            tokens_compare: false,
            known_lsn: Some(*positions.get(partition)?),
            reached: None,
        })
    }
}

//! The partitions of the parts that a process writes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::part::PartId;
use super::partition::{Partition, PartitionBy};

/// Notices that the time of open parts has passed.
#[derive(Debug)]
pub struct PartitionClock {
    by: PartitionBy,
    open: Partition,
}

impl PartitionClock {
    /// That of a table, whose open files are in these partitions.
    pub fn new(by: PartitionBy, mut open: impl Iterator<Item = Partition>) -> Self {
        let now = by.now();
        Self {
            by,
            open: open.find(|partition| *partition != now).unwrap_or(now),
        }
    }

    /// Whether the time has passed since the last call that said so.
    pub fn has_passed(&mut self) -> bool {
        let now = self.by.now();
        std::mem::replace(&mut self.open, now) != now
    }
}

/// The partitions of the parts that this process writes.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    by: Option<PartitionBy>,
    open: Mutex<HashMap<PartId, Partition>>,
}

impl Partitions {
    pub(super) fn new(by: Option<PartitionBy>) -> Self {
        Self {
            by,
            open: Mutex::default(),
        }
    }

    /// Whether a part of the table can be in this partition, or in none.
    #[cfg(feature = "object-stores")]
    pub(super) fn has(&self, partition: Option<Partition>) -> bool {
        partition.map(Partition::by) == self.by
    }

    fn open(&self) -> MutexGuard<'_, HashMap<PartId, Partition>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A part is begun, now.
    pub(super) fn begin(&self, part: PartId) {
        if let Some(by) = self.by {
            self.open().insert(part, by.now());
        }
    }

    /// A part that was begun in `partition` is continued.
    pub(super) fn resume(&self, part: PartId, partition: Option<Partition>) {
        self.open()
            .extend(partition.map(|partition| (part, partition)));
    }

    /// That of a part.
    pub(super) fn of(&self, part: PartId) -> Option<Partition> {
        self.by?;
        self.open().get(&part).copied()
    }

    /// Whether the time of a part has passed.
    pub(super) fn is_past(&self, part: PartId) -> bool {
        let Some(by) = self.by else {
            return false;
        };
        self.of(part) != Some(by.now())
    }

    /// These parts are published.
    pub(super) fn forget(&self, parts: impl Iterator<Item = PartId>) {
        if self.by.is_none() {
            return;
        }
        let mut open = self.open();
        for part in parts {
            open.remove(&part);
        }
    }
}

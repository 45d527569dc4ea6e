//! The last changes of a partition, for the feed of all versions and deletes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::epk::Epk;
use super::scope::{Limit, Scope};
use super::version::Version;

/// A change: what an item was before, and what it became.
#[derive(Debug, Clone)]
pub(in crate::demo) struct Change {
    /// Its number among all changes of the container.
    pub(super) number: u64,
    pub(in crate::demo) lsn: u64,
    /// When it was made, in seconds since 1970.
    pub(in crate::demo) time: u64,
    /// `None` if it created the item.
    pub(in crate::demo) previous: Option<Arc<Version>>,
    /// `None` if it deleted the item.
    pub(in crate::demo) current: Option<Arc<Version>>,
    /// Whether the item was deleted since its time to live had passed.
    pub(in crate::demo) is_expiry: bool,
}

impl Change {
    fn epk(&self) -> &[u8] {
        let version = self.current.as_ref().or(self.previous.as_ref());
        version.map_or(&[], |version| version.epk())
    }

    /// The memory that is kept for it alone. The current version is kept as long as it is the latest one, and
    /// is counted by the change that replaces it.
    pub(super) fn size(&self) -> usize {
        let previous = self.previous.as_ref().map_or(0, |version| version.size());
        std::mem::size_of::<Self>() + previous
    }

    fn page_bytes(&self) -> usize {
        let length = |version: &Option<Arc<Version>>| {
            version
                .as_ref()
                .map_or(0, |version| version.document().len())
        };
        length(&self.current) + length(&self.previous)
    }
}

/// A position that is before the window: changes after it have been dropped.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::demo) struct OutsideWindow;

/// Up to where the changes of a range have been dropped.
#[derive(Debug, Clone)]
struct Floor {
    min: Epk,
    max: Epk,
    lsn: u64,
}

/// The last changes, in the order of their LSNs.
#[derive(Debug, Default)]
pub(super) struct Window {
    changes: VecDeque<Change>,
    /// The last LSN that was dropped in the whole partition.
    floor: u64,
    /// Those of the ranges of merged partitions, where they are higher.
    floors: Vec<Floor>,
}

impl Window {
    pub(super) fn push(&mut self, change: Change) {
        self.changes.push_back(change);
    }

    /// The number of the oldest change.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.changes.front().map(|change| change.number)
    }

    /// Drops the oldest transaction. Returns how many changes it had and how much memory.
    pub(super) fn drop_oldest(&mut self) -> (usize, usize) {
        let Some(first) = self.changes.front() else {
            return (0, 0);
        };
        let lsn = first.lsn;
        let (mut count, mut size) = (0, 0);
        let end = self.changes.partition_point(|change| change.lsn == lsn);
        for change in self.changes.drain(..end) {
            count += 1;
            size += change.size();
        }
        self.floor = self.floor.max(lsn);
        self.floors.retain(|floor| floor.lsn > lsn);
        (count, size)
    }

    /// Takes everything up to `lsn` to be dropped: it was never logged.
    pub(super) fn begin_after(&mut self, lsn: u64) {
        self.floor = self.floor.max(lsn);
    }

    /// The changes in `scope` after the LSN `after`.
    ///
    /// # Errors
    ///
    /// If some of them may have been dropped.
    pub(super) fn after(
        &self,
        after: u64,
        scope: &Scope,
        limit: Limit,
    ) -> Result<Vec<&Change>, OutsideWindow> {
        let floors = self.floors.iter();
        let mut floors = floors.filter(|floor| scope.overlaps(&floor.min, &floor.max));
        if after < self.floor || floors.any(|floor| after < floor.lsn) {
            return Err(OutsideWindow);
        }
        let first = self.changes.partition_point(|change| change.lsn <= after);
        let (mut page, mut bytes) = (Vec::<&Change>::new(), 0);
        for change in self.changes.range(first..) {
            if !scope.contains(change.epk()) {
                continue;
            }
            let last = page.last().map(|change| change.lsn);
            if limit.is_reached(page.len(), bytes) && last != Some(change.lsn) {
                break;
            }
            bytes += change.page_bytes();
            page.push(change);
        }
        Ok(page)
    }

    pub(super) fn split(self, middle: &Epk) -> (Self, Self) {
        let (lower, upper) = self
            .changes
            .into_iter()
            .partition(|change| change.epk() < middle.as_bytes());
        let child = |changes, is_lower: bool| Self {
            changes,
            floor: self.floor,
            floors: self
                .floors
                .iter()
                .filter(|floor| {
                    (is_lower && floor.min < *middle) || (!is_lower && floor.max > *middle)
                })
                .cloned()
                .collect(),
        };
        (child(lower, true), child(upper, false))
    }

    /// Merges it with that of the next partition. `bounds` are the lower bound of both, the bound between
    /// them, and the upper bound.
    pub(super) fn merge(self, upper: Self, bounds: (&Epk, &Epk, &Epk)) -> Self {
        let (min, middle, max) = bounds;
        let floor = self.floor.min(upper.floor);
        let own = [
            (min.clone(), middle.clone(), self.floor),
            (middle.clone(), max.clone(), upper.floor),
        ];
        let own = own
            .into_iter()
            .map(|(min, max, lsn)| Floor { min, max, lsn });
        let mut floors = self.floors;
        floors.extend(upper.floors);
        floors.extend(own);
        floors.retain(|range| range.lsn > floor);
        let mut changes: Vec<Change> = self.changes.into();
        changes.extend(upper.changes);
        changes.sort_by_key(|change| change.lsn);
        Self {
            changes: changes.into(),
            floor,
            floors,
        }
    }
}

//! The log of one partition.

use std::sync::Arc;

use super::epk::Epk;
use super::scope::{Limit, Scope};
use super::version::Version;
use super::window::{Change, OutsideWindow, Window};

/// The place of an item in the order of the feed. Without a version it has been written again or deleted
/// since.
struct Place {
    lsn: u64,
    time: u64,
    version: Option<Arc<Version>>,
}

/// The log of a partition.
pub(in crate::demo) struct PartitionLog {
    pub(super) id: u32,
    pub(super) min: Epk,
    pub(super) max: Epk,
    pub(super) lsn: u64,
    /// The LSN after the documents of the start, which may still be on their way.
    promised: u64,
    pub(super) is_locked: bool,
    /// The time of the last write. It never goes back, even if the clock does.
    time: u64,
    /// Ordered by LSN.
    places: Vec<Place>,
    /// How many of the places are empty.
    empty: usize,
    /// Whether the places are ordered by time as well. Those of a merged partition are not.
    is_ordered_by_time: bool,
    pub(super) window: Window,
}

impl PartitionLog {
    pub(in crate::demo) fn new(id: u32, min: Epk, max: Epk) -> Self {
        Self::starting_at(id, min, max, 0, 0, Window::default())
    }

    fn starting_at(id: u32, min: Epk, max: Epk, lsn: u64, time: u64, window: Window) -> Self {
        Self {
            id,
            min,
            max,
            lsn,
            promised: 0,
            is_locked: false,
            time,
            places: Vec::new(),
            empty: 0,
            is_ordered_by_time: true,
            window,
        }
    }

    pub(in crate::demo) fn id(&self) -> u32 {
        self.id
    }

    /// Its first hash, and the first one after it.
    pub(in crate::demo) fn bounds(&self) -> (&Epk, &Epk) {
        (&self.min, &self.max)
    }

    /// The LSN of its last transaction, be it a promised one.
    pub(in crate::demo) fn lsn(&self) -> u64 {
        self.lsn.max(self.promised)
    }

    /// Promises one more transaction. Nothing else is written before it.
    pub(super) fn promise(&mut self) {
        self.promised += 1;
    }

    /// Whether everything up to its LSN is there.
    pub(in crate::demo) fn is_complete(&self) -> bool {
        self.lsn >= self.promised
    }

    /// Whether it is being split or merged.
    pub(in crate::demo) fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// Whether it has hashes of `scope`.
    pub(in crate::demo) fn overlaps(&self, scope: &Scope) -> bool {
        scope.overlaps(&self.min, &self.max)
    }

    /// The changes in `scope` after the LSN `after`.
    ///
    /// # Errors
    ///
    /// If some of them may have been dropped.
    pub(in crate::demo) fn changes(
        &self,
        after: u64,
        scope: &Scope,
        limit: Limit,
    ) -> Result<Vec<&Change>, OutsideWindow> {
        self.window.after(after, scope, limit)
    }

    /// How many items it has.
    pub(in crate::demo) fn count(&self) -> usize {
        self.places.len() - self.empty
    }

    pub(super) fn contains(&self, epk: &Epk) -> bool {
        self.min <= *epk && *epk < self.max
    }

    /// Begins a transaction at `time`. Returns its LSN and the time that counts.
    pub(super) fn begin(&mut self, time: u64) -> (u64, u64) {
        self.lsn += 1;
        self.time = self.time.max(time);
        (self.lsn, self.time)
    }

    /// Adds a version of the last transaction.
    pub(super) fn add(&mut self, version: Arc<Version>) {
        self.places.push(Place {
            lsn: version.lsn(),
            time: self.time,
            version: Some(version),
        });
    }

    /// Takes away a version that is no longer the latest one of its item.
    pub(super) fn take(&mut self, version: &Arc<Version>) {
        let first = self
            .places
            .partition_point(|place| place.lsn < version.lsn());
        let place = self.places[first..].iter_mut().find(|place| {
            let found = place.version.as_ref();
            found.is_some_and(|found| Arc::ptr_eq(found, version))
        });
        let Some(place) = place else {
            return;
        };
        place.version = None;
        self.empty += 1;
        // Each time as many places are looked at as have been emptied since the last time.
        if self.empty > 64 && self.empty * 2 > self.places.len() {
            self.places.retain(|place| place.version.is_some());
            self.empty = 0;
        }
    }

    /// The latest versions in `scope` after the LSN `after`, and after the time `since`.
    pub(in crate::demo) fn latest(
        &self,
        after: u64,
        since: Option<u64>,
        scope: &Scope,
        limit: Limit,
    ) -> Vec<&Version> {
        let mut first = self.places.partition_point(|place| place.lsn <= after);
        if let Some(since) = since
            && self.is_ordered_by_time
        {
            first = first.max(self.places.partition_point(|place| place.time <= since));
        }
        let (mut page, mut bytes) = (Vec::new(), 0);
        let mut last = after;
        for place in &self.places[first..] {
            let Some(version) = place.version.as_deref() else {
                continue;
            };
            if since.is_some_and(|since| place.time <= since) || !scope.contains(version.epk()) {
                continue;
            }
            if limit.is_reached(page.len(), bytes) && version.lsn() != last {
                break;
            }
            last = version.lsn();
            bytes += version.document().len();
            page.push(version);
        }
        page
    }

    /// Splits it at `middle` into the partitions `lower` and `upper`.
    pub(super) fn split(self, middle: &Epk, lower: u32, upper: u32) -> (Self, Self) {
        // The service counts the split itself.
        let lsn = self.lsn + 1;
        let (left, right) = self.window.split(middle);
        let mut lower = Self::starting_at(lower, self.min, middle.clone(), lsn, self.time, left);
        let mut upper = Self::starting_at(upper, middle.clone(), self.max, lsn, self.time, right);
        for child in [&mut lower, &mut upper] {
            child.is_ordered_by_time = self.is_ordered_by_time;
        }
        for place in self.places {
            if let Some(version) = &place.version {
                let is_lower = version.epk() < middle.as_bytes();
                let child = if is_lower { &mut lower } else { &mut upper };
                child.places.push(place);
            }
        }
        (lower, upper)
    }

    /// Merges it with the partition after it into the partition `id`.
    pub(super) fn merge(self, upper: Self, id: u32) -> Self {
        let lsn = self.lsn.max(upper.lsn) + 1;
        let window = self
            .window
            .merge(upper.window, (&self.min, &self.max, &upper.max));
        let time = self.time.max(upper.time);
        let mut merged = Self::starting_at(id, self.min, upper.max, lsn, time, window);
        merged.is_ordered_by_time = self.places.is_empty() && upper.is_ordered_by_time
            || upper.places.is_empty() && self.is_ordered_by_time;
        merged.places = self.places;
        merged.places.extend(upper.places);
        merged.places.retain(|place| place.version.is_some());
        // Stable: those of one transaction stay together.
        merged.places.sort_by_key(|place| place.lsn);
        merged
    }
}

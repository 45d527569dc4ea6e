//! The ranges of a feed that is being read: they tile what is read, and each has a number and a position.
//!
//! Export, tail, sample and replay keep their ranges in this one type, so that a split means the same to
//! all of them.

use std::collections::HashMap;
use std::ops::Deref;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::end::PinnedEnd;
use super::range::{FeedRange, Position, RangeId, ensure_tiling};
use super::range_state::RangeState;
use super::scope::Scope;

/// A range without a number, and its position, if it has been read.
pub type Part = (FeedRange, Option<Position>);

/// Ranges with their numbers and positions, read as a slice in the order in which they were placed.
///
/// Ranges only ever become finer: after a merge of partitions, they and their positions stay. A number is
/// never used again. Each operation either succeeds or leaves the set as it was.
///
/// A state holds the two fields among its own, flattened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeSet {
    ranges: Vec<RangeState>,
    /// The number of the next range to be placed.
    next_range: u32,
}

impl RangeSet {
    /// Numbers `parts` from 0.
    ///
    /// # Errors
    ///
    /// If there are more parts than numbers.
    pub fn number(parts: impl IntoIterator<Item = Part>) -> Result<Self> {
        let mut set = Self::default();
        let placed = set.place(parts, &[])?;
        set.ranges = placed;
        Ok(set)
    }

    /// Ranges for a snapshot of the container and for its changes from the positions of `pinned` on: for each range
    /// one that has not been read yet, and then for each range the pinned one.
    ///
    /// # Errors
    ///
    /// If a range has no position, or there are more ranges than numbers.
    pub fn with_snapshot(pinned: Self) -> Result<Self> {
        let (pinned, _) = pinned.into_parts();
        let fresh = pinned.iter().map(|range| (range.range.clone(), None));
        let mut set = Self::number(fresh)?;
        for range in &mut set.ranges {
            range.snapshot = true;
        }
        for range in pinned {
            ensure!(
                range.position.is_some(),
                "the changes of range {} would not begin before the snapshot",
                range.id
            );
            let placed = set.place([(range.range, range.position)], &[])?;
            set.ranges.extend(placed);
        }
        Ok(set)
    }

    /// Whether there are ranges of a snapshot.
    pub fn has_snapshot(&self) -> bool {
        self.ranges.iter().any(|range| range.snapshot)
    }

    /// Whether there is a snapshot that has not been read to its end.
    pub fn is_snapshot_open(&self) -> bool {
        self.ranges
            .iter()
            .any(|range| range.snapshot && !range.has_ended())
    }

    /// Where the ranges of the snapshot ended: in which partition, and how far that was then, as far as known.
    pub fn snapshot_ends(&self) -> impl Iterator<Item = (FeedRange, String, u64)> {
        let ended = self.ranges.iter().filter(|range| range.is_done());
        ended.filter_map(|range| {
            let end = range.end.as_ref()?;
            let lsn = end.lsn().max(end.known_lsn)?;
            Some((range.range.clone(), end.partition.clone()?, lsn))
        })
    }

    /// The ranges that are not those of a snapshot.
    pub fn changes(&self) -> impl Iterator<Item = &RangeState> {
        self.ranges.iter().filter(|range| !range.snapshot)
    }

    /// A set of these ranges. Nothing is checked: see [`RangeSet::check`].
    pub fn from_parts(ranges: Vec<RangeState>, next_range: u32) -> Self {
        Self { ranges, next_range }
    }

    /// The ranges, and the number of the next one.
    pub fn into_parts(self) -> (Vec<RangeState>, u32) {
        (self.ranges, self.next_range)
    }

    /// The range with this number.
    pub fn find(&self, id: RangeId) -> Option<&RangeState> {
        self.ranges.iter().find(|range| range.id == id)
    }

    /// The number of the next range to be placed: all numbers in use are below it.
    pub fn next_number(&self) -> u32 {
        self.next_range
    }

    /// Moves a range to `position`.
    ///
    /// # Errors
    ///
    /// If there is no such range.
    pub fn advance(&mut self, id: RangeId, position: Position) -> Result<()> {
        let range = self.find_mut(id);
        range
            .with_context(|| format!("a position of the unknown range {id}"))?
            .position = Some(position);
        Ok(())
    }

    /// Replaces `parent` with `children`, which get the next numbers, in their order. Returns them.
    ///
    /// # Errors
    ///
    /// If there is no such range, or the children do not tile it.
    pub fn split(&mut self, parent: RangeId, children: Vec<Part>) -> Result<Vec<RangeState>> {
        let at = self.ranges.iter().position(|range| range.id == parent);
        let at = at.with_context(|| format!("a split of the unknown range {parent}"))?;
        let old = &self.ranges[at];
        ensure_tiling(&old.range, children.iter().map(|(range, _)| range))
            .with_context(|| format!("the children of range {parent} do not cover it"))?;
        let parents: Vec<RangeId> = old.parents.iter().copied().chain([parent]).collect();
        let snapshot = old.snapshot;
        let mut placed = self.place(children, &parents)?;
        for child in &mut placed {
            child.snapshot = snapshot;
        }
        self.ranges.splice(at..=at, placed.iter().cloned());
        Ok(placed)
    }

    /// Sets the end of a range. Returns whether the range exists: one that was split has no end, and its
    /// children have their own.
    pub fn set_end(&mut self, id: RangeId, end: PinnedEnd) -> bool {
        let range = self.find_mut(id);
        range.map(|range| range.end = Some(end)).is_some()
    }

    /// Sets the ends of these ranges, as [`RangeSet::set_end`]. Returns whether any of them exists.
    pub fn set_ends(&mut self, mut ends: HashMap<RangeId, PinnedEnd>) -> bool {
        let mut is_any = false;
        for range in &mut self.ranges {
            if let Some(end) = ends.remove(&range.id) {
                range.end = Some(end);
                is_any = true;
            }
        }
        is_any
    }

    /// Removes all ends, except those of a snapshot, which is taken once.
    pub fn forget_ends(&mut self) {
        for range in self.ranges.iter_mut().filter(|range| !range.snapshot) {
            range.end = None;
        }
    }

    /// Notes that an answer named this LSN of a range's partition. Returns whether it is new: the range has
    /// an end, and no answer named a higher LSN before.
    pub fn hear(&mut self, id: RangeId, lsn: u64) -> bool {
        let end = self.find_mut(id).and_then(|range| range.end.as_mut());
        end.is_some_and(|end| end.hear(lsn))
    }

    /// As [`RangeSet::hear`] for several ranges. Returns whether anything is new.
    pub fn hear_all(&mut self, lsns: &HashMap<RangeId, u64>) -> bool {
        let mut is_new = false;
        for range in &mut self.ranges {
            if let (Some(end), Some(lsn)) = (&mut range.end, lsns.get(&range.id)) {
                is_new |= end.hear(*lsn);
            }
        }
        is_new
    }

    /// Replaces the ranges `later` with the `earlier` ones that they came from. The set is in the order of
    /// the bounds after that.
    pub fn go_back(&mut self, later: &[RangeId], earlier: impl IntoIterator<Item = RangeState>) {
        self.ranges.retain(|range| !later.contains(&range.id));
        self.ranges.extend(earlier);
        let key = |range: &RangeState| (!range.snapshot, range.range.clone());
        self.ranges.sort_by_cached_key(key);
    }

    /// Checks what must hold for every set.
    ///
    /// # Errors
    ///
    /// Names what does not hold: the ranges tile `scope`, and so do those of a snapshot, if there is one; numbers are unique and below the next one.
    pub fn check(&self, scope: &Scope) -> Result<()> {
        scope.ensure_tiled_by(self.changes().map(|range| &range.range))?;
        if self.has_snapshot() {
            let snapshot = self.ranges.iter().filter(|range| range.snapshot);
            scope
                .ensure_tiled_by(snapshot.map(|range| &range.range))
                .context("the ranges of the snapshot")?;
        }
        let mut ids: Vec<u32> = self.ranges.iter().map(|range| range.id.0).collect();
        ids.sort_unstable();
        for pair in ids.windows(2) {
            ensure!(pair[0] < pair[1], "two ranges have the number {}", pair[0]);
        }
        if let Some(last) = ids.last() {
            let next = self.next_range;
            ensure!(
                *last < next,
                "range {last} exists, but the next number is {next}"
            );
        }
        Ok(())
    }

    fn find_mut(&mut self, id: RangeId) -> Option<&mut RangeState> {
        self.ranges.iter_mut().find(|range| range.id == id)
    }

    /// Gives numbers to `parts`.
    fn place(
        &mut self,
        parts: impl IntoIterator<Item = Part>,
        parents: &[RangeId],
    ) -> Result<Vec<RangeState>> {
        let parts: Vec<Part> = parts.into_iter().collect();
        let first = self.next_range;
        let next = u32::try_from(parts.len())
            .ok()
            .and_then(|count| first.checked_add(count));
        self.next_range = next.context("there are more ranges than numbers for them")?;
        let numbered = parts.into_iter().zip(first..);
        Ok(numbered
            .map(|((range, position), id)| RangeState {
                id: RangeId(id),
                range,
                snapshot: false,
                parents: parents.to_vec(),
                position,
                end: None,
            })
            .collect())
    }
}

impl Deref for RangeSet {
    type Target = [RangeState];

    fn deref(&self) -> &[RangeState] {
        &self.ranges
    }
}

impl<'a> IntoIterator for &'a RangeSet {
    type Item = &'a RangeState;
    type IntoIter = std::slice::Iter<'a, RangeState>;

    fn into_iter(self) -> Self::IntoIter {
        self.ranges.iter()
    }
}

#[cfg(test)]
mod tests;

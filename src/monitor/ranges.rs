//! What is known of each range.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::feed::page::Page;
use crate::feed::{FeedRange, RangeId, RangeState};
use crate::lag::{Coverage, Known, Lag, Total};
use crate::observe::Event;
use crate::reader::AnsweringPartition;

/// What a range is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doing {
    Waiting,
    Reading,
    CaughtUp,
    Retrying,
    Finished,
    Failed,
}

impl Doing {
    /// All of them: a state without a range is 0, not absent.
    pub(super) const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Reading,
        Self::CaughtUp,
        Self::Retrying,
        Self::Finished,
        Self::Failed,
    ];

    /// Its name in metrics and in `/progress`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Reading => "reading",
            Self::CaughtUp => "caught_up",
            Self::Retrying => "retrying",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }
}

/// One range.
#[derive(Debug, Default)]
struct Range {
    /// Whether it has a position or a pin.
    is_placed: bool,
    is_retrying: bool,
    is_finished: bool,
    is_failed: bool,
    /// Changes that were read of it.
    changes: u64,
    /// The LSN at which this run began.
    began: u64,
    /// The LSN up to which it has been read.
    read: Option<u64>,
    /// The LSN up to which its changes are applied, in a replay.
    applied: Option<u64>,
    /// When the last change before that was made.
    changed_at: Option<i64>,
    /// Pages that are not yet applied: their LSN, and when their last change was made.
    ahead: VecDeque<(u64, Option<i64>)>,
    /// The newest LSN of its partition that an answer named.
    newest: Option<u64>,
    /// Its partition.
    partition: Option<String>,
    /// The partition that it was in before.
    earlier_partition: Option<String>,
    /// Whether the LSNs of session tokens are not those of positions.
    tokens_differ: bool,
    /// Whether its position is from before a split.
    is_inherited: bool,
    /// Whether it is a part of a partition, or came from one that was.
    is_part: bool,
    /// Whether nothing was newer at its last answer.
    is_at_head: bool,
    /// When it was last at the head, if it was and is not.
    left_head: Option<Instant>,
    /// Whether it was at the head at any time.
    was_at_head: bool,
}

impl Range {
    fn doing(&self) -> Doing {
        if self.is_failed {
            Doing::Failed
        } else if self.is_finished {
            Doing::Finished
        } else if self.is_retrying {
            Doing::Retrying
        } else if self.is_at_head {
            Doing::CaughtUp
        } else if self.is_placed {
            Doing::Reading
        } else {
            Doing::Waiting
        }
    }

    fn reaches_head(&mut self) {
        (self.is_at_head, self.was_at_head) = (true, true);
        (self.is_inherited, self.left_head) = (false, None);
    }

    fn leaves_head(&mut self) {
        if self.is_at_head {
            self.left_head = Some(Instant::now());
        }
        self.is_at_head = false;
    }

    /// Takes a page. Returns whether its partition became another one.
    fn page(
        &mut self,
        page: &Page,
        lsn: Option<u64>,
        highest: Option<u64>,
        partition: &AnsweringPartition,
    ) -> bool {
        self.is_retrying = false;
        self.changes += page.len() as u64;
        self.read = lsn.or(self.read);
        let is_moved = partition.id.is_some() && partition.id != self.partition;
        if is_moved {
            // LSNs of another partition do not compare.
            self.newest = None;
            self.earlier_partition = self.partition.take();
            self.partition.clone_from(&partition.id);
        }
        if page.is_empty() && lsn.is_some() && partition.lsn.is_some() && lsn != partition.lsn {
            self.tokens_differ = true;
        }
        let of_token = partition.lsn.filter(|_| !self.tokens_differ);
        self.newest = self.newest.max(highest).max(of_token);
        let has_all = lsn.is_some() && lsn >= self.newest && of_token.is_some();
        if has_all {
            self.reaches_head();
        } else if !page.is_empty() {
            self.leaves_head();
        }
        if let Some(last) = page.items().next_back() {
            let changed_at = last.seconds();
            match (self.applied, lsn) {
                (Some(_), Some(lsn)) => self.ahead.push_back((lsn, changed_at)),
                _ => self.changed_at = changed_at.or(self.changed_at),
            }
        }
        is_moved && self.earlier_partition.is_some()
    }

    fn is_applied(&self) -> bool {
        self.applied.is_none() || self.applied >= self.read
    }
}

/// All ranges.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    ranges: HashMap<RangeId, Range>,
    /// Whether only a part of each range is read: one partition key.
    pub(super) is_scoped: bool,
    /// The partitions when the command began, if known.
    partitions: HashSet<FeedRange>,
    /// Whether a range without a position starts at the beginning of the feed.
    pub(super) from_beginning: bool,
    /// Whether changes are applied after they were read.
    pub(super) are_applied: bool,
    /// Ranges without a position or a pin.
    unplaced: usize,
    /// When the last one of them got it; it was committed before if there is none.
    placed_at: Option<Instant>,
    /// Partitions that others were merged into.
    merged: HashSet<String>,
}

impl Ranges {
    /// Takes note of an event.
    pub(super) fn observe(&mut self, event: &Event<'_>) {
        match event {
            Event::Added { range } => {
                let is_part =
                    !self.partitions.is_empty() && !self.partitions.contains(&range.range);
                self.add(range).is_part = is_part;
            }
            Event::Pinned {
                range,
                position_lsn,
                end,
            } => {
                self.place(*range);
                let range = self.get(*range);
                range.read = position_lsn.or(range.read);
                range.newest = range.newest.max(end.lsn());
            }
            Event::Page {
                range,
                page,
                lsn,
                highest_lsn,
                partition,
                ..
            } => {
                self.place(*range);
                let is_moved = self.get(*range).page(page, *lsn, *highest_lsn, partition);
                if is_moved {
                    self.note_merge(*range);
                }
            }
            Event::CaughtUp { range } => {
                self.place(*range);
                let range = self.get(*range);
                range.is_retrying = false;
                range.reaches_head();
            }
            Event::Split { parent, children } => {
                let parent = self.ranges.remove(parent).unwrap_or_default();
                self.unplaced = self.unplaced.saturating_sub(usize::from(!parent.is_placed));
                for child in *children {
                    let child = self.add(child);
                    (child.is_inherited, child.is_part) = (true, parent.is_part);
                }
            }
            Event::Left { range } => {
                let range = self.ranges.remove(range).unwrap_or_default();
                self.unplaced = self.unplaced.saturating_sub(usize::from(!range.is_placed));
            }
            Event::Finished { range } => {
                self.place(*range);
                let range = self.get(*range);
                (range.is_finished, range.is_retrying) = (true, false);
                range.reaches_head();
            }
            Event::Failed { range, .. } => {
                self.place(*range);
                self.get(*range).is_failed = true;
            }
            Event::Retrying { range, .. } => self.get(*range).is_retrying = true,
            Event::Recovered { range } => self.get(*range).is_retrying = false,
            Event::Charged { .. } | Event::Ready | Event::Committed { .. } | Event::Tick => {}
        }
    }

    fn get(&mut self, id: RangeId) -> &mut Range {
        self.ranges.entry(id).or_default()
    }

    fn add(&mut self, state: &RangeState) -> &mut Range {
        let position = state.position.as_ref();
        let is_placed = position.is_some();
        let lsn = position.and_then(|position| position.lsn);
        self.unplaced += usize::from(!is_placed);
        let applied = if self.are_applied {
            lsn.or(Some(0))
        } else {
            None
        };
        let range = Range {
            is_placed,
            began: lsn.unwrap_or(0),
            read: lsn,
            applied,
            ..Range::default()
        };
        let entry = self.ranges.entry(state.id).insert_entry(range);
        entry.into_mut()
    }

    /// The partitions of the container are known, from now.
    pub(super) fn know_partitions(&mut self, partitions: impl Iterator<Item = FeedRange>) {
        self.partitions.extend(partitions);
    }

    /// A range has a position or a pin, if it had none.
    fn place(&mut self, id: RangeId) {
        if !std::mem::replace(&mut self.get(id).is_placed, true) {
            self.unplaced = self.unplaced.saturating_sub(1);
            self.placed_at = Some(Instant::now());
        }
    }

    /// The partition of a range became another one without a split. It is a merge if a range of another
    /// partition is there too.
    fn note_merge(&mut self, id: RangeId) {
        let moved = &self.ranges[&id];
        let Some(partition) = moved.partition.clone() else {
            return;
        };
        let is_merged = self.ranges.values().any(|other| {
            other.partition == moved.partition
                && other.earlier_partition.is_some()
                && other.earlier_partition != moved.earlier_partition
        });
        if is_merged {
            self.merged.insert(partition);
        }
    }

    /// How many merges the ranges have shown.
    pub(super) fn merges(&self) -> u64 {
        self.merged.len() as u64
    }

    /// The changes of a range are applied up to this LSN.
    pub(super) fn applied(&mut self, id: RangeId, lsn: Option<u64>) {
        let Some(range) = self.ranges.get_mut(&id) else {
            return;
        };
        range.applied = lsn.or(range.applied);
        while let Some((read, changed_at)) = range.ahead.front()
            && Some(*read) <= range.applied
        {
            range.changed_at = changed_at.or(range.changed_at);
            range.ahead.pop_front();
        }
    }

    /// Whether each range has a position or a pin, and a commit that began at `committed` has it.
    pub(super) fn are_committed(&self, committed: Instant) -> bool {
        self.unplaced == 0 && self.placed_at.is_none_or(|placed| placed <= committed)
    }

    /// How much of what is known to exist is applied, between 0 and 1: the mean over all ranges.
    pub(super) fn done_applying(&self) -> Option<f64> {
        let done = |range: &Range| {
            let (applied, newest) = (range.applied.unwrap_or(0), range.newest.unwrap_or(0));
            if range.is_at_head && range.is_applied() {
                1.0
            } else if newest > range.began {
                let done = applied.saturating_sub(range.began) as f64;
                (done / (newest - range.began) as f64).min(1.0)
            } else {
                0.0
            }
        };
        let ranges = self.ranges.len();
        (ranges > 0).then(|| self.ranges.values().map(done).sum::<f64>() / ranges as f64)
    }

    /// How many ranges do what.
    pub(super) fn by_doing(&self) -> BTreeMap<Doing, u64> {
        let mut counts: BTreeMap<Doing, u64> = Doing::ALL.map(|doing| (doing, 0)).into();
        for range in self.ranges.values() {
            *counts.entry(range.doing()).or_default() += 1;
        }
        counts
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether every range was at the head at some time.
    pub(super) fn were_at_head(&self) -> bool {
        !self.ranges.is_empty() && self.ranges.values().all(|range| range.was_at_head)
    }

    /// Whether every range is at the head, and all of it is applied.
    pub(super) fn are_at_head(&self) -> bool {
        let mut ranges = self.ranges.values();
        !self.ranges.is_empty() && ranges.all(|range| range.is_at_head && range.is_applied())
    }

    /// Whether every range is at the head or was there this little time ago, and none fails.
    pub(super) fn are_near_head(&self, within: Duration) -> bool {
        !self.ranges.is_empty()
            && self.ranges.values().all(|range| {
                let left = range.left_head.is_some_and(|left| left.elapsed() <= within);
                (range.is_at_head || left) && !range.is_failed && !range.is_retrying
            })
    }

    /// The lag of each range, and the changes that were read of it, in the order of their numbers.
    pub(super) fn lags(&self, now: i64) -> Vec<(RangeId, Lag, u64)> {
        let mut in_partition: HashMap<&str, u32> = HashMap::new();
        for partition in self
            .ranges
            .values()
            .filter_map(|one| one.partition.as_deref())
        {
            *in_partition.entry(partition).or_default() += 1;
        }
        let lag = |range: &Range| {
            let position = if self.are_applied {
                range.applied.filter(|_| range.is_placed)
            } else {
                range.read
            };
            let starts_at_0 = position.is_none() && self.from_beginning;
            let is_shared = range
                .partition
                .as_deref()
                .is_some_and(|partition| in_partition[partition] > 1);
            let is_part =
                self.is_scoped || range.is_part || range.is_inherited || is_shared || starts_at_0;
            Lag::of(&Known {
                position: position.or(starts_at_0.then_some(0)),
                newest: range.newest,
                coverage: if is_part {
                    Coverage::Part
                } else {
                    Coverage::Whole
                },
                is_at_head: range.is_at_head && range.is_applied(),
                changed_at: range.changed_at,
                newest_at: now,
            })
        };
        let mut lags: Vec<_> = self
            .ranges
            .iter()
            .map(|(id, range)| (*id, lag(range), range.changes))
            .collect();
        lags.sort_unstable_by_key(|(id, ..)| *id);
        lags
    }

    /// The lag of all ranges.
    pub(super) fn lag(lags: &[(RangeId, Lag, u64)]) -> Total {
        let mut total = Total::default();
        for (_, lag, _) in lags {
            total.add(*lag);
        }
        total
    }
}

#[cfg(test)]
mod tests;

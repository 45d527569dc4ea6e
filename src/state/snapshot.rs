//! What the finished files of an export with a snapshot lack, so that they are not of one time.

use std::fmt;

use super::model::State;
use crate::destination::FileState;
use crate::destination::manifest::Entry;
use crate::feed::{RangeId, RangeState};

/// What finished files lack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// Documents of the snapshot.
    Documents,
    /// Changes that were made before the snapshot was complete: those of these ranges.
    Changes(Vec<RangeId>),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Changes(ranges) = self else {
            return f.write_str("the snapshot is not complete");
        };
        let numbers: Vec<String> = ranges.iter().map(RangeId::to_string).collect();
        write!(
            f,
            "the changes in the finished files end before the snapshot was complete, in range {}",
            numbers.join(", ")
        )
    }
}

impl State {
    /// What the files that are `published` lack of the snapshot, and of the changes up to where each range was when
    /// it was complete; `None` if that is nothing, or there is no snapshot.
    pub fn lack(&self, published: &[Entry]) -> Option<Lack> {
        if !self.options.snapshot {
            return None;
        }
        let is_published = |file: &FileState| {
            published
                .iter()
                .any(|entry| entry.start == file.start && entry.end == file.end)
        };
        let sealed = self.sealed.iter().filter(|file| !is_published(file));
        let unpublished: Vec<&FileState> = self.committed().open().chain(sealed).collect();
        let begins = || unpublished.iter().flat_map(|file| &file.start);
        if self.ranges.is_snapshot_open() || begins().any(|range| range.snapshot) {
            return Some(Lack::Documents);
        }
        // What is published of a range ends where its first other file begins.
        let whole = self.ranges.changes().filter(|range| {
            let series = self.series_of(range.id);
            !self.finished && !unpublished.iter().any(|file| file.series == series)
        });
        let behind = begins()
            .chain(whole)
            .filter(|place| !self.is_past_snapshot(place));
        let mut behind: Vec<RangeId> = behind.map(|range| range.id).collect();
        behind.sort_unstable();
        behind.dedup();
        (!behind.is_empty()).then_some(Lack::Changes(behind))
    }

    /// Whether a place in the changes is at or past all that the snapshot found there. Where that is not known, it is
    /// not.
    fn is_past_snapshot(&self, place: &RangeState) -> bool {
        let here = place.position.as_ref().and_then(|position| position.lsn);
        let pinned = self.ranges.find(place.id).and_then(|now| now.end.as_ref());
        let partition = pinned.and_then(|end| end.partition.as_ref());
        let mut found = self
            .ranges
            .iter()
            .filter(|range| range.snapshot && range.range.intersection(&place.range).is_some());
        found.all(|range| {
            let end = range.end.as_ref();
            let then = end.and_then(|end| end.partition.as_ref());
            // The LSNs of the parts of a split go on from it; those of other partitions do not compare.
            let is_part = range.range != place.range
                && range.range.intersection(&place.range).as_ref() == Some(&place.range);
            let compares = is_part || then.is_none() || partition.is_none() || then == partition;
            let position = range.position.as_ref().and_then(|position| position.lsn);
            let reached = position.max(end.and_then(|end| end.lsn().max(end.known_lsn)));
            compares && reached.is_some() && here >= reached
        })
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::feed::{FeedRange, PinnedEnd, Position, RangeSet, ReachedEnd};
    use crate::state::file::tests::sample;

    fn range(min: &str, max: &str) -> FeedRange {
        FeedRange::new(min, max).unwrap()
    }

    fn at(lsn: u64) -> Position {
        Position {
            token: String::new(),
            lsn: Some(lsn),
        }
    }

    fn end(partition: &str, lsn: u64, known_lsn: Option<u64>) -> PinnedEnd {
        PinnedEnd {
            etag: format!("\"{lsn}\""),
            partition: Some(partition.to_owned()),
            pinned_at: OffsetDateTime::UNIX_EPOCH,
            tokens_compare: true,
            known_lsn,
            reached: Some(ReachedEnd::Head),
        }
    }

    /// A snapshot that was complete at LSN 50 of partition 0, and its changes, range 1, up to `lsn`. Nothing is open.
    fn complete(lsn: u64) -> State {
        let mut state = sample();
        state.options.snapshot = true;
        state.finished = false;
        state.series.clear();
        state.sealed.clear();
        let pinned = RangeSet::number([(range("", "FF"), Some(at(10)))]).unwrap();
        state.ranges = RangeSet::with_snapshot(pinned).unwrap();
        state.ranges.set_end(RangeId(0), end("0", 40, Some(50)));
        state.ranges.advance(RangeId(1), at(lsn)).unwrap();
        state
    }

    fn lacks_changes() -> Option<Lack> {
        Some(Lack::Changes(vec![RangeId(1)]))
    }

    #[test]
    fn changes_have_to_reach_the_highest_lsn_that_the_snapshot_saw() {
        assert_eq!(complete(49).lack(&[]), lacks_changes());
        assert_eq!(complete(50).lack(&[]), None);
        let mut finished = complete(49);
        finished.finished = true;
        assert_eq!(finished.lack(&[]), None);
    }

    #[test]
    fn the_parts_of_a_split_go_on_from_its_lsns() {
        for (lsn, lack) in [(49, Some(Lack::Changes(vec![RangeId(2)]))), (51, None)] {
            let mut state = complete(50);
            let parts = vec![
                (range("", "7F"), Some(at(lsn))),
                (range("7F", "FF"), Some(at(60))),
            ];
            state.ranges.split(RangeId(1), parts).unwrap();
            state.ranges.set_end(RangeId(2), end("1", 70, None));
            assert_eq!(state.lack(&[]), lack);
        }
    }

    #[test]
    fn lsns_of_a_merged_partition_show_nothing() {
        let mut state = complete(90);
        state.ranges.set_end(RangeId(1), end("2", 95, None));
        assert_eq!(state.lack(&[]), lacks_changes());
        state.finished = true;
        assert_eq!(state.lack(&[]), None);
    }
}

//! How far the partitions have been seen by the two lanes of a snapshot.

use std::collections::HashMap;

use crate::feed::FeedRange;

/// How far each partition has been seen.
///
/// The partitions of a split go on from the LSNs of the one that was split, so what was seen of that holds for them
/// too. They are known by their ranges, which are parts of its range.
#[derive(Debug, Default)]
pub(super) struct Seen {
    lsns: HashMap<String, u64>,
    /// The partition that answered last for a range.
    answered: HashMap<FeedRange, String>,
}

impl Seen {
    /// Notes that `partition` has answered for `range`, and has been seen to `lsn`. Returns how far it had been seen
    /// before that, itself or as a part of another one.
    pub(super) fn note(
        &mut self,
        partition: &str,
        range: &FeedRange,
        lsn: Option<u64>,
    ) -> Option<u64> {
        let before = self.inherit(partition, range).max(self.of(partition));
        if let Some(highest) = before.max(lsn) {
            self.lsns.insert(partition.to_owned(), highest);
        }
        before
    }

    /// How far `partition` has been seen.
    pub(super) fn of(&self, partition: &str) -> Option<u64> {
        self.lsns.get(partition).copied()
    }

    /// What was seen of the partitions that this one came from; none if it has answered for the range before.
    fn inherit(&mut self, partition: &str, range: &FeedRange) -> Option<u64> {
        if self.answered.get(range).is_some_and(|it| it == partition) {
            return None;
        }
        let is_part_of =
            |other: &FeedRange| other != range && range.intersection(other).as_ref() == Some(range);
        let origins = self
            .answered
            .iter()
            .filter(|(other, answered)| *answered != partition && is_part_of(other));
        let inherited = origins.filter_map(|(_, origin)| self.of(origin)).max();
        self.answered.insert(range.clone(), partition.to_owned());
        inherited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(min: &str, max: &str) -> FeedRange {
        FeedRange::new(min, max).unwrap()
    }

    #[test]
    fn the_partitions_of_a_split_inherit_what_was_seen_before() {
        let mut seen = Seen::default();
        assert_eq!(seen.note("0", &range("", "FF"), Some(150)), None);
        assert_eq!(seen.note("0", &range("", "FF"), Some(140)), Some(150));
        for (partition, part) in [("1", range("", "10")), ("2", range("10", "FF"))] {
            assert_eq!(seen.note(partition, &part, None), Some(150));
        }
        assert_eq!(seen.note("1", &range("", "10"), Some(160)), Some(150));
        // Once more, and only what became of that one.
        assert_eq!(seen.note("3", &range("", "08"), Some(155)), Some(160));
        assert_eq!(seen.note("4", &range("20", "FF"), None), Some(150));
        assert_eq!(seen.of("3"), Some(160));
    }

    #[test]
    fn another_partition_of_the_same_range_inherits_nothing() {
        let mut seen = Seen::default();
        seen.note("0", &range("", "10"), Some(150));
        seen.note("1", &range("10", "FF"), Some(90));
        // A merge: its LSNs are its own.
        assert_eq!(seen.note("2", &range("", "10"), Some(100)), None);
        assert_eq!(seen.note("2", &range("10", "FF"), None), Some(100));
        // A part of a range in the same partition.
        assert_eq!(seen.note("2", &range("", "08"), None), Some(100));
    }
}

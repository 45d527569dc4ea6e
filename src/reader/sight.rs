//! How far the partitions of a container have been seen by several readers of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::feed::FeedRange;

/// How far each partition has been seen.
///
/// The partitions of a split go on from the LSNs of the one that was split, so what was seen of that holds for them
/// too. They are known by their ranges, which are parts of its range.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    lsns: HashMap<String, u64>,
    /// The partition that answered last for a range.
    answered: HashMap<FeedRange, String>,
}

impl Marks {
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

/// What several readers of a container have seen of it: one that follows its feed, and others beside that. Replicas are
/// compared by the LSNs of their session tokens, which need not compare with those of ETags.
#[derive(Debug, Clone, Default)]
pub struct Sight(Arc<Mutex<Marks>>);

/// What had been seen when a reading began. No answer may be from before that.
#[derive(Debug, Clone)]
pub struct Floor {
    sight: Sight,
    then: Arc<Marks>,
    /// Whether what is not known of a partition will be.
    pub(super) waits: bool,
}

/// What part a range has in what is seen.
#[derive(Debug, Clone)]
pub(super) enum Sighted {
    /// Its answers are noted: the ranges are those of the whole container.
    Leading(Sight),
    /// Its answers must not be from before this, and are noted too.
    Above(Floor),
}

impl Sight {
    /// Whether it is known how far `partition` is.
    pub fn has(&self, partition: &str) -> bool {
        self.lock().of(partition).is_some()
    }

    /// How far `partition` has been seen.
    fn of(&self, partition: &str) -> Option<u64> {
        self.lock().of(partition)
    }

    /// What has been seen until now. `waits` says that whoever follows the feed will see other partitions too, and that
    /// no answer of these is of use before.
    pub fn floor(&self, waits: bool) -> Floor {
        Floor {
            waits,
            sight: self.clone(),
            then: Arc::new(self.lock().clone()),
        }
    }

    /// Notes that `partition` has answered for `range` up to `lsn`. Returns whether more had been seen before.
    pub(super) fn note(&self, partition: &str, range: &FeedRange, lsn: Option<u64>) -> bool {
        let before = self.lock().note(partition, range, lsn);
        lsn.is_some() && before > lsn
    }

    fn lock(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Floor {
    /// How far `partition` had been seen when the reading began; a later one, when it was seen first.
    pub(super) fn of(&self, partition: &str) -> Option<u64> {
        self.then.of(partition).or_else(|| self.sight.of(partition))
    }

    /// Notes that `partition` has been seen to `lsn`.
    pub(super) fn note(&self, partition: &str, lsn: u64) {
        let mut seen = self.sight.lock();
        let known = seen.lsns.entry(partition.to_owned()).or_default();
        *known = lsn.max(*known);
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
        let mut seen = Marks::default();
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
    fn a_floor_stays_where_it_was_and_knows_later_partitions() {
        let sight = Sight::default();
        assert!(!sight.note("0", &range("", "FF"), Some(150)));
        let floor = sight.floor(true);
        assert!(!sight.note("0", &range("", "FF"), Some(170)));
        assert!(sight.note("0", &range("", "FF"), Some(160)));
        assert_eq!((floor.of("0"), floor.of("1")), (Some(150), None));
        floor.note("0", 180);
        assert_eq!(sight.of("0"), Some(180));
        // A split.
        assert!(sight.note("1", &range("", "10"), Some(175)));
        assert_eq!(floor.of("1"), Some(180));
    }

    #[test]
    fn another_partition_of_the_same_range_inherits_nothing() {
        let mut seen = Marks::default();
        seen.note("0", &range("", "10"), Some(150));
        seen.note("1", &range("10", "FF"), Some(90));
        // A merge: its LSNs are its own.
        assert_eq!(seen.note("2", &range("", "10"), Some(100)), None);
        assert_eq!(seen.note("2", &range("10", "FF"), None), Some(100));
        // A part of a range in the same partition.
        assert_eq!(seen.note("2", &range("", "08"), None), Some(100));
    }
}

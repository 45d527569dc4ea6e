//! How far the partitions of a container have been seen by several readings of it: the two lanes of a snapshot, or a
//! reader that follows the feed and others beside it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};

use crate::cosmos::client::CosmosClient;
use crate::cosmos::partitions::PhysicalPartition;
use crate::feed::FeedRange;

/// How far each partition has been seen.
///
/// The partitions of a split go on from the LSNs of the one that was split, so what was seen of that holds for them
/// too. A merged partition has LSNs of its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    partitions: HashMap<String, Known>,
    /// The partitions that were ever listed.
    listed: HashMap<String, Origin>,
}

/// What is known of a partition.
#[derive(Debug, Clone, Default)]
struct Known {
    lsn: Option<u64>,
    /// What an earlier run read of it, from the lowest bound to the highest.
    read: Option<FeedRange>,
    /// Whether it has answered in this run.
    has_answered: bool,
}

/// Where a partition came from.
#[derive(Debug, Clone)]
struct Origin {
    range: FeedRange,
    parents: Vec<String>,
}

impl Seen {
    /// Whether nothing was seen of any partition.
    pub(super) fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// An earlier run has read `range` in `partition`, and has seen that to `lsn`.
    pub(super) fn remember(&mut self, partition: &str, range: &FeedRange, lsn: u64) {
        let known = self.partitions.entry(partition.to_owned()).or_default();
        known.lsn = known.lsn.max(Some(lsn));
        known.read = Some(match known.read.take() {
            None => range.clone(),
            Some(read) => FeedRange {
                min_inclusive: read.min_inclusive.min(range.min_inclusive.clone()),
                max_exclusive: read.max_exclusive.max(range.max_exclusive.clone()),
            },
        });
    }

    /// How far `partition` itself has been seen.
    pub(super) fn of(&self, partition: &str) -> Option<u64> {
        self.partitions.get(partition)?.lsn
    }

    /// Notes that `partition` has been seen to `lsn` by a reading that does not say what it came from.
    pub(super) fn raise(&mut self, partition: &str, lsn: u64) {
        let known = self.partitions.entry(partition.to_owned()).or_default();
        known.lsn = known.lsn.max(Some(lsn));
    }

    /// Whether the partitions have to be listed, since it is not known which ones this one came from.
    pub(super) fn is_unknown(&self, partition: &str) -> bool {
        let known = self.partitions.get(partition);
        !known.is_some_and(|known| known.has_answered) && !self.listed.contains_key(partition)
    }

    /// Takes a list of the partitions.
    pub(super) fn list(&mut self, partitions: Vec<PhysicalPartition>) {
        for PhysicalPartition {
            id, range, parents, ..
        } in partitions
        {
            self.listed.insert(id, Origin { range, parents });
        }
    }

    /// Whether others have replaced the partition before it could be listed.
    pub(super) fn is_replaced(&self, partition: &str) -> bool {
        let mut parents = self.listed.values().flat_map(|origin| &origin.parents);
        self.is_unknown(partition) && parents.any(|parent| parent == partition)
    }

    /// Notes that `partition` has been seen to `lsn`. Returns how far it had been seen before that, itself or as a part
    /// of another one.
    pub(super) fn note(&mut self, partition: &str, lsn: Option<u64>) -> Option<u64> {
        // Each time: an answer of those that it came from may have been on its way.
        let inherited = self.inherited(partition);
        let known = self.partitions.entry(partition.to_owned()).or_default();
        let before = inherited.max(known.lsn);
        known.lsn = before.max(lsn);
        known.has_answered = true;
        before
    }

    /// How far the newest partition was seen that this one is a part of.
    fn inherited(&self, partition: &str) -> Option<u64> {
        let origin = self.listed.get(partition)?;
        let mut ancestors: Vec<&String> = origin.parents.iter().collect();
        // They are listed from the oldest on, and numbered in that order.
        ancestors.reverse();
        ancestors.sort_by_key(|id| Reverse(id.parse::<u64>().ok()));
        let mut newest_first = ancestors.into_iter().enumerate();
        newest_first.find_map(|(newer, id)| {
            let lsn = self.partitions.get(id)?.lsn?;
            self.is_part_of(&origin.range, id, newer == 0)
                .then_some(lsn)
        })
    }

    /// Whether a partition of this range came from its ancestor by splits alone, as far as that is known. Then it is
    /// smaller.
    fn is_part_of(&self, range: &FeedRange, ancestor: &str, is_newest: bool) -> bool {
        if let Some(whole) = self.listed.get(ancestor) {
            return whole.range != *range && encloses(&whole.range, range);
        }
        let known = self.partitions.get(ancestor);
        let Some(read) = known.and_then(|known| known.read.as_ref()) else {
            return false;
        };
        // Its own bounds are not known, but they enclose what was read of it.
        match read == range {
            true => is_newest,
            false => !encloses(range, read),
        }
    }
}

/// As [`Seen::note`], once it is known which partitions this one came from.
///
/// # Errors
///
/// If the partitions cannot be listed, or others have replaced this one.
pub(super) async fn note(
    seen: &Mutex<Seen>,
    client: &CosmosClient,
    partition: &str,
    lsn: Option<u64>,
) -> Result<Option<u64>> {
    for refresh in [false, true] {
        if locked(seen).is_unknown(partition) {
            let listed = client.physical_partitions(refresh).await?;
            locked(seen).list(listed);
        }
    }
    let mut seen = locked(seen);
    ensure!(
        !seen.is_replaced(partition),
        "the partition that answered has been split or merged since"
    );
    Ok(seen.note(partition, lsn))
}

/// What has been seen.
pub(super) fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn encloses(whole: &FeedRange, part: &FeedRange) -> bool {
    whole.min_inclusive <= part.min_inclusive && part.max_exclusive <= whole.max_exclusive
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(bounds: [&str; 2]) -> FeedRange {
        FeedRange::new(bounds[0], bounds[1]).unwrap()
    }

    fn list<const N: usize>(seen: &mut Seen, partitions: [(&str, [&str; 2], &[&str]); N]) {
        let partitions = partitions.map(|(id, bounds, parents)| PhysicalPartition {
            id: id.to_owned(),
            range: range(bounds),
            portable: String::new(),
            parents: parents.iter().map(ToString::to_string).collect(),
        });
        seen.list(partitions.into());
    }

    /// One partition that was seen, and then split.
    fn split() -> Seen {
        let mut seen = Seen::default();
        list(&mut seen, [("0", ["", "FF"], &[])]);
        assert_eq!(seen.note("0", Some(150)), None);
        assert_eq!(seen.note("0", Some(140)), Some(150));
        list(
            &mut seen,
            [("1", ["", "10"], &["0"]), ("2", ["10", "FF"], &["0"])],
        );
        seen
    }

    #[test]
    fn the_partitions_of_a_split_inherit_what_was_seen_before() {
        let mut seen = split();
        assert_eq!(seen.note("1", Some(160)), Some(150));
        assert_eq!(seen.note("2", None), Some(150));
        assert_eq!(seen.note("1", None), Some(160));
        // Once more, and only what became of that one.
        list(
            &mut seen,
            [
                ("3", ["", "08"], &["0", "1"]),
                ("4", ["08", "10"], &["0", "1"]),
            ],
        );
        assert_eq!(seen.note("3", Some(155)), Some(160));
        assert_eq!(seen.note("3", None), Some(160));
        // Of one that was itself never seen.
        list(&mut seen, [("9", ["20", "30"], &["0", "2", "7"])]);
        assert_eq!(seen.note("9", None), Some(150));
    }

    #[test]
    fn a_merged_partition_has_numbers_of_its_own_and_its_parts_have_those() {
        let mut seen = split();
        seen.note("1", Some(160));
        seen.note("2", Some(170));
        list(&mut seen, [("3", ["", "FF"], &["0", "1", "2"])]);
        assert_eq!(seen.note("3", Some(100)), None);
        // It is split at the same bound: the parts have the ranges of those before.
        list(
            &mut seen,
            [
                ("10", ["", "10"], &["0", "1", "2", "3"]),
                ("11", ["10", "FF"], &["0", "1", "2", "3"]),
            ],
        );
        assert_eq!(seen.note("10", None), Some(100));
        assert_eq!(seen.note("11", Some(120)), Some(100));
    }

    #[test]
    fn what_an_earlier_run_has_seen_holds_for_the_parts() {
        let begun = || {
            let mut seen = Seen::default();
            seen.remember("0", &range(["", "08"]), 150);
            seen.remember("0", &range(["08", "10"]), 140);
            seen.remember("5", &range(["10", "FF"]), 90);
            seen
        };
        // Smaller than what was read of it, as large, and beside it.
        for bounds in [["", "08"], ["", "10"], ["10", "20"]] {
            let mut seen = begun();
            list(&mut seen, [("6", bounds, &["0"])]);
            assert_eq!(seen.note("6", None), Some(150), "{bounds:?}");
        }
        // A merge of both, and one of the parts of one.
        for (bounds, parents) in [
            (["", "FF"], &["0", "5"][..]),
            (["", "10"], &["0", "6", "7"]),
        ] {
            let mut seen = begun();
            list(&mut seen, [("8", bounds, parents)]);
            assert_eq!(seen.note("8", None), None, "{bounds:?}");
        }
        // The partition itself.
        let mut seen = begun();
        list(&mut seen, [("0", ["", "10"], &[])]);
        assert_eq!(seen.note("0", None), Some(150));
    }

    #[test]
    fn a_partition_is_unknown_until_it_is_listed_or_noted() {
        let mut seen = split();
        assert!(!seen.is_unknown("1"));
        assert!(seen.is_unknown("3"));
        assert!(!seen.is_replaced("3"));
        list(&mut seen, [("4", ["", "08"], &["0", "1", "3"])]);
        assert!(seen.is_replaced("3"));
        // One that no list has.
        assert_eq!(seen.note("other", Some(7)), None);
        assert!(!seen.is_unknown("other"));
        assert_eq!(seen.note("other", None), Some(7));
    }
}

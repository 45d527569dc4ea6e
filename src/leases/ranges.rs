//! The ranges of leases, and how they cover their container.

use std::collections::{HashMap, HashSet};

use super::lease::Lease;
use crate::cosmos::partitions::PhysicalPartition;
use crate::feed::FeedRange;

/// The range that a lease is for: its own, or that of its partition; if the partition was split, that of the
/// partitions that came from it. None if nothing is left of it.
pub(crate) fn range_of(lease: &Lease, partitions: &[PhysicalPartition]) -> Option<FeedRange> {
    if let Some(range) = &lease.own_range {
        return Some(range.clone());
    }
    if let Some(partition) = partitions.iter().find(|one| one.id == lease.token) {
        return Some(partition.range.clone());
    }
    let came_from = |one: &&PhysicalPartition| one.parents.contains(&lease.token);
    let mut children = partitions.iter().filter(came_from);
    let first = children.next()?;
    let last = children.next_back().unwrap_or(first);
    Some(FeedRange {
        min_inclusive: first.range.min_inclusive.clone(),
        max_exclusive: last.range.max_exclusive.clone(),
    })
}

/// The ranges of leases, as [`range_of`] has them.
pub(crate) fn ranges_of(
    leases: &[Lease],
    partitions: &[PhysicalPartition],
) -> Vec<Option<FeedRange>> {
    let ranges = leases.iter().map(|lease| range_of(lease, partitions));
    ranges.collect()
}

/// The ranges by which leases can be compared: without those of partitions that were merged into one. Each such lease
/// is for a part of that one, and nothing says for which.
pub(crate) fn comparable(
    leases: &[Lease],
    ranges: &[Option<FeedRange>],
    partitions: &[PhysicalPartition],
) -> Vec<Option<FeedRange>> {
    let is_derived = |lease: &Lease| {
        lease.own_range.is_none() && partitions.iter().all(|one| one.id != lease.token)
    };
    let mut derived: HashMap<&FeedRange, HashSet<&str>> = HashMap::new();
    for (lease, range) in leases.iter().zip(ranges) {
        if let Some(range) = range.as_ref().filter(|_| is_derived(lease)) {
            derived.entry(range).or_default().insert(&lease.token);
        }
    }
    let is_merged = |lease: &Lease, range: &FeedRange| {
        is_derived(lease) && derived.get(range).is_some_and(|tokens| tokens.len() > 1)
    };
    let pairs = leases.iter().zip(ranges);
    pairs
        .map(|(lease, range)| range.clone().filter(|range| !is_merged(lease, range)))
        .collect()
}

/// A range as the token of a lease has it.
pub(crate) fn token_of(range: &FeedRange) -> String {
    format!("{}-{}", range.min_inclusive, range.max_exclusive)
}

/// What of the whole no range covers, in order.
pub(crate) fn gaps(ranges: impl IntoIterator<Item = FeedRange>) -> Vec<FeedRange> {
    let mut ranges: Vec<FeedRange> = ranges.into_iter().collect();
    ranges.sort_unstable();
    let whole = FeedRange::full();
    let mut gaps = Vec::new();
    let mut reached = whole.min_inclusive;
    let mut leave = |from: &str, to: &str| {
        if from < to {
            gaps.push(FeedRange {
                min_inclusive: from.to_owned(),
                max_exclusive: to.to_owned(),
            });
        }
    };
    for range in ranges {
        leave(&reached, &range.min_inclusive);
        reached = reached.max(range.max_exclusive);
    }
    leave(&reached, &whole.max_exclusive);
    gaps
}

/// Whether each range shares a part with another one.
pub(crate) fn overlapping(ranges: &[Option<FeedRange>]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..ranges.len())
        .filter(|&at| ranges[at].is_some())
        .collect();
    order.sort_by_key(|&at| ranges[at].clone());
    let mut overlapping = vec![false; ranges.len()];
    // The one that reaches farthest, of those before.
    let mut farthest: Option<usize> = None;
    for at in order {
        let Some(range) = &ranges[at] else { continue };
        let before = farthest.and_then(|before| Some((before, ranges[before].as_ref()?)));
        if let Some((before, earlier)) = before
            && earlier.max_exclusive > range.min_inclusive
        {
            overlapping[before] = true;
            overlapping[at] = true;
        }
        let is_farther =
            before.is_none_or(|(_, earlier)| range.max_exclusive > earlier.max_exclusive);
        if is_farther {
            farthest = Some(at);
        }
    }
    overlapping
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(min: &str, max: &str) -> FeedRange {
        FeedRange::new(min, max).unwrap()
    }

    #[test]
    fn gaps_are_what_nobody_covers() {
        assert_eq!(gaps([]), [FeedRange::full()]);
        assert_eq!(gaps([FeedRange::full()]), []);
        assert_eq!(
            gaps([range("10", "20"), range("", "10"), range("20", "FF")]),
            []
        );
        // One within another.
        assert_eq!(
            gaps([range("", "30"), range("10", "20"), range("40", "FF")]),
            [range("30", "40")]
        );
        assert_eq!(
            gaps([range("10", "20")]),
            [range("", "10"), range("20", "FF")]
        );
    }

    #[test]
    fn each_range_that_shares_a_part_is_found() {
        let of = |ranges: &[Option<FeedRange>]| overlapping(ranges);
        assert_eq!(
            of(&[Some(range("", "10")), None, Some(range("10", "FF"))]),
            [false, false, false]
        );
        // A parent and its children, a neighbour.
        assert_eq!(
            of(&[
                Some(range("10", "20")),
                Some(range("", "30")),
                Some(range("20", "30")),
                Some(range("30", "FF")),
            ]),
            [true, true, true, false]
        );
        assert_eq!(
            of(&[Some(range("", "FF")), Some(range("", "FF"))]),
            [true, true]
        );
    }
}

//! The digest of a side: for each small range of hashed keys the number of documents and the sum of their hashes, so
//! that the order in which they come does not matter.
//!
//! A sum cannot take back what it does not know, so it cannot tell a document that came twice from two documents.
//! Whatever may have come before makes its range *uncertain*: a change beyond the pin of a feed, where rewritten
//! documents are, and in files whatever a [filter](Seen) may have seen. The documents of uncertain ranges are compared
//! one by one, like those of ranges that differ. So equal digests of certain ranges are equal documents.

use super::hashes::{Hashes, Name};

/// The number of a small range of hashed keys.
pub(super) type Bucket = u32;

/// The bits of a filter that each document sets.
const FILTER_BITS: u32 = 3;

/// The digest of a side.
#[derive(Debug)]
pub(super) struct Digest {
    sums: Vec<u128>,
    counts: Vec<u32>,
    uncertain: Vec<bool>,
    /// What was seen of files.
    seen: Option<Seen>,
    /// Documents, and their bytes.
    pub(super) documents: u64,
    pub(super) bytes: u64,
}

/// What a record leaves of its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// A content with this hash.
    Content(u128),
    /// Nothing: it is deleted.
    Nothing,
}

impl Digest {
    /// The digest of so many ranges. Files have a filter of so many bytes.
    pub(super) fn new(buckets: u32, filter_bytes: Option<usize>) -> Self {
        Self {
            sums: vec![0; buckets as usize],
            counts: vec![0; buckets as usize],
            uncertain: vec![false; buckets as usize],
            seen: filter_bytes.map(Seen::new),
            documents: 0,
            bytes: 0,
        }
    }

    /// Adds what a record leaves of the document `name`. `may_repeat` says that the document may have come before.
    pub(super) fn add(
        &mut self,
        hashes: &Hashes,
        bucket: Bucket,
        name: Name,
        left: Left,
        may_repeat: bool,
    ) {
        let at = bucket as usize;
        let Left::Content(content) = left else {
            // A document that did not come before is none anyway.
            let came_before = self.seen.as_ref().is_none_or(|seen| seen.may_have(name));
            self.uncertain[at] |= came_before;
            return;
        };
        let came_before = self.seen.as_mut().is_some_and(|seen| seen.insert(name));
        self.uncertain[at] |= came_before || may_repeat;
        self.sums[at] = self.sums[at].wrapping_add(hashes.document(name, content));
        match self.counts[at].checked_add(1) {
            Some(count) => self.counts[at] = count,
            None => self.uncertain[at] = true,
        }
        self.documents += 1;
    }

    /// How many records came in a range.
    pub(super) fn count(&self, bucket: Bucket) -> u64 {
        self.counts[bucket as usize].into()
    }

    /// The ranges whose documents have to be compared one by one.
    pub(super) fn unlike(&self, other: &Self) -> Vec<Bucket> {
        let differs = |at: &usize| {
            let at = *at;
            self.uncertain[at]
                || other.uncertain[at]
                || self.counts[at] != other.counts[at]
                || self.sums[at] != other.sums[at]
        };
        let all = 0..self.sums.len();
        all.filter(differs).map(|at| at as Bucket).collect()
    }

    /// Frees the filter, once everything was added.
    pub(super) fn close(&mut self) {
        self.seen = None;
    }
}

/// A filter of names: it may take a name that it has not seen for one that it has, never the other way round.
#[derive(Debug)]
struct Seen {
    bits: Vec<u64>,
}

impl Seen {
    fn new(bytes: usize) -> Self {
        Self {
            bits: vec![0; (bytes / 8).next_power_of_two().max(1024)],
        }
    }

    fn places(&self, name: Name) -> impl Iterator<Item = (usize, u64)> + use<> {
        let mask = self.bits.len() * 64 - 1;
        (0..FILTER_BITS).map(move |turn| {
            let bit = (name >> (turn * 40)) as usize & mask;
            (bit / 64, 1 << (bit % 64))
        })
    }

    fn may_have(&self, name: Name) -> bool {
        self.places(name).all(|(at, bit)| self.bits[at] & bit != 0)
    }

    /// Adds a name, and returns whether it may have been there.
    fn insert(&mut self, name: Name) -> bool {
        let mut was_there = true;
        for (at, bit) in self.places(name) {
            was_there &= self.bits[at] & bit != 0;
            self.bits[at] |= bit;
        }
        was_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKETS: u32 = 64;

    /// A document by its number, and its content; none if it is deleted.
    type Record = (u64, Option<u64>);

    fn digest(hashes: &Hashes, records: &[Record]) -> Digest {
        let mut digest = Digest::new(BUCKETS, Some(1 << 16));
        for (number, content) in records {
            let name = hashes.name(&number.to_le_bytes());
            let left = match content {
                Some(content) => Left::Content(hashes.content(&content.to_le_bytes())),
                None => Left::Nothing,
            };
            let bucket = (*number % u64::from(BUCKETS)) as Bucket;
            digest.add(hashes, bucket, name, left, false);
        }
        digest
    }

    /// Planted differences, each with whether the digests of the sides have to show it.
    fn planted(hashes: &Hashes) -> Vec<(&'static str, bool, Vec<Bucket>)> {
        let all: Vec<Record> = (0..500).map(|number| (number, Some(number))).collect();
        let whole = digest(hashes, &all);
        let other = |about, shows, change: &dyn Fn(&mut Vec<Record>)| {
            let mut records = all.clone();
            change(&mut records);
            (about, shows, whole.unlike(&digest(hashes, &records)))
        };
        vec![
            other("the same", false, &|_| ()),
            other("another order", false, &|records| records.reverse()),
            other("a deletion of what never was", false, &|records| {
                records.insert(0, (1000, None));
            }),
            other("one missing", true, &|records| {
                records.retain(|record| record.0 != 17)
            }),
            other("one extra", true, &|records| records.push((1000, Some(1)))),
            other("one changed", true, &|records| records[17].1 = Some(1000)),
            other("two swapped within a range", true, &|records| {
                (records[1].1, records[65].1) = (records[65].1, records[1].1);
            }),
            other("one deleted", true, &|records| records.push((17, None))),
            other("one twice", true, &|records| records.push((17, Some(17)))),
            other("one rewritten, back and forth", true, &|records| {
                records.push((17, Some(1000)));
                records.push((17, Some(17)));
            }),
        ]
    }

    #[test]
    fn a_digest_shows_every_planted_difference() {
        for round in 0..50 {
            let hashes = Hashes::random();
            for (about, shows, unlike) in planted(&hashes) {
                assert_eq!(!unlike.is_empty(), shows, "round {round}: {about}");
                assert!(unlike.len() <= 2, "{about}: {unlike:?}");
            }
        }
    }

    #[test]
    fn a_broken_hash_is_found_by_the_planted_differences() {
        let mut hashes = Hashes::random();
        hashes.ignores_content = true;
        let missed: Vec<&str> = planted(&hashes)
            .into_iter()
            .filter(|(_, shows, unlike)| unlike.is_empty() == *shows)
            .map(|(about, ..)| about)
            .collect();
        assert_eq!(missed, ["one changed", "two swapped within a range"]);
    }

    #[test]
    fn two_histories_of_the_same_versions_are_uncertain() {
        let hashes = Hashes::random();
        let on_off = digest(&hashes, &[(1, Some(1)), (1, Some(0))]);
        let off_on = digest(&hashes, &[(1, Some(0)), (1, Some(1))]);
        assert_eq!(on_off.unlike(&off_on), [1]);
    }

    #[test]
    fn a_full_filter_makes_ranges_uncertain_and_nothing_else() {
        let hashes = Hashes::random();
        let mut seen = Seen::new(0);
        let names: Vec<Name> = (0..100_000_u64)
            .map(|number| hashes.name(&number.to_le_bytes()))
            .collect();
        for name in &names {
            seen.insert(*name);
        }
        assert!(names.iter().all(|name| seen.may_have(*name)));
    }
}

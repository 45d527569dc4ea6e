//! The digest of a side: for each small range of hashed keys the number of documents and the sum of their hashes, so
//! that the order in which they come does not matter.
//!
//! A sum cannot take back what it does not know, so it cannot tell a document that came twice from two documents.
//! Whatever may have come before makes its range *uncertain*: a change beyond the pin of a feed, where rewritten
//! documents are, and in files whatever a filter may have seen. The documents of uncertain ranges are compared
//! one by one, like those of ranges that differ. So equal digests of certain ranges are equal documents.

use super::hashes::{Hashes, Name};

/// The number of a small range of hashed keys.
pub type Bucket = u32;

/// The digest of a side.
#[derive(Debug, Clone)]
pub struct Digest {
    ranges: Vec<Range>,
    /// What was seen of files.
    seen: Option<Seen>,
    /// What was added last, which is not in the ranges yet.
    pending: Vec<Pending>,
    /// Documents.
    pub documents: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The documents of a small range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Range {
    /// The sum of their hashes, in two halves.
    sum: [u64; 2],
    count: u32,
    is_uncertain: bool,
}

/// The bytes of a range in a digest.
pub const RANGE_BYTES: u64 = size_of::<Range>() as u64;

/// A record that was added.
#[derive(Debug, Clone, Copy)]
struct Pending {
    bucket: Bucket,
    may_repeat: bool,
    name: Name,
    /// The hash of the document; none if it is deleted.
    document: Option<u128>,
}

/// Records that are added to the ranges at once: each of them waits for memory, but not for that of the one before.
const PENDING: usize = 64;

/// What a record leaves of its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// A content with this hash.
    Content(u128),
    /// Nothing: it is deleted.
    Nothing,
}

impl Range {
    fn add(&mut self, document: u128) {
        let [low, high] = self.sum;
        let sum = (u128::from(high) << 64 | u128::from(low)).wrapping_add(document);
        self.sum = [sum as u64, (sum >> 64) as u64];
        match self.count.checked_add(1) {
            Some(count) => self.count = count,
            None => self.is_uncertain = true,
        }
    }
}

impl Digest {
    /// The digest of so many ranges. Files have a filter of so many bytes.
    pub fn new(buckets: u32, filter_bytes: Option<usize>) -> Self {
        Self {
            ranges: vec![Range::default(); buckets as usize],
            seen: filter_bytes.map(Seen::new),
            pending: Vec::with_capacity(PENDING),
            documents: 0,
            bytes: 0,
        }
    }

    /// Adds what a record leaves of the document `name`. `may_repeat` says that the document may have come before.
    pub fn add(
        &mut self,
        hashes: &Hashes,
        bucket: Bucket,
        name: Name,
        left: Left,
        may_repeat: bool,
    ) {
        let document = match left {
            Left::Content(content) => Some(hashes.document(name, content)),
            Left::Nothing => None,
        };
        self.pending.push(Pending {
            bucket,
            may_repeat,
            name,
            document,
        });
        if self.pending.len() == PENDING {
            self.flush();
        }
    }

    /// Adds what is pending to the ranges.
    fn flush(&mut self) {
        // All places are asked for first, so that the memory answers many at once.
        let places = self.pending.iter().map(|record| {
            let seen = self
                .seen
                .as_ref()
                .map_or(0, |seen| seen.first_word(record.name));
            seen ^ self.ranges[record.bucket as usize].sum[0]
        });
        std::hint::black_box(places.fold(0, |all, place| all ^ place));
        for record in self.pending.drain(..) {
            let range = &mut self.ranges[record.bucket as usize];
            let Some(document) = record.document else {
                // A document that did not come before is none anyway.
                let seen = self.seen.as_ref();
                range.is_uncertain |= seen.is_none_or(|seen| seen.may_have(record.name));
                continue;
            };
            let seen = self.seen.as_mut();
            let came_before = seen.is_some_and(|seen| seen.insert(record.name));
            range.is_uncertain |= came_before || record.may_repeat;
            range.add(document);
            self.documents += 1;
        }
    }

    /// How many records came in a range.
    pub fn count(&self, bucket: Bucket) -> u64 {
        self.ranges[bucket as usize].count.into()
    }

    /// The ranges whose documents have to be compared one by one. Both digests are closed.
    pub fn unlike(&self, other: &Self) -> Vec<Bucket> {
        let all = self.ranges.iter().zip(&other.ranges).enumerate();
        let unlike = all.filter(|(_, (a, b))| a.is_uncertain || b.is_uncertain || a != b);
        unlike.map(|(at, _)| at as Bucket).collect()
    }

    /// The records of both digests that came in ranges where only the contents differ: names may be the same, and none
    /// came twice. Of the others it makes no difference how contents were hashed.
    pub fn records_unlike_by_content(&self, other: &Self) -> u64 {
        let all = self.ranges.iter().zip(&other.ranges);
        let unlike = all.filter(|(a, b)| {
            !a.is_uncertain && !b.is_uncertain && a.count == b.count && a.sum != b.sum
        });
        unlike
            .map(|(a, b)| u64::from(a.count) + u64::from(b.count))
            .sum()
    }

    /// Everything was added: frees what that needed.
    pub fn close(mut self) -> Self {
        self.flush();
        self.seen = None;
        self.pending = Vec::new();
        self
    }
}

/// The bits of a filter that each document sets: one in each word of a line.
const LINE: usize = 8;

/// A filter of names: it may take a name that it has not seen for one that it has, never the other way round.
///
/// A name has one line, which is in the cache as a whole, and a bit in each of its words.
#[derive(Debug, Clone)]
struct Seen {
    lines: Vec<[u64; LINE]>,
}

impl Seen {
    fn new(bytes: usize) -> Self {
        let lines = bytes / size_of::<[u64; LINE]>();
        // The largest power of two that is not more.
        let lines = 1 << lines.max(64).ilog2();
        Self {
            lines: vec![[0; LINE]; lines],
        }
    }

    #[inline]
    fn line(&self, name: Name) -> usize {
        (name >> 64) as usize & (self.lines.len() - 1)
    }

    /// The line of a name, and its bits there.
    #[inline]
    fn place(&self, name: Name) -> (usize, [u64; LINE]) {
        (
            self.line(name),
            std::array::from_fn(|word| 1 << ((name >> (word * 6)) as u64 % 64)),
        )
    }

    #[inline]
    fn first_word(&self, name: Name) -> u64 {
        self.lines[self.line(name)][0]
    }

    fn may_have(&self, name: Name) -> bool {
        let (line, bits) = self.place(name);
        let mut words = self.lines[line].iter().zip(bits);
        words.all(|(word, bit)| word & bit != 0)
    }

    /// Adds a name, and returns whether it may have been there.
    #[inline]
    fn insert(&mut self, name: Name) -> bool {
        let (line, bits) = self.place(name);
        let mut was_there = true;
        for (word, bit) in self.lines[line].iter_mut().zip(bits) {
            was_there &= *word & bit != 0;
            *word |= bit;
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
        digest.close()
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

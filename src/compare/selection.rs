//! Which documents of a side are read.

use std::collections::HashMap;

use anyhow::Result;

use crate::content::digest::Bucket;
use crate::content::hashes::Name;
use crate::feed::FeedRange;

/// A container is read as a whole if more than this share of its ranges is wanted, in percent.
const MAX_SHARE: u64 = 25;

/// Reading a range of a container costs about as much as so many documents, so ranges are joined until there is at most
/// one for each.
const DOCUMENTS_OF_A_RANGE: u64 = 100;
/// But so many are always read on their own.
const MIN_RANGES: u64 = 16;

/// Which documents of a side are read.
#[derive(Debug)]
pub(super) enum Selection {
    /// All of them.
    All,
    /// Those of some buckets, and of these, if there are too many to be compared at once, one share.
    Buckets {
        wanted: Vec<bool>,
        share: Option<Share>,
    },
    /// These, with their buckets.
    Names(HashMap<Name, Bucket>),
}

/// One of several shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) turn: u32,
    pub(super) of: u32,
}

impl Selection {
    pub(super) fn of_buckets(
        buckets: impl IntoIterator<Item = Bucket>,
        bits: u32,
        share: Option<Share>,
    ) -> Self {
        let mut wanted = vec![false; 1 << bits];
        for bucket in buckets {
            wanted[bucket as usize] = true;
        }
        Self::Buckets { wanted, share }
    }

    pub(super) fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    pub(super) fn wants(&self, bucket: Bucket, name: Name) -> bool {
        match self {
            Self::All => true,
            Self::Buckets { wanted, share } => {
                wanted[bucket as usize]
                    && share.is_none_or(|share| name as u32 % share.of == share.turn)
            }
            Self::Names(names) => names.contains_key(&name),
        }
    }

    /// The ranges of a container of so many documents that hold what is wanted, if its buckets are `1 << bits` ranges of
    /// it; none if it is to be read as a whole.
    ///
    /// # Errors
    ///
    /// None: the bounds are made here.
    pub(super) fn ranges(&self, bits: u32, documents: u64) -> Result<Option<Vec<FeedRange>>> {
        let mut buckets: Vec<Bucket> = match self {
            Self::All => return Ok(None),
            Self::Buckets { wanted, .. } => {
                let all = wanted.iter().enumerate();
                all.filter(|(_, wanted)| **wanted)
                    .map(|(bucket, _)| bucket as Bucket)
                    .collect()
            }
            Self::Names(names) => names.values().copied().collect(),
        };
        buckets.sort_unstable();
        buckets.dedup();
        let max = (documents / DOCUMENTS_OF_A_RANGE).max(MIN_RANGES);
        let mut gap = 2;
        let spans = loop {
            let spans = spans(&buckets, gap);
            if spans.len() as u64 <= max {
                break spans;
            }
            gap *= 2;
        };
        let share: u64 = spans
            .iter()
            .map(|(first, last)| u64::from(last - first) + 1)
            .sum();
        if share * 100 > MAX_SHARE << bits {
            return Ok(None);
        }
        let ranges = spans.into_iter().map(|(first, last)| {
            // Hashes have 16 bytes.
            let bound = |bucket: u64| format!("{:016X}{:016X}", bucket << (62 - bits), 0);
            let max = match u64::from(last) + 1 {
                end if end == 1 << bits => "FF".to_owned(),
                end => bound(end),
            };
            let min = match first {
                0 => String::new(),
                first => bound(first.into()),
            };
            FeedRange::new(&min, &max)
        });
        ranges.collect::<Result<_>>().map(Some)
    }
}

/// Spans of buckets, each from its first to its last one, of which none has more than `gap` unwanted ones in a row.
fn spans(buckets: &[Bucket], gap: Bucket) -> Vec<(Bucket, Bucket)> {
    let mut spans: Vec<(Bucket, Bucket)> = Vec::new();
    for bucket in buckets {
        match spans.last_mut() {
            Some((_, last)) if bucket - *last <= gap => *last = *bucket,
            _ => spans.push((*bucket, *bucket)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(buckets: &[Bucket], bits: u32) -> Option<Vec<String>> {
        let selection = Selection::of_buckets(buckets.iter().copied(), bits, None);
        let ranges = selection.ranges(bits, 100_000).unwrap()?;
        Some(ranges.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn buckets_become_ranges_of_the_hash_space() {
        assert_eq!(
            ranges(&[5], 10).unwrap(),
            ["[00500000000000000000000000000000,00600000000000000000000000000000)"]
        );
        assert_eq!(
            ranges(&[0, 2, 9, 1023], 10).unwrap(),
            [
                "[,00300000000000000000000000000000)",
                "[00900000000000000000000000000000,00A00000000000000000000000000000)",
                "[3FF00000000000000000000000000000,FF)"
            ]
        );
        let most: Vec<Bucket> = (0..500).map(|at| at * 2).collect();
        assert_eq!(ranges(&most, 10), None);
    }

    #[test]
    fn no_more_ranges_are_read_than_are_worth_it() {
        let many = Selection::of_buckets((0..200).map(|at| at * 10), 20, None);
        let ranges = |documents| {
            many.ranges(20, documents)
                .unwrap()
                .map(|ranges| ranges.len())
        };
        assert_eq!(ranges(1_000_000), Some(200));
        assert_eq!(ranges(0), Some(1));
        let spread = Selection::of_buckets((0..200).map(|at| at * 5000), 20, None);
        let ranges = |documents| {
            spread
                .ranges(20, documents)
                .unwrap()
                .map(|ranges| ranges.len())
        };
        assert_eq!(ranges(1_000_000), Some(200));
        assert_eq!(ranges(100), None);
    }
}

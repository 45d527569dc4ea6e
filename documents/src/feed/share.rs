//! Dealing ranges to processes that read them without knowing of each other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use anyhow::{Context, Result, ensure};

use super::range::FeedRange;

/// Digits of a bound that is made by cutting a range: a whole hash.
const DIGITS: usize = 32;

/// The first number that is no hash of the first version.
const FIRST_END: u32 = 1 << 31;

/// How the partition keys of a container become bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hashes {
    /// Version 1: a number of 31 bits, as its floating-point form.
    First,
    /// Version 2: 16 bytes, of which the two highest bits are unused.
    Second,
}

/// A range, and what is known of its size.
#[derive(Debug, Clone, Copy)]
pub struct Weighed<'a> {
    /// The range.
    pub range: &'a FeedRange,
    /// Its size; only the proportions count.
    pub weight: u64,
}

/// A range that one share has, or the part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The number of the range, in the order of the ranges that were dealt.
    pub of: usize,
    /// Its bounds, or those of the part.
    pub bounds: FeedRange,
}

/// Deals `ranges` to `count` shares that are about equal. Whole ranges are dealt if there are enough of them; otherwise
/// they are cut, so that the shares are equal if the documents of a range are spread evenly over it.
///
/// The same ranges and number always make the same shares, each in the order of the bounds.
///
/// # Errors
///
/// If a range is too narrow to be cut.
pub fn shares(ranges: &[Weighed<'_>], count: u32, hashes: Hashes) -> Result<Vec<Vec<Piece>>> {
    ensure!(count > 0, "there are no shares to deal to");
    let mut shares = if ranges.len() >= count as usize {
        deal(ranges, count)
    } else {
        cut_evenly(ranges, count, hashes)?
    };
    for share in &mut shares {
        share.sort_by(|a, b| a.bounds.cmp(&b.bounds));
    }
    Ok(shares)
}

/// The weight of a range that is dealt: even an empty one takes a request.
fn weight(range: Weighed<'_>) -> u128 {
    u128::from(range.weight) + 1
}

/// Deals whole ranges, the heaviest first, each to the share that has the least.
fn deal(ranges: &[Weighed<'_>], count: u32) -> Vec<Vec<Piece>> {
    let mut order: Vec<usize> = (0..ranges.len()).collect();
    order.sort_by_key(|at| Reverse(ranges[*at].weight));
    let mut shares = vec![Vec::new(); count as usize];
    let mut lightest: BinaryHeap<Reverse<(u128, usize)>> = (0..count as usize)
        .map(|share| Reverse((0, share)))
        .collect();
    for of in order {
        let Some(Reverse((has, share))) = lightest.pop() else {
            break;
        };
        shares[share].push(Piece {
            of,
            bounds: ranges[of].range.clone(),
        });
        lightest.push(Reverse((has + weight(ranges[of]), share)));
    }
    shares
}

/// Lays the ranges end to end, each as long as it is heavy, and cuts the whole into equal lengths.
fn cut_evenly(ranges: &[Weighed<'_>], count: u32, hashes: Hashes) -> Result<Vec<Vec<Piece>>> {
    let total: u128 = ranges.iter().map(|range| weight(*range)).sum();
    let count = u128::from(count);
    let mut shares = vec![Vec::new(); count as usize];
    let mut before = 0;
    for (of, range) in ranges.iter().enumerate() {
        // In units of which a share has `total` and a range its weight times `count`.
        let (start, length) = (before * count, weight(*range) * count);
        let first = start / total;
        let last = (start + length - 1) / total;
        let mut bound = range.range.min_inclusive.clone();
        for share in first..=last {
            let end = if share == last {
                range.range.max_exclusive.clone()
            } else {
                let done = (share + 1) * total - start;
                hashes.cut(range.range, done, length)
            };
            let bounds = FeedRange::new(&bound, &end).ok();
            let bounds =
                bounds.filter(|bounds| range.range.intersection(bounds).as_ref() == Some(bounds));
            let bounds = bounds.with_context(|| {
                format!(
                    "the feed range {} is too narrow to be cut for {count} shares",
                    range.range
                )
            })?;
            shares[share as usize].push(Piece { of, bounds });
            bound = end;
        }
        before += weight(*range);
    }
    Ok(shares)
}

impl Hashes {
    /// The bound that is `part` of `whole` of the way through a range.
    fn cut(self, range: &FeedRange, part: u128, whole: u128) -> String {
        let low = self.value_of(&range.min_inclusive);
        let width = self.value_of(&range.max_exclusive).saturating_sub(low);
        // 2^-60 of the range is less than any difference in size that is known.
        let excess = (128 - whole.leading_zeros()).saturating_sub(60);
        let (part, whole) = (part >> excess, (whole >> excess).max(1));
        let cut = low + width / whole * part + width % whole * part / whole;
        match self {
            Self::Second => format!("{cut:0DIGITS$X}"),
            Self::First => bound_of_number((cut >> 64) as f64),
        }
    }

    /// How far a bound is from the lowest one.
    fn value_of(self, bound: &str) -> u128 {
        let mut digits = bound.bytes().chain(std::iter::repeat(b'0'));
        let mut value = |count| {
            digits.by_ref().take(count).fold(0, |value, digit| {
                value << 4 | u128::from((digit as char).to_digit(16).unwrap_or(0))
            })
        };
        match (self, bound) {
            (Self::Second, "FF") => 1 << 126,
            (Self::Second, _) => value(DIGITS),
            (Self::First, "") => 0,
            (Self::First, "FF") => u128::from(FIRST_END) << 64,
            (Self::First, _) => {
                let [_marker, mut bits] = [value(2), value(2)];
                for _ in 0..8 {
                    bits = bits << 7 | value(2) >> 1;
                }
                let number = f64::from_bits((bits as u64) ^ (1 << 63));
                // No hash is outside of these.
                (number.clamp(0.0, FIRST_END as f64) as u128) << 64
            }
        }
    }
}

/// A number as a bound of the first version: its bits, after a marker, with seven of them in each byte but the first.
fn bound_of_number(number: f64) -> String {
    let mut bits = number.to_bits() ^ (1 << 63);
    let mut bound = format!("05{:02X}", bits >> 56);
    bits <<= 8;
    while bits != 0 {
        let rest = bits << 7;
        let byte = bits >> 56 & 0xFE | u64::from(rest != 0);
        bound.push_str(&format!("{byte:02X}"));
        bits = rest;
    }
    bound
}

#[cfg(test)]
mod tests {
    use super::super::range::ensure_tiling;
    use super::*;

    fn ranges(bounds: &[&str]) -> Vec<FeedRange> {
        bounds
            .windows(2)
            .map(|pair| FeedRange::new(pair[0], pair[1]).unwrap())
            .collect()
    }

    fn dealt(ranges: &[FeedRange], weights: &[u64], count: u32) -> Vec<Vec<Piece>> {
        let weighed: Vec<Weighed<'_>> = ranges
            .iter()
            .zip(weights)
            .map(|(range, weight)| Weighed {
                range,
                weight: *weight,
            })
            .collect();
        let shares = shares(&weighed, count, Hashes::Second).unwrap();
        assert_eq!(shares.len(), count as usize);
        assert!(shares.iter().all(|share| !share.is_empty()));
        let pieces = shares.iter().flatten().map(|piece| &piece.bounds);
        ensure_tiling(&FeedRange::full(), pieces).unwrap();
        shares
    }

    #[test]
    fn whole_ranges_are_dealt_so_that_shares_are_about_equal() {
        let ranges = ranges(&["", "08", "10", "18", "20", "28", "FF"]);
        let weights = [900, 100, 300, 300, 100, 500];
        let shares = dealt(&ranges, &weights, 3);
        let loads = shares
            .iter()
            .map(|share| share.iter().map(|piece| weights[piece.of]).sum::<u64>());
        assert_eq!(loads.collect::<Vec<_>>(), [900, 700, 600]);
        // Nothing is known of the sizes.
        let shares = dealt(&ranges, &[0; 6], 4);
        assert!(shares.iter().all(|share| (1..=2).contains(&share.len())));
    }

    #[test]
    fn fewer_ranges_than_shares_are_cut() {
        let halves = ranges(&["", "20", "FF"]);
        let shares = dealt(&halves, &[7, 7], 4);
        let bounds: Vec<String> = shares
            .iter()
            .map(|share| share[0].bounds.max_exclusive.chars().take(4).collect())
            .collect();
        assert_eq!(bounds, ["1000", "20", "3000", "FF"]);
        // A heavy range is cut more often, and a share may have parts of two.
        let shares = dealt(&halves, &[89, 9], 5);
        assert_eq!(
            shares.iter().map(Vec::len).collect::<Vec<_>>(),
            [1, 1, 1, 1, 2]
        );
        for count in [3, 64, 1000, 100_000] {
            dealt(&halves, &[u64::MAX, 0], count);
            dealt(&[FeedRange::full()], &[5], count);
        }
    }

    #[test]
    fn a_range_of_one_hash_cannot_be_cut() {
        let hash = "0123456789ABCDEF0123456789ABCDEF";
        let range = FeedRange::new(hash, &format!("{hash}00")).unwrap();
        let weighed = [Weighed {
            range: &range,
            weight: 1,
        }];
        shares(&weighed, 2, Hashes::Second).unwrap_err();
    }

    #[test]
    fn hashes_of_the_first_version_are_numbers() {
        assert_eq!(bound_of_number(2_147_483_647.0), "05C1DFFFFFFFFC");
        assert_eq!(bound_of_number(0.0), "0580");
        for number in [0, 1, 77, 1 << 20, 2_147_483_647] {
            let value = Hashes::First.value_of(&bound_of_number(f64::from(number)));
            assert_eq!(value >> 64, number as u128);
        }
        let full = FeedRange::full();
        let half = Hashes::First.cut(&full, 1, 2);
        assert_eq!(half, bound_of_number(f64::from(1 << 30)));
    }
}

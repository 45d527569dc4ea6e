//! Ranges of the hash space, and positions in them.

use std::fmt;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// A range of effective partition keys (EPKs), as upper-case hexadecimal text. The lowest bound is the empty
/// text, the highest `FF`.
///
/// Bounds compare as text, like in the service's own SDKs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FeedRange {
    /// The lower bound, which belongs to the range.
    #[serde(rename = "min")]
    pub min_inclusive: String,
    /// The upper bound, which does not.
    #[serde(rename = "max")]
    pub max_exclusive: String,
}

impl FeedRange {
    /// The range of a whole container.
    pub fn full() -> Self {
        Self {
            min_inclusive: String::new(),
            max_exclusive: "FF".to_owned(),
        }
    }

    /// A range from its bounds.
    ///
    /// # Errors
    ///
    /// If a bound is not upper-case hexadecimal text of whole bytes, or the range is empty.
    pub fn new(min_inclusive: &str, max_exclusive: &str) -> Result<Self> {
        for bound in [min_inclusive, max_exclusive] {
            ensure!(
                bound.len() <= 1024
                    && bound.len().is_multiple_of(2)
                    && bound
                        .bytes()
                        .all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)),
                "`{}` is not a bound of a feed range",
                bound.escape_debug().take(80).collect::<String>(),
            );
        }
        ensure!(
            min_inclusive < max_exclusive,
            "the feed range from `{min_inclusive}` to `{max_exclusive}` is empty"
        );
        Ok(Self {
            min_inclusive: min_inclusive.to_owned(),
            max_exclusive: max_exclusive.to_owned(),
        })
    }

    /// The part that both ranges share.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let min_inclusive = self.min_inclusive.as_str().max(&other.min_inclusive);
        let max_exclusive = self.max_exclusive.as_str().min(&other.max_exclusive);
        (min_inclusive < max_exclusive).then(|| Self {
            min_inclusive: min_inclusive.to_owned(),
            max_exclusive: max_exclusive.to_owned(),
        })
    }

    /// The share of the hash space that the range covers, between 0 and 1, when the space ends at
    /// `space_end` (the first byte of the highest hash plus one, such as 0x40 for version 2).
    pub fn share(&self, space_end: u8) -> f64 {
        let at = |bound: &str| -> f64 {
            if bound == "FF" {
                return 1.0;
            }
            // 48 bits are more than a share in a table can show.
            let value = bound
                .bytes()
                .chain(std::iter::repeat(b'0'))
                .take(12)
                .fold(0u64, |value, digit| {
                    value * 16 + u64::from((digit as char).to_digit(16).unwrap_or(0))
                });
            (value as f64 / (f64::from(space_end) * (1u64 << 40) as f64)).min(1.0)
        };
        at(&self.max_exclusive) - at(&self.min_inclusive)
    }
}

impl fmt::Display for FeedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{},{})", self.min_inclusive, self.max_exclusive)
    }
}

/// The number of a range within one job. The children of a split get new ones; the parent's is not used
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RangeId(pub u32);

impl fmt::Display for RangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far a range has been read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The SDK's continuation token, which names the container and the bounds that it is for.
    pub token: String,
    /// The LSN of the last change read, if the service's ETag has it. For progress, and for people who read
    /// a state file; only the token is used for reading.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lsn: Option<u64>,
}

/// Checks that `ranges` tile `scope`: together they cover it, and no two of them overlap.
///
/// # Errors
///
/// Names the first gap or overlap.
pub fn ensure_tiling<'a>(
    scope: &FeedRange,
    ranges: impl IntoIterator<Item = &'a FeedRange>,
) -> Result<()> {
    let mut ranges: Vec<&FeedRange> = ranges.into_iter().collect();
    ranges.sort_unstable();
    let mut reached = scope.min_inclusive.as_str();
    for range in ranges {
        ensure!(
            range.min_inclusive.as_str() >= reached,
            "feed ranges overlap: {range} begins before `{reached}`, where the previous range ends"
        );
        ensure!(
            range.min_inclusive.as_str() <= reached,
            "feed ranges leave a gap from `{reached}` to `{}`",
            range.min_inclusive
        );
        reached = &range.max_exclusive;
    }
    ensure!(
        reached == scope.max_exclusive,
        "feed ranges end at `{reached}`, not at `{}`",
        scope.max_exclusive
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(min: &str, max: &str) -> FeedRange {
        FeedRange::new(min, max).unwrap()
    }

    #[test]
    fn ranges_that_tile_are_accepted_in_any_order() {
        let halves = [range("1FFF", "FF"), range("", "1FFF")];
        ensure_tiling(&FeedRange::full(), &halves).unwrap();
    }

    #[test]
    fn gaps_overlaps_and_short_ends_are_named() {
        let full = FeedRange::full();
        let error = |ranges: &[FeedRange]| ensure_tiling(&full, ranges).unwrap_err().to_string();
        assert!(error(&[range("", "10"), range("20", "FF")]).contains("gap from `10` to `20`"));
        assert!(error(&[range("", "20"), range("10", "FF")]).contains("overlap"));
        assert!(error(&[range("", "10")]).contains("end at `10`"));
        assert!(error(&[range("10", "FF")]).contains("gap from `` to `10`"));
        assert!(error(&[full.clone(), full.clone()]).contains("overlap"));
    }

    #[test]
    fn bounds_are_upper_case_hexadecimal_and_in_order() {
        for (min, max) in [
            ("ff", "FF"),
            ("FF", ""),
            ("10", "10"),
            ("", "G"),
            ("", "123"),
            ("../", "FF"),
        ] {
            assert!(FeedRange::new(min, max).is_err(), "{min} {max}");
        }
    }

    #[test]
    fn intersections_are_what_both_share() {
        let (a, b) = (range("", "20"), range("10", "FF"));
        assert_eq!(a.intersection(&b), Some(range("10", "20")));
        assert_eq!(range("", "10").intersection(&range("10", "FF")), None);
    }

    #[test]
    fn shares_add_up_to_one() {
        let quarter = range("", "10").share(0x40);
        let rest = range("10", "FF").share(0x40);
        assert!((quarter - 0.25).abs() < 1e-9, "{quarter}");
        assert!((quarter + rest - 1.0).abs() < 1e-9);
        assert!((FeedRange::full().share(0x40) - 1.0).abs() < 1e-9);
    }
}

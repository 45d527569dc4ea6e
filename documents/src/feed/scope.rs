//! Which part of a container is read.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::range::{FeedRange, ensure_tiling};

/// Which part of a container is read. The default is all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Only these ranges of the hash space, in their order; all of it if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<FeedRange>,
    /// Only this logical partition. The one range is the hash of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<Vec<serde_json::Value>>,
}

impl Scope {
    /// Whether it is the whole container.
    pub fn is_everything(&self) -> bool {
        self.ranges.is_empty() && self.partition_key.is_none()
    }

    /// Checks that `ranges` tile the scope.
    ///
    /// # Errors
    ///
    /// Names the first gap, overlap or range outside.
    pub fn ensure_tiled_by<'a>(&self, ranges: impl Iterator<Item = &'a FeedRange>) -> Result<()> {
        let whole = FeedRange::full();
        let mut parts: Vec<&FeedRange> = self.ranges.iter().collect();
        if parts.is_empty() {
            parts.push(&whole);
        }
        parts.sort_unstable();
        for pair in parts.windows(2) {
            ensure!(
                pair[0].max_exclusive <= pair[1].min_inclusive,
                "the parts {} and {} of the scope overlap",
                pair[0],
                pair[1]
            );
        }
        // Shares have as many parts as ranges, and this is checked with each commit: so each range is looked up among the
        // sorted parts.
        let mut within: Vec<Vec<&FeedRange>> = vec![Vec::new(); parts.len()];
        for range in ranges {
            let after = parts.partition_point(|part| part.min_inclusive <= range.min_inclusive);
            let part = after
                .checked_sub(1)
                .filter(|at| range.max_exclusive <= parts[*at].max_exclusive);
            let part =
                part.with_context(|| format!("the feed range {range} is outside the scope"))?;
            within[part].push(range);
        }
        for (part, ranges) in parts.into_iter().zip(within) {
            ensure_tiling(part, ranges)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(min: &str, max: &str) -> FeedRange {
        FeedRange::new(min, max).unwrap()
    }

    fn tiled(parts: &[(&str, &str)], ranges: &[(&str, &str)]) -> Result<()> {
        let scope = Scope {
            ranges: parts.iter().map(|(min, max)| range(min, max)).collect(),
            partition_key: None,
        };
        let ranges: Vec<FeedRange> = ranges.iter().map(|(min, max)| range(min, max)).collect();
        scope.ensure_tiled_by(ranges.iter())
    }

    #[test]
    fn ranges_tile_each_part_of_a_scope() {
        tiled(&[], &[("20", "FF"), ("", "20")]).unwrap();
        let parts = [("30", "40"), ("", "10"), ("10", "20")];
        tiled(
            &parts,
            &[("10", "20"), ("35", "40"), ("", "10"), ("30", "35")],
        )
        .unwrap();
        for (ranges, why) in [
            (&[("", "10"), ("10", "20")][..], "end at `30`"),
            (&[("", "20"), ("30", "40")], "[,20) is outside the scope"),
            (
                &[("", "10"), ("10", "20"), ("20", "30"), ("30", "40")],
                "[20,30) is outside",
            ),
            (
                &[("", "10"), ("10", "20"), ("30", "50")],
                "[30,50) is outside",
            ),
            (
                &[("", "10"), ("10", "20"), ("35", "40")],
                "gap from `30` to `35`",
            ),
            (
                &[("", "10"), ("10", "20"), ("10", "20"), ("30", "40")],
                "overlap",
            ),
        ] {
            let error = format!("{:#}", tiled(&parts, ranges).unwrap_err());
            assert!(error.contains(why), "{error}");
        }
        let error = tiled(&[("", "20"), ("10", "30")], &[("", "30")]).unwrap_err();
        assert!(
            error.to_string().contains("of the scope overlap"),
            "{error:#}"
        );
        let first = tiled(&[("10", "20")], &[("", "20")]).unwrap_err();
        assert!(
            first.to_string().contains("is outside the scope"),
            "{first:#}"
        );
    }
}

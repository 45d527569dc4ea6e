//! Which part of a container is read.

use anyhow::{Result, ensure};
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
        let whole = [FeedRange::full()];
        let parts = if self.ranges.is_empty() {
            &whole[..]
        } else {
            &self.ranges[..]
        };
        let ranges: Vec<&FeedRange> = ranges.collect();
        let within =
            |part: &FeedRange, range: &FeedRange| part.intersection(range).as_ref() == Some(range);
        for range in &ranges {
            ensure!(
                parts.iter().any(|part| within(part, range)),
                "the feed range {range} is outside the scope"
            );
        }
        for part in parts {
            ensure_tiling(
                part,
                ranges.iter().copied().filter(|range| within(part, range)),
            )?;
        }
        Ok(())
    }
}

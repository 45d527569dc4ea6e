//! A range with its position, as states and manifests hold it.

use serde::{Deserialize, Serialize};

use super::end::PinnedEnd;
use super::range::{FeedRange, Position, RangeId};

/// One range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeState {
    /// Its number.
    pub id: RangeId,
    /// Its bounds.
    pub range: FeedRange,
    /// The ranges that it came from, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<RangeId>,
    /// How far it has been read; absent before its first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Where it was pinned by the run that is under way or was the last, if that has an end. Only of the
    /// ranges being read: spans of files have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<PinnedEnd>,
}

impl RangeState {
    /// Whether it was read to where it was pinned.
    pub fn has_ended(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.reached.is_some())
    }

    /// The range as it bounds the span of a file: without its end.
    pub fn place(&self) -> Self {
        Self {
            end: None,
            ..self.clone()
        }
    }
}

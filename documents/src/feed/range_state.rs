//! A range with its position, in the form of states and manifests.

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
    /// Whether it is read for the snapshot: its position is in the feed of the latest versions, whereas that of the
    /// range of the changes beside it is in the feed of all versions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub snapshot: bool,
    /// The ranges that it came from, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<RangeId>,
    /// How far it has been read; absent before its first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Its pin in the current or the last run, if that has an end. Only ranges being read have one; spans of
    /// files do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<PinnedEnd>,
}

impl RangeState {
    /// Whether it was read to its end.
    pub fn has_ended(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.reached.is_some())
    }

    /// Whether it is a range of the snapshot that will not be read again: it was read to its end.
    pub fn is_done(&self) -> bool {
        self.snapshot && self.has_ended()
    }

    /// The range as a bound of a file's span: without its end.
    pub fn place(&self) -> Self {
        Self {
            end: None,
            ..self.clone()
        }
    }
}

//! Which feed is read, and where it starts without a position.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::end::ReadUntil;

/// Where a feed starts without a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeFeedStart {
    /// The oldest change that the container still has.
    Beginning,
    /// The moment at which the range is pinned, before the first page.
    Now,
    /// A moment in the past, by the service's clock; whole seconds on the wire.
    PointInTime(#[serde(with = "time::serde::rfc3339")] OffsetDateTime),
}

/// The mode of the feed. A position is only valid for the mode that it was read in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedMode {
    /// The latest version of each item; no deletes, no versions in between.
    LatestVersion,
    /// Every version and every delete, within the container's retention. It starts now or at a
    /// position, never in the past.
    AllVersionsAndDeletes,
}

impl FeedMode {
    /// How far a run that has an end reads each range, if nothing else is said: to the head for the latest versions, since
    /// only one version of each document exists; to the pin if every version is kept.
    pub fn read_until(self) -> ReadUntil {
        match self {
            Self::LatestVersion => ReadUntil::Head,
            Self::AllVersionsAndDeletes => ReadUntil::Pin,
        }
    }
}

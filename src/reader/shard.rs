//! One range being read: its position, and what is known about its end.

use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::horizon::Horizon;
use super::options::ReaderOptions;
use super::sight::{Floor, Sight, Sighted};
use crate::clock;
use crate::cosmos::cursor::{Cursor, FeedRequest, PageSource};
use crate::cosmos::retry::{Retries, RetryLimit};
use crate::cosmos::token::segments;
use crate::feed::{FeedMode, FeedRange, PinnedEnd, Position, RangeId, ReachedEnd};

/// Number of polls after the last page that come sooner than the poll interval, counting the one that finds
/// nothing new. Each pause is half of the next.
const FASTER_POLLS: u32 = 4;

/// Retries in a row of answers that are behind what is known, where other errors are retried without limit.
const MAX_LAGGING: u32 = 15;

/// A range to be read.
pub struct Shard {
    pub(super) id: RangeId,
    pub(super) range: FeedRange,
    /// Whether it is read for the snapshot.
    pub(super) is_of_snapshot: bool,
    pub(super) position: Option<Position>,
    /// The ETag of the position, if it has one for the whole range.
    pub(super) etag: Option<String>,
    pub(super) request: FeedRequest,
    pub(super) cursor: Option<Cursor>,
    pub(super) horizon: Horizon,
    pub(super) retries: Retries,
    /// Counts answers in a row that are behind what is known.
    pub(super) lagging: Retries,
    /// Polls without anything new since the last page.
    pub(super) idle_polls: u32,
    /// When the first page of the query was requested.
    pub(super) began_at: Option<OffsetDateTime>,
    /// Pages with documents that were read.
    pub(super) pages: u32,
    /// The hash of the first item of the last page that was handed over, with enough bits that no two pages of
    /// a container have the same one.
    pub(super) last_opening: Option<u64>,
    /// Stops this range alone.
    pub(super) stop: CancellationToken,
    /// Its part in what several readers see.
    pub(super) sighted: Option<Sighted>,
    /// Whether its last answer knew less than an earlier one.
    pub(super) is_behind: bool,
}

impl Shard {
    /// A range at `position`, or one that has not been read yet.
    pub fn new(
        id: RangeId,
        range: FeedRange,
        position: Option<Position>,
        options: &ReaderOptions,
    ) -> Self {
        let etag = position
            .as_ref()
            .and_then(|position| etag_of(&position.token, &range).ok().flatten());
        let lagging_limit = match options.retry_limit {
            RetryLimit::Unlimited => RetryLimit::Times(MAX_LAGGING),
            limited => limited,
        };
        Self {
            id,
            range,
            is_of_snapshot: false,
            position,
            etag,
            request: options.request.clone(),
            cursor: None,
            horizon: Horizon::default(),
            retries: Retries::new(options.retry_limit),
            lagging: Retries::new(lagging_limit),
            idle_polls: 0,
            began_at: None,
            pages: 0,
            last_opening: None,
            stop: CancellationToken::new(),
            sighted: None,
            is_behind: false,
        }
    }

    /// The same, whose answers are noted for the other readers of its container.
    #[must_use]
    pub fn noted_in(self, sight: &Sight) -> Self {
        Self {
            sighted: Some(Sighted::Leading(sight.clone())),
            ..self
        }
    }

    /// The same, which takes no answer from before this.
    #[must_use]
    pub fn not_before(self, floor: &Floor) -> Self {
        Self {
            sighted: Some(Sighted::Above(floor.clone())),
            ..self
        }
    }

    /// The same, to be read until this is cancelled.
    #[must_use]
    pub fn until(self, stop: CancellationToken) -> Self {
        Self { stop, ..self }
    }

    /// The same, to be read for the snapshot: the latest versions from the beginning, to their head.
    #[must_use]
    pub fn of_snapshot(self) -> Self {
        Self {
            is_of_snapshot: true,
            request: FeedRequest {
                source: PageSource::Feed(FeedMode::LatestVersion),
                ..self.request
            },
            ..self
        }
    }

    /// The same, to be read to its pin of an earlier run.
    #[must_use]
    pub fn pinned_before(self, end: Option<PinnedEnd>) -> Self {
        Self {
            horizon: Horizon::of_pinned(end),
            ..self
        }
    }

    /// The same, to be pinned again, with what an earlier run heard of its partition.
    #[must_use]
    pub fn heard_before(self, end: Option<PinnedEnd>) -> Self {
        Self {
            horizon: Horizon::of_heard(end),
            ..self
        }
    }

    /// The same, as if it had not been polled since its last page.
    pub(super) fn awakened(self) -> Self {
        Self {
            idle_polls: 0,
            ..self
        }
    }

    /// The pause until the next poll. It grows with the number of polls without anything new.
    pub(super) fn pause(&self, longest: Duration) -> Duration {
        longest / (1 << FASTER_POLLS.saturating_sub(self.idle_polls))
    }

    /// The range's end, with how it was reached.
    pub(super) fn end(&self, reached: Option<ReachedEnd>) -> Option<PinnedEnd> {
        let reached = Some(reached?);
        if reached == Some(ReachedEnd::Answered) {
            return Some(self.answered());
        }
        let pinned = self.horizon.pinned()?.clone();
        let known_lsn = self
            .horizon
            .highest()
            .filter(|lsn| Some(*lsn) > pinned.lsn());
        Some(PinnedEnd {
            known_lsn,
            reached,
            ..pinned
        })
    }
}

impl Shard {
    /// The end of a range whose query was answered: in this run, or in an earlier one.
    fn answered(&self) -> PinnedEnd {
        let earlier = self.horizon.pinned();
        if let Some(earlier) = earlier.filter(|end| end.reached.is_some()) {
            return earlier.clone();
        }
        PinnedEnd {
            etag: String::new(),
            partition: None,
            pinned_at: self.began_at.unwrap_or_else(clock::now),
            tokens_compare: false,
            known_lsn: None,
            reached: Some(ReachedEnd::Answered),
        }
    }
}

/// The ETag in `token`, if it has one for the whole of `range`.
pub(super) fn etag_of(token: &str, range: &FeedRange) -> Result<Option<String>> {
    let mut parts = segments(token, range)?;
    Ok(if parts.len() == 1 {
        parts.swap_remove(0).etag
    } else {
        None
    })
}

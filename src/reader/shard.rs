//! One range being read: how far it is, and what is known of it.

use std::time::Duration;

use anyhow::Result;

use super::horizon::Horizon;
use super::options::ReaderOptions;
use crate::cosmos::cursor::{Cursor, FeedRequest};
use crate::cosmos::retry::{Retries, RetryLimit};
use crate::cosmos::token::segments;
use crate::feed::{FeedRange, PinnedEnd, Position, RangeId, ReachedEnd};

/// Polls after the last page that come sooner than the poll interval: each after half the pause of
/// the next.
const FASTER_POLLS: u32 = 4;

/// How often in a row an answer that is behind what is known is asked for again where other errors are
/// retried without end.
const MAX_LAGGING: u32 = 15;

/// A range to be read.
pub struct Shard {
    pub(super) id: RangeId,
    pub(super) range: FeedRange,
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
    /// Pages with documents that were read.
    pub(super) pages: u32,
    /// The hash of the first item of the last page that was handed over: wide enough that no two of
    /// the pages of a container are taken for one.
    pub(super) last_opening: Option<u64>,
}

impl Shard {
    /// A range that is at `position`, or has not been read yet.
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
            position,
            etag,
            request: options.request.clone(),
            cursor: None,
            horizon: Horizon::default(),
            retries: Retries::new(options.retry_limit),
            lagging: Retries::new(lagging_limit),
            idle_polls: 0,
            pages: 0,
            last_opening: None,
        }
    }

    /// The same, read to where it was pinned in an earlier run.
    #[must_use]
    pub fn pinned_before(self, end: Option<PinnedEnd>) -> Self {
        Self {
            horizon: Horizon::of_pinned(end),
            ..self
        }
    }

    /// The same, pinned again, with what an earlier run heard of its partition.
    #[must_use]
    pub fn heard_before(self, end: Option<PinnedEnd>) -> Self {
        Self {
            horizon: Horizon::of_heard(end),
            ..self
        }
    }

    /// How long it is left alone now that it has nothing new: the longer the quieter it has been.
    pub(super) fn pause(&self, longest: Duration) -> Duration {
        longest / (1 << FASTER_POLLS.saturating_sub(self.idle_polls))
    }

    /// The range's end, as it was come to.
    pub(super) fn end(&self, reached: Option<ReachedEnd>) -> Option<PinnedEnd> {
        let reached = Some(reached?);
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

/// The ETag that `token` holds for the whole of `range`.
pub(super) fn etag_of(token: &str, range: &FeedRange) -> Result<Option<String>> {
    let mut parts = segments(token, range)?;
    Ok(if parts.len() == 1 {
        parts.swap_remove(0).etag
    } else {
        None
    })
}

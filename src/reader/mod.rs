//! The parallel reader: shards feed ranges over tasks, reads them, and follows their splits.
//!
//! It knows neither files nor states. What it reads leaves as [`ReaderEvent`]s, in order for each
//! range; how much it may have in flight is bounded in bytes, so a slow consumer slows it down.

mod horizon;
mod scheduler;
mod shard;

use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

pub use scheduler::Reader;
pub use shard::Shard;

use crate::cosmos::cursor::FeedRequest;
use crate::cosmos::retry;
pub use crate::cosmos::retry::{Retries, RetryNotice};
use crate::feed::page::Page;
use crate::feed::{ChangeFeedStart, FeedRange, PinnedEnd, Position, RangeId, ReadUntil};

/// How ranges are read.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    /// Ranges read at the same time.
    pub concurrency: usize,
    /// What is asked for.
    pub request: FeedRequest,
    /// Tries of a page beyond the SDK's own, before its range is given up; also of answers that are
    /// behind what is known.
    pub max_retries: u32,
    /// Where ranges without a position start.
    pub start: ChangeFeedStart,
    /// Where ranges end.
    pub end: ReadEnd,
    /// How long a range that has nothing new is left alone, at most: one that had something a
    /// moment ago is asked again sooner.
    pub poll_interval: Duration,
    /// Bytes of pages that may wait for the consumer.
    pub buffered_bytes: u32,
}

/// How many ranges are read at the same time, if the container has that many: the given number, or one
/// that suits this machine. Splits can add ranges later.
pub fn concurrency(given: Option<u32>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // A reader waits for the network most of the time, so there can be several for each core.
    given.map_or((4 * cores).max(8), |given| given as usize)
}

/// Where the reading of a range ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadEnd {
    /// Where the container is: each range is pinned when its reading begins, and read at least up to
    /// there.
    Caught(ReadUntil),
    /// With the last change that is not after this time, by the service's clock.
    Time(OffsetDateTime),
    /// After so many pages with documents, or where there is nothing new.
    Pages(u32),
    /// Nowhere: it goes on until it is stopped.
    Never,
}

/// What the reader has to say. Events of one range are in order.
#[derive(Debug)]
pub enum ReaderEvent {
    /// A range was pinned: it is read at least up to there.
    Pinned {
        /// The range.
        range: RangeId,
        /// The LSN that it is at, if known.
        position_lsn: Option<u64>,
        /// Where it was pinned.
        end: PinnedEnd,
    },
    /// A page; without documents if there was nothing new.
    Page {
        /// The range.
        range: RangeId,
        /// The documents.
        page: Page,
        /// Where the range stands after it.
        position: Position,
        /// The highest LSN that its partition is known to be at.
        highest_lsn: Option<u64>,
        /// Request units charged for it.
        request_charge: f64,
        /// Its share of [`ReaderOptions::buffered_bytes`], to be dropped once it is written.
        permit: Option<OwnedSemaphorePermit>,
    },
    /// A range was split. Its children are read once `reply` tells their numbers.
    Replaced {
        /// The range that is no more.
        parent: RangeId,
        /// Its children, which tile it, and where each stands.
        children: Vec<(FeedRange, Option<Position>)>,
        /// Takes the numbers of the children, in their order.
        reply: oneshot::Sender<Vec<RangeId>>,
    },
    /// A range has nothing new for now, for the first time since it had something.
    CaughtUp {
        /// The range.
        range: RangeId,
    },
    /// A range has been read to its end.
    Finished {
        /// The range.
        range: RangeId,
        /// Where it was pinned and how it came there, if it was pinned.
        end: Option<PinnedEnd>,
    },
    /// A range could not be read on. What was read of it stands.
    Failed {
        /// The range.
        range: RangeId,
        /// Why.
        error: anyhow::Error,
    },
    /// The service charged for something that is no page to be handed over.
    Charged {
        /// Request units.
        request_charge: f64,
    },
    /// What was tried again has succeeded.
    Recovered {
        /// The range.
        range: RangeId,
    },
    /// Something will be tried again.
    Retrying {
        /// The range.
        range: RangeId,
        /// What went wrong and how long it waits.
        notice: RetryNotice,
    },
}

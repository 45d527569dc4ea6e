//! How ranges are read, and where their reading ends.

use std::time::Duration;

use time::OffsetDateTime;

use crate::cosmos::cursor::FeedRequest;
use crate::cosmos::retry::RetryLimit;
use crate::feed::{ChangeFeedStart, ReadUntil};

/// How ranges are read.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    /// Ranges read at the same time.
    pub concurrency: usize,
    /// What is requested.
    pub request: FeedRequest,
    /// Retries of a page beyond the SDK's own, before its range fails; also of answers that are behind what is
    /// known.
    pub retry_limit: RetryLimit,
    /// Where ranges without a position start.
    pub start: ChangeFeedStart,
    /// Where ranges end.
    pub end: ReadEnd,
    /// Maximum pause before a range without anything new is polled again. One that had something a moment ago
    /// is polled sooner.
    pub poll_interval: Duration,
    /// Bytes of pages that may wait for the consumer.
    pub buffered_bytes: u32,
}

/// How many ranges are read at the same time: the given number, or one that suits this machine. A container
/// may have fewer, and splits can add some later.
pub fn concurrency(given: Option<u32>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // A reader waits for the network most of the time, so there can be several for each core.
    given.map_or((4 * cores).max(8), |given| given as usize)
}

/// Where the reading of a range ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadEnd {
    /// Each range is pinned when its reading begins, and read at least up to its pin.
    Caught(ReadUntil),
    /// At the last change that is not after this time, by the service's clock.
    Time(OffsetDateTime),
    /// After so many pages with documents, or where nothing is new.
    Pages(u32),
    /// Nowhere: reading continues until it is stopped.
    Never,
}

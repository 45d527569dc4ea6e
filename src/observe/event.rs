//! The events of a job.

use std::time::{Duration, Instant};

use crate::cosmos::retry::RetryNotice;
use crate::feed::page::Page;
use crate::feed::{PinnedEnd, RangeId, RangeState};
use crate::reader::AnsweringPartition;

/// One thing that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A range will be read.
    Added {
        /// The range, with its position.
        range: &'a RangeState,
    },
    /// A range was pinned: it is read at least up to there.
    Pinned {
        /// The range.
        range: RangeId,
        /// Its LSN, if known.
        position_lsn: Option<u64>,
        /// Where it was pinned.
        end: &'a PinnedEnd,
    },
    /// A page was read; without documents if there was nothing new.
    Page {
        /// The range.
        range: RangeId,
        /// The page.
        page: &'a Page,
        /// The LSN of the range after it, if known.
        lsn: Option<u64>,
        /// The highest LSN that its partition is known to be at.
        highest_lsn: Option<u64>,
        /// The partition that answered.
        partition: &'a AnsweringPartition,
        /// Request units charged for it.
        request_charge: f64,
    },
    /// The service charged for something other than a page.
    Charged {
        /// Request units.
        request_charge: f64,
    },
    /// A range was split, and its children are committed.
    Split {
        /// The range that was split.
        parent: RangeId,
        /// Its children.
        children: &'a [RangeState],
    },
    /// Nothing is new in a range, for the first time since its last page.
    CaughtUp {
        /// The range.
        range: RangeId,
    },
    /// Another instance reads a range from now on.
    Left {
        /// The range.
        range: RangeId,
    },
    /// A range was read to its end.
    Finished {
        /// The range.
        range: RangeId,
    },
    /// A range cannot be read any further.
    Failed {
        /// The range.
        range: RangeId,
        /// Why.
        error: &'a anyhow::Error,
    },
    /// A request failed, and will be retried.
    Retrying {
        /// The range.
        range: RangeId,
        /// What failed, and how long the reader waits.
        notice: &'a RetryNotice,
    },
    /// A request that failed has succeeded.
    Recovered {
        /// The range.
        range: RangeId,
    },
    /// Every range has a position, committed if the job has a state: from here on no change is missed.
    Ready,
    /// A commit was made.
    Committed {
        /// Files that it published.
        published: u64,
        /// When it began: every event before that is in it.
        began: Instant,
        /// How long it took.
        took: Duration,
    },
    /// Time has passed.
    Tick,
}

//! What the reader hands over.

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::cosmos::retry::RetryNotice;
use crate::feed::page::Page;
use crate::feed::{Part, PinnedEnd, Position, RangeId};

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
        children: Vec<Part>,
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

//! The events of a reader.

use std::time::Instant;

use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::cosmos::retry::RetryNotice;
use crate::feed::page::Page;
use crate::feed::{Part, PinnedEnd, Position, RangeId};

/// The partition that an answer came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnsweringPartition {
    /// Its id, if known.
    pub id: Option<String>,
    /// Its LSN in the session token of the answer. It need not compare with the LSNs of positions.
    pub lsn: Option<u64>,
}

/// A range has nothing beyond the pages that were handed over, as of a request.
#[derive(Debug, Clone)]
pub struct Head {
    /// The range.
    pub range: RangeId,
    /// When the request was sent.
    pub asked: Instant,
    /// The same, by the clock of the machine.
    pub asked_at: OffsetDateTime,
    /// The partition that answered.
    pub partition: AnsweringPartition,
    /// Whether an earlier answer to any reader of the container, as far as they have one [`Sight`](super::Sight), knew more.
    pub is_behind: bool,
}

/// An event of the reader. Events of one range are in order.
#[derive(Debug)]
pub enum ReaderEvent {
    /// A range was pinned: it is read at least up to its pin.
    Pinned {
        /// The range.
        range: RangeId,
        /// The LSN of its position, if known.
        position_lsn: Option<u64>,
        /// The pin.
        end: PinnedEnd,
    },
    /// A page; it has no documents if nothing was new.
    Page {
        /// The range.
        range: RangeId,
        /// The documents.
        page: Page,
        /// The range's position after it.
        position: Position,
        /// The highest known LSN of its partition.
        highest_lsn: Option<u64>,
        /// The partition that answered, and its LSN at that moment, as the answer names them.
        partition: AnsweringPartition,
        /// Request units charged for it.
        request_charge: f64,
        /// Its share of [`ReaderOptions::buffered_bytes`](super::ReaderOptions::buffered_bytes), to be dropped once it is written.
        permit: Option<OwnedSemaphorePermit>,
    },
    /// A range was split. Its children are read once `reply` has their numbers.
    Replaced {
        /// The range that was split.
        parent: RangeId,
        /// Its children, which tile it, with their positions.
        children: Vec<Part>,
        /// Takes the numbers of the children, in their order.
        reply: oneshot::Sender<Vec<RangeId>>,
    },
    /// Nothing is new in a range, for the first time since its last page.
    CaughtUp {
        /// The range.
        range: RangeId,
    },
    /// A range has been read to its end.
    Finished {
        /// The range.
        range: RangeId,
        /// Its pin and how it reached its end, if it was pinned.
        end: Option<PinnedEnd>,
    },
    /// A range cannot be read any further. What was read of it remains valid.
    Failed {
        /// The range.
        range: RangeId,
        /// Why.
        error: anyhow::Error,
    },
    /// The service charged for an answer that is not handed over as a page, or the answer showed a head.
    Charged {
        /// Request units, unless they came with the page.
        request_charge: f64,
        /// What the answer showed, if that is that nothing is new in a range.
        head: Option<Head>,
    },
    /// A request that was retried has succeeded.
    Recovered {
        /// The range.
        range: RangeId,
    },
    /// A request will be retried.
    Retrying {
        /// The range.
        range: RangeId,
        /// What went wrong, and the pause.
        notice: RetryNotice,
    },
}

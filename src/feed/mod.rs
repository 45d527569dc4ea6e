//! The change feed's own terms: ranges, positions, pages. Pure types, no I/O.

pub mod page;

mod end;
mod etag;
mod range;
mod start;

pub use end::{
    PinnedEnd, ReachedEnd, ReadUntil, has_transactions, is_position, lsn_of_session_token,
};
pub use etag::lsn_of_etag;
pub use range::{FeedRange, Position, RangeId, ensure_tiling};
pub use start::{ChangeFeedStart, FeedMode};

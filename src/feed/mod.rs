//! The change feed's own terms: ranges, positions, pages. Pure types, no I/O.

pub mod page;

mod etag;
mod range;
mod start;

pub use etag::lsn_of_etag;
pub use range::{FeedRange, Position, RangeId, ensure_tiling};
pub use start::{ChangeFeedStart, FeedMode};

//! The change feed's own terms: ranges, positions, pages. Pure types, no I/O.

pub mod page;

mod etag;
mod start;

pub use etag::lsn_of_etag;
pub use start::ChangeFeedStart;

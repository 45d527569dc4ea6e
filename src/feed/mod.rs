//! The change feed's own terms: ranges, positions, pages. Pure types, no I/O.

pub mod page;

mod start;

pub use start::ChangeFeedStart;

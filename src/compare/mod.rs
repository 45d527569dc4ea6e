//! Compares two sides, each an export or a container, document by document.
//!
//! ```text
//! record or item ─► keyer: which document, what is left of it       keyed.rs, and `content`
//!    │ first reading, of everything; of files by their texts        texts.rs, probe.rs
//!    ▼
//!  digest of each side: sums of hashes by range of hashed keys       `content`
//!    │ ranges that differ, or are uncertain
//!    ▼
//!  second reading, of these ranges: contents document by document    examine.rs
//!    │ documents that differ
//!    ▼
//!  while a side is a container: looked at until they settle          settle.rs
//!    │ documents that stay different
//!    ▼
//!  last reading, of these documents: texts, paths, report            listing.rs, repair.rs
//! ```
//!
//! Memory is bounded: the digests have a fixed size, and what is compared document by document comes in shares that
//! fit (`plan.memory`).

mod bytes;
mod comparison;
mod examine;
mod feed;
mod follow;
mod heard;
mod keyed;
mod listing;
mod memory;
mod outcome;
mod probe;
mod reading;
mod repair;
mod selection;
mod settle;
mod side;
mod start;
mod texts;
mod visitor;

pub use listing::{begin_report, list_container};
pub use outcome::Compared;
pub use start::{Sides, compare};

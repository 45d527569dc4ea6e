//! The change feed's own terms: ranges, positions, pages; and queries, which are read in the same ranges. Pure types,
//! no I/O.

pub mod page;

mod container;
mod end;
mod etag;
mod query;
mod range;
mod range_set;
mod range_state;
mod record_form;
mod scope;
mod share;
mod start;

pub use container::ContainerAddress;
pub use end::{
    Ends, PinnedEnd, ReachedEnd, ReadUntil, has_transactions, is_position, lsn_of_session_token,
};
pub use etag::lsn_of_etag;
pub use query::{Query, QueryParameter};
pub use range::{FeedRange, Position, RangeId, ensure_tiling};
pub use range_set::{Part, RangeSet};
pub use range_state::RangeState;
pub use record_form::RecordForm;
pub use scope::Scope;
pub use share::{Hashes, Piece, Weighed, shares};
pub use start::{ChangeFeedStart, FeedMode};

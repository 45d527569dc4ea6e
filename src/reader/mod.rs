//! The parallel reader: shards feed ranges over tasks, reads them, and follows their splits.
//!
//! It knows neither files nor states. What it reads leaves as [`ReaderEvent`]s, in order for each
//! range; how much it may have in flight is bounded in bytes, so a slow consumer slows it down.

mod event;
mod horizon;
mod judge;
mod options;
mod scheduler;
mod shard;
mod shared;
mod turn;

pub use event::ReaderEvent;
pub use options::{ReadEnd, ReaderOptions, concurrency};
pub use scheduler::Reader;
pub use shard::Shard;

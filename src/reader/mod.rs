//! The parallel reader: it distributes feed ranges over tasks, reads them, and follows their splits.
//!
//! It knows neither files nor states. It emits what it reads as [`ReaderEvent`]s, in order for each range.
//! The pages in flight are bounded in bytes, so a slow consumer slows it down.

mod event;
mod horizon;
mod judge;
mod lanes;
mod options;
mod pins;
mod query;
mod scheduler;
mod seen;
mod shard;
mod shared;
mod sight;
mod sighted;
mod splits;
mod turn;

pub use event::{AnsweringPartition, Head, ReaderEvent};
pub use options::{ReadEnd, ReaderOptions, concurrency};
pub use scheduler::Reader;
pub use shard::Shard;
pub use sight::{Floor, Sight};

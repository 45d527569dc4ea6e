//! The writing side of a job: threads that turn pages into the bytes of a destination.
//!
//! A *series* is a sequence of part files; a range is written to exactly one series, and a series
//! by exactly one thread, so its pages stay in order. Written pages do not count until a
//! [`Receipt`](crate::destination::Receipt) for them is committed: a checkpoint asks every series for one, at a
//! page boundary, while later pages are written.

mod pool;
mod series;
mod together;
mod writer;

pub use series::SinkOptions;
pub use together::{SharedSink, Together};
pub use writer::{PageToWrite, Seal, Sink};

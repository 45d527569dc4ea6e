//! The writing side of a job: threads that turn pages into the bytes of a destination.
//!
//! A *series* is a sequence of part files; a range is written to exactly one series, and a series
//! by exactly one thread, so its pages stay in order. What is written counts for nothing until a
//! [`Receipt`](crate::destination::Receipt) for it has been committed: a checkpoint asks every series for one, at a page
//! boundary, while the writing goes on behind it.

mod series;
mod writer;

pub use series::SinkOptions;
pub use writer::{PageToWrite, Seal, Sink};

//! Where pages go: part files or standard output, written by threads of their own.
//!
//! A *series* is a sequence of part files; a range is written to exactly one series, and a series
//! by exactly one thread, so its pages stay in order. What is written counts for nothing until a
//! [`Receipt`] for it has been committed: a checkpoint asks every series for one, at a page
//! boundary, while the writing goes on behind it.

mod receipt;
mod series;
mod writer;

pub use receipt::{PartReceipt, Receipt, Written};
pub use series::{ResumedPart, SinkOptions};
pub use writer::{PageToWrite, Seal, Sink};

//! What a source delivers.

use anyhow::Result;
use bytes::Bytes;

use super::interpreter::Meaning;
use super::item_write::Defect;
use super::position::Step;

/// How many records wait. They go one by one: a pipe may have nothing more for a long time, and
/// what it had is not held back.
pub(super) const WAITING: usize = 64;

/// A record of the source, and what it means.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) json: Bytes,
    pub(super) meaning: Result<Meaning, Defect>,
    /// Where the source stands after it.
    pub(super) after: Step,
}

/// What a source hands over.
#[derive(Debug)]
pub(super) enum Delivery {
    /// A record.
    Record(Taken),
    /// The source has moved on without one.
    Passed(Step),
    /// There was nothing more a moment ago.
    CaughtUp,
}

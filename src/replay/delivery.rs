//! What a source delivers.

use std::sync::Arc;

use anyhow::Result;

use super::interpreter::Meaning;
use super::item_write::Defect;
use super::original::Original;
use super::position::Step;
use super::tenure::Tenure;

/// How many records may wait. They are delivered one by one, so that a record from an idle pipe is not
/// held back.
pub(super) const WAITING: usize = 64;

/// A record of the source, and what it means.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) original: Original,
    pub(super) meaning: Result<Meaning, Defect>,
    /// How the source advances with it.
    pub(super) after: Step,
    /// For how long it may be applied, if others apply it otherwise.
    pub(super) tenure: Option<Arc<Tenure>>,
}

/// What a source delivers.
#[derive(Debug)]
pub(super) enum Delivery {
    /// A record.
    Record(Taken),
    /// The source advanced without a record.
    Passed(Step),
    /// The source had nothing more at its last answer.
    CaughtUp,
}

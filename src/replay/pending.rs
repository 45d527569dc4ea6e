//! A change between its source and its outcome.

use std::sync::Arc;

use super::item_write::ItemWrite;
use super::original::Original;
use super::position::InputPosition;
use super::tenure::Tenure;

/// A change that waits or is being written.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) number: u64,
    pub(super) write: ItemWrite,
    pub(super) original: Original,
    pub(super) at: InputPosition,
    /// For how long it may be applied, if others apply it otherwise.
    pub(super) tenure: Option<Arc<Tenure>>,
}

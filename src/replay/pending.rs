//! A change between its source and its outcome.

use super::item_write::ItemWrite;
use super::original::Original;
use super::position::InputPosition;

/// A change that waits or is being written.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) number: u64,
    pub(super) write: ItemWrite,
    pub(super) original: Original,
    pub(super) at: InputPosition,
}

//! One reading of a side, and what takes its records.

use std::sync::Arc;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use super::keyed::{Keyed, Keyer};
use super::selection::Selection;
use super::side::{Done, Side};

/// What takes the records of a side, in the order of the side.
pub(super) trait Visitor: Send + 'static {
    /// Takes a record. `may_repeat` says that its document may have come before, if the visitor does not know.
    fn visit(&mut self, keyer: &Keyer, record: Keyed<'_>, may_repeat: bool) -> Result<()>;
}

/// One reading of a side.
pub(super) struct Reading {
    pub(super) side: Arc<Side>,
    pub(super) keyer: Arc<Keyer>,
    pub(super) selection: Arc<Selection>,
    pub(super) done: Arc<Done>,
    pub(super) stop: CancellationToken,
    /// The documents of the side, as far as they are known.
    pub(super) documents: u64,
}

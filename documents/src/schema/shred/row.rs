//! The cells of a document.

use super::cell::Cell;
use super::list::{Levels, Lists};
use super::overflow::Overflow;

/// The cells of one document, and its overflow. It is reused for one document after another.
#[derive(Debug)]
pub struct Row<'a> {
    pub(super) cells: Vec<Cell<'a>>,
    pub(super) levels: Levels<'a>,
    pub(super) extra: Overflow<'a>,
    pub(super) nulls: Overflow<'a>,
    /// For each field, the last document that had it.
    pub(super) seen: Vec<u32>,
    pub(super) document: u32,
}

impl<'a> Row<'a> {
    /// A cell for each column in the order of the schema; a struct has a cell before those of its fields.
    pub fn cells(&self) -> &[Cell<'a>] {
        &self.cells
    }

    /// The cells of the elements of its lists.
    pub fn lists(&self) -> Lists<'_, 'a> {
        self.levels.lists()
    }

    /// Empties the row.
    pub fn clear(&mut self) {
        self.cells.fill(Cell::Null);
        self.levels.clear();
        self.extra.clear();
        self.nulls.clear();
    }

    /// The members that are null, and the lists with such members: a JSON object. None if there are none.
    pub fn nulls(&self) -> Option<&[u8]> {
        (!self.nulls.text.is_empty()).then_some(&self.nulls.text)
    }

    /// The overflow: a JSON object, or the document itself if it is not an object. None if everything fit.
    pub fn extra(&self) -> Option<&[u8]> {
        (!self.extra.text.is_empty()).then_some(&self.extra.text)
    }
}

//! Spreads documents over the columns of a schema: a cell for each column, and what did not fit.

mod cell;
mod list;
mod overflow;
mod row;
mod shredder;
#[cfg(test)]
mod tests;

pub use cell::{Cell, Elements};
pub use list::Lists;
pub use row::Row;
pub use shredder::Shredder;

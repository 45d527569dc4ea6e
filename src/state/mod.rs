//! What is committed: the ledger of an export and its state.
//!
//! A commit is one replacement of the state, after the data that it speaks of is durable. [`model`]
//! says what a state holds, [`mod@file`] how it becomes text and is read back, [`ledger`] turns
//! receipts into commits. [`store`] is the seam to where a state is kept, [`local`] the file and its
//! lock; [`claim`] is the right of one process to commit.

pub mod claim;
pub mod file;
pub mod ledger;
pub mod local;
pub mod model;
mod place;
pub mod store;

pub use place::destination_of;

//! What is committed: the ledger of an export, its state file and its manifest.
//!
//! A commit is one replacement of the state file, after the data that it speaks of is durable.
//! [`model`] says what the file holds, [`mod@file`] how it is written and read back, [`ledger`] turns
//! receipts into commits, [`recover`] brings the files into line with the state after a crash, in an
//! output that is provably the export's ([`owner`]). [`store`] is where the state is kept, locked.

pub mod earlier;
pub mod file;
pub mod ledger;
pub mod manifest;
pub mod model;
pub mod names;
pub mod owner;
pub mod recover;
pub mod store;

//! What is committed: the ledger of an export and its state.
//!
//! A commit replaces the state once, after the data that it lists is durable. [`model`] defines the content
//! of a state, [`mod@file`] its text; [`ledger`] turns receipts into commits. [`store`] is the seam to where
//! a state is kept, [`local`] is the file and its lock; [`claim`] is the right of one process to commit.

pub mod claim;
pub mod container_file;
pub mod database_file;
pub mod file;
pub mod group_place;
mod group_states;
pub mod ledger;
pub mod local;
pub mod model;
#[cfg(feature = "object-stores")]
mod objects;
pub mod of_group;
mod place;
pub mod plan_file;
pub mod plan_place;
mod shard_states;
pub mod snapshot;
pub mod store;

pub use group_states::{ensure_of as ensure_of_group, ranges_at, state_of_range, strangers_at};
pub use place::{
    StateAt, destination_of, ensure_is_kept_at, is_own_state, listed_destination_at, may_be_at,
    no_export_at, objects_without_state, open, own_state, state_at, state_object, store_at,
    typed_state,
};
pub use shard_states::{shard_of, shown_state_of_shard, state_of_shard};

//! The states of the shards of a plan, wherever they are.

use std::path::PathBuf;

use anyhow::Result;

use super::file;
use super::model::{ShardOfPlan, State};
use super::place::{own_state, state_at, store_at};
use crate::destination::{Home, STATE_FILE, Shards, shard_directory};
use crate::durable::{is_there, shown_path};

/// The state of the shard with this number, if it has begun.
///
/// # Errors
///
/// If it cannot be read.
pub fn state_of_shard(shards: &Shards, index: u32) -> Result<Option<State>> {
    match &shards.home {
        Home::Directory(own) => {
            let path = own.join(shard_directory(index)).join(STATE_FILE);
            match is_there(&path) {
                true => file::read(&path).map(Some),
                false => Ok(None),
            }
        }
        Home::Objects(address) => {
            let object = own_state(&address.of_shard(index));
            state_at(store_at(&object)?.as_ref(), &object)
        }
    }
}

/// Where that state is, for people.
pub fn shown_state_of_shard(shards: &Shards, index: u32) -> String {
    match &shards.home {
        Home::Directory(own) => {
            let path: PathBuf = own.join(shard_directory(index)).join(STATE_FILE);
            shown_path(&path).to_string()
        }
        Home::Objects(address) => own_state(&address.of_shard(index)).to_string(),
    }
}

/// Which shard of the plan the one with this number is.
pub fn shard_of(shards: &Shards, index: u32) -> ShardOfPlan {
    ShardOfPlan {
        plan: shards.plan,
        index,
        count: shards.count,
    }
}

//! The destination of an export, by its state.

use std::path::Path;

use anyhow::{Result, ensure};

use super::file;
use super::model::{JobKind, State};
#[cfg(feature = "object-stores")]
use super::objects::ObjectState;
use super::store::StateStore;
#[cfg(feature = "object-stores")]
use crate::destination::Objects;
use crate::destination::{Destination, Output, Place, STATE_FILE, Shards, at, own_object};
use crate::error::usage;
#[cfg(feature = "object-stores")]
use crate::objects::bucket;
use crate::objects::{Address, may_exist};

/// The destination of `state`. `state_path` is the path of the state itself, if it has one, and relative
/// paths are relative to `base`.
pub fn destination_of(
    state: &State,
    base: &Path,
    state_path: Option<&Path>,
) -> Box<dyn Destination> {
    let place = Place {
        output: &state.options.output,
        base,
        container: &state.source.container,
        extension: state.extension(),
        state_path,
        // A tail renders changes for people.
        is_for_terminals: state.kind == JobKind::Tail,
    };
    at(place, file::read_earlier)
}

/// The store of the state of the export at `address`.
///
/// # Errors
///
/// If the environment does not say how to reach it.
pub fn store_at(address: &Address) -> Result<Box<dyn StateStore>> {
    #[cfg(feature = "object-stores")]
    {
        let bucket = bucket(address)?;
        Ok(Box::new(ObjectState::new(bucket)))
    }
    #[cfg(not(feature = "object-stores"))]
    Err(unsupported(address))
}

/// The destination of an export of `container` to `address`.
///
/// # Errors
///
/// If the environment does not say how to reach it.
pub fn destination_at(
    address: &Address,
    container: &str,
    extension: &'static str,
) -> Result<Box<dyn Destination>> {
    #[cfg(feature = "object-stores")]
    {
        let bucket = bucket(address)?;
        Ok(Box::new(Objects::new(bucket, container, extension)))
    }
    #[cfg(not(feature = "object-stores"))]
    {
        let _without_a_store = (container, extension);
        Err(unsupported(address))
    }
}

/// The same, which takes the lengths of the objects in this listing from there.
///
/// # Errors
///
/// As [`destination_at`].
pub fn listed_destination_at(
    address: &Address,
    container: &str,
    extension: &'static str,
    listed: Vec<(String, u64)>,
) -> Result<Box<dyn Destination>> {
    #[cfg(feature = "object-stores")]
    {
        let bucket = bucket(address)?;
        let objects = Objects::new(bucket, container, extension);
        Ok(Box::new(objects.as_listed(listed)))
    }
    #[cfg(not(feature = "object-stores"))]
    {
        let _without_a_store = (container, extension, listed);
        Err(unsupported(address))
    }
}

/// The state of the export at `address`; `None` if there is none.
///
/// # Errors
///
/// If it cannot be read, or is no state of an export in an object store.
pub fn state_at(store: &dyn StateStore) -> Result<Option<State>> {
    let Some(stored) = store.load()? else {
        return Ok(None);
    };
    let state = file::parse(&stored.text)?;
    ensure!(
        state.options.output == Output::Objects,
        "it is the state of an export to somewhere else"
    );
    Ok(Some(state))
}

/// Whether there is a state at `address`, or that cannot be found out now: the store may be why a job has failed.
pub fn may_be_at(address: &Address) -> bool {
    may_exist(address, &own_object(address, STATE_FILE))
}

/// The error for an address without an export.
pub fn no_export_at(address: &Address) -> anyhow::Error {
    if let Ok(Some(shards)) = Shards::at(address) {
        return shards.are_many(&address.to_string());
    }
    usage(
        format!("there is no export at `{address}`"),
        "check the address: it is the one that `export -o` was given",
    )
}

#[cfg(not(feature = "object-stores"))]
fn unsupported(address: &Address) -> anyhow::Error {
    anyhow::anyhow!("this build has no object stores, so `{address}` cannot be used")
}

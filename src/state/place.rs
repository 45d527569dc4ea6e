//! The destination of an export, by its state.

use std::path::Path;

#[cfg(feature = "object-stores")]
use anyhow::bail;
use anyhow::{Context, Result, ensure};

use super::file;
use super::group_place::GroupPlace;
use super::model::{JobKind, State};
#[cfg(feature = "object-stores")]
use super::objects::ObjectState;
use super::of_group::name_of_range;
use super::store::StateStore;
use crate::destination::{
    Destination, Output, Place, STATE_FILE, Shards, at as at_path, orphans_at, own_object,
};
#[cfg(feature = "object-stores")]
use crate::destination::{Objects, StateElsewhere, state_elsewhere};
use crate::error::usage;
#[cfg(feature = "object-stores")]
use crate::format::Format;
#[cfg(feature = "object-stores")]
use crate::objects::bucket;
use crate::objects::{Address, ObjectAddress, may_exist};

/// Where a state is.
#[derive(Debug, Clone, Copy)]
pub enum StateAt<'a> {
    /// Nowhere: nothing can be continued.
    Nowhere,
    /// This file.
    File(&'a Path),
    /// This object.
    Object(&'a ObjectAddress),
}

impl<'a> StateAt<'a> {
    /// The file, or nothing.
    pub fn file(path: Option<&'a Path>) -> Self {
        path.map_or(Self::Nowhere, Self::File)
    }
}

/// The object of a state that is kept with the objects at `address`, which can be the address of a share of a plan.
pub fn own_state(address: &Address) -> ObjectAddress {
    ObjectAddress::new(address, &own_object(address, STATE_FILE))
}

/// Whether an object is that of a state which is kept with the objects.
pub fn is_own_state(object: &ObjectAddress) -> bool {
    object.name == own_object(&object.place, STATE_FILE)
}

/// The object of the state that an address names: that itself, if it ends in `.json`, otherwise the one of the export
/// there.
pub fn state_object(address: &Address) -> ObjectAddress {
    if let Some(place) = address.without_end(&own_object(address, STATE_FILE)) {
        return own_state(&place);
    }
    let named = ObjectAddress::named(address).filter(|named| named.name.ends_with(".json"));
    named.unwrap_or_else(|| own_state(address))
}

/// An object of a state, as it is typed: by the address of the export, if it is kept there.
pub fn typed_state(object: &ObjectAddress) -> String {
    match is_own_state(object) {
        true => object.place.to_string(),
        false => object.to_string(),
    }
}

/// The destination of `state`, which is at `at`. Relative paths are relative to `base`.
///
/// # Errors
///
/// If it is not the state of an export that keeps it there, or the environment does not say how to reach a store.
pub fn destination_of(state: &State, base: &Path, at: StateAt<'_>) -> Result<Box<dyn Destination>> {
    let place = Place {
        output: &state.options.output,
        base,
        container: &state.source.container,
        extension: state.extension(),
        partition_by: state.options.partition_by,
        state_path: None,
        // A tail renders changes for people.
        is_for_terminals: state.kind == JobKind::Tail,
    };
    open(place, at)
}

/// The destination at `place` of an export whose state is at `at`.
///
/// # Errors
///
/// As of [`destination_of`].
pub fn open(place: Place<'_>, at: StateAt<'_>) -> Result<Box<dyn Destination>> {
    match (place.output, at) {
        (Output::Objects, StateAt::Object(object)) if is_own_state(object) => {
            objects_at(&object.place, place, None)
        }
        (Output::Objects, _) => Err(usage(
            "it is the state of an export to an object store, and counts only there",
            "name the address of the export, such as az://CONTAINER/PATH/",
        )),
        (Output::ObjectsAt(address), at) => {
            let address = Address::parse(address).and_then(Result::ok);
            let address = address.context("the state names an address that is none")?;
            objects_at(&address, place, Some(at))
        }
        (_, StateAt::Object(object)) => {
            let shown = object.to_string();
            let place = Place {
                state_path: Some(Path::new(&shown)),
                ..place
            };
            Ok(at_path(place, file::read_earlier))
        }
        (_, StateAt::File(path)) => {
            let place = Place {
                state_path: Some(path),
                ..place
            };
            Ok(at_path(place, file::read_earlier))
        }
        (_, StateAt::Nowhere) => Ok(at_path(place, file::read_earlier)),
    }
}

/// The store of a state in this object.
///
/// # Errors
///
/// If the environment does not say how to reach it.
pub fn store_at(object: &ObjectAddress) -> Result<Box<dyn StateStore>> {
    #[cfg(feature = "object-stores")]
    {
        let bucket = bucket(&object.place)?;
        Ok(Box::new(ObjectState::new(bucket, object.name.clone())))
    }
    #[cfg(not(feature = "object-stores"))]
    Err(unsupported(&object.place))
}

/// The objects below `address`; `elsewhere` is where the state is, if it is not there.
fn objects_at(
    address: &Address,
    place: Place<'_>,
    elsewhere: Option<StateAt<'_>>,
) -> Result<Box<dyn Destination>> {
    #[cfg(feature = "object-stores")]
    {
        let objects = Objects::new(bucket(address)?, place.container, place.extension);
        let objects = objects.partitioned(place.partition_by);
        Ok(Box::new(match elsewhere {
            None => objects,
            Some(StateAt::Object(object)) => {
                objects.with_state(StateElsewhere::of_address(&object.to_string()))
            }
            Some(StateAt::File(path)) => {
                let path = path
                    .to_str()
                    .context("the path of the state is not Unicode")?;
                objects.with_state(StateElsewhere::of_path(path))
            }
            Some(StateAt::Nowhere) => bail!("objects are written with a state"),
        }))
    }
    #[cfg(not(feature = "object-stores"))]
    {
        let _without_a_store = (place, elsewhere);
        Err(unsupported(address))
    }
}

/// The finished objects of the export at `address`, if its state is elsewhere.
///
/// # Errors
///
/// If that cannot be found out, or the claim there is damaged.
pub fn objects_without_state(address: &Address) -> Result<Option<Box<dyn Destination>>> {
    #[cfg(feature = "object-stores")]
    {
        let bucket = bucket(address)?;
        let Some(claim) = state_elsewhere(&bucket)? else {
            return Ok(None);
        };
        let extension = Format::extension_named(&claim.extension);
        let extension = extension.context("the claim names an unknown format")?;
        let objects = Objects::new(bucket, &claim.container, extension);
        Ok(Some(Box::new(objects)))
    }
    #[cfg(not(feature = "object-stores"))]
    Err(unsupported(address))
}

/// The objects of `state` below `address`, where it is, which takes the lengths of those in this listing from there.
///
/// # Errors
///
/// If the environment does not say how to reach the store.
pub fn listed_destination_at(
    address: &Address,
    state: &State,
    listed: Vec<(String, u64)>,
) -> Result<Box<dyn Destination>> {
    #[cfg(feature = "object-stores")]
    {
        let (container, extension) = (&state.source.container, state.extension());
        let objects = Objects::new(bucket(address)?, container, extension);
        let objects = objects.partitioned(state.options.partition_by);
        Ok(Box::new(objects.as_listed(listed)))
    }
    #[cfg(not(feature = "object-stores"))]
    {
        let _without_a_store = (state, listed);
        Err(unsupported(address))
    }
}

/// The state in `store`, which keeps it in `object`; `None` if there is none.
///
/// # Errors
///
/// If it cannot be read, or is of an export that does not keep it there.
pub fn state_at(store: &dyn StateStore, object: &ObjectAddress) -> Result<Option<State>> {
    let Some(stored) = store.load()? else {
        return Ok(None);
    };
    let state = file::parse(&stored.text)?;
    ensure_is_kept_at(&state, object)?;
    Ok(Some(state))
}

/// Checks that a state is of an export that keeps it in this object: that of a share of a plan is where its share is.
///
/// # Errors
///
/// If it is not.
pub fn ensure_is_kept_at(state: &State, object: &ObjectAddress) -> Result<()> {
    let is_kept_there = match state.options.output {
        Output::Objects => {
            let shard = state.shard.map(|shard| shard.index);
            let own = state.group.as_ref().and(state.options.scope.ranges.first());
            let range = own.map(name_of_range);
            is_own_state(object)
                && shard == object.place.shard()
                && range.as_deref() == object.place.range()
        }
        _ => !is_own_state(object),
    };
    ensure!(
        is_kept_there,
        "it is the state of an export to somewhere else"
    );
    Ok(())
}

/// Whether there is a state in this object, or that cannot be found out now: the store may be why a job has failed.
pub fn may_be_at(object: &ObjectAddress) -> bool {
    may_exist(&object.place, &object.name)
}

/// The error for an object that is no state.
pub fn no_export_at(object: &ObjectAddress) -> anyhow::Error {
    if !is_own_state(object) {
        return usage(
            format!("there is no state at `{object}`"),
            "check the address: it is the one that `export --state` was given",
        );
    }
    let address = &object.place;
    if let Ok(Some(shards)) = Shards::at(address) {
        return shards.are_many(&address.to_string());
    }
    if let Ok(Some(group)) = GroupPlace::at(address) {
        return group.are_many(&address.to_string());
    }
    #[cfg(feature = "object-stores")]
    if let Ok(Some(claim)) = bucket(address).and_then(|bucket| state_elsewhere(&bucket)) {
        return usage(
            format!(
                "the state of the export at `{address}` is not there: it is `{}`",
                claim.of.state.escape_debug()
            ),
            format!("name that: {}", claim.of.resume()),
        );
    }
    if let Ok(Some(gone)) = orphans_at(address) {
        return gone;
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

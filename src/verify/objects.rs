//! One export in an object store, checked while nobody writes it.

use std::path::Path;

use anyhow::{Context, Result};

use super::export::{Depth, check_to};
use super::findings::Findings;
use super::state_file::in_use;
use crate::objects::{Address, ObjectAddress};
use crate::state::model::State;
use crate::state::{
    StateAt, destination_of, listed_destination_at, own_state, state_at, state_object, store_at,
    typed_state,
};

/// Checks the export at `address`, or the one whose state that is; none if there is none.
pub(super) fn check_objects(address: &Address, depth: Depth) -> Result<Option<Findings>> {
    let checked = check(&state_object(address), depth, None)?;
    Ok(checked.map(|(_, found)| found))
}

/// Checks the shard of a plan with this address; none if it has no state. `listed` are its objects, from before.
pub(super) fn check_listed_objects(
    address: &Address,
    depth: Depth,
    listed: Vec<(String, u64)>,
) -> Result<Option<(State, Findings)>> {
    check(&own_state(address), depth, Some(listed))
}

fn check(
    object: &ObjectAddress,
    depth: Depth,
    listed: Option<Vec<(String, u64)>>,
) -> Result<Option<(State, Findings)>> {
    let store = store_at(object)?;
    let load = || {
        let state = state_at(store.as_ref(), object);
        state.with_context(|| format!("cannot verify the export of `{}`", typed_state(object)))
    };
    let Some(state) = load()? else {
        return Ok(None);
    };
    let mut found = Findings::about(&state, store.display());
    match listed {
        None => {
            let destination = destination_of(&state, Path::new("."), StateAt::Object(object))?;
            check_to(depth, None, &state, destination.as_ref(), &mut found)?;
        }
        Some(listed) => {
            let names: Vec<String> = listed.iter().map(|(name, _)| name.clone()).collect();
            let destination = listed_destination_at(&object.place, &state, listed)?;
            check_to(
                depth,
                Some(&names),
                &state,
                destination.as_ref(),
                &mut found,
            )?;
        }
    }
    // If the export was written meanwhile, the findings mean nothing.
    if load()?.is_none_or(|now| now.generation != state.generation) {
        return Err(in_use(Path::new(&typed_state(object))));
    }
    Ok(Some((state, found)))
}

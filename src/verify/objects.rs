//! One export in an object store, checked while nobody writes it.

use std::path::Path;

use anyhow::{Context, Result};

use super::export::{Depth, check_to};
use super::findings::Findings;
use super::state_file::in_use;
use crate::objects::Address;
use crate::state::model::State;
use crate::state::{destination_at, listed_destination_at, no_export_at, state_at, store_at};

/// Checks the export at `address`.
pub(super) fn check_objects(address: &Address, depth: Depth) -> Result<Findings> {
    let checked = check(address, depth, None)?;
    checked
        .map(|(_, found)| found)
        .ok_or_else(|| no_export_at(address))
}

/// Checks the shard of a plan with this address; none if it has no state. `listed` are its objects, from before.
pub(super) fn check_listed_objects(
    address: &Address,
    depth: Depth,
    listed: Vec<(String, u64)>,
) -> Result<Option<(State, Findings)>> {
    check(address, depth, Some(listed))
}

fn check(
    address: &Address,
    depth: Depth,
    listed: Option<Vec<(String, u64)>>,
) -> Result<Option<(State, Findings)>> {
    let store = store_at(address)?;
    let load = || {
        let state = state_at(store.as_ref());
        state.with_context(|| format!("cannot verify the export of `{address}`"))
    };
    let Some(state) = load()? else {
        return Ok(None);
    };
    let mut found = Findings::about(&state, store.display());
    let (container, extension) = (&state.source.container, state.extension());
    match listed {
        None => {
            let destination = destination_at(address, container, extension)?;
            check_to(depth, None, &state, destination.as_ref(), &mut found)?;
        }
        Some(listed) => {
            let names: Vec<String> = listed.iter().map(|(name, _)| name.clone()).collect();
            let destination = listed_destination_at(address, container, extension, listed)?;
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
        return Err(in_use(Path::new(&address.to_string())));
    }
    Ok(Some((state, found)))
}

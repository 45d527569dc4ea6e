//! Outputs in an object store, and states there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::cli::location::Location;
use crate::destination::Output;
use crate::error::usage;
use crate::format::Extension;
use crate::objects::{Address, ObjectAddress};
use crate::state::{own_state, state_object};

/// Below the address of an export in an object store, all that is not data is in here.
const OWN: &str = "_cosmos-tail";

/// Where the state of an output in an object store is.
#[derive(Debug)]
pub(super) enum StateOfObjects {
    /// In a file of this machine.
    File(PathBuf),
    /// In an object.
    Object(ObjectAddress),
}

/// An output in an object store, and its state: there, unless it is to be elsewhere.
///
/// # Errors
///
/// If the address is that of an object.
pub(super) fn objects(
    address: &Address,
    state: Option<Location>,
) -> Result<(Output, StateOfObjects)> {
    if let Some(extension) = Extension::of(address.path()) {
        return Err(usage(
            format!(
                "`{address}` has the extension .{}, but an output in an object store is a directory",
                extension.text
            ),
            "choose a path without it, and the format with --format",
        ));
    }
    let there = own_state(address);
    ensure!(
        state_object(address) == there,
        usage(
            format!("`{address}` names an object, but an output in an object store is a directory"),
            "choose a path that does not end in .json",
        )
    );
    let state = match state {
        None | Some(Location::StandardStream) => StateOfObjects::Object(there.clone()),
        Some(Location::Local(path)) => StateOfObjects::File(absolute_state(&path)?),
        Some(Location::Objects(state)) if state_object(&state) == there => {
            StateOfObjects::Object(there.clone())
        }
        Some(Location::Objects(state)) => {
            ensure!(
                !is_below(&state, address),
                usage(
                    format!("--state `{state}` is among the objects of the output, which are data"),
                    format!(
                        "leave --state out: the state is `{there}` then; or name a place that is not below `{address}`"
                    ),
                )
            );
            StateOfObjects::Object(object_of_state(&state)?)
        }
    };
    let output = match &state {
        StateOfObjects::Object(object) if *object == there => Output::Objects,
        _ => Output::ObjectsAt(address.to_string()),
    };
    Ok((output, state))
}

/// Whether an address is below another one, in whatever account.
fn is_below(address: &Address, above: &Address) -> bool {
    let below = address.path().strip_prefix(above.path());
    address.store() == above.store()
        && address.container() == above.container()
        && below.is_some_and(|below| above.path().is_empty() || below.starts_with('/'))
}

/// The file that --state names.
pub(super) fn absolute_state(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).context("cannot make the state path absolute")
}

/// The object that --state names.
///
/// # Errors
///
/// If it names none.
pub(super) fn object_of_state(address: &Address) -> Result<ObjectAddress> {
    let is_object = address.path().ends_with(".json") && ObjectAddress::named(address).is_some();
    ensure!(
        is_object,
        usage(
            format!(
                "--state `{}` names no object below a path",
                address.object()
            ),
            "name one that ends in .json, such as --state az://CONTAINER/states/orders.json",
        )
    );
    ensure!(
        !address.path().split('/').any(|part| part == OWN),
        usage(
            format!("--state `{address}` is a name of an export to an object store: {OWN}/"),
            "name another object that ends in .json, such as --state az://CONTAINER/states/orders.json",
        )
    );
    Ok(state_object(address))
}

//! One export on a local disk, by the file of its state.

use std::path::Path;

use anyhow::{Context, Result, anyhow};

use super::export::{Depth, check_to};
use super::findings::{Findings, name_of};
use crate::durable::{self, Lock, lock_path, parent_of, with_suffix};
use crate::error::{ExitCode, with_exit_code, with_hint};
use crate::state::model::State;
use crate::state::{StateAt, destination_of, file};

/// Checks the export with the state `path`. `listed` are the names in the directory of its finished files, if it was
/// listed before.
pub(super) fn check_state(
    path: &Path,
    depth: Depth,
    listed: Option<&[String]>,
) -> Result<(State, Findings)> {
    let load = || {
        file::read(path)
            .with_context(|| format!("cannot verify the export of `{}`", path.display()))
    };
    let state = load()?;
    if Lock::is_held(&lock_path(path))? {
        return Err(in_use(path));
    }
    let destination = destination_of(&state, parent_of(path), StateAt::File(path))?;
    let mut found = Findings::about(&state, path.display().to_string());
    let staged = with_suffix(path, durable::STAGED_SUFFIX);
    if staged.exists() {
        found.note(
            name_of(&staged),
            "a state that was never committed; `resume` deletes it",
        );
    }
    check_to(depth, listed, &state, destination.as_ref(), &mut found)?;
    // If the export was written meanwhile, the findings mean nothing.
    if load()?.generation != state.generation || Lock::is_held(&lock_path(path))? {
        return Err(in_use(path));
    }
    Ok((state, found))
}

/// The error for an export that is being written.
pub(super) fn in_use(path: &Path) -> anyhow::Error {
    with_hint(
        with_exit_code(
            anyhow!("the export of `{}` is being written", path.display()),
            ExitCode::Usage,
        ),
        "verify it once it has ended, or stop it first; `resume` continues it",
    )
}

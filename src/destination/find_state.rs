//! Where the state of an export is, by what a person names.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::names::STATE_FILE;
use crate::durable::{is_there, with_suffix};

/// The state of the export that `path` names: the state itself, the directory that the export writes, or the
/// first file of an export to a single file. None if `path` is a directory without a state.
///
/// # Errors
///
/// None yet.
pub fn find_state(path: &Path) -> Result<Option<PathBuf>> {
    if path.is_dir() {
        let state = path.join(STATE_FILE);
        return Ok(is_there(&state).then_some(state));
    }
    let beside = with_suffix(path, &format!(".{STATE_FILE}"));
    // A file that was moved away may still have its state here.
    Ok(Some(if is_there(&beside) {
        beside
    } else {
        path.to_owned()
    }))
}

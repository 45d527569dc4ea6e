//! Where the state of an export is, by what a person names.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::shards::Shards;
use super::table::{STATE_FILE, state_directory_of};
use crate::durable::{is_there, parent_of, shown_path, with_suffix};

/// The state of the export that `path` names: the state itself, the directory that the export writes, its state
/// directory, or the first file of an export to a single file. `DIR/state.json`, where earlier builds kept it, is
/// the state of `DIR`, wherever it is. None if `path` is a directory without a state.
///
/// # Errors
///
/// As [`state_directory_of`]; or if the directory is written by the shards of a plan, each of which has a state.
pub fn find_state(path: &Path) -> Result<Option<PathBuf>> {
    if path.is_dir() {
        if let Some(shards) = Shards::of(path)? {
            return Err(shards.are_many(&shown_path(path).to_string()));
        }
        let found = state_directory_of(path)?.map(|directory| directory.join(STATE_FILE));
        return Ok(found.filter(|state| is_there(state)));
    }
    let beside = with_suffix(path, &format!(".{STATE_FILE}"));
    // A file that was moved away may still have its state here.
    if is_there(&beside) {
        return Ok(Some(beside));
    }
    if !is_there(path) {
        let is_state = path.file_name().is_some_and(|name| name == STATE_FILE);
        let directory = if is_state { parent_of(path) } else { path };
        if let Some(found) = state_directory_of(directory)? {
            let state = found.join(STATE_FILE);
            if is_there(&state) {
                return Ok(Some(state));
            }
        }
    }
    Ok(Some(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_found_wherever_it_is_and_never_guessed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        for name in [
            "old",
            "inside/_cosmos-tail",
            "beside",
            "_beside.cosmos-tail",
            "none",
        ] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        for state in ["old/state.json", "inside/_cosmos-tail/state.json"] {
            std::fs::write(at(state), "").unwrap();
        }
        std::fs::write(at("_beside.cosmos-tail/state.json"), "").unwrap();
        let found = |path: &str| find_state(&at(path)).unwrap();
        assert_eq!(found("old"), Some(at("old/state.json")));
        let inside = at("inside/_cosmos-tail/state.json");
        let beside = at("_beside.cosmos-tail/state.json");
        for (path, expected) in [
            ("inside", &inside),
            ("inside/state.json", &inside),
            ("inside/_cosmos-tail", &inside),
            ("beside", &beside),
            ("beside/state.json", &beside),
            ("_beside.cosmos-tail", &beside),
            ("_beside.cosmos-tail/state.json", &beside),
        ] {
            assert_eq!(found(path).as_ref(), Some(expected), "{path}");
        }
        assert_eq!(found("none"), None);
        assert_eq!(found("gone.json"), Some(at("gone.json")));
        // The directory may have been moved away as a whole.
        std::fs::remove_dir(at("beside")).unwrap();
        assert_eq!(found("beside").as_ref(), Some(&beside));
        std::fs::write(at("_old.cosmos-tail"), "").unwrap();
        assert_eq!(found("old"), Some(at("old/state.json")));
        std::fs::remove_file(at("_old.cosmos-tail")).unwrap();
        std::fs::create_dir(at("_old.cosmos-tail")).unwrap();
        std::fs::write(at("_old.cosmos-tail/manifest.ndjson"), "").unwrap();
        let error = find_state(&at("old")).unwrap_err().to_string();
        assert!(error.contains("has two exports"), "{error}");
    }
}

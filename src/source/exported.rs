//! What is beside a file of an export besides its form: when it was exported, and the definition of its container.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;

use super::names::without_compression;
use crate::destination::manifest::{Entry, Manifest, Purpose};
use crate::destination::names::first_part_of;
use crate::destination::{DEFINITION_FILE, STATE_FILE, find_state, tables_of};
use crate::durable::{is_there, parent_of, with_suffix};
use crate::error::usage;
use crate::state::file;
use crate::state::model::State;

/// When a file was exported, and from which container; nothing of it may be known.
#[derive(Debug, Clone, Default)]
pub struct Exported {
    /// When it was finished, in seconds since 1970 by the clock of the machine that exported it.
    pub at: Option<i64>,
    /// The file with the definition of its container.
    pub definition: Option<Arc<Path>>,
    /// Whether some of its values are masked.
    pub masked: bool,
}

impl Exported {
    /// What the manifest and the state say of a file. Older manifests do not say when it was finished, so the export
    /// counts as done when it began: no document has less time left than it had.
    pub(super) fn of(entry: &Entry, state: Option<&State>, definition: Option<&Path>) -> Self {
        let at = entry.listed.or(state.map(|state| state.created));
        Self {
            at: at.map(time::OffsetDateTime::unix_timestamp),
            definition: definition.map(Arc::from),
            masked: entry.masked,
        }
    }

    /// Refuses masked values, which would replace those of the container.
    ///
    /// # Errors
    ///
    /// If it has some.
    pub(super) fn ensure_unmasked(&self, name: &str) -> Result<()> {
        if self.masked {
            return Err(usage(
                format!(
                    "some values in `{name}` are masked, and would replace those of the target"
                ),
                "export again with a credential that may see them; masked values are written from standard input only: \
                 `cosmos-tail replay - < FILE`",
            ));
        }
        Ok(())
    }

    /// What is known of the file `path`, which the user named.
    pub(super) fn beside(path: &Path) -> Self {
        Self::find(path).unwrap_or_default()
    }

    fn find(path: &Path) -> Option<Self> {
        states_beside(path).find_map(|(place, name)| {
            let name = name.as_str();
            // A file can be read without its state.
            let state = file::read(&place).ok()?;
            let names = state.file_names(parent_of(&place));
            // It may have been compressed since.
            let original = without_compression(name);
            let is_part = |name: &str| names.part_of(name).is_some();
            if !is_part(name) && !original.is_some_and(is_part) {
                return None;
            }
            let purpose = Purpose::Finished {
                committed: None,
                names: Some(&names),
            };
            let definition = names.definition().filter(|path| is_there(path));
            let manifest = Manifest::read(&names.manifest()?, purpose).ok()?;
            let mut entries = manifest.entries.iter();
            let entry =
                entries.find(|entry| entry.file == name || Some(&*entry.file) == original)?;
            Some(Self::of(entry, Some(&state), definition.as_deref()))
        })
    }
}

/// The definition in the state directory `own`.
pub(super) fn definition_in(own: &Path) -> Option<PathBuf> {
    Some(own.join(DEFINITION_FILE)).filter(|path| is_there(path))
}

/// The definition beside the file `path`, if it is of an export to a single file, or in the directory of one.
pub(super) fn definition_of_file(path: &Path) -> Option<PathBuf> {
    let beside = with_suffix(path, &format!(".{DEFINITION_FILE}"));
    if is_there(&beside) {
        return Some(beside);
    }
    Exported::beside(path)
        .definition
        .map(|path| path.to_path_buf())
}

/// Where the state of the export is that wrote `path`, if it is in its default place, and the name of the file there.
pub(super) fn states_beside(path: &Path) -> impl Iterator<Item = (PathBuf, String)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.into_owned();
    let own = own_states_beside(path).map(move |place| (place, name.clone()));
    let shared = tables_of(path).into_iter().filter_map(|(table, name)| {
        let state = find_state(table).ok().flatten()?;
        // A directory may have the name of a partition for another reason.
        let is_in_partition = || {
            let state = file::read(&state).ok();
            state.is_some_and(|state| state.options.partition_by.is_some())
        };
        (!name.contains('/') || is_in_partition()).then_some((state, name))
    });
    own.chain(shared)
}

/// Where the state of the export is that wrote `path`, if the export is one file, perhaps in several parts. `path` may have been compressed since.
pub(super) fn own_states_beside(path: &Path) -> impl Iterator<Item = PathBuf> {
    let original = before_compression(path);
    let named = [Some(path.to_owned()), original].into_iter().flatten();
    named
        .flat_map(|path| {
            let first = first_part_of(&path);
            [Some(path), first].into_iter().flatten()
        })
        .map(|path| with_suffix(&path, &format!(".{STATE_FILE}")))
}

/// The name of the file before it was compressed; none if it was not.
fn before_compression(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    Some(path.with_file_name(without_compression(name)?))
}

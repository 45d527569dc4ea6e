//! Where an export to a directory keeps what is not data, and how that is found again.
//!
//! Readers take a directory for a table: all that is in it is data. Spark, pandas and pyarrow skip names that
//! begin with `_` or `.`; polars reads every file that is not empty, in all directories below, and refuses two
//! extensions. So the state, the manifest, the lock, the owner file and the open parts have a directory of their
//! own beside the table, `_NAME.cosmos-tail`, whose name a reader of the directory above skips. Where there is
//! no such place on the same file system, it is inside, as `_cosmos-tail`. Earlier builds kept everything in the
//! directory itself.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::durable::{is_there, parent_of, shown_path};
use crate::error::{usage, with_hint};
use crate::objects::Address;

/// The manifest of an export to a directory.
pub const MANIFEST_FILE: &str = "manifest.ndjson";
/// The state of an export to a directory.
pub const STATE_FILE: &str = "state.json";
/// The definition of the container of an export to a directory.
pub const DEFINITION_FILE: &str = "container.json";
/// The file that names the state of an export to a directory, if that is elsewhere.
const OWNER_FILE: &str = "state.json.owner";

/// The end of the name of a state directory beside its table, and its name inside.
const INSIDE: &str = "_cosmos-tail";
const BESIDE_SUFFIX: &str = ".cosmos-tail";

/// The longest name that file systems accept, in bytes.
const MAX_NAME: usize = 255;

/// A directory of data files, and where the rest is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The directory of the data files. None if the state is in the state directory of the table, whose name and
    /// place say which directory it is, so that both can be moved and renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Where the rest is.
    pub state_directory: StateDirectory,
    /// The number of the shard, if the export is a share of a plan: its own files are then in a directory below the
    /// state directory, which all shards have in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<u32>,
}

/// Where the state directory of a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateDirectory {
    /// `_NAME.cosmos-tail`, beside the table `NAME`.
    Beside,
    /// `_cosmos-tail`, in the table.
    Inside,
}

impl Table {
    /// The directory of the data files, if `base` is the directory of the state.
    pub(super) fn path(&self, base: &Path) -> Option<PathBuf> {
        if let Some(directory) = &self.directory {
            return Some(normalized(&base.join(directory)));
        }
        // A link must not stand in the place of a state directory, so it keeps its name here.
        let base = if base.file_name().is_some() {
            normalized(base)
        } else {
            real(base)
        };
        let base = match self.shard {
            None => base,
            Some(shard) => {
                let own = base.file_name()?.to_str()?;
                (own == shard_directory(shard)).then(|| parent_of(&base).to_owned())?
            }
        };
        let own = base.file_name()?.to_str()?;
        match self.state_directory {
            StateDirectory::Inside => (own == INSIDE).then(|| base.parent().map(normalized))?,
            StateDirectory::Beside => {
                let name = own.strip_prefix('_')?.strip_suffix(BESIDE_SUFFIX)?;
                let name = name.replace("%3D", "=").replace("%25", "%");
                let directory = base.with_file_name(name);
                (self.state_directory.of(&directory) == base).then_some(directory)
            }
        }
    }
}

impl Table {
    /// The directory of what is not data, of the table `directory`.
    pub fn own(&self, directory: &Path) -> PathBuf {
        let own = self.state_directory.of(directory);
        match self.shard {
            None => own,
            Some(shard) => own.join(shard_directory(shard)),
        }
    }
}

/// The object that says which group writes to a place.
pub const GROUP_FILE: &str = "group.json";
/// The states of the ranges of a group are below this, and nothing else is: a listing has one for each range.
const RANGES: &str = "ranges/";

/// The name below `address` of an object that is not data, of the export there or of the shard or the range whose address it
/// is.
pub fn own_object(address: &Address, name: &str) -> String {
    match (address.shard(), address.range()) {
        (Some(shard), _) => format!("{INSIDE}/{}/{name}", shard_directory(shard)),
        (None, Some(range)) if name == STATE_FILE => format!("{INSIDE}/{RANGES}{range}.json"),
        (None, Some(range)) => format!("{INSIDE}/range-{range}/{name}"),
        (None, None) => format!("{INSIDE}/{name}"),
    }
}

/// The directory of the states of the ranges of a group.
pub fn states_of_ranges() -> String {
    format!("{INSIDE}/{RANGES}")
}

/// The range whose state an object of this name is.
pub fn range_of_state(name: &str) -> Option<&str> {
    let name = name.strip_prefix(&states_of_ranges())?;
    let range = name.strip_suffix(".json")?;
    (!range.contains('/')).then_some(range)
}

/// How the names of the objects of all shards begin that are not data.
pub(super) fn shard_directories() -> String {
    format!("{INSIDE}/{SHARD}")
}

/// How the names of the directories of shards begin.
pub(super) const SHARD: &str = "shard-";

/// The name of the directory of a shard, below the state directory of its table.
pub fn shard_directory(shard: u32) -> String {
    format!("{SHARD}{shard:05}")
}

impl StateDirectory {
    /// The state directory of the table `directory`.
    pub fn of(self, directory: &Path) -> PathBuf {
        let beside = match self {
            Self::Beside => beside_name(directory),
            Self::Inside => None,
        };
        beside.map_or_else(
            || directory.join(INSIDE),
            |name| match directory.parent() {
                Some(parent) => parent.join(name),
                None => PathBuf::from(name),
            },
        )
    }

    /// Where a new export to `directory` keeps its state directory: beside it, if there is such a place on the
    /// same file system where this process may write. `state_path` is where the user wants the state, if given.
    pub fn choose(directory: &Path, state_path: Option<&Path>) -> Self {
        let inside = directory.join(INSIDE);
        let is_asked_for = state_path.is_some_and(|path| path.parent() == Some(&inside));
        if is_asked_for || beside_name(directory).is_none() {
            return Self::Inside;
        }
        let beside = Self::Beside.of(directory);
        let parent = parent_of(directory);
        let place = if beside.is_dir() { &beside } else { parent };
        if is_mounted(directory, parent) || !is_writable(place) {
            return Self::Inside;
        }
        Self::Beside
    }
}

/// The name of the state directory beside a table. A `=` would make Spark take it for a partition of a table above.
fn beside_name(directory: &Path) -> Option<String> {
    let name = directory.file_name()?.to_str()?;
    let name = name.replace('%', "%25").replace('=', "%3D");
    let name = format!("_{name}{BESIDE_SUFFIX}");
    (name.len() <= MAX_NAME).then_some(name)
}

/// Whether a directory is of another file system than the one above, or another mount of the same, so that nothing
/// can be renamed from there.
fn is_mounted(directory: &Path, parent: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let device = |path: &Path| path.metadata().ok().map(|metadata| metadata.dev());
        let differ = |own: Option<u64>, above: Option<u64>| matches!((own, above), (Some(own), Some(above)) if own != above);
        differ(device(directory), device(parent)) || differ(mount_of(directory), mount_of(parent))
    }
    #[cfg(not(unix))]
    {
        let _not_known = (directory, parent);
        false
    }
}

/// The number of the mount that a path is on, if the system knows it. A directory that is mounted at a second place
/// has the device of the first.
#[cfg(unix)]
fn mount_of(path: &Path) -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
        let found = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
        let is_known = found.stx_mask & StatxFlags::MNT_ID.bits() != 0;
        is_known.then_some(found.stx_mnt_id)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _not_known = path;
        None
    }
}

/// Whether this process may create files in a directory. One that does not exist yet is created by the export.
fn is_writable(directory: &Path) -> bool {
    #[cfg(unix)]
    {
        use rustix::fs::{Access, access};
        !directory.is_dir() || access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()
    }
    #[cfg(not(unix))]
    {
        let _not_known = directory;
        true
    }
}

/// `directory` as its state directory is found by: not through a link in its last component, and by its own name.
pub fn real(directory: &Path) -> PathBuf {
    let plain = normalized(directory);
    let is_named = matches!(plain.components().next_back(), Some(Component::Normal(_)));
    if is_named && !plain.is_symlink() {
        return plain;
    }
    plain.canonicalize().unwrap_or(plain)
}

/// `path` without `.`, and without `..` after a name.
pub(super) fn normalized(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(plain.components().next_back(), Some(Component::Normal(_))) =>
            {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    if plain.as_os_str().is_empty() {
        plain.push(".");
    }
    plain
}

/// All places where an export to `directory` may keep what is not data.
pub(super) fn places(directory: &Path) -> Vec<PathBuf> {
    let mut places = vec![
        StateDirectory::Beside.of(directory),
        StateDirectory::Inside.of(directory),
        directory.to_owned(),
    ];
    places.dedup();
    places
}

/// Where the export to `directory` keeps its state, its manifest or, if they are elsewhere, the file that says
/// where; none if there is no export.
///
/// # Errors
///
/// If several exports claim the directory, or its state directory is a link.
pub fn state_directory_of(directory: &Path) -> Result<Option<PathBuf>> {
    let directory = real(directory);
    let is_used = |place: &PathBuf| {
        [STATE_FILE, MANIFEST_FILE, OWNER_FILE]
            .iter()
            .any(|name| is_there(&place.join(name)))
    };
    let mut found = places(&directory);
    found.retain(is_used);
    if let [one, other, ..] = &*found {
        return Err(usage(
            format!(
                "`{}` has two exports: one in `{}`, the other in `{}`",
                shown_path(&directory),
                shown_path(one),
                shown_path(other)
            ),
            "name the state of one of them; to name the directory again, move the other one's files away",
        ));
    }
    let found = found.pop();
    if let Some(found) = found.as_ref().filter(|found| **found != directory) {
        ensure_own(found)?;
    }
    Ok(found)
}

/// Checks that a state directory, if it exists, is a directory: not a link to one, which could be anywhere.
///
/// # Errors
///
/// If it is something else.
pub(super) fn ensure_own(directory: &Path) -> Result<()> {
    match std::fs::symlink_metadata(directory) {
        Ok(metadata) if !metadata.is_dir() => {
            let kind = if metadata.is_symlink() {
                "a symbolic link"
            } else {
                "a file"
            };
            Err(with_hint(
                anyhow::anyhow!("`{}` is {kind}, not a directory", shown_path(&directory)),
                "cosmos-tail needs a directory of that name: move it away, or use another output",
            ))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_directory_has_the_name_of_its_table() {
        for (directory, expected) in [
            ("/data/nightly", "/data/_nightly.cosmos-tail"),
            ("nightly", "_nightly.cosmos-tail"),
            (
                "/lake/day=2026-11-28",
                "/lake/_day%3D2026-11-28.cosmos-tail",
            ),
            ("a%3D", "_a%253D.cosmos-tail"),
            // They have no name.
            ("/", "/_cosmos-tail"),
            ("..", "../_cosmos-tail"),
        ] {
            let found = StateDirectory::Beside.of(Path::new(directory));
            assert_eq!(found, Path::new(expected));
        }
        let long = "x".repeat(MAX_NAME);
        let found = StateDirectory::Beside.of(Path::new(&long));
        assert_eq!(found, Path::new(&long).join(INSIDE));
    }

    #[test]
    fn paths_lose_what_leads_back() {
        for (path, expected) in [
            ("/a/_b.cosmos-tail/../b", "/a/b"),
            ("./../b", "../b"),
            ("a/..", "."),
            ("a/./b/", "a/b"),
            ("../../a", "../../a"),
        ] {
            assert_eq!(normalized(Path::new(path)), Path::new(expected));
        }
    }
}

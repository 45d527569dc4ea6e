//! Which export owns an output: what is cut, deleted, renamed or appended to must be provably the export's.
//!
//! A checksum detects damage, not malice: a state may come from anywhere, and name any output. So a state
//! controls only
//!
//! 1. the output that it is beside, under its default name;
//! 2. an output whose owner file (`state.json.owner`) names that export and that state. It is written
//!    when an export begins whose state is elsewhere;
//! 3. an output without an owner file, as older builds left them, if it is empty, or if its manifest
//!    lists files of this export, and everything with a name of its files is listed there or in the state.
//!
//! A file within such an output that belongs to another export to a single file
//! ([`FileNames::claimed_by_another`]) nevertheless belongs to that export.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::committed::Committed;
use super::manifest::{Entry, Manifest, Purpose};
use super::names::FileNames;
use crate::count::exactly;
use crate::durable::{self, parent_of, shown_path};
use crate::error::with_hint;

const FORMAT: &str = "cosmos-tail owner";

/// The largest owner file that is read: a path and a few words.
const MAX_BYTES: u64 = 64 << 10;

/// The content of an owner file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    format: String,
    /// The export whose output it is.
    pub export_id: uuid::Uuid,
    /// Its state file, relative to the output's directory if the state's directory holds that; or the address of its
    /// state in an object store.
    pub state: String,
}

/// What proves that an output belongs to an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The state is beside it.
    Beside,
    /// Its owner file says so.
    Owned,
    /// Nothing in it could belong to another export, and there is no owner file yet.
    Recognized,
}

impl Owner {
    /// Reads the owner file of the output `names`, if there is one.
    ///
    /// # Errors
    ///
    /// If it is damaged, or any error of the system.
    pub fn read(names: &FileNames) -> Result<Option<Self>> {
        let Some(path) = names.owner() else {
            return Ok(None);
        };
        if !durable::is_plain_file(&path)? {
            return Ok(None);
        }
        let length = fs::metadata(&path)?.len();
        let owner: Result<Self> = if length > MAX_BYTES {
            Err(anyhow!("it has {}", exactly(length, "byte")))
        } else {
            serde_json::from_slice(&fs::read(&path)?).map_err(Into::into)
        };
        let owner = owner.and_then(|owner| {
            ensure!(owner.format == FORMAT, "it is not marked as a {FORMAT}");
            Ok(owner)
        });
        owner.map(Some).map_err(|error| {
            with_hint(
                error.context(format!("`{}` is damaged", shown_path(&path))),
                "it names the state that the output belongs to: restore it, or move the state beside the \
                 output and remove this file",
            )
        })
    }

    /// Marks the output `names` as that of the export `export_id` with the state `state_path`, if the state
    /// is elsewhere; a state beside the output needs no mark.
    ///
    /// # Errors
    ///
    /// If a file of another program has that name, the path is not Unicode, or any error of the operating
    /// system.
    pub fn write(names: &FileNames, export_id: uuid::Uuid, state_path: &Path) -> Result<()> {
        let Some(path) = names.owner() else {
            return Ok(());
        };
        if is_beside(names, state_path) {
            return durable::remove_plain("resume.delete", &path);
        }
        if durable::is_plain_file(&path)? {
            durable::begins_as_ours(&path)?;
        }
        let state = relative(state_path, names.directory());
        let owner = Self {
            format: FORMAT.to_owned(),
            export_id,
            state: state
                .to_str()
                .with_context(|| format!("the path `{}` is not Unicode", shown_path(&state)))?
                .to_owned(),
        };
        let mut text = serde_json::to_vec(&owner)?;
        text.push(b'\n');
        durable::replace(&path, &text)
            .with_context(|| format!("cannot write `{}`", shown_path(&path)))
    }

    /// The path of the state that it names, or its address.
    pub fn state_path(&self, names: &FileNames) -> PathBuf {
        if self.state.contains("://") {
            return PathBuf::from(&self.state);
        }
        names.directory().join(&self.state)
    }

    /// Whether it names this export and this state.
    fn names_state(&self, names: &FileNames, export_id: uuid::Uuid, state_path: &Path) -> bool {
        self.export_id == export_id
            && (is_same(&self.state_path(names), state_path) || is_beside(names, state_path))
    }
}

/// Finds what proves that the output `names` belongs to the export of `committed`, whose state is at
/// `state_path`. Nothing is changed.
///
/// # Errors
///
/// If nothing proves it, with a hint.
pub fn prove(committed: &Committed<'_>, state_path: &Path, names: &FileNames) -> Result<Proof> {
    names.ensure_own_directory()?;
    let Some(default_state) = names.default_state() else {
        return Ok(Proof::Beside);
    };
    if let Some(owner) = Owner::read(names)? {
        if owner.names_state(names, committed.export_id, state_path) {
            return Ok(if is_beside(names, state_path) {
                Proof::Beside
            } else {
                Proof::Owned
            });
        }
        let theirs = owner.state_path(names);
        let error = anyhow!(
            "the output `{}` belongs to the export {} with the state `{}`",
            names.display(),
            owner.export_id,
            shown_path(&theirs)
        );
        return Err(with_hint(
            error,
            format!(
                "name that state; if it is this one and was moved, move it back or to `{}`",
                shown_path(&default_state)
            ),
        ));
    }
    if is_beside(names, state_path) {
        return Ok(Proof::Beside);
    }
    recognize(committed, names, &default_state).map_err(|error| {
        with_hint(
            error.context(format!(
                "nothing proves that the output `{}` belongs to this state",
                names.display()
            )),
            format!(
                "if it does, move the state beside it, to `{}`, and name it there",
                shown_path(&default_state)
            ),
        )
    })?;
    Ok(Proof::Recognized)
}

/// Recognizes an output without an owner file: it is empty, or it has the export's id and only files that
/// the export knows.
fn recognize(committed: &Committed<'_>, names: &FileNames, default_state: &Path) -> Result<()> {
    ensure!(
        !durable::is_there(default_state),
        "`{}` exists, which is the state of another export",
        shown_path(&default_state)
    );
    for other in names.elsewhere() {
        let claims = [other.default_state(), other.manifest(), other.owner()];
        if let Some(claim) = claims
            .into_iter()
            .flatten()
            .find(|path| durable::is_there(path))
        {
            return Err(anyhow!(
                "`{}` exists, which is of another export",
                shown_path(&claim)
            ));
        }
    }
    let mut known = Vec::new();
    let listing = names.manifest().filter(|path| durable::is_there(path));
    let mut is_marked = false;
    if let Some(path) = &listing {
        durable::is_plain_file(path)?;
        let manifest = Manifest::read(path, Purpose::Committed { committed, names })?;
        manifest.ensure_whole(&shown_path(&path).to_string())?;
        let known_beyond = ensure_known_beyond(&manifest, committed, names, path)?;
        is_marked = known_beyond > 0 || !manifest.entries.is_empty();
        ensure!(
            is_marked || manifest.beyond.is_empty(),
            "`{}` lists no file that the state has committed",
            shown_path(&path)
        );
        for entry in &manifest.entries {
            known.extend(names.part_of(&entry.file).map(|part| part.path));
        }
    }
    let open = committed.open().chain(committed.sealed);
    known.extend(open.map(|file| names.open_part(file.series, file.part)));
    known.extend(committed.sealed.iter().map(|file| names.finished(file)));
    for found in names.existing()? {
        ensure!(
            is_marked && known.contains(&found.path),
            "`{}` exists, and no manifest lists it as a file of this export",
            shown_path(&found.path)
        );
    }
    Ok(())
}

/// Checks that the lines after the committed part of a manifest, which will be cut off, list only files that
/// the state has sealed. Returns how many.
///
/// # Errors
///
/// If they list others: then the manifest is newer than the state, or of another export.
pub fn ensure_known_beyond(
    manifest: &Manifest,
    committed: &Committed<'_>,
    names: &FileNames,
    path: &Path,
) -> Result<usize> {
    let mut listed = 0;
    for entry in manifest.entries_beyond() {
        let is_known = committed
            .sealed
            .iter()
            .any(|sealed| Entry::of(committed, names, sealed).is_the_same_as(&entry));
        ensure!(
            is_known,
            "the manifest `{}` lists `{}`, which is not in the state",
            shown_path(&path),
            entry.file.escape_debug()
        );
        listed += 1;
    }
    Ok(listed)
}

/// Whether the state has the default path for the output.
fn is_beside(names: &FileNames, state_path: &Path) -> bool {
    names
        .default_state()
        .is_some_and(|default| is_same(&default, state_path))
}

/// Whether two paths name the same file of the same directory; only links to the directory are followed.
fn is_same(a: &Path, b: &Path) -> bool {
    let directory = |path: &Path| parent_of(path).canonicalize();
    match (directory(a), directory(b)) {
        (Ok(of_a), Ok(of_b)) => of_a == of_b && a.file_name() == b.file_name(),
        _ => a == b,
    }
}

/// `path` relative to `directory`, if the directory of `path` contains it, so that both can be moved together.
fn relative(path: &Path, directory: &Path) -> PathBuf {
    let below = directory.strip_prefix(parent_of(path)).ok();
    let is_plain = |below: &&Path| {
        below
            .components()
            .all(|component| matches!(component, Component::Normal(_)))
    };
    match (below.filter(is_plain), path.file_name()) {
        (Some(below), Some(name)) => {
            let mut relative: PathBuf = below.components().map(|_| "..").collect();
            relative.push(name);
            relative
        }
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::{ManifestMark, Output};

    fn committed(export_id: u128, output: &Output) -> Committed<'_> {
        Committed {
            generation: 0,
            export_id: uuid::Uuid::from_u128(export_id),
            output,
            records: None,
            masked: false,
            ranges: &[],
            series: &[],
            sealed: &[],
            manifest: ManifestMark::default(),
            claims: &[],
        }
    }

    #[test]
    fn a_state_in_a_directory_above_is_named_relatively() {
        for (state, directory, expected) in [
            ("/a/s.json", "/a/b/c", "../../s.json"),
            ("/a/s.json", "/a", "s.json"),
            ("/x/s.json", "/a/b", "/x/s.json"),
            ("/a/b/s.json", "/a", "/a/b/s.json"),
        ] {
            let found = relative(Path::new(state), Path::new(directory));
            assert_eq!(found, Path::new(expected));
        }
    }

    #[test]
    fn an_owner_file_names_one_export_and_one_state() {
        let directory = tempfile::tempdir().unwrap();
        let state_path = directory.path().join("elsewhere.json");
        let output = Output::Directory("out".into());
        let own = committed(7, &output);
        let names = FileNames::new(&output, directory.path(), "orders", "jsonl");
        fs::create_dir(names.directory()).unwrap();
        assert_eq!(prove(&own, &state_path, &names).unwrap(), Proof::Recognized);
        Owner::write(&names, own.export_id, &state_path).unwrap();
        assert_eq!(prove(&own, &state_path, &names).unwrap(), Proof::Owned);
        prove(&own, &directory.path().join("copy.json"), &names).unwrap_err();
        let beside = names.default_state().unwrap();
        assert_eq!(prove(&own, &beside, &names).unwrap(), Proof::Beside);
        let own = committed(8, &output);
        prove(&own, &state_path, &names).unwrap_err();
        prove(&own, &beside, &names).unwrap_err();
    }
}

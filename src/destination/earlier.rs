//! The files of an earlier export: the only ones that `export --force` removes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, ensure};
use fs_err as fs;

use super::committed::Committed;
use super::manifest::{Manifest, Purpose};
use super::names::{FileNames, PartFile};
use super::output::Output;
use super::owner::Owner;
use super::part::{FileState, ManifestMark, SeriesState};
use super::recover::may_be_unknown;
use super::shards::{Home, SHARDS_FILE, Shards};
use crate::durable::{self, shown_path};
use crate::error::{Annotate, ExitCode, usage, with_exit_code, with_hint};
use crate::escape::shell_word;
use crate::feed::RangeSet;

/// The files of an earlier export, by its state.
#[derive(Debug)]
pub struct Earlier {
    /// The export.
    pub export_id: uuid::Uuid,
    /// Where its documents go.
    pub output: Output,
    /// The names of its files.
    pub names: FileNames,
    /// The ranges being read.
    pub ranges: RangeSet,
    /// The series of parts.
    pub series: Vec<SeriesState>,
    /// Parts that are finished and not yet published.
    pub sealed: Vec<FileState>,
    /// How much of the manifest is committed.
    pub manifest: ManifestMark,
}

impl Earlier {
    fn committed(&self) -> Committed<'_> {
        Committed {
            export_id: self.export_id,
            generation: 0,
            output: &self.output,
            records: None,
            masked: false,
            ranges: &self.ranges,
            series: &self.series,
            sealed: &self.sealed,
            manifest: self.manifest,
            claims: &[],
        }
    }
}

/// Reads the state of an earlier export; an error if the file is not a state.
pub type ReadEarlier = fn(&Path) -> Result<Earlier>;

/// The files of earlier exports to the output `names`, in the order of their removal: states first, so that
/// after a crash in between the rest is not taken for a complete export.
///
/// # Errors
///
/// If something in the way is not of an export: a file with the name of a state that is not one, a file that
/// no manifest and no state lists, a link, or a manifest of something else. Nothing is changed.
pub fn left_by_earlier(
    names: &FileNames,
    state_path: Option<&Path>,
    read_earlier: ReadEarlier,
) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut states = Vec::new();
    if let Some(Shards {
        home: Home::Directory(own),
        ..
    }) = shards_at(names)?
    {
        return Err(foreign(
            &own.join(SHARDS_FILE),
            "it is of the shards of a plan",
        ));
    }
    let places = places_of(names);
    for path in state_paths(&places, state_path) {
        if !durable::is_plain_file(&path)? {
            continue;
        }
        durable::begins_as_ours(&path)?;
        if let Ok(earlier) = read_earlier(&path) {
            ensure_of_files(&path, &earlier.output)?;
            states.push(earlier);
        } else {
            ensure_no_replay(&path)?;
        }
        found.push(path);
    }
    // The next commit would not replace it.
    for path in places[1..].iter().filter_map(FileNames::default_state) {
        found.extend(durable::left_staged(&path)?);
    }
    // A state elsewhere knows the files too. It is kept, but no longer controls them.
    for place in &places {
        if let Some(owner) = Owner::read(place)? {
            let path = owner.state_path(place);
            if let Ok(earlier) = read_earlier(&path)
                && earlier.export_id == owner.export_id
            {
                states.push(earlier);
            }
        }
    }
    let mut listed = BTreeSet::new();
    for place in &places {
        let Some(path) = place.manifest() else {
            continue;
        };
        if !durable::is_plain_file(&path)? {
            continue;
        }
        let manifest = Manifest::read(
            &path,
            Purpose::Finished {
                committed: None,
                // An earlier export to a directory may have been of another container, or in another format.
                names: Some(place).filter(|place| !place.is_directory()),
            },
        )?;
        if manifest.entries.is_empty() && !manifest.faults.is_empty() {
            return Err(foreign(&path, "it lists no files of an export"));
        }
        listed.extend(manifest.entries.into_iter().map(|entry| entry.file));
        found.push(path);
    }
    for part in existing(&places)? {
        durable::is_plain_file(&part.path)?;
        let is_listed = places
            .iter()
            .any(|place| listed.contains(&place.name_of(&part.path)));
        let is_of_state = |earlier: &Earlier| {
            let committed = earlier.committed();
            let is_open_here = earlier.names.open_part(part.series, part.part) == part.path;
            let mut known = committed.open().chain(committed.sealed);
            let is_it = |file: &FileState| {
                (file.series, file.part) == (part.series, part.part)
                    && (is_open_here || earlier.names.finished(file) == part.path)
            };
            known.any(is_it) || (is_open_here && may_be_unknown(&committed, &part))
        };
        if names.found_is_claimed(&part) || !(is_listed || states.iter().any(is_of_state)) {
            return Err(foreign(&part.path, "no manifest and no state lists it"));
        }
        names
            .ensure_own_partition(&part)
            .exit_code(ExitCode::Usage)?;
        found.push(part.path);
    }
    let definitions = places.iter().filter_map(FileNames::definition);
    let definitions = definitions.collect::<Vec<_>>();
    for path in &definitions {
        found.extend(durable::left_staged(path)?);
    }
    let owners = places.iter().filter_map(FileNames::owner);
    for owner in definitions.into_iter().chain(owners) {
        if durable::is_plain_file(&owner)? {
            durable::begins_as_ours(&owner)?;
            found.push(owner);
        }
    }
    Ok(found)
}

/// The shards of a plan that write to this directory, unless the output is one of them.
fn shards_at(names: &FileNames) -> Result<Option<Shards>> {
    match names.is_directory() && !names.is_of_shard() {
        true => Shards::of(names.directory()),
        false => Ok(None),
    }
}

/// The output, and the same with each other place where an earlier export may have kept what is not data.
fn places_of(names: &FileNames) -> Vec<FileNames> {
    std::iter::once(names.clone())
        .chain(names.elsewhere())
        .map(FileNames::in_any_partition)
        .collect()
}

/// The paths of states of exports to these places.
fn state_paths(places: &[FileNames], state_path: Option<&Path>) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = state_path.map(Path::to_owned).into_iter().collect();
    for path in places.iter().filter_map(FileNames::default_state) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// The parts of exports to these places.
fn existing(places: &[FileNames]) -> Result<BTreeSet<PartFile>> {
    let mut found = BTreeSet::new();
    for place in places {
        found.extend(place.existing()?);
    }
    Ok(found)
}

/// The state of an export to objects is the only thing that knows its position, and its objects stay.
fn ensure_of_files(path: &Path, output: &Output) -> Result<()> {
    match output {
        Output::ObjectsAt(address) => Err(usage(
            format!(
                "`{}` is the state of an export to `{}`, which --force does not replace",
                shown_path(&path),
                address.escape_debug()
            ),
            format!(
                "choose another state, or continue that export: cosmos-tail resume --state {}",
                shell_word(path)
            ),
        )),
        _ => Ok(()),
    }
}

/// The state of a replay begins like that of an export, but is not one.
fn ensure_no_replay(path: &Path) -> Result<()> {
    let text = fs::read(path)?;
    if text.starts_with(br#"{"format":"cosmos-tail replay"#) {
        return Err(foreign(path, "it is the state of a replay"));
    }
    Ok(())
}

fn foreign(path: &Path, why: &str) -> anyhow::Error {
    let error = anyhow!("`{}` is not of an earlier export: {why}", shown_path(&path));
    with_exit_code(
        with_hint(
            error,
            "--force removes only files of exports: move it away, or choose another output",
        ),
        ExitCode::Usage,
    )
}

/// Checks that nothing is in the way of a new output `names`: neither a file with such a name nor the owner
/// file of another export.
///
/// # Errors
///
/// Names what is in the way.
pub fn ensure_free(names: &FileNames, state_path: Option<&Path>) -> Result<()> {
    const REPLACE: &str =
        "choose another output, or replace the files of an earlier export with --force";
    if let Some(shards) = shards_at(names)? {
        return Err(shards.are_many(&shown_path(names.directory()).to_string()));
    }
    let places = places_of(names);
    for state in &state_paths(&places, state_path) {
        if durable::is_plain_file(state)? {
            return Err(usage(
                format!("`{}` holds the state of an export", shown_path(&state)),
                format!(
                    "to continue it, run: cosmos-tail resume --state {}; to replace it, add --force",
                    shell_word(state)
                ),
            ));
        }
    }
    if let Some(found) = existing(&places)?.first() {
        durable::is_plain_file(&found.path)?;
        return Err(usage(
            format!("`{}` exists", shown_path(&found.path)),
            REPLACE,
        ));
    }
    for manifest in places.iter().filter_map(FileNames::manifest) {
        ensure!(
            !durable::is_plain_file(&manifest)?,
            usage(format!("`{}` exists", shown_path(&manifest)), REPLACE)
        );
    }
    for place in &places {
        let Some(owner) = Owner::read(place)? else {
            continue;
        };
        let theirs = owner.state_path(place);
        ensure!(
            !durable::is_there(&theirs),
            usage(
                format!(
                    "the output `{}` belongs to the export with the state `{}`",
                    names.display(),
                    shown_path(&theirs)
                ),
                REPLACE,
            )
        );
    }
    Ok(())
}

/// Checks that nothing is in the way of a new tail to the file of `names`.
///
/// # Errors
///
/// Names what is in the way.
pub fn ensure_free_to_append(names: &FileNames) -> Result<()> {
    let path = names.part(0, 1);
    if durable::is_plain_file(&path).exit_code(ExitCode::Usage)? {
        return Err(usage(
            format!("`{}` exists, but has no state", shown_path(&path)),
            "choose another file, or move it away",
        ));
    }
    if let Some(beside) = names.default_state().filter(|path| durable::is_there(path)) {
        return Err(usage(
            format!(
                "`{}` exists, which is the state of another tail to that file",
                shown_path(&beside)
            ),
            "choose another file, or continue with that state",
        ));
    }
    Ok(())
}

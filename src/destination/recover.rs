//! After a crash: brings the files on disk into line with the last committed state.
//!
//! All checks come first, so that a refusal changes nothing. Then files are cut to their committed length,
//! finished ones are published, unknown open ones are deleted, and nothing else is touched. Each of these
//! steps can be repeated, so a crash in the middle of them does no harm.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use fs_err as fs;

use super::committed::Committed;
use super::manifest::{self, Manifest, Purpose};
use super::names::{FileNames, PartFile};
use super::owner::{Owner, Proof, ensure_known_beyond, prove};
use super::part::{FileState, ManifestMark, ResumedPart};
use crate::count::{exactly, was};
use crate::durable::{self, shown_path};
use crate::error::{Annotate, is_of_the_system, with_hint};
use crate::failpoint::{self, FileChange};

/// What was found and done.
#[derive(Debug, Default)]
pub struct Recovery {
    /// The open parts to continue.
    pub resumed: Vec<ResumedPart>,
    /// Open parts that contradicted the state and were dropped: their ranges are read again from the start
    /// of these parts.
    pub dropped: Vec<FileState>,
    /// How much of the manifest is committed, now that all sealed parts are listed in it.
    pub manifest: ManifestMark,
    /// What the user may want to know, one sentence each.
    pub notices: Vec<String>,
}

impl Recovery {
    /// The recovery of a destination that has no parts.
    pub fn of_nothing(committed: &Committed<'_>) -> Self {
        Self {
            manifest: committed.manifest,
            ..Self::default()
        }
    }
}

/// A part is not what was committed: a repair reads its span again.
#[derive(Debug)]
pub enum NeedsRepair {
    /// An open file, and what is wrong with it.
    File(String),
    /// The upload of this object; and all sealed objects that are not there, which it is one of.
    Upload(String, Vec<String>),
}

impl fmt::Display for NeedsRepair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(wrong) => f.write_str(wrong),
            Self::Upload(object, missing) if missing.is_empty() => {
                write!(f, "the upload of `{object}` cannot be completed")
            }
            Self::Upload(_, missing) => {
                let missing = missing.join("`, `");
                write!(f, "sealed, not listed, and not there: `{missing}`")
            }
        }
    }
}

impl std::error::Error for NeedsRepair {}

/// Checks what [`recover`] checks, and changes nothing. Returns the open parts that it would drop.
///
/// # Errors
///
/// As [`recover`].
pub(super) fn check(
    committed: &Committed<'_>,
    state_path: &Path,
    names: &FileNames,
    repair: bool,
) -> Result<Vec<FileState>> {
    let changes = Changes::find(committed, state_path, names, repair)?;
    Ok(changes.dropped.into_iter().map(|(part, _)| part).collect())
}

/// Brings the files `names` into line with what is committed. With `repair`, open parts that do not
/// match it are deleted.
///
/// # Errors
///
/// If the output is not provably the export's, or a file contradicts the state, with a hint: then nothing
/// has changed. Or any error of the operating system.
pub(super) fn recover(
    committed: &Committed<'_>,
    state_path: &Path,
    names: &FileNames,
    repair: bool,
) -> Result<Recovery> {
    let changes = Changes::find(committed, state_path, names, repair)?;
    changes.make(committed, state_path, names)
}

/// Whether an open part that the state does not know may have been begun after the last commit: it is of a
/// range that is read, and its number is not below that of the next part.
pub fn may_be_unknown(committed: &Committed<'_>, found: &PartFile) -> bool {
    let next = committed.series.iter().find(|one| one.id == found.series);
    committed.has_ranges(found.series) && found.part >= next.map_or(1, |series| series.next_part)
}

/// What has to change so that the files are in line with the state.
#[derive(Debug, Default)]
struct Changes {
    /// Whether to mark the output as this export's.
    unmarked: bool,
    /// Open parts that were begun after the last commit.
    unknown: Vec<PathBuf>,
    /// How much of the manifest counts.
    manifest: ManifestMark,
    /// Finished parts that do not have their final names yet.
    unpublished: Vec<FileState>,
    /// The open names of parts that have their final names too.
    published: Vec<PathBuf>,
    /// Open parts to continue.
    resumed: Vec<FileState>,
    /// Open parts to drop, and why.
    dropped: Vec<(FileState, anyhow::Error)>,
}

impl Changes {
    /// Checks everything, and changes nothing.
    fn find(
        committed: &Committed<'_>,
        state_path: &Path,
        names: &FileNames,
        repair: bool,
    ) -> Result<Self> {
        let mut changes = Self {
            manifest: committed.manifest,
            ..Self::default()
        };
        changes.unmarked = prove(committed, state_path, names)? == Proof::Recognized;
        changes.look_at_manifest(committed, names)?;
        for sealed in committed.sealed {
            changes.look_at_sealed(sealed, names)?;
        }
        let open = committed.open();
        for part in open.clone() {
            changes.look_at_open(part, names, repair)?;
        }
        for found in names.existing()? {
            if !found.is_open {
                ensure_not_to_be_written(committed, &found, names)?;
                continue;
            }
            let is_known = open
                .clone()
                .chain(committed.sealed)
                .any(|file| (file.series, file.part) == (found.series, found.part));
            let is_ours = may_be_unknown(committed, &found) && !names.found_is_claimed(&found);
            if !is_known && is_ours {
                durable::is_plain_file(&found.path)?;
                changes.unknown.push(found.path);
            }
        }
        Ok(changes)
    }

    fn look_at_manifest(&mut self, committed: &Committed<'_>, names: &FileNames) -> Result<()> {
        let Some(path) = names.manifest() else {
            return Ok(());
        };
        let read = durable::is_plain_file(&path).and_then(|_| {
            let manifest = Manifest::read(&path, Purpose::Committed { committed, names })?;
            manifest.ensure_whole(&shown_path(&path).to_string())?;
            ensure_known_beyond(&manifest, committed, names, &path)?;
            Ok(manifest.mark)
        });
        let hint = "restore the manifest: without it, finished files are unaccounted for";
        self.manifest = read.map_err(|error| contradiction(error, hint))?;
        Ok(())
    }

    fn look_at_sealed(&mut self, sealed: &FileState, names: &FileNames) -> Result<()> {
        ensure_unclaimed(sealed, names)?;
        let open = names.open_part(sealed.series, sealed.part);
        let path = names.finished(sealed);
        match (durable::is_there(&open), durable::is_there(&path)) {
            (true, false) => {
                verify(sealed, &open, false).map_err(|error| {
                    contradiction(
                        error,
                        "the file was changed or damaged after it was finished and before it was published; \
                         restore it, or export to a new place",
                    )
                })?;
                self.unpublished.push(sealed.clone());
            }
            (false, true) => verify(sealed, &path, true).map_err(|error| {
                contradiction(
                    error,
                    "this export did not write it; move it away, then resume",
                )
            })?,
            // A crash can leave both names of a file that was renamed to another directory.
            (true, true)
                if verify(sealed, &open, true).is_ok() && verify(sealed, &path, true).is_ok() =>
            {
                self.published.push(open);
            }
            (true, true) => {
                return Err(with_hint(
                    anyhow!(
                        "both `{}` and `{}` exist",
                        shown_path(&open),
                        shown_path(&path)
                    ),
                    "this export did not write the second; move it away, then resume",
                ));
            }
            (false, false) => {
                return Err(with_hint(
                    anyhow!(
                        "`{}` was finished but not yet published, and is missing",
                        shown_path(&open)
                    ),
                    format!("restore it as `{}`, then resume", shown_path(&path)),
                ));
            }
        }
        Ok(())
    }

    fn look_at_open(&mut self, part: &FileState, names: &FileNames, repair: bool) -> Result<()> {
        ensure_unclaimed(part, names)?;
        let path = names.open_part(part.series, part.part);
        // Something other than a file was not made by this export, and is not deleted either.
        durable::is_plain_file(&path).hint("move it away, then resume with --repair")?;
        match verify(part, &path, false) {
            Ok(()) => self.resumed.push(part.clone()),
            Err(error) if is_of_the_system(&error) => return Err(error),
            Err(mismatch) if repair => self.dropped.push((part.clone(), mismatch)),
            Err(mismatch) => return Err(NeedsRepair::File(format!("{mismatch:#}")).into()),
        }
        Ok(())
    }

    /// Makes the changes.
    fn make(
        self,
        committed: &Committed<'_>,
        state_path: &Path,
        names: &FileNames,
    ) -> Result<Recovery> {
        let mut recovery = Recovery {
            manifest: self.manifest,
            ..Recovery::default()
        };
        for directory in [names.directory(), names.own_directory()] {
            durable::create_directory(directory)
                .map_err(|error| anyhow!(error).context("cannot create the output directory"))?;
        }
        if self.unmarked {
            Owner::write(names, committed.export_id, state_path)?;
        }
        for path in &self.unknown {
            durable::remove_plain("resume.delete", path)?;
            let path = shown_path(&path);
            recovery
                .notices
                .push(format!("deleted `{path}`: nothing in it was committed"));
        }
        if let Some(path) = names.manifest() {
            manifest::truncate(&path, recovery.manifest)?;
        }
        for sealed in &self.unpublished {
            cut_to_committed(sealed, names)?;
            let open = names.open_part(sealed.series, sealed.part);
            names.prepare_partition(sealed)?;
            durable::publish(&open, &names.finished(sealed))?;
        }
        if !committed.sealed.is_empty() {
            names.sync_published(committed.sealed)?;
            for open in &self.published {
                durable::remove_plain("resume.delete", open)?;
            }
            recovery.manifest = manifest::list(committed, recovery.manifest, names)?;
        }
        for part in self.resumed {
            cut_to_committed(&part, names)?;
            recovery.resumed.push(ResumedPart {
                series: part.series,
                part: part.part,
                length: part.length,
                rows: part.rows,
                crc32c: part.crc32c,
                place: part.place,
            });
        }
        for (part, mismatch) in self.dropped {
            let path = names.open_part(part.series, part.part);
            let existed = durable::is_there(&path);
            durable::remove_plain("resume.delete", &path)
                .map_err(|error| with_hint(error, "move it away, then resume with --repair"))?;
            let deleted = if existed { "; deleted it" } else { "" };
            recovery.notices.push(format!(
                "{mismatch:#}{deleted}; its range is read again from the start of this file"
            ));
            recovery.dropped.push(part);
        }
        Ok(recovery)
    }
}

/// Checks that a part that the state lists is not a file of another export, which keeps its state beside it.
fn ensure_unclaimed(part: &FileState, names: &FileNames) -> Result<()> {
    let finished = names.finished(part);
    match names.claimed_by_another(&finished) {
        Some(claim) => Err(with_hint(
            anyhow!(
                "`{}` belongs to another export: `{}` exists",
                shown_path(&finished),
                shown_path(&claim)
            ),
            "move that export's files away, then resume",
        )),
        None => Ok(()),
    }
}

/// Checks that a finished file of a partitioned table has no number that is still to be written: it can be in another
/// partition than the next file of that number will be. Such files are there if an earlier copy of the state is restored.
fn ensure_not_to_be_written(
    committed: &Committed<'_>,
    found: &PartFile,
    names: &FileNames,
) -> Result<()> {
    let series = committed.series.iter().find(|one| one.id == found.series);
    let is_sealed = committed
        .sealed
        .iter()
        .any(|sealed| names.finished(sealed) == found.path);
    let is_open = series
        .and_then(|one| one.open.as_ref())
        .is_some_and(|open| open.part == found.part);
    let is_next = found.part >= series.map_or(1, |one| one.next_part);
    if is_sealed || names.partition_by().is_none() || !(is_open || is_next) {
        return Ok(());
    }
    Err(with_hint(
        anyhow!("`{}` already exists", shown_path(&found.path)),
        "the state has not finished it: if the state is an earlier copy, restore the latest one, or export to a new \
         place; if this export did not write the file, move it away, then resume",
    ))
}

/// The error of a file that contradicts the state, with a hint. An error of the operating system is no
/// contradiction, so it gets no hint about the file.
fn contradiction(error: anyhow::Error, hint: &str) -> anyhow::Error {
    if is_of_the_system(&error) {
        error
    } else {
        with_hint(error, hint)
    }
}

/// Cuts an open file, which was checked before, to its committed length.
fn cut_to_committed(part: &FileState, names: &FileNames) -> Result<()> {
    let path = names.open_part(part.series, part.part);
    if fs::symlink_metadata(&path)?.len() == part.length {
        return Ok(());
    }
    let mut options = fs::OpenOptions::new();
    let file = durable::open_plain("part.open", &path, options.write(true))?;
    let cut = FileChange::Cut(&path, part.length);
    failpoint::step("resume.cut", cut, || file.set_len(part.length))?;
    failpoint::step("resume.sync", FileChange::Sync(&path), || file.sync_all())?;
    Ok(())
}

/// Checks that `path` begins with the committed bytes, and, with `whole`, that it ends with them.
fn verify(part: &FileState, path: &Path, whole: bool) -> Result<()> {
    durable::is_plain_file(path)?;
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(anyhow!("`{}` is missing", shown_path(&path)));
        }
        Err(error) => return Err(error.into()),
    };
    let length = file.metadata()?.len();
    if length < part.length || (whole && length > part.length) {
        let committed = part.length;
        return Err(anyhow!(
            "`{}` has {}, but {committed} {} committed",
            shown_path(&path),
            exactly(length, "byte"),
            was(committed)
        ));
    }
    let found = durable::checksum_prefix(&mut file, part.length)?;
    if found != part.crc32c {
        return Err(anyhow!(
            "`{}` has the checksum {found:08x}, but {:08x} was committed",
            shown_path(&path),
            part.crc32c
        ));
    }
    Ok(())
}

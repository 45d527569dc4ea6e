//! After a crash: brings the files on disk into line with the last committed state.
//!
//! All checks come first, so that what is refused is left as it was. Then files are cut to what was
//! committed, finished ones get their names, unknown open ones go, and nothing else is touched. Each of
//! these steps can be repeated, so a crash in the middle of them costs nothing.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use fs_err as fs;

use super::committed::Committed;
use super::manifest::{self, Manifest, Purpose};
use super::names::{FileNames, PartFile};
use super::owner::{Owner, Proof, ensure_known_beyond, prove};
use super::part::{FileState, ManifestMark, ResumedPart};
use crate::durable;
use crate::error::{Annotate, is_of_the_system, with_hint};
use crate::failpoint::{self, Change};

/// What was found and done.
#[derive(Debug, Default)]
pub struct Recovery {
    /// The open parts to continue.
    pub resumed: Vec<ResumedPart>,
    /// Open parts that contradicted the state and were dropped: their ranges are to be read again
    /// from where these began.
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

/// Brings the files `names` into line with what is committed. With `repair`, open parts that do not
/// match it are deleted.
///
/// # Errors
///
/// If the output is not provably the export's, or a file contradicts the state, naming it and what can
/// be done: then nothing has changed. Or any error of the system.
pub(super) fn recover(
    committed: &Committed<'_>,
    state_path: &Path,
    names: &FileNames,
    repair: bool,
) -> Result<Recovery> {
    let changes = Changes::find(committed, state_path, names, repair)?;
    changes.make(committed, state_path, names)
}

/// Whether an open part that the state does not know can be one that was begun after the last commit:
/// of a range that is read, and not before the part that comes next.
pub fn may_be_unknown(committed: &Committed<'_>, found: &PartFile) -> bool {
    let next = committed.series.iter().find(|one| one.id == found.series);
    committed.has_ranges(found.series) && found.part >= next.map_or(1, |series| series.next_part)
}

/// What has to change so that the files are in line with the state.
#[derive(Debug, Default)]
struct Changes {
    /// Whether the output is to be marked as this export's.
    unmarked: bool,
    /// Open parts that were begun after the last commit.
    unknown: Vec<PathBuf>,
    /// How much of the manifest counts.
    manifest: ManifestMark,
    /// Finished parts that have not got their final name.
    unpublished: Vec<FileState>,
    /// Open parts to go on with.
    resumed: Vec<FileState>,
    /// Open parts to throw away, and why.
    thrown: Vec<(FileState, anyhow::Error)>,
}

impl Changes {
    /// Looks at everything, and changes nothing.
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
        for found in names.existing()?.into_iter().filter(|found| found.is_open) {
            let is_known = open
                .clone()
                .chain(committed.sealed)
                .any(|file| (file.series, file.part) == (found.series, found.part));
            let is_ours = may_be_unknown(committed, &found)
                && names.claimed_by_another(found.series, found.part).is_none();
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
            manifest.ensure_whole(&path.display().to_string())?;
            ensure_known_beyond(&manifest.beyond, committed, names, &path)?;
            Ok(manifest.mark)
        });
        let hint = "put the manifest back as it was; without it finished files are unaccounted for";
        self.manifest = read.map_err(|error| contradiction(error, hint))?;
        Ok(())
    }

    fn look_at_sealed(&mut self, sealed: &FileState, names: &FileNames) -> Result<()> {
        ensure_unclaimed(sealed, names)?;
        let open = names.open_part(sealed.series, sealed.part);
        let path = names.part(sealed.series, sealed.part);
        match (durable::is_there(&open), durable::is_there(&path)) {
            (true, false) => {
                verify(sealed, &open, false).map_err(|error| {
                    contradiction(
                        error,
                        "the file was finished, and changed or damaged before it was published; put \
                         it back as it was, or export to a new place",
                    )
                })?;
                self.unpublished.push(sealed.clone());
            }
            (false, true) => verify(sealed, &path, true).map_err(|error| {
                contradiction(
                    error,
                    "it is not the file that this export finished; move it away, then resume",
                )
            })?,
            (true, true) => {
                return Err(with_hint(
                    anyhow!("both `{}` and `{}` exist", open.display(), path.display()),
                    "the second was not made by this export; move it away, then resume",
                ));
            }
            (false, false) => {
                return Err(with_hint(
                    anyhow!(
                        "`{}` is gone, which was finished but not yet published",
                        open.display()
                    ),
                    format!("put it back as `{}`, then resume", path.display()),
                ));
            }
        }
        Ok(())
    }

    fn look_at_open(&mut self, part: &FileState, names: &FileNames, repair: bool) -> Result<()> {
        ensure_unclaimed(part, names)?;
        let path = names.open_part(part.series, part.part);
        // What is no file was not made by this export, and is not thrown away either.
        durable::is_plain_file(&path).hint("move it away, then resume with --repair")?;
        match verify(part, &path, false) {
            Ok(()) => self.resumed.push(part.clone()),
            Err(error) if is_of_the_system(&error) => return Err(error),
            Err(mismatch) if repair => self.thrown.push((part.clone(), mismatch)),
            Err(mismatch) => {
                return Err(with_hint(
                    mismatch,
                    "the file was changed or damaged after it was committed; `resume --repair` throws \
                     it away and reads its range again from where the file began",
                ));
            }
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
        durable::create_directory(names.directory())
            .map_err(|error| anyhow!(error).context("cannot create the output directory"))?;
        if self.unmarked {
            Owner::write(names, committed.export_id, state_path)?;
        }
        for path in &self.unknown {
            durable::remove_plain("resume.delete", path)?;
            let path = path.display();
            recovery
                .notices
                .push(format!("deleted `{path}`, of which nothing was committed"));
        }
        if let Some(path) = names.manifest() {
            manifest::truncate(&path, recovery.manifest)?;
        }
        for sealed in &self.unpublished {
            cut_to_committed(sealed, names)?;
            let open = names.open_part(sealed.series, sealed.part);
            durable::publish(&open, &names.part(sealed.series, sealed.part))?;
        }
        if !committed.sealed.is_empty() {
            durable::sync_directory("publish.sync-directory", names.directory())?;
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
            });
        }
        for (part, mismatch) in self.thrown {
            let path = names.open_part(part.series, part.part);
            durable::remove_plain("resume.delete", &path)
                .map_err(|error| with_hint(error, "move it away, then resume with --repair"))?;
            recovery.notices.push(format!(
                "{mismatch:#}; threw `{}` away and read its range again from where it began",
                path.display()
            ));
            recovery.dropped.push(part);
        }
        Ok(recovery)
    }
}

/// Checks that a part that the state speaks of is not a file of another export, which keeps its state
/// beside it.
fn ensure_unclaimed(part: &FileState, names: &FileNames) -> Result<()> {
    match names.claimed_by_another(part.series, part.part) {
        Some(claim) => Err(with_hint(
            anyhow!(
                "`{}` is of another export: `{}` exists",
                names.part(part.series, part.part).display(),
                claim.display()
            ),
            "move that export's files away, then resume",
        )),
        None => Ok(()),
    }
}

/// An error of a file that contradicts the state, with what can be done. What only the system could
/// not do is no contradiction, and nothing is to be done about the file.
fn contradiction(error: anyhow::Error, hint: &str) -> anyhow::Error {
    match is_of_the_system(&error) {
        true => error,
        false => with_hint(error, hint),
    }
}

/// Cuts an open file to what was committed of it, and was looked at before.
fn cut_to_committed(part: &FileState, names: &FileNames) -> Result<()> {
    let path = names.open_part(part.series, part.part);
    if fs::symlink_metadata(&path)?.len() == part.length {
        return Ok(());
    }
    let mut options = fs::OpenOptions::new();
    let file = durable::open_plain("part.open", &path, options.write(true))?;
    let cut = Change::Cut(&path, part.length);
    failpoint::step("resume.cut", cut, || file.set_len(part.length))?;
    failpoint::step("resume.sync", Change::Sync(&path), || file.sync_all())?;
    Ok(())
}

/// Checks that `path` begins with what was committed, and with `whole` that it ends there too.
fn verify(part: &FileState, path: &Path, whole: bool) -> Result<()> {
    durable::is_plain_file(path)?;
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(anyhow!("`{}` is missing", path.display()));
        }
        Err(error) => return Err(error.into()),
    };
    let length = file.metadata()?.len();
    if length < part.length || (whole && length > part.length) {
        let committed = part.length;
        return Err(anyhow!(
            "`{}` has {length} bytes, but {committed} were committed",
            path.display()
        ));
    }
    let found = durable::checksum_prefix(&mut file, part.length)?;
    if found != part.crc32c {
        return Err(anyhow!(
            "`{}` has checksum {found:08x} where {:08x} was committed",
            path.display(),
            part.crc32c
        ));
    }
    Ok(())
}

//! After a crash: brings the files on disk into line with the last committed state.
//!
//! Every step can be repeated, so a crash in the middle of it costs nothing: files are cut to
//! what was committed, finished ones get their names, unknown open ones go, and nothing else is
//! touched.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use fs_err as fs;

use super::ledger::list_in_manifest;
use super::manifest;
use super::model::{FileState, State};
use super::names::FileNames;
use crate::durable;
use crate::error::{is_of_the_system, with_hint};
use crate::failpoint::{self, Change};
use crate::feed::RangeId;
use crate::sink::ResumedPart;

/// What was found and done.
#[derive(Debug, Default)]
pub struct Recovery {
    /// The parts to go on with.
    pub resumed: Vec<ResumedPart>,
    /// What the user may want to know, one sentence each.
    pub notices: Vec<String>,
}

/// Brings the files into line with `state`. With `repair`, open parts that do not match it are
/// thrown away and their ranges go back to where those began.
///
/// # Errors
///
/// If a file contradicts the state, naming it and what can be done; or any error of the system.
pub fn recover(
    state: &mut State,
    state_path: &Path,
    names: &FileNames,
    repair: bool,
) -> Result<Recovery> {
    let mut recovery = Recovery::default();
    // It was never committed, whatever it says.
    remove_if_there(&durable::with_suffix(state_path, durable::STAGED_SUFFIX))?;
    if names.is_standard_output() {
        return Ok(recovery);
    }
    durable::create_directory(names.directory()).context("cannot create the output directory")?;
    delete_unknown(state, names, &mut recovery)?;
    publish_sealed(state, names)?;
    let open: Vec<FileState> = state
        .series
        .iter()
        .filter_map(|series| series.open.clone())
        .collect();
    for part in open {
        match cut_to_committed(&part, names) {
            Ok(()) => recovery.resumed.push(ResumedPart {
                series: part.series,
                part: part.part,
                length: part.length,
                rows: part.rows,
                crc32c: part.crc32c,
            }),
            Err(mismatch) if repair => {
                let path = names.open_part(part.series, part.part);
                rewind(state, &part);
                remove_if_there(&path)
                    .map_err(|error| with_hint(error, "move it away, then resume with --repair"))?;
                recovery.notices.push(format!(
                    "{mismatch:#}; threw `{}` away and read its range again from where it began",
                    path.display()
                ));
            }
            Err(mismatch) => {
                return Err(contradiction(
                    mismatch,
                    "the file was changed or damaged after it was committed; `resume --repair` throws \
                     it away and reads its range again from where the file began",
                ));
            }
        }
    }
    Ok(recovery)
}

/// Deletes open parts that were begun after the last commit.
fn delete_unknown(state: &State, names: &FileNames, recovery: &mut Recovery) -> Result<()> {
    for found in names.existing()?.into_iter().filter(|found| found.is_open) {
        let known = state
            .series
            .iter()
            .filter_map(|series| series.open.as_ref())
            .chain(&state.sealed);
        if !known
            .into_iter()
            .any(|file| (file.series, file.part) == (found.series, found.part))
        {
            remove(&found.path)?;
            let path = found.path.display();
            recovery
                .notices
                .push(format!("deleted `{path}`, of which nothing was committed"));
        }
    }
    Ok(())
}

/// Gives sealed files their final names, unless that was done before the crash.
fn publish_sealed(state: &mut State, names: &FileNames) -> Result<()> {
    if let Some(path) = names.manifest() {
        manifest::truncate(&path, state.manifest).map_err(|error| {
            contradiction(
                error,
                "put the manifest back as it was; without it finished files are unaccounted for",
            )
        })?;
    }
    if state.sealed.is_empty() {
        return Ok(());
    }
    for sealed in &state.sealed {
        let open = names.open_part(sealed.series, sealed.part);
        let path = names.part(sealed.series, sealed.part);
        match (open.exists(), path.exists()) {
            (true, false) => {
                cut_to_committed(sealed, names).map_err(|error| {
                    contradiction(
                        error,
                        "the file was finished, and changed or damaged before it was published; put \
                         it back as it was, or export to a new place",
                    )
                })?;
                durable::publish(&open, &path)?;
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
    }
    durable::sync_directory("publish.sync-directory", names.directory())?;
    list_in_manifest(state, names)?;
    state.sealed.clear();
    Ok(())
}

/// An error of a file that contradicts the state, with what can be done. What only the system could
/// not do is no contradiction, and nothing is to be done about the file.
fn contradiction(error: anyhow::Error, hint: &str) -> anyhow::Error {
    match is_of_the_system(&error) {
        true => error,
        false => with_hint(error, hint),
    }
}

/// Checks the committed part of an open file and cuts off the rest.
fn cut_to_committed(part: &FileState, names: &FileNames) -> Result<()> {
    let path = names.open_part(part.series, part.part);
    verify(part, &path, false)?;
    let file = fs::OpenOptions::new().write(true).open(&path)?;
    if file.metadata()?.len() > part.length {
        let cut = Change::Cut(&path, part.length);
        failpoint::step("resume.cut", cut, || file.set_len(part.length))?;
        failpoint::step("resume.sync", Change::Sync(&path), || file.sync_all())?;
    }
    Ok(())
}

/// Checks that `path` begins with what was committed, and with `whole` that it ends there too.
fn verify(part: &FileState, path: &Path, whole: bool) -> Result<()> {
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

/// Puts the ranges of a part back to where it began.
fn rewind(state: &mut State, part: &FileState) {
    let own: Vec<RangeId> = state.ranges_of(part.series).map(|range| range.id).collect();
    state.ranges.retain(|range| !own.contains(&range.id));
    state.ranges.extend(part.start.iter().cloned());
    state.ranges.sort_by(|a, b| a.range.cmp(&b.range));
    state.totals.documents = state.totals.documents.saturating_sub(part.rows);
    state.totals.bytes = state.totals.bytes.saturating_sub(part.length);
    state.finished = false;
    for series in state
        .series
        .iter_mut()
        .filter(|series| series.id == part.series)
    {
        series.open = None;
        series.next_part = part.part;
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    failpoint::step("resume.delete", Change::Remove(path), || {
        fs::remove_file(path)
    })
}

fn remove_if_there(path: &Path) -> Result<()> {
    match remove(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

//! Changes that could not be applied: counted, told or written to a file, up to a limit.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use fs_err as fs;

use super::change::dead_letter;
use super::origin::Place;
use crate::durable::{self, parent_of, sync_directory};
use crate::error::{ExitCode, is_of_the_system, with_exit_code, with_hint};
use crate::report::Report;

/// How many refusals are told on standard error when there is no file for them.
const MAX_TOLD: u64 = 20;

/// Where refused changes go.
#[derive(Debug)]
pub(super) struct DeadLetters {
    file: Option<fs::File>,
    length: u64,
    unsynced: bool,
    /// Refused by this run.
    count: u64,
    /// How many can be refused, if there is a limit.
    max: Option<u64>,
    first: Option<String>,
}

/// What every dead letter begins with.
const BEGINNING: &[u8] = br#"{"reason":"#;

/// Looks at the file for dead letters: what of it is not `committed` will be cut off. Returns its
/// length.
///
/// # Errors
///
/// If it is no regular file, shorter than committed, or holds something else than dead letters beyond;
/// or any error of the system.
fn look_at(path: &Path, committed: Option<u64>) -> Result<u64> {
    if !durable::is_plain_file(path)? {
        ensure!(
            committed.unwrap_or(0) == 0,
            "the dead letters `{}` are missing",
            path.display()
        );
        return Ok(0);
    }
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    let Some(committed) = committed else {
        return Ok(length);
    };
    ensure!(
        length >= committed,
        "the dead letters `{}` have {length} bytes, but {committed} were committed",
        path.display()
    );
    let mut beyond = Vec::new();
    file.seek(SeekFrom::Start(committed))?;
    file.read_to_end(&mut beyond)?;
    let is_letter = |line: &[u8]| {
        let mut pairs = line.iter().zip(BEGINNING);
        // After a power failure there may be zeros.
        pairs.all(|(found, expected)| found == expected || *found == 0)
    };
    if !beyond.split(|byte| *byte == b'\n').all(is_letter) {
        return Err(with_hint(
            anyhow!(
                "`{}` holds something else than dead letters beyond the {committed} bytes that were \
                 committed, and would be cut there",
                path.display()
            ),
            "name the file that the replay was begun with, or move this one away",
        ));
    }
    Ok(length)
}

impl DeadLetters {
    /// Refused changes are appended to the file at `path`, if there is to be one: after its first
    /// `committed` bytes if a state knows of it. More than `max` are too many.
    pub(super) fn open(
        path: Option<&Path>,
        committed: Option<u64>,
        max: Option<u64>,
    ) -> Result<Self> {
        let mut letters = Self {
            file: None,
            length: 0,
            unsynced: false,
            count: 0,
            max,
            first: None,
        };
        let Some(path) = path else {
            return Ok(letters);
        };
        let length = look_at(path, committed).map_err(|error| match is_of_the_system(&error) {
            true => error,
            false => with_exit_code(error, ExitCode::Usage),
        })?;
        letters.length = committed.unwrap_or(length);
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let mut file = durable::open_plain_quietly(path, &mut options)?;
        sync_directory("directory.sync", parent_of(path))?;
        // What lies beyond was written by a run that was cut off, and comes again.
        if length > letters.length {
            file.set_len(letters.length)?;
        }
        file.seek(SeekFrom::Start(letters.length))?;
        letters.file = Some(file);
        Ok(letters)
    }

    /// Notes that the change at `place` is refused. Returns what is to be written of
    /// it, with [`DeadLetters::write`], once nothing before it is open.
    pub(super) fn refuse(
        &mut self,
        json: &Bytes,
        place: &Place,
        reason: &str,
        report: &Report,
    ) -> Option<Vec<u8>> {
        let told = format!("{place}: {reason}");
        self.count += 1;
        let letter = self.file.as_ref().map(|_| {
            report.detail(&format!("refused: {told}"));
            dead_letter(json, reason, &place.name, place.number)
        });
        if letter.is_none() && self.max != Some(0) && self.count <= MAX_TOLD {
            report.error_line(&format!("refused: {told}"));
        }
        self.first.get_or_insert(told);
        letter
    }

    /// Appends letters to the file.
    ///
    /// # Errors
    ///
    /// Any error of the system.
    pub(super) fn write(&mut self, letters: &[Vec<u8>]) -> Result<()> {
        if let Some(file) = &mut self.file {
            for letter in letters {
                file.write_all(letter)
                    .context("cannot write the dead letters")?;
                self.length += letter.len() as u64;
                self.unsynced = true;
            }
        }
        Ok(())
    }

    /// Whether more were refused than may be.
    pub(super) fn are_too_many(&self) -> bool {
        self.max.is_some_and(|max| self.count > max)
    }

    /// How many were refused by this run.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Where and why the first was refused.
    pub(super) fn first(&self) -> Option<&str> {
        self.first.as_deref()
    }

    /// Makes durable what was written. Returns its length, if there is a file.
    ///
    /// # Errors
    ///
    /// Any error of the system.
    pub(super) fn sync(&mut self) -> Result<Option<u64>> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        if std::mem::take(&mut self.unsynced) {
            file.sync_data().context("cannot write the dead letters")?;
        }
        Ok(Some(self.length))
    }
}

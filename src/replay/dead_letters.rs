//! Where changes go that could not be applied: a file, or objects of a store.

use std::borrow::Cow;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use fs_err as fs;
use serde_json::Value;

use super::letter_objects::{LetterObject, LetterObjects, LetterSeries};
use super::original::Original;
use super::replay_source::SourceLocation;
use crate::count::{exactly, was};
use crate::durable::{self, WrittenByAnother, parent_of, shown_path, sync_directory};
use crate::error::{ExitCode, is_of_the_system, with_exit_code, with_hint};
use crate::feed::RecordForm;
use crate::report::Report;
use crate::source::heading;

/// The file of refused changes.
#[derive(Debug)]
pub(super) struct DeadLetters {
    file: Option<fs::File>,
    /// In their place, objects of a store.
    objects: Option<LetterObjects>,
    length: u64,
    unsynced: bool,
}

/// How every dead letter begins.
const BEGINNING: &[u8] = br#"{"reason":"#;

/// No line has a longer beginning that tells it apart, in bytes.
const LONGEST_BEGINNING: u64 = 64;

/// How a whole line begins, or the part of it that a crash left. A power failure may leave zeros.
fn is_ours(line: &[u8]) -> bool {
    let heading = heading(RecordForm::Changes);
    [BEGINNING, heading.trim_ascii_end()]
        .iter()
        .any(|expected| {
            let mut pairs = line.iter().zip(*expected);
            pairs.all(|(found, expected)| found == expected || *found == 0)
        })
}

/// Checks the file for dead letters, whose bytes after the first `committed` will be cut off. Returns its
/// length.
///
/// # Errors
///
/// If it is not a regular file, is shorter than committed, or has something other than dead letters after
/// the committed bytes; or any error of the system.
fn check_file(path: &Path, committed: Option<u64>) -> Result<u64> {
    if !durable::is_plain_file(path)? {
        ensure!(
            committed.unwrap_or(0) == 0,
            "the dead-letter file `{}` is missing",
            shown_path(&path)
        );
        return Ok(0);
    }
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    let Some(committed) = committed else {
        let mut beginning = Vec::new();
        file.take(LONGEST_BEGINNING).read_to_end(&mut beginning)?;
        let first = beginning.split(|byte| *byte == b'\n').next();
        if !first.is_none_or(is_ours) {
            return Err(with_hint(
                anyhow!(
                    "`{}` has something other than dead letters, which would be appended to it",
                    shown_path(&path)
                ),
                "name another file for --dead-letter",
            ));
        }
        return Ok(length);
    };
    ensure!(
        length >= committed,
        "the dead-letter file `{}` has {}, but {committed} {} committed",
        shown_path(&path),
        exactly(length, "byte"),
        was(committed)
    );
    let mut beyond = Vec::new();
    file.seek(SeekFrom::Start(committed))?;
    file.read_to_end(&mut beyond)?;
    if !beyond.split(|byte| *byte == b'\n').all(is_ours) {
        return Err(with_hint(
            anyhow!(
                "`{}` has something other than dead letters after its first {}, and would be truncated there",
                shown_path(&path),
                exactly(committed, "byte")
            ),
            "name the file that the replay started with, or move this one away",
        ));
    }
    Ok(length)
}

impl DeadLetters {
    /// Opens the file at `path`, if there is to be one. Refused changes are appended after its first `committed`
    /// bytes if a state knows it, and at its end otherwise.
    ///
    /// A dry run checks the file, and writes nothing.
    pub(super) fn open(
        path: Option<&Path>,
        committed: Option<u64>,
        dry_run: bool,
        report: &Report,
    ) -> Result<Self> {
        let mut letters = Self {
            file: None,
            objects: None,
            length: 0,
            unsynced: false,
        };
        let Some(path) = path else {
            return Ok(letters);
        };
        let length = check_file(path, committed).map_err(|error| {
            if is_of_the_system(&error) {
                error
            } else {
                with_exit_code(error, ExitCode::Usage)
            }
        })?;
        letters.length = committed.unwrap_or(length);
        if dry_run {
            // The act would not create it.
            fs::metadata(parent_of(path))?;
            return Ok(letters);
        }
        let is_new = committed.is_none();
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = open_alone(path, &mut options)?;
        // Whoever had it may have written it since it was checked.
        let length = file.metadata()?.len();
        letters.length = committed.unwrap_or(length);
        sync_directory("directory.sync", parent_of(path))?;
        // An interrupted run wrote the rest; these changes are refused again.
        if length > letters.length {
            file.set_len(letters.length)?;
        }
        if is_new && length > 0 {
            letters.length = mend(&mut file, length)?;
            if letters.length != length {
                report.warning(&format!(
                    "the last line of `{}` had no end and was mended: an earlier replay was cut off there",
                    shown_path(&path)
                ));
            }
        }
        file.seek(SeekFrom::Start(letters.length))?;
        letters.file = Some(file);
        Ok(letters)
    }

    /// Those that go to an object store; none in a dry run.
    pub(super) fn of_objects(objects: Option<LetterObjects>) -> Self {
        Self {
            file: None,
            objects,
            length: 0,
            unsynced: false,
        }
    }

    /// Whether they go to an object store.
    pub(super) fn are_objects(&self) -> bool {
        self.objects.is_some()
    }

    /// What a state has to know of the objects.
    pub(super) fn series(&self) -> Option<&LetterSeries> {
        self.objects.as_ref().and_then(LetterObjects::series)
    }

    /// What a state has to know of objects before the first of them is written, if [`sync`](Self::sync) does that.
    pub(super) fn claim(&mut self) -> Option<&LetterSeries> {
        self.objects.as_mut().and_then(LetterObjects::claim)
    }

    /// Refuses a file that another process writes. One that does not exist is not created.
    ///
    /// # Errors
    ///
    /// If another process has it, or any error of the system.
    pub(super) fn ensure_free(path: &Path) -> Result<()> {
        if !durable::is_plain_file(path)? {
            return Ok(());
        }
        let mut options = fs::OpenOptions::new();
        open_alone(path, options.read(true).write(true)).map(drop)
    }

    /// The line to write for a refused change, if there is a place for it: with [`DeadLetters::write`], once every
    /// change before it is done.
    pub(super) fn letter(
        &self,
        original: &Original,
        location: &SourceLocation,
        reason: &str,
    ) -> Option<Vec<u8>> {
        if self.file.is_none() && self.objects.is_none() {
            return None;
        }
        let at = (location.counted(), location.number);
        Some(dead_letter(original, reason, &location.name, at))
    }

    /// Appends letters to the file, or keeps them for the next object.
    ///
    /// # Errors
    ///
    /// Any error of the system.
    pub(super) fn write(&mut self, letters: &[Vec<u8>]) -> Result<()> {
        if let Some(objects) = &mut self.objects {
            objects.hold(letters);
        }
        if let Some(file) = &mut self.file {
            // The first line declares what the others are, so that the file can be replayed.
            let heading =
                (self.length == 0 && !letters.is_empty()).then(|| heading(RecordForm::Changes));
            for letter in heading.iter().chain(letters) {
                file.write_all(letter)
                    .context("cannot write the dead-letter file")?;
                self.length += letter.len() as u64;
                self.unsynced = true;
            }
        }
        Ok(())
    }

    /// What is to be written as an object, if letters go to a store: they are durable once it is.
    pub(super) fn take_object(&mut self) -> Option<LetterObject> {
        self.objects.as_mut()?.take_next()
    }

    /// Makes them durable. Returns the length of the file, if there is one.
    ///
    /// # Errors
    ///
    /// Any error of the system, or of the store.
    pub(super) fn sync(&mut self) -> Result<Option<u64>> {
        if let Some(objects) = &mut self.objects {
            objects.flush()?;
        }
        let Some(file) = &self.file else {
            return Ok(None);
        };
        if std::mem::take(&mut self.unsynced) {
            file.sync_data()
                .context("cannot write the dead-letter file")?;
        }
        Ok(Some(self.length))
    }
}

/// Opens the file so that no other process writes at the same places.
///
/// # Errors
///
/// If another process has it, or any error of the system.
fn open_alone(path: &Path, options: &mut fs::OpenOptions) -> Result<fs::File> {
    durable::open_for_one_writer(path, options).map_err(|error| {
        if !error.is::<WrittenByAnother>() {
            return error;
        }
        let error = anyhow!(
            "another process writes its dead letters to `{}`",
            shown_path(&path)
        );
        let hint = "give each process a file of its own: --dead-letter FILE";
        with_exit_code(with_hint(error, hint), ExitCode::Usage)
    })
}

/// Ends the last line of a file, if a crash left it without an end, so that the next letter is not glued to it.
/// Returns the new length of the file.
///
/// A letter that is cut off is kept as text.
fn mend(file: &mut fs::File, length: u64) -> Result<u64> {
    let begin = beginning_of_last_line(file, length)?;
    let mut torn = Vec::new();
    file.seek(SeekFrom::Start(begin))?;
    file.take(length - begin).read_to_end(&mut torn)?;
    // A power failure may leave zeros.
    let end = torn
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    torn.truncate(end);
    let heading = heading(RecordForm::Changes);
    let is_whole = serde_json::from_slice::<serde::de::IgnoredAny>(&torn).is_ok();
    if is_whole {
        torn.push(b'\n');
    } else if heading.starts_with(&torn) {
        // It says nothing yet.
        torn.clear();
    } else {
        let text = String::from_utf8_lossy(&torn);
        let mended = serde_json::json!({"reason": CUT_OFF, "text": text});
        torn = format!("{mended}\n").into_bytes();
    }
    file.seek(SeekFrom::Start(begin))?;
    file.write_all(&torn)?;
    let length = begin + torn.len() as u64;
    file.set_len(length)?;
    file.sync_data()?;
    Ok(length)
}

/// The reason in place of that of a letter whose end is lost.
const CUT_OFF: &str = "the replay that wrote this dead letter was cut off, and its end is lost";

/// Where the last line of a file begins; its length if that ends with a line feed.
fn beginning_of_last_line(file: &mut fs::File, length: u64) -> Result<u64> {
    const BLOCK: u64 = 64 << 10;
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let mut block = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.take(end - start).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// A line of the file: a refused change with the reason, in an envelope that can be replayed.
///
/// `at` is its number in the source, and what is counted.
pub(super) fn dead_letter(
    original: &Original,
    reason: &str,
    source: &str,
    at: (&str, u64),
) -> Vec<u8> {
    let (counted, number) = at;
    let mut out = Vec::with_capacity(original.len() + reason.len() + source.len() + 64);
    let text = |text: &str| Value::from(text).to_string();
    out.extend_from_slice(b"{\"reason\":");
    out.extend_from_slice(text(reason).as_bytes());
    out.extend_from_slice(b",\"origin\":");
    out.extend_from_slice(
        format!("{{\"source\":{},\"{counted}\":{number}}}", text(source)).as_bytes(),
    );
    let mut member = |name: &str, value: Cow<'_, [u8]>| {
        out.extend_from_slice(format!(",\"{name}\":").as_bytes());
        out.extend_from_slice(&value);
    };
    match original.page() {
        Some(page) => {
            for item in page.items() {
                for (name, part) in [
                    ("current", item.current()),
                    ("previous", item.previous()),
                    ("metadata", item.metadata_json()),
                ] {
                    if let Some(part) = part {
                        member(name, part.into());
                    }
                }
            }
        }
        // It is not JSON, or no change, so it is kept as text.
        None => {
            let lossy = String::from_utf8_lossy(&original.json);
            member("text", text(&lossy).into_bytes().into());
        }
    }
    out.extend_from_slice(b"}\n");
    out
}

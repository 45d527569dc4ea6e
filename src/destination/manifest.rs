//! The manifest: one line of JSON for each published file, in the order of publishing.
//!
//! It grows by appending. The state records how much of it is committed, and the checksum of that; a resume
//! cuts off the rest and writes it again, so that it never lists a file twice.
//!
//! [`Manifest::read`] is the only reader, and checks the manifest for a [`Purpose`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::count::{count, exactly, was};
use crate::durable::{self, parent_of, shown_path};
use crate::failpoint::{self, FileChange};
use crate::feed::{RangeId, RangeState, RecordForm};
use crate::process;

use super::committed::Committed;
use super::names::{FileNames, PartFile};
use super::part::{FileState, ManifestMark, checksum_text, is_first};
use super::partition::split_name;

/// One line of a manifest: a published file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The export that it belongs to.
    pub export_id: uuid::Uuid,
    /// Its name in the table. In a partitioned one it begins with the directories of its partition.
    pub file: String,
    /// What its records are. Older builds did not list it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordForm>,
    /// Whether some of their values are masked, so that they are not those of the container.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
    /// Which of the column sets of the export it has, from 0.
    #[serde(default, skip_serializing_if = "is_first")]
    pub columns: u32,
    /// Its rows.
    pub rows: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// CRC-32C of all its bytes.
    #[serde(with = "checksum_text")]
    pub crc32c: u32,
    /// The positions of its ranges before its first row.
    pub start: Vec<RangeState>,
    /// Their positions after its last row.
    pub end: Vec<RangeState>,
    /// The run of the program that listed it. Older builds did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<uuid::Uuid>,
    /// When that was, by the clock of the machine. Older builds did not write it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub listed: Option<time::OffsetDateTime>,
}

impl Entry {
    /// The entry of `file`, a part of the export that has `committed`, published as `name`.
    pub fn new(committed: &Committed<'_>, name: &str, file: &FileState) -> Self {
        Self {
            export_id: committed.export_id,
            file: name.to_owned(),
            records: committed.records,
            masked: committed.masked,
            columns: file.columns,
            rows: file.rows,
            bytes: file.length,
            crc32c: file.crc32c,
            start: file.start.clone(),
            end: file.end.clone(),
            run: None,
            listed: None,
        }
    }

    /// The entry of `file`, a part of the export that has `committed`.
    pub fn of(committed: &Committed<'_>, names: &FileNames, file: &FileState) -> Self {
        let name = names.name_of(&names.finished(file));
        Self::new(committed, &name, file)
    }

    /// The same, listed by this run of the program, now.
    fn listed_now(self) -> Self {
        Self {
            run: Some(process::run_id()),
            // Fractions of a second help nobody.
            listed: clock::now().replace_nanosecond(0).ok(),
            ..self
        }
    }

    /// Whether this is the entry `listed`, which any run may have listed, and an older build without its
    /// records.
    pub fn is_the_same_as(&self, listed: &Self) -> bool {
        let mut own = Self {
            run: listed.run,
            listed: listed.listed,
            ..self.clone()
        };
        if listed.records.is_none() {
            own.records = None;
        }
        own == *listed
    }
}

/// Why a manifest is read: how much of it counts, and what it must be.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// The part that the state has committed. The rest is not parsed.
    Committed {
        /// What is committed.
        committed: &'a Committed<'a>,
        /// The names of its files.
        names: &'a FileNames,
    },
    /// Every complete line: all finished files of a directory, even of a running export that has listed more
    /// than its state, if there is one, has committed.
    Finished {
        /// What is committed.
        committed: Option<&'a Committed<'a>>,
        /// The names of its files; none if they are those of any export to a directory.
        names: Option<&'a FileNames>,
    },
}

/// A manifest that was read.
#[derive(Debug, Default)]
pub struct Manifest {
    /// Whether it is not there, though some of it was committed.
    pub is_missing: bool,
    /// The entries that can be read, in their order.
    pub entries: Vec<Entry>,
    /// What is wrong with it.
    pub faults: Vec<String>,
    /// How much of it was read, with the checksum of these bytes.
    pub mark: ManifestMark,
    /// The bytes after that.
    pub beyond: Vec<u8>,
}

impl Manifest {
    /// Reads the manifest `path`. Faults in it are not errors, but listed in [`Manifest::faults`]: lines that
    /// differ from the committed ones, are of another export, do not list its files, or list the files of a
    /// series out of order or with gaps.
    ///
    /// # Errors
    ///
    /// Any error of the operating system, except that the file is missing.
    pub fn read(path: &Path, purpose: Purpose<'_>) -> Result<Self> {
        let is_file = |path: &Path| fs::metadata(path).map(|found| found.is_file());
        let mut text = match is_file(path)
            .and_then(|is_file| is_file.then(|| fs::read(path)).transpose())
        {
            Ok(Some(text)) => text,
            // Reading a FIFO would block.
            Ok(None) => return Err(anyhow!("`{}` is not a regular file", shown_path(&path))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut missing = Self::default();
                if matches!(purpose, Purpose::Committed { committed, .. } if committed.manifest.length > 0)
                {
                    missing.is_missing = true;
                    missing.faults.push("is missing".to_owned());
                }
                return Ok(missing);
            }
            Err(error) => return Err(error.into()),
        };
        let mut found = Self::default();
        let committed = match purpose {
            Purpose::Committed { committed, .. } => Some(committed),
            Purpose::Finished { committed, .. } => committed,
        };
        if let Some(committed) = committed {
            found.compare(&text, &committed.manifest);
        }
        let end = match purpose {
            Purpose::Committed { committed, .. } => usize::try_from(committed.manifest.length)
                .unwrap_or(usize::MAX)
                .min(text.len()),
            // A running export may be in the middle of a line.
            Purpose::Finished { .. } => memchr::memrchr(b'\n', &text).map_or(0, |end| end + 1),
        };
        found.beyond = text.split_off(end);
        if !text.is_empty() && !text.ends_with(b"\n") {
            found.faults.push("its last line is incomplete".to_owned());
        }
        found.read_lines(&text, purpose);
        found.mark = ManifestMark {
            length: text.len() as u64,
            entries: found.entries.len() as u64,
            crc32c: (!text.is_empty()).then(|| crc32c::crc32c(&text)),
        };
        if let Purpose::Committed { committed, .. } = purpose
            && found.mark.entries != committed.manifest.entries
        {
            found.faults.push(format!(
                "lists {}, but the state counts {}",
                count(found.mark.entries, "file"),
                committed.manifest.entries
            ));
        }
        Ok(found)
    }

    /// Compares the text with its committed part.
    fn compare(&mut self, text: &[u8], committed: &ManifestMark) {
        let length = usize::try_from(committed.length).unwrap_or(usize::MAX);
        let Some(prefix) = text.get(..length) else {
            self.faults.push(format!(
                "has {}, but {length} {} committed",
                exactly(text.len() as u64, "byte"),
                was(length as u64)
            ));
            return;
        };
        if failpoint::is_planted("defect.manifest-not-checked") {
            return;
        }
        let found = crc32c::crc32c(prefix);
        if let Some(committed) = committed.crc32c
            && found != committed
        {
            self.faults.push(format!(
                "its first {length} bytes have the checksum {found:08x}, but {committed:08x} was committed"
            ));
        }
    }

    fn read_lines(&mut self, text: &[u8], purpose: Purpose<'_>) {
        let (committed, names) = match purpose {
            Purpose::Committed { committed, names } => (Some(committed), Some(names)),
            Purpose::Finished { committed, names } => (committed, names),
        };
        let mut export_id = committed.map(|committed| committed.export_id);
        let mut order = Order::default();
        let lines = text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        for (line, number) in lines.zip(1..) {
            let entry: Entry = match serde_json::from_slice(line) {
                Ok(entry) => entry,
                Err(error) => {
                    self.faults.push(format!("line {number}: {error}"));
                    continue;
                }
            };
            let own = *export_id.get_or_insert(entry.export_id);
            if entry.export_id != own {
                self.faults.push(format!(
                    "line {number} is of the export {}",
                    entry.export_id
                ));
            }
            let part = match names {
                Some(names) => names.part_of(&entry.file).filter(|part| !part.is_open),
                None => part_of_any_directory(&entry.file),
            };
            let shown = entry.file.escape_debug();
            let Some(part) = part else {
                self.faults.push(format!(
                    "line {number}: `{shown}` is not a name of this export's files"
                ));
                continue;
            };
            match order.take(&part, &entry, names.is_none_or(FileNames::is_directory)) {
                Ok(()) => {}
                Err(Disorder::Twice) => {
                    self.faults
                        .push(format!("line {number}: `{shown}` is listed twice"));
                    continue;
                }
                Err(Disorder::Other(what)) => {
                    self.faults.push(format!("line {number}: `{shown}` {what}"))
                }
            }
            self.entries.push(entry);
        }
    }

    /// The entries after the committed part, as far as they can be read: a crash may have torn one.
    pub fn entries_beyond(&self) -> impl Iterator<Item = Entry> {
        self.beyond
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
    }

    /// Refuses it if it has a fault.
    ///
    /// # Errors
    ///
    /// The first fault. `shown` is the path of the manifest.
    pub fn ensure_whole(&self, shown: &str) -> Result<()> {
        match self.faults.first() {
            Some(fault) => Err(anyhow!("the manifest `{shown}`: {fault}")),
            None => Ok(()),
        }
    }
}

/// The part that a file is, by its name, as exports to directories name files.
fn part_of_any_directory(name: &str) -> Option<PartFile> {
    let (_, name) = split_name(name);
    let is_bare = Path::new(name).file_name()? == name;
    // The name of a container may have an extension, too.
    let uncompressed = [".gz", ".zst"]
        .iter()
        .find_map(|end| name.strip_suffix(end));
    let text = uncompressed.unwrap_or(name);
    let stem = [".jsonl", ".csv"]
        .iter()
        .find_map(|end| text.strip_suffix(end));
    let compressed_inside = [".parquet", ".arrow"]
        .iter()
        .find_map(|end| name.strip_suffix(end));
    let stem = stem.or(compressed_inside)?;
    let mut numbers = stem.rsplitn(3, '-');
    let (part, series) = (numbers.next()?, numbers.next()?);
    let is_own = numbers.next().is_some();
    let number = |text: &str, digits: usize| -> Option<u32> {
        let is_number = text.len() >= digits && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().ok())?
    };
    let (series, part) = (number(series, 5)?, number(part, 6)?);
    (is_bare && is_own).then(|| PartFile {
        series,
        part,
        is_open: false,
        path: name.into(),
    })
}

/// What is wrong with the order of a line.
enum Disorder {
    Twice,
    Other(String),
}

/// The order of lines: the parts of a series one after the other, and the parts of a range before those of
/// its children.
#[derive(Default)]
struct Order {
    /// The parts of each series that were listed.
    listed: BTreeMap<u32, BTreeSet<u32>>,
    /// Ranges whose children were listed.
    replaced: BTreeSet<RangeId>,
}

impl Order {
    fn take(
        &mut self,
        part: &PartFile,
        entry: &Entry,
        series_are_ranges: bool,
    ) -> Result<(), Disorder> {
        let listed = self.listed.entry(part.series).or_default();
        let last = listed.last().copied().unwrap_or(0);
        if !listed.insert(part.part) {
            return Err(Disorder::Twice);
        }
        if part.part < last {
            return Err(Disorder::Other(format!(
                "is out of order: it follows part {last} of its series"
            )));
        }
        if part.part != last + 1 {
            return Err(Disorder::Other(format!(
                "is out of order: part {} of its series does not precede it",
                last + 1
            )));
        }
        if series_are_ranges {
            if self.replaced.contains(&RangeId(part.series)) {
                return Err(Disorder::Other(
                    "is out of order: it follows a file of a range that its range was split into"
                        .to_owned(),
                ));
            }
            let ranges = entry.start.iter().chain(&entry.end);
            self.replaced
                .extend(ranges.flat_map(|range| &range.parents));
        }
        Ok(())
    }
}

/// The lines that list `entries`.
///
/// # Errors
///
/// If they cannot be serialized.
pub fn lines_of(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for entry in entries {
        serde_json::to_writer(&mut text, entry)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// Appends `entries` after the committed part of the manifest `path`, and makes them durable.
/// Returns the mark to be committed with the next state.
///
/// # Errors
///
/// If the manifest is shorter than `mark` says, or any error of the system.
pub fn append(path: &Path, mark: ManifestMark, entries: &[Entry]) -> Result<ManifestMark> {
    let text = lines_of(entries)?;
    let mut file = open(path, mark)?;
    failpoint::write("manifest.write", &mut file, &text)?;
    sync(&file)?;
    if mark.length == 0 {
        // The next state relies on the manifest, so its name must be as durable as its bytes.
        durable::sync_directory("manifest.sync-directory", parent_of(path))?;
    }
    let before = match mark.length {
        0 => Some(0),
        _ => mark.crc32c,
    };
    Ok(ManifestMark {
        length: mark.length + text.len() as u64,
        entries: mark.entries + entries.len() as u64,
        crc32c: before.map(|before| crc32c::crc32c_append(before, &text)),
    })
}

/// Appends the sealed parts after `mark`, once they have their final names.
///
/// # Errors
///
/// As [`append`].
pub fn list(
    committed: &Committed<'_>,
    mark: ManifestMark,
    names: &FileNames,
) -> Result<ManifestMark> {
    let Some(path) = names.manifest() else {
        return Ok(mark);
    };
    let entries: Vec<Entry> = committed
        .sealed
        .iter()
        .map(|sealed| Entry::of(committed, names, sealed).listed_now())
        .collect();
    append(&path, mark, &entries)
        .with_context(|| format!("cannot list finished files in `{}`", shown_path(&path)))
}

/// Cuts off everything that is not committed.
///
/// # Errors
///
/// As [`append`].
pub fn truncate(path: &Path, mark: ManifestMark) -> Result<()> {
    if mark.length == 0 && !durable::is_there(path) {
        return Ok(());
    }
    sync(&open(path, mark)?)?;
    Ok(())
}

fn sync(file: &fs::File) -> std::io::Result<()> {
    failpoint::step("manifest.sync", FileChange::Sync(file.path()), || {
        file.sync_all()
    })
}

/// Opens the manifest for writing, cut to its committed length and positioned there.
fn open(path: &Path, mark: ManifestMark) -> Result<fs::File> {
    use std::io::Seek;
    ensure!(
        mark.length == 0 || durable::is_there(path),
        "the manifest `{}` is missing",
        shown_path(&path)
    );
    let mut options = fs::OpenOptions::new();
    options.write(true).create(mark.length == 0).truncate(false);
    let mut file = durable::open_plain("manifest.open", path, &mut options)?;
    let length = file.metadata()?.len();
    ensure!(
        length >= mark.length,
        "the manifest `{}` has {}, but {} {} committed",
        shown_path(&path),
        exactly(length, "byte"),
        mark.length,
        was(mark.length)
    );
    if length > mark.length {
        let cut = FileChange::Cut(path, mark.length);
        failpoint::step("manifest.cut", cut, || file.set_len(mark.length))
            .context("cannot cut off what was not committed")?;
    }
    file.seek(std::io::SeekFrom::Start(mark.length))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> Entry {
        Entry {
            export_id: uuid::Uuid::from_u128(1),
            file: name.into(),
            records: None,
            masked: false,
            columns: 0,
            rows: 1,
            bytes: 2,
            crc32c: 3,
            start: vec![],
            end: vec![],
            run: None,
            listed: None,
        }
    }

    #[test]
    fn what_was_not_committed_is_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("manifest.ndjson");
        let first = append(&path, ManifestMark::default(), &[entry("a")]).unwrap();
        append(&path, first, &[entry("lost"), entry("lost too")]).unwrap();
        let second = append(&path, first, &[entry("b")]).unwrap();
        assert_eq!(second.entries, 2);
        let text = fs::read_to_string(&path).unwrap();
        let names: Vec<String> = text
            .lines()
            .map(|l| serde_json::from_str::<Entry>(l).unwrap().file)
            .collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(text.len() as u64, second.length);
    }

    #[test]
    fn a_manifest_that_lost_committed_lines_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("manifest.ndjson");
        let mark = append(&path, ManifestMark::default(), &[entry("a")]).unwrap();
        fs::write(&path, "").unwrap();
        assert!(truncate(&path, mark).is_err());
    }
}

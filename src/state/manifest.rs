//! The manifest: one line of JSON for each published file, in the order of publishing.
//!
//! It grows by appending. The state says how much of it is committed; what lies beyond is cut off
//! by a resume and written again, so that it never lists a file twice.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::durable::{self, parent_of};
use crate::failpoint::{self, Change};

use super::model::{FileState, ManifestMark, RangeState, checksum_text};

/// One line of a manifest: a published file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The export that it belongs to.
    pub export_id: uuid::Uuid,
    /// Its name, beside the manifest.
    pub file: String,
    /// Its rows.
    pub rows: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// CRC-32C of all its bytes.
    #[serde(with = "checksum_text")]
    pub crc32c: u32,
    /// Where its ranges stood before its first row.
    pub start: Vec<RangeState>,
    /// Where they stood after its last row.
    pub end: Vec<RangeState>,
}

impl Entry {
    /// The entry of `file`, published as `name`.
    pub fn new(export_id: uuid::Uuid, name: &str, file: &FileState) -> Self {
        Self {
            export_id,
            file: name.to_owned(),
            rows: file.rows,
            bytes: file.length,
            crc32c: file.crc32c,
            start: file.start.clone(),
            end: file.end.clone(),
        }
    }
}

/// Appends `entries` after the committed part of the manifest `path`, and makes them durable.
/// Returns the mark to be committed with the next state.
///
/// # Errors
///
/// If the manifest is shorter than `mark` says, or any error of the system.
pub fn append(path: &Path, mark: ManifestMark, entries: &[Entry]) -> Result<ManifestMark> {
    let mut text = Vec::new();
    for entry in entries {
        serde_json::to_writer(&mut text, entry)?;
        text.push(b'\n');
    }
    let mut file = open(path, mark)?;
    failpoint::write("manifest.write", &mut file, &text)?;
    sync(&file)?;
    if mark.length == 0 {
        // The next state counts on the manifest, so its name must outlive a crash as its bytes do.
        durable::sync_directory("manifest.sync-directory", parent_of(path))?;
    }
    Ok(ManifestMark {
        length: mark.length + text.len() as u64,
        entries: mark.entries + entries.len() as u64,
    })
}

/// Cuts off what is not committed.
///
/// # Errors
///
/// As [`append`].
pub fn truncate(path: &Path, mark: ManifestMark) -> Result<()> {
    if mark.length == 0 && !path.exists() {
        return Ok(());
    }
    sync(&open(path, mark)?)?;
    Ok(())
}

fn sync(file: &fs::File) -> std::io::Result<()> {
    failpoint::step("manifest.sync", Change::Sync(file.path()), || {
        file.sync_all()
    })
}

/// Opens the manifest for writing, cut to its committed length and positioned there.
fn open(path: &Path, mark: ManifestMark) -> Result<fs::File> {
    use std::io::Seek;
    ensure!(
        mark.length == 0 || path.exists(),
        "the manifest `{}` is missing",
        path.display()
    );
    let mut options = fs::OpenOptions::new();
    options.write(true).create(mark.length == 0).truncate(false);
    let mut file = failpoint::open("manifest.open", path, &options)?;
    let length = file.metadata()?.len();
    ensure!(
        length >= mark.length,
        "the manifest `{}` has {length} bytes, but {} were committed",
        path.display(),
        mark.length
    );
    if length > mark.length {
        let cut = Change::Cut(path, mark.length);
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
            rows: 1,
            bytes: 2,
            crc32c: 3,
            start: vec![],
            end: vec![],
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

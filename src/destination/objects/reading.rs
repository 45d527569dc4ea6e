//! The finished objects of an export, as they are read.

use std::path::PathBuf;

use anyhow::{Context, Result};
use bytes::Bytes;

use super::super::committed::Committed;
use super::super::export_files::{ExportFiles, PartReader};
use super::super::manifest::{Entry, Manifest};
use super::super::seam::Destination;
use super::{MANIFEST, Objects};

/// Objects that are read at the same time.
const PARALLEL_READS: usize = 16;

impl Objects {
    /// The contents of these objects, several of which are read at a time: an export of months has very many of them.
    fn read_all(&self, listed: Vec<(String, u64)>) -> Result<Vec<(String, Bytes)>> {
        let mut read = Vec::with_capacity(listed.len());
        for names in listed.chunks(PARALLEL_READS) {
            let found: Result<Vec<_>> = std::thread::scope(|scope| {
                let calls: Vec<_> = names
                    .iter()
                    .map(|(name, _)| scope.spawn(|| self.bucket.get(name)))
                    .collect();
                let found = calls.into_iter().map(|one| match one.join() {
                    Ok(found) => found,
                    Err(panic) => std::panic::resume_unwind(panic),
                });
                found.collect()
            });
            for ((name, _), found) in names.iter().zip(found?) {
                let found =
                    found.with_context(|| format!("`{}` is gone", self.display_of(name)))?;
                read.push((name.clone(), found.bytes));
            }
        }
        Ok(read)
    }
}

impl ExportFiles for Objects {
    fn manifest_name(&self) -> Option<String> {
        Some(self.own(MANIFEST))
    }

    fn finished(&self, committed: Option<&Committed<'_>>) -> Result<Manifest> {
        let mut manifest = Manifest::default();
        let below = self.own(MANIFEST);
        for (name, bytes) in self.read_all(self.bucket.list(below.trim_end_matches('/'))?)? {
            let shown = name.strip_prefix(&below).unwrap_or(&name);
            let lines = bytes.split(|byte| *byte == b'\n');
            for line in lines.filter(|line| !line.is_empty()) {
                let entry: Entry = match serde_json::from_slice(line) {
                    Ok(entry) => entry,
                    Err(error) => {
                        manifest.faults.push(format!("{shown}: {error}"));
                        continue;
                    }
                };
                if committed.is_some_and(|committed| committed.export_id != entry.export_id) {
                    manifest
                        .faults
                        .push(format!("{shown} is of the export {}", entry.export_id));
                }
                if self.part_of(&entry.file).is_none() {
                    manifest.faults.push(format!(
                        "{shown}: `{}` is not a name of this export's objects",
                        entry.file.escape_debug()
                    ));
                    continue;
                }
                manifest.entries.push(entry);
            }
        }
        manifest.mark.entries = manifest.entries.len() as u64;
        Ok(manifest)
    }

    /// Uploads are not listed.
    fn count_unfinished(&self) -> Result<usize> {
        Ok(0)
    }

    fn length_of(&self, name: &str) -> Result<Option<u64>> {
        match self.listed.get(name) {
            Some(length) => Ok(Some(*length)),
            None => self.bucket.length(name),
        }
    }

    fn open_file(&self, name: &str) -> Result<Option<Box<dyn PartReader>>> {
        let reader = self.bucket.reader(name)?;
        Ok(reader.map(|reader| Box::new(reader) as Box<dyn PartReader>))
    }

    fn display_of(&self, name: &str) -> String {
        self.bucket.address().of(name)
    }

    fn address_of(&self, name: &str) -> Result<PathBuf> {
        Ok(self.display_of(name).into())
    }
}

//! The finished objects of an export, as they are read.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::super::committed::Committed;
use super::super::export_files::{ExportFiles, PartReader};
use super::super::manifest::{Entry, Manifest};
use super::super::seam::Destination;
use super::{MANIFEST, Objects};

impl ExportFiles for Objects {
    fn manifest_name(&self) -> Option<String> {
        Some(MANIFEST.to_owned())
    }

    fn finished(&self, committed: Option<&Committed<'_>>) -> Result<Manifest> {
        let mut manifest = Manifest::default();
        for (name, _) in self.bucket.list(MANIFEST.trim_end_matches('/'))? {
            let found = self.bucket.get(&name)?;
            let found = found.with_context(|| format!("`{}` is gone", self.display_of(&name)))?;
            let shown = name.strip_prefix(MANIFEST).unwrap_or(&name);
            let lines = found.bytes.split(|byte| *byte == b'\n');
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
        self.bucket.length(name)
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

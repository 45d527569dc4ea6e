//! Uploads that a store has removed, though a state has sealed them (rule 9).

use anyhow::{Result, anyhow, ensure};

use super::super::committed::Committed;
use super::super::export_files::ExportFiles;
use super::super::part::{FileState, PartId};
use super::super::recover::NeedsRepair;
use super::uploads::is_gone;
use super::{MANIFEST, Objects};
use crate::error::{find, with_hint};

impl Objects {
    /// The sealed parts whose uploads are gone, with those after them in their series. The others are completed.
    pub(super) fn lost_of(&self, committed: &Committed<'_>) -> Result<Vec<PartId>> {
        let mut sealed: Vec<&FileState> = committed.sealed.iter().collect();
        sealed.sort_unstable_by_key(|file| file.id());
        let mut lost: Vec<PartId> = Vec::new();
        for file in sealed {
            let name = self.place(file)?;
            let batch = file.batch.unwrap_or_default();
            let batch = self.own(&format!("{MANIFEST}{batch:010}.ndjson"));
            // It was completed before it was listed, and may have been taken away since.
            if self.bucket.length(&batch)?.is_some() {
                continue;
            }
            let is_after_one = lost.iter().any(|part| part.series == file.series);
            if is_after_one {
                ensure!(
                    self.bucket.length(name)?.is_none(),
                    with_hint(
                        anyhow!(
                            "`{}` is there already, but one before it is gone",
                            self.display_of(name)
                        ),
                        "its changes would be there twice: export to a new place",
                    )
                );
                lost.push(file.id());
                continue;
            }
            let Err(error) = self.complete(file) else {
                continue;
            };
            if !is_gone(&error) {
                return Err(error);
            }
            ensure!(
                committed.has_ranges(file.series),
                with_hint(
                    error.context("the range of this object was split since"),
                    "its span cannot be read again by itself: export to a new place",
                )
            );
            lost.push(file.id());
        }
        Ok(lost)
    }

    /// Adds to the error for an upload that is gone which of the sealed objects are not there, in manifest objects that
    /// are not there either: what a repair may give up. Whoever reads it knows which of them a consumer has taken.
    pub(super) fn with_missing(&self, error: anyhow::Error, sealed: &[FileState]) -> anyhow::Error {
        let Some(NeedsRepair::Upload(object, _)) = find::<NeedsRepair>(&error) else {
            return error;
        };
        let object = object.clone();
        let is_missing = |name: &str| matches!(self.bucket.length(name), Ok(None));
        let is_listed = |file: &FileState| {
            let batch = file.batch.unwrap_or_default();
            !is_missing(&self.own(&format!("{MANIFEST}{batch:010}.ndjson")))
        };
        let missing = sealed.iter().filter(|file| !is_listed(file));
        let missing = missing.filter_map(|file| self.place(file).ok());
        let missing = missing.filter(|name| is_missing(name));
        let missing = missing.map(|name| self.display_of(name)).collect();
        error.context(NeedsRepair::Upload(object, missing))
    }
}

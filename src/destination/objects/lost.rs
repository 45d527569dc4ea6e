//! Uploads that a store has removed, though a state has sealed them (rule 9).

use anyhow::{Result, ensure};

use super::super::committed::Committed;
use super::super::export_files::ExportFiles;
use super::super::part::{FileState, PartId};
use super::uploads::is_gone;
use super::{MANIFEST, Objects};
use crate::error::with_hint;

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
                        anyhow::anyhow!(
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
}

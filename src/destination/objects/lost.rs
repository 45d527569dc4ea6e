//! Uploads that a store has removed, though a state has sealed them (rule 9).

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use time::format_description::well_known::Rfc3339;

use super::super::committed::Committed;
use super::super::export_files::ExportFiles;
use super::super::part::{FileState, PartId};
use super::super::recover::NeedsRepair;
use super::uploads::Completion;
use super::{MANIFEST, Objects, PARALLEL};
use crate::error::{find, with_hint};

/// By how much the clocks of the servers of one store may differ.
const SLACK: Duration = Duration::from_hours(1);

impl Objects {
    /// The error for a sealed part whose upload is gone, and whose object is not there.
    pub(super) fn gone(&self, file: &FileState, said: anyhow::Error) -> anyhow::Error {
        let object = self.display_of(file.place.as_deref().unwrap_or_default());
        match self.taken(file) {
            Some(taken) => taken,
            None => said.context(NeedsRepair::Upload(object, Vec::new())),
        }
    }

    /// The error for a sealed part whose upload is too young to have expired: its object was there.
    fn taken(&self, file: &FileState) -> Option<anyhow::Error> {
        let (life, began) = (self.bucket.upload_life()?, file.upload_began?);
        let age = self.bucket.store_time()? - began;
        // A clock that went back says nothing.
        if age + SLACK < time::Duration::ZERO || age + SLACK >= life {
            return None;
        }
        let name = self.display_of(file.place.as_deref()?);
        let (began, hours) = (began.format(&Rfc3339).ok()?, life.as_secs() / 3600);
        Some(with_hint(
            anyhow!(
                "`{name}` was completed, and taken away before it was listed: its upload began {began} by the clock of \
                 the store, which keeps one for {hours} hours at least"
            ),
            "put the object back and continue without --repair, or export to a new place: nothing is read again, since \
             its changes would be there twice",
        ))
    }

    /// The sealed parts whose uploads are gone, with those after them in their series. The others are completed.
    ///
    /// Of a part that was open until this process claimed the state, nobody else can have made an object. Of the others
    /// that is not known, so they are given up only by a `repair`, and only if their uploads can have expired.
    pub(super) fn lost_of(&self, committed: &Committed<'_>, repair: bool) -> Result<Vec<PartId>> {
        let mut series: BTreeMap<u32, Vec<&FileState>> = BTreeMap::new();
        for file in committed.sealed {
            series.entry(file.series).or_default().push(file);
        }
        let was_open = |file: &&FileState| is_sealed_by(file, committed);
        series.retain(|_, files| repair || files.iter().any(was_open));
        let mut series: Vec<Vec<&FileState>> = series.into_values().collect();
        let mut lost = Vec::new();
        for several in series.chunks_mut(PARALLEL) {
            std::thread::scope(|scope| -> Result<()> {
                let calls: Vec<_> = several
                    .iter_mut()
                    .map(|files| scope.spawn(|| self.lost_of_series(committed, files, repair)))
                    .collect();
                for one in calls {
                    match one.join() {
                        Ok(found) => lost.extend(found?),
                        Err(panic) => std::panic::resume_unwind(panic),
                    }
                }
                Ok(())
            })?;
        }
        Ok(lost)
    }

    fn lost_of_series(
        &self,
        committed: &Committed<'_>,
        files: &mut [&FileState],
        repair: bool,
    ) -> Result<Vec<PartId>> {
        files.sort_unstable_by_key(|file| file.part);
        let mut lost: Vec<PartId> = Vec::new();
        for &mut file in files {
            let name = self.place(file)?;
            let was_open = is_sealed_by(file, committed);
            // It was completed before it was listed, and may have been taken away since.
            if !was_open && self.is_listed(file)? {
                continue;
            }
            if !lost.is_empty() {
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
            self.check_claim()?;
            let Completion::Gone { said, may_be_ours } = self.complete(file)? else {
                continue;
            };
            let is_certain = was_open && !may_be_ours;
            if !is_certain {
                if !repair {
                    // The recovery names it, and those after it wait.
                    break;
                }
                if let Some(taken) = self.taken(file) {
                    return Err(taken);
                }
            }
            ensure!(
                committed.has_ranges(file.series),
                with_hint(
                    self.gone(file, said)
                        .context("the range of this object was split since"),
                    "its span cannot be read again by itself: export to a new place",
                )
            );
            lost.push(file.id());
        }
        Ok(lost)
    }

    /// Whether the manifest object that lists a sealed part is there.
    fn is_listed(&self, file: &FileState) -> Result<bool> {
        let batch = file.batch.unwrap_or_default();
        let batch = self.own(&format!("{MANIFEST}{batch:010}.ndjson"));
        Ok(self.bucket.length(&batch)?.is_some())
    }

    /// Adds to the error for an upload that is gone which of the sealed objects are not there, in manifest objects that
    /// are not there either: what a repair may give up. Whoever reads it knows which of them a consumer has taken.
    pub(super) fn with_missing(&self, error: anyhow::Error, sealed: &[FileState]) -> anyhow::Error {
        let Some(NeedsRepair::Upload(object, _)) = find::<NeedsRepair>(&error) else {
            return error;
        };
        let object = object.clone();
        let is_missing = |name: &str| matches!(self.bucket.length(name), Ok(None));
        let missing = sealed
            .iter()
            .filter(|file| matches!(self.is_listed(file), Ok(false)));
        let missing = missing.filter_map(|file| self.place(file).ok());
        let missing = missing.filter(|name| is_missing(name));
        let missing = missing.map(|name| self.display_of(name)).collect();
        error.context(NeedsRepair::Upload(object, missing))
    }
}

/// Whether the present commit has sealed a part.
fn is_sealed_by(file: &FileState, committed: &Committed<'_>) -> bool {
    file.batch == Some(committed.generation)
}

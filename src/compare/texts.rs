//! Two sides of files by their texts. Of the target only the hashes of its texts are added up at first: if that is the sum of
//! the source, it has the same documents. Otherwise it is read as the source is.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result};

use super::comparison::Comparison;
use super::examine::{Coarse, SOURCE, TARGET};
use super::keyed::Keyer;
use super::probe::Probe;
use super::reading::RECORDS;
use super::selection::Selection;
use super::side::Place;
use super::visitor::Reading;
use crate::content::digest::Digest;
use crate::content::form::Form;
use crate::content::key::{Writing, name_and_write};
use crate::content::texts::{Texts, hash_of_text};
use crate::feed::RecordForm;
use crate::report::Report;
use crate::source::{self, Mark, Passing, Text};

/// One of so many documents is looked at, for the [`Probe`].
const LOOK_AT: u64 = 16;

/// After so many documents it shows whether the target is written so that most need no look.
const TRIAL: u64 = 1024;

/// What is known of a target whose documents were not looked at.
#[derive(Debug, Default)]
struct Skimmed {
    texts: Texts,
    bytes: u64,
    /// Documents that had to be looked at, or copied.
    slow: u64,
}

impl Comparison {
    /// Reads everything by its texts, and returns the digests.
    ///
    /// # Errors
    ///
    /// Also [`OtherTexts`](super::probe::OtherTexts).
    pub(super) async fn digests_by_text(&self, report: &Report) -> Result<[Digest; 2]> {
        let keyers = self.keyers.each_ref().map(|keyer| {
            Arc::new(Keyer {
                by_text: true,
                ..(**keyer).clone()
            })
        });
        let probe = Arc::<Probe>::default();
        let selection = Arc::new(Selection::All);
        let reading = |side| self.reading(side, &keyers, &selection);
        let coarse = |side| self.coarse(side, Some(&probe));
        let target = async {
            match reading(TARGET).skim(Arc::clone(&probe)).await? {
                Some(skimmed) => Ok(Target::Skimmed(skimmed)),
                None => {
                    let read = reading(TARGET).read(coarse(TARGET)).await?;
                    Ok(Target::Read(Box::new(read)))
                }
            }
        };
        let (source, target) = tokio::try_join!(reading(SOURCE).read(coarse(SOURCE)), target)?;
        let texts = source.texts;
        let source = source.digest.close();
        let target = match target {
            Target::Skimmed(skimmed) if texts == Some(skimmed.texts) => {
                report.detail("the target has the texts of the source: it was not looked at");
                let mut same = source.clone();
                same.bytes = skimmed.bytes;
                same
            }
            Target::Skimmed(_) => {
                let target = reading(TARGET).read(coarse(TARGET)).await?;
                target.digest.close()
            }
            Target::Read(target) => target.digest.close(),
        };
        Ok([source, target])
    }
}

/// How the target was read.
enum Target {
    Skimmed(Skimmed),
    Read(Box<Coarse>),
}

impl Reading {
    /// Adds up the texts of files; none if their records are not documents in lines that are as they were written by the
    /// service, since then it takes about as much as to look at them.
    async fn skim(self, probe: Arc<Probe>) -> Result<Option<Skimmed>> {
        let name = self.side.name.clone();
        let skimming = tokio::task::spawn_blocking(move || self.skim_files(&probe));
        let skimmed = skimming.await.context("the reading ended unexpectedly")?;
        skimmed.with_context(|| format!("cannot compare {name}"))
    }

    fn skim_files(&self, probe: &Probe) -> Result<Option<Skimmed>> {
        let Place::Files { inputs, .. } = &self.side.place else {
            return Ok(None);
        };
        let mut skimmed = Skimmed::default();
        let mut before = 0;
        let mut form = Form::default();
        for input in inputs {
            let mut reader = source::open(input, Mark::default())?;
            while let Some(record) = reader.next_passing()? {
                let Some(text) = self.hash_of(&record, &mut skimmed, probe, &mut form)? else {
                    return Ok(None);
                };
                skimmed.texts.add(text);
                skimmed.bytes += record.json.len() as u64;
                let documents = skimmed.texts.documents;
                if documents.is_multiple_of(RECORDS) {
                    self.reads(RECORDS, before + record.raw_end)?;
                }
                let is_dear = skimmed.slow > documents / 4 || is_compressed(&record);
                if documents.is_multiple_of(TRIAL) && (is_dear || probe.needs_more_than_texts()) {
                    return Ok(None);
                }
            }
            before += input.length;
        }
        self.done.bytes.store(before, Ordering::Relaxed);
        Ok(Some(skimmed))
    }

    /// The hash of the text of a record; none if it is no document, or an unusual one.
    fn hash_of(
        &self,
        record: &Passing<'_>,
        skimmed: &mut Skimmed,
        probe: &Probe,
        form: &mut Form,
    ) -> Result<Option<u128>> {
        if record.form == Some(RecordForm::Changes) {
            return Ok(None);
        }
        let hashes = &self.keyer.hashes;
        let is_looked_at = skimmed.texts.documents.is_multiple_of(LOOK_AT);
        skimmed.slow += u64::from(matches!(record.json, Text::Own(_)));
        if !is_looked_at && let Some(text) = hash_of_text(hashes, &record.json) {
            return Ok(Some(text));
        }
        skimmed.slow += u64::from(!is_looked_at);
        let paths = &self.keyer.key_paths;
        let named = name_and_write(hashes, paths, &record.json, Writing::Text, form);
        let Some((name, text)) = named.and_then(|named| Some((named.name, named.written?))) else {
            return Ok(None);
        };
        let text = hashes.content(text);
        probe.take(TARGET, name, text)?;
        Ok(Some(text))
    }
}

/// Whether a record comes from a file that is compressed, as far as can be said: to read it again costs more than to look
/// at its documents.
fn is_compressed(record: &Passing<'_>) -> bool {
    record.raw_end < record.end.offset / 2
}

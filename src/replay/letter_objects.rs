//! Refused changes in an object store: what each commit has of them is an object of its own, which never changes once
//! it is committed.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::feed::RecordForm;
use crate::objects::{self, Address};
use crate::source::{heading, name_of_letters};

/// The objects of one replay, as its state has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LetterSeries {
    /// The address that they are below.
    place: String,
    /// Names contain it, so the letters of several replays can be in one place.
    id: uuid::Uuid,
    /// How many of them are committed.
    objects: u64,
}

/// Where refused changes go.
#[derive(Debug)]
pub(super) struct LetterObjects {
    place: Address,
    series: LetterSeries,
    /// Letters that are in no object yet.
    held: Vec<u8>,
}

/// An object of refused changes that is to be written.
#[derive(Debug)]
pub(super) struct LetterObject {
    place: Address,
    name: String,
    text: Vec<u8>,
}

impl LetterObject {
    /// Writes it. Blocks.
    ///
    /// # Errors
    ///
    /// If the store refuses it, or does not answer.
    pub(super) fn put(self) -> Result<()> {
        objects::replace("object.manifest", &self.place, &self.name, &self.text)
            .context("cannot write the dead letters")
    }
}

impl LetterObjects {
    /// Those below `place`, which follow what a state `knows`.
    ///
    /// A crash can leave an object that is not committed: what is in it is refused again, or applied. So it is made to
    /// say nothing, unless this is a dry run.
    ///
    /// # Errors
    ///
    /// If the store cannot be read or written.
    pub(super) fn open(
        place: &Address,
        known: Option<&LetterSeries>,
        dry_run: bool,
    ) -> Result<Self> {
        let shown = place.to_string();
        let series = match known.filter(|known| known.place == shown) {
            Some(known) => known.clone(),
            None => LetterSeries {
                place: shown,
                id: uuid::Uuid::now_v7(),
                objects: 0,
            },
        };
        let letters = Self {
            place: place.clone(),
            series,
            held: Vec::new(),
        };
        let next = letters.next();
        let left = objects::read(place, &next).context("cannot read the place of dead letters")?;
        if left.is_some() && !dry_run {
            let nothing = LetterObject {
                place: place.clone(),
                name: next,
                text: heading(RecordForm::Changes),
            };
            nothing.put()?;
        }
        Ok(letters)
    }

    fn next(&self) -> String {
        name_of_letters(self.series.id, self.series.objects + 1)
    }

    /// Takes letters, for the next object.
    pub(super) fn hold(&mut self, letters: &[Vec<u8>]) {
        for letter in letters {
            if self.held.is_empty() {
                // Each object declares what its lines are, so that it can be replayed by itself.
                self.held.extend_from_slice(&heading(RecordForm::Changes));
            }
            self.held.extend_from_slice(letter);
        }
    }

    /// Writes what is held as the next object, if there is anything. Blocks.
    ///
    /// # Errors
    ///
    /// If the store refuses it, or does not answer.
    pub(super) fn flush(&mut self) -> Result<()> {
        match self.take_next() {
            Some(next) => next.put(),
            None => Ok(()),
        }
    }

    /// What is held, as the next object; none if nothing is. Those after it are written once it is.
    pub(super) fn take_next(&mut self) -> Option<LetterObject> {
        if self.held.is_empty() {
            return None;
        }
        let next = LetterObject {
            place: self.place.clone(),
            name: self.next(),
            text: std::mem::take(&mut self.held),
        };
        self.series.objects += 1;
        Some(next)
    }

    /// What a state has to know of them.
    pub(super) fn series(&self) -> &LetterSeries {
        &self.series
    }
}

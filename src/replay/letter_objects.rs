//! Refused changes in an object store: what each commit has of them is an object of its own, which never changes once
//! it is committed.
//!
//! Each start has names of its own, and the state has its id before the first of them is written. So a write of a process
//! that is dead by the time it arrives cannot replace what another start has committed. The one object that such a
//! process can have begun is made to say nothing by the next start, and is created on the condition that it does not exist.

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

use crate::feed::RecordForm;
use crate::objects::{self, Address, Created};
use crate::report::Report;
use crate::source::{heading, name_of_letters};

const STEP: &str = "object.manifest";

/// The objects of one start of a replay, as its state has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LetterSeries {
    /// The address that they are below.
    place: String,
    /// Names contain it, so those of several starts and of several replays can be in one place.
    id: Uuid,
    /// How many of them are committed.
    objects: u64,
}

impl LetterSeries {
    /// The name of the one that is written next.
    fn next(&self) -> String {
        name_of_letters(self.id, self.objects.saturating_add(1))
    }

    /// Makes the object that the start which wrote these has not committed say nothing: what is in it is refused again, or
    /// applied. It is made if it is not there, so that it cannot come later: a write can arrive after its process is dead,
    /// and none replaces what exists.
    ///
    /// # Errors
    ///
    /// If the store cannot be read or written.
    fn close(&self, place: &Address) -> Result<()> {
        let (name, nothing) = (self.next(), heading(RecordForm::Changes));
        let left = objects::read(place, &name).context("cannot read the place of dead letters")?;
        if left.is_some_and(|left| left == nothing) {
            return Ok(());
        }
        objects::replace(STEP, place, &name, &nothing).context("cannot write the dead letters")
    }

    /// An id for names that come after these.
    fn later_id(&self) -> Uuid {
        let id = Uuid::now_v7();
        if id > self.id {
            return id;
        }
        // The clock has been set back.
        let Some(time) = self.id.get_timestamp() else {
            return id;
        };
        let (seconds, nanoseconds) = time.to_unix();
        let next = Timestamp::from_unix(NoContext, seconds.saturating_add(1), nanoseconds);
        Uuid::new_v7(next)
    }
}

/// Makes the object that an earlier start has not committed say nothing, if this one keeps its letters elsewhere, or none.
/// If that is no longer allowed, a warning names the object.
pub(super) fn close_elsewhere(known: &LetterSeries, report: &Report) {
    let place = Address::parse(&known.place).and_then(Result::ok);
    let closed = match &place {
        Some(place) => known.close(place),
        None => Err(anyhow!("`{}` is no address", known.place.escape_debug())),
    };
    if let Err(error) = closed {
        let shown = place.map_or(known.next(), |place| place.of(&known.next()));
        report.warning(&format!(
            "`{shown}`, if it is there, has letters of an earlier run that are not committed: do not replay it \
             ({error:#})"
        ));
    }
}

/// Where refused changes go.
#[derive(Debug)]
pub(super) struct LetterObjects {
    place: Address,
    series: LetterSeries,
    /// Whether they are committed to: no object is written before the state has the id of its name.
    is_claimed: bool,
    /// Those of an earlier start, until then.
    earlier: Option<LetterSeries>,
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
        let created = objects::create_where_possible(STEP, &self.place, &self.name, &self.text)
            .context("cannot write the dead letters")?;
        if let Created::Exists(_) = created {
            bail!(
                "another process has taken over the dead letters: `{}` is not of this one",
                self.place.of(&self.name)
            );
        }
        Ok(())
    }
}

impl LetterObjects {
    /// New ones below `place`, after those that a state `knows`. In a dry run nothing is written.
    ///
    /// # Errors
    ///
    /// If the store cannot be read or written.
    pub(super) fn open(
        place: &Address,
        known: Option<&LetterSeries>,
        dry_run: bool,
        report: &Report,
    ) -> Result<Self> {
        let shown = place.to_string();
        match known {
            Some(known) if !dry_run && known.place == shown => known.close(place)?,
            Some(known) if !dry_run => close_elsewhere(known, report),
            // An error of the store is one here too.
            _ => objects::read(place, &name_of_letters(Uuid::nil(), 1))
                .map(drop)
                .context("cannot read the place of dead letters")?,
        }
        Ok(Self {
            place: place.clone(),
            series: LetterSeries {
                id: known.map_or_else(Uuid::now_v7, LetterSeries::later_id),
                place: shown,
                objects: 0,
            },
            is_claimed: false,
            earlier: known.cloned(),
            held: Vec::new(),
        })
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

    /// What the state has to know before the first object is written, if that is next.
    pub(super) fn claim(&mut self) -> Option<&LetterSeries> {
        if self.held.is_empty() || self.is_claimed {
            return None;
        }
        self.is_claimed = true;
        Some(&self.series)
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
            name: self.series.next(),
            text: std::mem::take(&mut self.held),
        };
        self.series.objects += 1;
        Some(next)
    }

    /// What a state has to know of them.
    pub(super) fn series(&self) -> Option<&LetterSeries> {
        match self.is_claimed {
            true => Some(&self.series),
            false => self.earlier.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_after_those_of_earlier_starts_whatever_the_clock_says() {
        let of = |seconds| LetterSeries {
            place: String::new(),
            id: Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, 0)),
            objects: 0,
        };
        for seconds in [0, 1_700_000_000, 4_000_000_000] {
            let earlier = of(seconds);
            assert!(earlier.later_id() > earlier.id, "{seconds}");
        }
    }
}

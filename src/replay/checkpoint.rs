//! What of a replay is committed.

use anyhow::Result;

use super::dead_letters::DeadLetters;
use super::position::Standing;
use super::replay_source::ReplaySource;
use super::state::{ReplayState, StateFile};
use super::watermark::Watermark;

/// The state, and how much of this run it covers.
#[derive(Debug)]
pub(super) struct Checkpoint {
    file: Option<StateFile>,
    state: ReplayState,
    /// How many changes of this run the committed state covers.
    done_through: u64,
    /// How many changes earlier runs have refused.
    refused_before: u64,
}

impl Checkpoint {
    pub(super) fn new(file: Option<StateFile>, state: ReplayState) -> Self {
        Self {
            file,
            refused_before: state.refused,
            state,
            done_through: 0,
        }
    }

    /// Whether the replay has a state file.
    pub(super) fn has_state(&self) -> bool {
        self.file.is_some()
    }

    /// Where the replay is in its source, as the state says.
    pub(super) fn standing(&self) -> Standing {
        Standing {
            position: self.state.position,
            feed: self.state.feed.clone(),
            bytes: 0,
        }
    }

    /// How many changes of this run the committed state covers.
    pub(super) fn done_through(&self) -> u64 {
        self.done_through
    }

    /// Commits how far every change is done. Returns whether there was anything to commit: nothing is
    /// without a state file, or if the source has not moved.
    ///
    /// # Errors
    ///
    /// If the state or the dead letters cannot be made durable, or the state file is no longer ours.
    pub(super) fn commit(
        &mut self,
        watermark: &Watermark<Standing>,
        source: &ReplaySource,
        letters: &mut DeadLetters,
    ) -> Result<bool> {
        let Some(file) = &self.file else {
            return Ok(false);
        };
        let state = &mut self.state;
        let done_through = watermark.done_through();
        let standing = watermark.position();
        if state.generation > 0
            && done_through == self.done_through
            && state.feed == standing.feed
            && state.letter_objects.as_ref() == letters.series()
        {
            return Ok(false);
        }
        if let Some(begun) = letters.claim() {
            state.generation += 1;
            state.letter_objects = Some(begun.clone());
            file.commit(state)?;
        }
        if let ReplaySource::Files(files) = source {
            for index in state.inputs.len()..=standing.position.input {
                if let Some(input) = files.inputs.get(index) {
                    state.inputs.extend(input.fingerprint(None)?);
                }
            }
        }
        state.generation += 1;
        state.position = standing.position;
        state.feed.clone_from(&standing.feed);
        state.dead_letters = letters.sync()?;
        state.letter_objects = letters.series().cloned();
        state.changes += done_through - self.done_through;
        state.refused = self.refused_before + watermark.refused_through();
        file.commit(state)?;
        self.done_through = done_through;
        Ok(true)
    }
}

//! The right to commit to a state, and how a commit is settled when its answer is lost.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

use super::store::{Fence, Put, StateStore, Stored, Version};
use crate::destination::Ownership;
use crate::error::with_hint;

/// Attempts to store one text, before the commit is given up.
const MAX_ATTEMPTS: u32 = 8;

/// How long the second attempt waits for; each further one waits for twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Who wrote a text, in a store without locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The process that wrote it. It is random for each start: a process whose place was taken must
    /// not take its successor's texts for its own.
    pub id: uuid::Uuid,
    /// Counts the processes that have claimed the state, from 1.
    pub epoch: u64,
    /// Counts the texts of this process. No number is used twice, so no two texts are the same.
    pub write: u64,
}

/// A state that this process alone commits to.
#[derive(Debug)]
pub struct Claimed {
    store: Box<dyn StateStore>,
    version: Option<Version>,
    claim: Claim,
    pause: fn(Duration),
}

impl Claimed {
    /// Takes the lock of `store`, if it has one, and looks at what it holds. `claim_of` reads the
    /// claim of a text.
    ///
    /// A store without locks is claimed by the first [`commit`](Self::commit).
    ///
    /// # Errors
    ///
    /// If another process has the lock, or the store cannot be read.
    pub fn take(
        mut store: Box<dyn StateStore>,
        claim_of: impl FnOnce(&[u8]) -> Option<Claim>,
    ) -> Result<(Self, Option<Vec<u8>>)> {
        store.lock()?;
        let stored = store.load()?;
        let earlier = stored.as_ref().and_then(|stored| claim_of(&stored.text));
        let (text, version) = stored
            .map(|Stored { text, version }| (text, version))
            .unzip();
        let claimed = Self {
            store,
            version,
            claim: Claim {
                id: uuid::Uuid::now_v7(),
                epoch: earlier.map_or(0, |earlier| earlier.epoch) + 1,
                write: 0,
            },
            pause: std::thread::sleep,
        };
        Ok((claimed, text))
    }

    /// Pauses between attempts in another way.
    pub fn with_pause(mut self, pause: fn(Duration)) -> Self {
        self.pause = pause;
        self
    }

    /// Where the state is, for people.
    pub fn display(&self) -> String {
        self.store.display()
    }

    /// The file of the state, if it is one.
    pub fn path(&self) -> Option<&Path> {
        self.store.path()
    }

    /// What makes this process the only one that writes.
    pub fn ownership(&self) -> Ownership {
        Ownership {
            locks: self.store.locks(),
            process: self.claim.id,
        }
    }

    /// Whether the state must be committed once before anything of its output may be changed.
    pub fn is_claimed_by_a_commit(&self) -> bool {
        self.store.fence() == Fence::Condition
    }

    /// The claim that the next text is to carry; none in a store with locks.
    pub fn next_claim(&mut self) -> Option<Claim> {
        self.claim.write += 1;
        self.is_claimed_by_a_commit().then_some(self.claim)
    }

    /// Stores `text`, which carries [`next_claim`](Self::next_claim), in the place of what this
    /// process stored or found last.
    ///
    /// An answer that is lost is settled before anything else is done: the store is read, the whole
    /// text compared, and the same bytes sent again until it is known.
    ///
    /// # Errors
    ///
    /// If another process has claimed the state, or whether the text is stored could not be settled.
    pub fn commit(&mut self, text: &[u8]) -> Result<()> {
        let mut pause = FIRST_PAUSE;
        let mut unclear = None;
        for attempt in 0..MAX_ATTEMPTS {
            if attempt > 0 {
                (self.pause)(pause);
                pause *= 2;
            }
            match self.store.put(text, self.version.as_ref()) {
                Ok(Put::Done(version)) => {
                    self.version = Some(version);
                    return Ok(());
                }
                Ok(Put::Conflict) => {}
                Ok(Put::Unclear(error)) => unclear = Some(error),
                // An attempt before it may still arrive, so this one alone decides nothing.
                Err(error) if unclear.is_some() => unclear = Some(error),
                Err(error) => return Err(error),
            }
            let stored = match self.store.load() {
                Ok(stored) => stored,
                Err(error) => {
                    unclear = Some(error);
                    continue;
                }
            };
            match stored {
                Some(stored) if stored.text == text => {
                    self.version = Some(stored.version);
                    return Ok(());
                }
                // Nothing has come in between: the same bytes may be sent again.
                Some(stored) if Some(&stored.version) == self.version.as_ref() => {}
                None if self.version.is_none() => {}
                _ => return Err(self.lost()),
            }
        }
        let error = unclear.unwrap_or_else(|| anyhow!("the store keeps refusing it"));
        Err(error.context("whether it is stored could not be settled"))
    }

    fn lost(&self) -> anyhow::Error {
        with_hint(
            anyhow!(
                "another process has claimed the state `{}` meanwhile",
                self.store.display()
            ),
            "this one stops; let the other continue, or stop it and resume",
        )
    }
}

/// Adds where a commit was to go to its error.
pub(super) fn cannot_commit<T>(committed: Result<T>, claimed: &Claimed) -> Result<T> {
    committed.with_context(|| format!("cannot commit to `{}`", claimed.display()))
}

//! The right to commit to a state, and what to do if the answer to a commit is lost.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

use super::store::{Fence, Put, StateStore, Stored, Version};
use crate::destination::{Holder, Ownership};
use crate::error::with_hint;
use crate::failpoint;

/// Attempts to store a text before the commit fails.
const MAX_ATTEMPTS: u32 = 8;

/// The pause before the second attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The writer of a text, in a store without locks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The process that wrote it. It is random for each start: a process that was replaced must not mistake
    /// its successor's texts for its own.
    pub id: uuid::Uuid,
    /// Counts the processes that have claimed the state, from 1.
    pub epoch: u64,
    /// Counts the texts of this process. No number is used twice, so no two texts are equal.
    pub write: u64,
    /// Who that is, for people. Left out by older builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
}

/// A state that this process alone commits to.
#[derive(Debug)]
pub struct Claimed {
    store: Box<dyn StateStore>,
    version: Option<Version>,
    claim: Claim,
    claim_of: ClaimOf,
    pause: fn(Duration),
    /// Whether the text of the last commit can have been stored.
    may_be_stored: bool,
}

/// Reads the claim of a text.
type ClaimOf = fn(&[u8]) -> Option<Claim>;

impl Claimed {
    /// Takes the lock of `store`, if it has one, and loads what it holds. `claim_of` reads the claim of a
    /// text.
    ///
    /// A store without locks is claimed by the first [`commit`](Self::commit).
    ///
    /// # Errors
    ///
    /// If another process holds the lock, or the store cannot be read.
    pub fn take(
        mut store: Box<dyn StateStore>,
        claim_of: ClaimOf,
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
                holder: Some(Holder::this()),
            },
            claim_of,
            pause: failpoint::pause,
            may_be_stored: false,
        };
        Ok((claimed, text))
    }

    /// Replaces the pause between attempts.
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

    /// The claim of the next text; `None` in a store with locks.
    pub fn next_claim(&mut self) -> Option<Claim> {
        self.claim.write += 1;
        self.is_claimed_by_a_commit().then(|| self.claim.clone())
    }

    /// Stores `text`, which contains [`next_claim`](Self::next_claim), in place of what this process stored or
    /// found last.
    ///
    /// A lost answer is resolved before anything else is done: the store is read, the whole text compared, and
    /// the same bytes are sent again until the outcome is known.
    ///
    /// # Errors
    ///
    /// If another process has claimed the state, or the outcome remains unknown.
    pub fn commit(&mut self, text: &[u8]) -> Result<()> {
        let mut pause = FIRST_PAUSE;
        let mut unclear = None;
        self.may_be_stored = false;
        for attempt in 0..MAX_ATTEMPTS {
            if attempt > 0 {
                (self.pause)(pause);
                pause *= 2;
            }
            let put = self.store.put(text, self.version.as_ref());
            self.may_be_stored |= matches!(put, Ok(Put::Done(_) | Put::Unclear(_)));
            match put {
                Ok(Put::Done(version)) => {
                    self.version = Some(version);
                    return Ok(());
                }
                Ok(Put::Conflict) => {}
                Ok(Put::Unclear(_))
                    if failpoint::is_planted("defect.object.unclear-commit-is-done") =>
                {
                    self.version = self.store.load()?.map(|stored| stored.version);
                    return Ok(());
                }
                Ok(Put::Unclear(error)) => unclear = Some(error),
                // An earlier attempt may still arrive, so this error alone decides nothing.
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
                    self.may_be_stored = true;
                    self.version = Some(stored.version);
                    return Ok(());
                }
                // Nothing was stored in between: the same bytes can be sent again.
                Some(stored) if Some(&stored.version) == self.version.as_ref() => {}
                None if self.version.is_none() => {}
                other => return Err(self.lost(other)),
            }
        }
        let error = unclear.unwrap_or_else(|| anyhow!("the store keeps refusing the state"));
        Err(error.context("cannot determine whether it was stored"))
    }

    /// Checks that what was found or stored last is still there: another process may have gone on since.
    ///
    /// # Errors
    ///
    /// If it is not, or the store cannot be read.
    pub fn ensure_latest(&self) -> Result<()> {
        let stored = self.store.load()?;
        match stored.as_ref().map(|stored| &stored.version) == self.version.as_ref() {
            true => Ok(()),
            false => Err(self.lost(stored)),
        }
    }

    /// Whether the text of the last commit can have been stored, so that another process may have read it.
    pub fn may_be_stored(&self) -> bool {
        self.may_be_stored
    }

    /// Whether it is certain that another process has written the state since.
    pub fn is_lost(&self) -> bool {
        let stored = self.store.load();
        stored.is_ok_and(|stored| stored.map(|stored| stored.version) != self.version)
    }

    fn lost(&self, stored: Option<Stored>) -> anyhow::Error {
        let state = self.store.display();
        let Some(stored) = stored else {
            return with_hint(
                anyhow!("the state `{state}` is gone"),
                "this process stops: restore the state and resume, or export to a new place",
            );
        };
        let claim = (self.claim_of)(&stored.text);
        if claim
            .as_ref()
            .is_some_and(|claim| claim.id == self.claim.id)
        {
            return with_hint(
                anyhow!("the state `{state}` was replaced by an older one of this process"),
                "something else writes to it, or the store does not show its latest version: resume once that is over",
            );
        }
        let who = match claim.and_then(|claim| claim.holder) {
            Some(holder) => format!(": {holder}"),
            None => String::new(),
        };
        with_hint(
            anyhow!("another process has claimed the state `{state}`{who}"),
            "this process stops: let the other one continue, or stop it and resume",
        )
    }
}

/// Adds the place of a commit to its error.
pub(super) fn cannot_commit<T>(committed: Result<T>, claimed: &Claimed) -> Result<T> {
    committed.with_context(|| format!("cannot commit to `{}`", claimed.display()))
}

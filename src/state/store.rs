//! The seam between a state and where it is kept.

use std::fmt::Debug;
use std::path::Path;

use anyhow::Result;

use crate::durable::Locks;

/// Names one text that a store has held. Only the store that gave it can compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// The version that a store calls `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// What the store calls it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The text.
    pub text: Vec<u8>,
    /// Its version.
    pub version: Version,
}

/// What became of a text that was to be stored.
#[derive(Debug)]
pub enum Put {
    /// It is stored, with this version.
    Done(Version),
    /// The store holds another version than the one expected. That can be this very text, if an
    /// earlier attempt succeeded and its answer was lost.
    Conflict,
    /// The answer was lost: it may be stored or not, now or later.
    Unclear(anyhow::Error),
}

/// What keeps two processes from committing to one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// A lock, which [`StateStore::lock`] takes. It goes with the process.
    Lock,
    /// The condition of each [`StateStore::put`]: a process that starts stores the state under a
    /// claim of its own, and from then on no other process's expected version is there.
    Condition,
}

/// Where a state is kept. All calls block.
pub trait StateStore: Debug + Send {
    /// Where that is, for people.
    fn display(&self) -> String;

    /// The file, if it is one: what `--state` names.
    fn path(&self) -> Option<&Path> {
        None
    }

    /// What keeps two processes from committing to it.
    fn fence(&self) -> Fence;

    /// Takes the lock, as far as the place has locks.
    ///
    /// # Errors
    ///
    /// If another process has it.
    fn lock(&mut self) -> Result<()>;

    /// The locks that are held.
    fn locks(&self) -> Locks;

    /// What is stored; none if nothing is.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn load(&self) -> Result<Option<Stored>>;

    /// Replaces what is stored by `text`, whole or not at all, if the version stored is `expected`;
    /// none means that nothing is.
    ///
    /// # Errors
    ///
    /// If it is certain that nothing was stored.
    fn put(&self, text: &[u8], expected: Option<&Version>) -> Result<Put>;
}

//! The seam between a state and where it is kept.

use std::fmt::Debug;
use std::path::Path;

use anyhow::Result;

use crate::durable::Locks;

/// Names one text that a store has held. Only the same store can compare it.
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

/// The outcome of storing a text.
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
    /// A lock, which [`StateStore::lock`] takes. It is released when the process ends.
    Lock,
    /// The condition of each [`StateStore::put`]: a process that starts stores the state under its own claim,
    /// and from then on the version that another process expects no longer exists.
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

    /// Takes the lock, if the store has locks.
    ///
    /// # Errors
    ///
    /// If another process holds it.
    fn lock(&mut self) -> Result<()>;

    /// The locks that are held.
    fn locks(&self) -> Locks;

    /// What is stored; `None` if nothing is.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn load(&self) -> Result<Option<Stored>>;

    /// Replaces what is stored by `text`, completely or not at all, if the stored version is `expected`;
    /// `None` means that nothing is stored.
    ///
    /// # Errors
    ///
    /// If it is certain that nothing was stored.
    fn put(&self, text: &[u8], expected: Option<&Version>) -> Result<Put>;
}

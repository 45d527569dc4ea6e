//! A state in a local file, guarded by a lock file beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::file;
use super::store::{Fence, Put, StateStore, Stored, Version};
use crate::durable::{self, Lock, Locks, lock_path, parent_of, shown_path};
use crate::error::Annotate;

/// A state file. Only the holder of its lock replaces it, so versions need not be distinguished.
#[derive(Debug)]
pub struct LocalState {
    path: PathBuf,
    lock: Option<Arc<Lock>>,
}

impl LocalState {
    /// The state file `path`.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            lock: None,
        }
    }
}

impl StateStore for LocalState {
    fn display(&self) -> String {
        shown_path(&self.path).to_string()
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn fence(&self) -> Fence {
        Fence::Lock
    }

    /// Takes the lock of the state file, whose directory is created if needed.
    ///
    /// # Errors
    ///
    /// If another process holds it, if the state or its lock is not a file that can be replaced, or any
    /// error of the operating system.
    fn lock(&mut self) -> Result<()> {
        let directory = parent_of(&self.path);
        durable::create_directory(directory)
            .with_context(|| format!("cannot create the directory `{}`", shown_path(&directory)))
            .hint("choose another path, in a directory where you may write")?;
        durable::is_plain_file(&self.path)?;
        let lock = Lock::acquire_for(
            &lock_path(&self.path),
            &format!("the state `{}` is in use", shown_path(&self.path)),
            "wait for the other export, or stop it: its lock is released when it ends",
        )?;
        // Not before: another process may be about to commit.
        durable::left_staged(&self.path)?;
        self.lock = Some(Arc::new(lock));
        Ok(())
    }

    fn locks(&self) -> Locks {
        Locks::new(self.lock.iter().cloned())
    }

    fn load(&self) -> Result<Option<Stored>> {
        if !durable::is_there(&self.path) {
            return Ok(None);
        }
        Ok(Some(Stored {
            text: file::read_text(&self.path)?,
            version: Version::new(""),
        }))
    }

    fn put(&self, text: &[u8], _: Option<&Version>) -> Result<Put> {
        durable::replace(&self.path, text)?;
        Ok(Put::Done(Version::new("")))
    }
}

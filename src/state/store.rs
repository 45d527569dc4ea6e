//! Where a state is kept, and the locks that make it and its output this process's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::file::lock_path;
use super::names::FileNames;
use crate::durable::{self, Lock, Locks, parent_of};
use crate::error::{Annotate, with_hint};

/// Where the state is kept, and the lock that makes it ours.
#[derive(Debug)]
pub struct Store {
    /// The state file.
    pub path: PathBuf,
    /// Held for as long as the job runs.
    pub lock: Arc<Lock>,
    /// The lock of the output, if the state lies elsewhere.
    pub output_lock: Option<Arc<Lock>>,
}

impl Store {
    /// Takes the lock of a state file, whose directory is created if needed.
    ///
    /// # Errors
    ///
    /// If another process has it, if what has the name of the state or of its lock is no file that
    /// can be replaced, or any error of the system.
    pub fn take(path: &Path) -> Result<Self> {
        let directory = parent_of(path);
        durable::create_directory(directory)
            .with_context(|| format!("cannot create the directory `{}`", directory.display()))
            .hint("choose another place for the output, where this user may write")?;
        durable::is_plain_file(path)?;
        let lock = acquire(
            &lock_path(path),
            &format!("the state `{}` is in use", path.display()),
            "wait for the other export, or stop it; its lock goes with it",
        )?;
        // Not before: another process may be about to commit.
        durable::left_staged(path)?;
        Ok(Self {
            path: path.to_owned(),
            lock: Arc::new(lock),
            output_lock: None,
        })
    }

    /// Takes the lock of the output, which is that of the state where it lies unless told otherwise.
    ///
    /// Without it two jobs whose states lie elsewhere would write to files of the same names.
    ///
    /// # Errors
    ///
    /// As [`Store::take`].
    pub fn lock_output(&mut self, names: &FileNames) -> Result<()> {
        let Some(beside) = names.default_state() else {
            return Ok(());
        };
        let path = lock_path(&beside);
        // Two names of one file are one lock, which this process has already.
        let is_own = match (path.canonicalize(), lock_path(&self.path).canonicalize()) {
            (Ok(output), Ok(own)) => output == own,
            _ => false,
        };
        if !is_own {
            let lock = acquire(
                &path,
                &format!("cannot write to `{}`", names.display()),
                "wait for the other export, or stop it; or choose another output",
            )?;
            self.output_lock = Some(Arc::new(lock));
        }
        Ok(())
    }

    /// The locks that are held.
    pub fn locks(&self) -> Locks {
        Locks::new([&self.lock].into_iter().chain(&self.output_lock).cloned())
    }
}

/// Takes a lock. What is wrong with the file itself says more than that it cannot be locked.
fn acquire(path: &Path, what: &str, hint: &str) -> Result<Lock> {
    Lock::acquire(path).map_err(|error| {
        let known = crate::error::hint(&error).map(str::to_owned);
        with_hint(
            error.context(what.to_owned()),
            known.unwrap_or(hint.to_owned()),
        )
    })
}

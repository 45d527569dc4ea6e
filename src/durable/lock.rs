//! Locks that other processes respect, and that go with the process.

use std::fs::TryLockError;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use fs_err as fs;

use super::files::{
    open_plain, open_plain_quietly, private, remove_plain, shown_path, with_suffix,
};
use crate::error::{ExitCode, with_exit_code, with_hint};
use crate::failpoint;

/// The lock file of the state file `path`.
pub fn lock_path(path: &Path) -> PathBuf {
    with_suffix(path, ".lock")
}

/// How long to wait for a lock that another process holds.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// The pause between two attempts to take a lock.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// An exclusive lock, held until this value is dropped.
///
/// The lock is on a separate file, because every commit replaces the inode of the file that it
/// protects. The lock file is not deleted when the lock is released: otherwise two processes could hold
/// locks on two files of the same name. [`Lock::check`] detects if somebody deletes it anyway.
#[derive(Debug)]
pub struct Lock {
    file: std::fs::File,
    path: PathBuf,
}

/// The maximum length of a lock file, which contains a process id.
const LOCK_BYTES: u64 = 20;

impl Lock {
    /// As [`Lock::acquire`], with `what` as the context of an error, and with `hint` unless the error has
    /// a hint of its own.
    ///
    /// # Errors
    ///
    /// As [`Lock::acquire`].
    pub fn acquire_for(path: &Path, what: &str, hint: &str) -> Result<Self> {
        Self::acquire(path).map_err(|error| {
            let known = crate::error::hint(&error).map(str::to_owned);
            with_hint(
                error.context(what.to_owned()),
                known.unwrap_or(hint.to_owned()),
            )
        })
    }

    /// Takes the lock on `path`, creating the file if necessary.
    ///
    /// # Errors
    ///
    /// If another process holds it for more than a second, with its process id; if the file is not a
    /// lock; or any error of the system.
    pub fn acquire(path: &Path) -> Result<Self> {
        let mut options = private();
        options.create(true).truncate(false).read(true);
        #[cfg(windows)]
        {
            use fs_err::os::windows::fs::OpenOptionsExt;
            // Others may read and write, but not delete.
            const FILE_SHARE_READ_WRITE: u32 = 3;
            options.share_mode(FILE_SHARE_READ_WRITE);
        }
        let file = open_plain("lock.open", path, &mut options)?;
        let (file, _) = file.into_parts();
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // A process that was just killed may not have released it yet.
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    let mut owner = String::new();
                    // For the message only. On Windows, the lock prevents reading too.
                    let owner = match (&file).take(LOCK_BYTES).read_to_string(&mut owner) {
                        Ok(1..) if owner.bytes().all(|byte| byte.is_ascii_digit()) => {
                            format!(" (process {owner})")
                        }
                        _ => String::new(),
                    };
                    bail!(
                        "another process{owner} holds the lock `{}`",
                        shown_path(&path)
                    );
                }
                Err(TryLockError::Error(error)) => {
                    return Err(error)
                        .with_context(|| format!("cannot lock `{}`", shown_path(&path)));
                }
            }
        }
        let mut lock = Self {
            file,
            path: path.to_owned(),
        };
        lock.ensure_is_a_lock()?;
        // It may have been deleted before it was locked.
        lock.check()?;
        lock.sign()
            .with_context(|| format!("cannot write to the lock `{}`", shown_path(&path)))?;
        Ok(lock)
    }

    /// Removes the lock file, which nothing needs any more, and releases the lock. A process that waits for it
    /// notices that the file has lost its name.
    ///
    /// # Errors
    ///
    /// Any error of the system.
    pub fn remove(self) -> Result<()> {
        let path = self.path.clone();
        // Windows refuses to delete a file that is open in this way.
        #[cfg(windows)]
        drop(self);
        remove_plain("resume.delete", &path)
    }

    /// Writes this process's id, for the error messages of other processes.
    fn sign(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        write!(self.file, "{}", std::process::id())
    }

    /// Checks that the file contains only a process id, since it will be overwritten.
    fn ensure_is_a_lock(&mut self) -> Result<()> {
        let mut contents = Vec::new();
        let read = (&self.file).take(LOCK_BYTES + 1).read_to_end(&mut contents);
        read.with_context(|| format!("cannot read the lock `{}`", shown_path(&self.path)))?;
        let is_lock = contents.len() as u64 <= LOCK_BYTES
            && contents
                .iter()
                .all(|byte| byte.is_ascii_digit() || *byte == 0);
        if is_lock {
            return Ok(());
        }
        Err(with_hint(
            anyhow!("`{}` is not a lock of cosmos-tail", shown_path(&self.path)),
            "cosmos-tail needs a lock file of that name: move the file away, or keep the state elsewhere \
             with --state",
        ))
    }

    /// Checks that the locked file still has its name. If it was deleted, another process can lock a new
    /// file of that name and write to the same files.
    ///
    /// # Errors
    ///
    /// If the file was deleted or replaced, with the exit code for resumable runs; or any error of the
    /// system.
    pub fn check(&self) -> Result<()> {
        if failpoint::is_planted("defect.lock-not-checked") {
            return Ok(());
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let own = self.file.metadata()?;
            let what = match std::fs::symlink_metadata(&self.path) {
                Ok(named) if (named.dev(), named.ino()) == (own.dev(), own.ino()) => return Ok(()),
                Ok(_) => "was replaced by another file",
                Err(error) if error.kind() == io::ErrorKind::NotFound => "was deleted",
                Err(error) => {
                    return Err(error).with_context(|| {
                        format!("cannot check the lock `{}`", shown_path(&self.path))
                    });
                }
            };
            let error = anyhow!(
                "the lock `{}` {what} while this process held it; nothing was committed after that",
                shown_path(&self.path)
            );
            Err(with_exit_code(
                with_hint(
                    error,
                    "another process may be writing to the same files: make sure that none is; do not delete \
                     lock files, a lock is released when its process ends",
                ),
                ExitCode::Resumable,
            ))
        }
        // On Windows, a file that is opened this way cannot lose its name.
        #[cfg(not(unix))]
        {
            let _not_needed = (&self.file, &self.path);
            Ok(())
        }
    }
}

impl Lock {
    /// Whether another process holds the lock on `path`. Nothing is created or changed.
    ///
    /// # Errors
    ///
    /// Any error of the system, except that the file does not exist: nobody can have locked it then.
    pub fn is_held(path: &Path) -> Result<bool> {
        // Only a regular file can be locked.
        match std::fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => return Ok(false),
            _ => {}
        }
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot open `{}`", shown_path(&path)));
            }
        };
        // The lock is released when the file is closed.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot check the lock `{}`", shown_path(&path)))
            }
        }
    }
}

/// The locks of a job, which its writers can check.
#[derive(Debug, Clone, Default)]
pub struct Locks(Vec<std::sync::Arc<Lock>>);

impl Locks {
    /// A job with these locks.
    pub fn new(locks: impl IntoIterator<Item = std::sync::Arc<Lock>>) -> Self {
        Self(locks.into_iter().collect())
    }

    /// Adds a lock.
    pub fn add(&mut self, lock: std::sync::Arc<Lock>) {
        self.0.push(lock);
    }

    /// Checks each lock.
    ///
    /// # Errors
    ///
    /// As [`Lock::check`].
    pub fn check(&self) -> Result<()> {
        self.0.iter().try_for_each(|lock| lock.check())
    }
}

/// Opens a file that only this process writes for as long as it is open. Others may read it.
///
/// # Errors
///
/// If it is no plain file; if another process writes it, for more than a second: that is [`WrittenByAnother`]; or any error
/// of the system.
pub fn open_for_one_writer(path: &Path, options: &mut fs::OpenOptions) -> Result<fs::File> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match open_unless_written(path, options)? {
            Some(file) => return Ok(file),
            None if Instant::now() < deadline => std::thread::sleep(LOCK_PAUSE),
            None => return Err(WrittenByAnother.into()),
        }
    }
}

/// None if another process writes it.
#[cfg(not(windows))]
fn open_unless_written(path: &Path, options: &mut fs::OpenOptions) -> Result<Option<fs::File>> {
    let file = open_plain_quietly(path, options)?;
    match file.file().try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        // Some file systems have no locks.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            Ok(Some(file))
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock `{}`", shown_path(&path)))
        }
    }
}

/// None if another process writes it. A lock would keep others from reading it: whoever opens it for writing while it is
/// open in this way is refused by the system.
#[cfg(windows)]
fn open_unless_written(path: &Path, options: &mut fs::OpenOptions) -> Result<Option<fs::File>> {
    use fs_err::os::windows::fs::OpenOptionsExt;
    const FILE_SHARE_READ: u32 = 1;
    const ERROR_SHARING_VIOLATION: i32 = 32;
    options.share_mode(FILE_SHARE_READ);
    match open_plain_quietly(path, options) {
        Ok(file) => Ok(Some(file)),
        Err(error) => {
            let cause = error.root_cause().downcast_ref::<io::Error>();
            match cause.and_then(io::Error::raw_os_error) {
                Some(ERROR_SHARING_VIOLATION) => Ok(None),
                _ => Err(error),
            }
        }
    }
}

/// Another process has a file open for writing.
#[derive(Debug)]
pub struct WrittenByAnother;

impl std::fmt::Display for WrittenByAnother {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("another process writes it")
    }
}

impl std::error::Error for WrittenByAnother {}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_lock_excludes_others_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json.lock");
        let first = Lock::acquire(&path).unwrap();
        let began = Instant::now();
        let refused = Lock::acquire(&path).unwrap_err().to_string();
        // A process that was just killed may not have released it yet.
        assert!(began.elapsed() >= LOCK_PATIENCE, "{:?}", began.elapsed());
        let own = format!("another process (process {}) holds", std::process::id());
        assert!(refused.contains(&own), "{refused}");
        assert!(Lock::is_held(&path).unwrap());
        drop(first);
        assert!(!Lock::is_held(&path).unwrap());
        Lock::acquire(&path).unwrap();
    }

    #[test]
    fn a_lock_without_a_process_id_is_reported_without_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json.lock");
        let foreign = std::fs::File::create(&path).unwrap();
        foreign.lock().unwrap();
        let refused = Lock::acquire(&path).unwrap_err().to_string();
        assert!(refused.contains("another process holds"), "{refused}");
    }

    #[test]
    fn a_file_has_one_writer_and_any_readers() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("letters.jsonl");
        let open = || {
            let mut options = fs::OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            open_for_one_writer(&path, &mut options)
        };
        let mut first = open().unwrap();
        first.write_all(b"1\n").unwrap();
        let refused = open().unwrap_err();
        assert!(refused.is::<WrittenByAnother>(), "{refused:#}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
        first.write_all(b"2\n").unwrap();
        drop(first);
        open().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n2\n");
    }

    #[test]
    fn a_lock_that_cannot_be_checked_is_not_reported_as_free() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json.lock");
        assert!(!Lock::is_held(&path).unwrap(), "there is no such file");
        assert!(!path.exists(), "nothing is created");
        fs::write(&path, "").unwrap();
        Lock::is_held(&path.join("below-a-file")).unwrap_err();
    }
}

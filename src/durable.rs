//! File operations that must survive a crash: staging, syncing, renaming and locking, on every platform.
//!
//! Only this module knows how Linux, macOS and Windows differ here:
//!
//! | | Linux, macOS | Windows |
//! |---|---|---|
//! | a new name is durable | after a sync of its directory | after a sync of the file: NTFS journals its directories, which cannot be opened for a sync |
//! | replacing a file | `rename` is atomic | `MoveFileEx` with replace, which requires that the target is closed |
//! | a private file | mode 0600 at creation | inherits the access list of its directory |
//! | an exclusive lock | `flock`, released by the kernel when the process ends | `LockFileEx`, released likewise |
//! | a lock file that was replaced | detected by comparing device and inode with those of its path | prevented: it is opened so that nobody can delete or rename it |
//! | not following a link | `O_NOFOLLOW` | `FILE_FLAG_OPEN_REPARSE_POINT`, and a check of the opened file |
//!
//! On macOS, `File::sync_all` uses `F_FULLFSYNC`, so data reaches the medium there too.

use std::fs::TryLockError;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use fs_err as fs;

use crate::error::{ExitCode, with_exit_code, with_hint};
use crate::failpoint::{self, Change};

/// The suffix of a file that is being written, so that no reader mistakes it for a finished one.
pub const OPEN_SUFFIX: &str = ".open";

/// The suffix of a file that is staged to replace another one.
pub const STAGED_SUFFIX: &str = ".tmp";

/// `path` with `suffix` appended to its file name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The lock file of the state file `path`.
pub fn lock_path(path: &Path) -> PathBuf {
    with_suffix(path, ".lock")
}

/// The directory that contains `path`; the current directory for a bare name.
pub fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the names in `directory` durable; `step` is the name of the step in [`failpoint`].
///
/// # Errors
///
/// Any error of the system, such as a full disk.
pub fn sync_directory(step: &'static str, directory: &Path) -> io::Result<()> {
    failpoint::step(step, Change::SyncDirectory(directory), || {
        #[cfg(unix)]
        {
            fs::File::open(directory)?.sync_all()
        }
        #[cfg(not(unix))]
        {
            // Windows cannot sync a directory; see the table above.
            Ok(())
        }
    })
}

/// Creates `directory` and its missing parents, and makes the new names durable.
///
/// # Errors
///
/// Any error of the system, such as a file with the same name.
pub fn create_directory(directory: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    let mut next = Some(directory);
    while let Some(path) = next.filter(|p| !p.as_os_str().is_empty() && !p.exists()) {
        missing.push(path);
        next = path.parent();
    }
    failpoint::step("directory.create", Change::Create(directory), || {
        fs::create_dir_all(directory)
    })?;
    for path in missing.iter().rev() {
        sync_directory("directory.sync", parent_of(path))?;
    }
    Ok(())
}

/// Options for a file that only its owner may read, where the platform supports that.
fn private() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// Whether something has the name `path`, including a dangling link.
pub fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Whether `path` is an existing regular file. This program never creates, replaces, truncates or
/// deletes a file through a link in the last component of its path, nor a directory, FIFO or device.
///
/// # Errors
///
/// If it exists and is not a regular file, with its kind; or any error of the system.
pub fn is_plain_file(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => {
            ensure_plain(path, metadata.file_type())?;
            Ok(true)
        }
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

fn ensure_plain(path: &Path, found: std::fs::FileType) -> Result<()> {
    let Some(kind) = special(found) else {
        return Ok(());
    };
    let hint = if found.is_symlink() {
        "cosmos-tail does not write through links: name the file that it points to, or move the link away"
    } else {
        "move it away, or use another path"
    };
    Err(with_hint(
        anyhow!("`{}` is {kind}, not a regular file", path.display()),
        hint,
    ))
}

/// The kind of a file that is not a regular one.
fn special(found: std::fs::FileType) -> Option<&'static str> {
    if found.is_file() {
        return None;
    }
    if found.is_symlink() {
        return Some("a symbolic link");
    }
    if found.is_dir() {
        return Some("a directory");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if found.is_fifo() {
            return Some("a FIFO");
        }
        if found.is_char_device() || found.is_block_device() {
            return Some("a device");
        }
        if found.is_socket() {
            return Some("a socket");
        }
    }
    Some("a special file")
}

/// Opens a regular file for writing; `step` is the name of the step in [`failpoint`].
///
/// The options must not truncate: the opened file is checked first.
///
/// # Errors
///
/// As [`is_plain_file`], also if the file is replaced by something else just before it is opened.
pub fn open_plain(
    step: &'static str,
    path: &Path,
    options: &mut fs::OpenOptions,
) -> Result<fs::File> {
    open_checked(path, options, |options| {
        failpoint::open(step, path, options)
    })
}

/// As [`open_plain`], for a file without a failpoint.
///
/// # Errors
///
/// As [`open_plain`].
pub fn open_plain_quietly(path: &Path, options: &mut fs::OpenOptions) -> Result<fs::File> {
    open_checked(path, options, |options| options.open(path))
}

fn open_checked(
    path: &Path,
    options: &mut fs::OpenOptions,
    open: impl FnOnce(&fs::OpenOptions) -> io::Result<fs::File>,
) -> Result<fs::File> {
    is_plain_file(path)?;
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::OpenOptionsExt;
        use rustix::fs::OFlags;
        // Without NONBLOCK, a FIFO in place of the file would block the open.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.custom_flags(flags.bits().cast_signed());
    }
    #[cfg(windows)]
    {
        use fs_err::os::windows::fs::OpenOptionsExt;
        const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
        options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    }
    let file = open(options)?;
    ensure_plain(path, file.metadata()?.file_type())?;
    Ok(file)
}

/// Removes the file `path`, if it exists; `step` is the name of the step in [`failpoint`].
///
/// # Errors
///
/// As [`is_plain_file`].
pub fn remove_plain(step: &'static str, path: &Path) -> Result<()> {
    if is_plain_file(path)? {
        failpoint::step(step, Change::Remove(path), || fs::remove_file(path))?;
    }
    Ok(())
}

/// The start of the contents of every file that [`replace`] writes.
const STAGED_BEGINNING: &[u8] = br#"{"format":"cosmos-tail "#;

/// The file that an interrupted run left staged to replace `path`, if there is one.
///
/// # Errors
///
/// If the file of that name was not staged by this program. After a power failure, a staged file may be
/// empty, or contain zeros where its bytes were not yet durable.
pub fn left_staged(path: &Path) -> Result<Option<PathBuf>> {
    let staged = with_suffix(path, STAGED_SUFFIX);
    if !is_plain_file(&staged)? {
        return Ok(None);
    }
    begins_as_ours(&staged)?;
    Ok(Some(staged))
}

/// Checks that a file starts like every file that [`replace`] writes.
///
/// # Errors
///
/// If it does not, or if it cannot be read.
pub fn begins_as_ours(path: &Path) -> Result<()> {
    let mut beginning = Vec::new();
    fs::File::open(path)?
        .take(STAGED_BEGINNING.len() as u64)
        .read_to_end(&mut beginning)?;
    let is_ours = beginning
        .iter()
        .zip(STAGED_BEGINNING)
        .all(|(found, expected)| *found == 0 || found == expected);
    if is_ours {
        return Ok(());
    }
    Err(with_hint(
        anyhow!("`{}` was not written by cosmos-tail", path.display()),
        "cosmos-tail needs a file of that name: move it away, or use another path",
    ))
}

/// Replaces the contents of the state file `path` with `contents`. After a crash the file has either the
/// old or the new contents, never a mixture. Only its owner can read it.
///
/// # Errors
///
/// If `path`, or the file staged next to it, was not written by this program; or any error of the
/// system. The old contents are then still in place, and a staged file may remain next to them, which
/// the next call removes.
pub fn replace(path: &Path, contents: &[u8]) -> Result<()> {
    debug_assert!(contents.starts_with(STAGED_BEGINNING));
    is_plain_file(path)?;
    if let Some(left) = left_staged(path)? {
        remove_plain("resume.delete", &left)?;
    }
    let staged = with_suffix(path, STAGED_SUFFIX);
    let mut file = open_plain("state.create", &staged, private().create_new(true))?;
    failpoint::write("state.write", &mut file, contents)?;
    // Without this sync, the rename could become durable before the contents of the file.
    failpoint::step("state.sync", Change::Sync(&staged), || file.sync_all())?;
    drop(file);
    failpoint::step("state.rename", Change::Rename(&staged, path), || {
        fs::rename(&staged, path)
    })?;
    sync_directory("state.sync-directory", parent_of(path))?;
    Ok(())
}

/// Gives the finished file `open` its final name, unless that name is taken.
///
/// The new name is durable only after [`sync_directory`]: a caller that publishes many files in
/// one directory syncs it once.
///
/// # Errors
///
/// [`io::ErrorKind::AlreadyExists`] if `path` exists; nothing has changed then. Otherwise any error of
/// the system.
pub fn publish(open: &Path, path: &Path) -> io::Result<()> {
    let mut source = tempfile::TempPath::try_from_path(open)?;
    // It is not a temporary file: only the rename that refuses to replace is needed here.
    source.disable_cleanup(true);
    failpoint::step("publish.rename", Change::Rename(open, path), || {
        source.persist_noclobber(path).map_err(|e| {
            io::Error::new(
                e.error.kind(),
                format!(
                    "cannot rename `{}` to `{}`: {}",
                    open.display(),
                    path.display(),
                    e.error
                ),
            )
        })
    })
}

/// The CRC-32C of the first `length` bytes of `file`, read in blocks.
///
/// # Errors
///
/// [`io::ErrorKind::UnexpectedEof`] if the file is shorter. Otherwise any error of the system.
pub fn checksum_prefix(file: &mut fs::File, length: u64) -> io::Result<u32> {
    file.seek(io::SeekFrom::Start(0))?;
    let mut block = vec![0; 256 * 1024];
    let mut checksum = 0;
    let mut remaining = length;
    while remaining > 0 {
        let wanted = usize::try_from(remaining)
            .unwrap_or(usize::MAX)
            .min(block.len());
        file.read_exact(&mut block[..wanted])?;
        checksum = crc32c::crc32c_append(checksum, &block[..wanted]);
        remaining -= wanted as u64;
    }
    Ok(checksum)
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
                    bail!("another process{owner} holds the lock `{}`", path.display());
                }
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock `{}`", path.display()));
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
            .with_context(|| format!("cannot write to the lock `{}`", path.display()))?;
        Ok(lock)
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
        read.with_context(|| format!("cannot read the lock `{}`", self.path.display()))?;
        let is_lock = contents.len() as u64 <= LOCK_BYTES
            && contents
                .iter()
                .all(|byte| byte.is_ascii_digit() || *byte == 0);
        if is_lock {
            return Ok(());
        }
        Err(with_hint(
            anyhow!("`{}` is not a lock of cosmos-tail", self.path.display()),
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
                        format!("cannot check the lock `{}`", self.path.display())
                    });
                }
            };
            let error = anyhow!(
                "the lock `{}` {what} while this process held it; nothing was committed after that",
                self.path.display()
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
                return Err(error).with_context(|| format!("cannot open `{}`", path.display()));
            }
        };
        // The lock is released when the file is closed.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot check the lock `{}`", path.display()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_leaves_the_new_text_and_no_staged_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        let text = |what: &str| format!(r#"{{"format":"cosmos-tail {what}"}}"#);
        replace(&path, text("one").as_bytes()).unwrap();
        replace(&path, text("two").as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text("two"));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }

    #[test]
    fn publishing_refuses_to_replace_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (open, path) = (directory.path().join("a.open"), directory.path().join("a"));
        fs::write(&open, "new").unwrap();
        fs::write(&path, "old").unwrap();
        assert_eq!(
            publish(&open, &path).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read(&open).unwrap(), b"new");
        fs::remove_file(&path).unwrap();
        publish(&open, &path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(!open.exists());
    }

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
    fn a_lock_that_cannot_be_checked_is_not_reported_as_free() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json.lock");
        assert!(!Lock::is_held(&path).unwrap(), "there is no such file");
        assert!(!path.exists(), "nothing is created");
        fs::write(&path, "").unwrap();
        Lock::is_held(&path.join("below-a-file")).unwrap_err();
    }

    #[test]
    fn a_bare_name_is_in_the_current_directory() {
        assert_eq!(parent_of(Path::new("orders.jsonl")), Path::new("."));
        assert_eq!(parent_of(Path::new("out/orders.jsonl")), Path::new("out"));
    }

    #[test]
    fn a_checksum_covers_the_prefix_and_needs_all_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data");
        fs::write(&path, vec![7; 600_000]).unwrap();
        let mut file = fs::File::open(&path).unwrap();
        assert_eq!(
            checksum_prefix(&mut file, 500_000).unwrap(),
            crc32c::crc32c(&vec![7; 500_000])
        );
        let error = checksum_prefix(&mut file, 600_001).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn directories_are_created_with_their_missing_parents() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("a/b/c");
        create_directory(&deep).unwrap();
        create_directory(&deep).unwrap();
        assert!(deep.is_dir());
    }
}

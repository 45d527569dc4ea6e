//! What must survive a crash: files staged, synced, renamed and locked, on every platform.
//!
//! This is the one place that knows how Linux, macOS and Windows differ in these matters:
//!
//! | | Linux, macOS | Windows |
//! |---|---|---|
//! | a new name is durable | when its directory is synced | when the file is: NTFS journals its directories, and they cannot be opened for a sync |
//! | replacing a file | `rename` is atomic | `MoveFileEx` with replace, which needs the target closed |
//! | a private file | mode 0600 at creation | the directory's access list, which it inherits |
//! | an exclusive lock | `flock`, freed by the kernel at death | `LockFileEx`, freed likewise |
//!
//! On macOS `File::sync_all` is `F_FULLFSYNC`, so data reaches the medium there too.

use std::fs::TryLockError;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use fs_err as fs;

use crate::failpoint::{self, Change};

/// The suffix of a file that is being written. No reader takes it for a finished one.
pub const OPEN_SUFFIX: &str = ".open";

/// The suffix of a file that is staged to replace another.
pub const STAGED_SUFFIX: &str = ".tmp";

/// `path` with `suffix` after its whole name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The directory that holds `path`; the current one for a bare name.
pub fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the names in `directory` durable; `step` is the name of that in [`failpoint`].
///
/// # Errors
///
/// Any error of the system, among them a full disk.
pub fn sync_directory(step: &'static str, directory: &Path) -> io::Result<()> {
    failpoint::step(step, Change::SyncDirectory(directory), || {
        #[cfg(unix)]
        {
            fs::File::open(directory)?.sync_all()
        }
        #[cfg(not(unix))]
        {
            // Windows has no sync of a directory; see the table above.
            Ok(())
        }
    })
}

/// Creates `directory` with all that is missing above it, and makes the new names durable.
///
/// # Errors
///
/// Any error of the system, such as a file in the way.
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

/// Options for a file that only its owner may read, as far as the platform can say so.
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

/// Replaces the contents of the state file `path` with `contents`: either the old or the new text is there after
/// a crash, never a mixture. The file is private to its owner.
///
/// # Errors
///
/// Any error of the system. The old contents are then still in place, and a staged file may be
/// left beside them; the next call overwrites it.
pub fn replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let staged = with_suffix(path, STAGED_SUFFIX);
    let mut options = private();
    options.create(true).truncate(true);
    let mut file = failpoint::open("state.create", &staged, &options)?;
    failpoint::write("state.write", &mut file, contents)?;
    // Without this sync the rename could become durable before the bytes that it names.
    failpoint::step("state.sync", Change::Sync(&staged), || file.sync_all())?;
    drop(file);
    failpoint::step("state.rename", Change::Rename(&staged, path), || {
        fs::rename(&staged, path)
    })?;
    sync_directory("state.sync-directory", parent_of(path))
}

/// Gives the finished file `open` its final name, and refuses if that name is taken.
///
/// The new name is durable only after [`sync_directory`]: a caller that publishes many files in
/// one directory syncs it once.
///
/// # Errors
///
/// [`io::ErrorKind::AlreadyExists`] if `path` exists; then nothing has changed. Otherwise any
/// error of the system.
pub fn publish(open: &Path, path: &Path) -> io::Result<()> {
    let mut source = tempfile::TempPath::try_from_path(open)?;
    // It is no temporary file: only its rename that refuses to replace is wanted here.
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

/// The length and the CRC-32C of the first `length` bytes of `file`, read in blocks.
///
/// # Errors
///
/// [`io::ErrorKind::UnexpectedEof`] if the file is shorter. Otherwise any error of the system.
pub fn checksum_prefix(file: &mut fs::File, length: u64) -> io::Result<u32> {
    file.seek(io::SeekFrom::Start(0))?;
    let mut block = vec![0; 256 * 1024];
    let mut checksum = 0;
    let mut left = length;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        file.read_exact(&mut block[..wanted])?;
        checksum = crc32c::crc32c_append(checksum, &block[..wanted]);
        left -= wanted as u64;
    }
    Ok(checksum)
}

/// How long a lock that another process holds is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// How long between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// An exclusive lock that other processes respect for as long as this value lives.
///
/// The lock is on a file of its own, never on the file that it guards: that one's inode is
/// replaced by every commit. The file stays when the lock goes: if it were deleted, two processes
/// could hold locks on two files of one name.
#[derive(Debug)]
pub struct Lock {
    _file: std::fs::File,
}

impl Lock {
    /// Takes the lock on `path`, creating the file if needed.
    ///
    /// # Errors
    ///
    /// If another process holds it for a second and more, naming its process id; or any error of
    /// the system.
    pub fn acquire(path: &Path) -> Result<Self> {
        let mut options = private();
        options.create(true).truncate(false).read(true);
        let file = failpoint::open("lock.open", path, &options)?;
        let (mut file, _) = file.into_parts();
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // A process that was killed a moment ago may not be quite dead.
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    let mut owner = String::new();
                    // For the message only. On Windows the lock forbids the reading too.
                    let owner = match (&file).take(32).read_to_string(&mut owner) {
                        Ok(_) if !owner.trim().is_empty() => format!(" (process {})", owner.trim()),
                        _ => String::new(),
                    };
                    bail!("another process{owner} holds the lock `{}`", path.display());
                }
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock `{}`", path.display()));
                }
            }
        }
        file.set_len(0)
            .and_then(|()| write!(file, "{}", std::process::id()))
            .with_context(|| format!("cannot write to the lock `{}`", path.display()))?;
        Ok(Self { _file: file })
    }
}

impl Lock {
    /// Whether another process holds the lock on `path`. Nothing is created or changed.
    ///
    /// # Errors
    ///
    /// Any error of the system but that there is no such file, which nobody can have locked.
    pub fn is_held(path: &Path) -> Result<bool> {
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot open `{}`", path.display()));
            }
        };
        // It is given back when the file is closed.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot ask for the lock `{}`", path.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_leaves_the_new_text_and_no_staged_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
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
    fn publishing_refuses_to_replace_and_then_changes_nothing() {
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
    fn a_lock_excludes_a_second_one_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json.lock");
        let first = Lock::acquire(&path).unwrap();
        let began = Instant::now();
        let refused = Lock::acquire(&path).unwrap_err().to_string();
        // One that was killed a moment ago may not be quite dead.
        assert!(began.elapsed() >= LOCK_PATIENCE, "{:?}", began.elapsed());
        let own = format!("another process (process {}) holds", std::process::id());
        assert!(refused.contains(&own), "{refused}");
        assert!(Lock::is_held(&path).unwrap());
        drop(first);
        assert!(!Lock::is_held(&path).unwrap());
        Lock::acquire(&path).unwrap();
    }

    #[test]
    fn a_lock_without_an_owner_is_told_without_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json.lock");
        let foreign = std::fs::File::create(&path).unwrap();
        foreign.lock().unwrap();
        let refused = Lock::acquire(&path).unwrap_err().to_string();
        assert!(refused.contains("another process holds"), "{refused}");
    }

    #[test]
    fn a_lock_that_cannot_be_looked_at_is_not_taken_for_a_free_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json.lock");
        assert!(!Lock::is_held(&path).unwrap(), "there is no such file");
        assert!(!path.exists(), "nothing is created");
        fs::write(&path, "").unwrap();
        Lock::is_held(&path.join("below-a-file")).unwrap_err();
    }

    #[test]
    fn a_bare_name_lies_in_the_current_directory() {
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
    fn directories_are_created_with_all_that_is_missing() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("a/b/c");
        create_directory(&deep).unwrap();
        create_directory(&deep).unwrap();
        assert!(deep.is_dir());
    }
}

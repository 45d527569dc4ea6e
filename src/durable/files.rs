//! Files that are staged, synced, renamed and removed, and never reached through a link.

use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use fs_err as fs;

use crate::error::with_hint;
use crate::failpoint::{self, FileChange};

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
    failpoint::step(step, FileChange::SyncDirectory(directory), || {
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
    failpoint::step("directory.create", FileChange::Create(directory), || {
        fs::create_dir_all(directory)
    })?;
    for path in missing.iter().rev() {
        sync_directory("directory.sync", parent_of(path))?;
    }
    Ok(())
}

/// Options for a file that only its owner may read, where the platform supports that.
pub(super) fn private() -> fs::OpenOptions {
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
        anyhow!("`{}` is {kind}, not a regular file", shown_path(&path)),
        hint,
    ))
}

/// `path` for a message: relative to the working directory if it is below it, as people type it.
pub fn shown_path(path: &(impl AsRef<Path> + ?Sized)) -> std::path::Display<'_> {
    let path = path.as_ref();
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| path.strip_prefix(here).ok());
    below
        .filter(|below| !below.as_os_str().is_empty())
        .unwrap_or(path)
        .display()
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
        failpoint::step(step, FileChange::Remove(path), || fs::remove_file(path))?;
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
        anyhow!("`{}` was not written by cosmos-tail", shown_path(&path)),
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
    replace_as(&STATE, path, contents)
}

/// The names of the steps of replacing a file, in [`failpoint`].
#[derive(Debug)]
pub struct Steps {
    delete: &'static str,
    create: &'static str,
    write: &'static str,
    sync: &'static str,
    rename: &'static str,
    sync_directory: &'static str,
}

const STATE: Steps = Steps {
    delete: "resume.delete",
    create: "state.create",
    write: "state.write",
    sync: "state.sync",
    rename: "state.rename",
    sync_directory: "state.sync-directory",
};

/// Replacing the definition of a container.
pub const DEFINITION: Steps = Steps {
    delete: "definition.delete",
    create: "definition.create",
    write: "definition.write",
    sync: "definition.sync",
    rename: "definition.rename",
    sync_directory: "definition.sync-directory",
};

/// As [`replace`], for a file whose steps have these names.
///
/// # Errors
///
/// As [`replace`].
pub fn replace_as(steps: &Steps, path: &Path, contents: &[u8]) -> Result<()> {
    debug_assert!(contents.starts_with(STAGED_BEGINNING));
    is_plain_file(path)?;
    if let Some(left) = left_staged(path)? {
        remove_plain(steps.delete, &left)?;
    }
    let staged = with_suffix(path, STAGED_SUFFIX);
    let mut file = open_plain(steps.create, &staged, private().create_new(true))?;
    failpoint::write(steps.write, &mut file, contents)?;
    // Without this sync, the rename could become durable before the contents of the file.
    failpoint::step(steps.sync, FileChange::Sync(&staged), || file.sync_all())?;
    drop(file);
    failpoint::step(steps.rename, FileChange::Rename(&staged, path), || {
        fs::rename(&staged, path)
    })?;
    sync_directory(steps.sync_directory, parent_of(path))?;
    Ok(())
}

/// Creates the file `path` with `contents`, completely or not at all, unless that name is taken. Only its owner can read
/// it.
///
/// # Errors
///
/// [`io::ErrorKind::AlreadyExists`] if `path` exists. Otherwise any error of the system.
pub fn create_whole(path: &Path, contents: &[u8]) -> io::Result<()> {
    if is_there(path) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let directory = parent_of(path);
    let mut staged = tempfile::Builder::new()
        .prefix(".cosmos-tail-")
        .suffix(STAGED_SUFFIX)
        .tempfile_in(directory)?;
    staged.write_all(contents)?;
    staged.as_file().sync_all()?;
    staged
        .persist_noclobber(path)
        .map_err(|error| error.error)?;
    sync_directory("state.sync-directory", directory)
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
    failpoint::step("publish.rename", FileChange::Rename(open, path), || {
        source.persist_noclobber(path).map_err(|e| {
            io::Error::new(
                e.error.kind(),
                format!(
                    "cannot rename `{}` to `{}`: {}",
                    shown_path(&open),
                    shown_path(&path),
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
pub fn checksum_prefix(file: &mut (impl Read + Seek), length: u64) -> io::Result<u32> {
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

//! Files that belong to the user: the configuration, and keys beside it.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use fs_err as fs;

use super::files::{STAGED_SUFFIX, is_plain_file, is_there, parent_of, private, shown_path};
use crate::error::{Annotate, with_hint};

/// Replaces the contents of a configuration file, or creates it with its directory. After a crash the file has
/// either the old or the new contents. Only its owner can read it.
///
/// A link is kept, and the file that it points to is replaced: a configuration is often a link into a
/// repository.
///
/// # Errors
///
/// If the file is read-only, is no regular file, or no longer has the contents `before`; or any error of the
/// system. Nothing has changed then.
pub fn replace_configuration(path: &Path, before: Option<&[u8]>, contents: &[u8]) -> Result<()> {
    let target = target_of(path)?;
    let directory = parent_of(&target);
    if !is_there(directory) {
        create_private_directory(directory)?;
    }
    let mut staged = tempfile::Builder::new()
        .prefix(".config-")
        .suffix(STAGED_SUFFIX)
        .tempfile_in(directory)
        .with_context(|| format!("cannot write to `{}`", shown_path(directory)))?;
    staged.write_all(contents)?;
    staged.as_file().sync_all()?;
    let now = match fs::read(&target) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    if now.as_deref() != before {
        return Err(with_hint(
            anyhow!("`{}` was changed in the meantime", shown_path(path)),
            "nothing was written; try again",
        ));
    }
    staged
        .persist(&target)
        .map_err(|error| error.error)
        .with_context(|| format!("cannot replace `{}`", shown_path(&target)))?;
    #[cfg(unix)]
    fs::File::open(directory)?.sync_all()?;
    Ok(())
}

/// The file to replace: `path`, or the file that it links to.
fn target_of(path: &Path) -> Result<PathBuf> {
    let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_symlink());
    let target = if is_link {
        fs::canonicalize(path)
            .hint("it is a link to a file that cannot be reached: mend or remove it")?
    } else {
        path.to_owned()
    };
    if is_plain_file(&target)? && fs::metadata(&target)?.permissions().readonly() {
        return Err(with_hint(
            anyhow!("`{}` is read-only", shown_path(path)),
            "make it writable, or name another file with COSMOS_TAIL_CONFIG",
        ));
    }
    Ok(target)
}

/// Creates a directory and its missing parents, which only the owner can enter.
fn create_private_directory(directory: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
        .create(directory)
        .with_context(|| format!("cannot create the directory `{}`", shown_path(directory)))
}

/// Creates a file that only its owner can read. Nothing that exists is replaced.
///
/// # Errors
///
/// If something has that name, or any error of the system; a file that could not be written is removed.
pub fn create_private(path: &Path, contents: &[u8]) -> Result<()> {
    if is_there(path) {
        bail!("`{}` exists", shown_path(path));
    }
    let directory = parent_of(path);
    if !is_there(directory) {
        create_private_directory(directory)?;
    }
    let mut file = private().create_new(true).open(path)?;
    let written = file.write_all(contents).and_then(|()| file.sync_all());
    if let Err(error) = written {
        drop(file);
        fs::remove_file(path).ok();
        return Err(error.into());
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> std::io::Result<u32> {
        Ok(fs::metadata(path)?.permissions().mode() & 0o777)
    }

    #[test]
    fn a_configuration_is_private_and_its_link_stays() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (
            directory.path().join("real/config"),
            directory.path().join("link"),
        );
        replace_configuration(&real, None, b"one").unwrap();
        assert_eq!(
            (fs::read(&real).unwrap(), mode(&real).unwrap()),
            (b"one".to_vec(), 0o600)
        );
        assert_eq!(mode(&directory.path().join("real")).unwrap(), 0o700);
        std::os::unix::fs::symlink(&real, &link).unwrap();
        fs::set_permissions(&real, PermissionsExt::from_mode(0o644)).unwrap();
        replace_configuration(&link, Some(b"one"), b"two").unwrap();
        assert_eq!(
            (fs::read(&real).unwrap(), mode(&real).unwrap()),
            (b"two".to_vec(), 0o600)
        );
        assert!(
            fs::symlink_metadata(&link)
                .unwrap()
                .file_type()
                .is_symlink()
        );
        assert_eq!(
            fs::read_dir(directory.path().join("real")).unwrap().count(),
            1
        );
    }

    #[test]
    fn nothing_is_replaced_that_changed_or_is_read_only_or_is_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config");
        fs::write(&path, "other").unwrap();
        let error = replace_configuration(&path, Some(b"one"), b"two").unwrap_err();
        assert!(
            format!("{error:#}").contains("changed in the meantime"),
            "{error:#}"
        );
        fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
        let error = replace_configuration(&path, Some(b"other"), b"two").unwrap_err();
        assert!(format!("{error:#}").contains("read-only"), "{error:#}");
        assert_eq!(fs::read(&path).unwrap(), b"other");
        let dangling = directory.path().join("dangling");
        std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
        assert!(replace_configuration(&dangling, None, b"two").is_err());
        assert!(replace_configuration(directory.path(), None, b"two").is_err());
        assert!(replace_configuration(Path::new("/dev/null"), None, b"two").is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_private_file_replaces_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        create_private(&path, b"key").unwrap();
        assert_eq!(mode(&path).unwrap(), 0o600);
        assert!(create_private(&path, b"other").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"key");
    }
}

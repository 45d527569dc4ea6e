//! The files of an export, to be read.

use std::fmt::Debug;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;

use super::committed::Committed;
use super::manifest::{Manifest, Purpose};
use super::table::MANIFEST_FILE;
use crate::durable::OPEN_SUFFIX;

/// The files of an export, to be read. A file has a name: the one that the manifest lists.
///
/// Every [`Destination`](super::Destination) is one. [`ExportDirectory`] is one as well, without a state.
pub trait ExportFiles: Debug + Send + Sync {
    /// The name of the manifest; none if finished files are not listed.
    fn manifest_name(&self) -> Option<String>;

    /// Reads the whole lines of the manifest. A running export may have listed more files than
    /// `committed`, which is what its state says, if there is one.
    ///
    /// # Errors
    ///
    /// If it cannot be read. What is wrong with its contents is no error, see [`Manifest::faults`].
    fn finished(&self, committed: Option<&Committed<'_>>) -> Result<Manifest>;

    /// The number of parts that are not published yet.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    fn count_unfinished(&self) -> Result<usize>;

    /// The length of a file in bytes; none if it does not exist.
    ///
    /// # Errors
    ///
    /// If that cannot be found out.
    fn length_of(&self, name: &str) -> Result<Option<u64>>;

    /// Opens a file; none if it does not exist.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    fn open_file(&self, name: &str) -> Result<Option<Box<dyn PartReader>>>;

    /// Where a file is, in messages.
    fn display_of(&self, name: &str) -> String;

    /// Where a file is, in a state: the same for every working directory.
    ///
    /// # Errors
    ///
    /// If the working directory is not known.
    fn address_of(&self, name: &str) -> Result<PathBuf>;
}

/// The bytes of a file.
pub trait PartReader: Read + Seek + Send {}

impl<T: Read + Seek + Send> PartReader for T {}

/// A local directory that an export was written to. No state is needed to read what is finished.
#[derive(Debug)]
pub struct ExportDirectory {
    path: PathBuf,
    /// Where the manifest and the open parts are.
    own: PathBuf,
}

impl ExportDirectory {
    /// The directory `path`, with what is not data in `own`.
    pub fn new(path: &Path, own: &Path) -> Self {
        Self {
            path: path.to_owned(),
            own: own.to_owned(),
        }
    }

    fn path_of(&self, name: &str) -> PathBuf {
        let directory = if name == MANIFEST_FILE || name.ends_with(OPEN_SUFFIX) {
            &self.own
        } else {
            &self.path
        };
        directory.join(name)
    }
}

impl ExportFiles for ExportDirectory {
    fn manifest_name(&self) -> Option<String> {
        Some(MANIFEST_FILE.to_owned())
    }

    fn finished(&self, committed: Option<&Committed<'_>>) -> Result<Manifest> {
        let purpose = Purpose::Finished {
            committed,
            names: None,
        };
        Manifest::read(&self.own.join(MANIFEST_FILE), purpose)
    }

    fn count_unfinished(&self) -> Result<usize> {
        let mut open = 0;
        for entry in fs::read_dir(&self.own)? {
            let name = entry?.file_name();
            open += usize::from(name.to_string_lossy().ends_with(OPEN_SUFFIX));
        }
        Ok(open)
    }

    fn length_of(&self, name: &str) -> Result<Option<u64>> {
        found(fs::metadata(self.path_of(name)).map(|metadata| metadata.len()))
    }

    fn open_file(&self, name: &str) -> Result<Option<Box<dyn PartReader>>> {
        let file = found(fs::File::open(self.path_of(name)))?;
        Ok(file.map(|file| Box::new(file) as Box<dyn PartReader>))
    }

    fn display_of(&self, name: &str) -> String {
        self.path_of(name).display().to_string()
    }

    fn address_of(&self, name: &str) -> Result<PathBuf> {
        Ok(std::path::absolute(self.path_of(name))?)
    }
}

/// None instead of the error of a file that does not exist.
fn found<T>(result: io::Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

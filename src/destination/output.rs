//! Where documents go, as a state keeps it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::table::Table;
use crate::feed::RangeId;

/// Where the documents go. Paths are relative to the state file's directory where they can be, so
/// that an export can be moved as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Output {
    /// A series of part files for each range, in a directory that readers take for a table.
    Table(Table),
    /// The same in a directory that holds the state and the open parts too, as earlier builds wrote it.
    Directory(String),
    /// One series for all ranges, beginning with this file.
    File(String),
    /// One file for all ranges, which is appended to under its own name.
    Append(String),
    /// Objects: a series of parts for each range, where its state is in an object store.
    Objects,
    /// Objects below this address, whose state is elsewhere.
    ObjectsAt(String),
    /// Standard output: written at least once, since a pipe cannot be rewound.
    StandardOutput,
}

impl Output {
    /// The series that `range` is written to: its own in a directory, otherwise the one of all ranges.
    pub fn series_of(&self, range: RangeId) -> u32 {
        match self {
            Self::Table(_) | Self::Directory(_) | Self::Objects | Self::ObjectsAt(_) => range.0,
            Self::File(_) | Self::Append(_) | Self::StandardOutput => 0,
        }
    }

    /// Whether each range has a series of its own.
    pub fn has_series_of_ranges(&self) -> bool {
        matches!(
            self,
            Self::Table(_) | Self::Directory(_) | Self::Objects | Self::ObjectsAt(_)
        )
    }

    /// Whether it is a directory of this machine.
    pub fn is_local_directory(&self) -> bool {
        matches!(self, Self::Table(_) | Self::Directory(_))
    }

    /// The directory or file; none for standard output, and for a table whose state directory has another name than
    /// it must have. Relative paths are relative to `base`.
    pub fn path(&self, base: &Path) -> Option<PathBuf> {
        match self {
            Self::Table(table) => table.path(base),
            // Without a `.` in the middle.
            Self::Directory(path) | Self::File(path) | Self::Append(path) => {
                Some(base.join(path).components().collect())
            }
            Self::Objects | Self::ObjectsAt(_) | Self::StandardOutput => None,
        }
    }
}

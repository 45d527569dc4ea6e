//! Where documents go, as a state keeps it.

use serde::{Deserialize, Serialize};

use crate::feed::RangeId;

/// Where the documents go. Paths are relative to the state file's directory where they can be, so
/// that an export can be moved as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Output {
    /// A series of part files for each range, in a directory.
    Directory(String),
    /// One series for all ranges, beginning with this file.
    File(String),
    /// One file for all ranges, which is appended to under its own name.
    Append(String),
    /// Standard output: written at least once, since a pipe cannot be rewound.
    StandardOutput,
}

impl Output {
    /// The series that `range` is written to: its own in a directory, otherwise the one of all ranges.
    pub fn series_of(&self, range: RangeId) -> u32 {
        match self {
            Self::Directory(_) => range.0,
            Self::File(_) | Self::Append(_) | Self::StandardOutput => 0,
        }
    }
}

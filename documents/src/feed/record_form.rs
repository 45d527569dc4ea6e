//! What the records of a file or a stream are.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::FeedMode;

/// What the records of a file or a stream are. It is declared, by a manifest, a state, a line of the stream or a
/// flag: a document may have any member, so no record shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordForm {
    /// Each is a document.
    Documents,
    /// Each is the envelope of a change.
    Changes,
}

impl From<FeedMode> for RecordForm {
    fn from(mode: FeedMode) -> Self {
        match mode {
            FeedMode::LatestVersion => Self::Documents,
            FeedMode::AllVersionsAndDeletes => Self::Changes,
        }
    }
}

impl fmt::Display for RecordForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Documents => "documents",
            Self::Changes => "changes",
        })
    }
}

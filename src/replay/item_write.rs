//! What a record of the source does to an item of the target.

use super::source_item::SourceItem;
use crate::cosmos::items::ItemAddress;

/// A change that can be applied.
#[derive(Debug)]
pub(crate) struct ItemWrite {
    pub(crate) item: ItemAddress,
    pub(crate) action: Action,
    /// When the change was made, in seconds since 1970 by the clock of the source's service.
    pub(super) seconds: Option<i64>,
    /// The first path of the target's partition key at which the document has no value.
    pub(super) missing_path: Option<String>,
    /// Which document of the source it is; none if that is not checked.
    pub(crate) source: Option<SourceItem>,
}

/// What becomes of the item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It becomes this document, without system fields.
    Put(Vec<u8>),
    /// It is deleted, perhaps because its time to live expired.
    Delete { expired: bool },
}

/// Why a record cannot be applied.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Defect {
    pub(crate) reason: String,
    /// The way out, if one is known.
    pub(crate) hint: Option<String>,
}

impl Defect {
    /// A change without a time cannot be compared with `--since` and `--until`.
    pub(super) fn without_time() -> Self {
        Self::new("it has no `_ts`, which --since and --until need")
    }

    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            hint: None,
        }
    }
}

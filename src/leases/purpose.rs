//! What a group is for, if it feeds a copy or files: a document of our own beside the marker, which no processor looks at.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::create::Common;
use super::document::Document;
use super::read::KeyedBy;
use crate::feed::{ChangeFeedStart, ContainerAddress, FeedRange};

const FEEDS: &str = "feeds";
const FILES: &str = "files";
const FROM: &str = "from";
const STARTS: &str = "starts";

/// Where the leases of a range begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RangeStart {
    pub(crate) range: FeedRange,
    pub(crate) etag: String,
}

/// What gets the changes of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Feeds {
    /// A container.
    Copy(ContainerAddress),
    /// Files.
    Files(FilesPlace),
}

/// Where the files of a group are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FilesPlace {
    /// Identifies the place, however its address is written.
    pub(crate) id: uuid::Uuid,
    /// Its address.
    pub(crate) address: String,
}

/// What a group is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Purpose {
    /// What gets its changes.
    pub(crate) feeds: Feeds,
    /// Where a range begins whose lease is created.
    pub(crate) from: ChangeFeedStart,
    /// What that was when the group was created, if it is another position at any other time. Leases that are created later,
    /// since their creator was cut off, begin there too.
    pub(crate) starts: Vec<RangeStart>,
}

impl Purpose {
    /// Its document.
    ///
    /// # Errors
    ///
    /// None: it is JSON.
    pub(crate) fn document(&self, common: Common<'_>) -> Result<Document> {
        let id = common.prefix.copy();
        let mut document = Document::default();
        document.set("id", &id)?;
        if common.keyed_by == KeyedBy::PartitionKey {
            document.set("partitionKey", &id)?;
        }
        match &self.feeds {
            Feeds::Copy(container) => document.set(FEEDS, container)?,
            Feeds::Files(place) => document.set(FILES, place)?,
        }
        document.set(FROM, self.from)?;
        if !self.starts.is_empty() {
            document.set(STARTS, &self.starts)?;
        }
        Ok(document)
    }

    /// That of a document; none if it says none.
    pub(crate) fn of(document: &Document) -> Option<Self> {
        let feeds = match document.value(FILES) {
            Some(place) => Feeds::Files(serde_json::from_value(place).ok()?),
            None => Feeds::Copy(serde_json::from_value(document.value(FEEDS)?).ok()?),
        };
        Some(Self {
            feeds,
            from: serde_json::from_value(document.value(FROM)?).ok()?,
            starts: match document.value(STARTS) {
                Some(starts) => serde_json::from_value(starts).ok()?,
                None => Vec::new(),
            },
        })
    }
}

//! What a group is for, if it feeds a copy: a document of our own beside the marker, which no processor looks at.

use anyhow::Result;

use super::create::Common;
use super::document::Document;
use super::read::KeyedBy;
use crate::feed::{ChangeFeedStart, ContainerAddress};

const FEEDS: &str = "feeds";
const FROM: &str = "from";

/// What a group is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Purpose {
    /// The container that gets its changes.
    pub(crate) feeds: ContainerAddress,
    /// Where a range begins whose lease is created.
    pub(crate) from: ChangeFeedStart,
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
        document.set(FEEDS, &self.feeds)?;
        document.set(FROM, self.from)?;
        Ok(document)
    }

    /// That of a document; none if it says none.
    pub(crate) fn of(document: &Document) -> Option<Self> {
        Some(Self {
            feeds: serde_json::from_value(document.value(FEEDS)?).ok()?,
            from: serde_json::from_value(document.value(FROM)?).ok()?,
        })
    }
}

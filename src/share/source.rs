//! The container that the instances of a group read.

use std::sync::Arc;

use anyhow::Result;

use crate::cli::times::LeaseStart;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::partitions::PhysicalPartition;
use crate::feed::{ChangeFeedStart, FeedMode, FeedRange};
use crate::job::FilesOfGroup;
use crate::leases::etag_at;

/// The container that is read, and where its feed begins for a lease without a position.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) client: Arc<CosmosClient>,
    pub(super) mode: FeedMode,
    pub(super) start: ChangeFeedStart,
    /// As `DATABASE/CONTAINER`.
    pub(super) name: String,
    /// The files that were there before this instance, if it writes some.
    pub(super) files: Option<FilesOfGroup>,
}

impl Source {
    /// The ETag at which a range begins. It is saved with its lease, so that a restart begins there too. Of a range that files
    /// have, it is the lowest one: what is read begins where these end, and a lease that is ahead would say that others have
    /// handled what is between.
    pub(super) async fn start_of(
        &self,
        range: &FeedRange,
        partitions: &[PhysicalPartition],
    ) -> Result<String> {
        let has_files = match &self.files {
            Some(files) => files.have_begun(range).await?,
            None => false,
        };
        let start = LeaseStart::At(match has_files {
            true => ChangeFeedStart::Beginning,
            false => self.start,
        });
        etag_at(&self.client, self.mode, range, partitions, &start).await
    }
}

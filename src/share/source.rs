//! The container that the instances of a group read.

use std::sync::Arc;

use anyhow::Result;

use crate::cli::times::LeaseStart;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::partitions::PhysicalPartition;
use crate::feed::{ChangeFeedStart, FeedMode, FeedRange};
use crate::leases::etag_at;

/// The container that is read, and where its feed begins for a lease without a position.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) client: Arc<CosmosClient>,
    pub(super) mode: FeedMode,
    pub(super) start: ChangeFeedStart,
    /// As `DATABASE/CONTAINER`.
    pub(super) name: String,
}

impl Source {
    /// The ETag at which a range begins. It is saved with its lease, so that a restart begins there too.
    pub(super) async fn start_of(
        &self,
        range: &FeedRange,
        partitions: &[PhysicalPartition],
    ) -> Result<String> {
        let start = LeaseStart::At(self.start);
        etag_at(&self.client, self.mode, range, partitions, &start).await
    }
}

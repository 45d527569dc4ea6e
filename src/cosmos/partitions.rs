//! The physical partitions of a container.

use anyhow::{Context, Result, anyhow};
use azure_data_cosmos_driver::models::FeedRange as DriverFeedRange;

use super::client::CosmosClient;
use super::epk::from_driver;
use super::hints::explain;
use super::transport::ListFault;
use crate::feed::FeedRange;

/// One physical partition.
#[derive(Debug, Clone)]
pub struct PhysicalPartition {
    /// The id of its partition key range.
    pub id: String,
    /// Its bounds.
    pub range: FeedRange,
    /// The SDK's portable form of these bounds, understood by its clients in other languages.
    pub portable: String,
    /// The ids of the partition key ranges that it came from by splits and merges.
    pub parents: Vec<String>,
}

impl CosmosClient {
    /// The physical partitions of the container, in the order of their bounds. Transient errors are
    /// retried.
    ///
    /// # Errors
    ///
    /// If the service does not return a list that can be used.
    pub async fn list_partitions(&self, refresh: bool) -> Result<Vec<PhysicalPartition>> {
        const WHAT: &str = "cannot list the container's feed ranges";
        let list = || async move {
            let listed = self.physical_partitions(refresh).await;
            // The driver does not report why there is no list.
            listed.map_err(|error| {
                let (database, container) = (self.database_name(), self.container_name());
                match self.heard.take_list_fault(database, container) {
                    Some(ListFault::Refused(refusal)) => (*refusal).into(),
                    Some(unlike) => anyhow!(unlike.to_string()),
                    None => error,
                }
            })
        };
        self.persistence.persist(WHAT, list).await.context(WHAT)
    }

    /// As [`CosmosClient::list_partitions`], with one attempt.
    ///
    /// # Errors
    ///
    /// If the service does not return a list that can be used.
    pub async fn physical_partitions(&self, refresh: bool) -> Result<Vec<PhysicalPartition>> {
        let ranges = self
            .driver()
            .resolve_all_partition_key_ranges(self.container(), refresh)
            .await
            .map_err(|error| explain(error.into()))?
            .context("the service did not return the container's partition key ranges")?;
        let mut partitions = Vec::with_capacity(ranges.len());
        for range in &ranges {
            let driver_range = DriverFeedRange::try_from(range)?;
            partitions.push(PhysicalPartition {
                id: range.id.clone(),
                range: from_driver(&driver_range)?,
                portable: driver_range.to_string(),
                parents: range.parents.clone().unwrap_or_default(),
            });
        }
        partitions.sort_by(|a, b| a.range.cmp(&b.range));
        Ok(partitions)
    }
}

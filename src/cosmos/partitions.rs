//! The physical partitions of a container.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use azure_data_cosmos_driver::CosmosDriver;
use azure_data_cosmos_driver::models::{ContainerReference, FeedRange as DriverFeedRange};

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

/// The parts of `range` in each of `partitions`, in their order, with the number of the partition. `partitions` are a
/// list of [`CosmosClient::list_partitions`]: sorted, and none overlaps another.
pub fn parts_of<'a>(
    partitions: &'a [PhysicalPartition],
    range: &'a FeedRange,
) -> impl Iterator<Item = (usize, FeedRange)> + 'a {
    let first = partitions
        .partition_point(|partition| partition.range.max_exclusive <= range.min_inclusive);
    let parts = partitions[first..]
        .iter()
        .map_while(|partition| partition.range.intersection(range));
    (first..).zip(parts)
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
        let listed = listed(self.driver(), self.container(), refresh).await;
        listed.map_err(explain)
    }
}

/// The partitions of a container, in the order of their bounds, as the driver knows them or lists them with `refresh`.
///
/// # Errors
///
/// If the service does not return a list that can be used, in words without a hint.
pub(super) async fn listed(
    driver: &Arc<CosmosDriver>,
    container: &ContainerReference,
    refresh: bool,
) -> Result<Vec<PhysicalPartition>> {
    // In a task of its own: the driver never ends a later list if one is given up in the middle.
    let (driver, container) = (Arc::clone(driver), container.clone());
    let listed = tokio::spawn(async move {
        let list = driver.resolve_all_partition_key_ranges(&container, refresh);
        list.await
    });
    let ranges = listed.await.context("the list ended unexpectedly")??;
    let ranges =
        ranges.context("the service did not return the container's partition key ranges")?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn range(bounds: [&str; 2]) -> FeedRange {
        FeedRange::new(bounds[0], bounds[1]).unwrap()
    }

    #[test]
    fn the_parts_of_a_range_are_its_intersections_with_each_partition() {
        let partitions = [["", "10"], ["10", "20"], ["20", "30"], ["30", "FF"]].map(|bounds| {
            PhysicalPartition {
                id: bounds[0].to_owned(),
                range: range(bounds),
                portable: String::new(),
                parents: Vec::new(),
            }
        });
        for bounds in [
            ["", "FF"],
            ["", "10"],
            ["05", "10"],
            ["05", "1001"],
            ["10", "20"],
            ["15", "35"],
            ["30", "31"],
            ["40", "FF"],
        ] {
            let asked = range(bounds);
            let expected: Vec<(usize, FeedRange)> = partitions
                .iter()
                .enumerate()
                .filter_map(|(at, one)| Some((at, one.range.intersection(&asked)?)))
                .collect();
            let parts: Vec<_> = parts_of(&partitions, &asked).collect();
            assert_eq!(parts, expected, "{asked}");
            assert!(!parts.is_empty());
        }
    }
}

//! The physical partitions of the demo container: list, count, split, merge.

use anyhow::{Context, anyhow};
use azure_core::http::Method;
use azure_core::http::headers::Headers;
use bytes::Bytes;
use serde::Deserialize;

use super::account::DemoAccount;
use super::host::succeeded;
use super::log::PartitionLog;
use super::orders::docs_path;
use super::topology;

/// A physical partition of the demo container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Partition {
    /// The id of the partition key range, a number that is never used again.
    #[serde(deserialize_with = "number")]
    pub id: u32,
    /// Its first effective partition key, in hexadecimal; empty is the lowest of all.
    pub min_inclusive: String,
    /// The first effective partition key after it, in hexadecimal; `FF` is above all.
    pub max_exclusive: String,
    /// The partition's LSN.
    #[serde(rename = "_lsn")]
    pub lsn: u64,
}

fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

impl DemoAccount {
    /// The partitions, in the order of their ranges.
    ///
    /// # Errors
    ///
    /// If a client has deleted the container.
    pub async fn partitions(&self) -> anyhow::Result<Vec<Partition>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Ranges {
            partition_key_ranges: Vec<Partition>,
        }
        let path = docs_path(None).replace("/docs", "/pkranges");
        let answer = self
            .service
            .execute(Method::Get, &path, None, Headers::new(), Bytes::new())
            .await?;
        let answer = succeeded(answer, "list its partitions")?;
        let mut ranges = serde_json::from_slice::<Ranges>(&answer.body)
            .context("the demo account cannot list its partitions")?
            .partition_key_ranges;
        ranges.sort_by(|left, right| left.min_inclusive.cmp(&right.min_inclusive));
        Ok(ranges)
    }

    /// The number of documents in a partition, or in the whole container.
    ///
    /// # Errors
    ///
    /// If the partition does not exist, or a client has deleted the container.
    pub async fn count(&self, partition: Option<u32>) -> anyhow::Result<u64> {
        self.filled().await?;
        let log = self.service.recorder().log().await;
        let log = log
            .get(Self::DATABASE, Self::CONTAINER)
            .context("the demo container has been deleted")?;
        let count = match partition {
            Some(id) => log
                .partition(id)
                .context("there is no such partition")?
                .count(),
            None => log.partitions().iter().map(PartitionLog::count).sum(),
        };
        Ok(count as u64)
    }

    /// The partition with the most documents; among equals, the one with the lowest range.
    ///
    /// # Errors
    ///
    /// If a client has deleted the container.
    pub async fn largest_partition(&self) -> anyhow::Result<u32> {
        self.filled().await?;
        let log = self.service.recorder().log().await;
        let log = log
            .get(Self::DATABASE, Self::CONTAINER)
            .context("the demo container has been deleted")?;
        // The last of equals is the greatest.
        let largest = log.partitions().iter().rev().max_by_key(|log| log.count());
        Ok(largest.context("the demo container has no partition")?.id())
    }

    /// Splits a partition at the middle of its range and waits until it is done. Returns the ids
    /// of its children, lower range first.
    ///
    /// # Errors
    ///
    /// If the partition does not exist, or its range is too narrow.
    pub async fn split(&self, id: u32) -> anyhow::Result<[u32; 2]> {
        self.require(&[id]).await?;
        let (service, failed) = (
            self.service.clone(),
            format!("partition {id} cannot be split"),
        );
        // A task of its own: the emulator and the log change together, whatever happens to the caller.
        let split = tokio::spawn(async move { topology::split(service.recorder(), id).await });
        split.await?.context(failed)
    }

    /// Merges two adjacent partitions and waits until it is done. Returns the id of the result.
    ///
    /// # Errors
    ///
    /// If the partitions do not exist, or are not adjacent.
    pub async fn merge(&self, left: u32, right: u32) -> anyhow::Result<u32> {
        self.require(&[left, right]).await?;
        let ids: Vec<u32> = self.partitions().await?.iter().map(|p| p.id).collect();
        let is_adjacent = ids
            .windows(2)
            .any(|pair| pair == [left, right] || pair == [right, left]);
        if !is_adjacent {
            return Err(anyhow!(
                "partitions {left} and {right} cannot be merged: they are not adjacent; \
                 in the order of their ranges, the partitions are {}",
                list(&ids)
            ));
        }
        let service = self.service.clone();
        let failed = format!("partitions {left} and {right} cannot be merged");
        let merge =
            tokio::spawn(async move { topology::merge(service.recorder(), [left, right]).await });
        merge.await?.context(failed)
    }

    /// Fails unless all these partitions exist.
    async fn require(&self, wanted: &[u32]) -> anyhow::Result<()> {
        let ids: Vec<u32> = self.partitions().await?.iter().map(|p| p.id).collect();
        match wanted.iter().find(|id| !ids.contains(id)) {
            None => Ok(()),
            Some(id) => Err(anyhow!(
                "there is no partition {id}; in the order of their ranges, the partitions are {}",
                list(&ids)
            )),
        }
    }
}

fn list(ids: &[u32]) -> String {
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    ids.join(", ")
}

//! `--split`: the service splits a partition while it is read.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use super::known;
use super::oracle::Expected;
use super::outcome::Verdict;
use super::steps::{Trial, lines_in, words};
use super::writes::Writer;
use crate::cosmos::client::CosmosClient;

const SPLIT: &str = "split";
/// The throughput of the container at first, in RU/s: one partition.
pub(super) const AT_FIRST: u64 = 400;
/// What it is raised to: a partition has at most 10,000 RU/s, so the service has to split it.
pub(super) const RAISED: u64 = 11_000;
/// How often the ranges are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Documents before the split.
const DOCUMENTS: usize = 40;

impl Trial<'_> {
    /// Raises the throughput of a container until the service splits it, at most for `wait`, while the container is
    /// written, and exported with kills.
    pub(super) async fn split(&mut self, wait: Duration) -> Result<Verdict> {
        let definition = json!({
            "id": SPLIT,
            "partitionKey": { "paths": ["/pk"], "kind": "Hash", "version": 2 },
        });
        let created = self.create_container(&definition, Some(AT_FIRST));
        if let Err(refusal) = created.await? {
            return Ok(refusal.into());
        }
        let client = self.open(SPLIT).await?;
        let mut writer = Writer::new(&client, self.max_ru);
        let mut expected = Expected::default();
        for number in 0..DOCUMENTS {
            writer.put(&known::filler(number, 1), &mut expected).await?;
        }
        let at_first = client.list_partitions(true).await?.len();
        // It has read the parent before the split.
        let out = self.program.path(SPLIT);
        let mut command = words!["export", "-o", &out];
        command.extend(self.named(SPLIT));
        let ended = self.program.run(&command).await?;
        if ended.code != Some(0) {
            return Ok(Verdict::Failed(ended.reason()));
        }
        if let Err(refusal) = self.account.set_throughput(client.rid(), RAISED).await? {
            return Ok(refusal.into());
        }
        let ranges = wait_for_split(&client, at_first, wait, &mut writer, &mut expected).await?;
        if ranges == at_first {
            return Ok(Verdict::Skipped(format!(
                "the service did not split the partition within {} s",
                wait.as_secs()
            )));
        }
        let ended = self.program.run(&words!["resume", &out]).await?;
        if ended.code != Some(0) {
            return Ok(Verdict::Failed(format!("resume: {}", ended.reason())));
        }
        Ok(expected.judge_followed(&lines_in(&out)?, true).into())
    }
}

/// Writes until there are more ranges than at first. Returns how many there are.
async fn wait_for_split(
    client: &CosmosClient,
    at_first: usize,
    wait: Duration,
    writer: &mut Writer<'_>,
    expected: &mut Expected,
) -> Result<usize> {
    let began = Instant::now();
    for version in 2.. {
        for number in (0..DOCUMENTS).step_by(8) {
            writer
                .put(&known::filler(number, version), expected)
                .await?;
        }
        let ranges = client
            .list_partitions(true)
            .await
            .context("cannot look for a split")?
            .len();
        if ranges != at_first || began.elapsed() >= wait {
            return Ok(ranges);
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(at_first)
}

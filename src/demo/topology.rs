//! Splits and merges, in the emulator and in the log at once.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use azure_data_cosmos_driver::CosmosError;
use azure_data_cosmos_driver::in_memory_emulator::{
    ManualControlPlaneOperation, ManualControlPlaneResult,
};

use super::account::DemoAccount;
use super::log::{ContainerLog, Epk};
use super::recorder::Recorder;

const DATABASE: &str = DemoAccount::DATABASE;
const CONTAINER: &str = DemoAccount::CONTAINER;

/// How long the partitions of a split or merge answer 410, beyond the time that the operation takes: long
/// enough for an active reader to see it, short enough not to wait for.
const TRANSITION: Duration = Duration::from_millis(100);

/// Splits a partition at the middle of its range. Returns the ids of its children, lower range first.
pub(super) async fn split(recorder: &Recorder, id: u32) -> Result<[u32; 2]> {
    let store = recorder.store();
    let middle = store.midpoint_split_epk(DATABASE, CONTAINER, id)?;
    let cut = Epk::from_hex(&middle.to_hex()).context("an EPK is hexadecimal")?;
    let begin = || store.begin_manual_split_partition(DATABASE, CONTAINER, id, middle);
    transition(recorder, &[id], begin, |log, result| match result {
        ManualControlPlaneResult::Split(children) => {
            log.split(id, &cut, children);
            Ok(children)
        }
        ManualControlPlaneResult::Merge(_) => bail!("the emulator merged instead"),
    })
    .await
}

/// Merges two adjacent partitions. Returns the id of the result.
pub(super) async fn merge(recorder: &Recorder, ids: [u32; 2]) -> Result<u32> {
    let store = recorder.store();
    let begin = || store.begin_manual_merge_partitions(DATABASE, CONTAINER, ids[0], ids[1]);
    transition(recorder, &ids, begin, |log, result| match result {
        ManualControlPlaneResult::Merge(child) => {
            log.merge(ids, child);
            Ok(child)
        }
        ManualControlPlaneResult::Split(_) => bail!("the emulator split instead"),
    })
    .await
}

/// Begins a change of these partitions, lets readers meet them locked, and completes it.
async fn transition<T>(
    recorder: &Recorder,
    ids: &[u32],
    begin: impl FnOnce() -> Result<ManualControlPlaneOperation, CosmosError>,
    complete: impl FnOnce(&mut ContainerLog, ManualControlPlaneResult) -> Result<T>,
) -> Result<T> {
    recorder.filled().await?;
    let _alone = recorder.transition().await;
    let deleted = "the container has been deleted";
    let (operation, rid) = {
        let mut log = recorder.log_mut().await;
        let log = log.get_mut(DATABASE, CONTAINER).context(deleted)?;
        let operation = begin()?;
        log.lock(ids, true);
        (operation, log.rid().to_owned())
    };
    tokio::time::sleep(TRANSITION).await;
    let mut log = recorder.log_mut().await;
    let result = operation.complete().await;
    let log = log.get_mut(DATABASE, CONTAINER);
    let log = log.filter(|log| log.rid() == rid).context(deleted)?;
    log.lock(ids, false);
    complete(log, result?)
}

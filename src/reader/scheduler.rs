//! Which shard is read when: a queue of ready shards, and a limited number of tasks.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::event::ReaderEvent;
use super::lanes::Ready;
use super::options::ReaderOptions;
use super::shard::Shard;
use super::shared::Shared;
use super::turn::{Outcome, run};
use crate::cosmos::client::CosmosClient;
use crate::feed::FeedRange;

/// Reads shards until all are finished or have failed, or until it is stopped.
#[derive(Debug)]
pub struct Reader {
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Reader {
    /// Starts to read. The channel of `events` closes when all is read.
    ///
    /// When `stop` is cancelled, pages that have arrived are still handed over, and no more are fetched.
    pub fn start(
        client: Arc<CosmosClient>,
        shards: Vec<Shard>,
        options: ReaderOptions,
        events: mpsc::Sender<ReaderEvent>,
        stop: CancellationToken,
    ) -> Self {
        Self::start_after(client, shards, [], options, events, stop)
    }

    /// The same, after a snapshot of an earlier run, which has `seen` these ranges, each in this partition and up to
    /// this LSN.
    pub fn start_after(
        client: Arc<CosmosClient>,
        shards: Vec<Shard>,
        seen: impl IntoIterator<Item = (FeedRange, String, u64)>,
        options: ReaderOptions,
        events: mpsc::Sender<ReaderEvent>,
        stop: CancellationToken,
    ) -> Self {
        let shared = Arc::new(Shared::new(client, options, events, stop));
        for (range, partition, lsn) in seen {
            shared.remember(&partition, &range, lsn);
        }
        Self {
            task: tokio::spawn(schedule(shared, shards, None)),
        }
    }

    /// Starts to read shards that come later. It reads until `stop` is cancelled, or the sender of the shards is
    /// dropped and all of them have ended.
    pub fn start_open(
        client: Arc<CosmosClient>,
        options: ReaderOptions,
        events: mpsc::Sender<ReaderEvent>,
        stop: CancellationToken,
    ) -> (Self, mpsc::UnboundedSender<Shard>) {
        let shared = Arc::new(Shared::new(client, options, events, stop));
        let (sender, more) = mpsc::unbounded_channel();
        let task = tokio::spawn(schedule(shared, Vec::new(), Some(more)));
        (Self { task }, sender)
    }

    /// Waits until the reader has ended.
    ///
    /// # Errors
    ///
    /// If a task panicked. Errors of ranges are events.
    pub async fn join(self) -> Result<()> {
        self.task.await.context("the reader ended unexpectedly")?
    }
}

async fn schedule(
    shared: Arc<Shared>,
    shards: Vec<Shard>,
    mut more: Option<mpsc::UnboundedReceiver<Shard>>,
) -> Result<()> {
    let mut ready = Ready::new(shards, &shared);
    let mut running = JoinSet::new();
    let mut idle: JoinSet<Shard> = JoinSet::new();
    loop {
        if running.is_empty() {
            ready.pass(&shared, idle.len());
        }
        while running.len() < shared.options.concurrency
            && let Some(shard) = ready.next(&shared)
        {
            running.spawn(in_turn(Arc::clone(&shared), shard));
        }
        shared.set_waiting(ready.len());
        let turn = ready.deadline();
        tokio::select! {
            Some(outcome) = running.join_next() => {
                match outcome.context("a reading task ended unexpectedly")? {
                    Outcome::Ended => {}
                    Outcome::Yielded(shard) => ready.push(*shard),
                    Outcome::Replaced(children) => children.into_iter().for_each(|child| ready.push(child)),
                    Outcome::Idle(shard) => {
                        let Some(shard) = ready.rest(*shard) else {
                            continue;
                        };
                        let pause = shard.pause(shared.options.poll_interval);
                        let ranges = idle.len() + 1;
                        let budget = shared.client.traffic().budget();
                        let pause = budget.map_or(pause, |budget| budget.idle_pause(pause, ranges));
                        idle.spawn(async move {
                            // One that was stopped ends with its next turn.
                            tokio::select! {
                                () = tokio::time::sleep(pause) => {}
                                () = shard.stop.cancelled() => {}
                            }
                            shard
                        });
                    }
                }
            }
            Some(awake) = idle.join_next() => ready.push(awake.context("a timer ended unexpectedly")?),
            another = next_of(&mut more), if more.is_some() => match another {
                Some(shard) => ready.push(shard),
                None => more = None,
            },
            // Running shards notice the stop themselves; those that sleep or wait have nothing to lose.
            () = shared.stop.cancelled(), if ready.len() > 0 || !idle.is_empty() || more.is_some() => {
                more = None;
                ready.clear();
                idle.shutdown().await;
            }
            // The lane that has its turn passes it on; see there.
            () = sleep_until(turn), if turn.is_some() && !shared.yields() => shared.set_yield(true),
            else => return Ok(()),
        }
    }
}

/// Reads a shard once it has its turn among all readers of the connection. One that is stopped notices that itself.
async fn in_turn(shared: Arc<Shared>, shard: Shard) -> Outcome {
    let _turn = shared.turn().await;
    run(shared, shard).await
}

/// The next shard that comes later; none if no more will come.
async fn next_of(more: &mut Option<mpsc::UnboundedReceiver<Shard>>) -> Option<Shard> {
    match more {
        Some(more) => more.recv().await,
        None => None,
    }
}

/// Waits until `deadline`; without one, forever.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

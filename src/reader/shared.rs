//! What the tasks of a reader share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::Result;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::event::ReaderEvent;
use super::options::ReaderOptions;
use super::seen::{self, Seen};
use crate::cosmos::client::CosmosClient;
use crate::cosmos::read_bound::Turns;
use crate::feed::FeedRange;

/// What the tasks of a reader share.
pub(super) struct Shared {
    pub(super) client: Arc<CosmosClient>,
    pub(super) options: ReaderOptions,
    pub(super) events: mpsc::Sender<ReaderEvent>,
    /// Bytes of pages that may be handed to the consumer.
    pub(super) memory: Arc<Semaphore>,
    /// The turns to read a range, if there are other readers that have some.
    turns: Option<Turns>,
    pub(super) stop: CancellationToken,
    /// Number of shards that wait for a task.
    waiting: AtomicUsize,
    /// Whether a snapshot is being read, and the changes beside it.
    reads_snapshot: AtomicBool,
    /// Whether shards hand the turn over to those of the other lane after the page in hand.
    yields: AtomicBool,
    /// How far each partition has been seen by either lane of a snapshot.
    seen: Mutex<Seen>,
}

impl Shared {
    pub(super) fn new(
        client: Arc<CosmosClient>,
        mut options: ReaderOptions,
        events: mpsc::Sender<ReaderEvent>,
        stop: CancellationToken,
    ) -> Self {
        let (memory, turns) = match client.traffic().bound() {
            Some(bound) => {
                options.buffered_bytes = options.buffered_bytes.min(bound.bytes);
                (Arc::clone(&bound.memory), Some(bound.turns()))
            }
            None => (
                Arc::new(Semaphore::new(options.buffered_bytes as usize)),
                None,
            ),
        };
        let waiting = AtomicUsize::new(0);
        Self {
            client,
            options,
            events,
            memory,
            turns,
            stop,
            waiting,
            reads_snapshot: AtomicBool::new(false),
            yields: AtomicBool::new(false),
            seen: Mutex::default(),
        }
    }

    /// Waits for the turn to read a range, if other readers take turns too; none once it is stopped.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turns = self.turns.as_ref()?;
        tokio::select! {
            turn = turns.next() => turn,
            () = self.stop.cancelled() => None,
        }
    }

    /// Hands an event to the consumer, which is gone only when the job is being torn down.
    pub(super) async fn send(&self, event: ReaderEvent) {
        self.events.send(event).await.ok();
    }

    /// The service charged for an answer that is no page.
    pub(super) async fn charged(&self, request_charge: f64) {
        let head = None;
        self.send(ReaderEvent::Charged {
            request_charge,
            head,
        })
        .await;
    }

    /// Sets how many shards wait for a task.
    pub(super) fn set_waiting(&self, shards: usize) {
        self.waiting.store(shards, Ordering::Relaxed);
    }

    /// Sets whether a snapshot is being read.
    pub(super) fn set_snapshot(&self, is_read: bool) {
        self.reads_snapshot.store(is_read, Ordering::Relaxed);
    }

    /// Whether a snapshot is being read. Until it is complete, its changes have no end.
    pub(super) fn reads_snapshot(&self) -> bool {
        self.reads_snapshot.load(Ordering::Relaxed)
    }

    /// Sets whether shards yield to those of the other lane.
    pub(super) fn set_yield(&self, yields: bool) {
        self.yields.store(yields, Ordering::Relaxed);
    }

    /// Whether shards yield to those of the other lane.
    pub(super) fn yields(&self) -> bool {
        self.yields.load(Ordering::Relaxed)
    }

    /// An earlier run has read `range` in `partition`, and has seen that to `lsn`.
    pub(super) fn remember(&self, partition: &str, range: &FeedRange, lsn: u64) {
        self.seen().remember(partition, range, lsn);
    }

    /// Notes that `partition` has answered, and has been seen to `lsn`. Returns how far it had been before that, as far
    /// as known.
    pub(super) async fn see(&self, partition: &str, lsn: Option<u64>) -> Result<Option<u64>> {
        // Without a snapshot there is nothing to compare with.
        if lsn.is_none() && !self.reads_snapshot() && self.seen().is_empty() {
            return Ok(None);
        }
        seen::note(&self.seen, &self.client, partition, lsn).await
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        seen::locked(&self.seen)
    }

    /// Whether another shard waits for a task. Then one that never ends yields after a page.
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

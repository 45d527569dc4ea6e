//! What the tasks of a reader share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::event::ReaderEvent;
use super::options::ReaderOptions;
use crate::cosmos::client::CosmosClient;

/// What the tasks of a reader share.
pub(super) struct Shared {
    pub(super) client: Arc<CosmosClient>,
    pub(super) options: ReaderOptions,
    pub(super) events: mpsc::Sender<ReaderEvent>,
    /// Bytes of pages that may be handed to the consumer.
    pub(super) memory: Arc<Semaphore>,
    pub(super) stop: CancellationToken,
    /// Number of shards that wait for a task.
    waiting: AtomicUsize,
}

impl Shared {
    pub(super) fn new(
        client: Arc<CosmosClient>,
        options: ReaderOptions,
        events: mpsc::Sender<ReaderEvent>,
        stop: CancellationToken,
    ) -> Self {
        let memory = Arc::new(Semaphore::new(options.buffered_bytes as usize));
        let waiting = AtomicUsize::new(0);
        Self {
            client,
            options,
            events,
            memory,
            stop,
            waiting,
        }
    }

    /// Hands an event to the consumer, which is gone only when the job is being torn down.
    pub(super) async fn send(&self, event: ReaderEvent) {
        self.events.send(event).await.ok();
    }

    /// Sets how many shards wait for a task.
    pub(super) fn set_waiting(&self, shards: usize) {
        self.waiting.store(shards, Ordering::Relaxed);
    }

    /// Whether another shard waits for a task. Then one that never ends yields after a page.
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

//! Requests about items of the target: within the budget, retried after throttling and transient errors.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use azure_data_cosmos_driver::models::PartitionKey;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::events::{ReplayEvent, ReplayObserver};
use super::tenure::Tenure;
use crate::cosmos::backoff::honoured;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::error::{Verdict, describe, verdict};
use crate::cosmos::hints::explain;
use crate::cosmos::items::{ItemAddress, ItemAnswer, ItemOutcome, ItemRequest};
use crate::cosmos::retry::{Retries, RetryLimit};
use crate::cosmos::traffic::Asker;
use crate::error::with_hint;

const DENIED_HINT: &str = "writing needs a key of the account that is not read-only, or an identity with \
    the role `Cosmos DB Built-in Data Contributor`";

/// Why a change was not applied.
#[derive(Debug)]
pub(super) enum NotApplied {
    /// It cannot be, now or later.
    Refused(String),
    /// The replay was stopped first.
    Stopped,
    /// Its range was not this process's own any more: whoever has it applies the change.
    Late,
    /// The service or the network failed; other changes would fail in the same way.
    Failed(anyhow::Error),
}

/// A request to the target.
#[derive(Debug, Clone, Copy)]
pub(super) enum Request<'a> {
    Item(&'a ItemAddress, ItemRequest<'a>),
    /// Documents of one partition key.
    UpsertTogether(&'a PartitionKey, &'a [&'a [u8]]),
}

impl Request<'_> {
    fn operations(&self) -> usize {
        match self {
            Self::Item(..) => 1,
            Self::UpsertTogether(_, documents) => documents.len(),
        }
    }

    async fn send(&self, client: &CosmosClient) -> ItemAnswer {
        match *self {
            Self::Item(item, request) => client.item(item, request).await,
            Self::UpsertTogether(key, documents) => client.upsert_together(key, documents).await,
        }
    }
}

/// Sends requests to the target. All writes share it.
#[derive(Debug)]
pub(super) struct ItemSender {
    /// None if a dry run would create the container: nothing is there.
    pub(super) client: Option<Arc<CosmosClient>>,
    /// The paths of the container's partition key.
    pub(super) key_paths: Vec<String>,
    pub(super) retry_limit: RetryLimit,
    pub(super) budget: Option<Arc<Budget>>,
    /// A permit for each request that is under way, if other replays have requests too.
    pub(super) permits: Option<Arc<Semaphore>>,
    pub(super) observer: Arc<ReplayObserver>,
    /// How many requests were sent, not counting repetitions.
    pub(super) sent: AtomicU64,
    /// Ends every wait.
    pub(super) stop: CancellationToken,
}

impl ItemSender {
    /// Takes the charge for reading the source into account, and waits until the budget has paid for it, or
    /// for a stop.
    pub(super) async fn read_was_charged(&self, charge: f64) {
        self.observer.observe(&ReplayEvent::Charged(charge));
        if let Some(budget) = &self.budget {
            let paid = budget.charge(charge);
            // After a stop nothing more is read.
            self.unless_stopped(tokio::time::sleep_until(paid))
                .await
                .ok();
        }
    }

    /// Sends a request until its answer is about the item. A batch that was throttled is not retried: the
    /// answer is returned after the pause.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<ItemOutcome, NotApplied> {
        self.send_within(None, request, &mut false).await
    }

    /// As [`ItemSender::send`], but begins no request when `tenure` is over. Sets `unanswered` if an attempt may have been
    /// carried out, or may still be, without an answer.
    pub(super) async fn send_during(
        &self,
        tenure: &Tenure,
        request: Request<'_>,
        unanswered: &mut bool,
    ) -> Result<ItemOutcome, NotApplied> {
        self.send_within(Some(tenure), request, unanswered).await
    }

    /// One attempt, which neither the budget nor a stop keeps waiting.
    pub(super) async fn attempt(&self, request: Request<'_>) -> ItemOutcome {
        let Some(client) = &self.client else {
            return ItemOutcome::NotFound;
        };
        let answer = request.send(client).await;
        let charge = answer.request_charge;
        self.observer.observe(&ReplayEvent::Charged(charge));
        if let Some(budget) = &self.budget {
            budget.charge(charge);
        }
        answer.outcome
    }

    async fn send_within(
        &self,
        tenure: Option<&Tenure>,
        request: Request<'_>,
        unanswered: &mut bool,
    ) -> Result<ItemOutcome, NotApplied> {
        let Some(client) = &self.client else {
            return Ok(ItemOutcome::NotFound);
        };
        let asker = Asker::Write(self.sent.fetch_add(1, Ordering::Relaxed));
        let outcome = self
            .send_as(asker, client, tenure, request, unanswered)
            .await;
        client.traffic().leaves(asker);
        outcome
    }

    async fn send_as(
        &self,
        asker: Asker,
        client: &CosmosClient,
        tenure: Option<&Tenure>,
        request: Request<'_>,
        unanswered: &mut bool,
    ) -> Result<ItemOutcome, NotApplied> {
        let mut retries = Retries::new(self.retry_limit);
        loop {
            if self.stop.is_cancelled() {
                return Err(NotApplied::Stopped);
            }
            let reserved = match &self.budget {
                Some(budget) => {
                    let (at, reserved) = budget.reserve(request.operations());
                    let begun = Instant::now();
                    self.unless_stopped(tokio::time::sleep_until(at)).await?;
                    client.traffic().excuses(asker, begun.elapsed());
                    Some((budget, reserved))
                }
                None => None,
            };
            let permit = match &self.permits {
                Some(permits) => {
                    let begun = Instant::now();
                    let permit = self.permit(permits).await?;
                    client.traffic().excuses(asker, begun.elapsed());
                    permit
                }
                None => None,
            };
            client.traffic().asks(asker);
            // Last of all, after every wait.
            if tenure.is_some_and(|tenure| !tenure.holds()) {
                return Err(NotApplied::Late);
            }
            let answer = request.send(client).await;
            drop(permit);
            self.observer
                .observe(&ReplayEvent::Charged(answer.request_charge));
            if let Some((budget, reserved)) = reserved {
                budget.settle(reserved, answer.request_charge);
            }
            let pause = match answer.outcome {
                ItemOutcome::Throttled(retry_after) => {
                    self.observer.observe(&ReplayEvent::Throttled);
                    let pause = honoured(retry_after);
                    if request.operations() > 1 {
                        self.unless_stopped(tokio::time::sleep(pause)).await?;
                        return Ok(ItemOutcome::Throttled(retry_after));
                    }
                    pause
                }
                ItemOutcome::Failed(error) => {
                    let retry_after = match verdict(&error) {
                        Verdict::Transient { retry_after } => {
                            // Other refusals say that it was not carried out.
                            let status = u16::from(error.status().status_code());
                            *unanswered |= status == 408 || status >= 500;
                            retry_after
                        }
                        Verdict::Denied => {
                            let error = with_hint(explain(error.into()), DENIED_HINT);
                            return Err(NotApplied::Failed(error));
                        }
                        _ => return Err(NotApplied::Failed(explain(error.into()))),
                    };
                    let Some(notice) = retries.again(retry_after, || describe(&error)) else {
                        let error = explain(error.into()).context(retries.gave_up());
                        return Err(NotApplied::Failed(error));
                    };
                    tracing::debug!("{notice}");
                    self.observer.observe(&ReplayEvent::Retried);
                    notice.pause
                }
                answered => return Ok(answered),
            };
            self.unless_stopped(tokio::time::sleep(pause)).await?;
        }
    }

    /// Waits until the request may be sent beside those of other replays.
    async fn permit<'a>(
        &self,
        permits: &'a Semaphore,
    ) -> Result<Option<SemaphorePermit<'a>>, NotApplied> {
        tokio::select! {
            () = self.stop.cancelled() => Err(NotApplied::Stopped),
            // It is never closed.
            permit = permits.acquire() => Ok(permit.ok()),
        }
    }

    pub(super) async fn unless_stopped(
        &self,
        wait: impl Future<Output = ()>,
    ) -> Result<(), NotApplied> {
        tokio::select! {
            // No request is running while it waits.
            () = self.stop.cancelled() => Err(NotApplied::Stopped),
            () = wait => Ok(()),
        }
    }
}

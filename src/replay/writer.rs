//! Applies changes to the target: by the write mode, upserts of one key in batches, within the budget,
//! again after throttling and after what passes by itself.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::anyhow;
use azure_data_cosmos_driver::models::PartitionKey;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::change::{Action, Change, same_content, without_system_fields};
use super::own::OwnWrites;
use crate::cli::{TtlDeletes, WriteMode};
use crate::cosmos::backoff::honoured;
use crate::cosmos::batch::MAX_BATCH_BYTES;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::error::{Verdict, describe, verdict};
use crate::cosmos::hints::explain;
use crate::cosmos::items::{ItemAddress, ItemAnswer, ItemOutcome, ItemRequest};
use crate::cosmos::retry::{Retries, RetryLimit};
use crate::error::with_hint;
use crate::feed::page::members;

/// How often an item that changes all the time is looked at again.
const MAX_RACES: u32 = 20;

const DENIED_HINT: &str = "writing needs a key of the account that is not read-only, or an identity with \
    the role `Cosmos DB Built-in Data Contributor`";

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    /// The item is there now, and was not before.
    Created,
    /// The item was there, and is another one now.
    Replaced,
    /// The item was deleted.
    Deleted,
    /// The item was as the change would have it.
    Unchanged,
    /// The target's copy is newer, and was kept; or the choice was to leave such changes out.
    Kept,
}

/// Why a change was not applied.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It cannot be, now or later.
    Refused(String),
    /// A stop came before it was.
    Stopped,
    /// The service or the network is in the way; so it will be of others.
    Failed(anyhow::Error),
}

/// What the service charged and how often it pushed back. Shared by all writes.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// In hundredths of an RU, which is what the service counts in.
    charge: AtomicU64,
    throttled: AtomicU64,
    retries: AtomicU64,
}

impl Meter {
    /// Request units charged so far.
    pub(super) fn request_units(&self) -> f64 {
        self.charge.load(Ordering::Relaxed) as f64 / 100.0
    }

    /// How many requests were throttled.
    pub(super) fn throttled(&self) -> u64 {
        self.throttled.load(Ordering::Relaxed)
    }

    /// How many requests were tried again for another reason.
    pub(super) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    fn charged(&self, request_units: f64) {
        Self::add(&self.charge, (request_units * 100.0).round() as u64);
    }

    /// A request was tried again.
    pub(super) fn retried(&self) {
        Self::add(&self.retries, 1);
    }

    fn add(counter: &AtomicU64, number: u64) {
        counter.fetch_add(number, Ordering::Relaxed);
    }
}

/// How changes are applied.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) client: Arc<CosmosClient>,
    pub(super) mode: WriteMode,
    pub(super) ttl_deletes: TtlDeletes,
    /// Whether nothing is written, but only told what would be.
    pub(super) dry_run: bool,
    /// The most documents that are upserted in one request.
    pub(super) batch_size: usize,
    pub(super) retry_limit: RetryLimit,
    pub(super) budget: Option<Budget>,
    pub(super) meter: Meter,
    /// Which of the target's copies this replay wrote.
    pub(super) own: OwnWrites,
    /// Ends every wait.
    pub(super) stop: CancellationToken,
}

/// The target's copy of an item.
struct Copy {
    json: Bytes,
    etag: Option<String>,
}

/// What came of a batch.
enum Together {
    Written(Vec<Applied>),
    /// Nothing was written, for now.
    Throttled,
    /// Nothing was written, nor will be: not together.
    Refused,
}

/// What the service is asked.
#[derive(Debug, Clone, Copy)]
enum Request<'a> {
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

impl Writer {
    /// Notes what reading the source was charged with, and waits until that is paid, or for a stop.
    pub(super) async fn read_was_charged(&self, charge: f64) {
        self.meter.charged(charge);
        if let Some(budget) = &self.budget {
            let paid = budget.charge(charge);
            // After a stop nothing more is read that it could matter to.
            self.unless_stopped(tokio::time::sleep_until(paid))
                .await
                .ok();
        }
    }

    /// Applies `change`.
    ///
    /// # Errors
    ///
    /// See [`Trouble`].
    pub(super) async fn apply(&self, change: &Change) -> Result<Applied, Trouble> {
        if self.ttl_deletes == TtlDeletes::Skip
            && matches!(change.action, Action::Delete { expired: true })
        {
            return Ok(Applied::Kept);
        }
        if self.dry_run {
            return self.foresee(change).await;
        }
        match (self.mode, &change.action) {
            (WriteMode::Upsert, Action::Put(json)) => {
                let request = ItemRequest::Upsert(json);
                written(self.item(&change.item, request).await?)
            }
            (WriteMode::Upsert, Action::Delete { .. }) => {
                match self.item(&change.item, ItemRequest::Delete(None)).await? {
                    ItemOutcome::NotFound => Ok(Applied::Unchanged),
                    other => written(other),
                }
            }
            (WriteMode::Create, Action::Put(json)) => self.create(&change.item, json).await,
            (WriteMode::Create, Action::Delete { .. }) => Err(no_deletions()),
            (WriteMode::Newer, action) => self.write_if_newer(change, action).await,
        }
    }

    /// Whether `change` may go into one request with `run`, changes of its key that come right before.
    ///
    /// Only upserts may: what other writes do depends on what is there. And each item once: the
    /// target's own feed of all versions is to have every version, and those that one transaction
    /// overwrote may not be in it.
    pub(super) fn may_join<'a>(
        &self,
        run: impl ExactSizeIterator<Item = &'a Change> + Clone,
        change: &Change,
    ) -> bool {
        if self.mode != WriteMode::Upsert || self.dry_run {
            return false;
        }
        let most = match &self.budget {
            Some(budget) => budget.at_once().min(self.batch_size),
            None => self.batch_size,
        };
        let bytes = |change: &Change| match &change.action {
            Action::Put(json) => Some(json.len()),
            Action::Delete { .. } => None,
        };
        let all: Option<usize> = run.clone().map(bytes).sum();
        run.len() < most
            && all
                .zip(bytes(change))
                .is_some_and(|(all, more)| all + more <= MAX_BATCH_BYTES)
            && run.clone().all(|other| other.item.id != change.item.id)
    }

    /// Applies changes of one partition key in their order. Ends with the first that was not applied
    /// for a reason that others have too; those after it are not in what is returned.
    pub(super) async fn apply_in_order(&self, run: &[&Change]) -> Vec<Result<Applied, Trouble>> {
        let mut outcomes = Vec::with_capacity(run.len());
        let mut together = run.len();
        while outcomes.len() < run.len() {
            let rest = &run[outcomes.len()..];
            let part = &rest[..together.min(rest.len())];
            if part.len() > 1 {
                match self.upsert_together(part).await {
                    Ok(Together::Written(applied)) => {
                        outcomes.extend(applied.into_iter().map(Ok));
                        continue;
                    }
                    // It may be too much for what there is in a second.
                    Ok(Together::Throttled) => {
                        together = part.len() / 2;
                        continue;
                    }
                    // Which of them it is shows when each is on its own.
                    Ok(Together::Refused) => together = 1,
                    Err(trouble) => {
                        outcomes.push(Err(trouble));
                        return outcomes;
                    }
                }
            }
            let outcome = self.apply(part[0]).await;
            let goes_on = matches!(outcome, Ok(_) | Err(Trouble::Refused(_)));
            outcomes.push(outcome);
            if !goes_on {
                return outcomes;
            }
        }
        outcomes
    }

    async fn upsert_together(&self, part: &[&Change]) -> Result<Together, Trouble> {
        let documents: Option<Vec<&[u8]>> = part
            .iter()
            .map(|change| match &change.action {
                Action::Put(json) => Some(json.as_slice()),
                Action::Delete { .. } => None,
            })
            .collect();
        let Some(documents) = documents else {
            return Ok(Together::Refused);
        };
        let request = Request::UpsertTogether(&part[0].item.key, &documents);
        match self.request(request).await? {
            ItemOutcome::WrittenTogether(created) => Ok(Together::Written(
                created
                    .into_iter()
                    .map(|created| match created {
                        true => Applied::Created,
                        false => Applied::Replaced,
                    })
                    .collect(),
            )),
            ItemOutcome::Throttled(_) => Ok(Together::Throttled),
            ItemOutcome::Refused(reason) => {
                tracing::debug!("{reason}; writing each of {} on its own", part.len());
                Ok(Together::Refused)
            }
            other => written(other).map(|_| Together::Refused),
        }
    }

    async fn create(&self, item: &ItemAddress, json: &[u8]) -> Result<Applied, Trouble> {
        let conflict = match self.item(item, ItemRequest::Create(json)).await? {
            ItemOutcome::Conflict(message) => message,
            other => return written(other),
        };
        match self.read(item).await? {
            // What an earlier try created, or an earlier run, is no conflict.
            Some(copy) if same_content(&without_system_fields(&copy.json), json) => {
                Ok(Applied::Unchanged)
            }
            Some(_) => Err(there_already()),
            // It is not the id that excludes it.
            None => Err(Trouble::Refused(conflict)),
        }
    }

    /// Replaces or deletes the target's copy if it is older than the change. An ETag makes sure that
    /// it is the copy that was looked at.
    async fn write_if_newer(&self, change: &Change, action: &Action) -> Result<Applied, Trouble> {
        let item = &change.item;
        for _ in 0..MAX_RACES {
            let mut conflict = None;
            if let Action::Put(json) = action {
                match self.item(item, ItemRequest::Create(json)).await? {
                    ItemOutcome::Conflict(message) => conflict = Some(message),
                    other => return self.written_by_us(item, other),
                }
            }
            let Some(copy) = self.read(item).await? else {
                match conflict {
                    Some(message) if self.read(item).await?.is_none() => {
                        return Err(Trouble::Refused(message));
                    }
                    Some(_) => continue,
                    None => return Ok(Applied::Unchanged),
                }
            };
            if let Some(applied) = self.judge(change, &copy)? {
                return Ok(applied);
            }
            let etag = copy.etag.as_deref().unwrap_or("*");
            let request = match action {
                Action::Put(json) => ItemRequest::Replace(json, etag),
                Action::Delete { .. } => ItemRequest::Delete(Some(etag)),
            };
            match self.item(item, request).await? {
                ItemOutcome::Changed | ItemOutcome::NotFound => {}
                other => return self.written_by_us(item, other),
            }
        }
        Err(Trouble::Refused(format!(
            "the target's copy changed {MAX_RACES} times while it was compared"
        )))
    }

    /// What is to be said of the target's `copy` if it stays; none if it is older than `change`.
    fn judge(&self, change: &Change, copy: &Copy) -> Result<Option<Applied>, Trouble> {
        if let Action::Put(json) = &change.action
            && same_content(&without_system_fields(&copy.json), json)
        {
            return Ok(Some(Applied::Unchanged));
        }
        let Some(ours) = change.seconds else {
            return Err(Trouble::Refused(
                "it has no `_ts` by which it could be compared with the target's copy".to_owned(),
            ));
        };
        let theirs = seconds_of(&copy.json).unwrap_or(i64::MAX);
        let is_own = self.own.wrote(&change.item, copy.etag.as_deref(), theirs);
        Ok((!is_own && theirs >= ours).then_some(Applied::Kept))
    }

    /// What [`Writer::apply`] would do to the target as it stands.
    async fn foresee(&self, change: &Change) -> Result<Applied, Trouble> {
        let copy = self.read(&change.item).await?;
        match (&change.action, copy, self.mode) {
            (Action::Put(_), None, _) => Ok(Applied::Created),
            (Action::Delete { .. }, _, WriteMode::Create) => Err(no_deletions()),
            (Action::Delete { .. }, None, _) => Ok(Applied::Unchanged),
            (Action::Put(json), Some(copy), mode) => {
                if same_content(&without_system_fields(&copy.json), json) {
                    return Ok(Applied::Unchanged);
                }
                match mode {
                    WriteMode::Create => Err(there_already()),
                    WriteMode::Newer => Ok(self.judge(change, &copy)?.unwrap_or(Applied::Replaced)),
                    WriteMode::Upsert => Ok(Applied::Replaced),
                }
            }
            (Action::Delete { .. }, Some(copy), WriteMode::Newer) => {
                Ok(self.judge(change, &copy)?.unwrap_or(Applied::Deleted))
            }
            (Action::Delete { .. }, Some(_), WriteMode::Upsert) => Ok(Applied::Deleted),
        }
    }

    async fn read(&self, item: &ItemAddress) -> Result<Option<Copy>, Trouble> {
        match self.item(item, ItemRequest::Read).await? {
            ItemOutcome::Read(json, etag) => {
                // Some emulators tell the ETag in the body alone.
                let etag = etag.or_else(|| text_of(&json, "_etag"));
                Ok(Some(Copy { json, etag }))
            }
            ItemOutcome::NotFound => Ok(None),
            other => written(other).map(|_| None),
        }
    }

    fn written_by_us(&self, item: &ItemAddress, outcome: ItemOutcome) -> Result<Applied, Trouble> {
        if let ItemOutcome::Created(Some(etag)) | ItemOutcome::Replaced(Some(etag)) = &outcome {
            self.own.note(item, etag);
        }
        written(outcome)
    }

    async fn item(
        &self,
        item: &ItemAddress,
        request: ItemRequest<'_>,
    ) -> Result<ItemOutcome, Trouble> {
        self.request(Request::Item(item, request)).await
    }

    /// Sends a request until there is an answer to it that says something about the item. That of a
    /// batch is returned too if it was throttled, after the pause for that.
    async fn request(&self, request: Request<'_>) -> Result<ItemOutcome, Trouble> {
        let mut retries = Retries::new(self.retry_limit);
        loop {
            if self.stop.is_cancelled() {
                return Err(Trouble::Stopped);
            }
            let reserved = match &self.budget {
                Some(budget) => {
                    let (at, reserved) = budget.reserve(request.operations());
                    self.unless_stopped(tokio::time::sleep_until(at)).await?;
                    Some((budget, reserved))
                }
                None => None,
            };
            let answer = request.send(&self.client).await;
            self.meter.charged(answer.request_charge);
            if let Some((budget, reserved)) = reserved {
                budget.settle(reserved, answer.request_charge);
            }
            let pause = match answer.outcome {
                ItemOutcome::Throttled(retry_after) => {
                    Meter::add(&self.meter.throttled, 1);
                    let pause = honoured(retry_after);
                    if request.operations() > 1 {
                        self.unless_stopped(tokio::time::sleep(pause)).await?;
                        return Ok(ItemOutcome::Throttled(retry_after));
                    }
                    pause
                }
                ItemOutcome::Failed(error) => {
                    let retry_after = match verdict(&error) {
                        Verdict::Transient { retry_after } => retry_after,
                        Verdict::Denied => {
                            let error = with_hint(explain(error.into()), DENIED_HINT);
                            return Err(Trouble::Failed(error));
                        }
                        _ => return Err(Trouble::Failed(explain(error.into()))),
                    };
                    let Some(notice) = retries.again(retry_after, || describe(&error)) else {
                        let error = explain(error.into()).context(retries.gave_up());
                        return Err(Trouble::Failed(error));
                    };
                    tracing::debug!("{notice}");
                    self.meter.retried();
                    notice.pause
                }
                answered => return Ok(answered),
            };
            self.unless_stopped(tokio::time::sleep(pause)).await?;
        }
    }

    async fn unless_stopped(&self, wait: impl Future<Output = ()>) -> Result<(), Trouble> {
        tokio::select! {
            // Nothing is under way while it waits.
            () = self.stop.cancelled() => Err(Trouble::Stopped),
            () = wait => Ok(()),
        }
    }
}

/// What came of a request that writes.
fn written(outcome: ItemOutcome) -> Result<Applied, Trouble> {
    match outcome {
        ItemOutcome::Created(_) => Ok(Applied::Created),
        ItemOutcome::Replaced(_) => Ok(Applied::Replaced),
        ItemOutcome::Deleted => Ok(Applied::Deleted),
        ItemOutcome::Refused(reason) | ItemOutcome::Conflict(reason) => {
            Err(Trouble::Refused(reason))
        }
        ItemOutcome::Failed(error) => Err(Trouble::Failed(explain(error.into()))),
        ItemOutcome::Read(..)
        | ItemOutcome::NotFound
        | ItemOutcome::Changed
        | ItemOutcome::Throttled(_)
        | ItemOutcome::WrittenTogether(_) => Err(Trouble::Failed(anyhow!(
            "the service's answer makes no sense for this request: {outcome:?}"
        ))),
    }
}

fn no_deletions() -> Trouble {
    Trouble::Refused("it is a deletion, and --write-mode create deletes nothing".to_owned())
}

fn there_already() -> Trouble {
    Trouble::Refused("the target has another document with this id".to_owned())
}

/// The `_ts` of a document.
fn seconds_of(document: &[u8]) -> Option<i64> {
    let timestamp = members(document).find(|member| member.is_named("_ts"))?;
    serde_json::from_slice(timestamp.value).ok()
}

fn text_of(document: &[u8], name: &str) -> Option<String> {
    let member = members(document).find(|member| member.is_named(name))?;
    serde_json::from_slice(member.value).ok()
}

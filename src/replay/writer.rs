//! Applies one change to the target: by the write mode, within the budget, again after throttling
//! and after what passes by itself.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::change::{Action, Change, same_content, without_system_fields};
use super::own::OwnWrites;
use crate::cli::{TtlDeletes, WriteMode};
use crate::cosmos::client::CosmosClient;
use crate::cosmos::error::{Verdict, describe, explain, verdict};
use crate::cosmos::items::{ItemAddress, ItemOutcome, ItemRequest};
use crate::error::with_hint;
use crate::feed::page::members;

/// The longest pause between two tries of a write.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The first pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
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
    pub(super) max_retries: u32,
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
                written(self.request(&change.item, request).await?)
            }
            (WriteMode::Upsert, Action::Delete { .. }) => {
                match self
                    .request(&change.item, ItemRequest::Delete(None))
                    .await?
                {
                    ItemOutcome::NotFound => Ok(Applied::Unchanged),
                    other => written(other),
                }
            }
            (WriteMode::Create, Action::Put(json)) => self.create(&change.item, json).await,
            (WriteMode::Create, Action::Delete { .. }) => Err(no_deletions()),
            (WriteMode::Newer, action) => self.write_if_newer(change, action).await,
        }
    }

    async fn create(&self, item: &ItemAddress, json: &[u8]) -> Result<Applied, Trouble> {
        let conflict = match self.request(item, ItemRequest::Create(json)).await? {
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
                match self.request(item, ItemRequest::Create(json)).await? {
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
            match self.request(item, request).await? {
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
        match self.request(item, ItemRequest::Read).await? {
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

    /// Sends a request until there is an answer to it that says something about the item.
    async fn request(
        &self,
        item: &ItemAddress,
        request: ItemRequest<'_>,
    ) -> Result<ItemOutcome, Trouble> {
        let mut failures = 0;
        loop {
            if self.stop.is_cancelled() {
                return Err(Trouble::Stopped);
            }
            let reserved = match &self.budget {
                Some(budget) => {
                    let (at, reserved) = budget.reserve();
                    self.unless_stopped(tokio::time::sleep_until(at)).await?;
                    Some((budget, reserved))
                }
                None => None,
            };
            let answer = self.client.item(item, request).await;
            self.meter.charged(answer.request_charge);
            if let Some((budget, reserved)) = reserved {
                budget.settle(reserved, answer.request_charge);
            }
            let pause = match answer.outcome {
                ItemOutcome::Throttled(pause) => {
                    Meter::add(&self.meter.throttled, 1);
                    // No earlier than the service says, and not all at the same moment.
                    pause.mul_f64(1.0 + fastrand::f64() / 4.0)
                }
                ItemOutcome::Failed(error) => {
                    let retry_after = match verdict(&error) {
                        Verdict::Transient { retry_after } => retry_after,
                        Verdict::Denied => {
                            return Err(Trouble::Failed(with_hint(
                                explain(error.into()),
                                DENIED_HINT,
                            )));
                        }
                        _ => return Err(Trouble::Failed(explain(error.into()))),
                    };
                    if failures >= self.max_retries {
                        let tries = failures + 1;
                        let error = explain(error.into());
                        return Err(Trouble::Failed(
                            error.context(format!("gave up after {tries} tries")),
                        ));
                    }
                    tracing::debug!("{}; trying again", describe(&error));
                    failures += 1;
                    self.meter.retried();
                    let pause = FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(10));
                    pause
                        .min(LONGEST_PAUSE)
                        .mul_f64(0.5 + fastrand::f64() / 2.0)
                        .max(retry_after.unwrap_or_default())
                }
                answered => return Ok(answered),
            };
            self.unless_stopped(tokio::time::sleep_until(Instant::now() + pause))
                .await?;
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
        | ItemOutcome::Throttled(_) => Err(Trouble::Failed(anyhow!(
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

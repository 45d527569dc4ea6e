//! Applies changes to the target by the write mode, with upserts of one partition key in batches.

use std::sync::Arc;

use anyhow::anyhow;

use super::content::{same_content, without_system_fields};
use super::copy::Copy;
use super::events::Applied;
use super::item_sender::{ItemSender, NotApplied, Request};
use super::item_write::{Action, ItemWrite};
use super::known_etags::KnownEtags;
use super::own_writes::OwnWrites;
use super::rehearsal::{LookedUp, Rehearsal};
use crate::cosmos::batch::MAX_BATCH_BYTES;
use crate::cosmos::hints::explain;
use crate::cosmos::items::{ItemAddress, ItemOutcome, ItemRequest};
use crate::feed::page::{members, whole};
use crate::settings::{TtlDeletes, WriteMode};

/// How often an item that keeps changing is compared again.
const MAX_RACES: u32 = 20;

/// How changes are applied.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) sender: Arc<ItemSender>,
    pub(super) mode: WriteMode,
    pub(super) ttl_deletes: TtlDeletes,
    /// What a dry run would have written; none if it is none.
    pub(super) rehearsal: Option<Rehearsal>,
    /// The largest number of documents that are upserted in one request.
    pub(super) batch_size: usize,
    /// Which of the target's copies this replay wrote.
    pub(super) own: OwnWrites,
    /// The ETags of what was written on the condition of one.
    pub(super) etags: KnownEtags,
}

/// A change that is being applied.
struct Attempt<'a> {
    writer: &'a Writer,
    item: &'a ItemAddress,
    /// What a dry run knows of the item.
    looked_up: LookedUp,
}

/// The outcome of a batch.
enum Together {
    Written(Vec<Applied>),
    /// Nothing was written; it may be later.
    Throttled,
    /// Nothing was written; fewer together may be.
    TooLarge,
    /// Nothing was written, and cannot be as a batch.
    Refused,
}

impl Writer {
    /// Applies `change`.
    async fn apply(&self, change: &ItemWrite) -> Result<Applied, NotApplied> {
        if self.ttl_deletes == TtlDeletes::Skip
            && matches!(change.action, Action::Delete { expired: true })
        {
            return Ok(Applied::Kept);
        }
        let attempt = Attempt {
            writer: self,
            item: &change.item,
            looked_up: LookedUp::default(),
        };
        match (self.mode, &change.action) {
            (WriteMode::Upsert, Action::Put(json)) => attempt.upsert(json).await,
            (WriteMode::Upsert, Action::Delete { .. }) => {
                match attempt.request(ItemRequest::Delete(None)).await? {
                    ItemOutcome::NotFound => Ok(Applied::Unchanged),
                    other => written(other),
                }
            }
            (WriteMode::Create, Action::Put(json)) => attempt.create(json).await,
            (WriteMode::Create, Action::Delete { .. }) => Err(no_deletions()),
            (WriteMode::Newer, action) => attempt.write_if_newer(change, action).await,
        }
    }

    /// Whether `change` may join the batch `run`, which are the changes of its key right before it.
    ///
    /// Only upserts may: the effect of other writes depends on what the target has. And each item is in a
    /// batch once: the target's own all-versions feed should have every version, and may not have those
    /// that were overwritten within one transaction.
    pub(super) fn may_join<'a>(
        &self,
        run: impl ExactSizeIterator<Item = &'a ItemWrite> + Clone,
        change: &ItemWrite,
    ) -> bool {
        if self.mode != WriteMode::Upsert || self.rehearsal.is_some() {
            return false;
        }
        let max_operations = match &self.sender.budget {
            Some(budget) => budget.at_once().min(self.batch_size),
            None => self.batch_size,
        };
        let bytes = |change: &ItemWrite| match &change.action {
            Action::Put(json) => Some(json.len()),
            Action::Delete { .. } => None,
        };
        let all: Option<usize> = run.clone().map(bytes).sum();
        run.len() < max_operations
            && all
                .zip(bytes(change))
                .is_some_and(|(all, more)| all + more <= MAX_BATCH_BYTES)
            && run.clone().all(|other| other.item.id != change.item.id)
    }

    /// Applies changes of one partition key in their order. Stops at the first that failed for a reason
    /// that concerns others too; the returned outcomes end with it.
    pub(super) async fn apply_in_order(
        &self,
        run: &[&ItemWrite],
    ) -> Vec<Result<Applied, NotApplied>> {
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
                    // The batch may cost more than the throughput of a second, or be too large.
                    Ok(Together::Throttled | Together::TooLarge) => {
                        together = part.len() / 2;
                        continue;
                    }
                    // Written one by one, the refused one shows.
                    Ok(Together::Refused) => together = 1,
                    Err(error) => {
                        outcomes.push(Err(error));
                        return outcomes;
                    }
                }
            }
            let outcome = self.apply(part[0]).await;
            let continues = matches!(outcome, Ok(_) | Err(NotApplied::Refused(_)));
            outcomes.push(outcome);
            if !continues {
                return outcomes;
            }
        }
        outcomes
    }

    async fn upsert_together(&self, part: &[&ItemWrite]) -> Result<Together, NotApplied> {
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
        match self.sender.send(request).await? {
            ItemOutcome::WrittenTogether(created) => Ok(Together::Written(
                created
                    .into_iter()
                    .map(|created| {
                        if created {
                            Applied::Created
                        } else {
                            Applied::Replaced
                        }
                    })
                    .collect(),
            )),
            ItemOutcome::Throttled(_) => Ok(Together::Throttled),
            ItemOutcome::TooLarge(_) => Ok(Together::TooLarge),
            ItemOutcome::Refused(reason) => {
                tracing::debug!("{reason}; writing {} items one by one", part.len());
                Ok(Together::Refused)
            }
            other => written(other).map(|_| Together::Refused),
        }
    }

    /// Whether the target's `copy` has the content of a document.
    fn has_content(&self, copy: &Copy, document: &[u8]) -> bool {
        match (copy, &self.rehearsal) {
            (Copy::Stored { json, .. }, _) => same_content(&without_system_fields(json), document),
            (Copy::Rehearsed(content), Some(rehearsal)) => {
                *content == rehearsal.content_of(document)
            }
            (Copy::Rehearsed(_), None) => false,
        }
    }

    /// The outcome if the target's `copy` stays; none if it is older than `change` and has to go.
    fn compare(&self, change: &ItemWrite, copy: &Copy) -> Result<Option<Applied>, NotApplied> {
        if let Action::Put(json) = &change.action
            && self.has_content(copy, json)
        {
            return Ok(Some(Applied::Unchanged));
        }
        let Some(ours) = change.seconds else {
            return Err(NotApplied::Refused(
                "it has no `_ts`, so it cannot be compared with the target's copy".to_owned(),
            ));
        };
        let Copy::Stored { json, etag } = copy else {
            // It would be our own.
            return Ok(None);
        };
        let theirs = seconds_of(json).unwrap_or(i64::MAX);
        let is_own = self.own.wrote(&change.item, etag.as_deref(), theirs);
        Ok((!is_own && theirs >= ours).then_some(Applied::Kept))
    }
}

impl Attempt<'_> {
    async fn upsert(&self, json: &[u8]) -> Result<Applied, NotApplied> {
        // A dry run reads the copy anyway. The service would replace it by the same.
        if self.writer.rehearsal.is_some()
            && let Some(copy) = self.read().await?
            && self.writer.has_content(&copy, json)
        {
            return Ok(Applied::Unchanged);
        }
        written(self.request(ItemRequest::Upsert(json)).await?)
    }

    async fn create(&self, json: &[u8]) -> Result<Applied, NotApplied> {
        let conflict = match self.request(ItemRequest::Create(json)).await? {
            ItemOutcome::Conflict(message) => message,
            other => return written(other),
        };
        match self.read().await? {
            // An earlier attempt or an earlier run created it: no conflict.
            Some(copy) if self.writer.has_content(&copy, json) => Ok(Applied::Unchanged),
            Some(_) => Err(there_already()),
            // Another item conflicts, by a unique key.
            None => Err(NotApplied::Refused(conflict)),
        }
    }

    /// Replaces or deletes the target's copy if it is older than the change. The ETag ensures that it is
    /// the copy that was compared.
    async fn write_if_newer(
        &self,
        change: &ItemWrite,
        action: &Action,
    ) -> Result<Applied, NotApplied> {
        for _ in 0..MAX_RACES {
            let mut conflict = None;
            if let Action::Put(json) = action {
                match self.request(ItemRequest::Create(json)).await? {
                    ItemOutcome::Conflict(message) => conflict = Some(message),
                    other => return self.own_write(other),
                }
            }
            let Some(copy) = self.read().await? else {
                match conflict {
                    Some(message) if self.read().await?.is_none() => {
                        return Err(NotApplied::Refused(message));
                    }
                    Some(_) => continue,
                    None => return Ok(Applied::Unchanged),
                }
            };
            if let Some(applied) = self.writer.compare(change, &copy)? {
                return Ok(applied);
            }
            let etag = match &copy {
                Copy::Stored {
                    etag: Some(etag), ..
                } => etag,
                _ => "*",
            };
            let request = match action {
                Action::Put(json) => ItemRequest::Replace(json, etag),
                Action::Delete { .. } => ItemRequest::Delete(Some(etag)),
            };
            match self.request(request).await? {
                ItemOutcome::Changed | ItemOutcome::NotFound => {}
                other => return self.own_write(other),
            }
        }
        Err(NotApplied::Refused(format!(
            "the target's copy changed {MAX_RACES} times while it was compared"
        )))
    }

    /// The target's copy. A dry run reads each copy once, and of an item that it would have written before, it
    /// knows what that would have left.
    async fn read(&self) -> Result<Option<Copy>, NotApplied> {
        let Some(rehearsal) = &self.writer.rehearsal else {
            return self.read_stored().await;
        };
        if let Some(known) = self.looked_up.get() {
            return Ok(known);
        }
        let copy = match rehearsal.left_of(self.item) {
            Some(left) => left,
            None => self.read_stored().await?,
        };
        self.looked_up.set(copy.clone());
        Ok(copy)
    }

    async fn read_stored(&self) -> Result<Option<Copy>, NotApplied> {
        match self.send(ItemRequest::Read).await? {
            ItemOutcome::Read(json, etag) => {
                let etag = etag_of(&json, etag);
                Ok(Some(Copy::Stored { json, etag }))
            }
            ItemOutcome::NotFound => Ok(None),
            other => written(other).map(|_| None),
        }
    }

    fn own_write(&self, outcome: ItemOutcome) -> Result<Applied, NotApplied> {
        if let ItemOutcome::Created(Some(etag)) | ItemOutcome::Replaced(Some(etag)) = &outcome {
            self.writer.own.note(self.item, etag);
        }
        written(outcome)
    }

    /// Writes the item. A dry run only finds out what that would do.
    async fn request(&self, request: ItemRequest<'_>) -> Result<ItemOutcome, NotApplied> {
        match &self.writer.rehearsal {
            Some(rehearsal) => {
                let before = self.read().await?;
                rehearsal.write(self.item, before.as_ref(), request)
            }
            None => self.send(request).await,
        }
    }

    async fn send(&self, request: ItemRequest<'_>) -> Result<ItemOutcome, NotApplied> {
        self.writer
            .sender
            .send(Request::Item(self.item, request))
            .await
    }
}

/// The ETag of a document that was read. Some emulators send it in the body only.
pub(super) fn etag_of(json: &[u8], of_answer: Option<String>) -> Option<String> {
    of_answer.or_else(|| text_of(json, "_etag"))
}

/// The outcome of a write.
pub(super) fn written(outcome: ItemOutcome) -> Result<Applied, NotApplied> {
    match outcome {
        ItemOutcome::Created(_) => Ok(Applied::Created),
        ItemOutcome::Replaced(_) => Ok(Applied::Replaced),
        ItemOutcome::Deleted => Ok(Applied::Deleted),
        ItemOutcome::Refused(reason)
        | ItemOutcome::TooLarge(reason)
        | ItemOutcome::Conflict(reason) => Err(NotApplied::Refused(reason)),
        ItemOutcome::Failed(error) => Err(NotApplied::Failed(explain(error.into()))),
        ItemOutcome::Read(..)
        | ItemOutcome::NotFound
        | ItemOutcome::Changed
        | ItemOutcome::Throttled(_)
        | ItemOutcome::WrittenTogether(_) => Err(NotApplied::Failed(anyhow!(
            "the service answered this request with an unexpected result: {outcome:?}"
        ))),
    }
}

fn no_deletions() -> NotApplied {
    NotApplied::Refused("it is a deletion, and --write-mode create deletes nothing".to_owned())
}

fn there_already() -> NotApplied {
    NotApplied::Refused("the target has another document with this id".to_owned())
}

/// The `_ts` of a document.
fn seconds_of(document: &[u8]) -> Option<i64> {
    let timestamp = members(document).find(|member| member.is_named("_ts"))?;
    whole(timestamp.value)
}

fn text_of(document: &[u8], name: &str) -> Option<String> {
    let member = members(document).find(|member| member.is_named(name))?;
    serde_json::from_slice(member.value).ok()
}

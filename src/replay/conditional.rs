//! Writes of a process that shares its ranges with others: each has as its condition the document that was read while the
//! range was the process's own. That it was is shown by a write of its lease after the answer, since others may take a lease
//! before it expires.
//!
//! A request that is sent cannot be recalled, and a process can be paused between any two instructions. So each write may
//! be late: it arrives when another process has the range. What protects the target then is the condition. Whoever has
//! the range applies each change by writing the document, even if nothing of it differs, so that its ETag changes: a late
//! write before that is followed by a newer version, and one after it fails. `docs/sharing.md` has the argument.

use anyhow::anyhow;

use super::events::Applied;
use super::item_sender::{NotApplied, Request};
use super::item_write::{Action, ItemWrite};
use super::tenure::Tenure;
use super::writer::{Writer, etag_of, written};
use crate::cosmos::backoff::Backoff;
use crate::cosmos::items::{ItemAddress, ItemOutcome, ItemRequest};
use crate::failpoint;
use crate::settings::TtlDeletes;

/// How often a document that others change is read again.
const MAX_RACES: u32 = 20;
/// How often a write conflicts with no document of its id before that is taken for a conflict of unique keys. The document may
/// have been deleted since, by the process that had created it too late.
const MAX_CONFLICTS: u32 = 3;
/// An ETag that no document has.
const OF_NO_DOCUMENT: &str = "\"00000000-0000-0000-0000-000000000000\"";
/// A defect that tests plant.
const UNCONDITIONAL: &str = "defect.replay.writes-without-condition";

/// A change that is applied while its range is this process's own.
struct Conditional<'a> {
    writer: &'a Writer,
    item: &'a ItemAddress,
    tenure: &'a Tenure,
}

impl Writer {
    /// Applies `change`, on the condition of what the target has, and only during `tenure`.
    pub(super) async fn apply_during(
        &self,
        tenure: &Tenure,
        change: &ItemWrite,
    ) -> Result<Applied, NotApplied> {
        let one = Conditional {
            writer: self,
            item: &change.item,
            tenure,
        };
        match &change.action {
            Action::Put(json) => one.put(json).await,
            Action::Delete { expired: true } if self.ttl_deletes == TtlDeletes::Skip => {
                Ok(Applied::Kept)
            }
            Action::Delete { .. } => one.delete().await,
        }
    }
}

impl Conditional<'_> {
    async fn put(&self, json: &[u8]) -> Result<Applied, NotApplied> {
        if failpoint::is_planted(UNCONDITIONAL) {
            return written(self.send(ItemRequest::Upsert(json)).await?);
        }
        let mut unanswered = false;
        let outcome = self.put_in_turns(json, &mut unanswered).await;
        let sender = &self.writer.sender;
        sender.note_unanswered(self.item, unanswered, &outcome);
        outcome
    }

    /// Sets `unanswered` if a creation may have been carried out, or may still be, without an answer.
    async fn put_in_turns(
        &self,
        json: &[u8],
        unanswered: &mut bool,
    ) -> Result<Applied, NotApplied> {
        let mut known = self.writer.etags.take(self.item);
        let mut backoff = Backoff::default();
        let mut conflicts = 0;
        for _ in 0..MAX_RACES {
            let was_known = known.is_some();
            let etag = match known.take() {
                Some(etag) => Some(etag),
                None => self.read().await?,
            };
            let request = match &etag {
                Some(etag) => ItemRequest::Replace(json, etag),
                None => ItemRequest::Create(json),
            };
            let sent = match request {
                ItemRequest::Create(_) => self.send_noting(request, unanswered).await,
                _ => self.send(request).await,
            };
            match sent? {
                ItemOutcome::Created(etag) => return self.created(etag).await,
                ItemOutcome::Replaced(etag) => {
                    self.note(etag);
                    return Ok(Applied::Replaced);
                }
                ItemOutcome::Changed | ItemOutcome::NotFound => {}
                // If the document is there, the conflict is with another one, by a unique key. A replica may not have it
                // yet.
                ItemOutcome::Conflict(message) => {
                    let is_with_another = etag.is_some() || self.is_missing().await?;
                    conflicts += u32::from(is_with_another);
                    if conflicts == MAX_CONFLICTS {
                        return Err(NotApplied::Refused(message));
                    }
                }
                other => return written(other),
            }
            if !was_known {
                self.pause(&mut backoff).await?;
            }
        }
        Err(self.gave_up())
    }

    /// Whether there is no document, where documents are written.
    async fn is_missing(&self) -> Result<bool, NotApplied> {
        let probe = self.send(ItemRequest::Delete(Some(OF_NO_DOCUMENT))).await?;
        Ok(matches!(probe, ItemOutcome::NotFound))
    }

    async fn delete(&self) -> Result<Applied, NotApplied> {
        if failpoint::is_planted(UNCONDITIONAL) {
            return match self.send(ItemRequest::Delete(None)).await? {
                ItemOutcome::NotFound => Ok(Applied::Unchanged),
                other => written(other),
            };
        }
        let mut known = self.writer.etags.take(self.item);
        let mut backoff = Backoff::default();
        for _ in 0..MAX_RACES {
            let was_known = known.is_some();
            let etag = match known.take() {
                Some(etag) => Some(etag),
                None => self.read().await?,
            };
            // A replica may not have it yet. Where documents are written, that is known.
            let etag = etag.as_deref().unwrap_or(OF_NO_DOCUMENT);
            match self.send(ItemRequest::Delete(Some(etag))).await? {
                ItemOutcome::NotFound => return Ok(Applied::Unchanged),
                ItemOutcome::Changed => {}
                other => return written(other),
            }
            if !was_known {
                self.pause(&mut backoff).await?;
            }
        }
        Err(self.gave_up())
    }

    /// The ETag of the target's document, if there is one. The range was still this process's own after it was read: what
    /// another owner has written may be newer than the change.
    async fn read(&self) -> Result<Option<String>, NotApplied> {
        let etag = match self.send(ItemRequest::Read).await? {
            ItemOutcome::Read(json, etag) => {
                let etag = etag_of(&json, etag);
                Some(etag.ok_or_else(|| {
                    NotApplied::Failed(anyhow!("the service does not say the ETag of a document"))
                })?)
            }
            ItemOutcome::NotFound => None,
            other => return written(other).map(|_| None),
        };
        if etag.is_some() && !self.tenure.confirmed().await {
            return Err(NotApplied::Late);
        }
        Ok(etag)
    }

    /// A document was created. That there was none is no condition which another process can take away again, as a
    /// deletion leaves nothing: if it was too late, the document is deleted, unless it was written since. Where no deletion
    /// is applied, a document that is in the way stays.
    async fn created(&self, etag: Option<String>) -> Result<Applied, NotApplied> {
        let is_own = match self.tenure.deletes() {
            true => self.tenure.confirmed().await,
            false => self.tenure.holds(),
        };
        if is_own {
            self.note(etag);
            return Ok(Applied::Created);
        }
        let sender = &self.writer.sender;
        sender.undo_creation(self.item, etag.as_deref()).await;
        Err(NotApplied::Late)
    }

    fn note(&self, etag: Option<String>) {
        if let Some(etag) = etag {
            self.writer.etags.note(self.item, etag);
        }
    }

    async fn send(&self, request: ItemRequest<'_>) -> Result<ItemOutcome, NotApplied> {
        self.send_noting(request, &mut false).await
    }

    async fn send_noting(
        &self,
        request: ItemRequest<'_>,
        unanswered: &mut bool,
    ) -> Result<ItemOutcome, NotApplied> {
        let request = Request::Item(self.item, request);
        let sender = &self.writer.sender;
        sender.send_during(self.tenure, request, unanswered).await
    }

    async fn pause(&self, backoff: &mut Backoff) -> Result<(), NotApplied> {
        let pause = tokio::time::sleep(backoff.next_pause(None));
        self.writer.sender.unless_stopped(pause).await
    }

    fn gave_up(&self) -> NotApplied {
        NotApplied::Failed(anyhow!(
            "the target's document changed {MAX_RACES} times before it could be written: something else writes it"
        ))
    }
}

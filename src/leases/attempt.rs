//! Writes of an instance to its leases, which must end before it could lose them.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use super::document::Document;
use super::read::KeyedBy;
use super::write::read_one;
use crate::cosmos::backoff::{Backoff, honoured};
use crate::cosmos::client::CosmosClient;
use crate::cosmos::error::{Verdict, verdict};
use crate::cosmos::hints::explain;
use crate::cosmos::items::{ItemAddress, ItemOutcome, ItemRequest};
use crate::process;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Send<'a> {
    /// Create it.
    Create,
    /// Replace the document that has this ETag.
    Replace(&'a str),
    /// Delete the document that has this ETag.
    Delete(&'a str),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It was done; the document has this ETag, if the answer had it.
    Done(Option<String>),
    /// There is another document than was expected. If an answer was lost, it may be that of this write.
    Refused,
    /// There is no such document.
    Gone,
    /// It may or may not have been done when the time was over.
    Late,
}

/// Writes a document, and retries what is transient until `until`, a time since boot.
///
/// # Errors
///
/// If the service refuses it for good.
pub(crate) async fn attempt(
    client: &CosmosClient,
    keyed_by: KeyedBy,
    document: &Document,
    send: Send<'_>,
    until: Duration,
) -> Result<Attempt> {
    let address = keyed_by.address(document)?;
    let text = document.to_text()?;
    let request = match send {
        Send::Create => ItemRequest::Create(&text),
        Send::Replace(etag) => ItemRequest::Replace(&text, etag),
        Send::Delete(etag) => ItemRequest::Delete(Some(etag)),
    };
    let mut backoff = Backoff::default();
    loop {
        let left = until.saturating_sub(process::since_boot());
        if left.is_zero() {
            return Ok(Attempt::Late);
        }
        let Ok(answer) = tokio::time::timeout(left, client.item(&address, request)).await else {
            return Ok(Attempt::Late);
        };
        // However often it failed, there is to be time for more attempts; a pause that the service asks for is kept.
        let longest = left / 6;
        let within = |pause: Duration, asked: Option<Duration>| {
            pause.min(longest.max(asked.map(honoured).unwrap_or_default()))
        };
        let pause = match answer.outcome {
            ItemOutcome::Created(etag) | ItemOutcome::Replaced(etag) => {
                return Ok(Attempt::Done(etag));
            }
            ItemOutcome::Deleted => return Ok(Attempt::Done(None)),
            ItemOutcome::Changed | ItemOutcome::Conflict(_) => return Ok(Attempt::Refused),
            ItemOutcome::NotFound => return Ok(Attempt::Gone),
            ItemOutcome::Throttled(asked) => within(backoff.next_pause(Some(asked)), Some(asked)),
            ItemOutcome::Failed(error) => match verdict(&error) {
                Verdict::Transient { retry_after } => {
                    within(backoff.next_pause(retry_after), retry_after)
                }
                _ => {
                    let what = format!("cannot write the lease `{}`", address.id);
                    return Err(explain(error.into()).context(what));
                }
            },
            ItemOutcome::Refused(message) | ItemOutcome::TooLarge(message) => {
                return Err(
                    anyhow!(message).context(format!("cannot write the lease `{}`", address.id))
                );
            }
            ItemOutcome::Read(..) | ItemOutcome::WrittenTogether(_) => {
                bail!("the service answered something else");
            }
        };
        tokio::time::sleep(pause.min(left)).await;
    }
}

/// Reads a document as it is now; none if it is gone.
///
/// # Errors
///
/// If it cannot be read.
pub(crate) async fn fetch(
    client: &CosmosClient,
    keyed_by: KeyedBy,
    document: &Document,
) -> Result<Option<Document>> {
    let address: ItemAddress = keyed_by.address(document)?;
    read_one(client, &address).await
}

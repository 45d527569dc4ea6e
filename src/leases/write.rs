//! Writes and reads single documents of a lease container.

use anyhow::{Context, Result, anyhow, bail};

use super::document::Document;
use super::read::KeyedBy;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::epk::{no_value, partition_key};
use crate::cosmos::error::{Verdict, describe, verdict};
use crate::cosmos::hints::explain;
use crate::cosmos::items::{ItemAddress, ItemOutcome, ItemRequest};

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// It was done.
    Done,
    /// The document is another one than was read. After an answer that was lost, it may be that of this write.
    Changed,
    /// There is no such document.
    Gone,
    /// There is one of this id already. After an answer that was lost, it may be that of this write.
    Exists,
}

impl KeyedBy {
    /// The address of a document, by the key that it is stored with.
    ///
    /// # Errors
    ///
    /// If it has no id, or its key is none.
    pub(super) fn address(self, document: &Document) -> Result<ItemAddress> {
        let id = document.text("id").context("the document has no id")?;
        let key = match self {
            Self::Id => id.clone().into(),
            Self::PartitionKey => document.value("partitionKey").unwrap_or_else(no_value),
            Self::Nothing => no_value(),
        };
        Ok(ItemAddress {
            key: partition_key(&[key])?,
            id,
        })
    }
}

/// Writes, and retries what is transient.
///
/// # Errors
///
/// If the service refuses it.
pub(super) async fn write(
    client: &CosmosClient,
    address: &ItemAddress,
    request: ItemRequest<'_>,
) -> Result<Written> {
    let what = format!("cannot write the lease `{}`", address.id);
    match send(client, address, request, &what).await? {
        ItemOutcome::Changed => Ok(Written::Changed),
        ItemOutcome::NotFound => Ok(Written::Gone),
        ItemOutcome::Conflict(_) => Ok(Written::Exists),
        ItemOutcome::Created(_) | ItemOutcome::Replaced(_) | ItemOutcome::Deleted => {
            Ok(Written::Done)
        }
        _ => bail!("{what}: the service answered something else"),
    }
}

/// Reads a document; none if it is gone. It has its ETag among its members.
///
/// # Errors
///
/// If it cannot be read.
pub(super) async fn read_one(
    client: &CosmosClient,
    address: &ItemAddress,
) -> Result<Option<Document>> {
    let what = format!("cannot read the lease `{}`", address.id);
    match send(client, address, ItemRequest::Read, &what).await? {
        ItemOutcome::Read(text, _) => Document::parse(&text).context(what).map(Some),
        ItemOutcome::NotFound => Ok(None),
        _ => bail!("{what}: the service answered something else"),
    }
}

async fn send(
    client: &CosmosClient,
    address: &ItemAddress,
    request: ItemRequest<'_>,
    what: &str,
) -> Result<ItemOutcome> {
    const THROTTLED: &str = "the request rate is too large";
    let persistence = client.persistence();
    let mut retries = persistence.retries();
    loop {
        let (error, notice) = match client.item(address, request).await.outcome {
            ItemOutcome::Throttled(pause) => {
                let notice = retries.again(Some(pause), || THROTTLED.to_owned());
                (anyhow!(THROTTLED), notice)
            }
            ItemOutcome::Failed(error) => {
                let notice = match verdict(&error) {
                    Verdict::Transient { retry_after } => {
                        retries.again(retry_after, || describe(&error))
                    }
                    _ => None,
                };
                (explain(error.into()), notice)
            }
            ItemOutcome::Refused(message) | ItemOutcome::TooLarge(message) => {
                return Err(anyhow!(message)).with_context(|| what.to_owned());
            }
            outcome => return Ok(outcome),
        };
        match notice {
            Some(notice) => persistence.pause(what, &notice).await,
            None => return Err(retries.after_retries(error)).with_context(|| what.to_owned()),
        }
    }
}

/// Creates a document.
///
/// # Errors
///
/// If the service refuses it.
pub(crate) async fn create(
    client: &CosmosClient,
    keyed_by: KeyedBy,
    document: &Document,
) -> Result<Written> {
    let address = keyed_by.address(document)?;
    let text = document.to_text()?;
    write(client, &address, ItemRequest::Create(&text)).await
}

/// Deletes a document as it was read; or as it is, if it has no ETag.
///
/// # Errors
///
/// If the service refuses it.
pub(crate) async fn delete(
    client: &CosmosClient,
    keyed_by: KeyedBy,
    document: &Document,
) -> Result<Written> {
    let address = keyed_by.address(document)?;
    let etag = document.text("_etag");
    write(client, &address, ItemRequest::Delete(etag.as_deref())).await
}

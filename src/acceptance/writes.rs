//! Writes of the test itself, within its budget: the known set, and what changes meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use super::known::Known;
use super::oracle::{Expected, without_system_fields};
use super::outcome::Shape;
use crate::content::canonical::has_same_content;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::epk::partition_key;
use crate::cosmos::error::{Verdict, describe, verdict};
use crate::cosmos::items::{ItemAddress, ItemOutcome, ItemRequest};

/// Where an item is.
pub(super) fn address(key: &[Value], id: &str) -> Result<ItemAddress> {
    Ok(ItemAddress {
        key: partition_key(key)?,
        id: id.to_owned(),
    })
}

/// Writes to one container.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    client: &'a CosmosClient,
    /// The most RU for a second.
    max_ru: Option<u64>,
    began: Instant,
    charged: f64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(client: &'a CosmosClient, max_ru: Option<u64>) -> Self {
        Self {
            client,
            max_ru,
            began: Instant::now(),
            charged: 0.0,
        }
    }

    /// Sends a request, and again while the service is busy.
    ///
    /// # Errors
    ///
    /// If the service does not answer.
    pub(super) async fn send(
        &mut self,
        address: &ItemAddress,
        request: ItemRequest<'_>,
    ) -> Result<ItemOutcome> {
        const WHAT: &str = "cannot write or read a document of the test";
        const BUSY: &str = "the request rate is too large";
        let persistence = self.client.persistence();
        let mut retries = persistence.retries();
        loop {
            self.wait().await;
            let answer = self.client.item(address, request).await;
            self.charged += answer.request_charge;
            let (error, notice) = match answer.outcome {
                // A request that is larger than the throughput of a second is throttled for a while.
                ItemOutcome::Throttled(pause) => {
                    tokio::time::sleep(pause).await;
                    (
                        anyhow!(BUSY),
                        retries.again(Some(pause), || BUSY.to_owned()),
                    )
                }
                ItemOutcome::Failed(error) => {
                    let notice = match verdict(&error) {
                        Verdict::Transient { retry_after } => {
                            retries.again(retry_after, || describe(&error))
                        }
                        _ => None,
                    };
                    (anyhow!(describe(&error)), notice)
                }
                outcome => return Ok(outcome),
            };
            match notice {
                Some(notice) => persistence.pause(WHAT, &notice).await,
                None => return Err(error).context(WHAT),
            }
        }
    }

    /// Waits until the budget allows another request.
    async fn wait(&self) {
        if let Some(max_ru) = self.max_ru {
            let earned = Duration::from_secs_f64(self.charged / max_ru as f64);
            tokio::time::sleep(earned.saturating_sub(self.began.elapsed())).await;
        }
    }

    /// Creates or replaces a document, which the service must accept, and notes what it made of it, which is returned.
    pub(super) async fn put(&mut self, known: &Known, expected: &mut Expected) -> Result<Vec<u8>> {
        if let Err(reason) = self.upsert(known).await? {
            bail!("the service does not take a plain document: {reason}");
        }
        let text = self
            .read(known)
            .await?
            .context("a document that was written is not there")?;
        expected.store(&known.id, text.clone());
        Ok(text)
    }

    /// A document as it is stored, without what the service adds.
    async fn read(&mut self, known: &Known) -> Result<Option<Vec<u8>>> {
        let address = address(&known.key, &known.id)?;
        match self.send(&address, ItemRequest::Read).await? {
            ItemOutcome::Read(text, _) => Ok(Some(without_system_fields(&text))),
            ItemOutcome::NotFound => Ok(None),
            other => bail!("a document cannot be read: {other:?}"),
        }
    }

    /// Creates or replaces a document. Returns why the service does not accept it.
    async fn upsert(&mut self, known: &Known) -> Result<Result<(), String>> {
        let address = address(&known.key, &known.id)?;
        let request = ItemRequest::Upsert(known.text.as_bytes());
        Ok(match self.send(&address, request).await? {
            ItemOutcome::Created(_) | ItemOutcome::Replaced(_) => Ok(()),
            ItemOutcome::Refused(reason)
            | ItemOutcome::TooLarge(reason)
            | ItemOutcome::Conflict(reason) => Err(reason),
            other => Err(format!("{other:?}")),
        })
    }

    /// Deletes a document, and notes it.
    pub(super) async fn delete(&mut self, known: &Known, expected: &mut Expected) -> Result<()> {
        let address = address(&known.key, &known.id)?;
        match self.send(&address, ItemRequest::Delete(None)).await? {
            ItemOutcome::Deleted | ItemOutcome::NotFound => {
                expected.delete(&known.id);
                Ok(())
            }
            other => bail!("a document was not deleted: {other:?}"),
        }
    }

    /// Writes a document of the known set, and reads it: what it is from then on, is what the service made of it.
    pub(super) async fn try_shape(
        &mut self,
        known: &Known,
        expected: &mut Expected,
    ) -> Result<Shape> {
        let shape = |stored, detail: &str| Shape {
            shape: known.shape,
            stored,
            detail: detail.to_owned(),
        };
        if let Err(reason) = self.upsert(known).await? {
            return Ok(shape("refused", &reason));
        }
        let Some(text) = self.read(known).await? else {
            expected.store(&known.id, known.text.clone().into_bytes());
            return Ok(shape("not found", "written, and not found at its address"));
        };
        let stored = String::from_utf8_lossy(&text);
        let found = if text == known.text.as_bytes() {
            shape("as written", "")
        } else if has_same_content(&text, known.text.as_bytes()) {
            shape("same content", &stored)
        } else {
            shape("other content", &stored)
        };
        expected.store(&known.id, text);
        Ok(found)
    }
}

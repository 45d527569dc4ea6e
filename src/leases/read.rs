//! Reads a lease container: all its documents, as they are stored.
//!
//! They come from its change feed, which has the latest version of each, byte for byte as the service wrote it.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::document::Document;
use super::prefix;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::cursor::{CursorStart, FeedRequest, PageSource};
use crate::error::usage;
use crate::feed::{ChangeFeedStart, FeedMode, FeedRange};

/// Documents that are requested in a page.
const PAGE_SIZE: NonZeroU32 = NonZeroU32::new(1000).unwrap();
/// Partitions that are read at the same time.
const CONCURRENCY: usize = 16;
/// How often a partition is read again since it was split meanwhile.
const MAX_REPEATS: usize = 5;
/// Documents that have to do with leases, at most: more are those of something else.
const MAX_DOCUMENTS: usize = 200_000;

/// What a lease container holds.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// The documents whose ids have the form of a lease, a marker or a lock, by id.
    pub(crate) documents: BTreeMap<String, Document>,
    /// How many others there are.
    pub(crate) others: u64,
}

/// How the documents of a lease container are addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyedBy {
    /// By their id.
    Id,
    /// By their member `partitionKey`.
    PartitionKey,
    /// The container has no key of its own.
    Nothing,
}

impl KeyedBy {
    /// The key of a lease container.
    ///
    /// # Errors
    ///
    /// If the SDKs do not accept it.
    pub(crate) fn of(client: &CosmosClient) -> Result<Self> {
        if client.has_system_key() {
            return Ok(Self::Nothing);
        }
        let paths = client.partition_key_paths();
        match paths.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["/id"] => Ok(Self::Id),
            ["/partitionKey"] => Ok(Self::PartitionKey),
            _ => Err(usage(
                format!(
                    "container `{}` holds no leases: its partition key is `{}`, not `/id` or `/partitionKey`",
                    client.container_name(),
                    paths.join("`, `")
                ),
                "name the lease container: --leases DATABASE/CONTAINER",
            )),
        }
    }
}

/// Reads all documents of a lease container.
///
/// # Errors
///
/// If it cannot be read.
pub(crate) async fn read(client: &Arc<CosmosClient>) -> Result<Stored> {
    let what = format!("cannot read the leases in `{}`", client.container_name());
    let read = || read_once(client);
    client
        .persistence()
        .persist(&what, read)
        .await
        .with_context(|| what.clone())
}

async fn read_once(client: &Arc<CosmosClient>) -> Result<Stored> {
    'again: for _ in 0..MAX_REPEATS {
        let partitions = client.list_partitions(true).await?;
        let read = stream::iter(partitions)
            .map(|partition| async move { read_range(client, &partition.range).await })
            .buffered(CONCURRENCY);
        let parts: Vec<Option<Stored>> = read.try_collect().await?;
        let mut all = Stored::default();
        for part in parts {
            let Some(part) = part else { continue 'again };
            all.others += part.others;
            all.documents.extend(part.documents);
        }
        if all.documents.len() > MAX_DOCUMENTS {
            bail!("it has more than {MAX_DOCUMENTS} documents with the ids of leases");
        }
        return Ok(all);
    }
    bail!("its partitions are split and merged faster than they can be read")
}

/// The documents of a range up to its head; `None` if it was split meanwhile.
async fn read_range(client: &Arc<CosmosClient>, range: &FeedRange) -> Result<Option<Stored>> {
    let request = FeedRequest {
        source: PageSource::Feed(FeedMode::LatestVersion),
        page_size: PAGE_SIZE,
        partition_key: None,
    };
    let start = CursorStart::Fresh(ChangeFeedStart::Beginning);
    let mut cursor = client.open(&request, range, start).await?;
    let mut stored = Stored::default();
    loop {
        let answer = cursor.next().await?;
        if answer.segments.len() > 1 {
            return Ok(None);
        }
        if answer.not_modified {
            return Ok(Some(stored));
        }
        for item in answer.page.items() {
            let Some(text) = item.document() else {
                continue;
            };
            // One that is renewed meanwhile comes once more.
            match Document::parse(text) {
                Ok(document) => stored.add(document),
                Err(_) => stored.others += 1,
            }
        }
        if stored.documents.len() > MAX_DOCUMENTS {
            return Ok(Some(stored));
        }
        // Leases that are renewed all the time would keep it from ending.
        let reached = answer.position()?.lsn;
        if reached.is_some() && reached >= answer.partition_lsn && answer.partition_lsn.is_some() {
            return Ok(Some(stored));
        }
    }
}

impl Stored {
    fn add(&mut self, document: Document) {
        match document.text("id") {
            Some(id) if prefix::of_id(&id).is_some() => {
                self.documents.insert(id, document);
            }
            _ => self.others += 1,
        }
    }
}

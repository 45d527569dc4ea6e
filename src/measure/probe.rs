//! Asks the service what comes after each position: one page of each range in each partition.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, anyhow, bail};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::figures::{Piece, Unread};
use super::watched::Watched;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::cursor::{CursorStart, FeedAnswer, FeedRequest, PageSource};
use crate::cosmos::epk::partition_key;
use crate::cosmos::partitions::{PhysicalPartition, parts_of};
use crate::feed::{ChangeFeedStart, FeedRange, Position, RangeState};

/// Changes that are requested, of which the rest is estimated.
const PAGE_SIZE: NonZeroU32 = NonZeroU32::new(16).unwrap();

/// Ranges that are asked about at the same time.
const CONCURRENCY: usize = 64;

/// Answers of one range without a change that are followed, although they do not say that nothing is new.
const MAX_EMPTY_PAGES: usize = 1_000;

/// What is asked.
struct Question {
    request: FeedRequest,
    range: FeedRange,
    position: Option<Position>,
    start: ChangeFeedStart,
    /// An answer below this LSN is from a replica that lags.
    least: Option<u64>,
    /// How many more of those are believed to be from one, if the position may be wrong.
    doubts: Option<AtomicU32>,
}

/// Answers from before a position of others after which the position is taken to be wrong.
const MAX_DOUBTS: u32 = 3;

/// An answer is from before what is known.
struct Earlier {
    here: u64,
    least: u64,
}

/// What comes after each position, in the order of the ranges. `None` if a partition was split meanwhile.
pub(super) async fn probe(
    watched: &Watched,
    client: &Arc<CosmosClient>,
    partitions: &[PhysicalPartition],
) -> Result<Option<Vec<Piece>>> {
    let key = watched.scope.partition_key.as_deref();
    let request = FeedRequest {
        source: PageSource::Feed(watched.mode),
        page_size: PAGE_SIZE,
        partition_key: key.map(partition_key).transpose()?,
    };
    let slots = Arc::new(Semaphore::new(CONCURRENCY));
    let mut running = JoinSet::new();
    let mut pieces = Vec::new();
    for range in &watched.ranges {
        for (number, part) in parts_of(partitions, &range.range) {
            let partition = &partitions[number];
            let question = Question {
                request: request.clone(),
                position: range.position.clone(),
                start: watched.from,
                least: least_of(range, partition),
                doubts: watched.is_of_others.then(|| AtomicU32::new(MAX_DOUBTS)),
                range: part,
            };
            let piece = Piece {
                range: range.id,
                position: range.position.as_ref().and_then(|position| position.lsn),
                partition: number,
                is_whole: key.is_none()
                    && question.range == partition.range
                    && !(watched.is_of_others && question.position.is_none()),
                unread: Unread::Nothing,
            };
            let (client, slots, at) = (Arc::clone(client), Arc::clone(&slots), pieces.len());
            pieces.push(piece);
            running.spawn(async move {
                let _slot = slots.acquire_owned().await;
                (at, question.ask(&client).await)
            });
        }
    }
    while let Some(ended) = running.join_next().await {
        let (at, unread) = ended?;
        match unread? {
            Some(unread) => pieces[at].unread = unread,
            None => return Ok(None),
        }
    }
    Ok(Some(pieces))
}

/// The LSN that a partition is known to be at.
fn least_of(range: &RangeState, partition: &PhysicalPartition) -> Option<u64> {
    let position = range.position.as_ref().and_then(|position| position.lsn);
    // What was heard of another partition does not compare.
    let end = range
        .end
        .as_ref()
        .filter(|end| end.partition.as_deref() == Some(&partition.id));
    position.max(end.and_then(|end| end.known_lsn.max(end.lsn())))
}

impl Question {
    async fn ask(&self, client: &Arc<CosmosClient>) -> Result<Option<Unread>> {
        const WHAT: &str = "cannot read what comes after a position";
        client
            .persistence()
            .persist(WHAT, || self.ask_once(client))
            .await
    }

    async fn ask_once(&self, client: &Arc<CosmosClient>) -> Result<Option<Unread>> {
        let start = match &self.position {
            Some(position) => CursorStart::Position(position),
            None => CursorStart::Fresh(self.start),
        };
        let mut cursor = client.open(&self.request, &self.range, start).await?;
        for _ in 0..MAX_EMPTY_PAGES {
            if !cursor.admit(&self.request).await {
                cursor = client.open(&self.request, &self.range, start).await?;
                continue;
            }
            let answer = cursor.next().await?;
            if answer.segments.len() > 1 {
                return Ok(None);
            }
            if let Err(earlier) = self.check_recent(&answer) {
                if self.is_beyond_doubt() {
                    let newest = earlier.here;
                    return Ok(Some(Unread::Ahead { newest }));
                }
                let Earlier { here, least } = earlier;
                return Err(anyhow!(
                    "the service answers from LSN {here}, but it has been at {least}: from a replica that lags"
                ));
            }
            if answer.not_modified {
                return Ok(Some(Unread::Nothing));
            }
            if !answer.page.is_empty() {
                return self.unread(client, &answer).await.map(Some);
            }
        }
        bail!("the service sends one page without changes after the other")
    }

    /// Whether so many answers were from before the position that it must be wrong.
    fn is_beyond_doubt(&self) -> bool {
        let doubts = self.doubts.as_ref();
        doubts.is_some_and(|left| left.fetch_sub(1, Ordering::Relaxed) <= 1)
    }

    /// Refuses an answer from before what is known: of a replica that lags, or that has lost writes.
    fn check_recent(&self, answer: &FeedAnswer) -> Result<(), Earlier> {
        let position = self.position.as_ref().and_then(|position| position.lsn);
        let lowest = answer.page.items().filter_map(|item| item.lsn()).min();
        let named = answer.etag().and_then(crate::feed::lsn_of_etag);
        let here = if answer.not_modified {
            named.max(answer.partition_lsn)
        } else {
            lowest
        };
        let least = if answer.not_modified {
            self.least
        } else {
            position
        };
        match (here, least) {
            (Some(here), Some(least)) if here < least => Err(Earlier { here, least }),
            _ => Ok(()),
        }
    }

    async fn unread(&self, client: &Arc<CosmosClient>, answer: &FeedAnswer) -> Result<Unread> {
        let lsns = || answer.page.items().filter_map(|item| item.lsn());
        let (first, last) = (lsns().min(), lsns().max());
        let newest = match answer.partition_lsn {
            Some(newest) if Some(newest) >= last => Some(newest),
            // No session token, or one whose LSNs are others.
            _ => {
                let pinned = client.pin_now(&self.request, &self.range).await?;
                let newest = pinned.parts.iter().filter_map(|(_, at)| at.lsn).max();
                newest.max(last)
            }
        };
        let position = self.position.as_ref().and_then(|position| position.lsn);
        Ok(Unread::Changes {
            // The range begins right before its first change.
            after: position.or(first.map(|first| first.saturating_sub(1))),
            last,
            newest: newest.max(self.least.filter(|_| newest.is_some())),
            changes: answer.page.len() as u64,
            oldest: answer.page.items().filter_map(|item| item.seconds()).min(),
        })
    }
}

//! The feed of a side, from a moment before the side is read: what changes, and until when that is known.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::feed::{BUFFERED_BYTES, CONCURRENCY, EVENTS, PAGE_SIZE};
use super::super::heard::Heard;
use super::super::side::{Place, Side};
use crate::cosmos::cursor::{FeedRequest, PageSource};
use crate::cosmos::retry::RetryLimit;
use crate::feed::page::Page;
use crate::feed::{ChangeFeedStart, FeedMode, FeedRange, RangeId, RangeState, ensure_tiling};
use crate::job::{first_ranges, retention};
use crate::observe::{Event, Observers};
use crate::reader::{AnsweringPartition, Head, ReadEnd, Reader, ReaderEvent, ReaderOptions, Shard};

/// How long to wait before a range that had nothing new is asked again.
pub(super) const POLL_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);

/// A range that is followed.
#[derive(Debug)]
struct Followed {
    bounds: FeedRange,
    /// The last request that showed its head.
    head: Option<Head>,
}

/// The feed of a side.
#[derive(Debug)]
pub(super) struct Feed {
    name: String,
    mode: FeedMode,
    ranges: HashMap<RangeId, Followed>,
    heard: Heard,
    events: mpsc::Receiver<ReaderEvent>,
    /// It ends when its events have no receiver.
    _reader: Reader,
}

impl Feed {
    /// Pins every range of a container to now, and begins to read them from there.
    pub(super) async fn start(
        side: &Side,
        mode: FeedMode,
        stop: CancellationToken,
        observers: &mut Observers<'_>,
    ) -> Result<Self> {
        let Place::Container {
            connected, heard, ..
        } = &side.place
        else {
            return Err(anyhow!("{} has no feed", side.name));
        };
        let request = FeedRequest {
            source: PageSource::Feed(mode),
            page_size: PAGE_SIZE,
            partition_key: None,
        };
        let first = first_ranges(connected, ChangeFeedStart::Now, &request).await;
        let first = first
            .map_err(|error| retention::explain(error, mode))
            .with_context(|| format!("cannot follow {}", side.name))?;
        let options = ReaderOptions {
            concurrency: CONCURRENCY,
            request,
            retry_limit: RetryLimit::Unlimited,
            start: ChangeFeedStart::Now,
            end: ReadEnd::Never,
            poll_interval: POLL_INTERVAL,
            buffered_bytes: BUFFERED_BYTES,
        };
        let sight = heard.follow();
        let mut ranges = HashMap::new();
        let mut shards = Vec::new();
        for range in first.iter() {
            let id = heard.number();
            observers.emit(&Event::Added {
                range: &RangeState {
                    id,
                    ..range.clone()
                },
            });
            let (bounds, position) = (range.range.clone(), range.position.clone());
            let shard = Shard::new(id, bounds.clone(), position, &options);
            shards.push(shard.noted_in(&sight));
            ranges.insert(id, Followed { bounds, head: None });
        }
        let (sender, events) = mpsc::channel(EVENTS);
        let client = Arc::clone(&connected.client);
        Ok(Self {
            name: side.name.clone(),
            mode,
            ranges,
            heard: heard.clone(),
            events,
            _reader: Reader::start(client, shards, options, sender, stop),
        })
    }

    /// The next event.
    pub(super) async fn next(&mut self) -> Result<ReaderEvent> {
        let event = self.events.recv().await;
        event.with_context(|| format!("the feed of {} ended unexpectedly", self.name))
    }

    /// Takes an event, and passes pages on.
    pub(super) fn take(
        &mut self,
        event: ReaderEvent,
        observers: &mut Observers<'_>,
        visit: impl FnOnce(&Page) -> Result<()>,
    ) -> Result<()> {
        match event {
            ReaderEvent::Page {
                range,
                page,
                position,
                highest_lsn,
                partition,
                request_charge,
                permit,
            } => {
                // Both containers may have partitions of one id.
                let of_side = AnsweringPartition {
                    id: partition
                        .id
                        .as_ref()
                        .map(|id| format!("{}/{id}", self.name)),
                    lsn: partition.lsn,
                };
                observers.emit(&Event::Page {
                    range,
                    page: &page,
                    lsn: position.lsn,
                    highest_lsn,
                    partition: &of_side,
                    request_charge,
                });
                visit(&page).with_context(|| format!("cannot compare {}", self.name))?;
                drop(permit);
            }
            ReaderEvent::Charged {
                request_charge,
                head,
            } => {
                observers.emit(&Event::Charged { request_charge });
                // A replica that lags behind what others have said does not know the head.
                if let Some(head) = head
                    && !head.is_behind
                    && let Some(range) = self.ranges.get_mut(&head.range)
                {
                    range.head = Some(head);
                }
            }
            ReaderEvent::Replaced {
                parent,
                children,
                reply,
            } => {
                let replaced = self.ranges.remove(&parent);
                let replaced =
                    replaced.with_context(|| format!("a split of the unknown range {parent}"))?;
                ensure_tiling(&replaced.bounds, children.iter().map(|(range, _)| range))
                    .with_context(|| format!("the children of range {parent} do not cover it"))?;
                let placed: Vec<RangeState> = children
                    .into_iter()
                    .map(|(range, position)| RangeState {
                        id: self.heard.number(),
                        range,
                        snapshot: false,
                        parents: vec![parent],
                        position,
                        end: None,
                    })
                    .collect();
                for child in &placed {
                    let bounds = child.range.clone();
                    self.ranges
                        .insert(child.id, Followed { bounds, head: None });
                }
                observers.emit(&Event::Split {
                    parent,
                    children: &placed,
                });
                reply
                    .send(placed.iter().map(|child| child.id).collect())
                    .ok();
            }
            ReaderEvent::Failed { range, error } => {
                let error = retention::explain(error, self.mode);
                observers.emit(&Event::Failed {
                    range,
                    error: &error,
                });
                return Err(error.context(format!("cannot follow {}", self.name)));
            }
            ReaderEvent::CaughtUp { range } => observers.emit(&Event::CaughtUp { range }),
            ReaderEvent::Retrying { range, notice } => observers.emit(&Event::Retrying {
                range,
                notice: &notice,
            }),
            ReaderEvent::Recovered { range } => observers.emit(&Event::Recovered { range }),
            // What is followed has no end.
            ReaderEvent::Pinned { .. } | ReaderEvent::Finished { .. } => {}
        }
        Ok(())
    }

    /// It is not read any further.
    pub(super) fn end(&self) {
        self.heard.end();
    }

    /// The oldest of the requests that last showed the head of each range: everything before it is known. None before
    /// every range has one.
    pub(super) fn head(&self) -> Option<&Head> {
        let mut heads = self.ranges.values().map(|range| range.head.as_ref());
        let first = heads.next()??;
        heads.try_fold(first, |oldest, head| {
            let head = head?;
            Some(if head.asked < oldest.asked {
                head
            } else {
                oldest
            })
        })
    }
}

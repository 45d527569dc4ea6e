//! Another container's feed as the source: read in parallel by the reader that exports have, handed
//! over as one stream in which the changes of each partition key are in their order.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::address::describe;
use super::feed::{Delivery, Taken, WAITING};
use super::feed_state::{FeedState, FeedStep};
use super::interpreter::Interpreter;
use super::position::{InputPosition, Step};
use super::writer::Writer;
use crate::cosmos::cursor::FeedRequest;
use crate::feed::page::Page;
use crate::feed::{FeedMode, PinnedEnd, Position, RangeId, ReadUntil};
use crate::job::{Connected, first_ranges};
use crate::reader::{ReadEnd, Reader, ReaderEvent, ReaderOptions, Shard};
use crate::settings::FeedPlan;
use crate::source::Mark;

/// Ranges that are read at the same time: the writes are what takes the time.
const CONCURRENCY: usize = 8;
/// Bytes of pages that may wait.
const BUFFERED_BYTES: u32 = 8 << 20;
/// Items asked for in one page.
const PAGE_SIZE: NonZeroU32 = NonZeroU32::new(1000).unwrap();
/// The same with a budget: a page is charged as a whole.
const PAGE_SIZE_WITH_BUDGET: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// How long a range that has nothing new is left alone.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A feed that is to be read from the start. If that is now, it is pinned: nothing that comes is
/// missed.
pub(super) async fn first_state(connected: &Connected, plan: &FeedPlan) -> Result<FeedState> {
    let request = request(plan.mode, PAGE_SIZE);
    let ranges = first_ranges(connected, plan.from, &request).await?;
    Ok(FeedState {
        source: connected.source.clone(),
        mode: plan.mode,
        from: plan.from,
        ranges,
    })
}

fn request(mode: FeedMode, page_size: NonZeroU32) -> FeedRequest {
    FeedRequest {
        mode,
        page_size,
        partition_key: None,
    }
}

/// What is read.
pub(super) struct Begin {
    pub(super) connected: Connected,
    /// Where it stands.
    pub(super) from: FeedState,
    /// How many changes of it come before.
    pub(super) line: u64,
    /// The most changes beyond the saved position. A page has no more: a range moves with the whole of it.
    pub(super) window: u64,
    /// Whether it goes on after it has reached the head.
    pub(super) follow: bool,
}

/// Starts to read a feed. It ends by itself if it is not to be followed; at a stop of the `writer`;
/// and when nobody receives any more.
pub(super) fn read(
    begin: Begin,
    interpreter: Interpreter,
    writer: Arc<Writer>,
) -> mpsc::Receiver<Result<Delivery>> {
    let Begin {
        connected,
        from,
        line,
        window,
        follow,
    } = begin;
    let has_budget = writer.budget.is_some();
    let page_size = match has_budget {
        true => PAGE_SIZE_WITH_BUDGET,
        false => PAGE_SIZE,
    };
    let window = NonZeroU32::try_from(u32::try_from(window).unwrap_or(u32::MAX));
    let options = ReaderOptions {
        // What is charged has to be paid before more is read.
        concurrency: if has_budget { 1 } else { CONCURRENCY },
        request: request(
            from.mode,
            window.map_or(page_size, |window| window.min(page_size)),
        ),
        retry_limit: writer.retry_limit,
        start: from.from,
        end: match follow {
            true => ReadEnd::Never,
            false => ReadEnd::Caught(match from.mode {
                // Of a document there is only one version, which may move beyond the pin.
                FeedMode::LatestVersion => ReadUntil::Head,
                FeedMode::AllVersionsAndDeletes => ReadUntil::Pin,
            }),
        },
        poll_interval: POLL_INTERVAL,
        buffered_bytes: if has_budget { 1 } else { BUFFERED_BYTES },
    };
    let (sender, receiver) = mpsc::channel(WAITING);
    let stream = Stream {
        behind: from.ranges.iter().map(|range| range.id).collect(),
        ahead: from,
        line,
        interpreter,
        writer,
        sender: sender.clone(),
    };
    tokio::spawn(async move {
        if let Err(error) = stream.run(connected, options).await {
            // A receiver that has gone wants to know nothing.
            sender.send(Err(error)).await.ok();
        }
    });
    receiver
}

/// Turns what the reader has to say into a stream of changes.
struct Stream {
    /// How far it was read, which is further than it was replayed; and where ranges were pinned, with the
    /// highest LSNs of their partitions that were heard of.
    ahead: FeedState,
    /// Ranges that had more when they were last asked.
    behind: HashSet<RangeId>,
    /// How many changes were read, by all runs.
    line: u64,
    interpreter: Interpreter,
    writer: Arc<Writer>,
    sender: mpsc::Sender<Result<Delivery>>,
}

/// Nobody receives any more.
struct Gone;

impl Stream {
    async fn run(mut self, connected: Connected, options: ReaderOptions) -> Result<()> {
        let (sender, mut events) = mpsc::channel(WAITING);
        let shards = self.ahead.ranges.iter().map(|range| {
            let (bounds, position) = (range.range.clone(), range.position.clone());
            Shard::new(range.id, bounds, position, &options).heard_before(range.end.clone())
        });
        let shards = shards.collect();
        let stop = self.writer.stop.child_token();
        let reader = Reader::start(connected.client, shards, options, sender, stop.clone());
        while let Some(event) = events.recv().await {
            if let Err(Gone) = self.take(event).await? {
                break;
            }
        }
        stop.cancel();
        drop(events);
        reader.join().await
    }

    async fn take(&mut self, event: ReaderEvent) -> Result<Result<(), Gone>> {
        match event {
            ReaderEvent::Page {
                range,
                page,
                position,
                request_charge,
                highest_lsn,
                permit,
            } => {
                if let Some(lsn) = highest_lsn {
                    self.ahead.ranges.hear(range, lsn);
                }
                self.writer.read_was_charged(request_charge).await;
                let handed_over = self.hand_over(range, &page, position).await;
                drop(permit);
                return handed_over;
            }
            ReaderEvent::Replaced {
                parent,
                children,
                reply,
            } => {
                let placed = self.ahead.ranges.split(parent, children.clone())?;
                let numbers: Vec<RangeId> = placed.iter().map(|child| child.id).collect();
                self.behind.remove(&parent);
                self.behind.extend(&numbers);
                // All of the parent was handed over before, so nothing of a child overtakes it.
                let passed = Delivery::Passed(self.step(FeedStep::Split(parent, children)));
                if let Err(Gone) = self.send(passed).await {
                    return Ok(Err(Gone));
                }
                // The reader is gone when it was stopped.
                reply.send(numbers).ok();
            }
            ReaderEvent::CaughtUp { range } | ReaderEvent::Finished { range, .. } => {
                if self.behind.remove(&range) && self.behind.is_empty() {
                    return Ok(self.send(Delivery::CaughtUp).await);
                }
            }
            ReaderEvent::Failed { range, error } => {
                let source = describe(&self.ahead.source);
                return Err(error.context(format!("range {range} of {source} cannot be read")));
            }
            ReaderEvent::Charged { request_charge } => {
                self.writer.read_was_charged(request_charge).await;
            }
            ReaderEvent::Retrying { .. } => self.writer.meter.retried(),
            ReaderEvent::Pinned { range, mut end, .. } => {
                if let Some(known) = self.end_of(range).and_then(|end| end.known_lsn) {
                    end.hear(known);
                }
                self.ahead.ranges.set_end(range, end);
            }
            ReaderEvent::Recovered { .. } => {}
        }
        Ok(Ok(()))
    }

    fn end_of(&self, range: RangeId) -> Option<&PinnedEnd> {
        self.ahead.ranges.find(range)?.end.as_ref()
    }

    /// Hands over the changes of a page. The range has moved with the last of them.
    async fn hand_over(
        &mut self,
        range: RangeId,
        page: &Page,
        position: Position,
    ) -> Result<Result<(), Gone>> {
        self.ahead.ranges.advance(range, position.clone())?;
        let end = self.end_of(range).cloned();
        let mut moved = Some(FeedStep::Moved(range, position, end));
        let last = page.len().saturating_sub(1);
        for (index, item) in page.items().enumerate() {
            self.behind.insert(range);
            self.line += 1;
            let mut after = self.place();
            if index == last {
                after.feed = moved.take();
            }
            let taken = Taken {
                json: Bytes::copy_from_slice(item.json()),
                meaning: self.interpreter.interpret_item(item),
                after,
            };
            if let Err(Gone) = self.send(Delivery::Record(taken)).await {
                return Ok(Err(Gone));
            }
        }
        Ok(match moved {
            Some(moved) => self.send(Delivery::Passed(self.step(moved))).await,
            None => Ok(()),
        })
    }

    fn place(&self) -> Step {
        let mark = Mark {
            offset: 0,
            line: self.line,
        };
        Step {
            position: InputPosition { input: 0, mark },
            feed: None,
        }
    }

    fn step(&self, feed: FeedStep) -> Step {
        Step {
            feed: Some(feed),
            ..self.place()
        }
    }

    async fn send(&self, delivery: Delivery) -> Result<(), Gone> {
        self.sender.send(Ok(delivery)).await.map_err(|_| Gone)
    }
}

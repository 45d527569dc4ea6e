//! Another container's feed as the source: the reader of exports reads its ranges in parallel, and they
//! are merged into one stream that keeps the order of each partition key.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::mpsc;

use super::address::describe;
use super::delivery::{Delivery, Taken, WAITING};
use super::events::ReplayEvent;
use super::feed_state::{FeedShare, FeedState, FeedStep};
use super::interpreter::Interpreter;
use super::item_sender::ItemSender;
use super::original::Original;
use super::position::{InputPosition, Step};
use super::together::Together;
use crate::cosmos::cursor::{FeedRequest, PageSource};
use crate::feed::page::Page;
use crate::feed::{FeedMode, PinnedEnd, Position, RangeId, RangeSet, RangeState};
use crate::job::{Connected, Share, first_ranges, retention};
use crate::observe::{Event, Observers};
use crate::reader::{ReadEnd, Reader, ReaderEvent, ReaderOptions, Shard};
use crate::settings::{FeedPlan, ReplayedShare};
use crate::source::Mark;

/// Items per page.
const PAGE_SIZE: NonZeroU32 = NonZeroU32::new(1000).unwrap();
/// Items per page with a budget: a page is charged as a whole.
const PAGE_SIZE_WITH_BUDGET: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// How long to wait before a range that had nothing new is asked again.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The state of a feed that is read from `plan.from`. If that is now, every range is pinned, so that no
/// later change is missed.
pub(super) async fn first_state(connected: &Connected, plan: &FeedPlan) -> Result<FeedState> {
    let request = request(plan.mode, PAGE_SIZE);
    let ranges = first_ranges(connected, plan.from, &request).await;
    let mut ranges = ranges.map_err(|error| retention::explain(error, plan.mode))?;
    if plan.snapshot {
        ranges = RangeSet::with_snapshot(ranges)?;
    }
    Ok(FeedState {
        source: connected.source.clone(),
        mode: plan.mode,
        from: plan.from,
        share: None,
        ranges,
    })
}

/// The state of a share of a plan, whose ranges start and end where the plan says.
pub(super) async fn state_of_share(
    connected: &Connected,
    plan: &FeedPlan,
    share: &ReplayedShare,
) -> Result<FeedState> {
    let request = request(plan.mode, PAGE_SIZE);
    let planned = Share::of(&share.file, share.shard)?;
    planned.ensure_same(connected)?;
    Ok(FeedState {
        source: connected.source.clone(),
        mode: plan.mode,
        from: plan.from,
        share: Some(FeedShare {
            shard: share.shard,
            until: share.until(),
            scope: planned.scope(),
        }),
        ranges: planned.ranges(connected, &request).await?,
    })
}

fn request(mode: FeedMode, page_size: NonZeroU32) -> FeedRequest {
    FeedRequest {
        source: PageSource::Feed(mode),
        page_size,
        partition_key: None,
    }
}

/// Which feed is read, and how.
pub(super) struct FeedReading {
    pub(super) connected: Connected,
    /// Who reports what happens to its ranges.
    pub(super) observers: Observers<'static>,
    /// How far it has been replayed.
    pub(super) from: FeedState,
    /// How many of its changes come before that.
    pub(super) line: u64,
    /// The largest number of changes beyond the committed position. A page has no more than that, since a
    /// range moves by whole pages.
    pub(super) window: u64,
    /// Whether to continue after the head is reached.
    pub(super) follow: bool,
    /// How much is read ahead.
    pub(super) together: Together,
}

/// Starts to read a feed. It ends at the head if it does not follow, when `target` is stopped, and when the
/// receiver is dropped.
pub(super) fn read(
    reading: FeedReading,
    interpreter: Interpreter,
    target: Arc<ItemSender>,
) -> mpsc::Receiver<Result<Delivery>> {
    let FeedReading {
        connected,
        observers,
        from,
        line,
        window,
        follow,
        together,
    } = reading;
    let has_budget = target.budget.is_some();
    let page_size = if has_budget {
        PAGE_SIZE_WITH_BUDGET
    } else {
        PAGE_SIZE
    };
    let window = NonZeroU32::try_from(u32::try_from(window).unwrap_or(u32::MAX));
    let end = match &from.share {
        _ if follow => ReadEnd::Never,
        Some(share) => ReadEnd::Caught(share.until),
        // Of the latest versions, a document has one, which may move beyond the pin.
        None => ReadEnd::Caught(from.mode.read_until()),
    };
    let options = ReaderOptions {
        // The budget must have paid for a page before the next one is read.
        concurrency: if has_budget { 1 } else { together.ranges },
        request: request(
            from.mode,
            window.map_or(page_size, |window| window.min(page_size)),
        ),
        retry_limit: target.retry_limit,
        start: from.from,
        end,
        poll_interval: POLL_INTERVAL,
        buffered_bytes: if has_budget {
            1
        } else {
            together.buffered_bytes
        },
    };
    let (deliveries, receiver) = mpsc::channel(WAITING);
    let stream = FeedStream {
        behind: to_read(&from).map(|range| range.id).collect(),
        ahead: from,
        line,
        interpreter,
        target,
        observers,
        deliveries: deliveries.clone(),
    };
    tokio::spawn(async move {
        if let Err(error) = stream.run(connected, options).await {
            // If the receiver was dropped, nobody needs the error.
            deliveries.send(Err(error)).await.ok();
        }
    });
    receiver
}

/// The ranges that are to be read: those of a snapshot and of a plan once.
fn to_read(feed: &FeedState) -> impl Iterator<Item = &RangeState> {
    feed.ranges.iter().filter(|range| !feed.is_done(range))
}

/// Turns the events of the reader into a stream of changes.
struct FeedStream {
    /// How far the feed has been read, which is further than it has been replayed, and where its ranges
    /// were pinned, with the highest known LSNs of their partitions.
    ahead: FeedState,
    /// Ranges that had more at their last answer.
    behind: HashSet<RangeId>,
    /// How many changes all runs have read.
    line: u64,
    interpreter: Interpreter,
    target: Arc<ItemSender>,
    observers: Observers<'static>,
    deliveries: mpsc::Sender<Result<Delivery>>,
}

/// The receiver was dropped.
struct Gone;

impl FeedStream {
    async fn run(mut self, connected: Connected, options: ReaderOptions) -> Result<()> {
        let (sender, mut events) = mpsc::channel(WAITING);
        for range in to_read(&self.ahead) {
            self.observers.emit(&Event::Added { range });
        }
        let is_planned = self.ahead.share.is_some();
        let shards = to_read(&self.ahead).map(|range| {
            let (bounds, position) = (range.range.clone(), range.position.clone());
            let shard = Shard::new(range.id, bounds, position, &options);
            let shard = if range.snapshot {
                shard.of_snapshot()
            } else {
                shard
            };
            match is_planned {
                true => shard.pinned_before(range.end.clone()),
                false => shard.heard_before(range.end.clone()),
            }
        });
        let shards = shards.collect();
        let stop = self.target.stop.child_token();
        let seen = self.ahead.ranges.snapshot_ends();
        let reader = Reader::start_after(
            connected.client,
            shards,
            seen,
            options,
            sender,
            stop.clone(),
        );
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
                partition,
                permit,
            } => {
                self.observers.emit(&Event::Page {
                    range,
                    page: &page,
                    lsn: position.lsn,
                    highest_lsn,
                    partition: &partition,
                    request_charge,
                });
                if let Some(lsn) = highest_lsn {
                    self.ahead.ranges.hear(range, lsn);
                }
                self.target.read_was_charged(request_charge).await;
                let delivered = self.deliver_page(range, &page, position).await;
                drop(permit);
                return delivered;
            }
            ReaderEvent::Replaced {
                parent,
                children,
                reply,
            } => {
                let placed = self.ahead.split(parent, children.clone())?;
                self.observers.emit(&Event::Split {
                    parent,
                    children: &placed,
                });
                let numbers: Vec<RangeId> = placed.iter().map(|child| child.id).collect();
                self.behind.remove(&parent);
                self.behind.extend(&numbers);
                // Every change of the parent was delivered before, so no change of a child overtakes it.
                let passed = Delivery::Passed(self.step(FeedStep::Split(parent, children)));
                if let Err(Gone) = self.deliver(passed).await {
                    return Ok(Err(Gone));
                }
                // After a stop the reader is gone.
                reply.send(numbers).ok();
            }
            ReaderEvent::CaughtUp { range } => {
                self.observers.emit(&Event::CaughtUp { range });
                return Ok(self.caught_up(range).await);
            }
            ReaderEvent::Finished { range, end } => {
                self.observers.emit(&Event::Finished { range });
                if let Err(Gone) = self.end_of_range(range, end).await {
                    return Ok(Err(Gone));
                }
                return Ok(self.caught_up(range).await);
            }
            ReaderEvent::Failed { range, error } => {
                self.observers.emit(&Event::Failed {
                    range,
                    error: &error,
                });
                let source = describe(&self.ahead.source);
                return Err(error.context(format!("cannot read range {range} of {source}")));
            }
            ReaderEvent::Charged { request_charge, .. } => {
                self.target.read_was_charged(request_charge).await;
            }
            ReaderEvent::Retrying { range, notice } => {
                self.observers.emit(&Event::Retrying {
                    range,
                    notice: &notice,
                });
                self.target.observer.observe(&ReplayEvent::Retried);
            }
            ReaderEvent::Pinned {
                range,
                position_lsn,
                mut end,
            } => {
                self.observers.emit(&Event::Pinned {
                    range,
                    position_lsn,
                    end: &end,
                });
                if let Some(known) = self.end_of(range).and_then(|end| end.known_lsn) {
                    end.hear(known);
                }
                self.ahead.ranges.set_end(range, end);
            }
            ReaderEvent::Recovered { range } => {
                self.observers.emit(&Event::Recovered { range });
            }
        }
        Ok(Ok(()))
    }

    /// Records the end of a range of a snapshot or of a plan, which is not read again. With the last one of a snapshot, what
    /// came meanwhile is to be caught up with.
    async fn end_of_range(&mut self, range: RangeId, end: Option<PinnedEnd>) -> Result<(), Gone> {
        let is_planned = self.ahead.share.is_some();
        let ranges = &mut self.ahead.ranges;
        let is_of_snapshot = ranges.find(range).is_some_and(|range| range.snapshot);
        let Some(end) = end.filter(|_| is_of_snapshot || is_planned) else {
            return Ok(());
        };
        ranges.set_end(range, end.clone());
        if is_of_snapshot && !ranges.is_snapshot_open() {
            self.behind.extend(ranges.changes().map(|range| range.id));
        }
        let passed = Delivery::Passed(self.step(FeedStep::Ended(range, end)));
        self.deliver(passed).await
    }

    /// Nothing is new in a range. Once that holds for all of them, it is delivered.
    async fn caught_up(&mut self, range: RangeId) -> Result<(), Gone> {
        if self.behind.remove(&range) && self.behind.is_empty() {
            return self.deliver(Delivery::CaughtUp).await;
        }
        Ok(())
    }

    fn end_of(&self, range: RangeId) -> Option<&PinnedEnd> {
        self.ahead.ranges.find(range)?.end.as_ref()
    }

    /// Delivers the changes of a page. The range moves with the last of them.
    async fn deliver_page(
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
                original: Original::of_item(item),
                meaning: self.interpreter.interpret_item(item),
                after,
                tenure: None,
            };
            if let Err(Gone) = self.deliver(Delivery::Record(taken)).await {
                return Ok(Err(Gone));
            }
        }
        Ok(match moved {
            Some(moved) => self.deliver(Delivery::Passed(self.step(moved))).await,
            None => Ok(()),
        })
    }

    fn place(&self) -> Step {
        let mark = Mark {
            line: self.line,
            ..Mark::default()
        };
        Step {
            position: InputPosition { input: 0, mark },
            feed: None,
            bytes: 0,
        }
    }

    fn step(&self, feed: FeedStep) -> Step {
        Step {
            feed: Some(feed),
            ..self.place()
        }
    }

    async fn deliver(&self, delivery: Delivery) -> Result<(), Gone> {
        self.deliveries.send(Ok(delivery)).await.map_err(|_| Gone)
    }
}

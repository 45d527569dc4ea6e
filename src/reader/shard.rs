//! One range being read: from its position to where it is finished, split, or failed.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use time::OffsetDateTime;
use tokio::sync::oneshot;

use super::retry::{Decision, Retries};
use super::scheduler::Shared;
use super::{ReadEnd, ReaderEvent, ReaderOptions};
use crate::clock;
use crate::cosmos::feed::{Cursor, CursorStart, FeedRequest, RawPage, segments};
use crate::failpoint;
use crate::feed::page::Page;
use crate::feed::{FeedRange, Position, RangeId};

/// A range to be read.
pub struct Shard {
    id: RangeId,
    range: FeedRange,
    position: Option<Position>,
    request: FeedRequest,
    cursor: Option<Cursor>,
    target: Option<Target>,
    retries: Retries,
    /// Polls without anything new since the last page.
    idle_polls: u32,
    /// Pages with documents that were read.
    pages: u32,
    /// The hash of the first item of the last page that was handed over: wide enough that no two of
    /// the pages of a container are taken for one.
    last_opening: Option<u64>,
}

/// Polls after the last page that come sooner than the poll interval: each after half the pause of
/// the next.
const FASTER_POLLS: u32 = 4;

/// How long after its time an end is waited for: clocks differ, and a change has whole seconds.
const LATE_CHANGES: time::Duration = time::Duration::seconds(2);

/// Where the range stood when its reading began: there it ends.
#[derive(Debug)]
struct Target {
    etag: String,
    lsn: Option<u64>,
    partition_key_range_id: Option<String>,
}

/// How a turn of a shard ended.
pub(super) enum Outcome {
    /// It is finished, failed or stopped.
    Ended,
    /// It has more, but others wait.
    Yielded(Box<Shard>),
    /// It has nothing new.
    Idle(Box<Shard>),
    /// It was split into these.
    Replaced(Vec<Shard>),
}

/// What became of one page.
enum Step {
    /// There may be more.
    More,
    /// There is nothing new.
    CaughtUp,
    /// The target was reached.
    Reached,
    /// The range was split.
    Split(Vec<(FeedRange, Option<Position>)>),
}

impl Shard {
    /// A range that stands at `position`, or has not been read yet.
    pub fn new(
        id: RangeId,
        range: FeedRange,
        position: Option<Position>,
        options: &ReaderOptions,
    ) -> Self {
        Self {
            id,
            range,
            position,
            request: options.request.clone(),
            cursor: None,
            target: None,
            retries: Retries::new(options.max_retries),
            idle_polls: 0,
            pages: 0,
            last_opening: None,
        }
    }

    /// How long it is left alone now that it has nothing new: the longer the quieter it has been.
    pub(super) fn pause(&self, longest: Duration) -> Duration {
        longest / (1 << FASTER_POLLS.saturating_sub(self.idle_polls))
    }
}

/// Gives a shard its turn.
pub(super) async fn run(shared: Arc<Shared>, shard: Shard) -> Outcome {
    let stop = shared.stop.clone();
    let mut turn = Turn {
        shared,
        shard: Box::new(shard),
    };
    loop {
        // A page that is being fetched is let go: the position has not moved, so nothing is lost.
        let step = tokio::select! {
            biased;
            () = stop.cancelled() => return Outcome::Ended,
            step = turn.step() => step,
        };
        let decision = match step {
            Ok(Step::More) => {
                turn.shard.idle_polls = 0;
                if turn.may_never_end() && turn.shared.is_awaited() {
                    return Outcome::Yielded(turn.shard);
                }
                continue;
            }
            Ok(Step::CaughtUp) if !turn.is_over() => {
                if turn.shard.idle_polls == 0 {
                    let range = turn.shard.id;
                    send(&turn.shared, ReaderEvent::CaughtUp { range }).await;
                }
                turn.shard.idle_polls = turn.shard.idle_polls.saturating_add(1);
                return Outcome::Idle(turn.shard);
            }
            Ok(Step::CaughtUp | Step::Reached) => {
                let range = turn.shard.id;
                send(&turn.shared, ReaderEvent::Finished { range }).await;
                return Outcome::Ended;
            }
            Ok(Step::Split(children)) => return turn.replace(children).await,
            Err(error) => turn.shard.retries.decide(error),
        };
        // Whatever the cursor thinks, the position is where the last good page ended.
        turn.shard.cursor = None;
        let range = turn.shard.id;
        match decision {
            Decision::Retry(notice) => {
                let pause = notice.pause;
                send(&turn.shared, ReaderEvent::Retrying { range, notice }).await;
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return Outcome::Ended,
                    () = tokio::time::sleep(pause) => {}
                }
            }
            Decision::ShrinkPage(_) if turn.shard.request.page_size > NonZeroU32::MIN => {
                let half = turn.shard.request.page_size.get() / 2;
                turn.shard.request.page_size = NonZeroU32::new(half).unwrap_or(NonZeroU32::MIN);
            }
            Decision::ShrinkPage(error) => {
                let error = error.context("a page of a single item is too large");
                send(&turn.shared, ReaderEvent::Failed { range, error }).await;
                return Outcome::Ended;
            }
            Decision::GiveUp(error) => {
                send(&turn.shared, ReaderEvent::Failed { range, error }).await;
                return Outcome::Ended;
            }
        }
    }
}

async fn send(shared: &Shared, event: ReaderEvent) {
    // The consumer is gone only when the job is being torn down.
    shared.events.send(event).await.ok();
}

struct Turn {
    shared: Arc<Shared>,
    shard: Box<Shard>,
}

impl Turn {
    /// Whether it makes room for others after a page, since they could wait for ever.
    fn may_never_end(&self) -> bool {
        match self.shared.options.end {
            ReadEnd::CaughtUp | ReadEnd::Pages(_) => false,
            ReadEnd::Time(_) | ReadEnd::Never => true,
        }
    }

    /// Whether a range that has nothing new is at its end.
    fn is_over(&self) -> bool {
        match self.shared.options.end {
            ReadEnd::CaughtUp | ReadEnd::Pages(_) => true,
            ReadEnd::Time(end) => clock::now() > end + LATE_CHANGES,
            ReadEnd::Never => failpoint::is_planted("defect.nothing-new-is-the-end"),
        }
    }

    /// Fetches a page and hands it over.
    async fn step(&mut self) -> Result<Step> {
        if self.shard.target.is_none()
            && self.shared.options.end == ReadEnd::CaughtUp
            && let Some(step) = self.pin().await?
        {
            return Ok(step);
        }
        let raw = self.fetch().await?;
        let request_charge = raw.request_charge;
        match self.take(raw).await {
            Ok((step, true)) => Ok(step),
            // Whatever came of it, it was charged.
            not_handed_over => {
                send(&self.shared, ReaderEvent::Charged { request_charge }).await;
                Ok(not_handed_over?.0)
            }
        }
    }

    /// Takes a page that came. Also says whether it was handed over.
    async fn take(&mut self, raw: RawPage) -> Result<(Step, bool)> {
        // Only "nothing new" may come without a body: otherwise documents lie behind its ETag that
        // were never seen.
        ensure!(
            raw.not_modified || !raw.body.is_empty(),
            "the service sent a page without a body"
        );
        let page =
            Page::parse(raw.body.clone()).context("the service sent a page that cannot be used")?;
        let opening = page.items().next().map(|item| hash_of(item.json()));
        // The first ETag has none before it that it could be compared with, and an ETag can go back.
        ensure!(
            opening.is_none() || opening != self.shard.last_opening,
            "the service sent documents again that came with the page before: its ETag did not move"
        );
        let (step, position) = self.judge(&raw, &page)?;
        self.shard.pages += u32::from(!page.is_empty());
        let step = match (step, self.shared.options.end, last_change(&page)) {
            (Step::More, ReadEnd::Time(end), Some(time)) if time > end => Step::Reached,
            (Step::More, ReadEnd::Pages(most), _) if self.shard.pages >= most => Step::Reached,
            (step, ..) => step,
        };
        let is_news = position.is_some();
        if let Some(position) = position {
            self.hand_over(page, position, &raw).await?;
            self.shard.last_opening = opening.or(self.shard.last_opening);
        }
        if self.shard.retries.reset() {
            let range = self.shard.id;
            send(&self.shared, ReaderEvent::Recovered { range }).await;
        }
        Ok((step, is_news))
    }

    /// Finds out where the range stands now, so that the reading has an end.
    async fn pin(&mut self) -> Result<Option<Step>> {
        let shard = &mut self.shard;
        let pinned = self
            .shared
            .client
            .pin_now(&shard.request, &shard.range)
            .await?;
        let request_charge = pinned.request_charge;
        send(&self.shared, ReaderEvent::Charged { request_charge }).await;
        let [(range, now)] = &pinned.parts[..] else {
            // The range was split before; each part gets its own end.
            let mut children = Vec::new();
            for (range, _) in pinned.parts {
                let position = match &shard.position {
                    Some(position) => {
                        self.shared
                            .client
                            .cut(&shard.request, position, &range)
                            .await?
                    }
                    None => None,
                };
                children.push((range, position));
            }
            return Ok(Some(Step::Split(children)));
        };
        ensure!(
            *range == shard.range,
            "the service pinned {range} instead of {}",
            shard.range
        );
        let etag = etag_of(&now.token, range)?.context("the service pinned no ETag")?;
        let event = ReaderEvent::Pinned {
            range: shard.id,
            position_lsn: shard.position.as_ref().and_then(|position| position.lsn),
            target_lsn: now.lsn,
        };
        let target = Target {
            etag,
            lsn: now.lsn,
            partition_key_range_id: pinned.partition_key_range_id,
        };
        let here = match &shard.position {
            Some(position) => etag_of(&position.token, &shard.range)?,
            None => None,
        };
        let is_there = here.is_some_and(|here| here == target.etag);
        shard.target = Some(target);
        send(&self.shared, event).await;
        Ok(is_there.then_some(Step::Reached))
    }

    async fn fetch(&mut self) -> Result<RawPage> {
        let shard = &mut *self.shard;
        let cursor = match &mut shard.cursor {
            Some(cursor) => cursor,
            none => {
                let start = match &shard.position {
                    Some(position) => CursorStart::Position(position),
                    None => CursorStart::Fresh(self.shared.options.start),
                };
                none.insert(
                    self.shared
                        .client
                        .open(&shard.request, &shard.range, start)
                        .await?,
                )
            }
        };
        cursor.next().await
    }

    /// Decides what a page means, and where the range stands after it; nowhere new if nothing was
    /// said.
    fn judge(&mut self, raw: &RawPage, page: &Page) -> Result<(Step, Option<Position>)> {
        let shard = &mut *self.shard;
        let moved = match &shard.position {
            Some(position) if position.token == raw.token => false,
            // A split changes the token, whether or not its page came with an ETag: the parts then
            // stand where the range stood, and would be read from there again.
            Some(position) if raw.segments.len() > 1 => {
                let before = etag_of(&position.token, &shard.range)?;
                let mut parts = raw.segments.iter();
                page.is_empty() || parts.any(|part| part.etag.is_some() && part.etag != before)
            }
            _ => true,
        };
        if !page.is_empty() && !moved {
            bail!("the service sent {} documents but no new ETag", page.len());
        }
        let position = match (moved, page.len()) {
            (false, _) => None,
            (true, 0) => raw.position().ok(),
            (true, _) => Some(raw.position()?),
        };
        if raw.segments.len() > 1 {
            // Each part stands where the token says, and is read on its own from there.
            let children = raw.segments.iter().map(|part| {
                let position = part.etag.as_ref().map(|_| Position {
                    token: raw.token.clone(),
                    lsn: None,
                });
                (part.range.clone(), position)
            });
            return Ok((Step::Split(children.collect()), position));
        }
        if raw.not_modified {
            return Ok((Step::CaughtUp, position));
        }
        if let (Some(target), Some(position)) = (&shard.target, &position) {
            if target.partition_key_range_id != raw.partition_key_range_id {
                // A merge: what the target says may no longer compare. It is pinned again.
                shard.target = None;
            } else if target.is_reached(
                raw.segments.first().and_then(|part| part.etag.as_deref()),
                position,
            ) {
                return Ok((Step::Reached, Some(position.clone())));
            }
        }
        Ok((Step::More, position))
    }

    /// Waits until there is memory for the page, then hands it to the consumer.
    async fn hand_over(&mut self, page: Page, position: Position, raw: &RawPage) -> Result<()> {
        let permit = match u32::try_from(page.body_len()).unwrap_or(u32::MAX) {
            0 => None,
            // A page that is larger than all there is takes all there is.
            bytes => {
                let bytes = bytes.min(self.shared.options.buffered_bytes);
                Some(
                    Arc::clone(&self.shared.memory)
                        .acquire_many_owned(bytes)
                        .await?,
                )
            }
        };
        let event = ReaderEvent::Page {
            range: self.shard.id,
            page,
            position: position.clone(),
            request_charge: raw.request_charge,
            permit,
        };
        // The position may move only together with the page: no await lies between the two that
        // a stop could cut short.
        let slot = self
            .shared
            .events
            .reserve()
            .await
            .context("nobody takes the pages any more")?;
        slot.send(event);
        self.shard.position = Some(position);
        Ok(())
    }

    /// Reports a split and waits until it is committed: children are read only from then on.
    async fn replace(self, children: Vec<(FeedRange, Option<Position>)>) -> Outcome {
        let mut cut = Vec::with_capacity(children.len());
        for (range, position) in children {
            let position = match &position {
                Some(position) => match self
                    .shared
                    .client
                    .cut(&self.shard.request, position, &range)
                    .await
                {
                    Ok(position) => position,
                    Err(error) => {
                        let range = self.shard.id;
                        let error =
                            error.context("cannot cut the position of a range that was split");
                        send(&self.shared, ReaderEvent::Failed { range, error }).await;
                        return Outcome::Ended;
                    }
                },
                None => None,
            };
            cut.push((range, position));
        }
        if failpoint::is_planted("defect.one-token-for-all-children") {
            let first = cut.first().and_then(|(_, position)| position.clone());
            for (_, position) in &mut cut {
                position.clone_from(&first);
            }
        }
        let (reply, numbers) = oneshot::channel();
        send(
            &self.shared,
            ReaderEvent::Replaced {
                parent: self.shard.id,
                children: cut.clone(),
                reply,
            },
        )
        .await;
        // No reply: the job is being torn down.
        let Ok(numbers) = numbers.await else {
            return Outcome::Ended;
        };
        let children = cut.into_iter().zip(numbers).map(|((range, position), id)| {
            let child = Shard::new(id, range, position, &self.shared.options);
            // What was too large for the parent is too large for its children.
            Shard {
                request: self.shard.request.clone(),
                ..child
            }
        });
        Outcome::Replaced(children.collect())
    }
}

impl Target {
    /// Whether a range that stands at `position`, at `etag`, has been read up to the target.
    fn is_reached(&self, etag: Option<&str>, position: &Position) -> bool {
        etag == Some(&self.etag)
            || matches!((position.lsn, self.lsn), (Some(here), Some(end)) if here > end)
    }
}

/// The ETag that `token` holds for the whole of `range`.
fn etag_of(token: &str, range: &FeedRange) -> Result<Option<String>> {
    let mut parts = segments(token, range)?;
    Ok(if parts.len() == 1 {
        parts.swap_remove(0).etag
    } else {
        None
    })
}

/// When the last change of a page was made, by the service's clock.
fn last_change(page: &Page) -> Option<OffsetDateTime> {
    let seconds = page.items().next_back()?.seconds()?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

fn hash_of(json: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    json.hash(&mut hasher);
    hasher.finish()
}

//! One range being read: from its position to where it is finished, split, or failed.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use time::OffsetDateTime;
use tokio::sync::oneshot;

use super::event::ReaderEvent;
use super::horizon::{Horizon, Lag, place};
use super::options::{ReadEnd, ReaderOptions};
use super::shared::Shared;
use crate::clock;
use crate::cosmos::cursor::{Answer, Cursor, CursorStart, FeedRequest};
use crate::cosmos::retry::{Decision, Retries, RetryLimit};
use crate::cosmos::token::segments;
use crate::failpoint;
use crate::feed::page::Page;
use crate::feed::{
    FeedRange, PinnedEnd, Position, RangeId, ReachedEnd, ReadUntil, has_transactions, lsn_of_etag,
};

/// A range to be read.
pub struct Shard {
    id: RangeId,
    range: FeedRange,
    position: Option<Position>,
    /// The ETag of the position, if it has one for the whole range.
    etag: Option<String>,
    request: FeedRequest,
    cursor: Option<Cursor>,
    horizon: Horizon,
    retries: Retries,
    /// Counts answers in a row that are behind what is known.
    lagging: Retries,
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

/// How often in a row an answer that is behind what is known is asked for again where other errors are
/// retried without end.
const MAX_LAGGING: u32 = 15;

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

/// What became of one answer.
enum Step {
    /// There may be more.
    More,
    /// There is nothing new.
    CaughtUp,
    /// The end was reached.
    Reached(Option<ReachedEnd>),
    /// Nothing is new to whoever answered, but more is known to exist.
    Behind(Lag),
    /// The range was split.
    Split(Vec<(FeedRange, Option<Position>)>),
}

impl Shard {
    /// A range that is at `position`, or has not been read yet.
    pub fn new(
        id: RangeId,
        range: FeedRange,
        position: Option<Position>,
        options: &ReaderOptions,
    ) -> Self {
        let etag = position
            .as_ref()
            .and_then(|position| etag_of(&position.token, &range).ok().flatten());
        let lagging_limit = match options.retry_limit {
            RetryLimit::Unlimited => RetryLimit::Times(MAX_LAGGING),
            limited => limited,
        };
        Self {
            id,
            range,
            position,
            etag,
            request: options.request.clone(),
            cursor: None,
            horizon: Horizon::default(),
            retries: Retries::new(options.retry_limit),
            lagging: Retries::new(lagging_limit),
            idle_polls: 0,
            pages: 0,
            last_opening: None,
        }
    }

    /// The same, read to where it was pinned in an earlier run.
    #[must_use]
    pub fn pinned_before(self, end: Option<PinnedEnd>) -> Self {
        Self {
            horizon: Horizon::of_pinned(end),
            ..self
        }
    }

    /// The same, pinned again, with what an earlier run heard of its partition.
    #[must_use]
    pub fn heard_before(self, end: Option<PinnedEnd>) -> Self {
        Self {
            horizon: Horizon::of_heard(end),
            ..self
        }
    }

    /// How long it is left alone now that it has nothing new: the longer the quieter it has been.
    pub(super) fn pause(&self, longest: Duration) -> Duration {
        longest / (1 << FASTER_POLLS.saturating_sub(self.idle_polls))
    }

    /// The range's end, as it was come to.
    fn end(&self, reached: Option<ReachedEnd>) -> Option<PinnedEnd> {
        let reached = Some(reached?);
        let pinned = self.horizon.pinned()?.clone();
        let known_lsn = self
            .horizon
            .highest()
            .filter(|lsn| Some(*lsn) > pinned.lsn());
        Some(PinnedEnd {
            known_lsn,
            reached,
            ..pinned
        })
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
            Ok(Step::CaughtUp) => {
                let range = turn.shard.id;
                if turn.shard.idle_polls == 0 {
                    turn.shared.send(ReaderEvent::CaughtUp { range }).await;
                }
                turn.shard.idle_polls = turn.shard.idle_polls.saturating_add(1);
                return Outcome::Idle(turn.shard);
            }
            Ok(Step::Reached(reached)) => {
                let (range, end) = (turn.shard.id, turn.shard.end(reached));
                turn.shared.send(ReaderEvent::Finished { range, end }).await;
                return Outcome::Ended;
            }
            Ok(Step::Split(children)) => return turn.replace(children).await,
            Ok(Step::Behind(lag)) => turn.decide_lag(lag),
            Err(error) => match error.downcast::<Lag>() {
                Ok(lag) => turn.decide_lag(lag),
                Err(error) => turn.shard.retries.decide(error),
            },
        };
        // Whatever the cursor thinks, the position is where the last good page ended.
        turn.drop_cursor().await;
        let range = turn.shard.id;
        match decision {
            Decision::Retry(notice) => {
                let pause = notice.pause;
                turn.shared
                    .send(ReaderEvent::Retrying { range, notice })
                    .await;
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
                turn.shared.send(ReaderEvent::Failed { range, error }).await;
                return Outcome::Ended;
            }
            Decision::GiveUp(error) => {
                turn.shared.send(ReaderEvent::Failed { range, error }).await;
                return Outcome::Ended;
            }
        }
    }
}

struct Turn {
    shared: Arc<Shared>,
    shard: Box<Shard>,
}

impl Turn {
    /// Whether it makes room for others after a page, since they could wait for ever.
    fn may_never_end(&self) -> bool {
        match self.shared.options.end {
            ReadEnd::Caught(_) | ReadEnd::Pages(_) => false,
            ReadEnd::Time(_) | ReadEnd::Never => true,
        }
    }

    /// How far the range is to be read now, if it has an end that can be pinned.
    fn until(&self) -> Option<ReadUntil> {
        match self.shared.options.end {
            ReadEnd::Caught(until) => Some(until),
            // All that was made up to the time is there by then.
            ReadEnd::Time(end) if clock::now() > end + LATE_CHANGES => Some(ReadUntil::Pin),
            ReadEnd::Time(_) | ReadEnd::Pages(_) | ReadEnd::Never => None,
        }
    }

    /// What to do about an answer from behind what is known.
    fn decide_lag(&mut self, lag: Lag) -> Decision {
        // Without an end nothing is taken for it, so it may wait as long as for any outage.
        let has_end = self.until().is_some();
        let counted = match has_end || !lag.may_pass() {
            true => &mut self.shard.lagging,
            false => &mut self.shard.retries,
        };
        match counted.decide(anyhow!("{lag}")) {
            Decision::GiveUp(error) => Decision::GiveUp(lag.hint(error)),
            decision => decision,
        }
    }

    async fn drop_cursor(&mut self) {
        let Some(mut cursor) = self.shard.cursor.take() else {
            return;
        };
        // Whatever came of it, it was charged.
        let request_charge = cursor.take_refused_charge();
        if request_charge > 0.0 {
            self.shared
                .send(ReaderEvent::Charged { request_charge })
                .await;
        }
    }

    /// Fetches an answer and hands over what it holds.
    async fn step(&mut self) -> Result<Step> {
        if let Some(until) = self.until() {
            // Of an end by time there is nothing to pin before all up to it has been asked for.
            let is_due = match self.shared.options.end {
                ReadEnd::Time(_) => self.shard.idle_polls > 0,
                _ => true,
            };
            if self.shard.horizon.pinned().is_none()
                && is_due
                && let Some(step) = self.pin().await?
            {
                return Ok(step);
            }
            if until == ReadUntil::Pin
                && self
                    .shard
                    .horizon
                    .has_reached_pin(self.shard.etag.as_deref())
            {
                return Ok(Step::Reached(Some(self.shard.horizon.at_pin())));
            }
        }
        let answer = self.fetch().await?;
        let request_charge = answer.request_charge;
        match self.take(answer).await {
            Ok((step, true)) => Ok(step),
            // Whatever came of it, it was charged.
            not_handed_over => {
                self.shared
                    .send(ReaderEvent::Charged { request_charge })
                    .await;
                Ok(not_handed_over?.0)
            }
        }
    }

    /// Takes an answer that came. Also says whether something was handed over.
    async fn take(&mut self, answer: Answer) -> Result<(Step, bool)> {
        let opening = answer.page.items().next().map(|item| hash_of(item.json()));
        // The first ETag has none before it that it could be compared with, and an ETag can go back.
        ensure!(
            opening.is_none() || opening != self.shard.last_opening,
            "the service sent documents again that came with the page before: its ETag did not move"
        );
        self.ensure_forward(&answer)?;
        let (step, position) = self.judge(&answer)?;
        self.shard.pages += u32::from(!answer.page.is_empty());
        let step = match (step, self.shared.options.end, last_change(&answer.page)) {
            (Step::More, ReadEnd::Time(end), Some(time)) if time > end => Step::Reached(None),
            (Step::More, ReadEnd::Pages(most), _) if self.shard.pages >= most => {
                Step::Reached(None)
            }
            (Step::CaughtUp, ReadEnd::Pages(_), _) => Step::Reached(None),
            (step, ..) => step,
        };
        let is_news = position.is_some();
        if let Some(position) = position {
            self.hand_over(answer, position).await?;
            self.shard.last_opening = opening.or(self.shard.last_opening);
        }
        let mut has_recovered = self.shard.retries.reset();
        // What moves on is not stuck behind.
        if is_news || !matches!(step, Step::Behind(_)) {
            has_recovered |= self.shard.lagging.reset();
        }
        if has_recovered {
            let range = self.shard.id;
            self.shared.send(ReaderEvent::Recovered { range }).await;
        }
        Ok((step, is_news))
    }

    /// Finds out where the range is now: there, at the earliest, is its end.
    async fn pin(&mut self) -> Result<Option<Step>> {
        let shard = &mut self.shard;
        let pinned_at = clock::now();
        let pinned = self
            .shared
            .client
            .pin_now(&shard.request, &shard.range)
            .await?;
        let request_charge = pinned.request_charge;
        self.shared
            .send(ReaderEvent::Charged { request_charge })
            .await;
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
        let position_lsn = shard.position.as_ref().and_then(|position| position.lsn);
        if let (Some(here), Some(service)) = (position_lsn, now.lsn)
            && service < here
        {
            let range = shard.id;
            bail!(Lag::BehindPosition {
                range,
                here,
                service
            });
        }
        let is_there = shard.etag.as_deref() == Some(&etag);
        let end = PinnedEnd {
            etag,
            partition: pinned.partition,
            pinned_at,
            tokens_compare: now.lsn.is_some() && now.lsn == pinned.partition_lsn,
            known_lsn: None,
            reached: None,
        };
        shard.horizon.pin(end.clone());
        let event = ReaderEvent::Pinned {
            range: shard.id,
            position_lsn,
            end,
        };
        self.shared.send(event).await;
        // The pin says itself that nothing is newer.
        let has_nothing_new = is_there && !pinned.has_documents;
        Ok(has_nothing_new.then_some(Step::Reached(Some(ReachedEnd::Head))))
    }

    async fn fetch(&mut self) -> Result<Answer> {
        let shard = &mut *self.shard;
        let cursor = match &mut shard.cursor {
            Some(cursor) => cursor,
            none => {
                let start = match &shard.position {
                    Some(position) => {
                        // On another range it would silently start from the beginning.
                        segments(&position.token, &shard.range)?;
                        CursorStart::Position(position)
                    }
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

    /// Refuses an answer from before where the range was read: its documents were written once, and
    /// its ETag would have them come again.
    fn ensure_forward(&self, answer: &Answer) -> Result<()> {
        if self
            .shard
            .horizon
            .is_beyond(answer.etag(), answer.partition_lsn)
        {
            let etag = place(answer.etag());
            match answer.partition_lsn {
                Some(lsn) => bail!("the service sent {etag}, but its partition is at LSN {lsn}"),
                None => bail!("the service sent {etag} without its session token"),
            }
        }
        let (range, before) = (self.shard.id, self.shard.etag.as_deref());
        let Some(here) = before.and_then(lsn_of_etag) else {
            return Ok(());
        };
        for etag in answer
            .segments
            .iter()
            .filter_map(|part| part.etag.as_deref())
        {
            let Some(service) = lsn_of_etag(etag) else {
                let shown: String = etag.escape_debug().take(60).collect();
                bail!(
                    "the service sent the ETag `{shown}`, which has another form than those before"
                );
            };
            if service < here && answer.page.is_empty() {
                bail!(Lag::BehindPosition {
                    range,
                    here,
                    service
                });
            }
            if service < here {
                let page = service;
                bail!(Lag::GoesBack { range, here, page });
            }
        }
        let first = answer.page.items().next().and_then(|item| item.lsn());
        if let Some(page) = first
            && (page < here || page == here && before.is_some_and(has_transactions))
        {
            bail!(Lag::GoesBack { range, here, page });
        }
        Ok(())
    }

    /// Decides what an answer means, and where the range is after it; nowhere new if nothing was
    /// said.
    fn judge(&mut self, answer: &Answer) -> Result<(Step, Option<Position>)> {
        let shard = &mut *self.shard;
        let count = answer.page.len();
        let moved = match &shard.position {
            Some(position) if position.token == answer.token => false,
            // A split changes the token, whether or not its page came with an ETag: the parts then
            // are where the range was, and would be read from there again.
            Some(_) if answer.segments.len() > 1 => {
                let mut parts = answer.segments.iter();
                count == 0 || parts.any(|part| part.etag.is_some() && part.etag != shard.etag)
            }
            _ => true,
        };
        ensure!(
            count == 0 || moved,
            "the service sent {count} documents but no new ETag"
        );
        if let [part] = &answer.segments[..]
            && let Some(end) = part.etag.as_deref().and_then(lsn_of_etag)
            && let Some(last) = answer.page.items().next_back().and_then(|item| item.lsn())
        {
            // What lies behind its ETag would come again.
            ensure!(
                last <= end,
                "the service sent a change of LSN {last} in a page that ends at LSN {end}"
            );
        }
        let position = match (moved, count) {
            (false, _) => None,
            (true, 0) => answer.position().ok(),
            (true, _) => Some(answer.position()?),
        };
        if answer.segments.len() > 1 {
            // Each part is where the token says, and is read on its own from there.
            let children = answer.segments.iter().map(|part| {
                let position = part.etag.as_ref().map(|_| Position {
                    token: answer.token.clone(),
                    lsn: None,
                });
                (part.range.clone(), position)
            });
            return Ok((Step::Split(children.collect()), position));
        }
        Ok((self.arrive(answer), position))
    }

    /// Whether an answer of an undivided range brings it to its end.
    fn arrive(&mut self, answer: &Answer) -> Step {
        let until = self.until();
        let shard = &mut *self.shard;
        if answer.not_modified {
            let lsn = answer.etag().and_then(lsn_of_etag);
            shard.horizon.compare(lsn, answer.partition_lsn);
        }
        let nothing_new = match answer.not_modified {
            true if failpoint::is_planted("defect.nothing-new-is-the-end") => Step::Reached(None),
            true => Step::CaughtUp,
            false => Step::More,
        };
        let Some(until) = until.filter(|_| shard.horizon.pinned().is_some()) else {
            return nothing_new;
        };
        if shard.horizon.is_of_another(answer.partition.as_deref()) {
            // A merge: what the pin says may no longer compare. It is pinned again.
            let (range, here) = (shard.id, place(shard.etag.as_deref()));
            let end = place(shard.horizon.pinned().map(|end| end.etag.as_str()));
            shard.horizon.forget();
            return match answer.not_modified {
                true => Step::Behind(Lag::BelowEnd { range, here, end }),
                false => Step::More,
            };
        }
        let etag = answer.etag().or(shard.etag.as_deref());
        let known = shard.horizon.highest();
        let reached = match answer.not_modified {
            true => shard
                .horizon
                .after_nothing_new(until, etag, answer.partition_lsn),
            false => shard.horizon.after_page(until, etag, answer.partition_lsn),
        };
        if failpoint::is_planted("defect.nothing-new-below-the-pin-is-the-end")
            && answer.not_modified
        {
            return Step::Reached(Some(ReachedEnd::Head));
        }
        if failpoint::is_planted("defect.the-pin-is-the-end") && shard.horizon.has_reached_pin(etag)
        {
            return Step::Reached(Some(ReachedEnd::Head));
        }
        match (reached, answer.not_modified) {
            (Some(reached), _) => Step::Reached(Some(reached)),
            (None, false) => Step::More,
            (None, true) => {
                let (range, here) = (shard.id, place(etag));
                Step::Behind(match known {
                    Some(known) if shard.horizon.has_reached_pin(etag) => {
                        Lag::BelowKnown { range, here, known }
                    }
                    _ => {
                        let end = place(shard.horizon.pinned().map(|end| end.etag.as_str()));
                        Lag::BelowEnd { range, here, end }
                    }
                })
            }
        }
    }

    /// Waits until there is memory for the page, then hands it to the consumer.
    async fn hand_over(&mut self, answer: Answer, position: Position) -> Result<()> {
        let etag = answer.etag().map(str::to_owned);
        let page = answer.page;
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
            highest_lsn: self.shard.horizon.highest(),
            request_charge: answer.request_charge,
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
        self.shard.etag = etag;
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
                        self.shared.send(ReaderEvent::Failed { range, error }).await;
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
        let event = ReaderEvent::Replaced {
            parent: self.shard.id,
            children: cut.clone(),
            reply,
        };
        self.shared.send(event).await;
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

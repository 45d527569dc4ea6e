//! The turn of a shard: page after page, until the range is finished, split, failed or idle.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};
use time::OffsetDateTime;

use super::event::{AnsweringPartition, Head, ReaderEvent};
use super::horizon::Lag;
use super::judge::{Step, keeps_end};
use super::options::ReadEnd;
use super::shard::Shard;
use super::shared::Shared;
use crate::clock;
use crate::cosmos::cursor::{Cursor, CursorStart, FeedAnswer};
use crate::cosmos::position::ensure_of;
use crate::cosmos::retry::Decision;
use crate::cosmos::traffic::Asker;
use crate::failpoint;
use crate::feed::page::Page;
use crate::feed::{ChangeFeedStart, Position, ReadUntil, lsn_of_etag};

/// How long after its time an end is awaited: clocks differ, and the time of a change is in whole seconds.
const LATE_CHANGES: time::Duration = time::Duration::seconds(2);

/// How a turn of a shard ended.
pub(super) enum Outcome {
    /// It is finished, failed or stopped.
    Ended,
    /// It has more, but other shards wait.
    Yielded(Box<Shard>),
    /// Nothing is new.
    Idle(Box<Shard>),
    /// It was split into these.
    Replaced(Vec<Shard>),
}

/// Runs one turn of a shard.
pub(super) async fn run(shared: Arc<Shared>, shard: Shard) -> Outcome {
    let (asker, client) = (Asker::Range(shard.id), Arc::clone(&shared.client));
    let outcome = take_turn(shared, shard).await;
    if matches!(outcome, Outcome::Ended | Outcome::Replaced(_)) {
        client.traffic().leaves(asker);
    }
    outcome
}

async fn take_turn(shared: Arc<Shared>, shard: Shard) -> Outcome {
    let (stop, own_stop) = (shared.stop.clone(), shard.stop.clone());
    let mut turn = Turn {
        shared,
        shard: Box::new(shard),
    };
    loop {
        // A page that is being fetched is dropped: the position has not moved, so nothing is lost.
        let step = tokio::select! {
            biased;
            () = stop.cancelled() => return Outcome::Ended,
            () = own_stop.cancelled() => return Outcome::Ended,
            step = turn.step() => step,
        };
        let decision = match step {
            Ok(Step::More) => {
                turn.shard.idle_polls = 0;
                if turn.must_yield() {
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
        // The cursor may have moved, but the position is where the last good page ended.
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
                    () = own_stop.cancelled() => return Outcome::Ended,
                    () = tokio::time::sleep(pause) => {}
                }
                // An outage of one range must not keep the others from their turn.
                if turn.shared.yields() {
                    return Outcome::Yielded(turn.shard);
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

/// A shard that has its turn.
pub(super) struct Turn {
    pub(super) shared: Arc<Shared>,
    pub(super) shard: Box<Shard>,
}

/// A page that is handed over.
pub(super) struct Handed {
    pub(super) page: Page,
    pub(super) request_charge: f64,
    pub(super) partition: AnsweringPartition,
}

impl Turn {
    /// Whether the shard must yield to others after a page.
    fn must_yield(&self) -> bool {
        self.shared.yields() || self.may_never_end() && self.shared.is_awaited()
    }

    /// Whether others could wait forever.
    fn may_never_end(&self) -> bool {
        if self.shared.reads_snapshot() {
            return !self.shard.is_of_snapshot;
        }
        match self.shared.options.end {
            ReadEnd::Caught(_) | ReadEnd::Pages(_) => false,
            ReadEnd::Time(_) | ReadEnd::Never => true,
        }
    }

    /// How far the range is to be read now, if it has an end that can be pinned.
    pub(super) fn until(&self) -> Option<ReadUntil> {
        match self.shared.options.end {
            // A document that is rewritten before it is read moves beyond the pin, with its only version.
            _ if self.shard.is_of_snapshot => Some(ReadUntil::Head),
            // Whatever the snapshot has found must be before the pin.
            _ if self.shared.reads_snapshot()
                && !failpoint::is_planted("defect.changes-end-before-the-snapshot") =>
            {
                None
            }
            ReadEnd::Caught(until) => Some(until),
            // By then all changes up to that time exist.
            ReadEnd::Time(end) if clock::now() > end + LATE_CHANGES => Some(ReadUntil::Pin),
            ReadEnd::Time(_) | ReadEnd::Pages(_) | ReadEnd::Never => None,
        }
    }

    /// What to do about an answer that is behind what is known.
    fn decide_lag(&mut self, lag: Lag) -> Decision {
        // Without an end the answer cannot be taken for the end, so it may wait as long as for any outage.
        let has_end = self.until().is_some();
        let counted = if has_end || !lag.may_be_transient() {
            &mut self.shard.lagging
        } else {
            &mut self.shard.retries
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
        // The service charges for refused answers too.
        let request_charge = cursor.take_refused_charge();
        if request_charge > 0.0 {
            self.shared.charged(request_charge).await;
        }
    }

    /// Fetches an answer and hands over what it holds.
    async fn step(&mut self) -> Result<Step> {
        if self.shard.request.is_query() {
            return self.step_of_query().await;
        }
        if let Some(until) = self.until() {
            // With an end by time, the range is pinned only after everything up to that time was requested.
            let is_due = match self.shared.options.end {
                ReadEnd::Time(_) if !self.shard.is_of_snapshot => self.shard.idle_polls > 0,
                _ => true,
            };
            ensure!(
                !keeps_end(until) || self.shard.horizon.pinned().is_some(),
                "the end of the range, at which a plan goes on, is not in the state: \
                 read the plan again to another place"
            );
            if self.shard.horizon.pinned().is_none()
                && is_due
                && let Some(step) = self.pin().await?
            {
                return Ok(step);
            }
            if until != ReadUntil::Head
                && self
                    .shard
                    .horizon
                    .has_reached_pin(self.shard.etag.as_deref())
            {
                return Ok(Step::Reached(Some(self.shard.horizon.at_pin())));
            }
        }
        let cursor = self.admitted().await?;
        let (asked, asked_at) = (Instant::now(), clock::now());
        let answer = cursor.next().await?;
        let request_charge = answer.request_charge;
        let partition = AnsweringPartition {
            id: answer.partition.clone(),
            lsn: answer.partition_lsn,
        };
        match self.take(answer).await {
            Ok((Step::CaughtUp, is_handed_over)) => {
                let range = self.shard.id;
                let head = Some(Head {
                    range,
                    asked,
                    asked_at,
                    partition,
                    is_behind: self.shard.is_behind,
                });
                let request_charge = if is_handed_over { 0.0 } else { request_charge };
                self.shared
                    .send(ReaderEvent::Charged {
                        request_charge,
                        head,
                    })
                    .await;
                Ok(Step::CaughtUp)
            }
            Ok((step, true)) => Ok(step),
            // The service charged for it all the same.
            not_handed_over => {
                self.shared.charged(request_charge).await;
                Ok(not_handed_over?.0)
            }
        }
    }

    /// Refuses a page of the snapshot from before changes that were handed over: by its documents, what was deleted
    /// would be back.
    async fn ensure_lanes(&mut self, answer: &FeedAnswer) -> Result<()> {
        let Some(partition) = &answer.partition else {
            return Ok(());
        };
        if !self.shared.reads_snapshot() {
            return Ok(());
        }
        let shard = &self.shard;
        // The parts of a range that was split have positions of their own, but a page is of the one that answered.
        let is_whole = answer.segments.len() == 1;
        if !shard.is_of_snapshot {
            let lsn = match is_whole {
                true => answer.etag().and_then(lsn_of_etag),
                false => answer.page.items().filter_map(|item| item.lsn()).max(),
            };
            self.shared.see(partition, lsn).await?;
            return Ok(());
        }
        let lsn = shard.horizon.compared(answer.partition_lsn);
        let range = shard.id;
        let known = self.shared.see(partition, lsn.filter(|_| is_whole)).await?;
        if let (Some(known), Some(service)) = (known, lsn)
            && service < known
        {
            bail!(Lag::BehindChanges {
                range,
                known,
                service
            });
        }
        Ok(())
    }

    /// Takes an answer. Also returns whether a page was handed over.
    async fn take(&mut self, answer: FeedAnswer) -> Result<(Step, bool)> {
        let opening = answer.page.items().next().map(|item| hash_of(item.json()));
        // The first ETag has no earlier one to compare with, and an ETag can go back.
        ensure!(
            opening.is_none() || opening != self.shard.last_opening,
            "the service sent the documents of the previous page again: its ETag did not move"
        );
        self.shard.ensure_forward(&answer)?;
        self.ensure_lanes(&answer).await?;
        self.ensure_seen(&answer).await?;
        let until = self.until();
        let (step, position) = self.shard.judge(&answer, until)?;
        self.shard.pages += u32::from(!answer.page.is_empty());
        let mut step = match (step, self.shared.options.end, last_change(&answer.page)) {
            (Step::More, ReadEnd::Time(end), Some(time)) if time > end => Step::Reached(None),
            (Step::More, ReadEnd::Pages(max), _) if self.shard.pages >= max => Step::Reached(None),
            (Step::CaughtUp, ReadEnd::Pages(_), _) => Step::Reached(None),
            (step, ..) => step,
        };
        let is_news = position.is_some();
        if is_news || !matches!(step, Step::Behind(_)) {
            // Before the page waits for space: that is not the account's fault.
            self.hears();
        }
        if let Some(mut position) = position {
            let mut etag = answer.etag().map(str::to_owned);
            let mut page = if self.shard.is_of_snapshot {
                answer.page.into_snapshot()?
            } else {
                answer.page
            };
            if until == Some(ReadUntil::Exact)
                && let Some(cut) = self.cut_at_pin(&mut page, &answer.segments)?
            {
                etag = cut.etag;
                position.clone_from(&cut.position);
                match &mut step {
                    Step::Split(children) => {
                        let read = children.iter_mut().filter_map(|child| child.1.as_mut());
                        read.for_each(|child| child.token.clone_from(&cut.position.token));
                    }
                    step => *step = Step::Reached(Some(self.shard.horizon.at_pin())),
                }
            }
            let handed = Handed {
                page,
                request_charge: answer.request_charge,
                partition: AnsweringPartition {
                    id: answer.partition,
                    lsn: answer.partition_lsn,
                },
            };
            self.hand_over(handed, position).await?;
            self.shard.etag = etag;
            self.shard.last_opening = opening.or(self.shard.last_opening);
        }
        // A range that moves is not stuck behind a lagging replica.
        let is_stuck = !is_news && matches!(step, Step::Behind(_));
        self.succeeded(is_stuck).await;
        Ok((step, is_news))
    }

    /// A request has succeeded; with `is_stuck` its answer was behind what is known.
    pub(super) async fn succeeded(&mut self, is_stuck: bool) {
        let mut has_recovered = self.shard.retries.reset();
        if !is_stuck {
            has_recovered |= self.shard.lagging.reset();
        }
        if has_recovered {
            let range = self.shard.id;
            self.shared.send(ReaderEvent::Recovered { range }).await;
        }
    }

    /// A request is sent: until there is a usable answer, the range waits for the account.
    pub(super) fn asks(&self) {
        let asker = Asker::Range(self.shard.id);
        self.shared.client.traffic().asks(asker);
    }

    /// There is a usable answer.
    pub(super) fn hears(&self) {
        let asker = Asker::Range(self.shard.id);
        self.shared.client.traffic().hears(asker);
    }

    /// The cursor, once the budget has enough for its next request.
    pub(super) async fn admitted(&mut self) -> Result<&mut Cursor> {
        loop {
            self.open().await?;
            self.asks();
            let shard = &mut *self.shard;
            let cursor = shard.cursor.as_mut().context("no cursor is open")?;
            let begun = Instant::now();
            let is_admitted = cursor.admit(&shard.request).await;
            let asker = Asker::Range(shard.id);
            self.shared.client.traffic().excuses(asker, begun.elapsed());
            if is_admitted {
                break;
            }
            self.drop_cursor().await;
        }
        let cursor = self.shard.cursor.as_mut();
        cursor.context("no cursor is open")
    }

    /// Opens a cursor, unless one is open.
    async fn open(&mut self) -> Result<()> {
        let shard = &mut *self.shard;
        if shard.cursor.is_some() {
            return Ok(());
        }
        let start = match &shard.position {
            Some(position) => {
                // On another range the service would silently start from the beginning.
                ensure_of(&position.token, self.shared.client.rid(), &shard.range)?;
                CursorStart::Position(position)
            }
            None if shard.is_of_snapshot => CursorStart::Fresh(ChangeFeedStart::Beginning),
            None => CursorStart::Fresh(self.shared.options.start),
        };
        let client = &self.shared.client;
        client.traffic().asks(Asker::Range(shard.id));
        shard.cursor = Some(client.open(&shard.request, &shard.range, start).await?);
        Ok(())
    }

    /// Waits until the buffer has space for the page, then hands it to the consumer.
    pub(super) async fn hand_over(&mut self, handed: Handed, position: Position) -> Result<()> {
        let Handed {
            page,
            request_charge,
            partition,
        } = handed;
        let permit = match u32::try_from(page.body_len()).unwrap_or(u32::MAX) {
            0 => None,
            // A page that is larger than the buffer takes all of it.
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
            partition,
            request_charge,
            permit,
        };
        // The position moves only together with the page: a stop cannot cut in, since there is no await
        // between the two.
        let slot = self
            .shared
            .events
            .reserve()
            .await
            .context("the consumer of the pages is gone")?;
        slot.send(event);
        self.shard.position = Some(position);
        Ok(())
    }
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

//! Takes changes from the source, starts their writes in the order of each partition key, notes the
//! outcome, and commits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;

use super::checkpoint::Checkpoint;
use super::collisions::{Collisions, Found};
use super::concurrency::WriteConcurrency;
use super::dead_letters::DeadLetters;
use super::delivery::{Delivery, Taken};
use super::events::{Applied, ReplayEvent, ReplayObserver};
use super::interpreter::Meaning;
use super::item_sender::NotApplied;
use super::item_write::{Defect, ItemWrite};
use super::lanes::Lanes;
use super::original::Original;
use super::pending::Pending;
use super::position::{InputPosition, Standing};
use super::replay_source::ReplaySource;
use super::schedule;
use super::settling::Settling;
use super::together::Together;
use super::unkeyed::Unkeyed;
use super::watermark::Watermark;
use super::writer::Writer;
use crate::error::ExitCode;
use crate::feed::{RangeId, RangeState};
use crate::monitor::{self, Monitor};
use crate::report::{PROGRESS_INTERVAL, Progress, Rates, Report};
use crate::settings::{ReplayPlan, Speed};
use crate::signal::Shutdown;

/// The shortest time between two commits.
const MIN_CHECKPOINT_INTERVAL: Duration = Duration::from_millis(1);

/// How long a replay that shares its ranges goes on with what it has read, after a stop is requested.
const DRAIN: Duration = Duration::from_secs(10);

/// When to report that a replay that continues has caught up with its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CaughtUp {
    /// Not at all, or it was reported.
    Silent,
    /// Once the source has been read to its head.
    Awaited,
    /// Once this many changes are done.
    After(u64),
}

/// Writes of one partition key that have ended.
struct Ended {
    run: Vec<Pending>,
    /// The outcome of each write, up to the first that failed.
    outcomes: Vec<Result<Applied, NotApplied>>,
}

/// Why a replay stopped before the end of its source.
#[derive(Debug)]
pub(super) enum Stopped {
    Signal(ExitCode),
    TooManyRefused,
    Failed(anyhow::Error),
}

/// A replay that runs.
pub(super) struct Applier {
    writer: Arc<Writer>,
    source: ReplaySource,
    deliveries: mpsc::Receiver<Result<Delivery>>,
    source_open: bool,
    /// Why the source cannot be read further, if it cannot.
    unreadable: Option<anyhow::Error>,
    lanes: Lanes<Pending>,
    watermark: Watermark<Standing>,
    caught_up: CaughtUp,
    writes: JoinSet<Ended>,
    /// Bytes of changes that wait or are being written.
    waiting_bytes: usize,
    /// How many of these there may be.
    max_waiting_bytes: usize,
    unkeyed: Unkeyed,
    collisions: Collisions,
    letters: DeadLetters,
    checkpoint: Checkpoint,
    /// Tells how many changes are done, if others keep the positions.
    settling: Option<Settling>,
    monitor: Monitor,
    observer: Arc<ReplayObserver>,
    concurrency: WriteConcurrency,
    window: u64,
    checkpoint_interval: Duration,
    stopped: Option<Stopped>,
}

impl Applier {
    pub(super) fn new(
        writer: Arc<Writer>,
        source: ReplaySource,
        deliveries: mpsc::Receiver<Result<Delivery>>,
        letters: DeadLetters,
        checkpoint: Checkpoint,
        monitor: Monitor,
        plan: &ReplayPlan,
    ) -> Self {
        let standing = checkpoint.standing();
        let follows = plan.feed.as_ref().is_some_and(|feed| feed.follow);
        Self {
            deliveries: match plan.speed {
                Speed::Max => deliveries,
                Speed::Times(speed) => schedule::in_time(deliveries, speed),
            },
            source_open: true,
            unreadable: None,
            lanes: Lanes::default(),
            collisions: Collisions::new(plan.id_collisions),
            unkeyed: Unkeyed::new(
                plan.missing_key,
                source.has_key(&writer.sender.key_paths),
                standing.position == InputPosition::default() && plan.shared.is_none(),
                plan.checkpoint_changes,
            ),
            watermark: Watermark::new(standing),
            caught_up: if follows {
                CaughtUp::Awaited
            } else {
                CaughtUp::Silent
            },
            writes: JoinSet::new(),
            waiting_bytes: 0,
            max_waiting_bytes: Together::default().waiting_bytes,
            observer: Arc::clone(&writer.sender.observer),
            concurrency: WriteConcurrency::new(plan.concurrency),
            window: plan.checkpoint_changes,
            checkpoint_interval: plan.checkpoint_interval,
            stopped: None,
            writer,
            source,
            letters,
            checkpoint,
            settling: None,
            monitor,
        }
    }

    /// Keeps to what it shares with other replays.
    pub(super) fn beside(mut self, together: &Together) -> Self {
        self.max_waiting_bytes = together.waiting_bytes;
        self
    }

    /// Leaves the positions to others, who are told how many changes are done.
    pub(super) fn settling(mut self, settled: watch::Sender<u64>) -> Self {
        self.settling = Some(Settling::new(settled));
        self
    }

    /// Counts and reports what happens.
    pub(super) fn observer(&self) -> Arc<ReplayObserver> {
        Arc::clone(&self.observer)
    }

    /// Runs to the end of the source, or until it is stopped. What is done by then is committed. Returns
    /// why it stopped early, if it did.
    ///
    /// # Errors
    ///
    /// If a commit fails.
    pub(super) async fn run(
        mut self,
        report: &Report,
        shutdown: &Shutdown,
    ) -> Result<Option<Stopped>> {
        if let Err(error) = self.take_turns(report, shutdown).await {
            self.end_writes().await;
            return Err(error);
        }
        if let Some(error) = self.unreadable.take() {
            self.stop(Stopped::Failed(error));
        }
        // A stop ends the writes themselves, so the last of them may end before the stop is seen above.
        if let Some(code) = shutdown.reason()
            && self.watermark.done_through() < self.watermark.taken()
        {
            self.stop(Stopped::Signal(code));
        }
        self.commit()?;
        if let Some(settling) = &mut self.settling {
            settling
                .settle_all(&mut self.watermark, &mut self.letters)
                .await?;
        } else if !self.checkpoint.has_state() {
            // No later run comes back to these changes, nor another instance.
            let remaining = self.watermark.take_letters_after_gaps();
            self.letters.write(&remaining)?;
            self.letters.sync()?;
        }
        Ok(self.stopped)
    }

    async fn take_turns(&mut self, report: &Report, shutdown: &Shutdown) -> Result<()> {
        let mut commit =
            tokio::time::interval(self.checkpoint_interval.max(MIN_CHECKPOINT_INTERVAL));
        commit.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut show = tokio::time::interval(PROGRESS_INTERVAL);
        show.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rates = Rates::default();
        report.start_progress(self.source.done(self.watermark.position()).is_some())?;
        // From here on there is a state, whatever happens.
        self.commit()?;
        let is_shared = self.settling.is_some();
        let stop = async {
            shutdown.requested().await;
            if is_shared {
                // What was read is applied first, and its positions are saved.
                tokio::time::sleep(DRAIN).await;
            }
        };
        tokio::pin!(stop);
        loop {
            self.start_writes();
            self.check_caught_up();
            if let Some(settling) = &mut self.settling {
                settling.settle(&mut self.watermark, &mut self.letters)?;
            }
            if self.writes.is_empty() && (!self.source_open || self.stopped.is_some()) {
                break;
            }
            if self.uncommitted() >= self.window / 2 && self.checkpoint.has_state() {
                self.commit()?;
            }
            let may_take = self.source_open && self.stopped.is_none() && self.has_room();
            tokio::select! {
                () = &mut stop, if self.stopped.is_none() => {
                    let code = shutdown.reason().unwrap_or(ExitCode::Interrupted);
                    self.stop(Stopped::Signal(code));
                }
                Some(ended) = self.writes.join_next() => self.ended(ended)?,
                delivered = self.deliveries.recv(), if may_take => self.receive(delivered, shutdown),
                kept = Settling::kept(&mut self.settling) => kept?,
                _ = commit.tick() => self.commit()?,
                _ = show.tick() => {
                    report.show_progress(&self.progress(), &mut rates);
                    self.monitor.applied(|| self.applied());
                }
            }
        }
        Ok(())
    }

    /// Waits for what is under way, since a document that is created too late is deleted again. Nothing of that takes longer
    /// than a request and the patience of a stop.
    async fn end_writes(&mut self) {
        self.writer.sender.stop.cancel();
        if self.settling.is_some() {
            while self.writes.join_next().await.is_some() {}
        }
    }

    /// Starts as many writes as may run.
    fn start_writes(&mut self) {
        while self.stopped.is_none() && self.writes.len() < self.concurrency.current() {
            let writer = &self.writer;
            let joins = |run: &[Pending], next: &Pending| {
                run.iter().all(|pending| pending.tenure.is_none())
                    && writer.may_join(run.iter().map(|pending| &pending.write), &next.write)
            };
            let Some(run) = self.lanes.next(joins) else {
                return;
            };
            let writer = Arc::clone(writer);
            self.writes.spawn(async move {
                let outcomes = match &run[0].tenure {
                    Some(tenure) => vec![writer.apply_during(tenure, &run[0].write).await],
                    None => {
                        let writes: Vec<&ItemWrite> =
                            run.iter().map(|pending| &pending.write).collect();
                        writer.apply_in_order(&writes).await
                    }
                };
                Ended { run, outcomes }
            });
        }
    }

    /// Whether another change may be taken: it stays in memory until it is applied, and after a crash every
    /// change beyond the committed position is applied again.
    fn has_room(&self) -> bool {
        let committed = if self.checkpoint.has_state() {
            self.checkpoint.done_through()
        } else {
            self.watermark.done_through()
        };
        self.waiting_bytes < self.max_waiting_bytes
            && self.watermark.taken() - committed < self.window
    }

    fn uncommitted(&self) -> u64 {
        self.watermark.done_through() - self.checkpoint.done_through()
    }

    /// The source delivered something, or ended.
    fn receive(&mut self, delivered: Option<Result<Delivery>>, shutdown: &Shutdown) {
        match delivered {
            Some(Ok(Delivery::Record(taken))) => self.take(taken),
            Some(Ok(Delivery::Passed(step))) => self.watermark.pass(step),
            Some(Ok(Delivery::CaughtUp)) => {
                self.check_key();
                if self.caught_up == CaughtUp::Awaited {
                    self.caught_up = CaughtUp::After(self.watermark.taken());
                }
            }
            // What was read before is applied first.
            Some(Err(error)) => {
                self.source_open = false;
                self.unreadable = Some(error);
            }
            None => {
                self.source_open = false;
                match (&self.source, shutdown.reason()) {
                    // The stop ended it, and its end may be seen here before the stop is.
                    (ReplaySource::Container { .. }, Some(code)) => {
                        self.stop(Stopped::Signal(code));
                    }
                    _ => self.check_key(),
                }
            }
        }
    }

    /// Reports, once, that every change that the source had is done.
    fn check_caught_up(&mut self) {
        if let CaughtUp::After(changes) = self.caught_up
            && self.watermark.done_through() >= changes
        {
            self.caught_up = CaughtUp::Silent;
            self.observer.observe(&ReplayEvent::CaughtUp);
        }
    }

    /// Takes a record of the source.
    fn take(&mut self, taken: Taken) {
        let at = taken.after.position;
        let number = self.watermark.take(taken.after);
        match taken.meaning {
            Ok(Meaning::OutsideWindow) => {
                self.observer.observe(&ReplayEvent::OutsideWindow);
                self.watermark.done(number);
            }
            Ok(Meaning::Dropped) => {
                self.observer.observe(&ReplayEvent::Dropped);
                self.watermark.done(number);
            }
            Ok(Meaning::Expired) => {
                self.observer.observe(&ReplayEvent::Expired);
                self.watermark.done(number);
            }
            Ok(Meaning::Unclear(why)) => {
                let error = self.source.location(at).unclear(why);
                self.stop(Stopped::Failed(error));
            }
            Ok(Meaning::Write(write)) => {
                self.waiting_bytes += taken.original.len();
                let passed = self.unkeyed.pass(Pending {
                    number,
                    write,
                    original: taken.original,
                    at,
                    tenure: taken.tenure,
                });
                for pending in passed {
                    self.queue(pending);
                }
                if self.unkeyed.is_full() || !self.has_room() {
                    // Nothing more can be taken before those that are held back are done.
                    self.check_key();
                }
            }
            Err(defect) => self.refuse(number, &taken.original, at, defect),
        }
    }

    /// Queues a change after the others of its key, unless it belongs to another document than they.
    fn queue(&mut self, pending: Pending) {
        match self
            .collisions
            .check(&pending.write, pending.tenure.as_ref())
        {
            Found::Nothing => {}
            Found::Replaces(relation) => self.observer.observe(&ReplayEvent::Collided(relation)),
            Found::NotCompared => self.observer.observe(&ReplayEvent::NotCompared),
            Found::Refused(relation, reason) => {
                self.observer.observe(&ReplayEvent::Collided(relation));
                self.waiting_bytes -= pending.original.len();
                let reason = format!("item {:?}: {reason}", pending.write.item.id);
                let defect = Defect::new(reason);
                self.refuse(pending.number, &pending.original, pending.at, defect);
                return;
            }
        }
        let key = pending.write.item.key.clone();
        self.lanes.push(&key, pending);
    }

    /// Stops if documents are held back, since none of them has a value at the partition key's path. Nothing
    /// was written then.
    fn check_key(&mut self) {
        let paths = &self.writer.sender.key_paths;
        if let Some(error) = self.unkeyed.error(paths, &self.source) {
            self.stop(Stopped::Failed(error));
        }
    }

    /// The change `number` is refused, which completes it, unless the replay ends with it.
    fn refuse(&mut self, number: u64, original: &Original, at: InputPosition, defect: Defect) {
        let location = self.source.location(at);
        let Defect { reason, hint } = defect;
        let letter = self.letters.letter(original, &location, &reason);
        self.observer.observe(&ReplayEvent::Refused {
            description: format!("{location}: {reason}"),
            hint,
            is_kept: letter.is_some(),
        });
        let is_too_many = self.observer.has_too_many_refusals();
        // A change that nothing keeps and that ends the replay is the first one of the next run.
        if letter.is_some() || !is_too_many {
            self.watermark.refused(number, letter);
        }
        if is_too_many {
            self.stop(Stopped::TooManyRefused);
        }
    }

    /// Writes of one partition key have ended.
    fn ended(&mut self, ended: Result<Ended, JoinError>) -> Result<()> {
        let Ended { run, outcomes } = ended?;
        self.concurrency.write_ended(self.observer.throttled());
        let key = run[0].write.item.key.clone();
        for (pending, outcome) in run.into_iter().zip(outcomes) {
            self.waiting_bytes -= pending.original.len();
            // Its key stays blocked: no later change of it may be applied before this one.
            if !self.settle(&pending, outcome) {
                return Ok(());
            }
        }
        self.lanes.done(&key);
        Ok(())
    }

    /// Notes the outcome of a change. Returns whether later changes of its key may be applied.
    fn settle(&mut self, pending: &Pending, outcome: Result<Applied, NotApplied>) -> bool {
        let item = &pending.write.item;
        match outcome {
            Ok(applied) => {
                self.observer.observe(&ReplayEvent::Applied {
                    applied,
                    bytes: pending.original.len(),
                    is_keyless: pending.write.missing_path.is_some()
                        && matches!(applied, Applied::Created | Applied::Replaced),
                });
                self.watermark.done(pending.number);
                true
            }
            Err(NotApplied::Refused(reason)) => {
                let reason = format!("item {:?}: {reason}", item.id);
                let defect = Defect::new(reason);
                self.refuse(pending.number, &pending.original, pending.at, defect);
                true
            }
            // Whoever has its range applies it.
            Err(NotApplied::Late) => {
                self.watermark.done(pending.number);
                true
            }
            Err(NotApplied::Stopped) => false,
            Err(NotApplied::Failed(error)) => {
                let what = format!(
                    "cannot apply the change of item {:?} ({})",
                    item.id,
                    self.source.location(pending.at)
                );
                self.stop(Stopped::Failed(error.context(what)));
                false
            }
        }
    }

    /// Begins no further write and ends every wait; running requests are completed.
    fn stop(&mut self, why: Stopped) {
        self.stopped.get_or_insert(why);
        self.writer.sender.stop.cancel();
    }

    /// Commits how far every change is done.
    fn commit(&mut self) -> Result<()> {
        if let Some(settling) = &mut self.settling {
            settling.is_due = true;
            return Ok(());
        }
        let began = Instant::now();
        let letters = self.watermark.take_letters();
        self.letters.write(&letters)?;
        if !self.checkpoint.has_state() && self.letters.are_objects() {
            self.letters.sync()?;
        }
        let committed = self
            .checkpoint
            .commit(&self.watermark, &self.source, &mut self.letters)?;
        if committed {
            self.observer.observe(&ReplayEvent::Committed);
            self.monitor.committed(began, began.elapsed());
        }
        Ok(())
    }

    /// What is applied, and where the source is by that.
    fn applied(
        &self,
    ) -> (
        monitor::Applied,
        impl Iterator<Item = (RangeId, Option<u64>)>,
    ) {
        let counts = self.observer.counts();
        let position = self.watermark.position();
        let applied = monitor::Applied {
            changes: vec![
                ("create", counts.created),
                ("replace", counts.replaced),
                ("delete", counts.deleted),
                ("unchanged", counts.unchanged),
                ("kept", counts.kept),
                ("drop", counts.dropped),
                ("refuse", counts.refused),
            ],
            bytes: counts.bytes,
            retries: counts.retries,
            dead_letters: counts.letters,
            pending: self.watermark.taken() - self.watermark.done_through(),
            done: self.source.done(position),
        };
        let ranges = position.feed.iter().flat_map(|feed| feed.ranges.iter());
        let lsn = |range: &RangeState| range.position.as_ref().and_then(|position| position.lsn);
        (applied, ranges.map(move |range| (range.id, lsn(range))))
    }

    fn progress(&self) -> Progress {
        let counts = self.observer.counts();
        Progress {
            documents: counts.changes(),
            bytes: counts.bytes,
            request_charge: counts.request_units(),
            done: self.source.done(self.watermark.position()),
        }
    }
}

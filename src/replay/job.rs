//! The job: takes changes from the source, starts writes, notes what came of them, and commits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::change::{Change, Defect};
use super::dead_letters::DeadLetters;
use super::feed::{Delivery, Taken};
use super::interpreter::Meaning;
use super::lanes::{Lanes, Progress};
use super::origin::Origin;
use super::position::{InputPosition, Standing};
use super::schedule;
use super::state::{ReplayState, StateFile};
use super::writer::{Applied, Trouble, Writer};
use crate::error::{ExitCode, usage};
use crate::report::{self, PROGRESS_INTERVAL, Rates, Report};
use crate::settings::{ReplayPlan, Speed};
use crate::signal::Shutdown;

/// The shortest time between two commits.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// How many bytes of changes may wait to be applied.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// How many documents without a partition key are read, when there is none with one, before the
/// target is taken to be the wrong one.
const MAX_UNKEYED: u64 = 1000;

/// What became of changes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) created: u64,
    pub(super) replaced: u64,
    pub(super) deleted: u64,
    pub(super) unchanged: u64,
    pub(super) kept: u64,
    pub(super) dropped: u64,
    pub(super) bytes: u64,
    pub(super) commits: u64,
}

impl Counts {
    /// All changes that were applied or needed not be.
    pub(super) fn changes(&self) -> u64 {
        self.created + self.replaced + self.deleted + self.unchanged + self.kept + self.dropped
    }

    fn add(&mut self, applied: Applied, bytes: usize) {
        self.bytes += bytes as u64;
        *match applied {
            Applied::Created => &mut self.created,
            Applied::Replaced => &mut self.replaced,
            Applied::Deleted => &mut self.deleted,
            Applied::Unchanged => &mut self.unchanged,
            Applied::Kept => &mut self.kept,
        } += 1;
    }
}

/// A change that waits or is under way.
struct Pending {
    number: u64,
    change: Change,
    json: Bytes,
    at: InputPosition,
}

/// A document without a partition key.
struct Unkeyed {
    number: u64,
    json: Bytes,
    at: InputPosition,
    defect: Defect,
}

/// What is to be told of having caught up with a source that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CaughtUp {
    /// Nothing, or nothing more.
    Silent,
    /// Once it is read.
    Awaited,
    /// Once so many changes are done.
    After(u64),
}

/// Writes of one partition key that have ended.
struct Ended {
    run: Vec<Pending>,
    /// Of those that were tried, which is all up to the first that failed.
    outcomes: Vec<Result<Applied, Trouble>>,
}

/// The state, and what of it is saved.
#[derive(Debug)]
pub(super) struct Saved {
    file: Option<StateFile>,
    state: ReplayState,
    /// The number of changes of this run that the state in the file covers.
    done_through: u64,
}

impl Saved {
    pub(super) fn new(file: Option<StateFile>, state: ReplayState) -> Self {
        Self {
            file,
            done_through: 0,
            state,
        }
    }
}

/// How a job ended.
pub(super) struct Ending {
    pub(super) counts: Counts,
    pub(super) letters: DeadLetters,
    pub(super) writer: Arc<Writer>,
    /// Why it stopped before the end of the source, if it did.
    pub(super) stopped: Option<Stopped>,
}

/// Why a job stopped early.
pub(super) enum Stopped {
    Signal(ExitCode),
    TooManyRefused,
    Failed(anyhow::Error),
}

/// A replay that is under way.
pub(super) struct Job {
    writer: Arc<Writer>,
    origin: Origin,
    source: mpsc::Receiver<Result<Delivery>>,
    source_open: bool,
    lanes: Lanes<Pending>,
    progress: Progress<Standing>,
    caught_up: CaughtUp,
    writes: JoinSet<Ended>,
    /// Bytes of changes that wait or are under way.
    waiting_bytes: usize,
    /// Records without a partition key that were read before any with one; none once that is known.
    unkeyed: Option<VecDeque<Unkeyed>>,
    letters: DeadLetters,
    saved: Saved,
    counts: Counts,
    pace: Pace,
    window: u64,
    checkpoint_interval: Duration,
    stopped: Option<Stopped>,
}

/// How many writes are under way: fewer after throttling, then by and by more again.
struct Pace {
    max: usize,
    now: usize,
    throttled: u64,
    changed: Instant,
    clean: usize,
}

impl Pace {
    /// The service is asked for less no more often than it can have noticed.
    const PAUSE: Duration = Duration::from_millis(100);

    fn new(max: usize) -> Self {
        Self {
            max,
            now: max,
            throttled: 0,
            changed: Instant::now(),
            clean: 0,
        }
    }

    /// A write has ended, and in all so many requests were throttled.
    fn note(&mut self, throttled: u64) {
        if throttled > self.throttled {
            self.throttled = throttled;
            self.clean = 0;
            if self.changed.elapsed() > Self::PAUSE {
                self.now = (self.now * 3 / 4).max(1);
                self.changed = Instant::now();
            }
            return;
        }
        self.clean += 1;
        if self.clean >= self.now && self.now < self.max {
            self.now += 1;
            self.clean = 0;
        }
    }
}

impl Job {
    pub(super) fn new(
        writer: Arc<Writer>,
        origin: Origin,
        source: mpsc::Receiver<Result<Delivery>>,
        letters: DeadLetters,
        saved: Saved,
        plan: &ReplayPlan,
    ) -> Self {
        let (position, feed) = (saved.state.position, saved.state.feed.clone());
        let follows = plan.feed.as_ref().is_some_and(|feed| feed.follow);
        Self {
            source: match plan.speed {
                Speed::Max => source,
                Speed::Times(speed) => schedule::in_time(source, speed),
            },
            source_open: true,
            lanes: Lanes::default(),
            progress: Progress::new(Standing { position, feed }),
            caught_up: if follows {
                CaughtUp::Awaited
            } else {
                CaughtUp::Silent
            },
            writes: JoinSet::new(),
            waiting_bytes: 0,
            unkeyed: (position == InputPosition::default()).then(VecDeque::new),
            counts: Counts::default(),
            pace: Pace::new(plan.concurrency),
            window: plan.checkpoint_changes,
            checkpoint_interval: plan.checkpoint_interval,
            stopped: None,
            writer,
            origin,
            letters,
            saved,
        }
    }

    /// Runs the job to its end, or until it is stopped. What is done by then is committed.
    ///
    /// # Errors
    ///
    /// If it cannot be committed.
    pub(super) async fn run(mut self, report: &Report, shutdown: &Shutdown) -> Result<Ending> {
        let mut commit = tokio::time::interval(self.checkpoint_interval.max(SHORTEST_INTERVAL));
        commit.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut show = tokio::time::interval(PROGRESS_INTERVAL);
        show.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rates = Rates::default();
        report.start_progress(self.origin.done().is_some())?;
        // From here on there is a state, whatever happens.
        self.commit()?;
        loop {
            self.start_writes();
            self.tell_caught_up(report);
            if self.writes.is_empty() && (!self.source_open || self.stopped.is_some()) {
                break;
            }
            if self.unsaved() >= self.window / 2 && self.saved.file.is_some() {
                self.commit()?;
            }
            let may_take = self.source_open && self.stopped.is_none() && self.has_room();
            tokio::select! {
                () = shutdown.requested(), if self.stopped.is_none() => {
                    let code = shutdown.reason().unwrap_or(ExitCode::Interrupted);
                    self.stop(Stopped::Signal(code));
                }
                Some(ended) = self.writes.join_next() => self.ended(ended, report)?,
                delivered = self.source.recv(), if may_take => self.receive(delivered, report, shutdown),
                _ = commit.tick() => self.commit()?,
                _ = show.tick() => report.show_progress(&self.shown(), &mut rates),
            }
        }
        // A stop ends the writes themselves, so the last of them may end before the stop is seen above.
        if let Some(code) = shutdown.reason()
            && self.progress.done_through() < self.progress.taken()
        {
            self.stop(Stopped::Signal(code));
        }
        self.commit()?;
        if self.saved.file.is_none() {
            // Nobody will come to them again.
            let left = self.progress.take_letters_after_gaps();
            self.letters.write(&left)?;
            self.letters.sync()?;
        }
        Ok(Ending {
            counts: self.counts,
            letters: self.letters,
            writer: self.writer,
            stopped: self.stopped,
        })
    }

    /// Starts as many writes as may be under way.
    fn start_writes(&mut self) {
        while self.stopped.is_none() && self.writes.len() < self.pace.now {
            let writer = &self.writer;
            let joins = |run: &[Pending], next: &Pending| {
                writer.may_join(run.iter().map(|pending| &pending.change), &next.change)
            };
            let Some(run) = self.lanes.next(joins) else {
                return;
            };
            let writer = Arc::clone(writer);
            self.writes.spawn(async move {
                let changes: Vec<&Change> = run.iter().map(|pending| &pending.change).collect();
                let outcomes = writer.apply_in_order(&changes).await;
                Ended { run, outcomes }
            });
        }
    }

    /// Whether another change may be taken: what is taken has to be kept in memory, and after a
    /// crash what is beyond the saved position comes again.
    fn has_room(&self) -> bool {
        let beyond = match self.saved.file {
            Some(_) => self.saved.done_through,
            None => self.progress.done_through(),
        };
        self.waiting_bytes < MAX_WAITING_BYTES && self.progress.taken() - beyond < self.window
    }

    fn unsaved(&self) -> u64 {
        self.progress.done_through() - self.saved.done_through
    }

    /// The source has something to say, or is at its end.
    fn receive(
        &mut self,
        delivered: Option<Result<Delivery>>,
        report: &Report,
        shutdown: &Shutdown,
    ) {
        match delivered {
            Some(Ok(Delivery::Record(taken))) => self.take(taken, report),
            Some(Ok(Delivery::Passed(step))) => self.progress.pass(step),
            Some(Ok(Delivery::CaughtUp)) => {
                self.settle_unkeyed();
                if self.caught_up == CaughtUp::Awaited {
                    self.caught_up = CaughtUp::After(self.progress.taken());
                }
            }
            Some(Err(error)) => self.stop(Stopped::Failed(error)),
            None => {
                self.source_open = false;
                match (&self.origin, shutdown.reason()) {
                    // It was the stop that ended it, and it may be seen here first.
                    (Origin::Container { .. }, Some(code)) => self.stop(Stopped::Signal(code)),
                    _ => self.settle_unkeyed(),
                }
            }
        }
    }

    /// Tells, once, that everything is done that there was.
    fn tell_caught_up(&mut self, report: &Report) {
        if let CaughtUp::After(changes) = self.caught_up
            && self.progress.done_through() >= changes
        {
            self.caught_up = CaughtUp::Silent;
            report.notice("caught up with the source; new changes are applied as they come");
        }
    }

    /// A record came from the source.
    fn take(&mut self, taken: Taken, report: &Report) {
        let at = taken.after.position;
        let number = self.progress.take(taken.after);
        match taken.meaning {
            Ok(Meaning::OutsideWindow) => {
                self.counts.kept += 1;
                self.progress.done(number, None);
            }
            Ok(Meaning::Dropped) => {
                self.counts.dropped += 1;
                self.progress.done(number, None);
            }
            Ok(Meaning::Change(change)) => {
                // The first with a partition key: those without are on their own.
                for other in self.unkeyed.take().into_iter().flatten() {
                    let reason = &other.defect.reason;
                    self.refuse(other.number, &other.json, other.at, reason, report);
                }
                self.waiting_bytes += taken.json.len();
                let key = change.item.key.clone();
                let pending = Pending {
                    number,
                    change,
                    json: taken.json,
                    at,
                };
                self.lanes.push(&key, pending);
            }
            Err(defect) => match &mut self.unkeyed {
                Some(unkeyed) if defect.lacks_key => {
                    unkeyed.push_back(Unkeyed {
                        number,
                        json: taken.json,
                        at,
                        defect,
                    });
                    // More cannot be taken before these are done.
                    if unkeyed.len() as u64 >= MAX_UNKEYED.min(self.window) {
                        self.settle_unkeyed();
                    }
                }
                _ => self.refuse(number, &taken.json, at, &defect.reason, report),
            },
        }
    }

    /// If documents have come, and all of them without a value at the partition key's path, then the
    /// target has another partition key than the source. Nothing was written then.
    fn settle_unkeyed(&mut self) {
        let Some((count, first)) = self
            .unkeyed
            .as_ref()
            .and_then(|unkeyed| Some((unkeyed.len(), unkeyed.front()?)))
        else {
            return;
        };
        let paths = self.writer.client.partition_key_definition().paths();
        let error = usage(
            format!(
                "the target has another partition key than the source: {count} documents were read, and \
                 none has a value at `{}`; the first: {}: {}",
                paths.join("`, `"),
                self.origin.place(first.at),
                first.defect.reason
            ),
            "replay into a container that has the partition key of the source",
        );
        self.stop(Stopped::Failed(error));
    }

    /// The change `number` is refused, which is done with that.
    fn refuse(
        &mut self,
        number: u64,
        json: &Bytes,
        at: InputPosition,
        reason: &str,
        report: &Report,
    ) {
        let place = self.origin.place(at);
        let letter = self.letters.refuse(json, &place, reason, report);
        self.progress.done(number, letter);
        if self.letters.are_too_many() {
            self.stop(Stopped::TooManyRefused);
        }
    }

    /// Writes have ended.
    fn ended(
        &mut self,
        ended: Result<Ended, tokio::task::JoinError>,
        report: &Report,
    ) -> Result<()> {
        let Ended { run, outcomes } = ended?;
        self.pace.note(self.writer.meter.throttled());
        let key = run[0].change.item.key.clone();
        for (pending, outcome) in run.into_iter().zip(outcomes) {
            self.waiting_bytes -= pending.json.len();
            // Its key stays blocked: nothing of it may be applied before this.
            if !self.outcome(&pending, outcome, report) {
                return Ok(());
            }
        }
        self.lanes.done(&key);
        Ok(())
    }

    /// Notes what came of a change; whether those after it may be applied.
    fn outcome(
        &mut self,
        pending: &Pending,
        outcome: Result<Applied, Trouble>,
        report: &Report,
    ) -> bool {
        let item = &pending.change.item;
        match outcome {
            Ok(applied) => {
                self.counts.add(applied, pending.json.len());
                self.progress.done(pending.number, None);
            }
            Err(Trouble::Refused(reason)) => {
                let reason = format!("item {:?}: {reason}", item.id);
                self.refuse(pending.number, &pending.json, pending.at, &reason, report);
            }
            Err(Trouble::Stopped) => return false,
            Err(Trouble::Failed(error)) => {
                let what = format!(
                    "cannot apply the change of item {:?} ({})",
                    item.id,
                    self.origin.place(pending.at)
                );
                self.stop(Stopped::Failed(error.context(what)));
                return false;
            }
        }
        true
    }

    /// Nothing is begun any more, and nothing waits; what is under way is brought to its end.
    fn stop(&mut self, why: Stopped) {
        self.stopped.get_or_insert(why);
        self.writer.stop.cancel();
    }

    /// Saves how far everything is done.
    fn commit(&mut self) -> Result<()> {
        let letters = self.progress.take_letters();
        self.letters.write(&letters)?;
        let Some(file) = &self.saved.file else {
            return Ok(());
        };
        let state = &mut self.saved.state;
        let done_through = self.progress.done_through();
        let standing = self.progress.position();
        if state.generation > 0
            && done_through == self.saved.done_through
            && state.feed == standing.feed
        {
            return Ok(());
        }
        if let Origin::Files(files) = &self.origin {
            for index in state.inputs.len()..=standing.position.input {
                if let Some(input) = files.inputs.get(index) {
                    state.inputs.extend(input.fingerprint(None)?);
                }
            }
        }
        state.generation += 1;
        state.position = standing.position;
        state.feed.clone_from(&standing.feed);
        state.dead_letters = self.letters.sync()?;
        state.changes += done_through - self.saved.done_through;
        file.commit(state)?;
        self.saved.done_through = done_through;
        self.counts.commits += 1;
        Ok(())
    }

    fn shown(&self) -> report::Progress {
        report::Progress {
            documents: self.counts.changes(),
            bytes: self.counts.bytes,
            request_charge: self.writer.meter.request_units(),
            done: self.origin.done(),
        }
    }
}

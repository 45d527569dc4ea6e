//! The job: takes changes from the source, starts writes, notes what came of them, and commits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::change::Change;
use super::dead_letters::DeadLetters;
use super::feed::{self, Taken};
use super::interpreter::{Interpreter, Meaning};
use super::lanes::{Lanes, Progress};
use super::schedule;
use super::state::{Position, ReplayState, StateFile};
use super::writer::{Applied, Trouble, Writer};
use crate::error::{ExitCode, usage};
use crate::plan::{ReplayPlan, Speed};
use crate::report::{self, PROGRESS_INTERVAL, Rates, Report};
use crate::signal::Shutdown;
use crate::source::{BytesRead, Inputs};

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
    at: Position,
}

/// A write that has ended.
struct Ended {
    pending: Pending,
    outcome: Result<Applied, Trouble>,
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
    inputs: Arc<Vec<crate::source::Input>>,
    names: Vec<String>,
    total_bytes: u64,
    bytes_read: BytesRead,
    source: mpsc::Receiver<Result<Taken>>,
    source_open: bool,
    lanes: Lanes<Pending>,
    progress: Progress<Position>,
    writes: JoinSet<Ended>,
    /// Bytes of changes that wait or are under way.
    waiting_bytes: usize,
    /// Records without a partition key that were read before any with one; none once that is known.
    unkeyed: Option<VecDeque<(u64, Taken)>>,
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
        inputs: Inputs,
        interpreter: Interpreter,
        letters: DeadLetters,
        saved: Saved,
        plan: &ReplayPlan,
    ) -> Self {
        let total_bytes = match inputs.have_standard_input() {
            true => 0,
            false => inputs.total_bytes(),
        };
        let inputs = Arc::new(inputs.inputs);
        let bytes_read = BytesRead::default();
        let position = saved.state.position;
        let source = feed::read(
            Arc::clone(&inputs),
            position,
            interpreter,
            bytes_read.clone(),
        );
        Self {
            names: inputs.iter().map(ToString::to_string).collect(),
            total_bytes,
            source: match plan.speed {
                Speed::Max => source,
                Speed::Times(speed) => schedule::in_time(source, speed),
            },
            source_open: true,
            lanes: Lanes::default(),
            progress: Progress::new(position),
            writes: JoinSet::new(),
            waiting_bytes: 0,
            unkeyed: (position == Position::default()).then(VecDeque::new),
            counts: Counts::default(),
            pace: Pace::new(plan.concurrency),
            window: plan.checkpoint_changes,
            checkpoint_interval: plan.checkpoint_interval,
            stopped: None,
            writer,
            inputs,
            bytes_read,
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
        report.start_progress(self.total_bytes > 0)?;
        // From here on there is a state, whatever happens.
        self.commit()?;
        loop {
            self.start_writes();
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
                taken = self.source.recv(), if may_take => self.take(taken, report),
                _ = commit.tick() => self.commit()?,
                _ = show.tick() => report.show_progress(&self.shown(), &mut rates),
            }
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
            let Some(pending) = self.lanes.next() else {
                return;
            };
            let writer = Arc::clone(&self.writer);
            self.writes.spawn(async move {
                let outcome = writer.apply(&pending.change).await;
                Ended { pending, outcome }
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

    /// A record came from the source, or its end.
    fn take(&mut self, taken: Option<Result<Taken>>, report: &Report) {
        let taken = match taken {
            Some(Ok(taken)) => taken,
            Some(Err(error)) => return self.stop(Stopped::Failed(error)),
            None => {
                self.source_open = false;
                return self.settle_unkeyed();
            }
        };
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
                for (number, taken) in self.unkeyed.take().into_iter().flatten() {
                    if let Err(defect) = &taken.meaning {
                        self.refuse(number, &taken.json, taken.after, &defect.reason, report);
                    }
                }
                self.waiting_bytes += taken.json.len();
                let key = change.item.key.clone();
                let pending = Pending {
                    number,
                    change,
                    json: taken.json,
                    at: taken.after,
                };
                self.lanes.push(&key, pending);
            }
            Err(defect) => match &mut self.unkeyed {
                Some(unkeyed) if defect.lacks_key => {
                    let taken = Taken {
                        json: taken.json,
                        meaning: Err(defect),
                        after: taken.after,
                    };
                    unkeyed.push_back((number, taken));
                    // More cannot be taken before these are done.
                    if unkeyed.len() as u64 >= MAX_UNKEYED.min(self.window) {
                        self.settle_unkeyed();
                    }
                }
                _ => self.refuse(number, &taken.json, taken.after, &defect.reason, report),
            },
        }
    }

    /// If documents have come, and all of them without a value at the partition key's path, then the
    /// target has another partition key than the source. Nothing was written then.
    fn settle_unkeyed(&mut self) {
        let Some((count, (_, first))) = self
            .unkeyed
            .as_ref()
            .and_then(|unkeyed| Some((unkeyed.len(), unkeyed.front()?)))
        else {
            return;
        };
        let Err(defect) = &first.meaning else {
            return;
        };
        let paths = self.writer.client.partition_key_definition().paths();
        let error = usage(
            format!(
                "the target has another partition key than the source: {count} documents were read, and \
                 none has a value at `{}`; the first: {}, line {}: {}",
                paths.join("`, `"),
                self.names[first.after.input],
                first.after.mark.line,
                defect.reason
            ),
            "replay into a container that has the partition key of the source",
        );
        self.stop(Stopped::Failed(error));
    }

    /// The change `number` is refused, which is done with that.
    fn refuse(&mut self, number: u64, json: &Bytes, at: Position, reason: &str, report: &Report) {
        let source = &self.names[at.input];
        let letter = self
            .letters
            .refuse(json, source, at.mark.line, reason, report);
        self.progress.done(number, letter);
        if self.letters.are_too_many() {
            self.stop(Stopped::TooManyRefused);
        }
    }

    /// A write has ended.
    fn ended(
        &mut self,
        ended: Result<Ended, tokio::task::JoinError>,
        report: &Report,
    ) -> Result<()> {
        let Ended { pending, outcome } = ended?;
        self.waiting_bytes -= pending.json.len();
        self.pace.note(self.writer.meter.throttled());
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
            // Its key stays blocked: nothing of it may be applied before this.
            Err(Trouble::Stopped) => return Ok(()),
            Err(Trouble::Failed(error)) => {
                let Position { input, mark } = pending.at;
                let what = format!(
                    "cannot apply the change of item {:?} ({}, line {})",
                    item.id, self.names[input], mark.line
                );
                self.stop(Stopped::Failed(error.context(what)));
                return Ok(());
            }
        }
        self.lanes.done(&item.key);
        Ok(())
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
        if state.generation > 0 && done_through == self.saved.done_through {
            return Ok(());
        }
        let position = *self.progress.position();
        for index in state.inputs.len()..=position.input {
            if let Some(input) = self.inputs.get(index) {
                state.inputs.extend(input.fingerprint(None)?);
            }
        }
        state.generation += 1;
        state.position = position;
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
            done: (self.total_bytes > 0)
                .then(|| self.bytes_read.get() as f64 / self.total_bytes as f64),
        }
    }
}

//! Runs a job: takes the events of the reader, hands pages to the sink, and commits.
//!
//! One task owns the ledger. A running commit holds the ledger, while pages are still read and written:
//! those come after the checkpoint and belong to the next commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::buffers::EVENTS;
use super::commit_slot::{CommitSlot, Committed};
use super::definition::Unread;
use super::open_layout::{OpenLayout, has_rows};
use super::options::{commits_within_files, reader_options, sink_options};
use super::timers::{interval, tick};
use super::uncommitted::Uncommitted;
use super::watch::{Watch, WatchEnd, watch_end};
use super::{Connected, sample};
use crate::clock;
use crate::destination::{Destination, Kind, Recovery};
use crate::error::ExitCode;
use crate::failpoint;
use crate::feed::page::Page;
use crate::feed::{FeedMode, FeedRange, Position, RangeId, RangeState};
use crate::format::NewEncoder;
use crate::observe::{Counts, Event, Observer, Observers};
use crate::reader::{self, ReadEnd, Reader, ReaderEvent, ReaderOptions, Shard};
use crate::report::{PROGRESS_INTERVAL, Report};
use crate::signal::{Reloads, Shutdown};
use crate::sink::{PageToWrite, Seal, Sink};
use crate::state::ledger::{Ledger, OLDEST};
use crate::state::model::{Settings, State};

/// How often it is looked whether the time of open files has passed. The clock may jump, so that is not waited for.
const PARTITION_LOOK: Duration = Duration::from_secs(1);

/// A job that is ready to run.
pub(super) struct Job<'a> {
    pub(super) connected: Connected,
    pub(super) ledger: Ledger,
    /// The settings of this run. The state can have others.
    pub(super) settings: Settings,
    pub(super) destination: Arc<dyn Destination>,
    pub(super) next_parts: HashMap<u32, u32>,
    pub(super) recovery: Recovery,
    pub(super) encoders: Box<NewEncoder>,
    pub(super) end: ReadEnd,
    /// What may end a tail.
    pub(super) watch: Option<Watch>,
    /// Who reports what happens.
    pub(super) observers: Vec<Box<dyn Observer + 'a>>,
    /// The layout that the first documents decide, if it is not known yet.
    pub(super) open_layout: Option<OpenLayout>,
    /// Request units charged before the job.
    pub(super) request_charge: f64,
    /// What of the container's definition could not be read.
    pub(super) unread: Unread,
}

/// A job that has run.
pub(super) struct Finished {
    pub(super) state: State,
    pub(super) failures: Vec<(RangeId, anyhow::Error)>,
    pub(super) counts: Counts,
    /// What stopped it, if it did not run to its end.
    pub(super) stop: Option<Stop>,
}

/// What stops a job before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A signal; the process exits with its code.
    Signal(ExitCode),
    /// What [`Watch`] found.
    Watched(WatchEnd),
}

/// Runs a job to its end, or until it is stopped.
pub(super) struct Coordinator<'a> {
    report: &'a Report,
    sink: Arc<Sink>,
    commit: CommitSlot,
    uncommitted: Uncommitted,
    settings: Settings,
    series_by_range: bool,
    /// The ranges as they are after everything that was handed to the sink.
    ranges: HashMap<RangeId, RangeState>,
    observers: Observers<'a>,
    failures: Vec<(RangeId, anyhow::Error)>,
    watch: Option<Watch>,
    watch_end: Option<WatchEnd>,
    open_layout: Option<OpenLayout>,
    connected: Connected,
    mode: FeedMode,
    /// Whether the one part grows under its own name, so that it is never finished.
    grows: bool,
    commits_within_files: bool,
    stop: CancellationToken,
    reloads: Reloads,
    /// Whether files are finished when the time of their partition has passed.
    has_partitions: bool,
    destination: Arc<dyn Destination>,
    /// When the latest commit ended, by the clock.
    committed_at: OffsetDateTime,
}

impl<'a> Coordinator<'a> {
    /// Runs `job`.
    pub(super) async fn run(
        mut job: Job<'a>,
        report: &'a Report,
        shutdown: &Shutdown,
    ) -> Result<Finished> {
        // The first generation is committed before any output exists, so that a state covers whatever a
        // crash leaves behind.
        let began = Instant::now();
        job.ledger.commit()?;
        let took = began.elapsed();
        let state = job.ledger.state().clone();
        let settings = job.settings;
        let (failed, mut failures) = mpsc::unbounded_channel();
        let series_by_range = job.destination.kind().has_series_of_ranges();
        let concurrency = reader::concurrency(settings.concurrency);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let bound = job.connected.client.traffic().bound();
        let threads = match bound {
            _ if !series_by_range => 1,
            // Other jobs have threads too.
            Some(_) => cores.min(concurrency).min(state.ranges.len()),
            None => cores.min(concurrency),
        };
        let jobs = bound.map_or(1, |bound| bound.jobs);
        let sink = Sink::start(
            &job.destination,
            sink_options(&state, &settings, job.destination.as_ref(), jobs),
            job.encoders,
            threads,
            &job.next_parts,
            &job.recovery.resumed,
            &failed,
        )?;
        drop(failed);
        let mut this = Self {
            report,
            sink: Arc::new(sink),
            commit: CommitSlot::new(job.ledger),
            uncommitted: Uncommitted::new(!job.recovery.resumed.is_empty()),
            settings: settings.clone(),
            series_by_range,
            ranges: HashMap::new(),
            observers: Observers::new(job.observers),
            failures: Vec::new(),
            watch: job.watch,
            watch_end: None,
            open_layout: job.open_layout,
            connected: job.connected,
            mode: state.options.mode,
            grows: job.destination.kind() == Kind::Growing,
            commits_within_files: commits_within_files(&state, job.destination.as_ref()),
            stop: shutdown.child_token(),
            reloads: shutdown.reload_requests(),
            has_partitions: state.options.partition_by.is_some(),
            destination: Arc::clone(&job.destination),
            committed_at: clock::now(),
        };
        this.committed(Committed {
            published: 0,
            began,
            took,
        });
        this.observers.emit(&Event::Charged {
            request_charge: job.request_charge,
        });
        if this.watch.is_none() {
            report.start_progress(!settings.follow)?;
        }
        let (events, mut received) = mpsc::channel(EVENTS);
        let options = reader_options(&state, &settings, concurrency, job.end)?;
        let shards = this.shards(&state, &options);
        let client = Arc::clone(&this.connected.client);
        let seen = state.ranges.snapshot_ends();
        let stop = this.stop.clone();
        let reader = Reader::start_after(client, shards, seen, options, events, stop);
        let ended = this.take_events(&mut received, &mut failures).await;
        // Whatever ended it: nothing more is fetched, and no pending reply is sent.
        this.stop.cancel();
        drop(received);
        let joined = reader.join().await;
        // The error of a writer is more specific than that of the commit that notices it, which may be the last one.
        if let Ok(cause) = failures.try_recv() {
            return Err(cause);
        }
        ended.and(joined)?;
        let stop = shutdown.reason().map(Stop::Signal);
        let stop = stop.or(this.watch_end.map(Stop::Watched));
        this.finish(stop, &mut failures).await
    }

    fn shards(&mut self, state: &State, options: &ReaderOptions) -> Vec<Shard> {
        let mut shards = Vec::with_capacity(state.ranges.len());
        for range in &state.ranges {
            self.ranges.insert(range.id, range.place());
            if range.is_done() {
                continue;
            }
            self.observers.emit(&Event::Added { range });
            let (bounds, position) = (range.range.clone(), range.position.clone());
            if let (None, Some(watch)) = (&position, &mut self.watch) {
                watch.awaits(range.id);
            }
            let shard = Shard::new(range.id, bounds, position, options);
            let shard = if range.snapshot {
                shard.of_snapshot()
            } else {
                shard
            };
            shards.push(shard.pinned_before(range.end.clone()));
        }
        shards
    }

    /// Takes events until the reader has ended.
    async fn take_events(
        &mut self,
        events: &mut mpsc::Receiver<ReaderEvent>,
        failures: &mut mpsc::UnboundedReceiver<anyhow::Error>,
    ) -> Result<()> {
        let mut commit_timer =
            interval(Duration::from_millis(self.settings.checkpoint_interval_ms));
        let mut rotation_timer = self
            .settings
            .rotate_interval_ms
            .map(|milliseconds| interval(Duration::from_millis(milliseconds)));
        let mut partition_timer = self.has_partitions.then(|| interval(PARTITION_LOOK));
        let mut progress_timer = interval(PROGRESS_INTERVAL);
        loop {
            self.announce().await?;
            tokio::select! {
                biased;
                // A writer that failed has written nothing since, so no commit may follow.
                Some(error) = failures.recv() => return Err(error),
                committed = self.commit.ended() => self.committed(committed?),
                _ = commit_timer.tick(), if self.uncommitted.is_dirty && self.commit.is_idle() => {
                    self.begin_commit()?;
                }
                () = tick(&mut rotation_timer), if self.uncommitted.has_rows_to_rotate => {
                    self.rotate()?;
                }
                () = tick(&mut partition_timer), if self.commit.is_idle() => {
                    if self.destination.has_past() {
                        self.begin_commit()?;
                    }
                }
                () = self.reloads.next() => self.reload()?,
                _ = progress_timer.tick() => {
                    self.observers.emit(&Event::Tick);
                    self.renew()?;
                }
                end = watch_end(&mut self.watch), if self.watch_end.is_none() => {
                    // Events that have arrived are still taken, until the reader has ended.
                    self.watch_end = Some(end);
                    self.stop.cancel();
                }
                event = events.recv() => match event {
                    Some(event) => self.take(event).await?,
                    None => return Ok(()),
                },
            }
        }
    }

    async fn take(&mut self, event: ReaderEvent) -> Result<()> {
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
                self.decide_layout(&page).await?;
                self.observers.emit(&Event::Page {
                    range,
                    page: &page,
                    lsn: position.lsn,
                    highest_lsn,
                    partition: &partition,
                    request_charge,
                });
                if let Some(watch) = &mut self.watch {
                    watch.page(range, &page);
                }
                self.uncommitted.page(range, &page, highest_lsn);
                let page = PageToWrite {
                    before: self.advance(range, &position)?,
                    page,
                    position,
                    request_charge,
                    permit,
                };
                self.sink.write(self.series_of(range), page);
                self.commit_if_due().await?;
            }
            ReaderEvent::Replaced {
                parent,
                children,
                reply,
            } => self.replace(parent, children, reply).await?,
            ReaderEvent::CaughtUp { range } => self.observers.emit(&Event::CaughtUp { range }),
            ReaderEvent::Finished { range, end } => {
                self.observers.emit(&Event::Finished { range });
                self.uncommitted.ended(range, end);
                if self.series_by_range {
                    self.uncommitted.to_seal.push(range.0);
                }
            }
            ReaderEvent::Failed { range, error } => self.note_failure(range, error)?,
            ReaderEvent::Pinned {
                range,
                position_lsn,
                end,
            } => {
                self.observers.emit(&Event::Pinned {
                    range,
                    position_lsn,
                    end: &end,
                });
                // LSNs of different partitions cannot be compared.
                self.uncommitted.known_lsns.forget(range);
                self.uncommitted.ended(range, Some(end));
            }
            ReaderEvent::Charged { request_charge, .. } => {
                self.observers.emit(&Event::Charged { request_charge });
            }
            ReaderEvent::Recovered { range } => self.observers.emit(&Event::Recovered { range }),
            ReaderEvent::Retrying { range, notice } => {
                self.observers.emit(&Event::Retrying {
                    range,
                    notice: &notice,
                });
            }
        }
        Ok(())
    }

    /// Notes that a range cannot be read any further.
    fn note_failure(&mut self, range: RangeId, error: anyhow::Error) -> Result<()> {
        self.observers.emit(&Event::Failed {
            range,
            error: &error,
        });
        if self.watch.is_some() {
            // A tail without one of its ranges would hide that range's changes.
            return Err(error.context(format!("cannot continue to read range {range}")));
        }
        self.failures.push((range, error));
        Ok(())
    }

    /// Moves a range to `position`. Returns it as it was before.
    fn advance(&mut self, range: RangeId, position: &Position) -> Result<RangeState> {
        let known = self.ranges.get_mut(&range);
        let known = known.with_context(|| format!("a page of the unknown range {range}"))?;
        let after = RangeState {
            position: Some(position.clone()),
            ..known.clone()
        };
        Ok(std::mem::replace(known, after))
    }

    /// Begins a commit if `checkpoint_bytes` have come since the last one.
    async fn commit_if_due(&mut self) -> Result<()> {
        if self.uncommitted.bytes >= self.settings.checkpoint_bytes && self.commit.is_idle() {
            self.begin_commit()?;
            if failpoint::is_lockstep() {
                self.await_commit().await?;
            }
        }
        Ok(())
    }

    /// Emits, once, that a tail is ready. With a state, its first position is committed first.
    async fn announce(&mut self) -> Result<()> {
        if !self.watch.as_ref().is_some_and(Watch::is_ready) {
            return Ok(());
        }
        self.commit_with(Seal::Nothing, |_| Ok(())).await?;
        if let Some(watch) = &mut self.watch {
            watch.begin();
        }
        self.observers.emit(&Event::Ready);
        Ok(())
    }

    /// Decides the layout, if it is still open, by the first page that has rows. It is committed before any
    /// of them is written, so that all files have the same columns.
    async fn decide_layout(&mut self, page: &Page) -> Result<()> {
        let Some(open) = self.open_layout.take_if(|_| has_rows(page, self.mode)) else {
            return Ok(());
        };
        let inferred = open.infer(&self.connected, page);
        let layout = sample::layout_of(&inferred, &open.options);
        let committed = layout.clone();
        self.commit_with(Seal::Nothing, move |ledger| {
            ledger.set_layout(committed);
            Ok(())
        })
        .await?;
        sample::report_inferred(&inferred, ", the first that came", self.report);
        open.layout.set(layout).ok();
        Ok(())
    }

    /// Finishes the open files, which then have their final names.
    fn rotate(&mut self) -> Result<()> {
        self.uncommitted.rotation_is_due = true;
        self.commit_soon()
    }

    /// Commits now, or with what comes next.
    fn commit_soon(&mut self) -> Result<()> {
        if self.commit.is_idle() {
            self.begin_commit()?;
        } else {
            // With the next commit, which comes soon.
            self.uncommitted.is_dirty = true;
        }
        Ok(())
    }

    /// Reloads what can be: the connection reads the account key again by itself.
    fn reload(&mut self) -> Result<()> {
        let rotates = self.series_by_range && self.uncommitted.has_rows_to_rotate;
        self.report.notice(if rotates {
            "reloading: the open files are finished"
        } else {
            "reloading"
        });
        if rotates { self.rotate() } else { Ok(()) }
    }

    /// The series that `range` is written to.
    fn series_of(&self, range: RangeId) -> u32 {
        if self.series_by_range { range.0 } else { 0 }
    }

    /// Begins a commit of all that has been handed to the sink so far.
    fn begin_commit(&mut self) -> Result<()> {
        let seal = self.uncommitted.take_seal();
        let (ends, known_lsns) = self.uncommitted.take();
        self.commit
            .begin(&self.sink, seal, ends, known_lsns, |_| Ok(()))
    }

    /// Commits what is committed once more, if that is a day old.
    fn renew(&mut self) -> Result<()> {
        match self.commit.is_idle() && clock::now() - self.committed_at >= OLDEST {
            true => self.begin_commit(),
            false => Ok(()),
        }
    }

    fn committed(&mut self, committed: Committed) {
        self.committed_at = clock::now();
        let Committed {
            published,
            began,
            took,
        } = committed;
        self.observers.emit(&Event::Committed {
            published,
            began,
            took,
        });
    }

    async fn await_commit(&mut self) -> Result<()> {
        if !self.commit.is_idle() {
            let committed = self.commit.ended().await?;
            self.committed(committed);
        }
        Ok(())
    }

    /// Commits now, together with a `change` of the ledger.
    async fn commit_with(
        &mut self,
        seal: Seal,
        change: impl FnOnce(&mut Ledger) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        self.await_commit().await?;
        let (ends, known_lsns) = self.uncommitted.take();
        self.commit
            .begin(&self.sink, seal, ends, known_lsns, change)?;
        self.await_commit().await
    }

    /// Replaces a range that was split by its children. One commit seals the parent's part and records the
    /// children, so that a crash leaves either the parent or all of its children.
    async fn replace(
        &mut self,
        parent: RangeId,
        children: Vec<(FeedRange, Option<Position>)>,
        reply: oneshot::Sender<Vec<RangeId>>,
    ) -> Result<()> {
        let mut to_seal = std::mem::take(&mut self.uncommitted.to_seal);
        if self.series_by_range {
            to_seal.push(parent.0);
        }
        let (sender, placed) = oneshot::channel();
        let shown = self.watch.as_ref().map(Watch::shown);
        self.commit_with(Seal::Series(to_seal), move |ledger| {
            // The children would begin after what was not shown. The next tail meets the split too.
            if shown.is_some_and(|shown| shown.is_cancelled()) {
                sender.send(None).ok();
                return Ok(());
            }
            // The receiver is gone if the job is being torn down.
            sender.send(Some(ledger.replace(parent, children)?)).ok();
            Ok(())
        })
        .await?;
        let placed = placed.await.context("a split was not committed")?;
        let Some(placed) = placed else {
            return Ok(());
        };
        let numbers: Vec<RangeId> = placed.iter().map(|child| child.id).collect();
        self.observers.emit(&Event::Split {
            parent,
            children: &placed,
        });
        if let Some(watch) = &mut self.watch {
            let unread = placed.iter().filter(|child| child.position.is_none());
            watch.replaced(parent, unread.map(|child| child.id));
        }
        self.ranges.remove(&parent);
        self.ranges
            .extend(placed.into_iter().map(|child| (child.id, child)));
        // The reader is gone if the job is being stopped; the children are committed nevertheless.
        reply.send(numbers).ok();
        Ok(())
    }

    /// Commits the rest, and publishes the last finished files.
    async fn finish(
        mut self,
        stop: Option<Stop>,
        failures: &mut mpsc::UnboundedReceiver<anyhow::Error>,
    ) -> Result<Finished> {
        let is_done = stop.is_none() && self.failures.is_empty() && !self.settings.follow;
        let seal = if self.grows {
            Seal::Nothing
        } else if is_done || self.settings.follow || !self.commits_within_files {
            // A run that follows ends by being stopped, so its files are finished then. A file that cannot
            // be committed before it is finished is finished now.
            Seal::End
        } else {
            Seal::Series(std::mem::take(&mut self.uncommitted.to_seal))
        };
        let committed = self
            .commit_with(seal, move |ledger| {
                ledger.set_finished(is_done);
                Ok(())
            })
            .await;
        // The error of a writer is more specific than that of the commit.
        if let Ok(error) = failures.try_recv() {
            return Err(error);
        }
        committed?;
        let counts = *self.observers.counts();
        let mut ledger = self.commit.into_ledger()?;
        // The state still lists parts that have been published since.
        let (ledger, cleaned) = tokio::task::spawn_blocking(move || {
            let cleaned = ledger.commit();
            (ledger, cleaned)
        })
        .await
        .context("a commit ended unexpectedly")?;
        cleaned?;
        Ok(Finished {
            state: ledger.state().clone(),
            failures: self.failures,
            counts,
            stop,
        })
    }
}

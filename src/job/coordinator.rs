//! The running of a job: takes what the reader has to say, hands pages to the sink, and commits.
//!
//! One task owns the ledger. While a commit is under way the ledger is with it, and pages flow on:
//! they are written behind the checkpoint and belong to the next commit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::buffers::{EVENTS, buffered_bytes};
use super::progress::Tracker;
use super::watch::{Watch, WatchEnd, watch_end};
use super::{Connected, feed_request, sample};
use crate::cosmos::retry::RetryLimit;
use crate::destination::{Destination, Kind, Recovery};
use crate::error::ExitCode;
use crate::failpoint;
use crate::feed::RangeState;
use crate::feed::page::Page;
use crate::feed::{FeedMode, FeedRange, PinnedEnd, Position, RangeId};
use crate::format::Compression;
use crate::format::Format;
use crate::format::NewEncoder;
use crate::reader::{self, ReadEnd, Reader, ReaderEvent, ReaderOptions, Shard};
use crate::report::{PROGRESS_INTERVAL, Progress, Rates, Report};
use crate::schema::{InferenceOptions, Place, TableLayout};
use crate::signal::Shutdown;
use crate::sink::PageToWrite;
use crate::sink::Seal;
use crate::sink::Sink;
use crate::sink::SinkOptions;
use crate::state::ledger::Ledger;
use crate::state::model::Settings;
use crate::state::model::State;

/// Bytes of rows that encoders may keep in memory, all of them together.
const ENCODER_MEMORY: usize = 64 << 20;
/// A job that is ready to run.
pub(super) struct Job {
    pub(super) connected: Connected,
    pub(super) ledger: Ledger,
    pub(super) destination: Arc<dyn Destination>,
    pub(super) next_parts: HashMap<u32, u32>,
    pub(super) recovery: Recovery,
    pub(super) encoders: Box<NewEncoder>,
    pub(super) end: ReadEnd,
    /// What a tail tells while it runs, and what may end it.
    pub(super) watch: Option<Watch>,
    /// The layout that the first documents decide, if it is not known yet.
    pub(super) open_layout: Option<OpenLayout>,
    /// Request units charged for what had to be known before.
    pub(super) request_charge: f64,
}

/// A layout that is still to be decided, by the first documents that come.
pub(super) struct OpenLayout {
    pub(super) options: InferenceOptions,
    /// Where encoders look for it.
    pub(super) layout: Arc<OnceLock<TableLayout>>,
}

/// A job that has run.
pub(super) struct Finished {
    pub(super) state: State,
    pub(super) failures: Vec<(RangeId, anyhow::Error)>,
    pub(super) counts: Counts,
    /// What stopped it, if it did not come to its own end.
    pub(super) stop: Option<Stop>,
}

/// What stops a job before its own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A signal; the process ends with its code.
    Signal(ExitCode),
    /// What [`Watch`] found.
    Watched(WatchEnd),
}

/// A commit that is under way: it has the ledger and gives it back.
type Commit = JoinHandle<(Ledger, Result<u64>)>;

/// Runs a job to its end, or until it is stopped.
pub(super) struct Coordinator<'a> {
    report: &'a Report,
    sink: Arc<Sink>,
    /// With the commit while one is under way.
    ledger: Option<Ledger>,
    commit: Option<Commit>,
    settings: Settings,
    series_by_range: bool,
    /// The ranges as they stand after what was handed to the sink.
    ranges: HashMap<RangeId, RangeState>,
    /// Ends of ranges that the next commit is to note.
    ends: HashMap<RangeId, PinnedEnd>,
    /// The highest LSNs that answers have named, of the partitions of ranges.
    known_lsns: KnownLsns,
    /// Series that a commit is to seal, since their range is finished.
    to_seal: Vec<u32>,
    /// Whether it is time to seal all of them.
    rotation_is_due: bool,
    /// Whether anything was written since that was done last.
    has_rows_to_rotate: bool,
    bytes_since_commit: u64,
    dirty: bool,
    tracker: Tracker,
    failures: Vec<(RangeId, anyhow::Error)>,
    counts: Counts,
    watch: Option<Watch>,
    watch_end: Option<WatchEnd>,
    open_layout: Option<OpenLayout>,
    connected: Connected,
    mode: FeedMode,
    /// Whether the one file grows under its own name, so that it is never finished.
    grows: bool,
    commits_within_files: bool,
    stop: CancellationToken,
}

/// What has been counted in this run.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) files: u64,
    pub(super) splits: u64,
    pub(super) retries: u64,
    pub(super) commits: u64,
    pub(super) request_charge: f64,
    pub(super) documents: u64,
    pub(super) bytes: u64,
}

impl<'a> Coordinator<'a> {
    /// Runs `job`.
    pub(super) async fn run(
        mut job: Job,
        report: &'a Report,
        shutdown: &Shutdown,
    ) -> Result<Finished> {
        // The first generation is committed before any output exists, so that whatever a crash
        // leaves behind has a state that knows of it.
        job.ledger.commit()?;
        let state = job.ledger.state().clone();
        let settings = state.settings.clone();
        let (failed, mut failures) = mpsc::unbounded_channel();
        let series_by_range = job.destination.kind().has_series_of_ranges();
        let concurrency = reader::concurrency(settings.concurrency);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if series_by_range {
            cores.min(concurrency)
        } else {
            1
        };
        let sink = Sink::start(
            &job.destination,
            sink_options(&state),
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
            ledger: Some(job.ledger),
            commit: None,
            settings: settings.clone(),
            series_by_range,
            ranges: HashMap::new(),
            ends: HashMap::new(),
            known_lsns: KnownLsns::default(),
            to_seal: Vec::new(),
            rotation_is_due: false,
            has_rows_to_rotate: !job.recovery.resumed.is_empty(),
            bytes_since_commit: 0,
            dirty: false,
            tracker: Tracker::default(),
            failures: Vec::new(),
            counts: Counts {
                commits: 1,
                request_charge: job.request_charge,
                ..Counts::default()
            },
            watch: job.watch,
            watch_end: None,
            open_layout: job.open_layout,
            connected: job.connected,
            mode: state.options.mode,
            grows: job.destination.kind() == Kind::Growing,
            commits_within_files: state.options.format.commits_within_files(),
            stop: shutdown.child_token(),
        };
        if this.watch.is_none() {
            report.start_progress(!settings.follow)?;
        }
        let (events, mut received) = mpsc::channel(EVENTS);
        let options = reader_options(&state, concurrency, job.end)?;
        let shards = this.shards(&state, &options);
        let client = Arc::clone(&this.connected.client);
        let reader = Reader::start(client, shards, options, events, this.stop.clone());
        let ended = this.take_events(&mut received, &mut failures).await;
        // Whatever ended it: nothing more is fetched, and what waits for a reply gets none.
        this.stop.cancel();
        drop(received);
        let joined = reader.join().await;
        // What made a writer fail says more than the commit that found it failed.
        if let (Err(_), Ok(cause)) = (&ended, failures.try_recv()) {
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
            self.tracker.add(range.id);
            if let Some(end) = &range.end {
                let position_lsn = range.position.as_ref().and_then(|position| position.lsn);
                self.tracker.pinned(range.id, position_lsn, end.lsn());
            }
            let (bounds, position) = (range.range.clone(), range.position.clone());
            if let (None, Some(watch)) = (&position, &mut self.watch) {
                watch.awaits(range.id);
            }
            let shard = Shard::new(range.id, bounds, position, options);
            shards.push(shard.pinned_before(range.end.clone()));
        }
        shards
    }

    /// Takes events until the reader has no more to say.
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
        let mut progress_timer = interval(PROGRESS_INTERVAL);
        let mut rates = Rates::default();
        loop {
            self.announce().await?;
            tokio::select! {
                biased;
                // A writer that failed has written nothing since: no commit may follow.
                Some(error) = failures.recv() => return Err(error),
                committed = under_way(&mut self.commit) => self.take_back(committed)?,
                _ = commit_timer.tick(), if self.dirty && self.commit.is_none() => self.begin_commit(),
                () = tick(&mut rotation_timer), if self.has_rows_to_rotate => {
                    self.rotation_is_due = true;
                    if self.commit.is_none() {
                        self.begin_commit();
                    } else {
                        // With the next commit, which comes soon.
                        self.dirty = true;
                    }
                }
                _ = progress_timer.tick() => {
                    if let Some(watch) = &mut self.watch {
                        watch.heartbeat(self.report);
                    }
                    let progress = self.progress();
                    self.report.show_progress(&progress, &mut rates);
                }
                end = watch_end(&mut self.watch), if self.watch_end.is_none() => {
                    // What has arrived is still taken, until the reader has no more to say.
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
                request_charge,
                permit,
            } => {
                self.decide_layout(&page).await?;
                self.counts.request_charge += request_charge;
                self.counts.documents += page.len() as u64;
                self.counts.bytes += page.body_len() as u64;
                self.bytes_since_commit += page.body_len() as u64;
                self.tracker.moved(range, position.lsn, highest_lsn);
                self.known_lsns.note(range, highest_lsn);
                self.dirty = true;
                if let Some(watch) = &mut self.watch {
                    watch.page(range, &page, request_charge);
                }
                self.has_rows_to_rotate |= !page.is_empty();
                let known = self.ranges.get_mut(&range);
                let known =
                    known.with_context(|| format!("a page of the unknown range {range}"))?;
                let after = RangeState {
                    position: Some(position.clone()),
                    ..known.clone()
                };
                let page = PageToWrite {
                    before: std::mem::replace(known, after),
                    page,
                    position,
                    request_charge,
                    permit,
                };
                self.sink.write(self.series_of(range), page);
                if self.bytes_since_commit >= self.settings.checkpoint_bytes
                    && self.commit.is_none()
                {
                    self.begin_commit();
                    if failpoint::is_lockstep() {
                        self.await_commit().await?;
                    }
                }
            }
            ReaderEvent::Replaced {
                parent,
                children,
                reply,
            } => {
                self.replace(parent, children, reply).await?;
            }
            ReaderEvent::CaughtUp { .. } => {}
            ReaderEvent::Finished { range, end } => {
                self.tracker.finished(range);
                self.ends.extend(end.map(|end| (range, end)));
                self.dirty = true;
                if self.series_by_range {
                    self.to_seal.push(range.0);
                }
            }
            ReaderEvent::Failed { range, error } => {
                self.report
                    .detail(&format!("range {range} failed: {error:#}"));
                if self.watch.is_some() {
                    // A tail that went on without one of its ranges would hide that range's
                    // changes.
                    return Err(error.context(format!("range {range} cannot be read any more")));
                }
                self.failures.push((range, error));
            }
            ReaderEvent::Pinned {
                range,
                position_lsn,
                end,
            } => {
                self.tracker.pinned(range, position_lsn, end.lsn());
                self.ends.insert(range, end);
                // LSNs of another partition do not compare.
                self.known_lsns.forget(range);
                self.dirty = true;
            }
            ReaderEvent::Charged { request_charge } => {
                self.counts.request_charge += request_charge;
                if let Some(watch) = &mut self.watch {
                    watch.charged(request_charge);
                }
            }
            ReaderEvent::Recovered { range } => {
                if let Some(watch) = &mut self.watch {
                    watch.recovered(range, self.report);
                }
            }
            ReaderEvent::Retrying { range, notice } => {
                self.counts.retries += 1;
                if let Some(watch) = &mut self.watch {
                    watch.retrying(range, &notice, self.report);
                }
                self.report.detail(&format!("range {range}: {notice}"));
            }
        }
        Ok(())
    }

    /// Tells, once, that a tail has begun: from there on nothing is missed. With a state, where
    /// it begins is committed first.
    async fn announce(&mut self) -> Result<()> {
        if !self.watch.as_ref().is_some_and(Watch::is_ready) {
            return Ok(());
        }
        self.commit_with(Seal::Nothing, |_| Ok(())).await?;
        if let Some(watch) = &mut self.watch {
            watch.announce(self.report);
        }
        Ok(())
    }

    /// Decides the layout by the first page of which there are rows, if it is still open: it is
    /// committed before any of them is written, so that all files have the same columns.
    async fn decide_layout(&mut self, page: &Page) -> Result<()> {
        let has_rows = match self.mode {
            FeedMode::LatestVersion => page.items().any(|item| item.document().is_some()),
            FeedMode::AllVersionsAndDeletes => !page.is_empty(),
        };
        let Some(open) = self.open_layout.take_if(|_| has_rows) else {
            return Ok(());
        };
        let mut inference = sample::new_inference(&self.connected, open.options.clone());
        // Of what was deleted at least the previous image tells something.
        let documents = page
            .items()
            .filter_map(|item| item.document().or_else(|| item.previous()));
        for (number, document) in (0..).zip(documents) {
            inference.observe(document, Place::new(0, number));
        }
        let inferred = inference.finish();
        let layout = sample::layout_of(&inferred, &open.options);
        let committed = layout.clone();
        self.commit_with(Seal::Nothing, move |ledger| {
            ledger.set_layout(committed);
            Ok(())
        })
        .await?;
        sample::tell(&inferred, ", the first that came", self.report);
        open.layout.set(layout).ok();
        Ok(())
    }

    /// The series that `range` is written to.
    fn series_of(&self, range: RangeId) -> u32 {
        if self.series_by_range { range.0 } else { 0 }
    }

    /// Begins a commit of all that has been handed to the sink so far.
    fn begin_commit(&mut self) {
        let Some(mut ledger) = self.ledger.take() else {
            return;
        };
        ledger.set_ends(std::mem::take(&mut self.ends));
        let to_seal = std::mem::take(&mut self.to_seal);
        let seal = if std::mem::take(&mut self.rotation_is_due) {
            self.has_rows_to_rotate = false;
            Seal::Everything
        } else {
            Seal::Series(to_seal)
        };
        self.bytes_since_commit = 0;
        self.dirty = false;
        self.commit = Some(tokio::spawn(commit(
            Arc::clone(&self.sink),
            ledger,
            seal,
            self.known_lsns.clone(),
            |_| Ok(()),
        )));
    }

    /// Takes the ledger back from a commit that has ended.
    fn take_back(&mut self, committed: (Ledger, Result<u64>)) -> Result<()> {
        let (ledger, published) = committed;
        self.ledger = Some(ledger);
        self.counts.commits += 1;
        self.counts.files += published?;
        Ok(())
    }

    async fn await_commit(&mut self) -> Result<()> {
        if self.commit.is_some() {
            let committed = under_way(&mut self.commit).await;
            self.take_back(committed)?;
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
        let mut ledger = self.ledger.take().context("the ledger is missing")?;
        ledger.set_ends(std::mem::take(&mut self.ends));
        self.bytes_since_commit = 0;
        self.dirty = false;
        self.commit = Some(tokio::spawn(commit(
            Arc::clone(&self.sink),
            ledger,
            seal,
            self.known_lsns.clone(),
            change,
        )));
        self.await_commit().await
    }

    /// Puts children in the place of a range that was split. One commit seals the parent's part
    /// and names the children: a crash leaves either the parent or all of them.
    async fn replace(
        &mut self,
        parent: RangeId,
        children: Vec<(FeedRange, Option<Position>)>,
        reply: oneshot::Sender<Vec<RangeId>>,
    ) -> Result<()> {
        let mut to_seal = std::mem::take(&mut self.to_seal);
        if self.series_by_range {
            to_seal.push(parent.0);
        }
        let count = children.len();
        let (sender, placed) = oneshot::channel();
        self.commit_with(Seal::Series(to_seal), move |ledger| {
            // Nobody waits for them if the commit is being torn down.
            sender.send(ledger.replace(parent, children)?).ok();
            Ok(())
        })
        .await?;
        let placed = placed.await.context("a split was not committed")?;
        let numbers: Vec<RangeId> = placed.iter().map(|child| child.id).collect();
        self.counts.splits += 1;
        self.tracker.replaced(parent, &numbers);
        if let Some(watch) = &mut self.watch {
            let unread = placed.iter().filter(|child| child.position.is_none());
            watch.replaced(parent, unread.map(|child| child.id));
        }
        self.ranges.remove(&parent);
        self.ranges
            .extend(placed.into_iter().map(|child| (child.id, child)));
        let named: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        self.report.detail(&format!(
            "range {parent} was split into {count}: {}",
            named.join(", ")
        ));
        // The reader is gone when the job is being stopped; the children are committed all the same.
        reply.send(numbers).ok();
        Ok(())
    }

    /// Commits what is left, and gives the last finished files their names.
    async fn finish(
        mut self,
        stop: Option<Stop>,
        failures: &mut mpsc::UnboundedReceiver<anyhow::Error>,
    ) -> Result<Finished> {
        let is_done = stop.is_none() && self.failures.is_empty() && !self.settings.follow;
        let seal = match is_done || self.settings.follow {
            _ if self.grows => Seal::Nothing,
            // What cannot be committed before it is finished is finished now.
            _ if !self.commits_within_files => Seal::Everything,
            // To follow has no end but being stopped, so that is when its files are finished.
            true => Seal::Everything,
            false => Seal::Series(std::mem::take(&mut self.to_seal)),
        };
        let committed = self
            .commit_with(seal, move |ledger| {
                ledger.set_finished(is_done);
                Ok(())
            })
            .await;
        // What made a writer fail says more than that it failed.
        if let Ok(error) = failures.try_recv() {
            return Err(error);
        }
        committed?;
        let mut ledger = self.ledger.take().context("the ledger is missing")?;
        // The state still lists what has been published since.
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
            counts: self.counts,
            stop,
        })
    }

    fn progress(&self) -> Progress {
        Progress {
            documents: self.counts.documents,
            bytes: self.counts.bytes,
            request_charge: self.counts.request_charge,
            done: (!self.settings.follow).then(|| self.tracker.done()),
        }
    }
}

/// The highest LSNs that answers have named, of the partitions of ranges.
///
/// A commit reads them after the receipts have come: pages are written on until then, and no position may
/// be committed without what was known when its page came.
#[derive(Debug, Clone, Default)]
struct KnownLsns(Arc<Mutex<HashMap<RangeId, u64>>>);

impl KnownLsns {
    fn note(&self, range: RangeId, lsn: Option<u64>) {
        if let Some(lsn) = lsn {
            self.known().insert(range, lsn);
        }
    }

    fn forget(&self, range: RangeId) {
        self.known().remove(&range);
    }

    fn all(&self) -> HashMap<RangeId, u64> {
        self.known().clone()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<RangeId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One commit: receipts from every writer, a change of the ledger, then the disk.
async fn commit(
    sink: Arc<Sink>,
    mut ledger: Ledger,
    seal: Seal,
    known_lsns: KnownLsns,
    change: impl FnOnce(&mut Ledger) -> Result<()> + Send + 'static,
) -> (Ledger, Result<u64>) {
    let receipts = match sink.checkpoint(&seal).await {
        Ok(receipts) => receipts,
        Err(error) => return (ledger, Err(error)),
    };
    let blocking = tokio::task::spawn_blocking(move || {
        let committed = ledger
            .apply(receipts)
            .map(|()| ledger.set_known_lsns(&known_lsns.all()))
            .and_then(|()| change(&mut ledger))
            .and_then(|()| ledger.commit());
        (ledger, committed)
    });
    match blocking.await {
        Ok(done) => done,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// The end of the commit that is under way; never, if there is none.
async fn under_way(commit: &mut Option<Commit>) -> (Ledger, Result<u64>) {
    match commit {
        Some(task) => {
            let ended = task.await;
            *commit = None;
            match ended {
                Ok(done) => done,
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
        }
        None => std::future::pending().await,
    }
}

fn interval(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period.max(Duration::from_millis(1)));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval.reset();
    interval
}

/// The next tick of a timer; never, if there is none.
async fn tick(timer: &mut Option<tokio::time::Interval>) {
    match timer {
        Some(timer) => {
            timer.tick().await;
        }
        None => std::future::pending().await,
    }
}

fn sink_options(state: &State) -> SinkOptions {
    SinkOptions {
        export_id: state.export_id,
        container: state.source.container.clone(),
        // Parquet compresses within, by itself.
        compression: match state.options.format {
            Format::Jsonl | Format::Csv => state.options.compression,
            Format::Parquet => Compression::None,
        },
        commits_within_files: state.options.format.commits_within_files(),
        rotate_bytes: state.settings.rotate_bytes,
        encoder_memory: ENCODER_MEMORY,
    }
}

fn reader_options(state: &State, concurrency: usize, end: ReadEnd) -> Result<ReaderOptions> {
    Ok(ReaderOptions {
        concurrency,
        request: feed_request(state)?,
        retry_limit: RetryLimit::of_setting(state.settings.max_retries),
        start: state.options.from,
        end,
        poll_interval: Duration::from_millis(state.settings.poll_interval_ms),
        buffered_bytes: u32::try_from(buffered_bytes(concurrency))?,
    })
}

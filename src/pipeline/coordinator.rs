//! The running of a job: takes what the reader has to say, hands pages to the sink, and commits.
//!
//! One task owns the ledger. While a commit is under way the ledger is with it, and pages flow on:
//! they are written behind the checkpoint and belong to the next commit.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Connected;
use super::progress::Tracker;
use crate::cli::SummaryFormat;
use crate::error::{ExitCode, is_broken_pipe, with_exit_code, with_hint};
use crate::feed::{FeedRange, Position, RangeId};
use crate::plan;
use crate::reader::{Reader, ReaderEvent, ReaderOptions, Retries, Shard};
use crate::report::{PROGRESS_INTERVAL, Progress, Rates, Report, Summary};
use crate::signal::Shutdown;
use crate::sink::{PageToWrite, Seal, Sink};
use crate::state::ledger::Ledger;
use crate::state::model::{Output, Settings, State, Totals};
use crate::state::names::FileNames;
use crate::state::recover::Recovery;

/// Bytes of pages that may wait to be written, for each range that is read at the same time.
const BUFFERED_BYTES_A_RANGE: usize = 1 << 20;
/// The same, at least: a page can have 4 MB and more.
const LEAST_BUFFERED_BYTES: usize = 8 << 20;
/// The same, at most.
const MOST_BUFFERED_BYTES: usize = 64 << 20;
/// Events that may wait for the coordinator; their pages are bounded in bytes.
const EVENTS: usize = 256;

/// A job that is ready to run.
pub(super) struct Job {
    pub(super) connected: Connected,
    pub(super) ledger: Ledger,
    pub(super) names: Arc<FileNames>,
    pub(super) next_parts: HashMap<u32, u32>,
    pub(super) recovery: Recovery,
    pub(super) destination: String,
    pub(super) summary: SummaryFormat,
}

/// A commit that is under way: it has the ledger and gives it back.
type Commit = JoinHandle<(Ledger, Result<u64>)>;

struct Coordinator<'a> {
    report: &'a Report,
    sink: Arc<Sink>,
    /// With the commit while one is under way.
    ledger: Option<Ledger>,
    commit: Option<Commit>,
    settings: Settings,
    series_by_range: bool,
    /// Series that a commit is to seal, since their range is finished.
    to_seal: Vec<u32>,
    bytes_since_commit: u64,
    dirty: bool,
    tracker: Tracker,
    failures: Vec<(RangeId, anyhow::Error)>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    files: u64,
    splits: u64,
    retries: u64,
    commits: u64,
    request_charge: f64,
    documents: u64,
    bytes: u64,
}

/// Runs a job to its end, or until it is stopped.
pub(super) async fn run(job: Job, report: &Report, shutdown: &Shutdown) -> Result<ExitCode> {
    let started = Instant::now();
    let state_path = job
        .ledger
        .state_path()
        .map(|path| path.display().to_string());
    let database = job.connected.source.database.clone();
    let container = job.connected.source.container.clone();
    let before = job.ledger.state().totals;
    let (destination, summary) = (job.destination.clone(), job.summary);
    let outcome = Coordinator::run(job, report, shutdown).await;
    report.end_progress();
    let Finished {
        state,
        failures,
        counts,
        stop,
    } = match outcome {
        Ok(finished) => finished,
        Err(error) if is_broken_pipe(&error) => return Ok(ExitCode::Done),
        Err(error) => return Err(resumable(error, state_path.as_deref())),
    };
    let now: &Totals = &state.totals;
    let interrupted = stop.filter(|_| !state.finished);
    let summary_text = Summary {
        outcome: match (interrupted, failures.is_empty()) {
            (_, false) => "incomplete",
            (Some(_), true) => "interrupted",
            (None, true) => "done",
        },
        database,
        container,
        documents: now.documents.saturating_sub(before.documents),
        bytes: now.bytes.saturating_sub(before.bytes),
        files: counts.files,
        ranges: state.ranges.len(),
        failed_ranges: failures.len(),
        splits: counts.splits,
        request_units: counts.request_charge,
        retries: counts.retries,
        commits: counts.commits,
        seconds: started.elapsed().as_secs_f64(),
        state: state_path.clone(),
    };
    report.summary(&summary_text, summary, &destination)?;
    if !failures.is_empty() {
        return Err(resumable(
            failed_ranges(&state, failures),
            state_path.as_deref(),
        ));
    }
    if let (Some(_), Some(path)) = (interrupted, &state_path) {
        report.notice(&format!("go on with: cosmos-tail resume --state {path}"));
    }
    Ok(interrupted.unwrap_or(ExitCode::Done))
}

/// The error of a job that can be resumed, if it has a state.
fn resumable(error: anyhow::Error, state_path: Option<&str>) -> anyhow::Error {
    match state_path {
        Some(path) => {
            let hint = format!(
                "what was committed is kept; when the cause is mended: cosmos-tail resume --state {path}"
            );
            with_exit_code(with_hint(error, hint), ExitCode::Resumable)
        }
        None => error,
    }
}

/// One error for all ranges that failed.
fn failed_ranges(state: &State, mut failures: Vec<(RangeId, anyhow::Error)>) -> anyhow::Error {
    let (count, total) = (failures.len(), state.ranges.len());
    failures.sort_by_key(|(range, _)| *range);
    let named: Vec<String> = failures
        .iter()
        .take(8)
        .map(|(range, _)| range.to_string())
        .collect();
    let more = if count > named.len() { ", …" } else { "" };
    let (_, first) = failures.swap_remove(0);
    first.context(format!(
        "{count} of {total} feed ranges could not be read to their end: {}{more}; the others were",
        named.join(", ")
    ))
}

struct Finished {
    state: State,
    failures: Vec<(RangeId, anyhow::Error)>,
    counts: Counts,
    stop: Option<ExitCode>,
}

impl<'a> Coordinator<'a> {
    async fn run(mut job: Job, report: &'a Report, shutdown: &Shutdown) -> Result<Finished> {
        // The first generation is committed before any output exists, so that whatever a crash
        // leaves behind has a state that knows of it.
        job.ledger.commit()?;
        let state = job.ledger.state().clone();
        let settings = state.settings.clone();
        let (failed, mut failures) = mpsc::unbounded_channel();
        let series_by_range = matches!(state.options.output, Output::Directory(_));
        let concurrency = plan::concurrency(&settings);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if series_by_range {
            cores.min(concurrency)
        } else {
            1
        };
        let sink = Sink::start(
            &job.names,
            state.options.format,
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
            to_seal: Vec::new(),
            bytes_since_commit: 0,
            dirty: false,
            tracker: Tracker::default(),
            failures: Vec::new(),
            counts: Counts {
                commits: 1,
                ..Counts::default()
            },
        };
        report.start_progress(!settings.follow)?;
        let stop = shutdown.child_token();
        let (events, mut received) = mpsc::channel(EVENTS);
        let shards = this.shards(&state)?;
        let reader = Reader::start(
            Arc::clone(&job.connected.client),
            shards,
            reader_options(&state, concurrency)?,
            events,
            stop.clone(),
        );
        let ended = this.take_events(&mut received, &mut failures).await;
        // Whatever ended it: nothing more is fetched, and what waits for a reply gets none.
        stop.cancel();
        drop(received);
        let joined = reader.join().await;
        ended.and(joined)?;
        let interrupted = shutdown.reason();
        this.finish(interrupted, &mut failures).await
    }

    fn shards(&mut self, state: &State) -> Result<Vec<Shard>> {
        let page_size = page_size(&state.settings)?;
        let mut shards = Vec::with_capacity(state.ranges.len());
        for range in &state.ranges {
            self.tracker.add(range.id);
            shards.push(Shard::new(
                range.id,
                range.range.clone(),
                range.position.clone(),
                page_size,
                Retries::new(state.settings.max_retries),
            ));
        }
        Ok(shards)
    }

    /// Takes events until the reader has no more to say.
    async fn take_events(
        &mut self,
        events: &mut mpsc::Receiver<ReaderEvent>,
        failures: &mut mpsc::UnboundedReceiver<anyhow::Error>,
    ) -> Result<()> {
        let mut commit_timer =
            interval(Duration::from_millis(self.settings.checkpoint_interval_ms));
        let mut progress_timer = interval(PROGRESS_INTERVAL);
        let mut rates = Rates::default();
        loop {
            tokio::select! {
                biased;
                // A writer that failed has written nothing since: no commit may follow.
                Some(error) = failures.recv() => return Err(error),
                committed = under_way(&mut self.commit) => self.take_back(committed)?,
                _ = commit_timer.tick(), if self.dirty && self.commit.is_none() => self.begin_commit(),
                _ = progress_timer.tick() => {
                    let progress = self.progress();
                    self.report.show_progress(&progress, &mut rates);
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
                request_charge,
                permit,
            } => {
                self.counts.request_charge += request_charge;
                self.counts.documents += page.len() as u64;
                self.counts.bytes += page.body_len() as u64;
                self.bytes_since_commit += page.body_len() as u64;
                self.tracker.moved(range, position.lsn);
                self.dirty = true;
                let page = PageToWrite {
                    range,
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
                }
            }
            ReaderEvent::Replaced {
                parent,
                children,
                reply,
            } => {
                self.replace(parent, children, reply).await?;
            }
            ReaderEvent::Finished { range } => {
                self.tracker.finished(range);
                if self.series_by_range {
                    self.to_seal.push(range.0);
                    self.dirty = true;
                }
            }
            ReaderEvent::Failed { range, error } => {
                self.report
                    .detail(&format!("range {range} failed: {error:#}"));
                self.failures.push((range, error));
            }
            ReaderEvent::Pinned {
                range,
                position_lsn,
                target_lsn,
            } => {
                self.tracker.pinned(range, position_lsn, target_lsn);
            }
            ReaderEvent::Charged { request_charge } => self.counts.request_charge += request_charge,
            ReaderEvent::Retrying { range, notice } => {
                self.counts.retries += 1;
                self.report.detail(&format!("range {range}: {notice}"));
            }
        }
        Ok(())
    }

    /// The series that `range` is written to.
    fn series_of(&self, range: RangeId) -> u32 {
        if self.series_by_range { range.0 } else { 0 }
    }

    /// Begins a commit of all that has been handed to the sink so far.
    fn begin_commit(&mut self) {
        let Some(ledger) = self.ledger.take() else {
            return;
        };
        let seal = Seal::Series(std::mem::take(&mut self.to_seal));
        self.bytes_since_commit = 0;
        self.dirty = false;
        self.commit = Some(tokio::spawn(commit(
            Arc::clone(&self.sink),
            ledger,
            seal,
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
        let ledger = self.ledger.take().context("the ledger is missing")?;
        self.bytes_since_commit = 0;
        self.dirty = false;
        self.commit = Some(tokio::spawn(commit(
            Arc::clone(&self.sink),
            ledger,
            seal,
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
        let (sender, numbers) = oneshot::channel();
        self.commit_with(Seal::Series(to_seal), move |ledger| {
            // Nobody waits for the numbers if the commit is being torn down.
            sender.send(ledger.replace(parent, children)?).ok();
            Ok(())
        })
        .await?;
        let numbers = numbers.await.context("a split was not committed")?;
        self.counts.splits += 1;
        self.tracker.replaced(parent, &numbers);
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
        stop: Option<ExitCode>,
        failures: &mut mpsc::UnboundedReceiver<anyhow::Error>,
    ) -> Result<Finished> {
        let is_done = stop.is_none() && self.failures.is_empty() && !self.settings.follow;
        let seal = match is_done || self.settings.follow {
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

/// One commit: receipts from every writer, a change of the ledger, then the disk.
async fn commit(
    sink: Arc<Sink>,
    mut ledger: Ledger,
    seal: Seal,
    change: impl FnOnce(&mut Ledger) -> Result<()> + Send + 'static,
) -> (Ledger, Result<u64>) {
    let receipts = match sink.checkpoint(&seal).await {
        Ok(receipts) => receipts,
        Err(error) => return (ledger, Err(error)),
    };
    let blocking = tokio::task::spawn_blocking(move || {
        let committed = ledger
            .apply(receipts)
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

fn page_size(settings: &Settings) -> Result<NonZeroU32> {
    NonZeroU32::new(settings.page_size)
        .ok_or_else(|| anyhow!("the state asks for pages of no items"))
}

fn reader_options(state: &State, concurrency: usize) -> Result<ReaderOptions> {
    let buffered_bytes =
        (concurrency * BUFFERED_BYTES_A_RANGE).clamp(LEAST_BUFFERED_BYTES, MOST_BUFFERED_BYTES);
    Ok(ReaderOptions {
        concurrency,
        page_size: page_size(&state.settings)?,
        max_retries: state.settings.max_retries,
        start: state.options.from,
        follow: state.settings.follow,
        poll_interval: Duration::from_millis(state.settings.poll_interval_ms),
        buffered_bytes: u32::try_from(buffered_bytes)?,
    })
}

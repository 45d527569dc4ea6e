//! Writes one range of a group: it has a sink, a ledger and a state of its own, so that what happens to its lease is of no
//! concern to the other ranges of the instance.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::{Semaphore, mpsc};

use super::group_files::GroupFiles;
use super::options::sink_options;
use crate::cosmos::token::segments;
use crate::destination::Destination;
use crate::failpoint;
use crate::feed::{Part, Position, RangeId};
use crate::sink::{PageToWrite, Seal, SharedSink};
use crate::state::ledger::Ledger;

/// Writes the pages of one range, whose state this process has claimed.
#[derive(Debug)]
pub(crate) struct RangeWriter {
    sink: Arc<SharedSink>,
    /// Absent while a commit is under way.
    ledger: Option<Box<Ledger>>,
    failures: mpsc::UnboundedReceiver<anyhow::Error>,
    /// The number of the range in its own state.
    range: RangeId,
    /// What the files had when the last commit ended.
    documents: u64,
    destination: Arc<dyn Destination>,
    /// Bounds the commits under way.
    commits: Arc<Semaphore>,
}

/// What a commit does besides recording the position.
#[derive(Debug)]
pub(crate) enum RangeCommit {
    /// Nothing: a file may stay open.
    Position,
    /// It finishes the open file.
    Files,
    /// It finishes the open file, and ends the range for good: these parts of it begin where it ends.
    Over(Vec<Part>),
}

/// A commit that has ended.
#[derive(Debug)]
pub(crate) struct RangeCommitted {
    began: Instant,
    took: Duration,
    ledger: Box<Ledger>,
    result: Result<u64>,
    /// Whether it failed because the state is another process's.
    is_lost: bool,
    sink: Arc<SharedSink>,
}

/// A commit that is under way.
pub(crate) type Committing = Pin<Box<dyn Future<Output = RangeCommitted> + Send>>;

/// What is committed of a range.
#[derive(Debug)]
pub(crate) enum RangeOutcome {
    /// So much.
    Committed {
        /// Changes that were written since the last commit.
        changes: u64,
        /// Where the range is, unless it is over.
        position: Option<Position>,
        /// Files that have become visible.
        published: u64,
    },
    /// Nothing: another process has claimed the state.
    Lost,
}

impl RangeCommitted {
    /// When it began, and how long it took.
    pub(crate) fn took(&self) -> (Instant, Duration) {
        (self.began, self.took)
    }

    /// The range was given up meanwhile.
    pub(crate) fn discard(self) {
        give_up(&self.sink, self.ledger);
    }
}

impl RangeWriter {
    pub(super) fn new(
        files: &GroupFiles,
        ledger: Ledger,
        destination: &Arc<dyn Destination>,
    ) -> Result<Self> {
        let (failed, failures) = mpsc::unbounded_channel();
        let state = ledger.state();
        let range = state.ranges.first().context("the state has no range")?.id;
        let next_parts = state.series.iter().map(|one| (one.id, one.next_part));
        let options = sink_options(state, &files.settings, destination.as_ref(), 1);
        let sink = files.writers.sink(
            destination,
            options,
            files.encoders(),
            &next_parts.collect(),
            &failed,
        );
        Ok(Self {
            documents: state.totals.documents,
            sink: Arc::new(sink),
            ledger: Some(Box::new(ledger)),
            failures,
            range,
            destination: Arc::clone(destination),
            commits: Arc::clone(&files.commits),
        })
    }

    /// Whether no commit is under way, and the time of the partition has passed of a file that is open.
    pub(crate) fn has_past(&self) -> bool {
        self.ledger.is_some() && self.destination.has_past()
    }

    /// Queues a page.
    pub(crate) fn write(&self, mut page: PageToWrite) {
        page.before.id = self.range;
        self.sink.write(self.range.0, page);
    }

    /// Begins a commit of all that was queued so far; none if one is under way. The lease can have one of these ETags, or is
    /// written once the commit has ended.
    pub(crate) fn begin_commit(
        &mut self,
        what: RangeCommit,
        saved: Vec<String>,
    ) -> Option<Committing> {
        let ledger = self.ledger.take()?;
        let seal = match &what {
            RangeCommit::Position => Seal::Nothing,
            RangeCommit::Files | RangeCommit::Over(_) => Seal::Series(vec![self.range.0]),
        };
        let receipts = self.sink.checkpoint(&seal);
        let began = Instant::now();
        let (sink, range) = (Arc::clone(&self.sink), self.range);
        let turns = Arc::clone(&self.commits);
        Some(Box::pin(async move {
            let receipts = receipts.await;
            let _turn = turns.acquire_owned().await;
            let committing = tokio::task::spawn_blocking(move || {
                let mut ledger = ledger;
                let result = receipts.and_then(|receipts| {
                    ledger.apply(receipts)?;
                    note_saved(&mut ledger, range, saved)?;
                    commit(&mut ledger, range, what)
                });
                let is_lost = result.is_err() && ledger.is_lost();
                RangeCommitted {
                    began,
                    took: began.elapsed(),
                    ledger,
                    result,
                    is_lost,
                    sink,
                }
            });
            match committing.await {
                Ok(committed) => committed,
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
        }))
    }

    /// Takes note of a commit that has ended.
    ///
    /// # Errors
    ///
    /// Why it failed, unless another process has claimed the state.
    pub(crate) fn committed(&mut self, committed: RangeCommitted) -> Result<RangeOutcome> {
        let RangeCommitted {
            ledger,
            result,
            is_lost,
            ..
        } = committed;
        let published = match result {
            Ok(published) => published,
            Err(_) if is_lost => {
                self.ledger = Some(ledger);
                return Ok(RangeOutcome::Lost);
            }
            // The error of the writer is more specific than that of the commit that noticed it.
            Err(error) => return Err(self.failures.try_recv().unwrap_or(error)),
        };
        let state = ledger.state();
        let position = state.ranges.find(self.range);
        let position = position.and_then(|range| range.position.clone());
        let documents = state.totals.documents;
        let changes = documents - std::mem::replace(&mut self.documents, documents);
        self.ledger = Some(ledger);
        Ok(RangeOutcome::Committed {
            changes,
            position,
            published,
        })
    }

    /// Gives up what was not committed. Nobody waits for the uploads that are under way. A commit that is under way is
    /// discarded once it has ended.
    pub(crate) fn discard(self) {
        match self.ledger {
            Some(ledger) => give_up(&self.sink, ledger),
            None => drop(self.sink.end()),
        }
    }
}

/// Ranges whose uploads are ended at a time. A store that does not answer then holds up neither commits nor claims.
static ENDINGS: Semaphore = Semaphore::const_new(4);

/// Ends a sink, and the uploads that it has begun since the last commit: nobody else knows of them.
fn give_up(sink: &SharedSink, ledger: Box<Ledger>) {
    let ended = sink.end();
    tokio::spawn(async move {
        ended.await;
        let turn = ENDINGS.acquire().await;
        let aborting = tokio::task::spawn_blocking(move || ledger.abort_uncommitted());
        aborting.await.ok();
        drop(turn);
    });
}

/// Has the state say what the lease can have until the next commit.
fn note_saved(ledger: &mut Ledger, range: RangeId, mut saved: Vec<String>) -> Result<()> {
    let own = ledger.state().ranges.find(range);
    if let Some(own) = own
        && let Some(position) = &own.position
    {
        // One of several parts is never saved: they get leases of their own.
        if let [part] = &segments(&position.token, &own.range)?[..]
            && let Some(etag) = &part.etag
            && !saved.contains(etag)
        {
            saved.push(etag.clone());
        }
    }
    ledger.lease_can_have(saved);
    Ok(())
}

/// One commit, and one more that records what the first has published: whoever claims the state next has less to look at.
fn commit(ledger: &mut Ledger, range: RangeId, what: RangeCommit) -> Result<u64> {
    let is_last = !matches!(what, RangeCommit::Position);
    let is_over = matches!(what, RangeCommit::Over(_));
    if let RangeCommit::Over(parts) = what {
        ledger.replace(range, parts)?;
        ledger.end_range();
    }
    let published = ledger.commit()?;
    if is_over {
        failpoint::call("group.over")?;
    }
    if is_last {
        ledger.commit()?;
    }
    Ok(published)
}

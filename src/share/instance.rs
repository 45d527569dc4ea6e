//! One instance of a group: takes leases, reads their ranges, prints what comes, and saves positions.
//!
//! One task owns the leases that the instance has. Each of them has at most one write under way, in a task of its
//! own, so that neither a slow lease container nor a slow reader of the pipe keeps another lease from being renewed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::children::{Replaced, leave_out_children};
use super::holding::{Holding, Lane};
use super::others::Namesakes;
use super::outlet::{Flush, Flushed, Outlet};
use super::source::Source;
use super::store::{Kept, Store};
use crate::cosmos::error::{ServiceError, Verdict};
use crate::cosmos::partitions::PhysicalPartition;
use crate::count::count;
use crate::error::{ExitCode, exit_code, find};
use crate::escape::escape_for_terminal;
use crate::feed::{FeedRange, RangeId};
use crate::job::{Claimed, RangeCommitted, Watch, WatchEnd};
use crate::leases::{Attempt, Group, Lease};
use crate::observe::{Event, Observers};
use crate::process;
use crate::reader::{ReaderEvent, ReaderOptions, Shard};
use crate::report::{PROGRESS_INTERVAL, Report};

/// Leases that are written at the same time.
const CONCURRENCY: usize = 32;
/// How long an instance that failed tries to let its leases go. Otherwise others wait until they expire.
const LET_GO: Duration = Duration::from_secs(5);

/// What an instance needs.
pub(super) struct Parts<'a> {
    pub(super) store: Arc<Store>,
    pub(super) source: Source,
    pub(super) options: ReaderOptions,
    pub(super) shards: mpsc::UnboundedSender<Shard>,
    pub(super) outlet: Outlet,
    /// What it does, for people.
    pub(super) doing: &'static str,
    pub(super) observers: Observers<'a>,
    pub(super) watch: Watch,
    /// How often a position is saved.
    pub(super) save_interval: Duration,
    /// Stops the reader.
    pub(super) stop: CancellationToken,
}

/// How an instance ended.
pub(super) struct Ended<'a> {
    pub(super) observers: Observers<'a>,
    /// Changes that were printed.
    pub(super) printed: u64,
    /// Leases that it had whose files could not be continued.
    pub(super) unclaimed: usize,
    /// What ended it, if it was no signal.
    pub(super) end: Option<WatchEnd>,
}

/// What a task has done.
pub(super) enum Done {
    Listed(Result<(Group, Arc<[PhysicalPartition]>)>),
    Acquired {
        lease: Lease,
        range: FeedRange,
        result: Result<Kept>,
    },
    Written {
        id: RangeId,
        result: Result<Kept>,
    },
    Released {
        id: RangeId,
        result: Result<Kept>,
    },
    Replaced {
        id: RangeId,
        result: Result<Replaced>,
    },
    Deleted {
        id: RangeId,
        result: Result<Attempt>,
    },
    Claimed {
        id: RangeId,
        result: Result<Claimed>,
    },
    Committed {
        id: RangeId,
        committed: RangeCommitted,
    },
}

/// How far a stop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopping {
    No,
    /// Nothing more is fetched; what has arrived is printed.
    Draining,
    /// All has been handed over for printing, and is flushed with this flush.
    Flushing(u64),
    /// The leases are let go.
    Releasing,
}

/// One instance of a group.
pub(super) struct Instance<'a> {
    pub(super) parts: Parts<'a>,
    pub(super) report: &'a Report,
    pub(super) holdings: HashMap<RangeId, Holding>,
    pub(super) next_id: u32,
    pub(super) work: JoinSet<Done>,
    /// Bounds the writes under way.
    pub(super) writers: Arc<Semaphore>,
    pub(super) flush: Option<Flush>,
    /// When it begins, and how many have begun.
    pub(super) lane: Lane,
    pub(super) flush_began: Instant,
    /// Told that a lease is to be written, so that it is known whose it is.
    pub(super) wake: Arc<Notify>,
    pub(super) balance_at: Duration,
    pub(super) is_listing: bool,
    /// Leases that are being taken.
    pub(super) acquiring: usize,
    /// Leases that this instance may have, although it does not know whether its last write was done. None before the
    /// first list.
    pub(super) may_own: Option<HashSet<String>>,
    /// Leases of an earlier process of this name that could not be taken back yet, and their ETags: one that is
    /// written since has a newer owner.
    pub(super) inherited: HashMap<String, Option<String>>,
    /// How many leases the group had when they were last listed, and how many other instances.
    pub(super) seen: (usize, usize),
    pub(super) is_ready: bool,
    pub(super) is_group_unreadable: bool,
    /// What was warned of.
    pub(super) warned: HashSet<String>,
    pub(super) namesakes: Namesakes,
    pub(super) stopping: Stopping,
    pub(super) end: Option<WatchEnd>,
    /// Changes that were printed and flushed.
    pub(super) printed: u64,
    /// Leases whose states could not be claimed.
    pub(super) unclaimed: HashSet<RangeId>,
    /// The ids of leases that are to go, since others have their ranges.
    pub(super) doubles: HashSet<String>,
}

impl<'a> Instance<'a> {
    pub(super) fn new(parts: Parts<'a>, report: &'a Report) -> Self {
        Self {
            parts,
            report,
            holdings: HashMap::new(),
            next_id: 0,
            work: JoinSet::new(),
            writers: Arc::new(Semaphore::new(CONCURRENCY)),
            flush: None,
            lane: Lane::default(),
            flush_began: Instant::now(),
            wake: Arc::default(),
            balance_at: Duration::ZERO,
            is_listing: false,
            acquiring: 0,
            may_own: None,
            inherited: HashMap::new(),
            seen: (0, 0),
            is_ready: false,
            is_group_unreadable: false,
            warned: HashSet::new(),
            namesakes: Namesakes::default(),
            stopping: Stopping::No,
            end: None,
            printed: 0,
            unclaimed: HashSet::new(),
            doubles: HashSet::new(),
        }
    }

    /// Runs until it is stopped, and lets its leases go.
    ///
    /// # Errors
    ///
    /// What ended it. Its leases were let go, as far as that was possible.
    pub(super) async fn run(
        mut self,
        mut events: mpsc::Receiver<ReaderEvent>,
        mut failures: mpsc::UnboundedReceiver<anyhow::Error>,
        requested: CancellationToken,
    ) -> Result<Ended<'a>> {
        let ended = self.take_turns(&mut events, &mut failures, requested).await;
        self.parts.stop.cancel();
        drop(events);
        if let Err(error) = ended {
            // The error of a writer is more specific than that of the flush that noticed it.
            let error = failures.try_recv().unwrap_or(error);
            // As well as that can be done: what ended this instance may keep it from that too.
            tokio::time::timeout(LET_GO, self.let_go()).await.ok();
            return Err(error);
        }
        Ok(Ended {
            observers: self.parts.observers,
            printed: self.printed,
            unclaimed: self.unclaimed.len(),
            end: self.end,
        })
    }

    pub(super) async fn take_turns(
        &mut self,
        events: &mut mpsc::Receiver<ReaderEvent>,
        failures: &mut mpsc::UnboundedReceiver<anyhow::Error>,
        requested: CancellationToken,
    ) -> Result<()> {
        let mut look = tokio::time::interval(self.look_interval());
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut progress = tokio::time::interval(PROGRESS_INTERVAL);
        progress.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut is_reading = true;
        let wake = Arc::clone(&self.wake);
        while !self.is_done() {
            let is_running = self.stopping == Stopping::No;
            tokio::select! {
                biased;
                // A writer that failed has printed nothing since.
                Some(error) = failures.recv() => return Err(error),
                () = requested.cancelled(), if is_running => self.stop(None),
                // Before anything else is done with a lease: it may be another's since this process was paused.
                _ = look.tick() => self.look()?,
                () = wake.notified() => self.look()?,
                end = self.parts.watch.end(), if is_running => self.stop(Some(end)),
                Some(done) = self.work.join_next(), if !self.work.is_empty() => {
                    self.done(done.context("a task ended unexpectedly")?)?;
                }
                flushed = ended(&mut self.flush) => {
                    self.flush = None;
                    self.flushed(flushed?)?;
                }
                _ = progress.tick() => self.parts.observers.emit(&Event::Tick),
                event = events.recv(), if is_reading => match event {
                    Some(event) => self.take(event)?,
                    None if is_running => return Err(anyhow!("the reader ended unexpectedly")),
                    None => {
                        is_reading = false;
                        self.drained();
                    }
                },
            }
        }
        Ok(())
    }

    /// How often deadlines are looked at.
    pub(super) fn look_interval(&self) -> Duration {
        let intervals = self.parts.store.intervals;
        let shortest = intervals
            .renew
            .min(intervals.acquire)
            .min(intervals.expiration / 4);
        let shortest = shortest.min(self.parts.save_interval);
        (shortest / 4).clamp(Duration::from_millis(10), Duration::from_millis(250))
    }

    pub(super) fn is_done(&self) -> bool {
        // A list that is being retried is no reason to stay, nor is a write of a lease that was given up.
        self.stopping == Stopping::Releasing && self.holdings.is_empty() && self.acquiring == 0
    }

    /// Nothing more is fetched, and no lease is taken any more.
    pub(super) fn stop(&mut self, end: Option<WatchEnd>) {
        self.end = end;
        self.stopping = Stopping::Draining;
        self.parts.stop.cancel();
    }

    /// All that was fetched has been handed over.
    pub(super) fn drained(&mut self) {
        if self.end == Some(WatchEnd::PipeClosed) {
            // Nobody reads what would be flushed.
            self.release_all();
            return;
        }
        self.stopping = Stopping::Flushing(self.lane.next());
        if self.parts.outlet.files().is_some() {
            self.leave_all();
            return;
        }
        self.lane.hasten();
    }

    /// Does what is due.
    pub(super) fn look(&mut self) -> Result<()> {
        let now = process::since_boot();
        self.lapse(now);
        let due: Vec<RangeId> = self
            .holdings
            .iter()
            .filter(|(_, holding)| holding.is_due(now))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            if self.stopping == Stopping::Releasing {
                self.release(id);
            } else {
                self.write(id);
            }
        }
        if self.parts.outlet.files().is_some() {
            self.claim_again(now);
            self.begin_commits(now);
        } else if self.lane.is_due(now) {
            self.begin_flush(now);
        }
        let may_balance = self.stopping == Stopping::No && !self.is_listing && self.acquiring == 0;
        if may_balance && now >= self.balance_at {
            self.list();
        }
        self.announce()
    }

    /// Gives up the leases that could not be renewed in time: others may have them by now.
    pub(super) fn lapse(&mut self, now: Duration) {
        let lapsed: Vec<RangeId> = self
            .holdings
            .iter()
            .filter(|(_, holding)| now >= holding.valid_until || holding.tenure.is_broken())
            .map(|(id, _)| *id)
            .collect();
        for id in lapsed {
            if let Some(holding) = self.drop_holding(id, "could not be renewed in time") {
                self.may_own
                    .get_or_insert_default()
                    .insert(holding.lease.token);
                // It may be free again.
                self.balance_at = now;
            }
        }
    }

    /// Reports, once, what this instance reads.
    pub(super) fn announce(&mut self) -> Result<()> {
        if self.is_ready || self.is_listing || self.acquiring > 0 || self.may_own.is_none() {
            return Ok(());
        }
        self.is_ready = true;
        let (leases, others) = self.seen;
        let store = &self.parts.store;
        let name = escape_for_terminal(&store.instance);
        let group = escape_for_terminal(&store.prefix.name);
        let who = format!("as `{name}` of the group `{group}`");
        let source = &self.parts.source.name;
        self.report.notice(&match self.holdings.len() {
            0 => format!(
                "waiting for ranges of {source} {who}: {} all of them",
                // It may have the name of this one.
                if others <= 1 {
                    "another instance has".to_owned()
                } else {
                    format!("{others} other instances have")
                }
            ),
            own => format!(
                "{} {own} of {} of {source} {who}",
                self.parts.doing,
                count(leases as u64, "range")
            ),
        });
        self.parts.watch.begin();
        self.parts.observers.emit(&Event::Ready);
        Ok(())
    }

    pub(super) fn done(&mut self, done: Done) -> Result<()> {
        match done {
            Done::Listed(listed) => {
                self.is_listing = false;
                self.balance_at = process::since_boot() + self.parts.store.intervals.acquire;
                let listed = self.readable(listed)?;
                if let Some((mut group, partitions)) =
                    listed.filter(|_| self.stopping == Stopping::No)
                {
                    if self.parts.store.feeds.is_some() {
                        leave_out_children(&mut group.leases, &partitions);
                    }
                    self.balance(&group, &partitions)?;
                }
            }
            Done::Acquired {
                lease,
                range,
                result,
            } => {
                self.acquiring -= 1;
                self.acquired(&lease, range, result)?;
            }
            Done::Written { id, result } => self.written(id, result)?,
            Done::Released { id, result } => self.released(id, result)?,
            Done::Replaced { id, result } => self.replaced(id, result)?,
            Done::Deleted { id, result } => self.deleted(id, result)?,
            Done::Claimed { id, result } => self.claimed(id, result)?,
            Done::Committed { id, committed } => self.committed(id, committed)?,
        }
        self.release_if_committed();
        Ok(())
    }
}

/// Waits for the end of a flush; forever, if there is none.
async fn ended(flush: &mut Option<Flush>) -> Result<Flushed> {
    match flush {
        Some(flush) => flush.await,
        None => std::future::pending().await,
    }
}

/// Whether an error cannot pass by itself.
pub(super) fn is_final(error: &anyhow::Error) -> bool {
    is_refused(error) || exit_code(error) == ExitCode::Usage
}

/// Whether the service has refused a request for good.
pub(super) fn is_refused(error: &anyhow::Error) -> bool {
    let verdict = find::<ServiceError>(error).map(|error| error.verdict);
    matches!(
        verdict,
        Some(Verdict::Denied | Verdict::ContainerGone | Verdict::Fatal)
    )
}

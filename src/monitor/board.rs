//! The figures of a running command, from the events of what it does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::exposition::Histogram;
use super::ranges::Ranges;
use super::service_manager::ServiceManager;
use crate::clock;
use crate::cosmos::traffic::Traffic;
use crate::count::count;
use crate::feed::RangeId;
use crate::lag::Pace;
use crate::observe::{Counts, Event};

/// Which way an account is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The container that is read.
    Read,
    /// The container that is written.
    Write,
    /// The container that is compared with the one that is read.
    Target,
    /// The embedded account, which answers others.
    Serve,
}

impl Direction {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Target => "target",
            Self::Serve => "serve",
        }
    }
}

/// What a command is doing as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing is read yet.
    Starting,
    /// It has not reached the end of what exists.
    Reading,
    /// It has, and waits for changes.
    Following,
    /// It has, and will end.
    Ending,
}

impl Phase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Reading => "reading",
            Self::Following => "following",
            Self::Ending => "ending",
        }
    }
}

/// What begins to run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Begun {
    /// Whether it continues after it has read what exists.
    pub follows: bool,
    /// Whether it keeps a state, so that commits are made.
    pub commits: bool,
    /// Whether it reads ranges of a feed.
    pub has_ranges: bool,
    /// Whether it reads only one partition key.
    pub is_scoped: bool,
    /// Whether ranges without a position start at the beginning of the feed.
    pub from_beginning: bool,
    /// Whether changes are applied after they were read.
    pub applies: bool,
    /// The longest time between two commits.
    pub commits_within: Duration,
}

/// What a replay has done so far, by its own counts.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// Changes by what became of them.
    pub changes: Vec<(&'static str, u64)>,
    /// Bytes of applied changes in the source.
    pub bytes: u64,
    /// Retries of reads and writes.
    pub retries: u64,
    /// Refused changes that the file of dead letters keeps.
    pub dead_letters: u64,
    /// Changes that were taken from the source and are not done.
    pub pending: u64,
    /// The fraction that is done, if the source has an end that is known.
    pub done: Option<f64>,
}

/// What a comparison knows so far.
#[derive(Debug, Clone, Default)]
pub struct Compared {
    /// Documents that were read, over all readings.
    pub documents: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How the sides compare, once both were read.
    pub verdict: Option<&'static str>,
    /// Documents that differ, or may, by how.
    pub documents_by_state: Vec<(&'static str, u64)>,
    /// Everything written before this is in the verdict.
    pub as_of: Option<OffsetDateTime>,
    /// The same by a clock that is never set.
    pub heads: Option<Instant>,
    /// Everything deleted before this is in it.
    pub deletions_as_of: Option<OffsetDateTime>,
}

impl Compared {
    /// Whether both sides are the same, as of a moment ago.
    pub(super) fn is_same(&self, within: Duration) -> bool {
        let is_recent = self.heads.is_some_and(|heads| heads.elapsed() <= within);
        self.verdict == Some("same") && is_recent
    }
}

/// What an embedded account has done so far.
#[derive(Debug, Clone, Default)]
pub struct Emulated {
    /// Whether it has the documents of the start.
    pub is_filled: bool,
    /// Writes of its own, by operation.
    pub changes: BTreeMap<&'static str, u64>,
    /// Splits of partitions.
    pub splits: u64,
    /// Merges of partitions.
    pub merges: u64,
}

/// All figures.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// What runs, once it does.
    pub(super) begun: Option<Begun>,
    pub(super) counts: Counts,
    pub(super) ranges: Ranges,
    /// Changes that were read, by operation.
    pub(super) changes: BTreeMap<&'static str, u64>,
    pub(super) commits: Histogram,
    pub(super) last_commit: Option<OffsetDateTime>,
    /// When the last commit began.
    committed_through: Option<Instant>,
    /// When the last page with changes came.
    last_news: Option<Instant>,
    /// When the first page with changes came that no commit has.
    uncommitted_since: Option<Instant>,
    is_ready: bool,
    pub(super) applied: Option<Applied>,
    pub(super) compared: Option<Compared>,
    pub(super) emulated: Option<Emulated>,
    pub(super) pace: Pace,
    /// The traffic with each account.
    pub(super) traffic: Vec<(Direction, Arc<Traffic>)>,
}

impl Figures {
    /// Whether every range is pinned and the first commit is made.
    pub(super) fn is_ready(&self) -> bool {
        match &self.emulated {
            Some(emulated) => emulated.is_filled,
            None => self.is_ready,
        }
    }

    fn note_readiness(&mut self) {
        let Some(begun) = self.begun.filter(|_| !self.is_ready) else {
            return;
        };
        if begun.has_ranges && self.ranges.len() == 0 {
            return;
        }
        self.is_ready = match (self.committed_through, begun.commits) {
            (Some(began), true) => self.ranges.are_committed(began),
            (None, true) => false,
            (_, false) => self.ranges.are_committed(Instant::now()),
        };
    }

    pub(super) fn phase(&self) -> Phase {
        let Some(begun) = self.begun else {
            return match self.is_ready() {
                true => Phase::Following,
                false => Phase::Starting,
            };
        };
        if let Some(compared) = &self.compared
            && compared.verdict.is_none()
        {
            return Phase::Reading;
        }
        let is_through = match &self.applied {
            Some(applied) if self.ranges.len() == 0 => applied.done >= Some(1.0),
            _ => self.ranges.were_at_head(),
        };
        match (is_through, begun.follows) {
            (false, _) => Phase::Reading,
            (true, true) => Phase::Following,
            (true, false) => Phase::Ending,
        }
    }

    /// Whether everything that existed at the last answers is read, applied and committed.
    pub(super) fn is_up_to_date(&self) -> bool {
        let is_committed = self.last_news.is_none_or(|news| {
            self.begun.is_some_and(|begun| !begun.commits)
                || self.committed_through.is_some_and(|began| began >= news)
        });
        self.ranges.are_at_head() && is_committed && self.pending() == 0
    }

    fn pending(&self) -> u64 {
        self.applied.as_ref().map_or(0, |applied| applied.pending)
    }

    /// The fraction that is done, if there is an end.
    pub(super) fn done(&self) -> Option<f64> {
        match (&self.applied, self.begun) {
            (Some(applied), _) => applied.done.or_else(|| self.ranges.done_applying()),
            (None, Some(begun)) if !begun.follows => Some(self.counts.done),
            (None, _) => None,
        }
    }

    fn note_pace(&mut self) {
        let now = Instant::now();
        if !self.pace.is_due(now) {
            return;
        }
        let remaining = match self.done() {
            Some(done) => 1.0 - done,
            None => {
                let lags = self.ranges.lags(clock::now().unix_timestamp());
                Ranges::lag(&lags).transactions as f64
            }
        };
        self.pace.note(now, remaining);
    }
}

/// The figures of a command, which it writes and the endpoints read.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) command: &'static str,
    pub(super) per_range: bool,
    pub(super) health_timeout: Duration,
    pub(super) started: Instant,
    pub(super) started_at: OffsetDateTime,
    figures: Mutex<Figures>,
    manager: Option<ServiceManager>,
}

impl Board {
    pub(super) fn new(
        command: &'static str,
        per_range: bool,
        health_timeout: Duration,
        manager: Option<ServiceManager>,
    ) -> Self {
        let board = Self {
            command,
            per_range,
            health_timeout,
            started: Instant::now(),
            started_at: clock::now(),
            figures: Mutex::default(),
            manager,
        };
        board.notify(&board.lock(), false);
        board
    }

    /// After how long without a sign of life the service manager ends this process, if it does.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.manager.as_ref()?.watchdog()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Figures> {
        // Nothing here panics between two changes.
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self, begun: Begun) {
        let mut figures = self.lock();
        figures.ranges.is_scoped = begun.is_scoped;
        figures.ranges.from_beginning = begun.from_beginning;
        figures.ranges.are_applied = begun.applies;
        figures.begun = Some(begun);
    }

    pub(super) fn observe(
        &self,
        event: &Event<'_>,
        counts: &Counts,
        operations: &[(&'static str, u64)],
    ) {
        let mut figures = self.lock();
        let figures = &mut *figures;
        figures.counts = *counts;
        figures.ranges.observe(event);
        for (operation, number) in operations {
            *figures.changes.entry(operation).or_default() += number;
        }
        match event {
            Event::Page { page, .. } if !page.is_empty() => {
                let now = Instant::now();
                figures.last_news = Some(now);
                figures.uncommitted_since.get_or_insert(now);
            }
            Event::Committed { began, took, .. } => figures.committed(*began, *took),
            Event::Tick => figures.note_pace(),
            // The other ranges come after the first.
            Event::Added { .. } => return,
            _ => {}
        }
        figures.note_readiness();
        // A page without anything new is no page, but charged for.
        let lives = matches!(
            event,
            Event::Page { .. } | Event::Charged { .. } | Event::Committed { .. }
        );
        self.notify(figures, lives);
    }

    /// Reports to the service manager, if there is one. `lives` if the account has answered or a commit was made.
    fn notify(&self, figures: &Figures, lives: bool) {
        let Some(manager) = &self.manager else {
            return;
        };
        manager.report(figures.is_ready(), || figures.status());
        if lives {
            manager.feed(|limit| figures.hangs(limit));
        }
    }

    /// An embedded account has come so far.
    pub(super) fn emulated(&self, emulated: &Emulated) {
        let mut figures = self.lock();
        figures.emulated = Some(emulated.clone());
        self.notify(&figures, true);
    }

    /// A comparison knows this much.
    pub(super) fn compared(&self, compared: Compared) {
        let mut figures = self.lock();
        let lives = figures
            .compared
            .as_ref()
            .is_none_or(|before| before.documents != compared.documents);
        figures.compared = Some(compared);
        figures.note_readiness();
        self.notify(&figures, lives);
    }

    /// A comparison has read this much.
    pub(super) fn compares(&self, documents: u64, bytes: u64) {
        let earlier = self.lock().compared.clone().unwrap_or_default();
        self.compared(Compared {
            documents,
            bytes,
            ..earlier
        });
    }

    pub(super) fn committed(&self, began: Instant, took: Duration) {
        let mut figures = self.lock();
        figures.committed(began, took);
        figures.note_readiness();
        self.notify(&figures, true);
    }

    pub(super) fn applied(
        &self,
        applied: Applied,
        positions: impl Iterator<Item = (RangeId, Option<u64>)>,
    ) {
        let mut figures = self.lock();
        // This comes at intervals: only what was done since the last time is a sign of life.
        let lives = figures.applied.as_ref().is_none_or(|before| {
            before.changes != applied.changes || before.retries != applied.retries
        });
        figures.applied = Some(applied);
        for (range, lsn) in positions {
            figures.ranges.applied(range, lsn);
        }
        figures.note_pace();
        figures.note_readiness();
        self.notify(&figures, lives);
    }
}

impl Figures {
    /// Whether an answer of the account, or a commit, is awaited for longer than `limit`. Commits are some time apart.
    fn hangs(&self, limit: Duration) -> bool {
        let commits = self.begun.filter(|begun| begun.commits);
        let commit_hangs = match (commits, self.uncommitted_since) {
            (Some(begun), Some(since)) => since.elapsed() > begun.commits_within + limit,
            _ => false,
        };
        let mut traffic = self.traffic.iter();
        commit_hangs
            || traffic.any(|(_, traffic)| {
                traffic
                    .longest_wait()
                    .is_some_and(|(_, waited)| waited > limit)
            })
    }

    /// How far the command is, in a line.
    fn status(&self) -> String {
        let phase = self.phase().name();
        if self.begun.is_none() && self.emulated.is_none() {
            return phase.to_owned();
        }
        let changes = match (&self.emulated, &self.applied) {
            (Some(emulated), _) => emulated.changes.values().sum(),
            (None, Some(applied)) => applied.changes.iter().map(|(_, number)| number).sum(),
            (None, None) => self.counts.documents,
        };
        let mut text = format!("{phase}: {}", count(changes, "change"));
        if self.ranges.len() > 0 {
            text.push_str(&format!(", {}", count(self.ranges.len() as u64, "range")));
            let total = Ranges::lag(&self.ranges.lags(clock::now().unix_timestamp()));
            if total.unknown == 0 {
                let bound = if total.is_at_most { "at most " } else { "" };
                let behind = count(total.transactions, "transaction");
                text.push_str(&format!(", {bound}{behind} behind"));
            }
        }
        text
    }

    fn committed(&mut self, began: Instant, took: Duration) {
        self.commits.observe(took.as_secs_f64());
        self.last_commit = Some(clock::now());
        self.committed_through = Some(began);
        // What came after the commit began is not in it.
        self.uncommitted_since = self.last_news.filter(|news| *news >= began).map(|_| {
            self.uncommitted_since
                .map_or(began, |since| since.max(began))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_makes_no_verdict_recent() {
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds));
        let compared = |heads| Compared {
            verdict: Some("same"),
            as_of: Some(clock::now() + time::Duration::hours(1)),
            heads,
            ..Compared::default()
        };
        let near = Duration::from_secs(10);
        assert!(compared(ago(5)).is_same(near));
        assert!(!compared(ago(15)).is_same(near));
        assert!(!compared(None).is_same(near));
    }
}

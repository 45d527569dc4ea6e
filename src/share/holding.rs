//! A lease that this instance has.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::feed::{FeedRange, Position, RangeState};
use crate::job::RangeWriter;
use crate::leases::Lease;
use crate::replay::Tenure;

/// What is done with a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// The state of its files is claimed.
    Claiming,
    /// Its range is read.
    Reading,
    /// Its range was split or merged: these are the ranges that replace it, with the ETags at which they begin.
    Replaced(Vec<(FeedRange, String)>),
    /// It is let go, since others have too few.
    Leaving,
    /// It is deleted, since another lease has its range.
    Doubled,
}

/// A lease that this instance has.
#[derive(Debug)]
pub(super) struct Holding {
    /// As it is stored, if nobody else has written it.
    pub(super) lease: Lease,
    /// Its range, with the position after what was handed over for printing.
    pub(super) read: RangeState,
    /// Stops the reading of its range.
    pub(super) stop: CancellationToken,
    pub(super) phase: Phase,
    /// Until when it may be acted on. All times are since boot.
    pub(super) valid_until: Duration,
    /// The same for whoever applies its changes.
    pub(super) tenure: Arc<Tenure>,
    /// When it is to be written again.
    pub(super) renew_at: Duration,
    /// When a position may be saved again.
    pub(super) save_at: Duration,
    /// The position after what was printed and flushed.
    pub(super) printed: Option<Position>,
    /// Its ETag.
    pub(super) flushed: Option<String>,
    /// ETags that were sent to be saved since the lease was known to be as it is here: it can have any of them.
    pub(super) sent: Vec<String>,
    /// Whether changes were handed over since the last flush began, are in the flush that is under way, and are
    /// flushed but not saved.
    pub(super) changes: Changes,
    /// Whether a write of it is under way.
    pub(super) is_writing: bool,
    /// The flush after which the phase can go on.
    pub(super) waits_for: Option<u64>,
    /// What it has if its changes go to files.
    pub(super) files: Option<HoldingFiles>,
}

/// What a lease has whose changes go to files: each has a state of its own.
#[derive(Debug, Default)]
pub(super) struct HoldingFiles {
    /// Writes them, once the state was claimed.
    pub(super) writer: Option<RangeWriter>,
    pub(super) lane: Lane,
    /// When the state is to be claimed again, after that has failed.
    pub(super) claim_at: Option<Duration>,
    /// When the open file is to be finished, if there is one.
    pub(super) finish_at: Option<Duration>,
    /// Bytes of pages since the last commit began.
    pub(super) bytes: u64,
}

/// What was handed over, and when that is flushed.
#[derive(Debug, Default)]
pub(super) struct Lane {
    begun: u64,
    is_under_way: bool,
    at: Duration,
    pub(super) is_dirty: bool,
}

impl Lane {
    /// The number of the next flush.
    pub(super) fn next(&self) -> u64 {
        self.begun + 1
    }

    /// The number of the last flush that has ended.
    pub(super) fn ended(&self) -> u64 {
        self.begun - u64::from(self.is_under_way)
    }

    /// Has a flush begin as soon as that is possible.
    pub(super) fn hasten(&mut self) {
        (self.is_dirty, self.at) = (true, Duration::ZERO);
    }

    /// Whether a flush is to begin.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        !self.is_under_way && self.is_dirty && now >= self.at
    }

    /// A flush begins. The next one is to begin no earlier than `interval` from `now`.
    pub(super) fn begin(&mut self, now: Duration, interval: Duration) {
        self.begun += 1;
        (self.is_under_way, self.is_dirty, self.at) = (true, false, now + interval);
    }

    /// The flush that was under way has ended.
    pub(super) fn end(&mut self) {
        self.is_under_way = false;
    }
}

/// On which way changes are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Changes {
    pub(super) handed: bool,
    pub(super) flushing: bool,
    pub(super) flushed: bool,
}

impl Changes {
    /// A flush begins of what was handed over.
    pub(super) fn begin_flush(&mut self) {
        self.flushing |= std::mem::take(&mut self.handed);
    }

    /// It has ended.
    pub(super) fn end_flush(&mut self) {
        self.flushed |= std::mem::take(&mut self.flushing);
    }
}

impl Holding {
    /// The range.
    pub(super) fn range(&self) -> &FeedRange {
        &self.read.range
    }

    /// Ends the reading of its range. After the flush of this number, the phase can go on. Nothing is changed if it was
    /// ended before: what was read since was not printed.
    pub(super) fn end_reading(&mut self, phase: Phase, flush: u64) -> bool {
        if self.phase != Phase::Reading {
            return false;
        }
        self.stop.cancel();
        self.phase = phase;
        self.waits_for = Some(flush);
        true
    }

    /// The lease was written: it may be acted on until then.
    pub(super) fn prolong(&mut self, until: Duration) {
        self.valid_until = until;
        self.tenure.prolong(until);
    }

    /// Whether all that was handed over was printed. What comes after `--max` changes is not, not even the rest of
    /// their page.
    pub(super) fn is_printed(&self) -> bool {
        self.printed == self.read.position
    }

    /// The position that is to be saved with the next write; none if it is saved already.
    pub(super) fn unsaved(&self) -> Option<&str> {
        let flushed = self.flushed.as_deref()?;
        (self.lease.checkpoint.etag() != Some(flushed)).then_some(flushed)
    }

    /// The position that is sent with a write which begins now.
    pub(super) fn send(&mut self) -> Option<String> {
        let etag = self.unsaved()?.to_owned();
        if !self.sent.contains(&etag) {
            self.sent.push(etag.clone());
        }
        Some(etag)
    }

    /// The lease was found or written so.
    pub(super) fn is_now(&mut self, lease: Lease) {
        self.lease = lease;
        self.sent.clear();
    }

    /// What the lease can have until the next commit has ended.
    pub(super) fn saved(&self) -> Vec<String> {
        let mut saved: Vec<String> = Vec::new();
        let known = self.lease.checkpoint.etag().map(str::to_owned);
        let all = known.into_iter().chain(self.sent.iter().cloned());
        for etag in all.chain(self.flushed.clone()) {
            if !saved.contains(&etag) {
                saved.push(etag);
            }
        }
        saved
    }

    /// Whether it is to be written now.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        let saves = self.changes.flushed && self.unsaved().is_some() && now >= self.save_at;
        !self.is_writing && (now >= self.renew_at || saves || self.tenure.is_asked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::RangeId;
    use crate::leases::{Document, Target};

    #[test]
    fn a_lease_can_have_what_was_sent_until_it_is_known() {
        let mut holding = holding();
        assert_eq!(holding.saved(), ["\"5\""]);
        assert_eq!(holding.send(), None);
        for etag in ["\"7\"", "\"2\""] {
            holding.flushed = Some(etag.to_owned());
            assert_eq!(holding.send().as_deref(), Some(etag));
        }
        holding.flushed = Some("\"3\"".to_owned());
        assert_eq!(holding.saved(), ["\"5\"", "\"7\"", "\"2\"", "\"3\""]);
        let lease = holding.lease.clone();
        holding.is_now(lease);
        assert_eq!(holding.saved(), ["\"5\"", "\"3\""]);
    }

    fn holding() -> Holding {
        let text = br#"{"id":"a..0","LeaseToken":"0","Owner":"a","ContinuationToken":"\"5\""}"#;
        let target = Target::Rid("AQAAAAAAAAA=".to_owned());
        Holding {
            lease: Lease::of(Document::parse(text).unwrap(), &target).unwrap(),
            read: RangeState {
                id: RangeId(0),
                range: FeedRange::full(),
                parents: Vec::new(),
                position: None,
                end: None,
                snapshot: false,
            },
            stop: CancellationToken::new(),
            phase: Phase::Reading,
            valid_until: Duration::ZERO,
            tenure: Arc::new(Tenure::until(
                Duration::ZERO,
                Duration::ZERO,
                Arc::default(),
                false,
            )),
            renew_at: Duration::ZERO,
            save_at: Duration::ZERO,
            printed: None,
            flushed: None,
            sent: Vec::new(),
            changes: Changes::default(),
            is_writing: false,
            waits_for: None,
            files: None,
        }
    }

    #[test]
    fn the_first_end_of_reading_counts() {
        let mut holding = holding();
        let range = FeedRange::full();
        let replaced = |etag: &str| Phase::Replaced(vec![(range.clone(), etag.to_owned())]);
        assert!(holding.end_reading(replaced("5"), 1));
        assert!(holding.stop.is_cancelled());
        // A split that was on its way: its children would begin after pages that were dropped.
        assert!(!holding.end_reading(replaced("9"), 2));
        assert!(!holding.end_reading(Phase::Leaving, 2));
        assert_eq!(holding.phase, replaced("5"));
        assert_eq!(holding.waits_for, Some(1));
    }
}

//! For how long changes of a range may be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::failpoint;
use crate::process;

/// The range is this process's own.
const ACTIVE: u8 = 0;
/// A write was not begun, since the time was over.
const BROKEN: u8 = 1;
/// The range was given up.
const ENDED: u8 = 2;
/// How long a wait for the lease lasts before the clock is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// A defect that tests plant.
const UNCONFIRMED: &str = "defect.replay.trusts-what-it-reads";

/// The time for which a range is this process's own, by a clock that counts pauses. It is prolonged while it lasts.
///
/// Whoever asks it too late breaks it for good: a change was not written then, so no position after that change may be
/// saved, even if the time is prolonged after all.
///
/// The clock says nothing of a lease that was taken before it expired. Only a write of the lease shows that it was still this
/// process's own: [`Tenure::confirmed`] waits for one.
#[derive(Debug)]
pub(crate) struct Tenure {
    /// Nanoseconds since boot.
    until: watch::Sender<u64>,
    /// How long after it was begun a write of the lease lets it end.
    lasts: u64,
    /// The last moment that is to be confirmed.
    asked: AtomicU64,
    state: AtomicU8,
    /// Told that a confirmation is asked for.
    wake: Arc<Notify>,
    /// Whether deletions of the range are applied.
    deletes: bool,
}

impl Tenure {
    /// One that ends at this time since boot, `lasts` after the write of its lease began.
    pub(crate) fn until(
        until: Duration,
        lasts: Duration,
        wake: Arc<Notify>,
        deletes: bool,
    ) -> Self {
        Self {
            until: watch::Sender::new(nanoseconds(until)),
            lasts: nanoseconds(lasts),
            asked: AtomicU64::new(0),
            state: AtomicU8::new(ACTIVE),
            wake,
            deletes,
        }
    }

    /// Lets it end at this time since boot: a write of the lease succeeded.
    pub(crate) fn prolong(&self, until: Duration) {
        self.until.send_replace(nanoseconds(until));
    }

    /// Whether deletions of the range are applied.
    pub(crate) fn deletes(&self) -> bool {
        self.deletes
    }

    /// Whether the lease is to be written so that it is known whose it is.
    pub(crate) fn is_asked(&self) -> bool {
        self.is_active() && !self.is_confirmed(self.asked.load(Ordering::SeqCst))
    }

    /// Whether a write of the lease succeeded that was begun after this moment.
    fn is_confirmed(&self, moment: u64) -> bool {
        self.until.borrow().saturating_sub(self.lasts) > moment
    }

    /// Waits until a write of the lease, begun from now on, shows that the range is still this process's own. False if it is
    /// not: no change may be written then.
    pub(crate) async fn confirmed(&self) -> bool {
        if failpoint::is_planted(UNCONFIRMED) {
            return self.holds();
        }
        let moment = nanoseconds(process::since_boot());
        let mut written = self.until.subscribe();
        self.asked.fetch_max(moment, Ordering::SeqCst);
        self.wake.notify_one();
        loop {
            if !self.holds() {
                return false;
            }
            if self.is_confirmed(moment) {
                return true;
            }
            tokio::time::timeout(LOOK, written.changed()).await.ok();
        }
    }

    /// Whether a change may be written now. If the time is over, it never may again.
    pub(crate) fn holds(&self) -> bool {
        if !self.is_active() {
            return false;
        }
        if nanoseconds(process::since_boot()) < *self.until.borrow() {
            return true;
        }
        self.leave(BROKEN);
        false
    }

    /// Ends it: changes that wait are not written any more.
    pub(crate) fn end(&self) {
        self.leave(ENDED);
        // Whoever waits looks again.
        self.until.send_modify(|_| {});
    }

    /// Whether every change was written that was to be.
    pub(crate) fn is_active(&self) -> bool {
        self.state.load(Ordering::SeqCst) == ACTIVE
    }

    /// Whether a change was not written since the time was over.
    pub(crate) fn is_broken(&self) -> bool {
        self.state.load(Ordering::SeqCst) == BROKEN
    }

    fn leave(&self, to: u8) {
        self.state
            .compare_exchange(ACTIVE, to, Ordering::SeqCst, Ordering::SeqCst)
            .ok();
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(60);

    fn until(until: Duration) -> Tenure {
        Tenure::until(until, LASTS, Arc::default(), true)
    }

    #[tokio::test]
    async fn only_a_write_that_began_later_confirms() {
        let began = process::since_boot();
        let tenure = Arc::new(until(began + LASTS));
        assert!(!tenure.is_asked());
        let waiting = Arc::clone(&tenure);
        let waits = tokio::spawn(async move { waiting.confirmed().await });
        tenure.wake.notified().await;
        assert!(tenure.is_asked());
        // The answer to a write that was under way.
        tenure.prolong(began + LASTS);
        assert!(tenure.is_asked());
        tenure.prolong(process::since_boot() + LASTS);
        assert!(waits.await.unwrap());
        assert!(!tenure.is_asked());

        let waiting = Arc::clone(&tenure);
        let waits = tokio::spawn(async move { waiting.confirmed().await });
        tenure.wake.notified().await;
        tenure.end();
        assert!(!waits.await.unwrap());
        assert!(!tenure.is_asked());
    }

    #[test]
    fn whoever_is_late_breaks_it_for_good() {
        let hour = process::since_boot() + Duration::from_secs(3600);
        let tenure = until(hour);
        assert!(tenure.holds());
        tenure.prolong(Duration::ZERO);
        // Nobody has asked meanwhile.
        tenure.prolong(hour);
        assert!(tenure.holds());
        tenure.prolong(Duration::ZERO);
        assert!(!tenure.holds());
        tenure.prolong(hour);
        assert!(!tenure.holds());
        assert!(tenure.is_broken());
    }

    #[test]
    fn one_that_was_ended_is_not_broken() {
        let tenure = until(Duration::MAX);
        tenure.end();
        assert!(!tenure.holds());
        assert!(!tenure.is_active());
        assert!(!tenure.is_broken());
    }
}

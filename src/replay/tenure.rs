//! For how long changes of a range may be written.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use crate::process;

/// The range is this process's own.
const ACTIVE: u8 = 0;
/// A write was not begun, since the time was over.
const BROKEN: u8 = 1;
/// The range was given up.
const ENDED: u8 = 2;

/// The time for which a range is this process's own, by a clock that counts pauses. It is prolonged while it lasts.
///
/// Whoever asks it too late breaks it for good: a change was not written then, so no position after that change may be
/// saved, even if the time is prolonged after all.
#[derive(Debug)]
pub(crate) struct Tenure {
    /// Nanoseconds since boot.
    until: AtomicU64,
    state: AtomicU8,
}

impl Tenure {
    /// One that ends at this time since boot.
    pub(crate) fn until(until: Duration) -> Self {
        Self {
            until: AtomicU64::new(nanoseconds(until)),
            state: AtomicU8::new(ACTIVE),
        }
    }

    /// Lets it end at this time since boot.
    pub(crate) fn prolong(&self, until: Duration) {
        self.until.store(nanoseconds(until), Ordering::SeqCst);
    }

    /// Whether a change may be written now. If the time is over, it never may again.
    pub(crate) fn holds(&self) -> bool {
        if !self.is_active() {
            return false;
        }
        if nanoseconds(process::since_boot()) < self.until.load(Ordering::SeqCst) {
            return true;
        }
        self.leave(BROKEN);
        false
    }

    /// Ends it: changes that wait are not written any more.
    pub(crate) fn end(&self) {
        self.leave(ENDED);
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

    #[test]
    fn whoever_is_late_breaks_it_for_good() {
        let hour = process::since_boot() + Duration::from_secs(3600);
        let tenure = Tenure::until(hour);
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
        let tenure = Tenure::until(Duration::MAX);
        tenure.end();
        assert!(!tenure.holds());
        assert!(!tenure.is_active());
        assert!(!tenure.is_broken());
    }
}

//! The pauses between attempts at the same thing, for reads and writes alike.

use std::time::Duration;

/// The first pause: half of it is random.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Pauses double up to this one.
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// A `Retry-After` is honoured up to this. The service asks for seconds at most: whoever asks for more is
/// asked again once a minute, so that a wrong header cannot stop a job for hours.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Counts failures in a row, and returns a longer pause after each.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts a failure. Returns the pause before the next attempt: it doubles from failure to failure, and
    /// is never shorter than [`honoured`] of what the service asked for.
    pub fn next_pause(&mut self, retry_after: Option<Duration>) -> Duration {
        let grown = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        // Half of it is random, so that ranges that failed together do not return together.
        let pause = grown.min(MAX_PAUSE).mul_f64(0.5 + fastrand::f64() / 2.0);
        pause.max(retry_after.map(honoured).unwrap_or_default())
    }

    /// The failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// An attempt succeeded: forgets the failures. Returns whether there were any.
    pub fn reset(&mut self) -> bool {
        std::mem::take(&mut self.failures) > 0
    }
}

/// The pause after an answer with this `Retry-After`: not shorter, up to a minute, and up to a quarter longer,
/// so that requests that were throttled together do not return together.
pub fn honoured(retry_after: Duration) -> Duration {
    retry_after
        .min(MAX_RETRY_AFTER)
        .mul_f64(1.0 + fastrand::f64() / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_maximum() {
        let mut backoff = Backoff::default();
        let mut expected = FIRST_PAUSE;
        for failure in 0..40 {
            assert_eq!(backoff.failures(), failure);
            let pause = backoff.next_pause(None);
            assert!(
                pause >= expected / 2 && pause <= expected,
                "{failure}: {pause:?}"
            );
            expected = (expected * 2).min(MAX_PAUSE);
        }
        assert!(backoff.reset());
        assert!(!backoff.reset());
        assert!(backoff.next_pause(None) <= FIRST_PAUSE);
    }

    #[test]
    fn a_retry_after_is_honoured_up_to_a_minute() {
        for (asked, min, max) in [
            (0, 50, 100),
            (1_000, 1_000, 1_250),
            (15_000, 15_000, 18_750),
            (60_000, 60_000, 75_000),
            (3_600_000, 60_000, 75_000),
            (u64::MAX, 60_000, 75_000),
        ] {
            let pause = Backoff::default().next_pause(Some(Duration::from_millis(asked)));
            let range = Duration::from_millis(min)..=Duration::from_millis(max);
            assert!(range.contains(&pause), "{asked}: {pause:?}");
        }
    }
}

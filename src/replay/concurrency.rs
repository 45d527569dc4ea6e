//! How many writes run in parallel: fewer after throttling, then gradually more again.

use std::time::{Duration, Instant};

/// The shortest time between two reductions: requests that were on their way when the first was made
/// say nothing about it.
const REDUCTION_INTERVAL: Duration = Duration::from_millis(100);

/// The number of writes that may run in parallel.
#[derive(Debug)]
pub(super) struct WriteConcurrency {
    max: usize,
    current: usize,
    /// Throttled requests that were taken into account.
    throttled: u64,
    reduced_at: Instant,
    /// Writes that ended since the last change, none of them throttled.
    clean: usize,
}

impl WriteConcurrency {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            current: max,
            throttled: 0,
            reduced_at: Instant::now(),
            clean: 0,
        }
    }

    /// How many writes may run now.
    pub(super) fn current(&self) -> usize {
        self.current
    }

    /// A write ended; this many requests were throttled in total.
    pub(super) fn write_ended(&mut self, throttled: u64) {
        if throttled > self.throttled {
            self.throttled = throttled;
            self.clean = 0;
            if self.reduced_at.elapsed() > REDUCTION_INTERVAL {
                self.current = (self.current * 3 / 4).max(1);
                self.reduced_at = Instant::now();
            }
            return;
        }
        self.clean += 1;
        if self.clean >= self.current && self.current < self.max {
            self.current += 1;
            self.clean = 0;
        }
    }
}

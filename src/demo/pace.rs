//! The pace of the demo account's writes and splits.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::error::usage;

/// Minimum time between two bursts of writes, since timers are no finer than a millisecond.
const MIN_TICK: Duration = Duration::from_millis(10);

pub(super) fn split_interval(every: Option<Duration>) -> anyhow::Result<Option<Interval>> {
    match every {
        Some(Duration::ZERO) => Err(usage(
            "--split-every must be greater than zero",
            "use a duration such as 30s",
        )),
        Some(every) => Ok(Some(interval(every))),
        None => Ok(None),
    }
}

/// An interval whose first tick comes after its period, and that skips missed ticks.
fn interval(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    interval
}

pub(super) async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// When writes are due, and how many.
pub(super) struct WriteClock {
    interval: Option<Interval>,
    per_tick: f64,
    owed: f64,
}

impl WriteClock {
    pub(super) fn new(per_second: f64) -> anyhow::Result<Self> {
        if per_second == 0.0 {
            return Ok(Self::never());
        }
        // More than a day between two writes, or more than a million a second, is a mistake.
        if !(1e-5..=1e6).contains(&per_second) {
            return Err(usage(
                format!("--writes-per-second cannot be {per_second}"),
                "use 0 for none, or a number such as 0.5 or 20",
            ));
        }
        let period = Duration::from_secs_f64(1.0 / per_second).max(MIN_TICK);
        Ok(Self {
            interval: Some(interval(period)),
            per_tick: per_second * period.as_secs_f64(),
            owed: 0.0,
        })
    }

    pub(super) fn never() -> Self {
        Self {
            interval: None,
            per_tick: 0.0,
            owed: 0.0,
        }
    }

    /// Waits until writes are due, and returns how many.
    pub(super) async fn tick(&mut self) -> u32 {
        tick(&mut self.interval).await;
        // Slightly more than the exact share: a rate of 5 must be 1 per tick, not 0.999….
        self.owed += self.per_tick + 1e-9;
        let due = self.owed.floor();
        self.owed -= due;
        due as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_rate_of_writes_is_kept_over_time() {
        for rate in [0.1, 5.0, 7.0, 20_000.0] {
            let start = Instant::now();
            let mut clock = WriteClock::new(rate).unwrap();
            let mut writes = 0;
            while start.elapsed() < Duration::from_secs(100) {
                writes += clock.tick().await;
            }
            let exact = rate * start.elapsed().as_secs_f64();
            assert!(
                (f64::from(writes) - exact).abs() <= exact * 0.01 + 1.0,
                "{rate}: {writes}"
            );
        }
    }

    #[tokio::test]
    async fn an_invalid_rate_or_interval_is_a_usage_error() {
        for rate in [-1.0, f64::NAN, f64::INFINITY, 1e7] {
            assert!(WriteClock::new(rate).is_err(), "{rate}");
        }
        assert!(split_interval(Some(Duration::ZERO)).is_err());
    }
}

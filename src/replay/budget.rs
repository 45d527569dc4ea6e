//! A budget of request units: how many may be used in a second.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The estimated cost of a request before the first answer, in RU.
const FIRST_ESTIMATE: f64 = 10.0;

/// The share of a second's budget that one request may use.
const MAX_SHARE_AT_ONCE: f64 = 0.04;

/// How much of a second's budget may be used at once after a pause.
const BURST: Duration = Duration::from_millis(20);

/// Spaces requests so that their charges add up to no more than a rate.
///
/// A charge is known only when the answer arrives, so each request is admitted by an estimate, and the
/// difference from the real charge delays or advances the next ones.
#[derive(Debug)]
pub(super) struct Budget {
    per_second: f64,
    pace: Mutex<Pace>,
}

#[derive(Debug)]
struct Pace {
    /// When the requests admitted so far are paid for.
    paid_until: Instant,
    /// The estimated cost of an operation: an average weighted towards the latest.
    estimate: f64,
}

/// An admitted request: its number of operations, and their estimated cost.
#[derive(Debug)]
#[must_use = "the charge has to be settled"]
pub(super) struct Reserved {
    operations: f64,
    cost: f64,
}

impl Budget {
    /// A budget of `per_second` request units, at least 1.
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            per_second: f64::from(per_second.max(1)),
            pace: Mutex::new(Pace {
                paid_until: Instant::now(),
                estimate: FIRST_ESTIMATE.min(f64::from(per_second)),
            }),
        }
    }

    /// Admits a request of this many operations. It may be sent at the returned time.
    pub(super) fn reserve(&self, operations: usize) -> (Instant, Reserved) {
        let mut pace = self.pace();
        let now = Instant::now();
        let at = pace.paid_until.max(now.checked_sub(BURST).unwrap_or(now));
        let operations = operations.max(1) as f64;
        let cost = pace.estimate * operations;
        pace.paid_until = at + self.time_for(cost);
        (at, Reserved { operations, cost })
    }

    /// Corrects the estimate of a request by what the service charged.
    pub(super) fn settle(&self, reserved: Reserved, charge: f64) {
        let mut pace = self.pace();
        let more = charge - reserved.cost;
        pace.paid_until = if more >= 0.0 {
            pace.paid_until + self.time_for(more)
        } else {
            pace.paid_until
                .checked_sub(self.time_for(-more))
                .unwrap_or(pace.paid_until)
        };
        let charge = charge / reserved.operations;
        if charge > 0.0 {
            // A higher cost is adopted quickly, a lower one slowly.
            let weight = if charge > pace.estimate { 0.5 } else { 0.1 };
            pace.estimate += (charge - pace.estimate) * weight;
        }
    }

    /// How many operations one request may have, since it is charged as a whole; at least one.
    pub(super) fn at_once(&self) -> usize {
        let operations = self.per_second * MAX_SHARE_AT_ONCE / self.pace().estimate.max(0.01);
        (operations as usize).max(1)
    }

    /// Adds a charge for a request that was not reserved. Returns when it is paid for.
    pub(super) fn charge(&self, charge: f64) -> Instant {
        let mut pace = self.pace();
        let now = Instant::now();
        let at = pace.paid_until.max(now.checked_sub(BURST).unwrap_or(now));
        pace.paid_until = at + self.time_for(charge);
        pace.paid_until
    }

    fn time_for(&self, charge: f64) -> Duration {
        Duration::from_secs_f64(charge.max(0.0) / self.per_second)
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace> {
        // Nothing here panics between two changes of the pace.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends requests of up to `operations` operations that cost `charge` each for ten seconds, and returns
    /// the highest total charge of any second after the first.
    async fn highest_second(
        budget: &Budget,
        max_operations: usize,
        charge: impl Fn(usize) -> f64,
    ) -> f64 {
        let began = Instant::now();
        let mut charged: Vec<(Duration, f64)> = Vec::new();
        while began.elapsed() < Duration::from_secs(10) {
            let operations = budget.at_once().min(max_operations);
            let (at, reserved) = budget.reserve(operations);
            tokio::time::sleep_until(at).await;
            let charge = charge(charged.len()) * operations as f64;
            charged.push((began.elapsed(), charge));
            budget.settle(reserved, charge);
        }
        let second = Duration::from_secs(1);
        let window = |(from, _): &(Duration, f64)| -> f64 {
            let within = |(at, _): &&(Duration, f64)| at >= from && *at < *from + second;
            charged
                .iter()
                .filter(within)
                .map(|(_, charge)| charge)
                .sum()
        };
        let total: f64 = charged.iter().map(|(_, charge)| charge).sum();
        assert!(total > budget.per_second * 9.0, "{total}");
        charged.iter().map(window).fold(0.0, f64::max)
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_is_charged_more_than_the_budget_and_a_tenth() {
        for operations in [1, 100] {
            for charges in [[5.0, 5.0], [1.0, 30.0], [0.5, 6.0], [0.1, 0.1]] {
                let budget = Budget::new(500);
                let charge = |request: usize| charges[request % 2];
                let charged = highest_second(&budget, operations, charge).await;
                assert!(charged <= 550.0, "{operations} of {charges:?}: {charged}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_unreserved_charge_is_paid_before_the_next_request() {
        let budget = Budget::new(500);
        let began = Instant::now();
        let paid = budget.charge(250.0);
        let (at, reserved) = budget.reserve(1);
        assert_eq!(at, paid);
        let waited = at - began;
        assert!(waited >= Duration::from_millis(480), "{waited:?}");
        budget.settle(reserved, 10.0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_pause_left_unused_is_not_used_later() {
        let budget = Budget::new(500);
        tokio::time::advance(Duration::from_secs(60)).await;
        let charged = highest_second(&budget, 1, |_| 5.0).await;
        assert!(charged <= 550.0, "{charged}");
    }
}

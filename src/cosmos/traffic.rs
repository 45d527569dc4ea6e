//! The requests of this process to an account, those that the SDK repeats by itself included.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use azure_core::time::OffsetDateTime;

use super::budget::Budget;
use super::read_bound::ReadBound;
use crate::feed::RangeId;
use crate::process;

/// The status of a request that was refused since no throughput was left for it.
const THROTTLED: u16 = 429;

/// What is exchanged with an account.
#[derive(Debug, Default)]
pub struct Traffic {
    /// What reading may cost, if that is limited.
    budget: Mutex<Option<Arc<Budget>>>,
    /// How much is read at once, if several jobs share the connection.
    bound: OnceLock<ReadBound>,
    exchanged: Mutex<Exchanged>,
    /// What the last answer said about the time, and when it came, since boot.
    dated: Mutex<Option<(OffsetDateTime, Duration)>>,
    /// Who has asked and awaits an answer.
    asking: Mutex<HashMap<Asker, Asking>>,
}

/// What has been exchanged so far.
#[derive(Debug, Clone, Default)]
pub struct Exchanged {
    /// Requests by the status of their answers; without one if no answer arrived.
    pub by_status: BTreeMap<Option<u16>, u64>,
    /// Request units charged, in hundredths, which is the service's precision: sums stay exact.
    pub charged_hundredths: u64,
    /// When an answer that is no error last arrived.
    pub last_success: Option<Instant>,
}

impl Exchanged {
    /// Request units charged.
    pub fn request_units(&self) -> f64 {
        self.charged_hundredths as f64 / 100.0
    }

    /// Requests that were throttled.
    pub fn throttled(&self) -> u64 {
        self.by_status.get(&Some(THROTTLED)).copied().unwrap_or(0)
    }
}

/// Who asks an account for something, and asks again until it has an answer that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Asker {
    /// The reader of a range.
    Range(RangeId),
    /// A write, by a number of its own.
    Write(u64),
}

#[derive(Debug, Clone, Copy)]
struct Asking {
    /// Since when there has been no answer; none while nothing is asked.
    since: Option<Instant>,
    /// When the last answer arrived.
    last_answer: Option<Instant>,
}

impl Traffic {
    /// Limits what reading may cost to this, from now on. A budget of as many RU/s that there is goes on.
    pub fn limit(&self, budget: Budget) {
        let mut limited = lock(&self.budget);
        let is_the_same = |one: &Arc<Budget>| one.per_second() == budget.per_second();
        if !limited.as_ref().is_some_and(is_the_same) {
            *limited = Some(Arc::new(budget));
        }
    }

    /// What reading may cost, if that is limited.
    pub fn budget(&self) -> Option<Arc<Budget>> {
        lock(&self.budget).clone()
    }

    /// Several jobs share the connection from now on, and this bound.
    pub fn share(&self, bound: ReadBound) {
        self.bound.set(bound).ok();
    }

    /// How much is read at once, if several jobs share the connection.
    pub fn bound(&self) -> Option<&ReadBound> {
        self.bound.get()
    }

    /// An answer arrived.
    pub(crate) fn answered(&self, status: u16, request_charge: f64) {
        {
            let mut exchanged = lock(&self.exchanged);
            *exchanged.by_status.entry(Some(status)).or_default() += 1;
            exchanged.charged_hundredths += (request_charge * 100.0).round() as u64;
            if status < 400 {
                exchanged.last_success = Some(Instant::now());
            }
        }
        if let Some(budget) = self.budget() {
            budget.charge(request_charge);
            if status == THROTTLED {
                budget.throttled();
            }
        }
    }

    /// An answer of the service has this date.
    pub(crate) fn dated(&self, date: OffsetDateTime) {
        *lock(&self.dated) = Some((date, process::since_boot()));
    }

    /// The time by the service's clock, as far as answers have said it: at most a second, and the way of the answer,
    /// behind.
    pub(crate) fn service_time(&self) -> Option<OffsetDateTime> {
        let (date, came) = (*lock(&self.dated))?;
        Some(date + process::since_boot().saturating_sub(came))
    }

    /// A request failed without an answer.
    pub(super) fn unanswered(&self) {
        *lock(&self.exchanged).by_status.entry(None).or_default() += 1;
    }

    /// What has been exchanged so far.
    pub fn exchanged(&self) -> Exchanged {
        lock(&self.exchanged).clone()
    }

    /// `asker` sends a request. If it has had no answer to an earlier one, it has been waiting since then.
    pub fn asks(&self, asker: Asker) {
        let mut asking = lock(&self.asking);
        let entry = asking.entry(asker).or_insert(Asking {
            since: None,
            last_answer: None,
        });
        entry.since.get_or_insert_with(Instant::now);
    }

    /// `asker` has waited this long for something else than the account.
    pub fn excuses(&self, asker: Asker, waited: Duration) {
        if let Some(Asking {
            since: Some(since), ..
        }) = lock(&self.asking).get_mut(&asker)
        {
            *since += waited;
        }
    }

    /// `asker` has an answer that it can use.
    pub fn hears(&self, asker: Asker) {
        if let Some(asking) = lock(&self.asking).get_mut(&asker) {
            asking.since = None;
            asking.last_answer = Some(Instant::now());
        }
    }

    /// `asker` asks no more.
    pub fn leaves(&self, asker: Asker) {
        lock(&self.asking).remove(&asker);
    }

    /// Who has waited longest for an answer, and for how long.
    pub fn longest_wait(&self) -> Option<(Asker, Duration)> {
        let asking = lock(&self.asking);
        let waiting = asking
            .iter()
            .filter_map(|(asker, asking)| Some((asking.since?, *asker)));
        let (since, asker) = waiting.min()?;
        Some((asker, since.elapsed()))
    }

    /// How long ago the last answer arrived of the range for which that is longest; none before each has one.
    pub fn oldest_answer(&self) -> Option<Duration> {
        let asking = lock(&self.asking);
        let mut oldest = None;
        for (asker, asking) in asking.iter() {
            if let Asker::Range(_) = asker {
                let answer = asking.last_answer?;
                oldest = Some(oldest.map_or(answer, |oldest: Instant| oldest.min(answer)));
            }
        }
        Some(oldest?.elapsed())
    }

    /// How many documents a page should have, at most `wanted`.
    pub(super) fn page_size(&self, wanted: NonZeroU32) -> NonZeroU32 {
        self.budget()
            .map_or(wanted, |budget| budget.page_size(wanted))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing here panics between two changes.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_and_answers_add_up() {
        let traffic = Traffic::default();
        for _ in 0..1000 {
            traffic.answered(200, 0.1);
        }
        traffic.answered(429, 0.38);
        traffic.unanswered();
        let exchanged = traffic.exchanged();
        assert_eq!(exchanged.request_units(), 100.38);
        assert_eq!(exchanged.throttled(), 1);
        let by_status: Vec<_> = exchanged.by_status.into_iter().collect();
        assert_eq!(by_status, [(None, 1), (Some(200), 1000), (Some(429), 1)]);
    }

    #[test]
    fn another_limit_takes_the_place_of_the_one_before() {
        let traffic = Traffic::default();
        assert!(traffic.budget().is_none());
        traffic.limit(Budget::new(100));
        let first = traffic.budget().unwrap();
        // It remembers what was charged of late.
        traffic.limit(Budget::new(100));
        assert!(Arc::ptr_eq(&first, &traffic.budget().unwrap()));
        traffic.limit(Budget::new(7));
        assert_eq!(traffic.budget().unwrap().per_second(), 7.0);
    }

    #[test]
    fn a_range_waits_since_its_first_request_without_an_answer() {
        let traffic = Traffic::default();
        let [first, second] = [0, 1].map(|id| Asker::Range(RangeId(id)));
        traffic.asks(first);
        std::thread::sleep(Duration::from_millis(2));
        traffic.asks(second);
        // A retry changes nothing.
        traffic.asks(first);
        assert_eq!(traffic.longest_wait().unwrap().0, first);
        assert_eq!(traffic.oldest_answer(), None);
        traffic.hears(first);
        assert_eq!(traffic.longest_wait().unwrap().0, second);
        traffic.excuses(second, Duration::from_secs(3600));
        assert_eq!(traffic.longest_wait().unwrap().1, Duration::ZERO);
        traffic.leaves(second);
        assert_eq!(traffic.longest_wait(), None);
        assert!(traffic.oldest_answer().is_some());
    }
}

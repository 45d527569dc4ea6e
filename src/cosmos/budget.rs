//! A ceiling for what reading may cost: request units in a second, over all requests of this process.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The share of a second's budget that may be used at once after a pause.
const BURST: f64 = 0.02;

/// The share of a second's budget that one page should cost at most; a dearer one is requested smaller.
const MAX_PAGE_SHARE: f64 = 0.06;

/// But a page may cost so many times what a poll without anything new costs: each page is charged for more than
/// its documents, and small ones would mostly pay for that.
const MIN_POLLS_IN_A_PAGE: f64 = 4.0;

/// The share of a second's budget that may be charged in any second.
const MAX_IN_A_SECOND: f64 = 1.04;

/// The second over which charges are summed, and how exactly.
const SECOND: Duration = Duration::from_secs(1);
const SLICE: Duration = Duration::from_millis(10);

/// The assumed charge of a document before the first page was charged, in RU: high, since the page is paid
/// for whatever it costs.
const FIRST_DOCUMENT_CHARGE: f64 = 2.0;

/// The most documents of a page: more than the service has ever put into one.
const MAX_PAGE_SIZE: u32 = 1 << 20;

/// The assumed charge of a poll that finds nothing new, before the first one was charged, in RU.
const FIRST_POLL_CHARGE: f64 = 2.0;

/// The share of the budget that polls of ranges without changes may use.
const IDLE_SHARE: f64 = 0.25;

/// What is left of the budget at least, however often the account throttles.
const MIN_SHARE: f64 = 1.0 / 16.0;

/// How much of the budget is taken back in each second without throttling.
const RECOVERY_PER_SECOND: f64 = 0.02;

/// Answers of 429 within this time count once: requests in flight are refused together.
const THROTTLED_TOGETHER: Duration = Duration::from_secs(1);

/// A budget of request units for reading.
///
/// A request is admitted by what it is expected to cost, which it holds until it has been answered. Each
/// answer is charged as it arrives, also those of requests that were not admitted here, such as those that the
/// SDK repeats by itself. Requests are admitted in the order in which they ask, so that no range takes
/// more than its turn.
///
/// In any second, or in the time that ten of the dearest pages are worth if that is longer, no more is charged
/// than the budget and a tenth, however late the answers come.
#[derive(Debug)]
pub struct Budget {
    per_second: f64,
    /// The one that waits to be admitted; behind it the others, in their order.
    turn: tokio::sync::Mutex<()>,
    account: Mutex<Account>,
    /// A request has been answered.
    answered: Notify,
}

#[derive(Debug)]
struct Account {
    /// What may be used now, in RU. Negative while admitted requests are paid for.
    balance: f64,
    /// When the balance was computed.
    at: Instant,
    /// What admitted requests hold.
    held: f64,
    /// How long an answer takes, in seconds: an average weighted towards the latest.
    latency: f64,
    /// What was charged in the last second.
    charged: LastSecond,
    /// What the requests cost that were admitted in the last second, or hold until they are charged.
    admitted: LastSecond,
    /// Documents requested in a page: a power of two.
    size: u32,
    /// The charge of a page of that size: the highest of late.
    page: f64,
    /// Whether nothing was charged yet.
    is_new: bool,
    /// The charge of a poll that found nothing new: the highest of late.
    poll: f64,
    /// The share of the budget that is used, below 1 after the account throttled.
    share: f64,
    /// When the account last throttled.
    throttled: Option<Instant>,
}

/// Request units of the last second.
#[derive(Debug, Default)]
struct LastSecond {
    entries: VecDeque<(Instant, f64)>,
    /// The sum of the entries.
    sum: f64,
    /// The number of the first entry.
    first: u64,
}

impl LastSecond {
    /// Adds an entry, and returns its number.
    fn push(&mut self, at: Instant, units: f64) -> u64 {
        self.entries.push_back((at, units));
        self.sum += units;
        self.first + self.entries.len() as u64 - 1
    }

    /// Gives the entry of this number another value, unless it is forgotten.
    fn replace(&mut self, number: u64, units: f64) {
        let place = number.checked_sub(self.first);
        let place = place.and_then(|place| usize::try_from(place).ok());
        if let Some((_, before)) = place.and_then(|place| self.entries.get_mut(place)) {
            self.sum += units - *before;
            *before = units;
        }
    }

    /// Forgets what is older than a second.
    fn forget_before(&mut self, now: Instant) {
        while let Some((at, units)) = self.entries.front().copied()
            && now.duration_since(at) >= SECOND + SLICE
        {
            self.entries.pop_front();
            self.sum -= units;
            self.first += 1;
        }
        // Sums of fractions drift.
        if self.entries.is_empty() {
            self.sum = 0.0;
        }
    }
}

/// A request that was admitted. What it holds is released when it is dropped.
#[derive(Debug)]
#[must_use = "what the request holds is released when this is dropped"]
pub struct Admitted {
    budget: Arc<Budget>,
    /// Documents that it may have.
    requested: NonZeroU32,
    held: f64,
    at: Instant,
    /// Counts the requests that were admitted.
    number: u64,
}

impl Admitted {
    /// The answer had so many documents, and was charged like this. The next requests are expected to cost as
    /// much.
    pub(super) fn settle(self, documents: usize, charge: f64) {
        let mut account = self.budget.account();
        let rate = self.budget.per_second * account.share;
        account.learn(self.requested, documents, charge, rate);
        account.admitted.replace(self.number, charge);
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut account = self.budget.account();
        let now = self.budget.refill(&mut account);
        let latency = now.duration_since(self.at).min(SECOND).as_secs_f64();
        let weight = if account.latency == 0.0 { 1.0 } else { 0.1 };
        account.latency += (latency - account.latency) * weight;
        account.balance += self.held;
        account.held -= self.held;
        drop(account);
        self.budget.answered.notify_one();
    }
}

impl Budget {
    /// A budget of `per_second` request units, at least 1.
    pub fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        let documents = (per_second * MAX_PAGE_SHARE / FIRST_DOCUMENT_CHARGE).max(1.0);
        let size = 1 << (documents as u32).ilog2();
        Self {
            per_second,
            turn: tokio::sync::Mutex::new(()),
            account: Mutex::new(Account {
                balance: per_second * BURST,
                at: Instant::now(),
                held: 0.0,
                latency: 0.0,
                charged: LastSecond::default(),
                admitted: LastSecond::default(),
                size,
                page: FIRST_DOCUMENT_CHARGE * f64::from(size),
                is_new: true,
                poll: FIRST_POLL_CHARGE,
                share: 1.0,
                throttled: None,
            }),
            answered: Notify::new(),
        }
    }

    /// Request units in a second.
    pub fn per_second(&self) -> f64 {
        self.per_second
    }

    /// What is used of the budget at present, in request units per second: less than the budget after the
    /// account throttled.
    pub fn current(&self) -> f64 {
        let mut account = self.account();
        self.refill(&mut account);
        self.per_second * account.share
    }

    /// How many documents a page should have, at most `wanted`.
    pub fn page_size(&self, wanted: NonZeroU32) -> NonZeroU32 {
        NonZeroU32::new(self.account().size).map_or(wanted, |size| size.min(wanted))
    }

    /// Waits until a page of up to `documents` documents may be requested. Returns `None` if pages became
    /// smaller meanwhile.
    pub async fn admit(self: &Arc<Self>, documents: NonZeroU32) -> Option<Admitted> {
        let turn = self.turn.lock().await;
        let (held, number) = loop {
            if self.page_size(documents) < documents {
                return None;
            }
            let wait = match self.try_admit(documents) {
                Ok(admitted) => break admitted,
                Err(wait) => wait,
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.answered.notified() => {}
            }
        };
        drop(turn);
        Some(Admitted {
            budget: Arc::clone(self),
            requested: documents,
            held,
            at: Instant::now(),
            number,
        })
    }

    /// What the request holds and its number, or how long it has to wait.
    fn try_admit(&self, documents: NonZeroU32) -> Result<(f64, u64), Duration> {
        let mut account = self.account();
        let now = self.refill(&mut account);
        let rate = self.per_second * account.share;
        let expected = account.expected(documents);
        let missing = expected.min(rate * BURST) - account.balance;
        // Time is measured in whole nanoseconds, sums of charges are not.
        if missing > 1e-6 {
            return Err(Duration::from_secs_f64(missing / rate).max(SLICE / 10));
        }
        // The first answer shows what the others may cost.
        if account.is_new && account.held > 0.0 {
            return Err(SECOND);
        }
        // A page that is dearer than all of a second is requested alone.
        let is_alone = account.held < 1e-6 && expected > rate * MAX_PAGE_SHARE;
        // Answers that are late may come together with those of later requests.
        let late = (account.held - rate * account.latency).max(0.0);
        // What was held for less than expected is used again, but not all at once.
        let most = rate * MAX_IN_A_SECOND;
        let used = (account.charged.sum + late).max(account.admitted.sum);
        if !is_alone && used + expected > most {
            return Err(SLICE);
        }
        account.balance -= expected;
        account.held += expected;
        let number = account.admitted.push(now, expected);
        Ok((expected, number))
    }

    /// Charges an answer of any request.
    pub(super) fn charge(&self, charge: f64) {
        if charge <= 0.0 {
            return;
        }
        let mut account = self.account();
        let now = self.refill(&mut account);
        account.balance -= charge;
        account.charged.push(now, charge);
    }

    /// The account refused a request since it had no throughput left for it (429).
    pub(super) fn throttled(&self) {
        let mut account = self.account();
        let now = self.refill(&mut account);
        let counted = account
            .throttled
            .is_some_and(|before| now.duration_since(before) < THROTTLED_TOGETHER);
        if !counted {
            account.share = (account.share / 2.0).max(MIN_SHARE);
            account.throttled = Some(now);
        }
    }

    /// The pause between two polls of a range without changes, of which there are `ranges`.
    pub fn idle_pause(&self, pause: Duration, ranges: usize) -> Duration {
        let account = self.account();
        let rate = self.per_second * account.share * IDLE_SHARE;
        pause.max(Duration::from_secs_f64(account.poll * ranges as f64 / rate))
    }

    /// Adds what has become available since the last time, and forgets what was charged before the last
    /// second. Returns the time.
    fn refill(&self, account: &mut Account) -> Instant {
        let now = Instant::now();
        let elapsed = now.duration_since(account.at).as_secs_f64();
        account.at = now;
        if account.throttled.is_some() {
            account.share = (account.share + elapsed * RECOVERY_PER_SECOND).min(1.0);
        }
        // What a request waits for never exceeds what can be saved up: both follow from the same rate.
        let rate = self.per_second * account.share;
        account.balance = (account.balance + elapsed * rate).min(rate * BURST);
        account.charged.forget_before(now);
        account.admitted.forget_before(now);
        now
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        // Nothing here panics between two changes of the account.
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// What a page of so many documents is expected to cost.
    fn expected(&self, documents: NonZeroU32) -> f64 {
        let pages = f64::from(documents.get()) / f64::from(self.size);
        (self.page * pages.max(1.0)).max(self.poll)
    }

    /// Learns from the charge of an answer what the next ones may cost. A page should cost no more than
    /// `rate` allows.
    fn learn(&mut self, requested: NonZeroU32, documents: usize, charge: f64, rate: f64) {
        // A higher charge is adopted at once, a lower one slowly.
        let adopt = |known: f64, charge: f64| {
            if charge > known {
                charge
            } else {
                known + (charge - known) * 0.25
            }
        };
        let is_first = std::mem::take(&mut self.is_new);
        if documents == 0 {
            self.poll = if is_first {
                charge
            } else {
                adopt(self.poll, charge)
            };
            return;
        }
        let max = (rate * MAX_PAGE_SHARE).max(self.poll * MIN_POLLS_IN_A_PAGE);
        let is_full = documents >= requested.get() as usize;
        // Somewhat dearer pages keep their size, which would otherwise change with every page.
        if charge > max * 1.25 && documents > 1 {
            // The service may have ended the page before it had as many documents as were requested.
            let smaller = 1 << (documents as u32 / 2).max(1).ilog2();
            self.page = if smaller < self.size {
                charge
            } else {
                adopt(self.page, charge)
            };
            self.size = self.size.min(smaller);
        } else if !is_full || requested.get() != self.size {
            self.page = self.page.max(charge);
        } else {
            self.page = if is_first {
                charge
            } else {
                adopt(self.page, charge)
            };
            if self.page * 2.0 <= max && self.size < MAX_PAGE_SIZE {
                self.size *= 2;
                self.page *= 2.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: NonZeroU32 = NonZeroU32::new(1000).unwrap();

    /// A charged answer: when it came, of which range, and its charge.
    type Charged = Vec<(Instant, usize, f64)>;

    /// What ranges cost.
    #[derive(Debug, Clone, Copy)]
    struct Service {
        ranges: usize,
        latency: Duration,
        document: f64,
    }

    /// Reads ranges without end for `time`.
    async fn read(budget: &Arc<Budget>, service: Service, time: Duration) -> Charged {
        let (charges, mut received) = tokio::sync::mpsc::unbounded_channel();
        let mut tasks = tokio::task::JoinSet::new();
        for range in 0..service.ranges {
            let (budget, charges) = (Arc::clone(budget), charges.clone());
            tasks.spawn(async move {
                loop {
                    let size = budget.page_size(WANTED);
                    let Some(admitted) = budget.admit(size).await else {
                        continue;
                    };
                    tokio::time::sleep(service.latency).await;
                    let charge = service.document * f64::from(size.get());
                    budget.charge(charge);
                    charges.send((Instant::now(), range, charge)).unwrap();
                    admitted.settle(size.get() as usize, charge);
                }
            });
        }
        tokio::time::sleep(time).await;
        tasks.shutdown().await;
        drop(charges);
        let mut all = Charged::new();
        while let Some(one) = received.recv().await {
            all.push(one);
        }
        all
    }

    /// The highest sum of charges in any time of this length.
    fn highest(charged: &Charged, window: Duration) -> f64 {
        let (mut first, mut sum, mut highest) = (0, 0.0, 0.0_f64);
        for (at, _, charge) in charged {
            sum += charge;
            while at.duration_since(charged[first].0) >= window {
                sum -= charged[first].2;
                first += 1;
            }
            highest = highest.max(sum);
        }
        highest
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_is_charged_more_than_the_budget_and_a_tenth_and_little_is_left_unused() {
        for per_second in [400, 5000] {
            for ranges in [1, 8, 64] {
                for latency in [5, 80, 700] {
                    for document in [0.03, 0.5, 6.0] {
                        let service = Service {
                            ranges,
                            latency: Duration::from_millis(latency),
                            document,
                        };
                        let budget = Arc::new(Budget::new(per_second));
                        let charged = read(&budget, service, Duration::from_secs(24)).await;
                        let dearest = charged.iter().map(|one| one.2).fold(0.0, f64::max);
                        let allowed = f64::from(per_second);
                        let window = Duration::from_secs_f64((10.0 * dearest / allowed).max(1.0));
                        let most = highest(&charged, window);
                        let limit = allowed * 1.1 * window.as_secs_f64();
                        assert!(most <= limit, "{service:?} {per_second}: {most} of {limit}");
                        // What the ranges could read without a budget: one page at a time each.
                        let page = f64::from(budget.page_size(WANTED).get()) * document;
                        let unlimited = ranges as f64 * page * 1000.0 / latency as f64;
                        // At the beginning the charges are not known.
                        let settled = charged[0].0 + Duration::from_secs(12);
                        let later = charged.iter().filter(|one| one.0 >= settled);
                        let total: f64 = later.map(|one| one.2).sum();
                        let least = unlimited.min(allowed) * 0.85 * 10.0;
                        assert!(
                            total >= least,
                            "{service:?} {per_second}: {total} of {least}"
                        );
                    }
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn ranges_take_turns() {
        let budget = Arc::new(Budget::new(1000));
        let service = Service {
            ranges: 16,
            latency: Duration::from_millis(20),
            document: 0.5,
        };
        let charged = read(&budget, service, Duration::from_secs(30)).await;
        let total: f64 = charged.iter().map(|one| one.2).sum();
        for range in 0..16 {
            let own = charged.iter().filter(|one| one.1 == range);
            let share = own.map(|one| one.2).sum::<f64>() * 16.0 / total;
            assert!((0.9..=1.1).contains(&share), "range {range}: {share}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_pause_left_unused_is_not_used_later() {
        let budget = Arc::new(Budget::new(500));
        tokio::time::advance(Duration::from_secs(60)).await;
        let service = Service {
            ranges: 8,
            latency: Duration::from_millis(20),
            document: 0.5,
        };
        let charged = read(&budget, service, Duration::from_secs(5)).await;
        let most = highest(&charged, SECOND);
        assert!(most <= 550.0, "{most}");
    }

    /// The SDK repeats requests by itself, and lists of ranges are read: all of it counts.
    #[tokio::test(start_paused = true)]
    async fn what_was_not_admitted_is_paid_for_by_the_next() {
        let budget = Arc::new(Budget::new(500));
        budget.charge(250.0);
        let began = Instant::now();
        let one = NonZeroU32::MIN;
        drop(budget.admit(one).await);
        let waited = began.elapsed();
        assert!(waited >= Duration::from_millis(480), "{waited:?}");
        assert!(waited < Duration::from_millis(600), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_throttles_is_left_more_than_the_budget_would() {
        let budget = Arc::new(Budget::new(800));
        budget.throttled();
        // Those in flight are refused together.
        budget.throttled();
        assert_eq!(budget.current(), 400.0);
        let service = Service {
            ranges: 8,
            latency: Duration::from_millis(20),
            document: 0.5,
        };
        let charged = read(&budget, service, Duration::from_secs(2)).await;
        let most = highest(&charged, SECOND);
        assert!(most <= 480.0, "{most}");
        let total: f64 = charged.iter().map(|one| one.2).sum();
        assert!(total >= 600.0, "{total}");
        for _ in 0..20 {
            tokio::time::advance(Duration::from_secs(2)).await;
            budget.throttled();
        }
        assert!(budget.current() >= 50.0, "{}", budget.current());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(budget.current(), 800.0);
    }

    #[tokio::test(start_paused = true)]
    async fn ranges_without_changes_are_polled_for_a_quarter_of_the_budget() {
        let budget = Budget::new(400);
        let second = Duration::from_secs(1);
        assert_eq!(budget.idle_pause(second, 10), second);
        // 1,000 polls of 2 RU at 100 RU/s.
        assert_eq!(budget.idle_pause(second, 1000), Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_given_up_holds_nothing() {
        let budget = Arc::new(Budget::new(400));
        for _ in 0..1000 {
            let admitted = tokio::time::timeout(Duration::from_millis(1), budget.admit(WANTED));
            drop(admitted.await);
        }
        tokio::time::advance(Duration::from_secs(2)).await;
        let began = Instant::now();
        drop(budget.admit(WANTED).await);
        assert!(began.elapsed() < Duration::from_millis(5));
    }
}

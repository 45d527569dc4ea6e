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

/// The share of a second's budget that may be charged in any second.
const MAX_IN_A_SECOND: f64 = 1.04;

/// The second over which charges are summed, and how finely.
const SECOND: Duration = Duration::from_secs(1);
const SLICE: Duration = Duration::from_millis(10);

/// The assumed charge of a document before the first page was charged, in RU: high, since the page is paid
/// for whatever it costs.
const FIRST_DOCUMENT_CHARGE: f64 = 2.0;

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
    /// What was charged in the last second, by when.
    charged: VecDeque<(Instant, f64)>,
    /// The charge of a document: the highest of late.
    document: f64,
    /// Whether a page with documents was charged.
    has_page: bool,
    /// The charge of a poll that found nothing new: the highest of late.
    poll: f64,
    /// The share of the budget that is used, below 1 after the account throttled.
    share: f64,
    /// When the account last throttled.
    throttled: Option<Instant>,
}

/// A request that was admitted. What it holds is released when it is dropped.
#[derive(Debug)]
#[must_use = "what the request holds is released when this is dropped"]
pub struct Admitted {
    budget: Arc<Budget>,
    held: f64,
    at: Instant,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut account = self.budget.account();
        let now = self.budget.refill(&mut account);
        let latency = now.duration_since(self.at).min(SECOND).as_secs_f64();
        account.latency += (latency - account.latency) * 0.05;
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
        Self {
            per_second,
            turn: tokio::sync::Mutex::new(()),
            account: Mutex::new(Account {
                balance: per_second * BURST,
                at: Instant::now(),
                held: 0.0,
                latency: 0.0,
                charged: VecDeque::new(),
                document: FIRST_DOCUMENT_CHARGE,
                has_page: false,
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

    /// How many documents a page should have, at most `wanted` and at least one.
    pub fn page_size(&self, wanted: NonZeroU32) -> NonZeroU32 {
        let account = self.account();
        let documents = self.per_second * account.share * MAX_PAGE_SHARE / account.document;
        if documents >= f64::from(wanted.get()) {
            return wanted;
        }
        // A power of two, so that the size of pages does not follow every charge.
        let size = (documents as u32).max(1);
        NonZeroU32::new(1 << size.ilog2()).unwrap_or(NonZeroU32::MIN)
    }

    /// Waits until a page of up to `documents` documents may be requested.
    pub async fn admit(self: &Arc<Self>, documents: NonZeroU32) -> Admitted {
        let turn = self.turn.lock().await;
        let held = loop {
            let wait = match self.try_admit(documents) {
                Ok(held) => break held,
                Err(wait) => wait,
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.answered.notified() => {}
            }
        };
        drop(turn);
        Admitted {
            budget: Arc::clone(self),
            held,
            at: Instant::now(),
        }
    }

    /// What the request holds, or how long it has to wait.
    fn try_admit(&self, documents: NonZeroU32) -> Result<f64, Duration> {
        let mut account = self.account();
        self.refill(&mut account);
        let rate = self.per_second * account.share;
        let expected = (account.document * f64::from(documents.get())).max(account.poll);
        let missing = expected.min(rate * BURST) - account.balance;
        // Time is measured in whole nanoseconds, sums of charges are not.
        if missing > 1e-6 {
            return Err(Duration::from_secs_f64(missing / rate).max(SLICE / 10));
        }
        let charged: f64 = account.charged.iter().map(|(_, charge)| charge).sum();
        // A page that is dearer than all of a second is requested alone.
        let is_alone = account.held < 1e-6 && expected > rate * MAX_PAGE_SHARE;
        // Answers that are late may come together with those of later requests.
        let late = (account.held - rate * account.latency).max(0.0);
        if !is_alone && charged + late + expected > rate * MAX_IN_A_SECOND {
            return Err(SLICE);
        }
        account.balance -= expected;
        account.held += expected;
        Ok(expected)
    }

    /// Charges an answer of any request.
    pub(super) fn charge(&self, charge: f64) {
        if charge <= 0.0 {
            return;
        }
        let mut account = self.account();
        let now = self.refill(&mut account);
        account.balance -= charge;
        match account.charged.back_mut() {
            Some((at, sum)) if now.duration_since(*at) < SLICE => *sum += charge,
            _ => account.charged.push_back((now, charge)),
        }
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

    /// Learns from the charge of an answer what the next ones may cost.
    pub fn learn(&self, documents: usize, charge: f64) {
        let mut account = self.account();
        // A higher charge is adopted at once, a lower one slowly.
        let adopt = |known: f64, charge: f64| {
            if charge > known {
                charge
            } else {
                known + (charge - known) * 0.1
            }
        };
        if documents == 0 {
            account.poll = adopt(account.poll, charge);
            return;
        }
        let each = (charge / documents as f64).max(1e-3);
        account.document = if account.has_page {
            adopt(account.document, each)
        } else {
            each
        };
        account.has_page = true;
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
        let rate = self.per_second * account.share;
        account.balance = (account.balance + elapsed * rate).min(rate * BURST);
        if account.throttled.is_some() {
            account.share = (account.share + elapsed * RECOVERY_PER_SECOND).min(1.0);
        }
        while let Some((at, _)) = account.charged.front()
            && now.duration_since(*at) >= SECOND + SLICE
        {
            account.charged.pop_front();
        }
        now
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        // Nothing here panics between two changes of the account.
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
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
                    let admitted = budget.admit(size).await;
                    tokio::time::sleep(service.latency).await;
                    let charge = service.document * f64::from(size.get());
                    budget.charge(charge);
                    budget.learn(size.get() as usize, charge);
                    charges.send((Instant::now(), range, charge)).unwrap();
                    drop(admitted);
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
                        let charged = read(&budget, service, Duration::from_secs(12)).await;
                        let dearest = charged.iter().map(|one| one.2).fold(0.0, f64::max);
                        let allowed = f64::from(per_second);
                        let window = Duration::from_secs_f64((10.0 * dearest / allowed).max(1.0));
                        let most = highest(&charged, window);
                        let limit = allowed * 1.1 * window.as_secs_f64();
                        assert!(most <= limit, "{service:?} {per_second}: {most} of {limit}");
                        // What the ranges could read without a budget: one page at a time each.
                        let page = f64::from(budget.page_size(WANTED).get()) * document;
                        let unlimited = ranges as f64 * page * 1000.0 / latency as f64;
                        let total: f64 = charged.iter().map(|one| one.2).sum();
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
        budget.learn(0, 2.0);
        let second = Duration::from_secs(1);
        assert_eq!(budget.idle_pause(second, 10), second);
        // 1,000 polls of 2 RU at 100 RU/s.
        assert_eq!(budget.idle_pause(second, 1000), Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_given_up_holds_nothing() {
        let budget = Arc::new(Budget::new(400));
        budget.learn(100, 30.0);
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

//! Replicas that lag, and writers that write while a client reads.

use std::sync::{Mutex, PoisonError};

use super::requests::RequestRecord;
use super::{Action, Container, Fault, RequestKind};

/// How far a replica lags behind its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lag {
    /// It has not seen the last so many transactions.
    Transactions(u64),
    /// It lacks the writes of this many last seconds of the gateway's clock.
    Seconds(u64),
    /// It has the log up to this LSN, be it from before the split or merge that created the partition.
    At(u64),
}

impl Default for Lag {
    fn default() -> Self {
        Self::Transactions(0)
    }
}

impl From<u64> for Lag {
    fn from(transactions: u64) -> Self {
        Self::Transactions(transactions)
    }
}

type Choose = Box<dyn FnMut(&RequestRecord) -> Lag + Send>;

/// Which replica answers which request.
#[derive(Default)]
pub(super) struct Replicas {
    choose: Option<Choose>,
}

impl Replicas {
    pub(super) fn set<L: Into<Lag>>(
        &mut self,
        mut choose: impl FnMut(&RequestRecord) -> L + Send + 'static,
    ) {
        self.choose = Some(Box::new(move |record| choose(record).into()));
    }

    pub(super) fn lag(&mut self, record: &RequestRecord) -> Lag {
        let choose = self.choose.as_mut();
        choose.map_or_else(Lag::default, |choose| choose(record))
    }
}

/// For [`super::Gateway::set_lag`]: replicas that lag so far answer in turn.
pub(crate) fn in_turn<L: Into<Lag> + Copy + Send + 'static>(
    lags: Vec<L>,
) -> impl FnMut(&RequestRecord) -> Lag + Send + 'static {
    assert!(!lags.is_empty(), "there is a replica");
    let mut next = (0..lags.len()).cycle();
    move |_| lags[next.next().expect("a cycle has no end")].into()
}

/// For [`super::Gateway::set_lag`]: replicas that lag by up to `most` transactions answer at random; half of
/// the requests are answered by one that has everything.
pub(crate) fn at_random(
    seed: u64,
    most: u64,
) -> impl FnMut(&RequestRecord) -> Lag + Send + 'static {
    let mut random = fastrand::Rng::with_seed(seed);
    move |_| {
        let lag = random.u64(..=most);
        Lag::Transactions(if random.bool() { lag } else { 0 })
    }
}

/// A writer that rewrites while a client reads: before every `nth` request for a page it writes the
/// next of the documents `ids` once more ([`Container::rewrite`]), until each has had its turn.
pub(crate) fn rewriter(
    container: &Container,
    ids: impl IntoIterator<Item = String>,
    nth: usize,
) -> Fault {
    assert!(nth > 0, "requests are counted from 1");
    let container = container.clone();
    let ids: Vec<String> = ids.into_iter().collect();
    let state = Mutex::new((0, ids.into_iter()));
    let write = move || {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        if !usize::is_multiple_of(state.0, nth) {
            return;
        }
        if let Some(id) = state.1.next() {
            container.rewrite(&id);
        }
    };
    Fault::on(RequestKind::ChangeFeed, Action::call(write))
        .when(RequestRecord::is_page)
        .always()
}

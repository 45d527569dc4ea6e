//! The ledger, or the running commit that holds it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::task::JoinHandle;

use crate::feed::{PinnedEnd, RangeId};
use crate::sink::{Seal, Sink};
use crate::state::ledger::Ledger;

/// The result of a commit: the ledger, and what was committed.
type Outcome = (Box<Ledger>, Result<Committed>);

/// A commit that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Committed {
    /// How many files it published.
    pub(super) published: u64,
    /// When it began: all that was handed to the sink by then is committed.
    pub(super) began: Instant,
    /// How long it took.
    pub(super) took: Duration,
}

/// The ledger, which one commit at a time holds.
#[derive(Debug)]
pub(super) enum CommitSlot {
    /// No commit is running.
    Idle(Box<Ledger>),
    /// A commit holds the ledger, and returns it.
    Running(JoinHandle<Outcome>),
    /// The ledger was lost with a commit that panicked.
    Lost,
}

impl CommitSlot {
    /// A slot with `ledger`, without a running commit.
    pub(super) fn new(ledger: Ledger) -> Self {
        Self::Idle(Box::new(ledger))
    }

    /// Whether a commit can begin.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self, Self::Idle(_))
    }

    /// Begins a commit of all that has been handed to the sink so far, together with a `change` of the
    /// ledger and `ends` of ranges.
    ///
    /// # Errors
    ///
    /// If a commit is running.
    pub(super) fn begin(
        &mut self,
        sink: &Arc<Sink>,
        seal: Seal,
        ends: HashMap<RangeId, PinnedEnd>,
        known_lsns: &KnownLsns,
        change: impl FnOnce(&mut Ledger) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        match std::mem::replace(self, Self::Lost) {
            Self::Idle(mut ledger) => {
                ledger.set_ends(ends);
                let (sink, known_lsns) = (Arc::clone(sink), known_lsns.clone());
                let began = Instant::now();
                let commit = commit(sink, ledger, seal, known_lsns, change);
                let commit = async move {
                    let (ledger, published) = commit.await;
                    let took = began.elapsed();
                    let committed = published.map(|published| Committed {
                        published,
                        began,
                        took,
                    });
                    (ledger, committed)
                };
                *self = Self::Running(tokio::spawn(commit));
                Ok(())
            }
            other => {
                *self = other;
                bail!("a commit is already running")
            }
        }
    }

    /// Waits for the end of the running commit; forever, if there is none.
    ///
    /// It is cancel safe: if the future is dropped, the commit continues and the next call waits for it.
    ///
    /// # Errors
    ///
    /// The error of the commit.
    pub(super) async fn ended(&mut self) -> Result<Committed> {
        let Self::Running(commit) = self else {
            return std::future::pending().await;
        };
        match commit.await {
            Ok((ledger, committed)) => {
                *self = Self::Idle(ledger);
                committed
            }
            Err(panicked) => {
                *self = Self::Lost;
                std::panic::resume_unwind(panicked.into_panic())
            }
        }
    }

    /// The ledger.
    ///
    /// # Errors
    ///
    /// If a commit holds it.
    pub(super) fn into_ledger(self) -> Result<Box<Ledger>> {
        match self {
            Self::Idle(ledger) => Ok(ledger),
            Self::Running(_) | Self::Lost => bail!("a commit holds the ledger"),
        }
    }
}

/// One commit: receipts from every writer, a change of the ledger, then the destination.
async fn commit(
    sink: Arc<Sink>,
    mut ledger: Box<Ledger>,
    seal: Seal,
    known_lsns: KnownLsns,
    change: impl FnOnce(&mut Ledger) -> Result<()> + Send + 'static,
) -> (Box<Ledger>, Result<u64>) {
    let receipts = match sink.checkpoint(&seal).await {
        Ok(receipts) => receipts,
        Err(error) => return (ledger, Err(error)),
    };
    let blocking = tokio::task::spawn_blocking(move || {
        let committed = ledger
            .apply(receipts)
            .map(|()| ledger.set_known_lsns(&known_lsns.all()))
            .and_then(|()| change(&mut ledger))
            .and_then(|()| ledger.commit());
        (ledger, committed)
    });
    match blocking.await {
        Ok(done) => done,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// The highest LSNs reported by answers, of the partitions of ranges.
///
/// A commit reads them after the receipts have come: pages are written until then, and no position may be
/// committed without what was known when its page was read.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownLsns(Arc<Mutex<HashMap<RangeId, u64>>>);

impl KnownLsns {
    pub(super) fn note(&self, range: RangeId, lsn: Option<u64>) {
        if let Some(lsn) = lsn {
            self.known().insert(range, lsn);
        }
    }

    pub(super) fn forget(&self, range: RangeId) {
        self.known().remove(&range);
    }

    fn all(&self) -> HashMap<RangeId, u64> {
        self.known().clone()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<RangeId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

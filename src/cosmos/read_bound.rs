//! How much is read at once over a connection that several jobs share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bound of all jobs over one connection. A job has a turn of its own, and shares the others with the rest: however
/// many of its ranges wait for an answer, each other job that runs has a turn.
#[derive(Debug, Clone)]
pub struct ReadBound {
    /// A permit for each byte of the pages that wait to be written.
    pub memory: Arc<Semaphore>,
    /// How many bytes these are in all.
    pub bytes: u32,
    /// How many jobs run at once.
    pub jobs: usize,
    /// A permit for each range that is read at once, beyond the one of each job.
    others: Arc<Semaphore>,
    /// How many jobs have not ended.
    left: Arc<AtomicUsize>,
}

/// The turns of one job.
#[derive(Debug)]
pub struct Turns {
    own: Arc<Semaphore>,
    others: Arc<Semaphore>,
}

impl ReadBound {
    /// So many ranges at once, with so many bytes of pages, for so many jobs. As many of these run at once as ranges are
    /// read.
    pub fn new(ranges: usize, bytes: u32, jobs: usize) -> Self {
        Self {
            memory: Arc::new(Semaphore::new(bytes as usize)),
            bytes,
            jobs: ranges,
            others: Arc::new(Semaphore::new(ranges.saturating_sub(jobs))),
            left: Arc::new(AtomicUsize::new(jobs)),
        }
    }

    /// The turns of a job that begins.
    pub fn turns(&self) -> Turns {
        Turns {
            own: Arc::new(Semaphore::new(1)),
            others: Arc::clone(&self.others),
        }
    }

    /// A job has ended. Unless another one begins in its place, the rest have its turn.
    pub fn ended(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) <= self.jobs {
            self.others.add_permits(1);
        }
    }
}

impl Turns {
    /// Waits for a turn.
    pub async fn next(&self) -> Option<OwnedSemaphorePermit> {
        let (own, others) = (Arc::clone(&self.own), Arc::clone(&self.others));
        let turn = tokio::select! {
            biased;
            turn = own.acquire_owned() => turn,
            turn = others.acquire_owned() => turn,
        };
        turn.ok()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// The turns that can be had at once.
    fn take(turns: &Turns, held: &mut Vec<OwnedSemaphorePermit>) -> usize {
        let before = held.len();
        while let Some(Some(turn)) = turns.next().now_or_never() {
            held.push(turn);
        }
        held.len() - before
    }

    #[test]
    fn each_job_has_a_turn_and_all_together_no_more_than_the_bound() {
        for (jobs, first, last) in [(1, 4, 4), (2, 3, 4), (4, 1, 4), (9, 1, 4)] {
            let bound = ReadBound::new(4, 1, jobs);
            let mut held = Vec::new();
            let greedy = bound.turns();
            assert_eq!(take(&greedy, &mut held), first, "{jobs}");
            for _ in 1..jobs.min(4) {
                assert_eq!(take(&bound.turns(), &mut Vec::new()), 1, "{jobs}");
            }
            for _ in 1..jobs {
                bound.ended();
            }
            take(&greedy, &mut held);
            assert_eq!(held.len(), last, "{jobs}");
        }
    }
}

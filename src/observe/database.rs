//! The progress of several jobs together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::counts::Counts;
use super::event::Event;
use super::observer::Observer;

/// The counts of several jobs.
#[derive(Debug, Clone, Default)]
pub struct AllCounts(Arc<Mutex<Vec<Counts>>>);

/// Notes the counts of one of them.
#[derive(Debug)]
struct OneOfAll {
    all: AllCounts,
    number: usize,
}

impl AllCounts {
    /// For so many jobs.
    pub fn of(jobs: usize) -> Self {
        Self(Arc::new(Mutex::new(vec![Counts::default(); jobs])))
    }

    /// What notes the counts of the job with this number.
    pub fn observer<'a>(&self, number: usize) -> Box<dyn Observer + 'a> {
        Box::new(OneOfAll {
            all: self.clone(),
            number,
        })
    }

    /// The job with this number has ended.
    pub fn ended(&self, number: usize) {
        if let Some(counts) = self.counts().get_mut(number) {
            counts.done = 1.0;
        }
    }

    /// Their sum. Each job is the same share of the whole.
    pub fn sum(&self) -> Counts {
        let counts = self.counts();
        let jobs = counts.len().max(1) as f64;
        let mut sum = Counts::default();
        for one in counts.iter() {
            sum.documents += one.documents;
            sum.bytes += one.bytes;
            sum.request_charge += one.request_charge;
            sum.splits += one.splits;
            sum.retries += one.retries;
            sum.commits += one.commits;
            sum.files += one.files;
            sum.done += one.done / jobs;
        }
        sum
    }

    fn counts(&self) -> MutexGuard<'_, Vec<Counts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for OneOfAll {
    fn observe(&mut self, event: &Event<'_>, counts: &Counts) {
        if matches!(event, Event::Tick | Event::Committed { .. })
            && let Some(own) = self.all.counts().get_mut(self.number)
        {
            *own = *counts;
        }
    }
}

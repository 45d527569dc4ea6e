//! Counts events, and passes them to observers.

use super::counts::Counts;
use super::event::Event;
use super::observer::Observer;
use super::progress::Tracker;

/// The counts of a job, and its observers.
#[derive(Default)]
pub struct Observers<'a> {
    counts: Counts,
    tracker: Tracker,
    observers: Vec<Box<dyn Observer + 'a>>,
}

impl<'a> Observers<'a> {
    /// These observers, in their order.
    pub fn new(observers: Vec<Box<dyn Observer + 'a>>) -> Self {
        Self {
            counts: Counts::default(),
            tracker: Tracker::default(),
            observers,
        }
    }

    /// Counts an event, and passes it to the observers.
    pub fn emit(&mut self, event: &Event<'_>) {
        self.counts.add(event);
        self.tracker.add(event);
        if matches!(event, Event::Tick) {
            self.counts.done = self.tracker.done();
        }
        for observer in &mut self.observers {
            observer.observe(event, &self.counts);
        }
    }

    /// What has happened so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

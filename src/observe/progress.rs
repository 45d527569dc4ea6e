//! How far a job is: by LSNs, without counting the documents of the container.

use std::collections::HashMap;

use super::event::Event;
use crate::feed::{RangeId, RangeState};

/// How far each range is between its start and its end.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    ranges: HashMap<RangeId, Span>,
}

#[derive(Debug, Default)]
struct Span {
    start: Option<u64>,
    now: Option<u64>,
    target: Option<u64>,
    finished: bool,
}

impl Span {
    fn done(&self) -> f64 {
        if self.finished {
            return 1.0;
        }
        let (start, now) = (
            self.start.unwrap_or(0),
            self.now.or(self.start).unwrap_or(0),
        );
        match self.target {
            Some(target) if target > start => {
                (now.saturating_sub(start) as f64 / (target - start) as f64).min(1.0)
            }
            _ => 0.0,
        }
    }
}

impl Tracker {
    /// Records an event.
    pub(super) fn add(&mut self, event: &Event<'_>) {
        match event {
            Event::Added { range } => self.begin(range),
            Event::Pinned {
                range,
                position_lsn,
                end,
            } => self.pinned(*range, *position_lsn, end.lsn()),
            Event::Page {
                range,
                lsn,
                highest_lsn,
                ..
            } => self.moved(*range, *lsn, *highest_lsn),
            Event::Split { parent, children } => {
                let children: Vec<RangeId> = children.iter().map(|child| child.id).collect();
                self.replaced(*parent, &children);
            }
            Event::Finished { range } => self.finished(*range),
            Event::Left { range } => {
                self.ranges.remove(range);
            }
            _ => {}
        }
    }

    fn begin(&mut self, range: &RangeState) {
        self.insert(range.id);
        if let Some(end) = &range.end {
            let position_lsn = range.position.as_ref().and_then(|position| position.lsn);
            self.pinned(range.id, position_lsn, end.lsn());
        }
    }

    fn insert(&mut self, range: RangeId) {
        self.ranges.entry(range).or_default();
    }

    fn pinned(&mut self, range: RangeId, start: Option<u64>, target: Option<u64>) {
        let span = self.ranges.entry(range).or_default();
        (span.start, span.target) = (start, target);
    }

    /// A range is at `lsn`. Its partition is known to be at `highest` by now, and will be read up to there.
    fn moved(&mut self, range: RangeId, lsn: Option<u64>, highest: Option<u64>) {
        let span = self.ranges.entry(range).or_default();
        span.now = lsn;
        if span.target.is_some() {
            span.target = span.target.max(highest);
        }
    }

    fn finished(&mut self, range: RangeId) {
        self.ranges.entry(range).or_default().finished = true;
    }

    fn replaced(&mut self, parent: RangeId, children: &[RangeId]) {
        self.ranges.remove(&parent);
        for child in children {
            self.insert(*child);
        }
    }

    /// Between 0 and 1: the mean over all ranges.
    pub(super) fn done(&self) -> f64 {
        if self.ranges.is_empty() {
            return 0.0;
        }
        self.ranges.values().map(Span::done).sum::<f64>() / self.ranges.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_the_mean_of_the_ranges() {
        let mut tracker = Tracker::default();
        assert_eq!(tracker.done(), 0.0);
        for id in 0..2 {
            tracker.insert(RangeId(id));
        }
        tracker.pinned(RangeId(0), Some(100), Some(200));
        tracker.moved(RangeId(0), Some(150), Some(200));
        assert_eq!(tracker.done(), 0.25);
        tracker.finished(RangeId(1));
        assert_eq!(tracker.done(), 0.75);
        tracker.replaced(RangeId(0), &[RangeId(2), RangeId(3)]);
        assert!((tracker.done() - 1.0 / 3.0).abs() < 1e-9);
    }
}

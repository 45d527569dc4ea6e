//! The progress line of an export.

use super::counts::Counts;
use super::event::Event;
use super::observer::Observer;
use crate::report::{Progress, Rates, Report};

/// Redraws the progress line as time passes.
#[derive(Debug)]
pub struct ProgressLine<'a> {
    report: &'a Report,
    rates: Rates,
    has_end: bool,
}

impl<'a> ProgressLine<'a> {
    /// The progress line of a job, with the fraction that is done if the job `has_end`.
    pub fn new(report: &'a Report, has_end: bool) -> Self {
        Self {
            report,
            rates: Rates::default(),
            has_end,
        }
    }
}

impl Observer for ProgressLine<'_> {
    fn observe(&mut self, event: &Event<'_>, counts: &Counts) {
        if matches!(event, Event::Tick) {
            let progress = Progress {
                documents: counts.documents,
                bytes: counts.bytes,
                request_charge: counts.request_charge,
                done: self.has_end.then_some(counts.done),
            };
            self.report.show_progress(&progress, &mut self.rates);
        }
    }
}

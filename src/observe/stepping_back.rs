//! The notice that reading uses less than its budget, since the account throttles.

use std::sync::Arc;

use super::counts::Counts;
use super::event::Event;
use super::observer::Observer;
use crate::cosmos::budget::Budget;
use crate::report::Report;

/// Reports when less than the budget is used, and with `-v` when all of it is used again.
#[derive(Debug)]
pub struct SteppingBack<'a> {
    report: &'a Report,
    budget: Arc<Budget>,
    is_reported: bool,
}

impl<'a> SteppingBack<'a> {
    /// For this budget.
    pub fn new(report: &'a Report, budget: Arc<Budget>) -> Self {
        Self {
            report,
            budget,
            is_reported: false,
        }
    }
}

impl Observer for SteppingBack<'_> {
    fn observe(&mut self, event: &Event<'_>, _: &Counts) {
        if !matches!(event, Event::Tick) {
            return;
        }
        let (all, now) = (self.budget.per_second(), self.budget.current());
        if now < all && !self.is_reported {
            self.is_reported = true;
            self.report.notice(&format!(
                "the account throttles, although reading stays within {all:.0} RU/s: continuing with \
                 {now:.0} RU/s, and slowly more",
            ));
        }
        if now >= all && self.is_reported {
            self.is_reported = false;
            self.report
                .detail(&format!("reading with {all:.0} RU/s again"));
        }
    }
}

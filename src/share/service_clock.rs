//! The time of day as the service has it.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::cosmos::traffic::Traffic;
use crate::process;

/// The service's clock, by which it says when a document was written. Each answer corrects it, and between answers it
/// continues by a clock that does not jump: instances whose own clocks differ, or stood still, agree on it.
#[derive(Debug, Clone)]
pub(crate) struct ServiceClock {
    answers: Arc<Traffic>,
    /// What it showed at the start, since boot, in case answers have no date.
    started: (OffsetDateTime, Duration),
}

impl ServiceClock {
    /// The clock by these answers, which shows this time now if they do not say it.
    pub(crate) fn of(answers: &Arc<Traffic>, now: OffsetDateTime) -> Self {
        Self {
            answers: Arc::clone(answers),
            started: (now, process::since_boot()),
        }
    }

    /// The time.
    pub(super) fn now(&self) -> OffsetDateTime {
        self.answers.service_time().unwrap_or_else(|| {
            let (read, since_boot) = self.started;
            read + process::since_boot().saturating_sub(since_boot)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_corrects_it() {
        let answers = Arc::new(Traffic::default());
        let start = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let clock = ServiceClock::of(&answers, start);
        let seconds = |since: i64| start + time::Duration::seconds(since);
        let shows = |since: i64| (seconds(since)..seconds(since + 30)).contains(&clock.now());
        assert!(shows(0));
        answers.dated(seconds(-40));
        assert!(shows(-40));
        // The machine stood still for an hour, and no clock of it counted that.
        answers.dated(seconds(3600));
        assert!(shows(3600));
        answers.dated(seconds(60));
        assert!(shows(60));
    }
}

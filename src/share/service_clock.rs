//! The time of day as the service has it.

use std::time::Duration;

use time::OffsetDateTime;

use crate::process;

/// The service's clock, by which it says when a document was written. It is read once, and continues by a clock that
/// does not jump: instances whose own clocks differ agree on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServiceClock {
    read: OffsetDateTime,
    since_boot: Duration,
}

impl ServiceClock {
    /// The clock that shows this time now.
    pub(crate) fn showing(now: OffsetDateTime) -> Self {
        Self {
            read: now,
            since_boot: process::since_boot(),
        }
    }

    /// The time.
    pub(super) fn now(&self) -> OffsetDateTime {
        self.read + process::since_boot().saturating_sub(self.since_boot)
    }
}

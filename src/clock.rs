//! The wall clock, which may jump: it says when something is, was or is asked for, and decides
//! nothing of what is committed. Pauses, intervals and deadlines are of the monotonic clock.

use time::OffsetDateTime;

/// The time by this machine.
#[must_use]
pub fn now() -> OffsetDateTime {
    #[cfg(feature = "failpoints")]
    {
        OffsetDateTime::now_utc().saturating_add(crate::failpoint::clock_offset())
    }
    #[cfg(not(feature = "failpoints"))]
    {
        OffsetDateTime::now_utc()
    }
}

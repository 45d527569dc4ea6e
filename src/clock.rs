//! The wall clock, which may jump: it is used for timestamps and for times that the user gives, and
//! never decides what is committed. Pauses, intervals and deadlines use the monotonic clock.

use time::OffsetDateTime;

/// The current time by this machine's clock.
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

//! The seam between events and those who report them.

use super::counts::Counts;
use super::event::Event;

/// Takes note of events.
pub trait Observer: Send {
    /// Takes note of an event. `counts` include it.
    fn observe(&mut self, event: &Event<'_>, counts: &Counts);
}

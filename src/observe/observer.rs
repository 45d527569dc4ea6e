//! The seam between events and what reports them.

use super::counts::Counts;
use super::event::Event;

/// Reports events.
pub trait Observer: Send + Sync {
    /// Reports an event, or ignores it. `counts` include it.
    fn observe(&mut self, event: &Event<'_>, counts: &Counts);
}

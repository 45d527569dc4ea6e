//! The counts of a run.

use super::event::Event;

/// What has happened so far in this run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    /// Documents read, or changes.
    pub documents: u64,
    /// Bytes of the pages.
    pub bytes: u64,
    /// Request units charged.
    pub request_charge: f64,
    /// Splits of ranges.
    pub splits: u64,
    /// Retries of pages, not counting the SDK's own.
    pub retries: u64,
    /// Commits.
    pub commits: u64,
    /// Files published.
    pub files: u64,
    /// The fraction that is done, between 0 and 1: the mean of all ranges.
    pub done: f64,
}

impl Counts {
    /// Adds an event.
    pub(super) fn add(&mut self, event: &Event<'_>) {
        match event {
            Event::Page {
                page,
                request_charge,
                ..
            } => {
                self.documents += page.len() as u64;
                self.bytes += page.body_len() as u64;
                self.request_charge += request_charge;
            }
            Event::Charged { request_charge } => self.request_charge += request_charge,
            Event::Split { .. } => self.splits += 1,
            Event::Retrying { .. } => self.retries += 1,
            Event::Committed { published, .. } => {
                self.commits += 1;
                self.files += published;
            }
            Event::Added { .. }
            | Event::Pinned { .. }
            | Event::CaughtUp { .. }
            | Event::Finished { .. }
            | Event::Left { .. }
            | Event::Failed { .. }
            | Event::Recovered { .. }
            | Event::Ready
            | Event::Tick => {}
        }
    }
}

//! What is reported of a snapshot and of how long the container keeps versions.

use std::collections::HashSet;
use std::ops::Deref;
use std::time::Duration;

use super::counts::Counts;
use super::event::Event;
use super::observer::Observer;
use crate::clock;
use crate::count::count;
use crate::feed::{RangeId, RangeSet};
use crate::report::Report;

/// Reports when a snapshot is complete, and when changes are read so late that the container may lose them first.
#[derive(Debug)]
pub struct SnapshotNotices<R> {
    report: R,
    /// Ranges of the snapshot that were not read to their end.
    open: HashSet<RangeId>,
    /// Those that were read in this run.
    documents: u64,
    /// Whether an earlier run read some before.
    is_resumed: bool,
    retention: Option<Duration>,
    is_late: bool,
}

impl<R: Deref<Target = Report>> SnapshotNotices<R> {
    /// For these ranges of a container that keeps versions for `retention`, if that is known.
    pub fn new(report: R, ranges: &RangeSet, retention: Option<Duration>) -> Self {
        let mut snapshot = ranges.iter().filter(|range| range.snapshot);
        Self {
            report,
            open: HashSet::new(),
            documents: 0,
            is_resumed: snapshot.any(|range| range.position.is_some()),
            retention,
            is_late: false,
        }
    }

    fn finished(&mut self, range: RangeId) {
        if self.open.remove(&range) && self.open.is_empty() {
            let what = if self.is_resumed {
                "more document"
            } else {
                "document"
            };
            self.report.notice(&format!(
                "the snapshot is complete: {}; what follows are changes",
                count(self.documents, what)
            ));
        }
    }

    /// Compares the age of a change that was just read with what the container keeps.
    fn check_age(&mut self, seconds: i64) {
        let Some(retention) = self.retention else {
            return;
        };
        let age = clock::now().unix_timestamp().saturating_sub(seconds);
        let age = Duration::from_secs(u64::try_from(age).unwrap_or(0));
        // To the minute, as the retention is.
        let age = Duration::from_secs(age.as_secs() / 60 * 60);
        let is_late = age > retention / 4 * 3;
        if is_late && !self.is_late {
            self.report.warning(&format!(
                "changes are read {} after they were made, and the container keeps them for {}: if reading falls \
                 further behind, versions and deletes are lost. A longer retention, a larger --concurrency or a \
                 larger --max-ru keeps them",
                humantime::format_duration(age),
                humantime::format_duration(retention)
            ));
        }
        // Not at once again where it wavers.
        self.is_late = is_late || self.is_late && age > retention / 2;
    }
}

impl<R: Deref<Target = Report> + Send + Sync> Observer for SnapshotNotices<R> {
    fn observe(&mut self, event: &Event<'_>, _: &Counts) {
        match event {
            Event::Added { range } if range.snapshot => {
                self.open.insert(range.id);
            }
            Event::Split { parent, children } if self.open.remove(parent) => {
                self.open.extend(children.iter().map(|child| child.id));
            }
            Event::Page { range, page, .. } if self.open.contains(range) => {
                self.documents += page.len() as u64;
            }
            Event::Page { page, .. } => {
                if let Some(seconds) = page.items().next_back().and_then(|item| item.seconds()) {
                    self.check_age(seconds);
                }
            }
            Event::Finished { range } => self.finished(*range),
            _ => {}
        }
    }
}

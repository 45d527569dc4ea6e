//! What happens during a replay: one enum of events, and one observer that counts and reports them.
//!
//! Whoever writes, reads or commits emits events and counts nothing. The summary, the progress line,
//! the limit of refused changes and the number of parallel writes all read the observer's counts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::source_item::Relation;
use crate::report::Report;

/// How many refused changes are reported on standard error if no file keeps them.
const MAX_REPORTED_REFUSALS: u64 = 20;

/// How a change was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    /// The item did not exist and was created.
    Created,
    /// The item existed and was replaced.
    Replaced,
    /// The item was deleted.
    Deleted,
    /// The item already was as the change would leave it.
    Unchanged,
    /// The target's copy is newer and was kept, or the user chose to leave such changes out.
    Kept,
}

/// One thing that happened.
#[derive(Debug)]
pub(super) enum ReplayEvent {
    /// A change was applied.
    Applied {
        /// How.
        applied: Applied,
        /// Its length in the source.
        bytes: usize,
        /// Whether it wrote a document without a value at the partition key of the target.
        is_keyless: bool,
    },
    /// A change is about an item that came from another document of the source: it was refused, or replaced
    /// that.
    Collided(Relation),
    /// A change could not be compared with those before it.
    NotCompared,
    /// A change lies outside `--since` and `--until`.
    OutsideWindow,
    /// `--transform` returned nothing for a document.
    Dropped,
    /// The time to live of a document had passed when it was exported.
    Expired,
    /// A change cannot be applied.
    Refused {
        /// Where it is in the source, and the reason.
        description: String,
        /// The way out, if one is known.
        hint: Option<String>,
        /// Whether it goes to the dead letters.
        is_kept: bool,
    },
    /// A document may be in the target that was created too late.
    LeftBehind(String),
    /// The service charged this many RU.
    Charged(f64),
    /// The service throttled a request.
    Throttled,
    /// A request is retried for another reason.
    Retried,
    /// The state was committed.
    Committed,
    /// Every change that the source had is applied, and the replay continues.
    CaughtUp,
}

/// What has happened so far in this run.
#[derive(Debug, Clone, Default)]
pub(super) struct ReplayCounts {
    pub(super) created: u64,
    pub(super) replaced: u64,
    pub(super) deleted: u64,
    pub(super) unchanged: u64,
    pub(super) kept: u64,
    pub(super) dropped: u64,
    pub(super) expired: u64,
    pub(super) refused: u64,
    /// Documents that were written without a value at the partition key of the target.
    pub(super) keyless: u64,
    /// Changes of items that came from another document of the source.
    pub(super) collisions: u64,
    /// Of these, those that may be about the same document, deleted and created again.
    pub(super) perhaps_recreated: u64,
    /// Changes that could not be compared with those before them.
    pub(super) not_compared: u64,
    /// Of the refused ones, those that go to the dead letters.
    pub(super) letters: u64,
    /// Where and why the first change was refused.
    pub(super) first_refusal: Option<String>,
    /// The way out of the first change for which one is known.
    pub(super) remedy: Option<String>,
    /// Bytes of applied changes in the source.
    pub(super) bytes: u64,
    /// In hundredths of an RU, the service's own precision: sums stay exact.
    charged_hundredths: u64,
    pub(super) throttled: u64,
    pub(super) retries: u64,
    pub(super) commits: u64,
}

impl ReplayCounts {
    /// Changes that were applied or did not have to be.
    pub(super) fn changes(&self) -> u64 {
        let written = self.created + self.replaced + self.deleted;
        written + self.unchanged + self.kept + self.dropped + self.expired
    }

    /// Request units charged.
    pub(super) fn request_units(&self) -> f64 {
        self.charged_hundredths as f64 / 100.0
    }

    fn add(&mut self, event: &ReplayEvent) {
        match event {
            ReplayEvent::Applied {
                applied,
                bytes,
                is_keyless,
            } => {
                self.bytes += *bytes as u64;
                self.keyless += u64::from(*is_keyless);
                *match applied {
                    Applied::Created => &mut self.created,
                    Applied::Replaced => &mut self.replaced,
                    Applied::Deleted => &mut self.deleted,
                    Applied::Unchanged => &mut self.unchanged,
                    Applied::Kept => &mut self.kept,
                } += 1;
            }
            ReplayEvent::Collided(relation) => {
                self.collisions += 1;
                self.perhaps_recreated += u64::from(*relation == Relation::PerhapsRecreated);
            }
            ReplayEvent::NotCompared => self.not_compared += 1,
            ReplayEvent::OutsideWindow => self.kept += 1,
            ReplayEvent::Dropped => self.dropped += 1,
            ReplayEvent::Expired => self.expired += 1,
            ReplayEvent::Refused {
                description,
                hint,
                is_kept,
            } => {
                self.refused += 1;
                self.letters += u64::from(*is_kept);
                if self.remedy.is_none() {
                    self.remedy.clone_from(hint);
                }
                self.first_refusal
                    .get_or_insert_with(|| description.clone());
            }
            ReplayEvent::Charged(request_units) => {
                self.charged_hundredths += (request_units * 100.0).round() as u64;
            }
            ReplayEvent::Throttled => self.throttled += 1,
            ReplayEvent::Retried => self.retries += 1,
            ReplayEvent::Committed => self.commits += 1,
            ReplayEvent::CaughtUp | ReplayEvent::LeftBehind(_) => {}
        }
    }
}

/// Counts every event, and reports those that the user should see.
#[derive(Debug)]
pub(super) struct ReplayObserver {
    counts: Mutex<ReplayCounts>,
    report: Arc<Report>,
    /// How many changes may be refused. If none, the refusal is the error that ends the replay.
    /// How many changes can be refused, if there is a limit.
    max_errors: Option<u64>,
}

impl ReplayObserver {
    pub(super) fn new(report: &Arc<Report>, max_errors: Option<u64>) -> Self {
        Self {
            counts: Mutex::default(),
            report: Arc::clone(report),
            max_errors,
        }
    }

    /// Takes note of an event.
    pub(super) fn observe(&self, event: &ReplayEvent) {
        let refused = {
            let mut counts = self.lock();
            counts.add(event);
            counts.refused
        };
        match event {
            ReplayEvent::Refused {
                description,
                is_kept: true,
                ..
            } => self.report.detail(&format!("refused: {description}")),
            ReplayEvent::Refused { description, .. }
                if self.max_errors != Some(0) && refused <= MAX_REPORTED_REFUSALS =>
            {
                self.report.error_line(&format!("refused: {description}"));
            }
            ReplayEvent::LeftBehind(text) => self.report.warning(text),
            ReplayEvent::CaughtUp => self
                .report
                .notice("caught up with the source; new changes are applied as they arrive"),
            _ => {}
        }
    }

    /// What has happened so far.
    pub(super) fn counts(&self) -> ReplayCounts {
        self.lock().clone()
    }

    /// How many requests were throttled so far.
    pub(super) fn throttled(&self) -> u64 {
        self.lock().throttled
    }

    /// Whether more changes were refused than may be.
    pub(super) fn has_too_many_refusals(&self) -> bool {
        let refused = self.lock().refused;
        self.max_errors.is_some_and(|max| refused > max)
    }

    fn lock(&self) -> MutexGuard<'_, ReplayCounts> {
        // Nothing here panics between two changes of the counts.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_add_up_exactly_and_the_first_refusal_is_kept() {
        let mut counts = ReplayCounts::default();
        for number in 0..1000 {
            counts.add(&ReplayEvent::Charged(0.1));
            counts.add(&ReplayEvent::Refused {
                description: format!("line {number}"),
                hint: None,
                is_kept: false,
            });
        }
        assert_eq!(counts.request_units(), 100.0);
        assert_eq!((counts.refused, counts.changes()), (1000, 0));
        assert_eq!(counts.first_refusal.as_deref(), Some("line 0"));
    }
}

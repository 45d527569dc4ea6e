//! What can be said of both sides at a moment, and what cannot.

use time::OffsetDateTime;

use super::super::comparison::Tally;
use super::watch::Census;
use crate::observe::rfc3339;

/// How the sides compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::compare) enum Outcome {
    Same,
    Different,
    /// Nothing is known to differ, but not everything is known to be the same.
    Changing,
}

impl Outcome {
    pub(in crate::compare) fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Changing => "changing",
        }
    }
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::compare) struct Verdict {
    pub(in crate::compare) outcome: Outcome,
    /// The documents that differ.
    pub(in crate::compare) different: Tally,
    /// Those that may.
    pub(in crate::compare) changing: u64,
    /// Whether there are changes that were not looked at yet, for want of space.
    pub(in crate::compare) has_unread: bool,
    /// Whether things are known to have been so at one moment, `as_of`. Otherwise something came after it, of a part of
    /// the sides.
    pub(in crate::compare) is_of_one_moment: bool,
    /// Everything that was written before this is in it; none before the head of every range was reached.
    pub(in crate::compare) as_of: Option<OffsetDateTime>,
    /// Everything that was deleted before this is in it, if that is another time: a feed of the latest versions does
    /// not say what is deleted.
    pub(in crate::compare) deletions_as_of: Option<OffsetDateTime>,
}

impl Verdict {
    pub(super) fn new(
        census: Census,
        has_unread: bool,
        is_of_one_moment: bool,
        as_of: Option<OffsetDateTime>,
        deletions_as_of: Option<OffsetDateTime>,
    ) -> Self {
        let Census {
            different,
            changing,
        } = census;
        let outcome = match (different.all(), changing) {
            (0, 0) if is_of_one_moment && !has_unread => Outcome::Same,
            (0, _) => Outcome::Changing,
            _ => Outcome::Different,
        };
        Self {
            outcome,
            different,
            changing,
            has_unread,
            is_of_one_moment,
            as_of,
            // It cannot be known later than the rest.
            deletions_as_of: deletions_as_of.map(|time| as_of.map_or(time, |all| all.min(time))),
        }
    }

    /// Whether the difference from `earlier` is one that a person waits for.
    pub(super) fn is_news_after(&self, earlier: &Self) -> bool {
        self.outcome != earlier.outcome || self.different != earlier.different
    }

    /// For a person, in a line.
    pub(super) fn text(&self) -> String {
        let different = self.different.all();
        let mut text = match self.as_of {
            Some(as_of) => format!(
                "{} as of {}: both heads reached, {different} different, {} changing",
                self.outcome.name(),
                rfc3339(as_of),
                self.changing
            ),
            None => format!(
                "{}: the heads are not reached yet, {different} different, {} changing",
                self.outcome.name(),
                self.changing
            ),
        };
        if different > 0 {
            let Tally {
                missing,
                extra,
                different,
            } = self.different;
            text.push_str(&format!(
                " ({missing} missing, {extra} extra, {different} with other content)"
            ));
        }
        if self.as_of.is_some() && !self.is_of_one_moment {
            text.push_str("; changes have come since");
        }
        if self.has_unread {
            text.push_str("; more has changed than there is memory for, and is read again");
        }
        if let Some(time) = self.deletions_as_of {
            text.push_str(&format!("; deletions as of {}", rfc3339(time)));
        }
        text
    }
}

//! What is known about the end of a range, and whether an answer of the service reached it.
//!
//! Answers come from replicas, and some lag behind others. So "nothing new" is the end of a range only if
//! the replica that answers has seen everything that is known to exist.

use std::fmt;

use crate::error::with_hint;
use crate::feed::{PinnedEnd, RangeId, ReachedEnd, ReadUntil, has_transactions, lsn_of_etag};

/// What is known about the end of a range.
#[derive(Debug, Default)]
pub(super) struct Horizon {
    pinned: Option<PinnedEnd>,
    /// The highest LSN of the partition that any answer has named.
    highest: Option<u64>,
    /// Whether the LSNs of session tokens compare with those of ETags. An answer that nothing is new has
    /// both, and shows it.
    tokens_compare: bool,
    /// The partition that this is known about, until the range is pinned.
    heard_of: Option<String>,
}

impl Horizon {
    /// The horizon of a range that was pinned in an earlier run.
    pub(super) fn of_pinned(pinned: Option<PinnedEnd>) -> Self {
        Self {
            highest: pinned.as_ref().and_then(|end| end.known_lsn.max(end.lsn())),
            tokens_compare: pinned.as_ref().is_some_and(|end| end.tokens_compare),
            pinned,
            heard_of: None,
        }
    }

    /// The horizon of a range that will be pinned again: only what an earlier run heard is known.
    pub(super) fn of_heard(end: Option<PinnedEnd>) -> Self {
        let heard_of = end.as_ref().and_then(|end| end.partition.clone());
        Self {
            pinned: None,
            heard_of,
            ..Self::of_pinned(end)
        }
    }

    /// Where the range was pinned, if it was.
    pub(super) fn pinned(&self) -> Option<&PinnedEnd> {
        self.pinned.as_ref()
    }

    /// Sets the pin.
    pub(super) fn pin(&mut self, pinned: PinnedEnd) {
        // LSNs of another partition do not compare.
        if self.heard_of.is_some() && self.heard_of != pinned.partition {
            self.forget();
        }
        self.heard_of = None;
        self.tokens_compare |= pinned.tokens_compare;
        self.highest = self.highest.max(pinned.lsn());
        self.pinned = Some(pinned);
    }

    /// Forgets everything: LSNs of another partition do not compare.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether `partition` is not the one that the range was pinned in.
    pub(super) fn is_of_another(&self, partition: Option<&str>) -> bool {
        let pinned = self
            .pinned
            .as_ref()
            .and_then(|pin| pin.partition.as_deref());
        matches!((pinned, partition), (Some(then), Some(now)) if then != now)
    }

    /// Compares the two LSNs of an answer that nothing is new.
    pub(super) fn compare(&mut self, lsn: Option<u64>, partition_lsn: Option<u64>) {
        self.tokens_compare |= lsn.is_some() && lsn == partition_lsn;
    }

    /// Notes the LSNs of the partition in an answer.
    pub(super) fn note(&mut self, etag: Option<&str>, partition_lsn: Option<u64>) {
        self.highest = self.highest.max(etag.and_then(lsn_of_etag));
        if self.tokens_compare {
            self.highest = self.highest.max(partition_lsn);
        }
    }

    /// Whether an answer names an LSN beyond the one in its own session token; or has no session token where
    /// all others had one, so its origin is unknown.
    pub(super) fn is_beyond(&self, etag: Option<&str>, partition_lsn: Option<u64>) -> bool {
        let here = etag.and_then(lsn_of_etag);
        self.tokens_compare && here > partition_lsn
    }

    /// Where the partition was when it answered, if that compares with ETags.
    pub(super) fn compared(&self, partition_lsn: Option<u64>) -> Option<u64> {
        partition_lsn.filter(|_| self.tokens_compare)
    }

    /// The highest known LSN of the partition.
    pub(super) fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Whether a range at `etag` has reached its pin.
    pub(super) fn has_reached_pin(&self, etag: Option<&str>) -> bool {
        match (&self.pinned, etag) {
            (Some(pinned), Some(etag)) => pinned.is_reached_by(etag),
            _ => false,
        }
    }

    /// The pin, and its LSN, if a page can be cut there: where an ETag names one of several items of an LSN, it cannot.
    pub(super) fn cut(&self) -> Option<(&PinnedEnd, u64)> {
        let pinned = self.pinned.as_ref();
        let pinned = pinned.filter(|pin| has_transactions(&pin.etag))?;
        Some((pinned, pinned.lsn()?))
    }

    /// How a range at `etag` reached its end, if an answer that nothing is newer shows that it did.
    /// `partition_lsn` is that of the answer's session token.
    pub(super) fn after_nothing_new(
        &mut self,
        until: ReadUntil,
        etag: Option<&str>,
        partition_lsn: Option<u64>,
    ) -> Option<ReachedEnd> {
        let here = etag.and_then(lsn_of_etag);
        let earlier = self.highest;
        self.note(etag, partition_lsn);
        // Within one LSN only the answer shows what exists.
        let end = self.pinned.as_ref().and_then(PinnedEnd::lsn);
        let has_reached = self.has_reached_pin(etag) || (here.is_some() && here == end);
        match until {
            _ if !has_reached => None,
            _ if earlier <= here => Some(ReachedEnd::Head),
            ReadUntil::Head => None,
            ReadUntil::Pin | ReadUntil::Exact => Some(self.at_pin()),
        }
    }

    /// How a range at `etag` reached its end, if a page that ends there shows that it did.
    /// `partition_lsn` is that of the page's session token.
    pub(super) fn after_page(
        &mut self,
        until: ReadUntil,
        etag: Option<&str>,
        partition_lsn: Option<u64>,
    ) -> Option<ReachedEnd> {
        let here = etag.and_then(lsn_of_etag);
        let earlier = self.highest;
        self.note(etag, partition_lsn);
        let is_head =
            self.tokens_compare && here.is_some() && here == partition_lsn && earlier <= here;
        match until {
            _ if !self.has_reached_pin(etag) => None,
            _ if is_head => Some(ReachedEnd::Head),
            ReadUntil::Pin | ReadUntil::Exact => Some(self.at_pin()),
            ReadUntil::Head => None,
        }
    }

    /// The end of a range that is read no further than its pin.
    pub(super) fn at_pin(&self) -> ReachedEnd {
        let pin = self.pinned.as_ref().and_then(PinnedEnd::lsn);
        let newer = match (self.highest, pin) {
            (Some(highest), Some(pin)) => highest.saturating_sub(pin),
            _ => 0,
        };
        // It may have reached the pin in an earlier run, which knew more.
        let earlier = match self.pinned.as_ref().and_then(|pin| pin.reached) {
            Some(ReachedEnd::Pin { newer }) => newer,
            Some(ReachedEnd::Head | ReachedEnd::Answered) | None => 0,
        };
        ReachedEnd::Pin {
            newer: newer.max(earlier),
        }
    }
}

/// An answer that is behind what is known: from a replica or a region that lags, or that has lost writes.
#[derive(Debug)]
pub(super) enum Lag {
    /// It has nothing new, but the range is not at its end.
    BelowEnd {
        range: RangeId,
        here: String,
        end: String,
    },
    /// It has nothing new, but an earlier answer named a higher LSN.
    BelowKnown {
        range: RangeId,
        here: String,
        known: u64,
    },
    /// It is from before the range's position.
    BehindPosition {
        range: RangeId,
        here: u64,
        service: u64,
    },
    /// It is of the snapshot, from before changes that were handed over already.
    BehindChanges {
        range: RangeId,
        known: u64,
        service: u64,
    },
    /// It is of a partition in which nobody has followed the feed yet, so what it must have is not known.
    Unseen { range: RangeId, partition: String },
    /// Its page holds changes from before the range's position.
    GoesBack {
        range: RangeId,
        here: u64,
        page: u64,
    },
}

impl Lag {
    /// Adds the hint to the error of a range that gave up on it.
    pub(super) fn hint(&self, error: anyhow::Error) -> anyhow::Error {
        let hint = match self {
            Self::BelowEnd { .. }
            | Self::BelowKnown { .. }
            | Self::BehindChanges { .. }
            | Self::Unseen { .. } => {
                "a replica or a region that lags answers like that; a larger --max-retries waits longer \
                 for it"
            }
            Self::BehindPosition { .. } | Self::GoesBack { .. } => {
                "a replica or a region that lags answers like that for a while; after an unplanned \
                 failover a region may have lost the latest writes and reuses their LSNs for new \
                 ones: in that case export again to new files, with --from a time before the failover"
            }
        };
        with_hint(error, hint)
    }

    /// Whether it can be transient, without any lost writes.
    pub(super) fn may_be_transient(&self) -> bool {
        !matches!(self, Self::GoesBack { .. })
    }
}

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BelowEnd { range, here, end } => write!(
                f,
                "range {range} is at {here} and its end at {end}, but the service answers that there is \
                 nothing new"
            ),
            Self::BelowKnown { range, here, known } => write!(
                f,
                "range {range} is at {here}, and its partition was at LSN {known} before, but the \
                 service answers that there is nothing new"
            ),
            Self::BehindPosition {
                range,
                here,
                service,
            } => write!(
                f,
                "range {range} was read to LSN {here}, but the service is at LSN {service}"
            ),
            Self::BehindChanges {
                range,
                known,
                service,
            } => write!(
                f,
                "changes of range {range} were read to LSN {known}, but the service answers for its \
                 documents as of LSN {service}"
            ),
            Self::Unseen { range, partition } => write!(
                f,
                "range {range} is in partition {partition} now, of which the feed was not read yet"
            ),
            Self::GoesBack { range, here, page } => write!(
                f,
                "range {range} was read to LSN {here}, but the service sent changes of LSN {page} after \
                 that"
            ),
        }
    }
}

impl std::error::Error for Lag {}

/// A place in the feed, for messages.
pub(super) fn place(etag: Option<&str>) -> String {
    match etag.map(|etag| (lsn_of_etag(etag), etag)) {
        None => "the beginning".to_owned(),
        Some((Some(lsn), _)) => format!("LSN {lsn}"),
        Some((None, etag)) => {
            let shown: String = etag.escape_debug().take(60).collect();
            format!("ETag {shown}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned_at(lsn: u64, partition_lsn: Option<u64>) -> Horizon {
        let mut horizon = Horizon::default();
        let pinned = PinnedEnd {
            etag: format!("\"{lsn}\""),
            partition: Some("0".into()),
            pinned_at: time::OffsetDateTime::UNIX_EPOCH,
            tokens_compare: partition_lsn == Some(lsn),
            known_lsn: None,
            reached: None,
        };
        horizon.pin(pinned);
        horizon
    }

    #[test]
    fn below_the_pin_nothing_new_is_not_the_end() {
        for until in [ReadUntil::Head, ReadUntil::Pin] {
            let nothing_new =
                |etag| pinned_at(2000, Some(2000)).after_nothing_new(until, etag, None);
            assert_eq!(nothing_new(Some("\"1820\"")), None);
            assert_eq!(nothing_new(None), None);
            assert_eq!(nothing_new(Some("\"2000\"")), Some(ReachedEnd::Head));
            assert_eq!(nothing_new(Some("\"2001\"")), Some(ReachedEnd::Head));
        }
    }

    #[test]
    fn nothing_new_below_a_known_lsn_is_not_the_head() {
        let nothing_new = |until, etag| {
            let mut horizon = pinned_at(2000, Some(2000));
            horizon.note(Some("\"1500\""), Some(2050));
            horizon.after_nothing_new(until, Some(etag), None)
        };
        assert_eq!(nothing_new(ReadUntil::Head, "\"2010\""), None);
        let newer = Some(ReachedEnd::Pin { newer: 50 });
        assert_eq!(nothing_new(ReadUntil::Pin, "\"2010\""), newer);
        let head = Some(ReachedEnd::Head);
        assert_eq!(nothing_new(ReadUntil::Head, "\"2050\""), head);
    }

    #[test]
    fn a_page_that_ends_at_its_partitions_lsn_is_the_head() {
        let page = |horizon: &mut Horizon, lsn: u64, partition: Option<u64>| {
            horizon.after_page(ReadUntil::Head, Some(&format!("\"{lsn}\"")), partition)
        };
        let mut horizon = pinned_at(2000, Some(2000));
        assert_eq!(page(&mut horizon, 1999, Some(1999)), None);
        assert_eq!(page(&mut horizon, 2000, None), None);
        assert_eq!(page(&mut horizon, 2000, Some(2003)), None);
        // A replica that lags behind another one.
        assert_eq!(page(&mut horizon, 2002, Some(2002)), None);
        let head = Some(ReachedEnd::Head);
        assert_eq!(page(&mut horizon, 2003, Some(2003)), head);
        // Where the LSNs of session tokens do not compare with ETags, they show nothing.
        let mut other = pinned_at(2000, Some(77));
        assert_eq!(page(&mut other, 2003, Some(2003)), None);
    }

    #[test]
    fn what_an_earlier_run_knew_is_known() {
        let mut end = pinned_at(2000, None).pinned.unwrap();
        end.known_lsn = Some(2050);
        let mut horizon = Horizon::of_pinned(Some(end));
        let nothing_new = horizon.after_nothing_new(ReadUntil::Head, Some("\"2045\""), None);
        assert_eq!(nothing_new, None);
        let nothing_new = horizon.after_nothing_new(ReadUntil::Head, Some("\"2050\""), None);
        assert_eq!(nothing_new, Some(ReachedEnd::Head));
    }

    #[test]
    fn a_new_pin_keeps_what_is_known_of_the_same_partition() {
        let mut end = pinned_at(2000, Some(2000)).pinned.unwrap();
        end.known_lsn = Some(2050);
        let pin_again = |end: PinnedEnd, partition: &str| {
            let mut horizon = Horizon::of_heard(Some(end.clone()));
            assert_eq!(horizon.pinned(), None);
            horizon.pin(PinnedEnd {
                etag: "\"2045\"".into(),
                partition: Some(partition.into()),
                known_lsn: None,
                ..end
            });
            horizon.after_nothing_new(ReadUntil::Head, Some("\"2045\""), None)
        };
        assert_eq!(pin_again(end.clone(), "0"), None);
        assert_eq!(pin_again(end, "1"), Some(ReachedEnd::Head));
    }

    #[test]
    fn a_window_ends_at_its_pin_and_counts_newer_transactions() {
        let mut horizon = pinned_at(2000, Some(2000));
        let reached = horizon.after_page(ReadUntil::Pin, Some("\"2000\""), Some(2007));
        assert_eq!(reached, Some(ReachedEnd::Pin { newer: 7 }));
    }
}

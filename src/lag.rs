//! How far a reader is behind what it reads.
//!
//! An LSN counts the transactions of a partition. So the newest LSN of a partition minus that of a position
//! is the number of transactions after the position, if the range that is read is the whole partition. For a
//! part of it (a range from before a merge, one partition key, or a range whose position is from before a
//! split) it is an upper bound: the others are not of the range.
//!
//! Nothing here asks anybody: whoever computes a lag brings what is known.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Over how long a rate is computed.
const WINDOW: Duration = Duration::from_secs(120);

/// The time between two samples of a rate.
const SAMPLE: Duration = Duration::from_secs(1);

/// How much of its partition a range is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// All of it, since before its position.
    Whole,
    /// A part of it, or the position is from when it was.
    Part,
}

/// What is known of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The LSN of its position.
    pub position: Option<u64>,
    /// The newest LSN of its partition.
    pub newest: Option<u64>,
    /// How much of the partition it is.
    pub coverage: Coverage,
    /// Whether the last answer showed that nothing is newer than the position.
    pub is_at_head: bool,
    /// When the last change before the position was made, in seconds since 1970.
    pub changed_at: Option<i64>,
    /// When the newest change was made; the present, if that is not known.
    pub newest_at: i64,
}

/// How far a range is behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    /// Transactions after the position, if known.
    pub transactions: Option<u64>,
    /// Whether that is an upper bound.
    pub is_at_most: bool,
    /// Seconds between the last change before the position and the newest one, if known.
    pub seconds: Option<u64>,
}

impl Lag {
    /// The lag of a range.
    #[must_use]
    pub fn of(known: &Known) -> Self {
        // Whatever the LSNs are, an answer without anything new proves it.
        let difference = match (known.position, known.newest) {
            _ if known.is_at_head => Some(0),
            (Some(position), Some(newest)) => Some(newest.saturating_sub(position)),
            _ => None,
        };
        let seconds = match known.changed_at {
            _ if difference == Some(0) => Some(0),
            Some(changed) => Some(u64::try_from(known.newest_at - changed).unwrap_or(0)),
            None => None,
        };
        Self {
            transactions: difference,
            is_at_most: difference > Some(0) && known.coverage == Coverage::Part,
            seconds,
        }
    }
}

/// The lag of several ranges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    /// The sum of what is known.
    pub transactions: u64,
    /// Whether that is an upper bound.
    pub is_at_most: bool,
    /// Ranges whose lag is not known.
    pub unknown: u64,
    /// The longest, of those that are known.
    pub seconds: Option<u64>,
}

impl Total {
    /// Adds that of another range.
    pub fn add(&mut self, lag: Lag) {
        match lag.transactions {
            Some(transactions) => {
                self.transactions = self.transactions.saturating_add(transactions);
            }
            None => self.unknown += 1,
        }
        self.is_at_most |= lag.is_at_most;
        self.seconds = self.seconds.max(lag.seconds);
    }
}

/// How fast what remains becomes less: over the last two minutes.
#[derive(Debug, Default)]
pub struct Pace {
    samples: VecDeque<(Instant, f64)>,
}

impl Pace {
    /// Whether a sample is due: nothing is gained from more.
    pub fn is_due(&self, now: Instant) -> bool {
        let last = self.samples.back();
        last.is_none_or(|(last, _)| now.duration_since(*last) >= SAMPLE)
    }

    /// Notes what remains now, in any unit, if a sample is due.
    pub fn note(&mut self, now: Instant, remaining: f64) {
        if self.is_due(now) {
            self.samples.push_back((now, remaining));
        }
        while self
            .samples
            .front()
            .is_some_and(|(first, _)| now.duration_since(*first) > WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// The time until nothing remains, if it becomes less.
    pub fn time_left(&self) -> Option<Duration> {
        let (first, before) = self.samples.front()?;
        let (last, remaining) = self.samples.back()?;
        if *remaining <= 0.0 {
            return Some(Duration::ZERO);
        }
        let per_second = (before - remaining) / last.duration_since(*first).as_secs_f64();
        if per_second.is_nan() || per_second <= 0.0 {
            return None;
        }
        Duration::try_from_secs_f64(remaining / per_second).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Known = Known {
        position: Some(90),
        newest: Some(100),
        coverage: Coverage::Whole,
        is_at_head: false,
        changed_at: Some(1_000),
        newest_at: 1_060,
    };

    #[test]
    fn the_lag_of_a_whole_partition_is_exact() {
        let lag = Lag::of(&WHOLE);
        let expected = Lag {
            transactions: Some(10),
            is_at_most: false,
            seconds: Some(60),
        };
        assert_eq!(lag, expected);
    }

    #[test]
    fn that_of_a_part_is_an_upper_bound_until_it_is_zero() {
        let part = Known {
            coverage: Coverage::Part,
            ..WHOLE
        };
        assert!(Lag::of(&part).is_at_most);
        for none in [
            Known {
                newest: Some(90),
                ..part
            },
            Known {
                is_at_head: true,
                ..part
            },
            // A replica that lags.
            Known {
                newest: Some(80),
                ..part
            },
        ] {
            let expected = Lag {
                transactions: Some(0),
                is_at_most: false,
                seconds: Some(0),
            };
            assert_eq!(Lag::of(&none), expected, "{none:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_zero() {
        let unread = Known {
            position: None,
            changed_at: None,
            ..WHOLE
        };
        let lag = Lag::of(&unread);
        assert_eq!((lag.transactions, lag.seconds), (None, None));
        let mut total = Total::default();
        total.add(lag);
        total.add(Lag::of(&WHOLE));
        total.add(Lag::of(&WHOLE));
        let expected = Total {
            transactions: 20,
            is_at_most: false,
            unknown: 1,
            seconds: Some(60),
        };
        assert_eq!(total, expected);
    }

    #[test]
    fn a_change_from_the_future_is_no_lag() {
        let future = Known {
            changed_at: Some(2_000),
            ..WHOLE
        };
        assert_eq!(Lag::of(&future).seconds, Some(0));
    }

    #[test]
    fn the_time_left_follows_from_the_last_two_minutes() {
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        let mut pace = Pace::default();
        assert_eq!(pace.time_left(), None);
        pace.note(at(0), 1_000.0);
        assert_eq!(pace.time_left(), None);
        pace.note(at(10), 900.0);
        assert_eq!(pace.time_left(), Some(Duration::from_secs(90)));
        // More than before: no end is in sight.
        pace.note(at(20), 2_000.0);
        assert_eq!(pace.time_left(), None);
        // By then the first samples are too old.
        pace.note(at(140), 800.0);
        assert_eq!(pace.time_left(), Some(Duration::from_secs(80)));
        pace.note(at(150), 0.0);
        assert_eq!(pace.time_left(), Some(Duration::ZERO));
    }
}

//! Figures of lag, computed from what the service answered.
//!
//! An LSN counts the transactions of a physical partition. So the difference of two is exact for a whole partition,
//! and an upper bound for a part of it or for one partition key, as others write there too. Only the answer that
//! nothing is new proves that nothing is.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::feed::RangeId;
use crate::lag::Pace;

/// The part of a range that is in one partition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub(super) range: RangeId,
    /// The LSN of the range's position, if that is known.
    pub(super) position: Option<u64>,
    /// The number of the partition.
    pub(super) partition: usize,
    /// Whether it is all of the partition.
    pub(super) is_whole: bool,
    pub(super) unread: Unread,
}

/// What comes after a position.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Unread {
    /// Nothing.
    Nothing,
    /// It is not known: the partition is only at this LSN, so the position is not one of it.
    Ahead {
        /// The LSN of the partition.
        newest: u64,
    },
    /// A page of changes, and perhaps more.
    Changes {
        /// They come after this LSN: that of the position, or that before the first change of a range without one.
        after: Option<u64>,
        /// The LSN of the last change of the page.
        last: Option<u64>,
        /// The highest LSN that the partition is known to be at.
        newest: Option<u64>,
        /// Changes in the page.
        changes: u64,
        /// When the oldest of them was made, in seconds since 1970.
        oldest: Option<i64>,
    },
}

/// How far something is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Figures {
    /// Transactions; none if the service names no LSN.
    pub(crate) transactions: Option<u64>,
    /// Whether they may be fewer.
    pub(crate) at_most: bool,
    /// An estimate of the changes in the feed; none if it is not known.
    pub(crate) documents: Option<u64>,
    /// How long ago the oldest change was made, in seconds; 0 if there is none, none if it is not known.
    pub(crate) waiting: Option<u64>,
    /// The LSN of the partition; of several, none.
    pub(crate) newest: Option<u64>,
}

/// The lag of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RangeLag {
    pub(crate) range: RangeId,
    pub(crate) position: Option<u64>,
    pub(crate) figures: Figures,
}

/// The lag of a job.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lag {
    pub(crate) ranges: Vec<RangeLag>,
    pub(crate) all: Figures,
    /// How long it takes to catch up at the rate of the last minutes, in seconds, if it does.
    pub(crate) seconds_left: Option<u64>,
    /// Request units charged for measuring.
    pub(crate) request_charge: f64,
}

impl Figures {
    /// Nothing is new.
    const ZERO: Self = Self {
        transactions: Some(0),
        at_most: false,
        documents: Some(0),
        waiting: Some(0),
        newest: None,
    };

    fn of(piece: &Piece, now: i64) -> Self {
        let (after, last, newest, changes, oldest) = match piece.unread {
            Unread::Changes {
                after,
                last,
                newest,
                changes,
                oldest,
            } => (after, last, newest, changes, oldest),
            Unread::Nothing => {
                return Self {
                    newest: piece.position,
                    ..Self::ZERO
                };
            }
            Unread::Ahead { newest } => {
                return Self {
                    newest: Some(newest),
                    ..Self::default()
                };
            }
        };
        Self {
            // A position may be within a transaction.
            transactions: difference(newest, after).map(|count| count.max(1)),
            at_most: !piece.is_whole,
            documents: documents(after, last, newest, changes),
            waiting: oldest.map(|oldest| u64::try_from(now - oldest).unwrap_or(0)),
            newest,
        }
    }

    /// This and another part.
    fn and(self, other: Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
        Self {
            transactions: sum(self.transactions, other.transactions),
            at_most: self.at_most || other.at_most,
            documents: sum(self.documents, other.documents),
            waiting: self.waiting.zip(other.waiting).map(|(a, b)| a.max(b)),
            newest: None,
        }
    }
}

fn difference(newest: Option<u64>, after: Option<u64>) -> Option<u64> {
    Some(newest?.saturating_sub(after?))
}

/// The changes of the page, and as many per transaction in the rest.
fn documents(
    after: Option<u64>,
    last: Option<u64>,
    newest: Option<u64>,
    changes: u64,
) -> Option<u64> {
    let (last, newest, after) = (last?, newest?, after?);
    let in_page = last.saturating_sub(after).max(1);
    let rest = newest.saturating_sub(last) as f64;
    Some(changes + (rest * changes as f64 / in_page as f64).round() as u64)
}

/// The lag at `now`, in seconds since 1970. The pieces of a range follow one another.
pub(super) fn lag(pieces: &[Piece], now: i64) -> Lag {
    let mut ranges: Vec<RangeLag> = Vec::new();
    let mut partitions: BTreeMap<usize, Vec<(&Piece, Figures)>> = BTreeMap::new();
    for piece in pieces {
        let figures = Figures::of(piece, now);
        partitions
            .entry(piece.partition)
            .or_default()
            .push((piece, figures));
        match ranges.last_mut().filter(|last| last.range == piece.range) {
            Some(last) => last.figures = last.figures.and(figures),
            None => ranges.push(RangeLag {
                range: piece.range,
                position: piece.position,
                figures,
            }),
        }
    }
    let all = partitions.values().map(|pieces| of_partition(pieces));
    Lag {
        ranges,
        all: all.fold(Figures::ZERO, Figures::and),
        seconds_left: None,
        request_charge: 0.0,
    }
}

/// The lag in one partition. A transaction counts once, however many parts of the partition are behind it.
fn of_partition(pieces: &[(&Piece, Figures)]) -> Figures {
    let all = pieces.iter().map(|(_, figures)| *figures);
    let sum = all.fold(Figures::ZERO, Figures::and);
    let mut behind = pieces
        .iter()
        .filter(|(_, figures)| figures.transactions != Some(0));
    if sum.transactions.is_none() || behind.clone().nth(1).is_none() {
        return sum;
    }
    let first = |most: Option<u64>, next: Option<u64>| Some(most?.min(next?));
    let after = behind.clone().map(|(piece, _)| after(piece));
    let after = after.reduce(first).flatten();
    let newest = behind.by_ref().filter_map(|(_, figures)| figures.newest);
    Figures {
        transactions: difference(newest.max(), after),
        ..sum
    }
}

fn after(piece: &Piece) -> Option<u64> {
    match piece.unread {
        Unread::Nothing | Unread::Ahead { .. } => piece.position,
        Unread::Changes { after, .. } => after,
    }
}

/// How fast the lag becomes less.
#[derive(Debug, Default)]
pub(super) struct Rate(Pace);

impl Rate {
    /// Notes a measurement made at `now`, and adds how long it takes to catch up at the present rate.
    pub(super) fn note(&mut self, now: Instant, mut lag: Lag) -> Lag {
        if let Some(transactions) = lag.all.transactions {
            self.0.note(now, transactions as f64);
            let left = self.0.time_left();
            lag.seconds_left = left.map(|left| left.as_secs_f64().ceil() as u64);
        }
        lag
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: i64 = 1_000;

    fn piece(range: u32, partition: usize, position: u64, newest: Option<u64>) -> Piece {
        Piece {
            range: RangeId(range),
            position: Some(position),
            partition,
            is_whole: true,
            unread: match newest {
                None => Unread::Nothing,
                Some(newest) => Unread::Changes {
                    after: Some(position),
                    last: Some(position + 2),
                    newest: Some(newest),
                    changes: 4,
                    oldest: Some(NOW - 30),
                },
            },
        }
    }

    fn part(piece: Piece) -> Piece {
        Piece {
            is_whole: false,
            ..piece
        }
    }

    #[test]
    fn whole_partitions_add_up_exactly() {
        let lag = lag(
            &[
                piece(0, 0, 10, Some(20)),
                piece(1, 1, 7, None),
                piece(2, 2, 100, Some(103)),
            ],
            NOW,
        );
        assert_eq!(
            lag.all,
            Figures {
                transactions: Some(13),
                at_most: false,
                // Two changes a transaction.
                documents: Some(20 + 6),
                waiting: Some(30),
                newest: None,
            }
        );
        let of_one = |at: usize| lag.ranges[at].figures.transactions;
        assert_eq!(
            [of_one(0), of_one(1), of_one(2)],
            [Some(10), Some(0), Some(3)]
        );
        assert_eq!(
            lag.ranges[1].figures,
            Figures {
                newest: Some(7),
                ..Figures::ZERO
            }
        );
    }

    #[test]
    fn a_range_that_was_split_has_the_lag_of_its_children() {
        let lag = lag(&[piece(0, 0, 10, Some(20)), piece(0, 1, 10, Some(13))], NOW);
        assert_eq!(lag.ranges.len(), 1);
        assert_eq!(lag.ranges[0].figures.transactions, Some(13));
        assert_eq!(lag.all.transactions, Some(13));
        assert!(!lag.all.at_most);
    }

    #[test]
    fn parts_of_a_partition_are_at_most_so_much_and_count_its_transactions_once() {
        let behind = [
            part(piece(0, 0, 10, Some(20))),
            part(piece(1, 0, 15, Some(21))),
        ];
        let both = lag(&behind, NOW);
        assert_eq!(both.all.transactions, Some(11));
        assert!(both.all.at_most);
        assert_eq!(both.ranges[1].figures.transactions, Some(6));
        // The one that has nothing new proves nothing of the other.
        let one = lag(&[part(piece(0, 0, 10, None)), behind[1].clone()], NOW);
        assert_eq!(one.all.transactions, Some(6));
        assert!(one.all.at_most);
        let none = lag(
            &[part(piece(0, 0, 10, None)), part(piece(1, 0, 15, None))],
            NOW,
        );
        assert_eq!((none.all.transactions, none.all.at_most), (Some(0), false));
    }

    #[test]
    fn without_an_lsn_nothing_is_invented() {
        let mut unknown = piece(0, 0, 10, Some(20));
        let Unread::Changes { newest, .. } = &mut unknown.unread else {
            unreachable!()
        };
        *newest = None;
        let lag = lag(&[unknown, piece(1, 1, 7, Some(9))], NOW);
        assert_eq!(lag.all.transactions, None);
        assert_eq!(lag.all.documents, None);
        assert_eq!(lag.all.waiting, Some(30));
    }

    #[test]
    fn the_time_left_follows_from_the_last_measurements() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let behind = |transactions: u64| lag(&[piece(0, 0, 0, Some(transactions))], NOW);
        let mut rate = Rate::default();
        assert_eq!(rate.note(at(0), behind(1_000)).seconds_left, None);
        assert_eq!(rate.note(at(10), behind(900)).seconds_left, Some(90));
        let caught_up = lag(&[piece(0, 0, 5, None)], NOW);
        assert_eq!(rate.note(at(20), caught_up).seconds_left, Some(0));
    }
}

//! Which shards have their turn while a snapshot is read.
//!
//! A snapshot has two lanes over the same ranges: the documents, and the changes from the pins on. They take turns, and
//! never is a page of one requested while one of the other is on its way. So, for each document, what was handed over
//! last is the latest: a page of the snapshot that is requested after a change was read has that change in it. And
//! however long the snapshot takes, its pins do not grow older than a turn.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::shard::Shard;
use super::shared::Shared;

/// How long a turn of either lane may take.
const MAX_TURN: Duration = Duration::from_mins(1);

/// A turn of the snapshot takes so many times as long as the last one of the changes.
const SHARE: u32 = 10;

/// The shards that are ready.
pub(super) struct Ready {
    /// Those of the changes, or of all ranges if there is no snapshot.
    shards: VecDeque<Shard>,
    snapshot: Option<Snapshot>,
}

/// A snapshot that is being read.
struct Snapshot {
    lane: Lane,
    shards: VecDeque<Shard>,
    /// Shards of the changes that had their turn.
    rested: Vec<Shard>,
    /// When the turn began.
    began: Instant,
    /// How long it may take.
    length: Duration,
    /// The least that a turn of the snapshot takes.
    least: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Snapshot,
    Changes,
}

impl Ready {
    /// These shards. With shards of a snapshot among them, the changes have the first turn: their positions may be old.
    pub(super) fn new(shards: Vec<Shard>, shared: &Shared) -> Self {
        let (snapshot, shards): (VecDeque<_>, VecDeque<_>) =
            shards.into_iter().partition(|shard| shard.is_of_snapshot);
        shared.set_snapshot(!snapshot.is_empty());
        let snapshot = (!snapshot.is_empty()).then(|| Snapshot {
            lane: Lane::Changes,
            shards: snapshot,
            rested: Vec::new(),
            began: Instant::now(),
            length: MAX_TURN,
            least: shared.options.poll_interval.min(MAX_TURN),
        });
        Self { shards, snapshot }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.shards.len() + self.snapshot.as_ref().map_or(0, |it| it.shards.len())
    }

    /// Takes the next one, if it is its turn.
    pub(super) fn next(&mut self, shared: &Shared) -> Option<Shard> {
        match &mut self.snapshot {
            Some(_) if shared.yields() => None,
            Some(snapshot) if snapshot.lane == Lane::Snapshot => snapshot.shards.pop_front(),
            _ => self.shards.pop_front(),
        }
    }

    /// Adds one that can be read further at once.
    pub(super) fn push(&mut self, shard: Shard) {
        match &mut self.snapshot {
            // One range after the other is completed.
            Some(snapshot) if shard.is_of_snapshot => snapshot.shards.push_front(shard),
            _ => self.shards.push_back(shard),
        }
    }

    /// Adds one that has nothing new, if it waits for its next turn. Otherwise it is returned.
    pub(super) fn rest(&mut self, shard: Shard) -> Option<Shard> {
        match &mut self.snapshot {
            Some(snapshot) if !shard.is_of_snapshot => {
                snapshot.rested.push(shard);
                None
            }
            _ => Some(shard),
        }
    }

    /// Drops all.
    pub(super) fn clear(&mut self) {
        self.shards.clear();
        self.snapshot = None;
    }

    /// When the turn is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.snapshot.as_ref().map(|it| it.began + it.length)
    }

    /// Passes the turn to the other lane if this one is done or was told to yield. `sleeps` counts shards of the
    /// snapshot that will be back. To be called when none is being read.
    pub(super) fn pass(&mut self, shared: &Shared, sleeps: usize) {
        while let Some(snapshot) = &mut self.snapshot {
            let is_over = shared.yields();
            match snapshot.lane {
                Lane::Snapshot if snapshot.shards.is_empty() && sleeps == 0 => {
                    // What is new now was never said to have been caught up with.
                    let rested = snapshot.rested.drain(..);
                    self.shards.extend(rested.map(Shard::awakened));
                    self.snapshot = None;
                    shared.set_yield(false);
                    shared.set_snapshot(false);
                    return;
                }
                Lane::Snapshot if is_over => {
                    self.shards.extend(snapshot.rested.drain(..));
                    snapshot.begin(Lane::Changes, MAX_TURN);
                }
                Lane::Changes if is_over || self.shards.is_empty() => {
                    let took = snapshot.began.elapsed();
                    let length = (took * SHARE).clamp(snapshot.least, MAX_TURN);
                    snapshot.begin(Lane::Snapshot, length);
                }
                _ => return,
            }
            shared.set_yield(false);
        }
    }
}

impl Snapshot {
    fn begin(&mut self, lane: Lane, length: Duration) {
        self.lane = lane;
        self.began = Instant::now();
        self.length = length;
    }
}

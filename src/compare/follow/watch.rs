//! The documents that may differ, while both feeds are followed.
//!
//! A document is watched from a change of it, or from a reading in which it differed, until it is the same on both
//! sides. What is known of a side is what its feed said last, or, if nothing came since, what a reading found. There
//! is space for so many documents; beyond that the small ranges of keys that changed are noted, and read again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::super::comparison::{Open, Tally};
use super::super::examine::{Contents, Kind, SOURCE, TARGET};
use crate::content::digest::Bucket;
use crate::content::hashes::Name;

/// Bytes of a document that is watched, with the free space of its map.
pub(super) const WATCHED_BYTES: u64 = 280;

/// What is known of a document.
#[derive(Debug, Clone, Copy)]
struct Watched {
    bucket: Bucket,
    /// The hashes of its contents; 0 where it is not there, none where that is not known.
    contents: [Option<u128>; 2],
    /// Since when nothing has changed.
    since: Instant,
    /// When the last reading began that found exactly these contents.
    looked: Option<Instant>,
    /// Whether only a reading can say that it is the same: a reading found it gone, which the feed does not say, so
    /// what the feed says may be from before that.
    must_look: bool,
    /// The number of the last change in a feed.
    changed: u64,
    /// When it is to be looked at, and how long after that again.
    due: Instant,
    pause: Duration,
}

/// What was read of documents.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Documents that differed.
    pub(super) differing: Vec<Open>,
    /// Where there were more of them than there was space for.
    pub(super) beyond: Vec<Bucket>,
    /// The documents that were asked for, if some were. Those that do not differ are the same, or on neither side.
    pub(super) asked: Vec<Name>,
}

/// The documents that may differ.
#[derive(Debug)]
pub(super) struct Watch {
    documents: HashMap<Name, Watched>,
    /// The most documents.
    most: usize,
    /// The small ranges in which something changed that is not watched.
    unread: Vec<bool>,
    unread_count: usize,
    /// Whether something changed that could be anywhere.
    is_lost: bool,
    /// Whether changes that are not watched are being read.
    is_reading: bool,
    /// The number of changes so far.
    changes: u64,
    /// When the last one came.
    last_change: Instant,
    /// When anything was last learned, from a feed or from a reading.
    last_news: Instant,
    settle: Duration,
    pause: Duration,
    /// Whether what the feeds say is enough to know that a document is the same: each document of a side is one of
    /// the other.
    by_feeds: bool,
    /// Whether the feeds say what is deleted.
    with_deletions: bool,
}

/// How many documents differ, and how many may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Census {
    /// Those that differed for the settling time without a change.
    pub(super) different: Tally,
    /// The others that are watched.
    pub(super) changing: u64,
}

impl Watch {
    /// Watches nothing yet: at most so many documents, of so many small ranges.
    pub(super) fn new(
        most: usize,
        buckets: u32,
        settle: Duration,
        by_feeds: bool,
        with_deletions: bool,
    ) -> Self {
        /// How often to look within the settling time, and the pauses between.
        const LOOKS: u32 = 8;
        const MIN_PAUSE: Duration = Duration::from_secs(1);
        const MAX_PAUSE: Duration = Duration::from_secs(5);
        Self {
            documents: HashMap::new(),
            most,
            unread: vec![false; buckets as usize],
            unread_count: 0,
            is_lost: false,
            is_reading: false,
            changes: 0,
            last_change: Instant::now(),
            last_news: Instant::now(),
            settle,
            pause: (settle / LOOKS).clamp(MIN_PAUSE, MAX_PAUSE),
            by_feeds,
            with_deletions,
        }
    }

    /// The feed of a side says that a document has this content; 0 if it was deleted.
    pub(super) fn changed(&mut self, side: usize, name: Name, bucket: Bucket, content: u128) {
        let now = Instant::now();
        self.changes += 1;
        let is_full = self.documents.len() >= self.most;
        let Some(watched) = self.documents.get_mut(&name) else {
            if is_full || self.unread[bucket as usize] {
                self.leave(bucket);
                return;
            }
            let mut contents = [None; 2];
            contents[side] = Some(content);
            let watched = Watched {
                bucket,
                contents,
                since: now,
                looked: None,
                must_look: false,
                changed: self.changes,
                due: now + self.pause * 2,
                pause: self.pause,
            };
            self.documents.insert(name, watched);
            return;
        };
        watched.must_look |= !self.with_deletions && watched.contents[side] == Some(0);
        if watched.contents[side] != Some(content) {
            (watched.since, watched.pause) = (now, self.pause);
            watched.looked = None;
            watched.due = now + self.pause;
        }
        watched.contents[side] = Some(content);
        watched.changed = self.changes;
        let is_same = watched.contents[SOURCE] == watched.contents[TARGET];
        if is_same && watched.must_look {
            watched.due = now;
        } else if is_same && self.by_feeds {
            self.documents.remove(&name);
        }
    }

    /// A page with documents came.
    pub(super) fn moved(&mut self) {
        self.last_change = Instant::now();
        self.last_news = self.last_change;
    }

    /// Something changed, and nothing says where.
    pub(super) fn lose(&mut self) {
        self.is_lost = true;
    }

    /// When the last change came.
    pub(super) fn last_change(&self) -> Instant {
        self.last_change
    }

    /// When anything was last learned. What is known is how things were at any moment after that for which the feeds are
    /// known, and at no earlier one.
    pub(super) fn last_news(&self) -> Instant {
        self.last_news
    }

    /// The number of the last change. What is read from now on has seen all that came before.
    pub(super) fn mark(&self) -> u64 {
        self.changes
    }

    /// Takes what a reading found that began at `mark`, which was at this time.
    pub(super) fn found(&mut self, found: Found, mark: u64, began: Instant) {
        let now = Instant::now();
        self.last_news = now;
        self.is_reading = false;
        let differing: HashMap<Name, Contents> = found
            .differing
            .iter()
            .map(|open| (open.name, open.contents))
            .collect();
        for name in found.asked {
            if differing.contains_key(&name) {
                continue;
            }
            if let Some(watched) = self.documents.get_mut(&name) {
                if watched.changed <= mark {
                    self.documents.remove(&name);
                } else {
                    watched.due = now + self.pause;
                }
            }
        }
        for open in found.differing {
            self.differs(&open, mark, (began, now));
        }
        for bucket in found.beyond {
            self.leave(bucket);
        }
    }

    fn differs(&mut self, open: &Open, mark: u64, (began, now): (Instant, Instant)) {
        let contents = open.contents.map(Some);
        let is_full = self.documents.len() >= self.most;
        match self.documents.get_mut(&open.name) {
            // What came since is newer than what was read.
            Some(watched) if watched.changed > mark => watched.due = now + self.pause,
            Some(watched) if watched.contents == contents => {
                (watched.looked, watched.must_look) = (Some(began), false);
                watched.due = now + watched.pause;
                // Once more as soon as it has settled.
                if let Some(settled) = watched.since.checked_add(self.settle)
                    && settled > now
                {
                    watched.due = watched.due.min(settled);
                }
                watched.pause = (watched.pause * 2).min(self.settle.max(self.pause));
            }
            Some(watched) => {
                // Since when it is what was not known before, nobody knows.
                watched.since = now;
                watched.contents = contents;
                (watched.looked, watched.must_look) = (Some(began), false);
                watched.due = now + self.pause;
            }
            None if is_full => self.leave(open.bucket),
            None => {
                let watched = Watched {
                    bucket: open.bucket,
                    contents,
                    since: now,
                    looked: Some(began),
                    must_look: false,
                    changed: mark,
                    due: now + self.pause,
                    pause: self.pause,
                };
                self.documents.insert(open.name, watched);
            }
        }
    }

    /// Notes that a small range is to be read again.
    fn leave(&mut self, bucket: Bucket) {
        let unread = &mut self.unread[bucket as usize];
        self.unread_count += usize::from(!*unread);
        *unread = true;
    }

    /// Takes the small ranges that are to be read again, if there is space for what is found in them. Until that comes they
    /// are unread.
    pub(super) fn take_unread(&mut self) -> Vec<Bucket> {
        if self.unread_count == 0 || self.documents.len() > self.most / 2 {
            return Vec::new();
        }
        (self.unread_count, self.is_reading) = (0, true);
        let mut taken = Vec::new();
        for (bucket, unread) in self.unread.iter_mut().enumerate() {
            if std::mem::take(unread) {
                taken.push(bucket as Bucket);
            }
        }
        taken
    }

    /// Takes whatever is to be read again, since everything is read. Until what is found comes, it is unread.
    pub(super) fn read_all(&mut self) {
        self.is_reading = self.has_unread();
        self.unread.fill(false);
        (self.unread_count, self.is_lost) = (0, false);
    }

    /// The documents that are to be looked at now.
    pub(super) fn due(&self) -> HashMap<Name, Bucket> {
        let now = Instant::now();
        let due = self.documents.iter();
        due.filter(|(_, watched)| watched.due <= now)
            .map(|(name, watched)| (*name, watched.bucket))
            .collect()
    }

    /// Whether something changed that could be anywhere.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether there are changes that are not watched.
    pub(super) fn has_unread(&self) -> bool {
        self.is_lost || self.is_reading || self.unread_count > 0
    }

    /// How many documents differ.
    pub(super) fn census(&self) -> Census {
        let mut census = Census::default();
        for watched in self.documents.values() {
            match self.settled(watched) {
                Some(contents) => census
                    .different
                    .add(Kind::of(contents).unwrap_or(Kind::Different)),
                None => census.changing += 1,
            }
        }
        census
    }

    /// The documents that differed for the settling time.
    pub(super) fn different(&self) -> Vec<Open> {
        let different = self.documents.iter().filter_map(|(name, watched)| {
            let contents = self.settled(watched)?;
            Some(Open {
                name: *name,
                bucket: watched.bucket,
                contents,
            })
        });
        different.collect()
    }

    /// The contents of a document if they differed for the settling time, as a reading has shown that began after it.
    fn settled(&self, watched: &Watched) -> Option<Contents> {
        let [Some(source), Some(target)] = watched.contents else {
            return None;
        };
        let settles = watched.since.checked_add(self.settle);
        let has_settled = self.settle.is_zero() || settles.is_some() && watched.looked >= settles;
        (source != target && has_settled).then_some([source, target])
    }
}

#[cfg(test)]
mod tests;

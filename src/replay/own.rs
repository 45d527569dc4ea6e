//! Which of the target's copies this replay wrote itself.
//!
//! `--write-mode newer` compares times, and a copy that the replay wrote carries the time of its
//! writing: a later version of the same document in the source would look older than that. Copies
//! of our own are therefore known by their ETags. Memory is bounded, and a resume knows no ETags:
//! of what was written in a time that is not remembered, the time alone decides.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use crate::clock;
use crate::cosmos::items::ItemAddress;

/// How many writes each of the two generations remembers. An entry takes 16 bytes and a bit.
const GENERATION: usize = 500_000;

/// How far this machine's clock may be from the service's, in seconds.
const CLOCK_TOLERANCE: i64 = 60;

/// The copies of our own.
#[derive(Debug)]
pub(super) struct OwnWrites {
    hasher: RandomState,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// Hash of the item to hash of the ETag that our last write of it got.
    young: HashMap<u64, u64>,
    old: HashMap<u64, u64>,
    /// When this replay wrote what is no longer remembered.
    forgotten: Forgotten,
}

/// A span of time, in seconds since 1970. What the replay wrote in it is no longer remembered, so every
/// copy from it counts as its own.
#[derive(Debug)]
struct Forgotten {
    /// When the replay began, in its first run.
    began: i64,
    /// When the last of it may have been written; none if every write is remembered.
    until: Option<i64>,
}

impl Forgotten {
    /// Extends the span to now. The clock may have jumped back since the replay began, so the span covers
    /// both readings of it.
    fn extend(&mut self) {
        let now = now();
        self.until = self.until.max(Some(now.max(self.began)));
        self.began = self.began.min(now);
    }

    fn contains(&self, seconds: i64) -> bool {
        self.until.is_some_and(|until| {
            (self.began - CLOCK_TOLERANCE..until + CLOCK_TOLERANCE).contains(&seconds)
        })
    }
}

impl OwnWrites {
    /// Of a replay that began at `began`, in seconds since 1970, and that goes on if `resumed`.
    pub(super) fn new(began: i64, resumed: bool) -> Self {
        let mut forgotten = Forgotten { began, until: None };
        if resumed {
            forgotten.extend();
        }
        Self {
            hasher: RandomState::new(),
            known: Mutex::new(Known {
                young: HashMap::new(),
                old: HashMap::new(),
                forgotten,
            }),
        }
    }

    /// Our write of `item` got this ETag.
    pub(super) fn note(&self, item: &ItemAddress, etag: &str) {
        let entry = (self.hasher.hash_one(item), self.hasher.hash_one(etag));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.young.len() >= GENERATION {
            known.old = std::mem::take(&mut known.young);
            known.forgotten.extend();
        }
        known.young.insert(entry.0, entry.1);
    }

    /// Whether we wrote the copy of `item` that has this ETag and `_ts`.
    pub(super) fn wrote(&self, item: &ItemAddress, etag: Option<&str>, seconds: i64) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let item = self.hasher.hash_one(item);
        if let Some(noted) = known.young.get(&item).or_else(|| known.old.get(&item)) {
            return etag.is_some_and(|etag| self.hasher.hash_one(etag) == *noted);
        }
        known.forgotten.contains(seconds)
    }
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    clock::now().unix_timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosmos::epk::partition_key;

    fn item(id: &str) -> ItemAddress {
        ItemAddress {
            key: partition_key(&["p".into()]).unwrap(),
            id: id.to_owned(),
        }
    }

    #[test]
    fn a_copy_is_ours_by_its_etag_and_a_forgotten_one_by_its_time() {
        let fresh = OwnWrites::new(now(), false);
        assert!(!fresh.wrote(&item("1"), Some("a"), now()));
        fresh.note(&item("1"), "a");
        assert!(fresh.wrote(&item("1"), Some("a"), now()));
        assert!(!fresh.wrote(&item("1"), Some("b"), now()));
        assert!(!fresh.wrote(&item("2"), Some("a"), now()));

        let resumed = OwnWrites::new(now() - 1000, true);
        assert!(resumed.wrote(&item("1"), Some("a"), now() - 500));
        assert!(!resumed.wrote(&item("1"), Some("a"), now() - 2000));
        assert!(!resumed.wrote(&item("1"), Some("a"), now() + 600));
        resumed.note(&item("1"), "b");
        assert!(!resumed.wrote(&item("1"), Some("a"), now() - 500));
    }

    #[test]
    fn a_forgotten_copy_is_ours_although_the_clock_went_back() {
        let resumed = OwnWrites::new(now() + 1000, true);
        assert!(resumed.wrote(&item("1"), Some("a"), now()));
        assert!(resumed.wrote(&item("1"), Some("a"), now() + 1000));
        assert!(!resumed.wrote(&item("1"), Some("a"), now() - 1000));
        assert!(!resumed.wrote(&item("1"), Some("a"), now() + 2000));
    }
}

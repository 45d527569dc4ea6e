//! Which of the target's copies this replay wrote itself.
//!
//! `--write-mode newer` compares times, and a copy that the replay wrote has the time of that write. A
//! later version of the same document in the source would look older. So the replay remembers the ETags
//! of its own writes. Memory is bounded, and a resume has no ETags: for the time whose writes are not
//! remembered, every copy written in it counts as the replay's own.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use crate::clock;
use crate::cosmos::items::ItemAddress;

/// How many writes each of the two generations remembers. An entry takes little more than 16 bytes.
const GENERATION: usize = 500_000;

/// How far this machine's clock may differ from the service's, in seconds.
const CLOCK_TOLERANCE: i64 = 60;

/// The copies that this replay wrote.
#[derive(Debug)]
pub(super) struct OwnWrites {
    hasher: RandomState,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    /// From the hash of an item to the hash of the ETag of our last write of it.
    young: HashMap<u64, u64>,
    old: HashMap<u64, u64>,
    /// When the writes happened that are no longer remembered.
    forgotten: Forgotten,
}

/// A span of time, in seconds since 1970, whose writes are no longer remembered: every copy written in it
/// counts as our own.
#[derive(Debug)]
struct Forgotten {
    /// When the first run began.
    began: i64,
    /// When the last such write may have happened; none if every write is remembered.
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
    /// The own writes of a replay that began at `began`, in seconds since 1970.
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

    /// Remembers that our write of `item` got this ETag.
    pub(super) fn note(&self, item: &ItemAddress, etag: &str) {
        let entry = (self.hasher.hash_one(item), self.hasher.hash_one(etag));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.young.len() >= GENERATION {
            known.old = std::mem::take(&mut known.young);
            known.forgotten.extend();
        }
        known.young.insert(entry.0, entry.1);
    }

    /// Whether the copy of `item` with this ETag and `_ts` is our own.
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
    fn a_copy_is_ours_by_its_etag_or_else_by_its_time() {
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

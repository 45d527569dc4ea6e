//! The ETags that the target's documents had after this process wrote them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use crate::cosmos::items::ItemAddress;

/// How many ETags each of the two generations has. An entry takes about 100 bytes.
const GENERATION: usize = 50_000;

/// The ETags of what this process has written lately, so that a document that is written again is not read first. An
/// ETag that is not the document's any more is a condition that fails.
#[derive(Debug, Default)]
pub(super) struct KnownEtags {
    hasher: RandomState,
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<u64, Box<str>>,
    old: HashMap<u64, Box<str>>,
}

impl KnownEtags {
    /// Takes the ETag of a document out, if it is known.
    pub(super) fn take(&self, item: &ItemAddress) -> Option<String> {
        let item = self.hasher.hash_one(item);
        let mut known = self
            .generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let old = known.old.remove(&item);
        known.young.remove(&item).or(old).map(String::from)
    }

    /// Remembers the ETag of a document.
    pub(super) fn note(&self, item: &ItemAddress, etag: String) {
        let item = self.hasher.hash_one(item);
        let mut known = self
            .generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if known.young.len() >= GENERATION {
            known.old = std::mem::take(&mut known.young);
        }
        known.young.insert(item, etag.into_boxed_str());
    }
}

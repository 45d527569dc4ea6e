//! Whether the texts of two sides are worth comparing: if the target was written by another program, hardly a document
//! has the text of its source, and all would need their canonical forms after all. So a few documents, chosen by their
//! names, tell early.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::content::hashes::Name;

/// One of so many documents is looked at, a power of two. It doubles whenever too many wait for the other side, so that those
/// that are looked at are from everything that was read, however much that is.
const ONE_OF: u64 = 64;
/// No more wait.
const MAX_DOCUMENTS: usize = 1 << 14;
/// So many differ before anything is concluded.
const MIN_OTHERS: u32 = 16;

/// Most texts differ.
#[derive(Debug)]
pub(super) struct OtherTexts;

impl fmt::Display for OtherTexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the documents of the sides are written differently")
    }
}

impl std::error::Error for OtherTexts {}

/// Looks at a few documents of both sides while they are read.
#[derive(Debug)]
pub(super) struct Probe {
    pairs: Mutex<Pairs>,
    has_other_texts: AtomicBool,
    /// Whether the texts of the source are not all that there is to say about it.
    needs_more_than_texts: AtomicBool,
    one_of: AtomicU64,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            pairs: Mutex::default(),
            has_other_texts: AtomicBool::default(),
            needs_more_than_texts: AtomicBool::default(),
            one_of: AtomicU64::new(ONE_OF),
        }
    }
}

#[derive(Debug, Default)]
struct Pairs {
    /// The texts of documents that came on one side only so far, by their hashes, and which side.
    waiting: HashMap<Name, (usize, u128)>,
    same: u32,
    other: u32,
}

impl Probe {
    /// Takes a document of a side.
    ///
    /// # Errors
    ///
    /// If most texts differ: then both sides get this error.
    pub(super) fn take(&self, side: usize, name: Name, text: u128) -> Result<(), OtherTexts> {
        if is_chosen(name, self.one_of.load(Ordering::Relaxed)) {
            let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
            pairs.take(side, name, text);
            if pairs.waiting.len() > MAX_DOCUMENTS {
                let one_of = self.one_of.load(Ordering::Relaxed).saturating_mul(2);
                pairs.waiting.retain(|name, _| is_chosen(*name, one_of));
                self.one_of.store(one_of, Ordering::Relaxed);
            }
            if pairs.other >= MIN_OTHERS && pairs.other > pairs.same {
                self.has_other_texts.store(true, Ordering::Relaxed);
            }
        }
        if self.has_other_texts.load(Ordering::Relaxed) {
            return Err(OtherTexts);
        }
        Ok(())
    }
}

impl Probe {
    /// Notes that the texts of the source do not say all about it.
    pub(super) fn ask_for_more_than_texts(&self) {
        self.needs_more_than_texts.store(true, Ordering::Relaxed);
    }

    /// Whether that was noted: then the sum of the texts of the target is of no use.
    pub(super) fn needs_more_than_texts(&self) -> bool {
        self.needs_more_than_texts.load(Ordering::Relaxed)
    }
}

/// Whether it is one of so many.
#[inline]
fn is_chosen(name: Name, one_of: u64) -> bool {
    (name as u64).is_multiple_of(one_of)
}

impl Pairs {
    fn take(&mut self, side: usize, name: Name, text: u128) {
        match self.waiting.get(&name) {
            Some((other_side, other_text)) if *other_side != side => {
                if *other_text == text {
                    self.same += 1;
                } else {
                    self.other += 1;
                }
                self.waiting.remove(&name);
            }
            _ => {
                self.waiting.insert(name, (side, text));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many documents of each side were read when it was found that most texts differ.
    fn read_before(differs: impl Fn(u128) -> bool) -> Option<u128> {
        let probe = Probe::default();
        (0..1000).find(|number| {
            let name = number * u128::from(ONE_OF);
            let target = if differs(*number) { 2 } else { 1 };
            probe.take(0, name, 1).is_err() || probe.take(1, name, target).is_err()
        })
    }

    #[test]
    fn sides_that_are_written_differently_are_found_early() {
        assert_eq!(read_before(|_| true), Some(15));
        assert_eq!(read_before(|_| false), None);
        assert_eq!(read_before(|number| number.is_multiple_of(3)), None);
        assert!(read_before(|number| !number.is_multiple_of(3)).is_some());
    }

    #[test]
    fn only_a_few_documents_wait() {
        let probe = Probe::default();
        for number in 0..100_000 {
            assert!(probe.take(0, number, 1).is_ok());
            let chosen = number * u128::from(ONE_OF);
            assert!(probe.take(0, chosen, 1).is_ok());
            assert!(probe.pairs.lock().unwrap().waiting.len() <= MAX_DOCUMENTS);
        }
    }

    /// In opposite orders no two documents meet before the middle, however many have to wait until then.
    #[test]
    fn a_probe_that_is_full_still_sees() {
        const ALL: u128 = 400_000;
        let probe = Probe::default();
        let name = |number| number * u128::from(ONE_OF);
        let found = (0..ALL).find(|number| {
            probe.take(0, name(*number), 1).is_err()
                || probe.take(1, name(ALL - 1 - number), 2).is_err()
        });
        let found = found.unwrap();
        assert!((ALL / 2..ALL / 2 + 2000).contains(&found), "{found}");
    }
}

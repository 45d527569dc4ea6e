//! What the next commit has to commit.

use std::collections::HashMap;

use super::commit_slot::KnownLsns;
use crate::feed::page::Page;
use crate::feed::{PinnedEnd, RangeId};
use crate::sink::Seal;

/// What was read since the last commit began.
#[derive(Debug)]
pub(super) struct Uncommitted {
    /// Where ranges were pinned, and how they reached their ends.
    ends: HashMap<RangeId, PinnedEnd>,
    /// The highest LSNs reported by answers, of the partitions of ranges.
    pub(super) known_lsns: KnownLsns,
    /// Series to seal with the next commit, since their range is finished.
    pub(super) to_seal: Vec<u32>,
    /// Whether it is time to seal all of them.
    pub(super) rotation_is_due: bool,
    /// Whether anything was written since the last rotation.
    pub(super) has_rows_to_rotate: bool,
    /// Bytes of pages.
    pub(super) bytes: u64,
    /// Whether there is anything to commit.
    pub(super) is_dirty: bool,
}

impl Uncommitted {
    /// Nothing so far. `has_rows_to_rotate` if parts of an earlier run are open.
    pub(super) fn new(has_rows_to_rotate: bool) -> Self {
        Self {
            ends: HashMap::new(),
            known_lsns: KnownLsns::default(),
            to_seal: Vec::new(),
            rotation_is_due: false,
            has_rows_to_rotate,
            bytes: 0,
            is_dirty: false,
        }
    }

    /// A page was read.
    pub(super) fn page(&mut self, range: RangeId, page: &Page, highest_lsn: Option<u64>) {
        self.bytes += page.body_len() as u64;
        self.known_lsns.note(range, highest_lsn);
        self.has_rows_to_rotate |= !page.is_empty();
        self.is_dirty = true;
    }

    /// A range was pinned, or reached its end.
    pub(super) fn ended(&mut self, range: RangeId, end: Option<PinnedEnd>) {
        self.ends.extend(end.map(|end| (range, end)));
        self.is_dirty = true;
    }

    /// What a commit that begins now has to seal.
    pub(super) fn take_seal(&mut self) -> Seal {
        let to_seal = std::mem::take(&mut self.to_seal);
        if std::mem::take(&mut self.rotation_is_due) {
            self.has_rows_to_rotate = false;
            Seal::Everything
        } else {
            Seal::Series(to_seal)
        }
    }

    /// What a commit that begins now has to record; after this there is nothing to commit.
    pub(super) fn take(&mut self) -> (HashMap<RangeId, PinnedEnd>, &KnownLsns) {
        self.bytes = 0;
        self.is_dirty = false;
        (std::mem::take(&mut self.ends), &self.known_lsns)
    }
}

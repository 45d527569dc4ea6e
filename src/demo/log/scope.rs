//! Which part of a partition a page is of, and how long it is.

use super::epk::Epk;

/// Which items of a partition are wanted.
#[derive(Debug, Clone)]
pub(in crate::demo) enum Scope {
    /// Those of the hashes from the first to before the second.
    Range(Epk, Epk),
    /// Those of one partition key.
    Key(Epk),
}

impl Scope {
    pub(super) fn contains(&self, epk: &[u8]) -> bool {
        match self {
            Self::Range(min, max) => min.as_bytes() <= epk && epk < max.as_bytes(),
            Self::Key(key) => key.as_bytes() == epk,
        }
    }

    /// Whether it has hashes of the range from `min` to before `max`.
    pub(super) fn overlaps(&self, min: &Epk, max: &Epk) -> bool {
        match self {
            Self::Range(from, to) => from < max && min < to,
            Self::Key(key) => min <= key && key < max,
        }
    }
}

/// Where a page ends. A transaction is never cut, so a page can be larger.
#[derive(Debug, Clone, Copy)]
pub(in crate::demo) struct Limit {
    pub(in crate::demo) items: usize,
    pub(in crate::demo) bytes: usize,
}

impl Limit {
    pub(super) fn is_reached(self, items: usize, bytes: usize) -> bool {
        items >= self.items || bytes >= self.bytes
    }
}

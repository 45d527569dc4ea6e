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
    /// All items.
    pub(in crate::demo) fn everything() -> Self {
        Self::Range(Epk::of_bytes(&[]), Epk::of_bytes(&[0xff]))
    }

    /// The lowest hash that it may have.
    pub(super) fn min(&self) -> &Epk {
        match self {
            Self::Range(min, _) => min,
            Self::Key(key) => key,
        }
    }

    /// What it has within the range from `min` to before `max`.
    pub(in crate::demo) fn within(self, min: &Epk, max: &Epk) -> Self {
        match self {
            Self::Range(from, to) => Self::Range(from.max(min.clone()), to.min(max.clone())),
            Self::Key(key) if *min <= key && key < *max => Self::Key(key),
            // Nothing.
            Self::Key(key) => Self::Range(key.clone(), key),
        }
    }

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

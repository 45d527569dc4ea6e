//! What a process knows of others of its name.

use std::collections::{HashMap, HashSet};

/// What a process knows of others of its name.
#[derive(Debug, Default)]
pub(super) struct Namesakes {
    /// Their leases in the last list, and the ETags of these.
    pub(super) seen: HashMap<String, Option<String>>,
    /// Leases that one of them has taken from this process since then: who did so was alive.
    pub(super) taken: HashSet<String>,
    /// Leases in the last list that this process wrote, but does not have: children of a split, perhaps, of which it does
    /// not know that it created them.
    pub(super) strays: HashSet<String>,
}

impl Namesakes {
    /// Whether there are any.
    pub(super) fn exist(&self) -> bool {
        !self.seen.is_empty()
    }
}

//! Which document of the source a change is about, as a fingerprint.

use std::hash::{BuildHasher, Hash, RandomState};

use azure_data_cosmos_driver::models::PartitionKey;

/// A document of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SourceItem {
    id: u32,
    /// Its partition key, an even number; or its `_rid` if that key is not known, an odd one; 0 if neither
    /// is known.
    origin: u32,
}

/// How two changes of one item of the target are related.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// They are about the same document of the source, as far as known.
    Same,
    /// They are about two documents: with the same id in two partitions, or with two ids.
    Two,
    /// They are about two documents of one id, but perhaps of one partition: the first was deleted, and the
    /// second created after that.
    PerhapsRecreated,
}

/// Makes fingerprints, which can be compared only with each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Fingerprints {
    hasher: RandomState,
}

impl Fingerprints {
    /// The document with this id and this partition key in the source.
    pub(super) fn by_key(&self, id: &str, key: &PartitionKey) -> SourceItem {
        SourceItem {
            id: self.hash(id),
            origin: (self.hash(key) & !1).max(2),
        }
    }

    /// The document with this id and this text of its `_rid`, if it has one: the partition key of the source
    /// is not known.
    pub(super) fn by_rid(&self, id: &str, rid: Option<&[u8]>) -> SourceItem {
        SourceItem {
            id: self.hash(id),
            origin: rid.map_or(0, |rid| self.hash(rid) | 1),
        }
    }

    fn hash<T: Hash + ?Sized>(&self, value: &T) -> u32 {
        (self.hasher.hash_one(value) >> 32) as u32
    }
}

impl SourceItem {
    /// Whether this is another document of the source than `other`, as far as known.
    pub(crate) fn is_another_than(self, other: Self) -> bool {
        self.relation(other) == Relation::Two
    }

    /// How a change of this document is related to an earlier one of `other`.
    pub(super) fn relation(self, other: Self) -> Relation {
        let are_known = self.origin != 0 && other.origin != 0;
        let is_by_rid = self.origin % 2 == 1;
        let are_alike = is_by_rid == (other.origin % 2 == 1);
        if self.id != other.id {
            Relation::Two
        } else if !are_known || !are_alike || self.origin == other.origin {
            Relation::Same
        } else if is_by_rid {
            Relation::PerhapsRecreated
        } else {
            Relation::Two
        }
    }
}

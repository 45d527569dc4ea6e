//! Documents of the source that become one item of the target.
//!
//! Two documents can have the same id in different partitions of the source, and the same partition key in
//! the target; and a program can give two documents one id. The later one would replace the earlier one. To
//! notice that, the replay remembers which document of the source each item of the target came from, for a
//! bounded number of items and for one run. If ranges are shared with other instances, only for as long as the range of that
//! document is this process's own: whoever has it afterwards may delete the document.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::item_write::{Action, ItemWrite};
use super::source_item::{Relation, SourceItem};
use super::tenure::Tenure;
use crate::cli::choices::IdCollisions;

/// How many items are remembered. An entry has 16 bytes; the table takes about 70 MB when it is full.
const MAX_ITEMS: usize = 3_600_000;
const _: () = assert!(
    size_of::<(u64, SourceItem)>() == 16,
    "an entry has 16 bytes"
);

/// The items of the target that were written, each with the document that it came from.
#[derive(Debug)]
pub(super) struct Collisions {
    /// What was asked for, if anything was.
    choice: Option<IdCollisions>,
    hasher: RandomState,
    items: HashMap<u64, SourceItem>,
    /// Until when each of them counts, if ranges are shared.
    tenures: HashMap<u64, Arc<Tenure>>,
    max: usize,
    /// Changes that were not compared since room was last made for them.
    not_compared: usize,
}

/// What the check of a change found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// Its item came from another document, which it replaces.
    Replaces(Relation),
    /// Its item came from another document, so it is refused for this reason.
    Refused(Relation, String),
    /// Too many items are remembered, so it was not compared.
    NotCompared,
}

impl Collisions {
    pub(super) fn new(choice: Option<IdCollisions>) -> Self {
        Self {
            choice,
            hasher: RandomState::new(),
            items: HashMap::new(),
            tenures: HashMap::new(),
            max: MAX_ITEMS,
            not_compared: 0,
        }
    }

    /// Checks the next change, in the order of the source. A change that is not refused is remembered, for as long as its
    /// range is this process's own.
    pub(super) fn check(&mut self, write: &ItemWrite, tenure: Option<&Arc<Tenure>>) -> Found {
        let Some(source) = write.source else {
            return Found::Nothing;
        };
        let item = self.hasher.hash_one(&write.item);
        let is_deletion = matches!(write.action, Action::Delete { .. });
        self.forget_if_over(item);
        let known = self.items.get(&item).copied();
        let relation = known.map_or(Relation::Same, |known| source.relation(known));
        let is_refused = match (relation, self.choice) {
            (Relation::Same, _) | (_, Some(IdCollisions::Overwrite)) => false,
            (Relation::Two, _) | (_, Some(IdCollisions::Refuse)) => true,
            (Relation::PerhapsRecreated, None) => false,
        };
        if is_refused {
            return Found::Refused(relation, reason(relation, is_deletion));
        }
        if is_deletion {
            // A document that is created afterwards replaces nothing.
            self.items.remove(&item);
            self.tenures.remove(&item);
        } else if known.is_some() || self.has_room() {
            self.items.insert(item, source);
            if let Some(tenure) = tenure {
                self.tenures.insert(item, Arc::clone(tenure));
            }
        } else {
            return Found::NotCompared;
        }
        match relation {
            Relation::Same => Found::Nothing,
            relation => Found::Replaces(relation),
        }
    }

    /// Forgets an item whose document was one of a range that may be another process's now.
    fn forget_if_over(&mut self, item: u64) {
        if self.tenures.get(&item).is_some_and(|one| !one.holds()) {
            self.items.remove(&item);
            self.tenures.remove(&item);
        }
    }

    /// Whether another item can be remembered. Those of ranges that moved away make room, which is not looked for each time.
    fn has_room(&mut self) -> bool {
        if self.items.len() >= self.max && !self.tenures.is_empty() {
            if self.not_compared.is_multiple_of(self.max.div_ceil(16)) {
                let items = &mut self.items;
                self.tenures.retain(|item, tenure| {
                    let counts = tenure.holds();
                    if !counts {
                        items.remove(item);
                    }
                    counts
                });
            }
            self.not_compared += 1;
        }
        self.items.len() < self.max
    }
}

fn reason(relation: Relation, is_deletion: bool) -> String {
    let what = match relation {
        Relation::PerhapsRecreated => "with another `_rid`",
        _ => "of the source",
    };
    let does = if is_deletion { "delete" } else { "replace" };
    format!(
        "it would {does} another document {what}, which came before and has the same id and partition key; \
         with --id-collisions overwrite the last one counts"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::source_item::Fingerprints;
    use super::*;
    use crate::cosmos::epk::partition_key;
    use crate::cosmos::items::ItemAddress;
    use crate::process;

    struct Check {
        collisions: Collisions,
        tenure: Option<Arc<Tenure>>,
        fingerprints: Fingerprints,
    }

    impl Check {
        fn new(choice: Option<IdCollisions>) -> Self {
            Self {
                collisions: Collisions::new(choice),
                tenure: None,
                fingerprints: Fingerprints::default(),
            }
        }

        fn write(&mut self, id: &str, source: Option<SourceItem>, action: Action) -> Found {
            let write = ItemWrite {
                item: ItemAddress {
                    key: partition_key(&["p".into()]).unwrap(),
                    id: id.to_owned(),
                },
                action,
                seconds: None,
                missing_path: None,
                source,
            };
            self.collisions.check(&write, self.tenure.as_ref())
        }

        fn put(&mut self, id: &str, source: SourceItem) -> Found {
            self.write(id, Some(source), Action::Put(b"{}".to_vec()))
        }

        fn delete(&mut self, id: &str, source: SourceItem) -> Found {
            self.write(id, Some(source), Action::Delete { expired: false })
        }

        fn of(&self, id: &str, key: &str) -> SourceItem {
            let key = partition_key(&[key.into()]).unwrap();
            self.fingerprints.by_key(id, &key)
        }

        fn with_rid(&self, rid: &str) -> SourceItem {
            self.fingerprints.by_rid("1", Some(rid.as_bytes()))
        }
    }

    #[test]
    fn the_same_document_again_is_no_collision_and_another_one_is() {
        let mut check = Check::new(None);
        let (a, b) = (check.of("1", "a"), check.of("1", "b"));
        assert_eq!(check.put("1", a), Found::Nothing);
        assert_eq!(check.put("1", a), Found::Nothing);
        assert_eq!(check.put("2", b), Found::Nothing);
        assert!(matches!(check.put("1", b), Found::Refused(..)));
        // The refused one has left no trace, and its deletion would be that of the other.
        assert_eq!(check.put("1", a), Found::Nothing);
        assert!(matches!(check.delete("1", b), Found::Refused(..)));
        assert_eq!(check.delete("1", a), Found::Nothing);
        assert_eq!(check.put("1", b), Found::Nothing);
        // A program that gives two documents one id.
        let other = check.of("other", "b");
        assert!(matches!(check.put("1", other), Found::Refused(..)));
        assert_eq!(
            check.write("1", None, Action::Put(b"{}".to_vec())),
            Found::Nothing
        );
    }

    #[test]
    fn what_came_from_a_range_that_moved_away_is_not_compared_any_more() {
        let tenure = || {
            let (hour, minute) = (Duration::from_secs(3600), Duration::from_secs(60));
            let until = process::since_boot() + hour;
            Arc::new(Tenure::until(until, minute, Arc::default(), true))
        };
        let mut check = Check::new(None);
        check.collisions.max = 2;
        let (a, b) = (check.of("1", "a"), check.of("1", "b"));
        let (first, second) = (tenure(), tenure());
        check.tenure = Some(Arc::clone(&first));
        assert_eq!(check.put("1", a), Found::Nothing);
        check.tenure = Some(Arc::clone(&second));
        assert!(matches!(check.put("1", b), Found::Refused(..)));
        // Its new owner may have deleted it.
        first.end();
        assert_eq!(check.put("1", b), Found::Nothing);
        assert!(matches!(check.put("1", a), Found::Refused(..)));
        // It makes room.
        assert_eq!(check.put("2", a), Found::Nothing);
        assert_eq!(check.put("3", a), Found::NotCompared);
        second.end();
        check.tenure = Some(tenure());
        assert_eq!(check.put("3", a), Found::Nothing);
        assert_eq!(check.collisions.items.len(), 1);
    }

    #[test]
    fn what_is_asked_for_is_overwritten_and_counted() {
        let mut check = Check::new(Some(IdCollisions::Overwrite));
        let (a, b) = (check.of("1", "a"), check.of("1", "b"));
        assert_eq!(check.put("1", a), Found::Nothing);
        assert_eq!(check.put("1", b), Found::Replaces(Relation::Two));
        assert_eq!(check.put("1", b), Found::Nothing);
        assert_eq!(check.put("1", a), Found::Replaces(Relation::Two));
    }

    #[test]
    fn another_rid_is_counted_and_refused_only_on_request() {
        for (choice, is_refused) in [(None, false), (Some(IdCollisions::Refuse), true)] {
            let mut check = Check::new(choice);
            let (a, b) = (check.with_rid("a"), check.with_rid("b"));
            assert_eq!(check.put("1", a), Found::Nothing);
            let found = check.put("1", b);
            if is_refused {
                assert!(matches!(found, Found::Refused(..)));
            } else {
                assert_eq!(found, Found::Replaces(Relation::PerhapsRecreated));
            }
            let none = check.fingerprints.by_rid("1", None);
            assert_eq!(check.delete("1", none), Found::Nothing);
            assert_eq!(check.put("1", a), Found::Nothing);
        }
    }

    #[test]
    fn beyond_the_bound_nothing_is_remembered_and_that_is_reported() {
        let mut check = Check::new(None);
        check.collisions.max = 2;
        let (a, b) = (check.of("1", "a"), check.of("1", "b"));
        for id in ["1", "2"] {
            assert_eq!(check.put(id, a), Found::Nothing);
        }
        assert_eq!(check.put("3", a), Found::NotCompared);
        assert_eq!(check.put("3", b), Found::NotCompared);
        assert!(matches!(check.put("2", b), Found::Refused(..)));
        assert_eq!(check.delete("1", a), Found::Nothing);
        assert_eq!(check.put("3", b), Found::Nothing);
    }
}

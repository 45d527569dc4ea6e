//! The log of one container.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::epk::{Epk, Key, KeyDefinition};
use super::partition::PartitionLog;
use super::scope::Scope;
use super::version::{ByItem, ItemName, Named, Version};
use super::window::Change;

/// How many changes of a container the feed of all versions goes back, at most.
const MAX_WINDOW_CHANGES: usize = 200_000;

/// How much memory the earlier versions in a container's window take, at most.
const MAX_WINDOW_BYTES: usize = 128 << 20;

/// What a container's properties say about its changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::demo) struct Policy {
    /// The time to live of items that have none of their own, in seconds; -1 is for ever. `None`: no item
    /// expires.
    pub(in crate::demo) default_ttl: Option<i64>,
    /// Whether the feed of all versions shows what an item was before.
    pub(in crate::demo) has_previous_images: bool,
    /// Whether values are unique within a partition key.
    pub(in crate::demo) has_unique_keys: bool,
}

impl Policy {
    pub(in crate::demo) fn of_properties(properties: &Value, has_previous_images: bool) -> Self {
        let unique_keys = properties["uniqueKeyPolicy"]["uniqueKeys"].as_array();
        Self {
            default_ttl: properties["defaultTtl"].as_i64(),
            has_previous_images,
            has_unique_keys: unique_keys.is_some_and(|keys| !keys.is_empty()),
        }
    }

    /// When a version expires, in seconds since 1970.
    fn expires_at(self, version: &Version) -> Option<u64> {
        #[derive(Deserialize)]
        struct Lifetime {
            ttl: Option<Value>,
        }
        let default = self.default_ttl?;
        let own: Option<Lifetime> = serde_json::from_slice(version.document()).ok();
        let own = own.and_then(|lifetime| lifetime.ttl?.as_i64());
        let seconds = u64::try_from(own.unwrap_or(default)).ok()?;
        Some(version.time().saturating_add(seconds))
    }
}

/// A write to an item. Several with the same partition key are a transaction.
#[derive(Debug)]
pub(in crate::demo) enum Write<'a> {
    /// The item now is this document, without `_lsn`.
    Put { id: &'a str, document: &'a [u8] },
    /// The item is gone.
    Remove { id: &'a str },
}

/// The log of a container.
pub(in crate::demo) struct ContainerLog {
    rid: String,
    keys: KeyDefinition,
    policy: Policy,
    /// In the order of their ranges.
    partitions: Vec<PartitionLog>,
    /// The latest version of each item, in the order of hash and id.
    items: BTreeSet<ByItem>,
    /// Whether the items are in the log only, since they are too many for the emulator.
    is_large: bool,
    /// Versions by the time when they expire. The address makes them differ.
    expiring: BTreeMap<(u64, usize), Arc<Version>>,
    /// The number of the next change.
    next: u64,
    window_changes: usize,
    window_bytes: usize,
    /// Whether changes go to the window.
    keeps_changes: bool,
}

impl ContainerLog {
    /// The log of an empty container.
    pub(in crate::demo) fn new(
        rid: String,
        keys: KeyDefinition,
        policy: Policy,
        mut partitions: Vec<PartitionLog>,
    ) -> Self {
        partitions.sort_by(|left, right| left.min.cmp(&right.min));
        Self {
            rid,
            keys,
            policy,
            partitions,
            items: BTreeSet::new(),
            is_large: false,
            expiring: BTreeMap::new(),
            next: 0,
            window_changes: 0,
            window_bytes: 0,
            keeps_changes: true,
        }
    }

    pub(in crate::demo) fn rid(&self) -> &str {
        &self.rid
    }

    pub(in crate::demo) fn keys(&self) -> &KeyDefinition {
        &self.keys
    }

    /// Whether the feed of all versions shows what an item was before.
    pub(in crate::demo) fn has_previous_images(&self) -> bool {
        self.policy.has_previous_images
    }

    pub(in crate::demo) fn partitions(&self) -> &[PartitionLog] {
        &self.partitions
    }

    pub(in crate::demo) fn partition(&self, id: u32) -> Option<&PartitionLog> {
        self.partitions.iter().find(|partition| partition.id == id)
    }

    fn index_of(&self, epk: &Epk) -> Option<usize> {
        let after = self
            .partitions
            .partition_point(|partition| partition.min <= *epk);
        let index = after.checked_sub(1)?;
        self.partitions[index].contains(epk).then_some(index)
    }

    /// The latest version of an item.
    pub(in crate::demo) fn latest(&self, epk: &Epk, id: &str) -> Option<&Arc<Version>> {
        let name: &dyn ItemName = &Named(epk, id);
        self.items.get(name).map(|item| &item.0)
    }

    /// The items in `scope` in the order of hash and id, from after the one named `after`.
    pub(in crate::demo) fn items<'a>(
        &'a self,
        scope: &'a Scope,
        after: Option<(&Epk, &str)>,
    ) -> impl Iterator<Item = &'a Arc<Version>> {
        let (min, after) = (scope.min(), after.map(|(epk, id)| Named(epk, id)));
        let first = Named(min, "");
        let first: Bound<&dyn ItemName> = match &after {
            Some(after) if after.name() > first.name() => Bound::Excluded(after),
            _ => Bound::Included(&first),
        };
        let items = self
            .items
            .range::<dyn ItemName, _>((first, Bound::Unbounded));
        items
            .map(|ByItem(version)| version)
            .take_while(|version| scope.contains(version.epk()))
    }

    /// Whether the items are in the log only.
    pub(in crate::demo) fn is_large(&self) -> bool {
        self.is_large
    }

    /// From now on the items are in the log only.
    pub(in crate::demo) fn set_large(&mut self) {
        self.is_large = true;
    }

    /// Whether its items are too many for the emulator, which then must no longer have them. Where values are
    /// unique, it has to know all items.
    pub(in crate::demo) fn outgrows(&self, max_items: usize) -> bool {
        !self.is_large && !self.policy.has_unique_keys && self.items.len() > max_items
    }

    /// Promises a transaction for a partition key: its LSN counts from now on.
    pub(in crate::demo) fn promise(&mut self, epk: &Epk) {
        if let Some(index) = self.index_of(epk) {
            self.partitions[index].promise();
        }
    }

    /// Logs no changes for the feed of all versions, only their results, until [`Self::keep_changes`].
    pub(in crate::demo) fn forget_changes(&mut self) {
        self.keeps_changes = false;
    }

    /// Begins the window of the feed of all versions here.
    pub(in crate::demo) fn keep_changes(&mut self) {
        self.keeps_changes = true;
        for partition in &mut self.partitions {
            partition.window.begin_after(partition.lsn);
        }
    }

    /// Appends a transaction at `time`, in seconds since 1970. Each of its writes is a change, also if several
    /// are to one item. Returns the LSN; `None` if there is no partition for the hash.
    pub(in crate::demo) fn append(
        &mut self,
        epk: &Epk,
        time: u64,
        writes: &[Write<'_>],
        is_expiry: bool,
    ) -> Option<u64> {
        let index = self.index_of(epk)?;
        let (lsn, time) = self.partitions[index].begin(time);
        for write in writes {
            let (id, current) = match *write {
                Write::Put { id, document } => {
                    let version = Version::new(lsn, time, epk, id, document);
                    (id, Some(Arc::new(version)))
                }
                Write::Remove { id } => (id, None),
            };
            let previous = self.latest(epk, id).cloned();
            if let Some(previous) = &previous {
                self.retire(index, previous);
            }
            if let Some(current) = &current {
                self.add(index, current);
            }
            if self.keeps_changes && (previous.is_some() || current.is_some()) {
                self.keep(
                    index,
                    Change {
                        number: self.next,
                        lsn,
                        time,
                        previous,
                        current,
                        is_expiry,
                    },
                );
            }
        }
        self.trim();
        Some(lsn)
    }

    fn add(&mut self, index: usize, version: &Arc<Version>) {
        self.items.insert(ByItem(Arc::clone(version)));
        self.partitions[index].add(Arc::clone(version));
        if let Some(at) = self.policy.expires_at(version) {
            self.expiring.insert(due(at, version), Arc::clone(version));
        }
    }

    fn retire(&mut self, index: usize, version: &Arc<Version>) {
        self.items.remove(&ByItem(Arc::clone(version)));
        self.partitions[index].take(version);
        if let Some(at) = self.policy.expires_at(version) {
            self.expiring.remove(&due(at, version));
        }
    }

    fn keep(&mut self, index: usize, change: Change) {
        self.next += 1;
        self.window_changes += 1;
        self.window_bytes += change.size();
        self.partitions[index].window.push(change);
    }

    /// Drops the oldest changes that are beyond the window.
    fn trim(&mut self) {
        while self.window_changes > MAX_WINDOW_CHANGES || self.window_bytes > MAX_WINDOW_BYTES {
            let windows = self.partitions.iter_mut().map(|log| &mut log.window);
            let oldest = windows
                .filter_map(|window| Some((window.oldest()?, window)))
                .min_by_key(|(number, _)| *number);
            let Some((_, window)) = oldest else {
                return;
            };
            let (count, size) = window.drop_oldest();
            self.window_changes -= count;
            self.window_bytes -= size;
        }
    }

    /// Changes what the container's properties say.
    pub(in crate::demo) fn set_policy(&mut self, policy: Policy) {
        if policy == self.policy {
            return;
        }
        self.policy = policy;
        self.expiring = self
            .items
            .iter()
            .filter_map(|ByItem(version)| {
                let at = policy.expires_at(version)?;
                Some((due(at, version), Arc::clone(version)))
            })
            .collect();
    }

    /// When the next item expires, in seconds since 1970.
    pub(in crate::demo) fn next_expiry(&self) -> Option<u64> {
        Some(self.expiring.first_key_value()?.0.0)
    }

    /// The items that have expired at `now`: their partition keys and ids.
    pub(in crate::demo) fn expired(&self, now: u64) -> Vec<(Key, String)> {
        let due = self.expiring.range(..=(now, usize::MAX));
        due.filter_map(|(_, version)| {
            let document = serde_json::from_slice(version.document()).ok()?;
            Some((self.keys.key_of(&document), version.id().to_owned()))
        })
        .collect()
    }

    /// Marks partitions as being split or merged, or as not being so any more.
    pub(in crate::demo) fn lock(&mut self, ids: &[u32], is_locked: bool) {
        for partition in &mut self.partitions {
            if ids.contains(&partition.id) {
                partition.is_locked = is_locked;
            }
        }
    }

    /// Replaces a partition by its children, which take over its log.
    pub(in crate::demo) fn split(&mut self, id: u32, middle: &Epk, children: [u32; 2]) {
        let Some(index) = self.partitions.iter().position(|log| log.id == id) else {
            return;
        };
        let parent = self.partitions.remove(index);
        let [lower, upper] = children;
        let (lower, upper) = parent.split(middle, lower, upper);
        self.partitions.splice(index..index, [lower, upper]);
    }

    /// Replaces two adjacent partitions by one, which takes over their logs.
    pub(in crate::demo) fn merge(&mut self, ids: [u32; 2], child: u32) {
        let Some(index) = self
            .partitions
            .iter()
            .position(|log| ids.contains(&log.id))
            .filter(|&index| index + 1 < self.partitions.len())
        else {
            return;
        };
        let upper = self.partitions.remove(index + 1);
        let lower = self.partitions.remove(index);
        self.partitions.insert(index, lower.merge(upper, child));
    }
}

fn due(at: u64, version: &Arc<Version>) -> (u64, usize) {
    (at, Arc::as_ptr(version).addr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::log::{Limit, OutsideWindow};

    fn log() -> (ContainerLog, Epk) {
        let properties = serde_json::json!({
            "partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2}
        });
        let keys = KeyDefinition::of_properties(&properties).unwrap();
        let (min, max) = (Epk::from_hex("").unwrap(), Epk::from_hex("FF").unwrap());
        let partition = PartitionLog::new(0, min, max);
        let log = ContainerLog::new("rid".to_owned(), keys, Policy::default(), vec![partition]);
        (log, Epk::from_hex("20").unwrap())
    }

    fn put(log: &mut ContainerLog, epk: &Epk, id: &str) -> u64 {
        let document = br#"{"id":"a","_ts":1}"#;
        log.append(epk, 1, &[Write::Put { id, document }], false)
            .unwrap()
    }

    #[test]
    fn the_window_goes_back_by_a_number_of_changes_and_the_latest_versions_from_the_beginning() {
        let (mut log, epk) = log();
        let limit = Limit {
            items: 10,
            bytes: 1 << 20,
        };
        let scope = Scope::everything();
        for _ in 0..MAX_WINDOW_CHANGES {
            put(&mut log, &epk, "a");
        }
        let partition = &log.partitions()[0];
        assert_eq!(partition.changes(0, &scope, limit).unwrap()[0].lsn, 1);
        let last = (0..10).map(|_| put(&mut log, &epk, "b")).last().unwrap();
        let partition = &log.partitions()[0];
        // Ten changes were dropped, so the tenth is the earliest position.
        assert_eq!(
            partition.changes(9, &scope, limit).unwrap_err(),
            OutsideWindow
        );
        assert_eq!(partition.changes(10, &scope, limit).unwrap()[0].lsn, 11);
        assert!(partition.changes(last, &scope, limit).unwrap().is_empty());
        let latest = partition.latest(0, None, &scope, limit);
        let latest: Vec<&str> = latest.iter().map(|version| version.id()).collect();
        assert_eq!(latest, ["a", "b"]);
        assert_eq!(log.window_changes, MAX_WINDOW_CHANGES);
    }

    #[test]
    fn each_write_of_a_transaction_is_a_change_and_a_deletion_of_nothing_is_none() {
        let (mut log, epk) = log();
        let document = br#"{"id":"a","_ts":1}"#;
        let create = Write::Put { id: "a", document };
        let [remove, nothing] = ["a", "b"].map(|id| Write::Remove { id });
        log.append(&epk, 1, &[create, remove, nothing], false);
        let limit = Limit {
            items: 10,
            bytes: 1 << 20,
        };
        let partition = &log.partitions()[0];
        let changes = partition.changes(0, &Scope::everything(), limit).unwrap();
        let seen: Vec<_> = changes
            .iter()
            .map(|change| (change.previous.is_some(), change.current.is_some()))
            .collect();
        assert_eq!(seen, [(false, true), (true, false)]);
        assert_eq!(partition.count(), 0);
        assert_eq!(log.items(&Scope::everything(), None).count(), 0);
    }
}

//! The handle with which a test writes to a container, changes its topology, and asks what a complete reader
//! must have seen.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::Shared;
use super::account::StoredContainer;
use super::change_log::{
    Change, Deletion, LockState, PartitionInfo, RawDocument, Served, SystemFields, Write, epk,
};

/// How long a partition answers 410/1007, as it does while it splits or merges.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lock {
    /// For the next so many change feed requests.
    Requests(usize),
    /// Until [`Container::unlock`], or until the partition is gone.
    UntilReleased,
}

/// One container, by RID: after its deletion the handle is dead, and every call panics.
#[derive(Clone)]
pub(crate) struct Container {
    shared: Arc<Shared>,
    rid: String,
}

impl Container {
    pub(super) fn new(shared: Arc<Shared>, rid: String) -> Self {
        Self { shared, rid }
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut StoredContainer, u64) -> T) -> T {
        let mut state = self.shared.lock();
        let now = state.now;
        let container = state
            .account
            .container_by_rid(&self.rid)
            .expect("the container exists");
        let result = use_it(container, now);
        drop(state);
        self.shared.progress.notify_all();
        result
    }

    /// The container's RID.
    pub(crate) fn rid(&self) -> &str {
        &self.rid
    }

    /// Makes it a container that was made without a partition key: its only path is `/_partitionKey`.
    pub(crate) fn give_system_key(&self) {
        self.with(|container, _| container.has_system_key = true);
    }

    /// Defines it by these members, beside or instead of the gateway's own.
    pub(crate) fn define(&self, members: Value) {
        let Value::Object(members) = members else {
            panic!("{members} is not an object");
        };
        self.with(|container, _| container.defined.extend(members));
    }

    /// Its definition, as the gateway sends it.
    pub(crate) fn definition(&self) -> Value {
        self.with(|container, _| container.to_json())
    }

    /// Refuses every write of the document `id` with this status from now on.
    pub(crate) fn refuse(&self, id: &str, status: u16) {
        self.with(|container, _| container.refused.insert(id.to_owned(), status));
    }

    /// Accepts writes of all documents again.
    pub(crate) fn refuse_nothing(&self) {
        self.with(|container, _| container.refused.clear());
    }

    /// Creates or replaces a document, which has an `id` and the partition key. Returns its LSN.
    pub(crate) fn upsert(&self, document: Value) -> u64 {
        self.transaction(vec![document])
    }

    /// Replaces a document that exists. Returns its LSN.
    pub(crate) fn replace(&self, document: Value) -> u64 {
        let id = id_of(&document);
        self.with(|container, now| {
            let partition_key = container.log.partition_key_of(&document);
            let key = container.log.epk_of(&partition_key);
            let exists = container.log.partitions().iter().any(|partition| {
                partition
                    .changes
                    .iter()
                    .any(|change| change.is_latest() && change.epk == key && change.id == id)
            });
            assert!(exists, "item {id} exists");
            container
                .log
                .apply(vec![write_of(container, &document)], now)
        })
    }

    /// Upserts several documents of one partition key with one LSN. Returns the LSN.
    pub(crate) fn transaction(&self, documents: Vec<Value>) -> u64 {
        self.with(|container, now| {
            let writes = documents
                .iter()
                .map(|document| write_of(container, document))
                .collect();
            container.log.apply(writes, now)
        })
    }

    /// Upserts documents given as text, all of one partition key, with one LSN. Returns the LSN.
    pub(crate) fn raw(&self, documents: Vec<RawDocument>) -> u64 {
        self.with(|container, now| {
            let writes = documents
                .into_iter()
                .map(|document| Write {
                    document,
                    delete: None,
                })
                .collect();
            container.log.apply(writes, now)
        })
    }

    /// Upserts one document, given byte for byte. Returns its LSN.
    pub(crate) fn raw_as_given(
        &self,
        id: &str,
        partition_key: impl Into<Value>,
        text: impl Into<Bytes>,
    ) -> u64 {
        self.raw(vec![RawDocument {
            id: id.to_owned(),
            partition_key: vec![partition_key.into()],
            text: text.into(),
            system_fields: SystemFields::AsGiven,
        }])
    }

    /// Deletes an item. `partition_key` is one value, or an array of a hierarchical key's.
    /// Returns the LSN.
    pub(crate) fn delete(&self, id: &str, partition_key: impl Into<Value>) -> u64 {
        self.remove(id, partition_key.into(), Deletion::Requested)
    }

    /// Lets an item's time to live expire. Returns the LSN of the delete.
    pub(crate) fn expire(&self, id: &str, partition_key: impl Into<Value>) -> u64 {
        self.remove(id, partition_key.into(), Deletion::TimeToLiveExpired)
    }

    fn remove(&self, id: &str, partition_key: Value, deletion: Deletion) -> u64 {
        let partition_key = match partition_key {
            Value::Array(components) => components,
            component => vec![component],
        };
        let document = RawDocument {
            id: id.to_owned(),
            partition_key,
            text: Bytes::new(),
            system_fields: SystemFields::AsGiven,
        };
        self.with(|container, now| {
            let write = Write {
                document,
                delete: Some(deletion),
            };
            container.log.apply(vec![write], now)
        })
    }

    /// Splits a partition into `count` even parts. Returns the children's ids, in EPK order.
    pub(crate) fn split(&self, partition: &str, count: usize) -> Vec<String> {
        self.with(|container, _| {
            let cuts = container.log.even_cuts(partition, count);
            container.log.split(partition, &cuts)
        })
    }

    /// Splits a partition at the given EPKs (hex). Returns the children's ids, in EPK order.
    pub(crate) fn split_at(&self, partition: &str, epks: &[&str]) -> Vec<String> {
        let cuts: Vec<_> = epks.iter().map(|hex| epk(hex)).collect();
        self.with(|container, _| container.log.split(partition, &cuts))
    }

    /// Merges a partition with its right neighbour. Returns the merged partition's id.
    pub(crate) fn merge(&self, left: &str, right: &str) -> String {
        self.with(|container, _| container.log.merge(left, right))
    }

    /// Makes a partition answer 410/1007.
    pub(crate) fn lock(&self, partition: &str, lock: Lock) {
        self.set_lock(
            partition,
            match lock {
                Lock::Requests(count) => LockState::Requests(count),
                Lock::UntilReleased => LockState::Held,
            },
        );
    }

    /// Ends [`Lock::UntilReleased`].
    pub(crate) fn unlock(&self, partition: &str) {
        self.set_lock(partition, LockState::Open);
    }

    fn set_lock(&self, partition: &str, lock: LockState) {
        self.with(|container, _| {
            container
                .log
                .partition_mut(partition)
                .unwrap_or_else(|| panic!("partition {partition} is live"))
                .lock = lock;
        });
    }

    /// Makes AllVersionsAndDeletes forget what a partition saw up to `lsn`: older tokens get 400.
    pub(crate) fn forget_versions_through(&self, partition: &str, lsn: u64) {
        self.with(|container, _| {
            container
                .log
                .partition_mut(partition)
                .unwrap_or_else(|| panic!("partition {partition} is live"))
                .forgotten_through = lsn;
        });
    }

    /// A region that had seen all but a partition's last transactions takes over: these are lost permanently, and
    /// new writes reuse their LSNs. The history that the partition began with stays. Returns its LSN.
    pub(crate) fn lose(&self, partition: &str, transactions: u64) -> u64 {
        self.with(|container, _| {
            container
                .log
                .partition_mut(partition)
                .unwrap_or_else(|| panic!("partition {partition} is live"))
                .lose(transactions)
        })
    }

    /// What live partitions have lost.
    pub(crate) fn lost(&self) -> Vec<Served> {
        self.with(|container, _| {
            let partitions = container.log.partitions().iter();
            partitions
                .flat_map(|partition| partition.lost.iter().map(|change| partition.served(change)))
                .collect()
        })
    }

    /// Writes a document again, with the next number in its field `rewritten`. Returns its LSN, or `None` if there
    /// is no such document.
    pub(crate) fn rewrite(&self, id: &str) -> Option<u64> {
        self.with(|container, now| {
            let text = container
                .log
                .partitions()
                .iter()
                .flat_map(|partition| &partition.changes)
                .find(|change| change.is_latest() && change.id == id)
                .map(|change| change.text.clone())?;
            let mut document: Value = serde_json::from_slice(&text).expect("the document is JSON");
            let fields = document.as_object_mut().expect("the document is an object");
            fields.retain(|name, _| !name.starts_with('_'));
            let before = fields.get("rewritten").and_then(Value::as_u64);
            fields.insert("rewritten".to_owned(), (before.unwrap_or(0) + 1).into());
            let write = write_of(container, &document);
            Some(container.log.apply(vec![write], now))
        })
    }

    /// The live partitions, in EPK order.
    pub(crate) fn partitions(&self) -> Vec<PartitionInfo> {
        self.with(|container, _| {
            container
                .log
                .partitions()
                .iter()
                .map(|partition| partition.info())
                .collect()
        })
    }

    /// What a complete LatestVersion reader sees that starts now at the beginning, partition by partition in
    /// feed order.
    pub(crate) fn latest(&self) -> Vec<Served> {
        self.collect(Change::is_latest)
    }

    /// Every version and delete ever, partition by partition in feed order.
    pub(crate) fn changes(&self) -> Vec<Served> {
        self.collect(|_| true)
    }

    fn collect(&self, wanted: impl Fn(&Change) -> bool) -> Vec<Served> {
        self.with(|container, _| {
            let mut served = Vec::new();
            for partition in container.log.partitions() {
                let changes = partition.changes.iter().filter(|change| wanted(change));
                served.extend(changes.map(|change| partition.served(change)));
            }
            served
        })
    }
}

fn id_of(document: &Value) -> String {
    document["id"]
        .as_str()
        .expect("the document has an id")
        .to_owned()
}

fn write_of(container: &StoredContainer, document: &Value) -> Write {
    Write {
        document: RawDocument {
            id: id_of(document),
            partition_key: container.log.partition_key_of(document),
            text: Bytes::from(serde_json::to_vec(document).expect("a JSON value serializes")),
            system_fields: SystemFields::Spliced,
        },
        delete: None,
    }
}

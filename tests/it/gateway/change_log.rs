//! The change log of one container: its partitions, every version of every item, splits and
//! merges, and which tokens were issued for which range.

use std::collections::HashMap;

use azure_data_cosmos_driver::models::effective_partition_key::EffectivePartitionKey as Epk;
use azure_data_cosmos_driver::models::{
    FeedRange, PartitionKey, PartitionKeyDefinition, PartitionKeyValue,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use super::replicas::Lag;

/// What happened to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Replace,
    Delete,
}

impl Operation {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Delete => "delete",
        }
    }
}

/// Whether the gateway completes a document given as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SystemFields {
    /// Write `_rid`, `_self`, `_etag`, `_attachments`, `_ts` and `_lsn` before the closing brace.
    Spliced,
    /// Serve the text as it is, byte for byte.
    AsGiven,
}

/// A document whose every byte the test decides. It need not be JSON that any parser accepts.
#[derive(Clone, Debug)]
pub(crate) struct RawDocument {
    pub(crate) id: String,
    /// The partition key's components, as JSON values.
    pub(crate) partition_key: Vec<Value>,
    pub(crate) text: Bytes,
    pub(crate) system_fields: SystemFields,
}

/// A change as a reader must have seen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// The live partition that has it now.
    pub(crate) partition: String,
    pub(crate) lsn: u64,
    /// Effective partition key, hex.
    pub(crate) epk: String,
    pub(crate) id: String,
    pub(crate) operation: Operation,
    /// `_ts` and `crts`, in seconds since the epoch.
    pub(crate) time: u64,
    /// The document's exact text; empty for a delete.
    pub(crate) text: Bytes,
}

/// A live partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartitionInfo {
    pub(crate) id: String,
    pub(crate) min_inclusive: String,
    pub(crate) max_exclusive: String,
    /// Every ancestor, the oldest first.
    pub(crate) parents: Vec<String>,
    pub(crate) lsn: u64,
}

#[derive(Clone)]
pub(super) struct Change {
    pub(super) lsn: u64,
    pub(super) epk: Epk,
    pub(super) id: String,
    pub(super) partition_key: Vec<Value>,
    pub(super) operation: Operation,
    pub(super) expired: bool,
    pub(super) time: u64,
    pub(super) text: Bytes,
    /// LSN and text of the version before.
    pub(super) previous: Option<(u64, Bytes)>,
    /// The LSN of the next change of the same item: from there on LatestVersion no longer shows
    /// this one.
    pub(super) superseded_by: Option<u64>,
}

impl Change {
    /// Whether it is the item's last change, as a replica sees it that has the log up to `lsn`.
    pub(super) fn is_last_at(&self, lsn: u64) -> bool {
        self.lsn <= lsn && self.superseded_by.is_none_or(|by| by > lsn)
    }

    pub(super) fn is_deletion(&self) -> bool {
        self.operation == Operation::Delete
    }

    /// Whether it is what its item is now.
    pub(super) fn is_latest(&self) -> bool {
        self.superseded_by.is_none() && self.operation != Operation::Delete
    }
}

pub(super) enum LockState {
    Open,
    Requests(usize),
    Held,
}

pub(super) struct Partition {
    pub(super) id: u32,
    pub(super) min: Epk,
    pub(super) max: Epk,
    pub(super) parents: Vec<String>,
    pub(super) lsn: u64,
    /// The LSN that it began with: what its parents had, so each of its replicas has it.
    began: u64,
    /// The topology version in session tokens.
    pub(super) version: u64,
    pub(super) changes: Vec<Change>,
    /// Transactions that a failover has lost.
    pub(super) lost: Vec<Change>,
    /// The last change of each item.
    last: HashMap<(Epk, String), usize>,
    pub(super) lock: LockState,
    pub(super) pages_served: usize,
    /// AllVersionsAndDeletes has forgotten what happened up to this LSN.
    pub(super) forgotten_through: u64,
}

/// The two change feed modes. A token of one is invalid in the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mode {
    LatestVersion,
    AllVersionsAndDeletes,
}

pub(super) struct ChangeLog {
    rid: [u8; 8],
    self_link: String,
    definition: PartitionKeyDefinition,
    partitions: Vec<Partition>,
    next_partition: u32,
    topology_version: u64,
    next_document: u64,
    document_rids: HashMap<(Epk, String), String>,
    lsn_stride: u64,
    /// The ranges, sorted, for which each LSN was handed out as a token.
    issued: HashMap<(Mode, u64), Vec<(Epk, Epk)>>,
    /// Whether tokens are accepted that other readers may have got.
    takes_all_tokens: bool,
}

/// A write: the item and its new text, or `None` to delete it.
pub(super) struct Write {
    pub(super) document: RawDocument,
    pub(super) delete: Option<Deletion>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Deletion {
    Requested,
    TimeToLiveExpired,
}

/// Hashes occupy the EPK space up to here: the scheme clears the two upper bits.
const HASH_END: u128 = 0x40 << 120;

pub(super) fn epk(hex: &str) -> Epk {
    Epk::try_from(hex).expect("the EPK is hexadecimal")
}

fn epk_number(epk: &Epk) -> u128 {
    let hex = format!("{:0<32.32}", epk.to_hex());
    u128::from_str_radix(&hex, 16)
        .expect("an EPK is hexadecimal")
        .min(HASH_END)
}

/// `count - 1` boundaries that cut the hashes of a range into `count` even parts.
fn even_cuts(min: &Epk, max: &Epk, count: usize) -> Vec<Epk> {
    let (low, high) = (epk_number(min), epk_number(max));
    (1..count)
        .map(|part| {
            let cut = low + (high - low) / count as u128 * part as u128;
            epk(&format!("{cut:032X}"))
        })
        .collect()
}

impl ChangeLog {
    pub(super) fn new(
        rid: [u8; 8],
        self_link: String,
        definition: PartitionKeyDefinition,
        partitions: usize,
        lsn_stride: u64,
    ) -> Self {
        assert!(partitions > 0, "a container has at least one partition");
        let mut log = Self {
            rid,
            self_link,
            definition,
            partitions: Vec::new(),
            next_partition: 0,
            topology_version: 1,
            next_document: 1,
            document_rids: HashMap::new(),
            lsn_stride,
            issued: HashMap::new(),
            takes_all_tokens: false,
        };
        let cuts = even_cuts(&Epk::MIN, &Epk::MAX, partitions);
        for (index, (min, max)) in ranges_between(&Epk::MIN, &cuts, &Epk::MAX)
            .into_iter()
            .enumerate()
        {
            let lsn = index as u64 * lsn_stride;
            let partition = log.new_partition(min, max, Vec::new(), lsn, 1);
            log.partitions.push(partition);
        }
        log
    }

    fn new_partition(
        &mut self,
        min: Epk,
        max: Epk,
        parents: Vec<String>,
        lsn: u64,
        version: u64,
    ) -> Partition {
        let id = self.next_partition;
        self.next_partition += 1;
        Partition {
            id,
            min,
            max,
            parents,
            lsn,
            began: lsn,
            version,
            changes: Vec::new(),
            lost: Vec::new(),
            last: HashMap::new(),
            lock: LockState::Open,
            pages_served: 0,
            forgotten_through: 0,
        }
    }

    pub(super) fn self_link(&self) -> &str {
        &self.self_link
    }

    /// Live partitions, in EPK order.
    pub(super) fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    pub(super) fn topology_version(&self) -> u64 {
        self.topology_version
    }

    /// The live partition with this id.
    pub(super) fn partition(&self, id: &str) -> Option<&Partition> {
        self.partitions.get(self.place_of(id)?)
    }

    pub(super) fn partition_mut(&mut self, id: &str) -> Option<&mut Partition> {
        let place = self.place_of(id)?;
        self.partitions.get_mut(place)
    }

    /// Where a partition is in the order of bounds. Compared as a number: there can be ten thousand of them.
    fn place_of(&self, id: &str) -> Option<usize> {
        let id: u32 = id.parse().ok()?;
        let is_it = |place: &usize| self.partitions.get(*place).is_some_and(|it| it.id == id);
        // Until the first split or merge, ids are in the order of bounds.
        let place = Some(id as usize).filter(is_it);
        place.or_else(|| self.partitions.iter().position(|it| it.id == id))
    }

    /// Whether a partition of this id has ever existed.
    pub(super) fn knew_partition(&self, id: &str) -> bool {
        id.parse::<u32>().is_ok_and(|id| id < self.next_partition)
    }

    /// The path of the partition key; of a hierarchical one the first.
    pub(super) fn key_path(&self) -> String {
        self.definition.paths()[0].to_string()
    }

    pub(super) fn epk_of(&self, partition_key: &[Value]) -> Epk {
        let components: Vec<PartitionKeyValue> =
            partition_key.iter().map(partition_key_value).collect();
        let key = PartitionKey::try_from(components).expect("a partition key of 1 to 3 components");
        FeedRange::for_partition(key, &self.definition)
            .min_inclusive()
            .clone()
    }

    /// The partition key's components in a document. One that is missing, or is an object or an array, is
    /// written as `{}`, as the service does.
    pub(super) fn partition_key_of(&self, document: &Value) -> Vec<Value> {
        self.definition
            .paths()
            .iter()
            .map(|path| {
                document
                    .pointer(path)
                    .filter(|value| !value.is_object() && !value.is_array())
                    .cloned()
                    .unwrap_or_else(|| Value::Object(serde_json::Map::new()))
            })
            .collect()
    }

    /// The item as it is, if there is one.
    pub(super) fn current(&self, epk: &Epk, id: &str) -> Option<&Change> {
        let partition = self.partitions.iter().find(|p| p.contains(epk))?;
        let index = partition.last.get(&(epk.clone(), id.to_owned()))?;
        Some(&partition.changes[*index]).filter(|change| change.operation != Operation::Delete)
    }

    /// Applies writes as one transaction: one LSN, one partition key. Returns the LSN.
    pub(super) fn apply(&mut self, writes: Vec<Write>, time: u64) -> u64 {
        assert!(!writes.is_empty(), "a transaction writes something");
        let epk = self.epk_of(&writes[0].document.partition_key);
        assert!(
            writes
                .iter()
                .all(|write| self.epk_of(&write.document.partition_key) == epk),
            "a transaction stays within one partition key"
        );
        let index = self
            .partitions
            .iter()
            .position(|partition| partition.contains(&epk))
            .expect("the partitions cover the EPK space");
        let lsn = self.partitions[index].lsn + 1;
        let mut changes = Vec::with_capacity(writes.len());
        for Write { document, delete } in writes {
            let text = match (delete, document.system_fields) {
                (Some(_), _) => Bytes::new(),
                (None, SystemFields::AsGiven) => document.text.clone(),
                (None, SystemFields::Spliced) => {
                    let rid = self.document_rid(&epk, &document.id);
                    splice_system_fields(&document.text, &rid, &self.self_link, time, lsn)
                }
            };
            changes.push((document, delete, text));
        }
        let partition = &mut self.partitions[index];
        partition.lsn = lsn;
        for (document, delete, text) in changes {
            partition.append(lsn, &epk, document, delete, text, time);
        }
        lsn
    }

    fn document_rid(&mut self, epk: &Epk, id: &str) -> String {
        let key = (epk.clone(), id.to_owned());
        if let Some(rid) = self.document_rids.get(&key) {
            return rid.clone();
        }
        let mut bytes = [0u8; 16];
        bytes[..8].copy_from_slice(&self.rid);
        bytes[8..].copy_from_slice(&self.next_document.to_le_bytes());
        self.next_document += 1;
        let rid = STANDARD.encode(bytes).replace('/', "-");
        self.document_rids.insert(key, rid.clone());
        rid
    }

    /// Splits a partition at the given EPKs. Returns the ids of its children.
    pub(super) fn split(&mut self, id: &str, cuts: &[Epk]) -> Vec<String> {
        let index = self.position(id);
        let parent = self.partitions.remove(index);
        assert!(!cuts.is_empty(), "a split needs a boundary");
        let ranges = ranges_between(&parent.min, cuts, &parent.max);
        for (min, max) in &ranges {
            assert!(min < max, "the boundaries rise within the parent's bounds");
        }
        let mut ancestors = parent.parents.clone();
        ancestors.push(parent.id.to_string());
        let stride = self.lsn_stride;
        let mut children = Vec::with_capacity(ranges.len());
        for (number, (min, max)) in ranges.into_iter().enumerate() {
            let lsn = parent.lsn + number as u64 * stride;
            let mut child =
                self.new_partition(min, max, ancestors.clone(), lsn, parent.version + 1);
            child.forgotten_through = parent.forgotten_through;
            child.changes = parent
                .changes
                .iter()
                .filter(|change| child.contains(&change.epk))
                .cloned()
                .collect();
            child.index_changes();
            children.push(child);
        }
        let ids = children.iter().map(|child| child.id.to_string()).collect();
        self.partitions.splice(index..index, children);
        self.topology_version += 1;
        ids
    }

    /// Boundaries that cut a partition into `count` even parts.
    pub(super) fn even_cuts(&self, id: &str, count: usize) -> Vec<Epk> {
        let partition = &self.partitions[self.position(id)];
        even_cuts(&partition.min, &partition.max, count)
    }

    /// Merges two neighbours. Returns the id of the merged partition.
    pub(super) fn merge(&mut self, left: &str, right: &str) -> String {
        let index = self.position(left);
        assert_eq!(
            self.position(right),
            index + 1,
            "partition {right} is the right neighbour of {left}"
        );
        let right = self.partitions.remove(index + 1);
        let left = self.partitions.remove(index);
        let mut ancestors = left.parents.clone();
        ancestors.extend(
            right
                .parents
                .iter()
                .filter(|parent| !left.parents.contains(parent))
                .cloned(),
        );
        ancestors.extend([left.id.to_string(), right.id.to_string()]);
        let mut merged = self.new_partition(
            left.min,
            right.max,
            ancestors,
            left.lsn.max(right.lsn),
            left.version.max(right.version) + 1,
        );
        merged.forgotten_through = left.forgotten_through.max(right.forgotten_through);
        merged.changes = left.changes;
        merged.changes.extend(right.changes);
        // Stable: items of one transaction stay together and in order.
        merged.changes.sort_by_key(|change| change.lsn);
        merged.index_changes();
        let id = merged.id.to_string();
        self.partitions.insert(index, merged);
        self.topology_version += 1;
        id
    }

    fn position(&self, id: &str) -> usize {
        let place = self.place_of(id);
        place.unwrap_or_else(|| panic!("partition {id} is live"))
    }

    /// Remembers that `lsn` went out as a token for `[min, max)`.
    pub(super) fn issue(&mut self, mode: Mode, lsn: u64, min: Epk, max: Epk) {
        let ranges = self.issued.entry((mode, lsn)).or_default();
        let range = (min, max);
        if let Err(at) = ranges.binary_search(&range) {
            ranges.insert(at, range);
        }
    }

    /// Accepts tokens that this gateway has not issued.
    pub(super) fn take_all_tokens(&mut self) {
        self.takes_all_tokens = true;
    }

    /// Whether `lsn` went out as a token for a range that contains `[min, max)`.
    pub(super) fn was_issued(&self, mode: Mode, lsn: u64, min: &Epk, max: &Epk) -> bool {
        if self.takes_all_tokens {
            return true;
        }
        self.issued.get(&(mode, lsn)).is_some_and(|ranges| {
            let same = ranges.binary_search(&(min.clone(), max.clone()));
            same.is_ok() || ranges.iter().any(|range| contains_range(range, min, max))
        })
    }
}

/// A range of one EPK, `[x, x]`, is contained where `x` is.
fn contains_range(range: &(Epk, Epk), min: &Epk, max: &Epk) -> bool {
    if range.0 == range.1 {
        return *min == range.0 && *max == range.1;
    }
    range.0 <= *min && (*max <= range.1) && *min < range.1
}

fn ranges_between(min: &Epk, cuts: &[Epk], max: &Epk) -> Vec<(Epk, Epk)> {
    let mut bounds = vec![min.clone()];
    bounds.extend_from_slice(cuts);
    bounds.push(max.clone());
    bounds
        .windows(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}

impl Partition {
    pub(super) fn contains(&self, epk: &Epk) -> bool {
        self.min <= *epk && *epk < self.max
    }

    pub(super) fn info(&self) -> PartitionInfo {
        PartitionInfo {
            id: self.id.to_string(),
            min_inclusive: self.min.to_hex(),
            max_exclusive: self.max.to_hex(),
            parents: self.parents.clone(),
            lsn: self.lsn,
        }
    }

    pub(super) fn served(&self, change: &Change) -> Served {
        Served {
            partition: self.id.to_string(),
            lsn: change.lsn,
            epk: change.epk.to_hex(),
            id: change.id.clone(),
            operation: change.operation,
            time: change.time,
            text: change.text.clone(),
        }
    }

    fn append(
        &mut self,
        lsn: u64,
        epk: &Epk,
        document: RawDocument,
        delete: Option<Deletion>,
        text: Bytes,
        time: u64,
    ) {
        let key = (epk.clone(), document.id.clone());
        let before = self
            .last
            .get(&key)
            .map(|&index| &mut self.changes[index])
            .filter(|change| change.operation != Operation::Delete);
        let previous = before.map(|change| {
            change.superseded_by = Some(lsn);
            (change.lsn, change.text.clone())
        });
        let operation = match (&delete, &previous) {
            (Some(_), Some(_)) => Operation::Delete,
            (Some(_), None) => panic!("item {} exists", document.id),
            (None, Some(_)) => Operation::Replace,
            (None, None) => Operation::Create,
        };
        self.last.insert(key, self.changes.len());
        self.changes.push(Change {
            lsn,
            epk: epk.clone(),
            id: document.id,
            partition_key: document.partition_key,
            operation,
            expired: delete == Some(Deletion::TimeToLiveExpired),
            time,
            text,
            previous,
            superseded_by: None,
        });
    }

    /// Up to which LSN a replica has the log that lags behind by so much.
    pub(super) fn replica_lsn(&self, lag: Lag, now: u64) -> u64 {
        let seen = match lag {
            Lag::Transactions(count) => self.lsn.saturating_sub(count),
            Lag::Seconds(seconds) => {
                let since = now.saturating_sub(seconds);
                let unseen = self.changes.iter().find(|change| change.time > since);
                unseen.map_or(self.lsn, |change| change.lsn - 1)
            }
            Lag::At(lsn) => return lsn.min(self.lsn),
        };
        seen.clamp(self.began, self.lsn)
    }

    /// Forgets its last transactions for good, and counts on from before them. Returns its LSN.
    pub(super) fn lose(&mut self, transactions: u64) -> u64 {
        self.lsn = self.replica_lsn(Lag::Transactions(transactions), 0);
        let kept = self
            .changes
            .partition_point(|change| change.lsn <= self.lsn);
        self.lost.extend(self.changes.drain(kept..));
        for change in &mut self.changes {
            change.superseded_by = change.superseded_by.filter(|&by| by <= self.lsn);
        }
        self.index_changes();
        self.lsn
    }

    /// Rebuilds `last` after the changes were replaced.
    fn index_changes(&mut self) {
        self.last = self
            .changes
            .iter()
            .enumerate()
            .map(|(index, change)| ((change.epk.clone(), change.id.clone()), index))
            .collect();
    }
}

fn partition_key_value(value: &Value) -> PartitionKeyValue {
    match value {
        Value::Null => PartitionKeyValue::from(None::<bool>),
        Value::Bool(value) => PartitionKeyValue::from(*value),
        Value::Number(value) => {
            PartitionKeyValue::try_from(value.as_f64().expect("a number fits a double"))
                .expect("a JSON number is finite")
        }
        Value::String(value) => PartitionKeyValue::from(value.clone()),
        Value::Object(fields) if fields.is_empty() => PartitionKeyValue::UNDEFINED,
        _ => panic!("a partition key component is a scalar"),
    }
}

/// Writes the system fields before the closing brace, without touching the other bytes.
fn splice_system_fields(text: &[u8], rid: &str, self_link: &str, time: u64, lsn: u64) -> Bytes {
    let brace = text
        .iter()
        .rposition(|&byte| byte == b'}')
        .expect("the document is an object");
    let is_empty = text[..brace]
        .iter()
        .rfind(|byte| !byte.is_ascii_whitespace())
        .is_some_and(|&byte| byte == b'{');
    let mut out = text[..brace].to_vec();
    if !is_empty {
        out.push(b',');
    }
    out.extend_from_slice(
        format!(
            "\"_rid\":\"{rid}\",\"_self\":\"{self_link}docs/{rid}/\",\
             \"_etag\":\"\\\"{lsn:08x}-0000-0000-0000-{time:012x}\\\"\",\
             \"_attachments\":\"attachments/\",\"_ts\":{time},\"_lsn\":{lsn}"
        )
        .as_bytes(),
    );
    out.extend_from_slice(&text[brace..]);
    Bytes::from(out)
}

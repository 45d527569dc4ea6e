//! The service's metadata of a change.

use super::members::members;
use super::whole::whole;

/// The name of [`OperationType::Snapshot`].
pub(super) const SNAPSHOT: &[u8] = b"snapshot";

/// What happened to the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationType {
    /// It was created.
    Create,
    /// It was replaced.
    Replace,
    /// It was deleted, by a request or by its time to live.
    Delete,
    /// It is as a snapshot found it. Not the service, but an export with a snapshot says so.
    Snapshot,
    /// An operation that this version does not know.
    Other,
}

/// The `metadata` of a change. With the latest versions the service sends only a part of it, or none. A member
/// that is missing or not of the expected type is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata<'a> {
    /// The change's log sequence number. All changes of one transaction share it.
    pub lsn: Option<u64>,
    /// The conflict resolution timestamp, in seconds since the Unix epoch.
    pub crts: Option<i64>,
    /// The JSON text of the operation, a string, with the service's name for it.
    pub operation: Option<&'a [u8]>,
    /// What happened.
    pub operation_type: Option<OperationType>,
    /// Whether a delete was caused by the item's time to live.
    pub time_to_live_expired: bool,
    /// The LSN of the item's previous version.
    pub previous_image_lsn: Option<u64>,
    /// The JSON text of a deleted item's `id` (a string, with its quotes).
    pub id: Option<&'a [u8]>,
    /// The JSON text of a deleted item's partition key, in the service's form.
    pub partition_key: Option<&'a [u8]>,
}

impl<'a> Metadata<'a> {
    /// Reads the JSON text of a `metadata` member. The last of duplicates counts.
    pub(super) fn from_json(json: &'a [u8]) -> Self {
        let mut metadata = Self::default();
        for member in members(json) {
            let value = member.value;
            if member.is_named("lsn") {
                metadata.lsn = whole(value);
            } else if member.is_named("crts") {
                metadata.crts = whole(value);
            } else if member.is_named("operationType") {
                metadata.operation = Some(value).filter(|value| value.first() == Some(&b'"'));
                metadata.operation_type = operation_type(value);
            } else if member.is_named("timeToLiveExpired") {
                metadata.time_to_live_expired = value == b"true";
            } else if member.is_named("previousImageLSN") {
                metadata.previous_image_lsn = whole(value);
            } else if member.is_named("id") {
                metadata.id = present(value);
            } else if member.is_named("partitionKey") {
                metadata.partition_key = present(value);
            }
        }
        metadata
    }
}

fn present(value: &[u8]) -> Option<&[u8]> {
    (value != b"null").then_some(value)
}

fn operation_type(value: &[u8]) -> Option<OperationType> {
    let name = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    Some(match name {
        b"create" => OperationType::Create,
        b"replace" => OperationType::Replace,
        b"delete" => OperationType::Delete,
        SNAPSHOT => OperationType::Snapshot,
        _ => OperationType::Other,
    })
}

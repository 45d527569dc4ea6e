//! The forms of a change that are not simply its document: the envelope, and the object that represents a
//! deleted item.

use super::change::{Change, KeyPath, write_nested};
use super::tokens::write_string;
use crate::feed::RangeId;
use crate::feed::page::{ItemRef, members};

/// Appends the envelope of a change:
///
/// ```json
/// {"current": …, "previous": …, "metadata": {…, "lsn": 7, "time": "2026-03-04T05:06:07Z"}, "range": 3}
/// ```
///
/// `current` and `previous` are the service's bytes, and missing where it sends none. `metadata` has all
/// members that the service sends. If it does not send them, `lsn` and `time` are added from the document's
/// `_lsn` and `_ts`; `crts` takes precedence over `_ts`. `select` appends a document, in full or in part.
pub(super) fn write_envelope(
    item: ItemRef<'_>,
    change: &Change<'_>,
    range: RangeId,
    select: impl Fn(&[u8], &mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    if let Some(current) = item.current() {
        out.extend_from_slice(b"\"current\":");
        select(current, out);
        out.push(b',');
    }
    if let Some(previous) = item.previous() {
        out.extend_from_slice(b"\"previous\":");
        select(previous, out);
        out.push(b',');
    }
    out.extend_from_slice(b"\"metadata\":");
    write_metadata(item.metadata_json(), change, out);
    out.extend_from_slice(format!(",\"range\":{range}}}").as_bytes());
}

fn write_metadata(json: Option<&[u8]>, change: &Change<'_>, out: &mut Vec<u8>) {
    let json = json.filter(|json| *json != b"null").unwrap_or(b"{}");
    let Some(inner) = json.strip_prefix(b"{").and_then(|j| j.strip_suffix(b"}")) else {
        // Unknown metadata is passed on unchanged.
        out.extend_from_slice(json);
        return;
    };
    let (mut has_lsn, mut has_time, mut is_empty) = (false, false, true);
    for member in members(json) {
        has_lsn |= member.is_named("lsn");
        has_time |= member.is_named("time");
        is_empty = false;
    }
    out.push(b'{');
    out.extend_from_slice(inner);
    let mut add = |name: &str, value: String| {
        let comma = if is_empty { "" } else { "," };
        out.extend_from_slice(format!("{comma}\"{name}\":{value}").as_bytes());
        is_empty = false;
    };
    if let Some(lsn) = change.lsn().filter(|_| !has_lsn) {
        add("lsn", lsn.to_string());
    }
    if let Some(time) = change.rfc3339().filter(|_| !has_time) {
        add("time", format!("\"{time}\""));
    }
    out.push(b'}');
}

/// Appends the object that represents a deleted item where documents are shown:
///
/// ```json
/// {"id": "7", "tenant": "x", "_deleted": true, "_ts": 1772600767, "_lsn": 12}
/// ```
///
/// with the partition key under its own path, and `"_timeToLiveExpired": true` if its time to live expired.
/// What the service does not send is left out. `select` writes an object in full or in part: it applies to
/// `id` and the partition key. The members with an underscore are always written, so that a deletion does
/// not look like a document.
pub(super) fn write_deletion(
    change: &Change<'_>,
    key_paths: &[KeyPath],
    select: impl Fn(&[u8], &mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    let mut named = b"{".to_vec();
    if let Some(id) = change.id {
        write_string(b"id", &mut named);
        named.push(b':');
        named.extend_from_slice(id);
    }
    let key = change.partition_key(key_paths);
    let entries: Vec<(&[String], &[u8])> = key
        .iter()
        .filter(|(path, _)| *path != ["id"])
        .map(|(path, value)| (path.as_slice(), *value))
        .collect();
    if named.len() > 1 && !entries.is_empty() {
        named.push(b',');
    }
    write_nested(&entries, &mut named);
    named.push(b'}');

    let start = out.len();
    select(&named, out);
    // The other members replace the closing brace.
    out.pop();
    if out.len() > start + 1 {
        out.push(b',');
    }
    out.extend_from_slice(b"\"_deleted\":true");
    if change.metadata.time_to_live_expired {
        out.extend_from_slice(b",\"_timeToLiveExpired\":true");
    }
    if let Some(crts) = change.metadata.crts {
        out.extend_from_slice(format!(",\"_ts\":{crts}").as_bytes());
    }
    if let Some(lsn) = change.metadata.lsn {
        out.extend_from_slice(format!(",\"_lsn\":{lsn}").as_bytes());
    }
    out.push(b'}');
}

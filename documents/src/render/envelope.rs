//! The envelope of a change.

use super::change::Change;
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

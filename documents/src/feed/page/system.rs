//! What the service writes into documents itself.

use super::members::members;

/// The members that the service adds to each document, in the order of inferred columns.
pub const SYSTEM_FIELDS: [&str; 6] = ["_ts", "_etag", "_rid", "_lsn", "_self", "_attachments"];

/// Appends `document` without the members that the service writes itself. Names and values are copied as they
/// are; whitespace between members is not.
pub fn write_without_system_fields(document: &[u8], out: &mut Vec<u8>) {
    out.push(b'{');
    let mut is_first = true;
    for member in members(document) {
        if SYSTEM_FIELDS.iter().any(|name| member.is_named(name)) {
            continue;
        }
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        out.push(b'"');
        out.extend_from_slice(member.raw_name);
        out.extend_from_slice(b"\":");
        out.extend_from_slice(member.value);
    }
    out.push(b'}');
}

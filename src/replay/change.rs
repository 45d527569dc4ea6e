//! A change that can be applied: which item it is about, and what of it is written; and what is kept
//! of one that cannot be.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

use crate::cosmos::items::ItemAddress;
use crate::feed::page::{Page, members};
use crate::schema::SYSTEM_FIELDS;

/// A change that can be applied.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) item: ItemAddress,
    pub(super) action: Action,
    /// When it was made, in seconds since 1970 by the clock of the source's service.
    pub(super) seconds: Option<i64>,
}

/// What a change does to its item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The document, without system fields.
    Put(Vec<u8>),
    /// It is deleted, perhaps because its time to live ended.
    Delete { expired: bool },
}

/// Why a record cannot be applied.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Defect {
    pub(super) reason: String,
    /// Whether all that is wrong is that the document has no value at the partition key's path: if
    /// all have none, it is the target that is wrong.
    pub(super) lacks_key: bool,
}

impl Defect {
    /// Of a change of which it is not known whether it is in a span of time.
    pub(super) fn without_time() -> Self {
        Self::new("it has no `_ts`, which --since and --until need")
    }

    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            lacks_key: false,
        }
    }
}

/// The members of `document` without those that the service writes itself. Names and values are
/// copied as they are; whitespace between members is not.
pub(super) fn without_system_fields(document: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(document.len());
    out.push(b'{');
    for member in members(document) {
        if SYSTEM_FIELDS.iter().any(|name| member.is_named(name)) {
            continue;
        }
        if out.len() > 1 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(member.raw_name);
        out.extend_from_slice(b"\":");
        out.extend_from_slice(member.value);
    }
    out.push(b'}');
    out
}

/// Whether two documents without system fields have the same content. The service keeps numbers as
/// 64-bit floating point, so `1.0` is `1`.
pub(super) fn same_content(a: &[u8], b: &[u8]) -> bool {
    let parse = |json| serde_json::from_slice::<Value>(json);
    match (parse(a), parse(b)) {
        (Ok(a), Ok(b)) => same_value(&a, &b),
        // Beyond what can be compared by value.
        _ => a == b,
    }
}

fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| same_value(a, b)))
        }
        _ => a == b,
    }
}

/// A line of the dead letters: a change with the reason why it could not be applied, in an envelope
/// that can be replayed.
pub(super) fn dead_letter(json: &Bytes, reason: &str, source: &str, line: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() + reason.len() + source.len() + 64);
    let text = |text: &str| Value::from(text).to_string();
    out.extend_from_slice(b"{\"reason\":");
    out.extend_from_slice(text(reason).as_bytes());
    out.extend_from_slice(b",\"origin\":");
    out.extend_from_slice(format!("{{\"source\":{},\"line\":{line}}}", text(source)).as_bytes());
    let mut member = |name: &str, value: Cow<'_, [u8]>| {
        out.extend_from_slice(format!(",\"{name}\":").as_bytes());
        out.extend_from_slice(&value);
    };
    match Page::of_line(json.clone()) {
        Ok(page) => {
            for item in page.items() {
                for (name, part) in [
                    ("current", item.current()),
                    ("previous", item.previous()),
                    ("metadata", item.metadata_json()),
                ] {
                    if let Some(part) = part {
                        member(name, part.into());
                    }
                }
            }
        }
        // It is kept as text, since it is no JSON.
        Err(_) => {
            let lossy = String::from_utf8_lossy(json);
            member("text", text(&lossy).into_bytes().into());
        }
    }
    out.extend_from_slice(b"}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_compared_by_value() {
        assert!(same_content(
            br#"{"a":1.0,"b":[1,2]}"#,
            br#"{"b":[1,2.0],"a":1}"#
        ));
        assert!(!same_content(br#"{"a":1}"#, br#"{"a":1,"b":null}"#));
        assert!(same_content(b"{\"a\":1e400}", b"{\"a\":1e400}"));
        assert!(!same_content(b"{\"a\":1e400}", b"{\"a\":1e401}"));
    }
}

//! From a record of the source to a write: which item it is about, and what of it is written.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

use crate::cosmos::feed::partition_key;
use crate::cosmos::items::ItemAddress;
use crate::feed::page::{ItemRef, Page, members};
use crate::render::change::{Change as Seen, KeyPath};
use crate::schema::SYSTEM_FIELDS;

/// The longest id that the service takes, in bytes.
const MAX_ID: usize = 1023;

/// The members that a tail's short form of a deletion has, beside the id and the partition key.
const DELETION_NAMES: [&str; 4] = ["_deleted", "_timeToLiveExpired", "_ts", "_lsn"];

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

    fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            lacks_key: false,
        }
    }
}

/// Reads `json` as a change of a container whose partition key has these paths.
pub(super) fn interpret(json: &Bytes, key_paths: &[KeyPath]) -> Result<Change, Defect> {
    let page = Page::of_line(json.clone()).map_err(|error| Defect::new(error.to_string()))?;
    let item = page
        .items()
        .next()
        .ok_or_else(|| Defect::new("there is no document"))?;
    let action = action_of(item, key_paths)?;
    let seen = Seen::of(item);
    let id = id_of(&seen)?;
    let found = seen.partition_key(key_paths);
    let mut values = Vec::with_capacity(key_paths.len());
    for path in key_paths {
        let Some((_, value)) = found.iter().find(|(found, _)| found == path) else {
            return Err(Defect {
                reason: format!(
                    "item {id:?} has no value at `/{}`, the partition key of the target",
                    path.join("/")
                ),
                lacks_key: true,
            });
        };
        let value: Value = serde_json::from_slice(value)
            .map_err(|error| Defect::new(format!("the partition key cannot be used: {error}")))?;
        values.push(value);
    }
    let key = partition_key(&values).map_err(|error| Defect::new(format!("{error:#}")))?;
    Ok(Change {
        item: ItemAddress { key, id },
        action,
        seconds: seen.metadata.crts.or(seen.document_ts),
    })
}

/// What the change `item` does.
pub(super) fn action_of(item: ItemRef<'_>, key_paths: &[KeyPath]) -> Result<Action, Defect> {
    let Some(document) = item.document() else {
        use crate::feed::page::OperationType;
        let metadata = item.metadata().unwrap_or_default();
        return match metadata.operation_type {
            None | Some(OperationType::Delete) => Ok(Action::Delete {
                expired: metadata.time_to_live_expired,
            }),
            Some(_) => Err(Defect::new(
                "the envelope has no document in `current`, and is no deletion",
            )),
        };
    };
    if document.first() != Some(&b'{') {
        return Err(Defect::new("it is no JSON object"));
    }
    if let Some(expired) = short_deletion(document, key_paths) {
        return Ok(Action::Delete { expired });
    }
    Ok(Action::Put(without_system_fields(document)))
}

/// Whether `document` is what `tail --format json` writes for a deletion, and then whether the time
/// to live had ended. It has nothing but the id, the partition key and what it says of itself, so
/// that no document is lost to this form.
fn short_deletion(document: &[u8], key_paths: &[KeyPath]) -> Option<bool> {
    let (mut deleted, mut expired) = (false, false);
    for member in members(document) {
        let is_key = |path: &KeyPath| path.first().is_some_and(|name| member.is_named(name));
        let known = member.is_named("id")
            || DELETION_NAMES.iter().any(|name| member.is_named(name))
            || key_paths.iter().any(is_key);
        if !known {
            return None;
        }
        let is_true = member.value == b"true";
        deleted |= is_true && member.is_named("_deleted");
        expired |= is_true && member.is_named("_timeToLiveExpired");
    }
    deleted.then_some(expired)
}

fn id_of(seen: &Seen<'_>) -> Result<String, Defect> {
    let Some(json) = seen.id else {
        return Err(Defect::new("there is no `id`"));
    };
    let id: String = serde_json::from_slice(json).map_err(|_| {
        let json = String::from_utf8_lossy(json);
        let json: String = json.chars().take(40).collect();
        Defect::new(format!("the id {json} is no text"))
    })?;
    let forbidden = id.chars().find(|c| matches!(c, '/' | '\\' | '?' | '#'));
    if let Some(forbidden) = forbidden {
        return Err(Defect::new(format!(
            "the id {id:?} has a `{forbidden}`, which the service forbids in ids"
        )));
    }
    match id.len() {
        0 => Err(Defect::new("the id is empty")),
        1..=MAX_ID => Ok(id),
        length => Err(Defect::new(format!(
            "the id has {length} bytes, and the service takes {MAX_ID}"
        ))),
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
    use crate::render::change::parse_key_path;

    fn read(json: &str, paths: &[&str]) -> Result<Change, Defect> {
        let paths: Vec<KeyPath> = paths.iter().map(|path| parse_key_path(path)).collect();
        interpret(&Bytes::from(json.to_owned()), &paths)
    }

    fn reason(json: &str) -> String {
        read(json, &["/pk"]).unwrap_err().reason
    }

    #[test]
    fn system_fields_are_left_out_and_everything_else_is_to_the_letter() {
        let json = r#"{"_rid":"r", "id":"1" ,"n":1.10,"big":123456789012345678901234567890,"x":1e400,
            "a\u0062":{"_ts":1},"_self":"s","_etag":"\"e\"","pk":"p","ttl":60,"_attachments":"a/","_ts":7,"_lsn":8}"#;
        let change = read(json, &["/pk"]).unwrap();
        let expected = r#"{"id":"1","n":1.10,"big":123456789012345678901234567890,"x":1e400,"a\u0062":{"_ts":1},"pk":"p","ttl":60}"#;
        assert_eq!(change.action, Action::Put(expected.as_bytes().to_vec()));
        assert_eq!(change.seconds, Some(7));
        assert_eq!(change.item.id, "1");
        assert_eq!(without_system_fields(br#"{"_ts":1}"#), b"{}");
    }

    #[test]
    fn deletions_are_understood_in_each_form() {
        for (json, expired) in [
            (
                r#"{"current":{},"metadata":{"operationType":"delete","id":"1","partitionKey":{"pk":"p"},"crts":9}}"#,
                false,
            ),
            (
                r#"{"current":{},"previous":{"id":"1","pk":"p"},"metadata":{"operationType":"delete","timeToLiveExpired":true},"range":3}"#,
                true,
            ),
            (
                r#"{"metadata":{"operationType":"delete","id":"1","partitionKey":["p"]}}"#,
                false,
            ),
            (
                r#"{"id":"1","pk":"p","_deleted":true,"_timeToLiveExpired":true,"_ts":3,"_lsn":4}"#,
                true,
            ),
        ] {
            let change = read(json, &["/pk"]).unwrap();
            assert_eq!(change.action, Action::Delete { expired }, "{json}");
            assert_eq!(change.item.id, "1");
            assert_eq!(change.item.key, partition_key(&["p".into()]).unwrap());
        }
        // A document that marks itself as deleted stays one.
        let soft = read(
            r#"{"id":"1","pk":"p","_deleted":true,"name":"n"}"#,
            &["/pk"],
        )
        .unwrap();
        assert!(matches!(soft.action, Action::Put(_)));
    }

    #[test]
    fn what_cannot_be_applied_says_why() {
        assert!(reason(r#"{"id":"1","pk":"p""#).starts_with("not a JSON value: it ends too early"));
        assert_eq!(reason("[1]"), "it is no JSON object");
        assert_eq!(reason(r#"{"pk":"p"}"#), "there is no `id`");
        assert_eq!(reason(r#"{"id":7,"pk":"p"}"#), "the id 7 is no text");
        assert_eq!(reason(r#"{"id":"","pk":"p"}"#), "the id is empty");
        assert_eq!(
            reason(r#"{"id":"a/b","pk":"p"}"#),
            "the id \"a/b\" has a `/`, which the service forbids in ids"
        );
        let long = format!(r#"{{"id":"{}","pk":"p"}}"#, "x".repeat(1024));
        assert!(reason(&long).contains("1024 bytes"));
        assert!(reason(r#"{"id":"1","pk":{}}"#).contains("is no partition key"));
        assert!(reason(r#"{"id":"1","pk":1e400}"#).contains("partition key"));
        let lacking = read(r#"{"id":"1","a":{"b":1}}"#, &["/a/b", "/a/c"]).unwrap_err();
        assert!(lacking.lacks_key);
        assert_eq!(
            lacking.reason,
            "item \"1\" has no value at `/a/c`, the partition key of the target"
        );
        assert!(
            reason(r#"{"metadata":{"operationType":"replace","id":"1"}}"#)
                .starts_with("the envelope has no document")
        );
    }

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

    #[test]
    fn a_dead_letter_can_be_replayed() {
        for json in [
            r#"{"id":"1","pk":"p","n":1.10}"#,
            r#"{"current":{},"previous":{"id":"1","pk":"p"},"metadata":{"operationType":"delete"}}"#,
        ] {
            let first = read(json, &["/pk"]).unwrap();
            let line = dead_letter(&Bytes::from(json), "too \"large\"", "a.jsonl", 3);
            let again = read(std::str::from_utf8(&line).unwrap(), &["/pk"]).unwrap();
            assert_eq!(again.action, first.action);
            assert_eq!(again.item, first.item);
        }
        let line = dead_letter(&Bytes::from("{\"id\":"), "r", "a", 1);
        let line: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(line["text"], "{\"id\":");
        assert_eq!(line["origin"]["line"], 1);
    }
}

//! From a record of the source to a change: which item of the target it is about, what is written,
//! or why it cannot be applied.

use bytes::Bytes;
use serde_json::Value;

use super::change::{Action, Change, Defect, without_system_fields};
use super::transform::Transform;
use crate::cosmos::epk::partition_key;
use crate::cosmos::items::ItemAddress;
use crate::feed::page::{ItemRef, OperationType, Page, members};
use crate::render::change::{Change as Seen, KeyPath, write_nested};
use crate::settings::{ReplayPlan, TimeWindow};

/// The longest id that the service takes, in bytes.
const MAX_ID: usize = 1023;

/// The members that a tail's short form of a deletion has, beside the id and the partition key.
const DELETION_NAMES: [&str; 4] = ["_deleted", "_timeToLiveExpired", "_ts", "_lsn"];

/// What a record means.
#[derive(Debug)]
pub(super) enum Meaning {
    /// A change that can be applied.
    Change(Change),
    /// A change of another time than the wanted one.
    OutsideWindow,
    /// A document of which the program makes nothing.
    Dropped,
}

/// How records are understood.
#[derive(Debug)]
pub(super) struct Interpreter {
    /// The paths of the target's partition key; none if there is no target.
    key_paths: Vec<KeyPath>,
    /// Which changes are wanted.
    window: TimeWindow,
    /// What documents go through.
    transform: Option<Transform>,
}

impl Interpreter {
    /// For a target whose partition key has these paths; none if it is standard output.
    pub(super) fn new(key_paths: Vec<KeyPath>, plan: &ReplayPlan) -> Self {
        Self {
            key_paths,
            window: plan.window,
            transform: plan.transform.clone().map(Transform::new),
        }
    }

    /// What the record `json` means.
    ///
    /// # Errors
    ///
    /// If it is no change, or one that cannot be applied.
    pub(super) fn interpret(&self, json: &Bytes) -> Result<Meaning, Defect> {
        let page = Page::of_line(json.clone()).map_err(|error| Defect::new(error.to_string()))?;
        let item = page
            .items()
            .next()
            .ok_or_else(|| Defect::new("there is no document"))?;
        self.interpret_item(item)
    }

    /// What an item of a feed means.
    ///
    /// # Errors
    ///
    /// As [`Interpreter::interpret`].
    pub(super) fn interpret_item(&self, item: ItemRef<'_>) -> Result<Meaning, Defect> {
        let seen = Seen::of(item);
        let seconds = seen.metadata.crts.or(seen.document_ts);
        if !self.window.is_unbounded() {
            match seconds {
                Some(seconds) if self.window.holds(seconds) => {}
                Some(_) => return Ok(Meaning::OutsideWindow),
                None => return Err(Defect::without_time()),
            }
        }
        let (item, action) = match (self.content_of(item)?, &self.transform) {
            (Content::Document(document), None) => (
                self.address_of(&seen)?,
                Action::Put(without_system_fields(document)),
            ),
            (Content::Document(document), Some(transform)) => {
                let Some(made) = transform.apply(document)? else {
                    return Ok(Meaning::Dropped);
                };
                let item = self.address_of(&Seen::of_document(&made))?;
                if seen.metadata.operation_type.is_some() {
                    self.check_deletable(&seen, transform, &item)?;
                }
                (item, Action::Put(without_system_fields(&made)))
            }
            (Content::Deletion { expired }, transform) => {
                let item = match transform {
                    Some(transform) => self.address_of_deletion(&seen, transform)?,
                    None => self.address_of(&seen)?,
                };
                (item, Action::Delete { expired })
            }
        };
        Ok(Meaning::Change(Change {
            item,
            action,
            seconds,
        }))
    }

    /// What the change `item` leaves.
    fn content_of<'a>(&self, item: ItemRef<'a>) -> Result<Content<'a>, Defect> {
        let Some(document) = item.document() else {
            let metadata = item.metadata().unwrap_or_default();
            return match metadata.operation_type {
                None | Some(OperationType::Delete) => Ok(Content::Deletion {
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
        Ok(match short_deletion(document, &self.key_paths) {
            Some(expired) => Content::Deletion { expired },
            None => Content::Document(document),
        })
    }

    /// The item in the target that a change is about.
    fn address_of(&self, seen: &Seen<'_>) -> Result<ItemAddress, Defect> {
        let id = id_of(seen)?;
        let found = seen.partition_key(&self.key_paths);
        let mut values = Vec::with_capacity(self.key_paths.len());
        for path in &self.key_paths {
            let Some((_, value)) = found.iter().find(|(found, _)| found == path) else {
                return Err(Defect {
                    reason: format!(
                        "item {id:?} has no value at `/{}`, the partition key of the target",
                        path.join("/")
                    ),
                    lacks_key: true,
                });
            };
            let value: Value = serde_json::from_slice(value).map_err(|error| {
                Defect::new(format!("the partition key cannot be used: {error}"))
            })?;
            values.push(value);
        }
        let key = partition_key(&values).map_err(|error| Defect::new(format!("{error:#}")))?;
        Ok(ItemAddress { key, id })
    }

    /// The item that a deletion is about, of which the source knows the id and the partition key:
    /// the one that the program makes of an object that has only these. A program that makes nothing
    /// of it that could be an item, since it needs more, leaves the deletion as it is.
    fn address_of_deletion(
        &self,
        seen: &Seen<'_>,
        transform: &Transform,
    ) -> Result<ItemAddress, Defect> {
        let source = self.address_of(seen)?;
        let id_path = ["id".to_owned()];
        let key = seen.partition_key(&self.key_paths);
        let mut known: Vec<(&[String], &[u8])> = vec![(&id_path, seen.id.unwrap_or_default())];
        known.extend(key.iter().map(|(path, value)| (path.as_slice(), *value)));
        let mut object = b"{".to_vec();
        write_nested(&known, &mut object);
        object.push(b'}');
        let made = transform.apply(&object).ok().flatten();
        let address = made.and_then(|made| self.address_of(&Seen::of_document(&made)).ok());
        let target = address.unwrap_or(source.clone());
        if self.key_paths.is_empty() && target != source {
            return Err(Defect::new(format!(
                "a deletion of item {:?} is written as it stands, and the program of --transform \
                 makes another id of that",
                source.id
            )));
        }
        Ok(target)
    }

    /// Checks that a deletion of the document, if there is one further on, would be about the item
    /// `made` of it.
    fn check_deletable(
        &self,
        seen: &Seen<'_>,
        transform: &Transform,
        made: &ItemAddress,
    ) -> Result<(), Defect> {
        match self.address_of_deletion(seen, transform) {
            Ok(deleted) if deleted == *made => Ok(()),
            _ => Err(Defect::new(format!(
                "the program of --transform makes item {:?} of it, which its deletion would miss: in an \
                 all-versions feed ids and partition keys can be made of nothing but each other, and \
                 with --stdout ids stay",
                made.id
            ))),
        }
    }
}

/// What a change leaves of its item.
enum Content<'a> {
    /// The document as it stands in the source.
    Document(&'a [u8]),
    /// Nothing, perhaps because its time to live ended.
    Deletion { expired: bool },
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

#[cfg(test)]
mod tests {
    use super::super::change::dead_letter;
    use super::*;
    use crate::render::Filter;
    use crate::render::change::parse_key_path;

    fn meaning(json: &str, paths: &[&str], program: Option<&str>) -> Result<Meaning, Defect> {
        let compile = |program| Filter::compile("--transform", program).unwrap();
        let interpreter = Interpreter {
            key_paths: paths.iter().map(|path| parse_key_path(path)).collect(),
            window: TimeWindow::default(),
            transform: program.map(|program| Transform::new(compile(program))),
        };
        interpreter.interpret(&Bytes::from(json.to_owned()))
    }

    fn change(meaning: Result<Meaning, Defect>) -> Result<Change, Defect> {
        match meaning? {
            Meaning::Change(change) => Ok(change),
            other => panic!("{other:?}"),
        }
    }

    fn read(json: &str, paths: &[&str]) -> Result<Change, Defect> {
        change(meaning(json, paths, None))
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
        assert!(reason(r#"{"id":"1","pk":{}}"#).contains("is not a partition key"));
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

    #[test]
    fn a_program_sees_the_whole_document_and_its_output_is_written() {
        let transformed = |program| {
            meaning(
                r#"{"id":"1","pk":"p","n":1.10,"big":18446744073709551617,"_ts":7,"_rid":"r"}"#,
                &["/pk"],
                Some(program),
            )
        };
        let written = |program| match change(transformed(program)).unwrap() {
            Change {
                item,
                action: Action::Put(json),
                seconds: Some(7),
            } => (item, String::from_utf8(json).unwrap()),
            other => panic!("{other:?}"),
        };
        let (_, json) = written("del(.pk) | .at = ._ts | .pk = \"q\"");
        assert_eq!(
            json,
            r#"{"id":"1","n":1.10,"big":18446744073709551617,"at":7,"pk":"q"}"#
        );
        // What looks like an envelope is a document.
        let (item, json) = written(r#"{id: "2", pk: .n, current: 1, metadata: {}} "#);
        assert_eq!(json, r#"{"id":"2","pk":1.10,"current":1,"metadata":{}}"#);
        assert_eq!(item.id, "2");
        assert_eq!(item.key, partition_key(&[1.1.into()]).unwrap());
        assert!(matches!(
            transformed("select(.n > 2)"),
            Ok(Meaning::Dropped)
        ));

        for (program, reason) in [
            (
                "., .",
                "the program of --transform makes 2 outputs of it, and one can be written",
            ),
            (
                ".id",
                "the program of --transform makes \"1\" of it, which is no object",
            ),
            (
                "[range(99)]",
                "the program of --transform makes [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,1… of it, which is no object",
            ),
            ("error(\"no\")", "the program of --transform fails: \"no\""),
            ("del(.id)", "there is no `id`"),
            (
                ".id |= \"a/b\"",
                "the id \"a/b\" has a `/`, which the service forbids in ids",
            ),
        ] {
            assert_eq!(
                transformed(program).unwrap_err().reason,
                reason,
                "{program}"
            );
        }
        assert!(transformed("del(.pk)").unwrap_err().lacks_key);
    }

    #[test]
    fn a_deletion_is_of_the_item_that_the_program_made() {
        const DELETION: &str = r#"{"current":{},"metadata":{"operationType":"delete","id":"1","partitionKey":{"pk":"p"}}}"#;
        const PUT: &str = r#"{"current":{"id":"1","pk":"p","name":"N","open":true},"metadata":{"operationType":"create"}}"#;
        for (program, expected) in [
            (".name = \"masked\"", Some(("1", "p"))),
            (
                ".id = \"eu-\" + .id | .pk |= ascii_upcase",
                Some(("eu-1", "P")),
            ),
            // What needs more than the id and the key says nothing of the deletion.
            ("select(.open)", Some(("1", "p"))),
            (".name |= ascii_downcase", Some(("1", "p"))),
            ("., empty", Some(("1", "p"))),
            // A deletion would miss these.
            (".pk = .name", None),
            (".id = .name", None),
            ("select(.open) | .id = \"x\"", None),
            ("if .open then . else .id = \"x\" end", None),
        ] {
            let transformed = |json| change(meaning(json, &["/pk"], Some(program)));
            match expected {
                Some((id, key)) => {
                    let deleted = transformed(DELETION).unwrap();
                    assert_eq!(deleted.action, Action::Delete { expired: false });
                    assert_eq!(deleted.item.id, id, "{program}");
                    assert_eq!(deleted.item.key, partition_key(&[key.into()]).unwrap());
                    assert_eq!(transformed(PUT).unwrap().item, deleted.item, "{program}");
                }
                None => {
                    let reason = transformed(PUT).unwrap_err().reason;
                    assert!(
                        reason.contains("its deletion would miss"),
                        "{program}: {reason}"
                    );
                }
            }
        }
        // Without a target nothing but the id is known, and the deletion stands as it is.
        let read = |program| meaning(DELETION, &[], Some(program));
        assert!(read(".pk = \"q\"").is_ok());
        let reason = read(".id = \"2\"").unwrap_err().reason;
        assert!(reason.contains("makes another id"), "{reason}");
    }
}

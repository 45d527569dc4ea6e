use super::super::dead_letters::dead_letter;
use super::super::original::Original;
use super::*;
use crate::render::Filter;
use crate::render::change::parse_key_path;

/// What a record means, which is declared to be a change if it is an envelope.
fn meaning(json: &str, paths: &[&str], program: Option<&str>) -> Result<Meaning, Defect> {
    let page = Page::of_change(Bytes::from(json.to_owned()));
    let is_change = page.is_ok_and(|page| page.items().all(|item| item.is_envelope()));
    let form = if is_change {
        RecordForm::Changes
    } else {
        RecordForm::Documents
    };
    declared(json, Some(form), paths, program)
}

fn declared(
    json: &str,
    form: Option<RecordForm>,
    paths: &[&str],
    program: Option<&str>,
) -> Result<Meaning, Defect> {
    let compile = |program| Filter::compile("--transform", program).unwrap();
    let interpreter = Interpreter {
        key_paths: paths.iter().map(|path| parse_key_path(path)).collect(),
        window: TimeWindow::default(),
        transform: program.map(|program| Transform::new(compile(program))),
    };
    interpreter.interpret(&Bytes::from(json.to_owned()), form)
}

fn write(meaning: Result<Meaning, Defect>) -> Result<ItemWrite, Defect> {
    match meaning? {
        Meaning::Write(write) => Ok(write),
        other => panic!("{other:?}"),
    }
}

fn read(json: &str, paths: &[&str]) -> Result<ItemWrite, Defect> {
    write(meaning(json, paths, None))
}

fn reason(json: &str) -> String {
    read(json, &["/pk"]).unwrap_err().reason
}

#[test]
fn only_system_fields_are_left_out() {
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
fn deletions_are_recognized_in_every_form() {
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
    ] {
        let change = read(json, &["/pk"]).unwrap();
        assert_eq!(change.action, Action::Delete { expired }, "{json}");
        assert_eq!(change.item.id, "1");
        assert_eq!(change.item.key, partition_key(&["p".into()]).unwrap());
    }
}

#[test]
fn no_member_of_a_document_is_a_mark() {
    for json in [
        r#"{"id":"1","pk":"p","_deleted":true}"#,
        r#"{"id":"1","pk":"p","_deleted":true,"_timeToLiveExpired":true,"_ts":3,"_lsn":4}"#,
        r#"{"id":"1","pk":"p","current":{},"metadata":{"operationType":"delete","id":"2"}}"#,
        r#"{"id":"1","pk":"p","reason":"r","origin":{},"cosmos-tail":{"records":"changes"}}"#,
    ] {
        let declared = |form| declared(json, form, &["/pk"], None);
        let document = write(declared(Some(RecordForm::Documents))).unwrap();
        assert_eq!(document.item.id, "1");
        assert_eq!(
            document.action,
            Action::Put(without_system_fields(json.as_bytes()))
        );
        let defect = declared(Some(RecordForm::Changes)).unwrap_err();
        assert!(
            defect.reason.starts_with("it is not the envelope"),
            "{defect:?}"
        );
        // In an envelope, it is the document of a change.
        let change = write(meaning(&format!(r#"{{"current":{json}}}"#), &["/pk"], None)).unwrap();
        assert_eq!(change.action, document.action);
    }
    // What only looks like an envelope has no id.
    let lacks_id = declared(
        r#"{"current":{"id":"1","pk":"p"}}"#,
        Some(RecordForm::Documents),
        &["/pk"],
        None,
    );
    assert_eq!(lacks_id.unwrap_err().reason, "it has no `id`");
}

#[test]
fn without_a_declaration_only_a_certain_document_is_one() {
    let undeclared = |json| declared(json, None, &["/pk"], None).unwrap();
    for document in [
        r#"{"id":"1","pk":"p"}"#,
        r#"{"id":"1","pk":"p","_deleted":true}"#,
        r#"{"id":"1","pk":"p","_deleted":true,"name":"n","_ts":3}"#,
        r#"{"id":"1","pk":"p","_deleted":true,"_rid":"r","_etag":"e","_ts":3,"_lsn":4}"#,
        r#"{"id":"1","pk":"p","_deleted":false,"_ts":3,"_lsn":4}"#,
        r#"{"id":"1","pk":"p","current":{},"metadata":{}}"#,
    ] {
        assert!(
            matches!(undeclared(document), Meaning::Write(_)),
            "{document}"
        );
    }
    for unclear in [
        r#"{"id":"1","pk":"p","_deleted":true,"_ts":3,"_lsn":4}"#,
        r#"{"id":"1","pk":"p","_deleted":true,"_lsn":4}"#,
        r#"{"current":{"id":"1","pk":"p"}}"#,
        r#"{"metadata":{"operationType":"delete","id":"1","partitionKey":["p"]}}"#,
        r#"{"reason":"r","origin":{},"current":{"id":"1","pk":"p"}}"#,
    ] {
        assert!(
            matches!(undeclared(unclear), Meaning::Unclear(_)),
            "{unclear}"
        );
    }
}

#[test]
fn an_envelope_without_a_document_is_a_deletion_only_if_it_says_so() {
    for json in [
        r#"{"current":{},"metadata":{"id":"1","partitionKey":{"pk":"p"}}}"#,
        r#"{"current":null,"metadata":null}"#,
        r#"{"metadata":{"operationType":"replace","id":"1","partitionKey":{"pk":"p"}}}"#,
    ] {
        let reason = reason(json);
        assert!(reason.ends_with("is not a deletion"), "{reason}");
    }
}

#[test]
fn a_record_that_cannot_be_applied_has_a_reason() {
    assert!(reason(r#"{"id":"1","pk":"p""#).starts_with("not a JSON value: it ends too early"));
    assert_eq!(reason("[1]"), "it is not a JSON object");
    assert_eq!(reason(r#"{"pk":"p"}"#), "it has no `id`");
    assert_eq!(reason(r#"{"id":7,"pk":"p"}"#), "the id 7 is not a string");
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
        r#"{"id":"1","pk":"p","current":{},"metadata":{"operationType":"delete"}}"#,
        r#"{"current":{},"previous":{"id":"1","pk":"p"},"metadata":{"operationType":"delete"}}"#,
    ] {
        let first = read(json, &["/pk"]).unwrap();
        let form = if json.starts_with("{\"id") {
            RecordForm::Documents
        } else {
            RecordForm::Changes
        };
        let original = Original::of_record(Bytes::from(json), Some(form));
        let line = dead_letter(&original, "too \"large\"", "a.jsonl", 3);
        let again = read(std::str::from_utf8(&line).unwrap(), &["/pk"]).unwrap();
        assert_eq!(again.action, first.action);
        assert_eq!(again.item, first.item);
    }
    // What has not the form that it should have is kept as text.
    for (json, form) in [
        ("{\"id\":", RecordForm::Documents),
        (r#"{"id":"1","pk":"p"}"#, RecordForm::Changes),
    ] {
        let original = Original::of_record(Bytes::from(json), Some(form));
        let line = dead_letter(&original, "r", "a", 1);
        let line: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(line["text"], json);
        assert_eq!(line["origin"]["line"], 1);
    }
}

#[test]
fn a_program_gets_the_whole_document_and_its_output_is_written() {
    let transformed = |program| {
        meaning(
            r#"{"id":"1","pk":"p","n":1.10,"big":18446744073709551617,"_ts":7,"_rid":"r"}"#,
            &["/pk"],
            Some(program),
        )
    };
    let written = |program| match write(transformed(program)).unwrap() {
        ItemWrite {
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
            "--transform returned 2 outputs, but only one can be written",
        ),
        (".id", "--transform returned \"1\", which is not an object"),
        (
            "[range(99)]",
            "--transform returned [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,1…, which is not an object",
        ),
        ("error(\"no\")", "--transform failed: \"no\""),
        ("del(.id)", "it has no `id`"),
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
fn a_deletion_follows_the_item_that_the_program_returned() {
    const DELETION: &str = r#"{"current":{},"metadata":{"operationType":"delete","id":"1","partitionKey":{"pk":"p"}}}"#;
    const PUT: &str = r#"{"current":{"id":"1","pk":"p","name":"N","open":true},"metadata":{"operationType":"create"}}"#;
    for (program, expected) in [
        (".name = \"masked\"", Some(("1", "p"))),
        (
            ".id = \"eu-\" + .id | .pk |= ascii_upcase",
            Some(("eu-1", "P")),
        ),
        // A program that needs more than the id and the key does not affect the deletion.
        ("select(.open)", Some(("1", "p"))),
        (".name |= ascii_downcase", Some(("1", "p"))),
        ("., empty", Some(("1", "p"))),
        // A deletion would miss these.
        (".pk = .name", None),
        (".id = .name", None),
        ("select(.open) | .id = \"x\"", None),
        ("if .open then . else .id = \"x\" end", None),
    ] {
        let transformed = |json| write(meaning(json, &["/pk"], Some(program)));
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
    // Without a target only the id is known, and the deletion is written unchanged.
    let read = |program| meaning(DELETION, &[], Some(program));
    assert!(read(".pk = \"q\"").is_ok());
    let reason = read(".id = \"2\"").unwrap_err().reason;
    assert!(reason.contains("--transform changes its id"), "{reason}");
}

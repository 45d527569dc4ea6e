use super::super::dead_letters::dead_letter;
use super::super::original::Original;
use super::*;
use crate::render::Filter;
use crate::render::change::parse_key_path;

/// What a record means, which is declared to be a change if it is an envelope.
fn meaning(json: &str, paths: &[&str], program: Option<&str>) -> Result<Meaning, Defect> {
    declared(json, Some(form_of(json)), paths, program)
}

fn form_of(json: &str) -> RecordForm {
    let page = Page::of_change(Bytes::from(json.to_owned()));
    if page.is_ok_and(|page| page.items().all(|item| item.is_envelope())) {
        RecordForm::Changes
    } else {
        RecordForm::Documents
    }
}

fn written(interpreter: &Interpreter, json: &str) -> Result<ItemWrite, Defect> {
    write(interpreter.interpret(&Bytes::from(json.to_owned()), Some(form_of(json))))
}

fn declared(
    json: &str,
    form: Option<RecordForm>,
    paths: &[&str],
    program: Option<&str>,
) -> Result<Meaning, Defect> {
    let compile = |program| Filter::compile("--transform", program).unwrap();
    let interpreter = interpreter(paths, program.map(compile));
    interpreter.interpret(&Bytes::from(json.to_owned()), form)
}

fn interpreter(paths: &[&str], program: Option<Filter>) -> Interpreter {
    Interpreter {
        key_paths: paths.iter().map(|path| parse_key_path(path)).collect(),
        source_paths: None,
        refuses_missing_key: false,
        fingerprints: Fingerprints::default(),
        window: TimeWindow::default(),
        lifetime: Lifetime::new(crate::settings::Ttl::Keep),
        transform: program.map(Transform::new),
    }
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
        reason(r#"{"id":"\ud800","pk":"p"}"#),
        r#"the id "\ud800" is not Unicode text"#
    );
    let long = format!(r#"{{"id":"{}","pk":"p"}}"#, "x".repeat(1024));
    assert!(reason(&long).contains("1024 bytes"));
    assert!(reason(r#"{"id":"1","pk":1e400}"#).contains("partition key"));
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
        let line = dead_letter(&original, "too \"large\"", "a.jsonl", ("line", 3));
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
        let line = dead_letter(&original, "r", "a", ("line", 1));
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
            ..
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
        (".id |= \"\"", "the id is empty"),
    ] {
        assert_eq!(
            transformed(program).unwrap_err().reason,
            reason,
            "{program}"
        );
    }
    let keyless = write(transformed("del(.pk)")).unwrap();
    assert_eq!(keyless.item.key, partition_key(&[no_value()]).unwrap());
    assert_eq!(keyless.missing_path.as_deref(), Some("/pk"));
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

#[test]
fn a_document_without_a_value_is_at_the_undefined_key() {
    for (json, paths, values, missing) in [
        (r#"{"id":"1"}"#, &["/pk"][..], "[{}]", Some("/pk")),
        (r#"{"id":"1","pk":null}"#, &["/pk"], "[null]", None),
        (r#"{"id":"1","pk":{}}"#, &["/pk"], "[{}]", Some("/pk")),
        (r#"{"id":"1","pk":{"a":1}}"#, &["/pk"], "[{}]", Some("/pk")),
        (r#"{"id":"1","pk":["p"]}"#, &["/pk"], "[{}]", Some("/pk")),
        (r#"{"id":"1","a":5}"#, &["/a/b"], "[{}]", Some("/a/b")),
        (
            r#"{"id":"1","a":{"b":1}}"#,
            &["/a/b", "/a/c"],
            "[1,{}]",
            Some("/a/c"),
        ),
        (
            r#"{"id":"1","c":"x"}"#,
            &["/a", "/b", "/c"],
            r#"[{},{},"x"]"#,
            Some("/a"),
        ),
        (
            r#"{"current":{},"metadata":{"operationType":"delete","id":"1","partitionKey":{}}}"#,
            &["/a", "/b"],
            "[{},{}]",
            Some("/a"),
        ),
        (
            r#"{"current":{},"metadata":{"operationType":"delete","id":"1","partitionKey":{"a":"x","b":{}}}}"#,
            &["/a", "/b"],
            r#"["x",{}]"#,
            Some("/b"),
        ),
        (
            r#"{"current":{},"metadata":{"operationType":"delete","id":"1","partitionKey":["x",{}]}}"#,
            &["/a", "/b"],
            r#"["x",{}]"#,
            Some("/b"),
        ),
        (
            r#"{"current":{},"previous":{"id":"1","a":"x"},"metadata":{"operationType":"delete"}}"#,
            &["/a", "/b"],
            r#"["x",{}]"#,
            Some("/b"),
        ),
    ] {
        let values: Vec<Value> = serde_json::from_str(values).unwrap();
        let change = read(json, paths).unwrap();
        assert_eq!(change.item.key, partition_key(&values).unwrap(), "{json}");
        assert_eq!(change.missing_path.as_deref(), missing, "{json}");
    }
    let refusing = Interpreter {
        refuses_missing_key: true,
        ..interpreter(&["/a/b", "/a/c"], None)
    };
    let json = r#"{"id":"1","a":{"b":1}}"#;
    let refused = written(&refusing, json).unwrap_err();
    assert_eq!(
        refused.reason,
        "item \"1\" has no value at `/a/c`, the partition key of the target"
    );
}

#[test]
fn a_deletion_whose_key_is_not_known_is_refused() {
    const UNKNOWN: &str = "the deletion does not say what the document had at `/region`, the partition key of the target";
    let deletion = |members: &str| {
        format!(r#"{{"current":{{}},"metadata":{{"operationType":"delete","id":"1"{members}}}}}"#)
    };
    let with_previous = |members: &str| {
        let previous = r#""previous":{"id":"1","tenant":"t","region":"r"},"#;
        deletion(members).replacen("\"metadata\"", &format!("{previous}\"metadata\""), 1)
    };
    let of_tenant = r#","partitionKey":{"tenant":"t"}"#;
    let of_source = |paths: Option<&[&str]>, target: &[&str], json: String| {
        let paths = paths.map(|paths| paths.iter().map(ToString::to_string).collect::<Vec<_>>());
        let interpreter = interpreter(target, None).of_source(paths.as_deref());
        written(&interpreter, &json)
    };
    for source in [None, Some(&["/tenant"][..])] {
        for (json, expected) in [
            (deletion(""), Err(UNKNOWN)),
            // The value at another path is not taken for the one at the target's.
            (deletion(of_tenant), Err(UNKNOWN)),
            (with_previous(of_tenant), Ok("r")),
            (with_previous(""), Ok("r")),
        ] {
            let found = of_source(source, &["/region"], json.clone());
            match expected {
                Ok(key) => {
                    let key = partition_key(&[key.into()]).unwrap();
                    assert_eq!(found.unwrap().item.key, key, "{source:?} {json}");
                }
                Err(reason) => assert_eq!(found.unwrap_err().reason, reason, "{source:?} {json}"),
            }
        }
        // Its id is known.
        let found = of_source(source, &["/id"], deletion(of_tenant)).unwrap();
        assert_eq!(found.item.key, partition_key(&["1".into()]).unwrap());
        let found = of_source(source, &["/tenant"], deletion(of_tenant)).unwrap();
        assert_eq!(found.item.key, partition_key(&["t".into()]).unwrap());
    }
}

#[test]
fn a_program_may_derive_the_key_of_a_deletion_from_that_of_the_source() {
    let program = |program| Filter::compile("--transform", program).unwrap();
    let paths = ["/tenant".to_owned()];
    let deletion = r#"{"current":{},"metadata":{"operationType":"delete","id":"1","partitionKey":{"tenant":"t"}}}"#;
    let read = |text, json: &'static str| {
        let interpreter = interpreter(&["/region"], Some(program(text))).of_source(Some(&paths));
        written(&interpreter, json)
    };
    let deleted = read(r#".region = "of-" + .tenant"#, deletion).unwrap();
    assert_eq!(deleted.item.key, partition_key(&["of-t".into()]).unwrap());
    // What the program was not given stays unknown.
    let refused = read(".seen = true", deletion).unwrap_err().reason;
    assert!(refused.contains("does not say"), "{refused}");
    let put =
        r#"{"current":{"id":"1","tenant":"t","region":"r"},"metadata":{"operationType":"create"}}"#;
    let kept = read(".seen = true", put).unwrap();
    assert_eq!(kept.item.key, partition_key(&["r".into()]).unwrap());
    let refused = read(".region |= ascii_upcase", put).unwrap_err().reason;
    assert!(refused.contains("its deletion would miss"), "{refused}");
}

#[test]
fn documents_of_the_source_are_distinguished_by_their_key_or_else_by_their_rid() {
    use super::super::source_item::Relation;
    let base = interpreter(&["/region"], None);
    let source_of = |paths: Option<&[&str]>, json: &str| {
        let paths = paths.map(|paths| paths.iter().map(ToString::to_string).collect::<Vec<_>>());
        let interpreter = base.of_source(paths.as_deref());
        written(&interpreter, json).unwrap().source
    };
    let tenant = |json| source_of(Some(&["/tenant"]), json).unwrap();
    let a = tenant(r#"{"id":"1","tenant":1,"region":"r","_rid":"x"}"#);
    let relation = |json| tenant(json).relation(a);
    // Another spelling, another rid, another version: the same document.
    assert_eq!(
        relation(r#"{"id":"1","tenant":1.0,"region":"r","_rid":"y","n":2}"#),
        Relation::Same
    );
    assert_eq!(
        relation(
            r#"{"current":{},"previous":{"id":"1","region":"r"},"metadata":{"operationType":"delete","id":"1","partitionKey":{"tenant":1}}}"#
        ),
        Relation::Same
    );
    for other in [
        r#"{"id":"1","tenant":2,"region":"r","_rid":"x"}"#,
        r#"{"id":"1","tenant":null,"region":"r"}"#,
        r#"{"id":"1","region":"r"}"#,
        r#"{"id":"2","tenant":1,"region":"r"}"#,
    ] {
        assert_eq!(relation(other), Relation::Two, "{other}");
    }
    // With the same key there is nothing to distinguish.
    assert_eq!(
        source_of(Some(&["/region"]), r#"{"id":"1","region":"r"}"#),
        None
    );
    assert_eq!(source_of(None, r#"{"id":"1","region":"r"}"#), None);
    let rid = source_of(None, r#"{"id":"1","region":"r","_rid":"x"}"#).unwrap();
    let other = source_of(None, r#"{"id":"1","region":"r","_rid":"y"}"#).unwrap();
    assert_eq!(other.relation(rid), Relation::PerhapsRecreated);
    assert_eq!(rid.relation(rid), Relation::Same);
}

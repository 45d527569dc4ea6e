//! `--transform`: the output of a program is written instead of a document.

use serde_json::json;

use super::*;
use crate::bad_input::refuse;
use crate::command::{DATABASE, assert_same, succeed};
use crate::gateway::{GatewayOptions, Operation};

const CREATE: &str = r#"{"current":{"id":"1","pk":"p","n":1.10,"name":"A","_ts":7},"metadata":{"operationType":"create"}}"#;
const DELETE: &str =
    r#"{"metadata":{"operationType":"delete","id":"1","partitionKey":{"pk":"p"}}}"#;

fn target() -> (Gateway, Container, tempfile::TempDir) {
    let gateway = Gateway::start(GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 4);
    (gateway, copy, tempfile::tempdir().unwrap())
}

#[test]
fn documents_are_renamed_masked_and_dropped_and_deletions_follow_them() {
    let (gateway, copy, directory) = target();
    let source = directory.path().join("a.jsonl");
    write_changes(
        &source,
        [
            CREATE,
            r#"{"id":"2","pk":"p","n":18446744073709551617,"name":"B"}"#,
            r#"{"id":"3","pk":"p","draft":true}"#,
            r#"{"id":"4","pk":"p","name":"C","_ts":9}"#,
            DELETE,
        ],
    );
    let program = r#"select(.draft | not) | .id = "eu-" + .id | .name = null | .at = ._ts"#;
    let transformed = || {
        let mut command = replay(&gateway, &source);
        command.args(["--input", "changes", "--summary", "json"]);
        command.args(["--transform", program]);
        command
    };
    let dry = summary(&succeed(transformed().arg("--dry-run")));
    assert_eq!(
        (&dry["created"], &dry["dropped"]),
        (&json!(3), &json!(1)),
        "{dry}"
    );
    let told = summary(&succeed(&mut transformed()));
    assert_eq!(
        (&told["created"], &told["deleted"], &told["dropped"]),
        (&json!(3), &json!(1), &json!(1))
    );
    assert_eq!(told["changes"], 5);
    assert_same(
        &content(&copy),
        &[
            br#"{"id":"eu-2","pk":"p","n":18446744073709551617,"name":null,"at":null}"#.to_vec(),
            br#"{"id":"eu-4","pk":"p","name":null,"at":9}"#.to_vec(),
        ],
    );
    let log = gateway.write_log();
    let of_first: Vec<Operation> = writes_of(&log, "eu-1")
        .iter()
        .map(|w| w.operation)
        .collect();
    assert_eq!(of_first.len(), 2);
    assert_eq!(of_first[1], Operation::Delete);
    let mut again = replay(&gateway, &source);
    let said = succeed(again.args(["--input", "changes", "--transform", program]));
    assert!(
        said.stderr.contains("1 dropped by --transform"),
        "{}",
        said.stderr
    );

    write_lines(
        &source,
        [
            r#"{"id":"1","n":1.10,"name":"A","_ts":7}"#,
            r#"{"id":"3","draft":true}"#,
        ],
    );
    let mut shown = crate::command::cosmos_tail();
    shown.arg("replay").arg(&source);
    shown.args(["--stdout", "--transform", program]);
    assert_eq!(
        succeed(&mut shown).stdout,
        "{\"id\":\"eu-1\",\"n\":1.10,\"name\":null,\"at\":7}\n"
    );
    shown.args(["--input", "changes"]);
    write_lines(&source, [DELETE]);
    refuse(&mut shown, 1, &["line 1: ", "--transform changes its id"]);
    write_lines(&source, [CREATE]);
    refuse(
        &mut shown,
        1,
        &["line 1: ", "with --stdout ids have to stay"],
    );
    assert_no_violations(&gateway);
}

#[test]
fn the_partition_key_from_the_program_decides_the_order() {
    let (gateway, copy, directory) = target();
    let source = directory.path().join("a.jsonl");
    let line = |n: usize| json!({"id": format!("{}", n % 7), "region": n, "n": n}).to_string();
    write_lines(&source, (0..300).map(line));
    succeed(replay(&gateway, &source).args(["--transform", ".pk = \"one\" | del(.region)"]));
    let log = gateway.write_log();
    let order: Vec<u64> = log
        .iter()
        .map(|write| {
            let body: Value = serde_json::from_slice(&write.body).unwrap();
            assert_eq!(write.partition_key, r#"["one"]"#);
            body["n"].as_u64().unwrap()
        })
        .collect();
    assert_eq!(order, (0..300).collect::<Vec<u64>>());
    assert_eq!(copy.latest().len(), 7);
    assert_no_violations(&gateway);
}

#[test]
fn an_output_that_is_not_a_document_is_a_dead_letter() {
    let (gateway, copy, directory) = target();
    let (source, letters) = (
        directory.path().join("a.jsonl"),
        directory.path().join("dead"),
    );
    write_changes(
        &source,
        [
            r#"{"id":"good","pk":"p","make":{"id":"good","pk":"p"}}"#,
            r#"{"id":"1","pk":"p","make":[1]}"#,
            r#"{"id":"2","pk":"p","make":{"pk":"p"}}"#,
            r#"{"id":"3","pk":"p","make":{"id":"3"}}"#,
            r#"{"id":"4","pk":"p","twice":true}"#,
            r#"{"id":"5","pk":"p","add":{}}"#,
            r#"{"current":{"id":"6","pk":"p","make":{"id":"7","pk":"p"}},"metadata":{"operationType":"create"}}"#,
        ],
    );
    let program = r#"if .twice then ., . elif .add then 1 + .add else .make end"#;
    let mut command = replay(&gateway, &source);
    command
        .args(["--input", "changes", "--transform", program])
        .args(["--missing-key", "refuse", "--dead-letter"])
        .arg(&letters);
    refuse(
        &mut command,
        1,
        &["6 changes cannot be applied", "not an object"],
    );
    let reasons: Vec<String> = dead_letters(&letters)
        .iter()
        .map(|letter| {
            assert!(letter["current"]["id"].is_string(), "{letter}");
            letter["reason"].as_str().unwrap().to_owned()
        })
        .collect();
    for (reason, part) in reasons.iter().zip([
        "returned [1], which is not an object",
        "it has no `id`",
        "item \"3\" has no value at `/pk`",
        "returned 2 outputs",
        "failed: cannot calculate 1 + {}",
        "its deletion would miss",
    ]) {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(reasons.len(), 6);
    assert_eq!(copy.latest().len(), 1);
    // As they were in the source, so that they can be replayed with another program.
    succeed(replay(&gateway, &letters).args(["--transform", "del(.make)"]));
    assert_eq!(copy.latest().len(), 7);
    assert_no_violations(&gateway);
}

#[test]
fn a_wrong_or_different_program_is_refused_at_the_start() {
    let (gateway, copy, directory) = target();
    let (source, state) = (
        directory.path().join("a.jsonl"),
        directory.path().join("state"),
    );
    write_lines(&source, [r#"{"id":"1","pk":"p"}"#]);
    let with = |program: &[&str]| {
        let mut command = replay(&gateway, &source);
        command.arg("--state").arg(&state).args(program);
        command
    };
    refuse(
        &mut with(&["--transform", ".a | | .b"]),
        2,
        &["--transform: expected term, found `|` at column 6"],
    );
    succeed(&mut with(&["--transform", ".n = 1"]));
    for (program, told) in [
        (&[][..], "but this one has no --transform"),
        (
            &["--transform", ".n = 2"],
            "but this one has --transform \".n = 2\"",
        ),
    ] {
        refuse(
            &mut with(program),
            2,
            &["to a replay with --transform \".n = 1\"", told],
        );
    }
    // Nor can one be added later.
    write_lines(
        &source,
        [r#"{"id":"1","pk":"p"}"#, r#"{"id":"2","pk":"p"}"#],
    );
    std::fs::remove_file(&state).unwrap();
    succeed(&mut with(&[]));
    refuse(
        &mut with(&["--transform", ".n = 1"]),
        2,
        &["to a replay with no --transform"],
    );
    assert_eq!(copy.latest().len(), 2);
    assert_no_violations(&gateway);
}

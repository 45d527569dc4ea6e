//! What happens to existing items.

use serde_json::json;

use super::*;
use crate::bad_input::refuse;
use crate::command::{DATABASE, succeed};
use crate::gateway::{GatewayOptions, RequestKind};

fn target() -> (Gateway, Container) {
    let gateway = Gateway::start(GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    (gateway, copy)
}

#[test]
fn create_keeps_existing_items_and_writes_dead_letters() {
    let (gateway, copy) = target();
    copy.upsert(json!({"id": "same", "pk": "p", "n": 1}));
    copy.upsert(json!({"id": "other", "pk": "p", "n": 1}));
    let directory = tempfile::tempdir().unwrap();
    let (source, letters) = (directory.path().join("a"), directory.path().join("dead"));
    write_changes(
        &source,
        [
            r#"{"id":"new","pk":"p","n":2}"#,
            r#"{"id":"same","pk":"p","n":1.0,"_ts":5}"#,
            r#"{"id":"other","pk":"p","n":2}"#,
            r#"{"metadata":{"operationType":"delete","id":"same","partitionKey":{"pk":"p"}}}"#,
        ],
    );
    let run = |letters: &Path| {
        let mut command = replay(&gateway, &source);
        command.args([
            "--input",
            "changes",
            "--write-mode",
            "create",
            "--summary",
            "json",
            "--dead-letter",
        ]);
        command.arg(letters);
        refuse(&mut command, 1, &["2 changes cannot be applied", "other"])
    };
    let told = summary(&run(&letters));
    assert_eq!(
        (&told["created"], &told["unchanged"], &told["refused"]),
        (&json!(1), &json!(1), &json!(2))
    );
    // The same again leaves the same.
    let told = summary(&run(&directory.path().join("again")));
    assert_eq!(
        (&told["created"], &told["unchanged"]),
        (&json!(0), &json!(2))
    );
    assert_eq!(copy.latest().len(), 3);
    let kept = dead_letters(&letters);
    assert_eq!(kept[0]["origin"]["line"], 3);
    assert_eq!(kept[0]["current"]["n"], 2);
    assert!(
        kept[0]["reason"]
            .as_str()
            .unwrap()
            .contains("another document")
    );
    assert_eq!(kept[1]["metadata"]["id"], "same");
    // The dead letters can be replayed alone.
    let told = summary(&succeed(
        replay(&gateway, &letters).args(["--summary", "json"]),
    ));
    assert_eq!(
        (&told["replaced"], &told["deleted"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(copy.latest().len(), 2);
    assert_no_violations(&gateway);
}

#[test]
fn newer_replaces_older_copies_and_its_own_writes_only() {
    let (gateway, copy) = target();
    gateway.set_time(1_000);
    copy.upsert(json!({"id": "older", "pk": "p", "n": 1}));
    copy.upsert(json!({"id": "gone", "pk": "p", "n": 1}));
    gateway.set_time(3_000);
    copy.upsert(json!({"id": "newer", "pk": "p", "n": 1}));
    copy.upsert(json!({"id": "stays", "pk": "p", "n": 1}));
    gateway.set_time(9_000);
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("a");
    let deletion = |id: &str| {
        json!({"metadata": {"operationType": "delete", "id": id, "crts": 2_000,
            "partitionKey": {"pk": "p"}}})
        .to_string()
    };
    write_changes(
        &source,
        [
            r#"{"id":"older","pk":"p","n":2,"_ts":2000}"#.to_owned(),
            r#"{"id":"newer","pk":"p","n":2,"_ts":2000}"#.to_owned(),
            // Two versions of one document: the second is older than our own write of the first.
            r#"{"id":"twice","pk":"p","n":1,"_ts":2000}"#.to_owned(),
            r#"{"id":"twice","pk":"p","n":2,"_ts":2001}"#.to_owned(),
            deletion("gone"),
            deletion("stays"),
            deletion("never"),
        ],
    );
    let dry = summary(&succeed(replay(&gateway, &source).args([
        "--input",
        "changes",
        "--write-mode",
        "newer",
        "--dry-run",
        "--summary",
        "json",
    ])));
    // It knows that the second version finds the first.
    assert_eq!(
        (&dry["created"], &dry["replaced"], &dry["kept"]),
        (&json!(1), &json!(2), &json!(2))
    );
    assert_eq!(gateway.requests(RequestKind::ItemWrite), 0);
    let run = || {
        let mut command = replay(&gateway, &source);
        summary(&succeed(command.args([
            "--input",
            "changes",
            "--write-mode",
            "newer",
            "--summary",
            "json",
        ])))
    };
    let told = run();
    assert_eq!(
        [
            &told["created"],
            &told["replaced"],
            &told["kept"],
            &told["deleted"]
        ],
        [&json!(1), &json!(2), &json!(2), &json!(1)],
        "{told}"
    );
    let values = |copy: &Container| {
        let mut values: Vec<(String, u64)> = copy
            .latest()
            .iter()
            .map(|served| {
                let document: Value = serde_json::from_slice(&served.text).unwrap();
                (served.id.clone(), document["n"].as_u64().unwrap())
            })
            .collect();
        values.sort();
        values
    };
    let expected = [("newer", 1), ("older", 2), ("stays", 1), ("twice", 2)];
    let expected: Vec<(String, u64)> = expected.map(|(id, n)| (id.to_owned(), n)).to_vec();
    assert_eq!(values(&copy), expected);
    run();
    assert_eq!(values(&copy), expected);
    assert_no_violations(&gateway);
}

#[test]
fn a_copy_that_changes_while_it_is_compared_is_compared_again() {
    use crate::gateway::{Action, Fault};
    let (gateway, copy) = target();
    gateway.set_time(1_000);
    copy.upsert(json!({"id": "1", "pk": "p", "n": 1}));
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("a");
    write_lines(&source, [r#"{"id":"1","pk":"p","n":2,"_ts":2000}"#]);
    // Between the reading and the replacing somebody else writes, later than the source.
    let (writer, clock) = (copy.clone(), 3_000);
    gateway.set_time(clock);
    gateway.push_fault(
        Fault::on(
            RequestKind::ItemWrite,
            Action::call(move || {
                writer.upsert(json!({"id": "1", "pk": "p", "n": 3}));
            }),
        )
        .when(|record| record.method == "PUT"),
    );
    let told = summary(&succeed(replay(&gateway, &source).args([
        "--write-mode",
        "newer",
        "--summary",
        "json",
    ])));
    assert_eq!(
        (&told["kept"], &told["replaced"]),
        (&json!(1), &json!(0)),
        "{told}"
    );
    assert_eq!(content(&copy), [br#"{"id":"1","n":3,"pk":"p"}"#.to_vec()]);
    assert_no_violations(&gateway);
}

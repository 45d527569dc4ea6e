//! Documents without a value at the partition key are replayed where they were.

use std::collections::BTreeSet;

use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use cosmos_tail::demo::{DemoAccount, DemoOptions};
use serde_json::json;

use super::*;
use crate::bad_input::refuse;
use crate::command::{CONTAINER, DATABASE, cosmos_tail, export, succeed};
use crate::gateway::GatewayOptions;

const HIERARCHY: &[&str] = &["/tenant", "/user", "/session"];

fn definition(paths: &[&str]) -> PartitionKeyDefinition {
    PartitionKeyDefinition::new(paths.iter().map(|path| (*path).to_owned().into()).collect())
}

/// Documents of one id with every combination of values at `paths`: none, null, text, and a number.
fn documents(paths: &[&str]) -> Vec<Value> {
    let mut documents = vec![json!({"id": "same"})];
    for path in paths {
        let name = &path[1..];
        documents = documents
            .into_iter()
            .flat_map(|document| {
                [None, Some(json!(null)), Some(json!("x")), Some(json!(1.5))].map(|value| {
                    let mut document = document.clone();
                    if let Some(value) = value {
                        document[name] = value;
                    }
                    document
                })
            })
            .collect();
    }
    documents
}

/// What is in a container, and where: the effective partition key, the id, and the content.
pub(super) fn places(container: &Container) -> BTreeSet<(String, String, String)> {
    let place = |served: &crate::gateway::Served| {
        let content: Value = serde_json::from_slice(&without_system_fields(&served.text)).unwrap();
        (served.epk.clone(), served.id.clone(), content.to_string())
    };
    container.latest().iter().map(place).collect()
}

/// A source with documents at every kind of key, and an empty copy.
fn containers(paths: &[&str]) -> (Gateway, Container, Container) {
    let gateway = Gateway::start(GatewayOptions::default());
    let source = gateway.create_container(DATABASE, CONTAINER, definition(paths), 3);
    let copy = gateway.create_container(DATABASE, COPY, definition(paths), 2);
    for document in documents(paths) {
        source.upsert(document);
    }
    (gateway, source, copy)
}

fn copy_container(gateway: &Gateway) -> Command {
    let mut command = against(gateway);
    command.env("AZURE_COSMOS_CONTAINER", COPY).args([
        "replay",
        "--from-container",
        &format!("{DATABASE}/{CONTAINER}"),
        "--summary",
        "json",
    ]);
    command
}

#[test]
fn documents_without_a_key_are_replayed_from_every_format_where_they_were() {
    for (paths, total, keyless) in [(&["/pk"][..], 4, 1), (HIERARCHY, 64, 64 - 27)] {
        for format in [
            &["--format", "jsonl"][..],
            &["--format", "csv"],
            &["--format", "csv", "--schema", "raw"],
            &["--format", "parquet"],
        ] {
            let (gateway, source, copy) = containers(paths);
            let directory = tempfile::tempdir().unwrap();
            let out = directory.path().join("out");
            succeed(export(&gateway, &out).args(format));
            let again = |arguments: &[&str]| {
                let mut command = replay(&gateway, &out);
                summary(&succeed(
                    command.args(["--summary", "json"]).args(arguments),
                ))
            };
            let predicted = again(&["--dry-run"]);
            assert_eq!(predicted["created"], total, "{format:?}: {predicted}");
            let told = again(&[]);
            assert_eq!(
                (&told["created"], &told["keyless"]),
                (&json!(total), &json!(keyless)),
                "{format:?}: {told}"
            );
            assert_eq!(places(&copy), places(&source), "{format:?}");
            for mode in ["upsert", "create", "newer"] {
                let told = again(&["--write-mode", mode, "--dry-run"]);
                assert_eq!(told["unchanged"], total, "{format:?} {mode}: {told}");
                again(&["--write-mode", mode]);
            }
            assert_eq!(places(&copy), places(&source), "{format:?}");
            assert_no_violations(&gateway);
        }
    }
}

#[test]
fn a_copy_of_a_container_has_its_documents_without_a_key() {
    for paths in [&["/pk"][..], HIERARCHY] {
        let (gateway, source, copy) = containers(paths);
        let told = summary(&succeed(&mut copy_container(&gateway)));
        assert_eq!(told["created"], documents(paths).len(), "{told}");
        assert_eq!(places(&copy), places(&source));
        assert_no_violations(&gateway);
    }
    // Also if no document has a key.
    let gateway = Gateway::start(GatewayOptions::default());
    let source = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    for number in 0..5 {
        source.upsert(json!({"id": number.to_string()}));
    }
    let told = summary(&succeed(&mut copy_container(&gateway)));
    assert_eq!(told["keyless"], 5, "{told}");
    assert_eq!(places(&copy), places(&source));
    assert_no_violations(&gateway);
}

#[test]
fn versions_and_deletions_without_a_key_are_applied() {
    let gateway = Gateway::start(GatewayOptions::default());
    let source = gateway.create_container(DATABASE, CONTAINER, definition(HIERARCHY), 2);
    let copy = gateway.create_container(DATABASE, COPY, definition(HIERARCHY), 2);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let command = || {
        let mut command = copy_container(&gateway);
        command.args(["--mode", "all", "--state"]).arg(&state);
        command
    };
    succeed(&mut command());
    for document in documents(HIERARCHY) {
        source.upsert(document.clone());
        let mut next = document;
        next["version"] = 2.into();
        source.replace(next);
    }
    source.delete("same", json!(["x", {}, {}]));
    source.expire("same", json!([{}, {}, {}]));
    let told = summary(&succeed(&mut command()));
    assert_eq!(
        (&told["created"], &told["replaced"], &told["deleted"]),
        (&json!(64), &json!(64), &json!(2)),
        "{told}"
    );
    assert_eq!(places(&copy), places(&source));
    assert_eq!(places(&copy).len(), 62);
    assert_no_violations(&gateway);
}

#[test]
fn containers_made_without_a_partition_key_are_copied() {
    let gateway = Gateway::start(GatewayOptions::default());
    let source = gateway.create_container(DATABASE, CONTAINER, "/_partitionKey", 1);
    let copy = gateway.create_container(DATABASE, COPY, "/_partitionKey", 1);
    source.give_system_key();
    copy.give_system_key();
    for number in 0..5 {
        source.upsert(json!({"id": number.to_string()}));
        source.upsert(json!({"id": number.to_string(), "_partitionKey": "p"}));
    }
    source.upsert(json!({"id": "a/b"}));
    for mode in ["upsert", "create", "newer"] {
        let mut command = copy_container(&gateway);
        succeed(command.args(["--write-mode", mode]));
        assert_eq!(places(&copy), places(&source), "{mode}");
    }
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let told = summary(&succeed(replay(&gateway, &out).args([
        "--dry-run",
        "--summary",
        "json",
    ])));
    assert_eq!(told["unchanged"], 11, "{told}");
    let keys: BTreeSet<String> = gateway
        .write_log()
        .iter()
        .map(|write| write.partition_key.clone())
        .collect();
    assert_eq!(
        keys,
        BTreeSet::from(["[]".to_owned(), r#"["p"]"#.to_owned()])
    );
    let deletions = directory.path().join("deletions.jsonl");
    write_lines(
        &deletions,
        ["0", "a/b"].map(|id| {
            json!({"current": {}, "metadata": {"operationType": "delete", "id": id, "partitionKey": {}}})
                .to_string()
        }),
    );
    let mut command = replay(&gateway, &deletions);
    command.args(["--input", "changes"]);
    let told = summary(&succeed(command.args([
        "--missing-key",
        "write",
        "--summary",
        "json",
    ])));
    assert_eq!(told["deleted"], 2, "{told}");
    assert_eq!(places(&copy).len(), 9);
    assert_no_violations(&gateway);
}

#[test]
fn a_program_that_removes_the_key_writes_documents_without_one() {
    let gateway = Gateway::start(GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("a.jsonl");
    write_lines(
        &source,
        [
            r#"{"current":{"id":"1","pk":"p"},"metadata":{"operationType":"create"}}"#,
            r#"{"current":{"id":"2","pk":"p"},"metadata":{"operationType":"create"}}"#,
            r#"{"current":{},"metadata":{"operationType":"delete","id":"1","partitionKey":{"pk":"p"}}}"#,
        ],
    );
    let mut command = replay(&gateway, &source);
    command.args(["--input", "changes", "--transform", "del(.pk)"]);
    command.args(["--missing-key", "write"]);
    succeed(&mut command);
    assert_eq!(content(&copy), [br#"{"id":"2"}"#.to_vec()]);
    let log = gateway.write_log();
    assert!(log.iter().all(|write| write.partition_key == "[{}]"));
    assert_no_violations(&gateway);
}

#[test]
fn lines_without_a_key_stop_at_a_target_that_may_be_the_wrong_one() {
    let gateway = Gateway::start(GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("a.jsonl");
    let keyless: Vec<String> = (0..1200)
        .map(|number| json!({"id": number.to_string()}).to_string())
        .collect();
    write_lines(&source, &keyless);
    let run = |arguments: &[&str]| {
        let mut command = replay(&gateway, &source);
        command.args(arguments).args(["--summary", "json"]);
        command
    };
    let parts = [
        "seems to have another partition key",
        "none of the first 1000 documents has a value at `/pk`",
        "--missing-key write",
    ];
    refuse(&mut run(&[]), 2, &parts);
    refuse(&mut run(&["--dry-run"]), 2, &parts);
    assert_eq!(copy.latest().len(), 0);
    // One at a time in memory.
    let few = ["--checkpoint-changes", "7", "--state", "state"];
    let mut command = run(&few);
    refuse(
        command.current_dir(directory.path()),
        2,
        &["first 7 documents"],
    );
    let told = summary(&refuse(
        &mut run(&["--missing-key", "refuse", "--max-errors", "5000"]),
        1,
        &["no value at `/pk`"],
    ));
    assert_eq!(told["refused"], 1200);
    let told = summary(&succeed(&mut run(&["--missing-key", "write"])));
    assert_eq!(told["keyless"], 1200);
    assert_eq!(copy.latest().len(), 1200);
    // A document with a key shows that the target is right; those before it keep their order.
    write_lines(
        &source,
        [
            r#"{"id":"1","version":2}"#,
            r#"{"id":"1","version":3}"#,
            r#"{"id":"1","pk":"p"}"#,
            r#"{"id":"1","version":4}"#,
        ],
    );
    let told = summary(&succeed(&mut run(&[])));
    assert_eq!(
        (&told["replaced"], &told["created"]),
        (&json!(3), &json!(1)),
        "{told}"
    );
    let versions: Vec<Value> = writes_of(&gateway.write_log(), "1")
        .iter()
        .filter(|write| write.partition_key == "[{}]")
        .map(|write| serde_json::from_slice::<Value>(&write.body).unwrap()["version"].clone())
        .collect();
    assert_eq!(versions, [json!(null), json!(2), json!(3), json!(4)]);
    assert_no_violations(&gateway);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_account_has_documents_without_a_key_where_they_are_looked_for() {
    let options = DemoOptions {
        documents: 0,
        partitions: 3,
        ..DemoOptions::default()
    };
    let account = DemoAccount::start(&options).await.unwrap();
    let (endpoint, key) = (account.endpoint().to_string(), account.key().to_owned());
    let check = move || {
        let of = |container: &str| {
            let mut command = cosmos_tail();
            command
                .env("AZURE_COSMOS_ENDPOINT", &endpoint)
                .env("AZURE_COSMOS_KEY", &key)
                .env("AZURE_COSMOS_DATABASE", DemoAccount::DATABASE)
                .env("AZURE_COSMOS_CONTAINER", container);
            command
        };
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("a.jsonl");
        for paths in [&["/pk"][..], HIERARCHY, &["/_partitionKey"]] {
            let all = documents(paths);
            write_lines(&source, all.iter().map(Value::to_string));
            let (name, copy) = (
                format!("source-{}", paths[0].len()),
                format!("copy-{}", paths[0].len()),
            );
            let create = |command: &mut Command| {
                command.args(["--create", "--summary", "json"]);
                for path in paths {
                    command.args(["--partition-key", path]);
                }
            };
            let mut command = of(&name);
            command
                .arg("replay")
                .arg(&source)
                .args(["--missing-key", "write"]);
            create(&mut command);
            assert_eq!(summary(&succeed(&mut command))["created"], all.len());
            let mut command = of(&copy);
            let from = format!("{}/{name}", DemoAccount::DATABASE);
            command.args(["replay", "--from-container", &from]);
            create(&mut command);
            let told = summary(&succeed(&mut command));
            assert_eq!(told["created"], all.len(), "{told}");
            for mode in ["upsert", "create", "newer"] {
                let mut command = of(&copy);
                command.args(["replay", "--from-container", &from, "--write-mode", mode]);
                let told = summary(&succeed(command.args(["--dry-run", "--summary", "json"])));
                assert_eq!(told["unchanged"], all.len(), "{mode}: {told}");
            }
            // One logical partition of the copy: the documents without any value.
            let mut command = of(&copy);
            command.args(["tail", "--from", "beginning", "--until-caught-up"]);
            for _ in paths {
                command.args(["--partition-key", "{}"]);
            }
            let found = succeed(&mut command).stdout;
            let found: Vec<Value> = found
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            assert_eq!(found.len(), 1, "{paths:?}: {found:?}");
            assert!(paths.iter().all(|path| found[0].get(&path[1..]).is_none()));
            let deletions = all.iter().map(|document| {
                let key: serde_json::Map<String, Value> = paths
                    .iter()
                    .filter_map(|path| Some((path[1..].to_owned(), document.get(&path[1..])?.clone())))
                    .collect();
                json!({"current": {}, "metadata": {"operationType": "delete", "id": "same", "partitionKey": key}})
                    .to_string()
            });
            write_lines(&source, deletions);
            let mut command = of(&copy);
            command.arg("replay").arg(&source).args([
                "--input",
                "changes",
                "--missing-key",
                "write",
            ]);
            let told = summary(&succeed(command.args(["--summary", "json"])));
            assert_eq!(told["deleted"], all.len(), "{paths:?}: {told}");
        }
    };
    tokio::task::spawn_blocking(check).await.unwrap();
}

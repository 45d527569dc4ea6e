//! Export, replay into another container, export that: the same documents.

use std::io::Write as _;
use std::process::Stdio;

#[cfg(feature = "demo")]
use cosmos_tail::demo::{DemoAccount, DemoOptions};
use serde_json::{Value, json};

use super::*;
use crate::command::{
    CONTAINER, DATABASE, assert_same, export, lines, spawn, state_directory, succeed, wait,
};
use crate::gateway::{Operation, RawDocument, SystemFields};
use crate::orders::{document, fill, filled};

/// Documents that a careless hand would alter.
fn delicate() -> Vec<RawDocument> {
    [
        r#"{"id":"n1","pk":"key-1","price":1.10,"big":123456789012345678901234567890,"tiny":1E-7}"#,
        r#"{"pk":"key-1","id":"n2","z":1,"a":2,"dup":{"x":1,"x":2},"e":"\u00e9\ud83d\ude00","ttl":3600}"#,
        r#"{"id":"n3","pk":"key-1","nested":{"_ts":1,"_rid":"kept"},"current":{"id":"x"},"text":"line\nbreak"}"#,
        r#"{"id":"n 4 ü","pk":"key-1","empty":{},"list":[[],{}],"null":null}"#,
    ]
    .iter()
    .map(|text| RawDocument {
        id: serde_json::from_str::<Value>(text).unwrap()["id"].as_str().unwrap().to_owned(),
        partition_key: vec!["key-1".into()],
        text: (*text).into(),
        system_fields: SystemFields::Spliced,
    })
    .collect()
}

#[test]
fn an_export_survives_a_round_trip_byte_for_byte() {
    for compression in ["none", "gzip", "zstd"] {
        let (gateway, container) = filled(4, 500);
        container.raw(delicate());
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (directory.path().join("a"), directory.path().join("b"));
        succeed(export(&gateway, &first).args(["--compression", compression]));
        let ended = succeed(replay(&gateway, &first).args([
            "--create",
            "--partition-key",
            "/pk",
            "--summary",
            "json",
        ]));
        let told = summary(&ended);
        assert_eq!(
            (&told["outcome"], &told["created"], &told["changes"]),
            (&json!("done"), &json!(504), &json!(504))
        );
        succeed(&mut export_copy(&gateway, &second));
        let strip = |lines: Vec<Vec<u8>>| -> Vec<Vec<u8>> {
            lines.iter().map(|l| without_system_fields(l)).collect()
        };
        assert_same(&strip(lines(&second)), &strip(lines(&first)));
        assert_eq!(lines(&second).len(), 504);
        let log = gateway.write_log();
        assert!(log.iter().all(|write| {
            let body: Value = serde_json::from_slice(&write.body).unwrap();
            ["_rid", "_self", "_etag", "_attachments", "_ts", "_lsn"]
                .iter()
                .all(|name| body.get(name).is_none())
        }));
        // Once more, which changes nothing but is charged.
        let again = succeed(replay(&gateway, &first).args(["--summary", "json"]));
        assert_eq!(summary(&again)["replaced"], 504);
        let copy = gateway.container(DATABASE, COPY).unwrap();
        assert_same(&content(&copy), &content(&container));
        assert_no_violations(&gateway);
    }
}

#[test]
fn rows_of_csv_and_parquet_become_the_same_documents() {
    for arguments in [
        &["--format", "csv", "--delimiter", ";", "--null", "NULL"][..],
        &[
            "--format",
            "csv",
            "--compression",
            "zstd",
            "--schema",
            "raw",
        ],
        &["--format", "parquet", "--system-fields", "drop"],
        &["--format", "parquet", "--schema", "raw"],
        &["--format", "arrow", "--system-fields", "drop"],
        &[
            "--format",
            "arrow",
            "--schema",
            "raw",
            "--compression",
            "zstd",
        ],
    ] {
        let (gateway, container) = filled(2, 200);
        container.raw(delicate());
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        succeed(export(&gateway, &out).args(arguments));
        let state = directory.path().join("state");
        succeed(replay(&gateway, &out).arg("--state").arg(&state));
        assert_eq!(values(&copy), values(&container), "{arguments:?}");
        let again = succeed(
            replay(&gateway, &out)
                .args(["--summary", "json", "--state"])
                .arg(&state),
        );
        assert_eq!(summary(&again)["changes"], 0, "{arguments:?}");
        assert_no_violations(&gateway);
    }
}

#[test]
fn an_odd_value_does_not_change_its_column_and_is_replayed_exactly() {
    let (gateway, container) = filled(2, 0);
    for number in 0..400_u16 {
        let mut order = document(number.into());
        order["total"] = json!(f64::from(number) + 0.5);
        order["lines"] = json!([{"sku": "x", "n": number}]);
        order["open"] = json!(true);
        order["customer"] = json!({"age": f64::from(number) + 0.25});
        order["at"] = json!("2026-11-28T12:00:00Z");
        match number {
            7 => order["total"] = json!("12 EUR"),
            8 => order["total"] = json!(9_007_199_254_740_993_u64),
            9 => order["lines"] = json!([{"sku": "x", "n": "many"}]),
            10 => order["open"] = json!("yes"),
            11 => order["customer"] = json!("someone"),
            12 => order["customer"]["age"] = json!(9_007_199_254_740_993_u64),
            13 => order["at"] = json!("soon"),
            _ => {}
        }
        container.upsert(order);
    }
    let types = |format: &str, out: &Path, arguments: &[&str]| -> (Vec<String>, u64, String) {
        let ended = succeed(
            export(&gateway, out)
                .args([
                    "--format",
                    format,
                    "--summary",
                    "json",
                    "--detect-timestamps",
                ])
                .args(["--sample", "all"])
                .args(arguments),
        );
        let state: Value = serde_json::from_slice(
            &std::fs::read(state_directory(out).join("state.json")).unwrap(),
        )
        .unwrap();
        let schema = &state["state"]["options"]["layout"]["columns"]["schema"];
        let columns: Vec<String> = serde_json::from_value(schema.clone()).unwrap();
        let wanted = ["total ", "lines ", "open ", "customer ", "at "];
        let columns = columns
            .into_iter()
            .filter(|column| wanted.iter().any(|wanted| column.starts_with(wanted)));
        let overflowed = summary(&ended)["overflowed"].as_u64().unwrap();
        (columns.collect(), overflowed, ended.stderr)
    };
    let directory = tempfile::tempdir().unwrap();
    for format in ["csv", "parquet"] {
        let out = directory.path().join(format);
        let (columns, overflowed, _) = types(format, &out, &[]);
        assert_eq!(
            columns,
            [
                "at timestamp(0)",
                "customer struct<age: double>",
                "lines list<struct<n: int64, sku: string>>",
                "open boolean",
                "total double",
            ],
            "{format}"
        );
        // CSV has lists as JSON, in which anything fits.
        assert_eq!(overflowed, if format == "csv" { 6 } else { 7 }, "{format}");
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
        succeed(&mut replay(&gateway, &out));
        assert_eq!(values(&copy), values(&container), "{format}");
        gateway.delete_container(DATABASE, COPY);
        let strict = directory.path().join(format!("strict-{format}"));
        let (columns, _, _) = types(format, &strict, &["--strict-types"]);
        assert_eq!(
            columns,
            [
                "at string",
                "customer json",
                "lines list<struct<n: json, sku: string>>",
                "open json",
                "total json"
            ],
            "{format}"
        );
    }
}

/// The latest documents of a container by their values: columns have an order of their own.
fn values(container: &Container) -> Vec<String> {
    let value = |document: &Vec<u8>| serde_json::from_slice::<Value>(document).unwrap();
    let mut values: Vec<String> = content(container)
        .iter()
        .map(|document| value(document).to_string())
        .collect();
    values.sort();
    values
}

/// Creates some items, changes and deletes existing ones, and re-creates some.
fn live(container: &Container, numbers: std::ops::Range<usize>) {
    for (round, number) in numbers.enumerate() {
        let (id, key) = (format!("item-{number}"), format!("key-{}", number % 97));
        for version in 0..3 {
            let mut changed = document(number);
            changed["version"] = json!(version);
            container.upsert(changed);
        }
        if round % 4 < 2 {
            container.delete(&id, key.as_str());
        }
        if round % 4 == 1 {
            let mut changed = document(number);
            changed["version"] = json!("again");
            changed["extra"] = json!([number, {"deep": 1.5}]);
            container.upsert(changed);
        }
        if round % 4 == 2 {
            container.expire(&id, key.as_str());
        }
    }
}

#[test]
fn an_export_of_all_versions_is_applied_from_every_format() {
    for (arguments, previous_images) in [
        (&["--format", "jsonl"][..], false),
        (&["--format", "csv", "--null", "NULL"], false),
        (
            &[
                "--format",
                "csv",
                "--schema",
                "raw",
                "--compression",
                "gzip",
            ],
            true,
        ),
        (&["--format", "parquet"], true),
        (&["--format", "parquet", "--schema", "raw"], false),
        (&["--format", "arrow"], true),
        (&["--format", "arrow", "--schema", "raw"], false),
    ] {
        let gateway = Gateway::start(crate::gateway::GatewayOptions {
            previous_images,
            ..Default::default()
        });
        let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
        fill(&container, 0..50);
        fill(&copy, 0..50);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        // The feed of all versions begins with this.
        succeed(
            export(&gateway, &out)
                .args(["--mode", "all"])
                .args(arguments),
        );
        live(&container, 20..60);
        container.raw(delicate());
        let mut resume = crate::command::resume(&gateway, &out);
        succeed(&mut resume);
        container.split(&container.partitions()[0].id, 2);
        live(&container, 40..80);
        container.delete("n1", "key-1");
        succeed(&mut resume);
        let told = summary(&succeed(replay(&gateway, &out).args(["--summary", "json"])));
        // Per four of the 80 rounds, two have a delete, one an expiry, and one a re-created item; and one of the
        // delicate items was deleted.
        let (versions, deleted, again) = (3 * 80 + delicate().len(), 40 + 20 + 1, 20);
        assert_eq!(
            told["changes"],
            versions + deleted + again,
            "{arguments:?}: {told}"
        );
        assert_eq!(told["deleted"], deleted, "{arguments:?}: {told}");
        assert_eq!(values(&copy), values(&container), "{arguments:?}");
        assert_eq!(values(&copy).len(), 20 + 10 + 20 + 3, "{arguments:?}");
        // In the order of the source, version after version.
        let log = gateway.write_log();
        for number in 20..80 {
            let id = format!("item-{number}");
            let written: Vec<String> = writes_of(&log, &id)
                .iter()
                .map(|write| match write.operation {
                    Operation::Delete => "deleted".to_owned(),
                    _ => {
                        serde_json::from_slice::<Value>(&write.body).unwrap()["version"].to_string()
                    }
                })
                .collect();
            let life = |round: usize| -> &[&str] {
                match round % 4 {
                    0 => &["0", "1", "2", "deleted"],
                    1 => &["0", "1", "2", "deleted", "\"again\""],
                    2 => &["0", "1", "2", "deleted"],
                    _ => &["0", "1", "2"],
                }
            };
            let first = (20..60).contains(&number).then(|| life(number - 20));
            let second = (40..80).contains(&number).then(|| life(number - 40));
            let lives = [first, second].into_iter().flatten().flatten();
            assert_eq!(
                written,
                lives.copied().collect::<Vec<_>>(),
                "{arguments:?}: {id}"
            );
        }
        // Once more, which leaves the same.
        succeed(&mut replay(&gateway, &out));
        assert_eq!(values(&copy), values(&container), "{arguments:?}");
        assert_no_violations(&gateway);
    }
}

#[test]
fn every_version_and_delete_of_a_feed_is_applied_in_order() {
    let gateway = Gateway::start(crate::gateway::GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 4);
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    fill(&container, 0..50);
    fill(&copy, 0..50);
    let directory = tempfile::tempdir().unwrap();
    let feed = directory.path().join("feed.jsonl");
    let tail = || {
        let mut command = against(&gateway);
        command
            .args(["tail", "--mode", "all", "--until-caught-up", "-o"])
            .arg(&feed);
        command
    };
    succeed(&mut tail());
    for number in 0..60 {
        for version in 0..3 {
            let mut changed = document(number);
            changed["version"] = json!(version);
            container.upsert(changed);
        }
        let key = format!("key-{}", number % 97);
        match number % 5 {
            0 => drop(container.delete(&format!("item-{number}"), key.as_str())),
            1 => drop(container.expire(&format!("item-{number}"), key.as_str())),
            _ => {}
        }
    }
    succeed(&mut tail());
    let ended = succeed(replay(&gateway, &feed).args(["--summary", "json"]));
    assert_eq!(summary(&ended)["deleted"], 24);
    assert_same(&content(&copy), &content(&container));
    // In the order of the source, version after version.
    let log = gateway.write_log();
    for number in 0..60 {
        let writes = writes_of(&log, &format!("item-{number}"));
        let versions: Vec<Value> = writes
            .iter()
            .filter(|write| write.operation != Operation::Delete)
            .map(|write| serde_json::from_slice::<Value>(&write.body).unwrap()["version"].clone())
            .collect();
        assert_eq!(versions, [0, 1, 2], "item-{number}");
        let last = writes.last().unwrap().operation;
        assert_eq!(last == Operation::Delete, number % 5 < 2, "item-{number}");
    }
    // The same deletes again find nothing, which is fine; expiries can be left out.
    let again =
        succeed(replay(&gateway, &feed).args(["--ttl-deletes", "skip", "--summary", "json"]));
    assert_eq!(summary(&again)["kept"], 12);
    assert_eq!(content(&copy).len(), content(&container).len() + 12);
    assert_no_violations(&gateway);
}

#[test]
fn standard_input_is_applied_as_it_arrives() {
    let (gateway, container) = filled(2, 100);
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    let mut child = spawn(replay(&gateway, Path::new("-")).stdin(Stdio::piped()));
    let mut input = child.stdin.take().unwrap();
    for (number, served) in container.latest().iter().enumerate() {
        input.write_all(&served.text).unwrap();
        input.write_all(b"\r\n\n").unwrap();
        if number == 49 {
            // Records that have arrived are written, although the pipe is still open.
            gateway.wait_for_writes(50);
        }
    }
    drop(input);
    let ended = wait(child);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("replayed 100 changes"),
        "{}",
        ended.stderr
    );
    assert_same(&content(&copy), &content(&container));
}

#[test]
fn hierarchical_keys_numbers_and_odd_ids_find_their_items() {
    let gateway = Gateway::start(crate::gateway::GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, ("/tenant", "/user/id"), 2);
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("a.jsonl");
    write_changes(
        &source,
        [
            r#"{"id":"a b+c&d=é","tenant":"t","user":{"id":1.50}}"#,
            r#"{"id":"2","tenant":null,"user":{"id":true}}"#,
            r#"{"id":"3","tenant":"x","user":{"id":12345678901}}"#,
            r#"{"current":{},"metadata":{"operationType":"delete","id":"a b+c&d=é","partitionKey":{"tenant":"t","id":1.5}}}"#,
            r#"{"metadata":{"operationType":"delete","id":"2","partitionKey":[null,true]}}"#,
        ],
    );
    succeed(replay(&gateway, &source).args(["--input", "changes"]));
    assert_eq!(
        content(&copy),
        [br#"{"id":"3","tenant":"x","user":{"id":12345678901}}"#.to_vec()]
    );
    assert_no_violations(&gateway);
}

#[test]
fn since_and_until_select_a_span_of_time() {
    let gateway = Gateway::start(crate::gateway::GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("a.jsonl");
    // 1700000000 is 2023-11-14T22:13:20Z.
    let lines = (0..5).map(|n| format!(r#"{{"id":"{n}","pk":"p","_ts":{}}}"#, 1_700_000_000 + n));
    write_lines(&source, lines);
    let span = [
        "--since",
        "2023-11-14T22:13:21Z",
        "--until",
        "2023-11-14T22:13:23Z",
    ];
    let told = summary(&succeed(
        replay(&gateway, &source)
            .args(span)
            .args(["--summary", "json"]),
    ));
    assert_eq!((&told["created"], &told["kept"]), (&json!(3), &json!(2)));
    let ids: Vec<String> = copy
        .latest()
        .iter()
        .map(|served| served.id.clone())
        .collect();
    assert_eq!(ids, ["1", "2", "3"]);
    let mut shown = crate::command::cosmos_tail();
    shown.arg("replay").arg(&source).arg("--stdout").args(span);
    assert_eq!(succeed(&mut shown).stdout.lines().count(), 3);
    write_lines(&source, [r#"{"id":"n","pk":"p"}"#]);
    let mut without = replay(&gateway, &source);
    crate::bad_input::refuse(without.args(span), 1, &["line 1: it has no `_ts`"]);
    let mut turned = replay(&gateway, &source);
    turned.args(["--since", "1h", "--until", "2h"]);
    crate::bad_input::refuse(&mut turned, 2, &["--until is before --since"]);
    assert_no_violations(&gateway);
}

/// The embedded account: somebody else's idea of the service.
#[cfg(feature = "demo")]
struct Emulated {
    account: DemoAccount,
    directory: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

#[cfg(feature = "demo")]
impl Emulated {
    fn with(documents: u32) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let options = DemoOptions {
            documents,
            ..DemoOptions::default()
        };
        Self {
            account: runtime.block_on(DemoAccount::start(&options)).unwrap(),
            directory: tempfile::tempdir().unwrap(),
            _runtime: runtime,
        }
    }

    fn command(&self, container: &str) -> Command {
        let mut command = crate::command::cosmos_tail();
        command
            .env("AZURE_COSMOS_ENDPOINT", self.account.endpoint().as_str())
            .env("AZURE_COSMOS_KEY", self.account.key())
            .env("AZURE_COSMOS_DATABASE", DemoAccount::DATABASE)
            .env("AZURE_COSMOS_CONTAINER", container);
        command
    }

    /// The documents of a container, exported to `name`, without their system fields.
    fn documents(&self, name: &str, container: &str) -> Vec<Vec<u8>> {
        let path = self.directory.path().join(name);
        succeed(self.command(container).args(["export", "-o"]).arg(&path));
        let mut documents: Vec<Vec<u8>> = lines(&path)
            .iter()
            .map(|line| {
                let mut document: Value = serde_json::from_slice(line).unwrap();
                let members = document.as_object_mut().unwrap();
                members.retain(|name, _| !name.starts_with('_'));
                document.to_string().into_bytes()
            })
            .collect();
        documents.sort();
        documents
    }
}

#[cfg(feature = "demo")]
#[test]
fn the_emulator_has_the_same_documents_from_every_format() {
    let emulated = Emulated::with(300);
    let before = emulated.documents("a", DemoAccount::CONTAINER);
    assert_eq!(before.len(), 300);
    for (number, arguments) in [
        &["--compression", "gzip"][..],
        &["--compression", "zstd", "--rotate-bytes", "16KiB"],
        &["--format", "csv"],
        &[
            "--format",
            "csv",
            "--compression",
            "gzip",
            "--delimiter",
            "tab",
        ],
        &["--format", "csv", "--schema", "raw"],
        &["--format", "parquet"],
        &[
            "--format",
            "parquet",
            "--compression",
            "zstd",
            "--schema",
            "raw",
        ],
    ]
    .into_iter()
    .enumerate()
    {
        let exported = emulated.directory.path().join(format!("of-{number}"));
        let mut export = emulated.command(DemoAccount::CONTAINER);
        succeed(export.args(["export", "-o"]).arg(&exported).args(arguments));
        let copy = format!("copy-{number}");
        let mut replay = emulated.command(&copy);
        replay.args(["replay", "--create", "--partition-key", "/customerId"]);
        succeed(replay.arg(&exported));
        let after = emulated.documents(&format!("after-{number}"), &copy);
        assert_same(&after, &before);
    }
}

#[cfg(feature = "demo")]
#[test]
fn the_emulator_has_the_same_documents_after_a_round_trip() {
    let emulated = Emulated::with(500);
    let before = emulated.documents("a", DemoAccount::CONTAINER);
    let mut replay = emulated.command(DemoAccount::COPY);
    replay
        .arg("replay")
        .arg(emulated.directory.path().join("a"));
    let told = summary(&succeed(replay.args(["--summary", "json"])));
    assert_eq!(told["created"], 500);
    assert!(told["request_units"].as_f64().unwrap() > 500.0, "{told}");
    assert_same(&emulated.documents("b", DemoAccount::COPY), &before);

    // The files undo every change and delete, with every write mode.
    let dry = summary(&succeed(
        emulated
            .command(DemoAccount::COPY)
            .arg("replay")
            .arg(emulated.directory.path().join("a"))
            .args(["--dry-run", "--summary", "json"]),
    ));
    assert_eq!(
        (&dry["unchanged"], &dry["dry_run"]),
        (&json!(500), &json!(true))
    );
    let deletions = emulated.directory.path().join("deletions.jsonl");
    write_lines(
        &deletions,
        before.iter().take(100).map(|document| {
            let document: Value = serde_json::from_slice(document).unwrap();
            json!({"metadata": {"operationType": "delete", "id": document["id"],
                "partitionKey": {"customerId": document["customerId"]}}})
            .to_string()
        }),
    );
    let deleted = summary(&succeed(
        emulated
            .command(DemoAccount::COPY)
            .arg("replay")
            .arg(&deletions)
            .args(["--input", "changes", "--summary", "json"]),
    ));
    assert_eq!(deleted["deleted"], 100);
    for mode in ["create", "newer", "upsert"] {
        let told = summary(&succeed(
            emulated
                .command(DemoAccount::COPY)
                .arg("replay")
                .arg(emulated.directory.path().join("a"))
                .args(["--write-mode", mode, "--summary", "json"]),
        ));
        let created = if mode == "create" { 100 } else { 0 };
        assert_eq!(told["created"], created, "{mode}: {told}");
    }
    assert_same(&emulated.documents("c", DemoAccount::COPY), &before);
}

/// The emulator keeps a part of a definition only; that part is the same.
#[cfg(feature = "demo")]
#[test]
fn the_emulator_makes_a_container_by_the_definition_of_another() {
    let emulated = Emulated::with(50);
    let before = emulated.documents("a", DemoAccount::CONTAINER);
    let mut replay = emulated.command("made");
    replay
        .args(["replay", "--create"])
        .arg(emulated.directory.path().join("a"));
    succeed(&mut replay);
    assert_same(&emulated.documents("b", "made"), &before);
    let [source, made] = ["a", "b"].map(|name| {
        let own = state_directory(&emulated.directory.path().join(name));
        let text = std::fs::read(own.join("container.json")).unwrap();
        let file: Value = serde_json::from_slice(&text).unwrap();
        let mut definition = file["definition"].clone();
        let members = definition.as_object_mut().unwrap();
        members.retain(|name, _| !name.starts_with('_') && name != "id");
        definition
    });
    assert_eq!(made, source);
    assert_eq!(made["partitionKey"]["paths"], json!(["/customerId"]));
}

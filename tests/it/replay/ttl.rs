//! `--ttl`: what becomes of the time to live of documents.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::*;
use crate::bad_input::refuse;
use crate::command::{CONTAINER, DATABASE, against, export, run, succeed};
use crate::gateway::GatewayOptions;

/// How old the documents are.
const AGE: u64 = 1000;
/// How long an export and a replay may take.
const SLACK: u64 = 300;

/// Documents that were written so long ago, in a container with this default.
fn aged(default: Option<i64>) -> (Gateway, Container) {
    let gateway = Gateway::start(GatewayOptions::default());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    gateway.set_time(now - AGE);
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 1);
    if let Some(default) = default {
        container.define(json!({"defaultTtl": default}));
    }
    for document in [
        json!({"id": "long", "pk": "a", "ttl": 5000}),
        json!({"id": "short", "pk": "a", "ttl": 500}),
        json!({"id": "never", "pk": "a", "ttl": -1}),
        json!({"id": "none", "pk": "a"}),
    ] {
        container.upsert(document);
    }
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 1);
    copy.define(json!({"defaultTtl": -1}));
    gateway.set_time(now);
    (gateway, container)
}

/// The `ttl` of each document of the copy, by id; null if it has none.
fn ttls(gateway: &Gateway) -> Value {
    let copy = gateway.container(DATABASE, COPY).unwrap();
    let latest = copy.latest();
    let documents = latest.iter().map(|served| {
        let document: Value = serde_json::from_slice(&served.text).unwrap();
        (
            document["id"].as_str().unwrap().to_owned(),
            document["ttl"].clone(),
        )
    });
    Value::Object(documents.collect())
}

/// Asserts that about so many seconds are left.
#[track_caller]
fn assert_left(found: &Value, seconds: u64) {
    let found = found.as_u64().unwrap_or_else(|| panic!("{found}"));
    assert!(
        (seconds - AGE - SLACK..=seconds - AGE).contains(&found),
        "{found}"
    );
}

#[test]
fn the_rest_of_it_is_written_as_it_was_at_the_export() {
    for (default, none_left) in [
        (Some(-1), None),
        (Some(8000), Some(8000)),
        (Some(900), None),
    ] {
        let (gateway, _container) = aged(default);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        succeed(&mut export(&gateway, &out));
        let part = crate::command::files(&out, "jsonl").remove(0);
        for source in [&out, &part] {
            let mut command = replay(&gateway, source);
            command.args(["--ttl", "remaining", "--summary", "json"]);
            let predicted = summary(&succeed(command.arg("--dry-run")));
            let mut command = replay(&gateway, source);
            command.args(["--ttl", "remaining", "--summary", "json"]);
            let told = summary(&succeed(&mut command));
            let expired = if default == Some(900) { 2 } else { 1 };
            assert_eq!(told["expired"], expired, "{told}");
            assert_eq!(predicted["expired"], expired, "{predicted}");
            assert_eq!(told["changes"], 4, "{told}");
            let found = ttls(&gateway);
            assert_left(&found["long"], 5000);
            assert_eq!(found["never"], -1);
            assert!(found.get("short").is_none(), "{found}");
            match none_left {
                Some(seconds) => assert_left(&found["none"], seconds),
                None => assert_eq!(found["none"], Value::Null),
            }
        }
        // Years later the same is left: the file says when it was exported.
        let before = ttls(&gateway);
        let again = succeed(replay(&gateway, &out).args([
            "--ttl",
            "remaining",
            "--write-mode",
            "create",
            "--summary",
            "json",
        ]));
        assert_eq!(
            summary(&again)["unchanged"],
            before.as_object().unwrap().len(),
            "{before}"
        );
        assert_no_violations(&gateway);
    }
}

#[test]
fn it_begins_again_or_is_left_out() {
    let (gateway, _container) = aged(Some(8000));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    for arguments in [&[][..], &["--ttl", "keep"]] {
        succeed(replay(&gateway, &out).args(arguments));
        assert_eq!(
            ttls(&gateway),
            json!({"long": 5000, "short": 500, "never": -1, "none": null})
        );
    }
    succeed(replay(&gateway, &out).args(["--ttl", "drop"]));
    assert_eq!(
        ttls(&gateway),
        json!({"long": null, "short": null, "never": null, "none": null})
    );
}

#[test]
fn where_nothing_expires_nothing_is_shortened() {
    let (gateway, _container) = aged(None);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    succeed(replay(&gateway, &out).args(["--ttl", "remaining"]));
    assert_eq!(
        ttls(&gateway),
        json!({"long": 5000, "short": 500, "never": -1, "none": null})
    );
    // Nor in the target.
    let plain = gateway.create_container(DATABASE, "plain", "/pk", 1);
    let mut command = replay(&gateway, &out);
    let ended = succeed(command.args(["-c", "plain", "--ttl", "remaining"]));
    assert!(
        ended
            .stderr
            .contains("warning: the target has no default time to live"),
        "{}",
        ended.stderr
    );
    assert_eq!(plain.latest().len(), 4);
}

#[test]
fn a_live_copy_counts_to_now_and_newer_compares_as_before() {
    let (gateway, _container) = aged(Some(8000));
    let mut command = against(&gateway);
    command.env("AZURE_COSMOS_CONTAINER", COPY).args([
        "replay",
        "--from-container",
        &format!("{DATABASE}/{CONTAINER}"),
        "--ttl",
        "remaining",
        "--write-mode",
        "newer",
        "--summary",
        "json",
    ]);
    let told = summary(&succeed(&mut command));
    assert_eq!(
        (&told["created"], &told["expired"]),
        (&json!(3), &json!(1)),
        "{told}"
    );
    let found = ttls(&gateway);
    assert_left(&found["long"], 5000);
    assert_left(&found["none"], 8000);
    // The copies are newer than their sources now, or what is left is the same.
    let told = summary(&succeed(&mut command));
    assert_eq!(told["replaced"], 0, "{told}");
    assert_no_violations(&gateway);
}

#[test]
fn a_program_sees_what_is_left_and_has_the_last_word() {
    let (gateway, _container) = aged(Some(-1));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let mut command = replay(&gateway, &out);
    command.args(["--ttl", "remaining", "--transform"]);
    succeed(command.arg(".seen = .ttl | if .id == \"long\" then .ttl = 77 else . end"));
    let found = ttls(&gateway);
    assert_eq!((&found["long"], &found["never"]), (&json!(77), &json!(-1)));
    let mut command = replay(&gateway, &out);
    command.args(["--stdout", "--ttl", "drop"]);
    let printed = succeed(&mut command).stdout;
    assert_eq!(printed.lines().count(), 4);
    assert!(!printed.contains("ttl"), "{printed}");
    let printed = succeed(replay(&gateway, &out).args(["--stdout", "--ttl", "remaining"])).stdout;
    assert_eq!(printed.lines().count(), 3, "{printed}");
}

#[test]
fn a_document_of_an_unknown_age_is_refused_and_kept() {
    let (gateway, _container) = aged(Some(-1));
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("lines.jsonl");
    write_lines(
        &source,
        [
            r#"{"id":"1","pk":"p","ttl":60}"#,
            r#"{"id":"2","pk":"p"}"#,
            r#"{"id":"3","pk":"p","ttl":-1}"#,
        ],
    );
    let letters = directory.path().join("letters.jsonl");
    let mut command = replay(&gateway, &source);
    command
        .args(["--ttl", "remaining", "--dead-letter"])
        .arg(&letters);
    let ended = run(&mut command);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("no `_ts`, which --ttl remaining needs"),
        "{}",
        ended.stderr
    );
    let kept = dead_letters(&letters);
    assert_eq!(kept.len(), 1);
    // As it is in the source.
    assert_eq!(kept[0]["current"]["ttl"], 60);
    assert_eq!(ttls(&gateway), json!({"2": null, "3": -1}));
    succeed(&mut replay(&gateway, &letters));
    assert_eq!(ttls(&gateway)["1"], 60);
}

#[test]
fn a_replay_continues_with_the_same_choice() {
    let (gateway, _container) = aged(Some(-1));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let state = directory.path().join("state.json");
    let with = |arguments: &[&str]| {
        let mut command = replay(&gateway, &out);
        command.args(arguments).arg("--state").arg(&state);
        command
    };
    succeed(&mut with(&["--ttl", "remaining"]));
    succeed(&mut with(&["--ttl", "remaining"]));
    for other in [&[][..], &["--ttl", "keep"], &["--ttl", "drop"]] {
        refuse(
            &mut with(other),
            2,
            &["with --ttl remaining, not with --ttl "],
        );
    }
}

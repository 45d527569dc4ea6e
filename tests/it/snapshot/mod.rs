//! Exports with a snapshot: all documents, then every version and delete since the export began.

#[cfg(unix)]
mod kills;
#[cfg(unix)]
mod planted;
mod replayed;
mod resumed;
mod rows;
mod writer;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::command::{
    against, export, fail, interrupt, lines, resume, spawn, state_directory, succeed, wait,
};
use crate::gateway::{
    Action, Container, Fault, Gateway, GatewayOptions, RequestKind, RequestRecord, at_random,
};
use crate::orders::{document, filled, filled_with};
use rows::{Before, Row, is_the_table, judge, last_rows, rows};
use writer::writer;

/// An export with a snapshot, in pages of 20 documents.
fn snapshot(gateway: &Gateway, out: &Path) -> Command {
    let mut command = export(gateway, out);
    command.args(["--mode", "all", "--snapshot", "--page-size", "20"]);
    command
}

fn count(rows: &[Row], operation: &str) -> usize {
    rows.iter().filter(|row| row.operation == operation).count()
}

#[track_caller]
fn judged(gateway: &Gateway, container: &Container, out: &Path, before: &Before) {
    if let Err(wrong) = judge(gateway, container, out, before) {
        panic!("{wrong}");
    }
}

/// Reads what was written after the end of an export, while nothing more is written.
fn complete(gateway: &Gateway, out: &Path) {
    gateway.clear_faults();
    let mut command = against(gateway);
    for variable in ["ENDPOINT", "DATABASE", "CONTAINER"] {
        command.env_remove(format!("AZURE_COSMOS_{variable}"));
    }
    succeed(command.arg("resume").arg(out));
}

/// The last row of each document, as they come.
fn in_order(rows: &[Row]) -> impl Iterator<Item = &Row> {
    let last: BTreeMap<&str, &Row> = rows.iter().map(|row| (&*row.id, row)).collect();
    last.into_values()
}

#[test]
fn a_container_at_rest_is_its_documents() {
    let (gateway, container) = filled(4, 500);
    let before = Before::of(&container);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = succeed(&mut snapshot(&gateway, &out));
    assert!(
        ended
            .stderr
            .contains("the snapshot is complete: 500 documents"),
        "{}",
        ended.stderr
    );
    let found = rows(&out);
    assert_eq!(count(&found, "snapshot"), 500);
    assert_eq!(found.len(), 500);
    judged(&gateway, &container, &out, &before);
    let line = &lines(&out)[0];
    let text = String::from_utf8_lossy(line);
    assert!(text.starts_with("{\"current\":{\"id\":\"item-"), "{text}");
    let metadata: Value = serde_json::from_slice(line).unwrap();
    let metadata = &metadata["metadata"];
    assert_eq!(metadata["operationType"], "snapshot");
    assert!(metadata["lsn"].is_u64() && metadata["crts"].is_u64());
}

#[test]
fn whatever_is_written_and_deleted_meanwhile_is_there_in_each_format() {
    for (format, envelope) in [
        (&["--format", "jsonl"][..], true),
        (&["--format", "jsonl", "--compression", "zstd"], false),
        (&["--format", "csv"], true),
        (&["--format", "parquet"], true),
        (&["--format", "arrow"], false),
        (&["--format", "csv", "--schema", "raw"], true),
    ] {
        let options = GatewayOptions {
            envelope,
            ..GatewayOptions::default()
        };
        let (gateway, container) = filled_with(options, 3, 400);
        let before = Before::of(&container);
        // The sample of the columns reads pages too, and nothing is pinned then.
        let columns: &[&str] = match format[1] {
            "jsonl" => &[],
            _ if format.contains(&"raw") => &[],
            _ => &["--columns", "id:string,pk:string,number:int64,text:string"],
        };
        gateway.push_fault(writer(&container, 7, 60));
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        succeed(snapshot(&gateway, &out).args(format).args(columns));
        complete(&gateway, &out);
        judged(&gateway, &container, &out, &before);
        let found = rows(&out);
        for operation in ["snapshot", "create", "replace", "delete"] {
            assert!(count(&found, operation) > 0, "{format:?}: no {operation}");
        }
    }
}

#[test]
fn in_one_file_the_last_row_of_each_document_is_what_it_is() {
    let (gateway, container) = filled(3, 400);
    let before = Before::of(&container);
    gateway.push_fault(writer(&container, 11, 80));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out.jsonl");
    // The changes have a turn after each page.
    succeed(snapshot(&gateway, &out).args(["--poll-interval", "1ms"]));
    complete(&gateway, &out);
    judged(&gateway, &container, &out, &before);
    let found = rows(&out);
    is_the_table(in_order(&found), &container).unwrap();
}

#[test]
fn changes_are_read_beside_the_snapshot() {
    let (gateway, container) = filled(1, 600);
    gateway.push_fault(writer(&container, 3, 1000));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out.jsonl");
    succeed(snapshot(&gateway, &out).args(["--poll-interval", "1ms"]));
    let found = rows(&out);
    let last = found.iter().rposition(|row| row.operation == "snapshot");
    let beside = found[..last.unwrap()].iter();
    let beside = beside.filter(|row| row.operation != "snapshot").count();
    assert!(
        beside > 20,
        "{beside} changes before the end of the snapshot"
    );
}

#[test]
fn a_resume_continues_with_the_changes_and_takes_no_second_snapshot() {
    let (gateway, container) = filled(2, 300);
    let before = Before::of(&container);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut snapshot(&gateway, &out));
    for number in 0..50 {
        container.delete(&format!("item-{number}"), format!("key-{}", number % 97));
    }
    container.upsert(document(3));
    let ended = succeed(&mut resume(&gateway, &out));
    assert!(!ended.stderr.contains("snapshot"), "{}", ended.stderr);
    judged(&gateway, &container, &out, &before);
    let found = rows(&out);
    assert_eq!(count(&found, "snapshot"), 300);
    assert_eq!(count(&found, "delete"), 50);
    assert_eq!(count(&found, "create"), 1);
}

#[test]
fn with_follow_changes_follow_until_it_is_stopped() {
    let (gateway, container) = filled(2, 300);
    let before = Before::of(&container);
    gateway.push_fault(writer(&container, 5, 40));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let child = spawn(snapshot(&gateway, &out).args(["--follow", "--poll-interval", "20ms"]));
    // By then nothing more is written.
    gateway.wait_for(RequestKind::ChangeFeed, 100);
    gateway.wait_until_caught_up(&container);
    container.upsert(document(9999));
    container.delete("item-9999", "key-8");
    gateway.wait_until_caught_up(&container);
    interrupt(&child);
    let ended = wait(child);
    assert!(
        ended.stderr.contains("the snapshot is complete"),
        "{}",
        ended.stderr
    );
    judged(&gateway, &container, &out, &before);
}

#[test]
fn splits_and_merges_meanwhile_lose_nothing() {
    for seed in 0..4 {
        let (gateway, container) = filled(2, 500);
        let before = Before::of(&container);
        gateway.push_fault(writer(&container, seed, 80));
        for (nth, split) in [(3, true), (9, true), (15, false), (24, true), (40, false)] {
            let handle = container.clone();
            let change = Action::call(move || {
                let partitions = handle.partitions();
                if split {
                    handle.split(&partitions[nth % partitions.len()].id, 2);
                } else {
                    handle.merge(&partitions[0].id, &partitions[1].id);
                }
            });
            gateway.push_fault(
                Fault::on(RequestKind::ChangeFeed, change)
                    .when(RequestRecord::is_page)
                    .nth(nth),
            );
        }
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        succeed(snapshot(&gateway, &out).args(["--poll-interval", "1ms"]));
        complete(&gateway, &out);
        judged(&gateway, &container, &out, &before);
    }
}

#[test]
fn the_pins_are_committed_before_a_document_is_read() {
    let (gateway, _) = filled(3, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let path = state_directory(&out).join("state.json");
    let seen = std::sync::Arc::new(std::sync::Mutex::new(None));
    let keep = std::sync::Arc::clone(&seen);
    let look = Action::call(move || {
        let text = std::fs::read(&path).expect("a state is there");
        let state: Value = serde_json::from_slice(&text).unwrap();
        keep.lock().unwrap().get_or_insert(state["state"].clone());
    });
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, look)
            .when(RequestRecord::is_page)
            .always(),
    );
    succeed(&mut snapshot(&gateway, &out));
    let seen = seen.lock().unwrap().clone().expect("a page was requested");
    assert_eq!(seen["options"]["snapshot"], json!(true));
    let ranges = seen["ranges"].as_array().unwrap();
    assert_eq!(ranges.len(), 6);
    for range in ranges {
        let is_of_snapshot = range["snapshot"] == json!(true);
        assert_eq!(range["position"].is_null(), is_of_snapshot, "{range}");
    }
}

#[test]
fn replicas_that_lag_do_not_bring_deleted_documents_back() {
    for consistency in ["Session", "Eventual"] {
        let options = GatewayOptions {
            consistency,
            ..GatewayOptions::default()
        };
        let (gateway, container) = filled_with(options, 2, 300);
        gateway.push_fault(writer(&container, 21, 60));
        gateway.set_lag(at_random(5, 30));
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out.jsonl");
        let often = ["--poll-interval", "1ms", "--max-retries", "40"];
        succeed(snapshot(&gateway, &out).args(often));
        gateway.clear_lag();
        complete(&gateway, &out);
        let found = rows(&out);
        is_the_table(in_order(&found), &container).unwrap();
        is_the_table(last_rows(&found).into_values(), &container).unwrap();
    }
}

#[test]
fn flags_that_contradict_a_snapshot_are_refused() {
    let (gateway, _) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    for (arguments, message) in [
        (&["--snapshot"][..], "needs --mode all"),
        (
            &["--snapshot", "--mode", "all", "--from", "now"],
            "leave --from out",
        ),
        (&["--snapshot", "--query", "SELECT * FROM c"], "--snapshot"),
    ] {
        let ended = fail(export(&gateway, &out).args(arguments), 2);
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
        assert!(!out.exists());
    }
}

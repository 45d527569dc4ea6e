//! Sources that are right, though they look odd: numbers in other spellings, and exports without documents.

use serde_json::json;

use super::*;
use crate::command::{CONTAINER, DATABASE, cosmos_tail, export, succeed, verify};
use crate::gateway::{Gateway, GatewayOptions};

#[test]
fn a_time_is_the_same_in_every_spelling() {
    for (ts, crts) in [
        ("1790000000", "1790000000"),
        ("1790000000.0", "1790000000.00"),
        ("1.79e9", "17900000E2"),
    ] {
        let gateway = Gateway::start(GatewayOptions::default());
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
        for (time, id) in [(1_780_000_000, "older"), (1_800_000_000, "newer")] {
            gateway.set_time(time);
            copy.upsert(json!({"id": id, "pk": "p", "n": 1}));
        }
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("a.jsonl");
        let lines =
            ["older", "newer"].map(|id| format!(r#"{{"id":"{id}","pk":"p","n":2,"_ts":{ts}}}"#));
        write_lines(&source, &lines);
        let run = |arguments: &[&str]| {
            let mut command = replay(&gateway, &source);
            command.args(["--dry-run", "--summary", "json"]);
            summary(&succeed(command.args(arguments)))
        };
        let told = run(&["--write-mode", "newer"]);
        assert_eq!(
            (&told["replaced"], &told["kept"]),
            (&json!(1), &json!(1)),
            "{ts}: {told}"
        );
        for (since, kept) in [("2026-09-21T14:13:20Z", 0), ("2026-09-21T14:13:21Z", 2)] {
            assert_eq!(run(&["--since", since])["kept"], kept, "{ts} {since}");
        }
        let deletion = format!(
            r#"{{"metadata":{{"operationType":"delete","id":"newer","partitionKey":["p"],"crts":{crts}}}}}"#
        );
        write_lines(&source, [deletion]);
        let told = run(&["--input", "changes", "--write-mode", "newer"]);
        assert_eq!(told["kept"], 1, "{crts}: {told}");
        assert_no_violations(&gateway);
    }
}

#[test]
fn an_export_without_documents_is_replayed_as_it_is_verified() {
    for (output, arguments) in [
        ("out", &[][..]),
        ("out", &["--format", "csv"]),
        ("out", &["--format", "parquet"]),
        ("out", &["--mode", "all"]),
        ("out.jsonl", &[]),
        ("out.csv", &["--schema", "raw"]),
    ] {
        let gateway = Gateway::start(GatewayOptions::default());
        gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
        gateway.create_container(DATABASE, COPY, "/pk", 2);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join(output);
        succeed(export(&gateway, &out).args(arguments));
        assert_eq!(verify(&out, &[]).code, Some(0), "{output} {arguments:?}");
        for more in [&[][..], &["--dry-run"]] {
            let ended = succeed(replay(&gateway, &out).args(more));
            for part in [
                "0 changes",
                "has no finished files, so there is nothing to replay",
            ] {
                assert!(
                    ended.stderr.contains(part),
                    "{output} {arguments:?}: {}",
                    ended.stderr
                );
            }
        }
        let printed = succeed(cosmos_tail().arg("replay").arg(&out).arg("--stdout"));
        assert_eq!(printed.stdout, "", "{output} {arguments:?}");
        // A state of a replay is kept for what comes later.
        let state = directory.path().join("replay.json");
        succeed(replay(&gateway, &out).arg("--state").arg(&state));
        assert!(state.exists());
        assert!(gateway.write_log().is_empty());
        assert_no_violations(&gateway);
    }
}

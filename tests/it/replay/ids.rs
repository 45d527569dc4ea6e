//! Whatever the service takes for an id is written, read, compared and deleted.

use std::collections::BTreeMap;

use cosmos_tail::demo::{DemoAccount, DemoOptions};
use serde_json::json;

use super::*;
use crate::command::{DATABASE, cosmos_tail, succeed};
use crate::gateway::GatewayOptions;

/// Ids of every kind.
fn ids() -> Vec<String> {
    let mut ids: Vec<String> = (' '..='~')
        .flat_map(|c| [format!("{c}"), format!("a{c}b"), format!("{c}{c}")])
        .collect();
    ids.extend(
        [
            "..",
            "...",
            "../x",
            "a/../b",
            "a/",
            "//",
            "/dbs/shop",
            "%2e%2e",
            "%2F",
            "%25",
            "%",
            "100%",
            "a b ",
            " a",
            "\t",
            "a\nb",
            "a\r\n",
            "\u{0}",
            "\u{7f}",
            "\u{85}",
            "é",
            "e\u{301}",
            "注文",
            "🦀",
            "👩‍👩‍👧",
            "\u{202e}x",
            "\u{feff}",
            "\\\\",
            "\"",
            "?x=1#y",
            "+",
            "docs",
        ]
        .map(str::to_owned),
    );
    ids.extend([
        "x".repeat(255),
        "x".repeat(256),
        "x".repeat(1023),
        "é".repeat(511),
        "🦀".repeat(255),
    ]);
    ids.sort();
    ids.dedup();
    ids
}

/// A target, as a command that replays into it.
struct Target<'a> {
    command: &'a dyn Fn(&Path) -> Command,
    directory: tempfile::TempDir,
}

impl Target<'_> {
    fn run(&self, lines: &[Value], arguments: &[&str]) -> Value {
        let source = self.directory.path().join("a.jsonl");
        write_lines(&source, lines.iter().map(Value::to_string));
        let mut command = (self.command)(&source);
        if lines[0].get("current").is_some() {
            command.args(["--input", "changes"]);
        }
        summary(&succeed(
            command.args(["--summary", "json"]).args(arguments),
        ))
    }

    /// Every operation on each of the ids.
    fn check(&self) {
        let ids = ids();
        let all = ids.len();
        let of = |version: u64, ts: Option<u64>| -> Vec<Value> {
            let line = |id: &String| {
                let mut line = json!({"id": id, "customerId": format!("c{}", id.len() % 3), "version": version});
                if let Some(ts) = ts {
                    line["_ts"] = ts.into();
                }
                line
            };
            ids.iter().map(line).collect()
        };
        let counts = |told: &Value, expected: &[(&str, usize)]| {
            let expected: BTreeMap<&str, usize> = expected.iter().copied().collect();
            for name in [
                "created",
                "replaced",
                "deleted",
                "unchanged",
                "kept",
                "refused",
            ] {
                let expected = expected.get(name).copied().unwrap_or_default();
                assert_eq!(told[name], expected, "{name}: {told}");
            }
        };
        let future = 4_000_000_000;
        counts(&self.run(&of(1, None), &["--dry-run"]), &[("created", all)]);
        counts(&self.run(&of(1, None), &[]), &[("created", all)]);
        counts(
            &self.run(&of(1, None), &["--dry-run"]),
            &[("unchanged", all)],
        );
        counts(
            &self.run(&of(1, None), &["--write-mode", "create"]),
            &[("unchanged", all)],
        );
        counts(
            &self.run(&of(2, None), &["--batch-size", "1"]),
            &[("replaced", all)],
        );
        let newer = ["--write-mode", "newer"];
        counts(&self.run(&of(3, Some(1)), &newer), &[("kept", all)]);
        counts(
            &self.run(&of(3, Some(future)), &newer),
            &[("replaced", all)],
        );
        counts(&self.run(&of(3, Some(1)), &newer), &[("unchanged", all)]);
        let deletions = |ids: &[String], seconds: u64| -> Vec<Value> {
            let line = |id: &String| {
                let key = json!({"customerId": format!("c{}", id.len() % 3)});
                let metadata = json!({"operationType": "delete", "id": id, "partitionKey": key, "crts": seconds});
                json!({"current": {}, "metadata": metadata})
            };
            ids.iter().map(line).collect()
        };
        let (half, rest) = ids.split_at(all / 2);
        counts(&self.run(&deletions(&ids, 1), &newer), &[("kept", all)]);
        counts(
            &self.run(&deletions(half, future), &newer),
            &[("deleted", half.len())],
        );
        counts(
            &self.run(&deletions(&ids, 1), &["--dry-run"]),
            &[("deleted", rest.len()), ("unchanged", half.len())],
        );
        counts(
            &self.run(&deletions(&ids, 1), &[]),
            &[("deleted", rest.len()), ("unchanged", half.len())],
        );
    }
}

#[test]
fn every_operation_takes_every_id() {
    let gateway = Gateway::start(GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, "/customerId", 2);
    Target {
        command: &|source| replay(&gateway, source),
        directory: tempfile::tempdir().unwrap(),
    }
    .check();
    assert_eq!(copy.latest().len(), 0);
    assert_no_violations(&gateway);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_the_embedded_account_takes_every_id() {
    let options = DemoOptions {
        documents: 0,
        partitions: 2,
        ..DemoOptions::default()
    };
    let account = DemoAccount::start(&options).await.unwrap();
    let (endpoint, key) = (account.endpoint().to_string(), account.key().to_owned());
    tokio::task::spawn_blocking(move || {
        Target {
            command: &|source| {
                let mut command = cosmos_tail();
                command
                    .env("AZURE_COSMOS_ENDPOINT", &endpoint)
                    .env("AZURE_COSMOS_KEY", &key)
                    .env("AZURE_COSMOS_DATABASE", DemoAccount::DATABASE)
                    .env("AZURE_COSMOS_CONTAINER", DemoAccount::COPY)
                    .arg("replay")
                    .arg(source);
                command
            },
            directory: tempfile::tempdir().unwrap(),
        }
        .check();
    })
    .await
    .unwrap();
}

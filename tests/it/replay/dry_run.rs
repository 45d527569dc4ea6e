//! A dry run changes nothing, and predicts what the act does.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::bad_input::refuse;
use crate::command::{CONTAINER, DATABASE, cosmos_tail, export, run, succeed};
use crate::gateway::{GatewayOptions, RequestKind};
use crate::orders::fill;

/// The names of the commands, from the help.
fn commands() -> Vec<String> {
    let help = succeed(cosmos_tail().arg("--help")).stdout;
    let (_, listed) = help.split_once("Commands:\n").unwrap();
    listed
        .lines()
        .take_while(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .filter(|name| name != "help")
        .collect()
}

/// Every file below a directory with its bytes, locks included, and every directory.
fn everything(directory: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), None);
            found.extend(everything(&path));
        } else {
            found.insert(path.clone(), Some(std::fs::read(&path).unwrap()));
        }
    }
    found
}

/// A gateway with a source, a target that has some of its documents, and files to replay.
struct Scene {
    gateway: Gateway,
    directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let gateway = Gateway::start(GatewayOptions::default());
        let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
        fill(&container, 0..30);
        fill(&copy, 10..20);
        let directory = tempfile::tempdir().unwrap();
        succeed(&mut export(&gateway, &directory.path().join("out")));
        write_lines(
            &directory.path().join("changes.jsonl"),
            [
                r#"{"cosmos-tail":{"records":"changes"}}"#,
                r#"{"current":{"id":"item-1","pk":"key-1","n":1,"_ts":5}}"#,
                r#"{"metadata":{"operationType":"delete","id":"item-15","partitionKey":{"pk":"key-15"},"crts":5}}"#,
                r#"{"current":{"pk":"no id"}}"#,
            ],
        );
        std::fs::write(directory.path().join("torn"), "{\"reason\":\"to").unwrap();
        Self { gateway, directory }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = against(&self.gateway);
        command
            .current_dir(self.directory.path())
            .env("AZURE_COSMOS_CONTAINER", COPY)
            .args(arguments);
        command
    }
}

/// What is typed after the name of a command that has --dry-run.
fn scenarios(command: &str) -> Vec<Vec<&'static str>> {
    const CREATE: [&str; 7] = [
        "-c",
        "new",
        "--create",
        "--partition-key",
        "/pk",
        "--throughput",
        "4000",
    ];
    const FROM: [&str; 2] = ["--from-container", "shop/orders"];
    let mut scenarios = match command {
        "replay" => vec![
            vec!["out"],
            vec!["changes.jsonl"],
            vec!["out", "--write-mode", "create"],
            vec!["changes.jsonl", "--write-mode", "newer"],
            vec!["changes.jsonl", "--dead-letter", "dead.jsonl"],
            vec!["changes.jsonl", "--dead-letter", "torn"],
            vec!["out", "--transform", ".id = \"x\""],
            vec!["out", "--max-ru", "100000"],
        ],
        other => panic!("{other} has --dry-run, and no scenario here"),
    };
    let mut both = FROM.to_vec();
    both.extend(CREATE);
    scenarios.extend([FROM.to_vec(), both]);
    for source in ["out", "changes.jsonl"] {
        let mut creating = vec![source];
        creating.extend(CREATE);
        scenarios.push(creating);
    }
    scenarios
}

#[test]
fn a_dry_run_of_any_command_changes_nothing() {
    let with_dry_run: Vec<String> = commands()
        .into_iter()
        .filter(|name| {
            let help = succeed(cosmos_tail().args([name, "--help"])).stdout;
            help.contains("--dry-run")
        })
        .collect();
    assert!(!with_dry_run.is_empty());
    for command in &with_dry_run {
        let scene = Scene::new();
        let before = everything(scene.directory.path());
        for arguments in scenarios(command) {
            let requests = scene.gateway.request_log().len();
            let ended = run(scene.command(&[command]).args(&arguments).arg("--dry-run"));
            assert!(
                matches!(ended.code, Some(0 | 1)),
                "{arguments:?}: {}",
                ended.stderr
            );
            let log = scene.gateway.request_log();
            assert!(log.len() > requests, "{arguments:?}");
            for request in &log[requests..] {
                let is_query = request.method == "POST"
                    && request.header("x-ms-documentdb-isquery") == Some("True");
                assert!(
                    request.method == "GET" || is_query,
                    "{arguments:?}: {} {}",
                    request.method,
                    request.path
                );
            }
            assert_eq!(everything(scene.directory.path()), before, "{arguments:?}");
            // It reports what it would do, not that it was done.
            assert!(!ended.stderr.contains("were applied"), "{}", ended.stderr);
        }
        assert!(scene.gateway.container(DATABASE, "new").is_none());
        assert_eq!(scene.gateway.requests(RequestKind::ItemWrite), 0);
        assert_no_violations(&scene.gateway);
    }
}

/// The counts of a summary, as far as a dry run can know them.
fn counts(summary: &Value, mode: &str) -> Vec<u64> {
    let count = |name: &str| summary[name].as_u64().unwrap();
    let mut counts: Vec<u64> = ["created", "deleted", "kept", "refused", "changes"]
        .map(count)
        .to_vec();
    if mode == "upsert" {
        // An upsert replaces the same content too.
        counts.push(count("replaced") + count("unchanged"));
    } else {
        counts.extend(["replaced", "unchanged"].map(count));
    }
    counts
}

#[test]
fn a_dry_run_predicts_what_the_act_does() {
    let seed = crate::scene::seed();
    println!("COSMOS_TAIL_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..6 {
        let lines: Vec<String> = (0..150)
            .map(|_| {
                let (id, n) = (random.u32(0..30), random.u32(0..3));
                let key = format!("key-{}", id % 7);
                let time = 1_000 + random.u32(0..2_000);
                match random.u32(0..12) {
                    0..3 => json!({"metadata": {"operationType": "delete", "id": id.to_string(),
                        "partitionKey": {"pk": key}, "crts": time}}),
                    3 => json!({"current": {"id": id.to_string(), "pk": key, "n": n}}),
                    4 => json!({"current": {"id": 7, "pk": key}}),
                    _ => json!({"current": {"id": id.to_string(), "pk": key, "n": n, "_ts": time}}),
                }
                .to_string()
            })
            .collect();
        for mode in ["upsert", "create", "newer"] {
            let gateway = Gateway::start(GatewayOptions::default());
            let creates = round % 2 == 1;
            if !creates {
                let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
                gateway.set_time(2_000);
                for id in 0..15 {
                    copy.upsert(
                        json!({"id": id.to_string(), "pk": format!("key-{}", id % 7), "n": 1}),
                    );
                }
            } else {
                gateway.create_container(DATABASE, CONTAINER, "/pk", 1);
            }
            gateway.set_time(9_000);
            let directory = tempfile::tempdir().unwrap();
            let source = directory.path().join("a.jsonl");
            write_lines(&source, &lines);
            let run = |arguments: &[&str]| {
                let mut command = replay(&gateway, &source);
                command.args([
                    "--input",
                    "changes",
                    "--write-mode",
                    mode,
                    "--summary",
                    "json",
                ]);
                if creates {
                    command.args(["--create", "--partition-key", "/pk"]);
                }
                summary(&crate::command::run(command.args(arguments)))
            };
            let dry = run(&["--dry-run"]);
            assert_eq!(gateway.requests(RequestKind::ItemWrite), 0);
            let letters = directory.path().join("dead");
            let act = run(&["--dead-letter", letters.to_str().unwrap()]);
            assert_eq!(
                counts(&dry, mode),
                counts(&act, mode),
                "seed {seed}: {mode} {dry} {act}"
            );
            assert_no_violations(&gateway);
        }
    }
}

#[test]
fn the_same_id_twice_is_a_conflict_within_the_source() {
    let gateway = Gateway::start(GatewayOptions::default());
    gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("a.jsonl");
    write_lines(
        &source,
        [
            r#"{"id":"1","pk":"p","n":1}"#,
            r#"{"id":"1","pk":"p","n":1.0}"#,
            r#"{"id":"1","pk":"p","n":2}"#,
            r#"{"id":"1","pk":"q","n":2}"#,
        ],
    );
    let mut command = replay(&gateway, &source);
    command.args(["--write-mode", "create", "--dry-run", "--summary", "json"]);
    let told = summary(&refuse(
        &mut command,
        1,
        &[
            "line 3: item \"1\": the target has another document with this id",
            "all others can be applied",
        ],
    ));
    assert_eq!(
        (&told["created"], &told["unchanged"], &told["refused"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_no_violations(&gateway);
}

#[test]
fn a_document_that_is_too_large_is_refused_by_the_dry_run() {
    let gateway = Gateway::start(GatewayOptions::default());
    gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("a.jsonl");
    let document = |bytes: usize| {
        let line = json!({"id": "1", "pk": "p", "text": ""}).to_string();
        json!({"id": "1", "pk": "p", "text": "x".repeat(bytes - line.len())}).to_string()
    };
    for mode in ["upsert", "create", "newer"] {
        let run = |bytes: usize| {
            write_lines(&source, [document(bytes)]);
            let mut command = replay(&gateway, &source);
            command.args(["--write-mode", mode, "--dry-run"]);
            command
        };
        succeed(&mut run(2 << 20));
        refuse(
            &mut run((2 << 20) + 1),
            1,
            &["it has 2097153 bytes, and the service takes 2097152"],
        );
    }
    assert_no_violations(&gateway);
}

#[test]
fn what_the_creation_refuses_is_refused_by_the_dry_run() {
    let gateway = Gateway::start(GatewayOptions::default());
    gateway.create_container(DATABASE, COPY, "/other", 2);
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("a.jsonl");
    write_lines(&source, [r#"{"id":"1","pk":"p"}"#]);
    for (arguments, code, part) in [
        (
            &["-c", COPY][..],
            2,
            "its partition key is `/other`, not `/pk`",
        ),
        (&["-d", "nowhere", "-c", "new"], 1, "nowhere"),
        (
            &["-c", "new", "--throughput", "450"],
            2,
            "steps of 100 RU/s",
        ),
    ] {
        for dry_run in [&["--dry-run"][..], &[]] {
            let mut command = replay(&gateway, &source);
            command.args(["--create", "--partition-key", "/pk"]);
            refuse(command.args(arguments).args(dry_run), code, &[part]);
        }
    }
    // Documents without a value at the key of the container that would be created.
    let mut command = replay(&gateway, &source);
    command.args(["-c", "new", "--create", "--partition-key", "/customer"]);
    refuse(command.arg("--dry-run"), 2, &["/customer"]);
    let mut command = replay(&gateway, &source);
    command.args([
        "-c",
        "new",
        "--create",
        "--partition-key",
        "/pk",
        "--dry-run",
    ]);
    let ended = succeed(&mut command);
    assert!(
        ended
            .stderr
            .contains("without --dry-run it would be created"),
        "{}",
        ended.stderr
    );
    assert!(gateway.container(DATABASE, "new").is_none());
    assert_no_violations(&gateway);
}

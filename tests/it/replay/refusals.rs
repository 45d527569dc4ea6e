//! Bad sources, wrong targets, wrong states: each is reported with its place, and nothing is damaged.

use std::io::Write as _;

use serde_json::json;

use super::*;
use crate::bad_input::{refuse, snapshot};
use crate::command::{CONTAINER, DATABASE, assert_same, export, files, run, succeed};
use crate::gateway::{Action, Fault, GatewayOptions, RequestKind};
use crate::orders::filled;

struct Target {
    gateway: Gateway,
    copy: Container,
    directory: tempfile::TempDir,
}

impl Target {
    fn new() -> Self {
        let gateway = Gateway::start(GatewayOptions::default());
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
        Self {
            gateway,
            copy,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn source(&self, lines: &[&str]) -> std::path::PathBuf {
        let path = self.directory.path().join("source.jsonl");
        write_lines(&path, lines);
        path
    }
}

const GOOD: &str = r#"{"id":"good","pk":"p"}"#;

#[test]
fn a_bad_line_is_named_and_stops_the_replay() {
    let long = format!(r#"{{"id":"{}","pk":"p"}}"#, "x".repeat(1024));
    for (line, reason) in [
        (r#"{"id":"1","pk":"p""#, "it ends too early"),
        (r#"{"id":"1","pk":"p"} {}"#, "unexpected data"),
        ("[]", "not a JSON object"),
        ("17", "not a JSON object"),
        (r#"{"pk":"p"}"#, "it has no `id`"),
        (r#"{"id":"","pk":"p"}"#, "the id is empty"),
        (&long, "1024 bytes"),
        (
            r#"{"metadata":{"operationType":"delete","id":"1"}}"#,
            "the deletion does not say what the document had at `/pk`",
        ),
        (
            r#"{"current":{"id":"1","pk":"p"},"id":"1"}"#,
            "not the envelope",
        ),
    ] {
        let target = Target::new();
        let is_change = line.starts_with("{\"metadata") || line.starts_with("{\"current");
        let (form, shown): (_, fn(&str) -> String) = if is_change {
            ("changes", in_envelope)
        } else {
            ("documents", str::to_owned)
        };
        let good = shown(GOOD);
        let source = target.source(&[&good, "", line]);
        let replay = |gateway: &Gateway, source: &Path| {
            let mut command = replay(gateway, source);
            command.args(["--input", form]);
            command
        };
        let mut command = replay(&target.gateway, &source);
        refuse(
            &mut command,
            1,
            &["source.jsonl`, line 3: ", reason, "--dead-letter"],
        );
        // With dead letters it continues.
        let letters = target.directory.path().join("dead");
        let after = shown(r#"{"id":"after","pk":"p"}"#);
        write_lines(&source, [&good, "", line, &after]);
        let mut command = replay(&target.gateway, &source);
        command.arg("--dead-letter").arg(&letters);
        refuse(&mut command, 1, &["line 3: ", reason, "all others were"]);
        assert_eq!(target.copy.latest().len(), 2);
        let letters = dead_letters(&letters);
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0]["origin"]["line"], 3);
        assert_no_violations(&target.gateway);
    }
}

#[test]
fn changes_that_the_target_refuses_become_dead_letters_up_to_a_limit() {
    let target = Target::new();
    let lines: Vec<String> = (0..50)
        .map(|n| json!({"id": format!("item-{n}"), "pk": format!("key-{}", n % 7)}).to_string())
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let source = target.source(&lines);
    let refused = Fault::on(
        RequestKind::ItemWrite,
        Action::Refuse {
            status: 413,
            message: "Request size is too large",
        },
    );
    target.gateway.push_fault(
        refused
            .clone()
            .when(numbered(|number| number % 5 == 0))
            .always(),
    );
    let letters = target.directory.path().join("dead");
    let command = |errors: &str| {
        let mut command = replay(&target.gateway, &source);
        command.args(["--max-errors", errors, "--batch-size", "1"]);
        command.args(["--summary", "json", "--dead-letter"]);
        command.arg(&letters);
        command
    };
    let told = summary(&refuse(&mut command("40"), 1, &["413", "too large"]));
    let refused = told["refused"].as_u64().unwrap();
    assert_eq!(told["created"].as_u64().unwrap() + refused, 50);
    assert_eq!(dead_letters(&letters).len() as u64, refused);
    assert!(refused > 2);
    let told = summary(&refuse(
        &mut command("2"),
        1,
        &[
            "changes cannot be applied; the first: ",
            "raise --max-errors",
        ],
    ));
    assert_eq!(told["outcome"], "incomplete");
    // Replayed alone, when the reason is gone.
    target.gateway.clear_faults();
    succeed(&mut replay(&target.gateway, &letters));
    assert_eq!(target.copy.latest().len(), 50);
    assert_no_violations(&target.gateway);
}

#[test]
fn truncated_damaged_and_missing_files_are_named() {
    let (gateway, _container) = filled(2, 300);
    gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(export(&gateway, &out).args(["--compression", "gzip"]));
    let file = files(&out, "gz")[0].clone();
    let whole = std::fs::read(&file).unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    std::fs::write(&file, &whole[..whole.len() - 20]).unwrap();
    refuse(
        &mut replay(&gateway, &out),
        1,
        &[&name, "its manifest says"],
    );
    refuse(&mut replay(&gateway, &file), 1, &[&name, "is truncated"]);
    std::fs::remove_file(&file).unwrap();
    refuse(
        &mut replay(&gateway, &out),
        1,
        &[&name, "the manifest lists it"],
    );
    refuse(&mut replay(&gateway, &file), 2, &["does not exist", &name]);
    let empty = directory.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    refuse(
        &mut replay(&gateway, &empty),
        2,
        &["has no manifest.ndjson"],
    );
    let parquet = directory.path().join("a.parquet");
    for bytes in [&b"PAR1 and so on"[..], b"and so on, without the beginning"] {
        std::fs::write(&parquet, bytes).unwrap();
        refuse(
            &mut replay(&gateway, &parquet),
            1,
            &["a.parquet", "is not a complete Parquet file"],
        );
    }
    for name in ["none.parquet", "none.jsonl.gz", "none.csv.zst"] {
        let nothing = directory.path().join(name);
        std::fs::write(&nothing, b"").unwrap();
        refuse(&mut replay(&gateway, &nothing), 1, &[name, "is empty"]);
    }
    let csv = directory.path().join("a.csv");
    std::fs::write(&csv, b"id,pk,_extra\n1,p,\n").unwrap();
    refuse(
        &mut replay(&gateway, &csv),
        1,
        &["a.csv", "of an export", "the state of the export"],
    );
}

#[test]
fn truncated_damaged_and_extended_compressed_files_have_different_errors() {
    const CUT: &str = "hint: get a complete copy of the file\n";
    const TRAILS: &str = "hint: the data before them is intact: if nothing is missing, decompress it to \
        another file (gzip -dc, zstd -dc, bzip2 -dc, xz -dc) and replay that; otherwise get a complete copy of \
        the file\n";
    let (gateway, container) = filled(1, 300);
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    for format in ["jsonl", "csv"] {
        for compression in ["gzip", "zstd"] {
            let out = directory.path().join(format!("{format}-{compression}"));
            let mut command = export(&gateway, &out);
            succeed(command.args(["--format", format, "--compression", compression]));
            let ext = if compression == "gzip" { "gz" } else { "zst" };
            let file = files(&out, ext)[0].clone();
            let whole = std::fs::read(&file).unwrap();
            let said = |bytes: &[u8]| {
                std::fs::write(&file, bytes).unwrap();
                let mut command = replay(&gateway, &file);
                let stderr = run(command.args(["--dry-run", "-q"])).stderr;
                stderr.replace(&file.display().to_string(), "FILE")
            };
            // More than one decoder could read: two files that were put together.
            if format == "jsonl" {
                std::fs::write(&file, [&whole[..], &whole].concat()).unwrap();
                succeed(replay(&gateway, &file).arg("-q"));
                assert_same(&content(&copy), &content(&container));
            }
            for end in [whole.len() / 2, whole.len() - 1] {
                let said = said(&whole[..end]);
                // The words of the decoder differ by where the end is.
                let ours: Vec<&str> = said
                    .lines()
                    .filter(|line| !line.starts_with("  "))
                    .collect();
                assert_eq!(
                    ours,
                    [
                        "error: `FILE` is truncated: its compressed data has no end",
                        CUT.trim_end()
                    ],
                    "{format} {compression} {end}"
                );
            }
            for junk in [&b"\0\0\0"[..], b"x", b"{\"id\":\"1\"}\n", &[0; 4096]] {
                assert_eq!(
                    said(&[&whole[..], junk].concat()),
                    format!(
                        "error: cannot read `FILE`\n  Caused by: there are other bytes after the end of \
                         its compressed data\n{TRAILS}"
                    ),
                    "{format} {compression}"
                );
            }
            let mut damaged = whole.clone();
            let middle = damaged.len() / 2;
            damaged[middle..middle + 16].fill(0xff);
            let damaged = said(&damaged);
            assert!(damaged.contains("error: "), "{damaged}");
            for other in ["truncated", "other bytes"] {
                assert!(!damaged.contains(other), "{damaged}");
            }
        }
    }
}

#[test]
fn an_export_is_not_applied_to_its_own_container() {
    let (gateway, container) = filled(2, 50);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let mut onto_itself = replay(&gateway, &out);
    onto_itself.env("AZURE_COSMOS_CONTAINER", CONTAINER);
    refuse(
        &mut onto_itself,
        2,
        &["the same container", "name the files"],
    );
    assert_eq!(gateway.requests(RequestKind::ItemWrite), 0);
    // By its files it can be restored on purpose.
    container.delete("item-7", "key-7");
    let mut restore = replay(&gateway, &files(&out, "jsonl")[0]);
    restore.env("AZURE_COSMOS_CONTAINER", CONTAINER);
    succeed(restore.arg(&files(&out, "jsonl")[1]));
    assert_eq!(container.latest().len(), 50);
    assert_no_violations(&gateway);
}

#[test]
fn a_target_with_another_partition_key_is_refused_before_the_first_write() {
    let (gateway, _container) = filled(2, 50);
    gateway.create_container(DATABASE, COPY, "/customer/id", 2);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    for arguments in [&[][..], &["--dead-letter", "dead", "--state", "state"]] {
        let mut command = replay(&gateway, &out);
        command.current_dir(directory.path()).args(arguments);
        refuse(
            &mut command,
            2,
            &["another partition key", "/customer/id", "line 1"],
        );
    }
    refuse(
        replay(&gateway, &out).args(["--create", "--partition-key", "/pk"]),
        2,
        &["exists, and its partition key is `/customer/id`, not `/pk`"],
    );
    assert_eq!(gateway.requests(RequestKind::ItemWrite), 0);
    assert_no_violations(&gateway);
}

#[test]
fn a_state_of_another_replay_is_refused_and_not_changed() {
    let target = Target::new();
    let source = target.source(&[GOOD]);
    let states = target.directory.path().join("states");
    let state = states.join("state.json");
    let with_state = |source: &Path, container: &str| {
        let mut command = replay(&target.gateway, source);
        command
            .env("AZURE_COSMOS_CONTAINER", container)
            .arg("--state")
            .arg(&state);
        command
    };
    succeed(&mut with_state(&source, COPY));
    let before = snapshot(&states);
    target.gateway.create_container(DATABASE, "other", "/pk", 1);
    let mut elsewhere = with_state(&source, "other");
    refuse(
        &mut elsewhere,
        2,
        &[
            "the state belongs to the container `copy`, but AZURE_COSMOS_CONTAINER names `other`",
            "unset AZURE_COSMOS_CONTAINER, or give --container copy",
        ],
    );
    let other = target.directory.path().join("other.jsonl");
    write_lines(&other, [GOOD]);
    refuse(
        &mut with_state(&other, COPY),
        2,
        &["to another source", "source.jsonl", "other.jsonl"],
    );
    let mut otherwise = with_state(&source, COPY);
    refuse(
        otherwise.args(["--write-mode", "create"]),
        2,
        &["--write-mode"],
    );
    write_lines(&source, [r#"{"id":"else","pk":"p"}"#]);
    refuse(
        &mut with_state(&source, COPY),
        2,
        &["its content has changed"],
    );
    let mut resume = against(&target.gateway);
    resume.arg("resume").arg("--state").arg(&state);
    refuse(&mut resume, 2, &["it is a cosmos-tail replay state"]);
    refuse(
        &mut with_state(Path::new("-"), COPY),
        2,
        &["standard input cannot be resumed"],
    );
    target.gateway.delete_container(DATABASE, COPY);
    target.gateway.create_container(DATABASE, COPY, "/pk", 2);
    refuse(&mut with_state(&source, COPY), 2, &["RID"]);
    assert_eq!(snapshot(&states), before);
    // A damaged state is never replaced.
    let mut damaged = std::fs::OpenOptions::new()
        .append(true)
        .open(&state)
        .unwrap();
    damaged.write_all(b"}").unwrap();
    refuse(
        &mut with_state(&source, COPY),
        1,
        &["state.json", "corrupt"],
    );
}

#[test]
fn dead_letters_are_written_once() {
    let target = Target::new();
    let lines: Vec<String> = (0..30)
        .map(|n| match n % 3 {
            0 => json!({"id": "", "pk": "p"}).to_string(),
            _ => json!({"id": format!("item-{n}"), "pk": format!("key-{n}")}).to_string(),
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let source = target.source(&lines);
    let (letters, state) = (
        target.directory.path().join("dead"),
        target.directory.path().join("state"),
    );
    // The fifth write fails permanently: nothing after it is committed.
    target.gateway.push_fault(
        Fault::on(RequestKind::ItemWrite, Action::status(403, 0))
            .nth(5)
            .always(),
    );
    let mut command = replay(&target.gateway, &source);
    command
        .args(["--concurrency", "1", "--dead-letter"])
        .arg(&letters);
    command.arg("--state").arg(&state);
    refuse(&mut command, 3, &["403"]);
    target.gateway.clear_faults();
    refuse(&mut command, 1, &["cannot be applied"]);
    let mut found: Vec<u64> = dead_letters(&letters)
        .iter()
        .map(|letter| letter["origin"]["line"].as_u64().unwrap())
        .collect();
    assert_eq!(found, (0..10).map(|n| 3 * n + 1).collect::<Vec<u64>>());
    found.dedup();
    assert_eq!(found.len(), 10);
    assert_eq!(target.copy.latest().len(), 20);
    assert_no_violations(&target.gateway);
}

//! What an input holds, documents or changes, is declared: no member of a document decides it.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use super::*;
use crate::bad_input::refuse;
use crate::command::{
    CONTAINER, DATABASE, assert_same, cosmos_tail, export, files, resume, spawn, state_directory,
    succeed, wait,
};
use crate::gateway::{GatewayOptions, Operation};

/// Documents with the members that mark something in the files of some program.
fn marked() -> Vec<Value> {
    let deletion = json!({"operationType": "delete", "id": "s1", "partitionKey": {"pk": "key-1"}});
    vec![
        json!({"id": "s1", "pk": "key-1", "_deleted": true}),
        json!({"id": "s2", "pk": "key-1", "_deleted": true, "_timeToLiveExpired": true}),
        json!({"id": "s3", "pk": "key-1", "current": {}, "previous": {"id": "s1"}, "metadata": deletion}),
        json!({"id": "s4", "pk": "key-1", "_extra": {"id": "s1"}, "_operation": "delete",
            "_metadata": deletion, "_previous": {"id": "s1", "pk": "key-1"}, "_operation_lsn": 1}),
        json!({"id": "s5", "pk": "key-1", "document": "{}", "_partition_key": ["key-2"]}),
        json!({"id": "s6", "pk": "key-1", "cosmos-tail": {"records": "changes"}, "reason": "r",
            "origin": {"line": 1}, "range": 0}),
    ]
}

/// A gateway with these documents, and an empty copy.
fn gateway() -> (Gateway, Container, Container) {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    for document in marked() {
        container.upsert(document);
    }
    (gateway, container, copy)
}

/// The documents of a container by their values.
fn values(container: &Container) -> Vec<String> {
    let value = |text: &Vec<u8>| serde_json::from_slice::<Value>(text).unwrap().to_string();
    let mut values: Vec<String> = content(container).iter().map(value).collect();
    values.sort();
    values
}

/// Runs a command on `input`.
fn fed(command: &mut Command, input: &str) -> crate::command::Ended {
    let mut child = spawn(command.stdin(Stdio::piped()));
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(input.as_bytes()).unwrap();
    drop(pipe);
    wait(child)
}

#[test]
fn a_document_with_any_member_survives_a_round_trip_through_every_format() {
    for mode in ["latest", "all"] {
        for arguments in [
            &["--format", "jsonl"][..],
            &["--format", "csv"],
            &["--format", "csv", "--system-fields", "drop"],
            &["--format", "csv", "--schema", "raw"],
            &["--format", "parquet"],
            &["--format", "parquet", "--system-fields", "drop"],
            &["--format", "parquet", "--schema", "raw"],
        ] {
            let (gateway, container, copy) = gateway();
            let directory = tempfile::tempdir().unwrap();
            let out = directory.path().join("out");
            succeed(
                export(&gateway, &out)
                    .args(["--mode", mode])
                    .args(arguments),
            );
            if mode == "all" {
                // The feed of all versions begins with the export.
                for document in marked() {
                    container.upsert(document);
                }
                succeed(&mut resume(&gateway, &out));
            }
            // Through a pipe, which declares what it holds.
            let printed = succeed(cosmos_tail().arg("replay").arg(&out).arg("--stdout"));
            let ended = fed(&mut replay(&gateway, Path::new("-")), &printed.stdout);
            assert_eq!(
                ended.code,
                Some(0),
                "{mode} {arguments:?}: {}",
                ended.stderr
            );
            assert_eq!(values(&copy), values(&container), "{mode} {arguments:?}");
            // And from the directory, whose manifest declares it; the state is needed for CSV only.
            if !arguments.contains(&"csv") {
                std::fs::remove_file(state_directory(&out).join("state.json")).unwrap();
            }
            succeed(&mut replay(&gateway, &out));
            assert_eq!(values(&copy), values(&container), "{mode} {arguments:?}");
            let log = gateway.write_log();
            assert!(!log.is_empty());
            assert!(
                log.iter().all(|write| write.operation != Operation::Delete),
                "{mode} {arguments:?}"
            );
            assert_no_violations(&gateway);
        }
    }
}

#[test]
fn deletions_reach_a_pipe_in_their_envelopes() {
    let (gateway, container, copy) = gateway();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(export(&gateway, &out).args(["--mode", "all"]));
    for document in marked() {
        container.upsert(document);
    }
    container.delete("s2", "key-1");
    succeed(&mut resume(&gateway, &out));
    let printed = succeed(cosmos_tail().arg("replay").arg(&out).arg("--stdout"));
    let lines: Vec<Value> = printed
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0], json!({"cosmos-tail": {"records": "changes"}}));
    assert_eq!(lines.len(), 1 + marked().len() + 1);
    for change in &lines[1..] {
        assert_eq!(change.get("id"), None);
        assert!(change["metadata"]["operationType"].is_string(), "{change}");
        assert_eq!(change["current"].get("_rid"), None, "{change}");
    }
    let ended = fed(&mut replay(&gateway, Path::new("-")), &printed.stdout);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(values(&copy), values(&container));
    // Without its first line, nothing says what the stream holds, and it is not guessed.
    let (_, rest) = printed.stdout.split_once('\n').unwrap();
    copy.delete("s1", "key-1");
    let ended = fed(&mut replay(&gateway, Path::new("-")), rest);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    for part in ["standard input, line 1: ", "hint: ", "--input changes"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    let mut declared = replay(&gateway, Path::new("-"));
    let ended = fed(declared.args(["--input", "changes"]), rest);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(values(&copy), values(&container));
    assert_no_violations(&gateway);
}

#[test]
fn documents_stay_plain_on_standard_output() {
    let directory = tempfile::tempdir().unwrap();
    let (documents, changes) = (
        directory.path().join("a.jsonl"),
        directory.path().join("b.jsonl"),
    );
    write_lines(
        &documents,
        [r#"{"id":"1","pk":"p","n":1.10,"_rid":"r","_ts":4}"#],
    );
    write_lines(
        &changes,
        [
            r#"{"cosmos-tail":{"records":"changes"}}"#,
            r#"{"current":{"id":"1","pk":"p","_ts":4},"previous":{"id":"1","secret":1},"metadata":{"operationType":"replace","crts":4},"range":0}"#,
            r#"{"current":{},"metadata":{"operationType":"delete","id":"1","partitionKey":{"pk":"p"}}}"#,
        ],
    );
    let printed = |sources: &[&Path], arguments: &[&str]| {
        let mut command = cosmos_tail();
        command.arg("replay").args(sources).arg("--stdout");
        succeed(command.args(arguments)).stdout
    };
    assert_eq!(
        printed(&[&documents], &[]),
        "{\"id\":\"1\",\"pk\":\"p\",\"n\":1.10}\n"
    );
    const HEADING: &str = "{\"cosmos-tail\":{\"records\":\"changes\"}}\n";
    const DELETION: &str = "{\"current\":{},\"metadata\":{\"operationType\":\"delete\",\"id\":\"1\",\"partitionKey\":{\"pk\":\"p\"}}}\n";
    assert_eq!(
        printed(&[&changes, &documents], &[]),
        format!(
            "{HEADING}{{\"current\":{{\"id\":\"1\",\"pk\":\"p\"}},\"previous\":{{\"id\":\"1\",\"secret\":1}},\
             \"metadata\":{{\"operationType\":\"replace\",\"crts\":4}}}}\n{DELETION}\
             {{\"current\":{{\"id\":\"1\",\"pk\":\"p\",\"n\":1.10}}}}\n"
        )
    );
    // What did not go through the program is left out.
    assert_eq!(
        printed(&[&changes], &["--transform", ".n = 2"]),
        format!(
            "{HEADING}{{\"current\":{{\"id\":\"1\",\"pk\":\"p\",\"n\":2}},\
             \"metadata\":{{\"operationType\":\"replace\",\"crts\":4}}}}\n{DELETION}"
        )
    );
    let mut command = cosmos_tail();
    command
        .arg("replay")
        .arg(&documents)
        .arg(&changes)
        .arg("--stdout");
    refuse(
        &mut command,
        2,
        &["b.jsonl` holds changes", "changes first"],
    );
}

#[test]
fn a_contradicting_declaration_is_refused_with_both() {
    let (gateway, _container, _copy) = gateway();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let part = files(&out, "jsonl")[0].clone();
    let changes = directory.path().join("changes.jsonl");
    write_lines(&changes, [r#"{"cosmos-tail":{"records":"changes"}}"#]);
    for (source, form, says) in [
        (
            &out,
            "changes",
            "holds documents, as the manifest beside it says",
        ),
        (
            &part,
            "changes",
            "holds documents, as the manifest beside it says",
        ),
        (&changes, "documents", "holds changes, as a line in it says"),
    ] {
        let mut command = replay(&gateway, source);
        let other = format!("but --input says {form}");
        refuse(
            command.args(["--input", form]),
            2,
            &[says, &other, "leave --input out"],
        );
    }
    // A line that contradicts the lines before it.
    write_lines(
        &changes,
        [
            r#"{"id":"1","pk":"p"}"#,
            r#"{"cosmos-tail":{"records":"changes"}}"#,
        ],
    );
    refuse(
        &mut replay(&gateway, &changes),
        2,
        &["holds changes", "documents"],
    );
    // Columns say it themselves.
    let parquet = directory.path().join("parquet");
    succeed(export(&gateway, &parquet).args(["--format", "parquet"]));
    let moved = directory.path().join("moved.parquet");
    std::fs::copy(&files(&parquet, "parquet")[0], &moved).unwrap();
    let mut command = replay(&gateway, &moved);
    refuse(
        command.args(["--input", "changes"]),
        2,
        &["holds documents, as its header says, but --input says changes"],
    );
}

#[test]
fn a_line_of_an_earlier_tail_is_neither_deleted_nor_written() {
    let (gateway, _container, copy) = gateway();
    copy.upsert(json!({"id": "1", "pk": "p", "n": 1}));
    let before = gateway.write_log().len();
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("earlier.jsonl");
    write_lines(
        &source,
        [r#"{"id":"1","pk":"p","_deleted":true,"_ts":1790000000,"_lsn":12}"#],
    );
    refuse(
        &mut replay(&gateway, &source),
        2,
        &[
            "line 1: it may be a document, or a deletion",
            "hint: if it is a document, use --input documents",
        ],
    );
    assert_eq!(gateway.write_log().len(), before);
    succeed(replay(&gateway, &source).args(["--input", "documents"]));
    let stored: Value = serde_json::from_slice(&content(&copy)[0]).unwrap();
    assert_eq!(stored, json!({"id": "1", "pk": "p", "_deleted": true}));
    assert_no_violations(&gateway);
}

#[test]
fn a_file_of_a_tail_is_what_its_state_says() {
    for (arguments, declared, lines) in [
        (&["--mode", "all"][..], Some("changes"), 1),
        (&["--mode", "latest"], Some("documents"), 1),
        (
            &["--mode", "latest", "--format", "envelope"],
            Some("changes"),
            1,
        ),
        (&["--mode", "all", "--format", "json"], None, 1),
        (&["--mode", "latest", "--jq", "."], None, 1),
    ] {
        let (gateway, container, copy) = gateway();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tail.jsonl");
        let tail = |arguments: &[&str]| {
            let mut command = against(&gateway);
            command.args(["tail", "--until-caught-up", "-o"]).arg(&file);
            command.args(arguments);
            command
        };
        succeed(&mut tail(arguments));
        container.upsert(json!({"id": "s1", "pk": "key-1", "_deleted": true}));
        succeed(&mut tail(arguments));
        let state = directory.path().join("tail.jsonl.state.json");
        let state: Value = serde_json::from_slice(&std::fs::read(state).unwrap()).unwrap();
        let records = &state["state"]["options"]["records"];
        assert_eq!(records.as_str(), declared, "{arguments:?}");
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), lines, "{arguments:?}");
        succeed(&mut replay(&gateway, &file));
        assert_same(
            &content(&copy),
            &[br#"{"_deleted":true,"id":"s1","pk":"key-1"}"#.to_vec()],
        );
        if declared.is_some() {
            let mut other = tail(&["--format", "pretty"]);
            other.args(&arguments[..2]);
            if !arguments.contains(&"--format") {
                refuse(&mut other, 2, &["that writes them in another form"]);
            }
        }
        assert_no_violations(&gateway);
    }
}

#[test]
fn each_part_of_a_single_file_is_what_the_state_says() {
    let (gateway, container, copy) = gateway();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("all.jsonl");
    succeed(export(&gateway, &file).args(["--mode", "all"]));
    for id in ["s1", "s2"] {
        container.upsert(json!({"id": id, "pk": "key-1", "_deleted": true}));
        let mut command = against(&gateway);
        command.args(["resume", "--state", "all.jsonl.state.json"]);
        succeed(command.current_dir(directory.path()));
    }
    let second = directory.path().join("all.000002.jsonl");
    succeed(&mut replay(&gateway, &second));
    let ids: Vec<String> = copy
        .latest()
        .iter()
        .map(|served| served.id.clone())
        .collect();
    assert_eq!(ids, ["s2"]);
    let log = gateway.write_log();
    assert!(log.iter().all(|write| write.operation != Operation::Delete));
    assert_no_violations(&gateway);
}

#[test]
fn a_resumed_replay_knows_what_its_first_line_declared() {
    let (gateway, _container, copy) = gateway();
    let directory = tempfile::tempdir().unwrap();
    let (source, state) = (
        directory.path().join("a.jsonl"),
        directory.path().join("state"),
    );
    let line = |n: u32| format!(r#"{{"current":{{"id":"{n}","pk":"p"}}}}"#);
    let heading = r#"{"cosmos-tail":{"records":"changes"}}"#.to_owned();
    write_lines(&source, [heading.clone(), line(1)]);
    let mut command = replay(&gateway, &source);
    command.arg("--state").arg(&state);
    succeed(&mut command);
    let mut text = std::fs::read_to_string(&source).unwrap();
    text.push_str(&format!("{}\n", line(2)));
    std::fs::write(&source, text).unwrap();
    succeed(&mut command);
    assert_eq!(copy.latest().len(), 2);
    refuse(
        command.args(["--input", "documents"]),
        2,
        &["holds changes, as a line in it says, but --input says documents"],
    );
}

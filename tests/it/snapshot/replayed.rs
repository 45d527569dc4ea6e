//! The way back: a snapshot and its changes give a target the state of the source, deletes included.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::rows::files;
use super::writer::writer;
use super::{complete, snapshot};
use crate::command::{CONTAINER, DATABASE, against, assert_same, fail, resume, succeed};
use crate::gateway::{Action, Container, Fault, Gateway, RequestKind, RequestRecord};
use crate::orders::{document, filled};

pub(super) const COPY: &str = "copy";

/// The documents of a container without their system fields, sorted.
pub(super) fn content(container: &Container) -> Vec<Vec<u8>> {
    let documents = container.latest().into_iter().map(|served| {
        let mut document: Value = serde_json::from_slice(&served.text).unwrap();
        document
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !name.starts_with('_'));
        serde_json::to_vec(&document).unwrap()
    });
    let mut documents: Vec<Vec<u8>> = documents.collect();
    documents.sort();
    documents
}

fn into_copy(gateway: &Gateway) -> Command {
    let mut command = against(gateway);
    command.env("AZURE_COSMOS_CONTAINER", COPY).arg("replay");
    command
}

pub(super) fn replay(gateway: &Gateway, out: &Path) -> Command {
    let mut command = into_copy(gateway);
    if out.is_dir() {
        command.arg(out);
    } else {
        command.args(files(out));
    }
    command
}

/// A live copy with a snapshot.
pub(super) fn copy_container(gateway: &Gateway) -> Command {
    let mut command = into_copy(gateway);
    let source = format!("{DATABASE}/{CONTAINER}");
    command.args(["--from-container", &source, "--mode", "all", "--snapshot"]);
    command
}

#[test]
fn an_export_replayed_is_the_source_without_what_was_deleted() {
    for (name, arguments) in [
        ("out", &[][..]),
        ("out.jsonl", &[]),
        ("out", &["--format", "csv", "--schema", "raw"]),
        (
            "out",
            &["--format", "parquet", "--columns", "id,pk,number:int64"],
        ),
    ] {
        let (gateway, container) = filled(3, 400);
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
        gateway.push_fault(writer(&container, 13, 80));
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join(name);
        succeed(
            snapshot(&gateway, &out)
                .args(["--poll-interval", "1ms"])
                .args(arguments),
        );
        complete(&gateway, &out);
        succeed(&mut replay(&gateway, &out));
        assert_same(&content(&copy), &content(&container));
        // Nothing of it changes what the target is in the end.
        succeed(&mut replay(&gateway, &out));
        assert_same(&content(&copy), &content(&container));
    }
}

#[test]
fn a_snapshot_that_is_not_complete_is_not_replayed() {
    let (gateway, container) = filled(2, 400);
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    let refuse = Action::status(403, 0);
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, refuse)
            .partition("1")
            .when(|record: &RequestRecord| {
                record.is_page() && record.header("a-im") == Some("Incremental Feed")
            })
            .nth(4)
            .times(1),
    );
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    fail(snapshot(&gateway, &out).args(["--rotate-bytes", "4KiB"]), 3);
    let ended = fail(&mut replay(&gateway, &out), 2);
    assert!(ended.stderr.contains("is not complete"), "{}", ended.stderr);
    assert!(content(&copy).is_empty());
    gateway.clear_faults();
    succeed(&mut resume(&gateway, &out));
    succeed(&mut replay(&gateway, &out));
    assert_same(&content(&copy), &content(&container));
}

#[test]
fn a_live_copy_with_a_snapshot_carries_the_deletes() {
    let (gateway, container) = filled(3, 500);
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    gateway.push_fault(writer(&container, 17, 60));
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let ended = succeed(copy_container(&gateway).arg("--state").arg(&state));
    assert!(
        ended.stderr.contains("the snapshot is complete"),
        "{}",
        ended.stderr
    );
    gateway.clear_faults();
    // What was written after the end.
    let ended = succeed(copy_container(&gateway).arg("--state").arg(&state));
    assert!(!ended.stderr.contains("snapshot"), "{}", ended.stderr);
    assert_same(&content(&copy), &content(&container));
    let violations = gateway.violations();
    assert!(violations.is_empty(), "{violations:?}");
}

#[test]
fn a_copy_without_a_snapshot_does_not_continue_one_with_it() {
    let (gateway, _) = filled(1, 20);
    gateway.create_container(DATABASE, COPY, "/pk", 1);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    succeed(copy_container(&gateway).arg("--state").arg(&state));
    let mut without = into_copy(&gateway);
    let source = format!("{DATABASE}/{CONTAINER}");
    without.args(["--from-container", &source, "--mode", "all", "--state"]);
    let ended = fail(without.arg(&state), 2);
    assert!(
        ended.stderr.contains("with --snapshot, not without"),
        "{}",
        ended.stderr
    );
}

#[cfg(unix)]
#[test]
fn a_live_copy_killed_at_random_ends_as_its_source() {
    use crate::command::{signal, spawn, wait};
    use nix::sys::signal::Signal;
    let seed = crate::scene::seed();
    println!("COSMOS_TAIL_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..3 {
        let (gateway, container) = filled(2, 400);
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
        gateway.push_fault(writer(&container, random.u64(..), 100));
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let command = || {
            let mut command = copy_container(&gateway);
            command.args(["--checkpoint-interval", "5ms", "--checkpoint-changes", "40"]);
            command.arg("--state").arg(&state);
            command
        };
        for _ in 0..6 {
            let written = gateway.write_log().len();
            let child = spawn(command().arg("--follow"));
            gateway.wait_for_writes(written + random.usize(1..40));
            signal(&child, Signal::SIGKILL);
            wait(child);
            let partitions = container.partitions();
            if random.bool() && partitions.len() < 6 {
                container.split(&partitions[random.usize(..partitions.len())].id, 2);
            }
            // Deleted while nothing reads.
            let number = random.usize(..400);
            let id = format!("item-{number}");
            if container.latest().iter().any(|served| served.id == id) {
                container.delete(&id, format!("key-{}", number % 97));
            }
            container.upsert(document(1000 + random.usize(..50)));
        }
        succeed(&mut command());
        // What the writer wrote before the last answers.
        gateway.clear_faults();
        succeed(&mut command());
        assert_same(&content(&copy), &content(&container));
        let violations = gateway.violations();
        assert!(violations.is_empty(), "{violations:?}");
    }
}

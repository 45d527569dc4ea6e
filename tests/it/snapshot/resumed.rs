//! Snapshots that were complete when their export ended, and changes that were not: until a resume has read them, the
//! files are of different times.

use std::path::Path;

use super::replayed::{COPY, content, copy_container, replay};
use super::rows::{Before, judge};
use super::snapshot;
use crate::command::{assert_same, fail, interrupt, resume, spawn, succeed, verify, wait};
use crate::gateway::{
    Action, Container, Fault, Gateway, GatewayOptions, Lag, RequestKind, RequestRecord,
};
use crate::orders::filled_with;

/// The last document that the snapshot finds.
const LAST: &str = "item-99";

fn is_of_documents(record: &RequestRecord) -> bool {
    record.is_page() && record.header("a-im") == Some("Incremental Feed")
}

fn is_of_changes(record: &RequestRecord) -> bool {
    record.is_page() && record.header("a-im") == Some("Full-Fidelity Feed")
}

/// A container of one partition, and an empty copy. Before this page of the documents, some of them are deleted, and the
/// last one is rewritten. No page of the changes is served after the first `served` ones, which come before the documents.
fn changed_before(page: usize, served: usize) -> (Gateway, Container, Container) {
    let options = GatewayOptions {
        consistency: "Eventual",
        ..GatewayOptions::default()
    };
    let (gateway, container) = filled_with(options, 1, 100);
    let copy = gateway.create_container(crate::command::DATABASE, COPY, "/pk", 1);
    let handle = container.clone();
    let write = Action::call(move || {
        for number in 0..30 {
            handle.delete(&format!("item-{number}"), format!("key-{number}"));
        }
        for _ in 0..5 {
            handle.rewrite(LAST);
        }
    });
    let documents = Fault::on(RequestKind::ChangeFeed, write);
    gateway.push_fault(documents.when(is_of_documents).nth(page));
    let refused = Fault::on(RequestKind::ChangeFeed, Action::status(403, 0));
    gateway.push_fault(refused.when(is_of_changes).nth(served + 1).times(1));
    (gateway, container, copy)
}

#[track_caller]
fn refused(gateway: &Gateway, out: &Path, copy: &Container, message: &str) {
    let ended = fail(&mut replay(gateway, out), 2);
    assert!(ended.stderr.contains(message), "{}", ended.stderr);
    // `verify` says so too: as a note, and as a fault if it is to be strict.
    let noted = verify(out, &[]);
    assert_eq!(noted.code, Some(0), "{}", noted.stderr);
    assert!(noted.stderr.contains(message), "{}", noted.stderr);
    let strict = verify(out, &["--strict"]);
    assert!(
        strict.code == Some(1) && strict.stdout.contains(message),
        "{strict:?}"
    );
    assert!(
        ended.stderr.contains("run `cosmos-tail resume DIR` first"),
        "{}",
        ended.stderr
    );
    assert!(content(copy).is_empty());
}

#[test]
fn without_the_changes_that_came_meanwhile_nothing_is_replayed() {
    for (served, arguments) in [
        // None of them, some of them in open files, some of them in finished files.
        (1, &[][..]),
        (2, &[]),
        (2, &["--rotate-bytes", "1KiB"]),
        (1, &["--format", "parquet", "--columns", "id,pk"]),
        (
            2,
            &[
                "--format",
                "csv",
                "--schema",
                "raw",
                "--rotate-bytes",
                "1KiB",
            ],
        ),
    ] {
        let (gateway, container, copy) = changed_before(2, served);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let mut command = snapshot(&gateway, &out);
        let once = ["--poll-interval", "10s"];
        let ended = fail(command.args(once).args(arguments), 3);
        assert!(
            ended.stderr.contains("the snapshot is complete"),
            "{}",
            ended.stderr
        );
        refused(&gateway, &out, &copy, "end before the snapshot");
        gateway.clear_faults();
        succeed(&mut resume(&gateway, &out));
        succeed(&mut replay(&gateway, &out));
        let verified = verify(&out, &[]);
        assert!(!verified.stderr.contains("snapshot"), "{}", verified.stderr);
        if !arguments.contains(&"id,pk") {
            assert_same(&content(&copy), &content(&container));
        }
        assert_eq!(copy.latest().len(), container.latest().len());
    }
}

#[test]
fn what_was_complete_once_is_replayed_after_a_resume_that_was_cut_off() {
    let (gateway, container, copy) = changed_before(2, usize::MAX - 1);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut snapshot(&gateway, &out));
    let before = content(&container);
    container.delete("item-50", "key-50");
    let denied = Fault::on(RequestKind::ChangeFeed, Action::status(403, 0));
    gateway.push_fault(denied.when(is_of_changes).nth(1).times(1));
    fail(&mut resume(&gateway, &out), 3);
    succeed(&mut replay(&gateway, &out));
    assert_same(&content(&copy), &before);
}

#[test]
fn an_export_that_follows_is_replayed_once_it_is_past_the_snapshot() {
    let (gateway, container, copy) = changed_before(2, usize::MAX - 1);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let child = spawn(snapshot(&gateway, &out).args(["--follow", "--poll-interval", "20ms"]));
    gateway.wait_for(RequestKind::ChangeFeed, 20);
    gateway.wait_until_caught_up(&container);
    interrupt(&child);
    wait(child);
    succeed(&mut replay(&gateway, &out));
    assert_same(&content(&copy), &content(&container));
}

/// The first answers of a replica that lacks the last versions of the last document.
fn lag(gateway: &Gateway) {
    gateway.clear_faults();
    let mut answers = 0;
    gateway.set_lag(move |record| {
        answers += u64::from(record.kind == RequestKind::ChangeFeed);
        if answers <= 4 { 2 } else { 0_u64 }
    });
}

#[test]
fn replicas_that_lag_on_resume_do_not_end_the_changes_before_the_snapshot() {
    let (gateway, container, copy) = changed_before(2, usize::MAX - 1);
    // The pins at the beginning, the changes before the documents, and then the pin after them, which a resume keeps.
    let is_of_either = |record: &RequestRecord| record.header("a-im") == Some("Full-Fidelity Feed");
    let denied = Fault::on(RequestKind::ChangeFeed, Action::status(403, 0));
    gateway.push_fault(denied.when(is_of_either).nth(3).times(1));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    fail(snapshot(&gateway, &out).args(["--poll-interval", "10s"]), 3);
    lag(&gateway);
    succeed(resume(&gateway, &out).args(["--max-retries", "40"]));
    gateway.clear_lag();
    succeed(&mut replay(&gateway, &out));
    assert_same(&content(&copy), &content(&container));
}

#[test]
fn replicas_that_lag_on_resume_do_not_end_a_live_copy_before_the_snapshot() {
    let (gateway, container, copy) = changed_before(1, 1);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let command = || {
        let mut command = copy_container(&gateway);
        command.arg("--state").arg(&state);
        command
    };
    fail(&mut command(), 3);
    lag(&gateway);
    succeed(&mut command());
    assert_same(&content(&copy), &content(&container));
}

#[test]
fn replicas_that_lag_after_a_split_do_not_end_the_changes_before_the_snapshot() {
    let (gateway, container, copy) = changed_before(2, 1);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    fail(snapshot(&gateway, &out).args(["--poll-interval", "10s"]), 3);
    gateway.clear_faults();
    container.split("0", 2);
    lag_before_the_split(&gateway);
    succeed(resume(&gateway, &out).args(["--max-retries", "40"]));
    gateway.clear_lag();
    succeed(&mut replay(&gateway, &out));
    assert_same(&content(&copy), &content(&container));
}

#[test]
fn replicas_that_lag_after_a_split_do_not_end_a_live_copy_before_the_snapshot() {
    let (gateway, container, copy) = changed_before(1, 1);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let command = || {
        let mut command = copy_container(&gateway);
        command.arg("--state").arg(&state);
        command
    };
    fail(&mut command(), 3);
    gateway.clear_faults();
    container.split("0", 2);
    lag_before_the_split(&gateway);
    succeed(command().args(["--max-retries", "40"]));
    gateway.clear_lag();
    assert_same(&content(&copy), &content(&container));
}

/// The first answers are those of replicas that have nothing of what came after the documents were written.
fn lag_before_the_split(gateway: &Gateway) {
    let mut answers = 0;
    gateway.set_lag(move |record| {
        answers += u64::from(record.kind == RequestKind::ChangeFeed);
        if answers <= 12 {
            Lag::At(100)
        } else {
            Lag::Transactions(0)
        }
    });
}

#[test]
fn a_replica_that_lags_does_not_bring_back_what_was_deleted_with_the_first_page_after_a_split() {
    let options = GatewayOptions {
        consistency: "Eventual",
        ..GatewayOptions::default()
    };
    let (gateway, container) = filled_with(options, 1, 100);
    let before = Before::of(&container);
    let documents = |action| Fault::on(RequestKind::ChangeFeed, action).when(is_of_documents);
    let handle = container.clone();
    let write = Action::call(move || {
        for number in 60..90 {
            handle.delete(&format!("item-{number}"), format!("key-{number}"));
        }
    });
    gateway.push_fault(documents(write).nth(2));
    // The changes are read before the second page of the documents, which meets the split.
    gateway.push_fault(documents(Action::status(403, 0)).nth(2).times(1));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = snapshot(&gateway, &out);
    fail(command.args(["--poll-interval", "1ms"]), 3);
    gateway.clear_faults();
    let handle = container.clone();
    let split = Action::call(move || drop(handle.split("0", 2)));
    gateway.push_fault(documents(split).nth(1));
    let mut answers = 0;
    gateway.set_lag(move |record| {
        answers += u64::from(is_of_documents(record));
        match is_of_documents(record) && answers <= 6 {
            true => Lag::At(100),
            false => Lag::Transactions(0),
        }
    });
    succeed(resume(&gateway, &out).args(["--poll-interval", "1ms", "--max-retries", "40"]));
    gateway.clear_lag();
    if let Err(wrong) = judge(&gateway, &container, &out, &before) {
        panic!("{wrong}");
    }
}

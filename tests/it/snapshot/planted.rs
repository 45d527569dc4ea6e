//! Planted defects: the judge of snapshots must find each of them, or it is worth nothing.

use std::path::Path;

use nix::sys::signal::Signal;

use super::rows::{Before, judge};
use super::snapshot;
use super::writer::writer;
use crate::command::{resume, run, signal, spawn, wait};
use crate::gateway::RequestKind;
use crate::orders::filled;

/// The verdict on an export that is killed after some pages, and resumed, each with the defect.
fn verdict(defect: &str) -> Result<(), String> {
    let (gateway, container) = filled(2, 300);
    let before = Before::of(&container);
    // All of it while the documents are read.
    gateway.push_fault(writer(&container, 9, 14));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = snapshot(&gateway, &out);
    command.args(["--poll-interval", "1ms", "--checkpoint-interval", "1ms"]);
    let child = spawn(command.env("COSMOS_TAIL_FAILPOINTS", defect));
    gateway.wait_for(RequestKind::ChangeFeed, 16);
    signal(&child, Signal::SIGKILL);
    wait(child);
    container.delete("item-299", "key-8");
    let ended = run(resumed(&gateway, &out).env("COSMOS_TAIL_FAILPOINTS", defect));
    if ended.code != Some(0) {
        return Err(format!("{:?}: {}", ended.code, ended.stderr));
    }
    judge(&gateway, &container, &out, &before)
}

/// What is found first of a defect. Not every kill is one at which it shows.
fn found(defect: &str) -> String {
    const TRIES: usize = 30;
    let mut verdicts = (0..TRIES).map(|_| verdict(defect));
    let found = verdicts.find_map(Result::err);
    found.unwrap_or_else(|| panic!("{defect} is not found in {TRIES} kills"))
}

fn resumed(gateway: &crate::gateway::Gateway, out: &Path) -> std::process::Command {
    let mut command = resume(gateway, out);
    command.args(["--poll-interval", "1ms"]);
    command
}

#[test]
fn without_a_defect_nothing_is_found() {
    verdict("").unwrap();
}

#[test]
fn pins_that_are_taken_again_on_resume_are_found() {
    let found = found("defect.now-again-on-resume=return");
    assert!(
        ["changes are missing", "verify", "twice"]
            .iter()
            .any(|part| found.contains(part)),
        "{found}"
    );
}

#[test]
fn changes_that_end_before_the_snapshot_are_found() {
    let found = found("defect.changes-end-before-the-snapshot=return");
    assert!(
        ["changes are missing", "verify", "differ in"]
            .iter()
            .any(|part| found.contains(part)),
        "{found}"
    );
}

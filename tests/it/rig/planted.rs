//! Planted defects: the rig must find each of them, or it is worth nothing.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::power::Outage;
use crate::command::{
    export, fail, interrupt, lines, resume, run, signal, spawn, state_directory, succeed, wait,
};
use crate::gateway::{GatewayOptions, RequestRecord, rewriter};
use crate::oracle::{Snapshot, judge_one_shot};
use crate::orders::{fill, filled, filled_with};
use crate::scene::{FORMATS, Scene, has_state};
use crate::trust::second_process_after_a_deleted_lock;

/// Runs exports with the defect that die at the `times`th pass of `step`, until one is judged wrong.
fn found_by_dying_at(defect: &str, step: &str) -> Option<String> {
    (1..20).find_map(|times| {
        let mut scene = Scene::new(FORMATS[0]);
        scene
            .arguments
            .extend(["--max-retries", "1"].map(str::to_owned));
        scene.go_on(&format!("{defect};{step}={times}*off->return(kill)"));
        scene.finish_with(defect).err()
    })
}

/// Lets the power fail in an export with the defect, and resumes without it.
fn found_by_power(scene: Scene, defect: &str) -> Option<String> {
    Outage::new(scene, defect).at_every_rename().err()
}

#[track_caller]
fn assert_found(found: Option<String>, parts: &[&str]) {
    let found = found.expect("the defect was not found");
    assert!(parts.iter().any(|part| found.contains(part)), "{found}");
}

#[test]
fn a_position_saved_before_its_data_is_found() {
    let defect = "defect.position-before-data=return";
    let found = found_by_dying_at(defect, "state.sync-directory");
    assert_found(found, &["changes are missing", "verify"]);
}

#[test]
fn a_skipped_truncation_is_found() {
    // Uncommitted documents must differ when they are read again, or they would be overwritten with themselves.
    let found = (1..20).find_map(|times| {
        let scene = Scene::new(FORMATS[0]);
        scene.go_on(&format!("state.rename={times}*off->return(kill)"));
        for number in 0..360 {
            let (id, key) = (format!("item-{number}"), format!("key-{}", number % 97));
            scene.container.delete(&id, key);
        }
        scene.finish_with("resume.cut=return(skip)").err()
    });
    assert_found(
        found,
        &["verify", "is no change", "is there twice", "exit 1"],
    );
}

#[test]
fn one_token_for_all_children_is_found() {
    let found = found_by_dying_at("defect.one-token-for-all-children=return", "part.create");
    assert_found(found, &["no correct client", "exit 1", "not done"]);
}

#[test]
fn every_omitted_sync_is_found() {
    let syncs = [
        "part.sync",
        "parts.sync-directory",
        "state.sync",
        "state.sync-directory",
        "publish.sync-directory",
        "manifest.sync",
        "manifest.sync-directory",
    ];
    for sync in syncs {
        let scene = match sync {
            // With one part only: the sync of another name in the same directory would do as well, if it came between
            // the first line of the manifest and the next state.
            "manifest.sync-directory" => Scene::without_splits(1, FORMATS[0]),
            _ => Scene::rotating(FORMATS[0]),
        };
        let found = found_by_power(scene, &format!("{sync}=return(skip)"));
        let found = found.unwrap_or_else(|| panic!("{sync} was not missed"));
        assert_found(
            Some(found),
            &["exit 1: error: cannot resume", "verify", "not done"],
        );
    }
}

#[track_caller]
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "waited 60 s until {what}");
        std::thread::yield_now();
    }
}

/// Follows from now on, with the defect, across a kill; the documents that were written meanwhile and
/// are not there in the end.
fn missing_after_following(defect: &str) -> usize {
    let (gateway, container) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut first = export(&gateway, &out);
    first.args(["--from", "now", "--follow", "--poll-interval", "20ms"]);
    let child = spawn(first.env("COSMOS_TAIL_FAILPOINTS", defect));
    wait_until("the state is there", || has_state(&out));
    signal(&child, Signal::SIGKILL);
    wait(child);
    fill(&container, 100..150);
    let before = gateway.total_requests();
    let mut second = resume(&gateway, &out);
    second.args(["--poll-interval", "20ms"]);
    let child = spawn(second.env("COSMOS_TAIL_FAILPOINTS", defect));
    gateway.wait_for_requests(before + 10);
    gateway.wait_until_caught_up(&container);
    fill(&container, 150..200);
    gateway.wait_until_caught_up(&container);
    interrupt(&child);
    wait(child);
    100 - lines(&out).len()
}

#[test]
fn a_now_that_is_evaluated_again_on_resume_is_found() {
    assert_eq!(missing_after_following(""), 0);
    assert_eq!(
        missing_after_following("defect.now-again-on-resume=return"),
        50
    );
}

#[test]
fn a_304_mistaken_for_the_end_is_found() {
    let (gateway, container) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    command.args(["--follow", "--poll-interval", "20ms"]);
    let defect = "defect.nothing-new-is-the-end=return";
    let mut child = spawn(command.env("COSMOS_TAIL_FAILPOINTS", defect));
    gateway.wait_until_caught_up(&container);
    // A correct export would follow until it is stopped.
    wait_until("it ends", || child.try_wait().unwrap().is_some());
    assert_eq!(wait(child).code, Some(0));
    fill(&container, 100..150);
    let missing = container.latest().len() - lines(&out).len();
    assert_eq!(missing, 50);
}

/// The oracle's verdict on an export with the defect, of a container that is rewritten while lagging replicas
/// answer some of its reads.
fn found_at_the_end(defect: &str, documents: usize) -> Option<String> {
    let options = GatewayOptions {
        consistency: "Eventual",
        ..GatewayOptions::default()
    };
    let (gateway, container) = filled_with(options, 2, documents);
    let before = Snapshot::of(&container);
    let late = (documents - 40..documents).rev();
    let late: Vec<String> = late.map(|number| format!("item-{number}")).collect();
    gateway.push_fault(rewriter(&container, late, 1));
    gateway.set_lag(|record: &RequestRecord| if record.is_pin() { 0 } else { 30 });
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    command.args(["--page-size", "10", "--max-retries", "2"]);
    let ended = run(command.env("COSMOS_TAIL_FAILPOINTS", defect));
    if ended.code == Some(3) {
        // It noticed, and resumes when the replicas have caught up.
        gateway.clear_lag();
        let ended = run(resume(&gateway, &out).env("COSMOS_TAIL_FAILPOINTS", defect));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    let existed = before.existed_until_now(&container);
    judge_one_shot(&gateway, &container, &out, &existed).err()
}

#[test]
fn a_304_below_the_pin_mistaken_for_the_end_is_found() {
    assert_eq!(found_at_the_end("", 300), None);
    let defect = "defect.nothing-new-below-the-pin-is-the-end=return";
    let found = found_at_the_end(defect, 300);
    assert_found(found, &["existed throughout are in no file", "verify"]);
}

#[test]
fn a_pin_mistaken_for_the_end_is_found() {
    let defect = "defect.the-pin-is-the-end=return";
    let (gateway, container) = filled(1, 300);
    let before = Snapshot::of(&container);
    let late = (200..300).rev().map(|number| format!("item-{number}"));
    gateway.push_fault(rewriter(&container, late, 1));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    command.args(["--page-size", "5"]);
    succeed(command.env("COSMOS_TAIL_FAILPOINTS", defect));
    let existed = before.existed_until_now(&container);
    let found = judge_one_shot(&gateway, &container, &out, &existed).err();
    assert_found(found, &["existed throughout are in no file"]);
}

#[test]
fn a_lock_that_is_never_checked_again_is_found() {
    let judged = |defect| second_process_after_a_deleted_lock(defect).code;
    assert_eq!(judged(""), Some(0));
    assert_eq!(judged("defect.lock-not-checked=return"), Some(1));
}

#[test]
fn a_manifest_whose_checksum_is_not_compared_is_found() {
    let (gateway, _) = filled(1, 50);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let path = state_directory(&out).join("manifest.ndjson");
    let text = std::fs::read_to_string(&path).unwrap();
    let edited = text.replacen("\"rows\":50", "\"rows\":51", 1);
    assert_ne!(text, edited);
    std::fs::write(&path, edited).unwrap();
    fail(&mut resume(&gateway, &out), 1);
    let defect = "defect.manifest-not-checked=return";
    succeed(resume(&gateway, &out).env("COSMOS_TAIL_FAILPOINTS", defect));
}

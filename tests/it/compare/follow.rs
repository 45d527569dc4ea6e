//! `compare --follow`: what is said of two containers while both change is true as of the moment that is said.

use std::process::Command;

use serde_json::{Value, json};

use super::*;
use crate::command::{DATABASE, fail, succeed};
use crate::gateway::{Action, Container, Fault, GatewayOptions, RequestKind, at_random};
use crate::monitor::{Served, wait_until};
use crate::orders::{document, fill, filled, filled_with};
use crate::replay::assert_no_violations;

/// A comparison of `orders` with `copy` that follows both.
pub(super) fn follow(gateway: &Gateway, settle: &str) -> Command {
    let mut command = against(gateway);
    command.env("AZURE_COSMOS_CONTAINER", "copy").args([
        "compare",
        "--from-container",
        "shop/orders",
        "--follow",
        "--settle",
        settle,
    ]);
    command
}

/// What is said now: the outcome, and how many documents are missing, extra, different and changing.
pub(super) fn said(served: &Served) -> Option<(String, [u64; 4])> {
    let verdict = served.progress()["verdict"].take();
    let count = |state: &str| verdict["documents"][state].as_u64();
    Some((
        verdict["outcome"].as_str()?.to_owned(),
        [
            count("missing")?,
            count("extra")?,
            count("different")?,
            count("changing")?,
        ],
    ))
}

/// Waits until exactly this is said.
#[track_caller]
pub(super) fn wait_until_said(served: &Served, outcome: &str, documents: [u64; 4]) {
    wait_until(&format!("{outcome} {documents:?}"), || {
        let said = said(served);
        match said == Some((outcome.to_owned(), documents)) {
            true => Ok(()),
            false => Err(format!("{said:?}")),
        }
    });
}

pub(super) fn two(documents: usize) -> (Gateway, Container, Container) {
    let (gateway, container) = filled(3, documents);
    let copy = gateway.create_container(DATABASE, "copy", "/pk", 2);
    fill(&copy, 0..documents);
    (gateway, container, copy)
}

pub(super) fn changed(number: usize, to: u64) -> Value {
    let mut changed = document(number);
    changed["number"] = json!(to);
    changed
}

pub(super) const NOTHING: [u64; 4] = [0; 4];

#[test]
fn a_verdict_follows_what_changes_on_either_side() {
    let (gateway, container, copy) = two(300);
    let served = Served::start(&mut follow(&gateway, "1s"));
    wait_until_said(&served, "same", NOTHING);
    served.wait_for_status("/readyz", 200);
    container.upsert(document(300));
    wait_until_said(&served, "different", [1, 0, 0, 0]);
    assert_eq!(served.progress()["can_cut_over"], false);
    copy.upsert(document(300));
    wait_until_said(&served, "same", NOTHING);
    copy.upsert(changed(7, 1));
    wait_until_said(&served, "different", [0, 0, 1, 0]);
    // Splits meanwhile.
    container.split(&container.partitions()[0].id, 2);
    copy.split(&copy.partitions()[0].id, 3);
    container.upsert(changed(7, 1));
    wait_until_said(&served, "same", NOTHING);
    // Back to an earlier value, on one side and then on the other.
    container.upsert(document(7));
    wait_until_said(&served, "different", [0, 0, 1, 0]);
    copy.upsert(document(7));
    wait_until_said(&served, "same", NOTHING);
    copy.upsert(document(301));
    wait_until_said(&served, "different", [0, 1, 0, 0]);
    // The feed does not say that it is gone, but it is looked at again.
    copy.delete("item-301", "key-10");
    wait_until_said(&served, "same", NOTHING);
    let metrics = served.metrics();
    assert_eq!(metrics["cosmos_tail_compare_same"], 1.0);
    assert_eq!(
        metrics["cosmos_tail_compare_documents{state=\"missing\"}"],
        0.0
    );
    let as_of = metrics["cosmos_tail_compare_as_of_timestamp_seconds"];
    assert!(as_of > metrics["cosmos_tail_compare_deletions_as_of_timestamp_seconds"]);
    let ended = served.stop();
    assert_eq!(ended.code, SAME, "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("both heads reached, 0 different, 0 changing; deletions as of 20"),
        "{}",
        ended.stderr
    );
    assert_no_violations(&gateway);
}

#[test]
fn a_script_waits_until_both_sides_are_the_same() {
    let (gateway, container, copy) = two(50);
    container.upsert(document(50));
    let mut command = follow(&gateway, "1s");
    command.args(["--until-same", "--summary", "json"]);
    let before = gateway.requests(RequestKind::ChangeFeed);
    let ended = std::thread::scope(|scope| {
        let following = scope.spawn(|| run(&mut command));
        gateway.wait_for(RequestKind::ChangeFeed, before + 40);
        assert!(!following.is_finished());
        copy.upsert(document(50));
        following.join().unwrap()
    });
    assert_eq!(ended.code, SAME, "{}", ended.stderr);
    let summary = summary(&ended);
    assert_eq!(
        (&summary["outcome"], &summary["incomplete"]),
        (&json!("same"), &json!(false))
    );
    let [started, deletions, all, end] =
        ["started", "deletions_as_of", "as_of", "ended"].map(|name| summary[name].as_str());
    assert!(
        started < deletions && deletions <= all && all < end,
        "{summary}"
    );
}

#[test]
fn what_differs_when_it_is_stopped_is_in_the_report_and_the_exit_code() {
    let (gateway, container, _copy) = two(100);
    let mut command = follow(&gateway, "1s");
    let served = Served::start(command.args(["--report", "-"]));
    wait_until_said(&served, "same", NOTHING);
    container.upsert(document(100));
    wait_until_said(&served, "different", [1, 0, 0, 0]);
    let ended = served.stop();
    assert_eq!(ended.code, DIFFERENT, "{}", ended.stderr);
    assert!(ended.stdout.contains("\"missing\""), "{}", ended.stdout);
    assert!(ended.stdout.contains("\"item-100\""), "{}", ended.stdout);
}

/// What is read of a document for the report must not wait for anything that was given up.
#[test]
fn it_ends_whenever_it_is_stopped() {
    let (gateway, container, _copy) = two(100);
    container.upsert(document(100));
    for round in 0..4 {
        let served = Served::start(&mut follow(&gateway, "1s"));
        wait_until_said(&served, "different", [1, 0, 0, 0]);
        let before = gateway.requests(RequestKind::ChangeFeed);
        gateway.wait_for(RequestKind::ChangeFeed, before + 5 * round);
        assert_eq!(served.stop().code, DIFFERENT);
    }
}

#[test]
fn of_all_versions_a_deletion_on_either_side_is_seen() {
    let (gateway, container, copy) = two(200);
    let served = Served::start(follow(&gateway, "1s").args(["--mode", "all"]));
    wait_until_said(&served, "same", NOTHING);
    copy.delete("item-5", "key-5");
    wait_until_said(&served, "different", [1, 0, 0, 0]);
    container.delete("item-5", "key-5");
    wait_until_said(&served, "same", NOTHING);
    container.expire("item-6", "key-6");
    wait_until_said(&served, "different", [0, 1, 0, 0]);
    // To another partition key: a deletion, and a creation.
    copy.delete("item-6", "key-6");
    let mut moved = document(6);
    moved["pk"] = json!("key-7");
    copy.upsert(moved.clone());
    wait_until_said(&served, "different", [0, 1, 0, 0]);
    container.upsert(moved);
    wait_until_said(&served, "same", NOTHING);
    let verdict = served.progress()["verdict"].take();
    assert_eq!(verdict["as_of"], verdict["deletions_as_of"], "{verdict}");
    assert_eq!(served.stop().code, SAME);
}

/// Deletes a document of the copy that was compared, and returns how a comparison that waits for both to be the same
/// ends, and whether it said that they differ before.
fn until_same_with_a_deletion(failpoints: &str) -> (Ended, bool) {
    let (gateway, container, copy) = two(200);
    let mut command = follow(&gateway, "3s");
    command
        .env("COSMOS_TAIL_FAILPOINTS", failpoints)
        .arg("--until-same");
    let served = Served::start(&mut command);
    wait_until("both sides to be read", || {
        said(&served).ok_or("not yet".to_owned())
    });
    copy.delete("item-5", "key-5");
    let has_differed = loop {
        let Some(progress) = served.try_progress() else {
            break false;
        };
        if progress["verdict"]["documents"]["missing"] == 1 {
            break true;
        }
        // Until the verdict is another one, or the program has ended: it is only told to who asks.
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    if has_differed {
        container.delete("item-5", "key-5");
    }
    (served.end(), has_differed)
}

#[test]
fn it_does_not_end_as_the_same_before_deletions_were_looked_for() {
    let (ended, has_differed) = until_same_with_a_deletion("");
    assert!(has_differed, "{}", ended.stderr);
    assert_eq!(ended.code, SAME, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("both sides are read once more"),
        "{}",
        ended.stderr
    );
    // The test finds what it is for.
    let (ended, has_differed) =
        until_same_with_a_deletion("defect.compare.deletions-are-not-looked-for=return");
    assert!(!has_differed, "{}", ended.stderr);
    assert_eq!(ended.code, SAME, "{}", ended.stderr);
}

#[test]
fn more_changes_than_there_is_memory_for_are_read_again() {
    let (gateway, container, copy) = two(100);
    let served = Served::start(follow(&gateway, "1s").args(["--memory", "1MiB"]));
    wait_until_said(&served, "same", NOTHING);
    fill(&container, 100..3100);
    wait_until("more than there is memory for", || {
        let said = said(&served).unwrap();
        match said {
            (outcome, [missing, 0, 0, changing]) if missing + changing >= 990 => Ok(outcome),
            other => Err(format!("{other:?}")),
        }
    });
    assert_ne!(said(&served).unwrap().0, "same");
    fill(&copy, 100..3099);
    wait_until_said(&served, "different", [1, 0, 0, 0]);
    fill(&copy, 3099..3100);
    wait_until_said(&served, "same", NOTHING);
    assert_eq!(served.stop().code, SAME);
}

#[test]
fn replicas_that_lag_make_no_verdict_that_is_not_true() {
    let options = GatewayOptions {
        consistency: "Eventual",
        ..GatewayOptions::default()
    };
    let (gateway, container) = filled_with(options, 2, 200);
    let copy = gateway.create_container(DATABASE, "copy", "/pk", 2);
    fill(&copy, 0..199);
    gateway.set_lag(at_random(24, 4));
    let served = Served::start(&mut follow(&gateway, "1s"));
    wait_until_said(&served, "different", [1, 0, 0, 0]);
    let mut as_of = Value::Null;
    for round in 0..5 {
        for number in 0..30 {
            let changed = changed(number, round);
            container.upsert(changed.clone());
            copy.upsert(changed);
        }
        // One that was not said before.
        wait_until("a later verdict", || {
            let verdict = served.progress()["verdict"].take();
            assert_ne!(verdict["outcome"], "same", "{verdict}");
            match verdict["as_of"].as_str() > as_of.as_str() {
                true => {
                    as_of = verdict["as_of"].clone();
                    Ok(())
                }
                false => Err(verdict.to_string()),
            }
        });
    }
    copy.upsert(document(199));
    wait_until_said(&served, "same", NOTHING);
    assert_eq!(served.stop().code, SAME);
}

#[test]
fn a_program_that_drops_a_document_makes_everything_be_read_again() {
    let (gateway, container, copy) = two(100);
    let program = "if .number == 1000 then empty else . end";
    let served = Served::start(follow(&gateway, "1s").args(["--transform", program]));
    wait_until_said(&served, "same", NOTHING);
    container.upsert(changed(7, 1000));
    wait_until_said(&served, "different", [0, 1, 0, 0]);
    copy.delete("item-7", "key-7");
    wait_until_said(&served, "same", NOTHING);
    assert_eq!(served.stop().code, SAME);
}

#[test]
fn files_are_not_followed_and_a_stop_before_the_first_verdict_has_none() {
    let (gateway, ..) = two(10);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut crate::command::export(&gateway, &out));
    let mut command = compare_with_copy(&gateway, &out);
    let ended = fail(command.arg("--follow"), 2);
    assert!(ended.stderr.contains("two containers"), "{}", ended.stderr);
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::status(503, 0)).always());
    let ended = Served::start(&mut follow(&gateway, "1s")).stop();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
}

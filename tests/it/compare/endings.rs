//! `compare --follow`: what is read while a verdict is asked for, and how it ends.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::follow::{NOTHING, changed, follow, said, two, wait_until_said};
use super::*;
use crate::command::DATABASE;
use crate::gateway::{Action, Fault, Hold, RequestKind, RequestRecord};
use crate::monitor::{Served, wait_until};
use crate::orders::{document, fill, filled};

/// Whether a request begins to read, which no poll of a feed does.
fn begins(record: &RequestRecord) -> bool {
    record.is_page() && record.token.is_none()
}

/// Lets whatever begins to read from now on wait for its answer.
fn hold_readings(gateway: &Gateway) -> Hold {
    let hold = Hold::new();
    let held = Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()));
    gateway.push_fault(held.when(begins).always());
    hold
}

/// A comparison that is followed, once it has said that both sides are the same.
#[track_caller]
fn same_at_first(command: &mut Command) -> Served {
    let served = Served::start(command);
    wait_until_said(&served, "same", NOTHING);
    served
}

/// Ends a comparison whose last verdict is `code`, with `said` in its messages.
#[track_caller]
fn assert_ended(ended: &Ended, code: Option<i32>, said: &str) {
    assert_eq!(ended.code, code, "{}", ended.stderr);
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
}

/// Asserts that nothing is said to be the same while the heads of the feeds come forward so many times.
#[track_caller]
fn assert_not_same_for(served: &Served, heads: usize) {
    let mut seen: Vec<Value> = Vec::new();
    wait_until("the heads to come forward", || {
        let progress = served.progress();
        let verdict = &progress["verdict"];
        assert_ne!(verdict["outcome"], "same", "{progress}");
        assert_eq!(progress["can_cut_over"], false, "{progress}");
        if seen.last() != Some(&verdict["as_of"]) {
            seen.push(verdict["as_of"].clone());
        }
        match seen.len() > heads {
            true => Ok(()),
            false => Err(format!("{seen:?}")),
        }
    });
}

#[test]
fn what_is_being_read_is_not_the_same_yet() {
    let (gateway, container, copy) = two(100);
    let program = "if .number == 1000 then empty else . end";
    let served = same_at_first(follow(&gateway, "1s").args(["--transform", program]));
    let hold = hold_readings(&gateway);
    // The document that the program makes of it is gone, and everything has to be read for that.
    container.upsert(changed(7, 1000));
    hold.wait_until_reached();
    assert_not_same_for(&served, 3);
    hold.release();
    wait_until("the difference", || match said(&served).unwrap() {
        (outcome, _) if outcome == "same" => panic!("it is not"),
        (outcome, [0, 1, 0, 0]) if outcome == "different" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    copy.delete("item-7", "key-7");
    wait_until_said(&served, "same", NOTHING);
    assert_eq!(served.stop().code, SAME);
}

#[test]
fn what_there_is_no_space_for_is_not_the_same_before_it_was_read() {
    let (gateway, container, copy) = two(100);
    let served = same_at_first(follow(&gateway, "1s").args(["--memory", "1MiB"]));
    let hold = hold_readings(&gateway);
    // Both feeds have all of it at once: what differs for a while is looked at, which is not what is held here.
    let polls = Hold::new();
    let polled = Fault::on(RequestKind::ChangeFeed, Action::Hold(polls.clone()));
    gateway.push_fault(polled.when(|record| !begins(record)).always());
    // Of those that there is space for both feeds say that they are the same.
    fill(&container, 100..3100);
    fill(&copy, 100..3099);
    polls.release();
    hold.wait_until_reached();
    // Whether there is space for the one that is missing depends on when the others came.
    wait_until("those to be the same", || match said(&served).unwrap() {
        (_, NOTHING | [0, 0, 0, 1]) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_not_same_for(&served, 3);
    hold.release();
    wait_until_said(&served, "different", [1, 0, 0, 0]);
    copy.upsert(document(3099));
    wait_until_said(&served, "same", NOTHING);
    assert_eq!(served.stop().code, SAME);
}

#[test]
fn a_partition_key_with_more_documents_than_there_is_memory_for_is_read_in_shares() {
    let (gateway, container, copy) = two(100);
    let served = same_at_first(follow(&gateway, "1s").args(["--memory", "1MiB"]));
    // A reading has space for 10,000.
    for number in 0..10_500 {
        let document = json!({"id": format!("hot-{number}"), "pk": "hot"});
        container.upsert(document.clone());
        if number > 0 {
            copy.upsert(document);
        }
    }
    wait_until_said(&served, "different", [1, 0, 0, 0]);
    copy.upsert(json!({"id": "hot-0", "pk": "hot"}));
    wait_until_said(&served, "same", NOTHING);
    assert_eq!(served.stop().code, SAME);
}

#[test]
fn a_stop_while_a_difference_is_being_read_does_not_end_as_the_same() {
    let (gateway, container, _copy) = two(100);
    let program = "if .number == 1000 then empty else . end";
    let mut command = follow(&gateway, "1s");
    let served = same_at_first(command.args(["--transform", program]));
    let hold = hold_readings(&gateway);
    container.upsert(changed(7, 1000));
    hold.wait_until_reached();
    assert_not_same_for(&served, 2);
    let ended = served.stop();
    hold.release();
    assert_ended(&ended, CHANGING, "there may be more differences");
}

#[test]
fn what_changed_a_moment_before_the_stop_is_changing_and_the_repair_says_that_it_lacks_it() {
    let (gateway, container, _copy) = two(100);
    let directory = tempfile::tempdir().unwrap();
    let repair = directory.path().join("repair");
    let mut command = follow(&gateway, "1h");
    let served = same_at_first(command.arg("--repair-to").arg(&repair));
    container.upsert(document(100));
    wait_until_said(&served, "changing", [0, 0, 0, 1]);
    let ended = served.stop();
    assert_ended(&ended, CHANGING, "the repair lacks 1 document");
}

#[test]
fn whoever_waits_for_deletions_too_is_not_told_that_both_are_the_same_before() {
    let (gateway, ..) = two(100);
    let mut command = follow(&gateway, "1h");
    let served = same_at_first(command.arg("--until-same"));
    let ended = served.stop();
    assert_ended(&ended, CHANGING, "changing as of");
}

#[test]
fn a_last_look_that_fails_does_not_take_the_verdict_away() {
    let (gateway, container, copy) = two(100);
    let mut command = follow(&gateway, "1s");
    let served = same_at_first(&mut command);
    container.upsert(document(100));
    wait_until_said(&served, "different", [1, 0, 0, 0]);
    let begun = || {
        let log = gateway.request_log();
        log.iter().filter(|record| begins(record)).count()
    };
    let wait_for = |requests: usize| {
        wait_until("requests of a look", || match begun() {
            now if now >= requests => Ok(()),
            now => Err(format!("{now} of {requests}")),
        });
    };
    // A look that is under way does not end, one on each side; the one after the stop is refused.
    let holds = [&container, &copy].map(|side| {
        let (hold, of) = (Hold::new(), side.rid().to_owned());
        let held = Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()));
        let is_of = move |record: &RequestRecord| record.container.as_ref() == Some(&of);
        gateway.push_fault(
            held.when(move |record| begins(record) && is_of(record))
                .always(),
        );
        hold
    });
    holds.iter().for_each(Hold::wait_until_reached);
    let refused = Action::Refuse {
        status: 403,
        message: "not you",
    };
    let refused = Fault::on(RequestKind::ChangeFeed, refused);
    gateway.push_fault(refused.when(begins).always());
    let before = begun();
    served.signal(Signal::SIGINT);
    wait_for(before + 1);
    holds.iter().for_each(Hold::release);
    let ended = served.end();
    assert_ended(&ended, DIFFERENT, "1 missing");
    assert!(
        ended.stderr.contains("could not be read once more"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_repair_of_more_than_fits_has_what_there_is_space_for_and_says_so() {
    let (gateway, container, _copy) = two(100);
    fill(&container, 100..3100);
    let directory = tempfile::tempdir().unwrap();
    let repair = directory.path().join("repair");
    let mut command = follow(&gateway, "1s");
    command
        .args(["--memory", "1MiB", "--repair-to"])
        .arg(&repair);
    let served = Served::start(&mut command);
    wait_until("as much as there is space for", || match said(&served) {
        Some((outcome, [1000, 0, 0, 0])) if outcome == "different" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let ended = served.stop();
    assert_eq!(ended.code, DIFFERENT, "{}", ended.stderr);
    let text = std::fs::read_to_string(repair.join("documents.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 1000);
    assert!(
        ended
            .stderr
            .contains("not everything that has changed was read"),
        "{}",
        ended.stderr
    );
}

#[test]
fn with_another_partition_key_a_document_that_moves_by_it_counts_as_a_deletion() {
    let (gateway, container) = filled(2, 100);
    let copy = gateway.create_container(DATABASE, "copy", "/number", 2);
    fill(&copy, 0..100);
    let served = same_at_first(follow(&gateway, "4s").args(["--until-same"]));
    container.upsert(changed(7, 1000));
    copy.upsert(changed(7, 1000));
    // What it leaves behind is found when everything is read.
    wait_until_said(&served, "different", [0, 1, 0, 0]);
    copy.delete("item-7", 7);
    let ended = served.end();
    assert_ended(&ended, SAME, "deletions as of");
}

#[test]
fn of_all_versions_with_another_partition_key_deletions_are_not_claimed_to_be_known() {
    let (gateway, _container) = filled(2, 100);
    let copy = gateway.create_container(DATABASE, "copy", "/number", 2);
    fill(&copy, 0..100);
    let served = same_at_first(follow(&gateway, "2s").args(["--mode", "all"]));
    wait_until("a later verdict", || {
        let verdict = served.progress()["verdict"].take();
        let is_later = verdict["deletions_as_of"].as_str() < verdict["as_of"].as_str();
        match verdict["outcome"] == "same" && is_later {
            true => Ok(()),
            false => Err(verdict.to_string()),
        }
    });
    assert_eq!(served.stop().code, SAME);
}

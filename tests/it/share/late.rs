//! Writes of a copy that arrive when another instance has their range: none of them leaves an older version.

use nix::sys::signal::Signal;
use serde_json::Value;

use super::copying::{Copying, PATIENT};

/// The defect that makes each write one without a condition.
const UNCONDITIONAL: (&str, &str) = (
    "COSMOS_TAIL_FAILPOINTS",
    "defect.replay.writes-without-condition=return",
);
/// The defect that trusts what was read without a look at the lease.
const UNCONFIRMED: (&str, &str) = (
    "COSMOS_TAIL_FAILPOINTS",
    "defect.replay.trusts-what-it-reads=return",
);
/// A write of a version that is carried out when its process is paused and another one has written a newer one.
fn late_put(copying: &Copying) {
    copying.put("x", 1);
    let a = copying.start("a");
    copying.wait_for_version("x", Some(1));
    let hold = copying.hold_a_write();
    copying.put("x", 2);
    let b = copying.pause_until_taken(&a, &hold, "b");
    copying.put("x", 3);
    copying.wait_for_version("x", Some(3));
    let status = copying.release(&hold);
    a.signal(Signal::SIGCONT);
    if copying.defect.is_none() {
        assert_eq!(status, 412);
        // It goes on as one of the group.
        a.wait_until("it has noticed", |said| said.contains("in time"));
    }
    for instance in [a, b] {
        instance.stop();
    }
}

#[test]
fn a_write_that_comes_late_does_not_bring_an_older_version_back() {
    let copying = Copying::new(1, "latest");
    late_put(&copying);
    assert_eq!(copying.version("x"), Some(3));
    assert_eq!(copying.went_back(), [] as [String; 0]);
    assert_eq!(copying.scene.leased.gateway.violations(), [] as [String; 0]);
}

#[test]
fn writes_without_a_condition_are_found_by_it() {
    let copying = Copying {
        defect: Some(UNCONDITIONAL),
        ..Copying::new(1, "latest")
    };
    late_put(&copying);
    assert_eq!(copying.went_back(), ["x: 2 after 3"]);
}

/// A lease that is cleared, as `leases release` or another processor does, while a write of its owner is on its way, who
/// renews it rarely: another instance writes something newer before the write arrives.
fn cleared_lease(copying: &Copying) {
    copying.put("x", 1);
    let a = copying.start("a");
    copying.wait_for_version("x", Some(1));
    copying.scene.wait_until(
        || {
            let head = copying.scene.leased.partitions()[0].1.to_string();
            let stored = copying.scene.stored();
            let mut tokens = stored.values().map(|lease| &lease["ContinuationToken"]);
            tokens.all(|token| token.as_str().unwrap().trim_matches('"') == head)
        },
        || format!("{:?}", copying.scene.stored()),
    );
    let hold = copying.hold_a_write();
    copying.put("x", 2);
    hold.wait_until_reached();
    let mut lease = copying.scene.stored().into_values().next().unwrap();
    lease["Owner"] = Value::Null;
    copying.scene.leased.leases.upsert(lease);
    let b = copying.start("b");
    copying.put("x", 3);
    copying.wait_for_version("x", Some(3));
    assert_eq!(copying.release(&hold), 412);
    if copying.defect.is_none() {
        a.wait_until("it has noticed", |said| said.contains("taken by `b`"));
    } else {
        // It has read the newest version too, and writes it next.
        copying.scene.wait_until(
            || !copying.went_back().is_empty(),
            || format!("{:?}", copying.version("x")),
        );
    }
    for instance in [a, b] {
        instance.stop();
    }
}

#[test]
fn what_another_owner_has_written_is_no_condition_of_a_late_write() {
    let copying = Copying {
        lasts: PATIENT,
        ..Copying::new(1, "latest")
    };
    cleared_lease(&copying);
    assert_eq!(copying.version("x"), Some(3));
    assert_eq!(copying.went_back(), [] as [String; 0]);
}

#[test]
fn trust_in_what_was_read_is_found_by_it() {
    let copying = Copying {
        defect: Some(UNCONFIRMED),
        lasts: PATIENT,
        ..Copying::new(1, "latest")
    };
    cleared_lease(&copying);
    assert_eq!(copying.went_back(), ["x: 2 after 3"]);
}

/// An id that no URL can have: its writes are batches of one, whose answers are 207 if they fail.
const NO_URL: &str = "a/b?c#d\\e";

fn late_deletion(id: &str, refused: u16) {
    let copying = Copying::new(1, "all");
    let a = copying.start("a");
    copying.put(id, 1);
    copying.wait_for_version(id, Some(1));
    let hold = copying.hold_a_write();
    copying.delete(id);
    let b = copying.pause_until_taken(&a, &hold, "b");
    copying.wait_for_version(id, None);
    copying.put(id, 2);
    copying.wait_for_version(id, Some(2));
    assert_eq!(copying.release(&hold), refused);
    a.signal(Signal::SIGCONT);
    a.wait_until("it has noticed", |said| said.contains("in time"));
    assert_eq!(copying.version(id), Some(2));
    for instance in [a, b] {
        instance.stop();
    }
}

#[test]
fn a_deletion_that_comes_late_does_not_delete_what_was_created_again() {
    late_deletion("x", 412);
    late_deletion(NO_URL, 207);
}

fn late_replacement(id: &str, refused: u16) {
    let copying = Copying::new(1, "all");
    let a = copying.start("a");
    copying.put(id, 1);
    copying.wait_for_version(id, Some(1));
    let hold = copying.hold_a_write();
    copying.put(id, 2);
    let b = copying.pause_until_taken(&a, &hold, "b");
    copying.wait_for_version(id, Some(2));
    copying.delete(id);
    copying.wait_for_version(id, None);
    let of_copy = || copying.copy.changes().len();
    let before = of_copy();
    assert_eq!(copying.release(&hold), refused);
    // Its process cannot have repaired anything.
    assert_eq!(copying.version(id), None);
    assert_eq!(of_copy(), before);
    a.signal(Signal::SIGCONT);
    a.wait_until("it has noticed", |said| said.contains("in time"));
    for instance in [a, b] {
        instance.stop();
    }
    assert_eq!(copying.version(id), None);
    assert_eq!(copying.scene.leased.gateway.violations(), [] as [String; 0]);
}

#[test]
fn a_replacement_that_comes_late_does_not_bring_back_what_was_deleted() {
    late_replacement("x", 404);
    late_replacement(NO_URL, 207);
}

fn late_creation(id: &str) {
    let copying = Copying::new(1, "all");
    let a = copying.start("a");
    let hold = copying.hold_a_creation();
    copying.put(id, 1);
    let b = copying.pause_until_taken(&a, &hold, "b");
    copying.wait_for_version(id, Some(1));
    copying.delete(id);
    copying.wait_for_version(id, None);
    // That there is no document is a condition that holds again.
    assert_eq!(copying.release(&hold), 201);
    a.signal(Signal::SIGCONT);
    copying.wait_for_version(id, None);
    // What is the newest stays, when it was created late and replaced since.
    copying.put(id, 2);
    copying.wait_for_version(id, Some(2));
    for instance in [a, b] {
        instance.stop();
    }
    assert_eq!(copying.version(id), Some(2));
}

#[test]
fn a_document_that_is_created_late_is_deleted_again() {
    late_creation("x");
    late_creation(NO_URL);
}

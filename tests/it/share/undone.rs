//! Documents of a copy that are created too late: they are deleted again, whatever ends their process, or that is told.

use nix::sys::signal::Signal;
use serde_json::Value;

use super::copying::{Copying, PATIENT};
use super::scene::Instance;
use crate::gateway::{Action, Fault, Hold, RequestKind};

/// A creation that is on its way when its process is paused. Another instance has created the document, and deleted it.
fn created_on_its_way(copying: &Copying) -> (Instance, Instance, Hold) {
    let a = copying.start("a");
    let hold = copying.hold_a_creation();
    copying.put("x", 1);
    let b = copying.pause_until_taken(&a, &hold, "b");
    copying.wait_for_version("x", Some(1));
    copying.delete("x");
    copying.wait_for_version("x", None);
    (a, b, hold)
}

/// Keeps deletions of the target from being carried out.
fn throttle_deletions(copying: &Copying, times: usize) {
    let copy = copying.copy.rid().to_owned();
    let fault = Fault::on(RequestKind::ItemWrite, Action::throttle(200));
    let fault = fault.when(move |record| {
        record.method == "DELETE" && record.container.as_deref() == Some(&copy)
    });
    copying.scene.leased.gateway.push_fault(fault.times(times));
}

const LEFT_BEHIND: &str = "item \"x\" may have been created in the target after its range was given up, and was not \
                           deleted again";

#[test]
fn a_stop_waits_until_what_was_created_late_is_deleted_again() {
    let copying = Copying::new(1, "all");
    let (a, b, hold) = created_on_its_way(&copying);
    throttle_deletions(&copying, 8);
    a.signal(Signal::SIGTERM);
    a.signal(Signal::SIGCONT);
    a.wait_until("it has noticed", |said| said.contains("in time"));
    assert_eq!(copying.release(&hold), 201);
    let ended = a.end();
    assert_eq!(copying.version("x"), None, "{}", ended.stderr);
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
    assert!(!ended.stderr.contains(LEFT_BEHIND), "{}", ended.stderr);
    b.stop();
}

#[test]
fn what_cannot_be_deleted_again_is_told() {
    let copying = Copying::new(1, "all");
    let (a, b, hold) = created_on_its_way(&copying);
    throttle_deletions(&copying, usize::MAX);
    a.signal(Signal::SIGTERM);
    a.signal(Signal::SIGCONT);
    a.wait_until("it has noticed", |said| said.contains("in time"));
    assert_eq!(copying.release(&hold), 201);
    // The stop has an end.
    let ended = a.end();
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
    assert!(ended.stderr.contains(LEFT_BEHIND), "{}", ended.stderr);
    assert_eq!(copying.version("x"), Some(1));
    b.stop();
}

#[test]
fn a_second_signal_tells_what_is_not_deleted_again() {
    let copying = Copying::new(1, "all");
    let (a, b, hold) = created_on_its_way(&copying);
    throttle_deletions(&copying, usize::MAX);
    a.signal(Signal::SIGTERM);
    a.signal(Signal::SIGCONT);
    a.wait_until("it has noticed", |said| said.contains("in time"));
    let before = copying.scene.leased.gateway.total_requests();
    assert_eq!(copying.release(&hold), 201);
    let is_deletion = |count: usize| {
        let log = copying.scene.leased.gateway.request_log();
        let of_copy = |rid: &Option<String>| rid.as_deref() == Some(copying.copy.rid());
        let deletions = log[before..].iter();
        let deletions =
            deletions.filter(|record| record.method == "DELETE" && of_copy(&record.container));
        deletions.count() >= count
    };
    copying
        .scene
        .wait_until(|| is_deletion(2), || "no deletions".to_owned());
    a.signal(Signal::SIGINT);
    let ended = a.end();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert!(ended.stderr.contains(LEFT_BEHIND), "{}", ended.stderr);
    b.stop();
}

#[test]
fn a_failure_waits_until_what_was_created_late_is_deleted_again() {
    let copying = Copying {
        lasts: PATIENT,
        ..Copying::new(2, "all")
    };
    let orders = &copying.scene.leased.orders;
    // A document of each partition.
    let first = orders.partitions()[0].id.clone();
    let mut ids = ["", ""].map(str::to_owned);
    for number in 0..20 {
        let id = format!("item-{number}");
        copying.put(&id, 0);
        let served = orders.latest().into_iter().find(|one| one.id == id);
        ids[usize::from(served.unwrap().partition != first)] = id;
    }
    let [x, bad] = ids;
    copying.delete(&x);
    let a = copying.start("a");
    let hold = copying.hold_a_write();
    copying.put(&x, 1);
    hold.wait_until_reached();
    let mut lease = copying.scene.stored()[&first].clone();
    lease["Owner"] = Value::Null;
    copying.scene.leased.leases.upsert(lease);
    let b = copying.start("b");
    copying.wait_for_version(&x, Some(1));
    copying.delete(&x);
    copying.wait_for_version(&x, None);
    throttle_deletions(&copying, 8);
    copying.copy.refuse(&bad, 400);
    assert_eq!(copying.release(&hold), 201);
    copying.put(&bad, 1);
    let ended = a.end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert_eq!(copying.version(&x), None, "{}", ended.stderr);
    b.stop();
}

#[test]
fn a_document_that_has_expired_in_the_target_is_not_brought_back() {
    let copying = Copying::new(1, "latest");
    let a = copying.start("a");
    let hold = copying.hold_a_creation();
    copying.put("x", 1);
    let b = copying.pause_until_taken(&a, &hold, "b");
    copying.wait_for_version("x", Some(1));
    copying.copy.expire("x", "key-x");
    assert_eq!(copying.release(&hold), 201);
    a.signal(Signal::SIGCONT);
    copying.wait_for_version("x", None);
    for instance in [a, b] {
        assert!(!instance.stop().contains(LEFT_BEHIND));
    }
    assert_eq!(copying.version("x"), None);
}

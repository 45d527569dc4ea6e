//! Documents of a copy that are created too late: they are deleted again, whatever ends their process, or that is told.

use std::sync::atomic::{AtomicUsize, Ordering};

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

/// Attempts without an answer: more than the SDK makes by itself.
const UNANSWERED: usize = 20;

/// A creation without an answer, before the fate of which is known the process ends its part of it.
#[test]
fn a_creation_without_an_answer_is_told_of_at_a_stop_and_at_a_failure() {
    for fails in [false, true] {
        let copying = Copying::new(1, "all");
        let a = copying.start("a");
        let rid = copying.copy.rid().to_owned();
        // It may have been carried out, and every further attempt is refused.
        let status = if fails { 403 } else { 503 };
        for (times, status) in [(UNANSWERED, 503), (usize::MAX, status)] {
            let fault = Fault::on(RequestKind::ItemWrite, Action::status(status, 0));
            let of_copy = fault.when({
                let rid = rid.clone();
                move |record| record.container.as_deref() == Some(&rid)
            });
            copying
                .scene
                .leased
                .gateway
                .push_fault(of_copy.times(times));
        }
        copying.put("x", 1);
        let writes = || {
            let log = copying.scene.leased.gateway.request_log().into_iter();
            log.filter(|one| {
                one.kind == RequestKind::ItemWrite && one.container.as_deref() == Some(&rid)
            })
            .count()
        };
        copying
            .scene
            .wait_until(|| writes() > UNANSWERED, || format!("{} writes", writes()));
        let ended = match fails {
            true => a.end(),
            false => {
                a.signal(Signal::SIGTERM);
                a.end()
            }
        };
        assert_eq!(ended.code == Some(143), !fails, "{}", ended.stderr);
        assert!(ended.stderr.contains(LEFT_BEHIND), "{}", ended.stderr);
    }
}

/// A creation without an answer was carried out, and the next attempt finds the document; but the lease is lost by then.
#[test]
fn a_creation_without_an_answer_is_told_of_if_the_lease_is_lost_after_the_next_one() {
    let copying = Copying {
        lasts: PATIENT,
        ..Copying::new(1, "all")
    };
    let a = copying.start("a");
    let rid = copying.copy.rid().to_owned();
    let of_copy = |fault: Fault| {
        let rid = rid.clone();
        fault.when(move |record| record.container.as_deref() == Some(&rid))
    };
    let gateway = &copying.scene.leased.gateway;
    // Carried out, and answered so that this is not known.
    let fault = of_copy(Fault::on(RequestKind::ItemWrite, Action::As(503)));
    gateway.push_fault(fault.times(UNANSWERED));
    let (hold, reads) = (Hold::new(), AtomicUsize::new(0));
    let second = Fault::on(RequestKind::ItemRead, Action::Hold(hold.clone()));
    let own = rid.clone();
    gateway.push_fault(second.when(move |record| {
        record.container.as_deref() == Some(&own) && reads.fetch_add(1, Ordering::SeqCst) == 1
    }));
    copying.put("x", 1);
    hold.wait_until_reached();
    assert_eq!(copying.version("x"), Some(1));
    let mut lease = copying.scene.stored().into_values().next().unwrap();
    lease["Owner"] = Value::Null;
    copying.scene.leased.leases.upsert(lease);
    let b = copying.start("b");
    copying.scene.wait_for_owners(&[("b", 1)]);
    hold.release();
    a.wait_until("it has noticed", |said| said.contains(LEFT_BEHIND));
    for instance in [a, b] {
        instance.stop();
    }
}

//! Processes of one name: exactly one of them goes on.

use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::Signal;

use super::scene::{Instance, Scene};
use crate::gateway::{Action, Fault, Hold, RequestKind, RequestRecord};
use crate::leases::written::ago;
use crate::orders::fill;

const NAMED_TOO: &str = "another instance of the group is named `a` too";

fn writes_a_lease(request: &RequestRecord) -> bool {
    request.method == "PUT" && request.path.contains("leases")
}

/// Ensures that an instance ends for its namesake.
#[track_caller]
fn ends_for_its_namesake(instance: Instance) {
    let ended = instance.end();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains(NAMED_TOO), "{}", ended.stderr);
}

#[test]
fn the_second_instance_of_a_name_ends_the_first() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..10);
    let first = scene.start("a");
    scene.printed.wait_for(0..10);
    let second = scene.start("a");
    ends_for_its_namesake(first);
    fill(&scene.leased.orders, 10..30);
    scene.printed.wait_for(10..30);
    second.stop();
}

#[test]
fn leases_of_a_namesake_that_renews_them_at_that_moment_are_taken_all_the_same() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..10);
    let net = scene.leased.net("orders");
    net.marker();
    for (id, lsn, bounds) in scene.leased.partitions() {
        net.partition(&id, &bounds, Some("a"), Some(lsn), &ago(0));
    }
    // Between each of the first looks and the write after it, the other one writes both leases.
    let (leases, seconds) = (scene.leased.leases.clone(), AtomicUsize::new(0));
    let renewed = Action::call(move || {
        let second = seconds.fetch_add(1, Ordering::Relaxed);
        for served in leases.latest() {
            let mut lease: serde_json::Value = serde_json::from_slice(&served.text).unwrap();
            if lease["Owner"] == "a" {
                lease["timestamp"] = format!("2026-01-01T00:00:{second:02}.0Z").into();
                leases.replace(lease);
            }
        }
    });
    let renewed = Fault::on(RequestKind::ItemWrite, renewed);
    scene
        .leased
        .gateway
        .push_fault(renewed.when(writes_a_lease).times(6));
    let a = scene.start("a");
    fill(&scene.leased.orders, 10..30);
    scene.printed.wait_for(10..30);
    let said = a.stop();
    let taken = said.matches(": acquired, which it had before").count();
    assert_eq!(taken, 2, "{said}");
    assert!(!said.contains("was faster"), "{said}");
}

#[test]
fn of_instances_of_one_name_that_start_at_the_same_moment_one_goes_on() {
    for (is_new, are_lost) in [(true, false), (false, false), (false, true)] {
        let scene = Scene::new(4);
        fill(&scene.leased.orders, 0..20);
        let net = scene.leased.net("orders");
        net.marker();
        for (id, lsn, bounds) in scene.leased.partitions() {
            // Either nobody has them, or an instance of this name has crashed.
            let owner = (!is_new).then_some("a");
            net.partition(&id, &bounds, owner, Some(lsn), &ago(0));
        }
        // Both have seen the same before either writes.
        let hold = Hold::new();
        let held = Fault::on(RequestKind::ItemWrite, Action::Hold(hold.clone()));
        scene
            .leased
            .gateway
            .push_fault(held.when(writes_a_lease).times(8));
        // Some of them are done, and who did so does not hear of it.
        for nth in [2, 3, 7, 8, 11].into_iter().filter(|_| are_lost) {
            let lost = Fault::on(RequestKind::ItemWrite, Action::As(503));
            let lost = lost.when(writes_a_lease).nth(nth);
            scene.leased.gateway.push_fault(lost);
        }
        let start = || Instance::start("a", &mut scene.command("a"), &scene.printed);
        let both = [start(), start()];
        scene.leased.gateway.wait_until("both want all", |log| {
            log.iter().filter(|one| writes_a_lease(one)).count() >= 8
        });
        hold.release();
        scene.wait_until(
            || both.iter().any(Instance::is_over),
            || both.iter().map(Instance::said).collect(),
        );
        let [one, other] = both;
        let (over, left) = if one.is_over() {
            (one, other)
        } else {
            (other, one)
        };
        ends_for_its_namesake(over);
        scene.wait_for_owners(&[("a", 4)]);
        fill(&scene.leased.orders, 100..120);
        scene.printed.wait_for(100..120);
        left.stop();
        assert_eq!(scene.owners(), [("-".to_owned(), 4)].into());
    }
}

#[test]
fn an_instance_that_was_paused_ends_for_the_one_that_has_its_name_since() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..10);
    let start = |expiration: &str| {
        let mut command = scene.bare("a");
        command.args(["--from=beginning", "--acquire-interval=200ms", "-v"]);
        command.args([
            "--renew-interval=300ms",
            "--expiration-interval",
            expiration,
        ]);
        scene.start_as("a", &mut command)
    };
    let first = start("3s");
    scene.printed.wait_for(0..10);
    first.signal(Signal::SIGSTOP);
    // However slow the machine is, this one has its leases.
    let second = start("60s");
    fill(&scene.leased.orders, 10..20);
    scene.printed.wait_for(10..20);
    // For longer than the leases of the first last.
    let paused_until = scene.leased.gateway.time() + 3;
    scene.wait_until(
        || scene.leased.gateway.time() > paused_until,
        || "no renewals".to_owned(),
    );
    first.signal(Signal::SIGCONT);
    ends_for_its_namesake(first);
    fill(&scene.leased.orders, 20..40);
    scene.printed.wait_for(20..40);
    let said = second.stop();
    assert!(!said.contains("taken by"), "{said}");
}

#[test]
fn an_earlier_write_whose_answer_was_lost_is_not_taken_for_that_of_a_namesake() {
    let scene = Scene::new(1);
    fill(&scene.leased.orders, 0..10);
    let a = scene.start("a");
    scene.printed.wait_for(0..10);
    let lost = Fault::on(RequestKind::ItemWrite, Action::As(503));
    scene.leased.gateway.push_fault(lost.when(writes_a_lease));
    // Nor can it look whether that was done.
    let unseen = Fault::on(RequestKind::ItemRead, Action::status(400, 0));
    let unseen = unseen.when(|request| request.path.contains("leases"));
    scene.leased.gateway.push_fault(unseen);
    a.wait_until("it cannot know", |said| {
        said.contains("cannot be renewed yet")
    });
    fill(&scene.leased.orders, 10..20);
    scene.printed.wait_for(10..20);
    let lsn = scene.leased.partitions()[0].1;
    scene.wait_until(
        || scene.stored()["0"]["ContinuationToken"] == format!("\"{lsn}\""),
        || format!("{:?}", scene.stored()),
    );
    let said = a.stop();
    assert_eq!(said.matches(": acquired").count(), 1, "{said}");
}

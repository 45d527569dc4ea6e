//! A lease container that throttles, fails or goes away.

use super::scene::Scene;
use crate::gateway::{Action, Fault, RequestKind, RequestRecord};
use crate::orders::fill;

/// Requests that write a lease.
fn writes_a_lease(request: &RequestRecord) -> bool {
    request.method == "PUT" && request.path.contains("leases")
}

#[test]
fn leases_are_not_lost_for_throttling() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..10);
    let a = scene.start("a");
    scene.printed.wait_for(0..10);
    let throttle = Fault::on(RequestKind::ItemWrite, Action::throttle(50));
    scene
        .leased
        .gateway
        .push_fault(throttle.when(writes_a_lease).times(10));
    fill(&scene.leased.orders, 10..40);
    scene.printed.wait_for(10..40);
    let lsns: Vec<(String, u64)> = scene
        .leased
        .partitions()
        .into_iter()
        .map(|(id, lsn, _)| (id, lsn))
        .collect();
    scene.wait_until(
        || {
            let stored = scene.stored();
            lsns.iter()
                .all(|(id, lsn)| stored[id]["ContinuationToken"] == format!("\"{lsn}\""))
        },
        || format!("{:?}", scene.stored()),
    );
    let said = a.stop();
    assert!(!said.contains("in time"), "{said}");
    let counts = scene.printed.numbers();
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

#[test]
fn an_instance_that_cannot_renew_stops_before_its_leases_expire_and_takes_them_back() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..10);
    let a = scene.start("a");
    scene.printed.wait_for(0..10);
    let throttle = Fault::on(RequestKind::ItemWrite, Action::throttle(50));
    scene
        .leased
        .gateway
        .push_fault(throttle.when(writes_a_lease).always());
    a.wait_until("it gives them up", |said| {
        said.matches("could not be renewed in time").count() == 2
    });
    // Nothing is read without a lease.
    let printed = scene.printed.lines().len();
    fill(&scene.leased.orders, 10..20);
    scene
        .leased
        .gateway
        .wait_for_requests(scene.leased.gateway.total_requests() + 10);
    assert_eq!(scene.printed.lines().len(), printed);
    scene.leased.gateway.clear_faults();
    scene.printed.wait_for(10..20);
    a.stop();
}

#[test]
fn an_answer_that_was_lost_does_not_lose_the_lease() {
    let scene = Scene::new(1);
    fill(&scene.leased.orders, 0..10);
    let a = scene.start("a");
    scene.printed.wait_for(0..10);
    let lost = Fault::on(RequestKind::ItemWrite, Action::ResetBeforeHeaders);
    scene
        .leased
        .gateway
        .push_fault(lost.when(writes_a_lease).times(3));
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

#[test]
fn a_lease_container_that_is_deleted_ends_the_instance() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..10);
    let a = scene.start("a");
    scene.printed.wait_for(0..10);
    scene.leased.gateway.delete_container("shop", "leases");
    let ended = a.end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("leases"), "{}", ended.stderr);
}

#[test]
fn a_lease_that_was_deleted_is_named() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..10);
    let a = scene.start("a");
    scene.printed.wait_for(0..10);
    let id = scene.stored()["0"]["id"].as_str().unwrap().to_owned();
    scene.leased.leases.delete(&id, id.as_str());
    a.wait_until("it warns", |said| said.contains("which nobody reads"));
    let said = a.stop();
    assert!(said.contains("lease `0`: it was deleted"), "{said}");
    assert!(
        said.contains("`cosmos-tail leases repair` creates it"),
        "{said}"
    );
}

//! Stops while the service does not answer.

use nix::sys::signal::Signal;

use super::scene::{Instance, Scene};
use crate::gateway::{Action, Fault, Hold, RequestKind, RequestRecord};
use crate::orders::fill;

/// Stops an instance while requests like these are held, and waits until it has ended.
#[track_caller]
fn ends_while_held(
    scene: &Scene,
    instance: impl FnOnce() -> Instance,
    held: fn(&RequestRecord) -> bool,
) -> String {
    let hold = Hold::new();
    let fault = Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()));
    scene.leased.gateway.push_fault(fault.when(held).always());
    let instance = instance();
    hold.wait_until_reached();
    instance.signal(Signal::SIGTERM);
    instance.wait_until("it ends", |said| said.contains(" RU, for the leases "));
    hold.release();
    let ended = instance.end();
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
    assert_eq!(scene.owners(), [("-".to_owned(), 2)].into());
    ended.stderr
}

#[test]
fn a_stop_does_not_wait_for_a_list_of_the_leases() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..10);
    let a = scene.start("a");
    scene.printed.wait_for(0..10);
    ends_while_held(&scene, || a, |request| request.path.contains("leases"));
}

#[test]
fn a_stop_does_not_wait_for_the_start_of_a_range() {
    let scene = Scene::new(2);
    let net = scene.leased.net("orders");
    net.marker();
    for (_, _, bounds) in scene.leased.partitions() {
        net.range(&bounds, None, None, "2020-01-01T00:00:00Z");
    }
    let start = || Instance::start("a", &mut scene.command("a"), &scene.printed);
    ends_while_held(&scene, start, |request| {
        request.path.contains("orders") && request.is_pin()
    });
}

#[test]
fn a_lease_that_could_not_be_released_is_released_again() {
    let scene = Scene::new(2);
    // Nothing is written until it is stopped.
    let mut command = scene.bare("a");
    let a = scene.start_as("a", command.args(["--poll-interval=50ms", "-v"]));
    let refused = Fault::on(RequestKind::ItemWrite, Action::status(400, 0));
    scene.leased.gateway.push_fault(
        refused.when(|request| request.method == "PUT" && request.path.contains("leases")),
    );
    let said = a.stop();
    assert_eq!(
        said.matches(": cannot be released yet: ").count(),
        1,
        "{said}"
    );
    assert_eq!(said.matches(": released\n").count(), 2, "{said}");
    assert_eq!(scene.owners(), [("-".to_owned(), 2)].into());
}

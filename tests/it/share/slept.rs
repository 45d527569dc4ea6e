//! A process that creates the leases of a group, and sleeps through its lock: what it begins after that is the work of another
//! one by then.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::scene::{Instance, Scene};
use crate::gateway::{Action, Fault, Hold, RequestKind};

/// More than are created at the same time.
const RANGES: usize = 20;
/// For what is waited at most.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn whoever_slept_through_its_lock_does_not_bring_a_lease_back_that_was_replaced() {
    let scene = Scene::new(RANGES);
    let hold = Hold::new();
    let leases = scene.leased.leases.rid().to_owned();
    let seen = AtomicUsize::new(0);
    let fault = Fault::on(RequestKind::ItemWrite, Action::Hold(hold.clone()));
    let fault = fault.when(move |record| {
        // The first one is the lock.
        record.container.as_ref() == Some(&leases) && seen.fetch_add(1, Ordering::SeqCst) > 0
    });
    scene.leased.gateway.push_fault(fault.times(16));
    let a = Instance::start("a", &mut scene.command("a"), &scene.printed);
    let log = || scene.leased.gateway.request_log().into_iter();
    let held = || {
        log()
            .filter(|one| one.kind == RequestKind::ItemWrite && one.status.is_none())
            .count()
    };
    scene.wait_until(|| held() == 16, || format!("{} are held", held()));
    a.signal(Signal::SIGSTOP);
    hold.release();
    // No request comes meanwhile that would be waited for.
    let end = Instant::now() + PATIENCE;
    while scene.stored().len() < 16 {
        assert!(Instant::now() < end, "{:?}", scene.stored().keys());
        std::thread::sleep(Duration::from_millis(10));
    }
    let left: Vec<String> = scene
        .leased
        .partitions()
        .into_iter()
        .map(|(id, ..)| id)
        .filter(|id| !scene.stored().contains_key(id))
        .collect();
    // Once the lock is over.
    let b = scene.start("b");
    scene.wait_for_owners(&[("b", RANGES)]);
    scene.leased.orders.split(&left[0], 2);
    scene.wait_until(
        || !scene.stored().contains_key(&left[0]),
        || format!("{:?}", scene.stored().keys()),
    );
    a.signal(Signal::SIGCONT);
    a.wait_until("it has looked again", |said| {
        said.contains("\ntailing ") || said.contains("\nwaiting for ranges")
    });
    let stored = scene.stored();
    assert!(!stored.contains_key(&left[0]), "{:?}", stored.keys());
    assert_eq!(stored.len(), RANGES + 1);
    for instance in [a, b] {
        instance.stop();
    }
    assert_eq!(scene.leased.gateway.violations(), [] as [String; 0]);
}

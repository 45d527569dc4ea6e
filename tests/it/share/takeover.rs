//! Who reads what, when instances come and go.

use nix::sys::signal::Signal;

use super::scene::{Instance, Scene};
use crate::orders::fill;

#[test]
fn instances_divide_the_ranges_and_print_each_change_once() {
    let scene = Scene::new(4);
    fill(&scene.leased.orders, 0..100);
    let a = scene.start("a");
    let said = a.said();
    assert!(
        said.contains("tailing 4 of 4 ranges of shop/orders as `a` of the group `orders`"),
        "{said}"
    );
    scene.printed.wait_for(0..100);
    let b = scene.start("b");
    scene.wait_for_owners(&[("a", 2), ("b", 2)]);
    // What moved has moved, and the former owner knows it: from here on nobody reads what another one reads.
    for instance in [&a, &b] {
        instance.wait_until("it has two leases", |said| held(said) == 2);
    }
    let before = scene.printed.lines().len();
    fill(&scene.leased.orders, 200..400);
    scene.printed.wait_for(200..400);
    let after = scene.printed.lines().split_off(before);
    let mut numbers: Vec<u64> = after
        .iter()
        .filter_map(super::scene::Line::number)
        .collect();
    numbers.retain(|number| *number >= 200);
    numbers.sort_unstable();
    assert_eq!(numbers, (200..400).collect::<Vec<u64>>());
    for name in ["a", "b"] {
        assert!(after.iter().any(|line| line.instance == name), "{name}");
    }
    let said = b.stop();
    assert!(
        said.contains("\nlease `") && said.contains(": released\n"),
        "{said}"
    );
    assert!(said.contains(" RU, for the leases "), "{said}");
    // What was let go needs not expire.
    scene.wait_for_owners(&[("a", 4)]);
    fill(&scene.leased.orders, 400..500);
    scene.printed.wait_for(400..500);
    a.stop();
    assert_eq!(scene.owners(), [("-".to_owned(), 4)].into());
    assert_eq!(scene.leased.gateway.violations(), [] as [String; 0]);
}

/// How many leases an instance has, by what it said.
fn held(said: &str) -> usize {
    let count = |text: &str| said.matches(text).count();
    count(": acquired, ") - count(": taken by `") - count(": released\n")
}

#[test]
fn instances_that_start_together_make_one_group() {
    let scene = Scene::new(8);
    fill(&scene.leased.orders, 0..100);
    let instances: Vec<Instance> = ["a", "b", "c", "d"]
        .into_iter()
        .map(|name| {
            let mut command = scene.command(name);
            Instance::start(name, command.args(["--from", "beginning"]), &scene.printed)
        })
        .collect();
    scene.wait_for_owners(&[("a", 2), ("b", 2), ("c", 2), ("d", 2)]);
    scene.printed.wait_for(0..100);
    assert_eq!(scene.stored().len(), 8);
    let prefix = scene.leased.prefix("orders");
    assert!(scene.leased.stored(&format!("{prefix}.lock")).is_none());
    for instance in instances {
        instance.stop();
    }
}

#[test]
fn a_lock_that_was_left_behind_is_waited_for_and_then_removed() {
    let scene = Scene::new(1);
    fill(&scene.leased.orders, 0..5);
    let prefix = scene.leased.prefix("orders");
    // By the service's clock half a minute ago, whatever its own time to live says.
    let lock = format!("{prefix}.lock");
    scene.leased.past_now(29, || {
        scene
            .leased
            .leases
            .upsert(serde_json::json!({"id": lock, "ttl": 30}));
    });
    let a = scene.start("a");
    scene.printed.wait_for(0..5);
    let said = a.stop();
    assert!(
        said.contains("another instance creates the leases of the group"),
        "{said}"
    );
    assert!(
        said.contains("the lock of the group was left behind"),
        "{said}"
    );
}

#[test]
fn a_restart_continues_where_the_last_stop_was() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..100);
    let a = scene.start("a");
    scene.printed.wait_for(0..100);
    a.stop();
    fill(&scene.leased.orders, 100..150);
    let b = scene.start("b");
    scene.printed.wait_for(100..150);
    b.stop();
    let counts = scene.printed.numbers();
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

#[test]
fn a_start_from_now_is_kept_before_anything_is_read() {
    let scene = Scene::new(3);
    fill(&scene.leased.orders, 0..50);
    let a = scene.start_as("a", &mut scene.command("a"));
    // It printed nothing, and is gone: what came meanwhile is not lost.
    a.kill();
    for lease in scene.stored().values() {
        assert!(lease["ContinuationToken"].is_string(), "{lease}");
    }
    fill(&scene.leased.orders, 50..100);
    let b = scene.start_as("b", &mut scene.command("b"));
    scene.printed.wait_for(50..100);
    b.stop();
    let counts = scene.printed.numbers();
    assert_eq!(counts.keys().copied().min(), Some(50));
}

#[test]
fn others_take_over_after_a_kill_and_lose_nothing() {
    let scene = Scene::new(4);
    fill(&scene.leased.orders, 0..40);
    let a = scene.start("a");
    let b = scene.start("b");
    scene.wait_for_owners(&[("a", 2), ("b", 2)]);
    a.kill();
    fill(&scene.leased.orders, 100..200);
    scene.printed.wait_for(100..200);
    scene.wait_for_owners(&[("b", 4)]);
    let said = b.stop();
    assert!(said.contains(": acquired, from `a`"), "{said}");
}

#[test]
fn an_instance_with_the_name_of_one_that_crashed_takes_its_leases_back_at_once() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..10);
    let mut command = scene.bare("a");
    command.args(["--from", "beginning", "--poll-interval=50ms", "-v"]);
    let a = scene.start_as("a", &mut command);
    scene.printed.wait_for(0..10);
    a.kill();
    fill(&scene.leased.orders, 10..20);
    // Its leases last for a minute.
    let a = scene.start_as("a", &mut command);
    scene.printed.wait_for(10..20);
    let said = a.stop();
    assert_eq!(
        said.matches(": acquired, which it had before").count(),
        2,
        "{said}"
    );
}

#[test]
fn an_instance_that_was_paused_for_longer_than_its_leases_last_changes_nothing() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..20);
    let a = scene.start("a");
    scene.printed.wait_for(0..20);
    a.signal(Signal::SIGSTOP);
    let b = scene.start("b");
    scene.wait_for_owners(&[("b", 2)]);
    fill(&scene.leased.orders, 100..150);
    scene.printed.wait_for(100..150);
    scene.wait_until(
        || scene.stored().values().all(|lease| position(lease) > 20),
        || format!("{:?}", scene.stored()),
    );
    b.signal(Signal::SIGSTOP);
    let positions = |scene: &Scene| -> Vec<u64> { scene.stored().values().map(position).collect() };
    let before = positions(&scene);
    a.signal(Signal::SIGCONT);
    a.wait_until("it knows that time has passed", |said| {
        said.contains("could not be renewed in time")
    });
    // It takes them back when the other one's have expired, and not before; from where that one was.
    b.signal(Signal::SIGCONT);
    fill(&scene.leased.orders, 200..250);
    scene.printed.wait_for(200..250);
    scene.wait_for_owners(&[("a", 1), ("b", 1)]);
    let after = positions(&scene);
    for (before, after) in before.iter().zip(&after) {
        assert!(after >= before, "{before:?} {after:?}");
    }
    a.stop();
    b.stop();
}

fn position(lease: &serde_json::Value) -> u64 {
    let token = lease["ContinuationToken"].as_str().unwrap();
    token.trim_matches('"').parse::<u64>().unwrap() % 10_000
}

#[test]
fn a_reader_that_closes_the_pipe_ends_the_instance_and_its_leases_are_let_go() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..10);
    let mut command = scene.command("a");
    let first: Instance = scene.start_as("a", command.args(["--from", "beginning", "--max", "3"]));
    let ended = first.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("\n3 changes from shop/orders"),
        "{}",
        ended.stderr
    );
    assert_eq!(scene.owners(), [("-".to_owned(), 2)].into());
    // A page that was printed in part comes again.
    let second = scene.start("b");
    scene.printed.wait_for(0..10);
    second.stop();
}

#[test]
fn clocks_that_differ_by_minutes_do_not_let_instances_take_leases_from_each_other() {
    keep_their_leases("-400", "400");
}

#[test]
fn clocks_that_differ_by_seconds_do_not_let_instances_take_leases_from_each_other() {
    keep_their_leases("-5", "5");
}

/// Two instances whose clocks are off by so many seconds do not take leases from each other.
fn keep_their_leases(behind: &str, ahead: &str) {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..10);
    let directory = tempfile::tempdir().unwrap();
    let mut instances = Vec::new();
    for (name, seconds) in [("a", behind), ("b", ahead)] {
        let clock = directory.path().join(name);
        std::fs::write(&clock, seconds).unwrap();
        let mut command = scene.command(name);
        command.args(["--from", "beginning"]);
        command.env("COSMOS_TAIL_CLOCK", &clock);
        instances.push(scene.start_as(name, &mut command));
    }
    scene.wait_for_owners(&[("a", 1), ("b", 1)]);
    let moves =
        |said: &str| said.matches(": taken by `").count() + said.matches(": acquired").count();
    instances[0].wait_until("it has let one go", |said| {
        said.contains(": taken by `") || said.contains(": released\n")
    });
    let moved: Vec<usize> = instances.iter().map(|one| moves(&one.said())).collect();
    // For longer than leases last.
    let renewals = |scene: &Scene| scene.leased.gateway.write_log().len();
    let before = renewals(&scene);
    scene.wait_until(
        || renewals(&scene) > before + 20,
        || "no renewals".to_owned(),
    );
    let now: Vec<usize> = instances.iter().map(|one| moves(&one.said())).collect();
    assert_eq!(now, moved);
    for instance in instances {
        let said = instance.stop();
        assert!(!said.contains("in time"), "{said}");
    }
}

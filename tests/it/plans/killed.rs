//! A plan that processes read at the same time, each killed at random many times, while partitions split and merge and
//! documents are written.
//!
//! The suite has a small form. In full:
//!
//! ```sh
//! COSMOS_TAIL_TEST_PLAN=full cargo test --locked --test it plans::killed -- --nocapture
//! ```

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{Place, plan, verify};
use crate::command::{lines, signal, spawn, succeed, wait};
use crate::gateway::{Action, Container, Fault, Gateway, RequestKind};
use crate::oracle::{Snapshot, judge_shards};
use crate::orders::{document, filled};

/// How much is read, and how often it is killed.
#[derive(Debug, Clone, Copy)]
struct Form {
    ranges: usize,
    shards: usize,
    documents: usize,
    /// Kills of each process.
    kills: usize,
}

fn form() -> Form {
    match std::env::var("COSMOS_TAIL_TEST_PLAN").as_deref() {
        Ok("full") => Form {
            ranges: 64,
            shards: 8,
            documents: 6400,
            kills: 20,
        },
        _ => Form {
            ranges: 16,
            shards: 4,
            documents: 800,
            kills: 3,
        },
    }
}

/// Attempts after which a share that is not done is stuck.
const PATIENCE: usize = 100;
/// The pause before each page, so that a process does not finish before it was killed often enough.
const SLOWED: Duration = Duration::from_millis(50);

/// Runs one share, kills it so often, and lets it finish then.
fn read(place: &Place, gateway: &Gateway, shard: usize, form: Form, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut kills = 0;
    for _ in 0..form.kills + PATIENCE {
        let mut command = place.shard(gateway, &format!("{shard}/{}", form.shards));
        command.args(["--page-size", "3", "--checkpoint-interval", "5ms"]);
        command.args(["--rotate-bytes", "2KiB", "--max-retries", "100"]);
        let child = spawn(&mut command);
        if kills < form.kills {
            // It is killed at a random time, so it has to wait for one.
            std::thread::sleep(Duration::from_millis(random.u64(0..300)));
            signal(&child, Signal::SIGKILL);
        }
        let ended = wait(child);
        match ended.code {
            Some(0) => {
                assert_eq!(
                    kills, form.kills,
                    "shard {shard} was done before it was killed so often"
                );
                return;
            }
            None => kills += 1,
            Some(code) => panic!("shard {shard}: exit {code}: {}", ended.stderr),
        }
    }
    panic!("shard {shard} is not done");
}

/// Writes, splits and merges until all is read.
fn disturb(container: &Container, form: Form, seed: u64, is_done: &AtomicBool) {
    let latest = container.latest();
    let mut exist: BTreeSet<String> = latest.into_iter().map(|served| served.id).collect();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut topology_changes = 0;
    for step in 0_usize.. {
        if is_done.load(Ordering::Relaxed) {
            return;
        }
        let number = random.usize(..form.documents + form.documents / 4);
        match step % 20 {
            19 if exist.remove(&format!("item-{number}")) => {
                container.delete(&format!("item-{number}"), format!("key-{}", number % 97));
            }
            _ => {
                container.upsert(document(number));
                exist.insert(format!("item-{number}"));
            }
        }
        if step % 25 == 24 && topology_changes < form.ranges {
            topology_changes += 1;
            let partitions = container.partitions();
            let at = random.usize(..partitions.len() - 1);
            if topology_changes % 2 == 1 {
                container.split(&partitions[at].id, 2);
            } else {
                container.merge(&partitions[at].id, &partitions[at + 1].id);
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Reads the plan with all shares at once, disturbed.
fn read_all(place: &Place, gateway: &Gateway, container: &Container, form: Form, seed: u64) {
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::Delay(SLOWED)).always());
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let disturbing = scope.spawn(|| disturb(container, form, seed, &is_done));
        let reading: Vec<_> = (0..form.shards)
            .map(|shard| {
                scope.spawn(move || {
                    read(
                        place,
                        gateway,
                        shard,
                        form,
                        seed.wrapping_add(1 + shard as u64),
                    )
                })
            })
            .collect();
        let ended: Vec<_> = reading.into_iter().map(|reading| reading.join()).collect();
        is_done.store(true, Ordering::Relaxed);
        disturbing.join().unwrap();
        for ended in ended {
            if let Err(panic) = ended {
                std::panic::resume_unwind(panic);
            }
        }
    });
    gateway.clear_faults();
}

fn states(place: &Place, form: Form) -> Vec<PathBuf> {
    (0..form.shards)
        .map(|shard| place.state(shard).parent().unwrap().to_owned())
        .collect()
}

#[test]
fn killed_shares_of_a_plan_have_every_document_once() {
    let form = form();
    let seed = crate::scene::seed();
    println!("COSMOS_TAIL_TEST_SEED={seed}");
    let (gateway, container) = filled(form.ranges, form.documents);
    let place = Place::new();
    let before = Snapshot::of(&container);
    place.make(&gateway, &[]);
    read_all(&place, &gateway, &container, form, seed);
    let existed = before.existed_until_now(&container);
    assert!(existed.len() > form.documents / 2);
    let own = states(&place, form);
    judge_shards(&gateway, &container, &place.out(), &own, &existed).unwrap();
    let checked = place.verify(&[]);
    assert_eq!(
        checked.code,
        Some(0),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
    // The files of one share are taken away, and its state is.
    let taken = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("orders-shard00002-").then_some(name)
    };
    let files = crate::command::all_files(&place.out());
    let names: Vec<String> = files.iter().filter_map(taken).collect();
    assert!(!names.is_empty());
    for name in &names {
        std::fs::rename(place.out().join(name), place.path(name)).unwrap();
    }
    let checked = place.verify(&[]);
    assert_eq!(checked.code, Some(1), "{}", checked.stderr);
    for name in &names {
        assert!(
            checked.stdout.contains(&format!("{name}: is missing")),
            "{}",
            checked.stdout
        );
    }
    for name in &names {
        std::fs::rename(place.path(name), place.out().join(name)).unwrap();
    }
    std::fs::rename(&own[2], place.path("taken")).unwrap();
    let checked = place.verify(&[]);
    assert_eq!(checked.code, Some(1), "{}", checked.stderr);
    assert!(
        checked.stdout.contains("shard-00002: has no state"),
        "{}",
        checked.stdout
    );
    std::fs::rename(place.path("taken"), &own[2]).unwrap();
    assert_eq!(place.verify(&[]).code, Some(0));
}

#[test]
fn killed_shares_of_a_plan_have_every_change_of_its_span_once() {
    let form = form();
    let seed = crate::scene::seed();
    println!("COSMOS_TAIL_TEST_SEED={seed}");
    let (gateway, container) = filled(form.ranges, form.documents);
    let first = Place::new();
    first.make(&gateway, &["--mode", "all"]);
    first.read(&gateway, 2);
    let key = |id: &str, lsn: u64| (id.to_owned(), lsn);
    let log = || -> BTreeSet<_> {
        let changes = container.changes();
        changes
            .iter()
            .map(|change| key(&change.id, change.lsn))
            .collect()
    };
    let before = log();
    for number in 0..form.documents {
        container.upsert(document(number));
    }
    for number in 0..20 {
        container.delete(&format!("item-{number}"), format!("key-{}", number % 97));
    }
    let place = Place::new();
    let earlier = first.out();
    succeed(&mut plan(
        &gateway,
        &place.plan(),
        &["--after", earlier.to_str().unwrap()],
    ));
    let planned = log();
    read_all(&place, &gateway, &container, form, seed);
    let known = log();
    let mut seen = BTreeSet::new();
    for line in lines(&place.out()) {
        let change: Value = serde_json::from_slice(&line).unwrap();
        let id = change["current"]["id"]
            .as_str()
            .or_else(|| change["metadata"]["id"].as_str());
        let lsn = change["metadata"]["lsn"].as_u64().unwrap();
        let key = key(id.unwrap(), lsn);
        assert!(known.contains(&key), "{key:?} is no change");
        assert!(seen.insert(key.clone()), "{key:?} is there twice");
    }
    let missing: Vec<_> = planned
        .difference(&before)
        .filter(|key| !seen.contains(key))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
    let checked = verify(&place.plan(), &place.out(), &[]);
    assert_eq!(
        checked.code,
        Some(0),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
}

/// What is in the files of a plan of all versions.
fn changes_in(place: &Place) -> Vec<(String, u64)> {
    let changes = lines(&place.out()).into_iter().map(|line| {
        let change: Value = serde_json::from_slice(&line).unwrap();
        let id = change["current"]["id"]
            .as_str()
            .or_else(|| change["metadata"]["id"].as_str());
        let lsn = change["metadata"]["lsn"].as_u64().unwrap();
        (id.unwrap().to_owned(), lsn)
    });
    changes.collect()
}

#[test]
fn killed_shares_of_plans_with_exact_ends_have_every_change_once_together() {
    let form = form();
    let seed = crate::scene::seed();
    println!("COSMOS_TAIL_TEST_SEED={seed}");
    let (gateway, container) = filled(form.ranges, form.documents);
    let log = || -> BTreeSet<(String, u64)> {
        let changes = container.changes().into_iter();
        changes.map(|change| (change.id, change.lsn)).collect()
    };
    let after = |earlier: &Place| {
        let next = Place::new();
        let earlier = earlier.plan();
        let arguments = ["--after", earlier.to_str().unwrap()];
        succeed(&mut plan(&gateway, &next.plan(), &arguments));
        next
    };
    let nothing = Place::new();
    nothing.make(&gateway, &["--mode", "all", "--until", "exact"]);
    let before = log();
    for number in 0..form.documents {
        container.upsert(document(number));
    }
    let first = after(&nothing);
    // Splits, merges and writes while it is read: what comes beyond its ends is left to the second.
    read_all(&first, &gateway, &container, form, seed);
    let checked = first.verify(&[]);
    assert_eq!(checked.code, Some(0), "{}", checked.stdout);
    let second = after(&first);
    second.read(&gateway, 2);
    let mut found = changes_in(&first);
    found.extend(changes_in(&second));
    let expected: Vec<(String, u64)> = log().difference(&before).cloned().collect();
    found.sort();
    assert!(found.is_sorted_by(|a, b| a < b), "a change is there twice");
    assert_eq!(found, expected);
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

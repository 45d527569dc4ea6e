//! Instances that share a replay: the target becomes what the source is, and no document of it goes back.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::copying::{Copying, PATIENT};
use super::scene::{Instance, Printed};
use crate::command::{CONTAINER, DATABASE, against, fail};
use crate::replay::COPY;

/// Rounds of the long test in the suite.
const ROUNDS: usize = 8;

#[test]
fn a_stop_saves_what_was_applied_and_lets_go() {
    let copying = Copying::new(2, "latest");
    for number in 0..100 {
        copying.put(&format!("item-{number}"), number);
    }
    let a = copying.start("a");
    copying.wait_for_the_same_content();
    let said = a.stop();
    assert!(
        said.contains("replaying 2 of 2 ranges of shop/orders as `a`"),
        "{said}"
    );
    assert_eq!(copying.scene.owners(), [("-".to_owned(), 2)].into());
    let written = copying.scene.leased.gateway.write_log();
    let of_copy = |rid: &str| rid == copying.copy.rid();
    let before = written
        .iter()
        .filter(|write| of_copy(&write.container))
        .count();
    assert_eq!(before, 100);
    // Whoever continues applies only what is new.
    copying.put("item-7", 1000);
    let b = copying.start("b");
    copying.wait_for_the_same_content();
    b.stop();
    let written = copying.scene.leased.gateway.write_log();
    let after = written
        .iter()
        .filter(|write| of_copy(&write.container))
        .count();
    assert_eq!(after, 101);
}

#[test]
fn a_change_that_is_refused_goes_to_a_file_and_its_position_is_passed() {
    let copying = Copying::new(1, "latest");
    let directory = tempfile::tempdir().unwrap();
    let letters = directory.path().join("letters.jsonl");
    copying.copy.refuse("bad", 400);
    copying.put("bad", 1);
    copying.put("good", 1);
    let mut command = copying.command("a");
    command.arg("--dead-letter").arg(&letters);
    let a = Instance::start("a", &mut command, &Printed::default());
    copying.wait_for_version("good", Some(1));
    let head = copying.scene.leased.partitions()[0].1;
    copying.scene.wait_until(
        || {
            let stored = copying.scene.stored();
            let mut tokens = stored.values().map(|lease| &lease["ContinuationToken"]);
            tokens.all(|token| token.as_str().unwrap().trim_matches('"') == head.to_string())
        },
        || format!("{:?}", copying.scene.stored()),
    );
    let text = std::fs::read_to_string(&letters).unwrap();
    assert!(text.contains("item \\\"bad\\\""), "{text}");
    a.signal(Signal::SIGTERM);
    let ended = a.end();
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
}

#[test]
fn a_replacement_that_conflicts_with_another_document_is_refused_by_itself() {
    let copying = Copying::new(1, "latest");
    let directory = tempfile::tempdir().unwrap();
    let letters = directory.path().join("letters.jsonl");
    copying.put("x", 1);
    let mut command = copying.command("a");
    command.arg("--dead-letter").arg(&letters);
    let a = Instance::start("a", &mut command, &Printed::default());
    copying.wait_for_version("x", Some(1));
    // As a unique key does, of a value that another document has.
    copying.copy.refuse("x", 409);
    copying.put("x", 2);
    copying.put("y", 1);
    copying.wait_for_version("y", Some(1));
    copying.scene.wait_until(
        || std::fs::read_to_string(&letters).is_ok_and(|text| text.contains("item \\\"x\\\"")),
        || std::fs::read_to_string(&letters).unwrap_or_default(),
    );
    a.signal(Signal::SIGTERM);
    let ended = a.end();
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
}

#[test]
fn what_does_not_fit_a_group_is_refused() {
    let copying = Copying::new(1, "latest");
    let refused = |arguments: &[&str], what: &str| {
        let mut command = copying.command("a");
        command.args(arguments);
        let ended = fail(&mut command, 2);
        assert!(ended.stderr.contains(what), "{}", ended.stderr);
    };
    refused(&["--state", "s"], "--state cannot be used with --group");
    refused(
        &["--write-mode", "newer"],
        "--write-mode cannot be used with --group",
    );
    refused(
        &["--since=2026-01-01T00:00:00Z"],
        "--since or --until cannot be used with --group",
    );
    refused(
        &["--max-errors=3"],
        "--max-errors without --dead-letter cannot be used with --group",
    );
    refused(&["--dry-run"], "--dry-run cannot be used with --group");
    refused(&["--speed", "2"], "--speed cannot be used with --group");
    let mut command = against(&copying.scene.leased.gateway);
    command.args(["replay", "-c", COPY, "--group=g", "--leases=shop/leases"]);
    command.arg(format!("--from-container={DATABASE}/{CONTAINER}"));
    let ended = fail(&mut command, 2);
    assert!(
        ended.stderr.contains("a replay that ends"),
        "{}",
        ended.stderr
    );
    let mut command = against(&copying.scene.leased.gateway);
    command.args(["replay", "--follow", "--group=g", "--leases=shop/leases"]);
    command.args(["--from-container=shop/*", "-d", "archive"]);
    command.env_remove("AZURE_COSMOS_CONTAINER");
    let ended = fail(&mut command, 2);
    assert!(ended.stderr.contains("--group"), "{}", ended.stderr);
    // Documents of the source would be leases.
    let mut command = copying.command("a");
    command.args(["-c", "leases"]);
    let ended = fail(&mut command, 2);
    assert!(
        ended.stderr.contains("the lease container is the target"),
        "{}",
        ended.stderr
    );
    assert!(copying.scene.stored().is_empty());
}

#[test]
fn a_lease_of_a_process_that_died_is_not_taken_back_before_it_expires() {
    let copying = Copying {
        lasts: PATIENT,
        ..Copying::new(1, "latest")
    };
    copying.start("a").kill();
    let again = copying.start("a");
    again.wait_until("it waits", |said| said.contains("\nwaiting for ranges"));
    again.stop();
    assert_eq!(copying.scene.owners(), [("a".to_owned(), 1)].into());
}

#[test]
fn instances_do_not_write_their_dead_letters_to_one_file() {
    let copying = Copying::new(1, "latest");
    let directory = tempfile::tempdir().unwrap();
    let letters = directory.path().join("letters.jsonl");
    let command = |name: &str| {
        let mut command = copying.command(name);
        command.arg("--dead-letter").arg(&letters);
        command
    };
    let a = Instance::start("a", &mut command("a"), &Printed::default());
    a.wait_until("it runs", |said| said.contains("\nreplaying "));
    let refused = fail(&mut command("b"), 2).stderr;
    assert!(
        refused.contains("another process writes its dead letters to"),
        "{refused}"
    );
    a.kill();
    let c = Instance::start("c", &mut command("c"), &Printed::default());
    c.wait_until("it runs", |said| {
        said.contains("\nreplaying ") || said.contains("\nwaiting for ranges")
    });
    c.stop();
}

/// What decides a random run.
fn seed() -> u64 {
    let seed = std::env::var("COSMOS_TAIL_TEST_SEED").ok();
    let seed = seed.and_then(|text| text.parse().ok());
    seed.unwrap_or_else(|| fastrand::u64(..))
}

/// Kills, pauses beyond expiry, splits, merges and writes of the same few documents, in random order.
fn random_run(mode: &'static str, seed: u64) {
    let rounds = std::env::var("COSMOS_TAIL_SHARE_ROUNDS").ok();
    let rounds = rounds.and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let mut random = fastrand::Rng::with_seed(seed);
    let copying = Copying::new(2, mode);
    let mut names = 0;
    let mut start = || {
        names += 1;
        copying.start(&format!("w{names}"))
    };
    let mut instances = vec![start(), start(), start()];
    let mut paused: Option<usize> = None;
    let mut version = 0;
    for round in 0..rounds {
        for _ in 0..random.u64(20..80) {
            version += 1;
            let id = format!("item-{}", random.u64(..30));
            let exists = || {
                copying
                    .scene
                    .leased
                    .orders
                    .latest()
                    .iter()
                    .any(|one| one.id == id)
            };
            if mode == "all" && random.u8(..4) == 0 && exists() {
                copying.delete(&id);
            } else {
                copying.put(&id, version);
            }
        }
        if let Some(at) = paused.take() {
            let instance: &Instance = &instances[at];
            instance.signal(Signal::SIGCONT);
        }
        let at = random.usize(..instances.len());
        match if round < 4 { round } else { random.usize(..5) } {
            0 => {
                instances.swap_remove(at).kill();
                instances.push(start());
            }
            1 => {
                let name = instances[at].name.clone();
                instances[at].signal(Signal::SIGSTOP);
                paused = Some(at);
                copying.scene.wait_until(
                    || !copying.scene.owners().contains_key(&name),
                    || format!("{:?}", copying.scene.owners()),
                );
            }
            2 => {
                let orders = &copying.scene.leased.orders;
                let partitions = orders.partitions();
                if partitions.len() < 5 {
                    let at = random.usize(..partitions.len());
                    orders.split(&partitions[at].id, 2);
                } else {
                    let at = random.usize(..partitions.len() - 1);
                    orders.merge(&partitions[at].id, &partitions[at + 1].id);
                }
            }
            3 => {
                instances.swap_remove(at).stop();
                instances.push(start());
            }
            _ => copying.wait_until_the_same(&instances),
        }
    }
    if let Some(at) = paused.take() {
        instances[at].signal(Signal::SIGCONT);
    }
    copying.wait_until_the_same(&instances);
    let end = Instant::now() + Duration::from_secs(60);
    for instance in instances {
        assert!(Instant::now() < end);
        instance.stop();
    }
    copying.wait_for_the_same_content();
    // Who takes a range over applies all versions since the last saved position again, in their order.
    if mode == "latest" {
        assert_eq!(copying.went_back(), [] as [String; 0]);
    }
    assert_eq!(copying.scene.leased.gateway.violations(), [] as [String; 0]);
}

#[test]
fn the_target_becomes_the_source_and_no_document_goes_back() {
    let seed = seed();
    println!("COSMOS_TAIL_TEST_SEED={seed}");
    random_run("latest", seed);
}

#[test]
fn the_target_becomes_the_source_with_its_deletions() {
    let seed = seed();
    println!("COSMOS_TAIL_TEST_SEED={seed}");
    random_run("all", seed);
}

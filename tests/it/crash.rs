//! SIGKILL at any moment, then resume, until it is done: every change exactly once.

#![cfg(unix)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::command::{assert_latest, export, lines, resume, signal, spawn, wait};
use crate::export::filled;
use crate::gateway::{Container, Gateway};

/// A seed for this run: printed with a failure, and taken from the environment to repeat it.
fn seed() -> u64 {
    match std::env::var("COSMOS_TAIL_TEST_SEED") {
        Ok(seed) => seed.parse().expect("COSMOS_TAIL_TEST_SEED is a number"),
        Err(_) => fastrand::u64(..),
    }
}

/// Runs exports that are killed at random moments until `kills` have hit a running process.
fn kill_at_random(
    gateway: &Gateway,
    container: &Container,
    kills: usize,
    mut between: impl FnMut(usize),
) {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut hits = 0;
    let mut rounds = 0;
    // How long one whole export takes decides within what time a kill can hit it.
    let mut whole = Duration::from_millis(300);
    while hits < kills {
        rounds += 1;
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let mut attempt = 0;
        loop {
            let mut command = next_command(gateway, &out);
            let began = Instant::now();
            let child = spawn(command.args(["--page-size", "20", "--checkpoint-interval", "5ms"]));
            // The first attempts are cut short; later ones may run to the end.
            if attempt < 6 {
                let after = whole.mul_f64(random.f64());
                let sleep_until = began + after;
                // A kill at a random moment needs one: time itself is what is tested here.
                std::thread::sleep(sleep_until.saturating_duration_since(Instant::now()));
                signal(&child, Signal::SIGKILL);
            }
            attempt += 1;
            let ended = wait(child);
            match ended.code {
                Some(0) => {
                    whole = (whole + began.elapsed()) / 2;
                    break;
                }
                None => {
                    hits += 1;
                    between(hits);
                }
                Some(code) => panic!("seed {seed}, round {rounds}: exit {code}\n{}", ended.stderr),
            }
        }
        assert!(
            crate::command::files(&out, "open").is_empty(),
            "seed {seed}, round {rounds}"
        );
        let check = std::panic::AssertUnwindSafe(|| assert_latest(&lines(&out), container));
        if std::panic::catch_unwind(check).is_err() {
            let kept = directory.keep();
            panic!("seed {seed}, round {rounds}: see {}", kept.display());
        }
    }
    assert!(
        gateway.violations().is_empty(),
        "seed {seed}: {:?}",
        gateway.violations()
    );
}

/// A resume if there is something to resume, otherwise an export. A kill before the first commit
/// leaves nothing but the lock.
fn next_command(gateway: &Gateway, out: &Path) -> Command {
    if out.join("state.json").exists() {
        resume(gateway, out)
    } else {
        export(gateway, out)
    }
}

#[test]
fn an_export_that_is_killed_at_random_and_resumed_holds_every_change_once() {
    let (gateway, container) = filled(8, 4000);
    kill_at_random(&gateway, &container, 200, |_| {});
}

#[test]
fn an_export_that_is_killed_across_splits_and_merges_holds_every_change_once() {
    let (gateway, container) = filled(2, 4000);
    kill_at_random(&gateway, &container, 200, |hits| {
        let partitions = container.partitions();
        match hits % 6 {
            // Some kills find the topology changed, some do not; it stays within bounds.
            1 | 2 => {
                let largest = &partitions[hits % partitions.len()];
                container.split(&largest.id, 2 + hits % 2);
            }
            4 => {
                let at = hits % (partitions.len() - 1);
                container.merge(&partitions[at].id, &partitions[at + 1].id);
            }
            5 if partitions.len() > 2 => {
                container.merge(&partitions[0].id, &partitions[1].id);
            }
            _ => {}
        }
    });
}

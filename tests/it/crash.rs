//! SIGKILL at any moment, then resume, until it is done: every change exactly once, in every format.

#![cfg(unix)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::command::{export, resume, signal, spawn, wait};
use crate::export::filled;
use crate::gateway::{Container, Gateway};
use crate::oracle::judge;
use crate::rig::seed;

/// Runs exports with these arguments that are killed at random moments, resumes among them, until
/// `kills` have hit a running process.
fn kill_at_random(
    gateway: &Gateway,
    container: &Container,
    arguments: &[&str],
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
        let name = format!("{arguments:?}, seed {seed}, round {rounds}");
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let mut attempt = 0;
        loop {
            let mut command = next_command(gateway, &out, arguments);
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
                Some(code) => panic!("{name}: exit {code}\n{}", ended.stderr),
            }
        }
        if let Err(wrong) = judge(gateway, container, &out) {
            let kept = directory.keep();
            panic!("{name}: {wrong}; see {}", kept.display());
        }
    }
}

/// A resume if there is something to resume, otherwise an export. A kill before the first commit
/// leaves nothing but the lock.
fn next_command(gateway: &Gateway, out: &Path, arguments: &[&str]) -> Command {
    if out.join("state.json").exists() {
        resume(gateway, out)
    } else {
        let mut command = export(gateway, out);
        command.args(arguments);
        command
    }
}

/// Kills while the topology stays as it is.
fn kill(documents: usize, arguments: &[&str], kills: usize) {
    let (gateway, container) = filled(8, documents);
    kill_at_random(&gateway, &container, arguments, kills, |_| {});
}

/// Kills while partitions are split and merged.
fn kill_across_splits(documents: usize, arguments: &[&str], kills: usize) {
    let (gateway, container) = filled(2, documents);
    kill_at_random(&gateway, &container, arguments, kills, |hits| {
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

const ROTATE: [&str; 2] = ["--rotate-bytes", "8KiB"];

fn rotating<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &ROTATE].concat()
}

#[test]
fn json_lines_that_are_killed_at_random_and_resumed_hold_every_change_once() {
    kill(2000, &[], 60);
    kill(2000, &rotating(&[]), 40);
    kill(2000, &rotating(&["--compression", "zstd"]), 40);
}

#[test]
fn json_lines_that_are_killed_across_splits_and_merges_hold_every_change_once() {
    kill_across_splits(2000, &[], 60);
    kill_across_splits(2000, &rotating(&["--compression", "gzip"]), 40);
}

#[test]
fn csv_that_is_killed_at_random_and_resumed_holds_every_change_once() {
    kill(1000, &["--format", "csv"], 40);
    kill(
        1000,
        &rotating(&["--format", "csv", "--compression", "gzip"]),
        40,
    );
    kill_across_splits(1000, &rotating(&["--format", "csv"]), 40);
}

#[test]
fn parquet_that_is_killed_at_random_and_resumed_holds_every_change_once() {
    kill(1000, &["--format", "parquet", "--compression", "none"], 40);
    kill(1000, &rotating(&["--format", "parquet"]), 50);
    kill_across_splits(1000, &rotating(&["--format", "parquet"]), 50);
}

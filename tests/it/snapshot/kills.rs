//! Exports with a snapshot that are killed at random, with writes, deletes, splits and merges going on.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::rows::{Before, judge};
use super::writer::writer;
use super::{complete, snapshot};
use crate::command::{resume, signal, spawn, state_directory, wait};
use crate::gateway::{Container, Gateway};
use crate::orders::filled;
use crate::scene::seed;

/// How many kills must hit a running process, unless the variable says more.
const KILLS: &str = "COSMOS_TAIL_SNAPSHOT_KILLS";

/// Attempts after which an export that is not done is stuck.
const PATIENCE: usize = 40;

/// Kills exports until `kills` have hit, each resumed until it is done.
fn kill(arguments: &[&str], kills: usize) {
    let kills = std::env::var(KILLS).map_or(kills, |kills| kills.parse().expect("a number"));
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut hits, mut whole) = (0, Duration::from_millis(400));
    for round in 1.. {
        if hits >= kills {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let wrong = one_export(&out, arguments, &mut random, &mut hits, &mut whole);
        if let Err(wrong) = wrong {
            let kept = directory.keep();
            panic!(
                "{arguments:?}, seed {seed}, round {round}: {wrong}; see {}",
                kept.display()
            );
        }
    }
}

fn one_export(
    out: &Path,
    arguments: &[&str],
    random: &mut fastrand::Rng,
    hits: &mut usize,
    whole: &mut Duration,
) -> Result<(), String> {
    let (gateway, container) = filled(2, 600);
    let before = Before::of(&container);
    gateway.push_fault(writer(&container, random.u64(..), 120));
    for attempt in 0..PATIENCE {
        let mut command = next_command(&gateway, out, arguments);
        let began = Instant::now();
        let child = spawn(command.args(["--checkpoint-interval", "5ms"]));
        if attempt < 8 {
            let sleep_until = began + whole.mul_f64(random.f64());
            // This kills at a random time, so it has to wait for one.
            std::thread::sleep(sleep_until.saturating_duration_since(Instant::now()));
            signal(&child, Signal::SIGKILL);
        }
        let ended = wait(child);
        match ended.code {
            Some(0) => {
                *whole = (*whole + began.elapsed()) / 2;
                complete(&gateway, out);
                return judge(&gateway, &container, out, &before);
            }
            None => {
                *hits += 1;
                change_topology(&container, random);
            }
            Some(code) => return Err(format!("exit {code}: {}", ended.stderr)),
        }
    }
    Err(format!("not done after {PATIENCE} attempts"))
}

fn next_command(gateway: &Gateway, out: &Path, arguments: &[&str]) -> std::process::Command {
    if state_directory(out).join("state.json").exists() {
        let mut command = resume(gateway, out);
        command.args(["--poll-interval", "2ms"]);
        return command;
    }
    let mut command = snapshot(gateway, out);
    command.args(arguments).args(["--poll-interval", "2ms"]);
    command
}

fn change_topology(container: &Container, random: &mut fastrand::Rng) {
    let partitions = container.partitions();
    let at = random.usize(..partitions.len());
    match random.u8(..4) {
        0 if partitions.len() < 6 => {
            container.split(&partitions[at].id, 2);
        }
        1 if at + 1 < partitions.len() => {
            container.merge(&partitions[at].id, &partitions[at + 1].id);
        }
        _ => {}
    }
}

const COLUMNS: &str = "id:string,pk:string,number:int64,text:string";

#[test]
fn snapshots_in_json_lines_killed_at_random_have_every_change_and_every_document() {
    kill(&[], 30);
    kill(&["--rotate-bytes", "8KiB"], 20);
}

#[test]
fn snapshots_with_columns_killed_at_random_have_every_change_and_every_document() {
    let csv = ["--format", "csv", "--columns", COLUMNS];
    kill(&csv, 20);
    let parquet = [
        "--format",
        "parquet",
        "--rotate-bytes",
        "8KiB",
        "--columns",
        COLUMNS,
    ];
    kill(&parquet, 20);
}

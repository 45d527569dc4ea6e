//! SIGKILL at any moment, then the same command again, until it is done.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use super::*;
use crate::command::{DATABASE, assert_same, signal, spawn, wait};
use crate::gateway::{GatewayOptions, Operation};

/// How many changes may be beyond the committed position.
const WINDOW: usize = 60;
const KEYS: usize = 20;
const ITEMS: usize = 160;

/// What one line of the source does: to which item, and as which version.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    id: String,
    key: String,
    /// None deletes it.
    version: Option<usize>,
}

/// Every item in three versions, many of them deleted at the end, all mixed up.
fn steps(random: &mut fastrand::Rng) -> Vec<Step> {
    let mut next = vec![0; ITEMS];
    let mut left: Vec<usize> = (0..ITEMS).flat_map(|item| [item; 4]).collect();
    random.shuffle(&mut left);
    left.iter()
        .filter_map(|&item| {
            let version = next[item];
            next[item] += 1;
            if version == 3 && item % 3 != 0 {
                return None;
            }
            Some(Step {
                id: format!("item-{item}"),
                key: format!("key-{}", item % KEYS),
                version: (version < 3).then_some(version),
            })
        })
        .collect()
}

fn line(step: &Step) -> String {
    match step.version {
        Some(version) => json!({"id": step.id, "pk": step.key, "version": version}).to_string(),
        None => json!({"current": {}, "metadata": {"operationType": "delete", "id": step.id,
            "partitionKey": {"pk": step.key}}})
        .to_string(),
    }
}

/// The final documents after all steps.
fn expected(steps: &[Step]) -> Vec<Vec<u8>> {
    let mut items: BTreeMap<&str, &Step> = BTreeMap::new();
    for step in steps {
        items.insert(&step.id, step);
    }
    let left = items.values().filter(|step| step.version.is_some());
    left.map(|step| line(step).into_bytes()).collect()
}

/// Asserts that the writes of each key went through its steps in their order; only a restart may go
/// back.
fn assert_order(steps: &[Step], log: &[WriteRecord], restarts: usize) {
    for key in 0..KEYS {
        let key = format!("key-{key}");
        let of_key: Vec<&Step> = steps.iter().filter(|step| step.key == key).collect();
        let header = json!([key]).to_string();
        let (mut at, mut backward) = (0, 0);
        for write in log.iter().filter(|write| write.partition_key == header) {
            let version = match write.operation {
                Operation::Delete => None,
                _ => {
                    let body: Value = serde_json::from_slice(&write.body).unwrap();
                    Some(body["version"].as_u64().unwrap() as usize)
                }
            };
            let is_it = |step: &&Step| step.id == write.id && step.version == version;
            let found = of_key.iter().position(is_it).unwrap();
            if found < at {
                backward += 1;
            } else {
                // A delete that is repeated finds nothing, and leaves no trace.
                let passed = &of_key[at..found];
                assert!(
                    passed.iter().all(|step| step.version.is_none()),
                    "{key}: {passed:?} were passed over"
                );
            }
            at = found + 1;
        }
        assert!(
            backward <= restarts,
            "{key} went back {backward} times in {restarts} restarts"
        );
        assert!(
            of_key[at..].iter().all(|step| step.version.is_none()),
            "{key} ends early"
        );
    }
}

#[test]
fn a_replay_killed_at_random_and_restarted_applies_everything_in_order() {
    let seed = crate::scene::seed();
    println!("COSMOS_TAIL_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut hits = 0;
    // A kill can hit a replay within the time of a whole one.
    let mut whole = Duration::from_millis(500);
    while hits < 100 {
        let gateway = Gateway::start(GatewayOptions::default());
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 4);
        let directory = tempfile::tempdir().unwrap();
        let (source, state) = (directory.path().join("a"), directory.path().join("state"));
        let steps = steps(&mut random);
        write_changes(&source, steps.iter().map(line));
        let mut restarts = 0;
        loop {
            let window = WINDOW.to_string();
            let mut command = replay(&gateway, &source);
            command.args([
                "--input",
                "changes",
                "--checkpoint-interval",
                "5ms",
                "--checkpoint-changes",
                &window,
            ]);
            let began = Instant::now();
            let child = spawn(command.arg("--state").arg(&state));
            if restarts < 6 {
                // This kills at a random time, so it has to wait for one.
                std::thread::sleep(whole.mul_f64(random.f64()));
                signal(&child, Signal::SIGKILL);
            }
            let ended = wait(child);
            match ended.code {
                Some(0) => {
                    if restarts == 0 {
                        whole = began.elapsed();
                    }
                    break;
                }
                None => restarts += 1,
                Some(code) => panic!("seed {seed}: exit {code}\n{}", ended.stderr),
            }
        }
        hits += restarts;
        assert_same(&content(&copy), &expected(&steps));
        let log = gateway.write_log();
        assert_order(&steps, &log, restarts);
        let repeats = log.len().saturating_sub(steps.len());
        assert!(
            repeats <= restarts * WINDOW,
            "{repeats} repeats in {restarts} restarts"
        );
        assert_no_violations(&gateway);
    }
}

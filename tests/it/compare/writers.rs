//! Writers on both sides with a copy in between: both are said to be the same soon after the writers stop, and never
//! while a planted document differs.
//!
//! In full, as docs/compare.md has it: 100 runs at 500 writes a second.

use std::collections::HashSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::follow::{follow, said};
use super::*;
use crate::command::DATABASE;
use crate::gateway::Container;
use crate::monitor::{Served, wait_until};
use crate::orders::{fill, filled};

const DOCUMENTS: usize = 600;
/// The number of the document that differs on the target.
const PLANTED: usize = 2;
/// The time for which a document must have been different.
const SETTLE: Duration = Duration::from_secs(2);
/// How long two polls and the looks may take beyond that, on a machine that does other things too.
const SLACK: Duration = Duration::from_secs(20);

/// How the sides are written to.
#[derive(Clone, Copy)]
struct Writing {
    per_second: u32,
    time: Duration,
    with_deletions: bool,
}

fn copy_from(gateway: &Gateway, mode: &[&str]) -> Command {
    let mut command = against(gateway);
    command
        .env("AZURE_COSMOS_CONTAINER", "copy")
        .args(["replay", "--from-container", "shop/orders", "--follow"])
        .args(mode);
    command
}

/// Writes to both sides until it is time to stop, as two programs would: one to the source alone, whose changes are
/// copied, and one to the target and then to the source.
fn write(container: &Container, copy: &Container, writing: Writing, random: &mut fastrand::Rng) {
    let begun = Instant::now();
    let mut written = 0;
    let mut deleted = HashSet::new();
    while begun.elapsed() < writing.time {
        if begun.elapsed().as_secs_f64() * f64::from(writing.per_second) < f64::from(written) {
            // A writer of so many writes a second waits for the time of the next one.
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        written += 1;
        let number = random.usize(10..DOCUMENTS);
        let key = format!("key-{}", number % 97);
        let document = json!({"id": format!("item-{number}"), "pk": key, "number": written});
        match random.u32(0..10) {
            0 if writing.with_deletions => {
                if !deleted.insert(number) {
                    continue;
                }
                container.delete(&format!("item-{number}"), key.as_str());
            }
            1 | 2 => {
                let both = json!({"id": format!("both-{number}"), "pk": key, "number": written});
                copy.upsert(both.clone());
                container.upsert(both);
            }
            _ => {
                deleted.remove(&number);
                container.upsert(document);
            }
        }
    }
}

/// Clears it at the end of its scope, so that nobody waits for a test that has panicked.
struct Clears<'a>(&'a AtomicBool);

impl Drop for Clears<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// The documents that `side` does not have as `other` has them, but for the planted one.
fn lacks(other: &Container, side: &Container) -> Vec<Vec<u8>> {
    let there: HashSet<Vec<u8>> = crate::replay::content(side).into_iter().collect();
    let mut lacking = crate::replay::content(other);
    let planted = format!("\"item-{PLANTED}\"");
    lacking
        .retain(|text| !there.contains(text) && !String::from_utf8_lossy(text).contains(&planted));
    lacking
}

/// One run. Returns what was wrong.
fn run_once(seed: u64, writing: Writing, failpoints: &str) -> Result<(), String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (gateway, container) = filled(2, DOCUMENTS);
    let copy = gateway.create_container(DATABASE, "copy", "/pk", 2);
    let mode: &[&str] = match writing.with_deletions {
        true => &["--mode", "all"],
        false => &[],
    };
    fill(&copy, 0..DOCUMENTS);
    let copying = Served::start(&mut copy_from(&gateway, mode));
    copying.wait_for_status("/readyz", 200);
    // Missing before it begins.
    copy.delete("item-1", "key-1");
    let mut command = follow(&gateway, &format!("{}s", SETTLE.as_secs()));
    command.args(mode).env("COSMOS_TAIL_FAILPOINTS", failpoints);
    let following = Served::start(&mut command);
    let planted = AtomicBool::new(true);
    let wrong = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut wrong = None;
            while planted.load(Ordering::Acquire) {
                let said = said(&following);
                if planted.load(Ordering::Acquire)
                    && let Some((outcome, documents)) = said
                    && outcome == "same"
                {
                    wrong = Some(format!(
                        "said to be the same with planted documents: {documents:?}"
                    ));
                    break;
                }
                // Between two looks at a verdict that must never come: it is only told to who asks.
                std::thread::sleep(Duration::from_millis(20));
            }
            wrong
        });
        let clears = Clears(&planted);
        wait_until("the first verdict", || {
            said(&following).ok_or("none yet".to_owned())
        });
        // Different on the target only, after it was compared; then the one that was missing is there.
        let mut other = crate::orders::document(PLANTED);
        other["number"] = Value::from(1_000_000);
        copy.upsert(other);
        copy.upsert(crate::orders::document(1));
        write(&container, &copy, writing, &mut random);
        // How long the copy takes is no concern of the comparison.
        wait_until("the copy to have everything", || {
            let missing = [lacks(&container, &copy), lacks(&copy, &container)].concat();
            match missing.is_empty() {
                true => Ok(()),
                false => Err(format!("{} documents", missing.len())),
            }
        });
        // All that differs is what was planted.
        let stopped = Instant::now();
        let settled = loop {
            let said = said(&following);
            if said == Some(("different".to_owned(), [0, 0, 1, 0])) {
                break Ok(());
            }
            if stopped.elapsed() > SETTLE + SLACK {
                break Err(format!("{said:?} long after the writers stopped"));
            }
            // Until the verdict comes, at most the settling time: it is only told to who asks.
            std::thread::sleep(Duration::from_millis(20));
        };
        drop(clears);
        watching.join().unwrap().map_or(settled, Err)
    });
    wrong?;
    copy.upsert(crate::orders::document(PLANTED));
    let mended = Instant::now();
    while said(&following) != Some(("same".to_owned(), [0; 4])) {
        if mended.elapsed() > SETTLE + SLACK {
            return Err(format!("{:?} after all is the same", said(&following)));
        }
        // As above.
        std::thread::sleep(Duration::from_millis(20));
    }
    let ended = following.stop();
    copying.stop();
    let same = lacks(&container, &copy).len() + lacks(&copy, &container).len() == 0;
    match (ended.code, same) {
        (SAME, true) => Ok(()),
        wrong => Err(format!("{wrong:?}: {}", ended.stderr)),
    }
}

#[test]
fn with_writers_on_both_sides_a_verdict_is_true_and_comes_soon() {
    let runs = number_of("COSMOS_TAIL_TEST_COMPARE_FOLLOWS", 0) as u64;
    let (per_second, seconds) = if runs > 0 { (500, 5) } else { (100, 2) };
    let first = number_of("COSMOS_TAIL_TEST_SEED", 24) as u64;
    // A run mostly waits.
    let lanes = number_of("COSMOS_TAIL_COMPARE_LANES", 2);
    let seeds = first..first + if runs > 0 { runs } else { 2 };
    let run = |_: &mut (), seed: u64| {
        let writing = Writing {
            per_second,
            time: Duration::from_secs(seconds),
            with_deletions: seed % 2 == 1,
        };
        run_once(seed, writing, "")
    };
    let began = Instant::now();
    in_lanes(lanes, seeds.clone(), || (), run);
    let runs = seeds.count();
    println!("{runs} runs in {:.0} s", began.elapsed().as_secs_f64());
}

#[test]
fn a_target_that_is_not_followed_is_noticed() {
    let writing = Writing {
        per_second: 100,
        time: Duration::from_secs(2),
        with_deletions: false,
    };
    let defect = "defect.compare.target-is-not-followed=return";
    let wrong = run_once(24, writing, defect).unwrap_err();
    assert!(
        wrong.starts_with("said to be the same with planted documents: "),
        "{wrong}"
    );
}

//! Comparisons: planted differences are found on every kind of side, and nothing else is.

mod containers;
mod content;
#[cfg(unix)]
mod endings;
mod files;
#[cfg(unix)]
mod follow;
#[cfg(target_os = "linux")]
mod memory;
mod planted;
mod refusals;
mod repaired;
#[cfg(unix)]
mod replicas;
mod texts;
#[cfg(unix)]
mod writers;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command::{Ended, against, cosmos_tail, run};
use crate::gateway::Gateway;
use crate::replay::summary;

/// The exit codes.
const SAME: Option<i32> = Some(0);
const DIFFERENT: Option<i32> = Some(5);
const CHANGING: Option<i32> = Some(6);

/// A comparison of two exports or files.
fn compare_files(source: &Path, target: &Path) -> Command {
    let mut command = cosmos_tail();
    command.arg("compare").arg(source).arg("--with").arg(target);
    command
}

/// A comparison of files with the container `copy` of a gateway, without time to settle.
fn compare_with_copy(gateway: &Gateway, source: &Path) -> Command {
    let mut command = against(gateway);
    command
        .env("AZURE_COSMOS_CONTAINER", "copy")
        .arg("compare")
        .arg(source)
        .args(["--settle", "0s"]);
    command
}

/// A comparison of the container `orders` with `copy`, without time to settle.
fn compare_containers(gateway: &Gateway) -> Command {
    compare_settling(gateway, "0s")
}

/// The same with time to settle.
fn compare_settling(gateway: &Gateway, settle: &str) -> Command {
    let mut command = against(gateway);
    command.env("AZURE_COSMOS_CONTAINER", "copy").args([
        "compare",
        "--from-container",
        "shop/orders",
        "--settle",
        settle,
    ]);
    command
}

/// The number in an environment variable that makes a test larger.
fn number_of(variable: &str, default: usize) -> usize {
    let text = std::env::var(variable).ok();
    text.map_or(default, |text| text.parse().unwrap())
}

/// Carries `run` out for each seed, in so many lanes at once, and says what was wrong with which. A lane is made by `lane`
/// once, for all its seeds.
fn in_lanes<L>(
    lanes: usize,
    seeds: std::ops::Range<u64>,
    lane: impl Fn() -> L + Sync,
    run: impl Fn(&mut L, u64) -> Result<(), String> + Sync,
) {
    let (next, end) = (std::sync::atomic::AtomicU64::new(seeds.start), seeds.end);
    let wrong = std::sync::Mutex::new(Vec::new());
    let count = seeds.count();
    std::thread::scope(|scope| {
        for _ in 0..lanes.min(count) {
            scope.spawn(|| {
                let mut lane = lane();
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    if let Err(found) = run(&mut lane, seed) {
                        wrong.lock().unwrap().push(format!("seed {seed}: {found}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} of {count} runs: {}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// What a comparison found.
struct Found {
    code: Option<i32>,
    summary: Value,
    /// The lines of the report.
    report: Vec<Value>,
    ended: Ended,
}

impl Found {
    /// The kinds and ids of the report, sorted.
    fn ids(&self) -> Vec<String> {
        let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
        let ids = self.report.iter();
        let mut ids: Vec<String> = ids
            .map(|line| format!("{} {}", text(line, "kind"), text(line, "id")))
            .collect();
        ids.sort();
        ids
    }

    /// The line of a document.
    #[track_caller]
    fn line(&self, id: &str) -> &Value {
        let mut lines = self.report.iter();
        let line = lines.find(|line| line["id"] == id);
        line.unwrap_or_else(|| panic!("{id} is not in {:?}", self.report))
    }
}

/// Runs a comparison with a report.
#[track_caller]
fn found(command: &mut Command) -> Found {
    let ended = run(command.args(["--summary", "json", "--report", "-"]));
    let lines = ended.stdout.lines();
    Found {
        code: ended.code,
        summary: summary(&ended),
        report: lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        ended,
    }
}

/// Asserts that exactly these differ: kinds and ids, sorted.
#[track_caller]
fn assert_found(command: &mut Command, expected: &[&str]) -> Found {
    let found = found(command);
    assert_eq!(found.ids(), expected, "{}", found.ended.stderr);
    let code = if expected.is_empty() { SAME } else { DIFFERENT };
    assert_eq!(found.code, code, "{}", found.ended.stderr);
    let count = |kind: &str| {
        let of_kind = expected.iter().filter(|line| line.starts_with(kind));
        u64::try_from(of_kind.count()).unwrap()
    };
    for kind in ["missing", "extra", "different"] {
        assert_eq!(found.summary[kind], count(kind), "{}", found.summary);
    }
    found
}

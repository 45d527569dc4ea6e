//! `--speed`: changes are applied at the intervals at which they were made. Times are only compared with a
//! lower bound, since a slow machine takes longer.

use std::time::{Duration, Instant};

use serde_json::json;

use super::*;
use crate::command::{DATABASE, fail, succeed};
#[cfg(unix)]
use crate::command::{interrupt, spawn, wait};
use crate::gateway::GatewayOptions;

/// 2023-11-14T22:13:20Z.
const BEGINNING: i64 = 1_700_000_000;

/// A document for each of these seconds after the beginning, each with a partition key of its own.
fn lines(seconds: &[i64]) -> Vec<String> {
    let line = |(number, after): (usize, &i64)| {
        json!({"id": format!("{number}"), "pk": format!("key-{number}"), "_ts": BEGINNING + after})
            .to_string()
    };
    seconds.iter().enumerate().map(line).collect()
}

fn ids(log: &[WriteRecord]) -> Vec<&str> {
    log.iter().map(|write| write.id.as_str()).collect()
}

#[test]
fn a_replay_keeps_the_scaled_intervals_and_the_order_of_its_source() {
    let gateway = Gateway::start(GatewayOptions::default());
    gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("a.jsonl");
    // The span of time begins after an hour that is not waited for.
    let seconds = [0, 3600, 3610, 3605, 3620, 7200];
    write_lines(&source, lines(&seconds));
    let span = [
        "--since",
        "2023-11-14T23:13:20Z",
        "--until",
        "2023-11-14T23:30:00Z",
    ];
    let began = Instant::now();
    // One after the other: those of different keys could overtake each other.
    let speed = ["--speed", "20", "--concurrency", "1"];
    let ended = succeed(replay(&gateway, &source).args(span).args(speed));
    // 20 seconds, 20 times as fast.
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert!(ended.stderr.contains("4 created"), "{}", ended.stderr);
    assert_eq!(ids(&gateway.write_log()), ["1", "2", "3", "4"]);

    let mut shown = crate::command::cosmos_tail();
    shown.arg("replay").arg(&source).args(span);
    let began = Instant::now();
    let shown = succeed(shown.args(["--stdout", "--speed", "20"]));
    assert!(began.elapsed() >= Duration::from_secs(1));
    let shown: Vec<Value> = shown
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone())
        .collect();
    assert_eq!(shown, ["1", "2", "3", "4"]);
    assert_no_violations(&gateway);
}

#[cfg(unix)]
#[test]
fn a_wait_for_the_next_change_ends_at_a_stop_and_resumes() {
    let gateway = Gateway::start(GatewayOptions::default());
    gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let (source, state) = (
        directory.path().join("a.jsonl"),
        directory.path().join("state"),
    );
    write_lines(&source, lines(&[0, 0, 86_400, 86_401]));
    let mut command = replay(&gateway, &source);
    command.arg("--state").arg(&state);
    let child = spawn(command.args(["--speed", "1"]));
    gateway.wait_for_writes(2);
    interrupt(&child);
    let ended = wait(child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert_eq!(gateway.write_log().len(), 2);
    // Another speed is the same replay; applied changes are not applied again.
    let mut rest = replay(&gateway, &source);
    succeed(rest.arg("--state").arg(&state));
    let log = gateway.write_log();
    let mut written = ids(&log);
    written.sort();
    assert_eq!(written, ["0", "1", "2", "3"]);

    // Also to standard output.
    let mut shown = crate::command::cosmos_tail();
    shown.arg("replay").arg(&source);
    let mut child = spawn(shown.args(["--stdout", "--speed", "1"]));
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    for _ in 0..2 {
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    }
    interrupt(&child);
    assert_eq!(wait(child).code, Some(130));
    std::io::Read::read_to_string(&mut out, &mut line).unwrap();
    assert_eq!(line.lines().count(), 2, "{line}");
    assert_no_violations(&gateway);
}

#[test]
fn an_invalid_speed_is_refused() {
    for (arguments, part) in [
        (
            &["--speed=0"][..],
            "expected `max` or a number greater than 0",
        ),
        (&["--speed=-1"], "expected `max` or a number greater than 0"),
        (
            &["--speed=inf"],
            "expected `max` or a number greater than 0",
        ),
        (
            &["--speed=fast"],
            "expected `max` or a number greater than 0",
        ),
        (&["--speed=2", "--dry-run"], "--dry-run"),
    ] {
        let mut command = crate::command::cosmos_tail();
        let ended = fail(command.args(["replay", "-"]).args(arguments), 2);
        assert!(ended.stderr.contains("--speed"), "{}", ended.stderr);
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
}

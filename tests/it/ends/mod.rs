//! Where a range ends: with writers that rewrite while one reads, replicas that lag, and answers that
//! are wrong without looking so.

mod trials;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::bad_input::refuse;
use crate::command::{
    CONTAINER, DATABASE, against, assert_latest, export, fail, lines, resume, split_lines,
    state_directory, succeed, verify,
};
use crate::gateway::{
    Action, Container, Fault, Gateway, GatewayOptions, RequestKind, RequestRecord, at_random,
    in_turn, rewriter,
};
use crate::oracle::{Snapshot, judge, judge_one_shot};
use crate::orders::{fill, filled, filled_with};

const COPY: &str = "copy";

/// A gateway of an account whose consistency lets replicas lag behind.
fn eventual(partitions: usize, documents: usize) -> (Gateway, Container) {
    let options = GatewayOptions {
        consistency: "Eventual",
        ..GatewayOptions::default()
    };
    filled_with(options, partitions, documents)
}

fn items(numbers: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    numbers.map(|number| format!("item-{number}"))
}

/// From the end of the feed to its beginning: each is rewritten before its page is read.
fn rewritten_late(container: &Container, count: usize) -> Fault {
    rewriter(
        container,
        items(600 - count..600)
            .collect::<Vec<_>>()
            .into_iter()
            .rev(),
        1,
    )
}

/// With the first page 40 documents move beyond the pin, and the reader hears of it.
fn rewritten_at_once(container: &Container) -> Fault {
    let container = container.clone();
    let rewrite = Action::call(move || {
        for id in items(500..540) {
            container.rewrite(&id);
        }
    });
    Fault::on(RequestKind::ChangeFeed, rewrite).when(RequestRecord::is_page)
}

fn tail(gateway: &Gateway) -> Command {
    let mut command = against(gateway);
    command.args(["tail", "--from", "beginning", "--until-caught-up"]);
    command
}

fn copy(gateway: &Gateway) -> Command {
    let mut command = against(gateway);
    let source = format!("{DATABASE}/{CONTAINER}");
    command.env("AZURE_COSMOS_CONTAINER", COPY);
    command.args(["replay", "--from-container", &source]);
    command
}

fn ids(lines: &[Vec<u8>]) -> std::collections::BTreeSet<String> {
    let id = |line: &Vec<u8>| -> String {
        let document: Value = serde_json::from_slice(line).unwrap();
        document["id"].as_str().unwrap().to_owned()
    };
    lines.iter().map(id).collect()
}

fn state(out: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(state_directory(out).join("state.json")).unwrap())
        .unwrap()
}

fn summary(stderr: &str) -> Value {
    serde_json::from_str(stderr.lines().last().unwrap()).unwrap()
}

#[test]
fn an_export_of_a_rewritten_container_has_every_document() {
    for (count, partitions) in [(20, 1), (100, 1), (100, 3)] {
        let (gateway, container) = filled(partitions, 600);
        let before = Snapshot::of(&container);
        gateway.push_fault(rewritten_late(&container, count));
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let ended = succeed(export(&gateway, &out).args(["--page-size", "5"]));
        let existed = before.existed_until_now(&container);
        assert_eq!(existed.len(), 600);
        judge_one_shot(&gateway, &container, &out, &existed).unwrap();
        assert!(
            ended.stderr.contains(", all ranges read to the end as of "),
            "{}",
            ended.stderr
        );
        gateway.clear_faults();
        // Changes after a range's head are in the next run.
        succeed(&mut resume(&gateway, &out));
        judge(&gateway, &container, &out).unwrap();
    }
}

#[test]
fn a_tail_and_a_copy_of_a_rewritten_container_have_every_document() {
    let (gateway, container) = filled(2, 600);
    gateway.push_fault(rewritten_late(&container, 100));
    let shown = succeed(tail(&gateway).args(["--page-size", "5"]));
    assert_eq!(ids(&split_lines(shown.stdout.as_bytes())).len(), 600);

    let (gateway, container) = filled(2, 600);
    gateway.create_container(DATABASE, COPY, "/pk", 2);
    gateway.push_fault(rewritten_late(&container, 100));
    succeed(copy(&gateway).args(["--checkpoint-changes", "5"]));
    let copied = gateway.container(DATABASE, COPY).unwrap().latest();
    let copied: std::collections::BTreeSet<String> = copied.into_iter().map(|own| own.id).collect();
    assert_eq!(copied, items(0..600).collect());
}

#[test]
fn until_pin_ends_at_the_pin_and_reports_newer_transactions() {
    let (gateway, container) = filled(1, 600);
    gateway.push_fault(rewritten_late(&container, 100));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let command = &mut export(&gateway, &out);
    command.args(["--until", "pin", "--page-size", "5", "--summary", "json"]);
    let ends = summary(&succeed(command).stderr)["ends"].clone();
    let newer = ends["newer_transactions"].as_u64().unwrap();
    assert_eq!(ends["head"], false);
    assert_eq!(newer, 100);
    let found = ids(&lines(&out)).len();
    assert!((490..600).contains(&found), "{found}");
    let end = &state(&out)["state"]["ranges"][0]["end"];
    assert_eq!(end["etag"], "\"600\"");
    assert_eq!(end["reached"], json!({"pin": {"newer": 100}}));
    let verified = verify(&out, &["--strict"]);
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert!(
        verified.stderr.contains("; 100 transactions came after that\n")
            && verified.stderr.contains(
                "documents that these transactions rewrote before they were read may be in no file; \
                 `resume` reads them"
            ),
        "{}",
        verified.stderr
    );
    gateway.clear_faults();
    let ended = succeed(&mut resume(&gateway, &out));
    assert!(
        ended.stderr.contains(", all ranges read to the end as of "),
        "{}",
        ended.stderr
    );
    judge(&gateway, &container, &out).unwrap();
    assert_eq!(ids(&lines(&out)).len(), 600);
}

#[test]
fn an_interrupted_window_keeps_its_pins() {
    let (gateway, container) = filled(2, 400);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    // The first range is done, the second fails for good.
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::status(403, 0))
            .partition("1")
            .page(3)
            .always(),
    );
    let command = &mut export(&gateway, &out);
    command.args(["--until", "pin", "--page-size", "20"]);
    fail(command, 3);
    let before = state(&out)["state"]["ranges"].clone();
    assert_eq!(before[0]["end"]["reached"], "head");
    assert_eq!(before[1]["end"]["reached"], Value::Null);
    gateway.clear_faults();
    let pinned: Vec<Vec<u8>> = container
        .latest()
        .into_iter()
        .map(|own| own.text.to_vec())
        .collect();
    fill(&container, 400..500);
    let requests = gateway.total_requests();
    succeed(&mut resume(&gateway, &out));
    let after = state(&out)["state"]["ranges"].clone();
    for (before, after) in before
        .as_array()
        .unwrap()
        .iter()
        .zip(after.as_array().unwrap())
    {
        for field in ["etag", "pinned_at", "partition"] {
            assert_eq!(before["end"][field], after["end"][field]);
        }
    }
    let log = gateway.request_log().split_off(requests);
    assert!(!log.iter().any(RequestRecord::is_pin), "the pins were kept");
    assert!(
        !log.iter()
            .any(|record| record.partition.as_deref() == Some("0")),
        "a range that was at its pin is not asked again"
    );
    // A page is never cut, so the last one may reach beyond the pin.
    let found = lines(&out);
    assert!(pinned.iter().all(|line| found.contains(line)));
    assert!(found.len() < container.latest().len());
    // A finished export takes new pins.
    succeed(&mut resume(&gateway, &out));
    judge(&gateway, &container, &out).unwrap();
}

#[test]
fn replicas_that_lag_end_no_range() {
    for lags in [vec![0, 180, 180, 180], vec![0, 7, 0, 90]] {
        let (gateway, container) = eventual(2, 1000);
        gateway.create_container(DATABASE, COPY, "/pk", 2);
        // What no answer has ever spoken of cannot be missed.
        let mut lags = in_turn(lags);
        gateway.set_lag(move |record: &RequestRecord| {
            if record.is_pin() {
                0.into()
            } else {
                lags(record)
            }
        });
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        succeed(export(&gateway, &out).args(["--page-size", "100"]));
        judge(&gateway, &container, &out).unwrap();

        let shown = succeed(tail(&gateway).args(["--page-size", "100"]));
        assert_latest(&split_lines(shown.stdout.as_bytes()), &container);

        succeed(&mut copy(&gateway));
        gateway.clear_lag();
        let copied = gateway.container(DATABASE, COPY).unwrap().latest();
        assert_eq!(copied.len(), 1000);
    }
}

#[test]
fn replicas_that_lag_while_documents_are_rewritten_end_no_range() {
    for seed in 0..3 {
        let (gateway, container) = eventual(2, 600);
        let before = Snapshot::of(&container);
        gateway.push_fault(rewritten_late(&container, 100));
        gateway.set_lag(at_random(seed, 50));
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        succeed(export(&gateway, &out).args(["--page-size", "20"]));
        let existed = before.existed_until_now(&container);
        judge_one_shot(&gateway, &container, &out, &existed).unwrap();
    }
}

#[test]
fn an_interrupted_run_passes_its_lsns_to_the_next() {
    let (gateway, container) = eventual(1, 600);
    let before = Snapshot::of(&container);
    gateway.push_fault(rewritten_at_once(&container));
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::status(403, 0))
            .when(|record| record.token.as_deref() == Some("\"620\""))
            .always(),
    );
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    fail(export(&gateway, &out).args(["--page-size", "20"]), 3);
    assert_eq!(state(&out)["state"]["ranges"][0]["position"]["lsn"], 620);
    gateway.clear_faults();
    // Only replicas are left that have not heard of the last ten.
    gateway.set_lag(|_: &RequestRecord| 10);
    let command = &mut resume(&gateway, &out);
    let behind = "range 0 is at LSN 630, and its partition was at LSN 640 before, but the service \
                  answers that there is nothing new";
    refuse(command.args(["--max-retries", "1"]), 3, &[behind]);
    gateway.clear_lag();
    succeed(&mut resume(&gateway, &out));
    let existed = before.existed_until_now(&container);
    assert_eq!(existed.len(), 600);
    judge_one_shot(&gateway, &container, &out, &existed).unwrap();
}

#[test]
fn a_resumed_run_does_not_end_at_a_lagging_replica() {
    let (gateway, container) = eventual(1, 600);
    let before = Snapshot::of(&container);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::status(403, 0))
            .when(RequestRecord::is_page)
            .always(),
    );
    fail(export(&gateway, &out).args(["--page-size", "20"]), 3);
    gateway.clear_faults();
    gateway.push_fault(rewritten_at_once(&container));
    // A replica that has everything moves past the old versions; the new ones are requested from one that lacks
    // the last ten transactions.
    gateway.set_lag(|record: &RequestRecord| {
        let token = record.token.as_deref().unwrap_or_default();
        let lsn: u64 = token.trim_matches('"').parse().unwrap_or(0);
        if lsn < 600 { 0 } else { 10 }
    });
    let command = &mut resume(&gateway, &out);
    let behind = "range 0 is at LSN 630, and its partition was at LSN 640 before";
    refuse(command.args(["--max-retries", "1"]), 3, &[behind]);
    gateway.clear_lag();
    succeed(&mut resume(&gateway, &out));
    let existed = before.existed_until_now(&container);
    assert_eq!(existed.len(), 600);
    judge_one_shot(&gateway, &container, &out, &existed).unwrap();
}

#[test]
fn an_interrupted_copy_passes_its_lsns_to_the_next_run() {
    let (gateway, container) = eventual(1, 600);
    gateway.create_container(DATABASE, COPY, "/pk", 1);
    gateway.push_fault(rewritten_at_once(&container));
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::status(403, 0))
            .when(|record| record.token.as_deref() == Some("\"620\""))
            .always(),
    );
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let command = || {
        let mut command = copy(&gateway);
        command.args([
            "--checkpoint-changes",
            "20",
            "--max-retries",
            "1",
            "--state",
        ]);
        command.arg(&state);
        command
    };
    fail(&mut command(), 3);
    gateway.clear_faults();
    gateway.set_lag(|_: &RequestRecord| 10);
    let behind = "range 0 is at LSN 630, and its partition was at LSN 640 before";
    refuse(&mut command(), 3, &[behind]);
    gateway.clear_lag();
    succeed(&mut command());
    let copied = gateway.container(DATABASE, COPY).unwrap().latest();
    assert_eq!(copied.len(), 600);
}

/// All requests except the pins are answered by a replica that lags.
fn lag_after_the_pin(gateway: &Gateway, lag: u64) {
    gateway.set_lag(move |record: &RequestRecord| if record.is_pin() { 0 } else { lag });
}

#[test]
fn a_replica_that_never_catches_up_stops_the_export_resumably() {
    let (gateway, container) = eventual(1, 2000);
    lag_after_the_pin(&gateway, 180);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let parts = [
        "1 of 1 feed range failed: range 0",
        "gave up after 4 tries",
        "range 0 is at LSN 1820 and its end at LSN 2000, but the service answers that there is nothing new",
        "a replica or a region that lags answers like that; a larger --max-retries waits longer for it",
        "cosmos-tail resume --state",
    ];
    let command = &mut export(&gateway, &out);
    let began = gateway.total_requests();
    refuse(command.args(["--max-retries", "3"]), 3, &parts);
    // It waits between its tries.
    assert!(gateway.total_requests() - began < 20);
    let range = state(&out)["state"]["ranges"][0].clone();
    assert_eq!(range["position"]["lsn"], 1820);
    assert_eq!(range["end"]["etag"], "\"2000\"");
    assert_eq!(range["end"]["reached"], Value::Null);
    gateway.clear_lag();
    succeed(&mut resume(&gateway, &out));
    judge(&gateway, &container, &out).unwrap();
}

#[test]
fn a_tail_and_a_copy_do_not_end_below_the_pin() {
    let (gateway, _container) = eventual(1, 2000);
    gateway.create_container(DATABASE, COPY, "/pk", 1);
    lag_after_the_pin(&gateway, 180);
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("position.json");
    let below = "range 0 is at LSN 1820 and its end at LSN 2000";
    let command = &mut tail(&gateway);
    command.args(["--max-retries", "2", "--state"]).arg(&kept);
    refuse(command, 3, &[below]);
    let kept = directory.path().join("copy.json");
    let command = &mut copy(&gateway);
    command.args(["--max-retries", "2", "--state"]).arg(&kept);
    refuse(command, 3, &[below, "run the same command again"]);
    gateway.clear_lag();
    succeed(copy(&gateway).arg("--state").arg(&kept));
    assert_eq!(
        gateway.container(DATABASE, COPY).unwrap().latest().len(),
        2000
    );
}

#[test]
fn a_tail_until_a_time_is_complete_despite_lagging_replicas() {
    let (gateway, container) = eventual(1, 500);
    // All was written long ago by the clock that decides.
    let mut first = true;
    gateway.set_lag(move |record: &RequestRecord| {
        let is_first = std::mem::take(&mut first);
        if record.is_pin() || !is_first { 0 } else { 100 }
    });
    let mut command = against(&gateway);
    command.args([
        "tail",
        "--from",
        "beginning",
        "--until",
        "1s",
        "--poll-interval",
        "10ms",
    ]);
    let shown = succeed(&mut command);
    assert_latest(&split_lines(shown.stdout.as_bytes()), &container);
}

#[test]
fn a_304_in_the_middle_is_not_the_end() {
    let wrong = [
        Action::NotModified { etag: None },
        Action::answer(304, None, ""),
        // This answer has no session token, which the pin had.
        Action::answer(304, Some("\"999999\""), ""),
        Action::answer(304, Some("\"600\""), ""),
        // It is behind the position, which stays where it is.
        Action::NotModified {
            etag: Some("\"3\"".to_owned()),
        },
    ];
    for action in wrong {
        let name = format!("{action:?}");
        let (gateway, container) = filled(2, 1000);
        let is_page = RequestRecord::is_page;
        gateway.push_fault(
            Fault::on(RequestKind::ChangeFeed, action)
                .partition("0")
                .nth(4)
                .times(2)
                .when(is_page),
        );
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let ended = succeed(export(&gateway, &out).args(["-v", "--page-size", "50"]));
        assert!(
            ended.stderr.contains("retry 1 of 15"),
            "{name}: {}",
            ended.stderr
        );
        judge(&gateway, &container, &out).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        assert_eq!(gateway.violations(), Vec::<String>::new(), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_304_beyond_the_partition_moves_no_followed_range() {
    use crate::command::{interrupt, spawn, wait};
    let (gateway, container) = filled(1, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    command.args(["-v", "--follow", "--poll-interval", "10ms"]);
    let child = spawn(&mut command);
    gateway.wait_until_caught_up(&container);
    for etag in ["\"999999\"", "\"150\""] {
        let requests = gateway.requests(RequestKind::ChangeFeed);
        gateway.push_fault(Fault::on(
            RequestKind::ChangeFeed,
            Action::answer(304, Some(etag), ""),
        ));
        gateway.wait_for(RequestKind::ChangeFeed, requests + 3);
    }
    fill(&container, 100..200);
    gateway.wait_until_caught_up(&container);
    interrupt(&child);
    let ended = wait(child);
    let told = "the service sent LSN 999999 without its session token; retry 1 of 15";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert_latest(&lines(&out), &container);
}

/// Answers that look like a pin to whoever does not look closely.
fn false_pins() -> Vec<(&'static str, Action)> {
    let page = r#"{"_rid":"","Documents":[],"_count":1}"#;
    vec![
        (
            "HTML",
            Action::answer(200, Some("\"5\""), "<html>welcome</html>"),
        ),
        ("nothing", Action::answer(200, Some("\"5\""), "")),
        (
            "an error",
            Action::answer(200, Some("\"5\""), r#"{"code":"x","message":"y"}"#),
        ),
        (
            "a page that says otherwise",
            Action::answer(200, Some("\"5\""), page),
        ),
        ("no content", Action::answer(204, Some("\"5\""), "")),
        (
            "a part",
            Action::answer(206, Some("\"5\""), r#"{"Documents":[]}"#),
        ),
        ("an empty ETag", Action::answer(304, Some("\"\""), "")),
        ("an ETag that is now", Action::answer(304, Some("*"), "")),
        ("no ETag", Action::answer(304, None, "")),
    ]
}

#[test]
fn an_answer_that_is_not_a_pin_is_requested_again() {
    for (name, action) in false_pins() {
        for command in ["export", "tail", "copy"] {
            let name = format!("{name}, {command}");
            let (gateway, container) = filled(2, 600);
            gateway.create_container(DATABASE, COPY, "/pk", 2);
            gateway.push_fault(
                Fault::on(RequestKind::ChangeFeed, action.clone())
                    .partition("1")
                    .when(RequestRecord::is_pin),
            );
            let directory = tempfile::tempdir().unwrap();
            let out = directory.path().join("out");
            match command {
                "export" => {
                    succeed(export(&gateway, &out).args(["--page-size", "50"]));
                    judge(&gateway, &container, &out)
                        .unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
                }
                "tail" => {
                    let shown = succeed(tail(&gateway).args(["--page-size", "50"]));
                    assert_latest(&split_lines(shown.stdout.as_bytes()), &container);
                }
                _ => {
                    succeed(&mut copy(&gateway));
                    assert_eq!(
                        gateway.container(DATABASE, COPY).unwrap().latest().len(),
                        600
                    );
                }
            }
        }
    }
}

#[test]
fn a_start_from_now_is_an_ordinary_pin() {
    let documents = r#"{"Documents":[{"id":"a","pk":"b","_lsn":9}],"_count":1}"#;
    let mut answers = false_pins();
    answers.push((
        "documents",
        Action::answer(200, Some("\"100001\""), documents),
    ));
    for (name, action) in answers {
        let (gateway, container) = filled(2, 100);
        gateway.push_fault(
            Fault::on(RequestKind::ChangeFeed, action.clone())
                .partition("0")
                .when(RequestRecord::is_pin),
        );
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        succeed(export(&gateway, &out).args(["--from", "now"]));
        fill(&container, 100..150);
        succeed(&mut resume(&gateway, &out));
        assert_eq!(lines(&out).len(), 50, "{name}");
        // A permanent fault is not a start.
        gateway.push_fault(
            Fault::on(RequestKind::ChangeFeed, action)
                .when(RequestRecord::is_pin)
                .always(),
        );
        let out = directory.path().join("again");
        let command = &mut export(&gateway, &out);
        command.args(["--from", "now", "--max-retries", "1"]);
        refuse(
            command,
            1,
            &[
                "cannot get the current position of the feed range",
                "gave up after 2 tries",
            ],
        );
        assert!(!state_directory(&out).join("state.json").exists(), "{name}");
    }
}

/// The fault of a page, and its message.
fn wrong_pages() -> Vec<(Action, &'static str)> {
    let etag = |etag: &'static str| Action::edit_etag(move |_| Some(etag.to_owned()));
    let json = |edit: fn(&mut Value)| Action::edit_json(edit);
    vec![
        (
            etag("\"\""),
            r#"the service sent the ETag `\"\"`, which names no position"#,
        ),
        (
            etag("*"),
            "the service sent the ETag `*`, which names no position",
        ),
        (
            etag("\"0\""),
            "but the service sent changes of LSN 0 after that",
        ),
        (
            etag("\"x7\""),
            "which differs in form from the earlier ones",
        ),
        (
            etag("\"999999\""),
            "the service sent LSN 999999, but its partition is at LSN 600",
        ),
        (
            json(|page| page["Documents"][3] = json!(7)),
            "an item is not an object",
        ),
        (
            json(|page| page["Documents"][3] = json!(["a"])),
            "an item is not an object",
        ),
        (
            json(|page| page["_count"] = json!(19)),
            "`_count` is not the number of items",
        ),
        (
            json(|page| page["_count"] = json!("20")),
            "`_count` is not the number of items",
        ),
        (
            json(|page| page["_rid"] = json!("bbbbAA==")),
            "the service sent a page of another container: its RID is `bbbbAA==`, not `AAAAAYAAAAE=`",
        ),
        (
            json(|page| drop(page["Documents"].as_array_mut().unwrap().pop())),
            "`_count` is not the number of items",
        ),
    ]
}

#[test]
fn an_inconsistent_page_is_requested_again_and_never_written() {
    for (action, message) in wrong_pages() {
        let (gateway, container) = filled(1, 600);
        let strike = |action: &Action| {
            Fault::on(RequestKind::ChangeFeed, action.clone())
                .when(|record| record.token.as_deref() == Some("\"60\""))
        };
        gateway.push_fault(strike(&action));
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let ended = succeed(export(&gateway, &out).args(["-v", "--page-size", "20"]));
        assert!(
            ended.stderr.contains(message),
            "{message}: {}",
            ended.stderr
        );
        judge(&gateway, &container, &out).unwrap_or_else(|wrong| panic!("{message}: {wrong}"));
        // If it stays, the range ends there and can be resumed.
        let (gateway, container) = filled(1, 600);
        gateway.push_fault(strike(&action).always());
        let out = directory.path().join("again");
        let command = &mut export(&gateway, &out);
        refuse(
            command.args(["--page-size", "20", "--max-retries", "1"]),
            3,
            &[message],
        );
        gateway.clear_faults();
        succeed(&mut resume(&gateway, &out));
        judge(&gateway, &container, &out).unwrap_or_else(|wrong| panic!("{message}: {wrong}"));
    }
}

#[test]
fn a_region_that_lost_writes_is_reported_and_nothing_is_repeated() {
    let (gateway, container) = filled(1, 300);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let before = lines(&out);
    container.lose("0", 100);
    let failover = "after an unplanned failover a region may have lost the latest writes";
    let behind = "range 0 was read to LSN 300, but the service is at LSN 200";
    let command = &mut resume(&gateway, &out);
    refuse(
        command.args(["--max-retries", "1"]),
        3,
        &[behind, failover, "--from a time before"],
    );
    // New writes reuse the LSNs of the lost ones.
    fill(&container, 1000..1050);
    let behind = "range 0 was read to LSN 300, but the service is at LSN 250";
    let command = &mut resume(&gateway, &out);
    refuse(command.args(["--max-retries", "1"]), 3, &[behind, failover]);
    assert_eq!(lines(&out), before);
}

#[test]
fn a_page_before_the_position_is_not_written_again() {
    let (gateway, container) = filled(1, 300);
    // Pages from the beginning are repeated, with ETags that advance.
    let first = Action::edit_json(|page| {
        for (index, item) in page["Documents"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .enumerate()
        {
            for part in ["current", "metadata"] {
                if item[part].is_object() {
                    let name = if part == "current" { "_lsn" } else { "lsn" };
                    item[part][name] = json!(index + 1);
                }
            }
        }
    });
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, first)
            .when(|record| record.token.as_deref() == Some("\"40\""))
            .always(),
    );
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let goes_back = "range 0 was read to LSN 40, but the service sent changes of LSN 1 after that";
    let command = &mut export(&gateway, &out);
    refuse(
        command.args(["--page-size", "20", "--max-retries", "1"]),
        3,
        &[goes_back],
    );
    gateway.clear_faults();
    succeed(&mut resume(&gateway, &out));
    judge(&gateway, &container, &out).unwrap();
}

#[test]
fn with_session_consistency_every_read_has_the_token_of_the_pin() {
    for (consistency, asked) in [("Session", None), ("BoundedStaleness", Some("Session"))] {
        let options = GatewayOptions {
            consistency,
            ..GatewayOptions::default()
        };
        let (gateway, container) = filled_with(options, 1, 500);
        lag_after_the_pin(&gateway, 100);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let command = &mut export(&gateway, &out);
        // The session token makes a lagging replica refuse instead of answering "nothing new".
        refuse(command.args(["--max-retries", "1"]), 3, &["404/1002"]);
        let log = gateway.request_log();
        for page in log.iter().filter(|record| record.is_page()) {
            assert_eq!(page.session_token.as_deref(), Some("0:1#500"));
            assert_eq!(page.consistency_level.as_deref(), asked);
        }
        gateway.set_lag(in_turn(vec![0, 100, 100]));
        succeed(&mut resume(&gateway, &out));
        judge(&gateway, &container, &out).unwrap();
    }
}

#[test]
fn a_range_that_is_not_at_its_stated_end_is_a_fault() {
    let (gateway, _container) = filled(2, 200);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let path = state_directory(&out).join("state.json");
    let mut state = cosmos_tail::state::file::read(&path).unwrap();
    let lsn = state.ranges[1].position.as_ref().unwrap().lsn.unwrap();
    let mut end = state.ranges[1].end.clone().unwrap();
    end.etag = format!("\"{}\"", lsn + 180);
    assert!(state.ranges.set_end(state.ranges[1].id, end));
    std::fs::write(&path, cosmos_tail::state::file::render(&state).unwrap()).unwrap();
    let verified = verify(&out, &[]);
    assert_eq!(verified.code, Some(1));
    let fault = format!(
        "state.json: range 1 is marked as read to its end at LSN {}, but it is at LSN {lsn}\n",
        lsn + 180
    );
    assert_eq!(verified.stdout, fault);
}

#[test]
fn a_state_of_the_previous_version_is_verified_and_resumed() {
    let (gateway, container) = filled(2, 200);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    // Its state was in the directory of its files.
    let path = out.join("state.json");
    succeed(export(&gateway, &out).arg("--state").arg(&path));
    as_version_1(&path);
    let verified = verify(&out, &["--strict"]);
    assert_eq!(
        verified.code,
        Some(0),
        "{}{}",
        verified.stdout,
        verified.stderr
    );
    assert!(
        verified.stderr.contains(
            "whether each range was read to its end is not known: the state is from an earlier version"
        ),
        "{}",
        verified.stderr
    );
    fill(&container, 200..250);
    succeed(&mut resume(&gateway, &out));
    let written: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(written["version"], 3);
    judge(&gateway, &container, &out).unwrap();
    let verified = verify(&out, &["--strict"]);
    assert!(
        verified
            .stderr
            .contains(", all ranges read to the end as of "),
        "{}",
        verified.stderr
    );
}

/// Converts a state file to format 1, which had no ends and no checksum of the manifest.
fn as_version_1(path: &Path) {
    let whole: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut state = whole["state"].clone();
    for range in state["ranges"].as_array_mut().unwrap() {
        range.as_object_mut().unwrap().remove("end");
    }
    state["manifest"].as_object_mut().unwrap().remove("crc32c");
    let body = serde_json::to_string(&state).unwrap();
    let crc32c = crc32c::crc32c(body.as_bytes());
    let text = format!(
        "{{\"format\":\"cosmos-tail state\",\"version\":1,\"crc32c\":\"{crc32c:08x}\",\"state\":{body}}}\n"
    );
    std::fs::write(path, text).unwrap();
}

//! 429s, outages, and a budget of request units.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use super::*;
use crate::bad_input::refuse;
use crate::command::{DATABASE, assert_same, run, succeed};
use crate::gateway::{Action, Fault, GatewayOptions, RequestKind};

const ITEMS: usize = 40;

/// Three versions of each of some items of few keys, one after the other.
fn versions(path: &Path, versions: usize) -> Vec<Vec<u8>> {
    let document = |item: usize, version: usize| {
        json!({"id": format!("item-{item}"), "pk": format!("key-{}", item % 8), "version": version})
            .to_string()
    };
    let lines = (0..versions).flat_map(|v| (0..ITEMS).map(move |item| (item, v)));
    write_lines(path, lines.map(|(item, version)| document(item, version)));
    (0..ITEMS)
        .map(|item| document(item, versions - 1).into_bytes())
        .collect()
}

/// Writes of documents of one of the keys.
fn of_key(key: usize) -> impl Fn(&RequestRecord) -> bool + Send + Sync + 'static {
    let wanted = format!("[\"key-{key}\"]");
    move |record| record.header("x-ms-documentdb-partitionkey") == Some(wanted.as_str())
}

/// How many changes are done according to the state of a replay.
fn saved_changes(state: &Path) -> u64 {
    let text = std::fs::read_to_string(state).unwrap();
    let state: Value = serde_json::from_str(&text).unwrap();
    state["state"]["changes"]
        .as_u64()
        .unwrap_or_else(|| panic!("{text}"))
}

#[track_caller]
fn assert_versions_in_order(gateway: &Gateway, versions: usize) {
    let log = gateway.write_log();
    for item in 0..ITEMS {
        let found: Vec<Value> = writes_of(&log, &format!("item-{item}"))
            .iter()
            .map(|write| serde_json::from_slice::<Value>(&write.body).unwrap()["version"].clone())
            .collect();
        let expected: Vec<Value> = (0..versions).map(|version| json!(version)).collect();
        assert_eq!(found, expected, "item-{item}");
    }
}

#[test]
fn a_storm_of_429s_loses_neither_changes_nor_their_order() {
    let gateway = Gateway::start(GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("a");
    let expected = versions(&source, 10);
    gateway.push_fault(
        Fault::on(RequestKind::ItemWrite, Action::throttle(4))
            .when(numbered(|number| number % 5 < 3))
            .always(),
    );
    let told = summary(&succeed(
        replay(&gateway, &source).args(["--summary", "json"]),
    ));
    assert!(told["throttled"].as_u64().unwrap() > 100, "{told}");
    assert_eq!(told["changes"], 10 * ITEMS);
    assert_same(&content(&copy), &expected);
    assert_versions_in_order(&gateway, 10);
    assert_no_violations(&gateway);
}

/// The unit test of the budget shows that no second is charged more than a tenth above it, since nothing
/// disturbs its clock. Here a busy machine may delay requests that were sent in time, but cannot send any
/// too early.
#[test]
fn a_replay_never_exceeds_its_budget() {
    const BUDGET: f64 = 400.0;
    let gateway = Gateway::start(GatewayOptions::default());
    gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("a");
    versions(&source, 6);
    gateway.push_fault(
        Fault::on(RequestKind::ItemWrite, Action::throttle(20))
            .when(numbered(|number| number % 7 == 0))
            .always(),
    );
    let began = Instant::now();
    let budget = BUDGET.to_string();
    succeed(replay(&gateway, &source).args(["--max-ru", &budget]));
    let took = began.elapsed().as_secs_f64();
    let log = gateway.write_log();
    let charge = |write: &WriteRecord| write.charge_hundredths as f64 / 100.0;
    let total: f64 = log.iter().map(charge).sum();
    assert!(took > total / BUDGET * 0.9, "{total} RU in {took} s");
    assert!(took < total / BUDGET * 2.0 + 3.0, "{total} RU in {took} s");
    let mut charged = 0.0;
    for write in &log {
        charged += charge(write);
        let most = BUDGET * 1.1 * write.at.duration_since(began).as_secs_f64();
        assert!(charged <= most, "{charged} RU instead of {most}");
    }
    assert_versions_in_order(&gateway, 6);
    assert_no_violations(&gateway);
}

#[test]
fn an_outage_is_survived_or_stops_the_replay_resumably() {
    let gateway = Gateway::start(GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let (source, state) = (directory.path().join("a"), directory.path().join("state"));
    let expected = versions(&source, 3);
    // The first request of each of four keys is reset once.
    for key in 4..8 {
        gateway.push_fault(
            Fault::on(RequestKind::ItemWrite, Action::ResetBeforeHeaders).when(of_key(key)),
        );
    }
    // Nothing gets through any more once the first of the source's changes has been answered: the next
    // request of its key shows that.
    let gateway = Arc::new(gateway);
    let script = Arc::downgrade(&gateway);
    let begin = Action::call(move || {
        let outage = Fault::on(RequestKind::ItemWrite, Action::status(503, 0)).always();
        script.upgrade().unwrap().push_fault(outage);
    });
    gateway.push_fault(
        Fault::on(RequestKind::ItemWrite, begin)
            .when(of_key(0))
            .nth(2),
    );
    let command = || {
        let mut command = replay(&gateway, &source);
        command.args(["--max-retries", "1", "--summary", "json", "--state"]);
        command.arg(&state);
        command
    };
    let stopped = refuse(&mut command(), 3, &["503", "run the same command again"]);
    let stopped = summary(&stopped);
    assert_eq!(stopped["outcome"], "incomplete");
    let saved = saved_changes(&state);
    assert!(saved >= 1, "{stopped}");
    assert!(stopped["changes"].as_u64().unwrap() >= saved, "{stopped}");
    gateway.clear_faults();
    // Committed changes are not repeated, all others are.
    let told = summary(&succeed(&mut command()));
    assert_eq!(told["changes"], 3 * ITEMS as u64 - saved, "{told}");
    assert_same(&content(&copy), &expected);
    // It is done, and stays so until the source grows.
    let before = gateway.requests(RequestKind::ItemWrite);
    assert_eq!(summary(&succeed(&mut command()))["changes"], 0);
    assert_eq!(gateway.requests(RequestKind::ItemWrite), before);
    let mut longer = std::fs::read_to_string(&source).unwrap();
    longer.push_str("{\"id\":\"more\",\"pk\":\"p\"}\n");
    std::fs::write(&source, longer).unwrap();
    assert_eq!(summary(&succeed(&mut command()))["created"], 1);
    assert_no_violations(&gateway);
}

#[cfg(unix)]
#[test]
fn ctrl_c_completes_running_writes_and_the_same_command_resumes() {
    use crate::command::{interrupt, spawn, wait};
    let gateway = Gateway::start(GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let (source, state) = (directory.path().join("a"), directory.path().join("state"));
    let expected = versions(&source, 5);
    // From the twentieth on nothing gets through.
    gateway.push_fault(
        Fault::on(RequestKind::ItemWrite, Action::throttle(60_000))
            .nth(20)
            .always(),
    );
    let child = spawn(replay(&gateway, &source).arg("--state").arg(&state));
    gateway.wait_for(RequestKind::ItemWrite, 24);
    interrupt(&child);
    let ended = wait(child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("interrupted after"),
        "{}",
        ended.stderr
    );
    gateway.clear_faults();
    let ended = run(replay(&gateway, &source).arg("--state").arg(&state));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_same(&content(&copy), &expected);
    assert_no_violations(&gateway);
}

#[cfg(unix)]
#[test]
fn ctrl_c_during_the_only_write_is_not_the_end_of_the_source() {
    use crate::command::{interrupt, spawn, wait};
    for _ in 0..20 {
        let gateway = Gateway::start(GatewayOptions::default());
        gateway.create_container(DATABASE, COPY, "/pk", 1);
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("a");
        write_lines(
            &source,
            [r#"{"id":"1","pk":"p"}"#, r#"{"id":"2","pk":"p"}"#],
        );
        let throttle = Fault::on(RequestKind::ItemWrite, Action::throttle(60_000));
        gateway.push_fault(throttle.always());
        let child = spawn(&mut replay(&gateway, &source));
        gateway.wait_for(RequestKind::ItemWrite, 1);
        interrupt(&child);
        let ended = wait(child);
        assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    }
}

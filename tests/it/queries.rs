//! Exports of queries: each row once, byte for byte, through splits, faults, and refusals.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::command::{export, fail, lines, resume, state_directory, succeed, verify};
use crate::gateway::{Action, Container, Fault, Gateway, GatewayOptions, RequestKind};
use crate::orders::{document, filled, filled_with};

const ALL: &str = "SELECT * FROM c";
const MANY: &str = "SELECT * FROM c WHERE c.number > @least";

/// An export of `query` to `out`, in pages of 20 rows.
fn of_query(gateway: &Gateway, out: &Path, query: &str) -> Command {
    let mut command = export(gateway, out);
    command.args(["--page-size", "20", "--query", query]);
    command
}

/// The documents whose number is larger than `least`, as the gateway serves them, sorted.
fn larger(container: &Container, least: u64) -> Vec<Vec<u8>> {
    let is_larger = |text: &[u8]| {
        let document: Value = serde_json::from_slice(text).unwrap();
        document["number"].as_u64() > Some(least)
    };
    let all = container.latest().into_iter();
    let mut texts: Vec<Vec<u8>> = all.map(|served| served.text.to_vec()).collect();
    texts.retain(|text| is_larger(text));
    texts.sort();
    texts
}

fn exported(out: &Path) -> Vec<Vec<u8>> {
    let mut lines = lines(out);
    lines.sort();
    lines
}

fn state(out: &Path) -> Value {
    let path = state_directory(out).join("state.json");
    let text = std::fs::read(path).unwrap();
    let state: Value = serde_json::from_slice(&text).unwrap();
    state["state"].clone()
}

#[track_caller]
fn assert_no_violations(gateway: &Gateway) {
    let violations = gateway.violations();
    assert!(violations.is_empty(), "{violations:?}");
}

#[test]
fn each_row_is_exported_once_as_the_service_sends_it() {
    let (gateway, container) = filled(4, 1000);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = succeed(of_query(&gateway, &out, MANY).args(["--parameter", "least=700"]));
    assert_eq!(exported(&out), larger(&container, 700));
    assert_eq!(exported(&out).len(), 299);
    assert!(
        ended.stderr.contains("exported 299 rows"),
        "{}",
        ended.stderr
    );
    assert_no_violations(&gateway);
    assert_eq!(gateway.requests(RequestKind::QueryPlan), 1);
    assert_eq!(gateway.requests(RequestKind::ChangeFeed), 0);
    assert_eq!(verify(&out, &["--strict"]).code, Some(0));
    let query = &state(&out)["options"]["query"];
    let parameters = json!([{"name": "@least", "value": 700}]);
    assert_eq!(*query, json!({"text": MANY, "parameters": parameters}));
}

#[test]
fn a_query_in_a_file_selects_members() {
    let (gateway, container) = filled(2, 200);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let file = directory.path().join("q.sql");
    std::fs::write(&file, "SELECT c.id, c.number\nFROM c").unwrap();
    succeed(
        export(&gateway, &out)
            .arg("--query-file")
            .arg(&file)
            .args(["--page-size", "7"]),
    );
    let rows = exported(&out);
    assert_eq!(rows.len(), container.latest().len());
    for row in rows {
        let row: Value = serde_json::from_slice(&row).unwrap();
        let number = row["number"].as_u64().unwrap();
        assert_eq!(
            row,
            json!({"id": format!("item-{number}"), "number": number})
        );
    }
}

#[test]
fn values_are_rows_of_json_lines_and_no_columns() {
    let (gateway, _) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut of_query(
        &gateway,
        &out,
        "SELECT VALUE c.number FROM c",
    ));
    let mut numbers: Vec<u64> = exported(&out)
        .iter()
        .map(|line| std::str::from_utf8(line).unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).collect::<Vec<u64>>());
    for format in ["csv", "parquet"] {
        let out = directory.path().join(format);
        let mut command = of_query(&gateway, &out, "SELECT VALUE c.number FROM c");
        let ended = fail(command.args(["--format", format]), 2);
        assert!(
            ended.stderr.contains("rows that are not objects"),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains("--format jsonl"), "{}", ended.stderr);
    }
}

#[test]
fn rows_that_look_like_changes_stay_as_they_are() {
    let (gateway, container) = filled(1, 0);
    container.upsert(json!({"id": "1", "pk": "a", "current": {"x": 1}, "metadata": 7}));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut of_query(
        &gateway,
        &out,
        "SELECT c.current, c.metadata FROM c",
    ));
    assert_eq!(
        lines(&out),
        [br#"{"current":{"x":1},"metadata":7}"#.to_vec()]
    );
}

#[test]
fn rows_become_columns() {
    let (gateway, _) = filled(3, 300);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out.csv");
    let query = "SELECT c.id, c.number FROM c WHERE c.number > @least";
    succeed(of_query(&gateway, &out, query).args(["--parameter", "least=296"]));
    let text = std::fs::read_to_string(&out).unwrap();
    let mut rows: Vec<&str> = text.lines().collect();
    assert!(rows.remove(0).starts_with("id,number"), "{text}");
    rows.sort_unstable();
    let starts: Vec<String> = (297..300).map(|n| format!("item-{n},{n}")).collect();
    for (row, start) in rows.iter().zip(&starts) {
        assert!(row.starts_with(start), "{text}");
    }
    assert_eq!(rows.len(), 3, "{text}");
}

#[test]
fn a_partition_key_narrows_a_query() {
    let (gateway, container) = filled(4, 1000);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(of_query(&gateway, &out, MANY).args([
        "--parameter",
        "least=100",
        "--partition-key",
        "key-5",
    ]));
    let mut expected = larger(&container, 100);
    let is_of_key = |text: &Vec<u8>| {
        let document: Value = serde_json::from_slice(text).unwrap();
        document["pk"] == "key-5"
    };
    expected.retain(is_of_key);
    assert_eq!(exported(&out), expected);
    assert_eq!(gateway.requests(RequestKind::Query), 1);
    assert_no_violations(&gateway);
    assert_eq!(verify(&out, &["--strict"]).code, Some(0));
    // It has been answered.
    succeed(&mut resume(&gateway, &out));
    assert_eq!(gateway.requests(RequestKind::Query), 1);
}

#[test]
fn ranges_that_the_plan_leaves_out_are_not_requested() {
    let (gateway, container) = filled(4, 1000);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let query = "SELECT * FROM c WHERE c.pk = @key";
    succeed(of_query(&gateway, &out, query).args(["--parameter", "key=key-5"]));
    let of_key = (0..1000).filter(|number| number % 97 == 5).count();
    assert_eq!(exported(&out).len(), of_key);
    let asked: std::collections::BTreeSet<_> = gateway
        .request_log()
        .into_iter()
        .filter(|record| record.kind == RequestKind::Query)
        .map(|record| record.partition)
        .collect();
    assert_eq!(asked.len(), 1, "{asked:?} of {:?}", container.partitions());
    assert_eq!(verify(&out, &["--strict"]).code, Some(0));
}

#[test]
fn what_is_about_all_ranges_is_refused_by_the_plan() {
    let (gateway, _) = filled(2, 10);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    for (query, named) in [
        ("SELECT * FROM c ORDER BY c.number", "ORDER BY"),
        ("SELECT c.pk FROM c GROUP BY c.pk", "GROUP BY"),
        ("SELECT DISTINCT c.pk FROM c", "DISTINCT"),
        ("SELECT TOP 5 * FROM c", "TOP"),
        ("SELECT * FROM c OFFSET 5 LIMIT 2", "OFFSET"),
        ("SELECT VALUE COUNT(1) FROM c", "an aggregate"),
    ] {
        let ended = fail(&mut of_query(&gateway, &out, query), 2);
        let told = format!("the query has {named}");
        assert!(ended.stderr.contains(&told), "{query}: {}", ended.stderr);
        assert!(ended.stderr.contains("hint: "), "{}", ended.stderr);
        assert!(!out.exists() && !state_directory(&out).exists());
    }
    assert_eq!(gateway.requests(RequestKind::Query), 0);
}

#[test]
fn a_query_that_does_not_parse_is_refused_with_its_place() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = fail(&mut of_query(&gateway, &out, "SELECT FORM c"), 2);
    let marked = "SELECT FORM c\n             ^^^^";
    assert!(ended.stderr.contains("Syntax error"), "{}", ended.stderr);
    assert!(ended.stderr.contains(marked), "{}", ended.stderr);
    assert!(!out.exists());
}

fn split_on_page(gateway: &Gateway, container: &Container, page: usize, children: usize) {
    let handle = container.clone();
    let split = Action::call(move || {
        handle.split("0", children);
    });
    let fault = Fault::on(RequestKind::Query, split).partition("0");
    gateway.push_fault(fault.page(page));
}

#[test]
fn a_split_while_a_query_runs_loses_and_repeats_nothing() {
    for (page, children) in [(1, 2), (2, 3), (5, 2), (9, 2)] {
        let (gateway, container) = filled(2, 1000);
        split_on_page(&gateway, &container, page, children);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let ended = succeed(of_query(&gateway, &out, MANY).args(["--parameter", "least=99", "-v"]));
        assert_eq!(exported(&out), larger(&container, 99), "page {page}");
        assert_no_violations(&gateway);
        assert_eq!(container.partitions().len(), 1 + children);
        assert!(
            ended.stderr.contains("range 0 was split into"),
            "{}",
            ended.stderr
        );
        assert_eq!(verify(&out, &["--strict"]).code, Some(0));
    }
}

#[test]
fn a_merge_while_a_query_runs_loses_and_repeats_nothing() {
    let (gateway, container) = filled(2, 1000);
    let handle = container.clone();
    let merge = Action::call(move || {
        handle.merge("0", "1");
    });
    gateway.push_fault(Fault::on(RequestKind::Query, merge).partition("0").page(4));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(of_query(&gateway, &out, MANY).args(["--parameter", "least=99"]));
    assert_eq!(exported(&out), larger(&container, 99));
    assert_eq!(container.partitions().len(), 1);
    assert_no_violations(&gateway);
}

#[test]
fn faults_between_pages_lose_and_repeat_nothing() {
    let (gateway, container) = filled(2, 600);
    let faults = [
        Action::throttle(1),
        Action::status(503, 0),
        Action::status(404, 1002),
        Action::CorruptBody,
        Action::TruncateBody { after: 100 },
        Action::ResetBeforeHeaders,
        Action::edit_json(|page| page["_count"] = 3.into()),
        Action::edit_json(|page| page["_rid"] = "AAAAAAAAAAA=".into()),
    ];
    for (index, action) in faults.into_iter().enumerate() {
        let fault = Fault::on(RequestKind::Query, action).partition("0");
        gateway.push_fault(fault.nth(index + 2));
    }
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut of_query(&gateway, &out, ALL));
    let mut all: Vec<Vec<u8>> = container
        .latest()
        .iter()
        .map(|one| one.text.to_vec())
        .collect();
    all.sort();
    assert_eq!(exported(&out), all);
    assert_no_violations(&gateway);
}

#[test]
fn pages_have_the_session_token_of_their_range() {
    let options = GatewayOptions {
        consistency: "Session",
        ..GatewayOptions::default()
    };
    let (gateway, _) = filled_with(options, 2, 200);
    let directory = tempfile::tempdir().unwrap();
    succeed(&mut of_query(&gateway, &directory.path().join("out"), ALL));
    let records = gateway.request_log().into_iter();
    let pages = records.filter(|record| record.kind == RequestKind::Query);
    let mut later = 0;
    for page in pages.filter(|page| page.token.is_some()) {
        let partition = page.partition.unwrap();
        let token = page.session_token.expect("it has a session token");
        assert!(token.starts_with(&format!("{partition}:")), "{token}");
        later += 1;
    }
    assert!(later > 4);
}

#[test]
fn a_continuation_that_is_refused_ends_its_range_with_the_reason() {
    let (gateway, _) = filled(2, 400);
    let refuse = Action::Refuse {
        status: 400,
        message: "Invalid Continuation Token",
    };
    let fault = Fault::on(RequestKind::Query, refuse).partition("0");
    gateway.push_fault(fault.nth(3));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = fail(&mut of_query(&gateway, &out, ALL), 3);
    assert!(
        ended
            .stderr
            .contains("1 of 2 feed ranges failed: range 0; the others are complete"),
        "{}",
        ended.stderr
    );
    assert!(
        ended
            .stderr
            .contains("does not continue this query where it was"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_continuation_that_does_not_move_is_not_followed_for_ever() {
    let (gateway, _) = filled(1, 200);
    let body = json!({"Documents": [], "_count": 0}).to_string();
    let stuck = Action::Answer {
        status: 200,
        headers: vec![("x-ms-continuation", "here".to_owned())],
        body: body.into(),
    };
    gateway.push_fault(Fault::on(RequestKind::Query, stuck).always());
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = fail(
        of_query(&gateway, &out, ALL).args(["--max-retries", "1"]),
        3,
    );
    assert!(
        ended
            .stderr
            .contains("the continuation of the previous page again"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_query_that_has_ended_is_not_read_again() {
    let (gateway, container) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut of_query(&gateway, &out, ALL));
    let before = exported(&out);
    let requests = gateway.requests(RequestKind::Query);
    container.upsert(document(1000));
    let ended = succeed(&mut resume(&gateway, &out));
    assert!(
        ended
            .stderr
            .contains("the query was answered to its end before"),
        "{}",
        ended.stderr
    );
    assert_eq!(exported(&out), before);
    assert_eq!(gateway.requests(RequestKind::Query), requests);
    for (argument, told) in [
        (["--follow", "--"], "--follow is about the feed"),
        (["--until", "pin"], "--until is about the feed"),
    ] {
        let argument = argument.iter().filter(|word| **word != "--");
        let ended = fail(resume(&gateway, &out).args(argument), 2);
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
    }
    let widen = fail(resume(&gateway, &out).arg("--widen"), 2);
    assert!(widen.stderr.contains("no columns"), "{}", widen.stderr);
    // The same query may be named again, another one not.
    succeed(resume(&gateway, &out).args(["--query", ALL]));
    let ended = fail(resume(&gateway, &out).args(["--query", MANY]), 2);
    assert!(ended.stderr.contains("--query"), "{}", ended.stderr);
}

/// A container that masks values, for a credential that may not see them.
fn masking(gateway: &Gateway, container: &Container) {
    container.define(json!({"dataMaskingPolicy": {
        "includedPaths": [{"path": "/text", "strategy": "Default"}], "isPolicyEnabled": true
    }}));
    let denied = Fault::on(RequestKind::ChangeFeed, Action::status(403, 0));
    gateway.push_fault(denied.always());
}

#[test]
fn masked_values_are_refused_unless_they_are_wanted() {
    let (gateway, container) = filled(2, 100);
    masking(&gateway, &container);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let refused = fail(&mut of_query(&gateway, &out, ALL), 2);
    assert!(
        refused
            .stderr
            .contains("the container masks the values of `/text`")
            || refused
                .stderr
                .contains("the container masks the values of /text"),
        "{}",
        refused.stderr
    );
    assert!(!out.exists());
    assert_eq!(gateway.requests(RequestKind::Query), 0);
    let ended = succeed(of_query(&gateway, &out, ALL).arg("--masked"));
    assert!(
        ended.stderr.contains("some values masked"),
        "{}",
        ended.stderr
    );
    assert_eq!(state(&out)["options"]["masked"], json!(true));
    let manifest = state_directory(&out).join("manifest.ndjson");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    assert!(
        manifest
            .lines()
            .all(|line| line.contains("\"masked\":true")),
        "{manifest}"
    );
    let verified = verify(&out, &[]);
    assert_eq!(verified.code, Some(0));
    assert!(
        verified.stderr.contains("some values are masked"),
        "{}",
        verified.stderr
    );
    assert_ne!(verify(&out, &["--strict"]).code, Some(0));
    // What is masked is no backup.
    for source in [out.clone(), crate::command::files(&out, "jsonl")[0].clone()] {
        let mut replay = crate::command::against(&gateway);
        let ended = fail(replay.arg("replay").arg(source), 2);
        assert!(ended.stderr.contains("are masked"), "{}", ended.stderr);
    }
    assert!(gateway.write_log().is_empty());
}

#[test]
fn whoever_may_read_the_feed_sees_all_values() {
    let (gateway, container) = filled(2, 100);
    masking(&gateway, &container);
    gateway.clear_faults();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = succeed(of_query(&gateway, &out, ALL).arg("-v"));
    assert!(
        ended.stderr.contains("so it sees all values"),
        "{}",
        ended.stderr
    );
    assert_eq!(state(&out)["options"]["masked"], Value::Null);
    // A policy that is switched off masks nothing, so nothing is asked.
    container.define(json!({"dataMaskingPolicy": {
        "includedPaths": [{"path": "/text"}], "isPolicyEnabled": false
    }}));
    let pins = gateway.requests(RequestKind::ChangeFeed);
    succeed(&mut of_query(
        &gateway,
        &directory.path().join("other"),
        ALL,
    ));
    assert_eq!(gateway.requests(RequestKind::ChangeFeed), pins);
}

#[test]
fn a_right_that_was_taken_away_meanwhile_stops_a_resume() {
    let (gateway, container) = filled(2, 400);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let broken = Fault::on(RequestKind::Query, Action::status(400, 0)).partition("0");
    gateway.push_fault(broken.nth(3));
    fail(&mut of_query(&gateway, &out, ALL), 3);
    gateway.clear_faults();
    masking(&gateway, &container);
    let before = exported(&out);
    let ended = fail(&mut resume(&gateway, &out), 2);
    assert!(
        ended.stderr.contains("masks the values of"),
        "{}",
        ended.stderr
    );
    assert_eq!(exported(&out), before);
    gateway.clear_faults();
    succeed(&mut resume(&gateway, &out));
    assert_eq!(exported(&out).len(), 400);
}

#[cfg(unix)]
mod crashes {
    use super::*;
    use crate::command::run;
    use crate::scene::has_state;

    /// Exports, killed at this step, and resumes until it is done. Returns whether the run was killed at all.
    fn killed_at(failpoints: &str, format: &[&str]) -> bool {
        let (gateway, container) = filled(2, 300);
        split_on_page(&gateway, &container, 3, 2);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let mut killed = false;
        for attempt in 0.. {
            assert!(attempt < 12, "{failpoints} does not end");
            let mut command = if has_state(&out) {
                resume(&gateway, &out)
            } else {
                let mut command = of_query(&gateway, &out, MANY);
                command.args(["--parameter", "least=49"]).args(format);
                command
            };
            command
                .args(["--checkpoint-interval", "1h", "--checkpoint-bytes", "1"])
                .env("COSMOS_TAIL_LOCKSTEP", "1");
            if attempt == 0 {
                command.env("COSMOS_TAIL_FAILPOINTS", failpoints);
            }
            let ended = run(&mut command);
            match ended.code {
                Some(0) => break,
                None => killed = true,
                Some(code) => panic!("{failpoints}: exit {code}: {}", ended.stderr),
            }
        }
        assert_eq!(exported(&out), larger(&container, 49), "{failpoints}");
        assert_no_violations(&gateway);
        assert_eq!(verify(&out, &["--strict"]).code, Some(0), "{failpoints}");
        killed
    }

    #[test]
    fn a_query_that_is_killed_at_any_commit_has_each_row_once() {
        let mut kills = 0;
        for commit in 0.. {
            let failpoints = format!("state.create={commit}*off->return(kill)");
            if !killed_at(&failpoints, &[]) {
                break;
            }
            kills += 1;
        }
        assert!(kills > 10, "only {kills} kills");
    }

    #[test]
    fn a_query_that_is_killed_before_any_step_has_each_row_once() {
        for step in cosmos_tail::failpoint::STEPS {
            for after in [0, 3] {
                killed_at(&format!("{step}={after}*off->return(kill)"), &[]);
            }
        }
    }
}

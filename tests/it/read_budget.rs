//! `--max-ru`: what reading may cost in a second.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::command::{
    CONTAINER, DATABASE, against, assert_latest, export, interrupt, lines, resume, run, spawn,
    succeed, wait,
};
use crate::gateway::{
    Action, Container, Fault, Gateway, GatewayOptions, RequestKind, RequestRecord,
};
use crate::replay::COPY;

/// A container with this many documents.
fn filled(gateway: &Gateway, partitions: usize, documents: usize) -> Container {
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", partitions);
    for item in 0..documents {
        container.upsert(json!({"id": format!("{item}"), "pk": format!("key-{item}")}));
    }
    container
}

fn charge(record: &RequestRecord) -> f64 {
    record.charge_hundredths as f64 / 100.0
}

/// No more was charged by any moment than `budget` allows until then, and a tenth. That no second is charged
/// more is shown by the unit tests of the budget, since nothing disturbs their clock: here a busy machine may
/// delay requests that were sent in time, but cannot send any too early.
#[track_caller]
fn assert_within(gateway: &Gateway, began: Instant, budget: f64) {
    let mut charged = 0.0;
    for record in gateway.request_log() {
        charged += charge(&record);
        let at = record.arrived.duration_since(began).as_secs_f64();
        let most = budget * (at + 0.1) * 1.1;
        assert!(
            charged <= most,
            "{charged} RU after {at} s instead of {most}"
        );
    }
}

fn summary(stderr: &str) -> Value {
    let last = stderr.lines().last().unwrap();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

#[test]
fn an_export_never_exceeds_its_budget_and_uses_it() {
    const BUDGET: f64 = 100.0;
    let gateway = Gateway::start(GatewayOptions::default());
    let container = filled(&gateway, 4, 2000);
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out");
    let began = Instant::now();
    let ended = succeed(export(&gateway, &output).args(["--max-ru", "100", "--summary", "json"]));
    let took = began.elapsed().as_secs_f64();
    assert_within(&gateway, began, BUDGET);
    assert_latest(&lines(&output), &container);
    let log = gateway.request_log();
    let of_feed = log.iter().filter(|one| one.kind == RequestKind::ChangeFeed);
    let total: f64 = of_feed.map(charge).sum();
    // A page of a thousand documents would cost half of a second's budget: they have become smaller, since a
    // page costs 2 RU and a twentieth for each document.
    let pages = log.iter().filter(|one| one.is_page());
    let dearest = pages.map(charge).fold(0.0, f64::max);
    assert!(dearest <= BUDGET * 0.1, "{dearest} RU");
    assert!(took < total / BUDGET * 2.0 + 5.0, "{total} RU in {took} s");
    let summary = summary(&ended.stderr);
    assert_eq!(summary["max_ru"], 100);
    let spent = summary["request_units"].as_f64().unwrap();
    assert!((spent - total).abs() < 0.01, "{spent} instead of {total}");
}

#[test]
fn ranges_without_changes_leave_most_of_the_budget() {
    const BUDGET: f64 = 40.0;
    let gateway = Gateway::start(GatewayOptions::default());
    let container = filled(&gateway, 64, 64);
    let began = Instant::now();
    let mut command = against(&gateway);
    command.args([
        "tail",
        "--max-ru",
        "40",
        "--poll-interval",
        "50ms",
        "--max",
        "1",
    ]);
    let child = spawn(&mut command);
    // Every range is pinned, and 100 polls follow.
    gateway.wait_for(RequestKind::ChangeFeed, 164);
    let polls = gateway.request_log();
    let polls: Vec<_> = polls
        .iter()
        .filter(|one| one.is_page() && one.status == Some(304))
        .collect();
    let (first, last) = (polls[0].arrived, polls[polls.len() - 1].arrived);
    let rate = (polls.len() - 1) as f64 / last.duration_since(first).as_secs_f64();
    // A quarter is 10 polls a second; some of the first ones come sooner.
    assert!(rate <= BUDGET / 2.0, "{rate} polls a second");
    container.upsert(json!({"id": "new", "pk": "key-new"}));
    let ended = wait(child);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("\"new\""), "{}", ended.stdout);
    assert_within(&gateway, began, BUDGET);
}

#[test]
fn an_account_that_throttles_within_the_budget_is_left_more() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = filled(&gateway, 4, 1500);
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::throttle(1))
            .when(RequestRecord::is_page)
            .nth(3),
    );
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out");
    let ended = succeed(export(&gateway, &output).args(["--max-ru", "150"]));
    assert_latest(&lines(&output), &container);
    let told = "the account throttles, although reading stays within 150 RU/s";
    assert_eq!(ended.stderr.matches(told).count(), 1, "{}", ended.stderr);
}

#[test]
fn a_resume_keeps_the_budget_unless_it_is_given_another() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = filled(&gateway, 2, 100);
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out");
    succeed(export(&gateway, &output).args(["--max-ru", "500"]));
    for (arguments, expected) in [
        (&[][..], json!(500)),
        (&["--max-ru", "none"], Value::Null),
        (&["--max-ru", "70"], json!(70)),
        (&[], json!(500)),
        (&["--max-ru", "none", "--save-options"], Value::Null),
        (&[], Value::Null),
    ] {
        let ended = succeed(
            resume(&gateway, &output)
                .args(["--summary", "json"])
                .args(arguments),
        );
        assert_eq!(summary(&ended.stderr)["max_ru"], expected, "{arguments:?}");
    }
    assert_latest(&lines(&output), &container);
}

#[test]
fn an_export_that_waits_for_its_budget_can_be_stopped() {
    let gateway = Gateway::start(GatewayOptions::default());
    filled(&gateway, 4, 4000);
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out");
    let child = spawn(export(&gateway, &output).args(["--max-ru", "1"]));
    gateway.wait_for(RequestKind::ChangeFeed, 2);
    let requests = gateway.requests(RequestKind::ChangeFeed);
    let began = Instant::now();
    interrupt(&child);
    let ended = wait(child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    // At 1 RU/s the next page would come after several seconds. One request may be on its way.
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(gateway.requests(RequestKind::ChangeFeed) <= requests + 1);
}

/// A charge decides how long a budget waits, and is added up: neither may break on one that is none.
#[test]
fn charges_that_no_answer_has_break_no_budget() {
    for charge in ["inf", "-inf", "NaN", "1e300", "-5", "lots", "", "1e5000"] {
        let gateway = Gateway::start(GatewayOptions::default());
        let container = filled(&gateway, 2, 50);
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
        for kind in [RequestKind::ChangeFeed, RequestKind::ItemWrite] {
            gateway.push_fault(Fault::on(kind, Action::Charge(charge)).nth(3));
        }
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("out");
        let limits = ["--max-ru", "1000000", "--summary", "json"];
        let exported = succeed(export(&gateway, &output).args(limits));
        assert_latest(&lines(&output), &container);
        let mut command = against(&gateway);
        command.env("AZURE_COSMOS_CONTAINER", COPY);
        let replayed = succeed(command.arg("replay").arg(&output).args(limits));
        assert_eq!(copy.latest().len(), 50, "{charge}");
        for ended in [exported, replayed] {
            let spent = summary(&ended.stderr)["request_units"].as_f64();
            let is_believed = spent.is_some_and(|spent| (0.0..=200_000.0).contains(&spent));
            assert!(is_believed, "{charge}: {}", ended.stderr);
        }
    }
}

#[test]
fn a_budget_can_be_a_share_of_the_throughput() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = filled(&gateway, 2, 100);
    gateway.set_offer(container.rid(), json!({"offerThroughput": 4000}));
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out");
    let json = ["--summary", "json"];
    let ended = succeed(
        export(&gateway, &output)
            .args(["--max-ru", "20%"])
            .args(json),
    );
    assert_eq!(summary(&ended.stderr)["max_ru"], 800);
    // The state keeps the share: of another throughput it is another budget. Of autoscale it is one of the maximum.
    let state = std::fs::read(output.with_file_name("_out.cosmos-tail").join("state.json"));
    let state: Value = serde_json::from_slice(&state.unwrap()).unwrap();
    assert_eq!(state["state"]["settings"]["max_ru"], "20%");
    gateway.set_offer(
        container.rid(),
        json!({"offerThroughput": 1000, "offerAutopilotSettings": {"maxThroughput": 10_000}}),
    );
    let ended = succeed(resume(&gateway, &output).args(json));
    assert_eq!(summary(&ended.stderr)["max_ru"], 2000);
    let ended = succeed(resume(&gateway, &output).args(["-v", "--max-ru", "1%"]));
    let told = "--max-ru 1% is 100 RU/s";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert_latest(&lines(&output), &container);
}

#[test]
fn a_budget_of_writes_can_be_a_share_of_what_the_database_shares() {
    const BUDGET: f64 = 200.0;
    let gateway = Gateway::start(GatewayOptions::default());
    let container = filled(&gateway, 2, 100);
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    gateway.set_offer(
        &gateway.create_database(DATABASE),
        json!({"offerThroughput": 400}),
    );
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("out");
    succeed(&mut export(&gateway, &output));
    let before = gateway.total_request_charge();
    let began = Instant::now();
    let mut command = against(&gateway);
    command.env("AZURE_COSMOS_CONTAINER", COPY).arg("replay");
    succeed(command.arg(&output).args(["--max-ru", "50%"]));
    let charged = gateway.total_request_charge() - before;
    let most = BUDGET * (began.elapsed().as_secs_f64() + 0.1) * 1.1;
    assert!(charged <= most, "{charged} RU instead of {most}");
    assert_eq!(copy.latest().len(), container.latest().len());
}

#[test]
fn a_share_of_a_throughput_that_is_not_known_is_refused_before_anything_is_read() {
    let serverless = Action::Refuse {
        status: 400,
        message: "Reading or replacing offers is not supported for serverless accounts.",
    };
    for (action, code, said) in [
        (Some(serverless), 2, "the account is serverless"),
        (Some(Action::status(403, 0)), 2, "or use an account key"),
        (
            Some(Action::answer(200, None, "<html>")),
            1,
            "the throughput could not be read",
        ),
        (None, 2, "neither the container nor its database"),
    ] {
        let gateway = Gateway::start(GatewayOptions::default());
        filled(&gateway, 2, 100);
        if let Some(action) = action {
            gateway.push_fault(Fault::on(RequestKind::Offers, action).always());
        }
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("out");
        let ended = run(export(&gateway, &output).args(["--max-ru", "20%"]));
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        let way_out = "give --max-ru as a number of RU/s";
        assert!(ended.stderr.contains(way_out), "{}", ended.stderr);
        assert_eq!(gateway.requests(RequestKind::ChangeFeed), 0);
        let left = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, 0, "{said}");
    }
}

//! `/healthz` and `/readyz`.

use super::*;
use crate::command::against;
use crate::gateway::{Action, Fault, Hold, RequestKind};
use crate::orders::{fill, filled};
use crate::replay::COPY;

fn tail(gateway: &Gateway) -> Command {
    let mut command = against(gateway);
    command.args(["tail", "--from", "beginning", "--poll-interval", "20ms"]);
    command
}

#[test]
fn a_command_is_not_alive_while_the_account_does_not_answer() {
    let (gateway, container) = filled(2, 10);
    let served = Served::start(tail(&gateway).args(["--health-timeout", "200ms"]));
    served.wait_for_status("/readyz", 200);
    // Polls that find nothing are a sign of life.
    gateway.wait_until_caught_up(&container);
    assert_eq!(served.get("/healthz").status, 200);
    let outage = Fault::on(RequestKind::ChangeFeed, Action::status(503, 0)).partition("1");
    gateway.push_fault(outage.always());
    let answer = served.wait_for_status("/healthz", 503);
    assert!(
        answer
            .body
            .starts_with("feed range 1 has had no successful answer for "),
        "{answer:?}"
    );
    // It is still ready: nothing is missed.
    assert_eq!(served.get("/readyz").status, 200);
    gateway.clear_faults();
    served.wait_for_status("/healthz", 200);
    fill(&container, 10..20);
    wait_until("the documents", || {
        let progress = served.progress();
        if progress["documents"] == 20 {
            Ok(())
        } else {
            Err(progress.to_string())
        }
    });
    let ended = served.stop();
    assert_eq!(ended.stdout.lines().count(), 20);
}

#[test]
fn an_account_that_hangs_is_noticed_too() {
    let (gateway, _) = filled(1, 10);
    let hold = Hold::new();
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()))
            .nth(2)
            .always(),
    );
    let served = Served::start(tail(&gateway).args(["--health-timeout", "200ms"]));
    hold.wait_until_reached();
    served.wait_for_status("/healthz", 503);
    gateway.clear_faults();
    hold.release();
    served.wait_for_status("/healthz", 200);
    served.stop();
}

#[test]
fn an_account_that_cannot_be_reached_is_not_alive_and_not_ready() {
    let (gateway, _) = filled(1, 10);
    gateway.push_fault(Fault::on(RequestKind::Account, Action::status(503, 0)).always());
    let served = Served::start(tail(&gateway).args(["--health-timeout", "200ms"]));
    let answer = served.wait_for_status("/healthz", 503);
    assert!(
        answer
            .body
            .starts_with("the account has had no successful answer"),
        "{answer:?}"
    );
    let answer = served.get("/readyz");
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (503, "not connected yet\n")
    );
    assert_eq!(served.progress()["phase"], "starting");
    gateway.clear_faults();
    served.wait_for_status("/readyz", 200);
    served.wait_for_status("/healthz", 200);
    served.stop();
}

#[test]
fn a_tail_is_ready_once_every_range_has_a_position_that_is_committed() {
    let (gateway, _) = filled(3, 10);
    let hold = Hold::new();
    let one = Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone())).partition("2");
    gateway.push_fault(one);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let mut command = tail(&gateway);
    command.arg("--state").arg(&state);
    let served = Served::start(&mut command);
    hold.wait_until_reached();
    wait_until("the other ranges", || {
        let ranges = served.progress()["ranges"].clone();
        if ranges["caught_up"] == 2 {
            Ok(())
        } else {
            Err(ranges.to_string())
        }
    });
    let answer = served.get("/readyz");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(served.get("/healthz").status, 200);
    assert_eq!(served.progress()["ready"], false);
    hold.release();
    served.wait_for_status("/readyz", 200);
    let committed: Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
    let ranges = committed["state"]["ranges"].as_array().unwrap();
    assert!(
        ranges.iter().all(|range| range["position"].is_object()),
        "{committed}"
    );
    served.stop();
}

#[test]
fn an_export_is_ready_once_every_range_is_pinned_and_that_is_committed() {
    let (gateway, _) = filled(2, 40);
    let [pin, page] = [Hold::new(), Hold::new()];
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::Hold(pin.clone()))
            .partition("1")
            .when(RequestRecord::is_pin),
    );
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::Hold(page.clone()))
            .partition("1")
            .when(RequestRecord::is_page),
    );
    let directory = tempfile::tempdir().unwrap();
    let mut command = against(&gateway);
    command.args(["export", "--checkpoint-interval", "10ms", "-o"]);
    let served = Served::start(command.arg(directory.path().join("out")));
    pin.wait_until_reached();
    assert_eq!(served.get("/readyz").status, 503);
    pin.release();
    page.wait_until_reached();
    served.wait_for_status("/readyz", 200);
    assert_eq!(served.progress()["phase"], "reading");
    page.release();
    let ended = served.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn writes_that_are_not_answered_are_noticed() {
    let (gateway, _) = filled(1, 10);
    gateway.create_container(crate::command::DATABASE, COPY, "/pk", 1);
    gateway.push_fault(Fault::on(RequestKind::ItemWrite, Action::status(503, 0)).always());
    let mut command = against(&gateway);
    command.env("AZURE_COSMOS_CONTAINER", COPY);
    command.args([
        "replay",
        "--health-timeout",
        "200ms",
        "--follow",
        "--from-container",
    ]);
    command.arg(format!(
        "{}/{}",
        crate::command::DATABASE,
        crate::command::CONTAINER
    ));
    let served = Served::start(&mut command);
    let answer = served.wait_for_status("/healthz", 503);
    assert!(
        answer
            .body
            .starts_with("a write has had no successful answer"),
        "{answer:?}"
    );
    gateway.clear_faults();
    served.wait_for_status("/healthz", 200);
    served.stop();
}

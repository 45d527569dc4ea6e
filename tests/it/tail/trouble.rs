//! Splits, merges, outages and throttling while a tail runs.

use std::time::Duration;

use super::{Tailing, tail, texts};
use crate::command::{assert_same, split_lines};
use crate::gateway::{Action, Fault, RequestKind};
use crate::orders::{fill, filled};

#[test]
fn a_split_and_a_merge_lose_and_repeat_nothing() {
    let (gateway, container) = filled(2, 100);
    let tailing = Tailing::start(&mut tail(&gateway));
    fill(&container, 1000..1100);
    let children = container.split("0", 3);
    fill(&container, 1100..1200);
    container.merge(&children[1], &children[2]);
    fill(&container, 1200..1300);
    tailing.wait_for_lines(300, 1000);
    let ended = tailing.stop();
    assert_same(
        &split_lines(ended.stdout.as_bytes()),
        &texts(&container, |number| number >= 1000),
    );
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn an_outage_of_half_a_minute_is_reported_once_and_survived() {
    let (gateway, container) = filled(4, 100);
    let tailing = Tailing::start(&mut tail(&gateway));
    // Half of the requests get an answer without details, half get none at all.
    let odd = |record: &crate::gateway::RequestRecord| record.ordinal % 2 == 1;
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::status(503, 0))
            .always()
            .when(odd),
    );
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::ResetBeforeHeaders).always());
    fill(&container, 1000..1100);
    // The duration is what is tested.
    std::thread::sleep(Duration::from_secs(30));
    gateway.clear_faults();
    tailing.wait_for_lines(100, 1000);
    let ended = tailing.stop();
    assert_same(
        &split_lines(ended.stdout.as_bytes()),
        &texts(&container, |number| number >= 1000),
    );
    assert_eq!(
        ended.stderr.matches("interrupted:").count(),
        1,
        "{}",
        ended.stderr
    );
    assert_eq!(
        ended.stderr.matches("reconnected after").count(),
        1,
        "{}",
        ended.stderr
    );
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn a_restart_of_the_gateway_is_survived() {
    let (gateway, container) = filled(4, 100);
    let tailing = Tailing::start(&mut tail(&gateway));
    // Connections break, and then the topology has to be requested again.
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::ResetBeforeHeaders).times(30));
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::status(410, 1000)).times(10));
    fill(&container, 1000..1100);
    tailing.wait_for_lines(100, 1000);
    let ended = tailing.stop();
    assert_same(
        &split_lines(ended.stdout.as_bytes()),
        &texts(&container, |number| number >= 1000),
    );
}

#[test]
fn throttling_is_survived() {
    let (gateway, container) = filled(4, 100);
    let tailing = Tailing::start(&mut tail(&gateway));
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::throttle(1)).times(200));
    fill(&container, 1000..1100);
    tailing.wait_for_lines(100, 1000);
    let ended = tailing.stop();
    assert_same(
        &split_lines(ended.stdout.as_bytes()),
        &texts(&container, |number| number >= 1000),
    );
}

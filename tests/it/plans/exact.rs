//! Exact ends under attack: replicas that lag, splits, crashes, and pages in another order. Whatever happens, a share reads
//! up to its planned end and not one change beyond, or it says that it has not.

use serde_json::Value;

use super::{Place, plan};
use crate::command::{assert_latest, fail, lines, succeed};
use crate::gateway::{
    Action, Container, Fault, Gateway, GatewayOptions, Lag, RequestKind, RequestRecord,
};
use crate::orders::{fill, filled, filled_with};

/// A container of one partition whose last write has the LSN 100, and a plan that ends there.
fn planned_at_100() -> (Gateway, Container, Place) {
    let options = GatewayOptions {
        consistency: "Eventual",
        ..GatewayOptions::default()
    };
    let (gateway, container) = filled_with(options, 1, 100);
    let place = Place::new();
    place.make(&gateway, &["--until", "exact"]);
    (gateway, container, place)
}

/// What came since the plan of `first`, read by one share.
fn read_next(gateway: &Gateway, first: &Place) -> Vec<Vec<u8>> {
    let next = Place::new();
    let after = first.plan();
    let arguments = ["--after", after.to_str().unwrap()];
    succeed(&mut plan(gateway, &next.plan(), &arguments));
    next.read(gateway, 1);
    lines(&next.out())
}

#[test]
fn a_replica_that_lags_after_a_split_does_not_end_a_share_before_its_end() {
    let (gateway, container, place) = planned_at_100();
    container.split("0", 2);
    gateway.set_lag(|_: &RequestRecord| Lag::At(95));
    let mut command = place.shard(&gateway, "0/1");
    let behind = fail(command.args(["--max-retries", "2"]), 3);
    assert!(
        behind.stderr.contains("its end at LSN 100"),
        "{}",
        behind.stderr
    );
    assert_eq!(place.verify(&[]).code, Some(1));
    gateway.clear_lag();
    succeed(&mut place.shard(&gateway, "0/1"));
    assert_eq!(place.verify(&[]).code, Some(0));
    assert_latest(&lines(&place.out()), &container);
}

#[test]
fn an_end_that_is_pinned_again_is_found() {
    let (gateway, container, place) = planned_at_100();
    container.split("0", 2);
    gateway.set_lag(|_: &RequestRecord| Lag::At(95));
    let mut command = place.shard(&gateway, "0/1");
    succeed(command.env(
        "COSMOS_TAIL_FAILPOINTS",
        "defect.exact-ends-are-pinned-again=return",
    ));
    assert!(lines(&place.out()).len() < 100);
    let found = place.verify(&[]);
    assert_eq!(found.code, Some(1), "{}", found.stderr);
    assert!(found.stdout.contains("exactly"), "{}", found.stdout);
}

#[test]
fn the_children_of_a_split_keep_the_end_when_the_process_dies() {
    for mode in ["latest", "all"] {
        let (gateway, container) = filled(1, 100);
        let before = Place::new();
        before.make(&gateway, &["--until", "exact", "--mode", mode]);
        let place = match mode {
            "latest" => before,
            _ => {
                // There is nothing before the first plan of all versions.
                fill(&container, 100..200);
                let place = Place::new();
                let after = before.plan();
                let arguments = ["--after", after.to_str().unwrap()];
                succeed(&mut plan(&gateway, &place.plan(), &arguments));
                place
            }
        };
        let handle = container.clone();
        let split = Action::call(move || drop(handle.split("0", 2)));
        let pages =
            |action| Fault::on(RequestKind::ChangeFeed, action).when(RequestRecord::is_page);
        gateway.push_fault(pages(split).nth(3));
        gateway.push_fault(pages(Action::status(403, 0)).nth(7).times(4));
        let mut command = place.shard(&gateway, "0/1");
        fail(command.args(["--page-size", "10"]), 3);
        gateway.clear_faults();
        fill(&container, 300..350);
        succeed(&mut place.shard(&gateway, "0/1"));
        let checked = place.verify(&[]);
        assert_eq!(checked.code, Some(0), "{}", checked.stdout);
        let mut found = lines(&place.out());
        assert_eq!(found.len(), 100, "{mode}");
        found.extend(read_next(&gateway, &place));
        match mode {
            "latest" => assert_latest(&found, &container),
            _ => assert_eq!(found.len(), 150),
        }
    }
}

#[test]
fn a_page_is_cut_by_the_numbers_of_its_changes_whatever_their_order() {
    let (gateway, container, place) = planned_at_100();
    fill(&container, 100..150);
    let reversed = Action::edit_json(|page| {
        page["Documents"].as_array_mut().unwrap().reverse();
    });
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, reversed)
            .when(RequestRecord::is_page)
            .times(1),
    );
    place.read(&gateway, 1);
    let found = lines(&place.out());
    assert_eq!(found.len(), 100);
    // The page was rendered again, so its texts differ.
    let mut numbers: Vec<u64> = [found, read_next(&gateway, &place)]
        .concat()
        .iter()
        .map(|line| {
            serde_json::from_slice::<Value>(line).unwrap()["_lsn"]
                .as_u64()
                .unwrap()
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=150).collect::<Vec<u64>>());
}

#[test]
fn a_change_without_a_number_is_not_taken_for_one_before_the_end() {
    let (gateway, container, place) = planned_at_100();
    fill(&container, 100..150);
    let unnumbered = Action::edit_json(|page| {
        let last = page["Documents"]
            .as_array_mut()
            .unwrap()
            .last_mut()
            .unwrap();
        for part in ["current", "metadata"] {
            if let Some(members) = last[part].as_object_mut() {
                members.remove("_lsn");
                members.remove("lsn");
            }
        }
        if let Some(members) = last.as_object_mut() {
            members.remove("_lsn");
        }
    });
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, unnumbered)
            .when(RequestRecord::is_page)
            .always(),
    );
    let mut command = place.shard(&gateway, "0/1");
    let refused = fail(command.args(["--max-retries", "1"]), 3);
    assert!(refused.stderr.contains("has no LSN"), "{}", refused.stderr);
    gateway.clear_faults();
    succeed(&mut place.shard(&gateway, "0/1"));
    assert_eq!(lines(&place.out()).len(), 100);
}

#[test]
fn a_plan_does_not_end_before_its_start_where_a_replica_lags() {
    let (gateway, container, first) = planned_at_100();
    first.read(&gateway, 1);
    let next = Place::new();
    let after = first.plan();
    let arguments = ["--after", after.to_str().unwrap(), "--max-retries", "1"];
    gateway.set_lag(|_: &RequestRecord| Lag::At(95));
    let behind = fail(&mut plan(&gateway, &next.plan(), &arguments), 1);
    assert!(
        behind.stderr.contains("starts at LSN 100"),
        "{}",
        behind.stderr
    );
    // After a split the replicas are those of other partitions: the plan is empty rather than before its start.
    container.split("0", 2);
    succeed(&mut plan(&gateway, &next.plan(), &arguments));
    gateway.clear_lag();
    fill(&container, 100..150);
    next.read(&gateway, 1);
    assert_eq!(next.verify(&[]).code, Some(0));
    assert_eq!(lines(&next.out()).len(), 0);
    assert_eq!(read_next(&gateway, &next).len(), 50);
}

#[test]
fn a_plan_is_kept_if_it_says_the_same_in_other_words() {
    let (gateway, _container) = filled(1, 10);
    let place = Place::new();
    place.make(&gateway, &["--mode", "all"]);
    place.make(&gateway, &["--mode", "all", "--keep", "--until", "pin"]);
    let other = ["--mode", "all", "--keep", "--until", "head"];
    fail(&mut plan(&gateway, &place.plan(), &other), 2);
    let exact = Place::new();
    let made = exact.make(&gateway, &["--until", "exact"]);
    assert!(made.stderr.contains("is in no span"), "{}", made.stderr);
    let next = Place::new();
    let after = exact.plan();
    let arguments = ["--after", after.to_str().unwrap(), "--keep"];
    next.make(&gateway, &arguments);
    let kept = next.make(&gateway, &arguments);
    assert!(kept.stderr.contains("kept"), "{}", kept.stderr);
}

#[cfg(unix)]
#[test]
fn an_earlier_plan_is_read_from_a_pipe() {
    let (gateway, _container) = filled(1, 10);
    let first = Place::new();
    first.make(&gateway, &["--until", "exact"]);
    let pipe = first.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let text = std::fs::read(first.plan()).unwrap();
    let (to, next) = (pipe.clone(), Place::new());
    let writer = std::thread::spawn(move || std::fs::write(to, text).unwrap());
    next.make(&gateway, &["--after", pipe.to_str().unwrap()]);
    writer.join().unwrap();
    next.read(&gateway, 1);
}

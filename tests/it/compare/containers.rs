//! Containers on one side or on both: splits, writers, throttling, another partition key.

use serde_json::json;

use super::*;
use crate::command::{CONTAINER, DATABASE};
use crate::gateway::{Action, Container, Fault, RawDocument, RequestKind, SystemFields};
use crate::orders::{document, fill, filled};
use crate::replay::assert_no_violations;

#[test]
fn planted_differences_are_found_and_only_their_ranges_are_read_again() {
    let (gateway, container) = filled(4, 3000);
    let copy = gateway.create_container(DATABASE, "copy", "/pk", 3);
    fill(&copy, 0..3000);
    assert_found(&mut compare_containers(&gateway), &[]);
    let once = gateway.total_request_charge();
    copy.delete("item-5", "key-5");
    copy.upsert(document(3000));
    let mut changed = document(17);
    changed["number"] = json!(18);
    copy.upsert(changed);
    let expected = ["different item-17", "extra item-3000", "missing item-5"];
    let found = assert_found(&mut compare_containers(&gateway), &expected);
    assert_eq!(
        found.line("item-17")["differences"],
        json!([{"path": ".number"}])
    );
    let again = gateway.total_request_charge() - once;
    assert!(again < once * 1.5, "{again} RU after {once}");
    assert_no_violations(&gateway);
    // As read by others: each container once more.
    container.upsert(document(3000));
    container.upsert(copy_of_17());
    container.delete("item-5", "key-5");
    assert_found(&mut compare_containers(&gateway), &[]);
}

fn copy_of_17() -> serde_json::Value {
    let mut changed = document(17);
    changed["number"] = json!(18);
    changed
}

#[test]
fn a_split_while_a_side_is_read_changes_nothing() {
    let (gateway, container) = filled(2, 2000);
    let copy = gateway.create_container(DATABASE, "copy", "/pk", 2);
    fill(&copy, 0..2000);
    copy.delete("item-100", "key-3");
    for round in 0..3 {
        let before = gateway.requests(RequestKind::ChangeFeed);
        let found = std::thread::scope(|scope| {
            let comparing = scope.spawn(|| found(&mut compare_containers(&gateway)));
            gateway.wait_for(RequestKind::ChangeFeed, before + 3 + round);
            container.split(&container.partitions()[0].id, 2);
            copy.split(&copy.partitions()[0].id, 3);
            comparing.join().unwrap()
        });
        assert_eq!(found.ids(), ["missing item-100"], "{}", found.ended.stderr);
    }
    assert_no_violations(&gateway);
}

#[test]
fn documents_that_are_rewritten_meanwhile_do_not_count_twice() {
    let (gateway, container) = filled(2, 1500);
    let copy = gateway.create_container(DATABASE, "copy", "/pk", 2);
    fill(&copy, 0..1500);
    copy.delete("item-100", "key-3");
    let before = gateway.requests(RequestKind::ChangeFeed);
    let found = std::thread::scope(|scope| {
        let comparing = scope.spawn(|| found(&mut compare_containers(&gateway)));
        gateway.wait_for(RequestKind::ChangeFeed, before + 5);
        // The same content again, on one side only.
        fill(&container, 0..700);
        comparing.join().unwrap()
    });
    assert_eq!(found.ids(), ["missing item-100"], "{}", found.ended.stderr);
    assert_eq!(found.code, DIFFERENT);
}

#[test]
fn throttling_is_waited_for_and_a_lost_permission_is_an_error() {
    let (gateway, _container) = filled(2, 500);
    let copy = gateway.create_container(DATABASE, "copy", "/pk", 2);
    fill(&copy, 0..500);
    let throttle = Fault::on(RequestKind::ChangeFeed, Action::throttle(10)).times(5);
    gateway.push_fault(throttle);
    assert_found(&mut compare_containers(&gateway), &[]);
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::status(403, 0))
            .nth(3)
            .always(),
    );
    let ended = crate::command::fail(&mut compare_containers(&gateway), 1);
    assert!(ended.stderr.contains("cannot compare"), "{}", ended.stderr);
}

#[test]
fn another_partition_key_is_computed_from_the_documents() {
    let (gateway, _container) = filled(2, 300);
    let copy = gateway.create_container(DATABASE, "copy", "/number", 2);
    for number in 0..300 {
        copy.upsert(document(number));
    }
    assert_found(&mut compare_containers(&gateway), &[]);
    copy.delete("item-7", 7);
    let found = assert_found(&mut compare_containers(&gateway), &["missing item-7"]);
    assert_eq!(found.line("item-7")["partitionKey"], json!([7]));
}

/// The later one of two would hide that the other one is nowhere.
#[test]
fn two_documents_that_the_target_cannot_both_have_are_no_comparison() {
    let (gateway, container) = filled(2, 50);
    let copy = gateway.create_container(DATABASE, "copy", "/number", 2);
    for number in 0..50 {
        copy.upsert(document(number));
    }
    let twin = |pk: &str| json!({"id": "twin", "pk": pk, "number": 99});
    container.upsert(twin("a"));
    container.upsert(twin("b"));
    copy.upsert(twin("b"));
    let assert_refused = |ended: crate::command::Ended| {
        let said = &ended.stderr;
        assert!(
            said.contains("two documents are one on the other side"),
            "{said}"
        );
        assert!(said.contains("\"twin\" of [99]"), "{said}");
    };
    assert_refused(crate::command::fail(&mut compare_containers(&gateway), 1));
    // Of an export too, which knows the partition key of its container.
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    crate::command::succeed(&mut crate::command::export(&gateway, &out));
    let mut command = super::compare_with_copy(&gateway, &out);
    assert_refused(crate::command::fail(&mut command, 1));
    // A program that gives each an id of its own is how both are there.
    copy.delete("twin", 99);
    for pk in ["a", "b"] {
        copy.upsert(json!({"id": format!("twin-{pk}"), "pk": pk, "number": 99}));
    }
    let program = "if .id == \"twin\" then .id = \"twin-\" + .pk else . end";
    assert_found(
        compare_containers(&gateway).args(["--transform", program]),
        &[],
    );
    // And one that gives two documents one id is noticed.
    let program = "if .id == \"twin\" then .id = \"twin-a\" else . end";
    let mut command = compare_containers(&gateway);
    let ended = crate::command::fail(command.args(["--transform", program]), 1);
    assert!(
        ended.stderr.contains("\"twin-a\" of [99]"),
        "{}",
        ended.stderr
    );
}

/// An export has the partition key of its own container.
#[test]
fn the_partition_key_is_that_of_the_target_also_if_that_is_an_export() {
    let (gateway, container) = filled(2, 50);
    let copy = gateway.create_container(DATABASE, "copy", "/number", 2);
    for number in 0..50 {
        copy.upsert(document(number));
    }
    let twin = |number: u32| json!({"id": "twin", "pk": "a", "number": number});
    container.upsert(twin(2));
    // Two documents there, since their numbers differ.
    copy.upsert(twin(1));
    copy.upsert(twin(2));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    crate::command::succeed(&mut crate::replay::export_copy(&gateway, &out));
    let mut command = compare_containers(&gateway);
    command
        .env_remove("AZURE_COSMOS_CONTAINER")
        .arg("--with")
        .arg(&out);
    let found = assert_found(&mut command, &["extra twin"]);
    assert_eq!(found.line("twin")["partitionKey"], json!([1]));
}

#[test]
fn what_becomes_the_same_is_no_difference() {
    let (gateway, _container) = filled(2, 200);
    let copy = gateway.create_container(DATABASE, "copy", "/pk", 2);
    fill(&copy, 0..190);
    let mut command = compare_settling(&gateway, "600s");
    let before = gateway.requests(RequestKind::ChangeFeed);
    let found = std::thread::scope(|scope| {
        let comparing = scope.spawn(|| found(&mut command));
        // It looks again and again.
        gateway.wait_for(RequestKind::ChangeFeed, before + 40);
        fill(&copy, 190..200);
        comparing.join().unwrap()
    });
    assert_eq!(found.code, SAME, "{}", found.ended.stderr);
    assert_eq!(found.summary["outcome"], "same");
}

#[test]
fn what_changes_all_the_time_is_said_to_be_changing() {
    let (gateway, container) = filled(1, 20);
    let copy = gateway.create_container(DATABASE, "copy", "/pk", 1);
    fill(&copy, 0..20);
    let mut command = compare_settling(&gateway, "2s");
    let stopped = std::sync::atomic::AtomicBool::new(false);
    let found = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut version = 0;
            while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                version += 1;
                let mut changed = document(3);
                changed["number"] = json!(version * 100);
                container.upsert(changed);
                let requests = gateway.total_requests();
                gateway.wait_for_requests(requests + 1);
            }
        });
        let found = found(&mut command);
        stopped.store(true, std::sync::atomic::Ordering::Relaxed);
        // Lets the writer see it.
        let _last = gateway.container(DATABASE, CONTAINER);
        run(against(&gateway).arg("ranges"));
        found
    });
    assert_eq!(found.code, CHANGING, "{}", found.ended.stderr);
    assert_eq!(found.summary["outcome"], "changing");
    assert_eq!(found.summary["changing"], 1);
    assert!(found.report.is_empty());
}

/// The service takes a zero below zero for zero. One that hashed it as itself would have its document where no other of that
/// key is: a comparison of small ranges alone would not see it.
#[test]
fn a_key_of_zero_below_zero_is_found_wherever_it_is() {
    for mode in [&[][..], &["--bytes"]] {
        let (gateway, container) = filled(4, 2000);
        let copy = gateway.create_container(DATABASE, "copy", "/pk", 3);
        fill(&copy, 0..2000);
        let put = |container: &Container, id: &str, place: serde_json::Value, key: &str, n: u32| {
            container.raw(vec![RawDocument {
                id: id.to_owned(),
                partition_key: vec![place],
                text: format!(r#"{{"id":"{id}","pk":{key},"n":{n}}}"#).into(),
                system_fields: SystemFields::Spliced,
            }]);
        };
        // As the service has it, whatever the text is.
        put(&container, "folded", json!(0), "-0.0", 1);
        put(&copy, "folded", json!(0), "0", 1);
        put(&container, "changed", json!(0), "-0", 1);
        put(&copy, "changed", json!(0), "0.0", 2);
        // Where both zeros differ.
        put(&container, "same", json!("elsewhere"), "-0.0", 1);
        put(&copy, "same", json!("elsewhere"), "-0.0", 1);
        put(&container, "moved", json!("elsewhere"), "-0.0", 1);
        put(&copy, "moved", json!(0), "0", 1);
        put(&container, "other", json!("elsewhere"), "-0.0", 1);
        put(&copy, "other", json!("elsewhere"), "-0.0", 2);
        put(&container, "gone", json!("elsewhere"), "-0.0", 1);
        let expected = ["different changed", "different other", "missing gone"];
        assert_found(compare_containers(&gateway).args(mode), &expected);
        assert_no_violations(&gateway);
    }
}

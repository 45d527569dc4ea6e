//! Instances that end after a number of changes.

use std::process::Stdio;

use serde_json::json;

use super::scene::{Line, Scene};
use crate::command::{against, succeed};
use crate::gateway::{Action, Container, Fault, RequestKind};

/// Documents of which two do not fit into a pipe that nobody reads.
fn fill_with_large(orders: &Container) {
    for number in 0..8 {
        let text = "x".repeat(200 << 10);
        orders.upsert(
            json!({"id": number.to_string(), "pk": number, "number": number, "text": text}),
        );
    }
}

/// Splits the only partition when its fourth page is asked for.
fn split_after_three_pages(scene: &Scene) {
    let orders = scene.leased.orders.clone();
    let split = Action::call(move || {
        orders.split("0", 2);
    });
    let fault = Fault::on(RequestKind::ChangeFeed, split).partition("0");
    scene.leased.gateway.push_fault(fault.page(4));
}

/// Starts a command, reads nothing of its output before it has met the split, and returns the numbers that it printed.
fn read_late(scene: &Scene, command: &mut std::process::Command) -> Vec<u64> {
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    // The children are asked for once the split is met.
    scene
        .leased
        .gateway
        .wait_until("a list after the split", |log| {
            let gone = log.iter().position(|one| one.status == Some(410));
            let after = &log[gone.unwrap_or(log.len())..];
            after
                .iter()
                .any(|one| one.kind == RequestKind::PartitionKeyRanges && one.status.is_some())
        });
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(said.contains("\n3 changes from "), "{said}");
    numbers(&ended.stdout)
}

fn numbers(output: &[u8]) -> Vec<u64> {
    let lines = output.split(|byte| *byte == b'\n');
    let lines = lines.map(|text| Line {
        instance: "a".to_owned(),
        text: text.to_vec(),
    });
    lines.filter_map(|line| line.number()).collect()
}

#[test]
fn a_split_after_the_last_change_that_is_printed_loses_nothing() {
    let scene = Scene::new(1);
    fill_with_large(&scene.leased.orders);
    split_after_three_pages(&scene);
    let mut command = scene.command("a");
    command.args(["--from", "beginning", "--page-size", "2", "--max", "3"]);
    assert_eq!(read_late(&scene, &mut command), [0, 1, 2]);
    let b = scene.start("b");
    scene.printed.wait_for(2..8);
    b.stop();
    let numbers: Vec<u64> = scene.printed.numbers().into_keys().collect();
    assert_eq!(numbers, (2..8).collect::<Vec<u64>>());
}

#[test]
fn a_split_after_the_last_change_that_a_tail_with_a_state_shows_loses_nothing() {
    let scene = Scene::new(1);
    fill_with_large(&scene.leased.orders);
    split_after_three_pages(&scene);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("tail.json");
    let tail = || {
        let mut command = against(&scene.leased.gateway);
        command.args(["tail", "--poll-interval=50ms", "--state"]);
        command.arg(&state);
        command
    };
    let mut command = tail();
    command.args(["--from", "beginning", "--page-size", "2", "--max", "3"]);
    assert_eq!(read_late(&scene, &mut command), [0, 1, 2]);
    let ended = succeed(tail().arg("--until-caught-up"));
    let mut shown = numbers(ended.stdout.as_bytes());
    shown.sort_unstable();
    assert_eq!(shown, (2..8).collect::<Vec<u64>>());
}

//! A database that is copied and followed, container by container, with a state for each.

use std::path::Path;

use super::*;
use crate::command::{interrupt, spawn, wait};
use crate::gateway::RequestRecord;
use crate::orders::document;

const TARGET: &str = "copy";
/// Names that are no names of files, or fall together as such.
const NAMES: [&str; 4] = ["Orders", "orders", "für", "con"];

fn scene() -> Database {
    let database = Database::new(&NAMES, 2, 40);
    database.gateway.create_database(TARGET);
    database
}

fn copy(database: &Database, states: &Path) -> Command {
    let mut command = database.command();
    command
        .env("AZURE_COSMOS_DATABASE", TARGET)
        .args(["replay", "--from-container", "shop/*", "--create"])
        .args(["--mode", "all", "--snapshot", "--follow", "--state"])
        .arg(states);
    command
}

/// The documents of a container without their system fields, sorted.
fn content(container: &Container) -> Vec<String> {
    let documents = container.latest().into_iter().map(|served| {
        let mut document: Value = serde_json::from_slice(&served.text).unwrap();
        let members = document.as_object_mut().unwrap();
        members.retain(|name, _| !name.starts_with('_'));
        document.to_string()
    });
    let mut documents: Vec<String> = documents.collect();
    documents.sort();
    documents
}

fn is_copied(database: &Database, name: &str) -> bool {
    let copy = database.gateway.container(TARGET, name);
    copy.is_some_and(|copy| content(&copy) == content(database.container(name)))
}

#[track_caller]
fn wait_until_copied(database: &Database, names: &[&str]) {
    let began = Instant::now();
    while !names.iter().all(|name| is_copied(database, name)) {
        assert!(began.elapsed() < PATIENCE, "they are not copied");
        // Until the gateway has them: it does not tell.
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Writes to each container, and deletes from it.
fn change(database: &Database, round: usize) {
    for (_, container) in &database.containers {
        fill(container, 100 * round..100 * round + 10);
        let gone = document(round);
        container.delete(gone["id"].as_str().unwrap(), gone["pk"].clone());
    }
}

#[test]
fn a_database_is_followed_through_a_kill_with_its_deletes() {
    let database = scene();
    let states = database.out.with_file_name("states");
    let mut first = spawn(&mut copy(&database, &states));
    wait_until_copied(&database, &NAMES);
    change(&database, 1);
    wait_until_copied(&database, &NAMES);
    first.kill().unwrap();
    wait(first);
    change(&database, 2);
    // One of them is refused: that ends the process, for whoever starts it again.
    let denied = Fault::on(RequestKind::ItemWrite, Action::status(403, 5300));
    let of_orders = |record: &RequestRecord| record.path.starts_with("/dbs/copy/colls/orders/");
    database.gateway.push_fault(denied.when(of_orders).always());
    let ended = fail(&mut copy(&database, &states), 3);
    for said in [
        "orders: ",
        "1 of 4 containers could not be replayed: orders",
        "their positions are saved",
    ] {
        assert!(ended.stderr.contains(said), "no {said}: {}", ended.stderr);
    }
    assert!(!is_copied(&database, "orders"));
    change(&database, 3);
    database.gateway.clear_faults();
    let third = spawn(&mut copy(&database, &states));
    wait_until_copied(&database, &NAMES);
    interrupt(&third);
    assert_eq!(wait(third).code, Some(130));
    let files = std::fs::read_dir(&states).unwrap();
    let files = files.filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        name.to_str().is_some_and(|name| name.ends_with(".json"))
    });
    assert_eq!(files.count(), NAMES.len());
    assert_eq!(database.gateway.violations(), [""; 0]);
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let database = scene();
    let states = database.out.with_file_name("states");
    let mut without = database.command();
    without.env("AZURE_COSMOS_DATABASE", TARGET).args([
        "replay",
        "--from-container",
        "shop/*",
        "--follow",
    ]);
    refuse(
        &mut without,
        2,
        &["needs a place for their positions", "--state"],
    );
    let number = 65;
    for number in 0..number {
        let name = format!("more{number}");
        database.gateway.create_container(DATABASE, &name, "/pk", 1);
    }
    let mut many = copy(&database, &states);
    refuse(
        &mut many,
        2,
        &["69 containers cannot be followed", "--only"],
    );
    assert!(!states.exists());
}

//! Containers that are replayed at the same time, with what they have together.

use super::*;
use crate::command::{assert_same, spawn, wait};
use crate::gateway::{Hold, RequestRecord};
use crate::replay::content;

const TARGET: &str = "copy";

/// A database of containers with so many documents, its export, and an empty database.
fn exported(names: &[&str], documents: usize) -> Database {
    let database = Database::new(names, 1, documents);
    database.gateway.create_database(TARGET);
    succeed(&mut database.export());
    database
}

fn replay(database: &Database, arguments: &[&str]) -> Command {
    let mut command = database.command();
    command
        .env("AZURE_COSMOS_DATABASE", TARGET)
        .args(["replay", "--create"])
        .arg(&database.out)
        .args(arguments);
    command
}

fn is_write_to(record: &RequestRecord, name: &str) -> bool {
    record.kind == RequestKind::ItemWrite
        && record
            .path
            .starts_with(&format!("/dbs/{TARGET}/colls/{name}/"))
}

fn copied(database: &Database, name: &str) -> usize {
    let copy = database.gateway.container(TARGET, name);
    copy.map_or(0, |copy| copy.latest().len())
}

#[test]
fn containers_do_not_wait_for_a_slow_one_and_share_the_writes_under_way() {
    let names = ["a", "b", "c", "d"];
    let database = exported(&names, 60);
    let hold = Hold::new();
    let held = Fault::on(RequestKind::ItemWrite, Action::Hold(hold.clone()));
    let held = held.when(|record| is_write_to(record, "a")).times(1);
    database.gateway.push_fault(held);
    let arguments = ["--concurrency", "3", "--batch-size", "1"];
    let replay = spawn(&mut replay(&database, &arguments));
    let began = Instant::now();
    while names[1..].iter().any(|name| copied(&database, name) < 60) {
        assert!(began.elapsed() < PATIENCE, "they wait for the first");
        // Until the gateway has them: it does not tell.
        std::thread::sleep(Duration::from_millis(10));
    }
    hold.release();
    let ended = wait(replay);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("replayed 4 containers"),
        "{}",
        ended.stderr
    );
    for name in names {
        let copy = database.gateway.container(TARGET, name).unwrap();
        assert_same(&content(&copy), &content(database.container(name)));
        let line = format!("{name}: replayed 60 changes");
        assert!(ended.stderr.contains(&line), "no {line}: {}", ended.stderr);
    }
    let mut moments: Vec<(Instant, i32)> = Vec::new();
    for record in database.gateway.request_log() {
        if record.kind == RequestKind::ItemWrite {
            moments.push((record.arrived, 1));
            moments.extend(record.departed.map(|at| (at, -1)));
        }
    }
    moments.sort();
    let most = moments.iter().scan(0, |now, (_, step)| {
        *now += step;
        Some(*now)
    });
    let most = most.max().unwrap();
    assert!((2..=3).contains(&most), "{most} writes under way at once");
}

#[test]
fn the_budget_is_one_for_all() {
    let names = ["a", "b", "c"];
    let database = exported(&names, 40);
    let began = Instant::now();
    succeed(&mut replay(&database, &["--max-ru", "400"]));
    let took = began.elapsed().as_secs_f64();
    let log = database.gateway.request_log();
    let writes = log.iter().filter(|one| one.kind == RequestKind::ItemWrite);
    let charged: u64 = writes.map(|one| one.charge_hundredths).sum();
    let units = charged as f64 / 100.0;
    assert!(units > 400.0, "{units} RU show nothing");
    // A tenth of a second of it may be used ahead.
    assert!(units <= 400.0 * (took + 0.1), "{units} RU in {took} s");
}

#[test]
fn one_that_fails_stops_no_other_and_is_named() {
    let names = ["a", "b", "c"];
    let database = exported(&names, 30);
    let denied = Fault::on(RequestKind::ItemWrite, Action::status(403, 5300));
    let denied = denied.when(|record| is_write_to(record, "b")).always();
    database.gateway.push_fault(denied);
    let ended = fail(&mut replay(&database, &["--max-retries", "0"]), 1);
    for said in [
        "b: ",
        "1 of 3 containers could not be replayed: b",
        "--only NAME",
    ] {
        assert!(ended.stderr.contains(said), "no {said}: {}", ended.stderr);
    }
    assert_eq!(names.map(|name| copied(&database, name)), [30, 0, 30]);
    database.gateway.clear_faults();
    succeed(&mut replay(&database, &["--only", "b"]));
    assert_eq!(copied(&database, "b"), 30);
}

//! What all containers have together: turns, memory, and request units.

use super::*;
use crate::command::{assert_latest, lines, peak_kib, spawn, state_directory, wait};
use crate::gateway::{Hold, RequestRecord};

/// Waits until the exports of these containers are finished.
fn wait_for(database: &Database, names: &[String]) {
    let began = Instant::now();
    let is_finished = |name: &String| {
        let Ok(Some(list)) = DatabaseFile::read(&database.out) else {
            return false;
        };
        let found = list.containers.iter().find(|one| one.name == *name);
        found.is_some_and(|found| {
            let own = state_directory(&database.out.join(&found.directory));
            file::read(&own.join("state.json")).is_ok_and(|state| state.finished)
        })
    };
    let mut left: Vec<&String> = names.iter().collect();
    while !left.is_empty() {
        left.retain(|name| !is_finished(name));
        assert!(began.elapsed() < PATIENCE, "not finished: {left:?}");
        // Until the states say so: nothing tells when a file is replaced on each system.
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Holds the pages of these ranges of a container.
fn stall(database: &Database, name: &str, ranges: &'static [&'static str]) -> Hold {
    let hold = Hold::new();
    let rid = database.container(name).rid().to_owned();
    database.gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()))
            .when(move |record: &RequestRecord| {
                let partition = record.partition.as_deref();
                record.container.as_deref() == Some(&rid)
                    && partition.is_some_and(|partition| ranges.contains(&partition))
            })
            .always(),
    );
    hold
}

/// Requests of the feed that were under way at the same time, at most.
fn most_at_once(gateway: &Gateway) -> usize {
    let log = gateway.request_log();
    let feed = log.iter().filter(|one| one.kind == RequestKind::ChangeFeed);
    let mut moments: Vec<(Instant, i32)> = Vec::new();
    for record in feed {
        moments.push((record.arrived, 1));
        moments.extend(record.departed.map(|at| (at, -1)));
    }
    moments.sort();
    let mut now = 0;
    let most = moments.into_iter().map(|(_, step)| {
        now += step;
        now
    });
    most.max().unwrap_or(0) as usize
}

#[test]
fn no_container_waits_for_a_slow_range_of_another() {
    let names: Vec<String> = (0..12).map(|number| format!("c{number:02}")).collect();
    let short: Vec<&str> = names.iter().map(String::as_str).collect();
    let database = Database::new(&short, 3, 40);
    // More than one would have all turns of the others too.
    let hold = stall(&database, "c00", &["0", "1", "2"]);
    let child = spawn(
        database
            .export()
            .args(["--concurrency", "2", "--page-size", "10"]),
    );
    hold.wait_until_reached();
    wait_for(&database, &names[1..]);
    hold.release();
    let ended = wait(child);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    database.assert_whole();
    let most = most_at_once(&database.gateway);
    assert!(most <= 2, "{most} ranges at once");
    // Each request is signed for what it asks for.
    let log = database.gateway.request_log();
    let refused = log.iter().filter(|one| one.status == Some(401)).count();
    assert_eq!(refused, 0);
}

#[test]
fn a_reload_finishes_the_files_of_all_containers() {
    let database = Database::new(&["a", "b", "c"], 1, 40);
    let hold = Hold::new();
    database.gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()))
            .when(|record: &RequestRecord| record.is_page() && record.token.is_some())
            .always(),
    );
    let mut export = database.export();
    let child = spawn(export.args(["--page-size", "10", "--checkpoint-interval", "5ms"]));
    let began = Instant::now();
    while !DatabaseFile::named(&database.out).is_some_and(|out| out.exists()) {
        assert!(began.elapsed() < PATIENCE, "no list");
        std::thread::sleep(Duration::from_millis(5));
    }
    let names = ["a", "b", "c"];
    for name in names {
        wait_for_documents(&database.directory(name), 10);
    }
    crate::command::signal(&child, nix::sys::signal::Signal::SIGUSR1);
    let is_rotated =
        |name: &&str| !crate::command::files(&database.directory(name), "jsonl").is_empty();
    while !names.iter().all(is_rotated) {
        assert!(began.elapsed() < PATIENCE, "not all were rotated");
        std::thread::sleep(Duration::from_millis(10));
    }
    hold.release();
    let ended = wait(child);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    database.assert_whole();
}

#[test]
fn two_hundred_containers_take_little_memory_and_one_connection() {
    const CONTAINERS: usize = 200;
    let names: Vec<String> = (0..CONTAINERS)
        .map(|number| format!("c{number:03}"))
        .collect();
    let short: Vec<&str> = names.iter().map(String::as_str).collect();
    let database = Database::new(&short, 4, 40);
    let hold = stall(&database, "c007", &["0"]);
    let child = spawn(&mut database.export());
    hold.wait_until_reached();
    let others: Vec<String> = names
        .iter()
        .filter(|name| *name != "c007")
        .cloned()
        .collect();
    wait_for(&database, &others);
    let peak = peak_kib(&child);
    hold.release();
    let ended = wait(child);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    // By their contents, without a process for each.
    for (name, container) in &database.containers {
        assert_latest(&lines(&database.directory(name)), container);
    }
    assert_eq!(verify(&database.out, &["--strict"]).code, Some(0));
    assert!(peak < 200 << 10, "{} MB", peak >> 10);
    // The account is asked for once.
    assert!(database.gateway.requests(RequestKind::Account) < 10);
    println!("peak {} MB", peak >> 10);
}

#[test]
fn one_budget_holds_for_all_containers() {
    const BUDGET: f64 = 100.0;
    let database = Database::new(&["a", "b", "c", "d"], 2, 400);
    let began = Instant::now();
    let ended = succeed(
        database
            .export()
            .args(["--max-ru", "100", "--summary", "json"]),
    );
    let mut charged = 0.0;
    for record in database.gateway.request_log() {
        charged += record.charge_hundredths as f64 / 100.0;
        let at = record.arrived.duration_since(began).as_secs_f64();
        // The promise is one for each second. The account and the definitions are read at once.
        let most = BUDGET * at.max(1.0) * 1.1;
        assert!(
            charged <= most,
            "{charged} RU after {at} s instead of {most}"
        );
    }
    let found = summary(&ended);
    assert_eq!(found["max_ru"], 100);
    let spent = found["request_units"].as_f64().unwrap();
    assert!(
        (spent - charged).abs() < 0.01,
        "{spent} instead of {charged}"
    );
    database.assert_whole();
}

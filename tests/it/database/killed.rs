//! Exports of several containers that are killed, until they are done.

use nix::sys::signal::Signal;

use super::*;
use crate::command::{signal, spawn, wait};

/// Attempts after which an export that is not done is stuck.
const ATTEMPTS: usize = 30;

const NAMES: [&str; 4] = ["Orders", "orders", "customers", "con"];

/// The next run: the same command, or the one that continues.
fn next(database: &Database, random: &mut fastrand::Rng) -> Command {
    let mut command = match database.out.join("database.json").exists() && random.bool() {
        true => database.resume(),
        false => database.export(),
    };
    command.args(["--page-size", "10", "--checkpoint-interval", "5ms"]);
    command
}

#[test]
fn an_export_that_is_killed_at_any_moment_is_completed() {
    const KILLS: usize = 15;
    let mut random = fastrand::Rng::with_seed(22);
    let mut whole = Duration::from_millis(600);
    let mut kills = 0;
    let mut database = Database::new(&NAMES, 2, 120);
    while kills < KILLS {
        database.out = database.out.with_file_name(format!("backup-{kills}"));
        let mut is_done = false;
        for attempt in 0..ATTEMPTS {
            let began = Instant::now();
            let child = spawn(&mut next(&database, &mut random));
            if attempt < 5 {
                // This kills at a random time, so it has to wait for one.
                let until = began + whole.mul_f64(random.f64());
                std::thread::sleep(until.saturating_duration_since(Instant::now()));
                signal(&child, Signal::SIGKILL);
            }
            let ended = wait(child);
            match ended.code {
                Some(0) => {
                    whole = (whole + began.elapsed()) / 2;
                    is_done = true;
                    break;
                }
                None => kills += 1,
                Some(code) => panic!("exit {code}: {}", ended.stderr),
            }
        }
        assert!(is_done, "not done after {ATTEMPTS} attempts");
        database.assert_whole();
    }
}

#[test]
fn an_export_that_is_killed_at_any_step_is_completed() {
    const STEPS: [&str; 11] = [
        "lock.open",
        "directory.create",
        "directory.sync",
        "definition.create",
        "definition.write",
        "definition.sync",
        "definition.rename",
        "definition.sync-directory",
        // The list is there, and of no container is there a state.
        "state.create",
        "state.rename",
        "publish.rename",
    ];
    let mut random = fastrand::Rng::with_seed(7);
    let mut database = Database::new(&NAMES[..3], 1, 20);
    for (number, step) in STEPS.iter().enumerate() {
        // The first time, and once within the containers.
        for before in [0, 3] {
            database.out = database
                .out
                .with_file_name(format!("step-{number}-{before}"));
            let failpoint = match before {
                0 => format!("{step}=return(kill)"),
                _ => format!("{step}={before}*off->return(kill)"),
            };
            let ended = run(next(&database, &mut random).env("COSMOS_TAIL_FAILPOINTS", &failpoint));
            let is_killed = ended.code.is_none();
            // Not each step comes so often.
            assert!(
                is_killed || (before > 0 && ended.code == Some(0)),
                "{failpoint}: {:?} {}",
                ended.code,
                ended.stderr
            );
            if *step == "state.create" && before == 0 {
                assert_eq!(database.file().containers.len(), 3);
                assert!(!database.out.join("_Orders.cosmos-tail/state.json").exists());
            }
            succeed(&mut next(&database, &mut random));
            if let Err(wrong) = database.judge() {
                panic!("{failpoint}: {wrong}");
            }
        }
    }
}

#[test]
fn a_stop_leaves_what_can_be_resumed() {
    let database = Database::new(&NAMES, 2, 60);
    let hold = crate::gateway::Hold::new();
    let slow = database.container("customers").rid().to_owned();
    database.gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()))
            .when(move |record| record.container.as_deref() == Some(&slow))
            .always(),
    );
    let child = spawn(
        database
            .export()
            .args(["--concurrency", "1", "--summary", "json"]),
    );
    hold.wait_until_reached();
    crate::command::interrupt(&child);
    let ended = wait(child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    let found = summary(&ended);
    assert_eq!(found["outcome"], "interrupted");
    assert!(
        ended
            .stderr
            .contains("to continue, run: cosmos-tail resume"),
        "{}",
        ended.stderr
    );
    hold.release();
    succeed(&mut database.resume());
    database.assert_whole();
}

//! Signals to a service.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::follow;
use crate::command::{
    assert_latest, files, interrupt, lines, resume, signal, spawn, succeed, wait,
};
use crate::orders::{fill, filled};

#[test]
fn a_reload_finishes_the_open_files_and_nothing_is_lost() {
    let (gateway, container) = filled(2, 40);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let child = spawn(&mut follow(&gateway, &out));
    gateway.wait_until_caught_up(&container);
    for (round, documents) in [40..60, 60..80, 80..100].into_iter().enumerate() {
        fill(&container, documents);
        gateway.wait_until_caught_up(&container);
        let patience = Instant::now() + Duration::from_secs(60);
        let before = files(&out, "jsonl").len();
        // What has not arrived at a file yet is in the next one.
        while files(&out, "jsonl").len() == before {
            signal(&child, Signal::SIGUSR1);
            std::thread::sleep(Duration::from_millis(20));
            assert!(Instant::now() < patience, "round {round}");
        }
    }
    interrupt(&child);
    let ended = wait(child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    let messages = "reloading: the open files are finished";
    assert!(ended.stderr.contains(messages), "{}", ended.stderr);
    assert_latest(&lines(&out), &container);
    succeed(resume(&gateway, &out).arg("--no-follow"));
    assert_latest(&lines(&out), &container);
    assert_eq!(gateway.violations(), Vec::<String>::new());
}

#[test]
fn a_reload_of_what_has_nothing_to_finish_ends_nothing() {
    let (gateway, container) = filled(2, 40);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("changes.jsonl");
    let mut command = crate::command::against(&gateway);
    command.args([
        "tail",
        "--from",
        "beginning",
        "--poll-interval",
        "20ms",
        "-o",
    ]);
    let child = spawn(command.arg(&out));
    gateway.wait_until_caught_up(&container);
    signal(&child, Signal::SIGUSR1);
    fill(&container, 40..60);
    gateway.wait_until_caught_up(&container);
    // A terminal that is closed ends it.
    signal(&child, Signal::SIGHUP);
    let ended = wait(child);
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
    assert!(ended.stderr.contains("reloading"), "{}", ended.stderr);
    assert_latest(&crate::command::lines_of(&out), &container);
}

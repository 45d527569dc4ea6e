//! What systemd receives: a socket of the test takes its place.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::follow;
use crate::command::{
    against, assert_latest, cosmos_tail, export, interrupt, lines, lines_of, signal, spawn,
    succeed, wait,
};
use crate::gateway::{Action, Fault, Hold, RequestKind};
use crate::orders::{fill, filled};

const PATIENCE: Duration = Duration::from_secs(60);

/// A service manager.
struct Manager {
    socket: UnixDatagram,
    directory: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        Self { socket, directory }
    }

    fn start(&self, command: &mut Command, watchdog: Duration) -> Child {
        command
            .env("NOTIFY_SOCKET", self.directory.path().join("notify"))
            .env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        spawn(command)
    }

    /// The next message, if one comes before `until`.
    fn next(&self, until: Instant) -> Option<String> {
        let left = until.checked_duration_since(Instant::now())?;
        let left = left.max(Duration::from_millis(1));
        self.socket.set_read_timeout(Some(left)).unwrap();
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        Some(text.trim_end().to_owned())
    }

    /// Waits for a message. Returns it, and those before it.
    #[track_caller]
    fn wait_for(&self, wanted: impl Fn(&str) -> bool, what: &str) -> Vec<String> {
        let until = Instant::now() + PATIENCE;
        let mut messages = Vec::new();
        while let Some(message) = self.next(until) {
            messages.push(message);
            if messages.last().is_some_and(|message| wanted(message)) {
                return messages;
            }
        }
        panic!("{what} does not come: {messages:?}");
    }

    #[track_caller]
    fn wait_for_message(&self, message: &str) -> Vec<String> {
        self.wait_for(|one| one == message, message)
    }

    /// The messages that have come, and those of so much time.
    fn messages(&self, time: Duration) -> Vec<String> {
        let until = Instant::now() + time;
        std::iter::from_fn(|| self.next(until)).collect()
    }

    /// Waits until there was no sign of life for so long.
    #[track_caller]
    fn wait_for_silence(&self, time: Duration) {
        let patience = Instant::now() + PATIENCE;
        while self.messages(time).iter().any(|one| one == "WATCHDOG=1") {
            assert!(Instant::now() < patience, "the signs of life do not end");
        }
    }
}

fn hold(gateway: &crate::gateway::Gateway, partition: &str) -> Hold {
    let hold = Hold::new();
    let fault = Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()));
    gateway.push_fault(fault.partition(partition).always());
    hold
}

#[test]
fn ready_comes_when_every_range_has_a_committed_position() {
    let (gateway, container) = filled(2, 40);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let manager = Manager::new();
    let held = hold(&gateway, "1");
    let child = manager.start(&mut follow(&gateway, &out), Duration::from_secs(60));
    held.wait_until_reached();
    // The other range is read and committed meanwhile.
    gateway.wait_until("the other range", |requests| {
        let partition =
            |one: &&crate::gateway::RequestRecord| one.partition.as_deref() == Some("0");
        requests.iter().filter(partition).count() > 20
    });
    let before = manager.messages(Duration::from_millis(200));
    assert!(!before.iter().any(|one| one == "READY=1"), "{before:?}");
    assert_eq!(before[0], "STATUS=starting");
    gateway.clear_faults();
    held.release();
    let messages = manager.wait_for_message("READY=1");
    assert!(
        !messages.iter().any(|one| one == "STOPPING=1"),
        "{messages:?}"
    );
    let state = crate::command::state_directory(&out).join("state.json");
    let state: serde_json::Value = serde_json::from_slice(&std::fs::read(state).unwrap()).unwrap();
    let ranges = state["state"]["ranges"].as_array().unwrap();
    assert!(
        ranges.iter().all(|range| range["position"].is_object()),
        "{state}"
    );
    gateway.wait_until_caught_up(&container);
    fill(&container, 40..50);
    let caught_up = "STATUS=following: 50 changes, 2 ranges, 0 transactions behind";
    manager.wait_for_message(caught_up);
    signal(&child, Signal::SIGTERM);
    manager.wait_for_message("STOPPING=1");
    assert_eq!(wait(child).code, Some(143));
    assert_latest(&lines(&out), &container);
}

#[test]
fn a_range_that_is_not_answered_ends_the_signs_of_life() {
    let (gateway, container) = filled(2, 40);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let manager = Manager::new();
    let watchdog = Duration::from_millis(400);
    let child = manager.start(&mut follow(&gateway, &out), watchdog);
    manager.wait_for_message("READY=1");
    for _ in 0..5 {
        manager.wait_for_message("WATCHDOG=1");
    }
    // One of two: the other one is read on.
    let held = hold(&gateway, "1");
    held.wait_until_reached();
    manager.wait_for_silence(2 * watchdog);
    fill(&container, 40..80);
    assert_eq!(
        manager
            .messages(watchdog)
            .iter()
            .filter(|one| *one == "WATCHDOG=1")
            .count(),
        0
    );
    gateway.clear_faults();
    held.release();
    manager.wait_for_message("WATCHDOG=1");
    // Nor are requests that fail a sign of life.
    let outage = Fault::on(RequestKind::ChangeFeed, Action::status(503, 0)).always();
    gateway.push_fault(outage);
    manager.wait_for_silence(2 * watchdog);
    gateway.clear_faults();
    manager.wait_for_message("WATCHDOG=1");
    gateway.wait_until_caught_up(&container);
    interrupt(&child);
    assert_eq!(wait(child).code, Some(130));
    assert_latest(&lines(&out), &container);
}

#[test]
fn a_commit_that_hangs_ends_the_signs_of_life() {
    let (gateway, container) = filled(2, 40);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let manager = Manager::new();
    let watchdog = Duration::from_millis(400);
    let mut command = follow(&gateway, &out);
    // The disk hangs once there is something to sync; the account answers on.
    command.env("COSMOS_TAIL_FAILPOINTS", "part.sync=sleep(4000)");
    let child = manager.start(&mut command, watchdog);
    gateway.wait_until_caught_up(&container);
    manager.wait_for_silence(2 * watchdog);
    manager.wait_for_message("WATCHDOG=1");
    interrupt(&child);
    wait(child);
}

#[test]
fn a_tail_a_replay_and_an_account_are_ready_too() {
    let (gateway, container) = filled(2, 40);
    let directory = tempfile::tempdir().unwrap();
    let manager = Manager::new();
    let out = directory.path().join("changes.jsonl");
    let mut command = against(&gateway);
    command
        .args(["tail", "--poll-interval", "20ms", "-o"])
        .arg(&out);
    let child = manager.start(&mut command, Duration::from_millis(400));
    manager.wait_for_message("READY=1");
    manager.wait_for_message("WATCHDOG=1");
    // From here on nothing is missed.
    fill(&container, 40..60);
    gateway.wait_until_caught_up(&container);
    interrupt(&child);
    assert_eq!(wait(child).code, Some(130));
    assert_eq!(lines_of(&out).len(), 20);

    let manager = Manager::new();
    gateway.create_container(crate::command::DATABASE, "copy", "/pk", 2);
    let mut command = against(&gateway);
    command.args([
        "replay",
        "--from-container",
        "shop/orders",
        "-c",
        "copy",
        "--follow",
    ]);
    let child = manager.start(&mut command, Duration::from_millis(400));
    manager.wait_for_message("READY=1");
    manager.wait_for_message("WATCHDOG=1");
    manager.wait_for(
        |one| one.starts_with("STATUS=following: 60 changes"),
        "the status",
    );
    interrupt(&child);
    manager.wait_for_message("STOPPING=1");
    wait(child);

    #[cfg(feature = "demo")]
    {
        let manager = Manager::new();
        let mut command = cosmos_tail();
        command.args(["demo", "--port", "0", "--documents", "10"]);
        let child = manager.start(&mut command, Duration::from_secs(1));
        let messages = manager.wait_for_message("READY=1");
        assert!(
            messages.contains(&"STATUS=starting".to_owned()),
            "{messages:?}"
        );
        signal(&child, Signal::SIGTERM);
        manager.wait_for_message("STOPPING=1");
        wait(child);
    }
}

#[test]
fn polls_that_are_further_apart_than_the_watchdog_allows_are_warned_of() {
    let (gateway, _) = filled(1, 4);
    for (watchdog, is_warned) in [(1_999, true), (2_000, false)] {
        let manager = Manager::new();
        let mut command = against(&gateway);
        command.args(["tail", "--poll-interval", "1s"]);
        let child = manager.start(&mut command, Duration::from_millis(watchdog));
        manager.wait_for_message("READY=1");
        interrupt(&child);
        let warning = "warning: --poll-interval 1s is more than half of the watchdog's 1s 999ms";
        let ended = wait(child);
        assert_eq!(
            ended.stderr.contains(warning),
            is_warned,
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_manager_that_is_gone_stops_nothing() {
    let (gateway, container) = filled(2, 40);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    succeed(command.env("NOTIFY_SOCKET", directory.path().join("nobody")));
    assert_latest(&lines(&out), &container);
}

//! Signals: during a wait for input that never arrives, while a job runs, and when a terminal is closed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::bad_input::{assert_explained, through_shell};
use crate::command::{
    Ended, against, assert_latest, export, lines, resume, signal, spawn, state_directory, succeed,
    wait,
};
use crate::gateway::{Action, Fault, Gateway, Hold, RequestKind};
use crate::orders::filled;

/// How long a process may take to end at once, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Waits until the process handles the signal: from then on it is not the system that ends it.
fn wait_until_handled(child: &Child, signal: Signal) {
    let path = format!("/proc/{}/status", child.id());
    let bit = 1_u64 << (signal as u32 - 1);
    let started = Instant::now();
    loop {
        let status = std::fs::read_to_string(&path).unwrap();
        let caught = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))
            .map(|mask| u64::from_str_radix(mask.trim(), 16).unwrap());
        if caught.is_some_and(|mask| mask & bit != 0) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{status}");
        // The system does not report when a handler is set; it can only be polled.
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn fifo(directory: &Path, name: &str) -> PathBuf {
    let path = directory.join(name);
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    path
}

/// Ends a waiting child with one signal, and returns how it ended.
#[track_caller]
fn end_with(child: Child, with: Signal) -> Ended {
    wait_until_handled(&child, with);
    let started = Instant::now();
    signal(&child, with);
    let ended = wait(child);
    let took = started.elapsed();
    assert!(took < AT_ONCE, "{took:?}: {}", ended.stderr);
    ended
}

const STOPPED: [&str; 2] = [
    "stopped before",
    "nothing was changed; run the command again",
];

/// A command without a key in its environment.
fn keyless(gateway: &Gateway, arguments: &[&str]) -> Command {
    let mut command = against(gateway);
    command.env_remove("AZURE_COSMOS_KEY").args(arguments);
    command
}

#[test]
fn a_first_signal_ends_the_wait_for_a_key_on_standard_input() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let out = out.to_str().unwrap();
    for arguments in [
        &["ranges", "--key-file", "-"][..],
        &["tail", "--key-file", "-"],
        &["export", "--key-file", "-", "-o", out],
        &["replay", "--key-file", "-", "/dev/null"],
    ] {
        for (with, code) in [
            (Signal::SIGINT, 130),
            (Signal::SIGTERM, 143),
            (Signal::SIGHUP, 143),
        ] {
            let mut command = keyless(&gateway, arguments);
            let mut child = spawn(command.stdin(Stdio::piped()));
            let silent = child.stdin.take();
            let ended = end_with(child, with);
            assert_explained(&ended, code, &STOPPED);
            drop(silent);
        }
    }
    assert!(!Path::new(out).exists());
    assert_eq!(gateway.total_requests(), 0);
}

#[test]
fn a_first_signal_ends_the_wait_for_a_named_pipe() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let out = out.to_str().unwrap();
    // First no process has opened it for writing, then one has and writes nothing.
    for is_opened in [false, true] {
        for command in ["ranges", "export", "profiles"] {
            // Of its own: a process that another test is starting may hold the last one open for a moment.
            let pipe = fifo(directory.path(), &format!("{command}-{is_opened}"));
            let name = pipe.to_str().unwrap();
            let arguments = match command {
                "ranges" => &["ranges", "--key-file", name][..],
                "export" => &["export", "-o", out, "--format", "csv", "--schema", name],
                _ => &["profiles"],
            };
            let mut command = against(&gateway);
            command.args(arguments);
            if arguments == ["profiles"] {
                command.env("COSMOS_TAIL_CONFIG", &pipe);
            }
            let child = spawn(&mut command);
            let silent = is_opened.then(|| File::options().write(true).open(&pipe).unwrap());
            assert_explained(&end_with(child, Signal::SIGINT), 130, &STOPPED);
            drop(silent);
        }
    }
    assert!(!Path::new(out).exists());
}

#[test]
fn a_first_signal_ends_the_wait_for_a_key_command() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    let pipe = fifo(directory.path(), "pipe");
    let text = format!("[profiles.a]\nkey-command = [\"cat\", {pipe:?}]\n");
    std::fs::write(&config, text).unwrap();
    let mut command = keyless(&gateway, &["ranges", "--profile", "a"]);
    let child = spawn(command.env("COSMOS_TAIL_CONFIG", &config));
    // Once this is open, the command runs.
    let silent = File::options().write(true).open(&pipe).unwrap();
    let ended = end_with(child, Signal::SIGTERM);
    assert_explained(&ended, 143, &STOPPED);
    drop(silent);
}

#[test]
fn a_first_signal_ends_a_replay_whose_source_is_silent() {
    let (gateway, _) = filled(1, 0);
    let directory = tempfile::tempdir().unwrap();
    let pipe = fifo(directory.path(), "pipe");
    let name = pipe.to_str().unwrap();
    for arguments in [
        &["replay", "-"][..],
        &["replay", "-", "--stdout"],
        &["replay", name],
        &["replay", name, "--stdout"],
    ] {
        let mut command = against(&gateway);
        let mut child = spawn(command.args(arguments).stdin(Stdio::piped()));
        let silent = child.stdin.take();
        let ended = end_with(child, Signal::SIGINT);
        assert_eq!(ended.code, Some(130), "{arguments:?}: {}", ended.stderr);
        drop(silent);
    }
}

#[test]
fn records_of_a_pipe_that_fell_silent_are_written() {
    use std::io::{BufRead, BufReader, Write};
    let directory = tempfile::tempdir().unwrap();
    let pipe = fifo(directory.path(), "pipe");
    let mut command = crate::command::cosmos_tail();
    let mut child = spawn(command.arg("replay").arg(&pipe).arg("--stdout"));
    let mut writer = File::options().write(true).open(&pipe).unwrap();
    writer.write_all(b"{\"id\":\"a\",\"_ts\":5}\n").unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "{\"id\":\"a\"}\n");
    let ended = end_with(child, Signal::SIGINT);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
}

#[test]
fn a_second_signal_ends_a_job_whatever_it_waits_for() {
    let (gateway, _) = filled(1, 300);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    // An output without a reader blocks the thread that writes it, and the commit that waits for it.
    let mut command = against(&gateway);
    command.args(["export", "-o", "-", "--state"]);
    let mut child = spawn(command.arg(directory.path().join("state.json")));
    let unread = child.stdout.take();
    gateway.wait_for(RequestKind::ChangeFeed, 2);
    signal(&child, Signal::SIGTERM);
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        signal(&child, Signal::SIGTERM);
        assert!(started.elapsed() < AT_ONCE);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(child.wait().unwrap().code(), Some(143));
    drop(unread);
    assert!(!out.exists());
}

/// `timeout` signals the program that it has started, and then the group that this is in.
#[test]
fn a_signal_that_arrives_twice_at_once_is_one_request() {
    let (gateway, container) = filled(1, 300);
    for round in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let mut command = export(&gateway, &out);
        let (child, hold) = held_export(&gateway, command.args(["--page-size", "50"]));
        wait_until_handled(&child, Signal::SIGTERM);
        for _ in 0..2 {
            signal(&child, Signal::SIGTERM);
            // Signals that are pending are not counted: the second one has to find the first one handled.
            std::thread::sleep(Duration::from_millis(2));
        }
        let ended = wait(child);
        hold.release();
        gateway.clear_faults();
        assert_eq!(ended.code, Some(143), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("interrupted after"),
            "round {round}: {}",
            ended.stderr
        );
        succeed(&mut resume(&gateway, &out));
        assert_latest(&lines(&out), &container);
    }
}

/// An export that has committed something and is held at its next page.
fn held_export(gateway: &Gateway, command: &mut Command) -> (Child, Hold) {
    let hold = Hold::new();
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone())).nth(4));
    let child = spawn(command);
    hold.wait_until_reached();
    (child, hold)
}

#[test]
fn a_terminal_that_is_closed_commits_and_ends_the_job() {
    let (gateway, container) = filled(1, 300);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    let (child, hold) = held_export(&gateway, command.args(["--page-size", "50"]));
    let ended = end_with(child, Signal::SIGHUP);
    hold.release();
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("interrupted after"),
        "{}",
        ended.stderr
    );
    let state = cosmos_tail::state::file::load(&state_directory(&out).join("state.json")).unwrap();
    assert!(state.totals.documents > 0, "{}", ended.stderr);
    succeed(&mut resume(&gateway, &out));
    assert_latest(&lines(&out), &container);
}

#[test]
fn a_job_that_ignores_hangups_outlives_its_terminal() {
    let (gateway, container) = filled(1, 300);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    command.args(["--page-size", "50"]);
    let mut shell = through_shell(&command, "trap '' HUP; exec \"$0\" \"$@\"");
    let (child, hold) = held_export(&gateway, &mut shell);
    signal(&child, Signal::SIGHUP);
    hold.release();
    let ended = wait(child);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_latest(&lines(&out), &container);
}

#[test]
fn a_tail_on_a_closed_terminal_ends() {
    let (gateway, _) = filled(1, 10);
    let mut command = against(&gateway);
    let child = spawn(command.args(["tail", "--from", "beginning"]));
    gateway.wait_for(RequestKind::ChangeFeed, 1);
    let ended = end_with(child, Signal::SIGHUP);
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
}

#[test]
fn a_first_signal_ends_the_wait_for_the_service() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    for kind in [
        RequestKind::Account,
        RequestKind::Container,
        RequestKind::PartitionKeyRanges,
    ] {
        let (gateway, _) = filled(1, 10);
        let hold = Hold::new();
        gateway.push_fault(Fault::on(kind, Action::Hold(hold.clone())).always());
        let child = spawn(&mut export(&gateway, &out));
        hold.wait_until_reached();
        let ended = end_with(child, Signal::SIGINT);
        assert_explained(&ended, 130, &STOPPED);
        hold.release();
    }
    assert!(!out.exists());
}

//! The limit of open files.

use std::process::Command;

use crate::command::{assert_latest, export, fail, lines, run, succeed};
use crate::orders::filled;

/// A command under a limit that `ulimit` sets.
fn limited(command: &Command, limit: &str) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit {limit}; exec \"$@\""), "sh"]);
    limited.arg(command.get_program()).args(command.get_args());
    limited.env_clear();
    let given = command
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    limited.envs(given);
    limited
}

#[test]
fn a_low_soft_limit_is_raised() {
    let (gateway, container) = filled(200, 1_000);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    command.args(["--concurrency", "200"]);
    succeed(&mut limited(&command, "-Sn 64"));
    assert_latest(&lines(&out), &container);
}

#[test]
fn a_low_hard_limit_is_named_with_what_to_do() {
    let (gateway, container) = filled(200, 1_000);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    command.args(["--concurrency", "200"]);
    let ended = fail(&mut limited(&command, "-n 64"), 3);
    assert!(
        ended.stderr.contains("Too many open files"),
        "{}",
        ended.stderr
    );
    let hint = "this process may have 64 open files";
    assert!(ended.stderr.contains(hint), "{}", ended.stderr);
    assert!(ended.stderr.contains("ulimit -Hn"), "{}", ended.stderr);
    // Nothing of it is lost once there is no such limit.
    let ended = run(&mut crate::command::resume(&gateway, &out));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_latest(&lines(&out), &container);
}

//! A command as a service: what systemd receives, a reload, a key that changes, logs for programs, open files.

#[cfg(target_os = "linux")]
mod day;
mod files;
mod keys;
mod logs;
#[cfg(target_os = "linux")]
mod manager;
mod reload;
#[cfg(target_os = "linux")]
mod units;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command::export;
use crate::gateway::Gateway;

/// An export to a directory that follows, and polls and commits often.
fn follow(gateway: &Gateway, out: &Path) -> Command {
    let mut command = export(gateway, out);
    command.args([
        "--follow",
        "--poll-interval",
        "20ms",
        "--checkpoint-interval",
        "20ms",
    ]);
    command
}

/// The objects on standard error, each of which is a line.
#[track_caller]
fn objects(stderr: &str) -> Vec<Value> {
    let objects = stderr.lines().map(|line| {
        let object: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let time = object["time"].as_str().unwrap_or_default();
        assert!(time.ends_with('Z'), "{line}");
        let level = object["level"].as_str().unwrap_or_default();
        let levels = ["debug", "info", "warn", "error"];
        assert!(levels.contains(&level), "{line}");
        assert!(object["message"].is_string(), "{line}");
        object
    });
    objects.collect()
}

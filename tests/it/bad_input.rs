//! Wrong arguments, wrong settings, and outputs in the way or in use: every failing run says what failed
//! and what to do next, ends with the documented code, and changes nothing.

mod connection;
mod output;
mod state;
mod values;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::command::{Ended, against, run};
use crate::gateway::Gateway;

/// Standard error, with the error as text: with `--summary json` its last line is an object.
#[track_caller]
fn as_text(ended: &Ended) -> String {
    let text = ended.stderr.trim_end();
    let (before, last) = text.rsplit_once('\n').unwrap_or(("", text));
    let Ok(failure) = serde_json::from_str::<Value>(last) else {
        return ended.stderr.clone();
    };
    assert_eq!(
        failure["exit_code"].as_i64(),
        ended.code.map(i64::from),
        "{text}"
    );
    let texts = |value: &Value| -> Vec<String> {
        let values = value.as_array().into_iter().flatten();
        values
            .map(|text| text.as_str().unwrap().to_owned())
            .collect()
    };
    let mut lines = vec![before.to_owned()];
    lines.push(format!("error: {}", failure["error"].as_str().unwrap()));
    lines.extend(
        texts(&failure["causes"])
            .iter()
            .map(|cause| format!("  Caused by: {cause}")),
    );
    let hints = failure["hint"].as_str().into_iter().flat_map(str::lines);
    lines.extend(hints.map(|hint| format!("hint: {hint}")));
    lines.join("\n")
}

/// Asserts that a run failed as every run must: with `code`, an error that contains all of `parts`, and a
/// hint; without a panic or a stack trace.
#[track_caller]
pub(crate) fn assert_explained(ended: &Ended, code: i32, parts: &[&str]) {
    let text = &as_text(ended);
    assert_eq!(ended.code, Some(code), "{text}");
    for part in ["error: ", "hint: "].iter().chain(parts) {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    for never in ["panicked", "RUST_BACKTRACE", "stack backtrace", "\n   0: "] {
        assert!(!text.contains(never), "{text}");
    }
    let errors = text.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "{text}");
}

/// Runs a command that must fail as in [`assert_explained`].
#[track_caller]
pub(crate) fn refuse(command: &mut Command, code: i32, parts: &[&str]) -> Ended {
    let ended = run(command);
    assert_explained(&ended, code, parts);
    ended
}

/// Asserts that clap refused a value: exit code 2, and the parts.
#[track_caller]
fn refuse_value(gateway: &Gateway, arguments: &[&str], parts: &[&str]) {
    let ended = run(against(gateway).args(arguments));
    assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
    for part in ["error: ", "--help"].iter().chain(parts) {
        assert!(ended.stderr.contains(part), "no `{part}`: {}", ended.stderr);
    }
}

/// Every file below a directory with its bytes, except for locks, which contain a process id.
pub(crate) fn snapshot(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(directory) else {
        return found;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(snapshot(&path));
        } else if !path.to_string_lossy().ends_with(".lock") {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// The command run by a shell, whose `script` has `"$0" "$@"` in its place.
pub(crate) fn through_shell(command: &Command, script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(script)
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null());
    shell.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    shell
}

/// A server that accepts connections, reads the first bytes, sends `greeting` and closes.
pub(crate) fn stranger(greeting: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else {
                return;
            };
            // One thread each: a client may open several and speak on the last.
            std::thread::spawn(move || {
                let mut first = [0; 4096];
                let read = connection.read(&mut first).unwrap_or(0);
                if read > 0 && connection.write_all(greeting.as_bytes()).is_ok() {
                    connection.flush().ok();
                }
            });
        }
    });
    port
}

fn without(gateway: &Gateway, variable: &str, arguments: &[&str]) -> Command {
    let mut command = against(gateway);
    command.env_remove(variable).args(arguments);
    command
}

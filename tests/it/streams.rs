//! Standard streams that are closed, open the wrong way, or lead nowhere.

use std::path::Path;
use std::process::Command;

use crate::bad_input::{assert_explained, snapshot, through_shell};
use crate::command::{
    Ended, against, assert_latest, cosmos_tail, export, fail, lines, run, split_lines, succeed,
};
use crate::gateway::Gateway;
use crate::orders::filled;

/// Runs a command with its streams redirected by `redirection`.
fn with_streams(command: &Command, redirection: &str) -> Ended {
    run(&mut through_shell(
        command,
        &format!("exec \"$0\" \"$@\" {redirection}"),
    ))
}

/// Every command that writes data to standard output. Commands with a state have `state`.
fn that_print<'a>(state: &'a str, source: &'a str, exported: &'a str) -> Vec<Vec<&'a str>> {
    vec![
        vec!["export", "-o", "-", "--state", state],
        vec!["export", "-o", "-"],
        vec!["tail", "--from", "beginning", "--until-caught-up"],
        vec![
            "tail",
            "--from",
            "beginning",
            "--until-caught-up",
            "--state",
            state,
        ],
        vec!["replay", "--stdout", source],
        vec!["ranges"],
        vec!["ranges", "--format", "json"],
        vec!["schema"],
        vec!["verify", exported],
        vec!["profiles"],
        vec!["completions", "bash"],
        vec!["--help"],
        vec!["--version"],
        vec!["export", "--help"],
    ]
}

struct Scene {
    gateway: Gateway,
    directory: tempfile::TempDir,
    state: String,
    source: String,
    exported: String,
}

fn scene() -> Scene {
    let (gateway, _) = filled(2, 500);
    let directory = tempfile::tempdir().unwrap();
    let text = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (state, source, exported) = (text("state.json"), text("source.jsonl"), text("exported"));
    std::fs::write(&source, "{\"id\":\"a\"}\n").unwrap();
    succeed(&mut export(&gateway, Path::new(&exported)));
    Scene {
        gateway,
        directory,
        state,
        source,
        exported,
    }
}

impl Scene {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = against(&self.gateway);
        command.args(arguments);
        command
    }
}

#[test]
fn a_closed_standard_output_is_refused_before_anything_is_read() {
    let scene = scene();
    let before = snapshot(scene.directory.path());
    let requests = scene.gateway.total_requests();
    for arguments in that_print(&scene.state, &scene.source, &scene.exported) {
        for (redirection, why) in [
            (">&-", "is closed"),
            // Even with the others closed too, none of our files gets its number.
            (">&- <&-", "is closed"),
            ("1< /dev/null", "is open for reading only"),
            ("1< \"$0\"", "is open for reading only"),
        ] {
            let ended = with_streams(&scene.command(&arguments), redirection);
            let message = format!("cannot write to standard output: it {why}");
            assert_explained(&ended, 1, &[&message, "redirect it to a file"]);
        }
        let ended = with_streams(&scene.command(&arguments), ">&- 2>&- <&-");
        assert_eq!(ended.code, Some(1), "{arguments:?}");
    }
    assert_eq!(snapshot(scene.directory.path()), before);
    assert_eq!(scene.gateway.total_requests(), requests);
}

#[test]
fn dev_null_as_standard_output_works() {
    let scene = scene();
    for arguments in that_print(&scene.state, &scene.source, &scene.exported) {
        // What other programs open when they discard an output is open for both.
        for redirection in ["> /dev/null", "1<> /dev/null"] {
            std::fs::remove_file(&scene.state).ok();
            let ended = with_streams(&scene.command(&arguments), redirection);
            assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        }
    }
}

#[test]
fn a_resume_to_a_closed_standard_output_moves_no_position() {
    let (gateway, container) = filled(2, 500);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.json");
    let mut command = against(&gateway);
    command.args(["export", "-o", "-", "--state"]).arg(&state);
    let first = succeed(&mut command);
    crate::orders::fill(&container, 500..700);
    let before = snapshot(directory.path());
    let mut command = against(&gateway);
    command.args(["resume", "--state"]).arg(&state);
    for redirection in [">&-", "1< /dev/null"] {
        let ended = with_streams(&command, redirection);
        assert_explained(&ended, 1, &["cannot write to standard output"]);
        assert_eq!(snapshot(directory.path()), before);
    }
    let rest = succeed(&mut command);
    let mut all = split_lines(first.stdout.as_bytes());
    all.extend(split_lines(rest.stdout.as_bytes()));
    assert_latest(&all, &container);
}

#[test]
fn writing_files_needs_no_standard_streams() {
    for redirection in [">&-", "<&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"] {
        let (gateway, container) = filled(2, 500);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let ended = with_streams(&export(&gateway, &out), redirection);
        assert_eq!(ended.code, Some(0), "{redirection}: {}", ended.stderr);
        // Nothing that is meant for a stream went into a file that got its number.
        assert_latest(&lines(&out), &container);
        succeed(cosmos_tail().arg("verify").arg("--strict").arg(&out));
    }
}

#[test]
fn a_closed_standard_input_is_not_an_empty_one() {
    let (gateway, _) = filled(1, 1);
    let requests = gateway.total_requests();
    for arguments in [
        &["replay", "-"][..],
        &["replay", "-", "--stdout"],
        &["ranges", "--key-file", "-"],
    ] {
        let mut command = against(&gateway);
        command.args(arguments);
        for (redirection, why) in [
            ("<&-", "is closed"),
            ("0> /dev/null", "is open for writing only"),
        ] {
            let ended = with_streams(&command, redirection);
            let message = format!("cannot read standard input: it {why}");
            assert_explained(&ended, 1, &[&message, "redirect it from a file"]);
        }
    }
    assert_eq!(gateway.total_requests(), requests);
    // An empty one stays empty.
    let mut command = against(&gateway);
    succeed(command.args(["replay", "-"]));
    fail(against(&gateway).args(["ranges", "--key-file", "-"]), 2);
}

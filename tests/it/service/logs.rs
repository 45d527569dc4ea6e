//! Messages as objects, for programs that collect logs.

use std::process::Command;

use serde_json::Value;

use super::objects;
use crate::command::{against, cosmos_tail, export, fail, run};
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, KEY, RequestKind};
use crate::orders::filled;

#[test]
fn each_message_is_an_object_with_its_level_and_its_range() {
    let (gateway, _) = filled(2, 50);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::status(503, 0))
            .partition("1")
            .always(),
    );
    let mut command = export(&gateway, &out);
    command.args(["--log-format", "json", "-v", "--max-retries", "3"]);
    let ended = run(&mut command);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let messages = objects(&ended.stderr);
    let levels = |level: &str| messages.iter().filter(|one| one["level"] == level).count();
    assert!(
        levels("debug") > 0 && levels("info") > 0,
        "{}",
        ended.stderr
    );
    let about_range: Vec<&Value> = messages.iter().filter(|one| one["range"] == 1).collect();
    assert!(!about_range.is_empty(), "{}", ended.stderr);
    assert!(about_range.iter().all(|one| one["level"] == "debug"));
    let last = messages.last().unwrap();
    assert_eq!(last["level"], "error");
    assert_eq!(last["exit_code"], 3);
    assert!(
        last["hint"].is_string() && last["causes"].is_array(),
        "{last}"
    );
    assert_eq!(levels("error"), 1, "{}", ended.stderr);
}

/// Command lines of every command, which all fail, with the exit code of each.
const FAILURES: [(&[&str], i32); 22] = [
    (&[], 2),
    (&["exprot"], 2),
    (&["export"], 2),
    (&["export", "-o", "out", "--concurrency", "none"], 2),
    (
        &[
            "export",
            "-o",
            "/dev/null/out",
            "-c",
            "\u{1b}[2J\n\u{202e}x",
        ],
        2,
    ),
    (&["resume", "nowhere"], 2),
    (&["tail", "--bogus"], 2),
    (&["tail", "-c", "nobody{\"level\":\"info\"}"], 1),
    (&["replay"], 2),
    (&["replay", "missing.jsonl"], 2),
    (&["replay", "missing.jsonl", "--no-such"], 2),
    (&["lag", "--state", "missing.json"], 2),
    (&["lag"], 2),
    (&["verify", "nowhere"], 2),
    (&["schema", "-c", "nobody"], 1),
    (&["ranges", "-c", "nobody"], 1),
    (&["ls", "-d", "nobody"], 1),
    (&["ls", "--format", "yaml"], 2),
    (&["profiles", "use", "nobody"], 2),
    (&["profiles", "add"], 2),
    (&["profiles", "test", "a", "b"], 2),
    (&["demo", "--port", "many"], 2),
];

fn failing(gateway: &Gateway, words: &[&str]) -> Command {
    let mut command = against(gateway);
    command.args(words);
    command
}

#[test]
fn every_command_reports_its_errors_so_by_the_flag_and_by_the_variable() {
    let (gateway, _) = filled(1, 5);
    for (words, code) in FAILURES {
        if cfg!(not(feature = "demo")) && words.first() == Some(&"demo") {
            continue;
        }
        let mut by_variable = failing(&gateway, words);
        by_variable.env("COSMOS_TAIL_LOG_FORMAT", "json");
        let mut commands = vec![by_variable];
        if !words.is_empty() {
            let mut by_flag = failing(&gateway, words);
            by_flag.args(["--log-format", "json"]);
            let mut inline = failing(&gateway, words);
            inline.args(["--log-format=json", "-q"]);
            commands.extend([by_flag, inline]);
        }
        for mut command in commands {
            let ended = run(&mut command);
            assert_eq!(ended.code, Some(code), "{words:?}: {}", ended.stderr);
            let messages = objects(&ended.stderr);
            let last = messages.last().unwrap_or_else(|| panic!("{words:?}"));
            assert_eq!(last["level"], "error", "{words:?}");
            assert_eq!(last["exit_code"], code, "{words:?}");
            assert!(!ended.stderr.contains(['\u{1b}', '\u{202e}']), "{words:?}");
            assert!(!ended.stderr.contains(KEY));
        }
    }
}

#[test]
fn a_profile_can_say_so_and_the_variable_and_the_flag_win() {
    let (gateway, _) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    std::fs::write(
        &config,
        "default-profile = 'service'\n[profiles.service.options]\nlog-format = 'json'\n",
    )
    .unwrap();
    let tail = || {
        let mut command = against(&gateway);
        command.env("COSMOS_TAIL_CONFIG", &config);
        command.args(["tail", "--from", "beginning", "--until-caught-up", "-vvv"]);
        command
    };
    let ended = run(&mut tail());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let messages = objects(&ended.stderr);
    // With the log of the SDK among them, which begins before the profile is of use to anybody else.
    let debug = messages.iter().filter(|one| one["level"] == "debug");
    assert!(debug.count() > 5, "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 5);
    // A command that takes no options from a profile.
    let mut ranges = against(&gateway);
    ranges.env("COSMOS_TAIL_CONFIG", &config);
    let ended = fail(ranges.args(["ranges", "-c", "nobody"]), 1);
    assert_eq!(objects(&ended.stderr).last().unwrap()["exit_code"], 1);
    for mut command in [
        {
            let mut command = tail();
            command.args(["--log-format", "text"]);
            command
        },
        {
            let mut command = tail();
            command.env("COSMOS_TAIL_LOG_FORMAT", "text");
            command
        },
    ] {
        let ended = run(&mut command);
        let is_object = |line: &str| line.starts_with('{');
        assert!(!ended.stderr.lines().any(is_object), "{}", ended.stderr);
    }
    // Before the profile is known, its error is text.
    std::fs::write(
        &config,
        "default-profile = 'service'\n[profiles.service.options]\nlog-format = 'yaml'\n",
    )
    .unwrap();
    let ended = fail(&mut tail(), 2);
    assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("log-format"), "{}", ended.stderr);
}

#[test]
fn a_variable_that_is_neither_form_is_refused_and_the_flag_wins() {
    let gateway = Gateway::start(GatewayOptions::default());
    let mut command = against(&gateway);
    command.env("COSMOS_TAIL_LOG_FORMAT", "yaml").arg("ranges");
    let ended = fail(&mut command, 2);
    assert!(
        ended.stderr.contains("COSMOS_TAIL_LOG_FORMAT"),
        "{}",
        ended.stderr
    );
    let mut command = against(&gateway);
    command.env("COSMOS_TAIL_LOG_FORMAT", "json");
    let ended = fail(command.args(["ranges", "--log-format", "text"]), 1);
    assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
    // Words after `--` are no flags.
    let ended = fail(
        cosmos_tail().args(["verify", "--", "--log-format=json", "x", "y"]),
        2,
    );
    assert!(ended.stderr.starts_with("error: "), "{}", ended.stderr);
}

#[test]
fn the_log_of_the_sdk_is_objects_too() {
    let (gateway, _) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    let mut command = export(&gateway, &directory.path().join("out"));
    let ended = run(command.args(["-vvv", "--log-format", "json"]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let messages = objects(&ended.stderr);
    let of_sdk: Vec<&Value> = messages
        .iter()
        .filter(|one| {
            one["message"]
                .as_str()
                .unwrap()
                .contains("azure_data_cosmos")
        })
        .collect();
    assert!(of_sdk.len() > 3, "{}", ended.stderr);
    for one in of_sdk {
        let message = one["message"].as_str().unwrap();
        // The object has both.
        assert!(
            !message.contains("DEBUG ") && !message.starts_with("20"),
            "{message}"
        );
    }
}

#[test]
fn so_is_a_summary_and_so_is_a_panic() {
    let (gateway, _) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    let mut command = export(&gateway, &directory.path().join("text"));
    let ended = run(command.args(["--log-format", "json"]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let summary = objects(&ended.stderr).pop().unwrap();
    let message = summary["message"].as_str().unwrap();
    assert!(message.contains("5 documents"), "{message}");
    // The summary for scripts is the only object without a level.
    let mut command = export(&gateway, &directory.path().join("json"));
    let ended = run(command.args(["--log-format", "json", "--summary", "json"]));
    let summary = ended.stderr.lines().last().unwrap_or_default();
    objects(ended.stderr.trim_end().strip_suffix(summary).unwrap());
    let summary: Value = serde_json::from_str(summary).unwrap();
    assert_eq!(summary["documents"], 5, "{summary}");
    // A defect of the program.
    let mut command = export(&gateway, &directory.path().join("panic"));
    command.env("COSMOS_TAIL_FAILPOINTS", "part.write=panic");
    let ended = run(command.args(["--log-format", "json"]));
    assert_ne!(ended.code, Some(0));
    let messages = objects(&ended.stderr);
    let panics = messages.iter().filter(|one| {
        let message = one["message"].as_str().unwrap();
        message.contains("panicked at") && one["level"] == "error"
    });
    assert_eq!(panics.count(), 1, "{}", ended.stderr);
}

#[test]
fn so_are_the_messages_of_a_key_command() {
    let (gateway, _) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    for (ending, code) in [(format!("echo {KEY}"), 0), ("exit 3".to_owned(), 1)] {
        let script = format!("printf 'sign in at \\033[31mhttps://a.example\\n' >&2; {ending}");
        let text = format!(
            "default-profile = 'p'\n[profiles.p]\nendpoint = '{}'\ndatabase = 'shop'\ncontainer = 'orders'\n\
             key-command = ['sh', '-c', {}]\n",
            gateway.endpoint(),
            serde_json::to_string(&script).unwrap()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = cosmos_tail();
        command.env("COSMOS_TAIL_CONFIG", &config);
        let ended = run(command.args(["ranges", "--log-format", "json"]));
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        let messages = objects(&ended.stderr);
        assert!(ended.stderr.contains("sign in at"), "{}", ended.stderr);
        assert!(!ended.stderr.contains('\u{1b}'), "{}", ended.stderr);
        let level = if code == 0 { "warn" } else { "error" };
        assert_eq!(messages.last().unwrap()["level"], level, "{}", ended.stderr);
    }
}

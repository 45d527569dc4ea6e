//! The account key appears nowhere: not in the output at any verbosity, not in a failure, not in any file.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;

use crate::bad_input::{snapshot, stranger};
use crate::command::{
    Ended, against, cosmos_tail, export, resume, run, spawn, state_directory, wait,
};
use crate::gateway::{Action, Fault, Gateway, KEY, RequestKind};
use crate::orders::{fill, filled};

/// A key of the right form that the gateway refuses.
const WRONG_KEY: &str = "Y2FuYXJ5IGNhbmFyeSBjYW5hcnkgY2FuYXJ5IGNhbmFyeSBjYW5hcnk=";
/// Neither a key nor base64.
const NO_KEY: &str = "canary!not-a-key";

/// What no output may contain: the keys in every form, and anything that looks like a signature.
fn forbidden() -> Vec<Vec<u8>> {
    let mut all = vec![NO_KEY.as_bytes().to_vec()];
    for key in [KEY, WRONG_KEY] {
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(key)
            .unwrap();
        let percent: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
        let without_padding = key.trim_end_matches('=');
        all.push(without_padding.as_bytes().to_vec());
        all.push(percent.into_bytes());
        all.push(hex(&bytes).into_bytes());
        all.push(format!("{bytes:?}").into_bytes());
        all.push(bytes);
    }
    for form in [
        "type=master",
        "type%3Dmaster",
        "type%3dmaster",
        "sig=",
        "sig%3D",
        "sig%3d",
        "AccountKey=",
    ] {
        all.push(form.as_bytes().to_vec());
    }
    all
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[track_caller]
fn assert_silent(what: &str, text: &[u8]) {
    for secret in forbidden() {
        let found = text
            .windows(secret.len())
            .position(|window| window == secret);
        if let Some(at) = found {
            let around = &text[at.saturating_sub(200)..(at + 100).min(text.len())];
            panic!(
                "{what} holds `{}`: …{}…",
                String::from_utf8_lossy(&secret),
                String::from_utf8_lossy(around)
            );
        }
    }
}

/// Runs a command at the highest verbosity and searches all of its output, which must not be empty.
#[track_caller]
pub(crate) fn listen(command: &mut Command) -> Ended {
    let ended = run(command.arg("-vvv"));
    let what = format!("{:?}", command.get_args().collect::<Vec<_>>());
    assert_silent(&what, ended.stdout.as_bytes());
    assert_silent(&what, ended.stderr.as_bytes());
    assert!(
        !ended.stdout.is_empty() || !ended.stderr.is_empty(),
        "{what}"
    );
    ended
}

#[track_caller]
pub(crate) fn look_at_files(directory: &Path) {
    let found = snapshot(directory);
    assert!(!found.is_empty());
    for (path, text) in found {
        assert_silent(&path.display().to_string(), &text);
    }
}

fn stranded(gateway: &Gateway, port: u16) -> Command {
    let mut command = against(gateway);
    command.env("AZURE_COSMOS_ENDPOINT", format!("http://127.0.0.1:{port}/"));
    command
}

#[test]
fn the_canary_would_be_noticed() {
    // The test searches for what is really sent: the header that signs each request.
    let header = crate::gateway::sign(
        KEY,
        "GET",
        "dbs",
        "dbs/shop",
        "thu, 01 jan 1970 00:00:00 gmt",
    );
    assert!(std::panic::catch_unwind(|| assert_silent("the header", header.as_bytes())).is_err());
    assert!(std::panic::catch_unwind(|| assert_silent("the key", KEY.as_bytes())).is_err());
}

#[test]
fn successful_runs_print_and_write_no_secret() {
    let (gateway, container) = filled(2, 200);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    for arguments in [
        &["ranges"][..],
        &["ranges", "--format", "json"],
        &["ls"],
        &["ls", "--format", "json"],
        &["profiles", "test"],
        &["profiles", "test", "--format", "json"],
        &["export", "-o", "-"],
    ] {
        let ended = listen(against(&gateway).args(arguments));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    assert_eq!(listen(&mut export(&gateway, &out)).code, Some(0));
    fill(&container, 200..300);
    let ended = listen(&mut resume(&gateway, &out));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("DEBUG"), "the SDK spoke too");
    let file = directory.path().join("all.jsonl");
    assert_eq!(
        listen(export(&gateway, &file).args(["--summary", "json"])).code,
        Some(0)
    );
    for format in ["csv", "parquet"] {
        let out = directory.path().join(format);
        let mut command = export(&gateway, &out);
        command.args(["--format", format, "--rotate-bytes", "4KiB"]);
        assert_eq!(listen(&mut command).code, Some(0));
        let ended = listen(against(&gateway).arg("verify").arg(&out));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    let changes = directory.path().join("changes.jsonl");
    for output in [Path::new("-"), &changes] {
        let mut command = against(&gateway);
        command.args(["tail", "--from", "beginning", "--until-caught-up", "-o"]);
        let ended = listen(command.arg(output));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    let ended = listen(against(&gateway).arg("schema"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    look_at_files(directory.path());
}

#[test]
fn a_profile_that_is_added_has_no_secret_outside_its_key_file() {
    let (gateway, _) = filled(1, 1);
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    for (name, arguments) in [("a", &[][..]), ("b", &["--store-key"][..])] {
        let mut command = against(&gateway);
        command
            .env("COSMOS_TAIL_CONFIG", &config)
            .args(["profiles", "add", name]);
        let ended = listen(command.args(arguments));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    let key = std::fs::read(directory.path().join("b.key")).unwrap();
    assert_eq!(key, KEY.as_bytes());
    std::fs::remove_file(directory.path().join("b.key")).unwrap();
    look_at_files(directory.path());
}

#[cfg(unix)]
#[test]
fn an_export_that_dies_or_fails_anywhere_leaves_no_secret() {
    for (number, step) in cosmos_tail::failpoint::STEPS.into_iter().enumerate() {
        let (gateway, _) = filled(2, 60);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let action = ["kill", "EIO"][number % 2];
        let mut command = export(&gateway, &out);
        command.args(["--page-size", "20"]);
        listen(command.env("COSMOS_TAIL_FAILPOINTS", format!("{step}=return({action})")));
        match state_directory(&out).join("state.json").exists() {
            true => listen(&mut resume(&gateway, &out)),
            false => listen(export(&gateway, &out).arg("--force")),
        };
        look_at_files(directory.path());
    }
}

#[test]
fn every_way_to_give_a_key_keeps_it() {
    let (gateway, _) = filled(1, 20);
    let directory = tempfile::tempdir().unwrap();
    let mut command = against(&gateway);
    command
        .env_remove("AZURE_COSMOS_KEY")
        .env_remove("AZURE_COSMOS_ENDPOINT");
    command.env(
        "AZURE_COSMOS_CONNECTION_STRING",
        gateway.connection_string(),
    );
    let ended = listen(command.arg("ranges"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    let file = directory.path().join("key");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let mut command = against(&gateway);
    command
        .env_remove("AZURE_COSMOS_KEY")
        .args(["ranges", "--key-file"])
        .arg(&file);
    let ended = listen(&mut command);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    let mut command = against(&gateway);
    command
        .env_remove("AZURE_COSMOS_KEY")
        .args(["ranges", "-vvv", "--key-file", "-"]);
    let mut child = spawn(command.stdin(Stdio::piped()));
    child
        .stdin
        .take()
        .unwrap()
        .write_all(KEY.as_bytes())
        .unwrap();
    let ended = wait(child);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_silent("with a key from standard input", ended.stderr.as_bytes());
}

#[test]
fn failed_runs_print_and_write_no_secret() {
    let (gateway, _) = filled(2, 200);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    for key in [WRONG_KEY, NO_KEY] {
        for arguments in [&["ranges"][..], &["export", "-o", "-"]] {
            let ended = listen(
                against(&gateway)
                    .env("AZURE_COSMOS_KEY", key)
                    .args(arguments),
            );
            assert!(matches!(ended.code, Some(1 | 2)), "{}", ended.stderr);
        }
        let file = directory.path().join("key");
        std::fs::write(&file, key).unwrap();
        let mut command = against(&gateway);
        command
            .env_remove("AZURE_COSMOS_KEY")
            .args(["ranges", "--key-file"])
            .arg(&file);
        listen(&mut command);
        std::fs::remove_file(file).unwrap();
        let string = format!(
            "AccountEndpoint={};AccountKey={key};Database=shop",
            gateway.endpoint()
        );
        // As it should be given, cut short, and where it does not belong.
        for (variable, value) in [
            ("AZURE_COSMOS_CONNECTION_STRING", string.clone()),
            (
                "AZURE_COSMOS_CONNECTION_STRING",
                string.replace("AccountEndpoint=", "Endpoint "),
            ),
            ("AZURE_COSMOS_ENDPOINT", string.clone()),
            ("AZURE_COSMOS_KEY", string.clone()),
            (
                "AZURE_COSMOS_ENDPOINT",
                gateway
                    .endpoint()
                    .replace("http://", &format!("http://user:{NO_KEY}@")),
            ),
        ] {
            let mut command = against(&gateway);
            command.env_remove("AZURE_COSMOS_KEY").env(variable, value);
            let ended = run(command.args(["ranges", "-vvv"]));
            assert!(
                matches!(ended.code, Some(1 | 2)),
                "{variable}: {}",
                ended.stderr
            );
            // The name of the field may be shown, but not its value.
            let told = ended.stderr.replace("AccountKey=…", "");
            assert_silent(variable, told.as_bytes());
        }
    }
    listen(
        against(&gateway)
            .env("AZURE_COSMOS_CONTAINER", "nowhere")
            .arg("ranges"),
    );
    listen(
        against(&gateway)
            .env("AZURE_COSMOS_DATABASE", "nowhere")
            .arg("ranges"),
    );
    for greeting in [
        "SSH-2.0\r\n",
        "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
    ] {
        listen(stranded(&gateway, stranger(greeting)).arg("ranges"));
    }
    for action in [
        Action::status(401, 0),
        Action::status(503, 0),
        Action::ResetBeforeHeaders,
        Action::CorruptBody,
    ] {
        let fault = Fault::on(RequestKind::ChangeFeed, action);
        gateway.push_fault(fault.partition("1").nth(3).always());
        let ended = listen(export(&gateway, &out).args([
            "--force",
            "--page-size",
            "20",
            "--max-retries",
            "1",
        ]));
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        listen(resume(&gateway, &out).args(["--max-retries", "0"]));
        look_at_files(&out);
        look_at_files(&crate::command::state_directory(&out));
        gateway.clear_faults();
    }
    let state = state_directory(&out).join("state.json");
    let text = std::fs::read(&state).unwrap();
    std::fs::write(&state, &text[..text.len() / 2]).unwrap();
    listen(&mut resume(&gateway, &out));
}

#[test]
fn help_and_completions_do_not_show_the_environment() {
    let (gateway, _) = filled(1, 1);
    for arguments in [
        &["--help"][..],
        &["export", "--help"],
        &["resume", "--help"],
        &["ranges", "--help"],
        &["tail", "--help"],
        &["schema", "--help"],
        &["verify", "--help"],
        &["profiles"],
        &["completions", "bash"],
        &["export", "--nonsense"],
    ] {
        let ended = run(against(&gateway).args(arguments));
        assert_silent(&format!("{arguments:?}"), ended.stdout.as_bytes());
        assert_silent(&format!("{arguments:?}"), ended.stderr.as_bytes());
    }
}

#[cfg(feature = "demo")]
#[test]
fn the_embedded_account_does_not_show_values_meant_for_another() {
    let (gateway, _) = filled(1, 1);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = listen(against(&gateway).args(["--demo", "export", "-o"]).arg(&out));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut command = cosmos_tail();
    let ended = listen(command.args(["--demo", "ranges"]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    look_at_files(&out);
    look_at_files(&crate::command::state_directory(&out));
    assert_eq!(gateway.total_requests(), 0);
}

/// A core dump would contain the key.
#[cfg(target_os = "linux")]
#[test]
fn no_core_dump_is_left_unless_it_is_asked_for() {
    use std::os::unix::process::ExitStatusExt;

    use crate::bad_input::through_shell;
    use crate::gateway::Hold;

    let (gateway, _) = filled(1, 1);
    let hold = Hold::new();
    gateway.push_fault(Fault::on(RequestKind::Account, Action::Hold(hold.clone())).always());
    let directory = tempfile::tempdir().unwrap();
    for (allowed, expected) in [(false, "0"), (true, "unlimited")] {
        let mut command = against(&gateway);
        command.arg("ranges");
        if allowed {
            command.env("COSMOS_TAIL_CORE_DUMPS", "1");
        }
        // The hard limit may be lower; then there is nothing to see.
        let script = "ulimit -c unlimited || exit 77; exec \"$0\" \"$@\"";
        let mut shell = through_shell(&command, script);
        let before = gateway.requests(RequestKind::Account);
        let mut child = spawn(shell.current_dir(directory.path()));
        if !allowed && child.try_wait().unwrap().and_then(|s| s.code()) == Some(77) {
            return;
        }
        gateway.wait_for(RequestKind::Account, before + 1);
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        let core = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max core file size"))
            .unwrap();
        assert_eq!(core.split_whitespace().next(), Some(expected), "{limits}");
        crate::command::signal(&child, nix::sys::signal::Signal::SIGSEGV);
        let status = child.wait_with_output().unwrap().status;
        // Only this shows that the process may be dumped, where the system makes dumps.
        assert!(allowed || !status.core_dumped());
    }
    hold.release();
}

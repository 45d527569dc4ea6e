//! Everything that reaches a terminal: names, answers and files of others contain escape sequences,
//! bidirectional overrides and line feeds, and none of them gets through in any way.

use std::io::Read;
use std::path::Path;
use std::process::Command;

use crate::command::{
    CONTAINER, DATABASE, Ended, against, cosmos_tail, export, files, resume, run, state_directory,
    succeed, verify,
};
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, RequestKind};
use crate::orders::{fill, filled};

/// Moves the cursor, colours by a C1 control, turns text around, and begins lines that look like ours.
const HOSTILE: &str = "x\x1b[2J\u{9b}31m\u{202e}\u{7f}\u{feff}\nhint: run this\r\nerror: no\ty";
/// The same as it is shown.
const SHOWN: &str = "x\\u{1b}[2J\\u{9b}31m\\u{202e}\\u{7f}\\u{feff}\\u{a}hint: run this\\u{d}\\u{a}error: \
    no\\u{9}y";
/// The same within JSON.
const IN_JSON: &str =
    "x\\u001b[2J\\u009b31m\\u202e\\u007f\\ufeff\\nhint: run this\\r\\nerror: no\\ty";
/// The part of it that the name of a container may have.
const TURNED: &str = "a\u{202e}b\u{200f}";

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
        )
        || ('\u{2028}'..='\u{202e}').contains(&c)
        || ('\u{2060}'..='\u{2069}').contains(&c)
}

/// Asserts that a text has only lines, and no other character that a terminal could take for a command.
#[track_caller]
fn assert_clean(text: &str) {
    if let Some(at) = text.find(|c| c != '\n' && is_unsafe(c)) {
        panic!("{:?} at {at} of {text:?}", text[at..].chars().next());
    }
}

#[track_caller]
fn assert_says(ended: &Ended, code: i32, stderr: &str) {
    assert_eq!(ended.stderr, stderr);
    assert_eq!(ended.code, Some(code));
    assert_clean(&ended.stderr);
    assert_clean(&ended.stdout);
}

/// The same command with a terminal for its output: the output, and its exit code.
#[cfg(unix)]
fn on_a_terminal(command: &mut Command) -> (String, Option<i32>) {
    on_a_terminal_of(None, command.env("TERM", "xterm"))
}

/// The same with a terminal of this width.
#[cfg(unix)]
pub(crate) fn on_a_terminal_of(
    columns: Option<u16>,
    command: &mut Command,
) -> (String, Option<i32>) {
    use std::process::Stdio;
    let size = columns.map(|columns| nix::pty::Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    });
    let pty = nix::pty::openpty(size.as_ref(), None).unwrap();
    let stderr = Stdio::from(pty.slave.try_clone().unwrap());
    let mut child = command
        .stdout(Stdio::from(pty.slave))
        .stderr(stderr)
        .spawn()
        .unwrap();
    // Otherwise the command keeps this process's ends of the terminal open.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut said = Vec::new();
    let mut master = std::fs::File::from(pty.master);
    let mut block = [0; 4096];
    // On Linux, the end of a terminal without a process is an error.
    while let Ok(read @ 1..) = master.read(&mut block) {
        said.extend_from_slice(&block[..read]);
    }
    let code = child.wait().unwrap().code();
    (String::from_utf8(said).unwrap().replace("\r\n", "\n"), code)
}

/// The same without what our own progress line is drawn with.
#[cfg(unix)]
fn without_progress(said: &str) -> String {
    let mut text = String::new();
    let mut rest = said;
    while let Some(at) = rest.find(['\x1b', '\r']) {
        text.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = match rest[at..].starts_with("\x1b[") {
            true => {
                let end = after.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                &after[end + 1..]
            }
            false => after,
        };
    }
    text + rest
}

/// An export whose manifest lists a file of that name beside its own.
fn with_manifest_of(name: &str) -> tempfile::TempDir {
    let (gateway, _) = filled(1, 3);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let manifest = state_directory(&out).join("manifest.ndjson");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let mut entry: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    entry["file"] = name.into();
    std::fs::write(&manifest, format!("{entry}\n")).unwrap();
    directory
}

#[test]
fn file_names_in_a_manifest_are_escaped() {
    let (gateway, _) = filled(1, 1);
    let directory = with_manifest_of(HOSTILE);
    let out = directory.path().join("out");
    // The state has the checksum of the manifest.
    std::fs::remove_file(state_directory(&out).join("state.json")).unwrap();
    let mut command = against(&gateway);
    command.arg("replay").arg(&out).args(["-c", "copy"]);
    let ended = run(&mut command);
    assert_says(
        &ended,
        1,
        &format!(
            "error: the manifest `{}`: line 1: `{}` is not a name of this export's files\n\
             hint: it was changed after the export: restore it, or name the files themselves, in the order in \
             which to apply them\n",
            state_directory(&out).join("manifest.ndjson").display(),
            HOSTILE.escape_debug()
        ),
    );
    #[cfg(unix)]
    assert_eq!(on_a_terminal(&mut command), (ended.stderr, ended.code));
}

#[test]
fn verify_names_files_without_terminal_commands() {
    // As long in JSON as the name that it replaces, so that the manifest's length is right.
    let name = "\nhint: ru\u{202e}\u{9b}\u{7f}\x1bxyz";
    let directory = with_manifest_of(name);
    let out = directory.path().join("out");
    let renamed = directory
        .path()
        .join(if cfg!(unix) { HOSTILE } else { TURNED });
    std::fs::rename(&out, &renamed).unwrap();
    std::fs::rename(state_directory(&out), state_directory(&renamed)).unwrap();
    for arguments in [&[][..], &["--strict"]] {
        let ended = verify(&renamed, arguments);
        assert_eq!(ended.code, Some(1));
        let all = ended.stdout.clone() + &ended.stderr;
        assert_clean(&all);
        assert!(
            !all.lines().any(|line| line.starts_with("hint: ru")),
            "{all}"
        );
        assert!(ended.stderr.contains("\\u{202e}"), "{}", ended.stderr);
    }
    let ended = verify(&renamed, &["--format", "json"]);
    assert_clean(&ended.stdout);
    assert_eq!(ended.stdout.lines().count(), 1);
    let found: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let state = state_directory(&renamed).join("state.json");
    assert_eq!(found["state"], state.to_str().unwrap());
}

#[cfg(unix)]
#[test]
fn the_name_of_an_output_is_escaped_and_quoted_in_commands() {
    let (gateway, container) = filled(1, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join(HOSTILE);
    let shown = format!("{}/{SHOWN}", directory.path().display());
    let ended = succeed(&mut export(&gateway, &out));
    assert_clean(&ended.stderr);
    let said = ended.stderr.lines().next().unwrap();
    let begin = "exported 100 documents (";
    assert!(said.starts_with(begin) && said.contains(&shown), "{said}");
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    // On a terminal, beside a progress line.
    fill(&container, 100..200);
    let (said, code) = on_a_terminal(&mut resume(&gateway, &out));
    let said = without_progress(&said);
    assert_eq!(code, Some(0), "{said}");
    assert_clean(&said);
    assert!(said.contains(&format!("to {shown}")), "{said}");
    // As JSON it is one line of JSON, with the value that it had.
    let mut command = resume(&gateway, &out);
    let ended = succeed(command.args(["--summary", "json"]));
    assert_clean(&ended.stderr);
    let summary: serde_json::Value = serde_json::from_str(ended.stderr.trim_end()).unwrap();
    let state = state_directory(&out).join("state.json");
    assert_eq!(summary["state"], state.to_str().unwrap());
    assert!(ended.stderr.contains(IN_JSON), "{}", ended.stderr);
    // The command in a hint can be run.
    let ended = run(&mut export(&gateway, &out));
    assert_eq!(ended.code, Some(2));
    assert_clean(&ended.stderr);
    let quoted = format!(
        "$'{}/_x\\033[2J\\302\\23331m\\342\\200\\256\\177\\357\\273\\277\\012hint: run this\\015\\012error: \
         no\\011y.cosmos-tail/state.json'",
        directory.path().display()
    );
    assert_eq!(
        ended.stderr,
        format!(
            "error: `{}/_{SHOWN}.cosmos-tail/state.json` holds the state of an export\nhint: to continue it, run: cosmos-tail \
             resume --state {quoted}; to replace it, add --force\n",
            directory.path().display()
        )
    );
    let script = format!("exec \"$0\" resume --state {quoted}");
    let plain = resume(&gateway, &out);
    let mut shell = Command::new("bash");
    shell
        .arg("-c")
        .arg(script)
        .arg(plain.get_program())
        .env_clear();
    for (name, value) in plain.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    assert_eq!(run(&mut shell).code, Some(0));
}

#[test]
fn a_command_to_copy_is_quoted_for_a_shell() {
    let (gateway, _) = filled(1, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out, it's $HOME");
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::status(403, 0))
            .nth(2)
            .always(),
    );
    let ended = run(export(&gateway, &out).args(["--page-size", "20"]));
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let hint = ended.stderr.lines().last().unwrap();
    let quote = if cfg!(windows) { "\"" } else { "'" };
    let path = state_directory(&out)
        .join("state.json")
        .display()
        .to_string();
    let path = match cfg!(windows) {
        true => path,
        false => path.replace('\'', r"'\''"),
    };
    assert_eq!(
        hint,
        format!(
            "hint: what was committed is kept; once the cause is fixed, run: cosmos-tail resume --state \
             {quote}{path}{quote}"
        )
    );
}

#[test]
fn names_with_bidirectional_controls_are_escaped() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(TURNED, TURNED, "/pk", 1);
    container.upsert(serde_json::json!({"id": "1", "pk": "1"}));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let named = |mut command: Command| {
        command.env("AZURE_COSMOS_DATABASE", TURNED);
        command.env("AZURE_COSMOS_CONTAINER", TURNED);
        command
    };
    let ended = succeed(&mut named(export(&gateway, &out)));
    assert_clean(&ended.stderr);
    let of = "from a\\u{202e}b\\u{200f}/a\\u{202e}b\\u{200f} to";
    assert!(ended.stderr.contains(of), "{}", ended.stderr);
    let mut command = named(resume(&gateway, &out));
    let ended = succeed(command.args(["--summary", "json"]));
    assert_clean(&ended.stderr);
    let summary: serde_json::Value = serde_json::from_str(ended.stderr.trim_end()).unwrap();
    assert_eq!(summary["container"], TURNED);
    let mut command = named(against(&gateway));
    let ended = succeed(command.args(["tail", "--from", "beginning", "--until-caught-up"]));
    assert_clean(&ended.stderr);
    let mut command = named(against(&gateway));
    command.env("AZURE_COSMOS_CONTAINER", format!("no{TURNED}"));
    let ended = run(command.arg("ranges"));
    assert_says(
        &ended,
        1,
        "error: cannot open container `noa\\u{202e}b\\u{200f}` of database `a\\u{202e}b\\u{200f}`\n  Caused \
         by: there is no container `noa\\u{202e}b\\u{200f}` in the database `a\\u{202e}b\\u{200f}`\nhint: did \
         you mean `a\\u{202e}b\\u{200f}`? the containers are: a\\u{202e}b\\u{200f}; name one with -c \
         (AZURE_COSMOS_CONTAINER)\n",
    );
}

#[test]
fn text_of_a_server_is_escaped() {
    let (gateway, _) = filled(1, 10);
    // Control characters are removed from text of the service, and other characters are shown.
    let message = "bad \x1b[2J\u{9b}31m \u{202e}txt\nhint: run this\r\nerror: no";
    let told = "bad [2J 31m \\u{202e}txt hint: run this error: no";
    let fault = Action::Refuse {
        status: 400,
        message,
    };
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, fault.clone()).always());
    let mut command = against(&gateway);
    command.args(["export", "-o", "-", "--max-retries", "0"]);
    let ended = run(&mut command);
    assert_clean(&ended.stderr);
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert_eq!(
        ended.stderr.matches("\nerror: ").count(),
        1,
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("\nhint: run"), "{}", ended.stderr);
    #[cfg(unix)]
    {
        let (said, code) = on_a_terminal(&mut command);
        let said = without_progress(&said);
        assert_clean(&said);
        assert!(said.contains(told) && code == ended.code, "{said}");
    }
    // The SDK's log consists of lines too: logged text of an answer begins none.
    gateway.push_fault(Fault::on(RequestKind::Container, fault).always());
    let mut command = against(&gateway);
    let ended = run(command.args(["ranges", "-vvv"]));
    assert_clean(&ended.stderr);
    assert!(ended.stderr.contains("DEBUG"), "{}", ended.stderr);
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let hints = lines.iter().filter(|line| line.starts_with("hint: "));
    assert_eq!(hints.count(), 1, "{}", ended.stderr);
    let errors = lines.iter().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn the_bar_of_a_replay_measures_what_is_applied() {
    use crate::gateway::{Action, Fault, RequestKind};
    use std::time::Duration;

    let (gateway, _) = filled(1, 12);
    let directory = tempfile::tempdir().unwrap();
    for (number, arguments) in [
        &["--format", "jsonl"][..],
        &["--format", "jsonl", "--compression", "zstd"],
        &["--format", "csv", "--compression", "gzip"],
        &["--format", "parquet"],
    ]
    .into_iter()
    .enumerate()
    {
        let copy = format!("copy-{number}");
        gateway.create_container(DATABASE, &copy, "/pk", 1);
        let out = directory.path().join(&copy);
        succeed(export(&gateway, &out).args(arguments));
        gateway.push_fault(
            Fault::on(
                RequestKind::ItemWrite,
                Action::Delay(Duration::from_millis(150)),
            )
            .always(),
        );
        let mut command = against(&gateway);
        command
            .env("AZURE_COSMOS_CONTAINER", &copy)
            .arg("replay")
            .arg(&out);
        let (said, code) = on_a_terminal(command.args(["--concurrency", "1", "--batch-size", "1"]));
        gateway.clear_faults();
        assert_eq!(code, Some(0), "{said}");
        let shown: Vec<u32> = said
            .match_indices('%')
            .filter_map(|(at, _)| {
                let digits = said[..at].rsplit(|c: char| !c.is_ascii_digit()).next()?;
                digits.parse().ok()
            })
            .collect();
        assert!(
            shown.iter().any(|percent| (1..100).contains(percent)),
            "{arguments:?}: {said}"
        );
        assert!(
            shown.first().is_some_and(|first| *first < 50),
            "{arguments:?}: {shown:?}"
        );
        assert!(shown.is_sorted(), "{arguments:?}: {shown:?}");
    }
}

#[cfg(unix)]
#[test]
fn documents_that_go_to_a_terminal_keep_their_values() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 1);
    // JSON escapes only some of it by itself.
    container.upsert(serde_json::json!({"id": "1", "pk": "1", "text": HOSTILE}));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("all.jsonl");
    succeed(&mut export(&gateway, &file));
    let exported: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let mut replay = cosmos_tail();
    replay.arg("replay").arg(&file).arg("--stdout");
    let mut plain = against(&gateway);
    plain.args(["export", "-o", "-", "-q"]);
    for mut command in [replay, plain] {
        let ended = succeed(&mut command);
        assert!(ended.stdout.contains('\u{202e}'), "data is what it was");
        let (said, code) = on_a_terminal(&mut command);
        assert_eq!(code, Some(0), "{said}");
        assert_clean(&said);
        assert!(said.contains(&format!("\"{IN_JSON}\"")), "{said}");
        let shown: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(shown["text"], exported["text"]);
    }
    let mut command = against(&gateway);
    command.args([
        "export",
        "-o",
        "-",
        "-q",
        "--format",
        "csv",
        "--columns",
        "id,text",
    ]);
    let (said, code) = on_a_terminal(&mut command);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("\\u001b[2J\\u009b31m\\u202e\\u007f"),
        "{said}"
    );
    // Data has tabs.
    assert_clean(&said.replace(['\r', '\t'], ""));
}

#[test]
fn ids_of_partitions_are_escaped() {
    let (gateway, container) = filled(1, 1);
    let id = format!("0{TURNED}\x1b[31m\n");
    let body = serde_json::json!({"_rid": container.rid(), "_count": 1, "PartitionKeyRanges": [
        {"id": id, "_rid": "a", "minInclusive": "", "maxExclusive": "FF", "parents": [], "status": "online"}
    ]});
    let body = Action::ReplaceBody(body.to_string().into());
    gateway.push_fault(Fault::on(RequestKind::PartitionKeyRanges, body).always());
    let ended = succeed(against(&gateway).arg("ranges"));
    assert_clean(&ended.stdout);
    assert_eq!(ended.stdout.lines().count(), 2, "{}", ended.stdout);
    let shown = "0a\\u{202e}b\\u{200f}\\u{1b}[31m\\u{a}";
    assert!(ended.stdout.contains(shown), "{}", ended.stdout);
    let ended = succeed(against(&gateway).args(["ranges", "--format", "json"]));
    assert_clean(&ended.stdout);
    let rows: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(rows[0]["partition_key_range_id"], id);
}

#[test]
fn a_configuration_is_named_and_listed_without_commands() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c.toml");
    let quoted = format!("\"{IN_JSON}\"");
    std::fs::write(
        &file,
        format!("[profiles.{quoted}]\nendpoint = 'emulator'\nkey-command = [{quoted}]\n"),
    )
    .unwrap();
    let configured = |arguments: &[&str]| {
        let mut command = cosmos_tail();
        command.env("COSMOS_TAIL_CONFIG", &file).args(arguments);
        run(&mut command)
    };
    let ended = configured(&["profiles"]);
    assert_clean(&ended.stdout);
    assert_clean(&ended.stderr);
    // Names of profiles have no control characters; the file is refused.
    if ended.code == Some(0) {
        assert_eq!(ended.stdout.lines().count(), 2, "{}", ended.stdout);
        let ended = configured(&["profiles", "--format", "json"]);
        assert_clean(&ended.stdout);
        serde_json::from_str::<serde_json::Value>(&ended.stdout).unwrap();
    }
    std::fs::write(&file, format!("{quoted} = 1\n")).unwrap();
    let ended = configured(&["profiles"]);
    assert_eq!(ended.code, Some(2));
    assert_clean(&ended.stderr);
    assert_eq!(
        ended
            .stderr
            .lines()
            .filter(|line| line.starts_with("hint: "))
            .count(),
        1
    );
    assert!(ended.stderr.contains("\\u{1b}[2J"), "{}", ended.stderr);
    let ended = configured(&["ranges", "--profile", HOSTILE]);
    assert_eq!(ended.code, Some(2));
    assert_clean(&ended.stderr);
}

#[test]
fn a_state_and_a_schema_are_repeated_without_commands() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let path = state_directory(&out).join("state.json");
    let mut state = cosmos_tail::state::file::load(&path).unwrap();
    state.source.container = HOSTILE.to_owned();
    state.source.container_rid = HOSTILE.to_owned();
    std::fs::write(&path, cosmos_tail::state::file::render(&state).unwrap()).unwrap();
    let ended = run(&mut resume(&gateway, &out));
    assert_ne!(ended.code, Some(0));
    assert_clean(&ended.stderr);
    assert!(ended.stderr.contains("\\u{1b}[2J"), "{}", ended.stderr);
    assert!(
        !ended.stderr.contains("\nhint: run this"),
        "{}",
        ended.stderr
    );

    let schema = directory.path().join("schema");
    std::fs::write(&schema, format!("{}\n", HOSTILE.replace(['\n', '\r'], " "))).unwrap();
    let mut command = export(&gateway, &directory.path().join("other"));
    let ended = run(command.args(["--format", "csv", "--schema"]).arg(&schema));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert_clean(&ended.stderr);
}

#[test]
fn a_schema_that_is_printed_reads_back_as_what_it_was() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 1);
    container.upsert(serde_json::json!({"id": "1", "pk": "1", HOSTILE: 1}));
    let ended = succeed(against(&gateway).arg("schema"));
    assert_clean(&ended.stdout);
    assert!(
        ended.stdout.contains(&format!("\"{IN_JSON}\" int64\n")),
        "{}",
        ended.stdout
    );
    let directory = tempfile::tempdir().unwrap();
    let schema = directory.path().join("schema");
    std::fs::write(&schema, &ended.stdout).unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    succeed(command.args(["--format", "csv", "--schema"]).arg(&schema));
    let text = std::fs::read_to_string(&files(&out, "csv")[0]).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.ends_with("attachments/,,\r\n"), "{text}");
}

#[test]
fn arguments_are_repeated_without_terminal_commands() {
    let usage =
        "\n\nUsage: cosmos-tail [OPTIONS] <COMMAND>\n\nFor more information, try '--help'.\n";
    let mut command = cosmos_tail();
    command.arg(format!("--{HOSTILE}"));
    let said = format!("error: unexpected argument '--{SHOWN}' found{usage}");
    assert_says(&run(&mut command), 2, &said);
    // What clap lays out in colours on a terminal has no colours of others.
    #[cfg(unix)]
    {
        let (said, code) = on_a_terminal(&mut command);
        assert_eq!(code, Some(2));
        assert!(
            said.contains("\x1b[1m") && !said.contains("\x1b[2J"),
            "{said:?}"
        );
        let said = without_progress(&said);
        assert_clean(&said);
        assert!(said.contains(&format!("'--{SHOWN}'")), "{said}");
    }
    for arguments in [
        &["export", "-o", "-", "--page-size", HOSTILE][..],
        &["export", "-o", "-", "--format", HOSTILE],
        &[HOSTILE],
        &["ranges", HOSTILE],
        &["export", "-o", "-", "--since", HOSTILE],
        &["tail", "--jq", HOSTILE],
        &["tail", "--fields", HOSTILE],
        &["export", "-o", "-", "--endpoint", HOSTILE],
        &[
            "export",
            "-o",
            "-",
            "-d",
            HOSTILE,
            "-c",
            "c",
            "--endpoint",
            "a.b",
        ],
        &[
            "ranges",
            "--key-file",
            HOSTILE,
            "--endpoint",
            "a.b",
            "-d",
            "d",
            "-c",
            "c",
        ],
        &["verify", HOSTILE],
        &["replay", HOSTILE],
        &["resume", "--state", HOSTILE],
    ] {
        let ended = run(cosmos_tail().args(arguments));
        assert_clean(&ended.stderr);
        assert!(matches!(ended.code, Some(1 | 2)), "{}", ended.stderr);
        let forged = ended
            .stderr
            .lines()
            .any(|line| line.starts_with("hint: run this"));
        assert!(!forged, "{}", ended.stderr);
        let errors = ended
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), 1, "{}", ended.stderr);
    }
}

#[test]
fn a_wrong_program_is_shown_in_escaped_lines() {
    let ended = run(cosmos_tail().args(["tail", "--jq", ".a | \n  .b\u{202e} | )"]));
    assert_clean(&ended.stderr);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(
        ended.stderr.starts_with("error: --jq: "),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("\n      .b\\u{202e}"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_panic_is_reported_without_terminal_commands() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    let message = HOSTILE.replace(['(', ')'], "");
    command.env(
        "COSMOS_TAIL_FAILPOINTS",
        format!("state.write=panic({message})"),
    );
    let ended = run(&mut command);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_clean(&ended.stderr);
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let first = lines[0];
    assert!(
        first.starts_with("thread '") && first.ends_with(SHOWN),
        "{first}"
    );
    let begins: Vec<&str> = lines[1..]
        .iter()
        .map(|line| line.split_once(": ").unwrap().0)
        .collect();
    assert_eq!(
        begins,
        ["note", "error", "  Caused by", "hint"],
        "{}",
        ended.stderr
    );
}

#[test]
fn a_file_name_does_not_become_an_argument() {
    // A shell expands `*` to the content of a directory.
    let directory = tempfile::tempdir().unwrap();
    let name = format!("-{HOSTILE}");
    let path: &Path = directory.path();
    std::fs::write(path.join(&name), "").unwrap();
    let mut command = cosmos_tail();
    let ended = run(command.current_dir(path).args(["verify", &name]));
    assert_eq!(ended.code, Some(2));
    assert_clean(&ended.stderr);
}

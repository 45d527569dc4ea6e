//! Exports of a container on the scripted gateway, by the real binary.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::command::{
    CONTAINER, DATABASE, against, assert_latest, assert_same, export, fail, files, lines, lines_of,
    resume, run, spawn, split_lines, state_directory, succeed, wait,
};
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, RequestKind};
use crate::orders::{document, fill, filled};

/// The summary that a run printed as JSON.
pub(crate) fn summary(ended: &crate::command::Ended) -> Value {
    let line = ended
        .stderr
        .lines()
        .find(|line| line.starts_with("{\"outcome\""))
        .expect("a summary");
    serde_json::from_str(line).unwrap()
}

#[test]
fn an_export_has_every_document_once_and_byte_for_byte() {
    let (gateway, container) = filled(4, 1000);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = succeed(export(&gateway, &out).args(["--page-size", "50"]));
    assert!(ended.stdout.is_empty(), "{}", ended.stdout);
    assert!(
        ended.stderr.contains("exported 1,000 documents"),
        "{}",
        ended.stderr
    );
    assert_latest(&lines(&out), &container);
    assert_eq!(files(&out, "jsonl").len(), 4);
    assert!(files(&state_directory(&out), "open").is_empty());
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn a_single_file_holds_all_ranges() {
    let (gateway, container) = filled(4, 500);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("all.jsonl");
    succeed(&mut export(&gateway, &out));
    assert_latest(&lines_of(&out), &container);
    let mut names: Vec<String> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "all.jsonl",
            "all.jsonl.container.json",
            "all.jsonl.manifest.ndjson",
            "all.jsonl.state.json",
            "all.jsonl.state.json.lock"
        ]
    );
    // Later changes go to another file: a finished file is never changed.
    fill(&container, 500..600);
    succeed(
        against(&gateway)
            .args(["resume", "--state"])
            .arg(directory.path().join("all.jsonl.state.json")),
    );
    let mut both = lines_of(&out);
    both.extend(lines_of(&directory.path().join("all.000002.jsonl")));
    assert_latest(&both, &container);
}

#[test]
fn standard_output_gets_nothing_but_documents() {
    let (gateway, container) = filled(3, 500);
    let ended = succeed(&mut export(&gateway, Path::new("-")));
    assert_latest(&split_lines(ended.stdout.as_bytes()), &container);
}

#[test]
fn an_empty_container_makes_a_state_and_no_files() {
    let (gateway, container) = filled(2, 0);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    assert!(files(&out, "jsonl").is_empty());
    fill(&container, 0..10);
    succeed(&mut resume(&gateway, &out));
    assert_latest(&lines(&out), &container);
}

#[test]
fn an_export_ends_although_writes_go_on() {
    for until in ["head", "pin"] {
        let (gateway, container) = filled(1, 1000);
        // Every page that is read causes a new document: an export that waited for a quiet feed would never end.
        let writer = container.clone();
        let number = std::sync::atomic::AtomicUsize::new(1000);
        let write = Action::call(move || {
            let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            writer.upsert(document(number));
        });
        gateway.push_fault(Fault::on(RequestKind::ChangeFeed, write).always());
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let before = container.latest();
        succeed(export(&gateway, &out).args(["--page-size", "10", "--until", until]));
        let found = lines(&out);
        for served in &before {
            assert!(
                found.iter().any(|line| line == served.text.as_ref()),
                "{} is missing",
                served.id
            );
        }
        let is_whole = found.len() == container.latest().len();
        assert_eq!(is_whole, until == "head", "{until}");
    }
}

#[test]
fn a_finished_export_resumes_as_an_increment() {
    let (gateway, container) = filled(4, 1000);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let first = files(&out, "jsonl");
    let texts: Vec<Vec<u8>> = first
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    fill(&container, 1000..1100);
    let ended = succeed(resume(&gateway, &out).args(["--summary", "json"]));
    assert_eq!(summary(&ended)["documents"], 100);
    assert_latest(&lines(&out), &container);
    for (path, text) in first.iter().zip(&texts) {
        assert!(
            std::fs::read(path).unwrap() == *text,
            "{} was touched again",
            path.display()
        );
    }
    // And once more, with nothing new.
    let ended = succeed(resume(&gateway, &out).args(["--summary", "json"]));
    assert_eq!(
        (&summary(&ended)["documents"], &summary(&ended)["files"]),
        (&json!(0), &json!(0))
    );
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn the_manifest_lists_every_finished_file_once() {
    let (gateway, container) = filled(3, 600);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    fill(&container, 600..900);
    succeed(&mut resume(&gateway, &out));
    let manifest = std::fs::read_to_string(state_directory(&out).join("manifest.ndjson")).unwrap();
    let entries: Vec<Value> = manifest
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut listed: Vec<_> = entries
        .iter()
        .map(|entry| out.join(entry["file"].as_str().unwrap()))
        .collect();
    listed.sort();
    assert_eq!(listed, files(&out, "jsonl"));
    for entry in &entries {
        let text = std::fs::read(out.join(entry["file"].as_str().unwrap())).unwrap();
        assert_eq!(entry["bytes"], text.len());
        assert_eq!(entry["rows"], split_lines(&text).len());
        assert_eq!(entry["crc32c"], format!("{:08x}", crc32c::crc32c(&text)));
    }
}

#[test]
fn from_now_has_only_later_changes() {
    let (gateway, container) = filled(4, 500);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    let child = spawn(command.args(["--from", "now", "--follow", "--poll-interval", "10ms"]));
    // Every range has been polled from its pinned position.
    gateway.wait_until("a poll of every range", |records| {
        let polled: std::collections::BTreeSet<_> = records
            .iter()
            .filter(|record| record.kind == RequestKind::ChangeFeed)
            .filter(|record| record.token.as_deref().is_some_and(|token| token != "*"))
            .map(|record| record.partition.clone())
            .collect();
        polled.len() == 4
    });
    fill(&container, 500..700);
    gateway.wait_until_caught_up(&container);
    crate::command::interrupt(&child);
    let ended = wait(child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("cosmos-tail resume --state"),
        "{}",
        ended.stderr
    );
    let expected: Vec<Vec<u8>> = container
        .latest()
        .iter()
        .filter(|served| served.id["item-".len()..].parse::<usize>().unwrap() >= 500)
        .map(|served| served.text.to_vec())
        .collect();
    assert_same(&lines(&out), &expected);
}

#[test]
fn an_export_that_followed_can_be_resumed_to_its_end() {
    let (gateway, container) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let child = spawn(export(&gateway, &out).args(["--follow", "--poll-interval", "10ms"]));
    gateway.wait_until_caught_up(&container);
    crate::command::interrupt(&child);
    assert_eq!(wait(child).code, Some(130));
    fill(&container, 100..150);
    succeed(resume(&gateway, &out).arg("--no-follow"));
    assert_latest(&lines(&out), &container);
}

#[test]
fn from_a_time_has_later_changes() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    gateway.set_time(1_700_000_000);
    fill(&container, 0..100);
    gateway.advance_time(100);
    fill(&container, 100..150);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(export(&gateway, &out).args(["--from", "2023-11-14T22:14:00Z", "--page-size", "7"]));
    let expected: Vec<Vec<u8>> = container
        .latest()
        .iter()
        .filter(|served| served.time > 1_700_000_040)
        .map(|served| served.text.to_vec())
        .collect();
    assert_eq!(expected.len(), 50);
    assert_same(&lines(&out), &expected);
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn an_interrupted_export_commits_and_can_be_resumed() {
    let (gateway, container) = filled(2, 1000);
    let hold = crate::gateway::Hold::new();
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()))
            .partition("0")
            .page(6),
    );
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let child = spawn(export(&gateway, &out).args(["--page-size", "50"]));
    hold.wait_until_reached();
    crate::command::interrupt(&child);
    let ended = wait(child);
    hold.release();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("interrupted after"),
        "{}",
        ended.stderr
    );
    let state = state_directory(&out).join("state.json");
    assert!(
        ended
            .stderr
            .contains(&format!("cosmos-tail resume --state {}", state.display())),
        "{}",
        ended.stderr
    );
    succeed(&mut resume(&gateway, &out));
    assert_latest(&lines(&out), &container);
    // Committed pages are not read again.
    let first_pages = |record: &&crate::gateway::RequestRecord| {
        record.partition.as_deref() == Some("0") && record.token.is_none()
    };
    assert_eq!(gateway.request_log().iter().filter(first_pages).count(), 1);
}

#[test]
fn a_range_that_fails_for_good_does_not_stop_the_others() {
    let (gateway, container) = filled(4, 1000);
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::status(400, 0))
            .partition("2")
            .page(3)
            .always(),
    );
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = fail(export(&gateway, &out).args(["--page-size", "50"]), 3);
    assert!(
        ended
            .stderr
            .contains("error: 1 of 4 feed ranges failed: range 2; the others are complete"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("hint: what was committed is kept"),
        "{}",
        ended.stderr
    );
    assert_eq!(files(&out, "jsonl").len(), 3, "the others are finished");
    gateway.clear_faults();
    succeed(&mut resume(&gateway, &out));
    assert_latest(&lines(&out), &container);
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn nasty_documents_are_unchanged() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 1);
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let nasty = [
        r#""z":1,"a":2,"m":3"#.to_owned(),
        r#""n":[1.10,1e2,1E+2,-0,-0.0,1e400,18446744073709551617,123456789012345678901234567890,5e-324]"#.to_owned(),
        r#""twice":1,"twice":2"#.to_owned(),
        r#""":"empty key","\u0000":"nul key","\u0061\/":"escaped""#.to_owned(),
        "\"text\":\"line\u{2028}and\u{2029} emoji 👩‍👩‍👧 \\ud83d\\ude00 \\ud800 \u{202e}rtl\"".to_owned(),
        r#""current":{"id":"x"},"previous":{},"metadata":{"lsn":1}"#.to_owned(),
        format!(r#""deep":{deep}"#),
        r#""spaces" : [ 1 , 2 ,	3 ] "#.to_owned(),
    ];
    for (number, fields) in nasty.iter().enumerate() {
        let text = format!(r#"{{"id":"{number}","pk":"p",{fields},"_ts":1}}"#);
        container.raw_as_given(&number.to_string(), "p", text.clone());
    }
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let expected: Vec<Vec<u8>> = container
        .latest()
        .iter()
        .map(|served| served.text.to_vec())
        .collect();
    assert_eq!(lines(&out), expected);
}

#[test]
fn line_breaks_between_tokens_do_not_break_lines() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 1);
    container.raw_as_given("1", "p", "{\"id\":\"1\",\r\n\"pk\":\"p\"\n}".to_owned());
    let ended = succeed(&mut export(&gateway, Path::new("-")));
    assert_eq!(ended.stdout, "{\"id\":\"1\",  \"pk\":\"p\" }\n");
}

#[test]
fn retries_are_counted_and_reported() {
    let (gateway, container) = filled(1, 300);
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::CorruptBody).page(2));
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::MissingEtag).page(3));
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::StuckEtag).page(4));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended =
        succeed(export(&gateway, &out).args(["--page-size", "50", "-v", "--summary", "json"]));
    assert_eq!(summary(&ended)["retries"], 3, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("; retry 3 of 15 in "),
        "{}",
        ended.stderr
    );
    // Pages that could not be used were charged all the same.
    let of_the_feed = |record: &crate::gateway::RequestRecord| {
        if record.kind == RequestKind::ChangeFeed {
            record.charge_hundredths
        } else {
            0
        }
    };
    let charged: u64 = gateway.request_log().iter().map(of_the_feed).sum();
    assert_eq!(summary(&ended)["request_units"], charged as f64 / 100.0);
    assert_latest(&lines(&out), &container);
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn a_closed_standard_output_ends_quietly() {
    let (gateway, _) = filled(2, 20_000);
    let export = export(&gateway, Path::new("-"));
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg("\"$0\" export -o - | head -n 1")
        .arg(export.get_program());
    for (name, value) in export.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    let ended = run(&mut shell);
    assert_eq!(ended.stderr, "");
    assert_eq!(ended.stdout.lines().count(), 1);
}

#[test]
fn a_state_for_standard_output_makes_it_resumable() {
    let (gateway, container) = filled(2, 300);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.json");
    let first = succeed(export(&gateway, Path::new("-")).arg("--state").arg(&state));
    fill(&container, 300..400);
    let second = succeed(against(&gateway).args(["resume", "--state"]).arg(&state));
    assert_eq!(second.stdout.lines().count(), 100);
    let all = split_lines(format!("{}{}", first.stdout, second.stdout).as_bytes());
    assert_latest(&all, &container);
}

#[test]
fn the_committed_charge_is_that_of_the_service() {
    let (gateway, _container) = filled(2, 300);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(export(&gateway, &out).args(["--page-size", "20"]));
    let log = gateway.request_log();
    let of_feed = log
        .iter()
        .filter(|record| record.kind == RequestKind::ChangeFeed && record.items > 0);
    let hundredths: u64 = of_feed.map(|record| record.charge_hundredths).sum();
    let state = cosmos_tail::state::file::load(&state_directory(&out).join("state.json")).unwrap();
    let told = state.totals.request_charge;
    assert!(hundredths > 0);
    assert!(
        (told - hundredths as f64 / 100.0).abs() < 0.01,
        "{told} RU, {hundredths}"
    );
}

#[test]
fn a_followed_pipe_gets_changes_before_the_next_commit() {
    use std::io::BufRead as _;
    let (gateway, _container) = filled(2, 30);
    let mut command = export(&gateway, std::path::Path::new("-"));
    let mut child = spawn(command.args(["--follow", "--checkpoint-interval", "1h"]));
    let stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            sender.send(line).ok();
        }
    });
    let patience = std::time::Duration::from_secs(60);
    let shown: Result<Vec<String>, _> = (0..30).map(|_| lines.recv_timeout(patience)).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    let mut shown = shown.expect("all that there is comes within a minute");
    shown.sort();
    shown.dedup();
    assert_eq!(shown.len(), 30);
}

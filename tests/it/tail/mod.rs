//! `tail` against the scripted gateway, by the real binary.

mod durable;
mod trouble;
mod versions;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::command::{
    CONTAINER, DATABASE, Ended, against, assert_latest, assert_same, fail, interrupt, split_lines,
    succeed,
};
use crate::gateway::{Action, Container, Fault, Gateway, GatewayOptions, RequestKind};
use crate::orders::{document, fill, filled};

fn tail(gateway: &Gateway) -> Command {
    let mut command = against(gateway);
    command.args(["tail", "--poll-interval", "20ms"]);
    command
}

/// A running tail whose "tailing" line was read.
pub(crate) struct Tailing {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    said: String,
    shown: Arc<(Mutex<Vec<u8>>, Condvar)>,
    reader: JoinHandle<()>,
}

impl Tailing {
    /// Starts a tail and waits until it reports that it tails.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Read from the start: a pipe without a reader would block it.
        let mut stdout = child.stdout.take().unwrap();
        let shown = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let sink = Arc::clone(&shown);
        let reader = std::thread::spawn(move || {
            let mut block = vec![0; 64 << 10];
            while let Ok(read @ 1..) = stdout.read(&mut block) {
                sink.0.lock().unwrap().extend_from_slice(&block[..read]);
                sink.1.notify_all();
            }
        });
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("tailing ") {
            assert!(stderr.read_line(&mut said).unwrap() > 0, "it ended: {said}");
        }
        Self {
            child,
            stderr,
            said,
            shown,
            reader,
        }
    }

    /// Waits until it has shown this many lines of documents whose number is at least `least`.
    #[track_caller]
    fn wait_for_lines(&self, count: usize, least: u64) {
        let (shown, more) = &*self.shown;
        let found = |text: &[u8]| {
            text.split_inclusive(|byte| *byte == b'\n')
                .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
                .filter(|document| document["number"].as_u64() >= Some(least))
                .count()
        };
        let patience = Duration::from_secs(60);
        let is_short = |text: &mut Vec<u8>| found(text) < count;
        let (text, timeout) = more
            .wait_timeout_while(shown.lock().unwrap(), patience, is_short)
            .unwrap();
        assert!(
            !timeout.timed_out(),
            "{} of {count} lines were shown",
            found(&text)
        );
    }

    /// Waits for its end, and returns all of its output.
    pub(crate) fn end(mut self) -> Ended {
        self.stderr.read_to_string(&mut self.said).unwrap();
        let code = self.child.wait().unwrap().code();
        self.reader.join().unwrap();
        let stdout = String::from_utf8(self.shown.0.lock().unwrap().clone()).unwrap();
        Ended {
            code,
            stdout,
            stderr: self.said,
        }
    }

    /// Interrupts it, and returns its output.
    #[track_caller]
    pub(crate) fn stop(self) -> Ended {
        interrupt(&self.child);
        let ended = self.end();
        assert_eq!(ended.code, Some(130), "{}", ended.stderr);
        ended
    }
}

fn texts(container: &Container, wanted: impl Fn(usize) -> bool) -> Vec<Vec<u8>> {
    let number = |id: &str| id["item-".len()..].parse::<usize>().unwrap();
    let served = container.latest();
    served
        .iter()
        .filter(|served| wanted(number(&served.id)))
        .map(|served| served.text.to_vec())
        .collect()
}

#[test]
fn every_change_after_the_tailing_line_appears_once() {
    for _ in 0..100 {
        let gateway = Gateway::start(GatewayOptions::default());
        let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 16);
        fill(&container, 0..50);
        // Writes continue while it starts; those before the line may or may not be shown.
        let writer = container.clone();
        let count = std::sync::atomic::AtomicUsize::new(50);
        let write = Action::call(move || {
            let first = count.fetch_add(10, std::sync::atomic::Ordering::Relaxed);
            if first < 550 {
                fill(&writer, first..first + 10);
            }
        });
        gateway.push_fault(Fault::on(RequestKind::ChangeFeed, write).always());
        let tailing = Tailing::start(&mut tail(&gateway));
        fill(&container, 1000..1500);
        tailing.wait_for_lines(500, 1000);
        let ended = tailing.stop();
        let shown = split_lines(ended.stdout.as_bytes());
        let number =
            |line: &[u8]| serde_json::from_slice::<Value>(line).unwrap()["number"].as_u64();
        let is_after = |line: &&Vec<u8>| number(line) >= Some(1000);
        let after: Vec<Vec<u8>> = shown.iter().filter(is_after).cloned().collect();
        assert_same(&after, &texts(&container, |number| number >= 1000));
        let distinct: BTreeSet<_> = shown.iter().collect();
        assert_eq!(distinct.len(), shown.len(), "nothing is shown twice");
        assert!(
            gateway.violations().is_empty(),
            "{:?}",
            gateway.violations()
        );
    }
}

#[test]
fn until_caught_up_shows_everything_and_ends() {
    let (gateway, container) = filled(4, 500);
    let ended = succeed(tail(&gateway).args([
        "--from",
        "beginning",
        "--until-caught-up",
        "--page-size",
        "33",
    ]));
    assert_latest(&split_lines(ended.stdout.as_bytes()), &container);
    assert!(
        ended
            .stderr
            .contains("tailing 4 ranges of shop/orders from the beginning"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("500 changes from 4 ranges"),
        "{}",
        ended.stderr
    );
}

#[test]
fn max_limits_the_number_of_changes() {
    let (gateway, _) = filled(4, 500);
    let ended = succeed(tail(&gateway).args(["--from", "beginning", "--max", "7"]));
    assert_eq!(split_lines(ended.stdout.as_bytes()).len(), 7);
    assert!(ended.stderr.contains("7 changes from"), "{}", ended.stderr);
}

#[test]
fn a_window_of_time_shows_its_changes() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    for step in 0..10 {
        gateway.set_time(1_700_000_000 + 60 * step);
        let first = step as usize * 10;
        fill(&container, first..first + 10);
    }
    // From 22:15:20 + … to 22:18:20: the steps 3, 4 and 5.
    let window = [
        "--from",
        "2023-11-14T22:15:30Z",
        "--until",
        "2023-11-14T22:18:30Z",
        "--page-size",
        "3",
    ];
    let ended = succeed(tail(&gateway).args(window));
    assert_same(
        &split_lines(ended.stdout.as_bytes()),
        &texts(&container, |number| (30..60).contains(&number)),
    );
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn an_idle_timeout_ends_a_quiet_tail() {
    let (gateway, _) = filled(2, 10);
    let ended = succeed(tail(&gateway).args(["--idle-timeout", "100ms"]));
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("0 changes"), "{}", ended.stderr);
}

#[test]
fn a_closed_pipe_ends_a_quiet_tail_at_once() {
    let (gateway, container) = filled(2, 10);
    let mut command = tail(&gateway);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    while !said.contains("tailing ") {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "it ended: {said}");
    }
    container.upsert(document(1000));
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("item-1000"), "{line}");
    // Nothing is ever written again: the hang-up itself must be noticed.
    drop(stdout);
    let code = child.wait().unwrap().code();
    assert_eq!(code, Some(0));
}

#[test]
fn a_partition_key_shows_its_changes_only() {
    let (gateway, container) = filled(4, 500);
    let arguments = [
        "--from",
        "beginning",
        "--until-caught-up",
        "--partition-key",
        "key-5",
    ];
    let ended = succeed(tail(&gateway).args(arguments));
    let expected = texts(&container, |number| number % 97 == 5);
    assert!(!expected.is_empty());
    assert_same(&split_lines(ended.stdout.as_bytes()), &expected);
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn partition_keys_are_json_or_text_and_have_levels() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, ("/tenant", "/user"), 4);
    for tenant in 0..5 {
        for user in 0..5 {
            container.upsert(json!({"id": format!("{tenant}-{user}"), "tenant": format!("t{tenant}"), "user": user}));
        }
    }
    let shown = |arguments: &[&str]| {
        let mut command = tail(&gateway);
        let ended = succeed(
            command
                .args(["--from", "beginning", "--until-caught-up"])
                .args(arguments),
        );
        let mut ids: Vec<String> = split_lines(ended.stdout.as_bytes())
            .iter()
            .map(|line| {
                serde_json::from_slice::<Value>(line).unwrap()["id"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        ids.sort();
        ids
    };
    assert_eq!(
        shown(&["--partition-key", "t3", "--partition-key", "2"]),
        ["3-2"]
    );
    assert_eq!(
        shown(&["--partition-key", "t3"]),
        ["3-0", "3-1", "3-2", "3-3", "3-4"]
    );
    assert_eq!(
        shown(&["--partition-key", "t3", "--partition-key", "\"2\""]),
        [""; 0]
    );
    let many = [
        "--partition-key",
        "a",
        "--partition-key",
        "b",
        "--partition-key",
        "c",
    ];
    let ended = fail(tail(&gateway).args(many), 2);
    assert!(
        ended
            .stderr
            .contains("3 values are given for a partition key with 2 levels"),
        "{}",
        ended.stderr
    );
    let ended = fail(tail(&gateway).args(["--partition-key", "[1]"]), 2);
    assert!(
        ended.stderr.contains("is not a partition key"),
        "{}",
        ended.stderr
    );
}

#[test]
fn ranges_are_chosen_by_number_or_portable_form() {
    let (gateway, container) = filled(4, 500);
    let listed = succeed(against(&gateway).args(["ranges", "--format", "json"]));
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let token = listed[2]["feed_range"].as_str().unwrap();
    let ended = succeed(tail(&gateway).args([
        "--from",
        "beginning",
        "--until-caught-up",
        "--range",
        "0",
        "--range",
        token,
    ]));
    let expected: Vec<Vec<u8>> = container
        .latest()
        .iter()
        .filter(|served| served.partition == "0" || served.partition == "2")
        .map(|served| served.text.to_vec())
        .collect();
    assert_same(&split_lines(ended.stdout.as_bytes()), &expected);
    for wrong in ["4", "nonsense"] {
        fail(tail(&gateway).args(["--range", wrong]), 2);
    }
}

#[test]
fn a_slow_reader_of_the_pipe_slows_the_polling() {
    let (gateway, container) = filled(2, 30_000);
    let mut command = tail(&gateway);
    let mut child = command
        .args(["--from", "beginning", "--until-caught-up"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Nothing reads the pipe. Buffers are bounded, so not all pages can have been requested. The number is known
    // when no more requests arrive.
    let mut before = 0;
    loop {
        let now = gateway.requests(RequestKind::ChangeFeed);
        if now == before && now > 2 {
            break;
        }
        before = now;
        // Silence can only be heard by listening for a while.
        std::thread::sleep(Duration::from_millis(300));
    }
    let bytes: usize = container
        .latest()
        .iter()
        .map(|served| served.text.len())
        .sum();
    assert!(bytes > 8 << 20, "more than what may be buffered: {bytes}");
    let mut text = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut text).unwrap();
    assert!(
        gateway.requests(RequestKind::ChangeFeed) > before,
        "the rest was asked for only afterwards"
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_latest(&split_lines(&text), &container);
}

#[test]
fn filters_and_fields_change_the_output() {
    let (gateway, _) = filled(2, 50);
    let shown = |arguments: &[&str]| {
        let mut command = tail(&gateway);
        command
            .args(["--from", "beginning", "--until-caught-up"])
            .args(arguments);
        let ended = succeed(&mut command);
        let mut lines: Vec<String> = ended.stdout.lines().map(str::to_owned).collect();
        lines.sort();
        (lines, ended.stderr)
    };
    let (lines, _) = shown(&["--jq", "select(.number > 47) | {id}"]);
    assert_eq!(lines, [r#"{"id":"item-48"}"#, r#"{"id":"item-49"}"#]);
    let (lines, _) = shown(&["--fields", "id,number"]);
    assert_eq!(
        (lines.len(), &lines[0][..]),
        (50, r#"{"id":"item-0","number":0}"#)
    );
    // An error on one document is reported, and stops nothing.
    let (lines, said) = shown(&[
        "--jq",
        "if .number == 7 then error(\"seven\") else .number end",
    ]);
    assert_eq!(lines.len(), 49);
    assert_eq!(said.matches("seven").count(), 1, "{said}");
    let requests = gateway.requests(RequestKind::ChangeFeed);
    let ended = fail(tail(&gateway).args(["--jq", ".a |"]), 2);
    assert!(ended.stderr.contains("error: --jq:"), "{}", ended.stderr);
    assert_eq!(
        gateway.requests(RequestKind::ChangeFeed),
        requests,
        "nothing is read"
    );
}

#[test]
fn bad_input_is_refused_before_anything_is_read() {
    let (gateway, _) = filled(1, 1);
    for (arguments, code, said) in [
        (&["--from", "yesterday"][..], 2, "an age such as 10m"),
        (&["--from", "2999-01-01T00:00:00Z"], 2, "in the future"),
        (&["--until", "soon"], 2, "expected a time"),
        (
            &["--mode", "all", "--from", "10m"],
            2,
            "cannot start in the past",
        ),
        (&["--max", "0"], 2, "--max"),
        (&["--state", "/dev/null/state.json"], 1, "cannot create"),
        (
            &["-o", "file.jsonl", "--max", "3"],
            2,
            "in the middle of a page",
        ),
    ] {
        let ended = fail(tail(&gateway).args(arguments), code);
        assert!(
            ended.stderr.contains(said),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
    assert_eq!(gateway.requests(RequestKind::ChangeFeed), 0);
}

#[test]
fn a_value_may_begin_with_a_hyphen() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    for (id, key) in [
        ("number", json!(-1)),
        ("text", json!("-x")),
        ("other", json!(1)),
    ] {
        container.upsert(json!({"id": id, "pk": key, "n": 5, "-y": id}));
    }
    let shown = |arguments: &[&str]| {
        let mut command = tail(&gateway);
        command.args(["--from", "beginning", "--until-caught-up"]);
        succeed(command.args(arguments)).stdout
    };
    for (arguments, expected) in [
        (
            &["--partition-key", "-1", "--fields", "id"][..],
            "{\"id\":\"number\"}\n",
        ),
        (
            &["--partition-key=-1", "--fields", "id"],
            "{\"id\":\"number\"}\n",
        ),
        (
            &["--partition-key", "-x", "--fields", "-y"],
            "{\"-y\":\"text\"}\n",
        ),
        (&["--partition-key", "1", "--jq", "-.n"], "-5\n"),
    ] {
        assert_eq!(shown(arguments), expected, "{arguments:?}");
    }
    // A flag is not taken for a value that is missing.
    for arguments in [
        &["--partition-key", "--fields", "id"][..],
        &["--jq", "-q"],
        &["--fields", "--help"],
        &["-d", "-c", "orders"],
    ] {
        let ended = fail(tail(&gateway).args(arguments), 2);
        assert!(
            ended.stderr.contains("a value is required for"),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
}

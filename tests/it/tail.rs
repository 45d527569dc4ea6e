//! `tail` against the scripted gateway, by the real binary.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::command::{
    CONTAINER, DATABASE, Ended, against, assert_latest, assert_same, fail, interrupt, lines_of,
    split_lines, succeed,
};
use crate::export::{document, fill, filled};
use crate::gateway::{Action, Container, Fault, Gateway, GatewayOptions, RequestKind};

fn tail(gateway: &Gateway) -> Command {
    let mut command = against(gateway);
    command.args(["tail", "--poll-interval", "20ms"]);
    command
}

/// A running tail of which the "tailing" line has been read.
struct Tailing {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    said: String,
    shown: Arc<(Mutex<Vec<u8>>, Condvar)>,
    reader: JoinHandle<()>,
}

impl Tailing {
    /// Starts a tail and waits until it says that it has begun.
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("tailing ") {
            assert!(stderr.read_line(&mut said).unwrap() > 0, "it ended: {said}");
        }
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
        Self {
            child,
            stderr,
            said,
            shown,
            reader,
        }
    }

    /// Waits until it has shown so many lines of documents whose number is at least `least`.
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

    /// Waits for its end, with all that it said and showed.
    fn end(mut self) -> Ended {
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

    /// Interrupts it, and returns what it showed.
    #[track_caller]
    fn stop(self) -> Ended {
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
        // Writes go on while it starts; those before the line may or may not be shown.
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
fn until_caught_up_shows_all_and_ends() {
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
fn max_shows_so_many_and_ends() {
    let (gateway, _) = filled(4, 500);
    let ended = succeed(tail(&gateway).args(["--from", "beginning", "--max", "7"]));
    assert_eq!(split_lines(ended.stdout.as_bytes()).len(), 7);
    assert!(ended.stderr.contains("7 changes from"), "{}", ended.stderr);
}

#[test]
fn a_window_of_time_shows_what_was_made_in_it() {
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
            .contains("3 values were given for a partition key of 2"),
        "{}",
        ended.stderr
    );
    let ended = fail(tail(&gateway).args(["--partition-key", "[1]"]), 2);
    assert!(
        ended.stderr.contains("no partition key"),
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
fn a_split_and_a_merge_lose_and_repeat_nothing() {
    let (gateway, container) = filled(2, 100);
    let tailing = Tailing::start(&mut tail(&gateway));
    fill(&container, 1000..1100);
    let children = container.split("0", 3);
    fill(&container, 1100..1200);
    container.merge(&children[1], &children[2]);
    fill(&container, 1200..1300);
    tailing.wait_for_lines(300, 1000);
    let ended = tailing.stop();
    assert_same(
        &split_lines(ended.stdout.as_bytes()),
        &texts(&container, |number| number >= 1000),
    );
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn an_outage_of_half_a_minute_is_told_once_and_survived() {
    let (gateway, container) = filled(4, 100);
    let tailing = Tailing::start(&mut tail(&gateway));
    // Half of the requests get an answer that says little, half get none at all.
    let odd = |record: &crate::gateway::RequestRecord| record.ordinal % 2 == 1;
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::status(503, 0))
            .always()
            .when(odd),
    );
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::ResetBeforeHeaders).always());
    fill(&container, 1000..1100);
    // How long it lasts is what is tested.
    std::thread::sleep(Duration::from_secs(30));
    gateway.clear_faults();
    tailing.wait_for_lines(100, 1000);
    let ended = tailing.stop();
    assert_same(
        &split_lines(ended.stdout.as_bytes()),
        &texts(&container, |number| number >= 1000),
    );
    assert_eq!(
        ended.stderr.matches("interrupted:").count(),
        1,
        "{}",
        ended.stderr
    );
    assert_eq!(
        ended.stderr.matches("reconnected after").count(),
        1,
        "{}",
        ended.stderr
    );
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn a_restart_of_the_gateway_is_survived() {
    let (gateway, container) = filled(4, 100);
    let tailing = Tailing::start(&mut tail(&gateway));
    // Connections break, and then the topology has to be asked for again.
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::ResetBeforeHeaders).times(30));
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::status(410, 1000)).times(10));
    fill(&container, 1000..1100);
    tailing.wait_for_lines(100, 1000);
    let ended = tailing.stop();
    assert_same(
        &split_lines(ended.stdout.as_bytes()),
        &texts(&container, |number| number >= 1000),
    );
}

#[test]
fn throttling_is_survived() {
    let (gateway, container) = filled(4, 100);
    let tailing = Tailing::start(&mut tail(&gateway));
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::throttle(1)).times(200));
    fill(&container, 1000..1100);
    tailing.wait_for_lines(100, 1000);
    let ended = tailing.stop();
    assert_same(
        &split_lines(ended.stdout.as_bytes()),
        &texts(&container, |number| number >= 1000),
    );
}

#[test]
fn a_state_makes_a_tail_go_on_where_it_stood() {
    let (gateway, container) = filled(4, 100);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("tail.json");
    let tailing = Tailing::start(tail(&gateway).arg("--state").arg(&state));
    fill(&container, 1000..1100);
    gateway.wait_until_caught_up(&container);
    let first = tailing.stop();
    // Written while nobody looked.
    fill(&container, 1100..1200);
    let mut again = tail(&gateway);
    let second = succeed(again.args(["--until-caught-up", "--state"]).arg(&state));
    assert!(
        second.stderr.contains("from where it stood"),
        "{}",
        second.stderr
    );
    let shown = split_lines(format!("{}{}", first.stdout, second.stdout).as_bytes());
    assert_same(&shown, &texts(&container, |number| number >= 1000));
    let ended = fail(
        tail(&gateway)
            .args(["--from", "now", "--state"])
            .arg(&state),
        2,
    );
    assert!(
        ended.stderr.contains("already has a position"),
        "{}",
        ended.stderr
    );
    let ended = fail(
        tail(&gateway)
            .args(["--partition-key", "x", "--state"])
            .arg(&state),
        2,
    );
    assert!(
        ended.stderr.contains("another --range or --partition-key"),
        "{}",
        ended.stderr
    );
    let ended = fail(against(&gateway).args(["resume", "--state"]).arg(&state), 2);
    assert!(ended.stderr.contains("state of a tail"), "{}", ended.stderr);
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[cfg(unix)]
#[test]
fn a_file_with_a_state_holds_every_change_once_across_kills() {
    use crate::command::signal;
    use nix::sys::signal::Signal;
    let (gateway, container) = filled(4, 50);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("changes.jsonl");
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..25 {
        let mut command = tail(&gateway);
        command
            .args(["--checkpoint-interval", "5ms", "-o"])
            .arg(&out);
        let tailing = Tailing::start(&mut command);
        let first = 1000 + round * 100;
        fill(&container, first..first + 100);
        let polls = gateway.requests(RequestKind::ChangeFeed) + random.usize(0..30);
        gateway.wait_for(RequestKind::ChangeFeed, polls);
        signal(&tailing.child, Signal::SIGKILL);
        assert_eq!(tailing.end().code, None);
    }
    succeed(tail(&gateway).args(["--until-caught-up", "-o"]).arg(&out));
    assert_same(&lines_of(&out), &texts(&container, |number| number >= 1000));
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn a_file_without_its_state_is_not_touched() {
    let (gateway, _) = filled(1, 1);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("mine.jsonl");
    std::fs::write(&out, "mine\n").unwrap();
    let ended = fail(tail(&gateway).arg("-o").arg(&out), 2);
    assert!(
        ended
            .stderr
            .contains("exists, but there is no state for it"),
        "{}",
        ended.stderr
    );
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "mine\n");
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
    // Nobody reads: what is buffered is bounded, so not all pages can have been asked for. How
    // many come is known when no more do.
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

/// Creates, replaces and removes ten documents, half of them by their time to live.
fn live_and_die(container: &Container) {
    for number in 100..110 {
        container.upsert(document(number));
        let mut changed = document(number);
        changed["text"] = json!("changed");
        container.replace(changed);
        let key = format!("key-{}", number % 97);
        if number % 2 == 0 {
            container.delete(&format!("item-{number}"), key.as_str());
        } else {
            container.expire(&format!("item-{number}"), key.as_str());
        }
    }
}

/// A tail of all versions, of a container in which [`live_and_die`] happened meanwhile.
fn all_versions(previous_images: bool, arguments: &[&str]) -> (Vec<Value>, Container, Gateway) {
    let gateway = Gateway::start(GatewayOptions {
        previous_images,
        ..GatewayOptions::default()
    });
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 4);
    fill(&container, 0..20);
    let tailing = Tailing::start(tail(&gateway).args(["--mode", "all"]).args(arguments));
    live_and_die(&container);
    gateway.wait_until_caught_up(&container);
    let ended = tailing.stop();
    let values = serde_json::Deserializer::from_str(&ended.stdout).into_iter::<Value>();
    let shown: Vec<Value> = values.map(Result::unwrap).collect();
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
    (shown, container, gateway)
}

#[test]
fn all_versions_and_deletes_are_shown_in_envelopes() {
    for previous_images in [false, true] {
        let (shown, container, _gateway) = all_versions(previous_images, &[]);
        let operation = |change: &Value| {
            let metadata = &change["metadata"];
            let operation = metadata["operationType"].as_str().unwrap().to_owned();
            (operation, metadata["lsn"].as_u64().unwrap())
        };
        let mut found: Vec<(String, u64)> = shown.iter().map(operation).collect();
        found.sort();
        let is_new = |id: &str| id["item-".len()..].parse::<usize>().unwrap() >= 100;
        let changes = container.changes();
        let mut expected: Vec<(String, u64)> = changes
            .iter()
            .filter(|change| is_new(&change.id))
            .map(|change| (change.operation.as_str().to_owned(), change.lsn))
            .collect();
        expected.sort();
        assert_eq!((found.len(), &found), (30, &expected));
        let count =
            |wanted: &dyn Fn(&Value) -> bool| shown.iter().filter(|change| wanted(change)).count();
        assert_eq!(
            count(&|change| change["metadata"]["timeToLiveExpired"] == json!(true)),
            5
        );
        assert_eq!(count(&|change| change["metadata"]["time"].is_string()), 30);
        assert_eq!(count(&|change| change["range"].is_u64()), 30);
        let previous = count(&|change| change["previous"]["id"].is_string());
        assert_eq!(
            previous,
            if previous_images { 20 } else { 0 },
            "replaces and deletes"
        );
    }
}

#[test]
fn all_versions_and_deletes_are_shown_as_documents() {
    for (previous_images, format) in [
        (false, "json"),
        (true, "json"),
        (false, "pretty"),
        (true, "pretty"),
    ] {
        let (shown, _container, _gateway) = all_versions(previous_images, &["--format", format]);
        assert_eq!(shown.len(), 30, "{format}");
        let deletes: Vec<&Value> = shown
            .iter()
            .filter(|change| change["_deleted"] == json!(true))
            .collect();
        assert_eq!(deletes.len(), 10, "{format}");
        for delete in deletes {
            let number: usize = delete["id"].as_str().unwrap()["item-".len()..]
                .parse()
                .unwrap();
            assert_eq!(delete["pk"], json!(format!("key-{}", number % 97)));
            assert_eq!(delete["_timeToLiveExpired"] == json!(true), number % 2 == 1);
        }
        assert_eq!(
            shown
                .iter()
                .filter(|change| change["text"] == json!("changed"))
                .count(),
            10,
            "{format}"
        );
    }
}

#[test]
fn all_versions_go_on_where_they_stood() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("tail.json");
    let mut first = tail(&gateway);
    Tailing::start(first.args(["--mode", "all", "--state"]).arg(&state)).stop();
    live_and_die(&container);
    let mut second = tail(&gateway);
    let ended = succeed(
        second
            .args(["--mode", "all", "--until-caught-up", "--state"])
            .arg(&state),
    );
    assert_eq!(
        split_lines(ended.stdout.as_bytes()).len(),
        30,
        "{}",
        ended.stderr
    );
    // What the container no longer keeps is named, not skipped.
    live_and_die(&container);
    for partition in container.partitions() {
        container.forget_versions_through(&partition.id, partition.lsn);
    }
    let mut third = tail(&gateway);
    let ended = fail(
        third
            .args(["--mode", "all", "--until-caught-up", "--state"])
            .arg(&state),
        3,
    );
    assert!(ended.stderr.contains("hint: "), "{}", ended.stderr);
    let other_mode = fail(tail(&gateway).arg("--state").arg(&state), 2);
    assert!(
        other_mode.stderr.contains("another --mode"),
        "{}",
        other_mode.stderr
    );
}

#[test]
fn a_container_that_keeps_no_versions_is_told_from_other_failures() {
    let (gateway, _) = filled(2, 10);
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::status(400, 0)).always());
    let ended = fail(tail(&gateway).args(["--mode", "all"]), 1);
    assert!(
        ended
            .stderr
            .contains("hint: --mode all needs an account with continuous backups"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stdout, "");
    let ended = fail(tail(&gateway).args(["--from", "10m"]), 1);
    assert!(
        ended
            .stderr
            .contains("several regions cannot start at a time"),
        "{}",
        ended.stderr
    );
}

#[test]
fn filters_and_fields_shape_what_is_shown() {
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
    // An error on one document is told, and stops nothing.
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
        (&["-o", "/"], 2, "is a directory"),
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

//! `--from-container`: the source is another container's feed.

use std::time::{Duration, Instant};

use serde_json::json;

use super::*;
use crate::bad_input::refuse;
use crate::command::{CONTAINER, DATABASE, assert_same, cosmos_tail, fail, succeed};
#[cfg(unix)]
use crate::command::{interrupt, signal, spawn, wait};
use crate::gateway::{GatewayOptions, KEY, RequestKind};
use crate::orders::{document, fill, filled};
#[cfg(unix)]
use nix::sys::signal::Signal;

/// A replay of the feed of [`CONTAINER`] into [`COPY`].
fn copy_container(gateway: &Gateway) -> Command {
    let mut command = against(gateway);
    command.env("AZURE_COSMOS_CONTAINER", COPY).args([
        "replay",
        "--from-container",
        &format!("{DATABASE}/{CONTAINER}"),
    ]);
    command
}

/// The latest documents of a container, in any order.
#[cfg(unix)]
fn sorted(container: &Container) -> Vec<Vec<u8>> {
    let mut documents = content(container);
    documents.sort();
    documents
}

/// Waits until the copy has the documents of the container; compares them at each request of the replay.
#[cfg(unix)]
#[track_caller]
fn wait_for_the_same_content(gateway: &Gateway, container: &Container, copy: &Container) {
    let began = Instant::now();
    loop {
        let requests = gateway.total_requests();
        if sorted(copy) == sorted(container) {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "the content is another one"
        );
        gateway.wait_for_requests(requests + 1);
    }
}

#[test]
fn a_copy_of_a_container_survives_a_split_and_gets_later_changes() {
    let (gateway, container) = filled(3, 1500);
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let command = || {
        let mut command = copy_container(&gateway);
        command.args(["--summary", "json", "--state"]).arg(&state);
        command
    };
    let told = std::thread::scope(|scope| {
        let copying = scope.spawn(|| summary(&succeed(&mut command())));
        gateway.wait_for_writes(50);
        container.split(&container.partitions()[0].id, 3);
        copying.join().unwrap()
    });
    assert_eq!(
        (&told["outcome"], &told["created"]),
        (&json!("done"), &json!(1500)),
        "{told}"
    );
    assert_same(&content(&copy), &content(&container));
    let written: u64 = gateway
        .write_log()
        .iter()
        .map(|write| write.charge_hundredths)
        .sum();
    // Reading is charged too.
    assert!(told["request_units"].as_f64().unwrap() > written as f64 / 100.0);

    assert_eq!(summary(&succeed(&mut command()))["changes"], 0);
    container.split(&container.partitions()[1].id, 2);
    fill(&container, 1490..1510);
    let told = summary(&succeed(&mut command()));
    assert_eq!(
        (&told["created"], &told["replaced"]),
        (&json!(10), &json!(10)),
        "{told}"
    );
    assert_same(&content(&copy), &content(&container));
    assert_no_violations(&gateway);
}

/// The changes of a live container, and the expected versions of each item.
#[cfg(unix)]
struct Live<'a> {
    container: &'a Container,
    versions: Vec<Vec<u64>>,
    next: u64,
}

#[cfg(unix)]
impl Live<'_> {
    /// Every item once more; some are deleted, or expire.
    fn round(&mut self) {
        for number in 0..self.versions.len() {
            let mut changed = document(number);
            changed["version"] = json!(self.next);
            self.versions[number].push(self.next);
            self.next += 1;
            self.container.upsert(changed);
            let (id, key) = (format!("item-{number}"), format!("key-{}", number % 97));
            match self.next % 7 {
                0 => drop(self.container.delete(&id, key.as_str())),
                1 => drop(self.container.expire(&id, key.as_str())),
                _ => {}
            }
        }
    }

    /// Asserts that each item went through its versions; only a restart may go back.
    fn assert_order(&self, log: &[WriteRecord], restarts: usize) {
        for (number, versions) in self.versions.iter().enumerate() {
            let (mut at, mut backward) = (0, 0);
            for write in writes_of(log, &format!("item-{number}")) {
                let Ok(body) = serde_json::from_slice::<Value>(&write.body) else {
                    continue;
                };
                let version = body["version"].as_u64().unwrap();
                let found = versions.iter().position(|v| *v == version).unwrap();
                if found < at {
                    backward += 1;
                } else {
                    assert_eq!(found, at, "item-{number}: a version was passed over");
                }
                at = found + 1;
            }
            assert_eq!(at, versions.len(), "item-{number} ends early");
            assert!(
                backward <= restarts,
                "item-{number} went back {backward} times"
            );
        }
    }
}

/// Splits a partition, merges two, or leaves them as they are.
#[cfg(unix)]
fn change_topology(container: &Container, random: &mut fastrand::Rng) {
    let partitions = container.partitions();
    let at = random.usize(..partitions.len());
    match random.u8(..4) {
        0 if partitions.len() < 8 => {
            container.split(&partitions[at].id, random.usize(2..4));
        }
        1 if at > 0 => {
            container.merge(&partitions[at - 1].id, &partitions[at].id);
        }
        _ => {}
    }
}

#[cfg(unix)]
#[test]
fn a_live_container_is_followed_across_splits_and_kills() {
    const WINDOW: usize = 40;
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let window = WINDOW.to_string();
    let command = || {
        let mut command = copy_container(&gateway);
        command.args(["--mode", "all", "--checkpoint-interval", "5ms"]);
        command.args(["--checkpoint-changes", &window, "--state"]);
        command.arg(&state);
        command
    };
    let mut live = Live {
        container: &container,
        versions: vec![Vec::new(); 60],
        next: 0,
    };
    // From now on: this is before everything.
    succeed(&mut command());
    assert!(gateway.write_log().is_empty());
    let seed = crate::scene::seed();
    println!("COSMOS_TAIL_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let kills = 25;
    for _ in 0..kills {
        live.round();
        // Each round makes more changes than the test waits for.
        let written = gateway.write_log().len();
        let child = spawn(command().arg("--follow"));
        let (first, second) = (random.usize(..30), random.usize(..30));
        gateway.wait_for_writes(written + first);
        change_topology(&container, &mut random);
        gateway.wait_for_writes(written + first + second);
        signal(&child, Signal::SIGKILL);
        wait(child);
        // While nothing reads.
        if random.u8(..4) == 0 {
            change_topology(&container, &mut random);
        }
    }
    let child = spawn(command().arg("--follow"));
    live.round();
    wait_for_the_same_content(&gateway, &container, &copy);
    interrupt(&child);
    let ended = wait(child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    // The cut-over: the remaining changes, and the end.
    live.round();
    let ended = succeed(command().args(["--summary", "json"]));
    assert_eq!(summary(&ended)["outcome"], "done");
    assert_same(&content(&copy), &content(&container));
    let log = gateway.write_log();
    live.assert_order(&log, kills);
    let changes = container.changes().len();
    assert!(
        log.len() <= changes + kills * 2 * WINDOW,
        "{} writes",
        log.len()
    );
    assert_no_violations(&gateway);
}

#[cfg(unix)]
#[test]
fn catching_up_with_a_followed_container_is_reported_once() {
    use std::io::BufRead as _;
    use std::sync::mpsc;
    let (gateway, container) = filled(3, 200);
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    let mut child = spawn(copy_container(&gateway).arg("--follow"));
    let stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let (sender, said) = mpsc::channel();
    let reading = std::thread::spawn(move || {
        for line in stderr.lines() {
            sender.send(line.unwrap()).unwrap();
        }
    });
    let is_told = |line: &String| line.contains("caught up with the source");
    while !is_told(&said.recv_timeout(Duration::from_secs(60)).unwrap()) {}
    assert_same(&content(&copy), &content(&container));
    fill(&container, 200..300);
    wait_for_the_same_content(&gateway, &container, &copy);
    interrupt(&child);
    assert_eq!(wait(child).code, Some(130));
    reading.join().unwrap();
    let rest: Vec<String> = said.iter().collect();
    assert!(!rest.iter().any(is_told), "{rest:?}");
}

#[test]
fn reading_the_source_is_paid_from_the_budget() {
    const BUDGET: f64 = 30.0;
    let (gateway, _container) = filled(2, 2000);
    gateway.create_container(DATABASE, COPY, "/pk", 2);
    let began = Instant::now();
    // Nothing but reading is charged.
    let told = summary(&succeed(copy_container(&gateway).args([
        "--max-ru",
        &BUDGET.to_string(),
        "--transform",
        "empty",
        "--summary",
        "json",
    ])));
    let took = began.elapsed().as_secs_f64();
    assert_eq!(told["dropped"], 2000);
    let used = told["request_units"].as_f64().unwrap();
    assert!(used > 3.0 * BUDGET, "{used} RU");
    assert!(took > used / BUDGET * 0.9, "{used} RU in {took} s");
    assert!(gateway.write_log().is_empty());
    assert_no_violations(&gateway);
}

#[test]
fn the_source_is_in_the_account_of_a_profile() {
    let (source, container) = filled(2, 100);
    let target = Gateway::start(GatewayOptions::default());
    // Of the same name, in another account.
    let copy = target.create_container(DATABASE, CONTAINER, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.toml");
    let text = format!(
        "[profiles.old]\nendpoint = '{}'\nkey = '{KEY}'\n",
        source.endpoint()
    );
    std::fs::write(&config, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let from = format!("{DATABASE}/{CONTAINER}");
    let command = |profile: &str| {
        let mut command = against(&target);
        command.env("COSMOS_TAIL_CONFIG", &config);
        command.args(["replay", "--from-container", &from]);
        command.args(["--source-profile", profile]);
        command
    };
    succeed(&mut command("old"));
    assert_same(&content(&copy), &content(&container));
    assert!(source.write_log().is_empty());
    refuse(&mut command("new"), 2, &["new", "old"]);
    assert_no_violations(&source);
    assert_no_violations(&target);
}

#[test]
fn an_impossible_source_is_refused_before_the_first_write() {
    let (gateway, _container) = filled(2, 20);
    gateway.create_container(DATABASE, COPY, "/pk", 2);
    gateway.create_container(DATABASE, "other", "/pk", 2);
    gateway.create_container(DATABASE, "keyed", "/key", 2);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.jsonl");
    write_lines(&file, [r#"{"id":"1","pk":"p"}"#]);
    let of = |target: &str, arguments: &[&str]| {
        let mut command = against(&gateway);
        command.env("AZURE_COSMOS_CONTAINER", target);
        command.current_dir(directory.path());
        command.arg("replay").args(arguments);
        command
    };
    let source = format!("{DATABASE}/{CONTAINER}");
    for (target, arguments, parts) in [
        (
            CONTAINER,
            &["--from-container", &source][..],
            &["the same container"][..],
        ),
        (
            COPY,
            &["--from-container", "orders"],
            &["`orders` has no database", "DATABASE/CONTAINER"],
        ),
        (
            COPY,
            &["--from-container", "a/b/c"],
            &["cannot be the name"],
        ),
        (
            COPY,
            &[
                "--from-container",
                &source,
                "--mode",
                "all",
                "--from",
                "beginning",
            ],
            &["only from now on"],
        ),
        (
            "keyed",
            &["--from-container", &source],
            &["another partition key", "change 1"],
        ),
        (
            "keyed",
            &["--from-container", &source, "--follow"],
            &["another partition key"],
        ),
    ] {
        refuse(&mut of(target, arguments), 2, parts);
    }
    let mut both = of(COPY, &["--from-container", &source, "a.jsonl"]);
    refuse(&mut both, 2, &["two sources"]);
    let mut missing = of(COPY, &["--from-container", "shop/none"]);
    refuse(&mut missing, 1, &["none"]);
    let mut missing = of("new", &["--from-container", "shop/none", "--create"]);
    refuse(missing.args(["--partition-key", "/pk"]), 1, &["none"]);
    assert!(gateway.container(DATABASE, "new").is_none());
    for arguments in [
        &["--from-container", &source, "--stdout"][..],
        &["a.jsonl", "--follow"],
        &["a.jsonl", "--mode", "all"],
        &["a.jsonl", "--source-profile", "old"],
    ] {
        let mut command = cosmos_tail();
        let ended = fail(command.arg("replay").args(arguments), 2);
        assert!(
            ended.stderr.contains("--from-container"),
            "{}",
            ended.stderr
        );
    }
    assert_eq!(gateway.requests(RequestKind::ItemWrite), 0);

    // A state continues with the same source only.
    succeed(&mut of(
        COPY,
        &["--from-container", &source, "--state", "state"],
    ));
    for (arguments, parts) in [
        (
            &["a.jsonl"][..],
            &["a replay of another container, not of files"][..],
        ),
        (
            &["--from-container", "shop/other"],
            &["a replay of shop/", "not of shop/other"],
        ),
        (
            &["--from-container", &source, "--mode", "all"],
            &["a replay with --mode latest, not with --mode all"],
        ),
        (
            &["--from-container", &source, "--from", "now"],
            &["a replay with --from beginning, not with --from now"],
        ),
    ] {
        refuse(of(COPY, arguments).args(["--state", "state"]), 2, parts);
    }
    succeed(&mut of(COPY, &["a.jsonl", "--state", "of-files"]));
    let mut other = of(COPY, &["--from-container", &source, "--state", "of-files"]);
    refuse(
        &mut other,
        2,
        &["a replay of files, not of another container"],
    );
    assert_no_violations(&gateway);
}

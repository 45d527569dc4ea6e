//! Instances that share a replay: the target becomes what the source is, and no document of it goes back.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::scene::{Instance, Printed, Scene};
use crate::command::{CONTAINER, DATABASE, against, fail};
use crate::gateway::{Action, Container, Fault, Hold, RequestKind};
use crate::replay::{COPY, content};

/// The defect that makes each write one without a condition.
const UNCONDITIONAL: (&str, &str) = (
    "COSMOS_TAIL_FAILPOINTS",
    "defect.replay.writes-without-condition=return",
);
/// The defect that trusts what was read without a look at the lease.
const UNCONFIRMED: (&str, &str) = (
    "COSMOS_TAIL_FAILPOINTS",
    "defect.replay.trusts-what-it-reads=return",
);
/// Leases that are renewed rarely, and do not expire in a test.
const PATIENT: [&str; 2] = ["10m", "20m"];
/// Rounds of the long test in the suite.
const ROUNDS: usize = 8;

/// A source with its leases, and a target.
struct Copying {
    scene: Scene,
    copy: Container,
    mode: &'static str,
    defect: Option<(&'static str, &'static str)>,
    /// How often leases are renewed, and when they expire.
    lasts: [&'static str; 2],
}

impl Copying {
    fn new(partitions: usize, mode: &'static str) -> Self {
        let scene = Scene::new(partitions);
        let gateway = &scene.leased.gateway;
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
        Self {
            scene,
            copy,
            mode,
            defect: None,
            lasts: ["500ms", "4s"],
        }
    }

    fn command(&self, name: &str) -> Command {
        let mut command = against(&self.scene.leased.gateway);
        command.env("AZURE_COSMOS_CONTAINER", COPY).args([
            "replay",
            "--follow",
            "--group=orders",
            "--leases=shop/leases",
            "--acquire-interval=300ms",
            &format!("--renew-interval={}", self.lasts[0]),
            &format!("--expiration-interval={}", self.lasts[1]),
            "--checkpoint-interval=100ms",
            "-v",
            &format!("--from-container={DATABASE}/{CONTAINER}"),
            &format!("--mode={}", self.mode),
            &format!("--instance={name}"),
        ]);
        command.envs(self.defect);
        command
    }

    fn start(&self, name: &str) -> Instance {
        let instance = Instance::start(name, &mut self.command(name), &Printed::default());
        instance.wait_until("it runs", |said| {
            said.contains("\nreplaying ") || said.contains("\nwaiting for ranges")
        });
        instance
    }

    fn put(&self, id: &str, version: u64) {
        self.scene
            .leased
            .orders
            .upsert(json!({"id": id, "pk": format!("key-{id}"), "version": version}));
    }

    fn delete(&self, id: &str) {
        self.scene.leased.orders.delete(id, format!("key-{id}"));
    }

    /// The version of a document of the target.
    fn version(&self, id: &str) -> Option<u64> {
        let latest = self.copy.latest().into_iter();
        let mut found = latest.filter(|served| served.id == id);
        let document: Value = serde_json::from_slice(&found.next()?.text).unwrap();
        document["version"].as_u64()
    }

    #[track_caller]
    fn wait_for_version(&self, id: &str, version: Option<u64>) {
        self.scene.wait_until(
            || self.version(id) == version,
            || format!("{:?} is not {version:?}", self.version(id)),
        );
    }

    #[track_caller]
    fn wait_for_the_same_content(&self) {
        let sorted = |container: &Container| {
            let mut documents = content(container);
            documents.sort();
            documents
        };
        let orders = &self.scene.leased.orders;
        self.scene.wait_until(
            || sorted(&self.copy) == sorted(orders),
            || {
                let shown = |container| -> Vec<String> {
                    let documents = sorted(container).into_iter();
                    documents
                        .map(|one| String::from_utf8(one).unwrap())
                        .collect()
                };
                format!("{:#?} is not {:#?}", shown(&self.copy), shown(orders))
            },
        );
    }

    /// The documents that the target had in a newer version before, as its own log of all versions says.
    fn went_back(&self) -> Vec<String> {
        let mut newest: BTreeMap<String, u64> = BTreeMap::new();
        let mut wrong = Vec::new();
        // Within one id they are in their order, wherever its partition was split.
        for served in self.copy.changes() {
            let Ok(document) = serde_json::from_slice::<Value>(&served.text) else {
                continue;
            };
            let Some(version) = document["version"].as_u64() else {
                continue;
            };
            let newest = newest.entry(served.id.clone()).or_default();
            if version < *newest {
                wrong.push(format!("{}: {version} after {newest}", served.id));
            }
            *newest = version.max(*newest);
        }
        wrong
    }

    /// Keeps the next write of the target from being carried out.
    fn hold_a_write(&self) -> Hold {
        let hold = Hold::new();
        let copy = self.copy.rid().to_owned();
        let fault = Fault::on(RequestKind::ItemWrite, Action::Hold(hold.clone()));
        let is_of_copy = fault.when(move |record| record.container.as_ref() == Some(&copy));
        self.scene.leased.gateway.push_fault(is_of_copy);
        hold
    }

    /// Pauses an instance whose write is on its way, until another one has its lease.
    fn pause_until_taken(&self, paused: &Instance, hold: &Hold, by: &str) -> Instance {
        hold.wait_until_reached();
        paused.signal(Signal::SIGSTOP);
        let other = self.start(by);
        self.scene.wait_for_owners(&[(by, 1)]);
        other
    }

    /// Lets a write go on its way, and waits for the answer to it. Returns the status.
    fn release(&self, hold: &Hold) -> u16 {
        let gateway = &self.scene.leased.gateway;
        let copy = self.copy.rid().to_owned();
        let held = gateway.request_log().into_iter().find(|record| {
            record.kind == RequestKind::ItemWrite
                && record.container.as_ref() == Some(&copy)
                && record.status.is_none()
        });
        let held = held.expect("a write is on its way").ordinal;
        hold.release();
        let status = || gateway.request_log()[held].status;
        self.scene
            .wait_until(|| status().is_some(), || "no answer".to_owned());
        status().unwrap()
    }
}

/// A write of a version that is carried out when its process is paused and another one has written a newer one.
fn late_put(copying: &Copying) {
    copying.put("x", 1);
    let a = copying.start("a");
    copying.wait_for_version("x", Some(1));
    let hold = copying.hold_a_write();
    copying.put("x", 2);
    let b = copying.pause_until_taken(&a, &hold, "b");
    copying.put("x", 3);
    copying.wait_for_version("x", Some(3));
    let status = copying.release(&hold);
    a.signal(Signal::SIGCONT);
    if copying.defect.is_none() {
        assert_eq!(status, 412);
        // It goes on as one of the group.
        a.wait_until("it has noticed", |said| said.contains("in time"));
    }
    for instance in [a, b] {
        instance.stop();
    }
}

#[test]
fn a_write_that_comes_late_does_not_bring_an_older_version_back() {
    let copying = Copying::new(1, "latest");
    late_put(&copying);
    assert_eq!(copying.version("x"), Some(3));
    assert_eq!(copying.went_back(), [] as [String; 0]);
    assert_eq!(copying.scene.leased.gateway.violations(), [] as [String; 0]);
}

#[test]
fn writes_without_a_condition_are_found_by_it() {
    let copying = Copying {
        defect: Some(UNCONDITIONAL),
        ..Copying::new(1, "latest")
    };
    late_put(&copying);
    assert_eq!(copying.went_back(), ["x: 2 after 3"]);
}

/// A lease that is cleared, as `leases release` or another processor does, while a write of its owner is on its way, who
/// renews it rarely: another instance writes something newer before the write arrives.
fn cleared_lease(copying: &Copying) {
    copying.put("x", 1);
    let a = copying.start("a");
    copying.wait_for_version("x", Some(1));
    copying.scene.wait_until(
        || {
            let head = copying.scene.leased.partitions()[0].1.to_string();
            let stored = copying.scene.stored();
            let mut tokens = stored.values().map(|lease| &lease["ContinuationToken"]);
            tokens.all(|token| token.as_str().unwrap().trim_matches('"') == head)
        },
        || format!("{:?}", copying.scene.stored()),
    );
    let hold = copying.hold_a_write();
    copying.put("x", 2);
    hold.wait_until_reached();
    let mut lease = copying.scene.stored().into_values().next().unwrap();
    lease["Owner"] = Value::Null;
    copying.scene.leased.leases.upsert(lease);
    let b = copying.start("b");
    copying.put("x", 3);
    copying.wait_for_version("x", Some(3));
    assert_eq!(copying.release(&hold), 412);
    if copying.defect.is_none() {
        a.wait_until("it has noticed", |said| said.contains("taken by `b`"));
    } else {
        // It has read the newest version too, and writes it next.
        copying.scene.wait_until(
            || !copying.went_back().is_empty(),
            || format!("{:?}", copying.version("x")),
        );
    }
    for instance in [a, b] {
        instance.stop();
    }
}

#[test]
fn what_another_owner_has_written_is_no_condition_of_a_late_write() {
    let copying = Copying {
        lasts: PATIENT,
        ..Copying::new(1, "latest")
    };
    cleared_lease(&copying);
    assert_eq!(copying.version("x"), Some(3));
    assert_eq!(copying.went_back(), [] as [String; 0]);
}

#[test]
fn trust_in_what_was_read_is_found_by_it() {
    let copying = Copying {
        defect: Some(UNCONFIRMED),
        lasts: PATIENT,
        ..Copying::new(1, "latest")
    };
    cleared_lease(&copying);
    assert_eq!(copying.went_back(), ["x: 2 after 3"]);
}

#[test]
fn a_deletion_that_comes_late_does_not_delete_what_was_created_again() {
    let copying = Copying::new(1, "all");
    let a = copying.start("a");
    copying.put("x", 1);
    copying.wait_for_version("x", Some(1));
    let hold = copying.hold_a_write();
    copying.delete("x");
    let b = copying.pause_until_taken(&a, &hold, "b");
    copying.wait_for_version("x", None);
    copying.put("x", 2);
    copying.wait_for_version("x", Some(2));
    assert_eq!(copying.release(&hold), 412);
    a.signal(Signal::SIGCONT);
    a.wait_until("it has noticed", |said| said.contains("in time"));
    assert_eq!(copying.version("x"), Some(2));
    for instance in [a, b] {
        instance.stop();
    }
}

#[test]
fn a_document_that_is_created_late_is_deleted_again() {
    let copying = Copying::new(1, "all");
    let a = copying.start("a");
    let hold = copying.hold_a_write();
    copying.put("x", 1);
    let b = copying.pause_until_taken(&a, &hold, "b");
    copying.wait_for_version("x", Some(1));
    copying.delete("x");
    copying.wait_for_version("x", None);
    // That there is no document is a condition that holds again.
    assert_eq!(copying.release(&hold), 201);
    a.signal(Signal::SIGCONT);
    copying.wait_for_version("x", None);
    // What is the newest stays, when it was created late and replaced since.
    copying.put("x", 2);
    copying.wait_for_version("x", Some(2));
    for instance in [a, b] {
        instance.stop();
    }
    assert_eq!(copying.version("x"), Some(2));
}

#[test]
fn a_stop_saves_what_was_applied_and_lets_go() {
    let copying = Copying::new(2, "latest");
    for number in 0..100 {
        copying.put(&format!("item-{number}"), number);
    }
    let a = copying.start("a");
    copying.wait_for_the_same_content();
    let said = a.stop();
    assert!(
        said.contains("replaying 2 of 2 ranges of shop/orders as `a`"),
        "{said}"
    );
    assert_eq!(copying.scene.owners(), [("-".to_owned(), 2)].into());
    let written = copying.scene.leased.gateway.write_log();
    let of_copy = |rid: &str| rid == copying.copy.rid();
    let before = written
        .iter()
        .filter(|write| of_copy(&write.container))
        .count();
    assert_eq!(before, 100);
    // Whoever continues applies only what is new.
    copying.put("item-7", 1000);
    let b = copying.start("b");
    copying.wait_for_the_same_content();
    b.stop();
    let written = copying.scene.leased.gateway.write_log();
    let after = written
        .iter()
        .filter(|write| of_copy(&write.container))
        .count();
    assert_eq!(after, 101);
}

#[test]
fn a_change_that_is_refused_goes_to_a_file_and_its_position_is_passed() {
    let copying = Copying::new(1, "latest");
    let directory = tempfile::tempdir().unwrap();
    let letters = directory.path().join("letters.jsonl");
    copying.copy.refuse("bad", 400);
    copying.put("bad", 1);
    copying.put("good", 1);
    let mut command = copying.command("a");
    command.arg("--dead-letter").arg(&letters);
    let a = Instance::start("a", &mut command, &Printed::default());
    copying.wait_for_version("good", Some(1));
    let head = copying.scene.leased.partitions()[0].1;
    copying.scene.wait_until(
        || {
            let stored = copying.scene.stored();
            let mut tokens = stored.values().map(|lease| &lease["ContinuationToken"]);
            tokens.all(|token| token.as_str().unwrap().trim_matches('"') == head.to_string())
        },
        || format!("{:?}", copying.scene.stored()),
    );
    let text = std::fs::read_to_string(&letters).unwrap();
    assert!(text.contains("item \\\"bad\\\""), "{text}");
    a.signal(Signal::SIGTERM);
    let ended = a.end();
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
}

#[test]
fn a_replacement_that_conflicts_with_another_document_is_refused_by_itself() {
    let copying = Copying::new(1, "latest");
    let directory = tempfile::tempdir().unwrap();
    let letters = directory.path().join("letters.jsonl");
    copying.put("x", 1);
    let mut command = copying.command("a");
    command.arg("--dead-letter").arg(&letters);
    let a = Instance::start("a", &mut command, &Printed::default());
    copying.wait_for_version("x", Some(1));
    // As a unique key does, of a value that another document has.
    copying.copy.refuse("x", 409);
    copying.put("x", 2);
    copying.put("y", 1);
    copying.wait_for_version("y", Some(1));
    copying.scene.wait_until(
        || std::fs::read_to_string(&letters).is_ok_and(|text| text.contains("item \\\"x\\\"")),
        || std::fs::read_to_string(&letters).unwrap_or_default(),
    );
    a.signal(Signal::SIGTERM);
    let ended = a.end();
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
}

#[test]
fn what_does_not_fit_a_group_is_refused() {
    let copying = Copying::new(1, "latest");
    let refused = |arguments: &[&str], what: &str| {
        let mut command = copying.command("a");
        command.args(arguments);
        let ended = fail(&mut command, 2);
        assert!(ended.stderr.contains(what), "{}", ended.stderr);
    };
    refused(&["--state", "s"], "--state cannot be used with --group");
    refused(
        &["--write-mode", "newer"],
        "--write-mode cannot be used with --group",
    );
    refused(
        &["--since=2026-01-01T00:00:00Z"],
        "--since or --until cannot be used with --group",
    );
    refused(
        &["--max-errors=3"],
        "--max-errors without --dead-letter cannot be used with --group",
    );
    refused(&["--dry-run"], "--dry-run cannot be used with --group");
    refused(&["--speed", "2"], "--speed cannot be used with --group");
    let mut command = against(&copying.scene.leased.gateway);
    command.args(["replay", "-c", COPY, "--group=g", "--leases=shop/leases"]);
    command.arg(format!("--from-container={DATABASE}/{CONTAINER}"));
    let ended = fail(&mut command, 2);
    assert!(
        ended.stderr.contains("a replay that ends"),
        "{}",
        ended.stderr
    );
    let mut command = against(&copying.scene.leased.gateway);
    command.args(["replay", "--follow", "--group=g", "--leases=shop/leases"]);
    command.args(["--from-container=shop/*", "-d", "archive"]);
    command.env_remove("AZURE_COSMOS_CONTAINER");
    let ended = fail(&mut command, 2);
    assert!(ended.stderr.contains("--group"), "{}", ended.stderr);
    // Documents of the source would be leases.
    let mut command = copying.command("a");
    command.args(["-c", "leases"]);
    let ended = fail(&mut command, 2);
    assert!(
        ended.stderr.contains("the lease container is the target"),
        "{}",
        ended.stderr
    );
    assert!(copying.scene.stored().is_empty());
}

#[test]
fn a_group_feeds_the_copy_that_it_was_created_for() {
    let copying = Copying::new(1, "latest");
    let gateway = &copying.scene.leased.gateway;
    copying.put("x", 1);
    let a = copying.start("a");
    copying.wait_for_version("x", Some(1));
    a.stop();
    let said = |mut command: Command| fail(&mut command, 2).stderr;
    // Another container, and one of the same name.
    gateway.create_container(DATABASE, "other", "/pk", 1);
    let mut other = copying.command("b");
    other.args(["-c", "other"]);
    let refused = said(other);
    assert!(
        refused.contains("the group `orders` feeds shop/copy of")
            && refused.contains("and not shop/other of")
            && refused.contains("name another group"),
        "{refused}"
    );
    // A tail would take changes away.
    let refused = said(copying.scene.command("t"));
    assert!(
        refused.contains("would never get the changes that are printed"),
        "{refused}"
    );
    assert_eq!(copying.scene.owners(), [("-".to_owned(), 1)].into());
    // The positions stay, whatever is said, and that is said.
    copying.put("y", 1);
    let mut command = copying.command("c");
    let c = Instance::start("c", command.arg("--from=now"), &Printed::default());
    copying.wait_for_version("y", Some(1));
    assert!(c.stop().contains("--from has no effect"));
}

#[test]
fn a_copy_is_not_fed_by_the_group_of_a_tail() {
    let copying = Copying::new(1, "latest");
    copying.put("x", 1);
    let tail = copying.scene.start("t");
    tail.stop();
    let refused = fail(&mut copying.command("a"), 2).stderr;
    assert!(
        refused.contains("the group `orders` was not created by a replay into shop/copy of"),
        "{refused}"
    );
    assert_eq!(copying.version("x"), None);
}

#[test]
fn a_creation_that_was_cut_off_is_completed_where_it_began() {
    let copying = Copying::new(2, "latest");
    for number in 0..20 {
        copying.put(&format!("item-{number}"), number);
    }
    copying.start("a").stop();
    // As it is before the first lease of a new group is written.
    let leases = &copying.scene.leased.leases;
    for served in leases.latest() {
        if !served.id.ends_with(".copy") {
            leases.delete(&served.id, served.id.clone());
        }
    }
    for served in copying.copy.latest() {
        copying
            .copy
            .delete(&served.id, format!("key-{}", served.id));
    }
    let mut command = copying.command("b");
    let b = Instance::start("b", command.arg("--from=now"), &Printed::default());
    copying.wait_for_the_same_content();
    b.stop();
}

#[test]
fn a_lease_of_a_process_that_died_is_not_taken_back_before_it_expires() {
    let copying = Copying {
        lasts: PATIENT,
        ..Copying::new(1, "latest")
    };
    copying.start("a").kill();
    let again = copying.start("a");
    again.wait_until("it waits", |said| said.contains("\nwaiting for ranges"));
    again.stop();
    assert_eq!(copying.scene.owners(), [("a".to_owned(), 1)].into());
}

#[test]
fn instances_do_not_write_their_dead_letters_to_one_file() {
    let copying = Copying::new(1, "latest");
    let directory = tempfile::tempdir().unwrap();
    let letters = directory.path().join("letters.jsonl");
    let command = |name: &str| {
        let mut command = copying.command(name);
        command.arg("--dead-letter").arg(&letters);
        command
    };
    let a = Instance::start("a", &mut command("a"), &Printed::default());
    a.wait_until("it runs", |said| said.contains("\nreplaying "));
    let refused = fail(&mut command("b"), 2).stderr;
    assert!(
        refused.contains("another process writes its dead letters to"),
        "{refused}"
    );
    a.kill();
    let c = Instance::start("c", &mut command("c"), &Printed::default());
    c.wait_until("it runs", |said| {
        said.contains("\nreplaying ") || said.contains("\nwaiting for ranges")
    });
    c.stop();
}

/// What decides a random run.
fn seed() -> u64 {
    let seed = std::env::var("COSMOS_TAIL_TEST_SEED").ok();
    let seed = seed.and_then(|text| text.parse().ok());
    seed.unwrap_or_else(|| fastrand::u64(..))
}

/// Kills, pauses beyond expiry, splits, merges and writes of the same few documents, in random order.
fn random_run(mode: &'static str, seed: u64) {
    let rounds = std::env::var("COSMOS_TAIL_SHARE_ROUNDS").ok();
    let rounds = rounds.and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let mut random = fastrand::Rng::with_seed(seed);
    let copying = Copying::new(2, mode);
    let mut names = 0;
    let mut start = || {
        names += 1;
        copying.start(&format!("w{names}"))
    };
    let mut instances = vec![start(), start(), start()];
    let mut paused: Option<usize> = None;
    let mut version = 0;
    for round in 0..rounds {
        for _ in 0..random.u64(20..80) {
            version += 1;
            let id = format!("item-{}", random.u64(..30));
            let exists = || {
                copying
                    .scene
                    .leased
                    .orders
                    .latest()
                    .iter()
                    .any(|one| one.id == id)
            };
            if mode == "all" && random.u8(..4) == 0 && exists() {
                copying.delete(&id);
            } else {
                copying.put(&id, version);
            }
        }
        if let Some(at) = paused.take() {
            let instance: &Instance = &instances[at];
            instance.signal(Signal::SIGCONT);
        }
        let at = random.usize(..instances.len());
        match if round < 4 { round } else { random.usize(..5) } {
            0 => {
                instances.swap_remove(at).kill();
                instances.push(start());
            }
            1 => {
                let name = instances[at].name.clone();
                instances[at].signal(Signal::SIGSTOP);
                paused = Some(at);
                copying.scene.wait_until(
                    || !copying.scene.owners().contains_key(&name),
                    || format!("{:?}", copying.scene.owners()),
                );
            }
            2 => {
                let orders = &copying.scene.leased.orders;
                let partitions = orders.partitions();
                if partitions.len() < 5 {
                    let at = random.usize(..partitions.len());
                    orders.split(&partitions[at].id, 2);
                } else {
                    let at = random.usize(..partitions.len() - 1);
                    orders.merge(&partitions[at].id, &partitions[at + 1].id);
                }
            }
            3 => {
                instances.swap_remove(at).stop();
                instances.push(start());
            }
            _ => copying.wait_for_the_same_content(),
        }
    }
    if let Some(at) = paused.take() {
        instances[at].signal(Signal::SIGCONT);
    }
    copying.wait_for_the_same_content();
    let end = Instant::now() + Duration::from_secs(60);
    for instance in instances {
        assert!(Instant::now() < end);
        instance.stop();
    }
    copying.wait_for_the_same_content();
    // Who takes a range over applies all versions since the last saved position again, in their order.
    if mode == "latest" {
        assert_eq!(copying.went_back(), [] as [String; 0]);
    }
    assert_eq!(copying.scene.leased.gateway.violations(), [] as [String; 0]);
}

#[test]
fn the_target_becomes_the_source_and_no_document_goes_back() {
    let seed = seed();
    println!("COSMOS_TAIL_TEST_SEED={seed}");
    random_run("latest", seed);
}

#[test]
fn the_target_becomes_the_source_with_its_deletions() {
    let seed = seed();
    println!("COSMOS_TAIL_TEST_SEED={seed}");
    random_run("all", seed);
}

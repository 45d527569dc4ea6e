//! `leases adopt`: states, and groups of one SDK, become groups of another.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::written::{Leased, ago};
use super::{leases, list};
use crate::command::{Ended, against, fail, run, succeed};
use crate::gateway::{Action, Fault, RequestKind};
use crate::orders::fill;

fn adopt(leased: &Leased, rest: &str) -> Command {
    leases(leased, format!("adopt --group orders {rest}").trim_end())
}

fn tail(leased: &Leased, state: &Path) -> Command {
    let mut command = against(&leased.gateway);
    command.args(["tail", "--until-caught-up", "--state"]);
    command.arg(state);
    command
}

/// The numbers of the documents that a command printed, in order.
#[track_caller]
fn numbers(ended: &Ended) -> Vec<u64> {
    let lines = ended.stdout.lines();
    let mut numbers: Vec<u64> = lines
        .map(|line| {
            let document: Value = serde_json::from_str(line).unwrap();
            document["number"].as_u64().unwrap()
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

/// The leases of the group, by token: without what the service sets, and without times.
fn stored(leased: &Leased) -> BTreeMap<String, Value> {
    let latest = leased.leases.latest().into_iter();
    let documents = latest.map(|served| serde_json::from_slice::<Value>(&served.text).unwrap());
    documents
        .filter_map(|mut document| {
            let token = document["LeaseToken"].as_str()?.to_owned();
            let members = document.as_object_mut()?;
            members.retain(|name, _| !name.starts_with('_') && name != "timestamp");
            Some((token, document))
        })
        .collect()
}

/// The ids of the documents that are no leases.
fn others(leased: &Leased) -> Vec<String> {
    let latest = leased.leases.latest().into_iter();
    let documents = latest.map(|served| serde_json::from_slice::<Value>(&served.text).unwrap());
    let others = documents.filter(|document| document["LeaseToken"].is_null());
    others
        .map(|document| document["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Lets all documents be two minutes older.
fn age(leased: &Leased) {
    for served in leased.leases.latest() {
        let mut document: Value = serde_json::from_slice(&served.text).unwrap();
        if document["timestamp"].is_string() {
            document["timestamp"] = ago(120).into();
        }
        leased.past(120, || {
            leased.leases.replace(document);
        });
    }
}

/// A group of .NET: two leases of partitions and one of a range, so many transactions behind.
fn net(leased: &Leased, behind: u64) {
    let net = leased.net("orders");
    net.marker();
    let partitions = leased.partitions();
    for (id, lsn, bounds) in &partitions[..2] {
        net.partition(id, bounds, None, Some(lsn - behind), &ago(900));
    }
    let (_, lsn, bounds) = &partitions[2];
    net.range(bounds, None, Some(lsn - behind), &ago(900));
}

#[test]
fn a_group_goes_on_where_a_state_is() {
    for format in ["dotnet", "java"] {
        let leased = Leased::new(3, "/id");
        fill(&leased.orders, 0..60);
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("tail.json");
        succeed(tail(&leased, &state).args(["--from", "beginning"]));
        let partitions = leased.partitions();
        fill(&leased.orders, 100..150);
        let rest = format!("--lease-format {format} --from-state {}", state.display());
        let ended = succeed(adopt(&leased, &rest).arg("--dry-run"));
        assert!(ended.stderr.contains("--dry-run"), "{}", ended.stderr);
        assert_eq!(leased.gateway.write_log().len(), 0);
        let ended = succeed(&mut adopt(&leased, &rest));
        assert!(
            ended
                .stderr
                .contains("3 leases created in the group `orders`, which reads shop/orders")
                && ended.stderr.contains("would be handled twice"),
            "{}",
            ended.stderr
        );
        let group = list(&leased);
        assert_eq!(group["format"], format);
        assert_eq!(group["transactions"], 50);
        for (id, lsn, bounds) in &partitions {
            let token = match format {
                "java" => bounds.join("-"),
                _ => id.clone(),
            };
            let all = group["leases"].as_array().unwrap();
            let lease = all.iter().find(|lease| lease["lease"] == *token).unwrap();
            assert_eq!(lease["position"], *lsn, "{lease}");
        }
        // Instances handle what comes after it, and nothing else.
        let mut command = against(&leased.gateway);
        command.args(["tail", "--group", "orders", "--leases", "shop/leases"]);
        command.args(["--lease-format", format, "--max", "50"]);
        assert_eq!(
            numbers(&succeed(&mut command)),
            (100..150).collect::<Vec<u64>>()
        );
        // A group that exists is refused.
        let ended = fail(&mut adopt(&leased, &rest), 1);
        assert!(
            ended.stderr.contains("has the group `orders` already"),
            "{}",
            ended.stderr
        );
        assert_eq!(leased.gateway.violations(), [] as [String; 0]);
    }
}

#[test]
fn a_state_of_a_split_range_gets_a_lease_for_each_part() {
    let leased = Leased::new(1, "/id");
    fill(&leased.orders, 0..40);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("tail.json");
    succeed(tail(&leased, &state).args(["--from", "beginning"]));
    leased.orders.split("0", 2);
    fill(&leased.orders, 40..60);
    succeed(&mut tail(&leased, &state));
    fill(&leased.orders, 60..80);
    let rest = format!("--from-state {}", state.display());
    succeed(&mut adopt(&leased, &rest));
    let partitions = leased.partitions();
    let tokens: Vec<String> = stored(&leased).into_keys().collect();
    let expected: Vec<String> = partitions.into_iter().map(|(id, ..)| id).collect();
    assert_eq!(tokens, expected);
    assert_eq!(list(&leased)["transactions"], 20);
}

#[test]
fn a_tail_goes_on_where_a_group_is() {
    let directory = tempfile::tempdir().unwrap();
    for format in ["dotnet", "java"] {
        let leased = Leased::new(3, "/id");
        fill(&leased.orders, 0..60);
        if format == "dotnet" {
            net(&leased, 0);
        } else {
            let java = leased.java("orders");
            java.marker();
            for (_, lsn, bounds) in leased.partitions() {
                java.range(&bounds, None, Some(lsn), &ago(900));
            }
        }
        let before = stored(&leased);
        fill(&leased.orders, 100..150);
        let state = directory.path().join(format!("{format}.json"));
        let rest = format!("--to-state {}", state.display());
        succeed(adopt(&leased, &rest).arg("--dry-run"));
        assert!(!state.exists());
        let ended = succeed(&mut adopt(&leased, &rest));
        assert!(
            ended
                .stderr
                .contains("`cosmos-tail tail -d shop -c orders --state "),
            "{}",
            ended.stderr
        );
        assert_eq!(stored(&leased), before);
        assert_eq!(
            numbers(&succeed(&mut tail(&leased, &state))),
            (100..150).collect::<Vec<u64>>()
        );
        fill(&leased.orders, 200..220);
        assert_eq!(
            numbers(&succeed(&mut tail(&leased, &state))),
            (200..220).collect::<Vec<u64>>()
        );
        let ended = fail(&mut adopt(&leased, &rest), 2);
        assert!(ended.stderr.contains("exists already"), "{}", ended.stderr);
    }
}

#[test]
fn leases_become_those_of_the_other_sdk_and_back() {
    let leased = Leased::new(3, "/id");
    fill(&leased.orders, 0..60);
    net(&leased, 2);
    let (before, markers) = (stored(&leased), others(&leased));
    let to_java = "--lease-format java";
    let ended = succeed(adopt(&leased, to_java).arg("--dry-run"));
    assert!(ended.stdout.contains("BECOMES"), "{}", ended.stdout);
    assert_eq!(leased.gateway.write_log().len(), 0);
    let ended = succeed(&mut adopt(&leased, to_java));
    assert!(
        ended
            .stderr
            .contains("3 leases converted to those of Java: start no processor of .NET on them")
            && ended.stderr.contains("leases have properties"),
        "{}",
        ended.stderr
    );
    assert_eq!(others(&leased), markers);
    let group = list(&leased);
    assert_eq!(
        (&group["format"], &group["transactions"]),
        (&json!("java"), &json!(6))
    );
    assert_eq!(group["is_initialized"], true);
    for (token, lease) in stored(&leased) {
        assert_eq!(lease["Owner"], Value::Null, "{lease}");
        assert!(
            lease.get("properties").is_none() && token.contains('-'),
            "{lease}"
        );
    }
    let ended = fail(&mut adopt(&leased, to_java), 2);
    assert!(
        ended.stderr.contains("has leases of Java already"),
        "{}",
        ended.stderr
    );
    succeed(&mut adopt(&leased, "--lease-format dotnet"));
    assert_eq!(others(&leased), markers);
    let after = stored(&leased);
    // What was a range of exactly one partition is the lease of that one, as KEDA wants it.
    let positions = |all: &BTreeMap<String, Value>| -> Vec<Value> {
        let position = |one: &Value| {
            json!([
                one["FeedRange"],
                one["ContinuationToken"],
                one["Owner"],
                one["Mode"]
            ])
        };
        let mut all: Vec<Value> = all.values().map(position).collect();
        all.sort_by_key(Value::to_string);
        all
    };
    assert_eq!(positions(&after), positions(&before));
    assert_eq!(after.keys().collect::<Vec<_>>(), ["0", "1", "2"]);
    assert_eq!(leased.gateway.violations(), [] as [String; 0]);
}

#[test]
fn leases_of_javas_partitions_become_those_of_ranges() {
    for format in ["dotnet", "java"] {
        let leased = Leased::new(2, "/id");
        fill(&leased.orders, 0..40);
        let old = leased.java_partitions("orders");
        old.marker();
        for (id, lsn, _) in leased.partitions() {
            old.partition(&id, None, Some(lsn - 3), &ago(900));
        }
        succeed(&mut adopt(&leased, &format!("--lease-format {format}")));
        let group = list(&leased);
        assert_eq!(
            (&group["format"], &group["transactions"]),
            (&json!(format), &json!(6))
        );
        assert_eq!(group["is_initialized"], true);
        // As Java does it, which keeps the marker of the processors that it leaves.
        let mut markers = vec![format!("{}.info", leased.prefix("orders"))];
        if format == "java" {
            markers.push(format!("{}.info", old.prefix));
        }
        let mut left = others(&leased);
        left.sort();
        markers.sort();
        assert_eq!(left, markers);
    }
}

#[test]
fn what_cannot_be_adopted_is_refused_and_nothing_is_written() {
    let leased = Leased::new(3, "/id");
    fill(&leased.orders, 0..60);
    let other = leased.gateway.create_container("shop", "other", "/pk", 1);
    fill(&other, 0..5);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let state = directory.path().join("tail.json");
    succeed(tail(&leased, &state).args(["--from", "beginning"]));
    let part = directory.path().join("part.json");
    succeed(tail(&leased, &part).args(["--from=beginning", "--partition-key=key-1"]));
    std::fs::write(directory.path().join("no-state.json"), "{}").unwrap();
    let refused = |rest: &str, code: i32, reason: &str| {
        let ended = fail(&mut adopt(&leased, rest), code);
        assert!(ended.stderr.contains(reason), "{rest}: {}", ended.stderr);
        assert_eq!(leased.gateway.write_log().len(), 0);
    };
    refused("", 2, "it is not said what is to become of the group");
    let from = |name: &str| format!("--from-state {}", path(name));
    refused(&from("part.json"), 2, "it is of a part of the container");
    refused(&from("missing.json"), 2, "there is no such file");
    refused(&from("no-state.json"), 1, "cannot make leases of");
    let of_other = format!("{} -d shop -c other", from("tail.json"));
    refused(&of_other, 2, "not of `shop/other` with the RID");
    // A state that is in use.
    let mut running = against(&leased.gateway);
    running.args(["tail", "--state"]).arg(&state);
    let mut running = running
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let seen = leased.gateway.total_requests();
    leased.gateway.wait_for_requests(seen + 4);
    refused(&from("tail.json"), 1, "is in use");
    running.kill().unwrap();
    running.wait().unwrap();

    net(&leased, 0);
    let lsn = leased.partitions()[0].1;
    let net = leased.net("orders");
    let bounds = leased.partitions()[0].2.clone();
    let to = format!("--to-state {}", path("new.json"));
    for (owner, position, reason) in [
        (Some("a"), Some(lsn), "instances have 1 of 3 leases: a"),
        (None, Some(lsn + 7), "has not reached"),
        (None, None, "it has no position"),
    ] {
        net.partition("0", &bounds, owner, position, &ago(0));
        refused(&to, 1, reason);
    }
    net.partition("0", &bounds, Some("a"), Some(lsn), &ago(0));
    refused("--lease-format java", 1, "instances have 1 of 3 leases: a");
    net.partition("0", &bounds, None, Some(lsn), &ago(0));
    let keyed = Leased::new(3, "/partitionKey");
    fill(&keyed.orders, 0..60);
    self::net(&keyed, 0);
    let ended = fail(&mut adopt(&keyed, "--lease-format java"), 2);
    assert!(ended.stderr.contains("is not /id"), "{}", ended.stderr);
    net.other("8", json!({"LeaseToken": "8", "version": 7}));
    refused("--lease-format java", 1, "is no lease of the group");
    assert!(!directory.path().join("new.json").exists());
}

#[test]
fn a_conversion_that_was_killed_at_any_write_is_ended_by_the_next_one() {
    let writes = {
        let leased = Leased::new(3, "/id");
        fill(&leased.orders, 0..60);
        net(&leased, 2);
        succeed(&mut adopt(&leased, "--lease-format java"));
        leased.gateway.write_log().len()
    };
    // Three leases are taken, a lock, the marker, three leases made, two deleted, the marker and the lock.
    assert_eq!(writes, 12);
    for nth in 1..=writes {
        // Before the write, and after it.
        let is_before = nth % 2 == 0;
        let leased = Leased::new(3, "/id");
        fill(&leased.orders, 0..60);
        net(&leased, 2);
        let process = Arc::new(AtomicI32::new(0));
        let killed = Arc::clone(&process);
        let kills = Action::call(move || {
            // It writes nothing before its test knows its id for long.
            let id = loop {
                match killed.load(Ordering::Relaxed) {
                    0 => std::thread::yield_now(),
                    id => break id,
                }
            };
            nix::sys::signal::kill(Pid::from_raw(id), Signal::SIGKILL).ok();
        });
        let on_write = |action| Fault::on(RequestKind::ItemWrite, action).nth(nth);
        leased.gateway.push_fault(on_write(kills).always());
        if is_before {
            leased
                .gateway
                .push_fault(on_write(Action::status(503, 0)).always());
        }
        let mut command = adopt(&leased, "--lease-format java");
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap();
        process.store(child.id().cast_signed(), Ordering::Relaxed);
        assert_eq!(child.wait().unwrap().code(), None, "{nth}");
        leased.gateway.clear_faults();
        age(&leased);
        let ended = run(&mut adopt(&leased, "--lease-format java"));
        let is_done = ended.stderr.contains("has leases of Java already");
        assert!(ended.code == Some(0) || is_done, "{nth}: {}", ended.stderr);
        let group = list(&leased);
        assert_eq!(group["format"], "java", "{nth}: {group}");
        assert_eq!(group["transactions"], 6, "{nth}: {group}");
        assert_eq!(group["is_initialized"], true, "{nth}");
        assert_eq!(stored(&leased).len(), 3, "{nth}");
        assert_eq!(
            others(&leased),
            [format!("{}.info", leased.prefix("orders"))],
            "{nth}"
        );
    }
}

#[test]
fn an_instance_that_is_faster_has_the_leases() {
    let leased = Leased::new(3, "/id");
    fill(&leased.orders, 0..60);
    net(&leased, 2);
    let partitions = leased.partitions();
    let group = leased.net("orders");
    let taken = Action::call(move || {
        let (id, lsn, bounds) = &partitions[1];
        group.partition(id, bounds, Some("worker"), Some(lsn - 2), &ago(0));
    });
    leased
        .gateway
        .push_fault(Fault::on(RequestKind::ItemWrite, taken));
    let ended = fail(&mut adopt(&leased, "--lease-format java"), 1);
    assert!(
        ended.stderr.contains("nothing was converted")
            && ended
                .stderr
                .contains("an instance has taken the lease `1` meanwhile"),
        "{}",
        ended.stderr
    );
    let owners: Vec<Value> = stored(&leased)
        .values()
        .map(|one| one["Owner"].clone())
        .collect();
    let mut named: Vec<&str> = owners.iter().filter_map(Value::as_str).collect();
    named.sort_unstable();
    assert_eq!(named, ["worker"]);
    assert_eq!(list(&leased)["format"], "dotnet");
}

//! `leases check`, `repair`, `export` and `import`.

use std::process::Command;

use serde_json::{Value, json};

use super::written::{Leased, ago};
use super::{each, leases, list};
use crate::command::{Ended, fail, run, succeed};
use crate::orders::fill;

fn scene(key: &str) -> (Leased, Vec<(String, u64, [String; 2])>) {
    let leased = Leased::new(3, key);
    fill(&leased.orders, 0..60);
    let partitions = leased.partitions();
    (leased, partitions)
}

#[track_caller]
fn checked(leased: &Leased) -> Vec<(String, String)> {
    let ended = run(&mut leases(leased, "check --format json"));
    let found: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    let faults = found["faults"].as_u64().unwrap();
    assert_eq!(ended.code, Some(i32::from(faults > 0)), "{ended:?}");
    let findings = found["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|found| {
            let lease = found["lease"].as_str().unwrap_or_default();
            (found["kind"].as_str().unwrap().to_owned(), lease.to_owned())
        })
        .collect()
}

fn kinds(found: &[(String, String)]) -> Vec<&str> {
    found.iter().map(|(kind, _)| kind.as_str()).collect()
}

fn repair(leased: &Leased, rest: &str) -> Ended {
    run(&mut leases(leased, &format!("repair --group orders{rest}")))
}

/// Asserts that nothing is wrong with the group, and that a repair writes nothing.
#[track_caller]
fn assert_whole(leased: &Leased) {
    assert_eq!(checked(leased), []);
    let ended = repair(leased, "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stderr.contains("nothing to repair"),
        "{}",
        ended.stderr
    );
    assert_eq!(leased.gateway.write_log().len(), 0);
}

#[test]
fn a_whole_group_has_no_findings_and_needs_no_repair() {
    let (leased, partitions) = scene("/id");
    let net = leased.net("orders");
    net.marker();
    for (id, lsn, bounds) in &partitions {
        net.partition(id, bounds, Some("a"), Some(*lsn), &ago(0));
    }
    assert_whole(&leased);
}

#[test]
fn a_lost_lease_is_found_and_created_again() {
    for key in ["/id", "/partitionKey"] {
        let (leased, partitions) = scene(key);
        let net = leased.net("orders");
        net.marker();
        for (id, lsn, bounds) in &partitions[..2] {
            net.partition(id, bounds, Some("a"), Some(*lsn), &ago(0));
        }
        let lost = partitions[2].2.join("-");
        assert_eq!(checked(&leased), [("missing".to_owned(), lost)]);
        let ended = repair(&leased, " --dry-run");
        assert!(ended.stdout.contains("create"), "{}", ended.stdout);
        assert_eq!(leased.gateway.write_log().len(), 0);
        let ended = repair(&leased, "");
        assert_eq!(ended.code, Some(0), "{ended:?}");
        // As .NET writes it, from the beginning.
        let id = format!("{}..2", net.prefix);
        let stored = leased.stored(&id).unwrap();
        assert_eq!(stored["LeaseToken"], "2");
        assert_eq!(stored["ContinuationToken"], "\"0\"");
        assert_eq!(stored["version"], 0);
        let [min, max] = &partitions[2].2;
        assert_eq!(
            stored["FeedRange"]["Range"],
            json!({"min": min, "max": max})
        );
        if key == "/partitionKey" {
            assert_eq!(stored["partitionKey"], id);
        }
        let found = checked(&leased);
        assert_eq!(kinds(&found), ["ownerless"]);
        assert_eq!(leased.gateway.violations(), Vec::<String>::new());
    }
}

#[test]
fn of_doubled_leases_the_one_that_is_least_far_is_kept() {
    let (leased, partitions) = scene("/id");
    let net = leased.net("orders");
    net.marker();
    let bounds = |at: usize| &partitions[at].2;
    net.partition("0", bounds(0), None, Some(5), &ago(900));
    // The same range by another name, further.
    net.range(bounds(0), None, Some(7), &ago(900));
    // A parent whose children exist, and are not further.
    let [min, max] = bounds(1);
    let middle = format!("{}80", &min[..2]);
    let middle = if middle < *max {
        middle
    } else {
        "20".to_owned()
    };
    net.range(bounds(1), None, Some(9), &ago(900));
    net.range(&[min.clone(), middle.clone()], None, Some(9), &ago(900));
    net.range(&[middle.clone(), max.clone()], None, Some(4), &ago(900));
    net.partition("2", bounds(2), None, Some(3), &ago(900));
    let found = checked(&leased);
    assert_eq!(
        kinds(&found),
        [
            "not-running",
            "duplicate",
            "duplicate",
            "duplicate",
            "duplicate",
            "duplicate"
        ]
    );
    let ended = repair(&leased, "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stderr.contains("0 leases created, 2 leases deleted"),
        "{}",
        ended.stderr
    );
    let group = list(&leased);
    assert_eq!(each(&group, "position"), [5, 9, 4, 3], "{group:#}");
    assert_eq!(each(&group, "state"), ["ownerless"; 4]);
    // Not one that an instance has.
    net.range(bounds(0), Some("a"), Some(7), &ago(0));
    let ended = repair(&leased, "");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("`a` has it"), "{}", ended.stderr);
}

#[test]
fn leases_of_partitions_that_were_merged_are_not_taken_for_doubled_ones() {
    let (leased, partitions) = scene("/id");
    let java = leased.java_partitions("orders");
    java.marker();
    for (id, lsn, _) in &partitions {
        java.partition(id, Some("a"), Some(*lsn), &ago(0));
    }
    leased.orders.merge("0", "1");
    // Both are at positions of their own halves, whichever is further.
    assert_whole(&leased);
    let ended = fail(&mut leases(&leased, "export --group orders"), 1);
    assert!(ended.stderr.contains("merged"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_marker_without_leases_is_a_group_that_nobody_reads() {
    let (leased, partitions) = scene("/id");
    let java = leased.java("orders");
    java.marker();
    assert_eq!(kinds(&checked(&leased)), ["no-leases"]);
    // It may be of either SDK.
    let ended = repair(&leased, " --to now");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("--lease-format"), "{}", ended.stderr);
    let ended = repair(&leased, " --to now --lease-format java");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(list(&leased)["format"], "java");
    let ended = repair(&leased, " --lease-format dotnet");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let group = list(&leased);
    assert_eq!(
        each(&group, "position"),
        partitions
            .iter()
            .map(|(_, lsn, _)| *lsn)
            .collect::<Vec<_>>()
    );
}

#[test]
fn javas_second_marker_is_no_group() {
    let (leased, partitions) = scene("/id");
    let java = leased.java("orders");
    java.marker();
    for (_, lsn, bounds) in &partitions {
        java.range(bounds, Some("a"), Some(*lsn), &ago(0));
    }
    // Its processors of ranges write that of its processors of partitions too.
    leased.java_partitions("orders").marker();
    assert_eq!(checked(&leased), []);
    assert_eq!(list(&leased)["format"], "java");
    // Alone it is one.
    leased.java_partitions("other").marker();
    assert_eq!(kinds(&checked(&leased)), ["no-leases"]);
}

#[test]
fn what_processors_stumble_over_is_named() {
    let (leased, partitions) = scene("/id");
    let java = leased.java("orders");
    java.marker();
    let bounds = |at: usize| &partitions[at].2;
    java.range(bounds(0), Some("ahead"), Some(partitions[0].1), &ago(-300));
    java.range(bounds(1), Some("a"), Some(partitions[1].1 + 500), &ago(0));
    java.range(bounds(2), Some("a"), Some(1), "");
    java.other("0", json!({"LeaseToken": "0", "properties": {}}));
    let found = checked(&leased);
    assert_eq!(
        kinds(&found),
        ["ahead", "foreign", "no-time", "clock"],
        "{found:?}"
    );
    // It is left alone.
    let ended = repair(&leased, "");
    assert!(ended.stderr.contains("is left alone"), "{}", ended.stderr);
    assert_eq!(leased.gateway.write_log().len(), 0);
    // What it says is one line for each, with nothing that a terminal obeys.
    java.other("\u{1b}[31m", json!({"LeaseToken": 7}));
    let ended = fail(&mut leases(&leased, "check"), 1);
    assert!(!ended.stdout.contains('\u{1b}'), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("4 faults, 1 warning"),
        "{}",
        ended.stdout
    );
}

#[test]
fn what_may_pass_by_itself_fails_a_strict_check_only() {
    let (leased, partitions) = scene("/id");
    let net = leased.net("orders");
    net.marker();
    for (id, lsn, bounds) in &partitions {
        net.partition(id, bounds, None, Some(*lsn), &ago(900));
    }
    assert_eq!(kinds(&checked(&leased)), ["not-running"]);
    fail(&mut leases(&leased, "check --strict"), 1);
}

fn import(leased: &Leased, file: &std::path::Path, rest: &[&str]) -> Command {
    let mut command = leases(leased, "import");
    command
        .args(["-d", "shop", "-c", "orders"])
        .arg(file)
        .args(rest);
    command
}

#[test]
fn a_group_is_exported_and_imported_in_either_dialect() {
    let (leased, partitions) = scene("/id");
    let net = leased.net("orders");
    net.marker();
    for (id, lsn, bounds) in &partitions {
        net.partition(id, bounds, Some("a"), Some(lsn - 2), &ago(0));
    }
    let ended = succeed(&mut leases(&leased, "export --group orders"));
    assert!(
        ended.stderr.contains("instances have 3 of these leases"),
        "{}",
        ended.stderr
    );
    let exported: Value = serde_json::from_str(&ended.stdout).unwrap();
    let [min, max] = &partitions[1].2;
    assert_eq!(
        exported[1],
        json!({
            "id": "1", "version": 0, "_etag": null, "LeaseToken": "1", "PartitionId": "1",
            "FeedRange": {"Range": {"min": min, "max": max}},
            "ContinuationToken": format!("\"{}\"", partitions[1].1 - 2),
            "properties": {"note": "kept"}, "timestamp": null, "_ts": 0,
        })
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("leases.json");
    std::fs::write(&file, &ended.stdout).unwrap();

    succeed(&mut import(
        &leased,
        &file,
        &["--group", "copy", "--dry-run"],
    ));
    assert_eq!(leased.gateway.write_log().len(), 0);
    for (group, format) in [("copy", "dotnet"), ("java", "java")] {
        let ended = succeed(&mut import(
            &leased,
            &file,
            &["--group", group, "--lease-format", format],
        ));
        assert!(
            ended.stderr.contains("3 leases created"),
            "{}",
            ended.stderr
        );
        let ended = succeed(&mut leases(
            &leased,
            &format!("list --format json --group {group}"),
        ));
        let found: Value = serde_json::from_str(&ended.stdout).unwrap();
        let found = &found["groups"][0];
        assert_eq!(found["format"], format);
        assert_eq!(found["is_initialized"], true);
        assert_eq!(found["transactions"], 6);
        assert_eq!(each(found, "state"), ["ownerless"; 3]);
    }
    // What is exported again is the same.
    let again = succeed(&mut leases(&leased, "export --group copy"));
    assert_eq!(
        serde_json::from_str::<Value>(&again.stdout).unwrap(),
        exported
    );
    // The processor may reach the account at another host.
    let other = leased
        .prefix("elsewhere")
        .replace("127.0.0.1", ".example.com");
    succeed(&mut import(&leased, &file, &["--group", &other]));
    assert!(leased.stored(&format!("{other}..1")).is_some());
    // A group that exists is not touched.
    let writes = leased.gateway.write_log().len();
    let ended = fail(&mut import(&leased, &file, &["--group", "orders"]), 1);
    assert!(
        ended.stderr.contains("has the group `orders` already"),
        "{}",
        ended.stderr
    );
    std::fs::write(&file, "[{\"id\": \"0\"}]").unwrap();
    let ended = fail(&mut import(&leased, &file, &["--group", "new"]), 1);
    assert!(
        ended.stderr.contains("lease 1: it has no LeaseToken"),
        "{}",
        ended.stderr
    );
    let ended = fail(
        &mut import(&leased, &directory.path().join("none"), &["--group", "new"]),
        2,
    );
    assert!(ended.stderr.contains("cannot read"), "{}", ended.stderr);
    assert_eq!(leased.gateway.write_log().len(), writes);
}

//! What instances write, and what becomes of leases of each SDK.

use serde_json::{Value, json};

use super::scene::Scene;
use crate::command::fail;
use crate::leases::written::ago;
use crate::orders::fill;

#[test]
fn a_new_group_has_the_documents_of_net() {
    for key in ["/id", "/partitionKey"] {
        let scene = Scene::keyed(2, key);
        fill(&scene.leased.orders, 0..10);
        let a = scene.start("a");
        scene.printed.wait_for(0..10);
        a.stop();
        let prefix = scene.leased.prefix("orders");
        for (id, lsn, [min, max]) in scene.leased.partitions() {
            let lease = scene.leased.stored(&format!("{prefix}..{id}")).unwrap();
            let own: serde_json::Map<String, Value> = lease
                .as_object()
                .unwrap()
                .iter()
                .filter(|(name, _)| !name.starts_with('_') && *name != "timestamp")
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let mut expected = json!({
                "id": format!("{prefix}..{id}"), "version": 0, "LeaseToken": id, "PartitionId": id,
                "FeedRange": {"Range": {"min": min, "max": max}}, "Owner": null,
                "ContinuationToken": format!("\"{lsn}\""), "properties": {}, "Mode": "Incremental Feed",
            });
            if key == "/partitionKey" {
                expected["partitionKey"] = lease["id"].clone();
            }
            assert_eq!(Value::Object(own), expected);
            let time = lease["timestamp"].as_str().unwrap();
            assert!(time.ends_with('Z') && time.len() == 28, "{time}");
        }
        assert!(scene.leased.stored(&format!("{prefix}.info")).is_some());
        assert!(scene.leased.stored(&format!("{prefix}.lock")).is_none());
    }
}

#[test]
fn leases_of_net_are_taken_over_with_all_that_they_hold() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..40);
    let net = scene.leased.net("orders");
    net.marker();
    let partitions = scene.leased.partitions();
    let half: Vec<u64> = partitions.iter().map(|(_, lsn, _)| lsn - 5).collect();
    for ((id, _, bounds), lsn) in partitions.iter().zip(&half) {
        net.partition(id, bounds, None, Some(*lsn), &ago(100));
    }
    let a = scene.start("a");
    scene.wait_until(
        || {
            let stored = scene.stored();
            partitions
                .iter()
                .all(|(id, lsn, _)| stored[id]["ContinuationToken"] == format!("\"{lsn}\""))
        },
        || format!("{:?}", scene.stored()),
    );
    a.stop();
    for lease in scene.stored().values() {
        assert_eq!(lease["properties"], json!({"note": "kept"}));
    }
    // Only what came after their positions.
    assert_eq!(scene.printed.lines().len(), 10);
}

#[test]
fn a_group_of_java_is_shared_in_its_form() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..40);
    let mut command = scene.command("a");
    command.args(["--from", "beginning", "--lease-format", "java"]);
    let a = scene.start_as("a", &mut command);
    scene.printed.wait_for(0..40);
    a.stop();
    for (token, lease) in scene.stored() {
        assert!(token.contains('-'), "{token}");
        assert_eq!(lease["version"], 1);
        let (min, max) = token.split_once('-').unwrap();
        assert_eq!(
            lease["feedRange"],
            json!({"Range": {"min": min, "max": max}})
        );
        assert!(
            lease["ContinuationToken"]
                .as_str()
                .unwrap()
                .starts_with("ey"),
            "{lease}"
        );
        assert!(
            lease.get("FeedRange").is_none() && lease.get("properties").is_none(),
            "{lease}"
        );
    }
    let b = scene.start_as("b", &mut command);
    fill(&scene.leased.orders, 40..60);
    scene.printed.wait_for(40..60);
    b.stop();
    let counts = scene.printed.numbers();
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

/// Everything that must be refused before anything is written.
#[test]
fn a_group_that_an_instance_would_spoil_is_refused_before_anything_is_written() {
    let scene = Scene::new(1);
    let (_, lsn, bounds) = scene.leased.partitions().remove(0);
    fill(&scene.leased.orders, 0..5);
    let java = scene.leased.java("orders");
    java.marker();
    java.range(&bounds, Some("j"), Some(lsn), &ago(0));
    let ended = fail(&mut scene.command("a"), 2);
    assert!(
        ended
            .stderr
            .contains("error: the group `orders` has leases of Java"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("--lease-format java"),
        "{}",
        ended.stderr
    );

    let scene = Scene::new(1);
    let net = scene.leased.net("orders");
    net.marker();
    net.partition("0", &bounds, None, Some(lsn), &ago(0));
    let ended = fail(scene.command("a").args(["--lease-format", "java"]), 2);
    assert!(
        ended.stderr.contains("has leases of .NET"),
        "{}",
        ended.stderr
    );
    let ended = fail(scene.command("a").args(["--mode", "all"]), 2);
    assert!(
        ended.stderr.contains("reads the latest versions"),
        "{}",
        ended.stderr
    );
    net.other("1", json!({"hello": "there"}));
    let ended = fail(&mut scene.command("a"), 2);
    assert!(
        ended.stderr.contains("that is no lease of it"),
        "{}",
        ended.stderr
    );
    assert_eq!(scene.leased.gateway.write_log().len(), 0);

    let scene = Scene::new(1);
    scene
        .leased
        .java_partitions("orders")
        .partition("0", None, Some(lsn), &ago(0));
    let ended = fail(scene.command("a").args(["--lease-format", "java"]), 2);
    assert!(
        ended.stderr.contains("Java's handleChanges"),
        "{}",
        ended.stderr
    );
    assert_eq!(scene.leased.gateway.write_log().len(), 0);
}

#[test]
fn what_ranges_that_move_do_not_have_is_refused_with_the_reason() {
    let scene = Scene::new(1);
    for (arguments, reason) in [
        (
            &["--state", "x.json"][..],
            "the positions of a group are in its leases",
        ),
        (&["-o", "x.jsonl"], "no file system refuses that"),
        (
            &["--until-caught-up"],
            "does not know how far the ranges of others are",
        ),
        (
            &["--until", "2020-01-01"],
            "does not know how far the ranges of others are",
        ),
        (&["--partition-key", "a"], "cover the whole container"),
        (&["--range", "0"], "cover the whole container"),
        (
            &["--renew-interval", "40s"],
            "would be lost with one renewal that fails",
        ),
        (
            &["--expiration-interval", "1s"],
            "leases cannot expire after 1s",
        ),
    ] {
        let ended = fail(scene.bare("a").args(arguments), 2);
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    }
    let ended = fail(&mut scene.bare("Worker"), 2);
    assert!(
        ended.stderr.contains("--instance worker"),
        "{}",
        ended.stderr
    );
    assert_eq!(scene.leased.gateway.total_requests(), 0);
}

#[test]
fn the_containers_of_leases_and_of_documents_must_be_of_use() {
    let scene = Scene::keyed(1, "/pk");
    let ended = fail(&mut scene.bare("a"), 2);
    assert!(
        ended.stderr.contains("its partition key is `/pk`"),
        "{}",
        ended.stderr
    );
    let scene = Scene::new(1);
    let mut command = crate::command::against(&scene.leased.gateway);
    command.args(["tail", "--group", "orders", "--leases", "shop/leases"]);
    command.env("AZURE_COSMOS_CONTAINER", "leases");
    let ended = fail(&mut command, 2);
    assert!(
        ended.stderr.contains("each renewal would be a change"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_split_makes_the_leases_of_its_children_before_that_of_the_parent_goes() {
    for (format, form) in [
        ("dotnet", "partition"),
        ("dotnet", "range"),
        ("java", "range"),
    ] {
        let scene = Scene::new(2);
        fill(&scene.leased.orders, 0..40);
        if form == "range" && format == "dotnet" {
            let net = scene.leased.net("orders");
            net.marker();
            for (_, _, bounds) in scene.leased.partitions() {
                net.range(&bounds, None, Some(0), &ago(100));
            }
        }
        let mut command = scene.command("a");
        command.args(["--from", "beginning", "--lease-format", format]);
        let a = scene.start_as("a", &mut command);
        scene.printed.wait_for(0..40);
        let partitions = scene.leased.orders.partitions();
        let children = scene.leased.orders.split(&partitions[0].id, 2);
        fill(&scene.leased.orders, 40..100);
        scene.printed.wait_for(40..100);
        scene.wait_for_owners(&[("a", 3)]);
        let tokens: Vec<String> = scene.stored().into_keys().collect();
        let expected: Vec<String> = scene
            .leased
            .partitions()
            .into_iter()
            .map(|(id, _, bounds)| match form {
                "partition" => id,
                _ => bounds.join("-"),
            })
            .collect();
        let sorted = |mut tokens: Vec<String>| {
            tokens.sort();
            tokens
        };
        assert_eq!(tokens, sorted(expected), "{format} {form} {children:?}");
        let counts = scene.printed.numbers();
        assert!(counts.values().all(|count| *count == 1), "{counts:?}");
        let said = a.stop();
        assert!(said.contains(": replaced by the leases `"), "{said}");
        // And the next one reads nothing again.
        let b = scene.start_as("b", scene.command("b").args(["--lease-format", format]));
        fill(&scene.leased.orders, 100..120);
        scene.printed.wait_for(100..120);
        b.stop();
        let counts = scene.printed.numbers();
        assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    }
}

#[test]
fn leases_of_merged_partitions_become_those_of_their_ranges() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..40);
    let a = scene.start("a");
    scene.printed.wait_for(0..40);
    let before = scene.leased.partitions();
    scene.leased.orders.merge(&before[0].0, &before[1].0);
    fill(&scene.leased.orders, 40..80);
    scene.printed.wait_for(40..80);
    let expected: Vec<String> = before
        .iter()
        .map(|(_, _, bounds)| bounds.join("-"))
        .collect();
    scene.wait_until(
        || scene.stored().keys().all(|token| expected.contains(token)),
        || format!("{:?}", scene.stored()),
    );
    assert_eq!(scene.stored().len(), 2);
    fill(&scene.leased.orders, 80..100);
    scene.printed.wait_for(80..100);
    a.stop();
    let counts = scene.printed.numbers();
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

#[test]
fn all_versions_are_shared_too() {
    let scene = Scene::new(2);
    fill(&scene.leased.orders, 0..10);
    let mut command = scene.command("a");
    command.args(["--mode", "all", "--jq", ".current"]);
    let a = scene.start_as("a", &mut command);
    for lease in scene.stored().values() {
        assert_eq!(lease["Mode"], "Full-Fidelity Feed");
    }
    fill(&scene.leased.orders, 100..120);
    scene.printed.wait_for(100..120);
    a.kill();
    fill(&scene.leased.orders, 120..140);
    let mut command = scene.command("b");
    let b = scene.start_as("b", command.args(["--mode", "all", "--jq", ".current"]));
    scene.printed.wait_for(120..140);
    b.stop();
    assert_eq!(scene.printed.numbers().keys().copied().min(), Some(100));
}

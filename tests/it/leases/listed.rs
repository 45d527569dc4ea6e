//! `leases list` and `lag --group`.

use serde_json::{Value, json};

use super::written::{Leased, ago};
use super::{each, leases, list};
use crate::command::{cosmos_tail, fail, run, succeed};
use crate::gateway::{Action, Fault, KEY, RequestKind};
use crate::orders::fill;

/// What each partition has had since.
const BEHIND: u64 = 3;

/// A container with three partitions, and what each position of a lease is.
fn scene(key: &str) -> (Leased, Vec<(String, u64, [String; 2])>) {
    let leased = Leased::new(3, key);
    fill(&leased.orders, 0..60);
    let partitions = leased.partitions();
    (leased, partitions)
}

fn assert_lags(group: &Value, partitions: &[(String, u64, [String; 2])]) {
    assert_eq!(group["transactions"], BEHIND * 3, "{group:#}");
    assert_eq!(group["at_most"], false, "{group:#}");
    for (lease, (_, lsn, [min, max])) in group["leases"].as_array().unwrap().iter().zip(partitions)
    {
        assert_eq!(lease["position"], lsn - BEHIND, "{lease}");
        assert_eq!(lease["transactions"], BEHIND, "{lease}");
        assert_eq!(lease["range"], json!({"min": min, "max": max}), "{lease}");
    }
}

#[test]
fn the_leases_of_each_dialect_are_listed_with_their_lags() {
    for key in ["/id", "/partitionKey"] {
        let (leased, partitions) = scene(key);
        let net = leased.net("orders");
        net.marker();
        for (id, lsn, bounds) in &partitions {
            net.partition(id, bounds, Some("a"), Some(lsn - BEHIND), &ago(5));
        }
        let group = list(&leased);
        assert_eq!(group["group"], "orders");
        assert_eq!(group["format"], "dotnet");
        assert_eq!(
            (&group["database"], &group["container"]),
            (&json!("shop"), &json!("orders"))
        );
        assert_eq!(each(&group, "state"), ["held"; 3], "{group:#}");
        assert_eq!(each(&group, "lease"), ["0", "1", "2"]);
        assert_lags(&group, &partitions);
        assert_eq!(leased.gateway.write_log().len(), 0);
        assert_eq!(leased.gateway.violations(), Vec::<String>::new());
    }

    let (leased, partitions) = scene("/id");
    let net = leased.net("");
    net.marker();
    for (_, lsn, bounds) in &partitions {
        net.range(bounds, None, Some(lsn - BEHIND), &ago(5));
    }
    let group = list(&leased);
    // As Functions has it.
    assert_eq!(group["group"], "");
    assert_eq!(each(&group, "state"), ["ownerless"; 3], "{group:#}");
    assert_lags(&group, &partitions);

    let (leased, partitions) = scene("/id");
    let java = leased.java("orders-");
    java.marker();
    for (_, lsn, bounds) in &partitions {
        java.range(bounds, Some("b"), Some(lsn - BEHIND), &ago(3_600));
    }
    let group = list(&leased);
    assert_eq!(
        (&group["group"], &group["format"]),
        (&json!("orders-"), &json!("java"))
    );
    assert_eq!(each(&group, "state"), ["expired"; 3], "{group:#}");
    assert_lags(&group, &partitions);

    let (leased, partitions) = scene("/id");
    let java = leased.java_partitions("my_");
    java.marker();
    for (id, lsn, _) in &partitions {
        java.partition(id, Some("b"), Some(lsn - BEHIND), &ago(2));
    }
    let group = list(&leased);
    assert_eq!(
        (&group["group"], &group["format"]),
        (&json!("my_"), &json!("java-partitions"))
    );
    assert_eq!(each(&group, "state"), ["held"; 3], "{group:#}");
    assert_lags(&group, &partitions);
}

#[test]
fn each_state_is_told_from_the_others() {
    let leased = Leased::new(4, "/id");
    let now = leased.gateway.time();
    leased.gateway.set_time(now - 7_200);
    fill(&leased.orders, 0..80);
    leased.gateway.set_time(now);
    let partitions = leased.partitions();
    let bounds = |at: usize| &partitions[at].2;
    let behind = |at: usize| Some(partitions[at].1 - BEHIND);
    let net = leased.net("orders");
    net.marker();
    // What it has not read has waited for two hours.
    net.range(bounds(0), Some("a"), behind(0), &ago(1));
    // It has read all.
    net.range(bounds(1), Some("b"), Some(partitions[1].1), &ago(1));
    // A part of another's range.
    let [min, _] = bounds(2);
    let middle = format!("{}80", &min[..min.len().min(2)]);
    net.range(&[min.clone(), middle.clone()], None, behind(2), &ago(1));
    net.range(bounds(2), Some("c"), behind(2), &ago(600));
    // None has the last one. Then what is none of the group.
    net.other("x", json!({"LeaseToken": "x"}));
    net.other("9", json!({"LeaseToken": "9", "version": 7}));
    // A partition that never was.
    net.other(
        "77",
        json!({"LeaseToken": "77", "version": 0, "properties": {}}),
    );
    // And what has nothing to do with it.
    leased.leases.upsert(json!({"id": "order-1"}));
    let group = list(&leased);
    let states = each(&group, "state");
    assert_eq!(
        states,
        [
            "orphaned",
            "stuck",
            "held",
            "duplicate",
            "duplicate",
            "missing",
            "foreign",
            "foreign"
        ],
        "{group:#}"
    );
    let missing = &group["leases"][5];
    assert_eq!(missing["lease"], bounds(3).join("-"));
    assert_eq!(missing["id"], Value::Null);
    // The total is not known where a part of it is not.
    assert_eq!(group["transactions"], Value::Null);
    let ended = run(&mut leases(&leased, "list --stuck-after 3h"));
    assert!(!ended.stdout.contains("stuck"), "{}", ended.stdout);
    for line in ended.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_lease_without_a_position_is_at_most_so_far_behind() {
    let (leased, partitions) = scene("/id");
    let net = leased.net("orders");
    net.marker();
    for (id, _, bounds) in &partitions {
        net.partition(id, bounds, Some("a"), None, &ago(5));
    }
    let group = list(&leased);
    assert_eq!(group["at_most"], true);
    let all: u64 = partitions.iter().map(|(_, lsn, _)| lsn).sum();
    let most = group["transactions"].as_u64().unwrap();
    assert!((60..=all).contains(&most), "{most} {all}");
    // Where it starts is not known, so it is not stuck.
    assert_eq!(each(&group, "state"), ["held"; 3]);
}

#[test]
fn the_lease_of_a_partition_that_was_split_is_for_its_children() {
    let (leased, partitions) = scene("/id");
    let java = leased.java_partitions("orders");
    java.marker();
    for (id, lsn, _) in &partitions {
        java.partition(id, None, Some(*lsn), &ago(2));
    }
    leased.orders.split("1", 2);
    let group = list(&leased);
    assert_eq!(each(&group, "state"), ["ownerless"; 3], "{group:#}");
    assert_eq!(group["transactions"], 0);
    let [min, max] = &partitions[1].2;
    assert_eq!(group["leases"][1]["range"], json!({"min": min, "max": max}));
}

#[test]
fn a_position_that_its_partition_has_not_reached_is_no_lag_and_keeps_nobody_waiting() {
    let (leased, partitions) = scene("/id");
    let net = leased.net("orders");
    for (at, (id, lsn, bounds)) in partitions.iter().enumerate() {
        let lsn = if at == 1 { lsn + 1_000 } else { *lsn };
        net.partition(id, bounds, Some("a"), Some(lsn), &ago(5));
    }
    let group = list(&leased);
    assert_eq!(
        each(&group, "transactions"),
        [&json!(0), &Value::Null, &json!(0)],
        "{group:#}"
    );
}

#[test]
fn the_lag_of_all_versions_counts_deletes() {
    let (leased, partitions) = scene("/id");
    let net = leased.net("orders");
    for (id, lsn, [min, max]) in &partitions {
        net.other(
            id,
            json!({"LeaseToken": id, "version": 0, "Mode": "Full-Fidelity Feed",
                "FeedRange": {"Range": {"min": min, "max": max}}, "ContinuationToken": format!("\"{lsn}\"")}),
        );
    }
    leased.orders.delete("item-7", "key-7");
    let group = list(&leased);
    assert_eq!(
        (&group["mode"], &group["transactions"]),
        (&json!("all"), &json!(1))
    );
}

#[test]
fn the_leases_of_a_container_that_was_recreated_are_orphaned() {
    let (leased, partitions) = scene("/id");
    let net = leased.net("orders");
    net.marker();
    for (id, lsn, bounds) in &partitions {
        net.partition(id, bounds, Some("a"), Some(*lsn), &ago(5));
    }
    leased.gateway.delete_container("shop", "orders");
    leased.gateway.create_container("shop", "orders", "/pk", 1);
    let ended = succeed(&mut leases(&leased, "list --format json"));
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(each(&found["groups"][0], "state"), ["orphaned"; 3]);
    assert!(
        ended.stderr.contains("does not exist any more"),
        "{}",
        ended.stderr
    );
    let mut lag = cosmos_tail();
    lag.env("AZURE_COSMOS_ENDPOINT", leased.gateway.endpoint())
        .env("AZURE_COSMOS_KEY", KEY)
        .args(["lag", "--group", "orders", "--leases", "shop/leases"]);
    let ended = fail(&mut lag, 1);
    assert!(
        ended.stderr.contains("does not exist any more"),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_lag_of_a_group_is_measured_as_that_of_a_job() {
    let (leased, partitions) = scene("/id");
    let net = leased.net("orders");
    net.marker();
    for (id, lsn, bounds) in &partitions {
        net.partition(id, bounds, Some("a"), Some(lsn - BEHIND), &ago(5));
    }
    let lag = |arguments: &[&str]| {
        let mut lag = cosmos_tail();
        lag.env("AZURE_COSMOS_ENDPOINT", leased.gateway.endpoint())
            .env("AZURE_COSMOS_KEY", KEY)
            .args(["lag", "--leases", "shop/leases"])
            .args(arguments);
        run(&mut lag)
    };
    let ended = lag(&["--group", "orders", "--format", "json"]);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(found["transactions"], BEHIND * 3, "{found}");
    assert_eq!(found["ranges"][2]["lease"], "2", "{found}");
    assert_eq!(
        lag(&["--group", "orders", "--fail-above", "9"]).code,
        Some(0)
    );
    assert_eq!(
        lag(&["--group", "orders", "--fail-above", "8"]).code,
        Some(4)
    );
    // By all of its prefix too.
    assert_eq!(lag(&["--group", &net.prefix]).code, Some(0));
    let ended = lag(&["--group", "order"]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("did you mean `orders`?"),
        "{}",
        ended.stderr
    );
    for wrong in [&["orders/"][..], &["orders/", "--group", "orders"], &[]] {
        assert_eq!(lag(wrong).code, Some(2), "{wrong:?}");
    }
}

#[test]
fn the_groups_of_one_container_are_chosen_by_its_name() {
    let (leased, partitions) = scene("/id");
    let net = leased.net("orders");
    for (id, lsn, bounds) in &partitions {
        net.partition(id, bounds, None, Some(*lsn), &ago(5));
    }
    succeed(&mut leases(&leased, "list -d shop -c orders"));
    for names in ["-d shop -c nope", "-d stock"] {
        let ended = fail(&mut leases(&leased, &format!("list {names}")), 1);
        assert!(
            ended.stderr.contains("its groups read shop/orders"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_position_that_is_none_is_named_and_the_others_are_measured() {
    let (leased, partitions) = scene("/id");
    let net = leased.net("orders");
    for (id, lsn, bounds) in &partitions[1..] {
        net.partition(id, bounds, None, Some(*lsn), &ago(5));
    }
    let [min, max] = &partitions[0].2;
    net.other(
        "0",
        json!({"LeaseToken": "0", "version": 0, "ContinuationToken": "\u{1b}[31m",
            "FeedRange": {"Range": {"min": min, "max": max}}}),
    );
    let group = list(&leased);
    assert_eq!(
        each(&group, "transactions"),
        [&Value::Null, &json!(0), &json!(0)]
    );
    let ended = succeed(&mut leases(&leased, "list"));
    assert!(
        ended.stderr.contains("is none of a change feed"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains('\u{1b}'), "{}", ended.stderr);
    fail(&mut leases(&leased, "export --group orders"), 1);
}

#[cfg(unix)]
#[test]
fn a_list_is_made_again_until_it_is_stopped() {
    let (leased, partitions) = scene("/id");
    let net = leased.net("orders");
    for (id, lsn, bounds) in &partitions {
        net.partition(id, bounds, None, Some(*lsn), &ago(5));
    }
    let mut command = leases(&leased, "list --format json --watch 10ms");
    let watching = crate::command::spawn(&mut command);
    leased.gateway.wait_for(RequestKind::ChangeFeed, 20);
    crate::command::interrupt(&watching);
    let ended = crate::command::wait(watching);
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines.len() >= 2, "{ended:?}");
    for line in lines {
        let list: Value = serde_json::from_str(line).unwrap();
        assert_eq!(each(&list["groups"][0], "state"), ["ownerless"; 3]);
    }
}

#[test]
fn a_container_that_holds_no_leases_is_refused() {
    let leased = Leased::new(1, "/tenant");
    let ended = fail(&mut leases(&leased, "list"), 2);
    assert!(
        ended
            .stderr
            .contains("`/tenant`, not `/id` or `/partitionKey`"),
        "{}",
        ended.stderr
    );
    let leased = Leased::new(1, "/id");
    let ended = succeed(&mut leases(&leased, "list"));
    assert_eq!(ended.stdout, "");
    assert!(ended.stderr.contains("has no leases"), "{}", ended.stderr);
}

#[test]
fn a_throttled_list_is_read_in_the_end() {
    let (leased, partitions) = scene("/id");
    let net = leased.net("orders");
    for (id, lsn, bounds) in &partitions {
        net.partition(id, bounds, Some("a"), Some(*lsn), &ago(5));
    }
    let throttle = Fault::on(RequestKind::ChangeFeed, Action::throttle(1)).times(20);
    leased.gateway.push_fault(throttle);
    assert_eq!(each(&list(&leased), "state"), ["held"; 3]);
}

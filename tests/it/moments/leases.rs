//! The commands on leases.

use serde_json::json;

use super::{Pages, Stage};
use crate::leases::written::{Leased, ago};
use crate::orders::fill;

/// Ages are shown in hours, which are the same in every run.
const AGE: i64 = 3 * 3_600 + 600;

/// A group of .NET with three leases, of which one is missing, and one of Java.
fn scene() -> (Leased, Vec<(String, u64, [String; 2])>) {
    let leased = Leased::new(3, "/id");
    let now = leased.gateway.time();
    leased.gateway.set_time(now - AGE.unsigned_abs());
    fill(&leased.orders, 0..60);
    let partitions = leased.partitions();
    fill(&leased.orders, 60..90);
    let bounds = |at: usize| &partitions[at].2;
    let net = leased.net("billing");
    net.marker();
    net.partition(
        "0",
        bounds(0),
        Some("worker-1"),
        Some(partitions[0].1),
        &ago(AGE),
    );
    net.partition("1", bounds(1), None, None, &ago(AGE));
    let java = leased.java("search");
    java.marker();
    for (_, lsn, bounds) in &partitions {
        java.range(bounds, Some("indexer"), Some(*lsn), &ago(AGE));
    }
    leased.gateway.set_time(now);
    (leased, partitions)
}

#[test]
fn leases() {
    let (leased, partitions) = scene();
    let stage = Stage::at(&leased.gateway);
    let mut pages = Pages::new("leases");
    for (name, about, typed) in [
        (
            "list",
            "Two groups, one of which lacks a lease.",
            "cosmos-tail leases list --leases shop/leases",
        ),
        (
            "list-held",
            "The same group, whose leases expire after a day.",
            "cosmos-tail leases list --leases shop/leases --group billing --expiration-interval 1d",
        ),
        (
            "no-such-group",
            "A group that does not exist, one letter off.",
            "cosmos-tail leases list --leases shop/leases --group biling",
        ),
        (
            "no-such-container",
            "A lease container that does not exist, one letter off.",
            "cosmos-tail leases list --leases shop/lease",
        ),
        (
            "other-container",
            "A container that no group reads.",
            "cosmos-tail leases list --leases shop/leases -d shop -c order",
        ),
        (
            "no-database",
            "A lease container without its database.",
            "cosmos-tail leases list --leases leases",
        ),
        (
            "not-leases",
            "A container of documents.",
            "cosmos-tail leases list --leases shop/orders",
        ),
        (
            "no-command",
            "Only `leases` was typed.",
            "cosmos-tail leases",
        ),
        (
            "check",
            "What is wrong with them.",
            "cosmos-tail leases check --leases shop/leases",
        ),
        (
            "lag-without-leases",
            "A group without its lease container.",
            "cosmos-tail lag --group search",
        ),
        (
            "repair-dry-run",
            "What a repair would do.",
            "cosmos-tail leases repair --leases shop/leases --group billing --dry-run",
        ),
        (
            "repair-lsn",
            "An LSN for what a repair creates.",
            "cosmos-tail leases repair --leases shop/leases --group billing --to 7",
        ),
        (
            "reset-held",
            "Leases that an instance has.",
            "cosmos-tail leases reset --leases shop/leases --group search --to now --expiration-interval 1d",
        ),
        (
            "reset-dry-run",
            "What a reset would do.",
            "cosmos-tail leases reset --leases shop/leases --group billing --to now --dry-run",
        ),
        (
            "reset",
            "A reset.",
            "cosmos-tail leases reset --leases shop/leases --group billing --to now",
        ),
        (
            "reset-lsn",
            "An LSN without a lease.",
            "cosmos-tail leases reset --leases shop/leases --group billing --to 7",
        ),
        (
            "reset-no-lease",
            "A lease that does not exist.",
            "cosmos-tail leases reset --leases shop/leases --group billing --to 7 --range 7",
        ),
        (
            "reset-nowhere",
            "A position that is none.",
            "cosmos-tail leases reset --leases shop/leases --group billing --to yesterday",
        ),
        (
            "reset-forced",
            "Leases that an instance has are taken from it.",
            "cosmos-tail leases reset --leases shop/leases --group search --to 7 --force --settle 0s \
             --range -15555555555555555555555555555555 --expiration-interval 1d",
        ),
        (
            "release",
            "Leases become free.",
            "cosmos-tail leases release --leases shop/leases --group search",
        ),
        (
            "repair",
            "A repair.",
            "cosmos-tail leases repair --leases shop/leases --group billing",
        ),
        (
            "repair-nothing",
            "A repair of what is whole.",
            "cosmos-tail leases repair --leases shop/leases --group billing",
        ),
        (
            "export",
            "The leases of a group as a file.",
            "cosmos-tail leases export --leases shop/leases --group billing",
        ),
    ] {
        stage.show(&mut pages, name, about, typed);
    }
    // How long something has waited differs from run to run.
    stage.prepare("cosmos-tail leases reset -q --leases shop/leases --group billing --to now");
    stage.show(
        &mut pages,
        "lag",
        "How far a group is behind.",
        "cosmos-tail lag --group billing --leases shop/leases",
    );
    for (name, about, typed) in [
        (
            "no-group",
            "A reset of no group.",
            "cosmos-tail leases reset --leases shop/leases --to now",
        ),
        (
            "reset-without-to",
            "A reset to nowhere.",
            "cosmos-tail leases reset --leases shop/leases --group billing",
        ),
    ] {
        stage.show(&mut pages, name, about, typed);
    }
    stage.write("leases.json", {
        let [min, max] = &partitions[0].2;
        let range = json!({"Range": {"min": min, "max": max}});
        json!([{"id": "0", "LeaseToken": "0", "version": 0, "FeedRange": range, "ContinuationToken": "\"7\""}])
            .to_string()
    });
    for (name, about, typed) in [
        (
            "import-gap",
            "A file that lacks leases.",
            "cosmos-tail leases import leases.json --leases shop/leases --group new -d shop -c orders",
        ),
        (
            "import-exists",
            "A group that exists.",
            "cosmos-tail leases import leases.json --leases shop/leases --group billing -d shop -c orders",
        ),
        (
            "adopt-dry-run",
            "Leases of Java that are to become those of .NET.",
            "cosmos-tail leases adopt --lease-format dotnet --leases shop/leases --group search --dry-run",
        ),
        (
            "adopt",
            "Leases of .NET that become those of Java.",
            "cosmos-tail leases adopt --lease-format java --leases shop/leases --group billing",
        ),
        (
            "adopt-nothing",
            "Without what the group is to become.",
            "cosmos-tail leases adopt --leases shop/leases --group search",
        ),
        (
            "import-without-container",
            "Without the container that the group is to read.",
            "cosmos-tail leases import leases.json --leases shop/leases --group new",
        ),
    ] {
        stage.show(&mut pages, name, about, typed);
    }
    leased.gateway.delete_container("shop", "orders");
    stage.show(
        &mut pages,
        "recreated",
        "The container that they read was deleted.",
        "cosmos-tail leases check --leases shop/leases",
    );
    pages.finish();
}

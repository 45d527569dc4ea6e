//! The region to read from.

use std::process::Command;

use serde_json::json;

use crate::command::{
    against, assert_latest, cosmos_tail, export, fail, lines, resume, split_lines, succeed,
};
use crate::gateway::{
    Action, Container, Fault, Gateway, GatewayOptions, KEY, Lag, RequestKind, RequestRecord,
};
use crate::orders::{fill, filled, filled_with};
use crate::tunnel::Tunnel;

/// An account with three regions, each with an address of its own. The first is the one that is written to.
struct Regions {
    gateway: Gateway,
    container: Container,
    east: Tunnel,
    west: Tunnel,
    north: Tunnel,
}

impl Regions {
    fn new(options: GatewayOptions) -> Self {
        let (gateway, container) = filled_with(options, 2, 40);
        let [east, west, north] = [(); 3].map(|()| Tunnel::to(&gateway.endpoint()));
        let region = |name: &str, tunnel: &Tunnel| json!({"name": name, "databaseAccountEndpoint": tunnel.endpoint()});
        let (first, second, third) = (
            region("East US", &east),
            region("West Europe", &west),
            region("North Europe", &north),
        );
        gateway.set_locations(json!({
            "writableLocations": [first],
            "readableLocations": [first, second, third],
        }));
        Self {
            gateway,
            container,
            east,
            west,
            north,
        }
    }

    /// What came to an address since the request of this number, apart from what is asked of the account.
    fn kinds_at(&self, tunnel: &Tunnel, since: usize) -> Vec<RequestKind> {
        let log = self.gateway.request_log();
        let there = log[since..].iter().filter(|record| is_at(record, tunnel));
        let mut kinds: Vec<RequestKind> = there.map(|record| record.kind).collect();
        kinds.retain(|kind| *kind != RequestKind::Account);
        kinds
    }

    /// Whether the feed was read there, and nowhere else.
    #[track_caller]
    fn assert_read_at(&self, tunnel: &Tunnel, since: usize) {
        let log = self.gateway.request_log();
        let feed: Vec<&RequestRecord> = log[since..]
            .iter()
            .filter(|record| record.kind == RequestKind::ChangeFeed)
            .collect();
        assert!(!feed.is_empty());
        for record in feed {
            assert!(is_at(record, tunnel), "{record:?}");
        }
    }
}

fn is_at(record: &RequestRecord, tunnel: &Tunnel) -> bool {
    tunnel.endpoint() == format!("http://{}/", record.host)
}

#[test]
fn the_feed_is_read_in_the_region_that_is_named() {
    let regions = Regions::new(GatewayOptions::default());
    let (gateway, container) = (&regions.gateway, &regions.container);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let tail = |region: &[&str]| {
        let mut command = against(gateway);
        command
            .args(["tail", "--from", "beginning", "--until-caught-up"])
            .args(region);
        succeed(&mut command)
    };
    // Without a region, in the first that the account names.
    let all = tail(&[]);
    regions.assert_read_at(&regions.east, 0);
    for (region, tunnel) in [
        (&["--region", "West Europe"][..], &regions.west),
        (&["--region", "westeurope"], &regions.west),
        (&["--region", " NORTH  europe "], &regions.north),
        (&["--region", "North Europe, West Europe"], &regions.north),
        (
            &["--region", "West Europe", "--region", "North Europe"],
            &regions.west,
        ),
    ] {
        let since = gateway.total_requests();
        let ended = tail(region);
        regions.assert_read_at(tunnel, since);
        assert_eq!(ended.stdout.len(), all.stdout.len());
    }
    // The export of one region is continued in another, and what is in the files stays exact.
    let since = gateway.total_requests();
    succeed(export(gateway, &out).args(["--region", "West Europe"]));
    regions.assert_read_at(&regions.west, since);
    fill(container, 40..60);
    let since = gateway.total_requests();
    succeed(resume(gateway, &out).args(["--region", "North Europe"]));
    regions.assert_read_at(&regions.north, since);
    fill(container, 60..70);
    let since = gateway.total_requests();
    succeed(&mut resume(gateway, &out));
    regions.assert_read_at(&regions.east, since);
    assert_latest(&lines(&out), container);
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
}

#[test]
fn the_next_region_is_read_if_one_does_not_answer() {
    let regions = Regions::new(GatewayOptions::default());
    let west = regions.west.endpoint();
    let is_west = move |record: &RequestRecord| format!("http://{}/", record.host) == west;
    for kind in [
        RequestKind::ChangeFeed,
        RequestKind::Container,
        RequestKind::PartitionKeyRanges,
    ] {
        let outage = Fault::on(kind, Action::status(503, 0)).when(is_west.clone());
        regions.gateway.push_fault(outage.always());
    }
    let mut command = against(&regions.gateway);
    command.args(["tail", "--from", "beginning", "--until-caught-up"]);
    let ended = succeed(command.args(["--region", "West Europe,North Europe"]));
    assert_latest(&split_lines(ended.stdout.as_bytes()), &regions.container);
    let north = regions.kinds_at(&regions.north, 0);
    assert!(north.contains(&RequestKind::ChangeFeed), "{north:?}");
}

#[test]
fn a_region_that_the_account_does_not_have_is_refused_with_its_regions() {
    let regions = Regions::new(GatewayOptions::default());
    let endpoint = regions.gateway.endpoint();
    for arguments in [
        &["ranges"][..],
        &["tail"],
        &["export", "-o", "-"],
        &["schema"],
        &["replay", "--from-container", "shop/orders", "-c", "copy"],
    ] {
        let mut command = against(&regions.gateway);
        command
            .args(arguments)
            .args(["--region", "East US,west-europa"]);
        let refused = fail(&mut command, 2);
        assert_eq!(
            refused.stderr,
            format!(
                "error: the account at {endpoint} cannot be read in the region `west-europa`: its regions are \
                 East US, West Europe, North Europe\nhint: did you mean `West Europe`? Case and spaces do not \
                 matter\n"
            )
        );
    }
    assert_eq!(regions.gateway.requests(RequestKind::ChangeFeed), 0);
    for odd in ["", ",", "a,,b", "\u{1b}[2J", "x;y"] {
        let mut command = against(&regions.gateway);
        let refused = fail(command.args(["ranges", "--region", odd]), 2);
        assert!(
            refused.stderr.contains("expected names of regions"),
            "{}",
            refused.stderr
        );
    }
    let mut both = against(&regions.gateway);
    let refused = fail(
        both.args(["ranges", "--region", "East US", "--limit-to-endpoint"]),
        2,
    );
    assert!(
        refused.stderr.contains("cannot be used with"),
        "{}",
        refused.stderr
    );
}

/// A replica of another region may be behind: a resume there repeats nothing, loses nothing, and says so.
#[test]
fn a_region_that_is_behind_the_position_is_noticed() {
    let regions = Regions::new(GatewayOptions {
        consistency: "Eventual",
        ..GatewayOptions::default()
    });
    let (gateway, container) = (&regions.gateway, &regions.container);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(gateway, &out));
    fill(container, 40..80);
    succeed(&mut resume(gateway, &out));
    let complete = lines(&out);
    let west = regions.west.endpoint();
    gateway.set_lag(move |record| {
        let is_west = format!("http://{}/", record.host) == west;
        Lag::Transactions(if is_west { 10 } else { 0 })
    });
    let west = ["--region", "West Europe", "--max-retries", "1"];
    let ended = fail(resume(gateway, &out).args(west), 3);
    assert!(ended.stderr.contains("hint: "), "{}", ended.stderr);
    assert_eq!(lines(&out), complete);
    fill(container, 80..120);
    succeed(&mut resume(gateway, &out));
    assert_latest(&lines(&out), container);
}

#[test]
fn a_replay_reads_its_source_in_the_region_and_writes_where_the_account_is_written() {
    let regions = Regions::new(GatewayOptions::default());
    let gateway = &regions.gateway;
    let copy = gateway.create_container("shop", "copy", "/pk", 1);
    for (profile, options) in [
        // By the flag.
        ("", &["--region", "West Europe"][..]),
        // By the profile of the account of both.
        (
            "[profiles.p]\n[profiles.p.options]\nregion = 'West Europe'\n",
            &["--profile", "p"],
        ),
        // By the profile of the source.
        (
            "[profiles.p]\nendpoint = 'ENDPOINT'\nkey = 'KEY'\n[profiles.p.options]\nregion = 'westeurope'\n",
            &["--source-profile", "p"],
        ),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = profile
            .replace("ENDPOINT", &gateway.endpoint())
            .replace("KEY", KEY);
        std::fs::write(file.path(), text).unwrap();
        let since = gateway.total_requests();
        let mut command = against(gateway);
        command.env("COSMOS_TAIL_CONFIG", file.path());
        command.args(["replay", "--from-container", "shop/orders", "-c", "copy"]);
        command.args(["--write-mode", "newer"]);
        succeed(command.args(options));
        regions.assert_read_at(&regions.west, since);
        let east = regions.kinds_at(&regions.east, since);
        let west = regions.kinds_at(&regions.west, since);
        let items = [RequestKind::ItemRead, RequestKind::ItemWrite];
        assert!(
            east.iter().any(|kind| items.contains(kind)),
            "{options:?}: {east:?}"
        );
        assert!(
            !west.iter().any(|kind| items.contains(kind)),
            "{options:?}: {west:?}"
        );
    }
    assert_eq!(copy.latest().len(), 40);
    let mut files = against(gateway);
    files.args(["replay", "-", "-c", "copy", "--region", "West Europe"]);
    assert_eq!(
        fail(&mut files, 2).stderr,
        "error: --region says where a feed is read, but this replay reads files\nhint: leave --region out: the \
         target is read and written in the region that is written to\n"
    );
}

#[test]
fn a_profile_cannot_have_both_and_a_flag_replaces_either() {
    let regions = Regions::new(GatewayOptions::default());
    let (gateway, _) = filled(1, 1);
    drop(gateway);
    let profile = |options: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        let endpoint = regions.gateway.endpoint();
        let text = format!(
            "[profiles.p]\nendpoint = '{endpoint}'\nkey = '{KEY}'\ndatabase = 'shop'\ncontainer = \
             'orders'\n[profiles.p.options]\n{options}"
        );
        std::fs::write(file.path(), text).unwrap();
        file
    };
    let tail = |file: &tempfile::NamedTempFile, options: &[&str]| -> Command {
        let mut command = cosmos_tail();
        command.env("COSMOS_TAIL_CONFIG", file.path());
        command.args([
            "--profile",
            "p",
            "tail",
            "--from",
            "beginning",
            "--until-caught-up",
        ]);
        command.args(options);
        command
    };
    let both = profile("region = 'West Europe'\nlimit-to-endpoint = true\n");
    assert_eq!(
        fail(&mut tail(&both, &[]), 2).stderr,
        "error: the profile `p` has both limit-to-endpoint and region\nhint: with limit-to-endpoint the endpoint \
         decides the region: remove one of them\n"
    );
    let since = regions.gateway.total_requests();
    succeed(&mut tail(&both, &["--region", "North Europe"]));
    regions.assert_read_at(&regions.north, since);
    let of_region = profile("region = 'West Europe'\n");
    let since = regions.gateway.total_requests();
    succeed(&mut tail(&of_region, &[]));
    regions.assert_read_at(&regions.west, since);
    let before = regions.west.connections();
    succeed(&mut tail(&of_region, &["--limit-to-endpoint"]));
    assert_eq!(regions.west.connections(), before);
}

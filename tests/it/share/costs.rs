//! What a group costs while nothing happens and when an instance dies, how soon it is balanced, and what KEDA sees of it.
//!
//! `COSMOS_TAIL_SHARE_RANGES=256 COSMOS_TAIL_SHARE_INSTANCES=8 cargo test --locked --test it share::costs -- --nocapture`
//! measures a large group.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use super::scene::{Instance, Scene};
use crate::gateway::{RequestKind, RequestRecord};
use crate::leases::written::database_rid;
use crate::orders::fill;

fn number(variable: &str, otherwise: usize) -> usize {
    let given = std::env::var(variable).ok();
    given
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

#[test]
fn an_idle_group_is_balanced_soon_and_costs_one_write_for_each_renewal() {
    let ranges = number("COSMOS_TAIL_SHARE_RANGES", 12);
    let count = number("COSMOS_TAIL_SHARE_INSTANCES", 3);
    let acquire: u64 = if ranges > 100 { 6_000 } else { 1_000 };
    let (renew, expiration) = (acquire * 17 / 13, acquire * 60 / 13);
    let scene = Scene::new(ranges);
    let intervals = [
        format!("--acquire-interval={acquire}ms"),
        format!("--renew-interval={renew}ms"),
        format!("--expiration-interval={expiration}ms"),
        "-v".to_owned(),
    ];
    let began = Instant::now();
    let instances: Vec<_> = (0..count)
        .map(|at| {
            let name = format!("w{at}");
            let mut command = scene.bare(&name);
            scene.start_as(&name, command.args(&intervals))
        })
        .collect();
    let started = began.elapsed();
    let is_balanced = || {
        let owners = scene.owners();
        owners.len() == count && owners.values().all(|has| *has <= ranges.div_ceil(count))
    };
    scene.wait_until(is_balanced, || format!("{:?}", scene.owners()));
    let balanced = began.elapsed().saturating_sub(started);
    println!(
        "{count} instances with {ranges} ranges: started in {started:?}, balanced {:.1} intervals of acquisition later",
        balanced.as_secs_f64() * 1_000.0 / acquire as f64
    );

    // Until each lease was renewed twice.
    let leases = scene.leased.leases.rid().to_owned();
    let records = || scene.leased.gateway.request_log();
    let is_write = |record: &RequestRecord| {
        record.kind == RequestKind::ItemWrite && record.container.as_deref() == Some(&leases)
    };
    let (first, from) = (records().len(), Instant::now());
    let times = || -> BTreeMap<String, String> {
        let stored = scene.stored().into_iter();
        stored
            .map(|(token, lease)| (token, lease["timestamp"].to_string()))
            .collect()
    };
    for _ in 0..2 {
        let before = times();
        scene.wait_until(
            || {
                times()
                    .iter()
                    .all(|(token, time)| before.get(token) != Some(time))
            },
            || format!("{:?}", scene.stored()),
        );
    }
    let seconds = from.elapsed().as_secs_f64();
    let of_leases: Vec<RequestRecord> = records()
        .into_iter()
        .skip(first)
        .filter(|record| record.container.as_deref() == Some(&leases))
        .collect();
    let writes = of_leases.iter().filter(|record| is_write(record)).count();
    let reads = of_leases
        .iter()
        .filter(|record| record.kind == RequestKind::ItemRead)
        .count();
    let charge: u64 = of_leases
        .iter()
        .map(|record| record.charge_hundredths)
        .sum();
    // By the defaults, which are longer.
    let factor = 13_000.0 / acquire as f64;
    println!(
        "{:.2} writes and {:.2} reads of each lease in a renewal interval; {:.0} RU/h for the leases by the defaults",
        writes as f64 / ranges as f64 / (seconds * 1_000.0 / renew as f64),
        reads as f64 / ranges as f64 / (seconds * 1_000.0 / renew as f64),
        charge as f64 / 100.0 / seconds * 3_600.0 / factor
    );
    let per_renewal = (writes + reads) as f64 / ranges as f64 / (seconds * 1_000.0 / renew as f64);
    assert!(
        per_renewal <= 2.0,
        "{writes} writes, {reads} reads in {seconds} s"
    );
    for instance in &instances {
        let Some(peak) = instance.peak_memory() else {
            continue;
        };
        println!("{}: {} MB at most", instance.name, peak >> 20);
        assert!(peak < 100 << 20, "{peak}");
    }
    let (left, cost) = after_a_death(&scene, instances, renew);
    println!("{cost}");
    for instance in left {
        instance.stop();
    }
}

/// Kills the first instance, and waits until the others have its leases. That costs a write for each of them, and not more
/// than another one where two want the same at the same moment.
fn after_a_death(scene: &Scene, instances: Vec<Instance>, renew: u64) -> (Vec<Instance>, String) {
    let mut instances = instances.into_iter();
    let dead = instances.next().unwrap();
    let rest: Vec<Instance> = instances.collect();
    let name = dead.name.clone();
    let ranges = scene.stored().len();
    let taken = scene.owners()[&name];
    let log = || scene.leased.gateway.request_log();
    dead.kill();
    let (first, from) = (log().len(), Instant::now());
    scene.wait_until(
        || !scene.owners().contains_key(&name),
        || format!("{:?}", scene.owners()),
    );
    let seconds = from.elapsed().as_secs_f64();
    let after: Vec<RequestRecord> = log().into_iter().skip(first).collect();
    let of_leases =
        |record: &&RequestRecord| record.container.as_deref() == Some(scene.leased.leases.rid());
    let is_point = |record: &&RequestRecord| {
        matches!(record.kind, RequestKind::ItemWrite | RequestKind::ItemRead)
    };
    let points = after.iter().filter(of_leases).filter(is_point).count();
    // The first of a lease comes after half of its interval at the earliest.
    let renewals = (ranges - taken) as f64 * (seconds * 1_000.0 / renew as f64 / 0.5 + 1.0);
    let cost = format!(
        "an instance with {taken} leases dies: they are taken {seconds:.1} s later, with {points} reads and writes of \
         leases (at most {renewals:.0} for renewals) among {} requests",
        after.len()
    );
    assert!(points as f64 <= renewals + 3.0 * taken as f64, "{cost}");
    (rest, cost)
}

/// What KEDA's scaler `azure-cosmosdb` (2.21) makes of the leases of a group: it finds them by the processor's name
/// and the account's host up to the first dot, and asks the feed by each token, which it sends as the id of a
/// partition. Returns the lag of each.
fn keda(scene: &Scene, processor: &str, host: &str) -> BTreeMap<String, u64> {
    let account = host.split('.').next().unwrap();
    let prefix = format!("{processor}{account}.");
    let heads: BTreeMap<String, u64> = scene
        .leased
        .partitions()
        .into_iter()
        .map(|(id, lsn, _)| (id, lsn))
        .collect();
    let changes = scene.leased.orders.latest();
    let stored = scene.stored().into_values();
    let found = stored.filter(|lease| {
        let id = lease["id"].as_str().unwrap();
        id.starts_with(&prefix) && !id.ends_with(".info") && !id.ends_with(".lock")
    });
    found
        .map(|lease: Value| {
            let token = lease["LeaseToken"].as_str().unwrap().to_owned();
            let etag = lease["ContinuationToken"].as_str().unwrap();
            let position: u64 = etag.trim_matches('"').parse().unwrap();
            // The LSN of the session token, minus that of the first unread change, plus one. A 304 is 0.
            let unread = changes
                .iter()
                .filter(|one| one.partition == token && one.lsn > position);
            let first = unread.map(|one| one.lsn).min();
            let lag = first.map_or(0, |first| heads[&token] - first + 1);
            (token, lag)
        })
        .collect()
}

#[test]
fn keda_sees_what_a_group_has_not_printed() {
    let scene = Scene::new(3);
    fill(&scene.leased.orders, 0..30);
    let a = scene.start("a");
    scene.printed.wait_for(0..30);
    a.stop();
    let heads = |scene: &Scene| -> u64 { scene.leased.partitions().iter().map(|one| one.1).sum() };
    let before = heads(&scene);
    assert!(
        keda(&scene, "orders", "127.0.0.1")
            .values()
            .all(|lag| *lag == 0)
    );
    fill(&scene.leased.orders, 30..60);
    let lags = keda(&scene, "orders", "127.0.0.1");
    assert_eq!(lags.len(), 3);
    assert_eq!(lags.values().sum::<u64>(), heads(&scene) - before);
    // Each token is the id of a partition, and each position a bare ETag: that is all that it understands.
    for lease in scene.stored().values() {
        assert_eq!(lease["version"], 0);
        let rid = scene.leased.orders.rid();
        let end = format!(
            "_{}_{rid}..{}",
            database_rid(rid),
            lease["LeaseToken"].as_str().unwrap()
        );
        let id = lease["id"].as_str().unwrap();
        assert!(id.starts_with("orders127.") && id.ends_with(&end), "{id}");
    }
}

//! Leases of a copy that another instance takes before they expire, while writes of their owner are on their way.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::copying::{Copying, PATIENT};
use super::scene::{Instance, Printed};
use crate::command::DATABASE;

/// What is written late: a replacement of what is replaced again, and of what is deleted, a deletion and an expiry of what is
/// created again, a creation of what is deleted.
const KINDS: [&str; 5] = ["replace", "remove", "delete", "expire", "create"];

/// An id of each kind in each of two partitions, by the partition.
fn ids(copying: &Copying) -> BTreeMap<String, Vec<String>> {
    let orders = &copying.scene.leased.orders;
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for number in 0..100 {
        let id = format!("item-{number}");
        copying.put(&id, 0);
        let served = orders.latest().into_iter().find(|one| one.id == id);
        let of_partition = ids.entry(served.unwrap().partition).or_default();
        copying.delete(&id);
        if of_partition.len() < KINDS.len() {
            of_partition.push(format!("item-{number}"));
        }
    }
    assert!(ids.len() == 2 && ids.values().all(|ids| ids.len() == KINDS.len()));
    ids
}

/// The versions that the documents of each kind end with.
const END: [Option<u64>; 5] = [Some(3), None, Some(3), Some(3), None];

/// Steals a lease while ten writes are on their way, five of its range.
fn steal(pauses: bool) {
    let copying = Copying {
        lasts: PATIENT,
        ..Copying::new(2, "all")
    };
    let orders = &copying.scene.leased.orders;
    let ids = ids(&copying);
    let all = || {
        let kinds = ids.values().flat_map(|ids| ids.iter().zip(KINDS));
        kinds.map(|(id, kind)| (id.as_str(), kind))
    };
    let a = copying.start("a");
    for (id, _) in all().filter(|(_, kind)| *kind != "create") {
        copying.put(id, 1);
    }
    copying.wait_for_the_same_content();

    let hold = copying.hold_writes(10);
    for (id, kind) in all() {
        match kind {
            "delete" => copying.delete(id),
            "expire" => drop(orders.expire(id, format!("key-{id}"))),
            "create" => copying.put(id, 1),
            _ => copying.put(id, 2),
        }
    }
    copying.wait_for_held(10);
    if pauses {
        a.signal(Signal::SIGSTOP);
    }
    let b = copying.start("b");
    copying.scene.wait_for_owners(&[("a", 1), ("b", 1)]);
    for (id, kind) in all() {
        match kind {
            "remove" | "create" => copying.delete(id),
            _ => copying.put(id, 3),
        }
    }
    let stored = copying.scene.stored();
    let (stolen, _) = stored
        .iter()
        .find(|(_, lease)| lease["Owner"] == "b")
        .unwrap();
    for (id, version) in ids[stolen].iter().zip(END) {
        copying.wait_for_version(id, version);
    }
    hold.release();
    if pauses {
        a.signal(Signal::SIGCONT);
    }
    copying.wait_for_the_same_content();
    for instance in [a, b] {
        instance.stop();
    }
    for ids in ids.values() {
        for (id, version) in ids.iter().zip(END) {
            assert_eq!(copying.version(id), version, "{id}");
        }
    }
    assert_eq!(copying.scene.leased.gateway.violations(), [] as [String; 0]);
}

#[test]
fn nothing_that_is_late_stays_after_a_lease_was_stolen() {
    steal(false);
}

#[test]
fn nothing_that_is_late_stays_after_a_lease_of_a_paused_instance_was_stolen() {
    steal(true);
}

#[test]
fn a_document_that_another_owner_has_deleted_collides_with_none() {
    let copying = Copying::new(2, "all");
    let gateway = &copying.scene.leased.gateway;
    let orders = &copying.scene.leased.orders;
    // Two documents of the source would be one item there.
    let target = gateway.create_container(DATABASE, "by-id", "/id", 1);
    let start = |name: &str| {
        let mut command = copying.command(name);
        command.args(["-c", "by-id", "--missing-key=refuse"]);
        let instance = Instance::start(name, &mut command, &Printed::default());
        instance.wait_until("it runs", |said| {
            said.contains("\nreplaying ") || said.contains("\nwaiting for ranges")
        });
        instance
    };
    let a = start("a");
    // A key of each partition.
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    for number in 0..20 {
        let (id, key) = (format!("probe-{number}"), format!("p{number}"));
        orders.upsert(json!({"id": id, "pk": key}));
        let served = orders.latest().into_iter().find(|one| one.id == id);
        keys.insert(served.unwrap().partition, key);
    }
    let [first, second] = [0, 1].map(|at| keys.values().nth(at).unwrap().clone());
    let moves = keys.keys().next().unwrap().clone();
    let version = || {
        let latest = target.latest().into_iter();
        let mut found = latest.filter(|one| one.id == "x");
        let document: Value = serde_json::from_slice(&found.next()?.text).unwrap();
        document["version"].as_u64()
    };
    let wait_for = |expected: Option<u64>| {
        copying
            .scene
            .wait_until(|| version() == expected, || format!("{:?}", version()));
    };
    orders.upsert(json!({"id": "x", "pk": first, "version": 1}));
    wait_for(Some(1));
    let mut b = start("b");
    copying.scene.wait_for_owners(&[("a", 1), ("b", 1)]);
    // The other range, if `b` took that: then `a` is the one whose range moves, to a third one.
    if copying.scene.stored()[&moves]["Owner"] != "b" {
        b.stop();
        copying.scene.wait_for_owners(&[("a", 2)]);
        b = {
            let mut lease = copying.scene.stored()[&moves].clone();
            lease["Owner"] = "c".into();
            copying.scene.leased.leases.upsert(lease);
            a.wait_until("it has lost it", |said| said.contains("taken by `c`"));
            start("c")
        };
    }
    a.wait_until("it has lost one", |said| said.contains("taken by `"));
    orders.delete("x", first);
    wait_for(None);
    orders.upsert(json!({"id": "x", "pk": second, "version": 2}));
    wait_for(Some(2));
    for instance in [a, b] {
        instance.stop();
    }
}

#[test]
fn what_came_before_a_split_is_not_applied_after_what_came_later() {
    let copying = Copying::new(1, "all");
    let orders = &copying.scene.leased.orders;
    let a = copying.start("a");
    copying.put("item-0", 0);
    copying.wait_for_version("item-0", Some(0));
    a.stop();
    let all = |version: u64| {
        for number in 0..40 {
            copying.put(&format!("item-{number}"), version);
        }
    };
    all(1);
    // As it is when an instance is killed after it has created the leases of the children.
    let parent = copying.scene.stored().into_values().next().unwrap();
    let end = copying.scene.leased.partitions()[0].1;
    orders.split("0", 2);
    for (id, _, [min, max]) in copying.scene.leased.partitions() {
        let mut child = parent.clone();
        let fields = child.as_object_mut().unwrap();
        fields.retain(|name, _| !name.starts_with('_'));
        let token = parent["id"]
            .as_str()
            .unwrap()
            .replace("..0", &format!("..{id}"));
        child["id"] = token.into();
        for name in ["LeaseToken", "PartitionId"] {
            child[name] = id.as_str().into();
        }
        child["FeedRange"] = json!({"Range": {"min": min, "max": max}});
        child["ContinuationToken"] = format!("\"{end}\"").into();
        copying.scene.leased.leases.upsert(child);
    }
    all(2);
    let b = copying.start("b");
    copying.wait_for_the_same_content();
    copying.scene.wait_for_owners(&[("b", 2)]);
    b.stop();
    copying.wait_for_the_same_content();
    assert_eq!(copying.went_back(), [] as [String; 0]);
    assert_eq!(copying.scene.leased.gateway.violations(), [] as [String; 0]);
}

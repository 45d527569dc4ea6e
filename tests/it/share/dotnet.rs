//! A group with an instance of .NET, which follows the strategy of its processor: a peer of our own, since .NET is not run
//! here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::copying::Copying;
use super::scene::{Instance, Printed, Scene};
use crate::command::{DATABASE, against, run};
use crate::gateway::{Container, Gateway, KEY, sign};
use crate::gateway_conformance::careless_client::{send, take_apart};
use crate::leases::written::ago;
use crate::orders::fill;

/// Between two looks at all leases.
const ACQUIRE: Duration = Duration::from_millis(300);
const RENEW: Duration = Duration::from_millis(500);
const EXPIRATION: time::Duration = time::Duration::seconds(4);
const POLL: Duration = Duration::from_millis(50);
/// Writes of a lease that others write meanwhile, after the first.
const TRIES: usize = 5;

/// An instance of .NET.
struct Peer {
    thread: Option<JoinHandle<()>>,
    stops: Arc<AtomicBool>,
    crashes: Arc<AtomicBool>,
}

/// What it knows of a lease that it has: the document as it last wrote it, with the ETag that it had *before*, since its
/// writes ask for no content.
struct Owned {
    document: Value,
    renew_at: Instant,
    read_to: u64,
}

struct Host<'a> {
    name: String,
    prefix: String,
    gateway: &'a Gateway,
    leases: Container,
    orders: Container,
    printed: Printed,
    owned: BTreeMap<String, Owned>,
}

enum Update {
    Written(Value),
    Lost,
}

impl Peer {
    fn start(scene: &'static Scene, name: &str) -> Self {
        let (stops, crashes) = (Arc::default(), Arc::default());
        let (must_stop, must_crash) = (Arc::clone(&stops), Arc::clone(&crashes));
        let mut host = Host {
            name: name.to_owned(),
            prefix: scene.leased.prefix("orders"),
            gateway: &scene.leased.gateway,
            leases: scene.leased.leases.clone(),
            orders: scene.leased.orders.clone(),
            printed: scene.printed.clone(),
            owned: BTreeMap::new(),
        };
        let thread = std::thread::spawn(move || {
            host.take_own_back();
            let mut balance_at = Instant::now();
            loop {
                if AtomicBool::load(&must_crash, Ordering::Relaxed) {
                    return;
                }
                if AtomicBool::load(&must_stop, Ordering::Relaxed) {
                    break;
                }
                if Instant::now() >= balance_at {
                    host.balance();
                    balance_at = Instant::now() + ACQUIRE;
                }
                host.renew();
                host.handle();
                std::thread::sleep(POLL);
            }
            host.release();
        });
        Self {
            thread: Some(thread),
            stops,
            crashes,
        }
    }

    fn stop(mut self) {
        self.stops.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }

    fn crash(mut self) {
        self.crashes.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.crashes.store(true, Ordering::Relaxed);
    }
}

impl Host<'_> {
    /// All leases, of which each must be one: a document that is none would make each round fail.
    fn list(&self) -> Vec<Value> {
        let start = format!("{}..", self.prefix);
        let latest = self.leases.latest().into_iter();
        let documents = latest.map(|served| serde_json::from_slice::<Value>(&served.text).unwrap());
        let leases: Vec<Value> = documents
            .filter(|document| document["id"].as_str().unwrap().starts_with(&start))
            .collect();
        let mut tokens = BTreeSet::new();
        for lease in &leases {
            let token = lease["LeaseToken"].as_str().expect("a lease of .NET");
            assert!(lease.get("feedRange").is_none(), "{lease}");
            assert!(tokens.insert(token), "two leases {token}");
        }
        leases
    }

    /// A host that starts takes leases of its own name, by any case, without a look at whether they have expired.
    fn take_own_back(&mut self) {
        for lease in self.list() {
            let owner = lease["Owner"].as_str().unwrap_or_default();
            if owner.eq_ignore_ascii_case(&self.name) {
                self.acquire(&lease);
            }
        }
    }

    fn is_expired(lease: &Value) -> bool {
        if lease["Owner"].as_str().is_none_or(str::is_empty) {
            return true;
        }
        let time = match lease["timestamp"].as_str() {
            Some(text) => OffsetDateTime::parse(text, &Rfc3339).unwrap(),
            None => OffsetDateTime::from_unix_timestamp(lease["_ts"].as_i64().unwrap()).unwrap(),
        };
        time + EXPIRATION < OffsetDateTime::now_utc()
    }

    /// Takes expired leases up to its share, or steals one from the busiest. Owners are counted by case.
    fn balance(&mut self) {
        let leases = self.list();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::from([(self.name.as_str(), 0)]);
        let (expired, held): (Vec<&Value>, Vec<&Value>) =
            leases.iter().partition(|lease| Self::is_expired(lease));
        for lease in &held {
            *counts.entry(lease["Owner"].as_str().unwrap()).or_default() += 1;
        }
        let target = leases.len().div_ceil(counts.len()).max(1);
        let needed = target.saturating_sub(counts[self.name.as_str()]);
        let mut wanted: Vec<Value> = Vec::new();
        if needed > 0 && !expired.is_empty() {
            wanted = expired.into_iter().take(needed).cloned().collect();
        } else if needed > 0 {
            let (busiest, most) = counts.iter().max_by_key(|(_, count)| **count).unwrap();
            let allowed = if needed > 1 { target - 1 } else { target };
            if *most > allowed && !busiest.eq_ignore_ascii_case(&self.name) {
                let steal = held.iter().find(|lease| lease["Owner"] == **busiest);
                wanted.extend(steal.map(|lease| (*lease).clone()));
            }
        }
        for lease in wanted {
            self.acquire(&lease);
        }
    }

    fn acquire(&mut self, lease: &Value) {
        let token = lease["LeaseToken"].as_str().unwrap().to_owned();
        if self.owned.contains_key(&token) {
            return;
        }
        let before = lease["Owner"].clone();
        let own = self.name.clone();
        // Free to acquire only where the list showed that owner.
        let update = self.update(lease.clone(), |stored| {
            let is_same = stored["Owner"] == before || stored["Owner"] == own.as_str();
            is_same.then(|| stored["Owner"] = own.clone().into())
        });
        if let Update::Written(document) = update {
            let read_to = position(&document);
            let owned = Owned {
                document,
                // The first after half of it.
                renew_at: Instant::now() + RENEW / 2,
                read_to,
            };
            self.owned.insert(token, owned);
        }
    }

    /// Replaces a lease by `change` of it, on the condition of the ETag that it knows. After a 412 it reads it, and tries
    /// again, five times.
    fn update(&self, known: Value, change: impl Fn(&mut Value) -> Option<()>) -> Update {
        let mut lease = known;
        for _ in 0..=TRIES {
            if change(&mut lease).is_none() {
                return Update::Lost;
            }
            lease["timestamp"] = OffsetDateTime::now_utc().format(&Rfc3339).unwrap().into();
            let etag = lease["_etag"].as_str().unwrap().to_owned();
            match self.request("PUT", &lease, Some(&etag)).0 {
                // The answer has no content: the ETag stays the old one.
                200 => return Update::Written(lease),
                404 => return Update::Lost,
                412 => {
                    let (status, body) = self.request("GET", &lease, None);
                    if status == 404 {
                        return Update::Lost;
                    }
                    let stored: Value = serde_json::from_str(&body).unwrap();
                    // Only what it changes itself is its own.
                    lease = stored;
                }
                status => panic!("{status}"),
            }
        }
        Update::Lost
    }

    fn request(&self, method: &str, lease: &Value, etag: Option<&str>) -> (u16, String) {
        let id = lease["id"].as_str().unwrap();
        let link = format!("dbs/{DATABASE}/colls/leases/docs/{id}");
        let form = format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        let date = OffsetDateTime::now_utc().format(form).unwrap();
        let signature = sign(KEY, &method.to_lowercase(), "docs", &link, &date);
        let key = json!([id]).to_string();
        let mut headers = vec![
            ("authorization", signature.as_str()),
            ("x-ms-date", date.as_str()),
            ("x-ms-documentdb-partitionkey", key.as_str()),
        ];
        headers.extend(etag.map(|etag| ("if-match", etag)));
        let body = match method {
            "PUT" => lease.to_string(),
            _ => String::new(),
        };
        let answer = take_apart(send(
            self.gateway,
            method,
            &format!("/{link}"),
            &headers,
            &body,
        ));
        (answer.status, answer.body)
    }

    /// Whether a stored lease is still its own, by case.
    fn keep(name: &str, stored: &Value) -> Option<()> {
        (stored["Owner"] == name).then_some(())
    }

    fn renew(&mut self) {
        let due = |owned: &Owned| Instant::now() >= owned.renew_at;
        let tokens: Vec<String> = self.owned.keys().cloned().collect();
        for token in tokens {
            if due(&self.owned[&token]) {
                let known = self.owned[&token].document.clone();
                let name = self.name.clone();
                let update = self.update(known, |stored| Self::keep(&name, stored));
                self.wrote(&token, update);
            }
        }
    }

    fn wrote(&mut self, token: &str, update: Update) {
        match update {
            Update::Written(document) => {
                let owned = self.owned.get_mut(token).unwrap();
                owned.document = document;
                owned.renew_at = Instant::now() + RENEW;
            }
            Update::Lost => {
                self.owned.remove(token);
            }
        }
    }

    /// Handles what is new in each range, and saves the position after that. Where nothing is, nothing is saved.
    fn handle(&mut self) {
        let latest = self.orders.latest();
        let tokens: Vec<String> = self.owned.keys().cloned().collect();
        for token in tokens {
            let owned = &self.owned[&token];
            let range = &owned.document["FeedRange"]["Range"];
            let (min, max) = (
                range["min"].as_str().unwrap(),
                range["max"].as_str().unwrap(),
            );
            let mut new: Vec<_> = latest
                .iter()
                .filter(|one| *min <= *one.epk && *one.epk < *max && one.lsn > owned.read_to)
                .collect();
            new.sort_by_key(|one| one.lsn);
            let Some(last) = new.last().map(|one| one.lsn) else {
                continue;
            };
            for one in new {
                self.printed.print(&self.name, one.text.to_vec());
            }
            let (known, name) = (owned.document.clone(), self.name.clone());
            let update = self.update(known, |stored| {
                stored["ContinuationToken"] = format!("\"{last}\"").into();
                Self::keep(&name, stored)
            });
            self.wrote(&token, update);
            if let Some(owned) = self.owned.get_mut(&token) {
                owned.read_to = last;
            }
        }
    }

    /// Lets its leases go, as a host does that is stopped.
    fn release(&mut self) {
        let name = self.name.clone();
        for owned in std::mem::take(&mut self.owned).into_values() {
            self.update(owned.document, |stored| {
                Self::keep(&name, stored)?;
                stored["Owner"] = Value::Null;
                Some(())
            });
        }
    }
}

fn position(lease: &Value) -> u64 {
    let token = lease["ContinuationToken"].as_str().unwrap_or("\"0\"");
    token.trim_matches('"').parse().unwrap()
}

/// A group of .NET with leases of partitions, or of ranges.
fn scene(has_ranges: bool) -> &'static Scene {
    // Its threads outlive a test that fails.
    let scene: &'static Scene = Box::leak(Box::new(Scene::new(4)));
    let net = scene.leased.net("orders");
    net.marker();
    for (id, lsn, bounds) in scene.leased.partitions() {
        match has_ranges {
            true => net.range(&bounds, None, Some(lsn), &ago(900)),
            false => net.partition(&id, &bounds, None, Some(lsn), &ago(900)),
        }
    }
    scene
}

/// Both have two leases, and each change is printed by one of them, while nothing moves.
fn share(scene: &Scene) {
    // On a machine that is too slow for a renewal, one of them may have all leases for a while.
    let both_print = |first: u16| {
        scene.wait_for_owners(&[("Host-1", 2), ("a", 2)]);
        let before = scene.printed.lines().len();
        fill(&scene.leased.orders, first.into()..usize::from(first) + 200);
        scene.printed.wait_for(first.into()..u64::from(first) + 200);
        let lines = scene.printed.lines().split_off(before);
        let prints = |name| lines.iter().any(|line| line.instance == name);
        prints("Host-1") && prints("a")
    };
    assert!([0, 400, 600].into_iter().any(both_print));
    let writes = || scene.leased.gateway.write_log().len();
    let start = writes();
    scene.wait_until(
        || {
            assert_eq!(scene.owners().values().collect::<Vec<_>>(), [&2, &2]);
            writes() > start + 20
        },
        || "no renewals".to_owned(),
    );
}

/// Waits until the positions are after all changes.
fn wait_until_saved(scene: &Scene) {
    let heads = || -> u64 { scene.leased.partitions().iter().map(|one| one.1).sum() };
    let saved = || -> u64 { scene.stored().values().map(position).sum() };
    scene.wait_until(|| saved() == heads(), || format!("{:?}", scene.stored()));
}

/// All leases are those of the instance of .NET when ours is stopped, which handles nothing again; and then nobody's, with
/// all that .NET wrote.
fn hand_back(scene: &Scene, ours: Instance, peer: Peer, version: u64) {
    wait_until_saved(scene);
    let before = scene.printed.lines().len();
    ours.stop();
    scene.wait_for_owners(&[("Host-1", 4)]);
    fill(&scene.leased.orders, 300..400);
    scene.printed.wait_for(300..400);
    let after = scene.printed.lines().split_off(before);
    let numbers = after.iter().filter_map(super::scene::Line::number);
    assert!(numbers.min() >= Some(300));
    peer.stop();
    assert_eq!(scene.owners(), [("-".to_owned(), 4)].into());
    for lease in scene.stored().values() {
        assert_eq!(lease["version"], version, "{lease}");
        assert_eq!(lease["Mode"], "Incremental Feed");
        assert!(lease["properties"].is_object(), "{lease}");
    }
}

#[test]
fn an_instance_of_dotnet_and_one_of_ours_share_leases_of_partitions_and_take_over_from_each_other()
{
    let scene = scene(false);
    // .NET counts owners by case.
    let peer = Peer::start(scene, "Host-1");
    scene.wait_for_owners(&[("Host-1", 4)]);
    let a = scene.start("a");
    share(scene);
    peer.crash();
    fill(&scene.leased.orders, 200..300);
    scene.printed.wait_for(200..300);
    scene.wait_for_owners(&[("a", 4)]);
    wait_until_saved(scene);
    let peer = Peer::start(scene, "Host-1");
    scene.wait_for_owners(&[("Host-1", 2), ("a", 2)]);
    hand_back(scene, a, peer, 0);
}

#[test]
fn an_instance_of_dotnet_and_one_of_ours_share_leases_of_ranges() {
    let scene = scene(true);
    let a = scene.start("a");
    scene.wait_for_owners(&[("a", 4)]);
    let peer = Peer::start(scene, "Host-1");
    share(scene);
    hand_back(scene, a, peer, 1);
}

#[test]
fn what_a_group_feeds_is_written_where_no_processor_looks() {
    let copying: &'static Copying = Box::leak(Box::new(Copying::new(2, "latest")));
    copying.put("x", 1);
    let a = copying.start("a");
    copying.wait_for_version("x", Some(1));
    a.stop();
    let scene = &copying.scene;
    // Each document that its query finds is a lease.
    let peer = Peer::start(scene, "Host-1");
    scene.wait_for_owners(&[("Host-1", 2)]);
    peer.stop();
    assert_eq!(scene.owners(), [("-".to_owned(), 2)].into());

    // KEDA's query finds the others too, by what comes before the RIDs. It leaves out those without a token, and reads
    // members without regard to their case.
    let latest = scene.leased.leases.latest().into_iter();
    let documents = latest.map(|one| serde_json::from_slice::<Value>(&one.text).unwrap());
    let found = documents.filter(|one| one["id"].as_str().unwrap().starts_with("orders127."));
    let (leases, others): (Vec<Value>, Vec<Value>) =
        found.partition(|one| one["LeaseToken"].is_string());
    assert_eq!((leases.len(), others.len()), (2, 2));
    let known = [
        "leasetoken",
        "continuationtoken",
        "owner",
        "version",
        "feedrange",
    ];
    for other in &others {
        let mut members = other.as_object().unwrap().keys();
        assert!(
            members.all(|name| !known.contains(&name.to_lowercase().as_str())),
            "{other}"
        );
    }

    // And our own commands know it.
    let leases = |arguments: &[&str]| {
        let mut command = against(&scene.leased.gateway);
        command.args(["leases"]).args(arguments);
        run(command.arg("--leases=shop/leases"))
    };
    let listed = leases(&["list", "--format", "json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let group = &listed["groups"][0];
    assert_eq!(group["feeds"]["container"], "copy", "{listed}");
    assert_eq!(group["leases"].as_array().unwrap().len(), 2);
    assert_eq!(listed["groups"].as_array().unwrap().len(), 1);
    let checked = leases(&["check"]);
    assert_eq!(
        checked.code,
        Some(0),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
    assert!(!checked.stdout.contains("copy"), "{}", checked.stdout);
    // One that says nothing is a fault.
    let mut copy = others
        .into_iter()
        .find(|one| one["feeds"].is_object())
        .unwrap();
    copy["feeds"] = Value::Null;
    scene.leased.leases.upsert(copy);
    let checked = leases(&["check"]);
    assert_eq!(checked.code, Some(1), "{}", checked.stdout);
    assert!(
        checked.stdout.contains("does not say which copy it feeds"),
        "{}",
        checked.stdout
    );
}

//! A tail of a day: 24 hours by the gateway's clock, with short polls.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::keys::{NEW_KEYS, key_file, refused, with_key_file};
use crate::command::{CONTAINER, DATABASE, against, lines_of, succeed};
use crate::gateway::{
    Action, Container, Fault, Gateway, GatewayOptions, KEY, Operation, RequestKind,
};
use crate::monitor::{Served, wait_until};

const MINUTES: usize = 24 * 60;

/// How much happens. `COSMOS_TAIL_TEST_DAY=full` stops each minute, and not each quarter of an hour.
#[derive(Debug, Clone, Copy)]
struct Scale {
    stops: usize,
    changes_per_stop: usize,
}

impl Scale {
    fn of_environment() -> Self {
        match std::env::var_os("COSMOS_TAIL_TEST_DAY").is_some_and(|scale| scale == "full") {
            true => Self {
                stops: MINUTES,
                changes_per_stop: 50,
            },
            false => Self {
                stops: MINUTES / 15,
                changes_per_stop: 40,
            },
        }
    }
}

/// What happens at the beginning of an hour.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Split,
    Merge,
    /// So many requests fail with this status.
    Outage(u16, usize),
    /// The tail is ended by this signal, and started again.
    Restart(Signal),
    /// The account gets another key.
    Rotation(Order),
}

/// When the file gets the account's new key, beside the account.
#[derive(Debug, Clone, Copy)]
enum Order {
    Before,
    WithReload,
    After,
}

/// From hour 11 on it is one process, whose memory is compared with itself.
const HAPPENINGS: [(usize, Happening); 21] = [
    (1, Happening::Split),
    (2, Happening::Restart(Signal::SIGTERM)),
    (3, Happening::Outage(503, 12)),
    (4, Happening::Rotation(Order::Before)),
    (5, Happening::Split),
    (6, Happening::Restart(Signal::SIGKILL)),
    (7, Happening::Outage(429, 12)),
    (8, Happening::Rotation(Order::WithReload)),
    (9, Happening::Split),
    (10, Happening::Merge),
    (11, Happening::Restart(Signal::SIGTERM)),
    (12, Happening::Outage(503, 24)),
    (13, Happening::Split),
    (14, Happening::Rotation(Order::After)),
    (15, Happening::Outage(408, 12)),
    (16, Happening::Merge),
    (17, Happening::Rotation(Order::Before)),
    (19, Happening::Outage(500, 12)),
    (20, Happening::Split),
    (21, Happening::Rotation(Order::After)),
    (22, Happening::Merge),
];

/// The writers of the day: they create, replace and delete documents.
struct Writers {
    container: Container,
    random: fastrand::Rng,
    /// The number of the next version.
    next: usize,
    alive: Vec<(String, String)>,
}

impl Writers {
    fn write(&mut self, changes: usize) {
        for _ in 0..changes {
            let number = self.next;
            self.next += 1;
            let some = (!self.alive.is_empty()).then(|| self.random.usize(..self.alive.len()));
            match (self.random.u8(..10), some) {
                (0, Some(some)) => {
                    let (id, key) = self.alive.swap_remove(some);
                    self.container.delete(&id, key.as_str());
                }
                (1..=3, Some(some)) => {
                    let (id, key) = &self.alive[some];
                    self.container
                        .replace(json!({"id": id, "pk": key, "number": number}));
                }
                _ => {
                    let (id, key) = (format!("item-{number}"), format!("key-{}", number % 97));
                    self.container
                        .upsert(json!({"id": id, "pk": key, "number": number}));
                    self.alive.push((id, key));
                }
            }
        }
    }
}

/// How many lines a file has that grows.
struct Lines {
    read: u64,
    count: usize,
}

impl Lines {
    fn count(&mut self, path: &Path) -> usize {
        // It appears with the first change.
        let Ok(mut file) = File::open(path) else {
            return 0;
        };
        file.seek(SeekFrom::Start(self.read)).unwrap();
        let mut more = Vec::new();
        self.read += file.read_to_end(&mut more).unwrap() as u64;
        self.count += more.split(|byte| *byte == b'\n').count() - 1;
        self.count
    }
}

fn tail(gateway: &Gateway, key: &Path, out: &Path) -> Command {
    let mut command = against(gateway);
    command.args(["tail", "--mode", "all", "--poll-interval", "50ms"]);
    command
        .args(["--checkpoint-interval", "50ms", "-o"])
        .arg(out);
    with_key_file(&mut command, key);
    command
}

/// Each change of the file, as what makes it another one than all others, and the key that its order holds within.
fn changes_of_file(out: &Path) -> Vec<(String, String)> {
    let change = |line: &Vec<u8>| {
        let change: Value = serde_json::from_slice(line).unwrap();
        let operation = change["metadata"]["operationType"].as_str().unwrap();
        let id = change["current"]["id"]
            .as_str()
            .or(change["metadata"]["id"].as_str());
        let id = id.unwrap_or_else(|| panic!("{change}")).to_owned();
        (
            format!("{operation} {id} {}", change["current"]["number"]),
            id,
        )
    };
    lines_of(out).iter().map(change).collect()
}

fn changes_of_gateway(container: &Container) -> Vec<(String, String)> {
    let mut changes = container.changes();
    changes.sort_by_key(|change| change.time);
    let change = |change: &crate::gateway::Served| {
        let number = match change.operation {
            Operation::Delete => Value::Null,
            _ => serde_json::from_slice::<Value>(&change.text).unwrap()["number"].take(),
        };
        let operation = change.operation.as_str();
        (
            format!("{operation} {} {number}", change.id),
            change.id.clone(),
        )
    };
    changes.iter().map(change).collect()
}

/// The changes of each document, in their order.
fn by_document(changes: &[(String, String)]) -> BTreeMap<&str, Vec<&str>> {
    let mut documents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (change, id) in changes {
        documents.entry(id).or_default().push(change);
    }
    documents
}

/// Asserts that a tail that is stopped is as far behind as the gateway has changes that its file has not: each is a
/// transaction of its own. Ranges of a merged partition are at most so far behind.
#[track_caller]
fn assert_lag(gateway: &Gateway, container: &Container, key: &Path, out: &Path) {
    let mut command = against(gateway);
    command.args(["lag", "--format", "json"]).arg(out);
    let ended = succeed(with_key_file(&mut command, key));
    let lag: Value = serde_json::from_str(&ended.stdout).unwrap();
    let transactions = lag["transactions"].as_u64().unwrap() as usize;
    let behind = container.changes().len() - lines_of(out).len();
    assert!(behind >= 10, "{behind}");
    if lag["at_most"] == true {
        let merges = container.partitions().len() < lag["ranges"].as_array().unwrap().len();
        assert!(merges && transactions >= behind, "{behind}: {lag}");
    } else {
        assert_eq!(transactions, behind, "{lag}");
    }
}

#[test]
fn nothing_is_lost_and_memory_stays_flat() {
    let scale = Scale::of_environment();
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 4);
    let directory = tempfile::tempdir().unwrap();
    let key = key_file(directory.path(), KEY);
    let out = directory.path().join("changes.jsonl");
    let mut served = Served::start(&mut tail(&gateway, &key, &out));
    served.wait_for_status("/readyz", 200);
    let mut writers = Writers {
        container: container.clone(),
        random: fastrand::Rng::with_seed(24),
        next: 0,
        alive: Vec::new(),
    };
    let mut keys = [NEW_KEYS[0], NEW_KEYS[1], KEY].into_iter().cycle();
    let mut lines = Lines { read: 0, count: 0 };
    let mut memory = BTreeMap::new();
    let mut happenings = HAPPENINGS.into_iter().peekable();
    for stop in 0..scale.stops {
        let hour = stop * 24 / scale.stops;
        gateway.advance_time((MINUTES * 60 / scale.stops) as u64);
        writers.write(scale.changes_per_stop / 2);
        if let Some((_, happening)) = happenings.next_if(|(at, _)| *at <= hour) {
            match happening {
                Happening::Split => {
                    let partitions = container.partitions();
                    let some = writers.random.usize(..partitions.len());
                    container.split(&partitions[some].id, 2);
                }
                Happening::Merge => {
                    let partitions = container.partitions();
                    let some = writers.random.usize(..partitions.len() - 1);
                    container.merge(&partitions[some].id, &partitions[some + 1].id);
                }
                Happening::Outage(status, requests) => {
                    let action = match status {
                        429 => Action::throttle(1),
                        status => Action::status(status, 0),
                    };
                    let fault = Fault::on(RequestKind::ChangeFeed, action);
                    gateway.push_fault(fault.times(requests));
                }
                Happening::Restart(signal) => {
                    let ended = served.stop_by(signal);
                    let code = (signal == Signal::SIGTERM).then_some(143);
                    assert_eq!(ended.code, code, "{}", ended.stderr);
                    writers.write(10);
                    if signal == Signal::SIGTERM {
                        assert_lag(&gateway, &container, &key, &out);
                    }
                    served = Served::start(&mut tail(&gateway, &key, &out));
                    // By then, what was not committed is cut off; it is read again.
                    served.wait_for_status("/readyz", 200);
                    lines = Lines { read: 0, count: 0 };
                }
                Happening::Rotation(order) => {
                    let new = keys.next().unwrap();
                    let before = refused(&gateway);
                    match order {
                        Order::Before => drop(key_file(directory.path(), new)),
                        Order::WithReload => {
                            key_file(directory.path(), new);
                            served.signal(Signal::SIGUSR1);
                        }
                        Order::After => {}
                    }
                    gateway.set_key(new);
                    if matches!(order, Order::After) {
                        gateway.wait_until("a refusal", |requests| {
                            let refused = requests.iter().filter(|one| one.status == Some(401));
                            refused.count() > before
                        });
                        key_file(directory.path(), new);
                    }
                }
            }
        }
        writers.write(scale.changes_per_stop / 2);
        // A partition that was merged is read in parts, so that its last answer is not that to all of them.
        wait_until("the last change", || match lines.count(&out) {
            count if count == writers.next => Ok(()),
            count => Err(format!("{count} of {}", writers.next)),
        });
        served.wait_until_up_to_date();
        let samples = served.metrics();
        assert_eq!(samples["cosmos_tail_lag_transactions"], 0.0, "hour {hour}");
        let resident = samples["process_resident_memory_bytes"];
        let most: &mut f64 = memory.entry(hour).or_default();
        *most = most.max(resident);
    }
    assert!(happenings.next().is_none());
    let ended = served.stop_by(Signal::SIGTERM);
    assert_eq!(ended.code, Some(143), "{}", ended.stderr);
    let (found, expected) = (changes_of_file(&out), changes_of_gateway(&container));
    assert_eq!(found.len(), expected.len());
    assert_eq!(expected.len(), writers.next);
    let (found, expected) = (by_document(&found), by_document(&expected));
    for (id, changes) in &expected {
        assert_eq!(found.get(id), Some(changes), "{id}");
    }
    assert_eq!(gateway.violations(), Vec::<String>::new());
    let most = |hours: std::ops::Range<usize>| {
        let within = memory.range(hours).map(|(_, resident)| *resident);
        within.fold(0.0, f64::max)
    };
    let (first, last) = (most(12..16), most(20..24));
    eprintln!(
        "{} changes; resident memory: {:.1} MB in hours 12 to 16, {:.1} MB in hours 20 to 24",
        writers.next,
        first / 1e6,
        last / 1e6
    );
    // Each range that a split adds has a cursor and buffers of its own.
    assert!(last < first * 1.1 + 4e6, "{memory:?}");
}

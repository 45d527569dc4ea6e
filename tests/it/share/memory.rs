//! How much memory an instance takes that has many leases, and writes the changes of each to objects.
//!
//! `COSMOS_TAIL_SHARE_RANGES=1000 cargo test --locked --test it share::memory -- --nocapture` measures a thousand.

use std::time::{Duration, Instant};

use cosmos_tail::state::model::State;
use serde_json::json;

use super::files::{ADDRESS, FilesScene};
use super::scene::Instance;
use crate::command::against;

/// For what a test of many leases waits at most.
const PATIENCE: Duration = Duration::from_secs(300);
/// The pause between two looks at a store with many objects.
const PAUSE: Duration = Duration::from_millis(200);

fn ranges(otherwise: usize) -> usize {
    let given = std::env::var("COSMOS_TAIL_SHARE_RANGES").ok();
    given
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

/// Leases of one instance, which are not renewed often.
struct Many {
    scene: FilesScene,
    documents: usize,
}

impl Many {
    fn new(ranges: usize) -> Self {
        Self {
            scene: FilesScene::new(ranges),
            documents: 0,
        }
    }

    /// Has each range change, by documents of its own keys.
    fn change_each(&mut self) {
        let before = self.scene.scene.leased.partitions();
        let is_changed = || {
            let now = self.scene.scene.leased.partitions().into_iter();
            now.zip(&before).all(|(now, before)| now.1 > before.1)
        };
        while !is_changed() {
            for number in self.documents..self.documents + before.len() {
                self.scene.scene.leased.orders.upsert(json!({
                    "id": format!("item-{number}"),
                    "pk": format!("key-{number}"),
                    "number": number,
                    "text": "some text that makes the document a little longer",
                }));
            }
            self.documents += before.len();
        }
    }

    fn start(&self, arguments: &[&str]) -> Instance {
        let mut command = against(&self.scene.scene.leased.gateway);
        self.scene.reach(&mut command);
        command
            .args(["export", "--follow", "-o", ADDRESS, "--from", "beginning"])
            .args(["--group", "orders", "--leases", "shop/leases"])
            .args(["--instance", "a", "--poll-interval", "5s"])
            .args(["--acquire-interval=100s", "--renew-interval=100s"])
            .arg("--expiration-interval=400s")
            .args(arguments);
        let printed = &self.scene.scene.printed;
        Instance::start("a", &mut command, printed)
    }

    /// Waits until the state of each range says so much.
    fn wait_until_states(&self, what: &str, is: impl Fn(u64) -> bool) {
        let ranges = self.scene.scene.leased.partitions().len();
        self.wait_until(what, |states| {
            let there = states.iter().filter(|state| is(state.totals.documents));
            there.count() == ranges
        });
    }

    /// Waits until the states are like this.
    fn wait_until(&self, what: &str, are: impl Fn(&[State]) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !are(&self.scene.states()) {
            assert!(Instant::now() < end, "{what}");
            std::thread::sleep(PAUSE);
        }
    }
}

/// The bound of an instance with so many leases, in kilobytes. The file of a build for users takes up to 16 MB of what 1,000
/// leases may take, which are 100 MB.
fn bound(leases: usize) -> u64 {
    (24 << 10) + 60 * leases as u64
}

/// Checks it, and says what it has taken.
#[track_caller]
fn assert_bounded(instance: &Instance, leases: usize, what: &str) -> String {
    let (Some(all), Some(data)) = (instance.peak_memory(), instance.peak_of_data()) else {
        return format!("{leases} {what}: not known");
    };
    let (all, data, bound) = (all >> 10, data >> 10, bound(leases));
    let said =
        format!("{leases} {what}: {all} kB at most, of which {data} kB are data, of {bound}");
    assert!(data < bound, "{said}");
    said
}

#[test]
fn leases_whose_changes_go_to_objects_take_little_memory_each() {
    let count = ranges(200);
    let mut many = Many::new(count);
    let a = many.start(&[]);
    many.wait_until_states("a state of each range", |_| true);
    let said = assert_bounded(&a, count, "quiet ranges");
    println!("{said}");
    many.change_each();
    many.wait_until_states("a change of each range", |documents| documents > 0);
    let said = assert_bounded(&a, count, "ranges with a change each");
    println!("{said}");
    a.stop();
    many.scene.assert_exact(0..many.documents as u64);
}

#[test]
fn the_rows_of_many_ranges_take_little_memory_each() {
    let count = ranges(100);
    let mut many = Many::new(count);
    many.change_each();
    let a = many.start(&["--format", "parquet", "--rotate-interval", "5s"]);
    many.wait_until_states("a state of each range", |_| true);
    for _ in 0..4 {
        many.change_each();
    }
    let documents = many.documents as u64;
    many.wait_until("the files of all ranges", |states| {
        let written: u64 = states.iter().map(|one| one.totals.documents).sum();
        written == documents
    });
    // Encoders of columns keep buffers for each of them.
    let what = "times a quarter of a range of Parquet";
    let said = assert_bounded(&a, 4 * count, what);
    println!("{said}");
    a.stop();
    let verified = many.scene.verify();
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
}

//! Instances that write one place together: each change is in its files once, whatever happens to them.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use cosmos_tail::destination::manifest::Entry;
use cosmos_tail::state::file;
use cosmos_tail::state::model::State;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::scene::{INTERVALS, Instance, Scene};
use crate::command::{Ended, against, cosmos_tail, fail, run, split_lines, succeed};
use crate::leases::written::ago;
use crate::orders::fill;
use crate::store::Store;

/// Where the files are.
pub(super) const ADDRESS: &str = "az://lake/exports/orders/";
/// The same, within the container.
pub(super) const PREFIX: &str = "exports/orders/";

/// A container that instances of a group read, and a store that they write to.
pub(super) struct FilesScene {
    pub(super) scene: Scene,
    pub(super) store: Store,
    /// What goes wrong in every instance.
    pub(super) plant: &'static str,
    pub(super) is_tail: bool,
}

/// What is in the place, as whoever reads it finds it.
pub(super) struct Place {
    /// The states, by their ranges.
    pub(super) states: BTreeMap<String, State>,
    /// How often each number is in a listed object.
    pub(super) numbers: BTreeMap<u64, usize>,
}

impl FilesScene {
    pub(super) fn new(partitions: usize) -> Self {
        Self {
            scene: Scene::new(partitions),
            store: Store::start(),
            plant: "",
            is_tail: false,
        }
    }

    pub(super) fn reach<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("AZURE_STORAGE_USE_EMULATOR", "true")
            .env("AZURITE_BLOB_STORAGE_URL", self.store.url())
            .env("COSMOS_TAIL_FAILPOINTS", self.plant)
            .env("COSMOS_TAIL_IMPATIENT", "1")
    }

    /// The command of an instance.
    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = against(&self.scene.leased.gateway);
        match self.is_tail {
            true => command.arg("tail"),
            false => command.args(["export", "--follow"]),
        };
        self.reach(&mut command)
            .args(["-o", ADDRESS, "--from", "beginning"])
            .args(["--group", "orders", "--leases", "shop/leases"])
            .args(["--instance", name])
            .args(["--rotate-bytes", "4KiB", "--rotate-interval", "300ms"])
            .args(["--page-size", "20"])
            .args(INTERVALS);
        command
    }

    pub(super) fn start(&self, name: &str) -> Instance {
        self.start_as(name, &mut self.command(name))
    }

    pub(super) fn start_as(&self, name: &str, command: &mut Command) -> Instance {
        let instance = Instance::start(name, command, &self.scene.printed);
        instance.wait_until("it runs", |said| {
            ["\nexporting ", "\ntailing ", "\nwaiting for ranges"]
                .iter()
                .any(|begin| said.contains(begin))
        });
        instance
    }

    fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let all = self.store.objects().into_iter();
        all.filter_map(|(name, bytes)| Some((name.strip_prefix(PREFIX)?.to_owned(), bytes)))
            .collect()
    }

    /// Reads the place.
    ///
    /// # Errors
    ///
    /// If an object is explained by nothing, listed twice or missing.
    pub(super) fn look(&self) -> Result<Place, String> {
        let mut place = Place {
            states: BTreeMap::new(),
            numbers: BTreeMap::new(),
        };
        let mut listed: BTreeSet<String> = BTreeSet::new();
        let mut data = BTreeMap::new();
        for (name, bytes) in self.objects() {
            let Some(own) = name.strip_prefix("_cosmos-tail/") else {
                data.insert(name, bytes);
                continue;
            };
            if own == "group.json" {
                continue;
            }
            if let Some(range) = own.strip_prefix("ranges/") {
                let state = file::parse(&bytes).map_err(|error| format!("{name}: {error:#}"))?;
                let range = range.trim_end_matches(".json").to_owned();
                place.states.insert(range, state);
                continue;
            }
            if !(own.starts_with("range-") && own.contains("/manifest/")) {
                return Err(format!("{name} is explained by nothing"));
            }
            for line in split_lines(&bytes) {
                let entry: Entry = serde_json::from_slice(&line).map_err(|e| e.to_string())?;
                if !listed.insert(entry.file.clone()) {
                    return Err(format!("{} is listed twice", entry.file));
                }
            }
        }
        for name in &listed {
            let bytes = data.remove(name);
            let bytes = bytes.ok_or_else(|| format!("{name} is listed, and not there"))?;
            for line in split_lines(&bytes) {
                let line: Value = serde_json::from_slice(&line).map_err(|e| e.to_string())?;
                let number = line["number"].as_u64().ok_or("a line has no number")?;
                *place.numbers.entry(number).or_default() += 1;
            }
        }
        // A state may have sealed it: it is completed, and listed after that.
        let sealed = place.states.values().flat_map(|state| &state.sealed);
        for file in sealed {
            data.remove(file.place.as_deref().unwrap_or_default());
        }
        match data.keys().next() {
            Some(name) => Err(format!("{name} is explained by nothing")),
            None => Ok(place),
        }
    }

    /// The states of the ranges.
    pub(super) fn states(&self) -> Vec<State> {
        let objects = self.objects().into_iter();
        let states = objects.filter(|(name, _)| name.starts_with("_cosmos-tail/ranges/"));
        let states = states.map(|(_, text)| file::parse(&text).unwrap());
        states.collect()
    }

    /// Waits until these numbers are in files.
    #[track_caller]
    pub(super) fn wait_for(&self, numbers: std::ops::Range<u64>) {
        let missing = || -> Vec<u64> {
            let found = match self.look() {
                Ok(place) => place.numbers,
                Err(_) => BTreeMap::new(),
            };
            numbers
                .clone()
                .filter(|number| !found.contains_key(number))
                .collect()
        };
        self.scene.wait_until(
            || missing().is_empty(),
            || {
                let missing = missing();
                format!("{} numbers are in no file: {missing:?}", missing.len())
            },
        );
    }

    /// What the oracle says while no instance runs: each of these numbers is in one listed object, and there is no other one.
    pub(super) fn judge(&self, numbers: std::ops::Range<u64>) -> Result<(), String> {
        let place = self.look()?;
        let twice: Vec<u64> = place
            .numbers
            .iter()
            .filter(|(_, count)| **count > 1)
            .map(|(number, _)| *number)
            .collect();
        if !twice.is_empty() {
            return Err(format!(
                "{} numbers are there twice: {twice:?}",
                twice.len()
            ));
        }
        let found: BTreeSet<u64> = place.numbers.into_keys().collect();
        let missing: Vec<u64> = numbers.clone().filter(|one| !found.contains(one)).collect();
        if !missing.is_empty() {
            return Err(format!(
                "{} numbers are missing: {missing:?}",
                missing.len()
            ));
        }
        if found.len() as u64 != numbers.end - numbers.start {
            return Err("there are numbers that nobody wrote".to_owned());
        }
        for (who, violations) in [
            ("store", self.store.violations()),
            ("gateway", self.scene.leased.gateway.violations()),
        ] {
            if !violations.is_empty() {
                return Err(format!(
                    "{who}: no correct instance does this: {violations:?}"
                ));
            }
        }
        let verified = self.verify();
        if verified.code != Some(0) {
            return Err(format!("verify: {}{}", verified.stdout, verified.stderr));
        }
        Ok(())
    }

    pub(super) fn verify(&self) -> Ended {
        run(self.reach(&mut cosmos_tail()).args(["verify", ADDRESS]))
    }

    #[track_caller]
    pub(super) fn assert_exact(&self, numbers: std::ops::Range<u64>) {
        if let Err(wrong) = self.judge(numbers) {
            panic!("{wrong}");
        }
    }

    pub(super) fn fill(&self, numbers: std::ops::Range<usize>) {
        fill(&self.scene.leased.orders, numbers);
    }
}

#[test]
fn instances_share_the_ranges_and_write_each_change_once() {
    let scene = FilesScene::new(4);
    scene.fill(0..200);
    let a = scene.start("a");
    scene.wait_for(0..200);
    let b = scene.start("b");
    scene.scene.wait_for_owners(&[("a", 2), ("b", 2)]);
    scene.fill(200..300);
    scene.wait_for(0..300);
    let said = a.stop();
    assert!(said.contains("\nexporting 4 of 4 ranges"), "{said}");
    scene.scene.wait_for_owners(&[("b", 4)]);
    scene.fill(300..400);
    scene.wait_for(0..400);
    let said = b.stop();
    assert!(
        said.contains(&format!("changes from shop/orders to {ADDRESS}")),
        "{said}"
    );
    scene.assert_exact(0..400);
    let strict = run(scene
        .reach(&mut cosmos_tail())
        .args(["verify", "--strict", "--quick", ADDRESS]));
    assert_eq!(strict.code, Some(0), "{}{}", strict.stdout, strict.stderr);
    assert!(
        strict.stderr.contains("4 ranges, ") && strict.stderr.contains("400 rows"),
        "{}",
        strict.stderr
    );
}

#[test]
fn what_an_instance_that_died_had_begun_is_finished_by_the_next_owner() {
    let scene = FilesScene::new(2);
    scene.fill(0..100);
    let a = scene.start("a");
    let b = scene.start("b");
    scene.wait_for(0..100);
    scene.fill(100..200);
    a.kill();
    scene.fill(200..300);
    scene.wait_for(0..300);
    b.stop();
    scene.assert_exact(0..300);
}

#[test]
fn an_instance_that_was_paused_until_others_have_its_ranges_harms_nothing() {
    let scene = FilesScene::new(2);
    scene.fill(0..100);
    let a = scene.start("a");
    scene.wait_for(0..100);
    scene.fill(100..160);
    a.signal(Signal::SIGSTOP);
    let b = scene.start("b");
    scene.scene.wait_for_owners(&[("b", 2)]);
    scene.fill(160..260);
    scene.wait_for(0..260);
    a.signal(Signal::SIGCONT);
    scene.fill(260..300);
    scene.scene.wait_for_owners(&[("a", 1), ("b", 1)]);
    scene.wait_for(0..300);
    a.stop();
    b.stop();
    scene.assert_exact(0..300);
}

#[test]
fn a_range_that_is_split_ends_in_its_state_and_its_parts_begin_there() {
    let scene = FilesScene::new(1);
    scene.fill(0..100);
    let a = scene.start("a");
    let b = scene.start("b");
    scene.wait_for(0..100);
    let partition = scene.scene.leased.orders.partitions().remove(0);
    scene.scene.leased.orders.split(&partition.id, 2);
    scene.fill(100..300);
    scene.wait_for(0..300);
    scene.scene.wait_for_owners(&[("a", 1), ("b", 1)]);
    a.stop();
    b.stop();
    scene.assert_exact(0..300);
    let place = scene.look().unwrap();
    assert_eq!(place.states.len(), 3);
    let over: Vec<bool> = place
        .states
        .values()
        .map(|state| state.group.as_ref().unwrap().over)
        .collect();
    assert_eq!(over.iter().filter(|over| **over).count(), 1, "{over:?}");
}

#[test]
fn a_directory_is_refused_with_the_way_out() {
    let scene = FilesScene::new(1);
    let directory = tempfile::tempdir().unwrap();
    for command in [&["export", "--follow"][..], &["tail"]] {
        let mut refused = against(&scene.scene.leased.gateway);
        refused
            .args(command)
            .arg("-o")
            .arg(directory.path().join("orders/"))
            .args(["--group", "orders", "--leases", "shop/leases"]);
        let ended = fail(&mut refused, 2);
        assert!(
            ended.stderr.contains("az://CONTAINER/PATH/"),
            "{}",
            ended.stderr
        );
    }
}

impl FilesScene {
    /// Creates the leases of the parts of the only range, beside its own.
    pub(super) fn double_leases(&self) {
        let net = self.scene.leased.net("orders");
        let lsn = self.scene.leased.partitions()[0].1;
        for bounds in [["", "1F"], ["1F", "FF"]] {
            let bounds = bounds.map(str::to_owned);
            net.range(&bounds, None, Some(lsn), &ago(0));
        }
    }

    /// Resets all leases, which nobody has.
    pub(super) fn reset(&self, to: &str) -> Ended {
        let mut command = against(&self.scene.leased.gateway);
        succeed(command.args([
            "leases",
            "reset",
            "--leases",
            "shop/leases",
            "--group",
            "orders",
            "--to",
            to,
        ]))
    }
}

#[test]
fn after_a_reset_the_states_win_and_what_is_left_out_is_named() {
    let scene = FilesScene::new(2);
    scene.fill(0..100);
    scene.start_and_stop(0..100);
    let ended = scene.reset("beginning");
    assert!(
        ended
            .stderr
            .contains(&format!("the states of the files at `{ADDRESS}` win")),
        "{}",
        ended.stderr
    );
    scene.fill(100..150);
    scene.start_and_stop(0..150);
    scene.assert_exact(0..150);
    assert!(!scene.verify().stderr.contains("others have handled"));
    scene.fill(150..180);
    scene.reset("now");
    scene.fill(180..200);
    scene.start_and_stop(180..200);
    let numbers = scene.look().unwrap().numbers;
    assert!(numbers.values().all(|count| *count == 1));
    let expected: BTreeSet<u64> = (0..150).chain(180..200).collect();
    assert_eq!(numbers.into_keys().collect::<BTreeSet<_>>(), expected);
    let verified = scene.verify();
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    let named = "others have handled the changes from LSN";
    assert_eq!(
        verified.stderr.matches(named).count(),
        2,
        "{}",
        verified.stderr
    );
}

impl FilesScene {
    #[track_caller]
    pub(super) fn start_and_stop(&self, numbers: std::ops::Range<u64>) {
        let instance = self.start("a");
        self.wait_for(numbers);
        instance.stop();
    }
}

#[test]
fn a_beginning_at_the_lease_is_found() {
    let mut scene = FilesScene::new(1);
    scene.fill(0..60);
    scene.start_and_stop(0..60);
    scene.reset("beginning");
    scene.plant = "defect.group.begins-at-the-lease=return";
    scene.fill(60..100);
    scene.start_and_stop(0..100);
    let found = scene.judge(0..100).unwrap_err();
    assert!(found.contains("are there twice"), "{found}");
}

#[test]
fn a_place_whose_mark_was_deleted_is_begun_by_no_instance() {
    let scene = FilesScene::new(1);
    scene.fill(0..20);
    scene.start_and_stop(0..20);
    let refused = |told: &str| {
        let before = scene.store.objects();
        let ended = fail(&mut scene.command("b"), 2);
        assert!(ended.stderr.contains(told), "{told}: {}", ended.stderr);
        assert!(scene.store.objects() == before, "{told}");
    };
    let mark = format!("{PREFIX}_cosmos-tail/group.json");
    let text = scene.store.objects().remove(&mark).unwrap();
    scene.store.replace(&mark, None);
    refused("_cosmos-tail/group.json` is gone");
    // All of it, which is all that a rule for `_cosmos-tail/` leaves.
    let mut kept = Vec::new();
    for (name, bytes) in scene.store.objects() {
        if name.starts_with(&format!("{PREFIX}_cosmos-tail/")) {
            scene.store.replace(&name, None);
            kept.push((name, bytes));
        }
    }
    refused("but what said so there, `_cosmos-tail/group.json`, is gone");
    // Restored, it goes on.
    kept.push((mark, text));
    for (name, bytes) in kept {
        scene.store.replace(&name, Some(&bytes));
    }
    scene.fill(20..40);
    scene.start_and_stop(0..40);
    scene.judge(0..40).unwrap();
}

#[test]
fn a_group_feeds_one_place_and_a_place_has_one_group() {
    let scene = FilesScene::new(1);
    scene.fill(0..20);
    scene.start_and_stop(0..20);
    for (from, to, why) in [
        (ADDRESS, "az://lake/exports/others/", "feeds the files at"),
        (
            "--group=orders",
            "--group=others",
            "has the files of the group `orders`",
        ),
        (
            "--page-size",
            "--compression=gzip:1",
            "are written with --compression none, not with --compression gzip:1",
        ),
        (
            "--page-size",
            "--format=csv",
            "are written with --format jsonl, not with --format csv",
        ),
        (
            "--page-size",
            "--partition-by=hour",
            "are written without --partition-by, not with --partition-by hour",
        ),
    ] {
        let mut command = scene.command("b");
        let arguments: Vec<String> = command
            .get_args()
            .map(|one| one.to_string_lossy().into_owned())
            .collect();
        let joined = arguments
            .join("\n")
            .replace("--group\norders", "--group=orders");
        let joined = match from {
            "--page-size" => format!("{joined}\n{to}"),
            _ => joined.replace(from, to),
        };
        let mut changed = against(&scene.scene.leased.gateway);
        scene.reach(&mut changed).args(joined.split('\n'));
        let ended = fail(&mut changed, 2);
        assert!(ended.stderr.contains(why), "{why}: {}", ended.stderr);
        let hint = match from {
            "--page-size" => "or write in another way to another place, with another group",
            _ => "hint: ",
        };
        assert!(ended.stderr.contains(hint), "{why}: {}", ended.stderr);
        command.arg("--version");
    }
    let mut printing = scene.scene.command("c");
    let ended = fail(&mut printing, 2);
    assert!(
        ended
            .stderr
            .contains("which would never get the changes that are printed"),
        "{}",
        ended.stderr
    );
    for command in ["resume", "export"] {
        let mut alone = against(&scene.scene.leased.gateway);
        scene.reach(&mut alone).arg(command);
        match command {
            "export" => alone.args(["-o", ADDRESS]),
            _ => alone.arg(ADDRESS),
        };
        let ended = fail(&mut alone, 2);
        assert!(ended.stderr.contains("instances of"), "{}", ended.stderr);
    }
    scene.assert_exact(0..20);
}

#[test]
fn a_tail_writes_objects_and_they_are_replayed_in_their_order() {
    let mut scene = FilesScene::new(1);
    scene.is_tail = true;
    scene.fill(0..100);
    let a = scene.start("a");
    scene.wait_for(0..100);
    scene.scene.leased.orders.split("0", 2);
    scene.fill(100..200);
    scene.wait_for(0..200);
    a.stop();
    scene.assert_exact(0..200);
    let gateway = &scene.scene.leased.gateway;
    let copy = gateway.create_container("shop", "copy", "/pk", 2);
    let mut replay = against(gateway);
    scene
        .reach(&mut replay)
        .env("AZURE_COSMOS_CONTAINER", "copy")
        .args(["replay", ADDRESS]);
    succeed(&mut replay);
    let numbers: BTreeSet<u64> = copy
        .latest()
        .iter()
        .map(|served| {
            let document: Value = serde_json::from_slice(&served.text).unwrap();
            document["number"].as_u64().unwrap()
        })
        .collect();
    assert_eq!(numbers, (0..200).collect());
}

#[test]
fn columns_are_those_of_the_first_instance() {
    let scene = FilesScene::new(2);
    let parquet = |name: &str| {
        let mut command = scene.command(name);
        command.args(["--format", "parquet"]);
        command
    };
    let ended = fail(&mut parquet("a"), 2);
    assert!(
        ended.stderr.contains("give them with --schema FILE"),
        "{}",
        ended.stderr
    );
    assert!(scene.store.objects().is_empty());
    scene.fill(0..100);
    let a = scene.start_as("a", &mut parquet("a"));
    let b = scene.start_as("b", &mut parquet("b"));
    scene.scene.wait_for_owners(&[("a", 1), ("b", 1)]);
    scene.fill(100..150);
    let rows = || {
        let states = scene.objects();
        let states = states
            .iter()
            .filter(|(name, _)| name.starts_with("_cosmos-tail/ranges/"));
        let states = states.map(|(_, text)| file::parse(text).unwrap());
        states.map(|state| state.totals.documents).sum::<u64>()
    };
    scene
        .scene
        .wait_until(|| rows() == 150, || format!("{} rows", rows()));
    a.stop();
    b.stop();
    let verified = scene.verify();
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    assert!(verified.stderr.contains("150 rows"), "{}", verified.stderr);
}

#[test]
fn many_ranges_take_little_memory() {
    const RANGES: usize = 96;
    let scene = FilesScene::new(RANGES);
    scene.fill(0..2000);
    let a = scene.start("a");
    scene.wait_for(0..2000);
    let peak = a.peak_memory();
    let said = a.stop();
    assert!(
        said.contains(&format!("exporting {RANGES} of {RANGES} ranges")),
        "{said}"
    );
    if let Some(peak) = peak {
        println!("{} MB", peak >> 20);
        assert!(peak < 128 << 20, "{} MB", peak >> 20);
    }
    scene.assert_exact(0..2000);
}

#[test]
fn instances_whose_lines_differ_are_refused_with_both_values() {
    let mut scene = FilesScene::new(1);
    scene.is_tail = true;
    scene.fill(0..20);
    let with = |name: &str, arguments: &[&str]| {
        let mut command = scene.command(name);
        command.args(arguments);
        command
    };
    let a = scene.start_as("a", &mut with("a", &["--fields", "id,number"]));
    scene.wait_for(0..20);
    a.stop();
    let before = scene.store.objects();
    for (arguments, said) in [
        (
            &["--fields", "number"][..],
            "are written with --fields id,number, not with --fields number",
        ),
        (
            &[],
            "are written with --fields id,number, not without --fields",
        ),
        (
            &["--fields", "id,number", "--format", "envelope"],
            "are written with --format json, not with --format envelope",
        ),
        (
            &["--jq", ".number"],
            "are written without --jq, not with --jq (7 bytes, crc32c",
        ),
    ] {
        let ended = fail(&mut with("b", arguments), 2);
        let stderr = &ended.stderr;
        assert!(stderr.contains(said), "{said}: {stderr}");
        assert!(
            stderr.contains("all instances of a group write alike"),
            "{stderr}"
        );
    }
    assert_eq!(scene.store.objects(), before);
    scene.fill(20..40);
    let b = scene.start_as("b", &mut with("b", &["--fields", "id, number"]));
    scene.wait_for(0..40);
    b.stop();
    scene.assert_exact(0..40);
}

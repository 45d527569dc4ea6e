//! Tables in partitions where the clock of the machine is set back over the end of an hour or a day.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::{Clock, assert_whole, below, lines_of, wait_for, wait_for_open, wait_until};
use crate::command::{export, resume, state_directory, succeed};
use crate::orders::{fill, filled};

/// The content of each finished file, which never changes.
#[derive(Default)]
struct Finished(BTreeMap<String, Vec<u8>>);

impl Finished {
    #[track_caller]
    fn look(&mut self, found: impl IntoIterator<Item = (String, Vec<u8>)>) {
        let found: BTreeMap<String, Vec<u8>> = found.into_iter().collect();
        for (name, bytes) in &self.0 {
            assert_eq!(found.get(name), Some(bytes), "{name}");
        }
        self.0 = found;
    }
}

/// The number of a part in its series.
fn number(name: &str) -> u32 {
    let file = name.rsplit('/').next().unwrap();
    file.split(['-', '.']).nth(2).unwrap().parse().unwrap()
}

/// Whether the state has so many rows of this part, which is open.
fn is_committed(out: &Path, part: u64, rows: u64) -> bool {
    let text = std::fs::read(state_directory(out).join("state.json")).unwrap();
    let state: Value = serde_json::from_slice(&text).unwrap();
    let open = &state["state"]["series"][0]["open"];
    open["part"] == part && open["rows"] == rows
}

fn contents(out: &Path) -> impl Iterator<Item = (String, Vec<u8>)> {
    let read = |name: &String| std::fs::read(out.join(name)).unwrap();
    let names = below(out).into_iter();
    names.map(move |name| (name.clone(), read(&name)))
}

#[cfg(unix)]
#[test]
fn each_step_of_the_clock_begins_a_file_and_the_numbers_have_the_order() {
    use nix::sys::signal::Signal;

    use crate::command::{signal, spawn, wait};

    let (gateway, container) = filled(1, 20);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let clock = Clock::new(directory.path());
    let mut finished = Finished::default();
    let mut follow = export(&gateway, &out);
    follow.args(["--follow", "--partition-by", "hour"]);
    follow.args(["--poll-interval", "20ms", "--checkpoint-interval", "50ms"]);
    let child = spawn(clock.is_of(&mut follow));
    wait_for_open(&out, 1, 20);
    clock.set_hours(1);
    let first = "dt=2031-03-14/hour=22/orders-00000-000001.jsonl";
    wait_for(&out, &[first]);
    fill(&container, 20..40);
    wait_for_open(&out, 2, 20);
    finished.look(contents(&out));
    // Back to the hour of the first one, within a run.
    clock.set_hours(0);
    let second = "dt=2031-03-14/hour=23/orders-00000-000002.jsonl";
    wait_for(&out, &[first, second]);
    fill(&container, 40..60);
    wait_for_open(&out, 3, 20);
    finished.look(contents(&out));
    wait_until(&true, || is_committed(&out, 3, 20));
    // Back over the end of a day, between two runs, of which the first dies.
    signal(&child, Signal::SIGKILL);
    assert_eq!(wait(child).code, None);
    clock.set_hours(-23);
    fill(&container, 60..80);
    let mut again = resume(&gateway, &out);
    succeed(clock.is_of(again.arg("--no-follow")));
    let third = "dt=2031-03-14/hour=22/orders-00000-000003.jsonl";
    let fourth = "dt=2031-03-13/hour=23/orders-00000-000004.jsonl";
    assert_eq!(below(&out), [fourth, first, third, second]);
    finished.look(contents(&out));
    // And on again.
    clock.set_hours(2);
    fill(&container, 80..90);
    let mut again = resume(&gateway, &out);
    succeed(clock.is_of(again.arg("--no-follow")));
    let fifth = "dt=2031-03-15/hour=00/orders-00000-000005.jsonl";
    assert_eq!(below(&out), [fourth, first, third, second, fifth]);
    finished.look(contents(&out));
    let of_part = |name: &str| -> Vec<u64> {
        let lines = lines_of(&out.join(name)).into_iter();
        let parsed = lines.map(|line| serde_json::from_slice::<Value>(&line).unwrap());
        parsed.map(|one| one["number"].as_u64().unwrap()).collect()
    };
    let all = [first, second, third, fourth, fifth].map(of_part).concat();
    assert_eq!(all, Vec::from_iter(0..90));
    assert_whole(&gateway, &container, &out);
}

#[cfg(feature = "object-stores")]
#[test]
fn an_object_is_not_replaced_when_the_clock_goes_back_to_its_hour() {
    use crate::command::{DATABASE, assert_same, run};
    use crate::replay::{COPY, content, replay};
    use crate::store_scene::StoreScene;

    let arguments = [
        "--page-size=20",
        "--rotate-bytes=4KiB",
        "--partition-by=day",
    ];
    for steps in [[0, -3, 0, 26, -50], [0, -30, 4, -4, 0]] {
        let scene = StoreScene::with(2, 120, &arguments);
        let clock = Clock::new(scene.disk.path());
        let mut finished = Finished::default();
        for (run_number, hours) in steps.into_iter().enumerate() {
            clock.set_hours(hours);
            let mut command = scene.next_command();
            let dies = "object.complete=3*off->return(kill)";
            command.env("COSMOS_TAIL_FAILPOINTS", dies);
            run(clock.is_of(&mut command));
            let data = scene.objects().into_iter();
            finished.look(data.filter(|(name, _)| !name.starts_with('_')));
            let begin = 120 + 40 * run_number;
            fill(&scene.container, begin..begin + 40);
        }
        succeed(clock.is_of(&mut scene.next_command()));
        assert_eq!(scene.store.violations(), Vec::<String>::new());
        let verified = scene.verify();
        assert_eq!(verified.code, Some(0), "{}", verified.stdout);
        // The numbers of a series have no gap, whatever directory each is in.
        let objects = scene.objects();
        let mut series: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for name in objects.keys().filter(|name| !name.starts_with('_')) {
            let file = name.rsplit('/').next().unwrap();
            let own = file.split('-').nth(1).unwrap().to_owned();
            series.entry(own).or_default().push(number(name));
        }
        for (own, mut numbers) in series {
            numbers.sort_unstable();
            let expected: Vec<u32> = (1..).take(numbers.len()).collect();
            assert_eq!(numbers, expected, "series {own}");
        }
        let copy = scene.gateway.create_container(DATABASE, COPY, "/pk", 1);
        let mut back = replay(&scene.gateway, Path::new(StoreScene::address()));
        succeed(scene.reach(&mut back));
        assert_same(&content(&copy), &content(&scene.container));
    }
}

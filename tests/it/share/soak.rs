//! Kills, pauses, splits, merges and writes in random order: nothing is lost, and nothing is printed again that was
//! saved.
//!
//! `COSMOS_TAIL_SHARE_ROUNDS=500 cargo test --locked --test it share::soak` runs more of them than the suite does.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use super::scene::{Instance, Scene};
use crate::orders::fill;

/// Rounds in the suite.
const ROUNDS: usize = 8;
/// Instances that run at most.
const MAX_INSTANCES: usize = 5;

struct Run {
    scene: Scene,
    random: fastrand::Rng,
    instances: Vec<Instance>,
    /// A paused instance, by its place.
    paused: Option<usize>,
    next_number: u64,
    next_name: usize,
    /// Numbers below this one were printed and saved when the first `seen` lines had come.
    settled: (u64, usize),
    /// Instances that were paused since then: they may still print what they had taken before.
    excused: BTreeSet<String>,
}

impl Run {
    fn write(&mut self) {
        let count = self.random.u64(1..40);
        let numbers = self.next_number..self.next_number + count;
        self.next_number = numbers.end;
        let numbers =
            usize::try_from(numbers.start).unwrap()..usize::try_from(numbers.end).unwrap();
        fill(&self.scene.leased.orders, numbers);
    }

    fn start(&mut self) {
        // A new name, or that of one that crashed.
        let name = format!("w{}", self.next_name);
        self.next_name += 1;
        let instance = self.scene.start(&name);
        self.instances.push(instance);
    }

    fn kill(&mut self) {
        let at = self.random.usize(..self.instances.len());
        self.resume();
        let instance = self.instances.swap_remove(at);
        let name = instance.name.clone();
        instance.kill();
        if self.random.bool() {
            let instance = self.scene.start(&name);
            self.instances.push(instance);
        } else {
            self.start();
        }
    }

    /// Pauses an instance until others have its leases.
    fn pause(&mut self) {
        self.resume();
        if self.instances.len() < 2 {
            self.start();
        }
        let at = self.random.usize(..self.instances.len());
        let name = self.instances[at].name.clone();
        self.instances[at].signal(Signal::SIGSTOP);
        self.paused = Some(at);
        self.excused.insert(name.clone());
        self.write();
        self.scene.wait_until(
            || !self.scene.owners().contains_key(&name),
            || format!("{:?}", self.scene.owners()),
        );
    }

    fn resume(&mut self) {
        if let Some(at) = self.paused.take() {
            self.instances[at].signal(Signal::SIGCONT);
        }
    }

    fn change_partitions(&mut self) {
        let orders = &self.scene.leased.orders;
        let partitions = orders.partitions();
        if partitions.len() < 3 || (partitions.len() < 7 && self.random.bool()) {
            let at = self.random.usize(..partitions.len());
            orders.split(&partitions[at].id, 2);
        } else {
            let at = self.random.usize(..partitions.len() - 1);
            orders.merge(&partitions[at].id, &partitions[at + 1].id);
        }
    }

    /// Waits until everything was printed and saved, and former owners know that they are.
    fn settle(&mut self) {
        self.scene.printed.wait_for(0..self.next_number);
        let scene = &self.scene;
        let times = || -> Vec<String> {
            let stored = scene.stored();
            stored
                .values()
                .map(|lease| lease["timestamp"].to_string())
                .collect()
        };
        let is_saved = || {
            let partitions = scene.leased.orders.partitions();
            scene.stored().values().all(|lease| {
                let range = &lease["FeedRange"]["Range"];
                let (min, max) = (
                    range["min"].as_str().unwrap(),
                    range["max"].as_str().unwrap(),
                );
                let mut heads = partitions.iter().filter(|partition| {
                    *partition.min_inclusive < *max && *min < *partition.max_exclusive
                });
                // An LSN that has nothing of this range is no position of it.
                let token = lease["ContinuationToken"].as_str().unwrap();
                let lsn: u64 = token.trim_matches('"').parse().unwrap();
                heads.all(|partition| lsn >= partition.lsn)
            })
        };
        scene.wait_until(is_saved, || format!("{:?}", scene.stored()));
        for _ in 0..3 {
            let before = times();
            scene.wait_until(
                || times().iter().all(|time| !before.contains(time)),
                || format!("{:?}", scene.stored()),
            );
        }
        self.settled = (self.next_number, scene.printed.lines().len());
        self.excused.clear();
        let paused = self.paused.map(|at| self.instances[at].name.clone());
        self.excused.extend(paused);
    }

    #[track_caller]
    fn judge(&self) {
        let (number, seen) = self.settled;
        for line in &self.scene.printed.lines()[seen..] {
            let is_again = line.number().is_some_and(|printed| printed < number);
            assert!(
                !is_again || self.excused.contains(&line.instance),
                "`{}` printed {:?} again, which was saved",
                line.instance,
                line.number()
            );
        }
    }
}

#[test]
fn nothing_is_lost_whatever_happens_to_the_instances() {
    let rounds = std::env::var("COSMOS_TAIL_SHARE_ROUNDS").ok();
    let rounds = rounds.and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let seed = std::env::var("COSMOS_TAIL_TEST_SEED").ok();
    let seed = seed
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("COSMOS_TAIL_TEST_SEED={seed}");
    let mut run = Run {
        scene: Scene::new(3),
        random: fastrand::Rng::with_seed(seed),
        instances: Vec::new(),
        paused: None,
        next_number: 0,
        next_name: 0,
        settled: (0, 0),
        excused: BTreeSet::new(),
    };
    for _ in 0..3 {
        run.start();
    }
    let mut done = [0; 5];
    for round in 0..rounds {
        run.write();
        let what = if round < 4 {
            round
        } else {
            run.random.usize(..5)
        };
        done[what] += 1;
        match what {
            0 => run.kill(),
            1 => run.pause(),
            2 => run.change_partitions(),
            3 if run.instances.len() < MAX_INSTANCES => run.start(),
            _ => {
                run.resume();
                run.settle();
            }
        }
        run.judge();
    }
    println!("kills, pauses, splits and merges, starts, rests: {done:?}");
    run.resume();
    run.write();
    run.settle();
    run.judge();
    for instance in run.instances {
        let said = instance.stop();
        assert!(!said.contains("warning: no lease is for"), "{said}");
    }
    assert_eq!(run.scene.leased.gateway.violations(), [] as [String; 0]);
}

//! Kills, pauses, splits, merges and writes in random order, of instances that write files: each change is there once.
//!
//! `COSMOS_TAIL_SHARE_ROUNDS=500 cargo test --locked --test it share::files_soak` runs more of them than the suite does.

use nix::sys::signal::Signal;

use super::files::FilesScene;
use super::scene::Instance;
use crate::orders::fill;

/// Rounds in the suite.
const ROUNDS: usize = 10;
/// Instances that run at most.
const MAX_INSTANCES: usize = 4;

struct Run {
    scene: FilesScene,
    random: fastrand::Rng,
    instances: Vec<Instance>,
    /// A paused instance, by its place.
    paused: Option<usize>,
    next_number: u64,
    next_name: usize,
}

impl Run {
    fn write(&mut self) {
        let numbers = self.next_number..self.next_number + self.random.u64(1..60);
        self.next_number = numbers.end;
        let at = |number: u64| usize::try_from(number).unwrap();
        fill(
            &self.scene.scene.leased.orders,
            at(numbers.start)..at(numbers.end),
        );
    }

    fn start(&mut self) {
        let name = format!("w{}", self.next_name);
        self.next_name += 1;
        self.instances.push(self.scene.start(&name));
    }

    fn kill(&mut self) {
        let at = self.random.usize(..self.instances.len());
        self.resume();
        let instance = self.instances.swap_remove(at);
        let name = instance.name.clone();
        instance.kill();
        if self.random.bool() {
            self.instances.push(self.scene.start(&name));
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
        self.write();
        self.instances[at].signal(Signal::SIGSTOP);
        self.paused = Some(at);
        self.write();
        let scene = &self.scene.scene;
        scene.wait_until(
            || !scene.owners().contains_key(&name),
            || format!("{:?}", scene.owners()),
        );
    }

    fn resume(&mut self) {
        if let Some(at) = self.paused.take() {
            self.instances[at].signal(Signal::SIGCONT);
        }
    }

    fn change_partitions(&mut self) {
        let orders = &self.scene.scene.leased.orders;
        let partitions = orders.partitions();
        if partitions.len() < 3 || (partitions.len() < 7 && self.random.bool()) {
            let at = self.random.usize(..partitions.len());
            orders.split(&partitions[at].id, 2);
        } else {
            let at = self.random.usize(..partitions.len() - 1);
            orders.merge(&partitions[at].id, &partitions[at + 1].id);
        }
    }
}

#[test]
fn each_change_is_in_files_once_whatever_happens_to_the_instances() {
    let rounds = std::env::var("COSMOS_TAIL_SHARE_ROUNDS").ok();
    let rounds = rounds.and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let seed = std::env::var("COSMOS_TAIL_TEST_SEED").ok();
    let seed = seed
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("COSMOS_TAIL_TEST_SEED={seed}");
    let mut run = Run {
        scene: FilesScene::new(3),
        random: fastrand::Rng::with_seed(seed),
        instances: Vec::new(),
        paused: None,
        next_number: 0,
        next_name: 0,
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
                run.scene.wait_for(0..run.next_number);
            }
        }
    }
    println!("kills, pauses, splits and merges, starts, rests: {done:?}");
    run.resume();
    run.write();
    run.scene.wait_for(0..run.next_number);
    for instance in run.instances {
        let said = instance.stop();
        assert!(!said.contains("warning: no lease is for"), "{said}");
    }
    run.scene.assert_exact(0..run.next_number);
}

//! Exports that are killed at random moments, resumes among them, until they are done.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::command::{export, resume, signal, spawn, state_directory, wait};
use crate::gateway::{Container, Gateway, GatewayOptions, at_random, rewriter};
use crate::oracle::{Snapshot, judge, judge_one_shot};
use crate::orders::filled_with;
use crate::query_oracle::judge_query;

/// Attempts after which an export that is not done is stuck.
const PATIENCE: usize = 30;

/// An export to be killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Victim {
    pub(crate) documents: usize,
    pub(crate) arguments: &'static [&'static str],
    /// Whether partitions are split and merged meanwhile.
    pub(crate) across_splits: bool,
    /// The largest lag of replicas in transactions, in an account that allows it.
    pub(crate) lag: u64,
    /// Whether documents are rewritten between pages.
    pub(crate) is_rewritten: bool,
}

/// The largest lag of replicas in transactions: more than a page has.
const LAG: u64 = 30;
/// Documents that are rewritten in the course of an export.
const REWRITTEN: usize = 100;

impl Victim {
    pub(crate) const fn new(documents: usize, arguments: &'static [&'static str]) -> Self {
        Self {
            documents,
            arguments,
            across_splits: false,
            lag: 0,
            is_rewritten: false,
        }
    }

    /// Replicas lag, each request's by a number of its own.
    pub(crate) const fn lagging(self) -> Self {
        Self { lag: LAG, ..self }
    }

    /// Documents are rewritten between pages.
    pub(crate) const fn rewritten(self) -> Self {
        Self {
            is_rewritten: true,
            ..self
        }
    }

    pub(crate) const fn across_splits(self) -> Self {
        Self {
            across_splits: true,
            ..self
        }
    }

    /// Kills exports until `kills` have hit a running process; each export is resumed until it is done.
    ///
    /// # Errors
    ///
    /// What is wrong, and in which round.
    pub(crate) fn kill(self, kills: usize, seed: u64) -> Result<(), String> {
        let partitions = if self.across_splits { 2 } else { 8 };
        let mut options = GatewayOptions::default();
        if self.lag > 0 {
            options.consistency = "Eventual";
        }
        let (gateway, container) = filled_with(options, partitions, self.documents);
        let mut killer = Killer {
            victim: self,
            gateway,
            container,
            random: fastrand::Rng::with_seed(seed),
            hits: 0,
            whole: Duration::from_millis(300),
        };
        for round in 1.. {
            if killer.hits >= kills {
                break;
            }
            let directory = tempfile::tempdir().unwrap();
            let out = directory.path().join("out");
            if let Err(wrong) = killer.round(&out) {
                let kept = directory.keep();
                return Err(format!("round {round}: {wrong}; see {}", kept.display()));
            }
        }
        Ok(())
    }
}

struct Killer {
    victim: Victim,
    gateway: Gateway,
    container: Container,
    random: fastrand::Rng,
    /// Kills that have hit a running process.
    hits: usize,
    /// How long one whole export takes: a kill within that time can hit it.
    whole: Duration,
}

impl Killer {
    /// One export, until it is done.
    fn round(&mut self, out: &Path) -> Result<(), String> {
        if self.victim.arguments.contains(&"--query") {
            self.disturb();
            self.until_done(out)?;
            return judge_query(&self.gateway, &self.container, out);
        }
        let before = Snapshot::of_replicas(&self.container, self.victim.lag);
        self.disturb();
        self.until_done(out)?;
        if self.victim.lag > 0 || self.victim.is_rewritten {
            let existed = before.existed_until_now(&self.container);
            judge_one_shot(&self.gateway, &self.container, out, &existed)?;
            self.gateway.clear_faults();
            self.gateway.clear_lag();
            // Written after the end, or not seen.
            let ended = wait(spawn(&mut resume(&self.gateway, out)));
            if ended.code != Some(0) {
                return Err(format!("{:?} in the end: {}", ended.code, ended.stderr));
            }
        }
        judge(&self.gateway, &self.container, out)
    }

    /// What the victim has to survive until it is done.
    fn disturb(&mut self) {
        if self.victim.lag > 0 {
            self.gateway
                .set_lag(at_random(self.random.u64(..), self.victim.lag));
        }
        if self.victim.is_rewritten {
            let documents = self.victim.documents;
            let ids = (0..REWRITTEN).map(|_| format!("item-{}", self.random.usize(..documents)));
            let ids: Vec<String> = ids.collect();
            let nth = self.random.usize(1..3);
            self.gateway.push_fault(rewriter(&self.container, ids, nth));
        }
    }

    /// Kills the first attempts, then lets one finish.
    fn until_done(&mut self, out: &Path) -> Result<(), String> {
        for attempt in 0..PATIENCE {
            let mut command = next_command(&self.gateway, out, self.victim.arguments);
            let began = Instant::now();
            let child = spawn(command.args(["--page-size", "20", "--checkpoint-interval", "5ms"]));
            // The first attempts are cut short; later ones may run to the end.
            if attempt < 6 {
                let sleep_until = began + self.whole.mul_f64(self.random.f64());
                // This kills at a random time, so it has to wait for one.
                std::thread::sleep(sleep_until.saturating_duration_since(Instant::now()));
                signal(&child, Signal::SIGKILL);
            }
            let ended = wait(child);
            match ended.code {
                Some(0) => {
                    self.whole = (self.whole + began.elapsed()) / 2;
                    return Ok(());
                }
                // Replicas that lag can be all that a range meets.
                Some(3) if self.victim.lag > 0 => {}
                None => {
                    self.hits += 1;
                    if self.victim.across_splits {
                        change_topology(&self.container, self.hits);
                    }
                }
                Some(code) => return Err(format!("exit {code}: {}", ended.stderr)),
            }
        }
        Err(format!("not done after {PATIENCE} attempts"))
    }
}

/// A resume if there is something to resume, otherwise an export. A kill before the first commit
/// leaves nothing but the lock.
fn next_command(gateway: &Gateway, out: &Path, arguments: &[&str]) -> Command {
    if state_directory(out).join("state.json").exists() {
        resume(gateway, out)
    } else {
        let mut command = export(gateway, out);
        command.args(arguments);
        command
    }
}

/// Some kills find the topology changed, some do not; it stays within bounds.
fn change_topology(container: &Container, hits: usize) {
    let partitions = container.partitions();
    match hits % 6 {
        1 | 2 => {
            let largest = &partitions[hits % partitions.len()];
            container.split(&largest.id, 2 + hits % 2);
        }
        4 => {
            let at = hits % (partitions.len() - 1);
            container.merge(&partitions[at].id, &partitions[at + 1].id);
        }
        5 if partitions.len() > 2 => {
            container.merge(&partitions[0].id, &partitions[1].id);
        }
        _ => {}
    }
}

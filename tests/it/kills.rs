//! Exports that are killed at random moments, resumes among them, until they are done.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::command::{export, resume, signal, spawn, wait};
use crate::gateway::{Container, Gateway};
use crate::oracle::judge;
use crate::orders::filled;

/// An export to be killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Victim {
    pub(crate) documents: usize,
    pub(crate) arguments: &'static [&'static str],
    /// Whether partitions are split and merged meanwhile.
    pub(crate) across_splits: bool,
}

impl Victim {
    pub(crate) const fn new(documents: usize, arguments: &'static [&'static str]) -> Self {
        Self {
            documents,
            arguments,
            across_splits: false,
        }
    }

    pub(crate) const fn across_splits(self) -> Self {
        Self {
            across_splits: true,
            ..self
        }
    }

    /// Kills exports until `kills` have hit a running process; each export goes on until it is done.
    ///
    /// # Errors
    ///
    /// Says what is wrong, and in what round.
    pub(crate) fn kill(self, kills: usize, seed: u64) -> Result<(), String> {
        let (gateway, container) = filled(if self.across_splits { 2 } else { 8 }, self.documents);
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
    /// How long one whole export takes: within that time a kill can hit it.
    whole: Duration,
}

impl Killer {
    /// One export, until it is done.
    fn round(&mut self, out: &Path) -> Result<(), String> {
        for attempt in 0.. {
            let mut command = next_command(&self.gateway, out, self.victim.arguments);
            let began = Instant::now();
            let child = spawn(command.args(["--page-size", "20", "--checkpoint-interval", "5ms"]));
            // The first attempts are cut short; later ones may run to the end.
            if attempt < 6 {
                let sleep_until = began + self.whole.mul_f64(self.random.f64());
                // A kill at a random moment needs one: time itself is what is tested here.
                std::thread::sleep(sleep_until.saturating_duration_since(Instant::now()));
                signal(&child, Signal::SIGKILL);
            }
            let ended = wait(child);
            match ended.code {
                Some(0) => {
                    self.whole = (self.whole + began.elapsed()) / 2;
                    break;
                }
                None => {
                    self.hits += 1;
                    if self.victim.across_splits {
                        change_topology(&self.container, self.hits);
                    }
                }
                Some(code) => return Err(format!("exit {code}: {}", ended.stderr)),
            }
        }
        judge(&self.gateway, &self.container, out)
    }
}

/// A resume if there is something to resume, otherwise an export. A kill before the first commit
/// leaves nothing but the lock.
fn next_command(gateway: &Gateway, out: &Path, arguments: &[&str]) -> Command {
    if out.join("state.json").exists() {
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

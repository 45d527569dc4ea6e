//! Plans: made once, read by processes that do not know of each other, and checked as a whole.

mod bad_input;
mod exact;
mod jobs;
#[cfg(unix)]
mod killed;
mod large;
mod replayed;
mod shares;
#[cfg(all(unix, feature = "object-stores"))]
mod stored;
mod streams;
mod whole;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Ended, against, cosmos_tail, run, succeed};
use crate::gateway::Gateway;

/// A directory with a plan and what its shards write.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn plan(&self) -> PathBuf {
        self.directory.path().join("plan.json")
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.directory.path().join("orders")
    }

    /// A file or directory beside them.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The directory of what is not data.
    pub(crate) fn own(&self) -> PathBuf {
        self.path("_orders.cosmos-tail")
    }

    /// The state of a shard.
    pub(crate) fn state(&self, shard: usize) -> PathBuf {
        self.own().join(format!("shard-{shard:05}/state.json"))
    }

    /// Makes the plan.
    pub(crate) fn make(&self, gateway: &Gateway, arguments: &[&str]) -> Ended {
        succeed(&mut plan(gateway, &self.plan(), arguments))
    }

    /// The command of a shard.
    pub(crate) fn shard(&self, gateway: &Gateway, shard: &str) -> Command {
        let mut command = against(gateway);
        // The plan says which container.
        command
            .env_remove("AZURE_COSMOS_DATABASE")
            .env_remove("AZURE_COSMOS_CONTAINER");
        command.arg("export").arg("--plan").arg(self.plan());
        command.args(["--shard", shard, "-o"]).arg(self.out());
        command
    }

    /// Runs all shards, one after the other.
    pub(crate) fn read(&self, gateway: &Gateway, shards: usize) {
        for shard in 0..shards {
            succeed(&mut self.shard(gateway, &format!("{shard}/{shards}")));
        }
    }

    pub(crate) fn verify(&self, arguments: &[&str]) -> Ended {
        verify(&self.plan(), &self.out(), arguments)
    }
}

pub(crate) fn plan(gateway: &Gateway, path: &Path, arguments: &[&str]) -> Command {
    let mut command = against(gateway);
    command.arg("plan").arg("-o").arg(path).args(arguments);
    command
}

pub(crate) fn verify(plan: &Path, place: &Path, arguments: &[&str]) -> Ended {
    let mut command = cosmos_tail();
    command.arg("verify").arg(plan).arg(place).args(arguments);
    run(&mut command)
}

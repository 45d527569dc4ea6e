//! An export to a store where things go wrong: runs of it, until it is done, and what the oracle says of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::command::{Ended, against, cosmos_tail, run, spawn, wait};
use crate::gateway::{Container, Gateway};
use crate::oracle::{judge_objects, judge_with_state};
use crate::orders::filled;
use crate::store::{Call, Store, Trouble};

/// Where it is.
const ADDRESS: &str = "az://lake/exports/orders/";
/// The same, within the container.
const PREFIX: &str = "exports/orders/";

/// Runs after which an export that is not done is stuck.
const PATIENCE: usize = 6;

/// The address of a state that is not where the objects are, and its name in the container.
const STATE: (&str, &str) = (
    "az://lake/states/orders/state.json",
    "states/orders/state.json",
);

/// Where the output is, and where its state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sides {
    /// Objects, with the state among them.
    Together,
    /// Objects, with a state on the disk.
    StateOnDisk,
    /// Objects, with a state elsewhere in the store.
    StateElsewhere,
    /// A directory, with a state in the store.
    OutputOnDisk,
}

impl Sides {
    pub(crate) const APART: [Self; 3] =
        [Self::StateOnDisk, Self::StateElsewhere, Self::OutputOnDisk];
}

pub(crate) struct StoreScene {
    pub(crate) gateway: Gateway,
    pub(crate) container: Container,
    pub(crate) store: Store,
    pub(crate) arguments: Vec<String>,
    /// A defect that every run has.
    pub(crate) plant: String,
    pub(crate) sides: Sides,
    /// Whether it is a tail, which is continued by the same command.
    pub(crate) is_tail: bool,
    pub(crate) disk: TempDir,
}

impl StoreScene {
    /// So many partitions and documents, in pages of 20, with a commit for each page and objects of a few pages.
    pub(crate) fn new(partitions: usize, documents: usize) -> Self {
        let arguments = ["--page-size", "20", "--rotate-bytes", "4KiB"];
        Self::with(partitions, documents, &arguments)
    }

    pub(crate) fn with(partitions: usize, documents: usize, arguments: &[&str]) -> Self {
        let (gateway, container) = filled(partitions, documents);
        Self {
            gateway,
            container,
            store: Store::start(),
            arguments: arguments.iter().map(|&one| one.to_owned()).collect(),
            plant: String::new(),
            sides: Sides::Together,
            is_tail: false,
            disk: tempfile::tempdir().unwrap(),
        }
    }

    /// The same with output and state there.
    pub(crate) fn on(self, sides: Sides) -> Self {
        let scene = Self { sides, ..self };
        if sides == Sides::StateOnDisk {
            scene.store.watch_state_file(scene.state_file());
        }
        scene
    }

    /// The state on the disk.
    pub(crate) fn state_file(&self) -> PathBuf {
        self.disk.path().join("state.json")
    }

    /// The output on the disk.
    pub(crate) fn output(&self) -> PathBuf {
        self.disk.path().join("orders")
    }

    /// What names the export to `resume` and `verify`.
    fn named(&self) -> String {
        match self.sides {
            Sides::Together => ADDRESS.to_owned(),
            Sides::StateOnDisk => self.state_file().display().to_string(),
            Sides::StateElsewhere | Sides::OutputOnDisk => STATE.0.to_owned(),
        }
    }

    /// The state, if it is not where the objects are.
    fn state_elsewhere(&self) -> Option<Vec<u8>> {
        match self.sides {
            Sides::Together => None,
            Sides::StateOnDisk => std::fs::read(self.state_file()).ok(),
            Sides::StateElsewhere | Sides::OutputOnDisk => self.store.objects().remove(STATE.1),
        }
    }

    pub(crate) fn reach<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("AZURE_STORAGE_USE_EMULATOR", "true")
            .env("AZURITE_BLOB_STORAGE_URL", self.store.url())
            .env("COSMOS_TAIL_FAILPOINTS", &self.plant)
            .env("COSMOS_TAIL_IMPATIENT", "1")
    }

    pub(crate) fn address() -> &'static str {
        ADDRESS
    }

    /// The full name of an object of the export within the store.
    pub(crate) fn name(own: &str) -> String {
        format!("{PREFIX}{own}")
    }

    /// The objects of the export, by their names below its address.
    pub(crate) fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let all = self.store.objects().into_iter();
        all.filter_map(|(name, bytes)| Some((name.strip_prefix(PREFIX)?.to_owned(), bytes)))
            .collect()
    }

    /// The text of the state.
    pub(crate) fn state(&self) -> Vec<u8> {
        let own = || self.objects().remove("_cosmos-tail/state.json");
        self.state_elsewhere()
            .or_else(own)
            .expect("there is a state")
    }

    pub(crate) fn has_state(&self) -> bool {
        match self.sides {
            Sides::Together => self.objects().contains_key("_cosmos-tail/state.json"),
            _ => self.state_elsewhere().is_some(),
        }
    }

    /// A resume if there is something to resume, otherwise an export. A commit after each page, and one range at a
    /// time, so that the calls of a run are the same each time.
    pub(crate) fn next_command(&self) -> Command {
        let mut command = against(&self.gateway);
        self.reach(&mut command);
        if self.has_state() && !self.is_tail {
            command.args(["resume", &self.named()]);
        } else {
            let output = match self.sides {
                // A slash at its end: a file would grow.
                Sides::OutputOnDisk => self.output().join(""),
                _ => ADDRESS.into(),
            };
            command.arg(if self.is_tail { "tail" } else { "export" });
            command.arg("-o").arg(output);
            if self.is_tail {
                command.args(["--until-caught-up", "--page-size", "20"]);
                command.args(["--rotate-bytes", "4KiB"]);
                if !self.has_state() {
                    command.args(["--from", "beginning"]);
                }
            } else {
                command.args(&self.arguments);
            }
            if self.sides != Sides::Together {
                command.args(["--state", &self.named()]);
            }
        }
        if !self.is_tail {
            command.args(["--checkpoint-bytes", "1"]);
        }
        command
            .args(["--concurrency", "1", "--checkpoint-interval", "1h"])
            .env("COSMOS_TAIL_LOCKSTEP", "1");
        command
    }

    /// Runs it once, with what the store was told to let go wrong.
    pub(crate) fn go_on(&self) -> Ended {
        let child = self.begin();
        wait(child)
    }

    pub(crate) fn begin(&self) -> Child {
        let child = spawn(&mut self.next_command());
        self.store.set_victim(&child);
        child
    }

    /// Runs it once, and lets things go wrong.
    pub(crate) fn go_on_with(
        &self,
        script: impl FnMut(usize, &Call) -> Option<Trouble> + Send + 'static,
    ) -> Ended {
        self.store.script(script);
        let ended = self.go_on();
        self.store.clear();
        ended
    }

    /// Resumes until it is done.
    ///
    /// # Errors
    ///
    /// If a run ends in another way than it may, or the export does not finish, or the oracle finds something.
    pub(crate) fn finish(&self) -> Result<(), String> {
        self.store.clear();
        for _ in 0..PATIENCE {
            let ended = self.go_on();
            match ended.code {
                Some(0) => return self.judge(),
                None | Some(3) => {}
                Some(code) => return Err(format!("exit {code}: {}", ended.stderr)),
            }
        }
        Err(format!("not done after {PATIENCE} runs"))
    }

    /// What the oracle says of a finished export.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub(crate) fn judge(&self) -> Result<(), String> {
        let violations = self.store.violations();
        if !violations.is_empty() {
            return Err(format!("no correct export does this: {violations:?}"));
        }
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let state = self.state_elsewhere();
        match &state {
            Some(state) if self.sides == Sides::OutputOnDisk => {
                judge_with_state(&self.gateway, &self.container, &self.output(), state)?;
            }
            _ => judge_objects(
                &self.gateway,
                &self.container,
                &self.objects(),
                directory.path(),
                state.as_deref(),
            )?,
        }
        let verified = self.verify();
        if verified.code != Some(0) {
            return Err(format!("verify: {}{}", verified.stdout, verified.stderr));
        }
        Ok(())
    }

    pub(crate) fn verify(&self) -> Ended {
        run(self
            .reach(&mut cosmos_tail())
            .args(["verify", "--strict", &self.named()]))
    }
}

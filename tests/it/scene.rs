//! An export that is about to go wrong: on its gateway, with the failpoints of each of its runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use cosmos_tail::failpoint::STEPS;

use crate::command::{Ended, export, resume, run, state_directory};
use crate::gateway::{Action, Container, Fault, Gateway, RequestKind, RequestRecord};
use crate::oracle::judge;
use crate::orders::filled;

/// The formats, each as the arguments of its export.
pub(crate) const FORMATS: [&[&str]; 4] = [
    &["--format", "jsonl"],
    &["--format", "jsonl", "--compression", "zstd"],
    &["--format", "csv", "--compression", "gzip"],
    &["--format", "parquet"],
];

/// Resumes after which an export that is not done is stuck.
const PATIENCE: usize = 12;

/// An export that is about to go wrong.
pub(crate) struct Scene {
    pub(crate) gateway: Gateway,
    pub(crate) container: Container,
    pub(crate) out: PathBuf,
    pub(crate) arguments: Vec<String>,
    _directory: tempfile::TempDir,
}

impl Scene {
    /// Two partitions, one of which is split in two while it is read, in pages of 20 documents, with a commit
    /// every millisecond.
    pub(crate) fn new(format: &[&str]) -> Self {
        let scene = Self::without_splits(2, format);
        let handle = scene.container.clone();
        let split = Action::call(move || {
            // A killed run comes here again.
            if handle
                .partitions()
                .iter()
                .any(|partition| partition.id == "0")
            {
                handle.split("0", 2);
            }
        });
        let is_read = |record: &RequestRecord| record.token.as_deref() != Some("*");
        scene.gateway.push_fault(
            Fault::on(RequestKind::ChangeFeed, split)
                .partition("0")
                .nth(5)
                .when(is_read),
        );
        scene
    }

    /// So many partitions that stay as they are.
    pub(crate) fn without_splits(partitions: usize, format: &[&str]) -> Self {
        let (gateway, container) = filled(partitions, 360);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let common = ["--page-size", "20"];
        let arguments = common.iter().chain(format);
        Self {
            gateway,
            container,
            out,
            arguments: arguments.map(|&argument| argument.to_owned()).collect(),
            _directory: directory,
        }
    }

    /// The same, in files of a few pages.
    pub(crate) fn rotating(format: &[&str]) -> Self {
        let mut scene = Self::new(format);
        let rotate = ["--rotate-bytes", "2KiB"].map(str::to_owned);
        scene.arguments.extend(rotate);
        scene
    }

    /// Exports, or resumes an existing export, with these failpoints.
    pub(crate) fn go_on(&self, failpoints: &str) -> Ended {
        run(&mut self.next_command(failpoints))
    }

    /// The same, and appends to `trace` each change of a file.
    pub(crate) fn go_on_traced(&self, failpoints: &str, trace: &Path) -> Ended {
        run(self
            .next_command(failpoints)
            .env("COSMOS_TAIL_DISK_TRACE", trace))
    }

    fn next_command(&self, failpoints: &str) -> Command {
        let mut command = if has_state(&self.out) {
            resume(&self.gateway, &self.out)
        } else {
            let mut command = export(&self.gateway, &self.out);
            command.args(&self.arguments);
            command
        };
        if failpoints.contains("*off->") {
            // A counted step has to happen, so each page is a commit: an export of a few milliseconds has few commits by
            // time.
            command.args(["--checkpoint-interval", "1h", "--checkpoint-bytes", "1"]);
            command.env("COSMOS_TAIL_LOCKSTEP", "1");
        } else {
            command.args(["--checkpoint-interval", "1ms"]);
        }
        command.env("COSMOS_TAIL_FAILPOINTS", failpoints);
        command
    }

    /// Resumes until the export is done.
    ///
    /// # Errors
    ///
    /// If a run ends in another way than it may, or the export does not finish.
    pub(crate) fn finish(&self) -> Result<(), String> {
        self.finish_with("")
    }

    /// The same, with failpoints in every run.
    pub(crate) fn finish_with(&self, failpoints: &str) -> Result<(), String> {
        for _ in 0..PATIENCE {
            let ended = self.go_on(failpoints);
            match ended.code {
                Some(0) => return judge(&self.gateway, &self.container, &self.out),
                None | Some(3) => {}
                Some(code) => return Err(format!("exit {code}: {}", ended.stderr)),
            }
        }
        Err(format!("not done after {PATIENCE} runs"))
    }
}

/// Steps that only a second run takes, and what has to happen before.
const RESUMES: [(&str, &str); 6] = [
    ("definition.delete", "definition.write=return(kill)"),
    ("resume.delete", "state.create=1*off->return(kill)"),
    ("resume.cut", "state.create=3*off->return(kill)"),
    ("resume.sync", "state.create=3*off->return(kill)"),
    ("part.open", "state.create=3*off->return(kill)"),
    ("manifest.cut", "manifest.sync=return(kill)"),
];

/// A scene in which `step` is next.
pub(crate) fn before(step: &str, format: &[&str]) -> Scene {
    let Some((_, prelude)) = RESUMES.iter().find(|(name, _)| *name == step) else {
        return Scene::rotating(format);
    };
    let scene = Scene::new(format);
    let ended = scene.go_on(prelude);
    assert_eq!(ended.code, None, "{step}, {format:?}: {}", ended.stderr);
    scene
}

/// The steps of an export in this format: Parquet has no commit inside a file.
pub(crate) fn steps(format: &[&str]) -> impl Iterator<Item = &'static str> {
    let is_parquet = format.contains(&"parquet");
    let inside = ["resume.cut", "resume.sync", "part.open"];
    STEPS
        .into_iter()
        .filter(move |step| !(is_parquet && inside.contains(step)))
}

/// A seed for this run, printed with a failure; the environment can set it to repeat the run.
pub(crate) fn seed() -> u64 {
    match std::env::var("COSMOS_TAIL_TEST_SEED") {
        Ok(seed) => seed.parse().expect("COSMOS_TAIL_TEST_SEED is a number"),
        Err(_) => fastrand::u64(..),
    }
}

/// Panics with what names the run that failed, and keeps its files.
#[track_caller]
pub(crate) fn expect(outcome: Result<(), String>, name: &str) {
    if let Err(wrong) = outcome {
        panic!("{name}: {wrong}");
    }
}

/// Whether the state of an export is there.
pub(crate) fn has_state(out: &Path) -> bool {
    state_directory(out).join("state.json").exists()
}

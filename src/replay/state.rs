//! The state of a replay: how far the source has been applied to which target.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::address::{describe, same_container};
use super::feed_state::FeedState;
use super::origin::Origin;
use super::position::InputPosition;
use crate::cli::{TtlDeletes, WriteMode};
use crate::durable::{self, Lock, lock_path};
use crate::error::{Annotate, ExitCode, usage};
use crate::feed::ContainerAddress;
use crate::render::Filter;
use crate::settings::ReplayPlan;
use crate::source::Fingerprint;
use crate::state::file::{Form, read_text};

const FORM: Form = Form {
    name: "cosmos-tail replay state",
    // In the second, ranges of a feed hold what was known of their ends.
    version: 2,
    anew: "replay from the beginning with another --state",
};

/// What is kept in the state file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayState {
    /// Counts the commits, from 1.
    pub(super) generation: u64,
    /// When the replay began, in seconds since 1970.
    pub(super) began: i64,
    /// The container that is written to.
    pub(super) target: ContainerAddress,
    pub(super) write_mode: WriteMode,
    pub(super) ttl_deletes: TtlDeletes,
    /// The program that documents go through, as text.
    pub(super) transform: Option<String>,
    /// The inputs that were begun, in their order.
    pub(super) inputs: Vec<Fingerprint>,
    /// Everything before is applied.
    pub(super) position: InputPosition,
    /// Where the feed stands that is the source, if it is one.
    pub(super) feed: Option<FeedState>,
    /// How much of the dead letters is committed, in bytes, if there are any.
    pub(super) dead_letters: Option<u64>,
    /// How many changes were applied or refused, by all runs.
    pub(super) changes: u64,
}

/// The state file, locked.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    lock: Lock,
}

impl StateFile {
    /// Locks the state file `path`, and reads it if it is there.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<ReplayState>)> {
        let read = || -> Result<Option<ReplayState>> {
            if !durable::is_plain_file(path).exit_code(ExitCode::Usage)? {
                return Ok(None);
            }
            let state = read_text(path).and_then(|text| FORM.parse(&text));
            let state = state.with_context(|| format!("cannot go on from `{}`", path.display()))?;
            Ok(Some(state))
        };
        // Before the lock, which would leave a file beside what is no state.
        read()?;
        durable::create_directory(durable::parent_of(path))?;
        let lock = Lock::acquire(&lock_path(path))?;
        durable::left_staged(path).exit_code(ExitCode::Usage)?;
        let state = read()?;
        let file = Self {
            path: path.to_owned(),
            lock,
        };
        Ok((file, state))
    }

    /// Makes `state` the one to go on from.
    pub(super) fn commit(&self, state: &ReplayState) -> Result<()> {
        self.lock.check()?;
        durable::replace(&self.path, &FORM.render(state)?)
            .with_context(|| format!("cannot write the state `{}`", self.path.display()))
    }
}

impl ReplayState {
    /// Whether a replay with these choices goes on with this one.
    ///
    /// # Errors
    ///
    /// If it is of another target or another source, or would be applied in another way. Both sides
    /// are named.
    pub(super) fn check(
        &self,
        target: &ContainerAddress,
        plan: &ReplayPlan,
        origin: &Origin,
    ) -> Result<()> {
        const ANEW: &str = "go on as it was begun, or begin anew with another --state";
        if !same_container(&self.target, target) {
            return Err(usage(
                format!(
                    "the state is of a replay into {}, not into {}",
                    describe(&self.target),
                    describe(target)
                ),
                ANEW,
            ));
        }
        if (self.write_mode, self.ttl_deletes) != (plan.write_mode, plan.ttl_deletes) {
            return Err(usage(
                "the state is of a replay with another --write-mode or --ttl-deletes",
                ANEW,
            ));
        }
        let program = plan.transform.as_ref().map(Filter::text);
        if self.transform.as_deref() != program {
            let told = |program: Option<&str>| match program {
                Some(program) => format!("--transform {program:?}"),
                None => "no --transform".to_owned(),
            };
            return Err(usage(
                format!(
                    "the state is of a replay with {}, not with {}",
                    told(self.transform.as_deref()),
                    told(program)
                ),
                ANEW,
            ));
        }
        match (origin, &self.feed) {
            (Origin::Files(files), None) => files.check(&self.inputs, ANEW),
            (Origin::Container { connected, plan }, Some(feed)) => {
                feed.check(&connected.source, plan, ANEW)
            }
            (_, feed) => {
                let told = |of_container| match of_container {
                    true => "another container",
                    false => "files",
                };
                Err(usage(
                    format!(
                        "the state is of a replay of {}, not of {}",
                        told(feed.is_some()),
                        told(feed.is_none())
                    ),
                    ANEW,
                ))
            }
        }
    }
}

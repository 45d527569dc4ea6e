//! The share of a plan that a replay reads, resolved and validated.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::environment::process_environment;
use super::given::Given;
use super::shard::share_of;
use super::table;
use crate::destination::{Home, STATE_FILE, Shards, real, shard_directory, state_directory_of};
use crate::durable::shown_path;
use crate::error::usage;
use crate::feed::ReadUntil;
use crate::state::model::ShardOfPlan;
use crate::state::plan_file::PlanFile;
use crate::state::plan_place;

/// The share of a plan that a replay reads.
#[derive(Debug)]
pub struct ReplayedShare {
    /// The plan.
    pub file: PlanFile,
    /// The share of it.
    pub shard: ShardOfPlan,
    /// The directory with the states of all shares; a dry run has none.
    pub states: Option<PathBuf>,
}

impl ReplayedShare {
    /// Resolves what was given; none if no plan was.
    ///
    /// # Errors
    ///
    /// If the plan cannot be used, or the states would be where something else is.
    pub(super) fn new(given: &Given) -> Result<Option<Self>> {
        let Some(named) = given.typed(&table::REPLAY_PLAN) else {
            return Ok(None);
        };
        let file = plan_place::read(&named)?;
        if file.query().is_some() {
            return Err(usage(
                "the plan is of a query, and a replay reads the feed",
                "plan without --query, and choose documents by --transform; or export the query, and replay that",
            ));
        }
        let shard = share_of(
            &file,
            given.get(&table::REPLAY_SHARD)?,
            &process_environment,
        )?;
        let states = match given.typed(&table::POSITION) {
            Some(typed) => Some(states_in(&typed, shard)?),
            None if given.is_on(&table::DRY_RUN) => None,
            None => {
                return Err(usage(
                    "a share of a plan keeps its position",
                    "name a directory for the positions of all shares: --state DIR/",
                ));
            }
        };
        Ok(Some(Self {
            file,
            shard,
            states,
        }))
    }

    /// Its own state.
    pub fn state_path(&self) -> Option<PathBuf> {
        let states = self.states.as_ref()?;
        Some(
            states
                .join(shard_directory(self.shard.index))
                .join(STATE_FILE),
        )
    }

    /// The file of this share alone, where all are given this name.
    pub(super) fn own(&self, path: &Path) -> PathBuf {
        let shard = format!("-shard{:05}", self.shard.index);
        let mut name = path.file_stem().unwrap_or_default().to_owned();
        name.push(shard);
        if let Some(extension) = path.extension() {
            name.push(".");
            name.push(extension);
        }
        path.with_file_name(name)
    }

    /// What all shares have in common that are replayed into the container with this RID; none without states.
    pub fn shards(&self, target: &str) -> Option<Shards> {
        Some(Shards {
            plan: self.shard.plan,
            count: self.shard.count,
            target: Some(target.to_owned()),
            home: Home::Directory(self.states.clone()?),
        })
    }

    /// How far each range is read.
    pub fn until(&self) -> ReadUntil {
        self.file.until.unwrap_or(self.file.options.read_until())
    }
}

/// The directory for the states of all shares, at this path.
fn states_in(path: &Path, shard: ShardOfPlan) -> Result<PathBuf> {
    if path.is_file() {
        return Err(usage(
            format!(
                "`{}` is a file, and the shares of a plan have a state each",
                shown_path(path)
            ),
            "name a directory for the states of all shares: --state DIR/",
        ));
    }
    let directory =
        std::path::absolute(path).context("cannot make the path of the states absolute")?;
    let directory = real(&directory);
    match Shards::of(&directory)? {
        // Those of an export can be beside the directory of its files, where nothing else may be.
        Some(found)
            if found.target.is_none() || found.home != Home::Directory(directory.clone()) =>
        {
            Err(usage(
                format!(
                    "`{}` is written by the shards of an export",
                    shown_path(path)
                ),
                "name another directory for the states of the shares of this replay",
            ))
        }
        Some(found) => {
            let own = Shards {
                plan: shard.plan,
                count: shard.count,
                ..found.clone()
            };
            own.ensure_same(&found)?;
            Ok(directory)
        }
        None if state_directory_of(&directory)?.is_some() => Err(usage(
            format!("`{}` is written by an export", shown_path(path)),
            "name another directory for the states of the shares of this replay",
        )),
        None => Ok(directory),
    }
}

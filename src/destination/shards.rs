//! The shards of a plan in one place: what they have in common, and where each keeps its own.
//!
//! All shards write their finished files into one table, under names that have the number of the shard. Each has its own
//! directory for the rest, below the state directory of the table, and never looks into that of another one. The first
//! to start creates a file there that says which plan the place is for and how many shards it has; the others compare.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::output::Output;
use super::table::{STATE_FILE, StateDirectory, Table, ensure_own, places, real, shard_directory};
use crate::cli::shards::MAX_SHARDS;
use crate::durable::{self, shown_path};
use crate::error::{usage, with_hint};

/// The file that says what a place is for.
pub const SHARDS_FILE: &str = "shards.json";
/// The file that marks a place as complete.
pub const COMPLETE_FILE: &str = "summary.json";

const FORMAT: &str = "cosmos-tail shards";
/// The format that this build writes, and the newest that it reads.
const VERSION: u32 = 1;
/// The longest file that is read: a few words.
const MAX_BYTES: u64 = 64 << 10;

/// What the shards of a place have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    format: String,
    version: u32,
    plan: uuid::Uuid,
    shards: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

/// A place that the shards of a plan write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shards {
    /// The plan.
    pub plan: uuid::Uuid,
    /// How many shards it is dealt to.
    pub count: u32,
    /// The RID of the container that they are replayed into, if they are: then the place has their positions, and no files.
    pub target: Option<String>,
    /// The directory that has a directory for each of them.
    pub own: PathBuf,
}

impl Shards {
    /// The shards that write to the table `directory`, which may be named by its state directory too; none if it is not
    /// the place of a plan.
    ///
    /// # Errors
    ///
    /// If what is there cannot be read.
    pub fn of(directory: &Path) -> Result<Option<Self>> {
        let directory = real(directory);
        for own in places(&directory) {
            if !durable::is_there(&own.join(SHARDS_FILE)) {
                continue;
            }
            ensure_own(&own)?;
            return Self::read(&own);
        }
        Ok(None)
    }

    /// The shards that have this directory for what is not data; none if it is not that of a plan.
    ///
    /// # Errors
    ///
    /// If what is there cannot be read.
    pub fn read(own: &Path) -> Result<Option<Self>> {
        let path = own.join(SHARDS_FILE);
        if !durable::is_plain_file(&path)? {
            return Ok(None);
        }
        let mut text = Vec::new();
        durable::open_plain_quietly(&path, fs::OpenOptions::new().read(true))?
            .take(MAX_BYTES)
            .read_to_end(&mut text)?;
        let parse = || -> Result<Self> {
            #[derive(Deserialize)]
            struct Version {
                format: String,
                version: u32,
            }
            let version: Version = serde_json::from_slice(&text)?;
            ensure!(version.format == FORMAT, "it is not marked as {FORMAT}");
            ensure!(
                version.version <= VERSION,
                "its format {} is newer than this build supports ({VERSION})",
                version.version
            );
            let text: Text = serde_json::from_slice(&text)?;
            ensure!(
                (1..=MAX_SHARDS).contains(&text.shards),
                "it has {} shards, and a plan has 1 to {MAX_SHARDS}",
                text.shards
            );
            Ok(Self {
                plan: text.plan,
                count: text.shards,
                target: text.target,
                own: own.to_owned(),
            })
        };
        parse().map(Some).map_err(|error| {
            with_hint(
                error.context(format!("`{}` cannot be used", shown_path(&path))),
                "it says which plan the files beside it are of: restore it, or use another output",
            )
        })
    }

    /// Marks a place as that of these shards, unless it is marked already.
    ///
    /// # Errors
    ///
    /// If it is marked as that of others, or any error of the system.
    pub fn mark(&self) -> Result<()> {
        durable::create_directory(&self.own)?;
        let path = self.own.join(SHARDS_FILE);
        let mut text = serde_json::to_vec(&Text {
            format: FORMAT.to_owned(),
            version: VERSION,
            plan: self.plan,
            shards: self.count,
            target: self.target.clone(),
        })?;
        text.push(b'\n');
        let created = durable::create_whole(&path, &text);
        let is_another = created
            .as_ref()
            .is_err_and(|error| error.kind() == std::io::ErrorKind::AlreadyExists);
        if !is_another {
            return created.with_context(|| format!("cannot write `{}`", shown_path(&path)));
        }
        let found = Self::read(&self.own)?;
        let found = found.with_context(|| format!("`{}` is gone", shown_path(&path)))?;
        self.ensure_same(&found)
    }

    /// Checks that a place that was found is the one of these shards.
    ///
    /// # Errors
    ///
    /// If it is of another plan, or dealt to another number of shards.
    pub fn ensure_same(&self, found: &Self) -> Result<()> {
        let place = shown_path(&found.own);
        if found.plan != self.plan {
            return Err(usage(
                format!(
                    "`{place}` is of the plan {}, not of the plan {}",
                    found.plan, self.plan
                ),
                "each plan has an output of its own: choose another one, or the plan that this one was begun with",
            ));
        }
        if found.count != self.count {
            return Err(usage(
                format!(
                    "the shards in `{place}` are {}, not {}",
                    found.count, self.count
                ),
                format!(
                    "all shards of a place have the same number after the slash: --shard I/{}",
                    found.count
                ),
            ));
        }
        if found.target != self.target {
            let is = |target: &Option<String>| match target {
                Some(rid) => format!("the positions of a replay into the container of RID {rid}"),
                None => "the states of an export".to_owned(),
            };
            return Err(usage(
                format!(
                    "`{place}` has {}, not {}",
                    is(&found.target),
                    is(&self.target)
                ),
                "an export has one directory, and a replay of the same plan has another one",
            ));
        }
        Ok(())
    }

    /// Refuses the positions of a replay, where the files of an export are needed.
    ///
    /// # Errors
    ///
    /// If that is what the place has.
    pub fn ensure_has_files(&self) -> Result<()> {
        if self.target.is_none() {
            return Ok(());
        }
        Err(usage(
            format!(
                "`{}` has the positions of a replay of a plan, and no files",
                shown_path(&self.own)
            ),
            "name the directory that `export --plan … -o DIR` wrote to",
        ))
    }

    /// The directory of a shard.
    pub fn directory_of(&self, shard: u32) -> PathBuf {
        self.own.join(shard_directory(shard))
    }

    /// The directory of the data, by the one of a shard.
    ///
    /// # Errors
    ///
    /// If the state directory has another name than that of its table.
    pub fn table(&self) -> Result<PathBuf> {
        let at = |state_directory| {
            let table = Table {
                directory: None,
                state_directory,
                shard: None,
            };
            Output::Table(table).path(&self.own)
        };
        at(StateDirectory::Beside)
            .or_else(|| at(StateDirectory::Inside))
            .ok_or_else(|| {
                with_hint(
                    anyhow!(
                        "`{}` is not a name of a state directory, so its table is not known",
                        shown_path(&self.own)
                    ),
                    "rename it: the state directory of `nightly` is `_nightly.cosmos-tail`, beside it",
                )
            })
    }

    /// The error of a command that works on one export.
    pub fn are_many(&self, named: &Path) -> anyhow::Error {
        if self.target.is_some() {
            return usage(
                format!(
                    "`{}` has the positions of a replay by {} shards of a plan",
                    shown_path(named),
                    self.count
                ),
                format!(
                    "`replay --plan PLAN --shard I/{} --state DIR` continues a shard; a command that takes one state can be \
                     given the `{STATE_FILE}` of a shard in there",
                    self.count
                ),
            );
        }
        usage(
            format!(
                "`{}` is written by {} shards of a plan, each with a state of its own",
                shown_path(named),
                self.count
            ),
            format!(
                "`export --plan PLAN --shard I/{} -o DIR` continues a shard, `verify PLAN DIR` checks all of them, and \
                 `plan --after DIR` plans what came since",
                self.count
            ),
        )
    }
}

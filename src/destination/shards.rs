//! The shards of a plan in one place: what they have in common, and where each keeps its own.
//!
//! All shards write their finished files into one table, under names that have the number of the shard. Each has its own
//! directory for the rest, below the state directory of the table, and never looks into that of another one. The first
//! to start creates a file there that says which plan the place is for and how many shards it has; the others compare. In
//! an object store it is the same with objects.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::output::Output;
use super::table::{
    SHARD, STATE_FILE, StateDirectory, Table, ensure_own, own_object, places, real,
    shard_directories,
};
use crate::cli::shards::MAX_SHARDS;
use crate::durable::{self, shown_path};
use crate::error::{usage, with_hint};
use crate::objects::{self, Address, Created};

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
    /// Where they keep what is not data.
    pub home: Home,
}

/// Where the shards of a plan keep what is not data: each has a place of its own in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    /// The state directory of their table.
    Directory(PathBuf),
    /// Below the address of their objects.
    Objects(Address),
}

impl Home {
    /// The object or the file of this name in there, for people.
    pub fn display_of(&self, name: &str) -> String {
        match self {
            Self::Directory(own) => shown_path(&own.join(name)).to_string(),
            Self::Objects(address) => address.of(&own_object(address, name)),
        }
    }

    /// Whether the file or the object of this name is there.
    fn has(&self, name: &str) -> Result<bool> {
        Ok(match self {
            Self::Directory(own) => durable::is_there(&own.join(name)),
            Self::Objects(address) => objects::read(address, &own_object(address, name))?.is_some(),
        })
    }

    /// What some shard has here, if one has begun.
    fn first_shard(&self) -> Result<Option<String>> {
        let own = match self {
            Self::Directory(own) => own,
            Self::Objects(address) => {
                let listed = objects::list_in(address, &own_object(address, ""))?;
                let mut names = listed.into_iter().map(|(name, _)| name);
                let found = names.find(|name| name.starts_with(&shard_directories()));
                return Ok(found.map(|name| address.of(&name)));
            }
        };
        if !durable::is_there(own) {
            return Ok(None);
        }
        for entry in fs::read_dir(own)? {
            let path = entry?.path();
            let name = path.file_name().and_then(std::ffi::OsStr::to_str);
            let state = path.join(STATE_FILE);
            if name.is_some_and(|name| name.starts_with(SHARD)) && durable::is_there(&state) {
                return Ok(Some(shown_path(&state).to_string()));
            }
        }
        Ok(None)
    }

    /// Creates the file or the object of this name, unless it exists. Returns what is there then, if it is something else.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or what is there cannot be read.
    pub fn create(&self, name: &str, text: &[u8]) -> Result<Option<Vec<u8>>> {
        let shown = self.display_of(name);
        let own = match self {
            Self::Directory(own) => own,
            Self::Objects(address) => {
                let object = own_object(address, name);
                let created = objects::create("object.manifest", address, &object, text);
                let created = created.with_context(|| format!("cannot write `{shown}`"))?;
                return Ok(match created {
                    Created::Done => None,
                    Created::Exists(found) => Some(found),
                });
            }
        };
        durable::create_directory(own)?;
        let path = own.join(name);
        match durable::create_whole(&path, text) {
            Ok(()) => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let found = read_text(&path)?;
                Ok((found != text).then_some(found))
            }
            Err(error) => Err(error).with_context(|| format!("cannot write `{shown}`")),
        }
    }
}

impl std::fmt::Display for Home {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory(own) => shown_path(own).fmt(f),
            Self::Objects(address) => address.fmt(f),
        }
    }
}

fn read_text(path: &Path) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    durable::open_plain_quietly(path, fs::OpenOptions::new().read(true))?
        .take(MAX_BYTES)
        .read_to_end(&mut text)?;
    Ok(text)
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
        let text = read_text(&path)?;
        Self::parse(&text, Home::Directory(own.to_owned())).map(Some)
    }

    /// The shards that write to the objects below `address`; none if it is not the place of a plan.
    ///
    /// # Errors
    ///
    /// If what is there cannot be read.
    pub fn at(address: &Address) -> Result<Option<Self>> {
        let text = objects::read(address, &own_object(address, SHARDS_FILE))?;
        let home = || Home::Objects(address.clone());
        text.map(|text| Self::parse(&text, home())).transpose()
    }

    fn parse(text: &[u8], home: Home) -> Result<Self> {
        let shown = home.display_of(SHARDS_FILE);
        let parse = || -> Result<Self> {
            #[derive(Deserialize)]
            struct Version {
                format: String,
                version: u32,
            }
            let version: Version = serde_json::from_slice(text)?;
            ensure!(version.format == FORMAT, "it is not marked as {FORMAT}");
            ensure!(
                version.version <= VERSION,
                "its format {} is newer than this build supports ({VERSION})",
                version.version
            );
            let text: Text = serde_json::from_slice(text)?;
            ensure!(
                (1..=MAX_SHARDS).contains(&text.shards),
                "it has {} shards, and a plan has 1 to {MAX_SHARDS}",
                text.shards
            );
            Ok(Self {
                plan: text.plan,
                count: text.shards,
                target: text.target,
                home,
            })
        };
        parse().map_err(|error| {
            with_hint(
                error.context(format!("`{shown}` cannot be used")),
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
        let mut text = serde_json::to_vec(&Text {
            format: FORMAT.to_owned(),
            version: VERSION,
            plan: self.plan,
            shards: self.count,
            target: self.target.clone(),
        })?;
        text.push(b'\n');
        match self.home.create(SHARDS_FILE, &text)? {
            None => Ok(()),
            Some(found) => self.ensure_same(&Self::parse(&found, self.home.clone())?),
        }
    }

    /// Checks that no shard has begun in a place that is not marked: its mark has been deleted, and it can be of another
    /// plan.
    ///
    /// # Errors
    ///
    /// If one has, or any error of the system.
    pub fn ensure_none_begun(&self) -> Result<()> {
        let Some(begun) = self.home.first_shard()? else {
            return Ok(());
        };
        let mark = self.home.display_of(SHARDS_FILE);
        // Another shard may have marked it since, which is compared later.
        if self.home.has(SHARDS_FILE)? {
            return Ok(());
        }
        Err(usage(
            format!("`{mark}` is gone, but `{begun}` is there"),
            "run a shard that was begun there: it makes it again. For another plan, choose a new place, and let nothing \
             delete what is beside it",
        ))
    }

    /// Checks that a place that was found is the one of these shards.
    ///
    /// # Errors
    ///
    /// If it is of another plan, or dealt to another number of shards.
    pub fn ensure_same(&self, found: &Self) -> Result<()> {
        let place = &found.home;
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
                self.home
            ),
            "name the place that `export --plan … -o DIR` wrote to",
        ))
    }

    /// The directory of the files, by the one of what is not data.
    ///
    /// # Errors
    ///
    /// If the state directory has another name than that of its table.
    pub fn table(own: &Path) -> Result<PathBuf> {
        let at = |state_directory| {
            let table = Table {
                directory: None,
                state_directory,
                shard: None,
            };
            Output::Table(table).path(own)
        };
        at(StateDirectory::Beside)
            .or_else(|| at(StateDirectory::Inside))
            .ok_or_else(|| {
                with_hint(
                    anyhow!(
                        "`{}` is not a name of a state directory, so its table is not known",
                        shown_path(own)
                    ),
                    "rename it: the state directory of `nightly` is `_nightly.cosmos-tail`, beside it",
                )
            })
    }

    /// The error of a command that works on one export.
    pub fn are_many(&self, named: &str) -> anyhow::Error {
        if self.target.is_some() {
            return usage(
                format!(
                    "`{}` has the positions of a replay by {} shards of a plan",
                    named, self.count
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
                named, self.count
            ),
            format!(
                "`export --plan PLAN --shard I/{} -o DIR` continues a shard, `verify PLAN DIR` checks all of them, and \
                 `plan --after DIR` plans what came since",
                self.count
            ),
        )
    }
}

//! `database.json`: which containers the export of a database has, and where each of them is.
//!
//! Each container is an export by itself, with a state of its own. This file only names them, so that the rest can be
//! begun where a run has ended. It is replaced as a whole, before anything of a container that it names is written.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::file::Form;
use super::model::{FrozenOptions, JobKind, Settings, State};
use crate::clock;
use crate::cosmos::catalog::is_addressable;
use crate::destination::directories::{Directories, is_directory_name};
use crate::destination::read_up_to;
use crate::durable::{self, STAGED_SUFFIX, lock_path, shown_path, with_suffix};

/// The name of the file.
pub const DATABASE_FILE: &str = "database.json";

/// The longest name of a container, in characters.
const MAX_NAME: usize = 255;

/// The longest file that is read: some thousand containers take a megabyte.
const MAX_BYTES: u64 = 64 << 20;

const FORM: Form = Form {
    name: "cosmos-tail database",
    version: 1,
    start_over: "export the database to a new place",
};

/// The export of a database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseFile {
    /// Identifies it.
    pub export_id: uuid::Uuid,
    /// When it began, by this machine's clock; for information only.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// The endpoint of the account.
    pub endpoint: String,
    /// The database.
    pub database: String,
    /// Its resource id.
    pub database_rid: String,
    /// Which containers are exported, as patterns.
    pub selected: Vec<String>,
    /// The options of containers that are begun later; each has an output of its own.
    pub options: FrozenOptions,
    /// Their settings.
    pub settings: Settings,
    /// The containers, in the order in which they were found.
    pub containers: Vec<ContainerPlace>,
}

/// A container of the database, and where it is exported to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerPlace {
    /// Its name.
    pub name: String,
    /// Its resource id. Another one under the same name is another container.
    pub rid: String,
    /// The directory, beside this file.
    pub directory: String,
    /// When it was found that the container does not exist any more.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub gone: Option<OffsetDateTime>,
}

/// What is different about the containers since they were listed before.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Names of new ones.
    pub new: Vec<String>,
    /// Names of those that do not exist any more.
    pub gone: Vec<String>,
    /// Names that mean another container now; both are among the others too.
    pub replaced: Vec<String>,
}

impl Changes {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.gone.is_empty()
    }
}

impl DatabaseFile {
    /// Where the file is, for the export of a database to `directory`.
    pub fn at(directory: &Path) -> PathBuf {
        directory.join(DATABASE_FILE)
    }

    /// The directory of the export that `path` names: the directory itself, or the file in it. None if it is no export of
    /// a database.
    pub fn named(path: &Path) -> Option<PathBuf> {
        let is_file = path.file_name().is_some_and(|name| name == DATABASE_FILE);
        if is_file && path.is_file() {
            return (!is_data(path)).then(|| durable::parent_of(path).to_owned());
        }
        let inside = Self::at(path);
        (durable::is_there(&inside) && !is_data(&inside)).then(|| path.to_owned())
    }

    /// The file of the export in `directory`; none if there is none.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is corrupt or newer than this build, or contradicts itself.
    pub fn read(directory: &Path) -> Result<Option<Self>> {
        let path = Self::at(directory);
        let read = || -> Result<Option<Self>> {
            let Some(text) = read_up_to(&path, MAX_BYTES)? else {
                return Ok(None);
            };
            ensure!(
                (text.len() as u64) < MAX_BYTES,
                "it is longer than the list of any database"
            );
            let file: Self = FORM.parse(&text)?;
            file.check()?;
            Ok(Some(file))
        };
        read().with_context(|| format!("`{}` cannot be used", shown_path(&path)))
    }

    /// Replaces the file in `directory`, completely or not at all.
    ///
    /// # Errors
    ///
    /// Any error of the operating system, or if something else has its name.
    pub fn write(&self, directory: &Path) -> Result<()> {
        self.check()?;
        let path = Self::at(directory);
        durable::replace_as(&durable::DEFINITION, &path, &FORM.render(self)?)
            .with_context(|| format!("cannot write `{}`", shown_path(&path)))
    }

    /// Checks what comes from outside: each container has a directory of its own, and it is beside the file.
    fn check(&self) -> Result<()> {
        let mut taken = own_names();
        let mut rids = HashSet::new();
        for container in &self.containers {
            let (name, directory) = (&container.name, &container.directory);
            // Another name would be part of a request to something else.
            ensure!(
                is_addressable(name) && name.chars().count() <= MAX_NAME,
                "{name:?} is not the name of a container"
            );
            ensure!(
                !container.rid.is_empty(),
                "the container {name:?} has no RID"
            );
            ensure!(
                is_directory_name(directory),
                "{directory:?} is not the directory of a container"
            );
            ensure!(
                taken.take(directory),
                "two containers have the directory {directory:?}"
            );
            ensure!(
                rids.insert(&container.rid),
                "the container {:?} is there twice",
                container.rid
            );
        }
        Ok(())
    }

    /// Checks that `state` is the export of `container` that this export asks for, not another one in its directory.
    ///
    /// # Errors
    ///
    /// Says what differs.
    pub fn ensure_own(&self, container: &ContainerPlace, state: &State) -> Result<()> {
        let source = &state.source;
        ensure!(
            source.container_rid == container.rid,
            "it is the export of the container {:?}, but {:?} is listed",
            source.container_rid,
            container.rid
        );
        ensure!(
            source.container == container.name && source.database == self.database,
            "it is the export of `{}/{}`, but `{}/{}` is listed",
            source.database,
            source.container,
            self.database,
            container.name
        );
        let (own, wanted) = (&state.options, &self.options);
        let differs = [
            ("what it is", state.kind == JobKind::Export),
            ("its shard of a plan", state.shard.is_none()),
            ("its query", own.query == wanted.query),
            ("its mode", own.mode == wanted.mode),
            ("its snapshot", own.snapshot == wanted.snapshot),
            ("its start", own.from == wanted.from),
            ("its scope", own.scope == wanted.scope),
            ("its format", own.format == wanted.format),
            ("its compression", own.compression == wanted.compression),
        ];
        let differs = differs.iter().find(|(_, is_same)| !is_same);
        if let Some((what, _)) = differs {
            bail!("it is not what the export of the database asks for: {what} is another one");
        }
        Ok(())
    }

    /// The containers that exist, as far as known.
    pub fn present(&self) -> impl Iterator<Item = &ContainerPlace> {
        self.containers.iter().filter(|one| one.gone.is_none())
    }

    /// Takes over which containers there are now, as names and resource ids. What has a directory keeps it.
    pub fn update(&mut self, listed: &[(String, String)]) -> Changes {
        let mut changes = Changes::default();
        for known in &mut self.containers {
            let exists = listed.iter().any(|(_, rid)| *rid == known.rid);
            if exists {
                known.gone = None;
            } else if known.gone.is_none() {
                known.gone = Some(clock::now());
                changes.gone.push(known.name.clone());
            }
        }
        let mut taken = own_names();
        for known in &self.containers {
            taken.take(&known.directory);
        }
        for (name, rid) in listed {
            if self.containers.iter().any(|known| known.rid == *rid) {
                continue;
            }
            if self.containers.iter().any(|known| known.name == *name) {
                changes.replaced.push(name.clone());
            }
            changes.new.push(name.clone());
            self.containers.push(ContainerPlace {
                name: name.clone(),
                rid: rid.clone(),
                directory: taken.name(name, rid),
                gone: None,
            });
        }
        changes
    }
}

/// The names beside the directories of containers: those of the list and of what belongs to it.
fn own_names() -> Directories {
    let mut names = Directories::default();
    let file = Path::new(DATABASE_FILE);
    for own in [
        file.to_owned(),
        lock_path(file),
        with_suffix(file, STAGED_SUFFIX),
    ] {
        names.take(&own.to_string_lossy());
    }
    names
}

/// Whether the file has documents, and only the name of the list. What cannot be read, or is damaged, may be the list.
fn is_data(path: &Path) -> bool {
    const BEGINNING: &str = "{\"format\":\"cosmos-tail ";
    let Ok(Some(text)) = read_up_to(path, BEGINNING.len() as u64) else {
        return false;
    };
    let is_other = !BEGINNING.as_bytes().starts_with(&text);
    is_other && (text.starts_with(b"{") || text.starts_with(b"["))
}

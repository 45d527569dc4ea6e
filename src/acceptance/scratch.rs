//! The scratch database: made by a test, proved to be its own, and deleted with everything in it.
//!
//! Two things prove that a database is of a test. The journal in the test's directory has the resource id of the database,
//! which no other database ever has; it is written before anything is created, and again once the id is known. And the
//! database has a container with a marker, which is enough where the directory is gone.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::writes::{Writer, address};
use crate::cosmos::account::CosmosAccount;
use crate::cosmos::items::{ItemOutcome, ItemRequest};
use crate::cosmos::scratch::Refusal;
use crate::cosmos::witness;
use crate::durable::{create_directory, create_private, shown_path, sync_directory};
use crate::error::usage;
use crate::process;

/// The container of the marker, which has the leases of the test too.
pub(crate) const MARKER_CONTAINER: &str = "cosmos-tail-acceptance";
/// The id of the marker.
const MARKER: &str = "cosmos-tail-acceptance";
/// What the witness writes to, in the directory.
pub(super) const WITNESS: &str = "witness.jsonl";
/// The journal's name in the directory.
const JOURNAL: &str = "acceptance.json";

/// How long the deletion of a directory is tried, and the pause before it is tried again.
const REMOVAL: Duration = Duration::from_secs(20);
const REMOVAL_PAUSE: Duration = Duration::from_millis(100);

/// What a test knows about its database.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Journal {
    /// What this file is.
    format: String,
    endpoint: String,
    database: String,
    /// Which run made it.
    run: String,
    /// The resource id of the database, once it is known. Before that, the database did not exist.
    rid: Option<String>,
}

const FORMAT: &str = "cosmos-tail acceptance journal";

impl Journal {
    fn path(directory: &Path) -> PathBuf {
        directory.join(JOURNAL)
    }

    /// The journal in a directory, if there is one.
    fn read(directory: &Path) -> Result<Option<Self>> {
        let path = Self::path(directory);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read `{}`", shown_path(&path)));
            }
        };
        let journal: Option<Self> = serde_json::from_slice(&text).ok();
        // A crash may have left the first one empty; then nothing was created.
        Ok(journal.filter(|journal| journal.format == FORMAT))
    }

    fn write(&self, directory: &Path) -> Result<()> {
        let path = Self::path(directory);
        let staged = directory.join("acceptance.json.tmp");
        let write = || {
            fs::remove_file(&staged).ok();
            create_private(&staged, &serde_json::to_vec_pretty(self)?)?;
            fs::rename(&staged, &path)?;
            sync_directory("directory.sync", directory)?;
            anyhow::Ok(())
        };
        write().with_context(|| format!("cannot write `{}`", shown_path(&path)))
    }
}

/// A database of a test that runs.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) name: String,
    pub(super) directory: PathBuf,
    /// The throughput that its containers share, if the account has any.
    pub(super) throughput: Option<u64>,
}

/// Why there is no database.
pub(super) enum NotMade {
    /// The account does not let this credential create one.
    Refused(String),
    /// Anything else.
    Error(anyhow::Error),
}

impl From<anyhow::Error> for NotMade {
    fn from(error: anyhow::Error) -> Self {
        Self::Error(error)
    }
}

/// Refuses a directory that exists.
///
/// # Errors
///
/// A usage error, or one of the system.
pub(super) fn ensure_new(directory: &Path, database: &str) -> Result<()> {
    if fs::symlink_metadata(directory).is_ok() {
        return Err(usage(
            format!(
                "`{}` exists: an earlier test may have left it",
                shown_path(directory)
            ),
            format!(
                "`cosmos-tail acceptance --scratch-database {database} --clean-up` deletes what that test made; or \
                 name another directory with --directory"
            ),
        ));
    }
    Ok(())
}

/// The error of a database that exists.
fn exists(database: &str) -> anyhow::Error {
    usage(
        format!("the database `{database}` exists already, and nothing in it was touched"),
        format!(
            "name one that does not exist: a test deletes its database at the end. If an earlier test has left it, \
             delete it with `cosmos-tail acceptance --scratch-database {database} --clean-up`"
        ),
    )
}

impl Scratch {
    /// Creates the directory and the database, with the marker.
    pub(super) async fn make(
        account: &CosmosAccount,
        name: &str,
        directory: &Path,
        shared: u64,
    ) -> Result<Self, NotMade> {
        let lookup = account.database_rid(name).await?;
        if lookup.is_some() {
            return Err(exists(name).into());
        }
        create_directory(directory)
            .with_context(|| format!("cannot create `{}`", shown_path(directory)))?;
        let journal = Journal {
            format: FORMAT.to_owned(),
            endpoint: account.endpoint().as_str().to_owned(),
            database: name.to_owned(),
            run: process::run_id().to_string(),
            rid: None,
        };
        journal.write(directory)?;
        witness::record_to(&directory.join(WITNESS))?;
        let mut throughput = Some(shared);
        let mut created = account.create_database(name, throughput).await?;
        // Otherwise each container would get throughput of its own.
        if created.as_ref().is_err_and(Refusal::is_serverless) {
            throughput = None;
            created = account.create_database(name, None).await?;
        }
        match created {
            Ok(()) => {}
            // Somebody else created it just now; or this did, and the answer was lost. The journal stays, so that
            // `--clean-up` can delete it if nothing is in it.
            Err(refusal) if refusal.status == 409 => return Err(exists(name).into()),
            Err(refusal) => {
                fs::remove_dir_all(directory).ok();
                return Err(NotMade::Refused(refusal.reason));
            }
        }
        let scratch = Self {
            name: name.to_owned(),
            directory: directory.to_owned(),
            throughput,
        };
        match scratch.own(account, journal).await {
            Ok(()) => Ok(scratch),
            Err(error) => {
                // The journal proves whose it is. If this fails too, a later `--clean-up` does it.
                clean(account, name, directory).await.ok();
                Err(error.into())
            }
        }
    }

    /// Makes the database provably that of this test.
    async fn own(&self, account: &CosmosAccount, mut journal: Journal) -> Result<()> {
        let rid = account.database_rid(&self.name).await?;
        journal.rid = Some(rid.context("the database that was created is not there")?);
        journal.write(&self.directory)?;
        self.mark(account, &journal.run).await
    }

    async fn mark(&self, account: &CosmosAccount, run: &str) -> Result<()> {
        let definition = json!({
            "id": MARKER_CONTAINER,
            "partitionKey": { "paths": ["/id"], "kind": "Hash", "version": 2 },
        });
        let created = account
            .create_container_by(&self.name, &definition, None)
            .await?;
        created.map_err(|refusal| anyhow!("cannot create a container: {}", refusal.reason))?;
        let client = account.open(&self.name, MARKER_CONTAINER).await?;
        let marker = json!({ "id": MARKER, "madeBy": "cosmos-tail acceptance", "run": run });
        let text = marker.to_string();
        let request = ItemRequest::Create(text.as_bytes());
        Writer::new(&client, None)
            .send(&address(&[json!(MARKER)], MARKER)?, request)
            .await?;
        Ok(())
    }

    /// Deletes the database and the directory.
    pub(super) async fn delete(&self, account: &CosmosAccount) -> Result<()> {
        clean(account, &self.name, &self.directory)
            .await
            .map(|_| ())
    }
}

/// Deletes the database `name` and the directory of its test, if they are of one. Returns whether there was a database.
///
/// # Errors
///
/// If the database is not proved to be of a test, or cannot be deleted; nothing is deleted then.
pub(super) async fn clean(account: &CosmosAccount, name: &str, directory: &Path) -> Result<bool> {
    let journal = Journal::read(directory)?;
    let journal = journal.filter(|journal| journal.database == name);
    if let Some(journal) = &journal
        && journal.endpoint != account.endpoint().as_str()
    {
        return Err(usage(
            format!(
                "`{}` is of a test in another account",
                shown_path(directory)
            ),
            "connect to the account of that test, or name another directory with --directory",
        ));
    }
    let found = account.database_rid(name).await?;
    if let Some(rid) = &found {
        let is_own = match journal.as_ref().map(|journal| journal.rid.as_deref()) {
            Some(Some(own)) => own == rid,
            // It did not exist, and the test ended while it created it, before it made anything in it.
            Some(None) => {
                let containers = account.containers(name).await?;
                containers.is_some_and(|containers| containers.is_empty())
            }
            None => false,
        };
        if !is_own && !has_marker(account, name).await? {
            return Err(usage(
                format!(
                    "the database `{name}` is not one that `acceptance` made: it has no marker"
                ),
                "nothing was deleted. If it is to go, delete it yourself",
            ));
        }
        account.delete_database(name).await?;
        if account
            .database_rid(name)
            .await?
            .is_some_and(|left| left == *rid)
        {
            return Err(anyhow!(
                "the database `{name}` was deleted, and is still there"
            ));
        }
    }
    if journal.is_some() || is_abandoned(directory) {
        remove(directory).await?;
    }
    Ok(found.is_some())
}

/// Deletes the directory of a test. After a kill, a process that the test had started may still write to it for a moment:
/// until it notices that its container is gone.
async fn remove(directory: &Path) -> Result<()> {
    let began = Instant::now();
    loop {
        match fs::remove_dir_all(directory) {
            Ok(()) => return Ok(()),
            Err(error) if began.elapsed() > REMOVAL => {
                let what = format!("cannot delete `{}`", shown_path(directory));
                return Err(error).context(what);
            }
            Err(_) => tokio::time::sleep(REMOVAL_PAUSE).await,
        }
    }
}

/// Whether a test ended before it had written the journal: the directory has nothing but its first attempt.
fn is_abandoned(directory: &Path) -> bool {
    let Ok(entries) = fs::read_dir(directory) else {
        return false;
    };
    let mut names = entries.map(|entry| entry.map(|entry| entry.file_name()));
    names.all(|name| name.is_ok_and(|name| name == "acceptance.json.tmp"))
}

/// Whether a database has the marker of a test.
async fn has_marker(account: &CosmosAccount, name: &str) -> Result<bool> {
    let containers = account.containers(name).await?.unwrap_or_default();
    if !containers
        .iter()
        .any(|container| container.name == MARKER_CONTAINER)
    {
        return Ok(false);
    }
    let client = account.open(name, MARKER_CONTAINER).await?;
    let marker = address(&[json!(MARKER)], MARKER)?;
    match Writer::new(&client, None)
        .send(&marker, ItemRequest::Read)
        .await?
    {
        ItemOutcome::Read(text, _) => {
            let marker: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
            Ok(marker["madeBy"] == "cosmos-tail acceptance")
        }
        _ => Ok(false),
    }
}

//! The scratch database: made by a test, proved to be its own, and deleted with everything in it.
//!
//! One thing proves that a database is of a test: the journal in the test's directory has the resource id of the database,
//! which no other database ever has. The journal is written before anything is created, and again with the id that the
//! service gave in its answer to the creation. The marker in the database says to people what it is, and proves nothing.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::outcome::Verdict;
use super::writes::{Writer, address};
use crate::cosmos::account::CosmosAccount;
use crate::cosmos::items::ItemRequest;
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
/// The journal's name while it is written.
const STAGED: &str = "acceptance.json.tmp";

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
    /// The resource id of the database, once the service has created it.
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
        let staged = directory.join(STAGED);
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
    /// The service has not created one, which is how the step ends.
    Ended(Verdict),
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
                 delete the directory if it is empty, or name another one with --directory"
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
             `cosmos-tail acceptance --scratch-database {database} --clean-up` deletes it where the directory of that \
             test is"
        ),
    )
}

/// The error of a database that came to be while this one was created. If an answer of the service was lost, it may be
/// this one; nothing proves that.
fn came_to_be(database: &str) -> anyhow::Error {
    usage(
        format!(
            "the database `{database}` exists since a moment ago, and nothing in it was touched"
        ),
        "name one that does not exist. If it is empty, and nobody else has created it, the answer of the service to its \
         creation was lost: delete it yourself",
    )
}

/// Creates the directory of a test, which nobody else has created.
fn create_own(directory: &Path) -> Result<()> {
    let parent = directory.parent();
    let create = || {
        if let Some(parent) = parent.filter(|parent| !parent.as_os_str().is_empty()) {
            create_directory(parent)?;
        }
        fs::create_dir(directory)
    };
    create().with_context(|| format!("cannot create `{}`", shown_path(directory)))
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
        create_own(directory)?;
        let mut journal = Journal {
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
        let rid = match created {
            Ok(rid) => rid,
            Err(refusal) => {
                fs::remove_dir_all(directory).ok();
                return Err(match refusal.status {
                    409 => came_to_be(name).into(),
                    _ => NotMade::Ended(refusal.into()),
                });
            }
        };
        journal.rid = Some(rid.clone());
        if let Err(error) = journal.write(directory) {
            // Nothing else would prove it later.
            account.delete_database(name, &rid).await?;
            return Err(error.into());
        }
        let scratch = Self {
            name: name.to_owned(),
            directory: directory.to_owned(),
            throughput,
        };
        if let Err(error) = scratch.mark(account, &journal.run).await {
            undo(account, name, directory).await.ok();
            return Err(error.into());
        }
        Ok(scratch)
    }

    async fn mark(&self, account: &CosmosAccount, run: &str) -> Result<()> {
        let definition = json!({
            "id": MARKER_CONTAINER,
            "partitionKey": { "paths": ["/id"], "kind": "Hash", "version": 2 },
        });
        let created = account
            .create_container_by(&self.name, &definition, None)
            .await?;
        // One that is there was created by an attempt whose answer was lost.
        if let Err(refusal) = created.map(|_| ())
            && refusal.status != 409
        {
            return Err(anyhow!("cannot create a container: {}", refusal.reason));
        }
        let client = account.open(&self.name, MARKER_CONTAINER).await?;
        let marker = json!({ "id": MARKER, "madeBy": "cosmos-tail acceptance", "run": run });
        let text = marker.to_string();
        let request = ItemRequest::Create(text.as_bytes());
        Writer::new(&client, None)
            .send(&address(&[json!(MARKER)], MARKER)?, request)
            .await?;
        Ok(())
    }

    /// Deletes the database.
    pub(super) async fn delete(&self, account: &CosmosAccount) -> Result<()> {
        delete_proved(account, &self.name, &self.directory)
            .await
            .map(|_| ())
    }

    /// Deletes the directory, once the database is gone.
    pub(super) async fn remove_directory(&self) -> Result<()> {
        remove(&self.directory).await
    }
}

/// Deletes what `make` has left when it ended early. If the service does not show the database yet, the journal stays, and
/// a later `--clean-up` deletes it.
pub(super) async fn undo(account: &CosmosAccount, name: &str, directory: &Path) -> Result<()> {
    if is_left(directory) && delete_proved(account, name, directory).await? {
        remove(directory).await?;
    }
    Ok(())
}

/// Whether a directory is what this process has left of a database that may have been created.
pub(super) fn is_left(directory: &Path) -> bool {
    let journal = Journal::read(directory).ok().flatten();
    journal.is_some_and(|journal| journal.run == process::run_id().to_string())
}

/// Deletes the database `name` and the directory of its test, if they are of one. Returns whether there was a database.
///
/// # Errors
///
/// If the database is not proved to be of a test, or cannot be deleted; nothing is deleted then.
pub(super) async fn clean(account: &CosmosAccount, name: &str, directory: &Path) -> Result<bool> {
    let was_there = delete_proved(account, name, directory).await?;
    if Journal::read(directory)?.is_some() || is_abandoned(directory) {
        remove(directory).await?;
    }
    Ok(was_there)
}

/// Deletes the database `name` if the journal in the directory of its test proves that it is of that test. Returns whether
/// there was a database.
///
/// # Errors
///
/// If that is not proved, or it cannot be deleted; nothing is deleted then.
async fn delete_proved(account: &CosmosAccount, name: &str, directory: &Path) -> Result<bool> {
    let journal = Journal::read(directory)?;
    if let Some(journal) = &journal {
        let (other, remedy) = if journal.endpoint != account.endpoint().as_str() {
            (Some("in another account"), "connect to its account")
        } else if journal.database != name {
            (Some("of another database"), "name its database")
        } else {
            (None, "")
        };
        if let Some(other) = other {
            return Err(usage(
                format!("`{}` is of a test {other}", shown_path(directory)),
                format!(
                    "nothing was deleted: {remedy}, or name another directory with --directory"
                ),
            ));
        }
    }
    let Some(found) = account.database_rid(name).await? else {
        return Ok(false);
    };
    let unproved = |why: String, hint: &str| {
        let what = format!("the database `{name}` is not proved to be one that `acceptance` made");
        Err(usage(
            format!("{what}: {why}"),
            format!("nothing was deleted: {hint}"),
        ))
    };
    let Some(journal) = journal else {
        return unproved(
            format!("`{}` has no journal of a test", shown_path(directory)),
            "say this where the directory of the test is, or name that with --directory; if it is lost, delete the \
             database yourself",
        );
    };
    match journal.rid {
        Some(own) if own == found => {}
        Some(_) => {
            return unproved(
                "it has taken the place of the one of the test".to_owned(),
                "delete it yourself if it is yours, and then the directory of the test",
            );
        }
        None => {
            return unproved(
                "the test ended before the service had answered to the creation".to_owned(),
                "if it is empty, and nobody else has created it, delete it yourself, and say this again",
            );
        }
    }
    account.delete_database(name, &found).await?;
    if account.database_rid(name).await?.as_ref() == Some(&found) {
        return Err(anyhow!(
            "the database `{name}` was deleted, and is still there"
        ));
    }
    Ok(true)
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

/// Whether a test ended before it had written the journal: the directory has its first attempt, and nothing else.
fn is_abandoned(directory: &Path) -> bool {
    let Ok(entries) = fs::read_dir(directory) else {
        return false;
    };
    let names: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.file_name()).ok())
        .collect();
    matches!(&names[..], [Some(name)] if name == STAGED)
}

//! Creates the leases of a group that has none, once, whoever else starts at the same time.
//!
//! The marker says that they have been created. Whoever does not find it takes the lock, creates what is missing,
//! and writes the marker last. The processors of both SDKs do the same, with the same documents.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::purpose::{ensure_purpose, own_purpose, purpose_of};
use super::store::{Created, Store};
use crate::cli::times::LeaseStart;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::partitions::PhysicalPartition;
use crate::count::count;
use crate::error::usage;
use crate::escape::escape_for_terminal;
use crate::feed::{ChangeFeedStart, FeedMode, FeedRange};
use crate::job::FilesOfGroup;
use crate::leases::{
    Attempt, Dialect, Document, Form, Group, NewLease, Send, Target, attempt, etag_at, gaps, lock,
    marker, range_of, token_of,
};
use crate::process;
use crate::report::Report;

/// For how long a lock is respected, as the SDKs write it into the lock.
const LOCK: Duration = Duration::from_secs(30);
/// Leases that are created at the same time.
const CONCURRENCY: usize = 16;

/// The container that is read, and where its feed begins for a lease without a position.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) client: Arc<CosmosClient>,
    pub(super) mode: FeedMode,
    pub(super) start: ChangeFeedStart,
    /// As `DATABASE/CONTAINER`.
    pub(super) name: String,
    /// The files that were there before this instance, if it writes some.
    pub(super) files: Option<FilesOfGroup>,
}

impl Source {
    /// The ETag at which a range begins. It is saved with its lease, so that a restart begins there too. Of a range that files
    /// have, it is the lowest one: what is read begins where these end, and a lease that is ahead would say that others have
    /// handled what is between.
    pub(super) async fn start_of(
        &self,
        range: &FeedRange,
        partitions: &[PhysicalPartition],
    ) -> Result<String> {
        let has_files = match &self.files {
            Some(files) => files.have_begun(range).await?,
            None => false,
        };
        let start = LeaseStart::At(match has_files {
            true => ChangeFeedStart::Beginning,
            false => self.start,
        });
        etag_at(&self.client, self.mode, range, partitions, &start).await
    }
}

/// Creates the leases of the group, unless they have been created, and waits for whoever does.
///
/// # Errors
///
/// If the group is of another dialect or another feed: nothing is written then.
pub(super) async fn bootstrap(store: &Store, source: &Source, report: &Report) -> Result<()> {
    let mut has_waited = false;
    loop {
        let all = store.list_all().await?;
        ensure_no_partitions_of_java(store, source, &all)?;
        let group = store.own(all);
        ensure_own(store, &group)?;
        let purpose = purpose_of(store, source.start, &group).await?;
        if group.marker.is_some() {
            if purpose.is_some_and(|purpose| purpose.from != source.start) {
                let name = escape_for_terminal(&store.prefix.name);
                report.notice(&format!(
                    "the group `{name}` continues at its saved positions; --from has no effect"
                ));
            }
            return Ok(());
        }
        if let Some(left) = &group.lock {
            if is_respected(store, &group) {
                if !std::mem::replace(&mut has_waited, true) {
                    report
                        .notice("another instance creates the leases of the group; waiting for it");
                }
                tokio::time::sleep(store.intervals.acquire).await;
                continue;
            }
            report.detail("the lock of the group was left behind, and is deleted");
            remove(store, left).await?;
        }
        let Some(lock) = take_lock(store).await? else {
            continue;
        };
        let created = create(store, source, group).await;
        remove(store, &lock).await?;
        let Some(created) = created? else {
            continue;
        };
        report.detail(&format!("{} created", count(created as u64, "lease")));
        return Ok(());
    }
}

/// Creates what the group lacks, while this instance has its lock. None if that has to be looked at again.
async fn create(store: &Store, source: &Source, listed: Group) -> Result<Option<usize>> {
    let mut group = listed;
    let mut source = source.clone();
    if let Some(own) = own_purpose(store, source.start) {
        // Somebody may have created it, for something else, since it was listed.
        group = store.list().await?;
        ensure_own(store, &group)?;
        match purpose_of(store, source.start, &group).await? {
            // Whoever began has said where.
            Some(found) => source.start = found.from,
            None => {
                let document = own.document(store.common())?;
                if !matches!(
                    send(store, &document, Send::Create).await?,
                    Attempt::Done(_)
                ) {
                    return Ok(None);
                }
            }
        }
    }
    let created = create_missing(store, &source, &group).await?;
    let marker = marker(store.common())?;
    send(store, &marker, Send::Create).await?;
    Ok(Some(created))
}

/// Whether the lock of a group is young enough. Its own time to live counts only where the container has one.
fn is_respected(store: &Store, group: &Group) -> bool {
    let Some(written) = group.lock_written() else {
        return true;
    };
    let age = store.clock.now().unix_timestamp() - written;
    age <= i64::try_from(LOCK.as_secs()).unwrap_or(i64::MAX)
}

/// Takes the lock. None if another instance was faster.
async fn take_lock(store: &Store) -> Result<Option<Document>> {
    let document = lock(store.common(), LOCK.as_secs())?;
    match send(store, &document, Send::Create).await? {
        Attempt::Done(Some(etag)) => Ok(Some(document.with_etag(&etag)?)),
        _ => Ok(None),
    }
}

async fn remove(store: &Store, lock: &Document) -> Result<()> {
    if let Some(etag) = lock.etag() {
        send(store, lock, Send::Delete(&etag)).await?;
    }
    Ok(())
}

async fn send(store: &Store, document: &Document, send: Send<'_>) -> Result<Attempt> {
    let until = process::since_boot() + LOCK;
    let sent = attempt(&store.client, store.keyed_by, document, send, until).await?;
    if sent == Attempt::Late {
        return Err(anyhow!(
            "the service did not take a document of the group for {} s",
            LOCK.as_secs()
        ));
    }
    Ok(sent)
}

/// Creates a lease for each range that has none. Each has a position from the start: where it begins does not depend
/// on when it is first read.
async fn create_missing(store: &Store, source: &Source, group: &Group) -> Result<usize> {
    let partitions = source.client.list_partitions(true).await?;
    let covered = group.leases.iter();
    let covered = covered.filter_map(|lease| range_of(lease, &partitions));
    let mut new = Vec::new();
    for gap in gaps(covered) {
        for partition in &partitions {
            let Some(range) = partition.range.intersection(&gap) else {
                continue;
            };
            let is_whole = range == partition.range;
            let (form, token) = match store.dialect {
                Dialect::Net if is_whole => (Form::NetPartition, partition.id.clone()),
                Dialect::Net => (Form::NetRange, token_of(&range)),
                Dialect::JavaPartition | Dialect::JavaRange => (Form::JavaRange, token_of(&range)),
            };
            new.push(NewLease {
                form,
                token,
                range,
                etag: None,
                properties: serde_json::json!({}),
            });
        }
    }
    let count = new.len();
    let partitions = &partitions;
    let create = |mut lease: NewLease| async move {
        lease.etag = Some(source.start_of(&lease.range, partitions).await?);
        let until = process::since_boot() + LOCK;
        match store.create(&lease, None, until).await? {
            Created::Done(_) => Ok(()),
            Created::Late => Err(anyhow!("the lease `{}` could not be created", lease.token)),
        }
    };
    stream::iter(new)
        .map(create)
        .buffer_unordered(CONCURRENCY)
        .try_collect::<Vec<()>>()
        .await
        .context("cannot create the leases of the group")?;
    Ok(count)
}

/// Refuses a group whose leases this instance must not write.
///
/// # Errors
///
/// A usage error.
pub(super) fn ensure_own(store: &Store, group: &Group) -> Result<()> {
    ensure_purpose(store, group)?;
    let name = escape_for_terminal(&store.prefix.name).into_owned();
    if let Some(dialect) = group.dialect()
        && dialect != store.dialect
    {
        let hint = match dialect {
            Dialect::Net => "share it with --lease-format dotnet, the default",
            Dialect::JavaRange => "share it with --lease-format java",
            Dialect::JavaPartition => {
                "take another name; such a group is shared by Java's handleChanges only"
            }
        };
        return Err(usage(
            format!(
                "the group `{name}` has leases of {}, which an instance with --lease-format {} would make unusable",
                dialect.text(),
                store.dialect.name()
            ),
            hint,
        ));
    }
    if let Some(foreign) = group.foreign.first() {
        let id = escape_for_terminal(&foreign.id);
        return Err(usage(
            format!(
                "the group `{name}` has a document `{id}` that is no lease of it: {}",
                escape_for_terminal(&foreign.reason)
            ),
            "`cosmos-tail leases check` lists them; delete what is left of another group",
        ));
    }
    if !group.leases.is_empty() && group.is_mode_known() && group.mode() != store.mode {
        let (has, hint) = match group.mode() {
            FeedMode::LatestVersion => ("the latest versions", "--mode latest"),
            FeedMode::AllVersionsAndDeletes => ("all versions and deletes", "--mode all"),
        };
        return Err(usage(
            format!("the group `{name}` reads {has}, whose positions another feed does not have"),
            format!("read it with {hint}; or name another group"),
        ));
    }
    Ok(())
}

/// Refuses the name of a group of Java's `handleChanges`: its other processors would take that group over.
fn ensure_no_partitions_of_java(store: &Store, source: &Source, all: &[Group]) -> Result<()> {
    if store.dialect != Dialect::JavaRange {
        return Ok(());
    }
    let names = Target::Names(source.name.replacen('/', "_", 1));
    let is_of_partitions = |group: &&Group| {
        let prefix = &group.prefix;
        prefix.target == names && prefix.name == store.prefix.name && !group.leases.is_empty()
    };
    if all.iter().any(|group| is_of_partitions(&group)) {
        return Err(usage(
            format!(
                "the group `{}` has leases of Java's handleChanges, which Java's other processors take over when they \
                 start",
                escape_for_terminal(&store.prefix.name)
            ),
            "name another group; or start the Java processor with handleLatestVersionChanges once, which takes the \
             leases over",
        ));
    }
    Ok(())
}

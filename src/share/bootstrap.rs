//! Creates the leases of a group that has none, once, whoever else starts at the same time.
//!
//! The marker says that they have been created. Whoever does not find it takes the lock, creates what is missing,
//! and writes the marker last. The processors of both SDKs do the same, with the same documents.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::purpose::{ensure_purpose, own_purpose, purpose_of};
use super::source::Source;
use super::store::{Created, Store};
use crate::cosmos::partitions::PhysicalPartition;
use crate::count::count;
use crate::error::usage;
use crate::escape::escape_for_terminal;
use crate::feed::{ChangeFeedStart, FeedMode, FeedRange};
use crate::leases::{
    Attempt, Dialect, Document, Form, Group, NewLease, Purpose, RangeStart, Send, Target, attempt,
    gaps, lock, marker, range_of, token_of,
};
use crate::process;
use crate::report::Report;

/// For how long a lock is respected, as the SDKs write it into the lock.
const LOCK: Duration = Duration::from_secs(30);
/// How long before its end nothing is created any more.
const LOCK_MARGIN: Duration = Duration::from_secs(3);
/// Leases that are created at the same time.
const CONCURRENCY: usize = 16;

/// The group, and which copy it feeds, if there is one and this instance may share it. Nothing is changed.
///
/// # Errors
///
/// If it may not, or if the service refuses a request for good.
pub(super) async fn look(store: &Store, source: &Source) -> Result<(Group, Option<Purpose>)> {
    let all = store.list_all().await?;
    ensure_no_partitions_of_java(store, source, &all)?;
    let group = store.own(all);
    ensure_own(store, &group)?;
    let purpose = purpose_of(store, source.start, &group).await?;
    Ok((group, purpose))
}

/// Creates the leases of the group, unless they have been created, and waits for whoever does.
///
/// # Errors
///
/// If the group is of another dialect or another feed: nothing is written then.
pub(super) async fn bootstrap(store: &Store, source: &Source, report: &Report) -> Result<()> {
    let mut has_waited = false;
    loop {
        let (group, purpose) = look(store, source).await?;
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
        // Others respect the lock from when it was written on, which is no earlier.
        let until = process::since_boot() + LOCK - LOCK_MARGIN;
        let Some(lock) = take_lock(store).await? else {
            continue;
        };
        let created = create(store, source, group, until).await;
        remove(store, &lock).await?;
        let Some(created) = created? else {
            continue;
        };
        report.detail(&format!("{} created", count(created as u64, "lease")));
        return Ok(());
    }
}

/// Creates what the group lacks, while this instance has its lock, which is until then. None if that has to be looked at
/// again.
async fn create(
    store: &Store,
    source: &Source,
    listed: Group,
    until: Duration,
) -> Result<Option<usize>> {
    let mut group = listed;
    let mut source = source.clone();
    let mut starts = Vec::new();
    if let Some(mut own) = own_purpose(store, source.start) {
        // Somebody may have created it, for something else, since it was listed.
        group = store.list().await?;
        ensure_own(store, &group)?;
        match purpose_of(store, source.start, &group).await? {
            // Whoever began has said where.
            Some(found) => (source.start, starts) = (found.from, found.starts),
            None => {
                if source.start == ChangeFeedStart::Now {
                    own.starts = starts_of(&source).await?;
                    starts.clone_from(&own.starts);
                }
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
    let created = create_missing(store, &source, &group, &starts, until).await?;
    let Some(created) = created else {
        return Ok(None);
    };
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

/// Where each range begins, if that is decided now.
async fn starts_of(source: &Source) -> Result<Vec<RangeStart>> {
    let partitions = source.client.list_partitions(true).await?;
    let partitions = &partitions;
    let ranges: Vec<FeedRange> = partitions.iter().map(|one| one.range.clone()).collect();
    stream::iter(ranges)
        .map(|range| async move {
            let etag = source.start_of(&range, partitions).await?;
            anyhow::Ok(RangeStart { range, etag })
        })
        .buffered(CONCURRENCY)
        .try_collect()
        .await
}

/// The parts of a range, each with where it begins if that was decided before.
fn parts_by_start(range: &FeedRange, starts: &[RangeStart]) -> Vec<(FeedRange, Option<String>)> {
    let decided = starts.iter().filter_map(|start| {
        let part = start.range.intersection(range)?;
        Some((part, Some(start.etag.clone())))
    });
    let others = gaps(starts.iter().map(|start| start.range.clone()));
    let others = others
        .into_iter()
        .filter_map(|gap| Some((gap.intersection(range)?, None)));
    decided.chain(others).collect()
}

/// Creates a lease for each range that has none. Each has a position from the start: where it begins does not depend
/// on when it is first read, nor, if that was decided before, on when it is created. None is created after `until`: others
/// may have replaced the lease by those of its parts since, and its range would be read again. None if that came first.
async fn create_missing(
    store: &Store,
    source: &Source,
    group: &Group,
    starts: &[RangeStart],
    until: Duration,
) -> Result<Option<usize>> {
    let partitions = source.client.list_partitions(true).await?;
    let covered = group.leases.iter();
    let covered = covered.filter_map(|lease| range_of(lease, &partitions));
    let mut new = Vec::new();
    for gap in gaps(covered) {
        let of_partition = |partition: &PhysicalPartition| {
            let range = partition.range.intersection(&gap);
            range.map_or_else(Vec::new, |range| parts_by_start(&range, starts))
        };
        let parts = partitions.iter().flat_map(|partition| {
            let parts = of_partition(partition).into_iter();
            parts.map(move |(range, etag)| (partition, range, etag))
        });
        for (partition, range, etag) in parts {
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
                etag,
                properties: serde_json::json!({}),
            });
        }
    }
    let count = new.len();
    let partitions = &partitions;
    let create = |mut lease: NewLease| async move {
        if lease.etag.is_none() {
            lease.etag = Some(source.start_of(&lease.range, partitions).await?);
        }
        let created = store.create(&lease, None, until).await?;
        anyhow::Ok(matches!(created, Created::Done(_)))
    };
    let created = stream::iter(new)
        .map(create)
        .buffer_unordered(CONCURRENCY)
        .try_collect::<Vec<bool>>()
        .await
        .context("cannot create the leases of the group")?;
    Ok(created.iter().all(|done| *done).then_some(count))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_begins_where_it_was_decided_although_partitions_were_split_or_merged() {
        let range = |min: &str, max: &str| FeedRange::new(min, max).unwrap();
        let start = |min: &str, max: &str, etag: &str| RangeStart {
            range: range(min, max),
            etag: etag.to_owned(),
        };
        let starts = [start("", "55", "1"), start("55", "FF", "2")];
        let parts = |min: &str, max: &str| {
            let parts = parts_by_start(&range(min, max), &starts).into_iter();
            let parts = parts.map(|(range, etag)| {
                let FeedRange {
                    min_inclusive,
                    max_exclusive,
                } = range;
                format!(
                    "{min_inclusive}-{max_exclusive}: {}",
                    etag.unwrap_or_default()
                )
            });
            parts.collect::<Vec<String>>()
        };
        assert_eq!(parts("", "55"), ["-55: 1"]);
        assert_eq!(parts("77", "FF"), ["77-FF: 2"]);
        assert_eq!(parts("33", "99"), ["33-55: 1", "55-99: 2"]);
        let whole = range("", "FF");
        assert_eq!(parts_by_start(&whole, &[]), [(whole.clone(), None)]);
        let part = parts_by_start(&whole, &starts[..1]);
        assert_eq!(part[1], (range("55", "FF"), None));
    }
}

//! A state of this program as the leases of a group, and leases as the positions of a state.
//!
//! Both say where each range goes on, as an ETag: the one in the SDK's token, the other in its own field.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use futures_util::{TryStreamExt, stream};
use serde_json::json;

use super::convert::ensure_fits;
use super::create::NewLease;
use super::group::Group;
use super::lease::{Checkpoint, Dialect, Form};
use super::portable::ensure_whole;
use super::ranges::{comparable, ranges_of, token_of};
use super::start::{ensure_possible, etag_at};
use crate::cli::times::LeaseStart;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::partitions::{PhysicalPartition, parts_of};
use crate::cosmos::token::{segments, token_at};
use crate::error::{usage, with_hint};
use crate::feed::{
    ChangeFeedStart, FeedMode, FeedRange, Position, RangeSet, RangeState, lsn_of_etag,
};
use crate::job::check_position;
use crate::state::model::State;

/// Positions that are compared with those of the service at the same time.
const CONCURRENCY: usize = 16;

/// Refuses a state whose positions are not those of one whole container's feed.
///
/// # Errors
///
/// A usage error.
pub(crate) fn ensure_adoptable(state: &State) -> Result<()> {
    let options = &state.options;
    if options.query.is_some() {
        return Err(usage(
            "it is of a query, whose positions a change feed does not have",
            "adopt the state of an export or a tail of a feed",
        ));
    }
    if state.shard.is_some() || !options.scope.is_everything() {
        return Err(usage(
            "it is of a part of the container, and the leases of a group cover all of it",
            "adopt a state of the whole container",
        ));
    }
    if state.ranges.is_snapshot_open() {
        return Err(usage(
            "its documents have not been read to their end, which leases cannot continue",
            "resume it until it follows the changes, and stop it then",
        ));
    }
    Ok(())
}

/// The leases that go on where a state is.
///
/// # Errors
///
/// If a position is not one of this container.
pub(crate) async fn leases_of(
    state: &State,
    dialect: Dialect,
    client: &Arc<CosmosClient>,
    partitions: &[PhysicalPartition],
) -> Result<Vec<NewLease>> {
    let mut leases = Vec::new();
    for range in state.ranges.changes() {
        check_position(range, client.rid())?;
        for (part, etag) in parts_of_position(range)? {
            let etag = match etag {
                Some(etag) => etag,
                None => start_of(state, client, &part, partitions).await?,
            };
            leases.push(new_lease(dialect, part, etag, partitions));
        }
    }
    ensure_whole(&leases)?;
    Ok(leases)
}

/// The parts that a range is read by, each with its ETag.
fn parts_of_position(range: &RangeState) -> Result<Vec<(FeedRange, Option<String>)>> {
    let Some(position) = &range.position else {
        return Ok(vec![(range.range.clone(), None)]);
    };
    let found = segments(&position.token, &range.range)?;
    Ok(found.into_iter().map(|one| (one.range, one.etag)).collect())
}

/// Where a range begins that was not read yet.
async fn start_of(
    state: &State,
    client: &Arc<CosmosClient>,
    range: &FeedRange,
    partitions: &[PhysicalPartition],
) -> Result<String> {
    let options = &state.options;
    let start = LeaseStart::At(options.from);
    if options.from == ChangeFeedStart::Now {
        return Err(with_hint(
            anyhow!("the range {range} has no position yet: it was to begin when it is first read"),
            "let it run until every range has a position, and stop it",
        ));
    }
    ensure_possible(options.mode, &start)?;
    etag_at(client, options.mode, range, partitions, &start).await
}

fn new_lease(
    dialect: Dialect,
    range: FeedRange,
    etag: String,
    partitions: &[PhysicalPartition],
) -> NewLease {
    let whole = partitions.iter().find(|one| one.range == range);
    let (form, token) = match (dialect, whole) {
        (Dialect::Net, Some(partition)) => (Form::NetPartition, partition.id.clone()),
        (Dialect::Net, None) => (Form::NetRange, token_of(&range)),
        (Dialect::JavaRange | Dialect::JavaPartition, _) => (Form::JavaRange, token_of(&range)),
    };
    NewLease {
        form,
        token,
        range,
        etag: Some(etag),
        properties: json!({}),
    }
}

/// The ranges of a state that goes on where the leases of a group are.
///
/// # Errors
///
/// If the leases do not cover the container once, or one has no position.
pub(crate) fn ranges_at(
    group: &Group,
    partitions: &[PhysicalPartition],
    rid: &str,
) -> Result<RangeSet> {
    let ranges = ranges_of(&group.leases, partitions);
    let comparable = comparable(&group.leases, &ranges, partitions);
    let mut parts = Vec::with_capacity(group.leases.len());
    for (lease, range) in group.leases.iter().zip(comparable) {
        let found = || -> Result<(FeedRange, Option<Position>)> {
            let range = range
                .context("it is for a partition that was merged, or does not exist any more")?;
            let etag = match &lease.checkpoint {
                Checkpoint::At(etag) => etag,
                Checkpoint::Unreadable(reason) => return Err(anyhow!("{reason}")),
                Checkpoint::Unset => {
                    return Err(with_hint(
                        anyhow!("it has no position: it begins where its processor's options say"),
                        "give it one: `cosmos-tail leases reset --to beginning --range …`",
                    ));
                }
            };
            ensure_fits(lease, &range)?;
            let position = Position {
                token: token_at(rid, group.mode(), &range, etag),
                lsn: lsn_of_etag(etag),
            };
            Ok((range, Some(position)))
        };
        let what = || format!("the lease `{}` cannot become a position", lease.token);
        parts.push(found().with_context(what)?);
    }
    parts.sort_by(|(a, _), (b, _)| a.cmp(b));
    RangeSet::number(parts)
}

/// Refuses positions that their partitions have not reached: those of another container, or of before a restore. A
/// range of several partitions is not looked at, since each of them has its own.
///
/// # Errors
///
/// Names the first.
pub(crate) async fn ensure_reached(
    positions: Vec<(FeedRange, Option<u64>)>,
    client: &Arc<CosmosClient>,
    mode: FeedMode,
    partitions: &[PhysicalPartition],
) -> Result<()> {
    let is_of_one = |range: &FeedRange| parts_of(partitions, range).count() == 1;
    let positions = positions.into_iter();
    let positions = positions.filter_map(|(range, lsn)| Some((range, lsn?)));
    let positions: Vec<Result<(FeedRange, u64)>> = positions
        .filter(|(range, _)| is_of_one(range))
        .map(Ok)
        .collect();
    stream::iter(positions)
        .try_for_each_concurrent(CONCURRENCY, |(range, lsn)| async move {
            let now = LeaseStart::At(ChangeFeedStart::Now);
            let head = etag_at(client, mode, &range, partitions, &now).await?;
            match lsn_of_etag(&head) {
                Some(head) if lsn > head => Err(with_hint(
                    anyhow!("the position {lsn} of {range} is one that its partition has not reached: it is at {head}"),
                    "it is of another container, or of before a restore: `cosmos-tail leases reset --to beginning` \
                     gives leases positions that exist",
                )),
                _ => Ok(()),
            }
        })
        .await
}

//! What is to be done about a group that is not whole.

use super::assess::is_alive;
use super::create::NewLease;
use super::group::Group;
use super::lease::{Dialect, Form, Lease};
use super::ranges::{comparable, gaps, overlapping, ranges_of, token_of};
use crate::cosmos::partitions::PhysicalPartition;
use crate::feed::FeedRange;

use std::time::Duration;

use serde_json::json;
use time::OffsetDateTime;

/// What is to be done.
#[derive(Debug, Default)]
pub(crate) struct Repair {
    /// Leases to be created, whose positions are still to be found.
    pub(crate) create: Vec<NewLease>,
    /// Leases to be deleted, and why.
    pub(crate) delete: Vec<(Lease, String)>,
    /// Whether the lock is to be deleted.
    pub(crate) unlock: bool,
    /// Whether the marker is to be created.
    pub(crate) mark: bool,
    /// What cannot be repaired, and why.
    pub(crate) left: Vec<(String, String)>,
}

impl Repair {
    pub(crate) fn is_empty(&self) -> bool {
        self.create.is_empty() && self.delete.is_empty() && !self.unlock && !self.mark
    }
}

/// What a group needs to be whole. What is created is of `dialect`.
pub(crate) fn repair(
    group: &Group,
    dialect: Dialect,
    partitions: &[PhysicalPartition],
    lock_is_stale: bool,
    expiration: Duration,
    now: OffsetDateTime,
) -> Repair {
    let mut repair = Repair {
        unlock: lock_is_stale,
        mark: group.marker.is_none() && !group.leases.is_empty(),
        ..Repair::default()
    };
    let ranges = ranges_of(&group.leases, partitions);
    let mut is_kept: Vec<bool> = ranges.iter().map(Option::is_some).collect();
    for (at, lease) in group.leases.iter().enumerate() {
        if ranges[at].is_none() {
            repair.left.push((
                lease.token.clone(),
                "its partition does not exist any more; delete it once its ranges have other leases".to_owned(),
            ));
        }
    }
    for cluster in clusters(&comparable(&group.leases, &ranges, partitions)) {
        match superfluous(group, &cluster, &ranges) {
            Ok(found) => {
                for (at, reason) in found {
                    is_kept[at] = false;
                    let lease = &group.leases[at];
                    if is_alive(lease, expiration, now) {
                        let owner = lease.owner.as_deref().unwrap_or_default();
                        repair.left.push((
                            lease.token.clone(),
                            format!("it is to be deleted, and `{owner}` has it: stop the processor first"),
                        ));
                    } else {
                        repair.delete.push((lease.clone(), reason));
                    }
                }
            }
            Err(reason) => {
                for at in cluster {
                    repair
                        .left
                        .push((group.leases[at].token.clone(), reason.clone()));
                }
            }
        }
    }
    let kept = ranges.iter().zip(&is_kept).filter(|(_, is_kept)| **is_kept);
    let covered = kept.filter_map(|(range, _)| range.clone());
    for gap in gaps(covered) {
        fill(group, dialect, &gap, partitions, &mut repair);
    }
    repair
}

/// The leases that overlap one another, directly or by others.
fn clusters(ranges: &[Option<FeedRange>]) -> Vec<Vec<usize>> {
    let is_overlapping = overlapping(ranges);
    let mut order: Vec<usize> = (0..ranges.len()).filter(|&at| is_overlapping[at]).collect();
    order.sort_by_key(|&at| ranges[at].clone());
    let mut clusters: Vec<Vec<usize>> = Vec::new();
    let mut reached = String::new();
    for at in order {
        let Some(range) = &ranges[at] else { continue };
        match clusters.last_mut() {
            Some(cluster) if range.min_inclusive < reached => cluster.push(at),
            _ => clusters.push(vec![at]),
        }
        reached = reached.max(range.max_exclusive.clone());
    }
    clusters
}

/// Which leases of a cluster can be deleted so that nothing is lost: the rest covers all that the cluster does,
/// and is nowhere further than what is deleted.
fn superfluous(
    group: &Group,
    cluster: &[usize],
    ranges: &[Option<FeedRange>],
) -> Result<Vec<(usize, String)>, String> {
    let lsn = |at: usize| group.leases[at].checkpoint.lsn();
    if cluster.iter().any(|&at| lsn(at).is_none()) {
        return Err(
            "it overlaps another lease, and one of them has no position: which is further is not known"
                .to_owned(),
        );
    }
    let same = |a: usize, b: usize| ranges[a] == ranges[b];
    let mut kept: Vec<usize> = Vec::new();
    let mut found = Vec::new();
    // Of those for one range, the one that is least far.
    for &at in cluster {
        let twins = cluster.iter().filter(|&&other| same(at, other));
        let best = twins.min_by_key(|&&other| (lsn(other), other));
        if best == Some(&at) {
            kept.push(at);
        } else {
            let best = best.copied().unwrap_or(at);
            let of = &group.leases[best];
            found.push((
                at,
                format!("`{}` is for the same range, and not further", of.id),
            ));
        }
    }
    // One that the others cover.
    let coarse = kept.iter().copied().find(|&at| {
        let parts = kept.iter().filter(|&&other| other != at);
        let parts: Vec<FeedRange> = parts.filter_map(|&other| ranges[other].clone()).collect();
        ranges[at]
            .as_ref()
            .is_some_and(|range| is_tiled(range, &parts))
    });
    let Some(coarse) = coarse else {
        return if kept.len() > 1 {
            Err("it overlaps another lease, and neither covers the other".to_owned())
        } else {
            Ok(found)
        };
    };
    let parts: Vec<usize> = kept.iter().copied().filter(|&at| at != coarse).collect();
    let whole = &group.leases[coarse];
    if parts.iter().all(|&part| lsn(part) <= lsn(coarse)) {
        found.push((
            coarse,
            "the leases of its parts cover it, and are not further".to_owned(),
        ));
    } else if parts.iter().all(|&part| lsn(coarse) <= lsn(part)) {
        let reason = format!("`{}` covers it, and is not further", whole.id);
        found.extend(parts.into_iter().map(|part| (part, reason.clone())));
    } else {
        return Err(format!(
            "it overlaps another lease, and some are further than `{}`, some are not: reset them to one position \
             first",
            whole.token
        ));
    }
    Ok(found)
}

/// Whether the parts make up the range, no more and no less, without overlaps.
fn is_tiled(range: &FeedRange, parts: &[FeedRange]) -> bool {
    !parts.is_empty() && crate::feed::ensure_tiling(range, parts).is_ok()
}

/// Leases for a range without one: for each partition in it.
fn fill(
    group: &Group,
    dialect: Dialect,
    gap: &FeedRange,
    partitions: &[PhysicalPartition],
    repair: &mut Repair,
) {
    for partition in partitions {
        let Some(part) = partition.range.intersection(gap) else {
            continue;
        };
        let is_whole = part == partition.range;
        let (form, token) = match dialect {
            Dialect::Net if is_whole && group.has_partition_leases() => {
                (Form::NetPartition, partition.id.clone())
            }
            Dialect::Net => (Form::NetRange, token_of(&part)),
            Dialect::JavaRange => (Form::JavaRange, token_of(&part)),
            Dialect::JavaPartition if is_whole => (Form::JavaPartition, partition.id.clone()),
            Dialect::JavaPartition => {
                repair.left.push((
                    token_of(&part),
                    "it is a part of a partition, for which Java's handleChanges has no leases"
                        .to_owned(),
                ));
                continue;
            }
        };
        repair.create.push(NewLease {
            form,
            token,
            range: part,
            etag: None,
            properties: json!({}),
        });
    }
}

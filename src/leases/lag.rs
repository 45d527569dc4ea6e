//! How far the leases of a group are behind, measured as of a job of our own.

use anyhow::Result;

use super::group::Group;
use super::lease::Checkpoint;
use super::ranges::range_of;
use crate::cosmos::partitions::PhysicalPartition;
use crate::cosmos::token::token_at;
use crate::feed::{ContainerAddress, Position, RangeId, RangeState};
use crate::measure::Watched;

/// What is measured of a group.
#[derive(Debug)]
pub(crate) struct Measurable {
    pub(crate) watched: Watched,
    /// The lease of each range, by its number in the group.
    pub(crate) leases: Vec<usize>,
}

/// The ranges and positions of a group's leases: of those whose range exists, and whose position has a form
/// that the feed understands.
///
/// # Errors
///
/// If there are more than ranges can be numbered.
pub(crate) fn measurable(
    group: &Group,
    partitions: &[PhysicalPartition],
    source: &ContainerAddress,
) -> Result<Measurable> {
    let mode = group.mode();
    let (mut ranges, mut names, mut leases) = (Vec::new(), Vec::new(), Vec::new());
    for (at, lease) in group.leases.iter().enumerate() {
        let Some(range) = range_of(lease, partitions) else {
            continue;
        };
        let position = match (&lease.checkpoint, lease.checkpoint.lsn()) {
            (Checkpoint::Unset, _) => None,
            (Checkpoint::At(etag), Some(lsn)) => Some(Position {
                token: token_at(&source.container_rid, mode, &range, etag),
                lsn: Some(lsn),
            }),
            _ => continue,
        };
        ranges.push(RangeState {
            id: RangeId(u32::try_from(ranges.len())?),
            range,
            snapshot: false,
            parents: Vec::new(),
            position,
            end: None,
        });
        names.push(lease.token.clone());
        leases.push(at);
    }
    let watched = Watched::of_others(source.clone(), mode, ranges, names);
    Ok(Measurable { watched, leases })
}

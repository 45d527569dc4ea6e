//! How far the feed of a container has been replayed.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::address::{describe, same_container};
use crate::error::usage;
use crate::feed::{
    ChangeFeedStart, ContainerAddress, FeedMode, FeedRange, PinnedEnd, Position, RangeId,
    RangeState, ensure_tiling,
};
use crate::job::check_position;
use crate::settings::FeedPlan;

/// How far a container's feed has been replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FeedState {
    /// The container.
    pub(super) source: ContainerAddress,
    pub(super) mode: FeedMode,
    /// Where ranges without a position start.
    pub(super) from: ChangeFeedStart,
    /// They tile the container.
    pub(super) ranges: Vec<RangeState>,
    /// The next number for a range.
    pub(super) next_range: u32,
}

/// What moves a feed.
#[derive(Debug)]
pub(super) enum FeedStep {
    /// A range is here, and this was known of its end by then.
    Moved(RangeId, Position, Option<PinnedEnd>),
    /// A range was split into these.
    Split(RangeId, Vec<RangeState>),
}

impl FeedState {
    /// Whether a replay of `source` goes on with this one.
    ///
    /// # Errors
    ///
    /// If it is of another container, is read otherwise, or has positions that cannot be used.
    pub(super) fn check(
        &self,
        source: &ContainerAddress,
        plan: &FeedPlan,
        anew: &str,
    ) -> Result<()> {
        if !same_container(&self.source, source) {
            return Err(usage(
                format!(
                    "the state is of a replay of {}, not of {}",
                    describe(&self.source),
                    describe(source)
                ),
                anew,
            ));
        }
        if (self.mode, self.from) != (plan.mode, plan.from) {
            return Err(usage(
                "the state is of a replay with another --mode or --from",
                anew,
            ));
        }
        ensure_tiling(
            &FeedRange::full(),
            self.ranges.iter().map(|range| &range.range),
        )?;
        self.ranges
            .iter()
            .try_for_each(|range| check_position(range, &self.source.container_rid))
    }

    /// Takes a step.
    pub(super) fn advance(&mut self, step: FeedStep) {
        match step {
            FeedStep::Moved(id, position, end) => {
                if let Some(range) = self.ranges.iter_mut().find(|range| range.id == id) {
                    range.position = Some(position);
                    // What was known once stays known.
                    range.end = end.or(range.end.take());
                }
            }
            FeedStep::Split(parent, children) => {
                if let Some(at) = self.ranges.iter().position(|range| range.id == parent) {
                    self.next_range += children.len() as u32;
                    self.ranges.splice(at..=at, children);
                }
            }
        }
    }

    /// The ranges that a split puts in the place of `parent`, with their numbers.
    pub(super) fn children(
        &self,
        parent: RangeId,
        parts: Vec<(FeedRange, Option<Position>)>,
    ) -> Result<Vec<RangeState>> {
        let known = self.ranges.iter().find(|range| range.id == parent);
        let known = known.with_context(|| format!("a split of the unknown range {parent}"))?;
        ensure_tiling(&known.range, parts.iter().map(|(range, _)| range))
            .with_context(|| format!("the children of range {parent} do not make it up"))?;
        let parents: Vec<RangeId> = known.parents.iter().copied().chain([parent]).collect();
        let numbered = parts.into_iter().zip(self.next_range..);
        Ok(numbered
            .map(|((range, position), id)| RangeState {
                id: RangeId(id),
                range,
                parents: parents.clone(),
                position,
                end: None,
            })
            .collect())
    }
}

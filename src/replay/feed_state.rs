//! How far the feed of a container has been replayed.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::address::{describe, is_state_of};
use crate::error::usage;
use crate::feed::{
    ChangeFeedStart, ContainerAddress, FeedMode, Part, PinnedEnd, Position, RangeId, RangeSet,
    RangeState, ReadUntil, Scope,
};
use crate::job::check_position;
use crate::settings::{FeedPlan, mode_text, start_text};
use crate::state::model::ShardOfPlan;

/// How far a container's feed has been replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedState {
    /// The container that is read.
    pub(crate) source: ContainerAddress,
    pub(crate) mode: FeedMode,
    /// Where ranges without a position start.
    pub(crate) from: ChangeFeedStart,
    /// The share of a plan that is read; all of the container if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) share: Option<FeedShare>,
    /// They tile what is read, and so do those of a snapshot, if there is one.
    #[serde(flatten)]
    pub(crate) ranges: RangeSet,
}

/// The share of a plan that is read of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedShare {
    /// Of which plan, and which one.
    pub(crate) shard: ShardOfPlan,
    /// How far each range is read.
    pub(crate) until: ReadUntil,
    /// Which part of the container it is.
    pub(crate) scope: Scope,
}

/// How a feed advances.
#[derive(Debug)]
pub(super) enum FeedStep {
    /// A range is at this position, with what is known of its end.
    Moved(RangeId, Position, Option<PinnedEnd>),
    /// A range was read to this end, of the snapshot or of a plan.
    Ended(RangeId, PinnedEnd),
    /// A range was split into these.
    Split(RangeId, Vec<Part>),
}

impl FeedState {
    /// Checks that a replay of `source` can continue this one.
    ///
    /// # Errors
    ///
    /// If it is of another container, is read in another way, or has unusable positions.
    pub(super) fn check(
        &self,
        source: &ContainerAddress,
        plan: &FeedPlan,
        share: Option<ShardOfPlan>,
        has_moved: bool,
        hint: &str,
    ) -> Result<()> {
        self.ensure_share(share, hint)?;
        if !is_state_of(&self.source, source, has_moved) {
            return Err(usage(
                format!(
                    "the state belongs to a replay of {}, not of {}",
                    describe(&self.source),
                    describe(source)
                ),
                hint,
            ));
        }
        let options = [
            ("--mode", mode_text(self.mode), mode_text(plan.mode)),
            ("--from", start_text(self.from), start_text(plan.from)),
        ];
        for (flag, own, given) in options {
            if own != given {
                return Err(usage(
                    format!(
                        "the state belongs to a replay with {flag} {own}, not with {flag} {given}"
                    ),
                    hint,
                ));
            }
        }
        if self.ranges.has_snapshot() != plan.snapshot {
            let (own, given) = match plan.snapshot {
                true => ("without", "with"),
                false => ("with", "without"),
            };
            return Err(usage(
                format!("the state belongs to a replay {own} --snapshot, not {given} --snapshot"),
                hint,
            ));
        }
        self.ranges.check(&self.scope())?;
        self.ranges
            .iter()
            .try_for_each(|range| check_position(range, &self.source.container_rid))
    }

    /// Checks that it is of this share of a plan.
    ///
    /// # Errors
    ///
    /// If it is of another one, or of none.
    pub(super) fn ensure_share(&self, share: Option<ShardOfPlan>, hint: &str) -> Result<()> {
        let own = self.share.as_ref().map(|own| own.shard);
        if own == share {
            return Ok(());
        }
        let described = |share: Option<ShardOfPlan>| match share {
            Some(share) => format!("the {share} of the plan {}", share.plan),
            None => "a whole container".to_owned(),
        };
        Err(usage(
            format!(
                "the state belongs to a replay of {}, not of {}",
                described(own),
                described(share)
            ),
            hint,
        ))
    }

    /// Which part of the container is read.
    pub(crate) fn scope(&self) -> Scope {
        let share = self.share.as_ref();
        share.map(|share| share.scope.clone()).unwrap_or_default()
    }

    /// Whether it is a share of a plan that was replayed to its end.
    pub(super) fn is_complete(&self) -> bool {
        self.share.is_some() && self.ranges.iter().all(RangeState::has_ended)
    }

    /// Whether a range that was read to its end is not read again.
    pub(super) fn is_done(&self, range: &RangeState) -> bool {
        range.is_done() || self.share.is_some() && range.has_ended()
    }

    /// Replaces a range with its parts.
    ///
    /// # Errors
    ///
    /// If there is no such range, or they do not tile it.
    pub(super) fn split(
        &mut self,
        parent: RangeId,
        children: Vec<Part>,
    ) -> Result<Vec<RangeState>> {
        let is_exact = |share: &FeedShare| share.until == ReadUntil::Exact;
        let end = match self.share.as_ref().is_some_and(is_exact) {
            // The next plan begins at the end of the whole range, in each of its parts.
            true => self.ranges.find(parent).and_then(|range| range.end.clone()),
            false => None,
        };
        let mut placed = self.ranges.split(parent, children)?;
        for child in &mut placed {
            if let Some(end) = &end {
                self.ranges.set_end(child.id, end.clone());
                child.end = Some(end.clone());
            }
        }
        Ok(placed)
    }

    /// Takes a step. Each was taken before by the reading side, from the same state and in the same order,
    /// so none can fail, and children get the same numbers.
    pub(super) fn advance(&mut self, step: FeedStep) {
        const TAKEN_BEFORE: &str = "the reading side took the same step";
        match step {
            FeedStep::Moved(id, position, end) => {
                self.ranges.advance(id, position).expect(TAKEN_BEFORE);
                // Knowledge of the end is never lost.
                if let Some(end) = end {
                    self.ranges.set_end(id, end);
                }
            }
            FeedStep::Ended(id, end) => {
                self.ranges.set_end(id, end);
            }
            FeedStep::Split(parent, children) => {
                self.split(parent, children).expect(TAKEN_BEFORE);
            }
        }
    }
}

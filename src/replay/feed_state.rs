//! How far the feed of a container has been replayed.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::address::{describe, is_state_of};
use crate::error::usage;
use crate::feed::{
    ChangeFeedStart, ContainerAddress, FeedMode, Part, PinnedEnd, Position, RangeId, RangeSet,
    Scope,
};
use crate::job::check_position;
use crate::settings::{FeedPlan, mode_text, start_text};

/// How far a container's feed has been replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedState {
    /// The container that is read.
    pub(crate) source: ContainerAddress,
    pub(crate) mode: FeedMode,
    /// Where ranges without a position start.
    pub(crate) from: ChangeFeedStart,
    /// They tile the container, and so do those of a snapshot, if there is one.
    #[serde(flatten)]
    pub(crate) ranges: RangeSet,
}

/// How a feed advances.
#[derive(Debug)]
pub(super) enum FeedStep {
    /// A range is at this position, with what is known of its end.
    Moved(RangeId, Position, Option<PinnedEnd>),
    /// A range of the snapshot was read to this end.
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
        has_moved: bool,
        hint: &str,
    ) -> Result<()> {
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
        self.ranges.check(&Scope::default())?;
        self.ranges
            .iter()
            .try_for_each(|range| check_position(range, &self.source.container_rid))
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
                self.ranges.split(parent, children).expect(TAKEN_BEFORE);
            }
        }
    }
}

//! A share of a plan: what of it one process reads, into files or into another container.

use anyhow::{Context, Result};

use super::Connected;
use super::start::ensure_is_of;
use crate::cosmos::cursor::FeedRequest;
use crate::error::{Annotate, ExitCode, usage};
use crate::feed::{Part, Piece, RangeSet, RangeState, Scope};
use crate::state::model::ShardOfPlan;
use crate::state::plan_file::{PlanFile, PlannedRange};

/// A share of a plan.
pub(crate) struct Share<'a> {
    file: &'a PlanFile,
    pieces: Vec<Piece>,
}

impl<'a> Share<'a> {
    /// The share that `shard` has of the plan in `file`.
    ///
    /// # Errors
    ///
    /// If the plan cannot be dealt to so many.
    pub(crate) fn of(file: &'a PlanFile, shard: ShardOfPlan) -> Result<Self> {
        let dealt = file.shares(shard.count).map_err(|error| {
            usage(
                format!(
                    "the plan cannot be dealt to {} shards: {error:#}",
                    shard.count
                ),
                "use fewer shards",
            )
        })?;
        let pieces = dealt.into_iter().nth(shard.index as usize);
        Ok(Self {
            file,
            pieces: pieces.context("the plan has no such share")?,
        })
    }

    /// Which part of the container it is.
    pub(crate) fn scope(&self) -> Scope {
        Scope {
            ranges: self
                .pieces
                .iter()
                .map(|piece| piece.bounds.clone())
                .collect(),
            partition_key: None,
        }
    }

    /// Checks that the container is the one of the plan, not another of its name.
    ///
    /// # Errors
    ///
    /// If it is another one.
    pub(crate) fn ensure_same(&self, connected: &Connected) -> Result<()> {
        ensure_is_of(
            &self.file.source,
            connected,
            "the plan",
            "it was deleted and created again: make another plan, for another output",
        )
        .exit_code(ExitCode::Usage)
    }

    /// Its ranges, with where they start and end.
    ///
    /// # Errors
    ///
    /// If the start of a range that is cut cannot be found out.
    pub(crate) async fn ranges(
        &self,
        connected: &Connected,
        request: &FeedRequest,
    ) -> Result<RangeSet> {
        let mut parts: Vec<Part> = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let PlannedRange { range, start, .. } = self.planned(piece)?;
            let start = match start {
                // That of a query only says that nothing of the range is needed.
                Some(start) if piece.bounds != *range && self.file.query().is_none() => {
                    let client = &connected.client;
                    let cut = client.cut(request, start, &piece.bounds).await?;
                    let unknown = || format!("the start of the range {range} is not known");
                    Some(cut.with_context(unknown)?)
                }
                start => start.clone(),
            };
            parts.push((piece.bounds.clone(), start));
        }
        let (mut ranges, next): (Vec<RangeState>, u32) = RangeSet::number(parts)?.into_parts();
        for (range, piece) in ranges.iter_mut().zip(&self.pieces) {
            range.end = self.planned(piece)?.end.clone();
        }
        Ok(RangeSet::from_parts(ranges, next))
    }

    fn planned(&self, piece: &Piece) -> Result<&PlannedRange> {
        let planned = self.file.ranges.get(piece.of);
        planned.context("the plan has no such range")
    }
}

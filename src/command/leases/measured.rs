//! The groups of a lease container with the lags and states of their leases.

use anyhow::Result;

use super::opened::Opened;
use crate::leases::{Assessed, Group, Intervals, measurable, rows};
use crate::measure::{self, Figures};
use crate::settings::LeasesPlan;

/// What is known of a group, and why its lag is not, if it is not.
pub(super) async fn assess<'g>(
    opened: &mut Opened<'_>,
    group: &'g Group,
    plan: &LeasesPlan,
) -> Result<(Assessed<'g>, Option<anyhow::Error>)> {
    let intervals = intervals_of(plan);
    let now = opened.now();
    let Some(connected) = opened.monitored(group).await? else {
        let rows = rows(group, None, &[], intervals, now);
        let all = Figures::default();
        return Ok((Assessed { group, rows, all }, None));
    };
    let partitions = connected.client.list_partitions(true).await?;
    let measurable = measurable(group, &partitions, &connected.source)?;
    let mut figures = vec![None; group.leases.len()];
    let (all, fault) = match measure::measure(&measurable.watched, &connected).await {
        Ok(lag) => {
            for range in &lag.ranges {
                let at = usize::try_from(range.range.0)?;
                figures[measurable.leases[at]] = Some(range.figures);
            }
            // What is not measured is part of it.
            let is_whole = measurable.leases.len() == group.leases.len();
            (
                if is_whole {
                    lag.all
                } else {
                    Figures::default()
                },
                None,
            )
        }
        Err(error) => (Figures::default(), Some(error)),
    };
    let rows = rows(group, Some(&partitions), &figures, intervals, opened.now());
    Ok((Assessed { group, rows, all }, fault))
}

/// The intervals of a plan.
pub(super) fn intervals_of(plan: &LeasesPlan) -> Intervals {
    Intervals {
        expiration: plan.expiration,
        stuck_after: plan.stuck_after,
    }
}

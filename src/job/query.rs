//! A query that is read instead of the feed: what of the container it concerns, and how it is requested.

use anyhow::{Context, Result};

use super::scope::{ranges_of, scope_of_partition_key};
use super::{Connected, masking};
use crate::cosmos::query_token;
use crate::feed::{Position, Query, RangeSet, Scope};
use crate::report::Report;
use crate::settings::QueryPlan;

/// What of the container a query concerns.
pub(super) struct Asked {
    pub(super) scope: Scope,
    /// The ranges of it, none of which has been read yet. Those that have no rows need no request: they count as
    /// answered.
    pub(super) ranges: RangeSet,
    /// Whether values are masked.
    pub(super) masked: bool,
}

/// Has the service plan a query that has not been read yet.
///
/// # Errors
///
/// If the service refuses it, it cannot be answered range by range, or values would be masked.
pub(super) async fn ask(
    connected: &Connected,
    asked: &QueryPlan,
    report: &Report,
) -> Result<Asked> {
    let masked = masking::check(connected, asked.masked, report).await?;
    let scope = if asked.partition_key.is_empty() {
        Scope::default()
    } else {
        scope_of_partition_key(&connected.client, &asked.partition_key)?
    };
    let client = &connected.client;
    let planned = client.plan_query(&asked.query).await?;
    let answered = query_token::answered(client.rid());
    let parts = ranges_of(client, &scope).await?.into_iter().map(|range| {
        let position = Position {
            token: answered.clone(),
            lsn: None,
        };
        let is_needless = scope.partition_key.is_none() && !planned.concerns(&range);
        (range, is_needless.then_some(position))
    });
    let ranges = RangeSet::number(parts)?;
    ranges
        .check(&scope)
        .context("the feed ranges returned by the service do not cover the container")?;
    Ok(Asked {
        scope,
        ranges,
        masked,
    })
}

/// Has the service plan a query that is continued.
///
/// # Errors
///
/// As [`ask`].
pub(super) async fn plan_again(
    connected: &Connected,
    query: &Query,
    is_masked: bool,
    is_finished: bool,
    report: &Report,
) -> Result<()> {
    if is_finished {
        report.notice(
            "the query was answered to its end before, so nothing more is read; for what it selects now, export to a \
             new place or with --force",
        );
        return Ok(());
    }
    // The right to see values may have been taken away since.
    masking::check(connected, is_masked, report).await?;
    connected.client.plan_query(query).await.map(|_| ())
}

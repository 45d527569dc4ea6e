//! The `compare` subcommand: two sides, document by document.

use std::sync::Arc;

use anyhow::Result;

use super::account::Account;
use super::{compared_database, monitoring};
use crate::compare::{self, Sides};
use crate::error::{ExitCode, with_further_hint};
use crate::report::Report;
use crate::settings::{ComparePlan, ComparedSide, DatabaseComparison, Given, Names, table};
use crate::signal::Shutdown;

/// Compares two sides.
pub(super) async fn run(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    if let Some(plan) = DatabaseComparison::new(given)? {
        return Box::pin(compared_database::run(account, &plan, report, shutdown)).await;
    }
    let plan = ComparePlan::new(given)?;
    let of_profile = given.clone().with_profile(account.profile()?);
    let monitor = monitoring::start(&of_profile, report).await?;
    let retries = plan.retry_limit;
    let source = match &plan.source {
        ComparedSide::Files(_) => None,
        ComparedSide::Container(named) => named.clone(),
    };
    let has_target = matches!(plan.target, ComparedSide::Container(_));
    let names_target = [&table::DATABASE.row, &table::CONTAINER.row].map(|row| given.is_typed(row));
    let forgets_target = has_target && source.is_none() && !names_target.contains(&true);
    let connect = async || {
        if source.is_none() && !has_target {
            return Ok(Sides::default());
        }
        let target = if has_target {
            account
                .target_plan()
                .map_err(|error| match forgets_target {
                    true => with_further_hint(error, "or compare with another export: --with DIR"),
                    false => error,
                })?
        } else {
            account.account_plan(Names::IfTyped)?
        };
        let source = source
            .map(|named| account.source_plan(&target, &named))
            .transpose()?;
        let source = match source {
            Some(source) => Some(account.connect(source, retries, report).await?),
            None => None,
        };
        let target = if has_target {
            Some(account.connect(target, retries, report).await?)
        } else {
            None
        };
        Ok(Sides {
            source,
            target,
            ..Sides::default()
        })
    };
    let compared = compare::compare(connect, plan, &monitor, report, shutdown).await?;
    Ok(compared.code)
}

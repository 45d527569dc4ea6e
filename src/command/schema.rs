//! The `schema` subcommand: the columns that the documents of a container have.

use std::sync::Arc;

use anyhow::Result;

use super::account::Account;
use crate::error::ExitCode;
use crate::job;
use crate::report::Report;
use crate::settings::{Compared, Given, SchemaPlan};
use crate::signal::Shutdown;

/// Samples documents and prints their columns.
pub(super) async fn run(
    account: &Account,
    given: Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let given = given.with_profile(account.profile()?);
    let plan = SchemaPlan::new(&given)?;
    for value in given.option_values()? {
        report.detail(&value.to_string());
    }
    let retries = plan.settings.max_retries;
    let Some(place) = &plan.diff else {
        let connected = account.connect(account.plan()?, retries, report).await?;
        return job::schema(connected, plan, report, shutdown).await;
    };
    let compared = Compared::read(place, plan.inference.without_system_fields)?;
    let connection = match &compared.state {
        Some(state) => account.plan_of(&state.source)?,
        None => account.plan()?,
    };
    let connected = account.connect(connection, retries, report).await?;
    job::diff(connected, plan, compared, report, shutdown).await
}

//! The `plan` subcommand: what an export by many processes will read.

use std::sync::Arc;

use anyhow::Result;

use super::account::Account;
use crate::error::ExitCode;
use crate::feed::ContainerAddress;
use crate::job;
use crate::report::Report;
use crate::settings::{Given, NewPlan};
use crate::signal::Shutdown;

/// Writes a plan.
pub(super) async fn run(
    account: &Account,
    given: Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let given = given.with_profile(account.profile()?);
    let plan = NewPlan::new(&given)?;
    for value in given.option_values()? {
        report.detail(&value.to_string());
    }
    let retries = plan.settings.max_retries;
    let connect = async |earlier: Option<&ContainerAddress>| {
        let connection = match earlier {
            Some(source) => account.plan_of(source)?,
            None => account.plan()?,
        };
        account.connect(connection, retries, report).await
    };
    account
        .until_stopped(Box::pin(job::plan(connect, plan, report, shutdown)))
        .await?
}

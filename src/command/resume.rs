//! The `resume` subcommand: the rest of an export, by its state.

use std::sync::Arc;

use anyhow::Result;

use super::account::Account;
use super::{database, monitoring};
use crate::error::ExitCode;
use crate::feed::ContainerAddress;
use crate::job;
use crate::report::Report;
use crate::settings::{DatabasePlan, Given, ResumePlan};
use crate::signal::Shutdown;

/// Continues an export from its last commit.
pub(super) async fn run(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    if let Some(plan) = DatabasePlan::of_resume(given)? {
        return Box::pin(database::run(account, plan, report, shutdown)).await;
    }
    let plan = ResumePlan::new(given)?;
    let of_profile = given.clone().with_profile(account.profile()?);
    let monitor = monitoring::start(&of_profile, report).await?;
    let connect = async |source: &ContainerAddress, retries| {
        let connection = account.plan_of(source)?;
        account.connect(connection, retries, report).await
    };
    Box::pin(job::resume(connect, plan, &monitor, report, shutdown)).await
}

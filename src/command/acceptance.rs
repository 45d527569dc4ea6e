//! The `acceptance` subcommand: the test of an account.

use std::sync::Arc;

use anyhow::Result;

use super::account::Account;
use crate::acceptance;
use crate::error::{ExitCode, usage};
use crate::report::Report;
use crate::settings::{AcceptancePlan, Given, Names};
use crate::signal::Shutdown;

/// Runs the test, or deletes what an earlier one has left.
pub(super) async fn run(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let plan = AcceptancePlan::new(given)?;
    if !plan.clean_up {
        report.notice(&acceptance::estimate(&plan));
        if !plan.begins {
            return Err(usage(
                "nothing was created: --yes is missing",
                "add --yes to begin",
            ));
        }
    }
    let mut connection = account.account_plan(Names::IfTyped)?;
    connection.connect.database.clone_from(&plan.database);
    connection.connect.container = acceptance::MARKER_CONTAINER.to_owned();
    let (options, connected) = account.connect_with_options(connection, report).await?;
    if plan.clean_up {
        let cleaned = acceptance::clean_up(&connected, &plan, report);
        return account.until_stopped(cleaned).await?;
    }
    Box::pin(acceptance::run(
        &connected, &options, &plan, report, shutdown,
    ))
    .await
}

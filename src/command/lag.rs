//! The `lag` subcommand: how far a job is behind its container, by its state.

use std::sync::Arc;

use anyhow::Result;

use super::account::{Account, connect_retries};
use crate::error::ExitCode;
use crate::measure::{self, Watched};
use crate::report::Report;
use crate::settings::{Given, LagPlan};
use crate::signal::Shutdown;

/// Measures the lag once, or until stopped.
pub(super) async fn run(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let plan = LagPlan::new(given)?;
    let watched = Watched::read(&plan.state_path)?;
    let connection = account.plan_of(watched.source())?;
    let connected = account
        .connect(connection, connect_retries()?, report)
        .await?;
    measure::lag(watched, connected, &plan, report, shutdown).await
}

//! The `verify` subcommand: an export checked against its state and manifest.

use anyhow::Result;

use crate::error::ExitCode;
use crate::report::Report;
use crate::settings::{Given, VerifyPlan};
use crate::signal::Shutdown;
use crate::verify;

/// Checks an export and prints what was found.
pub(super) async fn run(given: &Given, report: &Report, shutdown: &Shutdown) -> Result<ExitCode> {
    verify::verify(VerifyPlan::new(given)?, report, shutdown).await
}

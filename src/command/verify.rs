//! The `verify` subcommand: an export checked against its state and manifest.

use anyhow::Result;

use crate::error::ExitCode;
use crate::report::Report;
use crate::settings::{Given, VerifyPlan};
use crate::signal::Shutdown;
use crate::state::database_file::DatabaseFile;
use crate::verify;

/// Checks an export, or those of a database, and prints what was found.
pub(super) async fn run(given: &Given, report: &Report, shutdown: &Shutdown) -> Result<ExitCode> {
    let plan = VerifyPlan::new(given)?;
    let path = plan.path.path().filter(|_| plan.place.is_none());
    match path.and_then(DatabaseFile::named) {
        Some(directory) => verify::verify_database(directory, plan, report, shutdown).await,
        None => verify::verify(plan, report, shutdown).await,
    }
}

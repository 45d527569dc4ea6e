//! The `completions` subcommand: the completion script of a shell.

use anyhow::Result;

use super::generate;
use crate::error::ExitCode;
use crate::report::Report;
use crate::settings::{Given, table};

/// Prints the script.
pub(super) fn run(given: &Given, report: &Report) -> Result<ExitCode> {
    let script = generate::completions(given.get(&table::SHELL)?);
    report.print_data(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::Done)
}

//! The standard streams that a command needs.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cli::Command;
use crate::cli::location::Location;
use crate::error::usage;
use crate::process;
use crate::settings::{Given, table};

/// Refuses to run with a closed standard stream that the command needs: output would be lost silently,
/// and input would appear to be empty. Only the state knows where a `resume` writes.
pub(super) fn ensure_streams(given: &Given) -> Result<()> {
    let prints = match given.command() {
        Command::Ranges
        | Command::Lag
        | Command::Leases
        | Command::LeasesList
        | Command::LeasesCheck
        | Command::LeasesRepair
        | Command::LeasesReset
        | Command::LeasesRelease
        | Command::LeasesExport
        | Command::LeasesImport
        | Command::LeasesAdopt
        | Command::Schema
        | Command::Verify
        | Command::Ls
        | Command::Definitions
        | Command::Profiles
        | Command::ProfilesTest
        | Command::Acceptance
        | Command::Completions => true,
        #[cfg(feature = "demo")]
        Command::Demo => true,
        Command::Tail => given
            .typed(&table::TAIL_OUTPUT)
            .is_none_or(|output| output.is_standard_stream()),
        Command::Export => given.get(&table::EXPORT_OUTPUT)?.is_standard_stream(),
        Command::Replay => given.is_on(&table::TO_STDOUT),
        Command::Plan => given.get(&table::PLAN_OUTPUT)?.is_standard_stream(),
        Command::Compare => given
            .typed(&table::DIFFERENCES)
            .is_some_and(|report| report.is_standard_stream()),
        Command::Resume | Command::ProfilesAdd | Command::ProfilesUse => false,
    };
    if prints {
        process::ensure_standard_output()?;
    }
    let sources = given.list(&table::SOURCES);
    let reads_source = sources.iter().any(Location::is_standard_stream);
    let key_file = given.typed(&table::KEY_FILE);
    let is_input = |path: Option<PathBuf>| path.is_some_and(|path| path == Path::new("-"));
    let reads_leases = is_input(given.typed(&table::IMPORTED));
    let plans = [
        &table::AFTER,
        &table::EXPORT_PLAN,
        &table::REPLAY_PLAN,
        &table::SCHEMA_PLAN,
    ];
    let is_stream = |plan: Option<Location>| plan.is_some_and(|plan| plan.is_standard_stream());
    let reads_plan = plans.into_iter().any(|plan| is_stream(given.typed(plan)));
    let reads_key = is_input(key_file);
    if reads_plan && reads_key {
        return Err(usage(
            "both the plan and the account key would be read from standard input",
            "give the key as AZURE_COSMOS_KEY, or in a file",
        ));
    }
    if reads_source || reads_leases || reads_plan || reads_key {
        process::ensure_standard_input()?;
    }
    Ok(())
}

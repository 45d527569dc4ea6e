//! From the command line to the exit code.

use std::sync::Arc;

use anyhow::Result;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::account::Account;
#[cfg(feature = "demo")]
use super::demo;
use super::streams::ensure_streams;
use super::{
    acceptance, compare, completions, definitions, export, lag, leases, ls, plan, profiles, ranges,
    replay, resume, schema, tail, verify,
};
use crate::cli::Command;
use crate::error::ExitCode;
use crate::process;
use crate::report::{LogFormat, LogLine, Report};
use crate::settings::{Given, table};
use crate::signal::Shutdown;

/// Runs a command to its end, or until a stop is requested.
///
/// # Errors
///
/// Any error of the command, with the exit code and the hint for the user attached.
pub async fn run(given: Given, report: &Arc<Report>, shutdown: &Shutdown) -> Result<ExitCode> {
    let account = Account::new(&given, shutdown)?;
    let log = log_format(&given, &account);
    if let Ok(log) = log {
        report.set_log_format(log);
    }
    if report.log_format() == LogFormat::Json {
        process::capture_children();
    }
    log_to_stderr(given.verbosity().verbose, report);
    log?;
    ensure_streams(&given)?;
    match given.command() {
        // A job holds its state, too much for the future of all commands.
        Command::Export => Box::pin(export::run(&account, given, report, shutdown)).await,
        Command::Plan => Box::pin(plan::run(&account, given, report, shutdown)).await,
        Command::Resume => Box::pin(resume::run(&account, &given, report, shutdown)).await,
        Command::Tail => Box::pin(tail::run(&account, given, report, shutdown)).await,
        Command::Replay => Box::pin(replay::run(&account, &given, report, shutdown)).await,
        Command::Compare => Box::pin(compare::run(&account, &given, report, shutdown)).await,
        Command::Acceptance => Box::pin(acceptance::run(&account, &given, report, shutdown)).await,
        Command::Lag => Box::pin(lag::run(&account, &given, report, shutdown)).await,
        // Without a command below it, the help was printed.
        Command::Leases | Command::LeasesList => {
            Box::pin(leases::list::run(&account, &given, report, shutdown)).await
        }
        Command::LeasesCheck => Box::pin(leases::check::run(&account, &given, report)).await,
        Command::LeasesRepair => Box::pin(leases::repair::run(&account, &given, report)).await,
        Command::LeasesReset | Command::LeasesRelease => {
            Box::pin(leases::reset::run(&account, &given, report)).await
        }
        Command::LeasesExport => {
            Box::pin(leases::transfer::export_group(&account, &given, report)).await
        }
        Command::LeasesImport => {
            Box::pin(leases::transfer::import_group(&account, &given, report)).await
        }
        Command::LeasesAdopt => Box::pin(leases::adopt::run(&account, &given, report)).await,
        Command::Verify => verify::run(&given, report, shutdown).await,
        Command::Schema => Box::pin(schema::run(&account, given, report, shutdown)).await,
        Command::Ranges => Box::pin(ranges::run(&account, &given, report)).await,
        Command::Ls => Box::pin(ls::run(&account, &given, report)).await,
        Command::Definitions => Box::pin(definitions::run(&account, &given, report)).await,
        Command::Profiles => profiles::list::run(&given, report),
        Command::ProfilesAdd => profiles::add::run(&given, report),
        Command::ProfilesUse => profiles::choose::run(&given, report),
        Command::ProfilesTest => Box::pin(profiles::doctor::run(&account, &given, report)).await,
        #[cfg(feature = "demo")]
        Command::Demo => demo::run(&given, report, shutdown).await,
        Command::Completions => completions::run(&given, report),
    }
}

/// How to print messages: as a flag, a variable or a profile says.
fn log_format(given: &Given, account: &Account) -> Result<LogFormat> {
    // The command reports a profile that cannot be read, if it needs one.
    let profile = account.profile().ok().flatten();
    given.clone().with_profile(profile).get(&table::LOG_FORMAT)
}

/// Sends the log of the SDK and its libraries to standard error: warnings with `-vv`, everything with
/// `-vvv`.
fn log_to_stderr(verbose: u8, report: &Arc<Report>) {
    let level = match verbose {
        0 | 1 => return,
        2 => LevelFilter::WARN,
        _ => LevelFilter::DEBUG,
    };
    // Initializing fails only in tests, which share a process that has done it already.
    let log = tracing_subscriber::fmt()
        .with_writer(LogLines(Arc::clone(report)))
        .with_ansi(false)
        .with_max_level(level)
        .with_target(true)
        // Otherwise a failed write to standard error would be reported on standard error, and panic.
        .log_internal_errors(false);
    match report.log_format() {
        LogFormat::Text => log.try_init().ok(),
        // The object has both.
        LogFormat::Json => log.without_time().with_level(false).try_init().ok(),
    };
}

/// Makes a line of each event of the SDK's log.
struct LogLines(Arc<Report>);

impl MakeWriter<'_> for LogLines {
    type Writer = LogLine;

    fn make_writer(&self) -> LogLine {
        LogLine::new(&self.0, &Level::DEBUG)
    }

    fn make_writer_for(&self, event: &Metadata<'_>) -> LogLine {
        LogLine::new(&self.0, event.level())
    }
}

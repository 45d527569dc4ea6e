//! The `demo` subcommand: an embedded account that other programs can reach.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use super::monitoring;
use crate::demo;
use crate::error::ExitCode;
use crate::monitor::{Direction, Emulated, Monitor};
use crate::report::Report;
use crate::settings::{Given, table};
use crate::signal::Shutdown;

/// Runs an embedded account until it is stopped.
pub(super) async fn run(given: &Given, report: &Report, shutdown: &Shutdown) -> Result<ExitCode> {
    let monitor = monitoring::start(given, report).await?;
    shutdown.begin()?;
    let log = |line: &str| report.notice(line);
    let mut stdout = std::io::stdout();
    if stdout.is_terminal() {
        report.notice(
            "the variables below let other programs reach the account; type `split`, `split ID`, \
             `merge ID ID` or `quit`",
        );
    }
    let options = demo::ForegroundOptions {
        account: demo::DemoOptions {
            port: given.get(&table::PORT)?,
            documents: given.get(&table::DOCUMENTS)?,
            partitions: given.get(&table::PARTITIONS)?,
            previous_images: given.is_on(&table::PREVIOUS_IMAGES),
            ..demo::DemoOptions::default()
        },
        writes_per_second: given.get(&table::WRITES_PER_SECOND)?,
        split_every: given.typed(&table::SPLIT_EVERY),
    };
    demo::run_foreground(
        &options,
        &mut stdout,
        demo::stdin_lines(),
        log,
        watch(&monitor),
        shutdown.requested(),
    )
    .await?;
    // A stop is its normal end.
    Ok(ExitCode::Done)
}

/// Has the monitor show what happens to an account.
fn watch(monitor: &Monitor) -> impl Fn(demo::Moment<'_>) {
    let emulated = Mutex::new(Emulated::default());
    move |moment| {
        let mut emulated = emulated.lock().unwrap_or_else(PoisonError::into_inner);
        match moment {
            demo::Moment::Started(account) => {
                monitor.exchanges(Direction::Serve, Arc::clone(account.traffic()));
            }
            demo::Moment::Filled => emulated.is_filled = true,
            demo::Moment::Wrote(operation) => {
                *emulated.changes.entry(operation).or_default() += 1;
            }
            demo::Moment::Split => emulated.splits += 1,
            demo::Moment::Merged => emulated.merges += 1,
        }
        monitor.emulated(&emulated);
    }
}

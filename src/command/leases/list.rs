//! `leases list`: the leases of a lease container.

use std::sync::Arc;

use anyhow::{Result, anyhow};

use super::measured::assess;
use super::opened::{Opened, Wanted};
use crate::clock;
use crate::command::account::Account;
use crate::error::{ExitCode, hint, with_exit_code, with_hint};
use crate::leases::{Assessed, GroupObject, List, shown_name, table_of};
use crate::process;
use crate::report::{Report, TableFormat};
use crate::settings::{Given, LeasesPlan, Names};
use crate::signal::Shutdown;

/// The width of the table if standard output is no terminal.
const DEFAULT_WIDTH: usize = 80;

/// Lists the leases once, or until stopped.
pub(in crate::command) async fn run(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
    shutdown: &Shutdown,
) -> Result<ExitCode> {
    let plan = LeasesPlan::new(given)?;
    let mut opened = Opened::open(account, &plan.leases, Names::IfTyped, report).await?;
    loop {
        let code = list_once(account, &mut opened, &plan, report).await?;
        let Some(pause) = plan.watch else {
            return Ok(code);
        };
        tokio::select! {
            () = shutdown.requested() => {
                return Ok(shutdown.reason().unwrap_or(ExitCode::Interrupted));
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn list_once(
    account: &Account,
    opened: &mut Opened<'_>,
    plan: &LeasesPlan,
    report: &Report,
) -> Result<ExitCode> {
    let charged = opened.charged();
    let wanted = Wanted {
        group: plan.group.as_deref(),
    };
    let groups = opened.groups(&wanted).await?;
    let mut assessed = Vec::with_capacity(groups.len());
    let mut faults = Vec::new();
    for group in &groups {
        let work = assess(opened, group, plan);
        let (known, fault) = account.until_stopped(work).await??;
        assessed.push(known);
        faults.extend(fault);
    }
    match plan.format {
        TableFormat::Json => {
            let object = List {
                time: clock::now(),
                leases: opened.name(),
                groups: assessed.iter().map(GroupObject::from).collect(),
                request_charge: opened.charged() - charged,
            };
            // Watched, each is a line.
            report.print_json(&object, plan.watch.is_none())?;
        }
        TableFormat::Table if assessed.iter().all(|group| group.rows.is_empty()) => {
            report.notice(&format!("`{}` has no leases", opened.name()));
        }
        TableFormat::Table => {
            let width = process::columns_of_standard_output().unwrap_or(DEFAULT_WIDTH);
            let width = if plan.wide { usize::MAX } else { width };
            report.print_table(&table_of(&assessed, width))?;
            if plan.watch.is_some() {
                report.print_data("\n")?;
            }
        }
    }
    for group in &assessed {
        explain(group, &assessed, report);
    }
    ended(faults, report)
}

/// Says of what has a reason why it is as it is.
fn explain(known: &Assessed<'_>, all: &[Assessed<'_>], report: &Report) {
    /// More would push the table off the screen.
    const MAX_NOTES: usize = 10;
    let notes = known.rows.iter().filter(|row| row.note.is_some());
    for row in notes.clone().take(MAX_NOTES) {
        let note = row.note.as_deref().unwrap_or_default();
        let id = row.id.as_deref().unwrap_or(&row.token);
        report.warning(&format!("`{id}`: {note}"));
    }
    if let Some(more) = notes
        .count()
        .checked_sub(MAX_NOTES)
        .filter(|more| *more > 0)
    {
        report.warning(&format!("{more} more; --format json has them all"));
    }
    if known.group.place.is_none() {
        report.warning(&format!(
            "the container that the group `{}` reads does not exist any more, or was recreated",
            shown_name(known.group, all)
        ));
    }
}

/// Reports why lags are not known: each reason once, since one cause usually affects all.
fn ended(faults: Vec<anyhow::Error>, report: &Report) -> Result<ExitCode> {
    let number = faults.len();
    for fault in &faults {
        report.warning(&format!("{fault:#}"));
    }
    let Some(last) = faults.into_iter().next() else {
        return Ok(ExitCode::Done);
    };
    let hint = hint(&last).unwrap_or("try again later").to_owned();
    let incomplete = anyhow!("the lag of {number} groups could not be measured");
    Err(with_exit_code(
        with_hint(incomplete, hint),
        ExitCode::Failed,
    ))
}

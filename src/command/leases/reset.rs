//! `leases reset` and `leases release`: leases get a new position, or are taken from their instances.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::opened::Opened;
use crate::cli::Command;
use crate::clock;
use crate::command::account::Account;
use crate::count::{count, was};
use crate::error::{ExitCode, with_hint};
use crate::escape::escape_for_terminal;
use crate::feed::lsn_of_etag;
use crate::leases::{Change, Changing, Group, Lease, ensure_possible, etag_at, is_held, range_of};
use crate::nearest::bounded;
use crate::process;
use crate::report::{Align, Report, Table};
use crate::settings::{Given, GroupPlan, Names, ResetPlan};

/// The width of the table if standard output is no terminal.
const DEFAULT_WIDTH: usize = 80;

/// Resets or releases leases, as the command says.
pub(in crate::command) async fn run(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
) -> Result<ExitCode> {
    let plan = GroupPlan::new(given)?;
    let reset = match given.command() {
        Command::LeasesReset => Some(ResetPlan::new(given, &plan)?),
        _ => None,
    };
    let mut opened = Opened::open(account, &plan.leases, Names::IfTyped, report).await?;
    let group = opened.group(&plan.group).await?;
    let connected = match &reset {
        Some(reset) => {
            ensure_possible(group.mode(), &reset.to)?;
            Some(opened.monitored_of(&group).await?)
        }
        None => None,
    };
    let selected = select(&group, &plan.ranges)?;
    if !plan.dry_run {
        ensure_free(&selected, &plan)?;
    }
    let partitions = match &connected {
        Some(connected) => connected.client.list_partitions(true).await?,
        None => Vec::new(),
    };
    let mut changes = Vec::with_capacity(selected.len());
    for lease in selected {
        let range = range_of(lease, &partitions);
        let etag = match (&connected, &reset) {
            (Some(connected), Some(reset)) => {
                let Some(range) = &range else {
                    return Err(anyhow!(
                        "the lease `{}` cannot be reset: its partition does not exist any more",
                        escape_for_terminal(&lease.token)
                    ));
                };
                let find = etag_at(
                    &connected.client,
                    group.mode(),
                    range,
                    &partitions,
                    &reset.to,
                );
                Some(account.until_stopped(find).await??)
            }
            _ => None,
        };
        changes.push(Change {
            lease: lease.clone(),
            etag,
            range,
        });
    }
    print(&changes, reset.is_some(), report)?;
    warn_of_others(&group, report);
    if plan.dry_run {
        report.notice("nothing was changed, because of --dry-run");
        return Ok(ExitCode::Done);
    }
    let leases = Arc::clone(&opened.leases.client);
    let changing = Changing {
        client: &leases,
        keyed_by: opened.keyed_by,
        target: &group.prefix.target,
        rid: connected
            .as_ref()
            .map_or("", |connected| connected.client.rid()),
        mode: group.mode(),
        force: plan.force,
        expiration: plan.expiration,
    };
    let settle = reset.as_ref().map_or(Duration::ZERO, |reset| reset.settle);
    let changed = account
        .until_stopped(changing.make(&changes, settle))
        .await??;
    let done = if reset.is_some() { "reset" } else { "released" };
    report.notice(&format!("{} {done}", count(changed.done as u64, "lease")));
    if changed.repeated > 0 {
        report.notice(&format!(
            "positions that instances brought back were written again: {}",
            changed.repeated
        ));
    }
    for (lease, reason) in &changed.failed {
        report.warning(&format!("the lease `{lease}` was not {done}: {reason}"));
    }
    if changed.failed.is_empty() {
        return Ok(ExitCode::Done);
    }
    Err(with_hint(
        anyhow!("{} not {done}", were(changed.failed.len())),
        "stop the processor, and run this again: what was done is not done twice",
    ))
}

fn were(leases: usize) -> String {
    let leases = leases as u64;
    format!("{} {}", count(leases, "lease"), was(leases))
}

/// The leases that are named, or all.
fn select<'g>(group: &'g Group, named: &[String]) -> Result<Vec<&'g Lease>> {
    if named.is_empty() {
        if group.leases.is_empty() {
            return Err(with_hint(
                anyhow!(
                    "the group `{}` has no leases",
                    escape_for_terminal(&group.prefix.name)
                ),
                "`cosmos-tail leases check` says what is wrong with it",
            ));
        }
        return Ok(group.leases.iter().collect());
    }
    let mut selected: Vec<&Lease> = Vec::new();
    for name in named {
        let mut own = group
            .leases
            .iter()
            .filter(|lease| lease.token.eq_ignore_ascii_case(name) || lease.id == *name)
            .peekable();
        if own.peek().is_none() {
            let tokens: Vec<&str> = group
                .leases
                .iter()
                .map(|lease| lease.token.as_str())
                .collect();
            return Err(with_hint(
                anyhow!(
                    "the group `{}` has no lease `{}`",
                    escape_for_terminal(&group.prefix.name),
                    escape_for_terminal(name)
                ),
                format!("its leases are {}", bounded(&tokens)),
            ));
        }
        for lease in own {
            if !selected.iter().any(|other| other.id == lease.id) {
                selected.push(lease);
            }
        }
    }
    Ok(selected)
}

/// Refuses leases that instances have.
fn ensure_free(leases: &[&Lease], plan: &GroupPlan) -> Result<()> {
    let held: Vec<&Lease> = leases
        .iter()
        .copied()
        .filter(|lease| is_held(lease, plan.expiration, clock::now()))
        .collect();
    if held.is_empty() || plan.force {
        return Ok(());
    }
    let mut owners: Vec<&str> = held
        .iter()
        .filter_map(|lease| lease.owner.as_deref())
        .collect();
    owners.sort_unstable();
    owners.dedup();
    let which = if held.len() == leases.len() {
        format!("all {} leases", held.len())
    } else {
        format!("{} of {} leases", held.len(), leases.len())
    };
    Err(with_hint(
        anyhow!("instances have {which}: {}", bounded(&owners)),
        format!(
            "stop the processor, and wait until its leases have expired ({}); or take them with --force",
            humantime::format_duration(plan.expiration)
        ),
    ))
}

/// Prints what will be done.
fn print(changes: &[Change], is_reset: bool, report: &Report) -> Result<()> {
    let dash = || "-".to_owned();
    let position = |lsn: Option<u64>| lsn.map_or_else(dash, |lsn| lsn.to_string());
    let width = process::columns_of_standard_output().unwrap_or(DEFAULT_WIDTH);
    let columns = [
        ("LEASE", Align::Left),
        ("OWNER", Align::Left),
        ("POSITION", Align::Right),
    ];
    let cells = changes.iter().map(|change| {
        let lease = &change.lease;
        [
            lease.token.clone(),
            lease.owner.clone().unwrap_or_else(dash),
            position(lease.checkpoint.lsn()),
        ]
    });
    if !is_reset {
        let mut table = Table::new(columns);
        cells.for_each(|cells| table.push(cells));
        table.cut(width, &[0, 1]);
        return report.print_table(&table);
    }
    let [lease, owner, before] = columns;
    let mut table = Table::new([lease, owner, before, ("NEW POSITION", Align::Right)]);
    for (change, [lease, owner, before]) in changes.iter().zip(cells) {
        let after = position(change.etag.as_deref().and_then(lsn_of_etag));
        table.push([lease, owner, before, after]);
    }
    table.cut(width, &[0, 1]);
    report.print_table(&table)
}

/// Says what is left alone.
pub(super) fn warn_of_others(group: &Group, report: &Report) {
    for foreign in &group.foreign {
        report.warning(&format!(
            "`{}` is left alone: {}",
            foreign.id, foreign.reason
        ));
    }
}

//! `leases reset` and `leases release`: leases get a new position, or are taken from their instances.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use time::OffsetDateTime;

use super::opened::Opened;
use crate::cli::Command;
use crate::command::account::Account;
use crate::count::{count, was};
use crate::error::{ExitCode, with_hint};
use crate::escape::escape_for_terminal;
use crate::feed::lsn_of_etag;
use crate::job::Connected;
use crate::leases::{
    Change, Changed, Changing, Feeds, Group, Lease, Purpose, ensure_possible, etag_at, is_alive,
    range_of,
};
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
    if let Some(reset) = &reset {
        ensure_possible(group.mode(), &reset.to)?;
        ensure_mode_is_known(&group)?;
    }
    let selected = select(&group, &plan.ranges)?;
    if !plan.dry_run && !plan.force {
        let way_out = "; or take them with --force";
        ensure_free(&selected, plan.expiration, opened.now(), way_out)?;
    }
    let (changes, rid) = match &reset {
        Some(reset) => {
            let connected = opened.monitored_of(&group).await?;
            let moved = moved(account, &connected, &group, &selected, reset).await?;
            (moved, connected.source.container_rid)
        }
        None => (
            selected.iter().map(|lease| freed(lease)).collect(),
            String::new(),
        ),
    };
    print(&changes, reset.is_some(), report)?;
    warn_of_others(&group, report);
    if reset.is_some() {
        say_what_wins(&group, report);
    }
    if plan.dry_run {
        report.notice("nothing was changed, because of --dry-run");
        return Ok(ExitCode::Done);
    }
    let changing = Changing {
        client: &opened.leases.client,
        keyed_by: opened.keyed_by,
        target: &group.prefix.target,
        rid: &rid,
        mode: group.mode(),
        force: plan.force,
        expiration: plan.expiration,
        clock_ahead: opened.clock_ahead,
    };
    let settle = reset.as_ref().map_or(Duration::ZERO, |reset| reset.settle);
    let changed = changing.make(&changes, settle);
    let changed = account.until_stopped(changed).await??;
    ended(&changed, reset.is_some(), report)
}

/// Reports what a reset means for what the group feeds.
fn say_what_wins(group: &Group, report: &Report) {
    let purpose = group.copy.as_ref().and_then(Purpose::of);
    if let Some(Feeds::Files(place)) = purpose.map(|purpose| purpose.feeds) {
        report.notice(&format!(
            "the states of the files at `{}` win: instances go on where they end, whatever earlier position a lease has; the \
             changes up to a later one are left out, and `cosmos-tail verify` names them",
            escape_for_terminal(&place.address)
        ));
    }
}

/// Reports what became of the leases.
fn ended(changed: &Changed, is_reset: bool, report: &Report) -> Result<ExitCode> {
    let done = if is_reset { "reset" } else { "released" };
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

/// Leases at their new positions.
async fn moved(
    account: &Account,
    connected: &Connected,
    group: &Group,
    leases: &[&Lease],
    reset: &ResetPlan,
) -> Result<Vec<Change>> {
    let partitions = connected.client.list_partitions(true).await?;
    let mut changes = Vec::with_capacity(leases.len());
    for lease in leases {
        let Some(range) = range_of(lease, &partitions) else {
            return Err(with_hint(
                anyhow!(
                    "the lease `{}` cannot be reset: its partition does not exist any more",
                    escape_for_terminal(&lease.token)
                ),
                "choose other leases with --range; `cosmos-tail leases check` says what is wrong with this one",
            ));
        };
        let client = &connected.client;
        let find = etag_at(client, group.mode(), &range, &partitions, &reset.to);
        changes.push(Change {
            etag: Some(account.until_stopped(find).await??),
            range: Some(range),
            ..freed(lease)
        });
    }
    Ok(changes)
}

fn freed(lease: &Lease) -> Change {
    Change {
        lease: lease.clone(),
        etag: None,
        range: None,
    }
}

/// Refuses a group of Java of which no lease says which feed it is of: the position would say so.
pub(super) fn ensure_mode_is_known(group: &Group) -> Result<()> {
    if group.is_mode_known() {
        return Ok(());
    }
    Err(with_hint(
        anyhow!(
            "no lease of the group `{}` has a position yet, so it is not known which feed it reads",
            escape_for_terminal(&group.prefix.name)
        ),
        "let its processor read once, and stop it",
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

/// Refuses leases that instances have. `way_out` is what else can be done about it.
pub(super) fn ensure_free(
    leases: &[&Lease],
    expiration: Duration,
    now: OffsetDateTime,
    way_out: &str,
) -> Result<()> {
    let held: Vec<&Lease> = leases
        .iter()
        .copied()
        .filter(|lease| is_alive(lease, expiration, now))
        .collect();
    if held.is_empty() {
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
            "stop the processor, and wait until its leases have expired ({}){way_out}",
            humantime::format_duration(expiration)
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

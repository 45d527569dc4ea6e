//! `leases repair`: creates what is missing, and deletes what is doubled.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};

use super::opened::Opened;
use super::reset::{ensure_mode_is_known, warn_of_others};
use crate::command::account::Account;
use crate::count::count;
use crate::error::{ExitCode, usage, with_hint};
use crate::feed::{ContainerAddress, lsn_of_etag};
use crate::leases::{
    Common, Dialect, Group, Repair, Target, Written, create, delete, ensure_possible, etag_at,
    marker, repair,
};
use crate::process;
use crate::report::{Align, Report, Table};
use crate::settings::{Given, GroupPlan, LeaseFormat, Names, repair_start, table};

/// The width of the table if standard output is no terminal.
const DEFAULT_WIDTH: usize = 80;
/// How long a lock counts, and then as long again for a clock that differs.
const LOCK_SECONDS: i64 = 60;

/// Repairs a group.
pub(in crate::command) async fn run(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
) -> Result<ExitCode> {
    let plan = GroupPlan::new(given)?;
    let start = repair_start(given)?;
    let mut opened = Opened::open(account, &plan.leases, Names::IfTyped, report).await?;
    let group = opened.group(&plan.group).await?;
    let connected = opened.monitored_of(&group).await?;
    let partitions = connected.client.list_partitions(true).await?;
    let now = opened.now();
    let is_stale = lock_is_stale(&group, now.unix_timestamp());
    let format = given.typed(&table::LEASE_FORMAT);
    let dialect = dialect_of(&group, format)?;
    let mut todo = repair(&group, dialect, &partitions, is_stale, plan.expiration, now);
    if !todo.create.is_empty() {
        ensure_possible(group.mode(), &start)?;
        ensure_mode_is_known(&group)?;
    }
    for lease in &mut todo.create {
        let find = etag_at(
            &connected.client,
            group.mode(),
            &lease.range,
            &partitions,
            &start,
        );
        lease.etag = Some(account.until_stopped(find).await??);
    }
    print(&todo, report)?;
    warn_of_others(&group, report);
    for (lease, reason) in &todo.left {
        report.warning(&format!("`{lease}` is not repaired: {reason}"));
    }
    if todo.is_empty() && todo.left.is_empty() {
        report.notice("there is nothing to repair");
        return Ok(ExitCode::Done);
    }
    if plan.dry_run {
        report.notice("nothing was changed, because of --dry-run");
    } else {
        carry_out(&todo, &group, &opened, &connected.source, report).await?;
    }
    if todo.left.is_empty() {
        return Ok(ExitCode::Done);
    }
    Err(with_hint(
        anyhow!(
            "{} cannot be repaired",
            count(todo.left.len() as u64, "lease")
        ),
        "`cosmos-tail leases check` says what remains",
    ))
}

/// Whose leases those are that are created.
fn dialect_of(group: &Group, format: Option<LeaseFormat>) -> Result<Dialect> {
    let wanted = format.map(|format| match format {
        LeaseFormat::Dotnet => Dialect::Net,
        LeaseFormat::Java => Dialect::JavaRange,
    });
    let known = group.dialect().or(match group.prefix.target {
        Target::Names(_) => Some(Dialect::JavaPartition),
        Target::Rid(_) => None,
    });
    match (known, wanted) {
        (Some(known), Some(wanted)) if known != wanted => Err(usage(
            format!("the group has leases of {}", known.text()),
            "leave --lease-format out",
        )),
        (None, None) => Err(usage(
            "the group has no leases, so it is not known whose processor it is of",
            "name it: --lease-format dotnet, or --lease-format java",
        )),
        (known, wanted) => known.or(wanted).context("the dialect is known"),
    }
}

fn lock_is_stale(group: &Group, now: i64) -> bool {
    group.marker.is_none()
        && group
            .lock_written()
            .is_some_and(|written| now - written > LOCK_SECONDS)
}

/// Prints what will be done.
fn print(todo: &Repair, report: &Report) -> Result<()> {
    if todo.is_empty() {
        return Ok(());
    }
    let mut table = Table::new([
        ("DO", Align::Left),
        ("WHAT", Align::Left),
        ("POSITION", Align::Right),
        ("WHY", Align::Left),
    ]);
    let position = |lsn: Option<u64>| lsn.map_or_else(|| "-".to_owned(), |lsn| lsn.to_string());
    for lease in &todo.create {
        table.push([
            "create".to_owned(),
            lease.token.clone(),
            position(lease.etag.as_deref().and_then(lsn_of_etag)),
            "nobody reads this range".to_owned(),
        ]);
    }
    for (lease, reason) in &todo.delete {
        table.push([
            "delete".to_owned(),
            lease.token.clone(),
            position(lease.checkpoint.lsn()),
            reason.clone(),
        ]);
    }
    if todo.unlock {
        let why = "instances wait for it".to_owned();
        table.push([
            "delete".to_owned(),
            "the lock".to_owned(),
            "-".to_owned(),
            why,
        ]);
    }
    if todo.mark {
        let why = "all leases have been created".to_owned();
        table.push([
            "create".to_owned(),
            "the marker".to_owned(),
            "-".to_owned(),
            why,
        ]);
    }
    let width = process::columns_of_standard_output().unwrap_or(DEFAULT_WIDTH);
    table.cut(width, &[1, 3]);
    report.print_table(&table)
}

/// Creates first: what is deleted is covered by then.
async fn carry_out(
    todo: &Repair,
    group: &Group,
    opened: &Opened<'_>,
    source: &ContainerAddress,
    report: &Report,
) -> Result<()> {
    let (client, keyed_by) = (&opened.leases.client, opened.keyed_by);
    let common = Common {
        prefix: &group.prefix,
        keyed_by,
        mode: group.mode(),
        rid: &source.container_rid,
    };
    let (mut created, mut deleted) = (0, 0);
    for lease in &todo.create {
        match create(client, keyed_by, &lease.document(common)?).await? {
            Written::Done => created += 1,
            _ => report.warning(&format!("the lease `{}` exists by now", lease.token)),
        }
    }
    for (lease, _) in &todo.delete {
        match delete(client, keyed_by, &lease.document).await? {
            Written::Done | Written::Gone => deleted += 1,
            _ => {
                let text = "was written meanwhile, and is kept; run this again";
                report.warning(&format!("the lease `{}` {text}", lease.token));
            }
        }
    }
    if let Some(lock) = group.lock.as_ref().filter(|_| todo.unlock) {
        delete(client, keyed_by, lock).await?;
    }
    if todo.mark {
        create(client, keyed_by, &marker(common)?).await?;
    }
    report.notice(&format!(
        "{} created, {} deleted",
        count(created as u64, "lease"),
        count(deleted as u64, "lease")
    ));
    Ok(())
}

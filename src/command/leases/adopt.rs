//! `leases adopt`: a state becomes leases, leases become a state, and leases of one SDK those of another.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};

use super::opened::{Opened, Wanted};
use super::reset::{ensure_free, ensure_mode_is_known, warn_of_others};
use super::transfer::{NewGroup, free_prefix};
use crate::command::account::Account;
use crate::count::count;
use crate::durable::{is_plain_file, shown_path};
use crate::error::{Annotate, ExitCode, usage, with_hint};
use crate::escape::escape_for_terminal;
use crate::feed::{FeedMode, FeedRange, lsn_of_etag};
use crate::job::{Connected, ensure_new_state, write_state_of_tail};
use crate::leases::{
    Conversion, Converting, Dialect, Group, KeyedBy, Lease, Place, Prefix, Target,
    ensure_adoptable, ensure_reached, leases_of, ranges_at,
};
use crate::process;
use crate::report::{Align, Report, Table};
use crate::settings::{AdoptPlan, Given, GroupPlan, LeaseFormat, Names};
use crate::state::claim::Claimed;
use crate::state::file;
use crate::state::local::LocalState;
use crate::state::model::State;

/// The width of the table if standard output is no terminal.
const DEFAULT_WIDTH: usize = 80;
/// How long a lock counts, and then as long again for a clock that differs.
const LOCK_SECONDS: i64 = 60;
/// What is done about a state that cannot become leases.
const IN_STATE: &str = "cannot make leases of";

/// Adopts what was said.
pub(in crate::command) async fn run(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
) -> Result<ExitCode> {
    let group = GroupPlan::new(given)?;
    match AdoptPlan::new(given)? {
        AdoptPlan::FromState(path, format) => {
            from_state(account, &group, &path, format, report).await
        }
        AdoptPlan::ToState(path) => to_state(account, &group, &path, report).await,
        AdoptPlan::ToFormat(format) => convert(account, &group, format, report).await,
    }
}

fn dialect_of(format: LeaseFormat) -> Dialect {
    match format {
        LeaseFormat::Dotnet => Dialect::Net,
        LeaseFormat::Java => Dialect::JavaRange,
    }
}

/// Refuses a lease container that the processors of a dialect cannot use.
fn ensure_key(opened: &Opened<'_>, dialect: Dialect) -> Result<()> {
    if dialect == Dialect::Net || opened.keyed_by == KeyedBy::Id {
        return Ok(());
    }
    Err(usage(
        format!(
            "the partition key of `{}` is not /id, and Java's processors use no other lease container",
            opened.name()
        ),
        "export the group, and import it into a container with the key /id",
    ))
}

/// Creates a group that goes on where a state is.
async fn from_state(
    account: &Account,
    plan: &GroupPlan,
    path: &Path,
    format: LeaseFormat,
    report: &Arc<Report>,
) -> Result<ExitCode> {
    // The lock is kept until the end: whoever has the state must not go on meanwhile.
    let (_claimed, state) = claim(path)?;
    let mut opened = Opened::open(account, &plan.leases, Names::IfTyped, report).await?;
    ensure_key(&opened, dialect_of(format))?;
    let what = || format!("{IN_STATE} `{}`", shown_path(&path));
    let (place, connected) = source_of(&mut opened, &state).await.with_context(what)?;
    let prefix = free_prefix(&mut opened, &plan.group, &place).await?;
    let partitions = connected.client.list_partitions(true).await?;
    let leases = leases_of(&state, dialect_of(format), &connected.client, &partitions);
    let leases = account.until_stopped(leases).await?.with_context(what)?;
    let mode = state.options.mode;
    let positions: Vec<(FeedRange, Option<u64>)> = leases
        .iter()
        .map(|lease| {
            let lsn = lease.etag.as_deref().and_then(lsn_of_etag);
            (lease.range.clone(), lsn)
        })
        .collect();
    let reached = ensure_reached(positions, &connected.client, mode, &partitions);
    account.until_stopped(reached).await?.with_context(what)?;
    let new = NewGroup {
        prefix,
        place,
        mode,
        leases,
    };
    let code = new.create(&opened, plan.dry_run, report).await?;
    if !plan.dry_run {
        report.notice(&format!(
            "do not go on with `{}`: what it reads would be handled twice",
            shown_path(&path)
        ));
    }
    Ok(code)
}

/// Takes a state that is in no use.
fn claim(path: &Path) -> Result<(Claimed, State)> {
    let what = || format!("{IN_STATE} `{}`", shown_path(&path));
    // Before the lock, which would leave a file beside something that is not a state.
    is_plain_file(path).exit_code(ExitCode::Usage)?;
    let read = || file::read(path).and_then(|state| ensure_adoptable(&state).map(|()| state));
    read().with_context(what)?;
    let path = std::path::absolute(path).with_context(what)?;
    let (claimed, _) = Claimed::take(Box::new(LocalState::new(&path)), file::claim_of)?;
    // It may have moved on until then.
    Ok((claimed, read().with_context(what)?))
}

/// The container of a state, which must be that of `-d` and `-c`, if they are given.
async fn source_of(opened: &mut Opened<'_>, state: &State) -> Result<(Place, Connected)> {
    let source = &state.source;
    let place = match opened.typed_place().await {
        Some(place) => place?,
        None => Place {
            database: source.database.clone(),
            container: source.container.clone(),
            rid: source.container_rid.clone(),
        },
    };
    if place.rid != source.container_rid {
        return Err(usage(
            format!(
                "it is of `{}/{}` with the RID {}, not of `{}/{}` with the RID {}",
                source.database,
                source.container,
                source.container_rid,
                place.database,
                place.container,
                place.rid
            ),
            "positions mean nothing in another container; leave out -d and -c",
        ));
    }
    let connected = opened.at(&place).await?;
    Ok((place, connected))
}

/// Writes the state of a tail that goes on where the leases of a group are.
async fn to_state(
    account: &Account,
    plan: &GroupPlan,
    path: &Path,
    report: &Arc<Report>,
) -> Result<ExitCode> {
    ensure_new_state(path)?;
    let mut opened = Opened::open(account, &plan.leases, Names::IfTyped, report).await?;
    let group = opened.group(&plan.group).await?;
    ensure_mode_is_known(&group)?;
    if !plan.dry_run {
        let all: Vec<&Lease> = group.leases.iter().collect();
        ensure_free(&all, plan.expiration, opened.now(), "")?;
    }
    let connected = opened.monitored_of(&group).await?;
    let partitions = connected.client.list_partitions(true).await?;
    let ranges = ranges_at(&group, &partitions, connected.client.rid())?;
    let positions: Vec<(FeedRange, Option<u64>)> = ranges
        .iter()
        .map(|range| {
            let lsn = range.position.as_ref().and_then(|position| position.lsn);
            (range.range.clone(), lsn)
        })
        .collect();
    let mut table = Table::new([("RANGE", Align::Left), ("POSITION", Align::Right)]);
    for (range, lsn) in &positions {
        table.push([range.to_string(), lsn.unwrap_or_default().to_string()]);
    }
    cut(&mut table);
    report.print_table(&table)?;
    warn_of_others(&group, report);
    let reached = ensure_reached(positions, &connected.client, group.mode(), &partitions);
    account.until_stopped(reached).await??;
    if plan.dry_run {
        report.notice("nothing was written, because of --dry-run");
        return Ok(ExitCode::Done);
    }
    write_state_of_tail(path, &connected, group.mode(), ranges)?;
    let mode = match group.mode() {
        FeedMode::LatestVersion => "",
        FeedMode::AllVersionsAndDeletes => " --mode all",
    };
    report.notice(&format!(
        "`cosmos-tail tail -d {} -c {}{mode} --state {}` goes on from there; start no processor of the group",
        connected.source.database,
        connected.source.container,
        shown_path(&path)
    ));
    Ok(ExitCode::Done)
}

/// Makes the leases of a group those of another SDK.
async fn convert(
    account: &Account,
    plan: &GroupPlan,
    format: LeaseFormat,
    report: &Arc<Report>,
) -> Result<ExitCode> {
    let to = dialect_of(format);
    let mut opened = Opened::open(account, &plan.leases, Names::IfTyped, report).await?;
    ensure_key(&opened, to)?;
    let (before, after) = groups_of(&mut opened, plan, to).await?;
    ensure_mode_is_known(&before)?;
    let connected = opened.monitored_of(&before).await?;
    let partitions = connected.client.list_partitions(true).await?;
    let rid = connected.client.rid();
    let prefix = match before.prefix.target {
        Target::Rid(_) => before.prefix.clone(),
        Target::Names(_) => Prefix::new(&before.prefix.name, &opened.host(), rid)
            .context("the RID of the container has an unknown form")?,
    };
    let conversion = Conversion::of(&before, after.as_ref(), to, prefix, rid, &partitions)?;
    if conversion.is_done() {
        return Err(usage(
            format!(
                "the group `{}` has leases of {} already",
                escape_for_terminal(&plan.group),
                to.text()
            ),
            "there is nothing to convert",
        ));
    }
    print(&conversion, report)?;
    let leases: Vec<&Lease> = conversion.steps.iter().map(|step| &step.old).collect();
    if conversion.drops_properties() {
        report.warning("leases have properties, for which Java has no place: they are lost");
    }
    if plan.dry_run {
        report.notice("nothing was changed, because of --dry-run");
        return Ok(ExitCode::Done);
    }
    ensure_free(&leases, plan.expiration, opened.now(), "")?;
    ensure_not_locked(&conversion, opened.now().unix_timestamp())?;
    let converting = Converting {
        client: &opened.leases.client,
        keyed_by: opened.keyed_by,
        now: opened.now(),
        expiration: plan.expiration,
    };
    // Not interrupted: what is begun is ended, which takes seconds.
    converting.make(&conversion).await?;
    report.notice(&format!(
        "{} converted to those of {}: start no processor of {} on them",
        count(leases.len() as u64, "lease"),
        to.text(),
        conversion.from.unwrap_or(to).text()
    ));
    Ok(ExitCode::Done)
}

/// The group, and the one that its leases are moved to under another prefix, if that was begun before.
async fn groups_of(
    opened: &mut Opened<'_>,
    plan: &GroupPlan,
    to: Dialect,
) -> Result<(Group, Option<Group>)> {
    let name = Some(plan.group.as_str());
    let mut found = opened.groups(&Wanted { group: name }).await?;
    let is_old = |group: &Group| matches!(group.prefix.target, Target::Names(_));
    let is_new = |group: &Group| {
        group.marker.is_none() && group.dialect().is_none_or(|dialect| dialect == to)
    };
    if let [one, other] = &found[..]
        && is_old(one) != is_old(other)
        && one.place == other.place
        && is_new(if is_old(one) { other } else { one })
        && let (Some(last), Some(first)) = (found.pop(), found.pop())
    {
        return Ok(match is_old(&first) {
            true => (first, Some(last)),
            false => (last, Some(first)),
        });
    }
    Ok((opened.group(&plan.group).await?, None))
}

/// Refuses a group whose leases are just being created.
fn ensure_not_locked(conversion: &Conversion, now: i64) -> Result<()> {
    let written = conversion.lock_written();
    if written.is_none_or(|written| now - written > LOCK_SECONDS) {
        return Ok(());
    }
    Err(with_hint(
        anyhow!("the group has a lock: its leases are being created, or converted"),
        "wait for it; one that was left behind counts for a minute",
    ))
}

/// Prints what will be done.
fn print(conversion: &Conversion, report: &Report) -> Result<()> {
    let mut table = Table::new([
        ("LEASE", Align::Left),
        ("POSITION", Align::Right),
        ("BECOMES", Align::Left),
    ]);
    for step in &conversion.steps {
        let lsn = step.old.checkpoint.lsn();
        table.push([
            step.old.token.clone(),
            lsn.map_or_else(|| "-".to_owned(), |lsn| lsn.to_string()),
            step.new.token.clone(),
        ]);
    }
    cut(&mut table);
    report.print_table(&table)
}

fn cut<const N: usize>(table: &mut Table<N>) {
    let width = process::columns_of_standard_output().unwrap_or(DEFAULT_WIDTH);
    table.cut(width, &[0]);
}

//! The `ls` subcommand: the databases and containers of an account.

mod by_arm;
mod rows;

pub(super) use by_arm::missing;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, anyhow, bail};
use futures_util::{StreamExt, stream};

use super::account::Account;
use crate::cosmos::account::CosmosAccount;
use crate::cosmos::catalog::{ContainerEntry, DatabaseEntry, is_addressable};
use crate::cosmos::offers::Offers;
use crate::error::{ExitCode, hint, with_exit_code, with_hint};
use crate::report::Report;
use crate::settings::{Given, Names};
use rows::{CONTAINERS_AT_ONCE, DATABASES_AT_ONCE, Row, Wanted, print, print_rows};

/// After so many failures no more ranges are counted.
const MAX_FAILED: usize = 16;

/// A database and its containers; or why they cannot be listed.
struct Listed {
    database: DatabaseEntry,
    containers: Result<Vec<ContainerEntry>>,
}

/// Prints the databases and containers of the account.
pub(super) async fn run(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
) -> Result<ExitCode> {
    let plan = account.account_plan(Names::IfTyped)?;
    let wanted = Wanted {
        database: Some(plan.connect.database.clone()).filter(|name| !name.is_empty()),
        container: Some(plan.connect.container.clone()).filter(|name| !name.is_empty()),
    };
    if plan.connect.via_arm.is_some() {
        let arm = account.connect_to_arm(plan, report).await?;
        let rows = account.until_stopped(by_arm::rows(&arm, &wanted)).await??;
        let place = format!("the account at {}", arm.id());
        print(given, &rows, &wanted, &place, report)?;
        return Ok(ExitCode::Done);
    }
    let cosmos = account.connect_to_account(plan, report).await?;
    let (listed, offers) = account.until_stopped(read(&cosmos, &wanted)).await??;
    let rows = rows(&cosmos, listed, &offers);
    let (rows, faults) = account.until_stopped(rows).await?;
    let place = format!("the account at {}", cosmos.endpoint());
    match faults.is_empty() {
        true => print(given, &rows, &wanted, &place, report)?,
        false => print_rows(given, &rows, report)?,
    }
    match &offers {
        Offers::Denied => report.notice(
            "the throughput is not readable with this credential: Entra ID's roles for data do not cover it, an \
             account key does, and so does --via arm with a role that covers it",
        ),
        Offers::Failed(reason) => {
            report.warning(&format!("the throughput could not be read: {reason}"));
        }
        Offers::Known(_) | Offers::Serverless => {}
    }
    ended(faults, report)
}

/// The databases that are wanted with the containers that are, and the offers.
async fn read(cosmos: &CosmosAccount, wanted: &Wanted) -> Result<(Vec<Listed>, Offers)> {
    let Some(database) = &wanted.database else {
        let databases = async { hinted(cosmos.databases().await) };
        let (databases, offers) = futures_util::join!(databases, cosmos.offers());
        let listed = stream::iter(databases?)
            .map(|database| list(cosmos, database))
            .buffered(DATABASES_AT_ONCE)
            .filter_map(|listed| async { listed });
        return Ok((listed.collect().await, offers));
    };
    let database = cosmos.database(database).await?;
    let Some(listed) = list(cosmos, database.clone()).await else {
        return Err(anyhow!("the database `{}` was deleted", database.name));
    };
    let Some(container) = &wanted.container else {
        return Ok((vec![listed], cosmos.offers().await));
    };
    let mut containers = listed.containers?;
    if !containers.iter().any(|entry| entry.name == *container) {
        let names = containers.into_iter().map(|entry| entry.name);
        return Err(cosmos.no_such_container(names.collect()));
    }
    containers.retain(|entry| entry.name == *container);
    let rids: Vec<&str> = containers
        .iter()
        .map(|entry| entry.rid.as_str())
        .chain([database.rid.as_str()])
        .collect();
    let offers = cosmos.offers_of(&rids).await;
    let containers = Ok(containers);
    Ok((
        vec![Listed {
            database,
            containers,
        }],
        offers,
    ))
}

/// A role may cover one database only, whose containers can be listed.
fn hinted<T>(databases: Result<T>) -> Result<T> {
    databases.map_err(|error| {
        let further = "if the role of this identity covers one database only, name it with -d";
        match hint(&error) {
            Some(first) if first.contains("role") => {
                let both = format!("{first}; {further}");
                with_hint(error, both)
            }
            _ => error,
        }
    })
}

/// The containers of a database, unless it was deleted meanwhile.
async fn list(cosmos: &CosmosAccount, database: DatabaseEntry) -> Option<Listed> {
    let containers = if is_addressable(&database.name) {
        cosmos.containers(&database.name).await.transpose()?
    } else {
        Err(anyhow!(
            "the name of the database {:?} cannot be requested",
            database.name
        ))
    };
    Some(Listed {
        database,
        containers,
    })
}

/// The rows, and what could not be read.
async fn rows(
    cosmos: &CosmosAccount,
    listed: Vec<Listed>,
    offers: &Offers,
) -> (Vec<Row>, Vec<anyhow::Error>) {
    let mut faults = Vec::new();
    let mut wanted = Vec::new();
    for Listed {
        database,
        containers,
    } in listed
    {
        match containers {
            Ok(containers) if containers.is_empty() => wanted.push((database, None)),
            Ok(containers) => {
                let containers = containers.into_iter();
                wanted.extend(containers.map(|container| (database.clone(), Some(container))));
            }
            Err(error) => faults.push(error),
        }
    }
    let counter = Counter {
        cosmos,
        failed: AtomicUsize::new(0),
    };
    let counted: Vec<Option<(Row, Option<anyhow::Error>)>> = stream::iter(wanted)
        .map(|(database, container)| row(&counter, database, container, offers))
        .buffered(CONTAINERS_AT_ONCE)
        .collect()
        .await;
    let mut rows = Vec::with_capacity(counted.len());
    for (row, fault) in counted.into_iter().flatten() {
        rows.push(row);
        faults.extend(fault);
    }
    (rows, faults)
}

/// Counts ranges. An outage would fail them one after the other, each after many retries.
struct Counter<'a> {
    cosmos: &'a CosmosAccount,
    failed: AtomicUsize,
}

impl Counter<'_> {
    /// The number of ranges, unless the container was deleted meanwhile.
    async fn count(&self, database: &str, container: &str) -> Result<Option<usize>> {
        if !is_addressable(container) {
            bail!("the name of the container {container:?} cannot be requested");
        }
        if self.failed.load(Ordering::Relaxed) >= MAX_FAILED {
            bail!("the ranges of `{database}/{container}` were not read after those failures");
        }
        let counted = self.cosmos.count_ranges(database, container).await;
        if counted.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        counted
    }
}

/// The row of a container, unless it was deleted meanwhile; and why its ranges could not be counted.
async fn row(
    counter: &Counter<'_>,
    database: DatabaseEntry,
    container: Option<ContainerEntry>,
    offers: &Offers,
) -> Option<(Row, Option<anyhow::Error>)> {
    let Some(container) = container else {
        let row = Row {
            throughput: offers.of(&database.rid, "").into(),
            database: database.name,
            container: None,
            partition_key: Vec::new(),
            ranges: None,
        };
        return Some((row, None));
    };
    let counted = counter
        .count(&database.name, &container.name)
        .await
        .transpose()?;
    let (ranges, fault) = match counted {
        Ok(ranges) => (Some(ranges), None),
        Err(error) => (None, Some(error)),
    };
    let row = Row {
        throughput: offers.of(&database.rid, &container.rid).into(),
        database: database.name,
        container: Some(container.name),
        partition_key: container.key_paths,
        ranges,
    };
    Some((row, fault))
}

/// Reports what could not be read: each reason once, since one cause usually affects all.
fn ended(faults: Vec<anyhow::Error>, report: &Report) -> Result<ExitCode> {
    const MAX_REPORTED: usize = 10;
    let number = faults.len();
    for fault in faults.iter().take(MAX_REPORTED) {
        report.warning(&format!("{fault:#}"));
    }
    let Some(last) = faults.into_iter().next() else {
        return Ok(ExitCode::Done);
    };
    let hint = hint(&last).unwrap_or("try again later").to_owned();
    let incomplete = anyhow!("the list is incomplete: {number} of its entries could not be read");
    Err(with_exit_code(
        with_hint(incomplete, hint),
        ExitCode::Failed,
    ))
}

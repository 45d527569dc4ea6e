//! The `definitions` subcommand: containers as what an infrastructure repository keeps.

mod files;

use std::sync::Arc;

use anyhow::{Result, anyhow};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::account::Account;
use super::ls::missing;
use crate::cli::choices::DefinitionsFormat;
use crate::cosmos::arm::{ArmAccount, ArmContainer, shared};
use crate::cosmos::definition::ContainerDefinition;
use crate::cosmos::offers::{Offers, Throughput, ThroughputMode};
use crate::error::{ExitCode, usage, with_hint};
use crate::infrastructure::{Described, Form, text};
use crate::report::Report;
use crate::settings::{ConnectionPlan, Given, Names, table};

/// Containers whose throughput is read at the same time.
const CONTAINERS_AT_ONCE: usize = 8;

/// Prints the definitions.
pub(super) async fn run(
    account: &Account,
    given: &Given,
    report: &Arc<Report>,
) -> Result<ExitCode> {
    let form = match given.get(&table::DEFINITIONS_FORMAT)? {
        DefinitionsFormat::Bicep => Form::Bicep,
        DefinitionsFormat::Json => Form::Template,
    };
    let sources = given.list(&table::DEFINITION_SOURCES);
    let described = if sources.is_empty() {
        of_account(account, report).await?
    } else {
        files::read(&sources, report)?
    };
    let unread: Vec<String> = described
        .iter()
        .filter(|one| one.throughput.mode == ThroughputMode::NotReadable)
        .map(|one| format!("`{}/{}`", one.database, one.container))
        .collect();
    if !unread.is_empty() {
        report.notice(&format!(
            "the throughput of {} is not known, so none is asked for",
            unread.join(", ")
        ));
    }
    for one in described
        .iter()
        .filter(|one| one.definition.has_system_key())
    {
        report.notice(&format!(
            "`{}/{}` was made without a partition key, which no template can do: check its partition key",
            one.database, one.container
        ));
    }
    let text = text(&described, form)?;
    match form {
        // In its texts, escapes for a terminal are escapes too.
        Form::Bicep => report.print(&text)?,
        Form::Template => report.print_json_text(&text)?,
    }
    Ok(ExitCode::Done)
}

/// The containers of a database of the account, or one of them.
async fn of_account(account: &Account, report: &Arc<Report>) -> Result<Vec<Described>> {
    let plan = account.account_plan(Names::IfGiven)?;
    let database = plan.connect.database.clone();
    if database.is_empty() {
        return Err(usage(
            "neither a database nor an export is given",
            "name the database with -d, and a container with -c; or an export: cosmos-tail definitions backup/",
        ));
    }
    let container = Some(plan.connect.container.clone()).filter(|name| !name.is_empty());
    let wanted = Wanted {
        database,
        container,
    };
    let described = if plan.connect.via_arm.is_some() {
        let arm = account.connect_to_arm(plan, report).await?;
        account.until_stopped(by_arm(&arm, &wanted)).await??
    } else {
        by_account(account, plan, &wanted, report).await?
    };
    if described.is_empty() {
        report.notice(&format!(
            "the database `{}` has no containers",
            wanted.database
        ));
    }
    Ok(described)
}

/// What is read of an account.
struct Wanted {
    database: String,
    container: Option<String>,
}

impl Wanted {
    fn is(&self, container: &str) -> bool {
        self.container.as_deref().is_none_or(|own| own == container)
    }
}

async fn by_account(
    account: &Account,
    plan: ConnectionPlan,
    wanted: &Wanted,
    report: &Arc<Report>,
) -> Result<Vec<Described>> {
    let cosmos = account.connect_to_account(plan, report).await?;
    let read = async {
        let database = cosmos.database(&wanted.database).await?;
        let all = cosmos.containers(&wanted.database).await?;
        let all = all.ok_or_else(|| anyhow!("the database `{}` was deleted", wanted.database))?;
        let names: Vec<String> = all.iter().map(|entry| entry.name.clone()).collect();
        let containers: Vec<_> = all
            .into_iter()
            .filter(|entry| wanted.is(&entry.name))
            .collect();
        if containers.is_empty() && wanted.container.is_some() {
            return Err(cosmos.no_such_container(names));
        }
        Ok((database, containers, cosmos.offers().await))
    };
    let (database, containers, offers) = account.until_stopped(read).await??;
    match &offers {
        Offers::Failed(reason) => {
            report.warning(&format!("the throughput could not be read: {reason}"));
        }
        Offers::Denied => report.notice(
            "the throughput is not readable with this credential: an account key reads it, and so does --via arm with a \
             role that covers it",
        ),
        Offers::Known(_) | Offers::Serverless => {}
    }
    containers
        .into_iter()
        .map(|entry| {
            let name = &entry.name;
            let definition = ContainerDefinition::parse(entry.definition).map_err(|error| {
                with_hint(
                    anyhow!("the definition of the container `{name}` cannot be used: {error:#}"),
                    "name the other containers one by one, with -c",
                )
            })?;
            Ok(Described {
                throughput: offers.of(&database.rid, &entry.rid).into(),
                database: database.name.clone(),
                container: entry.name,
                definition,
            })
        })
        .collect()
}

async fn by_arm(arm: &ArmAccount, wanted: &Wanted) -> Result<Vec<Described>> {
    let database = &wanted.database;
    let Some(all) = arm.containers(database).await? else {
        let names = arm.databases().await?.into_iter();
        let names: Vec<String> = names.map(|known| known.name).collect();
        return Err(missing("database", database, &names));
    };
    let names: Vec<String> = all.iter().map(|one| one.name.clone()).collect();
    let containers: Vec<ArmContainer> =
        all.into_iter().filter(|one| wanted.is(&one.name)).collect();
    if let (true, Some(container)) = (containers.is_empty(), &wanted.container) {
        return Err(missing("container", container, &names));
    }
    let of_database = shared(arm.own_throughput(database, None).await?);
    stream::iter(containers)
        .map(async |ArmContainer { name, definition }| {
            let throughput = match arm.own_throughput(database, Some(&name)).await? {
                Throughput::None => of_database,
                own => own,
            };
            Ok(Described {
                database: database.clone(),
                container: name,
                definition,
                throughput: throughput.into(),
            })
        })
        .buffered(CONTAINERS_AT_ONCE)
        .try_collect()
        .await
}

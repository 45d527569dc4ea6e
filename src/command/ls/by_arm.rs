//! The same list as Azure Resource Manager has it. It does not know the ranges.

use anyhow::{Result, anyhow};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::rows::{CONTAINERS_AT_ONCE, DATABASES_AT_ONCE, Row, Wanted};
use crate::cosmos::arm::{ArmAccount, ArmContainer, shared};
use crate::cosmos::offers::Throughput;
use crate::error::with_hint;
use crate::nearest::bounded;

/// The rows that are wanted, by name.
///
/// # Errors
///
/// If something cannot be read, or what was typed does not exist; the error has a hint.
pub(super) async fn rows(arm: &ArmAccount, wanted: &Wanted) -> Result<Vec<Row>> {
    let databases = match &wanted.database {
        Some(database) => vec![database.clone()],
        None => {
            let all = arm.databases().await?;
            all.into_iter().map(|database| database.name).collect()
        }
    };
    let listed: Vec<Vec<Row>> = stream::iter(databases)
        .map(|database| rows_of(arm, database, wanted))
        .buffered(DATABASES_AT_ONCE)
        .try_collect()
        .await?;
    Ok(listed.into_iter().flatten().collect())
}

async fn rows_of(arm: &ArmAccount, database: String, wanted: &Wanted) -> Result<Vec<Row>> {
    let Some(mut containers) = arm.containers(&database).await? else {
        if wanted.database.is_none() {
            // It was deleted meanwhile.
            return Ok(Vec::new());
        }
        let names = arm.databases().await?.into_iter();
        let names: Vec<String> = names.map(|database| database.name).collect();
        return Err(missing("database", &database, &names));
    };
    if let Some(container) = &wanted.container {
        let names: Vec<String> = containers.iter().map(|one| one.name.clone()).collect();
        containers.retain(|one| one.name == *container);
        if containers.is_empty() {
            return Err(missing("container", container, &names));
        }
    }
    let of_database = arm.own_throughput(&database, None).await?;
    if containers.is_empty() {
        return Ok(vec![Row {
            throughput: shared(of_database).into(),
            database,
            container: None,
            partition_key: Vec::new(),
            ranges: None,
        }]);
    }
    stream::iter(containers)
        .map(|container| row(arm, &database, container, of_database))
        .buffered(CONTAINERS_AT_ONCE)
        .try_collect()
        .await
}

async fn row(
    arm: &ArmAccount,
    database: &str,
    container: ArmContainer,
    of_database: Throughput,
) -> Result<Row> {
    let own = arm.own_throughput(database, Some(&container.name)).await?;
    let throughput = match own {
        Throughput::None => shared(of_database),
        own => own,
    };
    let definition = &container.definition;
    let partition_key = match definition.has_system_key() {
        true => Vec::new(),
        false => definition.key_paths().to_vec(),
    };
    Ok(Row {
        throughput: throughput.into(),
        database: database.to_owned(),
        container: Some(container.name),
        partition_key,
        ranges: None,
    })
}

/// What is not there, and what is.
pub(in crate::command) fn missing(kind: &str, name: &str, names: &[String]) -> anyhow::Error {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let hint = match names.is_empty() {
        true => format!("there is no {kind} at all"),
        false => format!("there are {}", bounded(&names)),
    };
    with_hint(
        anyhow!("Azure Resource Manager knows no {kind} `{name}` in the account"),
        hint,
    )
}

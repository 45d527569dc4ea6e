//! Databases and containers that do not exist: the error names those that do.

use std::time::Duration;

use azure_data_cosmos_driver::CosmosDriver;
use url::Url;

use super::client::operation_options;
use super::hints::name_hint;
use super::lists::{self, List};
use super::options::{ConnectOptions, NamesFrom};
use super::retry::Persistence;
use crate::error::{ExitCode, with_exit_code, with_hint};
use crate::nearest::instead;

/// How long the names are waited for that an error lists.
const NAMES_DEADLINE: Duration = Duration::from_secs(3);

/// The container does not exist, though its database does.
#[derive(Debug)]
pub struct ContainerMissing {
    database: String,
    container: String,
}

impl std::error::Error for ContainerMissing {}

impl std::fmt::Display for ContainerMissing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (database, container) = (&self.database, &self.container);
        write!(
            f,
            "there is no container `{container}` in the database `{database}`"
        )
    }
}

/// The database does not exist.
#[derive(Debug)]
pub struct DatabaseMissing {
    endpoint: Url,
    database: String,
}

impl std::error::Error for DatabaseMissing {}

impl std::fmt::Display for DatabaseMissing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (endpoint, database) = (&self.endpoint, &self.database);
        write!(
            f,
            "there is no database `{database}` in the account at {endpoint}"
        )
    }
}

/// The error of a database that does not exist.
pub(super) async fn database(driver: &CosmosDriver, options: &ConnectOptions) -> anyhow::Error {
    let missing = DatabaseMissing {
        endpoint: options.endpoint.clone(),
        database: options.database.clone(),
    };
    let hint = match existing(driver, List::Databases, options).await {
        Some(names) => names_hint(&options.database, "database", &names, options),
        None => name_hint("database", options),
    };
    // Waiting does not help with a name that does not exist.
    with_exit_code(with_hint(missing, hint), ExitCode::Failed)
}

/// The error of a container that does not exist.
pub(super) async fn container(driver: &CosmosDriver, options: &ConnectOptions) -> anyhow::Error {
    let list = List::Containers(&options.database);
    container_among(options, existing(driver, list, options).await)
}

/// As [`container`], with the names in the database, if they are known.
pub(super) fn container_among(
    options: &ConnectOptions,
    names: Option<Vec<String>>,
) -> anyhow::Error {
    let missing = ContainerMissing {
        database: options.database.clone(),
        container: options.container.clone(),
    };
    let hint = match names {
        Some(names) => names_hint(&options.container, "container", &names, options),
        None => name_hint("container", options),
    };
    with_exit_code(with_hint(missing, hint), ExitCode::Failed)
}

/// What exists of a kind, and where another name is given.
fn names_hint(wanted: &str, kind: &str, names: &[String], options: &ConnectOptions) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let Some(instead) = instead(wanted, &format!("{kind}s"), &names) else {
        let place = if kind == "database" {
            "account"
        } else {
            "database"
        };
        return format!("the {place} has no {kind}s");
    };
    let flag = match options.names_from {
        NamesFrom::FromContainer => "--from-container".to_owned(),
        NamesFrom::Leases => "--leases".to_owned(),
        NamesFrom::Settings | NamesFrom::State => {
            let (short, variable) = (&kind[..1], kind.to_ascii_uppercase());
            format!("-{short} (AZURE_COSMOS_{variable})")
        }
    };
    format!("{instead}; name one with {flag}")
}

/// The names in a list: `None` if the list is refused, or does not come at once. A name of a state is not a slip
/// of the keyboard, so nothing is listed for it.
async fn existing(
    driver: &CosmosDriver,
    list: List<'_>,
    options: &ConnectOptions,
) -> Option<Vec<String>> {
    if options.names_from == NamesFrom::State {
        return None;
    }
    let once = Persistence::default();
    let operation = operation_options(options.throughput);
    let entries = lists::read(driver, list, operation, "", &once);
    let entries = tokio::time::timeout(NAMES_DEADLINE, entries)
        .await
        .ok()?
        .ok()?;
    Some(entries.into_iter().map(|entry| entry.name).collect())
}

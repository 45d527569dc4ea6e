//! What an account contains: its databases and their containers.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use azure_data_cosmos_driver::models::{
    CosmosOperation, CosmosResponse, DatabaseReference, ResponseBody,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::account::CosmosAccount;
use super::client::operation_options;
use super::lists::{Entry, List, ListError, read};
use super::missing;
use super::offers::{Offers, by_resources, offers_by};
use super::partitions;

/// Deadline for reading a database.
const DATABASE_DEADLINE: Duration = Duration::from_secs(20);

/// A database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseEntry {
    /// Its name.
    pub name: String,
    /// Its resource id.
    pub rid: String,
}

/// A container.
#[derive(Debug)]
pub struct ContainerEntry {
    /// Its name.
    pub name: String,
    /// Its resource id.
    pub rid: String,
    /// The paths of its partition key, more than one if the key is hierarchical. None, if the container was made
    /// without one.
    pub key_paths: Vec<String>,
    /// Its definition as the service sent it, a JSON object.
    pub definition: Box<RawValue>,
}

impl From<Entry> for DatabaseEntry {
    fn from(entry: Entry) -> Self {
        let Entry { name, rid, .. } = entry;
        Self { name, rid }
    }
}

impl From<Entry> for ContainerEntry {
    fn from(entry: Entry) -> Self {
        Self {
            key_paths: key_paths(&entry.definition),
            name: entry.name,
            rid: entry.rid,
            definition: entry.definition,
        }
    }
}

/// The paths of the partition key in the definition of a container. The service gives a container without a
/// key one of its own.
fn key_paths(definition: &RawValue) -> Vec<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Definition {
        partition_key: Option<Key>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Key {
        #[serde(default)]
        paths: Vec<String>,
        #[serde(default)]
        system_key: bool,
    }
    let definition: Option<Definition> = serde_json::from_str(definition.get()).ok();
    let key = definition.and_then(|definition| definition.partition_key);
    let own = key.filter(|key| !key.system_key);
    own.map_or_else(Vec::new, |key| key.paths)
}

/// The resource id in the answer of a database.
pub(super) fn rid_of(response: CosmosResponse) -> Result<String> {
    identity_of(response).map(|identity| identity.rid)
}

/// Which database it is, and which version of it.
#[derive(Debug, Deserialize)]
pub(super) struct Identity {
    #[serde(rename = "_rid")]
    pub(super) rid: String,
    #[serde(rename = "_etag")]
    pub(super) etag: Option<String>,
}

/// Which database an answer is about.
pub(super) fn identity_of(response: CosmosResponse) -> Result<Identity> {
    let body = match response.into_body() {
        ResponseBody::Bytes(body) => body,
        ResponseBody::NoPayload | ResponseBody::Items(_) => bail!("it came without a body"),
    };
    serde_json::from_slice(&body).context("the answer is not a database")
}

/// Whether a name can be part of a request: anything else would name another resource.
pub fn is_addressable(name: &str) -> bool {
    !name.contains(['/', '\\', '?', '#'])
        && !name.chars().any(char::is_control)
        && !matches!(name, "." | "..")
}

impl CosmosAccount {
    /// The databases, by name. Transient errors are retried.
    ///
    /// # Errors
    ///
    /// If the service does not return a list that can be used; the error has a hint.
    pub async fn databases(&self) -> Result<Vec<DatabaseEntry>> {
        let what = format!("cannot list the databases of {}", self.options.endpoint);
        let entries = self.list(List::Databases, &what).await;
        let entries = entries.map_err(|error| error.explain(&self.options, &self.heard));
        let mut databases: Vec<DatabaseEntry> =
            entries.context(what)?.into_iter().map(Into::into).collect();
        databases.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(databases)
    }

    /// The containers of a database, by name; `None` if there is no such database. Transient errors are retried.
    ///
    /// # Errors
    ///
    /// If the service does not return a list that can be used; the error has a hint.
    pub async fn containers(&self, database: &str) -> Result<Option<Vec<ContainerEntry>>> {
        let what = format!("cannot list the containers of the database `{database}`");
        let entries = match self.list(List::Containers(database), &what).await {
            Err(error) if error.status() == Some(404) => return Ok(None),
            entries => entries.map_err(|error| error.explain(&self.options, &self.heard)),
        };
        let mut containers: Vec<ContainerEntry> =
            entries.context(what)?.into_iter().map(Into::into).collect();
        containers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(containers))
    }

    /// A database by its name. Transient errors are retried.
    ///
    /// # Errors
    ///
    /// If there is none, with those that exist, or if the service does not return it; the error has a hint.
    pub async fn database(&self, name: &str) -> Result<DatabaseEntry> {
        let what = format!("cannot read the database `{name}`");
        let read = || async {
            let account = self.driver.account().clone();
            let database = DatabaseReference::from_name(account, name.to_owned());
            let operation = CosmosOperation::read_database(database);
            let options = operation_options(self.options.throughput);
            let read = Box::pin(self.driver.execute_singleton_operation(operation, options));
            match tokio::time::timeout(DATABASE_DEADLINE, read).await {
                Ok(Ok(response)) => Ok(Some(rid_of(response)?)),
                Ok(Err(error)) if u16::from(error.status().status_code()) == 404 => Ok(None),
                Ok(Err(error)) => Err(error.into()),
                Err(_) => Err(anyhow!(
                    "no answer within {} s",
                    DATABASE_DEADLINE.as_secs()
                )),
            }
        };
        match self.persistence.persist(&what, read).await.context(what)? {
            Some(rid) => Ok(DatabaseEntry {
                name: name.to_owned(),
                rid,
            }),
            None => Err(missing::database(&self.driver, &self.options).await),
        }
    }

    /// The resource id of a container, from the service and not from what is known already; `None` if there is no such
    /// container. Transient errors are retried.
    ///
    /// # Errors
    ///
    /// If the service does not return it, in words without a hint.
    pub async fn container_rid(&self, database: &str, container: &str) -> Result<Option<String>> {
        let what = format!("cannot read the container `{database}/{container}`");
        let read = || async {
            let account = self.driver.account().clone();
            let database = DatabaseReference::from_name(account, database.to_owned());
            let operation = CosmosOperation::read_container_by_name(database, container.to_owned());
            let options = operation_options(self.options.throughput);
            let read = Box::pin(self.driver.execute_singleton_operation(operation, options));
            match tokio::time::timeout(DATABASE_DEADLINE, read).await {
                Ok(Ok(response)) => Ok(Some(rid_of(response)?)),
                Ok(Err(error)) if u16::from(error.status().status_code()) == 404 => Ok(None),
                Ok(Err(error)) => Err(error.into()),
                Err(_) => Err(anyhow!(
                    "no answer within {} s",
                    DATABASE_DEADLINE.as_secs()
                )),
            }
        };
        self.persistence.persist(&what, read).await.context(what)
    }

    /// The error of the container of the options, which is not among `names`.
    pub fn no_such_container(&self, names: Vec<String>) -> anyhow::Error {
        missing::container_among(&self.options, Some(names))
    }

    async fn list(&self, list: List<'_>, what: &str) -> Result<Vec<Entry>, ListError> {
        let options = operation_options(self.options.throughput);
        read(&self.driver, list, options, what, &self.persistence).await
    }

    /// How many feed ranges a container has; `None` if there is no such container. Transient errors are retried.
    ///
    /// # Errors
    ///
    /// If the service does not return them, in words without a hint.
    pub async fn count_ranges(&self, database: &str, container: &str) -> Result<Option<usize>> {
        let what = format!("cannot read the ranges of `{database}/{container}`");
        let count = || async {
            let options = operation_options(self.options.throughput);
            let resolved = self.driver.resolve_container(database, container, options);
            let reference = match Box::pin(resolved).await {
                Ok(reference) => reference,
                Err(error) if u16::from(error.status().status_code()) == 404 => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let ranges = partitions::listed(&self.driver, &reference, false).await?;
            Ok(Some(ranges.len()))
        };
        self.persistence.persist(&what, count).await.context(what)
    }
}

impl CosmosAccount {
    /// All offers of the account.
    pub async fn offers(&self) -> Offers {
        self.offers_by(&[List::Offers("SELECT * FROM root", None)])
            .await
    }

    /// The offers of these databases and containers, by resource id: a request for each.
    pub async fn offers_of(&self, rids: &[&str]) -> Offers {
        self.offers_by(&by_resources(rids)).await
    }

    async fn offers_by(&self, lists: &[List<'_>]) -> Offers {
        offers_by(
            &self.driver,
            lists,
            self.options.throughput,
            &self.persistence,
        )
        .await
    }
}

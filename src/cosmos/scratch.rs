//! Databases and containers that are made for a while: created, given throughput, and deleted.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use azure_core::http::Etag;
use azure_data_cosmos_driver::CosmosError;
use azure_data_cosmos_driver::models::{
    CosmosOperation, CosmosRequestHeaders, CosmosResponse, DatabaseReference, Precondition,
};
use azure_data_cosmos_driver::options::{ContentResponseOnWrite, OperationOptions};

use super::account::CosmosAccount;
use super::catalog::{identity_of, rid_of};
use super::client::{CosmosClient, operation_options};
use super::error::{Verdict, describe, verdict};
use super::lists::{self, List};
use super::offers::SERVERLESS;
use super::options::ConnectOptions;
use crate::error::with_hint;
use crate::escape::shell_word;

/// Deadline for one request.
const DEADLINE: Duration = Duration::from_secs(60);
/// The status of a deletion that cannot be made conditional.
const PRECONDITION_REQUIRED: u16 = 428;

/// The service does not do what was requested, and will not if asked again.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The status of its answer.
    pub status: u16,
    /// What it says.
    pub reason: String,
}

impl Refusal {
    /// Whether the account has no provisioned throughput, so that none can be requested.
    pub fn is_serverless(&self) -> bool {
        self.status == 400 && self.reason.to_ascii_lowercase().contains(SERVERLESS)
    }

    fn of(error: &CosmosError) -> Self {
        Self {
            status: u16::from(error.status().status_code()),
            reason: describe(error),
        }
    }
}

impl CosmosAccount {
    /// The same account, for another container.
    #[must_use]
    pub fn about(&self, database: &str, container: &str) -> Self {
        let mut account = self.clone();
        account.options = ConnectOptions {
            database: database.to_owned(),
            container: container.to_owned(),
            ..account.options
        };
        account
    }

    /// Resolves a container of this account.
    ///
    /// # Errors
    ///
    /// If it does not exist, or cannot be read.
    pub async fn open(&self, database: &str, container: &str) -> Result<CosmosClient> {
        self.about(database, container).open_container(None).await
    }

    fn database_reference(&self, name: &str) -> DatabaseReference {
        DatabaseReference::from_name(self.driver.account().clone(), name.to_owned())
    }

    /// The answer to a creation has what was created.
    fn scratch_options(&self) -> OperationOptions {
        let mut options = operation_options(self.options.throughput);
        options.content_response_on_write = Some(ContentResponseOnWrite::Enabled);
        options
    }

    /// Executes an operation. Transient errors are retried.
    async fn execute(
        &self,
        what: &str,
        operation: impl Fn() -> CosmosOperation,
    ) -> Result<Result<CosmosResponse, Refusal>> {
        let attempt = || self.attempt(operation(), self.scratch_options());
        let done = self.persistence.persist(what, attempt).await;
        done.with_context(|| what.to_owned())
    }

    /// Executes an operation once. An error is transient.
    async fn attempt(
        &self,
        operation: CosmosOperation,
        options: OperationOptions,
    ) -> Result<Result<CosmosResponse, Refusal>> {
        let executed = self.driver.execute_singleton_operation(operation, options);
        match tokio::time::timeout(DEADLINE, Box::pin(executed)).await {
            Ok(Ok(response)) => Ok(Ok(response)),
            Ok(Err(error)) if matches!(verdict(&error), Verdict::Transient { .. }) => {
                Err(error.into())
            }
            Ok(Err(error)) => Ok(Err(Refusal::of(&error))),
            Err(_) => Err(anyhow!("no answer within {} s", DEADLINE.as_secs())),
        }
    }

    /// The resource id of a database; none if it does not exist.
    ///
    /// # Errors
    ///
    /// If the service refuses to say it.
    pub async fn database_rid(&self, name: &str) -> Result<Option<String>> {
        let what = format!("cannot read the database `{name}`");
        let read = || CosmosOperation::read_database(self.database_reference(name));
        match self.execute(&what, read).await? {
            Ok(response) => rid_of(response).map(Some),
            Err(refusal) if refusal.status == 404 => Ok(None),
            Err(refusal) => Err(anyhow!(refusal.reason).context(what)),
        }
    }

    /// Creates a database, whose containers share `throughput` if it is given. Returns its resource id.
    ///
    /// # Errors
    ///
    /// If the service does not answer.
    pub async fn create_database(
        &self,
        name: &str,
        throughput: Option<u64>,
    ) -> Result<Result<String, Refusal>> {
        let what = format!("cannot create the database `{name}`");
        let body = serde_json::json!({ "id": name }).to_string().into_bytes();
        let create = || {
            CosmosOperation::create_database(self.driver.account().clone())
                .with_body(body.clone())
                .with_request_headers(offering(throughput))
        };
        match self.execute(&what, create).await? {
            Ok(response) => rid_of(response).map(Ok).context(what),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// Deletes the database that has this name and this resource id, with all that it has. Before each attempt it is
    /// read again, and the service is asked to delete the version that was read, and nothing else: another one that took
    /// its name meanwhile is never deleted. One that is gone is no error.
    ///
    /// # Errors
    ///
    /// If another database has the name, if the service does not say which version it has read, or if it refuses it.
    pub async fn delete_database(&self, name: &str, rid: &str) -> Result<()> {
        let what = format!("cannot delete the database `{name}`");
        let attempt = || async {
            let read = CosmosOperation::read_database(self.database_reference(name));
            let found = match self.attempt(read, self.scratch_options()).await? {
                Ok(response) => identity_of(response)?,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let taken = |reason: &str| {
                Ok(Err(Refusal {
                    status: 409,
                    reason: reason.to_owned(),
                }))
            };
            if found.rid != rid {
                return taken("another database has taken its name, and was not touched");
            }
            // A name says nothing about what has it by the time of the deletion; its version does.
            let Some(etag) = found.etag.filter(|etag| !etag.is_empty()) else {
                return Ok(Err(Refusal {
                    status: PRECONDITION_REQUIRED,
                    reason: "the service sent no `_etag` of it, so nothing proves that the one that is deleted is the one \
                             that was read: it was not touched"
                        .to_owned(),
                }));
            };
            let delete = CosmosOperation::delete_database(self.database_reference(name))
                .with_precondition(Precondition::if_match(Etag::from(etag)));
            let mut options = self.scratch_options();
            // The driver would ask again by itself, without a look at what has the name by then.
            options.max_failover_retry_count = Some(0);
            options.max_session_retry_count = Some(0);
            match self.attempt(delete, options).await? {
                Err(refusal) if refusal.status == 412 => taken(
                    "it changed in the moment of the deletion, or another database took its name: it was not touched",
                ),
                done => Ok(done.map(|_| ())),
            }
        };
        let deleted = self.persistence.persist(&what, attempt).await;
        match deleted.with_context(|| what.clone())? {
            Ok(()) => Ok(()),
            Err(refusal) if refusal.status == 404 => Ok(()),
            Err(refusal) if refusal.status == PRECONDITION_REQUIRED => Err(with_hint(
                anyhow!(refusal.reason).context(what),
                format!(
                    "once you have seen that it is the one of the test, delete it yourself, in the portal or by `az cosmosdb \
                     sql database delete --name {} --account-name ACCOUNT --resource-group GROUP`; the same command with \
                     --clean-up then deletes the directory of the test",
                    shell_word(name)
                ),
            )),
            Err(refusal) => Err(anyhow!(refusal.reason).context(what)),
        }
    }

    /// Creates a container by this definition, whose `id` is its name.
    ///
    /// # Errors
    ///
    /// If the service does not answer.
    pub async fn create_container_by(
        &self,
        database: &str,
        definition: &serde_json::Value,
        throughput: Option<u64>,
    ) -> Result<Result<(), Refusal>> {
        let what = format!("cannot create the container {}", definition["id"]);
        let body = definition.to_string().into_bytes();
        let create = || {
            CosmosOperation::create_container(self.database_reference(database))
                .with_body(body.clone())
                .with_request_headers(offering(throughput))
        };
        Ok(self.execute(&what, create).await?.map(|_| ()))
    }

    /// Gives a container that has throughput of its own another one, by its resource id.
    ///
    /// # Errors
    ///
    /// If the service does not answer.
    pub async fn set_throughput(&self, rid: &str, throughput: u64) -> Result<Result<(), Refusal>> {
        const WHAT: &str = "cannot change the throughput";
        let options = operation_options(self.options.throughput);
        let list = List::Offers(
            "SELECT * FROM root r WHERE r.offerResourceId = @rid",
            Some(rid),
        );
        let refused = |status, reason: &str| {
            Ok(Err(Refusal {
                status,
                reason: reason.to_owned(),
            }))
        };
        let offers = match lists::read(&self.driver, list, options, WHAT, &self.persistence).await {
            Ok(offers) => offers,
            Err(error) => return refused(error.status().unwrap_or(0), &error.text()),
        };
        let Some(offer) = offers.into_iter().next() else {
            return refused(404, "the container has no throughput of its own");
        };
        let mut body: serde_json::Value = serde_json::from_str(offer.definition.get())?;
        body["content"] = serde_json::json!({ "offerThroughput": throughput });
        let body = body.to_string().into_bytes();
        let replace = || {
            CosmosOperation::replace_offer(self.driver.account().clone(), offer.rid.clone())
                .with_body(body.clone())
        };
        Ok(self.execute(WHAT, replace).await?.map(|_| ()))
    }
}

fn offering(throughput: Option<u64>) -> CosmosRequestHeaders {
    let mut headers = CosmosRequestHeaders::default();
    headers.offer_throughput = throughput;
    headers
}

//! The container of a connection: resolved by name, and created on request.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use azure_data_cosmos_driver::error::status_codes;
use azure_data_cosmos_driver::models::{
    ContainerReference, CosmosOperation, CosmosRequestHeaders, DatabaseReference,
};
use azure_data_cosmos_driver::{CosmosDriver, CosmosError};

use super::client::operation_options;
use super::companion::Companions;
use super::definition::ContainerDefinition;
use super::error::{ServiceError, Verdict, describe, verdict};
use super::hints::{
    asked_elsewhere, cause_of, container_hint, creation_hint, detour_of, location_hint, unlike_hint,
};
use super::missing;
use super::offers::ThroughputSetting;
use super::options::ConnectOptions;
use super::retry::Persistence;
use super::transport::{Heard, ListFault};
use crate::error::{ExitCode, usage, with_exit_code, with_hint};
use crate::escape::shell_word;

/// Deadline for resolving the container. It is long, since a throttled account makes the driver wait.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(60);
/// How long an address that the account names is retried before it has answered: it may be one that cannot be
/// reached from here.
const FIRST_CONTACT: Duration = Duration::from_secs(5);
/// Deadline for reading the database.
const DATABASE_DEADLINE: Duration = Duration::from_secs(20);

/// A container to be created.
#[derive(Debug, Clone)]
pub struct NewContainer {
    /// The paths of its partition key, one to three.
    pub partition_key: Vec<String>,
    /// Its throughput in RU/s; `None` is the account's default.
    pub throughput: Option<u64>,
    /// What else it has; none for the service's defaults.
    pub template: Option<Template>,
}

/// The definition of another container, which a new one is made by.
#[derive(Debug, Clone)]
pub struct Template {
    /// The definition.
    pub definition: ContainerDefinition,
    /// What the container has beside it, as far as known.
    pub companions: Companions,
    /// Where it is from, in messages.
    pub origin: String,
    /// The throughput of that container, if it is known. It is not asked for.
    pub throughput: Option<ThroughputSetting>,
}

impl NewContainer {
    /// A container by this template.
    pub fn by(template: Template, throughput: Option<u64>) -> Self {
        Self {
            partition_key: template.definition.key_paths().to_vec(),
            throughput,
            template: Some(template),
        }
    }

    /// The definition of it under `name`, as Azure Resource Manager takes it.
    pub(super) fn body_for_arm(&self, name: &str) -> String {
        match &self.template {
            Some(template) => template.definition.arm_body(name),
            None => self.body(name),
        }
    }

    /// The body of the request that creates it under `name`.
    fn body(&self, name: &str) -> String {
        if let Some(template) = &self.template {
            return template.definition.creation_body(name);
        }
        let paths = &self.partition_key;
        let kind = if paths.len() > 1 { "MultiHash" } else { "Hash" };
        let body = serde_json::json!({
            "id": name,
            "partitionKey": { "paths": paths, "kind": kind, "version": 2 },
        });
        body.to_string()
    }
}

impl Template {
    /// What to do about a definition that the service does not take, as its message says.
    pub(super) fn hint(&self, message: &str) -> String {
        let named = self.definition.named_in(message);
        let members = if named.is_empty() {
            String::new()
        } else {
            format!(" (see `{}`)", named.join("`, `"))
        };
        let keys: Vec<String> = self
            .definition
            .key_paths()
            .iter()
            .map(|path| format!(" --partition-key {}", shell_word(path)))
            .collect();
        format!(
            "the definition is from {}{members}: create the container yourself, or make a plain one, with the \
             partition key alone: --create{}",
            self.origin,
            keys.concat()
        )
    }
}

/// Resolves the container by name, with its ranges. Transient errors are retried.
pub(super) async fn resolve_container(
    driver: &CosmosDriver,
    options: &ConnectOptions,
    heard: &Heard,
    persistence: &Persistence,
) -> Result<ContainerReference> {
    let (database, container) = (&options.database, &options.container);
    let what = format!("cannot open container `{container}` of database `{database}`");
    let mut retries = persistence.retries();
    let started = Instant::now();
    loop {
        let operation = operation_options(options.throughput);
        let resolved = Box::pin(driver.resolve_container(database, container, operation));
        let error = match tokio::time::timeout(RESOLVE_DEADLINE, resolved).await {
            Ok(Ok(container)) => return Ok(container),
            Ok(Err(error)) => error,
            Err(_) => {
                return Err(with_hint(
                    anyhow!("no answer within {} s", RESOLVE_DEADLINE.as_secs()),
                    "the account answers, but the lookup of the container does not; try again later",
                ))
                .context(what);
            }
        };
        // The driver does not report why there is no list of ranges.
        let fault = heard
            .take_list_fault(database, container)
            .filter(|_| error.status() == status_codes::CLIENT_TOPOLOGY_RESOLUTION_FAILED);
        let meaning = match &fault {
            Some(fault) => fault.verdict(),
            None => verdict(&error),
        };
        let reason = || match &fault {
            Some(fault) => fault.to_string(),
            None if detour_of(&error).is_some() => cause_of(&error),
            None => describe(&error),
        };
        let may_be_wrong = detour_of(&error).is_some();
        let tried = retries.clone();
        if let Verdict::Transient { retry_after } = meaning
            && let Some(notice) = retries.again(retry_after, reason)
            && !(may_be_wrong && started.elapsed() + notice.pause > FIRST_CONTACT)
        {
            persistence.pause(&what, &notice).await;
            continue;
        }
        let retries = tried;
        let error = match fault {
            Some(fault) => {
                let cause = match &fault {
                    ListFault::Refused(refusal) => ServiceError::of(refusal)
                        .with_text(fault.to_string())
                        .into(),
                    ListFault::Other(_) | ListFault::Unlike(_) => anyhow!(fault.to_string()),
                };
                with_hint(cause, list_hint(&fault, options, heard))
            }
            None => explain_unresolved(driver, options, heard, &error, persistence).await,
        };
        return Err(retries.after_retries(error)).context(what);
    }
}

/// The hint for a list of ranges that cannot be used.
fn list_hint(fault: &ListFault, options: &ConnectOptions, heard: &Heard) -> String {
    match fault {
        ListFault::Refused(refusal) => container_hint(refusal, options, heard),
        ListFault::Other(_) | ListFault::Unlike(_) => unlike_hint(&options.endpoint),
    }
}

/// The error of a container that cannot be resolved, with a hint.
async fn explain_unresolved(
    driver: &CosmosDriver,
    options: &ConnectOptions,
    heard: &Heard,
    error: &CosmosError,
    persistence: &Persistence,
) -> anyhow::Error {
    let is_not_found = u16::from(error.status().status_code()) == 404;
    let (cause, hint) = if !is_not_found {
        (
            ServiceError::of(error).with_text(cause_of(error)).into(),
            container_hint(error, options, heard),
        )
    } else if let Some(location) = asked_elsewhere(error, options) {
        (
            anyhow!("{location} answers: {}", describe(error)),
            location_hint(&location, options, heard),
        )
    } else if Box::pin(database_exists(driver, options, error, persistence)).await {
        return missing::container(driver, options).await;
    } else {
        return missing::database(driver, options).await;
    };
    let error = with_hint(cause, hint);
    // Waiting does not help with a name that does not exist.
    if is_not_found {
        with_exit_code(error, ExitCode::Failed)
    } else {
        error
    }
}

/// Creates the container of `options`, unless one of its name exists.
pub(super) async fn create_container(
    driver: &CosmosDriver,
    options: &ConnectOptions,
    new: &NewContainer,
    heard: &Heard,
    persistence: &Persistence,
) -> Result<()> {
    let (database, container) = (&options.database, &options.container);
    let what = format!("cannot create container `{container}` of database `{database}`");
    let body = new.body(container);
    let create = || async {
        let mut headers = CosmosRequestHeaders::default();
        headers.offer_throughput = new.throughput;
        let reference = DatabaseReference::from_name(driver.account().clone(), database.clone());
        let operation = CosmosOperation::create_container(reference)
            .with_body(body.clone().into_bytes())
            .with_request_headers(headers);
        let options = operation_options(options.throughput);
        Box::pin(driver.execute_singleton_operation(operation, options)).await
    };
    let mut retries = persistence.retries();
    let error = loop {
        let error = match create().await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        // An attempt whose answer was lost may have created it: then the next one finds it (409).
        if let Verdict::Transient { retry_after } = verdict(&error)
            && let Some(notice) = retries.again(retry_after, || describe(&error))
        {
            persistence.pause(&what, &notice).await;
            continue;
        }
        break error;
    };
    let code = u16::from(error.status().status_code());
    if code == 409 {
        return Ok(());
    }
    let hint = match &new.template {
        // The request itself was not accepted, and it is nothing but the definition.
        Some(template) if code == 400 => template.hint(&describe(&error)),
        _ => creation_hint(&error, options, heard),
    };
    let cause = match detour_of(&error) {
        Some(_) => cause_of(&error),
        None => describe(&error),
    };
    let error = with_hint(anyhow!(cause), hint);
    Err(retries.after_retries(error)).context(what)
}

/// Refuses a container whose partition key is not that of the one to be created.
pub(super) fn ensure_partition_key(
    container: &ContainerReference,
    new: &NewContainer,
) -> Result<()> {
    let found = container.partition_key_definition().paths();
    if found.iter().eq(new.partition_key.iter()) {
        return Ok(());
    }
    Err(usage(
        format!(
            "container `{}` exists, and its partition key is `{}`, not `{}`",
            container.name(),
            found.join("`, `"),
            new.partition_key.join("`, `")
        ),
        "leave --create out to use it as it is, or name another container",
    ))
}

/// Whether `not_found` is about the container and not the database.
async fn database_exists(
    driver: &CosmosDriver,
    options: &ConnectOptions,
    not_found: &CosmosError,
    persistence: &Persistence,
) -> bool {
    const OWNER_NOT_FOUND: u16 = 1003;
    if not_found.status().sub_status().map(|s| s.value()) == Some(OWNER_NOT_FOUND) {
        return false;
    }
    let read = || async move {
        let account = driver.account().clone();
        let database = DatabaseReference::from_name(account, options.database.clone());
        let read = Box::pin(driver.execute_singleton_operation(
            CosmosOperation::read_database(database),
            operation_options(options.throughput),
        ));
        match tokio::time::timeout(DATABASE_DEADLINE, read).await {
            Ok(Err(error)) if u16::from(error.status().status_code()) == 404 => Ok(false),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(_)) | Err(_) => Ok(true),
        }
    };
    let what = format!("cannot read database `{}`", options.database);
    // In doubt the container is missing, which is certain.
    persistence.persist(&what, read).await.unwrap_or(true)
}

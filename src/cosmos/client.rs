//! The connection: a driver that is ready, and the container it reads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use azure_data_cosmos_driver::models::{
    AccountReference, ContainerReference, CosmosOperation, CosmosRequestHeaders, Credential,
    DatabaseReference, PartitionKeyDefinition,
};
use azure_data_cosmos_driver::options::{
    AvailabilityStrategy, BinaryEncodingOptions, ConnectionPoolOptions, DriverOptions,
    OperationOptions, OperationOptionsBuilder, PriorityLevel, ServerCertificateValidation,
    ThroughputControlOptionsBuilder, UserAgentSuffix,
};
use azure_data_cosmos_driver::{CosmosDriver, CosmosDriverRuntime, CosmosError};
use futures_util::future::select_ok;
use tokio::net::TcpStream;
use url::Url;

use crate::cli::Priority;
use crate::cosmos::auth;
use crate::cosmos::error::{causes, describe};
use crate::cosmos::hint::{
    account_hint, asked_elsewhere, container_hint, creation_hint, is_certificate, is_transport,
    location_hint, unlike_hint,
};
use crate::cosmos::items::NewContainer;
use crate::cosmos::transport::{BoundedClients, LastList, ListFault};
use crate::error::{Annotate, ExitCode, usage, with_exit_code, with_hint};
use crate::plan::{ConnectionPlan, ThroughputPlan};

/// The address must be resolved and a connection accepted by then.
const REACH_DEADLINE: Duration = Duration::from_secs(5);
/// An account that is reached must have answered by then. The driver waits for throttling to end,
/// and tries a TLS handshake three times for 5 s each.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);
/// The same for the second attempt, in HTTP/1.1.
const HTTP11_ANSWER_DEADLINE: Duration = Duration::from_secs(6);
/// The container must be resolved by then. Longer, since a throttled account makes the driver wait.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(60);

/// The driver's default is 6 s, and it covers the whole body: on a slow link every page of 4 MB
/// would fail again and again. 65 s is what the service's gateway itself allows.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(65);
const REQUEST_TIMEOUT_VARIABLE: &str =
    "AZURE_COSMOS_CONNECTION_POOL_MAX_DATAPLANE_REQUEST_TIMEOUT_MS";
const HTTP2_VARIABLE: &str = "AZURE_COSMOS_CONNECTION_POOL_IS_HTTP2_ALLOWED";

/// The protocols an account is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/2, as the service does.
    Http2,
    /// HTTP/1.1, as proxies and emulators may.
    Http11,
}

/// A connected account and one of its containers.
#[derive(Debug, Clone)]
pub struct CosmosClient {
    driver: Arc<CosmosDriver>,
    container: ContainerReference,
    http_version: HttpVersion,
    throughput: ThroughputPlan,
}

impl CosmosClient {
    /// Connects to the account of `plan` and resolves its container.
    ///
    /// # Errors
    ///
    /// Says which step failed, what the service or the network said, and what to do about it. It
    /// ends within seconds if the address cannot be reached or does not answer.
    pub async fn connect(plan: &ConnectionPlan) -> Result<Self> {
        Self::connect_and_create(plan, None).await
    }

    /// As [`CosmosClient::connect`]; if `create` says how, the container is created before if there
    /// is none.
    ///
    /// # Errors
    ///
    /// Also if there is one that has another partition key.
    pub async fn connect_and_create(
        plan: &ConnectionPlan,
        create: Option<&NewContainer>,
    ) -> Result<Self> {
        let last_list = Arc::default();
        let (driver, http_version) = Box::pin(open_account(plan, &last_list)).await?;
        tracing::info!(
            endpoint = %plan.endpoint,
            ?http_version,
            "connected, {}",
            auth::describe(&plan.credential)
        );
        if let Some(new) = create {
            Box::pin(create_container(&driver, plan, new)).await?;
        }
        let container = Box::pin(resolve_container(&driver, plan, &last_list)).await?;
        if let Some(new) = create {
            ensure_partition_key(&container, new)?;
        }
        Ok(Self {
            driver,
            container,
            http_version,
            throughput: plan.throughput,
        })
    }

    /// The driver.
    pub fn driver(&self) -> &Arc<CosmosDriver> {
        &self.driver
    }

    /// The container, addressed by name; it carries the RID that the name stood for.
    pub fn container(&self) -> &ContainerReference {
        &self.container
    }

    /// Endpoint of the account.
    pub fn endpoint(&self) -> &Url {
        self.driver.account().endpoint()
    }

    /// Name of the database.
    pub fn database_name(&self) -> &str {
        self.container.database_name().unwrap_or_default()
    }

    /// Name of the container.
    pub fn container_name(&self) -> &str {
        self.container.name()
    }

    /// The container's RID: another one under the same name is another container.
    pub fn rid(&self) -> &str {
        self.container.rid()
    }

    /// The paths that make up the partition key.
    pub fn partition_key_definition(&self) -> &PartitionKeyDefinition {
        self.container.partition_key_definition()
    }

    /// The protocol that the account answered in.
    pub fn http_version(&self) -> HttpVersion {
        self.http_version
    }

    /// The options of every operation. The driver has them as its defaults.
    pub fn operation_options(&self) -> OperationOptions {
        operation_options(self.throughput)
    }

    /// The options of reading the feed. Its session tokens are not the driver's matter but the HTTP
    /// client's (see `cosmos::transport`).
    pub fn feed_options(&self) -> OperationOptions {
        let mut options = self.operation_options();
        options.session_capturing_disabled = Some(true);
        options
    }
}

/// What every operation shares.
fn operation_options(throughput: ThroughputPlan) -> OperationOptions {
    let options = OperationOptionsBuilder::new()
        // Documents are exported byte for byte as the service wrote them; text made from the
        // binary form has other numbers and another order of names.
        .with_binary_encoding(BinaryEncodingOptions::new().with_enabled(false))
        // A page of the feed often takes longer than the second after which the driver would ask
        // another region for it as well, and both would be charged.
        .with_availability_strategy(AvailabilityStrategy::Disabled);
    let mut control = ThroughputControlOptionsBuilder::new();
    if let Some(bucket) = throughput.bucket {
        control = control.with_throughput_bucket(bucket);
    }
    if let Some(priority) = throughput.priority {
        control = control.with_priority_level(match priority {
            Priority::High => PriorityLevel::High,
            Priority::Low => PriorityLevel::Low,
        });
    }
    options.with_throughput_control(control.build()).build()
}

/// Reaches the account, proves who we are, and reads its properties.
async fn open_account(
    plan: &ConnectionPlan,
    last_list: &Arc<LastList>,
) -> Result<(Arc<CosmosDriver>, HttpVersion)> {
    let failed = || format!("cannot connect to {}", plan.endpoint);
    let pool = connection_pool(plan, None)
        .map_err(|e| anyhow!(describe(&e)))
        .with_context(failed)
        .hint("check the AZURE_COSMOS_CONNECTION_POOL_… variables")?;
    // Behind a proxy the name may resolve, and the address be reached, only by the proxy.
    let is_direct = !pool.proxy_allowed();
    let credential = auth::credential(&plan.credential).await?;

    let version = if pool.is_http2_allowed() {
        HttpVersion::Http2
    } else {
        HttpVersion::Http11
    };
    let mut attempt = Box::pin(create_driver(
        plan,
        pool,
        &credential,
        last_list,
        ANSWER_DEADLINE,
    ));
    // Beside the attempt, so that an address that can be reached costs no time.
    let mut reached = Box::pin(async {
        match is_direct {
            true => reach(&plan.endpoint).await,
            false => Ok(()),
        }
    });
    let first = tokio::select! {
        biased;
        first = &mut attempt => {
            if first.as_ref().is_err_and(AccountFailure::is_of_transport) {
                reached.await.with_context(failed)?;
            }
            first
        }
        reached = &mut reached => {
            reached.with_context(failed)?;
            attempt.await
        }
    };
    let first = match first {
        Ok(driver) => return Ok((driver, version)),
        Err(error) => error,
    };
    // The driver speaks HTTP/2 without asking, and goes back to HTTP/1.1 only if the server says so
    // in HTTP/2. A server that speaks HTTP/1.1 alone breaks the connection instead.
    let may_be_http11 = version == HttpVersion::Http2
        && std::env::var_os(HTTP2_VARIABLE).is_none()
        && first.is_of_transport()
        && !first.is_unanswered_handshake()
        && !first.is_of_certificate();
    if !may_be_http11 {
        return Err(first.into_error(plan)).with_context(failed);
    }
    let pool = connection_pool(plan, Some(HttpVersion::Http11))
        .map_err(|e| anyhow!(describe(&e)))
        .with_context(failed)?;
    let attempt = create_driver(plan, pool, &credential, last_list, HTTP11_ANSWER_DEADLINE);
    match Box::pin(attempt).await {
        Ok(driver) => Ok((driver, HttpVersion::Http11)),
        // An answer over HTTP/1.1 says more than the failure to speak HTTP/2, and so does a
        // certificate: a server that refuses HTTP/2 in TLS does so before it shows one. Any other
        // second failure of the transport says less.
        Err(second) if second.is_of_transport() && !second.is_of_certificate() => {
            Err(first.into_error(plan)).with_context(failed)
        }
        Err(second) => Err(second.into_error(plan)).with_context(failed),
    }
}

/// Opens a TCP connection and drops it, to tell a wrong address at once and in plain words: the
/// driver tries three times and reports no more than "error sending request".
async fn reach(endpoint: &Url) -> Result<()> {
    const HINT: &str = "check the endpoint, and whether this machine may reach it (firewall, VPN, \
        private endpoint)";
    let host = endpoint.host_str().unwrap_or_default();
    // The name of an IPv6 address is in brackets in a URL, and without them elsewhere.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = endpoint.port_or_known_default().unwrap_or(443);
    let connect = async {
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port))
            .await
            .with_context(|| format!("the name {host} cannot be resolved"))
            .hint("check the spelling of the account's name, and the network")?
            .collect();
        if addresses.is_empty() {
            return Err(with_hint(anyhow!("the name {host} has no address"), HINT));
        }
        // All at once: an address family that is not routed must not eat up the time.
        let attempts = addresses.into_iter().map(|address| {
            Box::pin(async move {
                TcpStream::connect(address)
                    .await
                    .with_context(|| format!("no connection to {address}"))
            })
        });
        select_ok(attempts).await.map(drop).hint(HINT)
    };
    match tokio::time::timeout(REACH_DEADLINE, connect).await {
        Ok(result) => result,
        Err(_) => Err(with_hint(
            anyhow!(
                "{host}:{port} does not answer within {} s",
                REACH_DEADLINE.as_secs()
            ),
            HINT,
        )),
    }
}

fn connection_pool(
    plan: &ConnectionPlan,
    version: Option<HttpVersion>,
) -> Result<ConnectionPoolOptions, CosmosError> {
    let mut pool = ConnectionPoolOptions::builder();
    // What is set in code wins over the driver's variables, so it is set only where they are not.
    if std::env::var_os(REQUEST_TIMEOUT_VARIABLE).is_none() {
        pool = pool.with_max_dataplane_request_timeout(REQUEST_TIMEOUT);
    }
    if version == Some(HttpVersion::Http11) {
        pool = pool.with_is_http2_allowed(false);
    }
    if plan.accept_self_signed {
        // The driver does so for loopback addresses only.
        pool = pool.with_server_certificate_validation(
            ServerCertificateValidation::RequiredUnlessEmulator,
        );
    }
    pool.build()
}

async fn create_driver(
    plan: &ConnectionPlan,
    pool: ConnectionPoolOptions,
    credential: &Credential,
    last_list: &Arc<LastList>,
    deadline: Duration,
) -> Result<Arc<CosmosDriver>, AccountFailure> {
    let (account, key) = match credential {
        Credential::AccountKey(key) => (
            AccountReference::with_account_key(plan.endpoint.clone(), key.clone()),
            Some(key.clone()),
        ),
        Credential::TokenCredential(token) => (
            AccountReference::with_credential(plan.endpoint.clone(), Arc::clone(token)),
            None,
        ),
    };
    let clients = BoundedClients::new(&plan.database, &plan.container, key, Arc::clone(last_list));
    let options = DriverOptions::builder(account)
        .with_operation_options(operation_options(plan.throughput))
        .build();
    let mut runtime = CosmosDriverRuntime::builder()
        .with_connection_pool(pool)
        .with_mock_http_client_factory(Arc::new(clients));
    // The suffix is where an application names itself, and what an account's logs are searched by.
    let name = concat!("cosmos-tail-", env!("CARGO_PKG_VERSION"));
    if let Some(suffix) = UserAgentSuffix::try_new(name) {
        runtime = runtime.with_user_agent_suffix(suffix);
    }
    let runtime = Box::pin(runtime.build()).await?;
    let answer = Box::pin(runtime.create_driver(options));
    match tokio::time::timeout(deadline, answer).await {
        Ok(driver) => Ok(driver?),
        Err(_) => Err(AccountFailure::Silence(deadline)),
    }
}

/// Why the account's properties could not be read.
#[derive(Debug)]
enum AccountFailure {
    /// The connection was accepted, and then nothing came for so long.
    Silence(Duration),
    /// An answer, or a failure of the connection.
    Error(CosmosError),
}

impl From<CosmosError> for AccountFailure {
    fn from(error: CosmosError) -> Self {
        Self::Error(error)
    }
}

impl AccountFailure {
    /// Whether the connection failed before any answer came.
    fn is_of_transport(&self) -> bool {
        match self {
            Self::Silence(_) => true,
            Self::Error(error) => error.response().is_none() && is_transport(error),
        }
    }

    /// Whether not even TLS was answered, or nothing for the longest time: the version of HTTP was
    /// never the question.
    fn is_unanswered_handshake(&self) -> bool {
        const CONNECTION_FAILED: u16 = 20010;
        match self {
            Self::Silence(_) => true,
            Self::Error(error) => {
                error.status().sub_status().map(|s| s.value()) == Some(CONNECTION_FAILED)
                    && causes(error).any(|cause| cause.to_string().contains("timed out"))
            }
        }
    }

    /// Whether the server's certificate is not accepted.
    fn is_of_certificate(&self) -> bool {
        matches!(self, Self::Error(error) if is_certificate(error))
    }

    fn into_error(self, plan: &ConnectionPlan) -> anyhow::Error {
        match self {
            Self::Silence(deadline) => with_hint(
                anyhow!("no answer within {} s", deadline.as_secs()),
                "the address accepts connections: check that it is the endpoint of a Cosmos DB \
                 account (NoSQL API)",
            ),
            Self::Error(error) => {
                let hint = account_hint(&error, plan);
                with_hint(anyhow!(describe(&error)), hint)
            }
        }
    }
}

/// Looks the container up by name.
async fn resolve_container(
    driver: &CosmosDriver,
    plan: &ConnectionPlan,
    last_list: &LastList,
) -> Result<ContainerReference> {
    let (database, container) = (&plan.database, &plan.container);
    let failed = || format!("cannot open container `{container}` of database `{database}`");
    let resolved =
        Box::pin(driver.resolve_container(database, container, operation_options(plan.throughput)));
    let error = match tokio::time::timeout(RESOLVE_DEADLINE, resolved).await {
        Ok(Ok(container)) => return Ok(container),
        Ok(Err(error)) => error,
        Err(_) => {
            return Err(with_hint(
                anyhow!("no answer within {} s", RESOLVE_DEADLINE.as_secs()),
                "the account answers but does not say where the container is; try again later",
            ))
            .with_context(failed);
        }
    };
    let is_not_found = u16::from(error.status().status_code()) == 404;
    let (cause, hint) = if !is_not_found {
        refused_container(&error, plan, last_list)
    } else if let Some(location) = asked_elsewhere(&error, plan) {
        (
            format!("{location} answers: {}", describe(&error)),
            location_hint(&location, plan),
        )
    } else if Box::pin(database_exists(driver, plan, &error)).await {
        (
            format!("database `{database}` has no container `{container}`"),
            "check the name given with -c (AZURE_COSMOS_CONTAINER); names are case-sensitive"
                .to_owned(),
        )
    } else {
        (
            format!("{} has no database `{database}`", plan.endpoint),
            "check the name given with -d (AZURE_COSMOS_DATABASE); names are case-sensitive"
                .to_owned(),
        )
    };
    let error = with_hint(anyhow!(cause), hint);
    // Nothing comes of waiting for a name that is not there.
    let error = match is_not_found {
        true => with_exit_code(error, ExitCode::Failed),
        false => error,
    };
    Err(error).with_context(failed)
}

/// Why a container that may be there could not be opened, and what to do about it.
fn refused_container(
    error: &CosmosError,
    plan: &ConnectionPlan,
    last_list: &LastList,
) -> (String, String) {
    /// The driver's word for ranges that it cannot have or read.
    const NO_RANGES: u16 = 20305;
    if error.status().sub_status().map(|s| s.value()) == Some(NO_RANGES) {
        match last_list.take() {
            Some(ListFault::Refused(refusal)) => {
                let cause = format!(
                    "its list of partition key ranges is refused: {}",
                    describe(&refusal)
                );
                return (cause, container_hint(&refusal, plan));
            }
            Some(ListFault::Unlike(why)) => {
                let cause = format!(
                    "its list of partition key ranges is not one that Cosmos DB sends: {why}"
                );
                return (cause, unlike_hint(&plan.endpoint));
            }
            None => {}
        }
    }
    (describe(error), container_hint(error, plan))
}

/// Creates the container of `plan`, unless there is one of its name.
async fn create_container(
    driver: &CosmosDriver,
    plan: &ConnectionPlan,
    new: &NewContainer,
) -> Result<()> {
    let (database, container) = (&plan.database, &plan.container);
    let paths = &new.partition_key;
    let kind = if paths.len() > 1 { "MultiHash" } else { "Hash" };
    let body = serde_json::json!({
        "id": container,
        "partitionKey": { "paths": paths, "kind": kind, "version": 2 },
    });
    let mut headers = CosmosRequestHeaders::default();
    headers.offer_throughput = new.throughput;
    let reference = DatabaseReference::from_name(driver.account().clone(), database.clone());
    let operation = CosmosOperation::create_container(reference)
        .with_body(body.to_string().into_bytes())
        .with_request_headers(headers);
    let created =
        Box::pin(driver.execute_singleton_operation(operation, operation_options(plan.throughput)));
    let error = match created.await {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    if u16::from(error.status().status_code()) == 409 {
        return Ok(());
    }
    let hint = creation_hint(&error, plan);
    Err(with_hint(anyhow!(describe(&error)), hint))
        .with_context(|| format!("cannot create container `{container}` of database `{database}`"))
}

/// Refuses a container that has another partition key than the one that was to be created.
fn ensure_partition_key(container: &ContainerReference, new: &NewContainer) -> Result<()> {
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

/// Whether it is the container and not the database that `not_found` is about.
async fn database_exists(
    driver: &CosmosDriver,
    plan: &ConnectionPlan,
    not_found: &CosmosError,
) -> bool {
    const OWNER_NOT_FOUND: u16 = 1003;
    if not_found.status().sub_status().map(|s| s.value()) == Some(OWNER_NOT_FOUND) {
        return false;
    }
    let database = DatabaseReference::from_name(driver.account().clone(), plan.database.clone());
    let read = Box::pin(driver.execute_singleton_operation(
        CosmosOperation::read_database(database),
        operation_options(plan.throughput),
    ));
    match tokio::time::timeout(ANSWER_DEADLINE, read).await {
        Ok(Err(error)) => u16::from(error.status().status_code()) != 404,
        Ok(Ok(_)) | Err(_) => true,
    }
}

#[cfg(test)]
mod tests;

//! The connection: a driver that is ready, and the container it reads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use azure_data_cosmos_driver::error::status_codes;
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
use crate::cosmos::error::{Verdict, causes, describe, one_line, verdict};
use crate::cosmos::feed::PhysicalPartition;
use crate::cosmos::hint::{
    account_hint, asked_elsewhere, container_hint, creation_hint, is_certificate, is_transport,
    location_hint, unlike_hint,
};
use crate::cosmos::items::NewContainer;
use crate::cosmos::retry::Persistence;
use crate::cosmos::transport::{BoundedClients, Heard, ListFault};
use crate::error::{Annotate, ExitCode, usage, with_exit_code, with_hint};
use crate::settings::{ConnectionPlan, ThroughputPlan};

/// The address must be resolved and a connection accepted by then.
const REACH_DEADLINE: Duration = Duration::from_secs(5);
/// An account that is reached must have answered by then. The driver waits for throttling to end,
/// and tries a TLS handshake three times for 5 s each.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);
/// The same for the second attempt, in HTTP/1.1.
const HTTP11_ANSWER_DEADLINE: Duration = Duration::from_secs(6);
/// How long an address at which nothing has shown yet that it is an account's is tried again: long
/// enough for a connection that was reset, and short enough for an address that is wrong.
const FIRST_CONTACT: Duration = Duration::from_secs(5);
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
    persistence: Persistence,
    heard: Arc<Heard>,
}

impl CosmosClient {
    /// Connects to the account of `plan` and resolves its container. Nothing is tried again.
    ///
    /// # Errors
    ///
    /// Says which step failed, what the service or the network said, and what to do about it. It
    /// ends within seconds if the address cannot be reached or does not answer.
    pub async fn connect(plan: &ConnectionPlan) -> Result<Self> {
        Self::connect_and_create(plan, None, &Persistence::default()).await
    }

    /// As [`CosmosClient::connect`], with what fails for a moment tried again; if `create` says how, the
    /// container is created before if there is none.
    ///
    /// # Errors
    ///
    /// Also if there is one that has another partition key.
    pub async fn connect_and_create(
        plan: &ConnectionPlan,
        create: Option<&NewContainer>,
        persistence: &Persistence,
    ) -> Result<Self> {
        let heard = Arc::new(Heard::default());
        let opened = Box::pin(open_persistently(plan, &heard, persistence)).await;
        let (driver, http_version) =
            opened.with_context(|| format!("cannot connect to {}", plan.endpoint))?;
        tracing::info!(
            endpoint = %plan.endpoint,
            ?http_version,
            "connected, {}",
            auth::describe(&plan.credential)
        );
        if let Some(new) = create {
            Box::pin(create_container(&driver, plan, new, persistence)).await?;
        }
        let container = Box::pin(resolve_container(&driver, plan, &heard, persistence)).await?;
        if let Some(new) = create {
            ensure_partition_key(&container, new)?;
        }
        Ok(Self {
            driver,
            container,
            http_version,
            throughput: plan.throughput,
            persistence: persistence.clone(),
            heard,
        })
    }

    /// As [`CosmosClient::physical_partitions`], tried again if it fails for a moment.
    ///
    /// # Errors
    ///
    /// As that.
    pub async fn list_partitions(&self, refresh: bool) -> Result<Vec<PhysicalPartition>> {
        const WHAT: &str = "cannot list the container's feed ranges";
        let list = || async move {
            let listed = self.physical_partitions(refresh).await;
            // The driver does not say why there is no list.
            listed.map_err(|error| match self.heard.take_list_fault() {
                Some(ListFault::Refused(refusal)) => (*refusal).into(),
                Some(unlike) => anyhow!(unlike.to_string()),
                None => error,
            })
        };
        self.persistence.persist(WHAT, list).await.context(WHAT)
    }

    /// How often what comes before the first page is tried.
    pub fn persistence(&self) -> &Persistence {
        &self.persistence
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

/// Reaches the account, proves who we are, and reads its properties; what fails for a moment is tried
/// again.
async fn open_persistently(
    plan: &ConnectionPlan,
    heard: &Arc<Heard>,
    persistence: &Persistence,
) -> Result<(Arc<CosmosDriver>, HttpVersion)> {
    let credential = auth::credential(&plan.credential).await?;
    let what = format!("cannot connect to {}", plan.endpoint);
    let started = Instant::now();
    let mut retries = persistence.retries();
    loop {
        let failed = match Box::pin(open_account(plan, &credential, heard)).await {
            Ok(opened) => return Ok(opened),
            Err(failed) => failed,
        };
        let tried = retries.clone();
        let reason = || one_line(&format!("{:#}", failed.error));
        let notice = match failed.hope {
            Hope::None => None,
            Hope::InTrouble { retry_after } => retries.again(retry_after, reason),
            Hope::PerhapsNoAccount => retries
                .again(None, reason)
                .filter(|notice| started.elapsed() + notice.pause <= FIRST_CONTACT),
        };
        match notice {
            Some(notice) => persistence.pause(&what, &notice).await,
            None => return Err(tried.after_retries(failed.error)),
        }
    }
}

/// Why an account could not be opened, and whether it may be at another try.
struct OpenFailure {
    error: anyhow::Error,
    hope: Hope,
}

impl OpenFailure {
    fn hopeless(error: anyhow::Error) -> Self {
        let hope = Hope::None;
        Self { error, hope }
    }

    fn of_address(error: anyhow::Error) -> Self {
        let hope = Hope::PerhapsNoAccount;
        Self { error, hope }
    }
}

/// What another try may bring.
#[derive(Debug, Clone, Copy)]
enum Hope {
    /// The same.
    None,
    /// What is said by an account that is in trouble: that may take a while.
    InTrouble {
        /// How long the service asked to wait, if it did.
        retry_after: Option<Duration>,
    },
    /// The connection fails, or what comes over it is nothing that an account says. That happens once to
    /// an account too; and always at an address that is wrong.
    PerhapsNoAccount,
}

/// Reaches the account, proves who we are, and reads its properties.
async fn open_account(
    plan: &ConnectionPlan,
    credential: &Credential,
    heard: &Arc<Heard>,
) -> Result<(Arc<CosmosDriver>, HttpVersion), OpenFailure> {
    let pool = connection_pool(plan, None)
        .map_err(|e| anyhow!(describe(&e)))
        .hint("check the AZURE_COSMOS_CONNECTION_POOL_… variables")
        .map_err(OpenFailure::hopeless)?;
    // Behind a proxy the name may resolve, and the address be reached, only by the proxy.
    let is_direct = !pool.proxy_allowed();

    let version = if pool.is_http2_allowed() {
        HttpVersion::Http2
    } else {
        HttpVersion::Http11
    };
    let attempt = create_driver(plan, pool, credential, heard, ANSWER_DEADLINE);
    let mut attempt = Box::pin(attempt);
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
                reached.await?;
            }
            first
        }
        reached = &mut reached => {
            reached?;
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
        return Err(first.into_failure(plan, heard));
    }
    let pool = connection_pool(plan, Some(HttpVersion::Http11))
        .map_err(|e| OpenFailure::hopeless(anyhow!(describe(&e))))?;
    let attempt = create_driver(plan, pool, credential, heard, HTTP11_ANSWER_DEADLINE);
    match Box::pin(attempt).await {
        Ok(driver) => Ok((driver, HttpVersion::Http11)),
        // An answer over HTTP/1.1 says more than the failure to speak HTTP/2, and so does a
        // certificate: a server that refuses HTTP/2 in TLS does so before it shows one. Any other
        // second failure of the transport says less.
        Err(second) if second.is_of_transport() && !second.is_of_certificate() => {
            Err(first.into_failure(plan, heard))
        }
        Err(second) => Err(second.into_failure(plan, heard)),
    }
}

/// Opens a TCP connection and drops it, to tell a wrong address at once and in plain words: the
/// driver tries three times and reports no more than "error sending request".
///
/// A name that is not known stays so, a server for names that does not answer may answer at another try,
/// and so may a port that refuses. An address that does not answer at all has had its time.
async fn reach(endpoint: &Url) -> Result<(), OpenFailure> {
    const HINT: &str = "check the endpoint, and whether this machine may reach it (firewall, VPN, \
        private endpoint)";
    let host = endpoint.host_str().unwrap_or_default();
    // The name of an IPv6 address is in brackets in a URL, and without them elsewhere.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = endpoint.port_or_known_default().unwrap_or(443);
    let connect = async {
        let addresses: Vec<SocketAddr> = match tokio::net::lookup_host((host, port)).await {
            Ok(addresses) => addresses.collect(),
            Err(error) => {
                let passes = passes_by_itself(&error);
                let error = with_hint(
                    anyhow!(error).context(format!("the name {host} cannot be resolved")),
                    "check the spelling of the account's name, and the network",
                );
                return Err(match passes {
                    true => OpenFailure::of_address(error),
                    false => OpenFailure::hopeless(error),
                });
            }
        };
        if addresses.is_empty() {
            let error = anyhow!("the name {host} has no address");
            return Err(OpenFailure::hopeless(with_hint(error, HINT)));
        }
        // All at once: an address family that is not routed must not eat up the time.
        let attempts = addresses.into_iter().map(|address| {
            Box::pin(async move {
                TcpStream::connect(address)
                    .await
                    .with_context(|| format!("no connection to {address}"))
            })
        });
        let connected = select_ok(attempts).await.map(drop).hint(HINT);
        connected.map_err(OpenFailure::of_address)
    };
    match tokio::time::timeout(REACH_DEADLINE, connect).await {
        Ok(result) => result,
        Err(_) => Err(OpenFailure::hopeless(with_hint(
            anyhow!(
                "{host}:{port} does not answer within {} s",
                REACH_DEADLINE.as_secs()
            ),
            HINT,
        ))),
    }
}

/// Whether a name was not resolved since no server for names said anything of it: getaddrinfo's
/// EAI_AGAIN, which Rust has as text only, and WSATRY_AGAIN.
fn passes_by_itself(error: &std::io::Error) -> bool {
    const TRY_AGAIN: i32 = 11002;
    let text = error.to_string().to_ascii_lowercase();
    error.raw_os_error() == Some(TRY_AGAIN)
        || text.contains("temporary failure")
        || text.contains("try again")
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
    heard: &Arc<Heard>,
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
    let (database, container) = (&plan.database, &plan.container);
    let clients = BoundedClients::new(&plan.endpoint, database, container, key, heard);
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

/// The sub-status of an answer that is not what the driver asked for.
const NOT_UNDERSTOOD: u16 = 20020;

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

    fn into_failure(self, plan: &ConnectionPlan, heard: &Heard) -> OpenFailure {
        if let Some(fault) = heard.refused_location() {
            return OpenFailure::hopeless(with_hint(
                anyhow!(fault),
                "nothing was sent there. An account names the addresses of its regions, as \
                 https://NAME-REGION.documents.azure.com:443/: check that the endpoint is the account's \
                 own, and what stands between",
            ));
        }
        let hope = self.hope();
        let error = self.into_error(plan);
        OpenFailure { error, hope }
    }

    fn hope(&self) -> Hope {
        let Self::Error(error) = self else {
            // It has waited for long already.
            return Hope::None;
        };
        let sub_status = error.status().sub_status().map_or(0, |s| s.value());
        match u16::from(error.status().status_code()) {
            _ if is_certificate(error) => Hope::None,
            _ if self.is_of_transport() => Hope::PerhapsNoAccount,
            // No JSON, not that of an account, or a redirect that is not followed.
            500 if sub_status == NOT_UNDERSTOOD => Hope::PerhapsNoAccount,
            300..=399 => Hope::PerhapsNoAccount,
            _ => match verdict(error) {
                Verdict::Transient { retry_after } => Hope::InTrouble { retry_after },
                _ => Hope::None,
            },
        }
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

/// Looks the container up by name, with its ranges; what fails for a moment is tried again.
async fn resolve_container(
    driver: &CosmosDriver,
    plan: &ConnectionPlan,
    heard: &Heard,
    persistence: &Persistence,
) -> Result<ContainerReference> {
    let (database, container) = (&plan.database, &plan.container);
    let what = format!("cannot open container `{container}` of database `{database}`");
    let mut retries = persistence.retries();
    loop {
        let options = operation_options(plan.throughput);
        let resolved = Box::pin(driver.resolve_container(database, container, options));
        let error = match tokio::time::timeout(RESOLVE_DEADLINE, resolved).await {
            Ok(Ok(container)) => return Ok(container),
            Ok(Err(error)) => error,
            Err(_) => {
                return Err(with_hint(
                    anyhow!("no answer within {} s", RESOLVE_DEADLINE.as_secs()),
                    "the account answers but does not say where the container is; try again later",
                ))
                .context(what);
            }
        };
        // The driver does not say why there is no list of ranges.
        let fault = heard
            .take_list_fault()
            .filter(|_| error.status() == status_codes::CLIENT_TOPOLOGY_RESOLUTION_FAILED);
        let meaning = match &fault {
            Some(fault) => fault.verdict(),
            None => verdict(&error),
        };
        let reason = || match &fault {
            Some(fault) => fault.to_string(),
            None => describe(&error),
        };
        if let Verdict::Transient { retry_after } = meaning
            && let Some(notice) = retries.again(retry_after, reason)
        {
            persistence.pause(&what, &notice).await;
            continue;
        }
        let error = match fault {
            Some(fault) => with_hint(anyhow!(fault.to_string()), list_hint(&fault, plan)),
            None => explain_unresolved(driver, plan, &error, persistence).await,
        };
        return Err(retries.after_retries(error)).context(what);
    }
}

/// What to do about a list of ranges that cannot be used.
fn list_hint(fault: &ListFault, plan: &ConnectionPlan) -> String {
    match fault {
        ListFault::Refused(refusal) => container_hint(refusal, plan),
        ListFault::Other(_) | ListFault::Unlike(_) => unlike_hint(&plan.endpoint),
    }
}

/// Why a container could not be resolved, and what to do about it.
async fn explain_unresolved(
    driver: &CosmosDriver,
    plan: &ConnectionPlan,
    error: &CosmosError,
    persistence: &Persistence,
) -> anyhow::Error {
    let (database, container) = (&plan.database, &plan.container);
    let is_not_found = u16::from(error.status().status_code()) == 404;
    let (cause, hint) = if !is_not_found {
        (describe(error), container_hint(error, plan))
    } else if let Some(location) = asked_elsewhere(error, plan) {
        (
            format!("{location} answers: {}", describe(error)),
            location_hint(&location, plan),
        )
    } else if Box::pin(database_exists(driver, plan, error, persistence)).await {
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
    match is_not_found {
        true => with_exit_code(error, ExitCode::Failed),
        false => error,
    }
}

/// Creates the container of `plan`, unless there is one of its name.
async fn create_container(
    driver: &CosmosDriver,
    plan: &ConnectionPlan,
    new: &NewContainer,
    persistence: &Persistence,
) -> Result<()> {
    let (database, container) = (&plan.database, &plan.container);
    let what = format!("cannot create container `{container}` of database `{database}`");
    let paths = &new.partition_key;
    let kind = if paths.len() > 1 { "MultiHash" } else { "Hash" };
    let body = serde_json::json!({
        "id": container,
        "partitionKey": { "paths": paths, "kind": kind, "version": 2 },
    });
    let create = || async {
        let mut headers = CosmosRequestHeaders::default();
        headers.offer_throughput = new.throughput;
        let reference = DatabaseReference::from_name(driver.account().clone(), database.clone());
        let operation = CosmosOperation::create_container(reference)
            .with_body(body.to_string().into_bytes())
            .with_request_headers(headers);
        let options = operation_options(plan.throughput);
        Box::pin(driver.execute_singleton_operation(operation, options)).await
    };
    let mut retries = persistence.retries();
    let error = loop {
        let error = match create().await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        // A try whose answer was lost may have created it: the next one finds it then (409).
        if let Verdict::Transient { retry_after } = verdict(&error)
            && let Some(notice) = retries.again(retry_after, || describe(&error))
        {
            persistence.pause(&what, &notice).await;
            continue;
        }
        break error;
    };
    if u16::from(error.status().status_code()) == 409 {
        return Ok(());
    }
    let hint = creation_hint(&error, plan);
    let error = with_hint(anyhow!(describe(&error)), hint);
    Err(retries.after_retries(error)).context(what)
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
    persistence: &Persistence,
) -> bool {
    const OWNER_NOT_FOUND: u16 = 1003;
    if not_found.status().sub_status().map(|s| s.value()) == Some(OWNER_NOT_FOUND) {
        return false;
    }
    let read = || async move {
        let account = driver.account().clone();
        let database = DatabaseReference::from_name(account, plan.database.clone());
        let read = Box::pin(driver.execute_singleton_operation(
            CosmosOperation::read_database(database),
            operation_options(plan.throughput),
        ));
        match tokio::time::timeout(ANSWER_DEADLINE, read).await {
            Ok(Err(error)) if u16::from(error.status().status_code()) == 404 => Ok(false),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(_)) | Err(_) => Ok(true),
        }
    };
    let what = format!("cannot read database `{}`", plan.database);
    // What is known is that the container is not there.
    persistence.persist(&what, read).await.unwrap_or(true)
}

#[cfg(test)]
mod tests;

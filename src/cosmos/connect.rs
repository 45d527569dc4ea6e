//! Connecting: the account is reached, and the credential is accepted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use azure_data_cosmos_driver::models::{AccountReference, Credential};
use azure_data_cosmos_driver::options::{
    ConnectionPoolOptions, DriverOptions, Region, ServerCertificateValidation, UserAgentSuffix,
};
use azure_data_cosmos_driver::{CosmosDriver, CosmosDriverRuntime, CosmosError};

use super::auth;
use super::client::{HttpVersion, operation_options};
use super::error::{ServiceError, Verdict, causes, describe, one_line, verdict};
use super::hints::{account_hint, cause_of, detour_of, is_certificate, is_transport};
use super::options::ConnectOptions;
use super::reach::{Unreachable, reach};
use super::retry::Persistence;
use super::traffic::Traffic;
use super::transport::{BoundedClients, Detour, Direct, Heard};
use crate::error::{Annotate, usage, with_hint};
use crate::nearest::{bounded, nearest};

/// Deadline for the answer of an account that is reached. The driver waits for throttling to end, and
/// attempts a TLS handshake three times for 5 s each.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);
/// The same for the second attempt, with HTTP/1.1.
const HTTP11_ANSWER_DEADLINE: Duration = Duration::from_secs(6);
/// How long an address is retried that has not answered like an account yet: long enough for a connection
/// that was reset, and short enough for an address that is wrong.
const FIRST_CONTACT: Duration = Duration::from_secs(5);

/// The driver's default of 6 s covers the whole body: on a slow link every page of 4 MB would fail again
/// and again. The service's gateway itself allows 65 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(65);
const REQUEST_TIMEOUT_VARIABLE: &str =
    "AZURE_COSMOS_CONNECTION_POOL_MAX_DATAPLANE_REQUEST_TIMEOUT_MS";
const HTTP2_VARIABLE: &str = "AZURE_COSMOS_CONNECTION_POOL_IS_HTTP2_ALLOWED";

/// Refuses a region that the account cannot be read from: the driver would ignore it.
pub(super) fn ensure_regions(options: &ConnectOptions, heard: &Heard) -> Result<()> {
    let regions = heard.regions();
    let is_known = |wanted: &String| {
        let wanted = Region::new(wanted.clone());
        let mut known = regions.iter().map(|known| Region::new(known.clone()));
        known.any(|known| known == wanted)
    };
    let Some(unknown) = options.routing.regions.iter().find(|name| !is_known(name)) else {
        return Ok(());
    };
    let names: Vec<&str> = regions.iter().map(String::as_str).collect();
    let hint = match nearest(unknown, &names) {
        Some(nearest) => format!("did you mean `{nearest}`? Case and spaces do not matter"),
        None if names.is_empty() => "the account names no regions: leave the region out".to_owned(),
        None => "name one of these, or leave the region out".to_owned(),
    };
    Err(usage(
        format!(
            "the account at {} cannot be read in the region `{unknown}`: its regions are {}",
            options.endpoint,
            bounded(&names)
        ),
        hint,
    ))
}

/// Reaches the account, authenticates, and reads its properties. Transient errors are retried.
pub(super) async fn open_persistently(
    options: &ConnectOptions,
    heard: &Arc<Heard>,
    traffic: &Arc<Traffic>,
    direct: &Arc<Direct>,
    persistence: &Persistence,
) -> Result<(Arc<CosmosDriver>, HttpVersion)> {
    let credential = auth::credential(&options.credential, &options.token).await?;
    direct.keep_credential(&credential);
    let what = format!("cannot connect to {}", options.endpoint);
    let started = Instant::now();
    let mut retries = persistence.retries();
    loop {
        let failed =
            match Box::pin(open_account(options, &credential, heard, traffic, direct)).await {
                Ok(opened) => return Ok(opened),
                Err(failed) => failed,
            };
        let tried = retries.clone();
        let reason = || one_line(&format!("{:#}", failed.error));
        let notice = match failed.hope {
            Hope::None => None,
            Hope::Outage { retry_after } => retries.again(retry_after, reason),
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

/// Why an account could not be opened, and whether another attempt may succeed.
struct OpenFailure {
    error: anyhow::Error,
    hope: Hope,
}

impl OpenFailure {
    fn hopeless(error: anyhow::Error) -> Self {
        let hope = Hope::None;
        Self { error, hope }
    }
}

impl From<Unreachable> for OpenFailure {
    fn from(unreachable: Unreachable) -> Self {
        Self {
            error: unreachable.error,
            hope: if unreachable.may_pass {
                Hope::PerhapsNoAccount
            } else {
                Hope::None
            },
        }
    }
}

/// What another attempt may bring.
#[derive(Debug, Clone, Copy)]
enum Hope {
    /// The same error.
    None,
    /// The account answered with a transient error, which may last a while.
    Outage {
        /// The pause that the service asked for, if it did.
        retry_after: Option<Duration>,
    },
    /// The connection failed, or the answer is not one of an account. That can happen once
    /// with an account, and always happens at a wrong address.
    PerhapsNoAccount,
}

/// Reaches the account, authenticates, and reads its properties, once.
async fn open_account(
    options: &ConnectOptions,
    credential: &Credential,
    heard: &Arc<Heard>,
    traffic: &Arc<Traffic>,
    direct: &Arc<Direct>,
) -> Result<(Arc<CosmosDriver>, HttpVersion), OpenFailure> {
    let pool = connection_pool(options, None)
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
    let attempt = create_driver(
        options,
        pool,
        credential,
        heard,
        traffic,
        direct,
        ANSWER_DEADLINE,
    );
    let mut attempt = Box::pin(attempt);
    // In parallel, so that an address that can be reached costs no time.
    let mut reached = Box::pin(async {
        if is_direct {
            reach(&options.endpoint).await
        } else {
            Ok(())
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
    // The driver speaks HTTP/2 without negotiation, and falls back to HTTP/1.1 only if the server asks for
    // it in HTTP/2. A server that speaks only HTTP/1.1 breaks the connection instead.
    let may_be_http11 = version == HttpVersion::Http2
        && std::env::var_os(HTTP2_VARIABLE).is_none()
        && first.is_of_transport()
        && !first.is_unanswered_handshake()
        && !first.is_of_certificate();
    if !may_be_http11 {
        return Err(first.into_failure(options, heard));
    }
    let pool = connection_pool(options, Some(HttpVersion::Http11))
        .map_err(|e| OpenFailure::hopeless(anyhow!(describe(&e))))?;
    let attempt = create_driver(
        options,
        pool,
        credential,
        heard,
        traffic,
        direct,
        HTTP11_ANSWER_DEADLINE,
    );
    match Box::pin(attempt).await {
        Ok(driver) => Ok((driver, HttpVersion::Http11)),
        // An answer over HTTP/1.1 is more specific than the failure of HTTP/2, and so is the error of a
        // certificate: a server that refuses HTTP/2 in TLS does so before it sends one. Any other second
        // failure of the transport is less specific.
        Err(second) if second.is_of_transport() && !second.is_of_certificate() => {
            Err(first.into_failure(options, heard))
        }
        Err(second) => Err(second.into_failure(options, heard)),
    }
}

fn connection_pool(
    options: &ConnectOptions,
    version: Option<HttpVersion>,
) -> Result<ConnectionPoolOptions, CosmosError> {
    let mut pool = ConnectionPoolOptions::builder();
    // Settings in code override the driver's variables, so they are set only where these are not.
    if std::env::var_os(REQUEST_TIMEOUT_VARIABLE).is_none() {
        pool = pool.with_max_dataplane_request_timeout(REQUEST_TIMEOUT);
    }
    if version == Some(HttpVersion::Http11) {
        pool = pool.with_is_http2_allowed(false);
    }
    if options.accept_self_signed {
        // The driver applies this to loopback addresses only.
        pool = pool.with_server_certificate_validation(
            ServerCertificateValidation::RequiredUnlessEmulator,
        );
    }
    pool.build()
}

async fn create_driver(
    options: &ConnectOptions,
    pool: ConnectionPoolOptions,
    credential: &Credential,
    heard: &Arc<Heard>,
    traffic: &Arc<Traffic>,
    direct: &Arc<Direct>,
    deadline: Duration,
) -> Result<Arc<CosmosDriver>, AccountFailure> {
    let (account, key) = match credential {
        Credential::AccountKey(key) => (
            AccountReference::with_account_key(options.endpoint.clone(), key.clone()),
            Some(key.clone()),
        ),
        Credential::TokenCredential(token) => (
            AccountReference::with_credential(options.endpoint.clone(), Arc::clone(token)),
            None,
        ),
    };
    let clients = BoundedClients::new(options, key, heard, traffic, direct);
    let regions = options.routing.regions.iter().cloned();
    let driver = DriverOptions::builder(account)
        .with_preferred_regions(regions.map(Region::new).collect())
        .with_operation_options(operation_options(options.throughput))
        .build();
    let mut runtime = CosmosDriverRuntime::builder()
        .with_connection_pool(pool)
        .with_mock_http_client_factory(Arc::new(clients));
    // The suffix names the application; an account's logs can be searched for it.
    let name = concat!("cosmos-tail-", env!("CARGO_PKG_VERSION"));
    if let Some(suffix) = UserAgentSuffix::try_new(name) {
        runtime = runtime.with_user_agent_suffix(suffix);
    }
    let runtime = Box::pin(runtime.build()).await?;
    let answer = Box::pin(runtime.create_driver(driver));
    match tokio::time::timeout(deadline, answer).await {
        Ok(driver) => Ok(driver?),
        Err(_) => Err(AccountFailure::Silence(deadline)),
    }
}

/// The sub-status of an answer that the driver cannot parse.
const NOT_UNDERSTOOD: u16 = 20020;

/// Why the account's properties could not be read.
#[derive(Debug)]
enum AccountFailure {
    /// The connection was accepted, but no answer came within this time.
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

    /// Whether the TLS handshake, or everything, was unanswered until the deadline: then the version of
    /// HTTP was not the cause.
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

    fn into_failure(self, options: &ConnectOptions, heard: &Heard) -> OpenFailure {
        if let Some(fault) = heard.refused_location() {
            return OpenFailure::hopeless(with_hint(
                anyhow!(fault),
                "nothing was sent there. An account names the addresses of its regions, such as \
                https://NAME-REGION.documents.azure.com:443/: check that the endpoint is the \
                account's own, and look for a proxy in between",
            ));
        }
        let hope = self.hope();
        let error = self.into_error(options);
        OpenFailure { error, hope }
    }

    fn hope(&self) -> Hope {
        let Self::Error(error) = self else {
            // It has waited long enough.
            return Hope::None;
        };
        let sub_status = error.status().sub_status().map_or(0, |s| s.value());
        match u16::from(error.status().status_code()) {
            _ if is_certificate(error) => Hope::None,
            _ if detour_of(error).is_some_and(Detour::is_final) => Hope::None,
            _ if self.is_of_transport() => Hope::PerhapsNoAccount,
            // Not JSON, not the JSON of an account, or a redirect that is not followed.
            500 if sub_status == NOT_UNDERSTOOD => Hope::PerhapsNoAccount,
            300..=399 => Hope::PerhapsNoAccount,
            _ => match verdict(error) {
                Verdict::Transient { retry_after } => Hope::Outage { retry_after },
                _ => Hope::None,
            },
        }
    }

    fn into_error(self, options: &ConnectOptions) -> anyhow::Error {
        match self {
            Self::Silence(deadline) => with_hint(
                anyhow!("no answer within {} s", deadline.as_secs()),
                "the address accepts connections: check that it is the endpoint of a Cosmos DB \
                 account (NoSQL API)",
            ),
            Self::Error(error) => {
                let hint = account_hint(&error, options);
                with_hint(ServiceError::of(&error).with_text(cause_of(&error)), hint)
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! The HTTP client below the SDK's driver.
//!
//! The driver has one of its own; this one has the same settings. It differs in what a program must not
//! leave to the server: the length of a body, and the target of a redirect. The account's answer is
//! refused if it names a location that no request may be sent to ([`heard`]).
//!
//! It also assembles a body once instead of twice, requests the list of ranges in parallel with the
//! container ([`ranges_ahead`]), and sends only the session token of the range being read instead of all
//! ([`session`]).
//!
//! The driver accepts another client only through its feature `__internal_mocking`, which is not part of
//! its public contract: one more reason to pin it to one exact version. The program also works, unbounded
//! and slower, without this module, the line in `connect` that names it, and the one in `client` that
//! switches off the driver's session tokens.

mod detour;
mod direct;
mod heard;
mod known_plan;
mod last_list;
mod primed;
mod range_list;
mod ranges_ahead;
mod renewal;
#[cfg(test)]
mod requests;
mod session;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use azure_core::credentials::Secret;
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_data_cosmos_driver::CosmosError;
use azure_data_cosmos_driver::diagnostics::RequestSentStatus;
use azure_data_cosmos_driver::error::{CosmosStatus, status_codes};
use azure_data_cosmos_driver::options::{ConnectionPoolOptions, ServerCertificateValidation};
use azure_data_cosmos_driver::test::{
    HttpClientConfig, HttpClientFactory, HttpRequest, HttpResponse, TransportClient, TransportError,
};
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Client, Response, StatusCode};
use url::Url;

use super::date::date_of;
use super::options::ConnectOptions;
use super::traffic::Traffic;
use super::witness;
use crate::proxy::Proxies;

pub(super) use detour::Detour;
pub(super) use direct::Direct;
pub(super) use heard::Heard;
use primed::Primed;
use range_list::reads_list;
use ranges_ahead::RangesAhead;
use renewal::{AUTHORIZATION, KeyRenewal};
use session::{CONSISTENCY_LEVEL, SESSION_TOKEN, SessionTokens};

pub(super) use last_list::ListFault;

/// Maximum length of a body, in bytes. The service sends 4 MB, or 16 MB if it is configured to (the driver's
/// `HttpResponse`); a longer one comes from something else.
const MAX_BODY: usize = 64 << 20;

/// The status of an answer that is refused here and not retried.
const REFUSED: u16 = 400;

/// The status of a request whose signature is not one of the account's keys.
const UNAUTHORIZED: u16 = 401;

/// The partition key of a document without a value at its path; and what takes its place in a container that
/// was made without a partition key. The driver cannot send the latter.
const PARTITION_KEY: HeaderName = HeaderName::from_static("x-ms-documentdb-partitionkey");
const UNDEFINED_KEY: &str = "[{}]";
const EMPTY_KEY: &str = "[]";

/// The most that an answer is believed to be charged with, in RU: a partition has 10,000 RU/s and works on a request
/// for five seconds. Twice as much as that.
const MAX_CHARGE: f64 = 100_000.0;

/// The header that an answer is charged by.
const REQUEST_CHARGE: HeaderName = HeaderName::from_static("x-ms-request-charge");

/// Maximum number of redirects in a row.
const MAX_REDIRECTS: usize = 5;

/// The hosts that the driver treats as an emulator, for which the options can allow any certificate (its
/// `is_emulator_host`), beside the one that this variable names.
const EMULATOR_HOSTS: [&str; 4] = ["localhost", "127.0.0.1", "[::1]", "[0:0:0:0:0:0:0:1]"];
const EMULATOR_HOST_VARIABLE: &str = "AZURE_COSMOS_EMULATOR_HOST";

/// Creates the driver's HTTP clients, which share their state.
#[derive(Debug)]
pub(super) struct BoundedClients {
    endpoint: Url,
    limit_to_endpoint: bool,
    heard: Arc<Heard>,
    traffic: Arc<Traffic>,
    ranges_ahead: Arc<RangesAhead>,
    session_tokens: Arc<SessionTokens>,
    primed: Arc<Primed>,
    renewal: Option<Arc<KeyRenewal>>,
    direct: Arc<Direct>,
}

impl BoundedClients {
    /// For the container of `options`, with the account's key if that is the credential.
    pub(super) fn new(
        options: &ConnectOptions,
        key: Option<Secret>,
        heard: &Arc<Heard>,
        traffic: &Arc<Traffic>,
        direct: &Arc<Direct>,
    ) -> Self {
        let (database, container) = (&options.database, &options.container);
        let renewal = options.key_reader.clone().zip(key.as_ref());
        let renewal = renewal.map(|(reader, key)| Arc::new(KeyRenewal::new(reader, key)));
        Self {
            renewal,
            endpoint: options.endpoint.clone(),
            limit_to_endpoint: options.routing.limit_to_endpoint,
            heard: Arc::clone(heard),
            traffic: Arc::clone(traffic),
            ranges_ahead: Arc::new(RangesAhead::new(database, container, key)),
            session_tokens: Arc::default(),
            primed: Arc::default(),
            direct: Arc::clone(direct),
        }
    }
}

impl HttpClientFactory for BoundedClients {
    fn build(
        &self,
        pool: &ConnectionPoolOptions,
        _config: HttpClientConfig,
    ) -> Result<Arc<dyn TransportClient>, CosmosError> {
        let build = |accepted| {
            client(pool, accepted).map_err(|error| {
                CosmosError::builder()
                    .with_status(status_codes::CLIENT_HTTP_CLIENT_CONSTRUCTION_FAILED)
                    .with_message("cannot set up the HTTP client")
                    .with_source(error)
                    .build()
            })
        };
        let may_be_emulator = pool.server_certificate_validation()
            == ServerCertificateValidation::RequiredUnlessEmulator;
        let is_verified =
            self.endpoint.scheme() == "https" && !(may_be_emulator && is_emulator(&self.endpoint));
        let client = match build(Accepted::OfAuthorities) {
            // The system may have no certificates of authorities, and none are needed.
            Err(_) if !is_verified => build(Accepted::Nothing)?,
            client => client?,
        };
        let client: Arc<dyn TransportClient> = Arc::new(BoundedClient {
            client,
            of_emulator: may_be_emulator
                .then(|| build(Accepted::Anything))
                .transpose()?,
            items_timeout: pool.max_dataplane_request_timeout(),
            metadata_timeout: pool.max_metadata_request_timeout(),
            endpoint: self.endpoint.clone(),
            limit_to_endpoint: self.limit_to_endpoint,
            proxies: pool.proxy_allowed().then(Proxies::of_system),
            heard: Arc::clone(&self.heard),
            traffic: Arc::clone(&self.traffic),
            ranges_ahead: Arc::clone(&self.ranges_ahead),
            session_tokens: Arc::clone(&self.session_tokens),
            primed: Arc::clone(&self.primed),
            renewal: self.renewal.clone(),
        });
        self.direct.keep_client(Arc::clone(&client));
        Ok(client)
    }
}

/// Which certificates of servers a client accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accepted {
    /// Those that an authority signed which the system trusts.
    OfAuthorities,
    Anything,
    Nothing,
}

/// A client built from the same options as the driver's own.
fn client(pool: &ConnectionPoolOptions, accepted: Accepted) -> Result<Client, reqwest::Error> {
    let mut builder = Client::builder()
        .tls_backend_rustls()
        .tls_danger_accept_invalid_certs(accepted == Accepted::Anything)
        .redirect(Policy::custom(follow_within_origin))
        .pool_max_idle_per_host(pool.max_idle_connections_per_endpoint())
        .connect_timeout(pool.max_connect_timeout());
    if accepted == Accepted::Nothing {
        builder = builder.tls_certs_only([]);
    }
    if let Some(timeout) = pool.idle_connection_timeout() {
        builder = builder.pool_idle_timeout(timeout);
    }
    if !pool.proxy_allowed() {
        builder = builder.no_proxy();
    }
    if let Some(address) = pool.local_address() {
        builder = builder.local_address(address);
    }
    builder = if pool.is_http2_allowed() {
        builder
            .http2_keep_alive_interval(pool.http2_keep_alive_interval())
            .http2_keep_alive_timeout(pool.http2_keep_alive_timeout())
            .http2_keep_alive_while_idle(true)
            .http2_prior_knowledge()
    } else {
        builder = builder.tcp_keepalive(pool.tcp_keepalive_time());
        if let Some(interval) = pool.tcp_keepalive_interval() {
            builder = builder.tcp_keepalive_interval(interval);
        }
        if let Some(retries) = pool.tcp_keepalive_retries() {
            builder = builder.tcp_keepalive_retries(retries);
        }
        builder.http1_only()
    };
    builder.build()
}

/// Follows a redirect that leaves the request unchanged and leads to the same server: a request signed with an
/// account's key goes nowhere else, and a write does not become a read.
fn follow_within_origin(attempt: Attempt<'_>) -> Action {
    let keeps_request = matches!(
        attempt.status(),
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
    );
    let from = attempt.previous().last().map(Url::origin);
    let stays = from.is_some_and(|origin| origin == attempt.url().origin());
    if keeps_request && stays && attempt.previous().len() <= MAX_REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// A client that reads bounded bodies, and follows a redirect only to the same server.
#[derive(Debug, Clone)]
struct BoundedClient {
    client: Client,
    /// Accepts any certificate. For requests to an emulator only.
    of_emulator: Option<Client>,
    /// Timeout of a request for items, its body included.
    items_timeout: Duration,
    /// The same for any other request.
    metadata_timeout: Duration,
    /// The endpoint of the account.
    endpoint: Url,
    limit_to_endpoint: bool,
    /// The proxies, if they may be used.
    proxies: Option<Proxies>,
    heard: Arc<Heard>,
    traffic: Arc<Traffic>,
    ranges_ahead: Arc<RangesAhead>,
    session_tokens: Arc<SessionTokens>,
    primed: Arc<Primed>,
    /// What reads the account key again, if it is in a file.
    renewal: Option<Arc<KeyRenewal>>,
}

#[async_trait]
impl TransportClient for BoundedClient {
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        if !is_for_items(&request.url) {
            self.ranges_ahead.begin(request, |list| {
                let client = self.clone();
                tokio::spawn(async move {
                    let response = client.fetch_authorized(&list).await;
                    client.take(&list, response).ok()
                })
            });
            if let Some(answer) = self.ranges_ahead.answer(request).await {
                // Only what the driver gets is the list of the container.
                if answer.status == 200 {
                    self.heard.note_list(request, Some(&answer));
                }
                return Ok(answer);
            }
        }
        if let Some(plan) = self.heard.plan(request) {
            return Ok(plan);
        }
        if let Some(nothing_new) = self.primed.answer(request) {
            return Ok(nothing_new);
        }
        self.exchange(request).await
    }
}

impl BoundedClient {
    async fn exchange(&self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        let response = self.fetch_authorized(request).await;
        if reads_list(request) {
            self.heard.note_list(request, response.as_ref().ok());
        }
        self.take(request, response)
    }

    /// Takes an answer for the driver.
    fn take(
        &self,
        request: &HttpRequest,
        response: Result<HttpResponse, TransportError>,
    ) -> Result<HttpResponse, TransportError> {
        let mut response = response.inspect_err(|_| self.traffic.unanswered())?;
        witness::note(request, &response);
        let request_charge = believed_charge(&mut response.headers);
        self.traffic.answered(response.status, request_charge);
        let limit = self.limit_to_endpoint;
        if let Err(refused) = self
            .heard
            .judge(request, &mut response, &self.endpoint, limit)
        {
            tracing::warn!("{refused}");
            return Ok(answer(REFUSED, response.headers, &refused));
        }
        self.session_tokens.note(request, &response);
        self.primed.note(request, &response);
        Ok(response)
    }

    /// Fetches an answer. If the account refuses the key, and it is in a file that has another one by now, the request
    /// is repeated with that.
    async fn fetch_authorized(
        &self,
        request: &HttpRequest,
    ) -> Result<HttpResponse, TransportError> {
        let Some(renewal) = &self.renewal else {
            return self.fetch(request, None).await;
        };
        let mut refused_at = None;
        loop {
            let (generation, signature) = renewal.sign(request);
            let mut response = self.fetch(request, signature.as_deref()).await?;
            if response.status != UNAUTHORIZED {
                if response.status < 400 {
                    renewal.accepted();
                }
                return Ok(response);
            }
            let since = *refused_at.get_or_insert_with(Instant::now);
            if !renewal.renew(generation, since).await {
                return Ok(response);
            }
            let request_charge = believed_charge(&mut response.headers);
            self.traffic.answered(response.status, request_charge);
        }
    }

    /// Fetches an answer to a request, with this signature in place of its own if there is one.
    async fn fetch(
        &self,
        request: &HttpRequest,
        signature: Option<&str>,
    ) -> Result<HttpResponse, TransportError> {
        let sent = self.request(request, signature).send().await;
        let response = sent.map_err(|error| self.unsent(&request.url, error))?;
        let status = response.status().as_u16();
        let headers = headers_of(response.headers());
        if let Some(refused) = refused_redirect(&response) {
            return Ok(answer(status, headers, &refused));
        }
        // An error may be that of something on the way, whose clock is another one.
        if status < 400
            && let Some(date) = date_of(&response)
        {
            self.traffic.dated(date);
        }
        match read_body(response).await {
            Ok(Some(body)) => Ok(HttpResponse {
                status,
                headers,
                body,
            }),
            // The service's status for a page that would be too large, so that a smaller one is
            // requested.
            Ok(None) => Ok(answer(413, headers, &too_long())),
            Err(error) => Err(TransportError::new(
                self.cosmos_error(
                    status_codes::TRANSPORT_BODY_READ_FAILED,
                    &request.url,
                    error,
                ),
                RequestSentStatus::Sent,
            )),
        }
    }

    fn unsent(&self, url: &Url, error: reqwest::Error) -> TransportError {
        let (status, sent) = if error.is_connect() {
            (
                status_codes::TRANSPORT_CONNECTION_FAILED,
                RequestSentStatus::NotSent,
            )
        } else if error.is_body() {
            (status_codes::TRANSPORT_IO_FAILED, RequestSentStatus::Sent)
        } else {
            (
                status_codes::TRANSPORT_IO_FAILED,
                RequestSentStatus::Unknown,
            )
        };
        TransportError::new(self.cosmos_error(status, url, error), sent)
    }

    /// The driver's error. If the request went elsewhere than straight to the endpoint, it says where.
    fn cosmos_error(&self, status: CosmosStatus, url: &Url, error: reqwest::Error) -> CosmosError {
        let failed = CosmosError::builder().with_status(status);
        match Detour::taken(
            url,
            &self.endpoint,
            &self.heard,
            self.proxies.as_ref(),
            error,
        ) {
            Ok(detour) => failed.with_message(detour.to_string()).with_source(detour),
            Err(error) => failed.with_message(error.to_string()).with_source(error),
        }
        .build()
    }

    fn request(&self, request: &HttpRequest, signature: Option<&str>) -> reqwest::RequestBuilder {
        let client = match &self.of_emulator {
            Some(client) if is_emulator(&request.url) => client,
            _ => &self.client,
        };
        let timeout = request.timeout.unwrap_or(if is_for_items(&request.url) {
            self.items_timeout
        } else {
            self.metadata_timeout
        });
        let method = reqwest::Method::from_bytes(request.method.as_str().as_bytes())
            .expect("the SDK's methods are those of HTTP");
        let mut builder = client.request(method, request.url.clone()).timeout(timeout);
        for (name, value) in request.headers.iter() {
            if let (Some(signature), true) = (signature, *name == AUTHORIZATION) {
                builder = builder.header(name.as_str(), signature);
                continue;
            }
            let is_undefined = *name == PARTITION_KEY && value.as_str() == UNDEFINED_KEY;
            let value = if is_undefined && self.heard.is_for_system_key(request) {
                EMPTY_KEY
            } else {
                value.as_str()
            };
            builder = builder.header(name.as_str(), value);
        }
        if let Some(token) = self.session_tokens.of(request) {
            builder = builder.header(SESSION_TOKEN.as_str(), token);
            if let Some(level) = self.session_tokens.consistency() {
                builder = builder.header(CONSISTENCY_LEVEL.as_str(), level);
            }
        }
        match &request.body {
            Some(body) => builder.body(body.clone()),
            None => builder,
        }
    }
}

/// The request units that an answer was charged with. A charge that no answer has is replaced in the headers, from
/// which the driver reads it too: budgets compute pauses from charges, and summaries add them up.
fn believed_charge(headers: &mut Headers) -> f64 {
    let Some(text) = headers.get_optional_str(&REQUEST_CHARGE) else {
        return 0.0;
    };
    let charge = text.parse().unwrap_or(f64::NAN);
    if (0.0..=MAX_CHARGE).contains(&charge) {
        return charge;
    }
    let believed = if charge > 0.0 { MAX_CHARGE } else { 0.0 };
    headers.insert(REQUEST_CHARGE, believed.to_string());
    believed
}

/// Whether a request is for the items of a container, such as `/dbs/D/colls/C/docs`.
fn is_for_items(url: &Url) -> bool {
    let mut segments = url.path_segments().into_iter().flatten();
    segments.nth(4) == Some("docs")
}

fn is_emulator(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let named = std::env::var(EMULATOR_HOST_VARIABLE).unwrap_or_default();
    EMULATOR_HOSTS
        .into_iter()
        .chain([named.as_str()])
        .any(|emulator| host.eq_ignore_ascii_case(emulator))
}

/// The whole body, or `None` if it is longer than [`MAX_BODY`]; the rest is not read.
async fn read_body(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let announced = response.content_length().unwrap_or_default();
    if announced > MAX_BODY as u64 {
        return Ok(None);
    }
    let mut body = Vec::with_capacity(announced as usize);
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > MAX_BODY {
            return Ok(None);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Some(body))
}

fn too_long() -> String {
    let most = MAX_BODY >> 20;
    format!("the answer is longer than {most} MiB, more than any answer of the service")
}

/// Why a redirect was not followed, if the response is one.
fn refused_redirect(response: &Response) -> Option<String> {
    if response.status() == StatusCode::NOT_MODIFIED || !response.status().is_redirection() {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let target = response.url().join(location).ok()?;
    Some(if target.origin() == response.url().origin() {
        "the server sent a redirect of a kind that is not followed".to_owned()
    } else {
        format!(
            "the server redirects to {}, another server, to which requests are not sent; if it is the \
            account, use it as the endpoint",
            target.origin().ascii_serialization()
        )
    })
}

/// An answer with this message in place of the server's.
fn answer(status: u16, headers: Headers, message: &str) -> HttpResponse {
    HttpResponse {
        status,
        headers,
        body: serde_json::json!({ "message": message })
            .to_string()
            .into_bytes(),
    }
}

/// The headers whose values are text, in the driver's form.
fn headers_of(headers: &HeaderMap) -> Headers {
    let mut out = Headers::new();
    for (name, value) in headers {
        if let Ok(value) = value.to_str() {
            out.insert(
                HeaderName::from(name.as_str().to_owned()),
                HeaderValue::from(value.to_owned()),
            );
        }
    }
    out
}

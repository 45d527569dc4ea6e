//! Requests that the driver has no operation for: those for scripts and client encryption keys.
//!
//! They are sent by a client of the driver's own requests, so the same bounds hold for their answers, the same rules for
//! addresses and redirects, the same counters count them, and a key that was read again signs them too.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{Method, Url};
use azure_core::time::to_rfc7231;
use azure_data_cosmos_driver::CosmosError;
use azure_data_cosmos_driver::error::status_codes;
use azure_data_cosmos_driver::models::Credential;
use azure_data_cosmos_driver::test::{HttpRequest, HttpResponse, TransportClient};
use url::form_urlencoded;

use super::heard::Heard;
use super::last_list::refusal;
use super::renewal::{AUTHORIZATION, DATE, signature};
use crate::clock;
use crate::cosmos::endpoint::is_loopback;

/// The version of the service's interface, as the driver requests it.
const VERSION: &str = "2020-07-15";
/// How long one answer is waited for.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many entries of a list are asked for.
const PAGE: &str = "100";

const CONTINUATION: HeaderName = HeaderName::from_static("x-ms-continuation");

/// A client of a connection, and its credential.
#[derive(Debug)]
pub(in crate::cosmos) struct Direct {
    endpoint: Url,
    heard: Arc<Heard>,
    client: Mutex<Option<Arc<dyn TransportClient>>>,
    credential: Mutex<Option<Credential>>,
}

/// A page of a list.
#[derive(Debug)]
pub(in crate::cosmos) struct ListPage {
    pub(in crate::cosmos) body: Vec<u8>,
    pub(in crate::cosmos) continuation: Option<String>,
}

impl Direct {
    /// For the account at `endpoint`. Nothing can be sent before a client and a credential are kept.
    pub(in crate::cosmos) fn new(endpoint: &Url, heard: &Arc<Heard>) -> Self {
        Self {
            endpoint: endpoint.clone(),
            heard: Arc::clone(heard),
            client: Mutex::default(),
            credential: Mutex::default(),
        }
    }

    /// Whether the account is an emulator: nothing else is on the loopback interface.
    pub(in crate::cosmos) fn is_of_emulator(&self) -> bool {
        is_loopback(&self.endpoint)
    }

    /// The client that requests are sent by from now on.
    pub(super) fn keep_client(&self, client: Arc<dyn TransportClient>) {
        *lock(&self.client) = Some(client);
    }

    /// The credential of the connection.
    pub(in crate::cosmos) fn keep_credential(&self, credential: &Credential) {
        *lock(&self.credential) = Some(credential.clone());
    }

    /// A page of the list of `kind`, such as `sprocs`, below the resource that `parents` name.
    ///
    /// # Errors
    ///
    /// If the service refuses it, or does not answer.
    pub(in crate::cosmos) async fn page(
        &self,
        parents: &[&str],
        kind: &str,
        continuation: Option<&str>,
    ) -> Result<ListPage, CosmosError> {
        let mut headers = vec![(HeaderName::from_static("x-ms-max-item-count"), PAGE)];
        headers.extend(continuation.map(|text| (CONTINUATION, text)));
        let answer = self
            .send(Method::Get, parents, kind, &headers, None)
            .await?;
        let continuation = answer.headers.get_optional_str(&CONTINUATION);
        let continuation = continuation.filter(|text| !text.is_empty());
        Ok(ListPage {
            continuation: continuation.map(str::to_owned),
            body: answer.body,
        })
    }

    /// Makes a resource of `kind` below the one that `parents` name.
    ///
    /// # Errors
    ///
    /// If the service refuses it, or does not answer.
    pub(in crate::cosmos) async fn create(
        &self,
        parents: &[&str],
        kind: &str,
        body: String,
    ) -> Result<(), CosmosError> {
        let headers = [(HeaderName::from_static("content-type"), "application/json")];
        let sent = self.send(Method::Post, parents, kind, &headers, Some(body));
        sent.await.map(|_| ())
    }

    async fn send(
        &self,
        method: Method,
        parents: &[&str],
        kind: &str,
        headers: &[(HeaderName, &str)],
        body: Option<String>,
    ) -> Result<HttpResponse, CosmosError> {
        let (client, credential) = (lock(&self.client).clone(), lock(&self.credential).clone());
        let (Some(client), Some(credential)) = (client, credential) else {
            return Err(failed("there is no connection"));
        };
        let written_at = self.heard.written_at().filter(|_| method != Method::Get);
        let mut url = written_at.unwrap_or_else(|| self.endpoint.clone());
        set_path(&mut url, parents, kind);
        let date = to_rfc7231(&clock::now());
        let mut all = Headers::new();
        all.insert("x-ms-version", VERSION);
        all.insert("accept", "application/json");
        all.insert(
            "user-agent",
            concat!("cosmos-tail/", env!("CARGO_PKG_VERSION")),
        );
        for (name, value) in headers {
            all.insert(name.clone(), (*value).to_owned());
        }
        let authorization = authorization(&credential, &method, parents, kind, &date).await?;
        all.insert(AUTHORIZATION, authorization);
        all.insert(DATE, date);
        let request = HttpRequest {
            url,
            method,
            headers: all,
            body: body.map(Into::into),
            timeout: Some(TIMEOUT),
        };
        let answer = client.send(&request).await;
        let answer = answer.map_err(|error| error.error)?;
        if (200..300).contains(&answer.status) {
            Ok(answer)
        } else {
            Err(refusal(&answer))
        }
    }
}

/// The address of the list `kind` below the resource that `parents` name.
fn set_path(url: &mut Url, parents: &[&str], kind: &str) {
    // An endpoint has a host, so it can have segments.
    if let Ok(mut path) = url.path_segments_mut() {
        path.clear().extend(parents).push(kind);
    }
}

/// The value of the authorization header.
async fn authorization(
    credential: &Credential,
    method: &Method,
    parents: &[&str],
    kind: &str,
    date: &str,
) -> Result<String, CosmosError> {
    match credential {
        Credential::AccountKey(key) => {
            let link = parents.join("/");
            signature(method.as_str(), kind, &link, date, key)
                .ok_or_else(|| failed("the request cannot be signed"))
        }
        Credential::TokenCredential(token) => {
            let token = token.get_token(&[], None).await;
            let token = token.map_err(|error| failed(format!("there is no token: {error}")))?;
            let text = format!("type=aad&ver=1.0&sig={}", token.token.secret());
            Ok(form_urlencoded::byte_serialize(text.as_bytes()).collect())
        }
    }
}

/// An error of a request that was not sent.
fn failed(message: impl Into<String>) -> CosmosError {
    CosmosError::builder()
        .with_status(status_codes::TRANSPORT_IO_FAILED)
        .with_message(message.into())
        .build()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Requests to the control plane: with a token, to one address, within bounds, and again if that may help.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use azure_core::credentials::TokenCredential;
use azure_data_cosmos_driver::models::Credential;
use reqwest::header::{HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use url::Url;

use super::error::{Fault, Refusal};
use crate::cosmos::auth;
use crate::cosmos::authorities;
use crate::cosmos::error::one_line;
use crate::cosmos::options::{ArmOptions, ConnectOptions, TokenOptions};
use crate::cosmos::retry::{Persistence, Retries};
use crate::error::with_hint;

/// Deadline of one request.
const REQUEST_DEADLINE: Duration = Duration::from_secs(60);
/// Deadline for a connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const MAX_BODY: usize = 16 << 20;
/// More pages come from something that repeats itself.
const MAX_PAGES: usize = 1_000;
/// A longer pause than the control plane asks for.
const MAX_PAUSE: Duration = Duration::from_secs(60);

const ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");

/// A client of the control plane.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: Client,
    base: Url,
    token: Arc<dyn TokenCredential>,
    persistence: Persistence,
}

/// An answer without a refusal.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// Where the state of an operation is read that is still under way.
    pub(super) operation: Option<String>,
    pub(super) location: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

impl Http {
    /// A client with a token of the credential of `options`.
    ///
    /// # Errors
    ///
    /// If there is no token; the error has a hint.
    pub(super) async fn connect(
        options: &ConnectOptions,
        arm: &ArmOptions,
        persistence: &Persistence,
    ) -> Result<Self> {
        let token = TokenOptions {
            scope: arm.scope.clone(),
            cloud: options.token.cloud,
        };
        let credential = auth::credential(&options.credential, &token).await?;
        let Credential::TokenCredential(token) = credential else {
            return Err(anyhow!("Azure Resource Manager accepts no account key"));
        };
        Ok(Self {
            client: client()?,
            base: arm.endpoint.clone(),
            token,
            persistence: persistence.clone(),
        })
    }

    /// The address of a resource of the control plane.
    pub(super) fn url(&self, segments: &[&str], version: &str) -> Url {
        let mut url = self.base.clone();
        // The address has been checked: it has a host, so it can have segments.
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(segments);
        }
        url.query_pairs_mut().append_pair("api-version", version);
        url
    }

    /// An address that an answer names, if it is one of the control plane: a token is sent to no other.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub(super) fn named(&self, text: &str) -> Result<Url, Fault> {
        let url = self.base.join(text).ok();
        url.filter(|url| {
            url.origin() == self.base.origin()
                && url.username().is_empty()
                && url.password().is_none()
        })
        .ok_or_else(|| {
            let shown: String = text.escape_debug().take(120).collect();
            Fault::Unusable(format!(
                "Azure Resource Manager names the address `{shown}`, which is not one of {}; no token was sent there",
                self.base
            ))
        })
    }

    /// Reads a resource, and tries again if that may help.
    pub(super) async fn get(&self, url: &Url, what: &str) -> Result<Answer, Fault> {
        let mut retries = self.retries();
        loop {
            let fault = match self.once(Method::GET, url, None).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            if !self.waits_after(&fault, &mut retries, what).await {
                return Err(fault);
            }
        }
    }

    /// Creates or replaces a resource, in one attempt. Whoever tries again looks first whether it is there: another may
    /// have made it meanwhile.
    pub(super) async fn put(&self, url: &Url, body: &str) -> Result<Answer, Fault> {
        self.once(Method::PUT, url, Some(body)).await
    }

    /// The retries of a request.
    pub(super) fn retries(&self) -> Retries {
        self.persistence.retries()
    }

    /// Waits until a request that ended with `fault` can be tried again; false if that does not help, or is not to be done
    /// any more.
    pub(super) async fn waits_after(
        &self,
        fault: &Fault,
        retries: &mut Retries,
        what: &str,
    ) -> bool {
        let notice = fault
            .retry()
            .and_then(|after| retries.again(after, || fault.text()));
        match notice {
            Some(notice) => {
                self.persistence.pause(what, &notice).await;
                true
            }
            None => false,
        }
    }

    async fn once(&self, method: Method, url: &Url, body: Option<&str>) -> Result<Answer, Fault> {
        let token = self.token.get_token(&[], None).await;
        let token = token.map_err(|error| {
            let reason = one_line(&error.to_string());
            Fault::Unreachable(format!("the token cannot be renewed: {reason}"))
        })?;
        let mut request = self
            .client
            .request(method, url.clone())
            .bearer_auth(token.token.secret());
        if let Some(body) = body {
            request = request
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(body.to_owned());
        }
        let read = async {
            let response = request.send().await?;
            let head = Head::of(&response);
            Ok::<_, reqwest::Error>((head, bounded(response).await?))
        };
        let (head, body) = match tokio::time::timeout(REQUEST_DEADLINE, read).await {
            Ok(Ok(read)) => read,
            Ok(Err(error)) => return Err(Fault::Unreachable(unreachable(&self.base, error))),
            Err(_) => {
                let seconds = REQUEST_DEADLINE.as_secs();
                return Err(Fault::Unreachable(format!("no answer within {seconds} s")));
            }
        };
        let Some(body) = body else {
            let most = MAX_BODY >> 20;
            return Err(Fault::Unusable(format!(
                "an answer is longer than {most} MiB"
            )));
        };
        if !(200..300).contains(&head.status) {
            return Err(Fault::Refused(Refusal::of(
                head.status,
                &body,
                head.retry_after,
            )));
        }
        Ok(Answer {
            status: head.status,
            body,
            operation: head.operation,
            location: head.location,
            retry_after: head.retry_after,
        })
    }

    /// The entries of a list, page by page to its end.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        url: Url,
        what: &str,
    ) -> Result<Vec<T>, Fault> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            value: Vec<Box<RawValue>>,
            next_link: Option<String>,
        }
        let mut entries = Vec::new();
        let mut next = url;
        for _ in 0..MAX_PAGES {
            let answer = self.get(&next, what).await?;
            let page: Page = parsed(&answer.body)?;
            for entry in page.value {
                entries.push(parsed(entry.get().as_bytes())?);
            }
            next = match page.next_link.filter(|link| !link.is_empty()) {
                None => return Ok(entries),
                Some(link) => self.named(&link)?,
            };
        }
        Err(Fault::Unusable("the list does not end".to_owned()))
    }
}

/// What is in an answer.
pub(super) fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        Fault::Unusable(format!(
            "the answer is not one of Azure Resource Manager: {error}"
        ))
    })
}

/// The status and the headers of an answer.
struct Head {
    status: u16,
    operation: Option<String>,
    location: Option<String>,
    retry_after: Option<Duration>,
}

impl Head {
    fn of(response: &Response) -> Self {
        let headers: &HeaderMap = response.headers();
        let text = |name: &HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let seconds = text(&RETRY_AFTER).and_then(|text| text.trim().parse().ok());
        Self {
            status: response.status().as_u16(),
            operation: text(&ASYNC_OPERATION),
            location: text(&LOCATION),
            retry_after: seconds.map(|seconds| Duration::from_secs(seconds).min(MAX_PAUSE)),
        }
    }
}

/// The body, unless it is too long.
async fn bounded(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BODY {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn unreachable(base: &Url, error: reqwest::Error) -> String {
    let error = anyhow::Error::new(error.without_url());
    let cause = one_line(&error.root_cause().to_string());
    format!("cannot reach {base}: {cause}")
}

fn client() -> Result<Client> {
    let built = Client::builder()
        .tls_backend_rustls()
        .https_only(true)
        .redirect(Policy::none())
        .connect_timeout(CONNECT_DEADLINE)
        .user_agent(concat!("cosmos-tail/", env!("CARGO_PKG_VERSION")))
        .build();
    built
        .map_err(|error| {
            let error = anyhow::Error::new(error);
            let cause = one_line(&error.root_cause().to_string());
            match authorities::are_missing(&cause) {
                true => with_hint(anyhow!(authorities::MISSING), authorities::HOW_TO_ADD),
                false => with_hint(
                    anyhow!(cause),
                    "check the proxy and the certificates of this system",
                ),
            }
        })
        .context("cannot set up a client of Azure Resource Manager")
}

//! The HTTP host: accepts connections of HTTP/1.1 and HTTP/2, and passes their requests to the emulator.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use azure_core::credentials::Secret;
use azure_core::http::Method;
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

use super::answer::Answer;
use super::authorization::{SignedRequest, is_signed_with};
use super::offers;
use super::patch;
use super::query;
use super::recorder::Recorder;
use super::request::Request;
use crate::cosmos::traffic::Traffic;

/// Maximum length of a request body. The service accepts items and batches of 2 MB.
const MAX_REQUEST_BYTES: usize = 4 << 20;

/// Headers of requests whose empty value differs from their absence: the lowest partition key.
const MEANINGFUL_IF_EMPTY: [&str; 2] = ["x-ms-start-epk", "x-ms-end-epk"];

/// Pause after a connection that cannot be accepted, for example since the process has run out of file
/// descriptors. Without it the loop would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The account with its address and key.
pub(super) struct Service {
    recorder: Arc<Recorder>,
    endpoint: Url,
    key: Secret,
    /// The requests that were answered over HTTP.
    traffic: Arc<Traffic>,
}

impl Service {
    pub(super) fn new(recorder: Arc<Recorder>, endpoint: Url, key: &str) -> Self {
        Self {
            recorder,
            endpoint,
            key: Secret::from(key.to_owned()),
            traffic: Arc::default(),
        }
    }

    pub(super) fn recorder(&self) -> &Arc<Recorder> {
        &self.recorder
    }

    pub(super) fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    pub(super) fn key(&self) -> &str {
        self.key.secret()
    }

    pub(super) fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// Executes a request within the process. `path` is percent-encoded and has no trailing slash; nothing
    /// is signed.
    ///
    /// # Errors
    ///
    /// If the emulator itself fails. An error status is an answer, not an error.
    pub(super) async fn execute(
        &self,
        method: Method,
        path: &str,
        query: Option<&str>,
        headers: Headers,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let request = Request {
            method,
            path: path.to_owned(),
            query: query.map(str::to_owned),
            headers,
            body,
        };
        self.recorder.execute(request).await
    }

    /// Answers one HTTP request.
    async fn answer(&self, request: hyper::Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let Ok(method) = head.method.as_str().parse::<Method>() else {
            return Answer::error(405, "MethodNotAllowed", "the method is not supported");
        };
        // The Python client sends paths with a trailing slash, which the service accepts.
        let path = head.uri.path().trim_end_matches('/');
        let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let headers = emulator_headers(&head.headers);
        let address = match self.address(path, &headers).await {
            Ok(address) => address,
            Err(error) => return Answer::failed(&error),
        };
        let signed = SignedRequest {
            method: head.method.as_str(),
            path,
            is_by_rid: address.is_by_rid,
            authorization: text("authorization"),
            date: text("x-ms-date").or_else(|| text("date")),
        };
        if !is_signed_with(&self.key, signed) {
            return Answer::error(
                401,
                "Unauthorized",
                "The input authorization token can't serve the request. The demo account accepts only \
                its account key: check that the key is the one it printed.",
            );
        }
        let body = match Limited::new(body, MAX_REQUEST_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Answer::error(413, "RequestEntityTooLarge", "Request size is too large");
            }
            Err(error) => return Answer::error(400, "BadRequest", &error.to_string()),
        };
        let query = head.uri.query();
        self.answer_signed(method, &address.path, query, headers, body)
            .await
            .unwrap_or_else(|error| Answer::failed(&error))
    }

    /// Answers a request to a path by names whose signature is valid.
    async fn answer_signed(
        &self,
        method: Method,
        path: &str,
        url_query: Option<&str>,
        mut headers: Headers,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        if let Err(stale) = self.address_range(path, &mut headers).await? {
            return Ok(stale);
        }
        let is_plan = query::is_plan(&headers);
        let is_query = query::is_query(&headers);
        let body = if is_query {
            let is_of_offers = path.starts_with("/offers");
            let name = |text: &str| offers::name_in_query(text);
            query::for_emulator(body, if is_of_offers { name } else { |_| None })
        } else if method == Method::Patch {
            patch::with_member(body)
        } else {
            body
        };
        let asked = if is_plan { body.clone() } else { Bytes::new() };
        let unwrapped = if is_query && !is_plan {
            query::unwrapped(&body)
        } else {
            None
        };
        let is_unwrapped = unwrapped.is_some();
        let body = unwrapped.unwrap_or(body);
        let mut answer = match self.bulk(method, path, &headers, &body).await? {
            Some(answer) => answer,
            None => self.execute(method, path, url_query, headers, body).await?,
        };
        if is_plan {
            answer.body = query::for_client(answer.body, &asked);
        }
        if is_unwrapped && answer.is_success() {
            answer.body = query::wrapped(answer.body);
        }
        self.complete(path, &mut answer).await?;
        Ok(answer)
    }
}

fn emulator_headers(from: &HeaderMap) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in from {
        // The emulator has no use for values that are not text.
        let Ok(value) = value.to_str() else {
            continue;
        };
        // The Java client sends headers that it has no value for, such as a continuation of a first page.
        if !value.is_empty() || MEANINGFUL_IF_EMPTY.contains(&name.as_str()) {
            headers.insert(
                HeaderName::from(name.as_str().to_owned()),
                HeaderValue::from(value.to_owned()),
            );
        }
    }
    headers
}

/// Accepts connections until the task that runs it is aborted; its connections end with it.
pub(super) async fn serve(listener: TcpListener, service: Arc<Service>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, Arc::clone(&service)));
                }
                Err(error) => {
                    tracing::warn!(%error, "the demo account cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            // Otherwise finished tasks would be kept as long as the account runs.
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: TcpStream, service: Arc<Service>) {
    // Answers are written in one piece; waiting for more to send only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the demo account cannot set TCP_NODELAY");
    }
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move {
            let answer = service.answer(request).await;
            service.traffic.answered(answer.status, answer.charge());
            Ok::<_, Infallible>(answer.into_http())
        }
    });
    // A client may disconnect at any time.
    if let Err(error) = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), answer)
        .await
    {
        tracing::debug!(error, "a connection to the demo account ended early");
    }
}

/// Fails with the emulator's message unless `answer` has a successful status.
pub(super) fn succeeded(answer: Answer, what: &str) -> anyhow::Result<Answer> {
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    Err(anyhow!(
        "status {}: {}",
        answer.status,
        String::from_utf8_lossy(&answer.body)
    )
    .context(format!("the demo account cannot {what}")))
}

//! The HTTP server of the endpoints: a few paths, read only, with bounds on everything that a client can do.
//!
//! Each connection has one request and a limited time. Of too many connections, the oldest is closed: one that
//! is answered takes milliseconds, so the oldest are those that send nothing or do not read.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::board::Board;
use super::{exposition, health, metrics, progress};

/// Connections at the same time.
const MAX_CONNECTIONS: usize = 32;

/// How long a client may take to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may take in all.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of the line and the headers of a request.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// Headers of a request.
const MAX_HEADERS: usize = 64;

/// Pause after a connection that cannot be accepted, for example since the process has run out of file
/// descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Answers requests until the task that runs it is aborted.
pub(super) async fn serve(listener: TcpListener, board: Arc<Board>) {
    let mut connections = JoinSet::new();
    let mut oldest: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    oldest.retain(|connection| !connection.is_finished());
                    if oldest.len() >= MAX_CONNECTIONS
                        && let Some(connection) = oldest.pop_front()
                    {
                        connection.abort();
                    }
                    oldest.push_back(connections.spawn(serve_connection(stream, Arc::clone(&board))));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection to the metrics");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            // Otherwise finished tasks would be kept.
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: TcpStream, board: Arc<Board>) {
    let service = service_fn(move |request: Request<_>| {
        let answer = answer(request.method(), request.uri().path(), &board);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection to the metrics ended early"),
        Err(_) => tracing::debug!("a connection to the metrics took too long"),
    }
}

fn answer(method: &Method, path: &str, board: &Board) -> Response<Full<Bytes>> {
    let (status, kind, body) = match path {
        "/metrics" | "/healthz" | "/readyz" | "/progress"
            if !matches!(*method, Method::GET | Method::HEAD) =>
        {
            let body = "only GET and HEAD are answered\n".to_owned();
            (StatusCode::METHOD_NOT_ALLOWED, TEXT, body)
        }
        "/metrics" => (
            StatusCode::OK,
            exposition::CONTENT_TYPE,
            metrics::text(board),
        ),
        "/progress" => (StatusCode::OK, JSON, progress::json(board)),
        "/healthz" => verdict(health::alive(board)),
        "/readyz" => verdict(health::ready(board)),
        _ => {
            let body = "not found: there are /metrics, /healthz, /readyz and /progress\n";
            (StatusCode::NOT_FOUND, TEXT, body.to_owned())
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

fn verdict(verdict: Result<(), String>) -> (StatusCode, &'static str, String) {
    match verdict {
        Ok(()) => (StatusCode::OK, TEXT, "ok\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{reason}\n")),
    }
}

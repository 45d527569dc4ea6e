//! The HTTP server: a listener on loopback, with or without TLS, with a thread and a runtime of its
//! own.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use super::body::ResponseBody;
use super::{KEY, tls};

/// What connections speak.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transport {
    pub(super) tls: bool,
    pub(super) http1_only: bool,
}

impl Transport {
    /// The URL of the account at an authority, such as `127.0.0.1:PORT`.
    pub(super) fn url(self, authority: &str) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{authority}/")
    }
}

/// Answers requests. An error resets the connection (HTTP/1.1) or the stream (HTTP/2).
pub(super) trait Handler: Send + Sync + 'static {
    fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> impl Future<Output = io::Result<Response<ResponseBody>>> + Send;
}

pub(super) struct Server {
    address: SocketAddr,
    transport: Transport,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start<H: Handler>(handler: Arc<H>, transport: Transport, threads: usize) -> Self {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind a port of 127.0.0.1");
        listener
            .set_nonblocking(true)
            .expect("make the listener non-blocking");
        let address = listener.local_addr().expect("read the listener's address");
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("gateway".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(threads.max(1))
                    .thread_name("gateway-worker")
                    .enable_all()
                    .build()
                    .expect("build the gateway's runtime");
                runtime.block_on(async move {
                    tokio::select! {
                        () = accept(listener, handler, transport) => {}
                        // This also ends when the sender is dropped.
                        _ = stopped => {}
                    }
                });
                // Held requests and trickling bodies must not keep the test alive.
                runtime.shutdown_background();
            })
            .expect("start the gateway's thread");
        Self {
            address,
            transport,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(super) fn connection_string(&self) -> String {
        let mut string = format!("AccountEndpoint={};AccountKey={KEY};", self.endpoint());
        if self.transport.tls {
            string.push_str("DisableServerCertificateValidation=true;");
        }
        string
    }

    pub(super) fn certificate_pem(&self) -> Option<String> {
        self.transport.tls.then(tls::certificate_pem)
    }

    pub(super) fn endpoint(&self) -> String {
        self.transport.url(&self.address.to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            assert!(
                thread.join().is_ok() || std::thread::panicking(),
                "the gateway's thread panicked"
            );
        }
    }
}

async fn accept<H: Handler>(listener: TcpListener, handler: Arc<H>, transport: Transport) {
    let listener =
        tokio::net::TcpListener::from_std(listener).expect("hand the listener to the runtime");
    let Transport { tls, http1_only } = transport;
    let acceptor = tls.then(|| tls::acceptor(http1_only));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        stream.set_nodelay(true).ok();
        let handler = Arc::clone(&handler);
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            match acceptor {
                None => serve(stream, handler, http1_only).await,
                Some(acceptor) => {
                    // A client that does not trust the certificate ends here.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, handler, http1_only).await;
                    }
                }
            }
        });
    }
}

async fn serve<H: Handler>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    handler: Arc<H>,
    http1_only: bool,
) {
    let service = service_fn(move |request| dated(Arc::clone(&handler).handle(request)));
    let mut connection = auto::Builder::new(TokioExecutor::new());
    connection.http1().auto_date_header(false);
    connection
        .http2()
        .auto_date_header(false)
        .max_send_buf_size(4 << 20);
    let connection = if http1_only {
        connection.http1_only()
    } else {
        connection
    };
    // Clients that go away and scripted resets end here.
    connection
        .serve_connection(TokioIo::new(stream), service)
        .await
        .ok();
}

/// An answer that is to have no date.
#[derive(Clone, Copy, Debug)]
pub(super) struct Undated;

/// An answer with the date that every server gives it, unless it is [`Undated`].
async fn dated(
    answer: impl Future<Output = io::Result<Response<ResponseBody>>>,
) -> io::Result<Response<ResponseBody>> {
    let mut answer = answer.await?;
    if answer.extensions().get::<Undated>().is_none() {
        let now = OffsetDateTime::now_utc().format(&Rfc2822);
        let now = now.expect("a date of this century").replace("+0000", "GMT");
        let now = now.parse().expect("a date has no controls");
        answer.headers_mut().entry("date").or_insert(now);
    }
    Ok(answer)
}

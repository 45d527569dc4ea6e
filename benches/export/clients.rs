//! Clients to compare with, each a process of its own: the SDK's driver, the typed SDK and a bare HTTP
//! client. Over TLS the bare client verifies the gateway's certificate; the SDK can only accept any
//! certificate on the loopback interface.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::gateway::{KEY, StaticGateway};
use crate::process::CERTIFICATE_VARIABLE;

/// The client that a process reads the feed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Client {
    /// A connection for each range; the bytes are thrown away.
    Bare,
    /// The SDK's driver; the bytes are thrown away.
    Driver,
    /// The SDK's driver, by a query of all documents; the bytes are thrown away.
    DriverQuery,
    /// The typed SDK, as its documentation shows, writing JSON lines: a file for each range.
    Typed,
}

impl Client {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare HTTP client, discards",
            Self::Driver => "driver of the SDK, discards",
            Self::DriverQuery => "driver of the SDK, query, discards",
            Self::Typed => "typed Rust SDK, jsonl",
        }
    }

    /// Reads the whole feed of `ranges` ranges.
    pub(crate) fn read(self, endpoint: &str, ranges: usize, http2: bool, out: &Path) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            match self {
                Self::Bare => bare(endpoint, ranges, http2).await,
                Self::Driver => driver(endpoint, ranges, false).await,
                Self::DriverQuery => driver(endpoint, ranges, true).await,
                Self::Typed => typed(endpoint, ranges, http2, out).await,
            }
        });
    }
}

async fn driver(endpoint: &str, ranges: usize, by_query: bool) {
    use cosmos_tail::cosmos::client::CosmosClient;
    use cosmos_tail::cosmos::cursor::{CursorStart, FeedRequest, PageSource};
    use cosmos_tail::feed::{ChangeFeedStart, FeedMode, Query};
    use std::num::NonZeroU32;
    let options = connection(endpoint);
    let client = Arc::new(CosmosClient::connect(&options).await.unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    let partitions = client.physical_partitions(false).await.unwrap();
    assert_eq!(partitions.len(), ranges);
    let source = match by_query {
        false => PageSource::Feed(FeedMode::LatestVersion),
        true => {
            let query = Query {
                text: crate::QUERY.to_owned(),
                parameters: Vec::new(),
            };
            // Once for all ranges, as an export has it planned.
            client.plan_query(&query).await.unwrap();
            PageSource::of_query(&query, false)
        }
    };
    for partition in partitions {
        let source = source.clone();
        let client = Arc::clone(&client);
        tasks.spawn(async move {
            let start = CursorStart::Fresh(ChangeFeedStart::Beginning);
            let request = FeedRequest {
                source,
                page_size: NonZeroU32::new(1000).unwrap(),
                partition_key: None,
            };
            let mut cursor = client
                .open(&request, &partition.range, start)
                .await
                .unwrap();
            if by_query {
                while cursor.next_of_query().await.unwrap().is_some() {}
            } else {
                while !cursor.next().await.unwrap().not_modified {}
            }
        });
    }
    tasks.join_all().await;
}

fn is_tls(endpoint: &str) -> bool {
    endpoint.starts_with("https:")
}

fn connection(endpoint: &str) -> cosmos_tail::cosmos::options::ConnectOptions {
    use cosmos_tail::cosmos::options::{
        ConnectOptions, CredentialOptions, NamesFrom, Routing, SecretText, ThroughputControl,
        TokenOptions,
    };
    ConnectOptions {
        endpoint: endpoint.parse().unwrap(),
        database: StaticGateway::DATABASE.to_owned(),
        container: StaticGateway::CONTAINER.to_owned(),
        names_from: NamesFrom::default(),
        credential: CredentialOptions::Key(SecretText::new(KEY)),
        key_reader: None,
        accept_self_signed: is_tls(endpoint),
        throughput: ThroughputControl::default(),
        token: TokenOptions::default(),
        routing: Routing::default(),
        via_arm: None,
    }
}

async fn typed(endpoint: &str, ranges: usize, http2: bool, out: &Path) {
    use azure_data_cosmos::AccountEndpoint;
    use azure_data_cosmos::feed::FeedScope;
    use azure_data_cosmos::options::{
        ChangeFeedStartFrom, ConnectionPoolOptions, ServerCertificateValidation,
    };
    use azure_data_cosmos::{AccountReference, CosmosClient, CosmosRuntime, RoutingStrategy};
    use futures_util::StreamExt;
    let account = AccountReference::with_authentication_key(
        endpoint.parse::<AccountEndpoint>().unwrap(),
        KEY.to_owned(),
    );
    let mut pool = ConnectionPoolOptions::builder().with_is_http2_allowed(http2);
    if is_tls(endpoint) {
        pool = pool.with_server_certificate_validation(
            ServerCertificateValidation::RequiredUnlessEmulator,
        );
    }
    let runtime = CosmosRuntime::builder()
        .with_connection_pool(pool.build().unwrap())
        .build()
        .await
        .unwrap();
    let client = CosmosClient::builder()
        .with_runtime(runtime)
        .build(account, RoutingStrategy::PreferredRegions(Vec::new()))
        .await
        .unwrap();
    let client = client.database_client(StaticGateway::DATABASE);
    let client = client
        .container_client(StaticGateway::CONTAINER, None)
        .await
        .unwrap();
    let feed_ranges = client.read_feed_ranges(None).await.unwrap();
    assert_eq!(feed_ranges.len(), ranges);
    let mut tasks = tokio::task::JoinSet::new();
    for (number, range) in feed_ranges.into_iter().enumerate() {
        let client = client.clone();
        let file = std::fs::File::create(out.join(format!("{number:05}.jsonl"))).unwrap();
        let mut file = std::io::BufWriter::new(file);
        tasks.spawn(async move {
            let mut pages = Box::pin(client.query_change_feed::<serde_json::Value>(
                FeedScope::range(range),
                ChangeFeedStartFrom::Beginning,
                None,
            ))
            .await
            .unwrap();
            while let Some(page) = pages.next().await {
                let page = page.unwrap();
                if page.items().is_empty() {
                    break;
                }
                for item in page.items() {
                    serde_json::to_writer(&mut file, item.current().unwrap()).unwrap();
                    file.write_all(b"\n").unwrap();
                }
            }
            file.flush().unwrap();
        });
    }
    tasks.join_all().await;
}

async fn bare(endpoint: &str, ranges: usize, http2: bool) {
    let uri: Uri = endpoint.parse().unwrap();
    let tls = is_tls(endpoint).then(|| connector(http2));
    let mut tasks = tokio::task::JoinSet::new();
    for range in 0..ranges {
        let (uri, tls) = (uri.clone(), tls.clone());
        tasks.spawn(async move {
            let mut connection = Connection::open(&uri, tls, http2).await;
            let mut etag = None;
            loop {
                let request = feed_request(&uri, range, etag.as_deref());
                let mut response = connection.send(request).await;
                if response.status() == StatusCode::NOT_MODIFIED {
                    break;
                }
                assert_eq!(response.status(), StatusCode::OK);
                etag = Some(response.headers()["etag"].to_str().unwrap().to_owned());
                while let Some(frame) = response.body_mut().frame().await {
                    frame.unwrap();
                }
            }
        });
    }
    tasks.join_all().await;
}

/// Trusts the certificate given to this process, and no other.
fn connector(http2: bool) -> TlsConnector {
    let certificate = std::env::var_os(CERTIFICATE_VARIABLE).unwrap();
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificate).unwrap())
        .unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let version: &[u8] = if http2 { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![version.to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// A request for a page of the account at `uri`.
fn feed_request(uri: &Uri, range: usize, etag: Option<&str>) -> Request<Empty<Bytes>> {
    let url = format!(
        "{uri}dbs/{}/colls/{}/docs",
        StaticGateway::DATABASE,
        StaticGateway::CONTAINER
    );
    let request = Request::get(url)
        .header("host", uri.authority().unwrap().as_str())
        .header("a-im", "Incremental Feed")
        .header("x-ms-cosmos-changefeed-wire-format-version", "2021-09-15")
        .header("x-ms-documentdb-partitionkeyrangeid", range.to_string());
    let request = match etag {
        Some(etag) => request.header("if-none-match", etag),
        None => request,
    };
    request.body(Empty::new()).unwrap()
}

/// One connection, which a task drives.
enum Connection {
    Http1(hyper::client::conn::http1::SendRequest<Empty<Bytes>>),
    Http2(hyper::client::conn::http2::SendRequest<Empty<Bytes>>),
}

impl Connection {
    async fn open(uri: &Uri, tls: Option<TlsConnector>, http2: bool) -> Self {
        let authority = uri.authority().unwrap();
        let stream = tokio::net::TcpStream::connect(authority.as_str())
            .await
            .unwrap();
        stream.set_nodelay(true).unwrap();
        let Some(tls) = tls else {
            return Self::over(stream, http2).await;
        };
        let server = ServerName::try_from(authority.host().to_owned()).unwrap();
        Self::over(tls.connect(server, stream).await.unwrap(), http2).await
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        http2: bool,
    ) -> Self {
        let stream = TokioIo::new(stream);
        if http2 {
            let (sender, driven) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
                .adaptive_window(true)
                .handshake(stream)
                .await
                .unwrap();
            tokio::spawn(driven);
            return Self::Http2(sender);
        }
        let (sender, driven) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(driven);
        Self::Http1(sender)
    }

    async fn send(&mut self, request: Request<Empty<Bytes>>) -> Response<Incoming> {
        match self {
            Self::Http1(sender) => sender.send_request(request).await.unwrap(),
            Self::Http2(sender) => sender.send_request(request).await.unwrap(),
        }
    }
}

//! Clients to compare with, each as a process of its own: the SDK's driver, the typed SDK and a bare
//! HTTP client.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::gateway::{KEY, StaticGateway};

/// What a process reads the feed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Client {
    /// A connection for each range; the bytes are thrown away.
    Bare,
    /// The SDK's driver; the bytes are thrown away.
    Driver,
    /// The typed SDK, as its documentation shows, writing JSON lines: a file for each range.
    Typed,
}

impl Client {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare HTTP client, discards",
            Self::Driver => "driver of the SDK, discards",
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
                Self::Driver => driver(endpoint, ranges).await,
                Self::Typed => typed(endpoint, ranges, http2, out).await,
            }
        });
    }
}

async fn driver(endpoint: &str, ranges: usize) {
    use cosmos_tail::cosmos::client::CosmosClient;
    use cosmos_tail::cosmos::feed::{CursorStart, FeedRequest};
    use cosmos_tail::feed::{ChangeFeedStart, FeedMode};
    use std::num::NonZeroU32;
    let plan = connection(endpoint);
    let client = Arc::new(CosmosClient::connect(&plan).await.unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    let partitions = client.physical_partitions(false).await.unwrap();
    assert_eq!(partitions.len(), ranges);
    for partition in partitions {
        let client = Arc::clone(&client);
        tasks.spawn(async move {
            let start = CursorStart::Fresh(ChangeFeedStart::Beginning);
            let request = FeedRequest {
                mode: FeedMode::LatestVersion,
                page_size: NonZeroU32::new(1000).unwrap(),
                partition_key: None,
            };
            let mut cursor = client
                .open(&request, &partition.range, start)
                .await
                .unwrap();
            while !cursor.next().await.unwrap().not_modified {}
        });
    }
    tasks.join_all().await;
}

fn connection(endpoint: &str) -> cosmos_tail::plan::ConnectionPlan {
    use cosmos_tail::plan::{ConnectionPlan, CredentialPlan, SecretText};
    ConnectionPlan {
        endpoint: endpoint.parse().unwrap(),
        database: StaticGateway::DATABASE.to_owned(),
        container: StaticGateway::CONTAINER.to_owned(),
        credential: CredentialPlan::Key(SecretText::new(KEY)),
        accept_self_signed: false,
        throughput: cosmos_tail::plan::ThroughputPlan::default(),
        notices: Vec::new(),
        values: Vec::new(),
    }
}

async fn typed(endpoint: &str, ranges: usize, http2: bool, out: &Path) {
    use azure_data_cosmos::AccountEndpoint;
    use azure_data_cosmos::feed::FeedScope;
    use azure_data_cosmos::options::{ChangeFeedStartFrom, ConnectionPoolOptions};
    use azure_data_cosmos::{AccountReference, CosmosClient, CosmosRuntime, RoutingStrategy};
    use futures_util::StreamExt;
    let account = AccountReference::with_authentication_key(
        endpoint.parse::<AccountEndpoint>().unwrap(),
        KEY.to_owned(),
    );
    let pool = ConnectionPoolOptions::builder().with_is_http2_allowed(http2);
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
    let authority = uri.authority().unwrap().to_string();
    let mut tasks = tokio::task::JoinSet::new();
    for range in 0..ranges {
        let authority = authority.clone();
        tasks.spawn(async move {
            let mut connection = Connection::open(&authority, http2).await;
            let mut etag = None;
            loop {
                let request = feed_request(&authority, range, etag.as_deref());
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

fn feed_request(authority: &str, range: usize, etag: Option<&str>) -> Request<Empty<Bytes>> {
    let path = format!(
        "http://{authority}/dbs/{}/colls/{}/docs",
        StaticGateway::DATABASE,
        StaticGateway::CONTAINER
    );
    let request = Request::get(path)
        .header("host", authority)
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
    async fn open(authority: &str, http2: bool) -> Self {
        let stream = tokio::net::TcpStream::connect(authority).await.unwrap();
        stream.set_nodelay(true).unwrap();
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

//! The gateway for benchmarks: pre-rendered pages, served with as little work as possible.
//!
//! Every range has the same pages. Their bodies are a handful of buffers, used again and again,
//! so a client can read any amount of data while the server's memory stays small and constant;
//! only the LSNs of the items are written into each again, one further for each item. Documents that are written
//! are acknowledged and thrown away.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use super::account::{Account, account_to_json};
use super::body::ResponseBody;
use super::server::{Handler, Server, Transport};

/// The largest number of rendered bodies, whatever the number of pages: so many that repeating them does not
/// help a client that compresses.
const MOST_DISTINCT_BODIES: u64 = 64;
/// Their approximate total size in bytes.
const BODY_BYTES: u64 = 64 << 20;

/// The kind of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DocumentShape {
    /// A few short members and one long text.
    Text,
    /// An order: short members, objects, lists of objects, and text to fill it up. It has at least 700 bytes.
    Order,
}

/// What a [`StaticGateway`] serves.
#[derive(Clone, Debug)]
pub(crate) struct StaticOptions {
    pub(crate) ranges: usize,
    /// After so many pages, a range answers 304.
    pub(crate) pages_per_range: u64,
    pub(crate) documents_per_page: u64,
    /// Size of one document's text, without its envelope; at least 256.
    pub(crate) document_bytes: usize,
    pub(crate) shape: DocumentShape,
    pub(crate) http1_only: bool,
    /// Speak TLS, as [`super::GatewayOptions::tls`].
    pub(crate) tls: bool,
    pub(crate) threads: usize,
}

impl Default for StaticOptions {
    fn default() -> Self {
        Self {
            ranges: 8,
            pages_per_range: 100,
            documents_per_page: 1_000,
            document_bytes: 1_024,
            shape: DocumentShape::Text,
            http1_only: false,
            tls: false,
            threads: 2,
        }
    }
}

impl StaticOptions {
    fn transport(&self) -> Transport {
        Transport {
            tls: self.tls,
            http1_only: self.http1_only,
        }
    }
}

/// A running server of fixed pages. Dropping it stops it.
pub(crate) struct StaticGateway {
    pages: Arc<FixedPages>,
    server: Server,
}

/// The plan of any query: nothing of it is about the rows of all ranges.
const PLAN: &[u8] = br#"{"partitionedQueryExecutionInfoVersion":2,"queryInfo":{"distinctType":"None","top":null,
"offset":null,"limit":null,"orderBy":[],"orderByExpressions":[],"groupByExpressions":[],"groupByAliases":[],
"aggregates":[],"groupByAliasToAggregateType":{},"rewrittenQuery":"","hasSelectValue":false,"dCountInfo":null,
"hasNonStreamingOrderBy":false},"queryRanges":[{"min":"","max":"FF","isMinInclusive":true,"isMaxInclusive":false}]}"#;

/// The LSN before the first. All that follow have as many digits, so that they can be written over.
const FIRST_LSN: u64 = 1_000_000_000;

/// A page that is served again and again, each time with the LSNs of its place in the feed.
struct RenderedPage {
    body: Bytes,
    /// The places of the LSNs in a page, and the item of each.
    lsns: Vec<(usize, u64)>,
}

impl RenderedPage {
    /// The page whose first item has this LSN.
    fn at(&self, first: u64) -> Bytes {
        let mut body = self.body.to_vec();
        for (at, item) in &self.lsns {
            let digits = (first + item).to_string();
            body[*at..at + digits.len()].copy_from_slice(digits.as_bytes());
        }
        Bytes::from(body)
    }
}

struct FixedPages {
    options: StaticOptions,
    account: Account,
    rid: String,
    bodies: Vec<RenderedPage>,
    /// The same without envelopes, for clients that do not request them.
    plain_bodies: OnceLock<Vec<RenderedPage>>,
    requests: AtomicU64,
    writes: AtomicU64,
}

impl StaticGateway {
    /// The one database.
    pub(crate) const DATABASE: &str = "bench";
    /// The one container, with the partition key `/pk`.
    pub(crate) const CONTAINER: &str = "pages";

    pub(super) fn start(options: StaticOptions) -> Self {
        let mut account = Account::default();
        account.create_container(
            Self::DATABASE,
            Self::CONTAINER,
            "/pk".into(),
            options.ranges,
            0,
        );
        let rid = account
            .container(Self::DATABASE, Self::CONTAINER)
            .expect("the container was created just now")
            .rid
            .clone();
        let bodies = render_pages(&options, &rid, Form::Envelopes);
        let pages = Arc::new(FixedPages {
            account,
            rid,
            bodies,
            plain_bodies: OnceLock::new(),
            requests: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            options: options.clone(),
        });
        let server = Server::start(Arc::clone(&pages), options.transport(), options.threads);
        Self { pages, server }
    }

    /// The account endpoint, `http://127.0.0.1:PORT/`, or `https://127.0.0.1:PORT/` with TLS.
    pub(crate) fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// A connection string for this account, as [`super::Gateway::connection_string`].
    pub(crate) fn connection_string(&self) -> String {
        self.server.connection_string()
    }

    /// The certificate of a gateway that speaks TLS.
    pub(crate) fn certificate_pem(&self) -> Option<String> {
        self.server.certificate_pem()
    }

    /// Bytes of all page bodies of all ranges, as one complete reader gets them.
    pub(crate) fn total_bytes(&self) -> u64 {
        let options = &self.pages.options;
        let per_range: u64 = (0..options.pages_per_range)
            .map(|page| self.pages.rendered(page, Form::Envelopes).body.len() as u64)
            .sum();
        per_range * options.ranges as u64
    }

    /// Bytes of all page bodies of all ranges, as one complete reader gets them by a query.
    pub(crate) fn total_query_bytes(&self) -> u64 {
        let options = &self.pages.options;
        let per_range: u64 = (0..options.pages_per_range)
            .map(|page| self.pages.rendered(page, Form::Plain).body.len() as u64)
            .sum();
        per_range * options.ranges as u64
    }

    /// Documents that one complete reader gets.
    pub(crate) fn total_documents(&self) -> u64 {
        let options = &self.pages.options;
        options.ranges as u64 * options.pages_per_range * options.documents_per_page
    }

    /// Documents that were written so far.
    pub(crate) fn writes(&self) -> u64 {
        self.pages.writes.load(Ordering::Relaxed)
    }

    /// Requests so far, of all kinds.
    pub(crate) fn requests(&self) -> u64 {
        self.pages.requests.load(Ordering::Relaxed)
    }
}

impl FixedPages {
    fn rendered(&self, page: u64, form: Form) -> &RenderedPage {
        let bodies = match form {
            Form::Envelopes => &self.bodies,
            Form::Plain => self
                .plain_bodies
                .get_or_init(|| render_pages(&self.options, &self.rid, form)),
        };
        &bodies[(page % bodies.len() as u64) as usize]
    }

    fn feed(&self, request: &Request<Incoming>) -> Response<ResponseBody> {
        let header = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
        let Some(range) = header("x-ms-documentdb-partitionkeyrangeid") else {
            return plain(StatusCode::BAD_REQUEST, Bytes::new());
        };
        if header("x-ms-start-epk").is_some() {
            return plain(StatusCode::BAD_REQUEST, Bytes::new());
        }
        let per_page = self.options.documents_per_page;
        let end = FIRST_LSN + self.options.pages_per_range * per_page;
        let lsn = match header("if-none-match") {
            None => FIRST_LSN,
            Some("*") => end,
            Some(token) => match token.trim_matches('"').parse::<u64>() {
                Ok(lsn) if lsn >= FIRST_LSN => lsn,
                _ => return plain(StatusCode::BAD_REQUEST, Bytes::new()),
            },
        };
        let (mut response, next, charge) = if lsn >= end {
            let response = plain(StatusCode::NOT_MODIFIED, Bytes::new());
            (response, end, HeaderValue::from_static("1.00"))
        } else {
            let form = match header("x-ms-cosmos-changefeed-wire-format-version") {
                Some(_) => Form::Envelopes,
                None => Form::Plain,
            };
            let page = self.rendered((lsn - FIRST_LSN) / per_page, form);
            let response = plain(StatusCode::OK, page.at(lsn + 1));
            (response, lsn + per_page, HeaderValue::from_static("10.00"))
        };
        let number = |value: u64| HeaderValue::from(value);
        let headers = response.headers_mut();
        headers.insert("x-ms-request-charge", charge);
        headers.insert("lsn", number(end));
        if let Ok(etag) = HeaderValue::from_str(&format!("\"{next}\"")) {
            headers.insert("etag", etag);
        }
        if let Ok(token) = HeaderValue::from_str(&format!("{range}:1#{end}")) {
            headers.insert("x-ms-session-token", token);
        }
        response
    }

    /// A page of any query: the documents of the feed, page after page.
    fn query(&self, headers: &HeaderMap) -> Response<ResponseBody> {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let Some(range) = header("x-ms-documentdb-partitionkeyrangeid") else {
            return plain(StatusCode::BAD_REQUEST, Bytes::new());
        };
        let page = match header("x-ms-continuation").map(str::parse::<u64>) {
            None => 0,
            Some(Ok(page)) if page < self.options.pages_per_range => page,
            Some(_) => return plain(StatusCode::BAD_REQUEST, Bytes::new()),
        };
        let first = FIRST_LSN + page * self.options.documents_per_page + 1;
        let body = self.rendered(page, Form::Plain).at(first);
        let mut response = plain(StatusCode::OK, body);
        let end = FIRST_LSN + self.options.pages_per_range * self.options.documents_per_page;
        let headers = response.headers_mut();
        headers.insert("x-ms-request-charge", HeaderValue::from_static("10.00"));
        if page + 1 < self.options.pages_per_range {
            headers.insert("x-ms-continuation", HeaderValue::from(page + 1));
        }
        if let Ok(token) = HeaderValue::from_str(&format!("{range}:1#{end}")) {
            headers.insert("x-ms-session-token", token);
        }
        response
    }

    fn metadata(&self, request: &Request<Incoming>) -> Response<ResponseBody> {
        let container = self
            .account
            .container(StaticGateway::DATABASE, StaticGateway::CONTAINER)
            .expect("the container is there from the start");
        let path = request.uri().path().trim_matches('/');
        let host = request
            .uri()
            .authority()
            .map(|authority| authority.to_string())
            .or_else(|| {
                let host = request.headers().get("host")?;
                host.to_str().ok().map(str::to_owned)
            })
            .unwrap_or_default();
        let json = match path.split('/').filter(|s| !s.is_empty()).count() {
            0 => account_to_json(&self.options.transport().url(&host), "Session", None),
            2 => self
                .account
                .database(StaticGateway::DATABASE)
                .expect("the database is there from the start")
                .to_json(),
            4 => container.to_json(),
            5 if path.ends_with("pkranges") => {
                let etag = "\"pkranges\"";
                let known = request.headers().get("if-none-match");
                let mut response = if known.is_some_and(|known| known == etag) {
                    plain(StatusCode::NOT_MODIFIED, Bytes::new())
                } else {
                    let json = container.partition_key_ranges_to_json();
                    plain(StatusCode::OK, Bytes::from(json.to_string()))
                };
                response
                    .headers_mut()
                    .insert("etag", HeaderValue::from_static(etag));
                return response;
            }
            // Lists of scripts.
            5 => return plain(StatusCode::NOT_IMPLEMENTED, Bytes::new()),
            _ => return plain(StatusCode::NOT_FOUND, Bytes::new()),
        };
        plain(StatusCode::OK, Bytes::from(json.to_string()))
    }
}

impl Handler for FixedPages {
    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> io::Result<Response<ResponseBody>> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let is_docs = request
            .uri()
            .path()
            .trim_end_matches('/')
            .ends_with("/docs");
        let has = |name: &str| request.headers().contains_key(name);
        if has("x-ms-cosmos-is-query-plan-request") || has("x-ms-documentdb-isquery") {
            let (head, body) = request.into_parts();
            body.collect().await.map_err(io::Error::other)?;
            return Ok(
                match head
                    .headers
                    .contains_key("x-ms-cosmos-is-query-plan-request")
                {
                    true => plain(StatusCode::OK, Bytes::from_static(PLAN)),
                    false if is_docs => self.query(&head.headers),
                    // Offers, of which there are none.
                    false => plain(
                        StatusCode::OK,
                        Bytes::from_static(b"{\"Offers\":[],\"_count\":0}"),
                    ),
                },
            );
        }
        if is_docs && request.method() == Method::POST {
            let (response, written) = acknowledge(request).await?;
            self.writes.fetch_add(written, Ordering::Relaxed);
            return Ok(response);
        }
        if is_docs {
            return Ok(self.feed(&request));
        }
        Ok(self.metadata(&request))
    }
}

/// Acknowledges a document or a whole batch, and counts them. They are not kept.
async fn acknowledge(request: Request<Incoming>) -> io::Result<(Response<ResponseBody>, u64)> {
    let is_batch = request
        .headers()
        .contains_key("x-ms-cosmos-is-batch-request");
    let prefer = request.headers().get("prefer");
    let is_minimal = prefer.is_some_and(|prefer| prefer == "return=minimal");
    let body = request.into_body().collect().await;
    let document = body.map_err(io::Error::other)?.to_bytes();
    let (status, body, written) = if is_batch {
        let operations: Vec<serde::de::IgnoredAny> =
            serde_json::from_slice(&document).map_err(io::Error::other)?;
        let result = r#"{"statusCode":201,"requestCharge":6.29,"eTag":"\"1\""}"#;
        let results = vec![result; operations.len()].join(",");
        let body = Bytes::from(format!("[{results}]"));
        (StatusCode::OK, body, operations.len() as u64)
    } else if is_minimal {
        (StatusCode::CREATED, Bytes::new(), 1)
    } else {
        (StatusCode::CREATED, document, 1)
    };
    let mut response = plain(status, body);
    let headers = response.headers_mut();
    headers.insert("etag", HeaderValue::from_static("\"1\""));
    headers.insert("lsn", HeaderValue::from_static("1"));
    headers.insert("x-ms-request-charge", HeaderValue::from_static("6.29"));
    headers.insert("x-ms-session-token", HeaderValue::from_static("0:-1#1"));
    Ok((response, written))
}

fn plain(status: StatusCode, body: Bytes) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/json"));
    response
}

/// The form of the items of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Each document as the current image of a change, beside its metadata.
    Envelopes,
    Plain,
}

fn render_pages(options: &StaticOptions, rid: &str, form: Form) -> Vec<RenderedPage> {
    let page_bytes = options.documents_per_page * options.document_bytes as u64;
    let distinct = (BODY_BYTES / page_bytes.max(1)).clamp(2, MOST_DISTINCT_BODIES);
    (0..distinct.min(options.pages_per_range))
        .map(|page| render_page(options, rid, page, form))
        .collect()
}

/// One page in the service's form, its documents of the wanted size.
fn render_page(options: &StaticOptions, rid: &str, page: u64, form: Form) -> RenderedPage {
    let mut lsns = Vec::new();
    let mut body = format!("{{\"_rid\":\"{rid}\",\"Documents\":[");
    let mut random = fastrand::Rng::with_seed(page);
    for item in 0..options.documents_per_page {
        if item > 0 {
            body.push(',');
        }
        let lsn = page * options.documents_per_page + item + 1;
        if form == Form::Envelopes {
            body.push_str("{\"current\":");
        }
        let document = body.len();
        match options.shape {
            DocumentShape::Text => write_text_members(&mut body, lsn),
            DocumentShape::Order => write_order_members(&mut body, lsn, &mut random),
        }
        body.push_str(",\"note\":\"");
        let tail = format!(
            "\",\"_rid\":\"{rid}{lsn:08}\",\"_etag\":\"\\\"{lsn:08x}\\\"\",\"_ts\":1700000000,\
             \"_lsn\":{FIRST_LSN}}}"
        );
        let written = body.len() - document + tail.len();
        let missing = options.document_bytes.saturating_sub(written);
        match options.shape {
            DocumentShape::Text => {
                let filler = "the quick brown fox jumps over the lazy dog, ";
                body.extend(filler.chars().cycle().take(missing));
            }
            DocumentShape::Order => write_words(&mut body, missing, &mut random),
        }
        body.push_str(&tail);
        lsns.push((body.len() - FIRST_LSN.to_string().len() - 1, item));
        if form == Form::Envelopes {
            body.push_str(",\"metadata\":{\"lsn\":");
            lsns.push((body.len(), item));
            body.push_str(&format!("{FIRST_LSN},\"crts\":1700000000}}}}"));
        }
    }
    body.push_str(&format!("],\"_count\":{}}}", options.documents_per_page));
    RenderedPage {
        body: Bytes::from(body),
        lsns,
    }
}

fn write_text_members(body: &mut String, lsn: u64) {
    body.push_str(&format!(
        "{{\"id\":\"{lsn:012}\",\"pk\":\"customer-{:04}\",\"quantity\":{},\"price\":{}.{:02},\
         \"shipped\":{}",
        lsn % 10_000,
        lsn % 97,
        lsn % 1_000,
        lsn % 100,
        lsn.is_multiple_of(2),
    ));
}

fn write_order_members(body: &mut String, lsn: u64, random: &mut fastrand::Rng) {
    let status = ["new", "paid", "shipped", "returned"][random.usize(..4)];
    body.push_str(&format!(
        "{{\"id\":\"{:032x}\",\"pk\":\"customer-{:05}\",\"status\":\"{status}\",\"total\":{}.{:02},\
         \"express\":{},\"createdAt\":\"2026-11-{:02}T{:02}:{:02}:{:02}.{:03}Z\",\"revision\":{}",
        random.u128(..),
        random.u32(..50_000),
        random.u32(..5_000),
        random.u8(..100),
        random.bool(),
        random.u8(1..29),
        random.u8(..24),
        random.u8(..60),
        random.u8(..60),
        random.u16(..1000),
        lsn % 7,
    ));
    body.push_str(",\"customer\":{\"name\":\"");
    write_words(body, 14, random);
    body.push_str("\",\"email\":\"");
    write_words(body, 7, random);
    body.push_str("@example.com\",\"address\":{\"city\":\"");
    write_words(body, 8, random);
    body.push_str(&format!(
        "\",\"zip\":\"{:05}\"}}}},\"lines\":[",
        random.u32(..100_000)
    ));
    for line in 0..1 + lsn % 3 {
        if line > 0 {
            body.push(',');
        }
        body.push_str(&format!(
            "{{\"sku\":\"SKU-{:05}\",\"quantity\":{},\"price\":{}.{:02}}}",
            random.u32(..20_000),
            random.u8(1..10),
            random.u16(..500),
            random.u8(..100),
        ));
    }
    body.push_str("],\"tags\":[\"");
    write_words(body, 5, random);
    body.push_str("\",\"");
    write_words(body, 9, random);
    body.push_str("\"]");
}

/// This many bytes of new random words.
fn write_words(body: &mut String, bytes: usize, random: &mut fastrand::Rng) {
    let end = body.len() + bytes;
    while body.len() < end {
        let letters = random.usize(2..10).min(end - body.len());
        body.extend(std::iter::repeat_with(|| random.lowercase()).take(letters));
        if body.len() < end {
            body.push(' ');
        }
    }
}

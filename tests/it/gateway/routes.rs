//! From a request to its answer: its resource, its authorization, and what the script does to it.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use azure_data_cosmos_driver::models::effective_partition_key::EffectivePartitionKey as Epk;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode, Version};
use serde_json::Value;
use time::PrimitiveDateTime;
use time::macros::format_description;

use super::account::{StoredContainer, account_to_json};
use super::batch;
use super::body::ResponseBody;
use super::change_log::Mode;
use super::faults::Action;
use super::feed::{self, FeedAnswer, FeedRequest, error_body};
use super::items::{self, ItemRequest, WriteRecord, new_container};
use super::query::{self, Sql};
use super::replicas::Lag;
use super::requests::{RequestKind, RequestRecord};
use super::server::{Handler, Undated};
use super::{GatewayOptions, Shared, State, auth, companions, lists};

pub(super) struct Routes {
    shared: Arc<Shared>,
}

/// A parsed request.
pub(super) struct Asked {
    kind: RequestKind,
    segments: Vec<String>,
    headers: HeaderMap,
    method: String,
    host: String,
    pub(super) body: Bytes,
}

/// A logged request, and what will happen to it.
struct Arrival {
    ordinal: usize,
    before: Vec<Action>,
    on_answer: Option<Action>,
    lag: Lag,
}

/// What the script does while an answer is made.
#[derive(Clone, Copy, Default)]
struct Twist {
    /// The ETag stays where it was.
    stuck: bool,
    /// The page is one of so many transactions before.
    back: u64,
    lag: Lag,
}

/// An answer before the script's last word.
pub(super) struct Answer {
    status: u16,
    pub(super) body: Bytes,
    headers: Vec<(&'static str, String)>,
    violation: Option<String>,
    items: usize,
    /// The LSN that the ETag names, if that is one of a feed.
    lsn: Option<u64>,
    replica_lsn: Option<u64>,
    charge_hundredths: u64,
    /// A header that it does not have, unless it is its own.
    without: Option<&'static str>,
    /// It has no headers but its own, its content type and its charge.
    is_bare: bool,
}

impl Answer {
    pub(super) fn json(value: &Value) -> Self {
        Self::new(200, Bytes::from(value.to_string()), 100)
    }

    fn new(status: u16, body: Bytes, charge_hundredths: u64) -> Self {
        Self {
            status,
            body,
            headers: Vec::new(),
            violation: None,
            items: 0,
            lsn: None,
            replica_lsn: None,
            charge_hundredths,
            without: None,
            is_bare: false,
        }
    }

    pub(super) fn error(status: u16, substatus: Option<u32>, code: &str, message: &str) -> Self {
        let mut answer = Self::new(status, error_body(code, message), 0);
        if let Some(substatus) = substatus {
            answer
                .headers
                .push(("x-ms-substatus", substatus.to_string()));
        }
        answer
    }

    pub(super) fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(super) fn violating(mut self, what: String) -> Self {
        self.violation = Some(what);
        self
    }

    fn etag(&self) -> Option<&str> {
        let header = self.headers.iter().find(|(name, _)| *name == "etag");
        header.map(|(_, value)| value.as_str())
    }

    fn set_etag(&mut self, etag: Option<String>) {
        self.headers.retain(|(name, _)| *name != "etag");
        self.lsn = etag.as_deref().and_then(lsn_of);
        self.headers.extend(etag.map(|etag| ("etag", etag)));
    }
}

impl Asked {
    fn new(request: &Request<()>, body: Bytes) -> Self {
        let segments: Vec<String> = request
            .uri()
            .path()
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(percent_decode)
            .collect();
        let headers = request.headers().clone();
        let words: Vec<&str> = segments.iter().map(String::as_str).collect();
        let kind = match (request.method().as_str(), words.as_slice()) {
            ("GET", []) => RequestKind::Account,
            ("GET", ["dbs"]) => RequestKind::DatabaseFeed,
            ("GET", ["dbs", _]) => RequestKind::Database,
            ("POST", ["dbs"]) => RequestKind::DatabaseCreate,
            ("DELETE", ["dbs", _]) => RequestKind::DatabaseDelete,
            ("PUT", ["offers", _]) => RequestKind::OfferReplace,
            ("GET", ["dbs", _, "colls"]) => RequestKind::ContainerFeed,
            ("GET", ["dbs", _, "colls", _]) => RequestKind::Container,
            ("GET", ["dbs", _, "colls", _, "pkranges"]) => RequestKind::PartitionKeyRanges,
            ("GET", ["dbs", _, "colls", _, "docs"]) if headers.contains_key("a-im") => {
                RequestKind::ChangeFeed
            }
            ("POST", ["offers"]) if headers.contains_key("x-ms-documentdb-isquery") => {
                RequestKind::Offers
            }
            ("POST", ["dbs", _, "colls", _, "docs"])
                if headers.contains_key("x-ms-cosmos-is-query-plan-request") =>
            {
                RequestKind::QueryPlan
            }
            ("POST", ["dbs", _, "colls", _, "docs"])
                if headers.contains_key("x-ms-documentdb-isquery") =>
            {
                RequestKind::Query
            }
            ("POST", ["dbs", _, "colls"]) => RequestKind::ContainerCreate,
            ("GET", ["dbs", _, "colls", _, "docs", _]) => RequestKind::ItemRead,
            ("PUT" | "DELETE", ["dbs", _, "colls", _, "docs", _]) => RequestKind::ItemWrite,
            ("POST", ["dbs", _, "colls", _, "docs"]) => RequestKind::ItemWrite,
            ("GET", ["dbs", _, kind] | ["dbs", _, "colls", _, kind])
                if companions::is_kind(kind) =>
            {
                RequestKind::Companions
            }
            ("POST", ["dbs", _, kind] | ["dbs", _, "colls", _, kind])
                if companions::is_kind(kind) =>
            {
                RequestKind::CompanionCreate
            }
            _ => RequestKind::Unserved,
        };
        // HTTP/2 carries the host in the URI, HTTP/1.1 in its header.
        let host = request
            .uri()
            .authority()
            .map(|authority| authority.to_string())
            .or_else(|| text(&headers, "host").map(str::to_owned))
            .unwrap_or_default();
        Self {
            kind,
            segments,
            method: request.method().to_string(),
            headers,
            host,
            body,
        }
    }

    /// The operation on an item.
    fn of_item(&self) -> ItemRequest {
        let body = self.body.clone();
        let is_upsert = self.text("x-ms-documentdb-is-upsert");
        match self.method.as_str() {
            "GET" => ItemRequest::Read,
            "PUT" => ItemRequest::Replace(body),
            "DELETE" => ItemRequest::Delete,
            _ if is_upsert.is_some_and(|value| value.eq_ignore_ascii_case("true")) => {
                ItemRequest::Upsert(body)
            }
            _ => ItemRequest::Create(body),
        }
    }

    fn is_batch(&self) -> bool {
        let header = self.text("x-ms-cosmos-is-batch-request");
        header.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(super) fn text(&self, name: &'static str) -> Option<&str> {
        text(&self.headers, name)
    }

    fn record(&self, request: &Request<()>) -> RequestRecord {
        let owned = |name| self.text(name).map(str::to_owned);
        RequestRecord {
            ordinal: 0,
            kind: self.kind,
            method: self.method.clone(),
            path: request.uri().path().to_owned(),
            host: self.host.clone(),
            http2: request.version() == Version::HTTP_2,
            container: None,
            partition: owned("x-ms-documentdb-partitionkeyrangeid"),
            epk_range: owned("x-ms-start-epk").zip(owned("x-ms-end-epk")),
            token: owned("if-none-match").or_else(|| owned("x-ms-continuation")),
            modified_since: owned("if-modified-since"),
            session_token: owned("x-ms-session-token"),
            consistency_level: owned("x-ms-consistency-level"),
            priority: owned("x-ms-cosmos-priority-level"),
            throughput_bucket: owned("x-ms-cosmos-throughput-bucket"),
            is_batch: self.is_batch(),
            max_item_count: self
                .text("x-ms-max-item-count")
                .and_then(|count| count.parse().ok()),
            headers: self.headers.clone(),
            arrived: Instant::now(),
            departed: None,
            page: 0,
            status: None,
            items: 0,
            lsn: None,
            etag: None,
            replica_lsn: None,
            charge_hundredths: 0,
        }
    }
}

impl Routes {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Logs the request, and asks the script what happens to it.
    fn arrive(&self, asked: &Asked, mut record: RequestRecord) -> Arrival {
        let mut state = self.shared.lock();
        if asked.segments.len() >= 4 {
            let container = state
                .account
                .container(&asked.segments[1], &asked.segments[3]);
            record.container = container.map(|container| container.rid.clone());
            let asked_of = container.zip(record.partition.as_deref());
            record.page = 1 + asked_of
                .and_then(|(container, partition)| container.log.partition(partition))
                .map_or(0, |partition| partition.pages_served);
        }
        let (before, on_answer) = state.faults.strike(&record);
        let lag = match on_answer {
            Some(Action::Lag(transactions)) => Lag::Transactions(transactions),
            _ if matches!(asked.kind, RequestKind::ChangeFeed | RequestKind::Query) => {
                state.replicas.lag(&record)
            }
            _ => Lag::default(),
        };
        let ordinal = state.requests.push(record);
        drop(state);
        self.shared.progress.notify_all();
        Arrival {
            ordinal,
            before,
            on_answer,
            lag,
        }
    }

    /// The answer as it would be without the script.
    fn answer(&self, asked: &Asked, twist: Twist) -> Answer {
        if let Some(refusal) = self.authorize(asked) {
            return refusal;
        }
        let mut state = self.shared.lock();
        match asked.kind {
            RequestKind::Account => {
                let url = self.shared.options.transport().url(&asked.host);
                let consistency = self.shared.options.consistency;
                Answer::json(&account_to_json(
                    &url,
                    consistency,
                    state.locations.as_ref(),
                ))
            }
            RequestKind::DatabaseFeed => lists::page(
                asked,
                "Databases",
                &state.account.databases_to_json(),
                state.list_page,
            ),
            RequestKind::Offers => lists::offers(asked, &state.offers, state.list_page),
            RequestKind::Database | RequestKind::ContainerFeed => {
                let Some(database) = state.account.database(&asked.segments[1]) else {
                    return not_found(None, "the database does not exist");
                };
                match asked.kind {
                    RequestKind::Database => Answer::json(&database.to_json()),
                    _ => {
                        let all = database.containers_to_json();
                        lists::page(asked, "DocumentCollections", &all, state.list_page)
                    }
                }
            }
            RequestKind::DatabaseCreate => create_database(&mut state, asked),
            RequestKind::DatabaseDelete => {
                let database = state.account.database(&asked.segments[1]);
                let is_another = database.zip(asked.text("if-match"));
                if is_another.is_some_and(|(database, etag)| database.etag() != etag) {
                    let message = "One of the specified pre-condition is not met.";
                    return Answer::error(412, None, "PreconditionFailed", message);
                }
                if state.account.delete_database(&asked.segments[1]) {
                    Answer::new(204, Bytes::new(), 100)
                } else {
                    not_found(None, "the database does not exist")
                }
            }
            RequestKind::OfferReplace => {
                Answer::json(&serde_json::from_slice(&asked.body).unwrap_or_default())
            }
            RequestKind::ContainerCreate => self.create_container(&mut state, asked),
            RequestKind::Companions | RequestKind::CompanionCreate => {
                answer_for_companions(&mut state, asked)
            }
            RequestKind::Container
            | RequestKind::PartitionKeyRanges
            | RequestKind::ChangeFeed
            | RequestKind::Query
            | RequestKind::QueryPlan
            | RequestKind::ItemRead
            | RequestKind::ItemWrite => self.answer_for_container(&mut state, asked, twist),
            RequestKind::Unserved => {
                let what = format!("{} /{}", asked.method, asked.segments.join("/"));
                let mut answer =
                    Answer::error(400, None, "BadRequest", &format!("{what} is not served"));
                answer.violation = Some(format!("the gateway does not serve {what}"));
                answer
            }
        }
    }

    fn create_container(&self, state: &mut State, asked: &Asked) -> Answer {
        let database = &asked.segments[1];
        if state.account.database(database).is_none() {
            return not_found(None, "the database does not exist");
        }
        let Some((name, key)) = new_container(&asked.body) else {
            return Answer::error(400, None, "BadRequest", "this is no container");
        };
        let sent: Value = serde_json::from_slice(&asked.body).expect("it was read just now");
        if let Some((member, message)) = &state.refused_member
            && sent.get(member).is_some()
        {
            return Answer::error(400, None, "BadRequest", message);
        }
        if state.account.container(database, &name).is_some() {
            return Answer::error(409, None, "Conflict", "the container exists");
        }
        let stride = self.shared.options.lsn_stride;
        let rid = state
            .account
            .create_container(database, &name, key, 2, stride);
        let container = state.account.container_by_rid(&rid);
        let container = container.expect("it was created just now");
        if self.shared.options.new_take_all_tokens {
            container.log.take_all_tokens();
        }
        container.defined = sent.as_object().cloned().unwrap_or_default();
        let json = container.to_json();
        Answer {
            status: 201,
            ..Answer::json(&json)
        }
    }

    fn answer_for_item(
        &self,
        container: &mut StoredContainer,
        asked: &Asked,
        now: u64,
    ) -> (Answer, Option<WriteRecord>) {
        let answered = items::answer(
            container,
            asked.of_item(),
            asked.segments.get(5).map(String::as_str),
            asked.text("x-ms-documentdb-partitionkey"),
            asked.text("if-match"),
            now,
        );
        let is_write = answered.write.is_some();
        let minimal = is_write && asked.text("prefer") == Some("return=minimal");
        let body = if minimal || answered.status == 204 {
            Bytes::new()
        } else {
            answered.body
        };
        let mut answer = Answer::new(answered.status, body, answered.charge_hundredths);
        if let Some(etag) = answered.etag {
            answer = answer.header("etag", etag);
        }
        if let Some(substatus) = answered.substatus {
            answer = answer.header("x-ms-substatus", substatus);
        }
        answer.lsn = answered.lsn;
        answer.violation = answered.violation;
        (answer, answered.write)
    }

    fn authorize(&self, asked: &Asked) -> Option<Answer> {
        let header = asked.text("authorization");
        let date = asked.text("x-ms-date");
        let authorized = match (header, date) {
            (Some(header), Some(date)) => {
                let key = self.shared.key.lock().unwrap();
                !self.shared.options.verify_signature
                    || auth::verify(&key, &asked.method, &asked.segments, date, header)
            }
            _ => false,
        };
        (!authorized).then(|| {
            Answer::error(
                401,
                None,
                "Unauthorized",
                "The input authorization token can't serve the request.",
            )
        })
    }

    fn answer_for_container(&self, state: &mut State, asked: &Asked, twist: Twist) -> Answer {
        let (database, name) = (&asked.segments[1], &asked.segments[3]);
        let rid = match state.account.container(database, name) {
            Some(container) => container.rid.clone(),
            None if asked.kind == RequestKind::Container => {
                return not_found(None, "the container does not exist");
            }
            // 1003: the resource's owner is missing.
            None => return not_found(Some(1003), "the container does not exist"),
        };
        if asked
            .text("x-ms-cosmos-intended-collection-rid")
            .is_some_and(|intended| intended != rid)
        {
            return Answer::error(
                400,
                Some(1024),
                "BadRequest",
                "the container's RID is not the intended one",
            );
        }
        let now = state.now;
        let container = state
            .account
            .container_by_rid(&rid)
            .expect("the container was found just now");
        match asked.kind {
            RequestKind::ItemWrite if asked.is_batch() => {
                let key = asked.text("x-ms-documentdb-partitionkey");
                let answered = batch::answer(container, &asked.body, key, now);
                let mut answer =
                    Answer::new(answered.status, answered.body, answered.charge_hundredths);
                answer.lsn = answered.lsn;
                answer.violation = answered.violation;
                state.writes.extend(answered.writes);
                answer
            }
            RequestKind::ItemRead | RequestKind::ItemWrite => {
                let (answer, write) = self.answer_for_item(container, asked, now);
                state.writes.extend(write);
                answer
            }
            RequestKind::Container => Answer::json(&container.to_json())
                .header("etag", "\"00000000-0000-0000-0000-000000000000\""),
            RequestKind::PartitionKeyRanges => {
                let etag = format!("\"pkranges-{}\"", container.log.topology_version());
                if asked.text("if-none-match") == Some(etag.as_str()) {
                    return Answer::new(304, Bytes::new(), 100).header("etag", etag);
                }
                Answer::json(&container.partition_key_ranges_to_json()).header("etag", etag)
            }
            RequestKind::Query | RequestKind::QueryPlan => {
                self.answer_to_query(container, asked, twist, now)
            }
            _ => match feed_request(asked, twist, &self.shared.options) {
                Ok(_) if self.asks_too_much(asked) => Answer::error(
                    400,
                    None,
                    "BadRequest",
                    "The consistency level of the request is stronger than the account's.",
                ),
                Ok(request) => {
                    answer_from_feed(feed::answer(container, &request, &self.shared.options, now))
                }
                Err(message) => {
                    let mut answer = Answer::error(400, None, "BadRequest", &message);
                    answer.violation = Some(message);
                    answer
                }
            },
        }
    }

    /// A page of a query, or its plan.
    fn answer_to_query(
        &self,
        container: &mut StoredContainer,
        asked: &Asked,
        twist: Twist,
        now: u64,
    ) -> Answer {
        let sql = match Sql::parse(&asked.body) {
            Ok(sql) => sql,
            Err(message) => return Answer::error(400, None, "BadRequest", &message),
        };
        if asked.kind == RequestKind::QueryPlan {
            return Answer::json(&sql.plan(container));
        }
        let request = match feed_request(asked, twist, &self.shared.options) {
            Ok(request) => request,
            Err(message) => {
                let mut answer = Answer::error(400, None, "BadRequest", &message);
                answer.violation = Some(message);
                return answer;
            }
        };
        let continuation = asked.text("x-ms-continuation");
        let options = &self.shared.options;
        let (page, next) = query::answer(container, &request, continuation, &sql, options, now);
        let answer = answer_from_feed(page);
        match next {
            Some(next) => answer.header("x-ms-continuation", next),
            None => answer,
        }
    }

    /// Whether the request asks for a stronger consistency than the account has.
    fn asks_too_much(&self, asked: &Asked) -> bool {
        const STRONGEST_FIRST: [&str; 5] = [
            "Strong",
            "BoundedStaleness",
            "Session",
            "ConsistentPrefix",
            "Eventual",
        ];
        let rank = |level: &str| STRONGEST_FIRST.iter().position(|own| *own == level);
        let options = &self.shared.options;
        options.refuse_stronger_consistency
            && asked
                .text("x-ms-consistency-level")
                .is_some_and(|level| rank(level) < rank(options.consistency))
    }

    /// A 304 that need not be true.
    fn not_modified(&self, asked: &Asked, etag: Option<&str>) -> Answer {
        let own = asked.text("if-none-match").filter(|token| *token != "*");
        let mut answer = Answer::new(304, Bytes::new(), 100);
        answer.set_etag(etag.or(own).map(str::to_owned));
        let mut state = self.shared.lock();
        let container = (asked.kind == RequestKind::ChangeFeed)
            .then(|| {
                state
                    .account
                    .container(&asked.segments[1], &asked.segments[3])
            })
            .flatten()
            .map(|container| container.rid.clone());
        let container = container.and_then(|rid| state.account.container_by_rid(&rid));
        let request = feed_request(asked, Twist::default(), &self.shared.options);
        if let (Some(container), Ok(request), Some(lsn)) = (container, request, answer.lsn) {
            // It is not recognizable that this token is invalid.
            feed::issue(container, &request, lsn);
        }
        answer
    }

    /// Notes how the request ended.
    fn depart(&self, ordinal: usize, answer: Option<&Answer>) {
        let mut state = self.shared.lock();
        state.requests.record_mut(ordinal).departed = Some(Instant::now());
        if let Some(answer) = answer {
            if let Some(violation) = &answer.violation {
                state.violations.push(violation.clone());
            }
            let record = state.requests.record_mut(ordinal);
            record.status = Some(answer.status);
            record.items = answer.items;
            record.lsn = answer.lsn;
            record.etag = answer.etag().map(str::to_owned);
            record.replica_lsn = answer.replica_lsn;
            record.charge_hundredths = answer.charge_hundredths;
        }
        drop(state);
        self.shared.progress.notify_all();
    }
}

impl Handler for Routes {
    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> io::Result<Response<ResponseBody>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let request = Request::from_parts(head, ());
        let asked = Asked::new(&request, body);
        let record = asked.record(&request);
        let Arrival {
            ordinal,
            before,
            on_answer,
            lag,
        } = self.arrive(&asked, record);
        for action in before {
            match action {
                // The requested fault is the delay of the answer.
                Action::Delay(delay) => tokio::time::sleep(delay).await,
                Action::Hold(hold) => hold.pass().await,
                Action::Call(call) => call(),
                _ => {}
            }
        }
        if let Some(Action::ResetBeforeHeaders) = on_answer {
            self.depart(ordinal, None);
            return Err(io::Error::new(
                io::ErrorKind::ConnectionReset,
                "the script resets this connection",
            ));
        }
        let mut answer = match &on_answer {
            Some(Action::Status {
                status,
                substatus,
                retry_after_ms,
            }) => scripted_status(*status, *substatus, *retry_after_ms),
            Some(Action::Refuse { status, message }) => {
                Answer::error(*status, None, "Scripted", message)
            }
            Some(Action::Redirect { status, to }) => {
                Answer::new(*status, Bytes::new(), 0).header("location", to)
            }
            Some(Action::Answer {
                status,
                headers,
                body,
            }) => {
                let mut answer = Answer::new(*status, body.clone(), 0);
                answer.headers.clone_from(headers);
                answer.lsn = answer.etag().and_then(lsn_of);
                answer.is_bare = true;
                answer
            }
            Some(Action::NotModified { etag }) => self.not_modified(&asked, etag.as_deref()),
            Some(Action::NotModifiedBehind(behind)) => {
                let own = asked.text("if-none-match").and_then(lsn_of);
                let etag = own.map(|lsn| format!("\"{}\"", lsn.saturating_sub(*behind)));
                self.not_modified(&asked, etag.as_deref())
            }
            other => {
                let twist = Twist {
                    stuck: matches!(other, Some(Action::StuckEtag)),
                    back: match other {
                        Some(Action::GoBack(transactions)) => *transactions,
                        _ => 0,
                    },
                    lag,
                };
                self.answer(&asked, twist)
            }
        };
        match &on_answer {
            Some(Action::CorruptBody) => answer.body.truncate(answer.body.len() / 2),
            Some(Action::ReplaceBody(body)) => answer.body = body.clone(),
            Some(Action::EditBody(edit)) => answer.body = edit(answer.body),
            Some(Action::EditEtag(edit)) => {
                let etag = edit(answer.etag().map(str::to_owned));
                answer.set_etag(etag);
            }
            Some(Action::Header(name, value)) => {
                answer.headers.retain(|(own, _)| own != name);
                answer.without = Some(*name);
                let header = value.map(|value| (*name, value.to_owned()));
                answer.headers.extend(header);
            }
            Some(Action::As(status)) => answer.status = *status,
            Some(Action::Charge(charge)) => {
                answer
                    .headers
                    .push(("x-ms-request-charge", (*charge).to_owned()));
            }
            Some(Action::Gzip(body)) => {
                answer.body = body.clone();
                answer.headers.push(("content-encoding", "gzip".to_owned()));
            }
            Some(Action::MissingEtag) => answer.headers.retain(|(name, _)| *name != "etag"),
            _ => {}
        }
        self.depart(ordinal, Some(&answer));
        Ok(response(answer, on_answer, ordinal))
    }
}

fn response(answer: Answer, on_answer: Option<Action>, ordinal: usize) -> Response<ResponseBody> {
    let body = match on_answer {
        Some(Action::TruncateBody { after }) if !answer.body.is_empty() => {
            ResponseBody::truncated(answer.body, after)
        }
        Some(Action::Trickle { bytes, every }) => ResponseBody::trickle(answer.body, bytes, every),
        Some(Action::Endless) => ResponseBody::endless(None),
        Some(Action::AnnounceBody(bytes)) => ResponseBody::endless(Some(bytes)),
        _ => ResponseBody::whole(answer.body),
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(answer.status).expect("the script's status is a status");
    let headers = response.headers_mut();
    let charge = answer.charge_hundredths;
    let mut all = vec![
        ("content-type", "application/json".to_owned()),
        (
            "x-ms-request-charge",
            format!("{}.{:02}", charge / 100, charge % 100),
        ),
        (
            "x-ms-activity-id",
            format!("00000000-0000-4000-8000-{ordinal:012x}"),
        ),
        ("x-ms-version", "2020-07-15".to_owned()),
        ("x-ms-gatewayversion", "version=2.14.0".to_owned()),
    ];
    if answer.is_bare {
        all.truncate(2);
    }
    all.retain(|(name, _)| !answer.headers.iter().any(|(own, _)| own == name));
    all.retain(|(name, _)| answer.without != Some(*name));
    let is_undated = answer.without == Some("date");
    all.extend(answer.headers);
    for (name, value) in all {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).expect("the script's header is a header"),
            HeaderValue::from_bytes(value.as_bytes()).expect("a header value has no controls"),
        );
    }
    if is_undated {
        response.extensions_mut().insert(Undated);
    }
    response
}

fn create_database(state: &mut State, asked: &Asked) -> Answer {
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let Some(name) = body["id"].as_str() else {
        return Answer::error(400, None, "BadRequest", "this is no database");
    };
    if state.account.database(name).is_some() {
        return Answer::error(409, None, "Conflict", "the database exists");
    }
    state.account.create_database(name);
    let created = state.account.database(name);
    let json = created.expect("it was created just now").to_json();
    Answer {
        status: 201,
        ..Answer::json(&json)
    }
}

fn scripted_status(status: u16, substatus: Option<u32>, retry_after_ms: Option<u64>) -> Answer {
    let mut answer = Answer::error(status, substatus, "Scripted", "the script wants this");
    if let Some(milliseconds) = retry_after_ms {
        answer = answer.header("x-ms-retry-after-ms", milliseconds);
    }
    answer
}

fn not_found(substatus: Option<u32>, message: &str) -> Answer {
    Answer::error(404, substatus, "NotFound", message)
}

fn answer_from_feed(feed: FeedAnswer) -> Answer {
    // An empty poll costs as well; a page costs by its items.
    let charge = match feed.status {
        200 => 200 + feed.items as u64 * 5,
        304 => 100,
        _ => 0,
    };
    let mut answer = Answer::new(feed.status, feed.body, charge);
    if let Some(substatus) = feed.substatus {
        answer = answer.header("x-ms-substatus", substatus);
    }
    if let Some(lsn) = feed.lsn {
        answer = answer
            .header("etag", format!("\"{lsn}\""))
            .header("lsn", feed.partition_lsn)
            .header("x-ms-item-count", feed.items);
    }
    if let Some(token) = feed.session_token {
        answer = answer.header("x-ms-session-token", token);
    }
    if let Some(partition) = feed.partition {
        answer = answer.header("x-ms-documentdb-partitionkeyrangeid", partition);
    }
    answer.items = feed.items;
    answer.lsn = feed.lsn;
    answer.replica_lsn = feed.lsn.map(|_| feed.partition_lsn);
    answer.violation = feed.violation;
    answer
}

/// Parses the headers of a change feed request; an error says what is wrong with them.
fn feed_request(
    asked: &Asked,
    twist: Twist,
    options: &GatewayOptions,
) -> Result<FeedRequest, String> {
    let mode = match asked.text("a-im") {
        Some(a_im) if a_im.eq_ignore_ascii_case("Incremental Feed") => Mode::LatestVersion,
        Some(a_im) if a_im.eq_ignore_ascii_case("Full-Fidelity Feed") => {
            Mode::AllVersionsAndDeletes
        }
        None if asked.kind == RequestKind::Query => Mode::LatestVersion,
        other => return Err(format!("A-IM {other:?} names no change feed mode")),
    };
    let wire_format = asked
        .text("x-ms-cosmos-changefeed-wire-format-version")
        .is_some();
    if mode == Mode::AllVersionsAndDeletes && !wire_format {
        return Err("AllVersionsAndDeletes needs the wire format header".to_owned());
    }
    // A range narrower than a partition needs all four headers; the partition alone needs its id.
    let epk_range = match (
        asked.text("x-ms-documentdb-partitionkeyrangeid"),
        asked.text("x-ms-start-epk"),
        asked.text("x-ms-end-epk"),
        asked.text("x-ms-read-key-type"),
    ) {
        (_, None, None, None) => None,
        (Some(_), Some(min), Some(max), Some("EffectivePartitionKeyRange")) => {
            let parse = |hex: &str| Epk::try_from(hex).map_err(|error| error.to_string());
            Some((parse(min)?, parse(max)?))
        }
        (partition, min, max, key_type) => {
            return Err(format!(
                "an EPK range has four headers: partition {partition:?}, from {min:?} to {max:?}, key \
                 type {key_type:?}"
            ));
        }
    };
    let partition_key = asked
        .text("x-ms-documentdb-partitionkey")
        .map(|key| serde_json::from_str(key).map_err(|error| error.to_string()))
        .transpose()?;
    let consistency = asked
        .text("x-ms-consistency-level")
        .unwrap_or(options.consistency);
    let since = asked
        .text("if-modified-since")
        .map(|date| rfc1123(date).ok_or_else(|| format!("If-Modified-Since: {date}")))
        .transpose()?;
    Ok(FeedRequest {
        mode,
        wire_format,
        partition: asked
            .text("x-ms-documentdb-partitionkeyrangeid")
            .map(str::to_owned),
        epk_range,
        partition_key,
        token: asked.text("if-none-match").map(str::to_owned),
        since,
        max_item_count: asked
            .text("x-ms-max-item-count")
            .map(|count| {
                count
                    .parse()
                    .map_err(|_| format!("x-ms-max-item-count: {count}"))
            })
            .transpose()?,
        stuck: twist.stuck,
        back: twist.back,
        lag: twist.lag,
        session_token: asked
            .text("x-ms-session-token")
            .filter(|_| consistency == "Session")
            .map(str::to_owned),
    })
}

/// An RFC 1123 date as seconds since the epoch.
fn rfc1123(date: &str) -> Option<u64> {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let time = PrimitiveDateTime::parse(date, format).ok()?.assume_utc();
    u64::try_from(time.unix_timestamp()).ok()
}

/// The LSN that an ETag names.
fn lsn_of(etag: &str) -> Option<u64> {
    etag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Undoes percent-encoding. Invalid escapes stay unchanged.
fn percent_decode(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = segment
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(escape.unwrap_or(bytes[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A list of scripts or keys, or a new one.
fn answer_for_companions(state: &mut State, asked: &Asked) -> Answer {
    let (database, rest) = (&asked.segments[1], &asked.segments[2..]);
    let owner = match rest {
        [_, container, _] => {
            let found = state.account.container(database, container);
            found.map(|found| found.rid.clone())
        }
        _ => state.account.database(database).map(|own| own.rid.clone()),
    };
    let (Some(owner), Some(kind)) = (owner, rest.last()) else {
        return not_found(Some(1003), "the owner does not exist");
    };
    match asked.kind {
        RequestKind::Companions => {
            let page = state.list_page;
            state.companions.page(asked, &owner, kind, page)
        }
        _ => state.companions.create(&asked.body, &owner, kind),
    }
}

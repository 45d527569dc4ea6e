//! One request with its answer, as beliefs look at it.

use azure_core::http::Method;
use azure_core::http::headers::{HeaderName, Headers};
use azure_data_cosmos_driver::test::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde_json::Value;

use super::sighting::{AccountFacts, Sighting};
use crate::feed::lsn_of_etag;
use crate::feed::page::Page;

/// A body that is longer is a page, or nothing that is looked into.
const MAX_VALUE: usize = 4 << 20;

/// A request and its answer.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    /// What was requested.
    pub(super) kind: &'static str,
    /// The HTTP method.
    pub(super) method: Method,
    /// Whether the feed of all versions and deletes was requested.
    pub(super) is_all: bool,
    request: &'a Headers,
    response: &'a Headers,
    pub(super) status: u16,
    pub(super) body: &'a [u8],
    /// The page in the body, if it is one of the feed or of a query.
    pub(super) page: Option<Page>,
    /// The body as JSON, if it is anything else.
    pub(super) value: Option<Value>,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(request: &'a HttpRequest, answer: &'a HttpResponse) -> Self {
        let kind = kind_of(request);
        let text = |name: &'static str| get(&request.headers, name);
        let is_good = answer.status == 200;
        let page = match kind {
            "feed" if is_good => Page::parse(Bytes::from(answer.body.clone())).ok(),
            "query" if is_good => Page::parse_rows(Bytes::from(answer.body.clone())).ok(),
            _ => None,
        };
        let has_value = page.is_none()
            && !(is_good && matches!(kind, "feed" | "query" | "item read" | "item write"))
            && answer.body.len() <= MAX_VALUE;
        Self {
            kind,
            method: request.method,
            is_all: text("a-im")
                .is_some_and(|mode| mode.eq_ignore_ascii_case("full-fidelity feed")),
            request: &request.headers,
            response: &answer.headers,
            status: answer.status,
            body: &answer.body,
            page,
            value: has_value
                .then(|| serde_json::from_slice(&answer.body).ok())
                .flatten(),
        }
    }

    /// A header of the request.
    pub(super) fn asked(&self, name: &'static str) -> Option<&'a str> {
        get(self.request, name)
    }

    /// A header of the answer.
    pub(super) fn header(&self, name: &'static str) -> Option<&'a str> {
        get(self.response, name)
    }

    /// A header of the answer that is a whole number.
    pub(super) fn number(&self, name: &'static str) -> Option<u64> {
        self.header(name)?.parse().ok()
    }

    pub(super) fn substatus(&self) -> u32 {
        let substatus = self.header("x-ms-substatus");
        substatus.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Whether the answer is one to a request for the feed, with what was requested or with nothing new.
    pub(super) fn is_of_feed(&self) -> bool {
        self.kind == "feed" && matches!(self.status, 200 | 304)
    }

    /// A page of the feed with documents.
    pub(super) fn feed_page(&self) -> Option<&Page> {
        self.page
            .as_ref()
            .filter(|page| self.kind == "feed" && !page.is_empty())
    }

    /// Whether the feed was requested from now on.
    pub(super) fn is_pin(&self) -> bool {
        self.kind == "feed" && self.asked("if-none-match") == Some("*")
    }

    /// The LSN after which the feed was requested.
    pub(super) fn after(&self) -> Option<u64> {
        lsn_of_etag(self.asked("if-none-match")?)
    }

    /// The LSN that the ETag of an answer names.
    pub(super) fn etag_lsn(&self) -> Option<u64> {
        lsn_of_etag(self.header("etag")?)
    }

    /// Without what the beliefs say.
    pub(super) fn sighting(&self) -> Sighting {
        let charge: f64 = self
            .header("x-ms-request-charge")
            .and_then(|text| text.parse().ok())
            .filter(|charge: &f64| (0.0..1e6).contains(charge))
            .unwrap_or(0.0);
        Sighting {
            request: self.kind.to_owned(),
            status: self.status,
            substatus: self.substatus(),
            charge: (charge * 100.0).round() as u64,
            items: self.page.as_ref().map(Page::len),
            account: self.account(),
            ..Sighting::default()
        }
    }

    fn account(&self) -> Option<AccountFacts> {
        let value = self
            .value
            .as_ref()
            .filter(|_| self.kind == "account" && self.status == 200)?;
        let regions = |list: &str| value[list].as_array().map_or(0, Vec::len);
        let level = value["userConsistencyPolicy"]["defaultConsistencyLevel"].as_str();
        const LEVELS: [&str; 5] = [
            "Strong",
            "BoundedStaleness",
            "Session",
            "ConsistentPrefix",
            "Eventual",
        ];
        let level = LEVELS.into_iter().find(|known| Some(*known) == level);
        Some(AccountFacts {
            consistency: level.unwrap_or("none that is known").to_owned(),
            readable_regions: regions("readableLocations"),
            writable_regions: regions("writableLocations"),
            multiple_writes: value["enableMultipleWriteLocations"].as_bool(),
            continuous_backup: value["continuousBackupEnabled"].as_bool(),
        })
    }
}

fn get<'a>(headers: &'a Headers, name: &'static str) -> Option<&'a str> {
    headers.get_optional_str(&HeaderName::from_static(name))
}

/// What a request is for. The words are those of the report.
fn kind_of(request: &HttpRequest) -> &'static str {
    let segments = request.url.path_segments().into_iter().flatten();
    let segments: Vec<&str> = segments.filter(|segment| !segment.is_empty()).collect();
    let has = |name: &'static str| get(&request.headers, name).is_some();
    match (request.method, segments.as_slice()) {
        (Method::Get, []) => "account",
        (Method::Get, ["dbs"] | ["dbs", _, "colls"]) => "list",
        (Method::Post, ["dbs"]) => "database create",
        (Method::Get, ["dbs", _]) => "database read",
        (Method::Delete, ["dbs", _]) => "database delete",
        (Method::Post, ["dbs", _, "colls"]) => "container create",
        (Method::Get, ["dbs", _, "colls", _]) => "container read",
        (Method::Get, ["dbs", _, "colls", _, "pkranges"]) => "ranges",
        (Method::Get, ["dbs", _, "colls", _, "docs"]) if has("a-im") => "feed",
        (Method::Post, ["dbs", _, "colls", _, "docs"])
            if has("x-ms-cosmos-is-query-plan-request") =>
        {
            "plan"
        }
        (Method::Post, ["dbs", _, "colls", _, "docs"]) if has("x-ms-documentdb-isquery") => "query",
        (Method::Post, ["dbs", _, "colls", _, "docs"]) if has("x-ms-cosmos-is-batch-request") => {
            "batch"
        }
        (Method::Get, ["dbs", _, "colls", _, "docs", _]) => "item read",
        (_, ["dbs", _, "colls", _, "docs"] | ["dbs", _, "colls", _, "docs", _]) => "item write",
        (_, ["offers", ..]) => "offers",
        _ => "other",
    }
}

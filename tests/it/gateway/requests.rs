//! The gateway's record of each request, and counters over it.

use std::time::Instant;

use hyper::header::HeaderMap;

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RequestKind {
    /// `GET /`
    Account,
    /// `GET /dbs`
    DatabaseFeed,
    /// `GET /dbs/x`
    Database,
    /// `POST /dbs`
    DatabaseCreate,
    /// `DELETE /dbs/x`
    DatabaseDelete,
    /// `GET /dbs/x/colls`
    ContainerFeed,
    /// `GET /dbs/x/colls/y`
    Container,
    /// `GET /dbs/x/colls/y/pkranges`
    PartitionKeyRanges,
    /// `GET /dbs/x/colls/y/docs` with `A-IM`
    ChangeFeed,
    /// `POST /dbs/x/colls/y/docs` with a query, for a page
    Query,
    /// The same for its plan
    QueryPlan,
    /// `POST /offers` with a query
    Offers,
    /// `PUT /offers/x`
    OfferReplace,
    /// `POST /dbs/x/colls`
    ContainerCreate,
    /// `GET /dbs/x/colls/y/docs/z`
    ItemRead,
    /// A create, upsert, replace or delete of an item.
    ItemWrite,
    /// `GET /dbs/x/colls/y/sprocs`, `triggers`, `udfs`, and `GET /dbs/x/clientencryptionkeys`
    Companions,
    /// `POST` to the same
    CompanionCreate,
    /// Anything else: the gateway does not serve it.
    Unserved,
}

/// One request as received, and its answer.
#[derive(Clone, Debug)]
pub(crate) struct RequestRecord {
    /// Position among all requests, from 0.
    pub(crate) ordinal: usize,
    pub(crate) kind: RequestKind,
    pub(crate) method: String,
    pub(crate) path: String,
    /// The host and the port that the client asked for.
    pub(crate) host: String,
    /// The request used HTTP/2.
    pub(crate) http2: bool,
    /// RID of the container addressed, once resolved.
    pub(crate) container: Option<String>,
    /// `x-ms-documentdb-partitionkeyrangeid`
    pub(crate) partition: Option<String>,
    /// `x-ms-start-epk` and `x-ms-end-epk`
    pub(crate) epk_range: Option<(String, String)>,
    /// `If-None-Match`, quotes included
    pub(crate) token: Option<String>,
    /// `If-Modified-Since`
    pub(crate) modified_since: Option<String>,
    /// `x-ms-session-token`
    pub(crate) session_token: Option<String>,
    /// `x-ms-consistency-level`
    pub(crate) consistency_level: Option<String>,
    /// `x-ms-cosmos-priority-level`
    pub(crate) priority: Option<String>,
    /// `x-ms-cosmos-throughput-bucket`
    pub(crate) throughput_bucket: Option<String>,
    /// It is a transactional batch.
    pub(crate) is_batch: bool,
    /// `x-ms-max-item-count`
    pub(crate) max_item_count: Option<i64>,
    /// All headers of the request.
    pub(crate) headers: HeaderMap,
    /// When it arrived.
    pub(crate) arrived: Instant,
    /// When its answer was sent, or its connection reset.
    pub(crate) departed: Option<Instant>,
    /// The page of its partition that a 200 would be, from 1.
    pub(crate) page: usize,
    /// Status of the answer; `None` until it is sent, and for ever if the connection was reset.
    pub(crate) status: Option<u16>,
    /// Items in the answer.
    pub(crate) items: usize,
    /// The LSN that the answer's ETag names.
    pub(crate) lsn: Option<u64>,
    /// The answer's ETag, quotes included.
    pub(crate) etag: Option<String>,
    /// The LSN of the replica that answered from the feed.
    pub(crate) replica_lsn: Option<u64>,
    /// RU of the answer, in hundredths.
    pub(crate) charge_hundredths: u64,
}

impl RequestRecord {
    /// A header of the request, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether it asks for the current position of a feed.
    pub(crate) fn is_pin(&self) -> bool {
        self.kind == RequestKind::ChangeFeed && self.token.as_deref() == Some("*")
    }

    /// Whether it asks for a page of a feed.
    pub(crate) fn is_page(&self) -> bool {
        self.kind == RequestKind::ChangeFeed && !self.is_pin()
    }
}

#[derive(Default)]
pub(super) struct RequestLog {
    records: Vec<RequestRecord>,
}

impl RequestLog {
    pub(super) fn records(&self) -> &[RequestRecord] {
        &self.records
    }

    pub(super) fn push(&mut self, mut record: RequestRecord) -> usize {
        let ordinal = self.records.len();
        record.ordinal = ordinal;
        self.records.push(record);
        ordinal
    }

    pub(super) fn record_mut(&mut self, ordinal: usize) -> &mut RequestRecord {
        &mut self.records[ordinal]
    }

    pub(super) fn count(&self, kind: RequestKind) -> usize {
        self.records
            .iter()
            .filter(|record| record.kind == kind)
            .count()
    }

    pub(super) fn total_charge(&self) -> f64 {
        let hundredths: u64 = self
            .records
            .iter()
            .map(|record| record.charge_hundredths)
            .sum();
        hundredths as f64 / 100.0
    }
}

//! Queries and lists of the items of large containers, which are in the log only.
//!
//! The emulator evaluates queries here too, but it gets a part of the documents at a time, as the elements of an
//! array in one document: so they keep their system properties, and take no more memory than one part does. A
//! query whose rows come from one document each is answered page by page. One that sorts, groups or
//! aggregates needs the documents that pass its filter all at once, up to a limit; counts are added up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use azure_core::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::Answer;
use super::evaluator::{Evaluated, Evaluator, PART_BYTES, Page};
use super::log::{AccountLog, ContainerLog, Epk, Key, Scope, Version};
use super::lsns;
use super::recorder::Recorder;
use super::request::{Request, Target};
use super::sql::Query;

const CONTINUATION: &str = "x-ms-continuation";
const MAX_ITEM_COUNT: &str = "x-ms-max-item-count";

/// Rows of a page if the client does not say how many.
const DEFAULT_ROWS: usize = 100;

/// Bytes of rows after which a page ends.
const MAX_PAGE_BYTES: usize = 4 << 20;

/// How many documents the emulator gets at a time, at most.
const PART_ITEMS: usize = 500;

/// How many documents at least, if most of them may not pass the filter.
const FILTERED_ITEMS: usize = 100;

/// Bytes of documents that one query sorts, groups or aggregates, at most.
const MAX_COLLECTED_BYTES: usize = 32 << 20;

/// How long a page is searched for before it is sent with what was found, which may be nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// The item after which a page begins, in the emulator's form.
#[derive(Serialize, Deserialize)]
struct Cursor {
    kind: String,
    epk: String,
    id: String,
}

const CURSOR_KIND: &str = "document_feed_cursor_v1";

/// The body of a query.
#[derive(Serialize, Deserialize)]
struct Asked {
    query: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parameters: Option<Box<RawValue>>,
}

/// Which documents a request is over.
struct Range<'a> {
    target: &'a Target,
    rid: String,
    scope: Scope,
}

/// Documents in the order of hash and id.
struct Part {
    versions: Vec<Arc<Version>>,
    /// Whether nothing follows.
    is_last: bool,
}

impl Recorder {
    /// Answers a query, or a list of items.
    ///
    /// # Errors
    ///
    /// If the emulator itself fails.
    pub(super) async fn scan(&self, request: Request, target: &Target) -> Result<Answer> {
        // What the emulator says of the request itself, and the headers of the answer.
        let mut bare = request.clone();
        for name in [CONTINUATION, "x-ms-cosmos-supported-serialization-formats"] {
            bare.remove_header(name);
        }
        let mut answer = self.emulate(bare).await?;
        let range = {
            let log = self.log().await;
            let Some(log) = log.get(&target.database, &target.container) else {
                return Ok(answer);
            };
            lsns::set(&mut answer, log);
            match scope(&request, log).filter(|_| answer.status == 200) {
                Some(scope) => Range {
                    target,
                    rid: log.rid().to_owned(),
                    scope,
                },
                None => return Ok(answer),
            }
        };
        let page = if request.method == Method::Post {
            self.query(&request, &range).await?
        } else {
            self.list(&request, &range).await?
        };
        Ok(match page {
            Ok(page) => page.into_answer(answer, &range.rid),
            Err(refusal) => refusal,
        })
    }

    /// A page of documents.
    async fn list(&self, request: &Request, range: &Range<'_>) -> Result<Evaluated<Page>> {
        let Ok(after) = cursor(request) else {
            return Ok(Err(invalid_continuation()));
        };
        let part = self.part(range, after.as_ref(), max_rows(request), MAX_PAGE_BYTES);
        let part = part.await?;
        let mut page = Page::default();
        for version in &part.versions {
            page.rows.push(raw(version.document())?);
        }
        if !part.is_last {
            page.continuation = part.versions.last().map(|last| cursor_after(last));
        }
        Ok(Ok(page))
    }

    /// A page of the rows of a query.
    async fn query(&self, request: &Request, range: &Range<'_>) -> Result<Evaluated<Page>> {
        let asked: Asked =
            serde_json::from_slice(&request.body).context("the emulator has accepted the query")?;
        let Some(query) = Query::parse(&asked.query) else {
            return Ok(Err(unsupported()));
        };
        let Some(of_items) = query.of_items() else {
            return Ok(Err(unsupported()));
        };
        let evaluator = Evaluator::new(asked.parameters.clone())?;
        if query.is_streaming() {
            let Ok(after) = cursor(request) else {
                return Ok(Err(invalid_continuation()));
            };
            let (max, has_filter) = (max_rows(request), query.has_filter());
            self.stream(&evaluator, &of_items, range, after, max, has_filter)
                .await
        } else if query.counts_all() {
            let log = self.log().await;
            let log = log_of(&log, range);
            let count = log.map_or(0, |log| log.items(&range.scope, None).count());
            Ok(Ok(Page::of_count(count as u64)))
        } else if query.is_count() {
            self.count(&evaluator, &of_items, range).await
        } else {
            self.collect(&evaluator, &query, &of_items, request, range)
                .await
        }
    }

    /// Rows of one part of the documents after the other, until the page is full.
    async fn stream(
        &self,
        evaluator: &Evaluator,
        query: &str,
        range: &Range<'_>,
        mut after: Option<(Epk, String)>,
        max_rows: usize,
        has_filter: bool,
    ) -> Result<Evaluated<Page>> {
        let (start, mut page, mut bytes) = (Instant::now(), Page::default(), 0);
        loop {
            let wanted = max_rows - page.rows.len();
            let size = wanted.max(if has_filter { FILTERED_ITEMS } else { 1 });
            let part = self.part(range, after.as_ref(), size.min(PART_ITEMS), PART_BYTES);
            let mut part = part.await?;
            let rows = loop {
                let rows = match evaluator.rows(&texts(&part.versions)?, query).await? {
                    Ok(rows) => rows,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                if rows.len() <= wanted || part.versions.len() <= 1 {
                    break rows;
                }
                // The rest is for the next page.
                part.versions.truncate(part.versions.len() / 2);
                part.is_last = false;
            };
            if rows.len() > wanted
                && !page.rows.is_empty()
                && let Some((epk, id)) = &after
            {
                // A document of more rows than are wanted begins the next page.
                page.continuation = Some(cursor_of(epk, id));
                return Ok(Ok(page));
            }
            bytes += rows.iter().map(|row| row.get().len()).sum::<usize>();
            page.rows.extend(rows);
            if part.is_last {
                return Ok(Ok(page));
            }
            let last = part
                .versions
                .last()
                .context("a part that is not the last has documents")?;
            if page.rows.len() >= max_rows || bytes >= MAX_PAGE_BYTES || start.elapsed() >= PATIENCE
            {
                page.continuation = Some(cursor_after(last));
                return Ok(Ok(page));
            }
            after = Some(named(last));
            tokio::task::yield_now().await;
        }
    }

    /// The number of rows in all parts.
    async fn count(
        &self,
        evaluator: &Evaluator,
        of_items: &str,
        range: &Range<'_>,
    ) -> Result<Evaluated<Page>> {
        let (mut total, mut after) = (0, None);
        loop {
            let part = self
                .part(range, after.as_ref(), PART_ITEMS, PART_BYTES)
                .await?;
            let rows = match evaluator.rows(&texts(&part.versions)?, of_items).await? {
                Ok(rows) => rows,
                Err(refusal) => return Ok(Err(refusal)),
            };
            for row in rows {
                total += serde_json::from_str::<u64>(row.get())?;
            }
            let Some(last) = part.versions.last().filter(|_| !part.is_last) else {
                return Ok(Ok(Page::of_count(total)));
            };
            after = Some(named(last));
            tokio::task::yield_now().await;
        }
    }

    /// The rows of a query over all documents that pass its filter.
    async fn collect(
        &self,
        evaluator: &Evaluator,
        query: &Query<'_>,
        of_items: &str,
        request: &Request,
        range: &Range<'_>,
    ) -> Result<Evaluated<Page>> {
        let filter = query.filtered_items().filter(|_| query.has_filter());
        let (mut documents, mut bytes, mut after) = (Vec::new(), 0, None);
        loop {
            let part = self
                .part(range, after.as_ref(), PART_ITEMS, PART_BYTES)
                .await?;
            let passing = match &filter {
                Some(filter) => match evaluator.rows(&texts(&part.versions)?, filter).await? {
                    Ok(rows) => rows,
                    Err(refusal) => return Ok(Err(refusal)),
                },
                None => {
                    let versions = part.versions.iter();
                    versions
                        .map(|version| raw(version.document()))
                        .collect::<Result<_>>()?
                }
            };
            bytes += passing.iter().map(|row| row.get().len()).sum::<usize>();
            documents.extend(passing);
            if bytes > MAX_COLLECTED_BYTES {
                return Ok(Err(too_much()));
            }
            let Some(last) = part.versions.last().filter(|_| !part.is_last) else {
                break;
            };
            after = Some(named(last));
            tokio::task::yield_now().await;
        }
        let names = [CONTINUATION, MAX_ITEM_COUNT];
        let headers: Vec<_> = names
            .into_iter()
            .filter_map(|name| Some((name, request.header(name)?)))
            .collect();
        // Rows that are equal to the order of a query are in that of their resource ids, so each document needs one.
        let holder_bytes = if query.is_sorted() {
            documents.sort_by_cached_key(|document| number_of(document));
            0
        } else {
            PART_BYTES
        };
        evaluator.hold(&documents, holder_bytes).await?;
        evaluator.page(of_items, &headers).await
    }

    /// The documents after one of them.
    async fn part(
        &self,
        range: &Range<'_>,
        after: Option<&(Epk, String)>,
        max_items: usize,
        max_bytes: usize,
    ) -> Result<Part> {
        let log = self.log().await;
        let (mut versions, mut bytes) = (Vec::new(), 0);
        let after = after.map(|(epk, id)| (epk, id.as_str()));
        let items = log_of(&log, range).map(|log| log.items(&range.scope, after));
        for version in items.into_iter().flatten() {
            let length = version.document().len();
            if versions.len() >= max_items || (!versions.is_empty() && bytes + length > max_bytes) {
                return Ok(Part {
                    versions,
                    is_last: false,
                });
            }
            bytes += length;
            versions.push(Arc::clone(version));
        }
        Ok(Part {
            versions,
            is_last: true,
        })
    }
}

/// The log of the container of a request, unless it was deleted since.
fn log_of<'a>(log: &'a AccountLog, range: &Range<'_>) -> Option<&'a ContainerLog> {
    let log = log.get(&range.target.database, &range.target.container);
    log.filter(|log| log.rid() == range.rid)
}

impl Page {
    fn of_count(count: u64) -> Self {
        Self {
            rows: RawValue::from_string(count.to_string())
                .into_iter()
                .collect(),
            continuation: None,
        }
    }

    /// The answer, with the headers of the one that the emulator gave without any documents.
    fn into_answer(self, bare: Answer, rid: &str) -> Answer {
        let mut answer = bare;
        let rows: Vec<&str> = self.rows.iter().map(|row| row.get()).collect();
        let count = rows.len();
        answer.headers.insert("x-ms-item-count", count.to_string());
        match self.continuation {
            Some(continuation) => answer.headers.insert(CONTINUATION, continuation),
            None => drop(answer.headers.remove(CONTINUATION)),
        }
        let rows = rows.join(",");
        answer.body = format!(r#"{{"Documents":[{rows}],"_count":{count},"_rid":"{rid}"}}"#).into();
        answer
    }
}

/// The number of a document in its resource id, which is the one of its creation.
fn number_of(document: &RawValue) -> u64 {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "_rid")]
        rid: String,
    }
    let named: Option<Named> = serde_json::from_str(document.get()).ok();
    let bytes = named.and_then(|named| STANDARD.decode(named.rid.replace('-', "/")).ok());
    let number = bytes.and_then(|bytes| bytes.last_chunk().copied());
    number.map_or(0, u64::from_le_bytes)
}

fn texts(versions: &[Arc<Version>]) -> Result<Vec<&str>> {
    let documents = versions.iter().map(|version| version.document());
    documents
        .map(|document| Ok(std::str::from_utf8(document)?))
        .collect()
}

fn raw(document: &[u8]) -> Result<Box<RawValue>> {
    let text = std::str::from_utf8(document)?;
    Ok(RawValue::from_string(text.to_owned())?)
}

/// What a request is over: a partition, a range of hashes, a partition key, or all of these.
fn scope(request: &Request, log: &ContainerLog) -> Option<Scope> {
    let bound = |name, otherwise: &str| Epk::from_hex(request.header(name).unwrap_or(otherwise));
    let mut min = bound("x-ms-start-epk", "")?;
    let mut max = bound("x-ms-end-epk", "FF")?;
    if let Some(id) = request.header("x-ms-documentdb-partitionkeyrangeid") {
        let (first, end) = log.partition(id.parse().ok()?)?.bounds();
        min = min.max(first.clone());
        max = max.min(end.clone());
    }
    let key = request.header("x-ms-documentdb-partitionkey");
    let Some(key) = key.map(Key::of_header).transpose().ok()?.flatten() else {
        return Some(Scope::Range(min, max));
    };
    let (first, last) = log.keys().hashes(&key).ok()?;
    let of_key = if first == last {
        Scope::Key(first)
    } else {
        Scope::Range(first, last)
    };
    Some(of_key.within(&min, &max))
}

fn max_rows(request: &Request) -> usize {
    let asked = request.header(MAX_ITEM_COUNT);
    let asked = asked.and_then(|count| count.parse().ok());
    // -1 leaves it to the service.
    asked.filter(|&count| count > 0).unwrap_or(DEFAULT_ROWS)
}

/// The item after which a page begins.
fn cursor(request: &Request) -> Result<Option<(Epk, String)>> {
    let Some(token) = request.header(CONTINUATION) else {
        return Ok(None);
    };
    let cursor: Cursor = serde_json::from_str(token)?;
    anyhow::ensure!(cursor.kind == CURSOR_KIND, "another kind of continuation");
    let epk = Epk::from_hex(&cursor.epk).context("a hash is hexadecimal")?;
    Ok(Some((epk, cursor.id)))
}

fn named(version: &Version) -> (Epk, String) {
    (Epk::of_bytes(version.epk()), version.id().to_owned())
}

fn cursor_after(version: &Version) -> String {
    let (epk, id) = named(version);
    cursor_of(&epk, &id)
}

fn cursor_of(epk: &Epk, id: &str) -> String {
    let cursor = Cursor {
        kind: CURSOR_KIND.to_owned(),
        epk: epk.to_hex(),
        id: id.to_owned(),
    };
    serde_json::json!(cursor).to_string()
}

fn invalid_continuation() -> Answer {
    Answer::error(400, "BadRequest", "Invalid continuation token")
}

fn unsupported() -> Answer {
    Answer::error(
        400,
        "BadRequest",
        "The demo account does not answer this form of query over a container of so many items: \
        use FROM with the container, and JOIN for arrays in its items.",
    )
}

fn too_much() -> Answer {
    let limit = MAX_COLLECTED_BYTES >> 20;
    let message = format!(
        "The demo account sorts, groups and aggregates at most {limit} MiB of documents for a query over a \
        container of so many items: use a filter or a partition key."
    );
    Answer::error(400, "BadRequest", &message)
}

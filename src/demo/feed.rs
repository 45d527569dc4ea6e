//! The change feed, served from the log.

use azure_core::http::headers::Headers;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use time::macros::format_description;

use super::answer::Answer;
use super::log::{
    Change, ContainerLog, Epk, Key, Limit, OutsideWindow, PartitionLog, Scope, Version,
};
use super::lsns;
use super::request::Request;
use crate::clock;
use crate::feed::lsn_of_etag;

/// Items of a page if the client does not say how many.
const DEFAULT_ITEMS: usize = 100;

/// Bytes of documents after which a page ends.
const MAX_BYTES: usize = 4 << 20;

/// Where a request starts to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Beginning,
    Now,
    After(u64),
}

/// What the log says to a request.
pub(super) enum Response {
    Page(Answer),
    /// The documents of the page are not all there yet.
    NotYet,
    /// The service refuses such a request. The emulator does so in its place.
    Refused,
}

/// Answers a request for the feed.
pub(super) fn answer(request: &Request, log: &ContainerLog) -> Response {
    try_answer(request, log).unwrap_or(Response::Refused)
}

/// `None` if the request is refused.
fn try_answer(request: &Request, log: &ContainerLog) -> Option<Response> {
    let is_of_other = request
        .header("x-ms-cosmos-intended-collection-rid")
        .is_some_and(|rid| rid != log.rid());
    if is_of_other {
        return None;
    }
    let all_versions = request
        .header("a-im")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("full-fidelity feed"));
    let (partition, scope) = addressed(request, log)?;
    if partition.is_locked() {
        return None;
    }
    let start = start(request)?;
    let since = match request.header("if-modified-since") {
        Some(text) => Some(seconds(text)?),
        None => None,
    };
    if all_versions && (start == Start::Beginning || since.is_some()) {
        return None;
    }
    match lsns::check_session(
        request.header("x-ms-session-token").unwrap_or("0:0"),
        Some(log),
    ) {
        lsns::Session::Past => {}
        lsns::Session::Future => {
            let token = request.header("x-ms-session-token")?;
            return Some(Response::Page(lsns::session_not_available(token)));
        }
        lsns::Session::Malformed => return None,
    }
    let after = match start {
        Start::Beginning => 0,
        Start::Now => partition.lsn(),
        Start::After(lsn) => lsn,
    };
    let is_complete = partition.is_complete() || after >= partition.lsn();
    let page = if all_versions {
        if !is_complete {
            return Some(Response::NotYet);
        }
        match partition.changes(after, &scope, limit(request)) {
            Ok(changes) => Page::of_changes(&changes, log),
            Err(OutsideWindow) => return Some(Response::Page(outside_window())),
        }
    } else {
        let has_envelope = request
            .header("x-ms-cosmos-changefeed-wire-format-version")
            .is_some();
        let limit = limit(request);
        let versions = partition.latest(after, since, &scope, limit);
        // A part of a page is enough, so that the first one comes soon.
        if !is_complete && (since.is_some() || versions.len() < limit.items.min(DEFAULT_ITEMS)) {
            return Some(Response::NotYet);
        }
        Page::of_versions(&versions, has_envelope)
    };
    // A position beyond the log comes of another account; it stays.
    let position = page.last.unwrap_or_else(|| after.max(partition.lsn()));
    Some(Response::Page(page.into_answer(
        partition,
        position,
        log.rid(),
    )))
}

/// The partition that a request addresses, and the part of it.
fn addressed<'a>(request: &Request, log: &'a ContainerLog) -> Option<(&'a PartitionLog, Scope)> {
    let bound = |name, otherwise: &str| Epk::from_hex(request.header(name).unwrap_or(otherwise));
    let is_range = ["x-ms-start-epk", "x-ms-end-epk"]
        .into_iter()
        .any(|name| request.has_header(name));
    let key_type = request.header("x-ms-read-key-type");
    if is_range && key_type != Some("EffectivePartitionKeyRange") {
        return None;
    }
    let range = Scope::Range(bound("x-ms-start-epk", "")?, bound("x-ms-end-epk", "FF")?);
    let scope = match request.header("x-ms-documentdb-partitionkey") {
        Some(header) => match Key::of_header(header).ok()? {
            Some(key) => {
                let (first, last) = log.keys().hashes(&key).ok()?;
                if first == last {
                    Scope::Key(first)
                } else if is_range {
                    range
                } else {
                    Scope::Range(first, last)
                }
            }
            None => range,
        },
        None => range,
    };
    let partition = match request.header("x-ms-documentdb-partitionkeyrangeid") {
        Some(id) => log.partition(id.parse().ok()?)?,
        None => {
            let mut covered = log
                .partitions()
                .iter()
                .filter(|partition| partition.overlaps(&scope));
            // The position is one partition's LSN.
            let only = covered.next()?;
            if covered.next().is_some() {
                return None;
            }
            only
        }
    };
    Some((partition, scope))
}

/// Where the request starts. `None` if that is no position.
fn start(request: &Request) -> Option<Start> {
    let token = request
        .header("if-none-match")
        .or_else(|| request.header("x-ms-continuation"));
    Some(match token {
        None => Start::Beginning,
        Some("*") => Start::Now,
        Some(etag) => Start::After(lsn_of_etag(etag)?),
    })
}

/// A time in the form of HTTP, in seconds since 1970.
fn seconds(text: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    Some(u64::try_from(time.unix_timestamp()).unwrap_or_default())
}

fn limit(request: &Request) -> Limit {
    let asked = request.header("x-ms-max-item-count");
    let items = asked.and_then(|count| count.parse().ok());
    Limit {
        // -1 leaves it to the service.
        items: items.filter(|&count| count > 0).unwrap_or(DEFAULT_ITEMS),
        bytes: MAX_BYTES,
    }
}

/// The documents of a page.
struct Page {
    documents: Vec<u8>,
    count: usize,
    /// The LSN of the last one.
    last: Option<u64>,
}

impl Page {
    fn of_versions(versions: &[&Version], has_envelope: bool) -> Self {
        let mut documents = Vec::new();
        for (index, version) in versions.iter().enumerate() {
            if index > 0 {
                documents.push(b',');
            }
            if has_envelope {
                documents.extend_from_slice(b"{\"current\":");
            }
            version.write_to(&mut documents);
            if has_envelope {
                let (lsn, time) = (version.lsn(), version.time());
                let metadata = format!(r#","metadata":{{"lsn":{lsn},"crts":{time}}}}}"#);
                documents.extend_from_slice(metadata.as_bytes());
            }
        }
        Self {
            documents,
            count: versions.len(),
            last: versions.last().map(|version| version.lsn()),
        }
    }

    fn of_changes(changes: &[&Change], log: &ContainerLog) -> Self {
        let mut documents = Vec::new();
        for (index, change) in changes.iter().enumerate() {
            if index > 0 {
                documents.push(b',');
            }
            write_change(&mut documents, change, log);
        }
        Self {
            documents,
            count: changes.len(),
            last: changes.last().map(|change| change.lsn),
        }
    }

    fn into_answer(self, partition: &PartitionLog, position: u64, rid: &str) -> Answer {
        let (status, body) = if self.count == 0 {
            (304, Vec::new())
        } else {
            let mut body = format!(r#"{{"_rid":"{rid}","Documents":["#).into_bytes();
            body.extend_from_slice(&self.documents);
            body.extend_from_slice(format!(r#"],"_count":{}}}"#, self.count).as_bytes());
            (200, body)
        };
        let mut headers = Headers::new();
        let mut insert = |name: &'static str, value: String| headers.insert(name, value);
        insert("content-type", "application/json".to_owned());
        insert("date", http_date(clock::now()));
        insert("x-ms-version", "2020-07-15".to_owned());
        insert("x-ms-activity-id", uuid::Uuid::now_v7().to_string());
        insert("x-ms-request-charge", "1.00".to_owned());
        insert("x-ms-item-count", self.count.to_string());
        insert("x-ms-session-token", lsns::session_token(partition));
        insert(
            "x-ms-documentdb-partitionkeyrangeid",
            partition.id().to_string(),
        );
        insert("lsn", partition.lsn().to_string());
        insert("etag", format!("\"{position}\""));
        Answer {
            status,
            headers,
            body: body.into(),
        }
    }
}

/// Writes a change in the envelope of all versions and deletes.
fn write_change(out: &mut Vec<u8>, change: &Change, log: &ContainerLog) {
    let mut metadata = serde_json::Map::new();
    metadata.insert("lsn".to_owned(), change.lsn.into());
    metadata.insert("crts".to_owned(), change.time.into());
    let operation = match (&change.previous, &change.current) {
        (_, None) => "delete",
        (None, Some(_)) => "create",
        (Some(_), Some(_)) => "replace",
    };
    metadata.insert("operationType".to_owned(), operation.into());
    out.extend_from_slice(b"{\"current\":");
    match &change.current {
        Some(current) => current.write_to(out),
        None => out.extend_from_slice(b"{}"),
    }
    if let Some(previous) = &change.previous {
        metadata.insert("previousImageLSN".to_owned(), previous.lsn().into());
        if log.has_previous_images() {
            out.extend_from_slice(b",\"previous\":");
            previous.write_to(out);
        }
        if change.current.is_none() {
            metadata.insert("id".to_owned(), previous.id().into());
            let key = serde_json::from_slice(previous.document())
                .map(|document| log.keys().to_metadata(&log.keys().key_of(&document)));
            metadata.insert("partitionKey".to_owned(), key.unwrap_or_default());
            metadata.insert("timeToLiveExpired".to_owned(), change.is_expiry.into());
        }
    }
    let metadata = serde_json::Value::Object(metadata);
    out.extend_from_slice(format!(",\"metadata\":{metadata}}}").as_bytes());
}

fn outside_window() -> Answer {
    Answer::error(
        400,
        "BadRequest",
        "The continuation is outside the window of the changes that are kept for all versions and deletes.",
    )
}

fn http_date(time: OffsetDateTime) -> String {
    let form = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    time.format(form).unwrap_or_default()
}

//! What this program believes of the service, each with a check on an answer.
//!
//! The scripted gateway of the tests keeps to the same beliefs, so what is true of it is true of the service as far as
//! these hold.

use azure_core::http::Method;
use serde_json::Value;

use super::exchange::Exchange;
use super::shape::shape;
use crate::feed::page::{ItemRef, OperationType, Page};

/// What an answer says about a belief.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Nothing: the belief is about other answers.
    NotAboutThis,
    /// It holds.
    Held,
    /// It does not, by what was seen: a shape, without names and values.
    Differs(String),
}

/// Something that is believed of the service.
#[derive(Debug, Clone, Copy)]
pub struct Belief {
    /// Its name in the report.
    pub id: &'static str,
    /// What is believed.
    pub text: &'static str,
    /// What an answer says: nothing if it is about other answers, otherwise whether it holds.
    check: fn(&Exchange<'_>) -> Option<Result<(), String>>,
}

impl Belief {
    pub(super) fn judge(&self, exchange: &Exchange<'_>) -> Check {
        match (self.check)(exchange) {
            None => Check::NotAboutThis,
            Some(Ok(())) => Check::Held,
            Some(Err(saw)) => Check::Differs(saw),
        }
    }
}

/// A belief as a row: its name, what it says, and its check.
macro_rules! beliefs {
    ($($id:literal, $text:literal, $check:expr;)*) => {
        /// All beliefs, in the order of the report.
        pub const BELIEFS: &[Belief] = &[$(Belief { id: $id, text: $text, check: $check }),*];
    };
}

beliefs! {
    "account.body", "the account names its regions and its consistency level", account_body;
    "answer.date", "an answer has a date", |e| is_there(e, "date");
    "answer.activity", "an answer has an activity id, which is a GUID", activity;
    "answer.charge", "an answer with documents is charged with a decimal number above 0", charge;
    "error.body", "a refusal is a JSON object with `code` and `message`", error_body;
    "database.created", "a new database is answered with 201", |e| status(e, "database create", &[201, 409, 400, 403]);
    "database.deleted", "a deleted database is answered with 204", |e| status(e, "database delete", &[204, 404]);
    "container.created", "a new container is answered with 201", |e| status(e, "container create", &[201, 409, 400, 403]);
    "container.body", "a container has its id, its RID and its partition key", container_body;
    "container.missing", "a container that does not exist is 404 without a substatus", container_missing;
    "owner.missing", "the ranges of a container that does not exist are 404/1003", owner_missing;
    "ranges.etag", "the list of ranges has an ETag", |e| of(e, "ranges", 200).then(|| present(e, "etag"));
    "ranges.tile", "the ranges cover the key space from `` to `FF`", ranges_tile;
    "feed.etag", "the ETag of the feed is a whole number in quotes", feed_etag;
    "feed.etag-is-last-lsn", "the ETag of a page is the LSN of its last document", feed_etag_is_last;
    "feed.item-count", "x-ms-item-count is the number of documents in a page", feed_item_count;
    "feed.body", "a page is an object with `_rid`, `Documents`, and `_count`, their number", feed_body;
    "feed.envelope", "the feed sends documents in envelopes, with `current` and `metadata`", feed_envelope;
    "feed.lsn", "each document of the feed has an LSN", feed_lsn;
    "feed.order", "the LSNs of a page do not go back", feed_order;
    "feed.after", "a page has only documents after the position that it continues", feed_after;
    "feed.size", "a page has no more documents than were asked for, apart from a transaction", feed_size;
    "feed.partition-lsn", "the header lsn is the partition's LSN, which no ETag is beyond", feed_partition_lsn;
    "feed.session", "the session token of the feed is ID:VERSION#LSN, perhaps with #REGION=LSN", feed_session;
    "feed.session-lsn", "the session token of the feed has the LSN of the header lsn", feed_session_lsn;
    "feed.range-id", "the feed says which partition key range answers", feed_range_id;
    "feed.nothing-new", "nothing new is 304 without a body, with an ETag", feed_nothing_new;
    "feed.nothing-new-stays", "the ETag of a 304 is not before the position that it answers", feed_stays;
    "feed.pin", "the feed from now on is answered with 304 first, at the partition's LSN", feed_pin;
    "all.operation", "a version is a create, a replace or a delete", all_operation;
    "all.metadata", "a version has its LSN and its time", all_metadata;
    "all.delete", "a delete has an empty `current`, and its id and partition key in `metadata`", all_delete;
    "all.refusal", "a feed of all versions that is not kept is refused with 400", all_refusal;
    "gone", "410 has the substatus 1000, 1002, 1007 or 1008", |e| (e.status == 410).then(|| one_of(e, &[1000, 1002, 1007, 1008]));
    "throttled", "429 says in x-ms-retry-after-ms how long to wait", throttled;
    "replica.behind", "a replica behind the session token answers 404/1002, and 404 of a feed is nothing else", replica_behind;
    "query.body", "a page of a query is an object with `Documents` and `_count`, their number", query_body;
    "query.plan", "the plan of a query has `queryInfo` and `queryRanges`", query_plan;
    "item.etag", "an item that is read or written has an ETag in quotes", item_etag;
    "item.read", "an item is read with 200, and is 404 if it is not there", item_read;
    "item.created", "a new item is answered with 201, a replaced one with 200", item_written;
    "item.deleted", "a deleted item is answered with 204", item_deleted;
}

type Verdict = Option<Result<(), String>>;

fn of(e: &Exchange<'_>, kind: &str, status: u16) -> bool {
    e.kind == kind && e.status == status
}

fn check(holds: bool, saw: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(saw()) }
}

fn status(e: &Exchange<'_>, kind: &str, expected: &[u16]) -> Verdict {
    let is_transient = matches!(e.status, 401 | 408 | 429 | 449 | 500..);
    (e.kind == kind && !is_transient)
        .then(|| check(expected.contains(&e.status), || seen_status(e)))
}

fn seen_status(e: &Exchange<'_>) -> String {
    match e.substatus() {
        0 => format!("status {}", e.status),
        substatus => format!("status {}/{substatus}", e.status),
    }
}

fn one_of(e: &Exchange<'_>, known: &[u32]) -> Result<(), String> {
    check(known.contains(&e.substatus()), || seen_status(e))
}

fn present(e: &Exchange<'_>, name: &'static str) -> Result<(), String> {
    check(e.header(name).is_some(), || format!("no header {name}"))
}

fn is_there(e: &Exchange<'_>, name: &'static str) -> Verdict {
    Some(present(e, name))
}

/// The shape of a header, or that there is none.
fn shown(e: &Exchange<'_>, name: &'static str) -> String {
    match e.header(name) {
        Some(value) => format!("{name}: {}", shape(value)),
        None => format!("no header {name}"),
    }
}

fn is_quoted_number(text: &str) -> bool {
    let inner = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit()))
}

fn account_body(e: &Exchange<'_>) -> Verdict {
    if !of(e, "account", 200) {
        return None;
    }
    let Some(value) = &e.value else {
        return Some(Err("no JSON".to_owned()));
    };
    let lists = ["writableLocations", "readableLocations"];
    let missing = lists.into_iter().find(|list| !value[*list].is_array());
    let level = value["userConsistencyPolicy"]["defaultConsistencyLevel"].is_string();
    Some(match missing {
        Some(list) => Err(format!("no {list}")),
        None => check(level, || "no consistency level".to_owned()),
    })
}

fn activity(e: &Exchange<'_>) -> Verdict {
    let is_guid = |text: &str| text.len() == 36 && text.matches('-').count() == 4;
    Some(check(
        e.header("x-ms-activity-id").is_some_and(is_guid),
        || shown(e, "x-ms-activity-id"),
    ))
}

fn charge(e: &Exchange<'_>) -> Verdict {
    let has_documents = e.page.is_some() || of(e, "item read", 200);
    has_documents.then(|| {
        let text = e.header("x-ms-request-charge").unwrap_or_default();
        let is_charge = text
            .parse()
            .is_ok_and(|charge: f64| charge > 0.0 && charge < 1e6);
        check(is_charge, || shown(e, "x-ms-request-charge"))
    })
}

fn error_body(e: &Exchange<'_>) -> Verdict {
    (e.status >= 400).then(|| {
        let member = |name: &str| {
            e.value
                .as_ref()
                .is_some_and(|value| value[name].is_string())
        };
        check(member("code") && member("message"), || match &e.value {
            None if e.body.is_empty() => format!("{} without a body", seen_status(e)),
            None => format!("{} without JSON", seen_status(e)),
            Some(_) => format!("{} without `code` or `message`", seen_status(e)),
        })
    })
}

fn container_body(e: &Exchange<'_>) -> Verdict {
    let is_it = of(e, "container read", 200);
    is_it.then(|| {
        let text = |name: &str| {
            e.value
                .as_ref()
                .is_some_and(|value| value[name].is_string())
        };
        let paths = e
            .value
            .as_ref()
            .map(|value| &value["partitionKey"]["paths"]);
        let is_whole = text("id") && text("_rid") && paths.is_some_and(Value::is_array);
        check(is_whole, || "a container without them".to_owned())
    })
}

fn container_missing(e: &Exchange<'_>) -> Verdict {
    // With 1003 the database is missing.
    (of(e, "container read", 404) && e.substatus() != 1003).then(|| one_of(e, &[0]))
}

fn owner_missing(e: &Exchange<'_>) -> Verdict {
    of(e, "ranges", 404).then(|| one_of(e, &[1003]))
}

fn ranges_tile(e: &Exchange<'_>) -> Verdict {
    let ranges = e.value.as_ref().filter(|_| of(e, "ranges", 200))?;
    let mut bounds: Vec<(&str, &str)> = Vec::new();
    for range in ranges["PartitionKeyRanges"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let bound = |name: &str| range[name].as_str().unwrap_or("none");
        bounds.push((bound("minInclusive"), bound("maxExclusive")));
    }
    // A page of a long list, or one that says what changed, is a part.
    if e.header("x-ms-continuation").is_some() || bounds.is_empty() {
        return None;
    }
    bounds.sort_unstable();
    let meets = bounds.windows(2).all(|pair| pair[0].1 == pair[1].0);
    let [first, last] = [bounds[0].0, bounds[bounds.len() - 1].1];
    Some(check(meets && first.is_empty() && last == "FF", || {
        format!(
            "from `{}` to `{}`, {}",
            shape(first),
            shape(last),
            match meets {
                true => "without gaps",
                false => "with gaps",
            }
        )
    }))
}

fn feed_etag(e: &Exchange<'_>) -> Verdict {
    e.is_of_feed().then(|| {
        check(e.header("etag").is_some_and(is_quoted_number), || {
            shown(e, "etag")
        })
    })
}

fn feed_etag_is_last(e: &Exchange<'_>) -> Verdict {
    let last = e.feed_page()?.items().next_back()?.lsn()?;
    let etag = e.etag_lsn()?;
    Some(check(etag == last, || match etag > last {
        true => "an ETag after the last document".to_owned(),
        false => "an ETag before the last document".to_owned(),
    }))
}

fn feed_item_count(e: &Exchange<'_>) -> Verdict {
    let page = e.feed_page()?;
    let count = e.number("x-ms-item-count");
    Some(check(count == Some(page.len() as u64), || match count {
        Some(_) => "another number".to_owned(),
        None => shown(e, "x-ms-item-count"),
    }))
}

fn page_body(page: Option<&Page>) -> Result<(), String> {
    let Some(page) = page else {
        return Err("a body that is no page".to_owned());
    };
    check(page.check_count().is_ok(), || {
        "another `_count`, or none".to_owned()
    })
}

fn feed_body(e: &Exchange<'_>) -> Verdict {
    if !of(e, "feed", 200) {
        return None;
    }
    let has_rid = e
        .page
        .as_ref()
        .is_none_or(|page| page.container_rid().is_some());
    Some(match has_rid {
        true => page_body(e.page.as_ref()),
        false => Err("no `_rid`".to_owned()),
    })
}

fn feed_envelope(e: &Exchange<'_>) -> Verdict {
    let page = e.feed_page()?;
    e.asked("x-ms-cosmos-changefeed-wire-format-version")?;
    Some(check(page.items().all(|item| item.is_envelope()), || {
        "bare documents".to_owned()
    }))
}

fn feed_lsn(e: &Exchange<'_>) -> Verdict {
    let page = e.feed_page()?;
    Some(check(page.items().all(|item| item.lsn().is_some()), || {
        "documents without one".to_owned()
    }))
}

fn feed_order(e: &Exchange<'_>) -> Verdict {
    let lsns: Vec<u64> = e
        .feed_page()?
        .items()
        .filter_map(|item| item.lsn())
        .collect();
    Some(check(lsns.is_sorted(), || {
        "LSNs that go back within a page".to_owned()
    }))
}

fn feed_after(e: &Exchange<'_>) -> Verdict {
    let page = e.feed_page()?;
    let after = e.after()?;
    let is_after = page
        .items()
        .filter_map(|item| item.lsn())
        .all(|lsn| lsn > after);
    Some(check(is_after, || {
        "documents from before the position".to_owned()
    }))
}

fn feed_size(e: &Exchange<'_>) -> Verdict {
    let page = e.feed_page()?;
    let asked: usize = e.asked("x-ms-max-item-count")?.parse().ok()?;
    let lsns: Vec<_> = page.items().map(|item| item.lsn()).collect();
    let is_one = lsns.windows(2).all(|pair| pair[0] == pair[1]);
    Some(check(page.len() <= asked || is_one, || {
        "a larger page".to_owned()
    }))
}

fn feed_partition_lsn(e: &Exchange<'_>) -> Verdict {
    if !e.is_of_feed() {
        return None;
    }
    let (Some(lsn), Some(etag)) = (e.number("lsn"), e.etag_lsn()) else {
        return Some(check(e.number("lsn").is_some(), || shown(e, "lsn")));
    };
    Some(check(etag <= lsn, || "an ETag beyond it".to_owned()))
}

/// The LSN of a session token, if it has the form that is believed.
fn session_lsn(token: &str) -> Option<u64> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (id, rest) = token.split_once(':')?;
    let mut parts = rest.split('#');
    let version = parts.next()?;
    let version = version.strip_prefix('-').unwrap_or(version);
    let lsn = parts.next()?;
    let regions = parts.all(|part| {
        part.split_once('=').is_some_and(|(region, lsn)| {
            is_number(region) && is_number(lsn.trim_start_matches('-'))
        })
    });
    (is_number(id) && is_number(version) && regions)
        .then(|| lsn.parse().ok())
        .flatten()
}

fn feed_session(e: &Exchange<'_>) -> Verdict {
    e.is_of_feed().then(|| {
        let token = e.header("x-ms-session-token").unwrap_or_default();
        check(session_lsn(token).is_some(), || {
            shown(e, "x-ms-session-token")
        })
    })
}

fn feed_session_lsn(e: &Exchange<'_>) -> Verdict {
    let of_token = session_lsn(e.header("x-ms-session-token").filter(|_| e.is_of_feed())?)?;
    let lsn = e.number("lsn")?;
    Some(check(of_token == lsn, || match of_token > lsn {
        true => "a token beyond it".to_owned(),
        false => "a token before it".to_owned(),
    }))
}

fn feed_range_id(e: &Exchange<'_>) -> Verdict {
    e.is_of_feed()
        .then(|| present(e, "x-ms-documentdb-partitionkeyrangeid"))
}

fn feed_nothing_new(e: &Exchange<'_>) -> Verdict {
    let has_nothing = e.page.as_ref().is_some_and(Page::is_empty);
    if e.kind != "feed" || !(e.status == 304 || has_nothing) {
        return None;
    }
    Some(match (e.status, e.header("etag")) {
        (304, Some(_)) => check(e.body.is_empty(), || "304 with a body".to_owned()),
        (304, None) => Err("304 without an ETag".to_owned()),
        (status, _) => Err(format!("{status} without documents")),
    })
}

fn feed_stays(e: &Exchange<'_>) -> Verdict {
    let after = e.after().filter(|_| of(e, "feed", 304))?;
    let etag = e.etag_lsn()?;
    Some(check(etag >= after, || "an ETag before it".to_owned()))
}

fn feed_pin(e: &Exchange<'_>) -> Verdict {
    if !e.is_pin() || !e.is_of_feed() {
        return None;
    }
    if e.status == 200 {
        return Some(Err("a page".to_owned()));
    }
    let (etag, lsn) = (e.etag_lsn()?, e.number("lsn")?);
    Some(check(etag == lsn, || match etag > lsn {
        true => "an ETag beyond the partition's LSN".to_owned(),
        false => "an ETag before the partition's LSN".to_owned(),
    }))
}

/// What is believed of each version of a page.
fn each_version(e: &Exchange<'_>, holds: impl Fn(&ItemRef<'_>) -> Result<(), String>) -> Verdict {
    let page = e.feed_page().filter(|_| e.is_all)?;
    Some(page.items().try_for_each(|item| holds(&item)))
}

fn all_operation(e: &Exchange<'_>) -> Verdict {
    each_version(e, |item| {
        let metadata = item.metadata().unwrap_or_default();
        match metadata.operation_type {
            Some(OperationType::Create | OperationType::Replace | OperationType::Delete) => Ok(()),
            Some(_) => Err("another operation".to_owned()),
            None => Err("no operation".to_owned()),
        }
    })
}

fn all_metadata(e: &Exchange<'_>) -> Verdict {
    each_version(e, |item| {
        let metadata = item.metadata().unwrap_or_default();
        check(metadata.lsn.is_some() && metadata.crts.is_some(), || {
            "a version without `lsn` or `crts`".to_owned()
        })
    })
}

fn all_delete(e: &Exchange<'_>) -> Verdict {
    let is_delete = |item: &ItemRef<'_>| {
        let operation = item.metadata().and_then(|metadata| metadata.operation_type);
        operation == Some(OperationType::Delete)
    };
    e.feed_page()
        .filter(|page| page.items().any(|item| is_delete(&item)))?;
    each_version(e, |item| {
        if !is_delete(item) {
            return Ok(());
        }
        let metadata = item.metadata().unwrap_or_default();
        if item.document().is_some() {
            return Err("a delete with a document".to_owned());
        }
        check(
            metadata.id.is_some() && metadata.partition_key.is_some(),
            || "a delete without `id` or `partitionKey`".to_owned(),
        )
    })
}

fn all_refusal(e: &Exchange<'_>) -> Verdict {
    let is_refused =
        e.kind == "feed" && e.is_all && matches!(e.status, 400 | 403 | 404 | 405 | 501);
    let is_about_it = is_refused && !matches!(e.substatus(), 1002 | 1003 | 1024);
    is_about_it.then(|| check(e.status == 400, || seen_status(e)))
}

fn throttled(e: &Exchange<'_>) -> Verdict {
    (e.status == 429).then(|| {
        check(e.number("x-ms-retry-after-ms").is_some(), || {
            shown(e, "x-ms-retry-after-ms")
        })
    })
}

fn replica_behind(e: &Exchange<'_>) -> Verdict {
    // With 1003 the container is gone.
    (of(e, "feed", 404) && e.substatus() != 1003).then(|| one_of(e, &[1002]))
}

fn query_body(e: &Exchange<'_>) -> Verdict {
    of(e, "query", 200).then(|| page_body(e.page.as_ref()))
}

fn query_plan(e: &Exchange<'_>) -> Verdict {
    of(e, "plan", 200).then(|| {
        let has = |name: &str| {
            e.value
                .as_ref()
                .is_some_and(|plan| plan.get(name).is_some())
        };
        check(has("queryInfo") && has("queryRanges"), || {
            "a plan without them".to_owned()
        })
    })
}

fn item_etag(e: &Exchange<'_>) -> Verdict {
    let is_there =
        of(e, "item read", 200) || (e.kind == "item write" && matches!(e.status, 200 | 201));
    is_there.then(|| {
        let is_quoted = |text: &str| text.len() > 2 && text.starts_with('"') && text.ends_with('"');
        check(e.header("etag").is_some_and(is_quoted), || shown(e, "etag"))
    })
}

fn item_read(e: &Exchange<'_>) -> Verdict {
    if of(e, "item read", 404) {
        return Some(one_of(e, &[0, 1002, 1003]));
    }
    status(e, "item read", &[200, 304, 410])
}

fn item_written(e: &Exchange<'_>) -> Verdict {
    if e.kind != "item write" || !matches!(e.method, Method::Post | Method::Put) {
        return None;
    }
    let is_upsert = e.asked("x-ms-documentdb-is-upsert").is_some();
    let expected: &[u16] = match (e.method, is_upsert) {
        (Method::Post, false) => &[201],
        (Method::Put, _) => &[200],
        _ => &[200, 201],
    };
    (e.status < 300).then(|| check(expected.contains(&e.status), || seen_status(e)))
}

fn item_deleted(e: &Exchange<'_>) -> Verdict {
    let is_delete = e.kind == "item write" && e.method == Method::Delete && e.status < 300;
    is_delete.then(|| check(e.status == 204, || seen_status(e)))
}

//! What is believed of items and queries.

use azure_core::http::Method;

use super::exchange::Exchange;
use super::verdict::{Verdict, check, of, one_of, page_body, seen_status, shown, status};

pub(super) fn query_body(e: &Exchange<'_>) -> Verdict {
    of(e, "query", 200).then(|| page_body(e.page.as_ref()))
}

pub(super) fn query_plan(e: &Exchange<'_>) -> Verdict {
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

pub(super) fn item_etag(e: &Exchange<'_>) -> Verdict {
    let is_there =
        of(e, "item read", 200) || (e.kind == "item write" && matches!(e.status, 200 | 201));
    is_there.then(|| {
        let is_quoted = |text: &str| text.len() > 2 && text.starts_with('"') && text.ends_with('"');
        check(e.header("etag").is_some_and(is_quoted), || shown(e, "etag"))
    })
}

pub(super) fn item_read(e: &Exchange<'_>) -> Verdict {
    if of(e, "item read", 404) {
        return Some(one_of(e, &[0, 1002, 1003]));
    }
    status(e, "item read", &[200, 304, 410])
}

pub(super) fn item_written(e: &Exchange<'_>) -> Verdict {
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

pub(super) fn item_deleted(e: &Exchange<'_>) -> Verdict {
    let is_delete = e.kind == "item write" && e.method == Method::Delete && e.status < 300;
    is_delete.then(|| check(e.status == 204, || seen_status(e)))
}

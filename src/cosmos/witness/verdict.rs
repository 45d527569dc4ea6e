//! What a check says about an answer, and what checks have in common.

use super::exchange::Exchange;
use super::shape::shape;
use crate::feed::page::Page;

/// What a check says: nothing if the answer is not about the belief, otherwise whether it holds, with what was seen if not.
pub(super) type Verdict = Option<Result<(), String>>;

pub(super) fn of(e: &Exchange<'_>, kind: &str, status: u16) -> bool {
    e.kind == kind && e.status == status
}

pub(super) fn check(holds: bool, saw: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(saw()) }
}

pub(super) fn status(e: &Exchange<'_>, kind: &str, expected: &[u16]) -> Verdict {
    let is_transient = matches!(e.status, 401 | 408 | 429 | 449 | 500..);
    (e.kind == kind && !is_transient)
        .then(|| check(expected.contains(&e.status), || seen_status(e)))
}

pub(super) fn seen_status(e: &Exchange<'_>) -> String {
    match e.substatus() {
        0 => format!("status {}", e.status),
        substatus => format!("status {}/{substatus}", e.status),
    }
}

pub(super) fn one_of(e: &Exchange<'_>, known: &[u32]) -> Result<(), String> {
    check(known.contains(&e.substatus()), || seen_status(e))
}

pub(super) fn present(e: &Exchange<'_>, name: &'static str) -> Result<(), String> {
    check(e.header(name).is_some(), || format!("no header {name}"))
}

pub(super) fn is_there(e: &Exchange<'_>, name: &'static str) -> Verdict {
    Some(present(e, name))
}

/// The shape of a header, or that there is none.
pub(super) fn shown(e: &Exchange<'_>, name: &'static str) -> String {
    match e.header(name) {
        Some(value) => format!("{name}: {}", shape(value)),
        None => format!("no header {name}"),
    }
}

pub(super) fn is_quoted_number(text: &str) -> bool {
    let inner = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit()))
}

pub(super) fn page_body(page: Option<&Page>) -> Result<(), String> {
    let Some(page) = page else {
        return Err("a body that is no page".to_owned());
    };
    check(page.check_count().is_ok(), || {
        "another `_count`, or none".to_owned()
    })
}

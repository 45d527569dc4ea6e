//! What is believed of every answer: how it is identified and charged, and how a refusal looks.

use super::exchange::Exchange;
use super::verdict::{Verdict, check, of, seen_status, shown};

pub(super) fn activity(e: &Exchange<'_>) -> Verdict {
    let is_guid = |text: &str| text.len() == 36 && text.matches('-').count() == 4;
    Some(check(
        e.header("x-ms-activity-id").is_some_and(is_guid),
        || shown(e, "x-ms-activity-id"),
    ))
}

pub(super) fn charge(e: &Exchange<'_>) -> Verdict {
    let has_documents = e.page.is_some() || of(e, "item read", 200);
    has_documents.then(|| {
        let text = e.header("x-ms-request-charge").unwrap_or_default();
        let is_charge = text
            .parse()
            .is_ok_and(|charge: f64| charge > 0.0 && charge < 1e6);
        check(is_charge, || shown(e, "x-ms-request-charge"))
    })
}

pub(super) fn error_body(e: &Exchange<'_>) -> Verdict {
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

pub(super) fn throttled(e: &Exchange<'_>) -> Verdict {
    (e.status == 429).then(|| {
        check(e.number("x-ms-retry-after-ms").is_some(), || {
            shown(e, "x-ms-retry-after-ms")
        })
    })
}

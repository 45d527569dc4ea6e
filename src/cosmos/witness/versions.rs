//! What is believed of the feed of all versions.

use super::exchange::Exchange;
use super::verdict::{Verdict, check, seen_status};
use crate::feed::page::{ItemRef, OperationType};

/// What is believed of each version of a page.
fn each_version(e: &Exchange<'_>, holds: impl Fn(&ItemRef<'_>) -> Result<(), String>) -> Verdict {
    let page = e.feed_page().filter(|_| e.is_all)?;
    Some(page.items().try_for_each(|item| holds(&item)))
}

pub(super) fn all_operation(e: &Exchange<'_>) -> Verdict {
    each_version(e, |item| {
        let metadata = item.metadata().unwrap_or_default();
        match metadata.operation_type {
            Some(OperationType::Create | OperationType::Replace | OperationType::Delete) => Ok(()),
            Some(_) => Err("another operation".to_owned()),
            None => Err("no operation".to_owned()),
        }
    })
}

pub(super) fn all_metadata(e: &Exchange<'_>) -> Verdict {
    each_version(e, |item| {
        let metadata = item.metadata().unwrap_or_default();
        check(metadata.lsn.is_some() && metadata.crts.is_some(), || {
            "a version without `lsn` or `crts`".to_owned()
        })
    })
}

pub(super) fn all_delete(e: &Exchange<'_>) -> Verdict {
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

pub(super) fn all_refusal(e: &Exchange<'_>) -> Verdict {
    let is_refused =
        e.kind == "feed" && e.is_all && matches!(e.status, 400 | 403 | 404 | 405 | 501);
    let is_about_it = is_refused && !matches!(e.substatus(), 1002 | 1003 | 1024);
    is_about_it.then(|| check(e.status == 400, || seen_status(e)))
}

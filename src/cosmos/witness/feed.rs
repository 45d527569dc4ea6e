//! What is believed of the feed.

use super::exchange::Exchange;
use super::verdict::{Verdict, check, is_quoted_number, of, one_of, page_body, present, shown};
use crate::feed::page::Page;

pub(super) fn feed_etag(e: &Exchange<'_>) -> Verdict {
    e.is_of_feed().then(|| {
        check(e.header("etag").is_some_and(is_quoted_number), || {
            shown(e, "etag")
        })
    })
}

pub(super) fn feed_etag_is_last(e: &Exchange<'_>) -> Verdict {
    let last = e.feed_page()?.items().next_back()?.lsn()?;
    let etag = e.etag_lsn()?;
    Some(check(etag == last, || match etag > last {
        true => "an ETag after the last document".to_owned(),
        false => "an ETag before the last document".to_owned(),
    }))
}

pub(super) fn feed_item_count(e: &Exchange<'_>) -> Verdict {
    let page = e.feed_page()?;
    let count = e.number("x-ms-item-count");
    Some(check(count == Some(page.len() as u64), || match count {
        Some(_) => "another number".to_owned(),
        None => shown(e, "x-ms-item-count"),
    }))
}

pub(super) fn feed_body(e: &Exchange<'_>) -> Verdict {
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

pub(super) fn feed_envelope(e: &Exchange<'_>) -> Verdict {
    let page = e.feed_page()?;
    e.asked("x-ms-cosmos-changefeed-wire-format-version")?;
    Some(check(page.items().all(|item| item.is_envelope()), || {
        "bare documents".to_owned()
    }))
}

pub(super) fn feed_lsn(e: &Exchange<'_>) -> Verdict {
    let page = e.feed_page()?;
    Some(check(page.items().all(|item| item.lsn().is_some()), || {
        "documents without one".to_owned()
    }))
}

pub(super) fn feed_order(e: &Exchange<'_>) -> Verdict {
    let lsns: Vec<u64> = e
        .feed_page()?
        .items()
        .filter_map(|item| item.lsn())
        .collect();
    Some(check(lsns.is_sorted(), || {
        "LSNs that go back within a page".to_owned()
    }))
}

pub(super) fn feed_after(e: &Exchange<'_>) -> Verdict {
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

pub(super) fn feed_size(e: &Exchange<'_>) -> Verdict {
    let page = e.feed_page()?;
    let asked: usize = e.asked("x-ms-max-item-count")?.parse().ok()?;
    let lsns: Vec<_> = page.items().map(|item| item.lsn()).collect();
    let is_one = lsns.windows(2).all(|pair| pair[0] == pair[1]);
    Some(check(page.len() <= asked || is_one, || {
        "a larger page".to_owned()
    }))
}

pub(super) fn feed_partition_lsn(e: &Exchange<'_>) -> Verdict {
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

pub(super) fn feed_session(e: &Exchange<'_>) -> Verdict {
    e.is_of_feed().then(|| {
        let token = e.header("x-ms-session-token").unwrap_or_default();
        check(session_lsn(token).is_some(), || {
            shown(e, "x-ms-session-token")
        })
    })
}

pub(super) fn feed_session_lsn(e: &Exchange<'_>) -> Verdict {
    let of_token = session_lsn(e.header("x-ms-session-token").filter(|_| e.is_of_feed())?)?;
    let lsn = e.number("lsn")?;
    Some(check(of_token == lsn, || match of_token > lsn {
        true => "a token beyond it".to_owned(),
        false => "a token before it".to_owned(),
    }))
}

pub(super) fn feed_range_id(e: &Exchange<'_>) -> Verdict {
    e.is_of_feed()
        .then(|| present(e, "x-ms-documentdb-partitionkeyrangeid"))
}

pub(super) fn feed_nothing_new(e: &Exchange<'_>) -> Verdict {
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

pub(super) fn feed_stays(e: &Exchange<'_>) -> Verdict {
    let after = e.after().filter(|_| of(e, "feed", 304))?;
    let etag = e.etag_lsn()?;
    Some(check(etag >= after, || "an ETag before it".to_owned()))
}

pub(super) fn feed_pin(e: &Exchange<'_>) -> Verdict {
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

pub(super) fn replica_behind(e: &Exchange<'_>) -> Verdict {
    // With 1003 the container is gone.
    (of(e, "feed", 404) && e.substatus() != 1003).then(|| one_of(e, &[1002]))
}

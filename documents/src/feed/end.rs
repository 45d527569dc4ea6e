//! Where the reading of a range ends, and whether a position has reached it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::count::exactly;

use super::etag::lsn_of_etag;

/// How far a run that has an end reads each range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadUntil {
    /// At least up to its pin, until an answer shows that nothing newer exists. In the feed of the latest
    /// versions only this finds every document: one that is rewritten before it is read moves beyond the
    /// pin, with its only version.
    Head,
    /// Up to its pin.
    Pin,
    /// Up to its pin, and not one change beyond it.
    Exact,
}

/// How the ranges of a finished run reached their ends, taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ends {
    /// When the first of them was pinned, by this machine's clock: what existed by then is in the files.
    #[serde(with = "time::serde::rfc3339")]
    pub pinned_at: OffsetDateTime,
    /// Whether every range was read until nothing newer existed.
    pub head: bool,
    /// Known transactions after the ends at a pin.
    pub newer_transactions: u64,
}

impl std::fmt::Display for Ends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (hour, minute, second) = self.pinned_at.to_offset(time::UtcOffset::UTC).to_hms();
        let which = if self.head {
            "the end as of"
        } else {
            "where they were at"
        };
        write!(
            f,
            "all ranges read to {which} {hour:02}:{minute:02}:{second:02} UTC"
        )?;
        match self.newer_transactions {
            0 => Ok(()),
            newer => write!(f, "; {} came after that", exactly(newer, "transaction")),
        }
    }
}

/// Where a range was when it was pinned. A run that has an end must reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedEnd {
    /// The service's ETag for it; empty for a query, which has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub etag: String,
    /// The id of the partition key range that answered, if the answer has it. Positions in another one do
    /// not compare with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    /// When it was pinned, by this machine's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub pinned_at: OffsetDateTime,
    /// Whether the LSNs of session tokens compare with those of ETags: the pin has both, and shows it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tokens_compare: bool,
    /// The highest LSN of the partition that any answer has named since, if it is beyond the pin. A
    /// document may have moved up to there while the range was read, so no position below it is the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_lsn: Option<u64>,
    /// How the range reached its end; absent until it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<ReachedEnd>,
}

/// How a range reached its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ReachedEnd {
    /// An answer at or past the pin showed that nothing newer existed.
    Head,
    /// The position reached the pin.
    Pin {
        /// Known transactions of the partition since then. The files may lack the documents that they rewrote,
        /// even in their older version.
        newer: u64,
    },
    /// The service answered the query to its end. What changed since is not known.
    Answered,
}

impl PinnedEnd {
    /// Notes that an answer named this LSN of the partition. Returns whether it is new: beyond the pin and
    /// beyond the known one.
    pub fn hear(&mut self, lsn: u64) -> bool {
        let is_new = Some(lsn) > self.lsn() && Some(lsn) > self.known_lsn;
        if is_new {
            self.known_lsn = Some(lsn);
        }
        is_new
    }

    /// The LSN of the end, if the service's ETag has one.
    pub fn lsn(&self) -> Option<u64> {
        lsn_of_etag(&self.etag)
    }

    /// Whether a range that was read up to `etag` has reached its end.
    pub fn is_reached_by(&self, etag: &str) -> bool {
        etag == self.etag
            || match (lsn_of_etag(etag), self.lsn()) {
                (Some(here), Some(end)) if has_transactions(etag) => here >= end,
                (Some(here), Some(end)) => here > end,
                _ => false,
            }
    }
}

/// Whether an ETag names a whole transaction, like the service's. The in-memory emulator's ETags name one
/// item, and several items can share an LSN.
pub fn has_transactions(etag: &str) -> bool {
    lsn_of_etag(etag).is_some() && !etag.contains('{')
}

/// Whether an ETag can be a position, that is, names a place in the feed. The service refuses an empty one
/// in a request, and `*` means wherever the feed is at that time.
pub fn is_position(etag: &str) -> bool {
    let text = etag.trim();
    let text = text.strip_prefix("W/").unwrap_or(text);
    let text = text
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or(text)
        .trim();
    !matches!(text, "" | "*" | "\"")
}

/// The LSN of a partition in the session token of an answer: `ID:VERSION#LSN#…`, or the older
/// `ID:LSN`.
pub fn lsn_of_session_token(token: &str) -> Option<u64> {
    let (_, vector) = token.split_once(':')?;
    let mut parts = vector.split('#');
    let first = parts.next()?;
    parts.next().unwrap_or(first).trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(etag: &str) -> PinnedEnd {
        PinnedEnd {
            etag: etag.to_owned(),
            partition: None,
            pinned_at: OffsetDateTime::UNIX_EPOCH,
            tokens_compare: false,
            known_lsn: None,
            reached: None,
        }
    }

    #[test]
    fn an_end_is_reached_by_its_own_transaction_and_by_later_ones() {
        for (etag, is_reached) in [
            ("\"9\"", false),
            ("\"10\"", true),
            ("10", true),
            ("W/\"10\"", true),
            ("\"11\"", true),
            ("\"other\"", false),
            ("", false),
        ] {
            assert_eq!(end("\"10\"").is_reached_by(etag), is_reached, "{etag}");
        }
        assert!(end("\"other\"").is_reached_by("\"other\""));
        assert!(!end("\"other\"").is_reached_by("\"11\""));
    }

    #[test]
    fn of_several_items_of_one_lsn_only_the_pinned_one_is_the_end() {
        let pinned = end(r#"{"lsn":5,"id":"b"}"#);
        assert!(!pinned.is_reached_by(r#"{"lsn":5,"id":"a"}"#));
        assert!(pinned.is_reached_by(r#"{"lsn":5,"id":"b"}"#));
        assert!(pinned.is_reached_by(r#"{"lsn":6,"id":"a"}"#));
    }

    #[test]
    fn an_etag_without_a_place_is_not_a_position() {
        for etag in ["", " ", "\"\"", "\" \"", "W/\"\"", "*", "\"*\"", "\""] {
            assert!(!is_position(etag), "{etag:?}");
        }
        for etag in ["\"0\"", "5", "W/\"1\"", "\"opaque\"", "{\"lsn\":1}"] {
            assert!(is_position(etag), "{etag:?}");
        }
    }

    #[test]
    fn a_session_token_has_the_lsn_of_its_partition() {
        for (token, lsn) in [
            ("0:1#1234", Some(1234)),
            ("0:-1#1234", Some(1234)),
            ("12:3#55#1=4#2=7", Some(55)),
            ("0:77", Some(77)),
            ("0:", None),
            ("77", None),
            ("0:1#x", None),
            ("", None),
        ] {
            assert_eq!(lsn_of_session_token(token), lsn, "{token}");
        }
    }
}

//! The SDK's continuation token, decoded as far as needed to see the parts of its range. `query_token` does the same for
//! that of a query.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use crate::feed::{FeedMode, FeedRange};

/// One part of a range, as the SDK polls it. After a split there are several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its bounds.
    pub range: FeedRange,
    /// Its ETag; `None` if it has not been polled yet.
    pub etag: Option<String>,
}

/// What is read of the SDK's continuation token: `c1.` and this JSON in base64url. The form is private to
/// the SDK, whose version is pinned; tests compare this with what it produces.
#[derive(Deserialize)]
pub(super) struct TokenForm {
    /// `Query` or `ChangeFeed`.
    #[serde(default)]
    op: String,
    pub(super) rid: String,
    pub(super) root: RootForm,
}

#[derive(Deserialize)]
pub(super) struct RootForm {
    pub(super) kind: String,
    /// Over ranges.
    #[serde(default)]
    pub(super) active_tokens: Vec<RangedToken>,
    /// Of one logical partition.
    pub(super) server_continuation: Option<String>,
    /// Of a query over ranges: it was answered below this.
    pub(super) left_most_undrained_epk: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RangedToken {
    pub(super) min_epk: String,
    pub(super) max_epk: String,
    pub(super) server_continuation: String,
}

const VERSION: &str = "c1.";
const QUERY: &str = "Query";

/// The JSON in a token.
pub(super) fn decoded(token: &str) -> Result<Vec<u8>> {
    let encoded = token
        .strip_prefix(VERSION)
        .context("the continuation token has an unknown version")?;
    URL_SAFE_NO_PAD
        .decode(encoded)
        .context("the continuation token is not base64")
}

/// The token with this JSON in it.
pub(super) fn encoded(json: &Value) -> String {
    format!("{VERSION}{}", URL_SAFE_NO_PAD.encode(json.to_string()))
}

impl TokenForm {
    /// A token of a feed or of a query.
    pub(super) fn of_any(token: &str) -> Result<Self> {
        serde_json::from_slice(&decoded(token)?)
            .context("the continuation token has an unknown form")
    }

    /// A token of a feed.
    pub(super) fn decode(token: &str) -> Result<Self> {
        Self::of_kind(token, false, &["unordered_merge", "request"])
    }

    /// A token of a query.
    pub(super) fn of_query(token: &str) -> Result<Self> {
        Self::of_kind(token, true, &["sequential_drain", "request", "drained"])
    }

    pub(super) fn is_of_query(&self) -> bool {
        self.op == QUERY
    }

    fn of_kind(token: &str, is_query: bool, kinds: &[&str]) -> Result<Self> {
        let form = Self::of_any(token)?;
        let what = if is_query { "a query" } else { "a change feed" };
        let shown = if form.is_of_query() && !is_query {
            QUERY
        } else {
            &form.root.kind
        };
        ensure!(
            form.is_of_query() == is_query && kinds.contains(&form.root.kind.as_str()),
            "the continuation token is for a `{}`, not for {what}",
            shown.escape_debug().take(40).collect::<String>()
        );
        Ok(form)
    }
}

/// The RID of the container that a continuation token is for.
///
/// # Errors
///
/// If it is not a token of this SDK.
#[cfg(test)]
pub(super) fn container_rid_of(token: &str) -> Result<String> {
    Ok(TokenForm::of_any(token)?.rid)
}

/// The continuation token of a range at an ETag that somebody else has read.
pub fn token_at(container_rid: &str, mode: FeedMode, range: &FeedRange, etag: &str) -> String {
    let part = Segment {
        range: range.clone(),
        etag: Some(etag.to_owned()),
    };
    token_of(container_rid, mode, &[part])
}

/// The same of a range of several parts. A part without an ETag is one that was never polled.
pub fn token_of(container_rid: &str, mode: FeedMode, parts: &[Segment]) -> String {
    let polled = parts.iter().filter_map(|part| {
        let etag = part.etag.as_ref()?;
        Some(serde_json::json!({
            "min_epk": part.range.min_inclusive,
            "max_epk": part.range.max_exclusive,
            "server_continuation": etag,
        }))
    });
    encoded(&serde_json::json!({
        "op": "ChangeFeed",
        "rid": container_rid,
        "root": {
            "kind": "unordered_merge",
            "active_tokens": polled.collect::<Vec<_>>(),
        },
        "cfm": mode == FeedMode::AllVersionsAndDeletes,
    }))
}

/// The parts of `range` in a continuation token. Gaps between them become parts without an ETag.
///
/// # Errors
///
/// If it is not a token of this SDK's change feed, or its parts overlap or are not within `range`: on a range
/// that it does not belong to, a token would silently start from the beginning.
pub fn segments(token: &str, range: &FeedRange) -> Result<Vec<Segment>> {
    TokenForm::decode(token)?.segments(range)
}

impl TokenForm {
    pub(super) fn segments(self, range: &FeedRange) -> Result<Vec<Segment>> {
        if self.root.kind == "request" {
            return Ok(vec![Segment {
                range: range.clone(),
                etag: self.root.server_continuation,
            }]);
        }
        let mut known = Vec::with_capacity(self.root.active_tokens.len());
        for part in self.root.active_tokens {
            let part_range = FeedRange::new(&part.min_epk, &part.max_epk)?;
            ensure!(
                part_range.intersection(range).as_ref() == Some(&part_range),
                "a continuation token for {part_range} was found on range {range}"
            );
            known.push(Segment {
                range: part_range,
                etag: Some(part.server_continuation),
            });
        }
        known.sort_by(|a, b| a.range.cmp(&b.range));
        let mut parts = Vec::with_capacity(known.len());
        let mut reached = range.min_inclusive.clone();
        for segment in known {
            ensure!(
                segment.range.min_inclusive >= reached,
                "the parts of a continuation token overlap"
            );
            if segment.range.min_inclusive > reached {
                let gap = FeedRange::new(&reached, &segment.range.min_inclusive)?;
                parts.push(Segment {
                    range: gap,
                    etag: None,
                });
            }
            reached.clone_from(&segment.range.max_exclusive);
            parts.push(segment);
        }
        if reached < range.max_exclusive {
            let gap = FeedRange::new(&reached, &range.max_exclusive)?;
            parts.push(Segment {
                range: gap,
                etag: None,
            });
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(parts: &[(&str, &str, &str)]) -> String {
        let parts: Vec<_> = parts
            .iter()
            .map(|(min, max, etag)| {
                serde_json::json!({"min_epk": min, "max_epk": max, "server_continuation": etag})
            })
            .collect();
        let json = serde_json::json!({
            "op": "ChangeFeed", "rid": "RID", "root": {"kind": "unordered_merge", "active_tokens": parts}
        });
        encoded(&json)
    }

    fn range(min: &str, max: &str) -> FeedRange {
        FeedRange::new(min, max).unwrap()
    }

    #[test]
    fn a_token_of_one_part_covers_its_range() {
        let token = token(&[("", "FF", "\"7\"")]);
        let parts = segments(&token, &FeedRange::full()).unwrap();
        assert_eq!(
            parts,
            [Segment {
                range: FeedRange::full(),
                etag: Some("\"7\"".into())
            }]
        );
        assert_eq!(container_rid_of(&token).unwrap(), "RID");
    }

    #[test]
    fn parts_that_were_never_polled_are_gaps() {
        let parts = segments(
            &token(&[("20", "30", "\"2\""), ("10", "20", "\"1\"")]),
            &FeedRange::full(),
        )
        .unwrap();
        let shape: Vec<_> = parts
            .iter()
            .map(|p| (p.range.to_string(), p.etag.as_deref()))
            .collect();
        assert_eq!(
            shape,
            [
                ("[,10)".into(), None),
                ("[10,20)".into(), Some("\"1\"")),
                ("[20,30)".into(), Some("\"2\"")),
                ("[30,FF)".into(), None)
            ]
        );
    }

    #[test]
    fn a_token_on_a_foreign_range_is_refused() {
        let token = token(&[("10", "30", "\"1\"")]);
        let error = segments(&token, &range("", "20")).unwrap_err().to_string();
        assert_eq!(
            error,
            "a continuation token for [10,30) was found on range [,20)"
        );
        assert!(segments(&token, &range("40", "FF")).is_err());
    }

    #[test]
    fn a_text_that_is_not_a_token_is_refused() {
        for wrong in [
            "",
            "\"123\"",
            "c2.abc",
            "c1.%%%",
            "c1.e30",
            "c1.eyJyaWQiOiIiLCJyb290Ijp7ImtpbmQiOiJkcmFpbmVkIn19",
        ] {
            assert!(segments(wrong, &FeedRange::full()).is_err(), "{wrong}");
        }
        assert!(
            segments(
                &token(&[("10", "30", ""), ("20", "40", "")]),
                &FeedRange::full()
            )
            .is_err()
        );
    }
}

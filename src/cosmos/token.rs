//! The SDK's continuation token, decoded as far as needed to see the parts of its range.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use serde::Deserialize;

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
    pub(super) rid: String,
    root: RootForm,
}

#[derive(Deserialize)]
struct RootForm {
    kind: String,
    /// For a feed over ranges.
    #[serde(default)]
    active_tokens: Vec<RangedToken>,
    /// For the feed of one logical partition.
    server_continuation: Option<String>,
}

#[derive(Deserialize)]
struct RangedToken {
    min_epk: String,
    max_epk: String,
    server_continuation: String,
}

impl TokenForm {
    pub(super) fn decode(token: &str) -> Result<Self> {
        let encoded = token
            .strip_prefix("c1.")
            .context("the continuation token has an unknown version")?;
        let json = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(encoded)
            .context("the continuation token is not base64")?;
        let form: Self =
            serde_json::from_slice(&json).context("the continuation token has an unknown form")?;
        ensure!(
            matches!(form.root.kind.as_str(), "unordered_merge" | "request"),
            "the continuation token is for a `{}`, not for a change feed",
            form.root.kind.escape_debug().take(40).collect::<String>()
        );
        Ok(form)
    }
}

/// The RID of the container that a continuation token is for.
///
/// # Errors
///
/// If it is not a token of this SDK's change feed.
pub fn container_rid_of(token: &str) -> Result<String> {
    Ok(TokenForm::decode(token)?.rid)
}

/// The continuation token of a range at an ETag that somebody else has read.
pub fn token_at(container_rid: &str, mode: FeedMode, range: &FeedRange, etag: &str) -> String {
    let form = serde_json::json!({
        "op": "ChangeFeed",
        "rid": container_rid,
        "root": {
            "kind": "unordered_merge",
            "active_tokens": [{
                "min_epk": range.min_inclusive,
                "max_epk": range.max_exclusive,
                "server_continuation": etag,
            }],
        },
        "cfm": mode == FeedMode::AllVersionsAndDeletes,
    });
    let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(form.to_string());
    format!("c1.{encoded}")
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
        format!(
            "c1.{}",
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json.to_string())
        )
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

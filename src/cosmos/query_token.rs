//! The SDK's continuation token of a query, decoded as far as needed to see the parts of its range, and cut to
//! one of them.
//!
//! The SDK cuts a token of the feed to a narrower range by itself. One of a query it refuses there, since it would
//! lose the other parts; here they are kept, each on its own.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::token::{RootForm, TokenForm, decoded, encoded};
use crate::failpoint;
use crate::feed::FeedRange;

/// A part of a range, and how far the query was answered for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryPart {
    /// Its bounds.
    pub range: FeedRange,
    /// How far.
    pub place: QueryPlace,
}

/// How far a query was answered for a part of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryPlace {
    /// Not at all.
    Fresh,
    /// To this continuation of the service.
    At(String),
    /// To its end.
    Answered,
}

/// The token of a range whose query was answered to its end, in the container with this RID.
pub fn answered(container_rid: &str) -> String {
    encoded(&json!({
        "op": "Query", "rid": container_rid, "root": { "kind": "drained" }
    }))
}

/// The parts of `range` in the continuation token of a query.
///
/// # Errors
///
/// If it is not a token of a query, or its parts overlap or are not within `range`.
pub fn query_parts(token: &str, range: &FeedRange) -> Result<Vec<QueryPart>> {
    TokenForm::of_query(token)?.query_parts(range)
}

/// Whether the query was answered to its end.
///
/// # Errors
///
/// If it is not a token of a query.
pub fn is_answered(token: &str) -> Result<bool> {
    Ok(TokenForm::of_query(token)?.root.is_drained())
}

/// The token of the one part of `range` that is `part`; `None` if the query was not answered for it yet.
///
/// # Errors
///
/// If `part` is not one of the token's parts.
pub fn cut(token: &str, range: &FeedRange, part: &FeedRange) -> Result<Option<String>> {
    let found = query_parts(token, range)?
        .into_iter()
        .find(|found| found.range == *part);
    let found = found.ok_or_else(|| {
        anyhow::anyhow!("the continuation token of a query has no part {part} on range {range}")
    })?;
    let root = match found.place {
        QueryPlace::Fresh => return Ok(None),
        QueryPlace::At(_) if failpoint::is_planted("defect.parts-of-a-query-begin-again") => {
            return Ok(None);
        }
        QueryPlace::Answered => json!({ "kind": "drained" }),
        QueryPlace::At(continuation) => json!({
            "kind": "sequential_drain",
            "left_most_undrained_epk": part.min_inclusive,
            "active_tokens": [{
                "min_epk": part.min_inclusive,
                "max_epk": part.max_exclusive,
                "server_continuation": continuation,
            }],
        }),
    };
    let mut whole: Value = serde_json::from_slice(&decoded(token)?)?;
    whole["root"] = root;
    Ok(Some(encoded(&whole)))
}

impl RootForm {
    pub(super) fn is_drained(&self) -> bool {
        self.kind == "drained"
    }
}

impl TokenForm {
    pub(super) fn query_parts(self, range: &FeedRange) -> Result<Vec<QueryPart>> {
        let whole = |place| {
            let range = range.clone();
            vec![QueryPart { range, place }]
        };
        if self.root.is_drained() {
            return Ok(whole(QueryPlace::Answered));
        }
        if self.root.kind == "request" {
            // Of one logical partition.
            let continuation = self.root.server_continuation;
            return Ok(whole(
                continuation.map_or(QueryPlace::Fresh, QueryPlace::At),
            ));
        }
        let mut reached = range.min_inclusive.clone();
        let mut parts = Vec::new();
        let mut add = |until: &str, place: QueryPlace| -> Result<()> {
            if until > reached.as_str() {
                let range = FeedRange::new(&reached, until)?;
                until.clone_into(&mut reached);
                parts.push(QueryPart { range, place });
            }
            Ok(())
        };
        let cursor = self.root.left_most_undrained_epk.unwrap_or_default();
        ensure!(
            cursor < range.max_exclusive,
            "a continuation token that is at `{}` was found on range {range}",
            cursor.escape_debug().take(80).collect::<String>()
        );
        add(&cursor, QueryPlace::Answered)?;
        let mut last = cursor;
        for part in self.root.active_tokens {
            let bounds = FeedRange::new(&part.min_epk, &part.max_epk)?;
            ensure!(
                bounds.intersection(range).as_ref() == Some(&bounds),
                "a continuation token for {bounds} was found on range {range}"
            );
            ensure!(
                bounds.min_inclusive >= last,
                "the parts of a continuation token overlap"
            );
            add(&bounds.min_inclusive, QueryPlace::Fresh)?;
            add(
                &bounds.max_exclusive,
                QueryPlace::At(part.server_continuation),
            )?;
            last = bounds.max_exclusive;
        }
        add(&range.max_exclusive, QueryPlace::Fresh)?;
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use QueryPlace::{Answered, Fresh};

    fn token(root: Value) -> String {
        encoded(&json!({ "op": "Query", "rid": "RID", "root": root }))
    }

    fn at(cursor: &str, parts: &[(&str, &str, &str)]) -> String {
        let parts: Vec<Value> = parts
            .iter()
            .map(
                |(min, max, at)| json!({"min_epk": min, "max_epk": max, "server_continuation": at}),
            )
            .collect();
        token(json!({
            "kind": "sequential_drain", "left_most_undrained_epk": cursor, "active_tokens": parts
        }))
    }

    fn range(min: &str, max: &str) -> FeedRange {
        FeedRange::new(min, max).unwrap()
    }

    fn shape(token: &str, range: &FeedRange) -> Vec<(String, QueryPlace)> {
        let parts = query_parts(token, range).unwrap();
        let shape = parts
            .into_iter()
            .map(|part| (part.range.to_string(), part.place));
        shape.collect()
    }

    fn place(at: &str) -> QueryPlace {
        QueryPlace::At(at.to_owned())
    }

    #[test]
    fn what_is_below_the_cursor_was_answered() {
        let whole = range("10", "40");
        for (token, expected) in [
            (
                at("10", &[("10", "40", "T")]),
                vec![("[10,40)", place("T"))],
            ),
            (
                at("10", &[("10", "20", "T2"), ("20", "40", "T")]),
                vec![("[10,20)", place("T2")), ("[20,40)", place("T"))],
            ),
            (
                at("20", &[("20", "40", "T")]),
                vec![("[10,20)", Answered), ("[20,40)", place("T"))],
            ),
            (
                at("10", &[("10", "20", "T")]),
                vec![("[10,20)", place("T")), ("[20,40)", Fresh)],
            ),
            (
                at("20", &[]),
                vec![("[10,20)", Answered), ("[20,40)", Fresh)],
            ),
            (at("10", &[]), vec![("[10,40)", Fresh)]),
            (at("", &[]), vec![("[10,40)", Fresh)]),
            (
                token(json!({"kind": "drained"})),
                vec![("[10,40)", Answered)],
            ),
            (
                token(json!({"kind": "request", "server_continuation": "T"})),
                vec![("[10,40)", place("T"))],
            ),
        ] {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(range, place)| (range.to_owned(), place))
                .collect();
            assert_eq!(shape(&token, &whole), expected);
        }
    }

    #[test]
    fn a_part_is_cut_out() {
        let whole = range("10", "40");
        let token = at("20", &[("20", "30", "T")]);
        let cut_to = |min, max| cut(&token, &whole, &range(min, max)).unwrap();
        let middle = cut_to("20", "30").unwrap();
        assert_eq!(
            shape(&middle, &range("20", "30")),
            [("[20,30)".to_owned(), place("T"))]
        );
        assert!(is_answered(&cut_to("10", "20").unwrap()).unwrap());
        assert_eq!(cut_to("30", "40"), None);
        assert!(cut(&token, &whole, &range("10", "30")).is_err());
        assert!(!is_answered(&middle).unwrap());
        assert!(is_answered(&answered("RID")).unwrap());
        assert_eq!(
            super::super::token::container_rid_of(&middle).unwrap(),
            "RID"
        );
    }

    #[test]
    fn a_token_on_a_foreign_range_is_refused() {
        for token in [
            at("10", &[("10", "30", "T")]),
            at("05", &[("05", "10", "T")]),
            at("30", &[]),
            at("10", &[("10", "20", "T"), ("15", "20", "T")]),
            at("15", &[("10", "20", "T")]),
        ] {
            assert!(query_parts(&token, &range("10", "20")).is_err());
        }
    }

    #[test]
    fn a_token_of_the_feed_is_not_one_of_a_query() {
        let feed = encoded(&json!({
            "op": "ChangeFeed", "rid": "RID",
            "root": {"kind": "request", "server_continuation": "\"7\""}
        }));
        assert!(query_parts(&feed, &FeedRange::full()).is_err());
        assert!(super::super::token::segments(&feed, &FeedRange::full()).is_ok());
        let query = token(json!({"kind": "request", "server_continuation": "T"}));
        assert!(super::super::token::segments(&query, &FeedRange::full()).is_err());
    }
}

//! What the service says about a query before it is read: its plan, or why it is refused.
//!
//! A query is sent to each range by itself, so a range's rows must not depend on those of another one. The service's
//! plan says what a client has to do with the rows of all ranges: sort, group, count, skip. An export does none of it,
//! so such a query is refused; and so is one whose plan is not understood.

use std::borrow::Cow;

use anyhow::{Context, Result};
use azure_data_cosmos_driver::CosmosError;
use azure_data_cosmos_driver::models::{CosmosOperation, ResponseBody};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::client::CosmosClient;
use super::error::{ServiceError, Verdict, one_line, service_message};
use crate::error::{ExitCode, Lines, usage, with_exit_code, with_hint};
use crate::feed::{FeedRange, Query};

/// What a client says that it can do with the rows of several ranges. With all of it, the service plans any query,
/// and the plan shows what would have to be done.
const FEATURES: &str = "Aggregate, CompositeAggregate, CountIf, DCount, Distinct, GroupBy, HybridSearch, \
    MultipleAggregates, MultipleOrderBy, NonStreamingOrderBy, NonValueAggregate, OffsetAndLimit, OrderBy, Top, \
    WeightedRankFusion";

/// What to do instead of ordering, grouping and the like.
const AFTERWARDS: &str = "export without it, and do it in the files, for example with DuckDB";
/// The most characters of a query that are shown around a fault.
const AROUND: usize = 60;

/// A query that can be read range by range.
#[derive(Debug, Clone)]
pub struct PlannedQuery {
    /// The ranges that may have rows, with both bounds; all if empty.
    ranges: Vec<(String, String)>,
    /// Whether it selects values, which need not be objects.
    pub selects_values: bool,
}

/// What is read of a plan.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Plan {
    query_info: Option<Map<String, Value>>,
    hybrid_search_query_info: Option<Value>,
    query_ranges: Vec<PlanRange>,
}

#[derive(Debug, Deserialize)]
struct PlanRange {
    min: Value,
    max: Value,
}

impl PlannedQuery {
    /// Whether a range may have rows.
    pub fn concerns(&self, range: &FeedRange) -> bool {
        let is_in = |(min, max): &(String, String)| {
            range.min_inclusive.as_str() <= max.as_str()
                && min.as_str() < range.max_exclusive.as_str()
        };
        self.ranges.is_empty() || self.ranges.iter().any(is_in)
    }
}

impl CosmosClient {
    /// Has the service plan a query. It is read by that plan from then on.
    ///
    /// # Errors
    ///
    /// If the service refuses it, if it cannot be answered range by range, or if there is no answer.
    pub async fn plan_query(&self, query: &Query) -> Result<PlannedQuery> {
        const WHAT: &str = "cannot plan the query";
        let once = async || {
            let operation =
                CosmosOperation::query_plan(self.container().clone(), Cow::Borrowed(FEATURES))
                    .with_body(query.body());
            let options = self.operation_options();
            match Box::pin(self.driver().execute_operation(operation, options)).await {
                Ok(response) => Ok(Ok(match response.map(|response| response.into_body()) {
                    Some(ResponseBody::Bytes(body)) => body,
                    _ => anyhow::bail!("the service sent no plan"),
                })),
                Err(error) if is_bad_request(&error) => Ok(Err(refused(&error, query))),
                Err(error) => Err(error.into()),
            }
        };
        let planned = self.persistence().persist(WHAT, once).await;
        let plan = planned.context(WHAT)??;
        let plan: Plan = serde_json::from_slice(&plan)
            .context("the plan that the service sent is not understood")
            .context(WHAT)?;
        let planned = plan.judge()?;
        self.heard.know_plan(query.body());
        Ok(planned)
    }
}

impl Plan {
    fn judge(self) -> Result<PlannedQuery> {
        let info = self.query_info.unwrap_or_default();
        let hybrid = self.hybrid_search_query_info;
        if hybrid.is_some_and(|hybrid| !is_nothing(&hybrid)) {
            return Err(over_all("a hybrid search", AFTERWARDS));
        }
        for (name, what, instead) in OVER_ALL {
            if info.get(*name).is_some_and(|value| !is_nothing(value)) {
                return Err(over_all(what, instead));
            }
        }
        let known = |name: &str| matches!(name, "hasSelectValue" | "rewrittenQuery");
        let other = info
            .iter()
            .find(|(name, value)| !known(name) && !is_nothing(value));
        let rewritten = info.get("rewrittenQuery");
        if other.is_some() || rewritten.is_some_and(|text| !is_nothing(text)) {
            let name = other.map_or("rewrittenQuery", |(name, _)| name.as_str());
            return Err(usage(
                format!(
                    "the query cannot be answered range by range: its plan has `{}`, which is not known here",
                    one_line(name)
                ),
                AFTERWARDS,
            ));
        }
        let bounds = self.query_ranges.into_iter().map(|range| {
            let text = |bound: Value| bound.as_str().map(str::to_owned);
            Some((text(range.min)?, text(range.max)?))
        });
        Ok(PlannedQuery {
            // Bounds of another form say nothing.
            ranges: bounds.collect::<Option<Vec<_>>>().unwrap_or_default(),
            selects_values: info.get("hasSelectValue") == Some(&Value::Bool(true)),
        })
    }
}

/// What in a plan is about the rows of all ranges: its name, what it is in a query, and what to do instead.
const OVER_ALL: &[(&str, &str, &str)] = &[
    ("groupByExpressions", "GROUP BY", AFTERWARDS),
    (
        "groupByAliasToAggregateType",
        "an aggregate",
        "export what it is computed from, and compute it in the files, for example with DuckDB",
    ),
    (
        "aggregates",
        "an aggregate",
        "export what it is computed from, and compute it in the files, for example with DuckDB",
    ),
    ("dCountInfo", "COUNT of DISTINCT values", AFTERWARDS),
    ("distinctType", "DISTINCT", AFTERWARDS),
    (
        "top",
        "TOP",
        "choose the documents by a condition instead, such as WHERE c._ts > @since",
    ),
    (
        "offset",
        "OFFSET and LIMIT",
        "leave them out: an export that was interrupted continues where it was with `resume`",
    ),
    (
        "limit",
        "OFFSET and LIMIT",
        "choose the documents by a condition instead, such as WHERE c._ts > @since",
    ),
    ("orderBy", "ORDER BY", AFTERWARDS),
    ("orderByExpressions", "ORDER BY", AFTERWARDS),
    ("hasNonStreamingOrderBy", "ORDER BY", AFTERWARDS),
    ("groupByAliases", "GROUP BY", AFTERWARDS),
];

/// Whether a member of a plan says that there is nothing to do.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty() || text == "None",
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Number(_) | Value::Bool(true) => false,
    }
}

fn over_all(what: &str, instead: &str) -> anyhow::Error {
    usage(
        format!(
            "the query has {what}, which is about the rows of all ranges, and an export reads each range by itself"
        ),
        instead,
    )
}

fn is_bad_request(error: &CosmosError) -> bool {
    u16::from(error.status().status_code()) == 400 && error.response().is_some()
}

/// The error of a page of a query. `continues` if a continuation was sent.
pub fn explain_page(error: anyhow::Error, continues: bool) -> anyhow::Error {
    let Some(cosmos) = error.downcast_ref::<CosmosError>() else {
        return error;
    };
    let mut explained = ServiceError::of(cosmos);
    let status = explained.status;
    let hint = match explained.verdict {
        Verdict::TokenRefused if continues => {
            "the service does not continue this query where it was: what was written is kept, but the rest can only \
             be had by an export from the beginning, to a new place"
        }
        // The words of a query can be those of a refused token.
        Verdict::TokenRefused | Verdict::Fatal if status == 400 => {
            explained.verdict = Verdict::Fatal;
            "the service planned this query, but does not answer it; -vvv prints the SDK's log of it"
        }
        _ => return error,
    };
    with_hint(explained, hint)
}

/// The error of a query that the service does not accept, with the place where it is wrong.
fn refused(error: &CosmosError, query: &Query) -> anyhow::Error {
    let message = service_message(error).unwrap_or_else(|| error.to_string());
    let faults = Faults::of(&message);
    let mut lines = Vec::new();
    for (index, fault) in faults.iter().enumerate() {
        let line = one_line(&fault.message);
        lines.push(match index {
            0 => format!("the service refuses the query: {line}"),
            _ => line,
        });
        if let Some(at) = &fault.at {
            lines.extend(marked(&query.text, *at).into_iter().flatten());
        }
    }
    let error = with_exit_code(Lines::new(lines), ExitCode::Usage);
    with_hint(
        error,
        "the text is sent as it is; docs: https://learn.microsoft.com/azure/cosmos-db/nosql/query/",
    )
}

/// A fault in a query.
struct Fault {
    message: String,
    /// From this character to that one.
    at: Option<(usize, usize)>,
}

struct Faults;

impl Faults {
    /// The faults that the service's message names.
    fn of(message: &str) -> Vec<Fault> {
        #[derive(Deserialize)]
        struct All {
            errors: Vec<One>,
        }
        #[derive(Deserialize)]
        struct One {
            message: String,
            location: Option<Location>,
        }
        #[derive(Deserialize)]
        struct Location {
            start: usize,
            end: usize,
        }
        let json = message.find('{').map_or("", |at| &message[at..]);
        let parsed = serde_json::Deserializer::from_str(json).into_iter().next();
        if let Some(Ok(All { errors })) = parsed
            && !errors.is_empty()
        {
            let faults = errors.into_iter().map(|one| Fault {
                message: one.message,
                at: one.location.map(|place| (place.start, place.end)),
            });
            return faults.collect();
        }
        // As emulators write it.
        let offset = message
            .rsplit_once(" at offset ")
            .and_then(|(_, offset)| offset.trim_end_matches('.').parse().ok());
        vec![Fault {
            message: message.to_owned(),
            at: offset.map(|offset: usize| (offset, offset + 1)),
        }]
    }
}

/// The line of `text` that has the characters `from..until`, and a line that marks them.
fn marked(text: &str, (from, until): (usize, usize)) -> Option<[String; 2]> {
    let characters: Vec<char> = text.chars().collect();
    let from = from.min(characters.len());
    let until = until.clamp(from + 1, from + AROUND);
    let is_break = |c: &char| matches!(c, '\n' | '\r');
    let start = characters[..from].iter().rposition(is_break);
    let start = start.map_or(0, |at| at + 1);
    let end = characters[from..].iter().position(is_break);
    let end = end.map_or(characters.len(), |at| from + at);
    if start == end {
        return None;
    }
    let first = start.max(from.saturating_sub(AROUND / 2));
    let last = end.min(first + AROUND);
    let shown: String = characters[first..last]
        .iter()
        .map(|c| if c.is_control() { ' ' } else { *c })
        .collect();
    let marks = until.min(last.max(from + 1)) - from;
    Some([
        format!("  {shown}"),
        format!("  {}{}", " ".repeat(from - first), "^".repeat(marks)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{attached_exit_code, hint};
    use serde_json::json;

    fn judge(plan: Value) -> Result<PlannedQuery> {
        serde_json::from_value::<Plan>(plan).unwrap().judge()
    }

    /// The plan of `SELECT * FROM c`, as the service sends it.
    fn plain() -> Value {
        json!({
            "partitionedQueryExecutionInfoVersion": 2,
            "queryInfo": {
                "distinctType": "None", "top": null, "offset": null, "limit": null, "orderBy": [],
                "orderByExpressions": [], "groupByExpressions": [], "groupByAliases": [], "aggregates": [],
                "groupByAliasToAggregateType": {}, "rewrittenQuery": "", "hasSelectValue": false,
                "dCountInfo": null, "hasNonStreamingOrderBy": false
            },
            "queryRanges": [{"min": "", "max": "FF", "isMinInclusive": true, "isMaxInclusive": false}]
        })
    }

    #[test]
    fn a_plain_query_is_read_range_by_range() {
        let planned = judge(plain()).unwrap();
        assert!(!planned.selects_values);
        assert!(planned.concerns(&FeedRange::full()));
        let mut values = plain();
        values["queryInfo"]["hasSelectValue"] = json!(true);
        assert!(judge(values).unwrap().selects_values);
    }

    #[test]
    fn what_is_about_all_ranges_is_refused_by_its_name() {
        for (member, value, named) in [
            ("distinctType", json!("Ordered"), "DISTINCT"),
            ("distinctType", json!("Unordered"), "DISTINCT"),
            ("top", json!(10), "TOP"),
            ("top", json!(0), "TOP"),
            ("offset", json!(0), "OFFSET and LIMIT"),
            ("limit", json!(5), "OFFSET and LIMIT"),
            ("orderBy", json!(["Ascending"]), "ORDER BY"),
            ("hasNonStreamingOrderBy", json!(true), "ORDER BY"),
            ("groupByExpressions", json!(["c.x"]), "GROUP BY"),
            ("aggregates", json!(["Count"]), "an aggregate"),
            (
                "groupByAliasToAggregateType",
                json!({"n": "Count"}),
                "an aggregate",
            ),
            (
                "dCountInfo",
                json!({"dCountAlias": ""}),
                "COUNT of DISTINCT values",
            ),
            ("rewrittenQuery", json!("SELECT 1"), "`rewrittenQuery`"),
            ("somethingNew", json!([1]), "`somethingNew`"),
        ] {
            let mut plan = plain();
            plan["queryInfo"][member] = value;
            let error = judge(plan).unwrap_err();
            assert!(error.to_string().contains(named), "{member}: {error}");
            assert_eq!(attached_exit_code(&error), Some(ExitCode::Usage));
            assert!(hint(&error).is_some());
        }
        let hybrid = json!({"hybridSearchQueryInfo": {"take": 10}});
        assert!(judge(hybrid).unwrap_err().to_string().contains("hybrid"));
    }

    #[test]
    fn only_ranges_of_the_plan_are_read() {
        let mut plan = plain();
        plan["queryRanges"] = json!([{"min": "15", "max": "15"}, {"min": "30", "max": "FF"}]);
        let planned = judge(plan).unwrap();
        let concerns = |min, max| planned.concerns(&FeedRange::new(min, max).unwrap());
        assert!(concerns("10", "20") && concerns("15", "20") && concerns("30", "40"));
        assert!(!concerns("16", "20") && !concerns("", "15"));
        // Of the proxy's form nothing is concluded.
        let mut other = plain();
        other["queryRanges"] = json!([{"min": ["a"], "max": ["a"]}]);
        assert!(judge(other).unwrap().concerns(&FeedRange::full()));
    }

    #[test]
    fn the_place_of_a_fault_is_marked() {
        let message = r#"{"errors":[{"severity":"Error","location":{"start":9,"end":13},
            "code":"SC1001","message":"Syntax error, incorrect syntax near 'FORM'."}]}"#;
        let [fault] = &Faults::of(message)[..] else {
            panic!()
        };
        assert_eq!(fault.message, "Syntax error, incorrect syntax near 'FORM'.");
        let shown = marked("SELECT *\nFORM c", fault.at.unwrap()).unwrap();
        assert_eq!(shown, ["  FORM c", "  ^^^^"]);
        let shown = marked("SELECT * FORM c", fault.at.unwrap()).unwrap();
        assert_eq!(shown, ["  SELECT * FORM c", "           ^^^^"]);
        let [fault] = &Faults::of("failed to parse query: expected FROM at offset 9")[..] else {
            panic!()
        };
        assert_eq!(fault.at, Some((9, 10)));
    }

    #[test]
    fn any_place_can_be_marked() {
        let long = "x".repeat(500);
        for text in ["", "a", "\n", "a\nb", "\t\u{7}", "ä€😀", &long] {
            for from in [0, 1, 2, 3, 499, 500, 501, 10_000, usize::MAX / 2] {
                for until in [0, 1, 3, from, from.saturating_add(1), usize::MAX] {
                    if let Some([line, mark]) = marked(text, (from, until)) {
                        assert!(line.chars().count() <= AROUND + 2);
                        assert!(
                            mark.trim_start().starts_with('^'),
                            "{text:?} {from} {until}"
                        );
                    }
                }
            }
        }
    }
}

//! Queries, page by page, and their plans.
//!
//! The gateway understands as much of the language as its tests need: `SELECT *`, `SELECT VALUE c.x` or
//! `SELECT c.x, c.y`, `FROM c`, and conditions `c.x > @p`, `c.x = @p` joined by `AND`. Its plan names ORDER BY and the
//! like by their words.
//!
//! The rows of a partition come in the order of their ids, which has nothing to do with their hashes, so a
//! continuation is a place in each part of a partition that was split: both children get it, and only a child that
//! forgets it, or begins again, loses or repeats rows. A page ends after so many documents were looked at, whether or
//! not they are selected, so pages can be empty. A continuation is refused for another query, and for a range that is
//! not within the one that it was given out for.

use std::hash::{DefaultHasher, Hash, Hasher};

use azure_data_cosmos_driver::models::effective_partition_key::EffectivePartitionKey as Epk;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::GatewayOptions;
use super::account::StoredContainer;
use super::change_log::Change;
use super::feed::{FeedAnswer, FeedRequest, admit};

/// Documents that are looked at for each row of a full page.
const LOOKED_AT: usize = 4;

/// A query, as it was parsed.
pub(super) struct Sql {
    select: Select,
    conditions: Vec<(String, bool, Value)>,
    words: Vec<String>,
    /// What a continuation of it begins with.
    fingerprint: String,
}

enum Select {
    Everything,
    Value(String),
    Members(Vec<String>),
}

/// Words of what is about all rows, and the member of a plan that names it.
const OVER_ALL: [(&str, &str); 6] = [
    ("ORDER", "orderBy"),
    ("GROUP", "groupByExpressions"),
    ("DISTINCT", "distinctType"),
    ("TOP", "top"),
    ("OFFSET", "offset"),
    ("COUNT", "aggregates"),
];

impl Sql {
    /// Parses a body; the error is the service's message.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let text = body["query"].as_str().ok_or("there is no query")?;
        let words: Vec<String> = text
            .split_whitespace()
            .map(|word| word.trim_matches(['(', ')', ',']).to_owned())
            .collect();
        let from = words.iter().position(|word| word == "FROM");
        let Some(from) = from.filter(|_| words.first().is_some_and(|word| word == "SELECT")) else {
            let second = text.find(' ').map_or(0, |at| at + 1);
            let fault = json!({"errors": [{
                "severity": "Error", "location": {"start": second, "end": second + 4},
                "code": "SC1001", "message": "Syntax error, incorrect syntax.",
            }]});
            return Err(format!("Message: {fault}\r\nActivityId: 0, gateway/1"));
        };
        let member = |word: &String| word.strip_prefix("c.").map(str::to_owned);
        let select = match words[1].as_str() {
            "*" => Select::Everything,
            "VALUE" => Select::Value(member(&words[2]).unwrap_or_default()),
            _ => Select::Members(words[1..from].iter().filter_map(member).collect()),
        };
        let mut conditions = Vec::new();
        for three in words.windows(3) {
            if let (Some(member), "=" | ">") = (member(&three[0]), three[1].as_str()) {
                let parameters = body["parameters"].as_array().into_iter().flatten();
                let mut named = parameters.filter(|one| one["name"] == three[2].as_str());
                let value = named.next().map_or(Value::Null, |one| one["value"].clone());
                conditions.push((member, three[1] == "=", value));
            }
        }
        Ok(Self {
            select,
            conditions,
            words,
            fingerprint: {
                let mut hasher = DefaultHasher::new();
                body.to_string().hash(&mut hasher);
                format!("{:016x}", hasher.finish())
            },
        })
    }

    /// The plan, for a container with this partition key.
    pub(super) fn plan(&self, container: &StoredContainer) -> Value {
        let mut info = json!({
            "distinctType": "None", "top": null, "offset": null, "limit": null, "orderBy": [],
            "orderByExpressions": [], "groupByExpressions": [], "groupByAliases": [], "aggregates": [],
            "groupByAliasToAggregateType": {}, "rewrittenQuery": "",
            "hasSelectValue": matches!(self.select, Select::Value(_)),
            "dCountInfo": null, "hasNonStreamingOrderBy": false,
        });
        for (word, member) in OVER_ALL {
            if self.words.iter().any(|own| own.starts_with(word)) {
                info[member] = match member {
                    "distinctType" => json!("Unordered"),
                    "top" | "offset" => json!(10),
                    _ => json!(["Ascending"]),
                };
            }
        }
        let path = container.log.key_path();
        let point = self
            .conditions
            .iter()
            .find(|(member, is_equal, _)| *is_equal && path == format!("/{member}"));
        let range = match point {
            Some((_, _, value)) => {
                let hash = container.log.epk_of(std::slice::from_ref(value)).to_hex();
                json!({"min": hash, "max": hash, "isMinInclusive": true, "isMaxInclusive": true})
            }
            None => {
                json!({"min": "", "max": "FF", "isMinInclusive": true, "isMaxInclusive": false})
            }
        };
        json!({
            "partitionedQueryExecutionInfoVersion": 2, "queryInfo": info, "queryRanges": [range],
        })
    }

    fn row(&self, change: &Change) -> Option<Bytes> {
        let document: Value = serde_json::from_slice(&change.text).ok()?;
        let holds = self.conditions.iter().all(|(member, is_equal, value)| {
            let own = &document[member];
            if *is_equal {
                own == value
            } else {
                own.as_f64() > value.as_f64()
            }
        });
        if !holds {
            return None;
        }
        match &self.select {
            Select::Everything => Some(change.text.clone()),
            Select::Value(member) => Some(Bytes::from(document.get(member)?.to_string())),
            Select::Members(members) => {
                let members = members
                    .iter()
                    .filter_map(|member| Some((member.clone(), document.get(member)?.clone())));
                Some(Bytes::from(
                    Value::Object(members.collect::<Map<_, _>>()).to_string(),
                ))
            }
        }
    }
}

/// What a query is answered with: the page, and the continuation if there is more.
pub(super) fn answer(
    container: &mut StoredContainer,
    request: &FeedRequest,
    continuation: Option<&str>,
    sql: &Sql,
    options: &GatewayOptions,
    now: u64,
) -> (FeedAnswer, Option<String>) {
    let (target, replica) = match admit(container, request, options, now) {
        Ok(admitted) => admitted,
        Err(refusal) => return (*refusal, None),
    };
    let after = match continuation.map(|text| place(text, sql, &target.min, &target.max)) {
        None => None,
        Some(Ok(after)) => Some(after),
        Some(Err(wrong)) => return (FeedAnswer::violation(wrong), None),
    };
    let partition = container
        .log
        .partition_mut(&target.partition)
        .expect("the target is a live partition");
    let is_point = target.min == target.max;
    let mut documents: Vec<&Change> = partition
        .changes
        .iter()
        .filter(|change| {
            let is_in_range = if is_point {
                change.epk == target.min
            } else {
                target.min <= change.epk && change.epk < target.max
            };
            is_in_range && change.is_last_at(replica) && !change.is_deletion()
        })
        .collect();
    documents.sort_by_key(|change| place_of(change));
    let begin = documents.partition_point(|change| after.as_ref() >= Some(&place_of(change)));
    let rows_at_most = match request.max_item_count {
        Some(count) if count > 0 => count as usize,
        _ => options.default_page_items,
    };
    let mut rows = Vec::new();
    let mut end = begin;
    for change in &documents[begin..] {
        if rows.len() == rows_at_most || end - begin == rows_at_most * LOOKED_AT {
            break;
        }
        rows.extend(sql.row(change));
        end += 1;
    }
    let next = (end < documents.len()).then(|| {
        let (id, epk) = place_of(documents[end - 1]);
        json!([
            sql.fingerprint,
            target.min.to_hex(),
            target.max.to_hex(),
            id,
            epk
        ])
        .to_string()
    });
    let mut body = format!("{{\"_rid\":\"{}\",\"Documents\":[", container.rid).into_bytes();
    body.extend_from_slice(&rows.join(&b","[..]));
    body.extend_from_slice(format!("],\"_count\":{}}}", rows.len()).as_bytes());
    let partition = container
        .log
        .partition_mut(&target.partition)
        .expect("the target is a live partition");
    partition.pages_served += 1;
    let version = partition.version;
    let answer = FeedAnswer {
        status: 200,
        substatus: None,
        body: Bytes::from(body),
        items: rows.len(),
        lsn: None,
        session_token: Some(format!("{}:{version}#{replica}", target.partition)),
        partition: Some(target.partition),
        partition_lsn: replica,
        violation: None,
    };
    (answer, next)
}

fn place_of(change: &Change) -> (String, String) {
    (change.id.clone(), change.epk.to_hex().to_string())
}

/// The place that a continuation names.
fn place(text: &str, sql: &Sql, min: &Epk, max: &Epk) -> Result<(String, String), String> {
    let parts: Vec<String> =
        serde_json::from_str(text).map_err(|_| format!("{text} is no continuation of ours"))?;
    let [fingerprint, from, until, id, epk] = &parts[..] else {
        return Err(format!("{text} is no continuation of ours"));
    };
    if *fingerprint != sql.fingerprint {
        return Err(format!("the continuation {text} is of another query"));
    }
    let within = **from <= *min.to_hex() && *max.to_hex() <= **until;
    if !within {
        return Err(format!(
            "the continuation {text} was not given out for a range that contains [{}, {})",
            min.to_hex(),
            max.to_hex()
        ));
    }
    Ok((id.clone(), epk.clone()))
}

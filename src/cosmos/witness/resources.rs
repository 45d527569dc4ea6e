//! What is believed of the account, its containers and their ranges.

use serde_json::Value;

use super::exchange::Exchange;
use super::shape::shape;
use super::verdict::{Verdict, check, of, one_of};

pub(super) fn account_body(e: &Exchange<'_>) -> Verdict {
    if !of(e, "account", 200) {
        return None;
    }
    let Some(value) = &e.value else {
        return Some(Err("no JSON".to_owned()));
    };
    let lists = ["writableLocations", "readableLocations"];
    let missing = lists.into_iter().find(|list| !value[*list].is_array());
    let level = value["userConsistencyPolicy"]["defaultConsistencyLevel"].is_string();
    Some(match missing {
        Some(list) => Err(format!("no {list}")),
        None => check(level, || "no consistency level".to_owned()),
    })
}

pub(super) fn container_body(e: &Exchange<'_>) -> Verdict {
    let is_it = of(e, "container read", 200);
    is_it.then(|| {
        let text = |name: &str| {
            e.value
                .as_ref()
                .is_some_and(|value| value[name].is_string())
        };
        let paths = e
            .value
            .as_ref()
            .map(|value| &value["partitionKey"]["paths"]);
        let is_whole = text("id") && text("_rid") && paths.is_some_and(Value::is_array);
        check(is_whole, || "a container without them".to_owned())
    })
}

pub(super) fn container_missing(e: &Exchange<'_>) -> Verdict {
    // With 1003 the database is missing.
    (of(e, "container read", 404) && e.substatus() != 1003).then(|| one_of(e, &[0]))
}

pub(super) fn owner_missing(e: &Exchange<'_>) -> Verdict {
    of(e, "ranges", 404).then(|| one_of(e, &[1003]))
}

pub(super) fn ranges_tile(e: &Exchange<'_>) -> Verdict {
    let ranges = e.value.as_ref().filter(|_| of(e, "ranges", 200))?;
    let mut bounds: Vec<(&str, &str)> = Vec::new();
    for range in ranges["PartitionKeyRanges"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let bound = |name: &str| range[name].as_str().unwrap_or("none");
        bounds.push((bound("minInclusive"), bound("maxExclusive")));
    }
    // A page of a long list, or one that says what changed, is a part.
    if e.header("x-ms-continuation").is_some() || bounds.is_empty() {
        return None;
    }
    bounds.sort_unstable();
    let meets = bounds.windows(2).all(|pair| pair[0].1 == pair[1].0);
    let [first, last] = [bounds[0].0, bounds[bounds.len() - 1].1];
    Some(check(meets && first.is_empty() && last == "FF", || {
        format!(
            "from `{}` to `{}`, {}",
            shape(first),
            shape(last),
            match meets {
                true => "without gaps",
                false => "with gaps",
            }
        )
    }))
}

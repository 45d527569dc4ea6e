//! The part of a container that a tail or a query reads.

use anyhow::Result;

use crate::cosmos::client::CosmosClient;
use crate::cosmos::epk::{no_value, partition_key, range_of_partition_key, range_of_portable};
use crate::count::count;
use crate::error::usage;
use crate::feed::{FeedRange, Scope};
use crate::redact::redact;
use crate::settings::TailPlan;

/// The part of the container that the command line selects.
pub(super) async fn scope(client: &CosmosClient, plan: &TailPlan) -> Result<Scope> {
    if !plan.partition_key.is_empty() {
        return scope_of_partition_key(client, &plan.partition_key);
    }
    let mut ranges = Vec::with_capacity(plan.ranges.len());
    let partitions = if plan.ranges.is_empty() {
        Vec::new()
    } else {
        client.list_partitions(false).await?
    };
    for text in &plan.ranges {
        ranges.push(match text.parse::<usize>() {
            Ok(number) => match partitions.get(number) {
                Some(partition) => partition.range.clone(),
                None => {
                    return Err(usage(
                        format!(
                            "there is no range {number}: the container has {}",
                            partitions.len()
                        ),
                        "`cosmos-tail ranges` lists them",
                    ));
                }
            },
            Err(_) => range_of_portable(text).map_err(|_| {
                let shown: String = redact(text).escape_debug().take(60).collect();
                usage(
                    format!("`{shown}` is not a feed range"),
                    "give a number or a token from the last column of `cosmos-tail ranges`",
                )
            })?,
        });
    }
    ranges.sort();
    if let Some(pair) = ranges
        .windows(2)
        .find(|pair| pair[0].intersection(&pair[1]).is_some())
    {
        return Err(usage(
            format!("the ranges {} and {} overlap", pair[0], pair[1]),
            "give each once",
        ));
    }
    Ok(Scope {
        ranges,
        partition_key: None,
    })
}

/// One partition key of the container, with these levels, as typed.
pub(super) fn scope_of_partition_key(client: &CosmosClient, typed: &[String]) -> Result<Scope> {
    let definition = client.partition_key_definition();
    let paths: Vec<&str> = definition.paths().iter().map(AsRef::as_ref).collect();
    if typed.len() > paths.len() {
        return Err(usage(
            format!(
                "{} values are given for a partition key with {}",
                typed.len(),
                count(paths.len() as u64, "level")
            ),
            format!("the container's partition key is {}", paths.join(", ")),
        ));
    }
    let values: Vec<serde_json::Value> = typed
        .iter()
        // What is not JSON is text, so that names need no quotes.
        .map(|text| serde_json::from_str(text).unwrap_or_else(|_| text.clone().into()))
        .collect();
    let key = partition_key(&values).map_err(|error| {
        usage(
            error.to_string(),
            "give the value as text, or as JSON if it is not text",
        )
    })?;
    if client.has_system_key() && values == [no_value()] {
        return Err(usage(
            "the container was made without a partition key, so documents without one cannot be read alone",
            "read the whole container",
        ));
    }
    let (range, is_whole) = range_of_partition_key(&key, definition)?;
    Ok(Scope {
        ranges: vec![range],
        partition_key: is_whole.then_some(values),
    })
}

/// The ranges to begin with: the partitions of the container, cut to the scope.
pub(super) async fn ranges_of(client: &CosmosClient, scope: &Scope) -> Result<Vec<FeedRange>> {
    if scope.partition_key.is_some() {
        return Ok(scope.ranges.clone());
    }
    let partitions = client.list_partitions(false).await?;
    let whole = [FeedRange::full()];
    let parts = if scope.ranges.is_empty() {
        &whole[..]
    } else {
        &scope.ranges[..]
    };
    let cut = parts.iter().flat_map(|part| {
        partitions
            .iter()
            .filter_map(|partition| partition.range.intersection(part))
    });
    Ok(cut.collect())
}

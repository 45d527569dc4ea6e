//! Effective partition keys: partition keys and ranges of their hashes, between our form and the SDK's.

use anyhow::{Context, Result};
use azure_core::http::headers::AsHeaders;
use azure_data_cosmos_driver::CosmosError;
use azure_data_cosmos_driver::models::{
    EffectivePartitionKey, FeedRange as DriverFeedRange, PartitionKey, PartitionKeyDefinition,
    PartitionKeyValue,
};

use crate::feed::FeedRange;

/// A level of a partition key for which a document has no value, as the service writes it in a key. It is
/// not `null`, which is a value.
pub fn no_value() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

/// The SDK's partition key of these values, one for each level; [`no_value`] is one of them.
///
/// # Errors
///
/// If a value is something else than a string, number, boolean or null, or there are more than three.
pub fn partition_key(values: &[serde_json::Value]) -> Result<PartitionKey> {
    use serde_json::Value;
    let mut levels = Vec::with_capacity(values.len());
    for value in values {
        levels.push(match value {
            Value::String(text) => PartitionKeyValue::from(text.clone()),
            Value::Bool(value) => PartitionKeyValue::from(*value),
            Value::Null => PartitionKeyValue::NULL,
            Value::Object(members) if members.is_empty() => PartitionKeyValue::UNDEFINED,
            Value::Number(number) => {
                let number = number
                    .as_f64()
                    .with_context(|| format!("{number} is not a partition key"))?;
                PartitionKeyValue::try_from(number)?
            }
            other => {
                anyhow::bail!(
                    "{other} is not a partition key, which is a string, a number, true, false, null, or {{}} \
                     for no value"
                )
            }
        });
    }
    Ok(PartitionKey::try_from(levels)?)
}

/// The JSON text of a partition key: an array of its values, in ASCII.
///
/// # Errors
///
/// If the SDK cannot write it.
pub fn key_text(key: &PartitionKey) -> Result<String> {
    let mut headers = key.as_headers()?;
    let text = headers.next().map(|(_, value)| value.as_str().to_owned());
    Ok(text.unwrap_or_else(|| "[]".to_owned()))
}

/// The first 64 bits of the hash of a whole partition key.
///
/// # Errors
///
/// If it has none.
pub fn hash_of_partition_key(
    key: &PartitionKey,
    definition: &PartitionKeyDefinition,
) -> Result<u64> {
    let range = DriverFeedRange::for_partition(key.clone(), definition);
    let hash = range.min_inclusive().to_hex();
    let first = hash
        .get(..16)
        .context("the hash of the partition key is too short")?;
    Ok(u64::from_str_radix(first, 16)?)
}

/// The range of a partition key's hashes, and whether it is one logical partition; otherwise the key is
/// the prefix of a hierarchical key.
///
/// # Errors
///
/// If its hash cannot be computed.
pub fn range_of_partition_key(
    key: &PartitionKey,
    definition: &PartitionKeyDefinition,
) -> Result<(FeedRange, bool)> {
    let is_whole = key.values().len() == definition.paths().len();
    let range = DriverFeedRange::for_partition(key.clone(), definition);
    let min = range.min_inclusive().to_hex();
    let max = if is_whole {
        // The smallest range that holds one hash.
        format!("{min}00")
    } else {
        range.max_exclusive().to_hex().to_string()
    };
    Ok((FeedRange::new(&min, &max)?, is_whole))
}

/// A feed range from the SDK's portable form.
///
/// # Errors
///
/// If the text is not one.
pub fn range_of_portable(text: &str) -> Result<FeedRange> {
    let range: DriverFeedRange = text.parse()?;
    from_driver(&range)
}

pub(super) fn to_driver(range: &FeedRange) -> Result<DriverFeedRange, CosmosError> {
    DriverFeedRange::new(
        EffectivePartitionKey::try_from(range.min_inclusive.as_str())?,
        EffectivePartitionKey::try_from(range.max_exclusive.as_str())?,
    )
}

pub(super) fn from_driver(range: &DriverFeedRange) -> Result<FeedRange> {
    FeedRange::new(
        &range.min_inclusive().to_hex(),
        &range.max_exclusive().to_hex(),
    )
}

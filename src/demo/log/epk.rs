//! Partition keys and their hashes.

use anyhow::{Context, Result, bail};
use azure_data_cosmos_driver::models::{
    FeedRange, PartitionKey, PartitionKeyDefinition, PartitionKeyValue,
};
use serde_json::Value;

/// An effective partition key: the hash of a partition key, or a bound between hashes. Zeros at its end do
/// not count, so they are not stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::demo) struct Epk(Box<[u8]>);

impl Epk {
    /// Parses the hexadecimal form.
    pub(in crate::demo) fn from_hex(hex: &str) -> Option<Self> {
        let digits = hex.as_bytes();
        if !digits.len().is_multiple_of(2) {
            return None;
        }
        let nibble = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
        let bytes: Option<Vec<u8>> = digits
            .chunks_exact(2)
            .map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?))
            .collect();
        let mut bytes = bytes?;
        let end = bytes.iter().rposition(|&byte| byte != 0);
        bytes.truncate(end.map_or(0, |last| last + 1));
        Some(Self(bytes.into()))
    }

    /// The hash with these bytes, which has no zeros at its end.
    pub(in crate::demo) fn of_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The hexadecimal form.
    pub(in crate::demo) fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    pub(in crate::demo) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// How a container's partition keys are found and hashed.
#[derive(Debug, Clone)]
pub(in crate::demo) struct KeyDefinition {
    definition: PartitionKeyDefinition,
}

/// A partition key: the values of its levels. `None` is a level without a value.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::demo) struct Key(Vec<Option<Value>>);

impl Key {
    /// Parses the header `x-ms-documentdb-partitionkey`. `None` if it has no level, which means all keys.
    pub(in crate::demo) fn of_header(header: &str) -> Result<Option<Self>> {
        if header.trim().is_empty() {
            return Ok(None);
        }
        let levels: Vec<Value> =
            serde_json::from_str(header).context("the partition key header is not an array")?;
        let levels: Vec<Option<Value>> = levels
            .into_iter()
            .map(|value| Some(value).filter(|value| !value.is_object()))
            .collect();
        Ok((!levels.is_empty()).then_some(Self(levels)))
    }

    /// The header `x-ms-documentdb-partitionkey` for this key.
    pub(in crate::demo) fn to_header(&self) -> String {
        let empty = Value::Object(serde_json::Map::new());
        let levels: Vec<&Value> = self
            .0
            .iter()
            .map(|level| level.as_ref().unwrap_or(&empty))
            .collect();
        Value::from_iter(levels.into_iter().cloned()).to_string()
    }

    fn to_driver(&self) -> Result<PartitionKey> {
        let mut levels = Vec::with_capacity(self.0.len());
        for level in &self.0 {
            levels.push(match level {
                None => PartitionKeyValue::UNDEFINED,
                Some(Value::Null) => PartitionKeyValue::NULL,
                Some(Value::Bool(value)) => PartitionKeyValue::from(*value),
                Some(Value::String(text)) => PartitionKeyValue::from(text.clone()),
                Some(Value::Number(number)) => {
                    let number = number.as_f64().context("a number beyond a double")?;
                    PartitionKeyValue::try_from(number)?
                }
                Some(other) => bail!("{other} is not a value of a partition key"),
            });
        }
        Ok(PartitionKey::try_from(levels)?)
    }
}

impl KeyDefinition {
    /// The definition as the driver has it.
    pub(in crate::demo) fn to_driver(&self) -> PartitionKeyDefinition {
        self.definition.clone()
    }

    /// The definition in the properties of a container.
    pub(in crate::demo) fn of_properties(properties: &Value) -> Result<Self> {
        let definition = serde_json::from_value(properties["partitionKey"].clone())
            .context("the container has no partition key")?;
        Ok(Self { definition })
    }

    /// The hashes of a key, from the first to the last, both included. They differ if the key is the first
    /// levels of a hierarchical key.
    ///
    /// # Errors
    ///
    /// If it is not a key of this container.
    pub(in crate::demo) fn hashes(&self, key: &Key) -> Result<(Epk, Epk)> {
        let range = FeedRange::for_partition(key.to_driver()?, &self.definition);
        let epk = |hex: String| Epk::from_hex(&hex).context("a hash is hexadecimal");
        Ok((
            epk(range.min_inclusive().to_hex())?,
            epk(range.max_exclusive().to_hex())?,
        ))
    }

    /// The key of a document.
    pub(in crate::demo) fn key_of(&self, document: &Value) -> Key {
        let levels = self.definition.paths().iter().map(|path| {
            let mut value = document;
            for name in names_of_path(path) {
                value = value.get(&name)?;
            }
            Some(value.clone())
        });
        Key(levels.collect())
    }

    /// The key of a document as the service names it in the metadata of a deletion: an object with a member
    /// for each level that has a value.
    pub(in crate::demo) fn to_metadata(&self, key: &Key) -> Value {
        let paths = self.definition.paths().iter();
        let members = paths.zip(&key.0).filter_map(|(path, level)| {
            let name = names_of_path(path).pop()?;
            Some((name, level.clone()?))
        });
        Value::Object(members.collect())
    }
}

/// The member names in a partition key path. A name between quotation marks may hold slashes.
fn names_of_path(path: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = path;
    while let Some(after) = rest.strip_prefix('/') {
        let quoted = after
            .strip_prefix(['"', '\''])
            .and_then(|inner| inner.split_once(after.chars().next()?));
        let (name, left) = match quoted {
            Some(parts) => parts,
            None => after.split_at(after.find('/').unwrap_or(after.len())),
        };
        names.push(name.to_owned());
        rest = left;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epk(hex: &str) -> Epk {
        Epk::from_hex(hex).unwrap()
    }

    #[test]
    fn hashes_are_ordered_by_their_bytes_and_zeros_at_the_end_do_not_count() {
        assert_eq!(epk("20"), epk("2000"));
        assert_eq!(epk("00"), epk(""));
        assert!(epk("") < epk("01") && epk("01ff") < epk("02") && epk("3f") < epk("FF"));
        for wrong in ["1", "0g", "é"] {
            assert_eq!(Epk::from_hex(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_key_of_a_document_hashes_like_the_header_of_its_request() {
        for (paths, document, header) in [
            (vec!["/pk"], r#"{"pk":"a"}"#, r#"["a"]"#),
            (vec!["/pk"], r#"{"pk":null}"#, "[null]"),
            (vec!["/pk"], r#"{"id":"1"}"#, "[{}]"),
            (vec!["/pk"], r#"{"pk":1.0}"#, "[1]"),
            (vec!["/a/b"], r#"{"a":{"b":true}}"#, "[true]"),
            (vec![r#"/"a/b""#], r#"{"a/b":"x"}"#, r#"["x"]"#),
            (vec!["/t", "/u"], r#"{"t":"x","u":2}"#, r#"["x",2]"#),
            (vec!["/t", "/u"], r#"{"t":"x"}"#, r#"["x",{}]"#),
        ] {
            let kind = if paths.len() == 1 {
                "Hash"
            } else {
                "MultiHash"
            };
            let properties = serde_json::json!({
                "partitionKey": {"paths": paths, "kind": kind, "version": 2}
            });
            let definition = KeyDefinition::of_properties(&properties).unwrap();
            let of_document = definition.key_of(&serde_json::from_str(document).unwrap());
            let of_header = Key::of_header(header).unwrap().unwrap();
            let hashes = definition.hashes(&of_document).unwrap();
            assert_eq!(hashes.0, hashes.1, "{header}");
            assert_eq!(definition.hashes(&of_header).unwrap(), hashes, "{header}");
            let again = Key::of_header(&of_document.to_header()).unwrap().unwrap();
            assert_eq!(again, of_document);
        }
    }
}

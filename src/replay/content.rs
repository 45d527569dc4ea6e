//! The content of documents: the part that is written, and whether two are the same.

use std::hash::{BuildHasher, Hash, Hasher};

use serde_json::Value;

use crate::feed::page::write_without_system_fields;

/// `document` without the members that the service writes itself. Names and values are copied as they
/// are; whitespace between members is not.
pub(super) fn without_system_fields(document: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(document.len());
    write_without_system_fields(document, &mut out);
    out
}

/// Whether two documents without system fields have the same content. The service keeps numbers as
/// 64-bit floating point, so `1.0` is `1`.
pub(super) fn same_content(a: &[u8], b: &[u8]) -> bool {
    let parse = |json| serde_json::from_slice::<Value>(json);
    match (parse(a), parse(b)) {
        (Ok(a), Ok(b)) => same_value(&a, &b),
        // A number is too large to be compared by value.
        _ => a == b,
    }
}

fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| same_value(a, b)))
        }
        _ => a == b,
    }
}

/// A number for the content of a document: the same for documents of the [same content](same_content).
pub(super) fn fingerprint(document: &[u8], hasher: &impl BuildHasher) -> u64 {
    let mut hash = hasher.build_hasher();
    match serde_json::from_slice::<Value>(document) {
        Ok(value) => hash_value(&value, &mut hash),
        Err(_) => document.hash(&mut hash),
    }
    hash.finish()
}

fn hash_value(value: &Value, hash: &mut impl Hasher) {
    match value {
        Value::Null => 0.hash(hash),
        Value::Bool(value) => (1, value).hash(hash),
        Value::Number(value) => {
            // Zero has two forms.
            let value = value.as_f64().map(|value| (value + 0.0).to_bits());
            (2, value).hash(hash);
        }
        Value::String(value) => (3, value).hash(hash),
        Value::Array(values) => {
            (4, values.len()).hash(hash);
            values.iter().for_each(|value| hash_value(value, hash));
        }
        Value::Object(members) => {
            (5, members.len()).hash(hash);
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            for (name, value) in members {
                name.hash(hash);
                hash_value(value, hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_compared_by_value() {
        let hasher = std::hash::RandomState::new();
        let same_content = |a: &[u8], b: &[u8]| {
            let is_same = super::same_content(a, b);
            assert_eq!(is_same, fingerprint(a, &hasher) == fingerprint(b, &hasher));
            is_same
        };
        assert!(same_content(br#"{"a":-0.0}"#, br#"{"a":0}"#));
        assert!(!same_content(br#"{"a":[[1],2]}"#, br#"{"a":[1,[2]]}"#));
        assert!(same_content(
            br#"{"a":1.0,"b":[1,2]}"#,
            br#"{"b":[1,2.0],"a":1}"#
        ));
        assert!(!same_content(br#"{"a":1}"#, br#"{"a":1,"b":null}"#));
        assert!(same_content(b"{\"a\":1e400}", b"{\"a\":1e400}"));
        assert!(!same_content(b"{\"a\":1e400}", b"{\"a\":1e401}"));
    }
}

//! What an accepted write did, from the request and the answer.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::request::ItemWrite;

/// What a write did to an item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The item is this document now, since `time` in seconds since 1970. The document has the system
    /// properties of a point read.
    Put {
        id: String,
        time: u64,
        document: Bytes,
    },
    /// The item is gone.
    Remove { id: String },
}

/// What the service needs of a document that was written.
#[derive(Deserialize)]
struct Head {
    id: Option<String>,
    #[serde(rename = "_ts")]
    time: u64,
    #[serde(rename = "_lsn")]
    lsn: Option<IgnoredAny>,
}

/// One operation of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    operation_type: String,
    id: Option<String>,
}

/// The result of one operation of a batch.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OperationResult<'a> {
    #[serde(borrow)]
    resource_body: Option<&'a RawValue>,
}

/// The effects of a write that succeeded. `item` is the id in the path, `operations` the body of a batch, and
/// `answer` that of an answer with the documents.
///
/// # Errors
///
/// If the answer is not one to such a request.
pub(super) fn effects(
    write: ItemWrite,
    item: &str,
    operations: &Bytes,
    answer: &Bytes,
) -> Result<Vec<Effect>> {
    let removed = |id: &str| Effect::Remove { id: id.to_owned() };
    Ok(match write {
        ItemWrite::Delete => vec![removed(item)],
        ItemWrite::Put | ItemWrite::Patch => vec![put(None, answer)?],
        ItemWrite::Replace => {
            let put = put(None, answer)?;
            match &put {
                // The emulator renames an item whose document has another id.
                Effect::Put { id, .. } if id != item => vec![removed(item), put],
                _ => vec![put],
            }
        }
        ItemWrite::Batch => {
            let operations: Vec<Operation> = serde_json::from_slice(operations)?;
            let results: Vec<OperationResult<'_>> = serde_json::from_slice(answer)?;
            let mut effects = Vec::with_capacity(operations.len());
            for (operation, result) in operations.iter().zip(&results) {
                effects.push(match operation.operation_type.as_str() {
                    "Read" => continue,
                    "Delete" => removed(operation.id.as_deref().context("an id is deleted")?),
                    _ => {
                        let body = result.resource_body.context("a document was written")?;
                        let body = Bytes::copy_from_slice(body.get().as_bytes());
                        put(operation.id.clone(), &body)?
                    }
                });
            }
            effects
        }
    })
}

fn put(id: Option<String>, document: &Bytes) -> Result<Effect> {
    let head: Head =
        serde_json::from_slice(document).context("the emulator answers with the document")?;
    let id = id.or(head.id).context("a document has an id")?;
    let document = match head.lsn {
        None => document.clone(),
        // The feed has the service's `_lsn`, not the document's own.
        Some(_) => {
            let mut members: BTreeMap<String, &RawValue> = serde_json::from_slice(document)?;
            members.remove("_lsn");
            serde_json::to_vec(&members)?.into()
        }
    };
    Ok(Effect::Put {
        id,
        time: head.time,
        document,
    })
}

/// The answer to a batch without the documents that it wrote. What it read stays.
///
/// # Errors
///
/// If it is not one.
pub(super) fn without_content(answer: &Bytes, operations: &Bytes) -> Result<Bytes> {
    let Ok(mut results) = serde_json::from_slice::<Vec<BTreeMap<String, &RawValue>>>(answer) else {
        // The batch was refused as a whole.
        return Ok(answer.clone());
    };
    let operations: Vec<Operation> = serde_json::from_slice(operations)?;
    for (result, operation) in results.iter_mut().zip(&operations) {
        if operation.operation_type != "Read" {
            result.remove("resourceBody");
        }
    }
    Ok(serde_json::to_vec(&results)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_of(id: &str, document: &'static str) -> Effect {
        Effect::Put {
            id: id.to_owned(),
            time: 9,
            document: document.into(),
        }
    }

    fn of(
        write: ItemWrite,
        item: &str,
        operations: &'static str,
        answer: &'static str,
    ) -> Vec<Effect> {
        effects(write, item, &operations.into(), &answer.into()).unwrap()
    }

    #[test]
    fn a_document_is_kept_as_it_is_but_for_an_lsn_of_its_own() {
        let text = r#"{"_ts":9,"id":"a","n":1e2}"#;
        assert_eq!(of(ItemWrite::Put, "", "", text), [put_of("a", text)]);
        let own = r#"{"_lsn":{"x":1},"_ts":9,"id":"a","n":1.50}"#;
        let without = r#"{"_ts":9,"id":"a","n":1.50}"#;
        assert_eq!(of(ItemWrite::Patch, "a", "", own), [put_of("a", without)]);
    }

    #[test]
    fn a_replace_by_a_document_of_another_id_renames() {
        let text = r#"{"_ts":9,"id":"b"}"#;
        let removed = Effect::Remove { id: "a".to_owned() };
        assert_eq!(
            of(ItemWrite::Replace, "a", "", text),
            [removed, put_of("b", text)]
        );
        assert_eq!(of(ItemWrite::Replace, "b", "", text), [put_of("b", text)]);
    }

    #[test]
    fn a_batch_has_the_effects_of_its_operations_in_their_order() {
        let operations = r#"[
            {"operationType":"Create","resourceBody":{"id":"a"}},
            {"operationType":"Read","id":"x"},
            {"operationType":"Delete","id":"b"},
            {"operationType":"Replace","id":"c","resourceBody":{"id":"c"}}
        ]"#;
        let answer = r#"[
            {"statusCode":201,"resourceBody":{"_ts":9,"id":"a"}},
            {"statusCode":200,"resourceBody":{"_ts":1,"id":"x"}},
            {"statusCode":204},
            {"resourceBody":{"_ts":9,"id":"c"},"statusCode":200}
        ]"#;
        assert_eq!(
            of(ItemWrite::Batch, "", operations, answer),
            [
                put_of("a", r#"{"_ts":9,"id":"a"}"#),
                Effect::Remove { id: "b".to_owned() },
                put_of("c", r#"{"_ts":9,"id":"c"}"#),
            ]
        );
        let minimal = without_content(&answer.into(), &operations.into()).unwrap();
        assert_eq!(
            minimal,
            r#"[{"statusCode":201},{"resourceBody":{"_ts":1,"id":"x"},"statusCode":200},{"statusCode":204},{"statusCode":200}]"#
        );
    }
}

//! Patches in transactional batches and with conditions: the emulator has them as single requests without a condition
//! only.
//!
//! A batch reaches the emulator with a replace for each patch. What it replaces the item by is made by the
//! emulator too: by a patch of the item, as the operations before leave it, in an emulator of its own.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::answer::Answer;
use super::emulator::Scratch;
use super::evaluator::passes;
use super::log::{ContainerLog, Key};
use super::patch;

/// An ETag that no item has.
const NO_ETAG: &str = "\"\"";

/// An operation, by its members.
type Members = BTreeMap<String, Box<RawValue>>;

/// A batch without patches.
pub(super) struct Patched {
    pub(super) body: Bytes,
    /// The indexes of patches that are refused, and with which status.
    refused: Vec<(usize, u16)>,
}

/// Replaces the patches of a batch for the partition key in `header`; `None` if it has none, or is no batch.
///
/// # Errors
///
/// If the emulator itself fails.
pub(super) async fn without_patches(
    body: &Bytes,
    header: Option<&str>,
    log: &ContainerLog,
) -> Result<Option<Patched>> {
    let is_patch =
        |operation: &Members| text_of(operation, "operationType").as_deref() == Some("Patch");
    let Ok(mut operations) = serde_json::from_slice::<Vec<Members>>(body) else {
        return Ok(None);
    };
    let key = header.and_then(|header| Key::of_header(header).ok()?);
    let Some(key) = key.filter(|_| operations.iter().any(is_patch)) else {
        return Ok(None);
    };
    let Ok((epk, _)) = log.keys().hashes(&key) else {
        return Ok(None);
    };
    let scratch = Scratch::new(log.keys().to_driver())?;
    // What the operations so far made of the items.
    let mut changed = BTreeMap::<String, Option<Bytes>>::new();
    let mut refused = Vec::new();
    for (index, operation) in operations.iter_mut().enumerate() {
        let document = operation
            .get("resourceBody")
            .map(|body| Bytes::from(body.get().to_owned()));
        let Some(id) = id_of(operation) else {
            continue;
        };
        if !is_patch(operation) {
            match text_of(operation, "operationType").as_deref() {
                Some("Delete") => drop(changed.insert(id, None)),
                Some("Create" | "Upsert" | "Replace") => drop(changed.insert(id, document)),
                _ => {}
            }
            continue;
        }
        let current = match changed.get(&id) {
            Some(current) => current.clone(),
            None => log
                .latest(&epk, &id)
                .map(|version| Bytes::copy_from_slice(version.document())),
        };
        let Some(current) = current else {
            // There is nothing to be deleted either.
            replace(operation, json!({"operationType": "Delete", "id": id}))?;
            continue;
        };
        let patch = patch::with_member(document.unwrap_or_default());
        let answer = match failed_condition(&current, &patch).await? {
            Some(answer) => answer,
            None => {
                scratch.put(current, &key.to_header()).await?;
                scratch.patch(&id, &key.to_header(), patch).await?
            }
        };
        if answer.is_success() {
            let document = String::from_utf8(answer.body.to_vec())?;
            operation.insert("operationType".to_owned(), to_raw_value("Replace")?);
            operation.insert("resourceBody".to_owned(), RawValue::from_string(document)?);
            changed.insert(id, Some(answer.body));
        } else {
            refused.push((index, answer.status));
            let never = json!({"operationType": "Delete", "id": id, "ifMatch": NO_ETAG});
            replace(operation, never)?;
        }
    }
    Ok(Some(Patched {
        body: serde_json::to_vec(&operations)?.into(),
        refused,
    }))
}

/// The answer to a patch whose condition the document does not meet.
///
/// # Errors
///
/// If the emulator itself fails.
pub(super) async fn failed_condition(document: &[u8], patch: &[u8]) -> Result<Option<Answer>> {
    let Some(condition) = patch::condition(patch) else {
        return Ok(None);
    };
    Ok(match passes(document, &condition).await? {
        Ok(true) => None,
        Ok(false) => {
            let message = "One of the specified pre-condition is not met.";
            Some(Answer::error(412, "PreconditionFailed", message))
        }
        Err(refusal) => Some(refusal),
    })
}

impl Patched {
    /// Sets the status of a patch that was refused.
    ///
    /// # Errors
    ///
    /// If the answer is not one to a batch.
    pub(super) fn restore(&self, answer: &mut Answer) -> Result<()> {
        if answer.status != 207 {
            return Ok(());
        }
        let mut results: Vec<Value> = serde_json::from_slice(&answer.body)?;
        for &(index, status) in &self.refused {
            let result = results
                .get_mut(index)
                .context("each operation has a result")?;
            // Another one may have failed before.
            if result["statusCode"] == 412 {
                result["statusCode"] = status.into();
            }
        }
        answer.body = serde_json::to_vec(&results)?.into();
        Ok(())
    }
}

fn replace(operation: &mut Members, by: Value) -> Result<()> {
    *operation = serde_json::from_str(&by.to_string())?;
    Ok(())
}

fn text_of(operation: &Members, member: &str) -> Option<String> {
    serde_json::from_str(operation.get(member)?.get()).ok()
}

/// The id in an operation or in its document.
fn id_of(operation: &Members) -> Option<String> {
    let of_document = || {
        let document: Value = serde_json::from_str(operation.get("resourceBody")?.get()).ok()?;
        Some(document["id"].as_str()?.to_owned())
    };
    text_of(operation, "id").or_else(of_document)
}

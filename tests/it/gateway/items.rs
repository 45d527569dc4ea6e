//! Point operations: reads and writes of single items, and the log of the writes.

use std::time::Instant;

use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use bytes::Bytes;
use serde_json::Value;

use super::account::StoredContainer;
use super::change_log::{Deletion, Operation, RawDocument, SystemFields, Write};
use super::feed::error_body;

/// A write that was carried out, in the order of carrying out.
#[derive(Clone, Debug)]
pub(crate) struct WriteRecord {
    /// When.
    pub(crate) at: Instant,
    /// RID of the container.
    pub(crate) container: String,
    /// The partition key as the client's header has it.
    pub(crate) partition_key: String,
    pub(crate) id: String,
    pub(crate) operation: Operation,
    /// The document as the client sent it; empty for a delete.
    pub(crate) body: Bytes,
    /// RU, in hundredths.
    pub(crate) charge_hundredths: u64,
}

/// What a client requests.
#[derive(Debug)]
pub(super) enum ItemRequest {
    Read,
    Create(Bytes),
    Upsert(Bytes),
    Replace(Bytes),
    Delete,
}

/// The answer to an item request.
pub(super) struct ItemAnswer {
    pub(super) status: u16,
    pub(super) body: Bytes,
    pub(super) etag: Option<String>,
    pub(super) lsn: Option<u64>,
    pub(super) charge_hundredths: u64,
    pub(super) substatus: Option<u32>,
    pub(super) violation: Option<String>,
    pub(super) write: Option<WriteRecord>,
}

impl ItemAnswer {
    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            body: error_body(code, message),
            etag: None,
            lsn: None,
            charge_hundredths: 124,
            substatus: None,
            violation: None,
            write: None,
        }
    }

    pub(super) fn violation(message: String) -> Self {
        Self {
            violation: Some(message.clone()),
            ..Self::error(400, "BadRequest", &message)
        }
    }
}

/// Answers a request about the item `id`, which a create or an upsert has in its body instead.
pub(super) fn answer(
    container: &mut StoredContainer,
    request: ItemRequest,
    id: Option<&str>,
    partition_key: Option<&str>,
    if_match: Option<&str>,
    now: u64,
) -> ItemAnswer {
    let Some(partition_key) = partition_key else {
        return ItemAnswer::violation("an item request without a partition key".to_owned());
    };
    let key = match key_of(container, partition_key) {
        Ok(key) => key,
        Err(violation) => return *violation,
    };
    let body = match &request {
        ItemRequest::Create(body) | ItemRequest::Upsert(body) | ItemRequest::Replace(body) => {
            body.clone()
        }
        ItemRequest::Read | ItemRequest::Delete => Bytes::new(),
    };
    let id = match identify(container, &body, id, &key) {
        Ok(id) => id,
        Err(refusal) => return *refusal,
    };
    let epk = container.log.epk_of(&key);
    let current = container
        .log
        .current(&epk, &id)
        .map(|change| (change.lsn, change.text.clone()));
    let etag = current.as_ref().and_then(|(_, text)| etag_of(text));
    if let Some(status) = refusal_of(container, &request, &id) {
        return ItemAnswer::error(status, "Refused", "The document is refused.");
    }
    let needs_one = matches!(
        request,
        ItemRequest::Read | ItemRequest::Replace(_) | ItemRequest::Delete
    );
    if needs_one && current.is_none() {
        return ItemAnswer::error(
            404,
            "NotFound",
            "Entity with the specified id does not exist",
        );
    }
    if matches!(request, ItemRequest::Create(_)) && current.is_some() {
        return ItemAnswer::error(
            409,
            "Conflict",
            "Entity with the specified id already exists in the system.",
        );
    }
    // An upsert of what is not there creates it, whatever its condition.
    let creates = matches!(request, ItemRequest::Upsert(_)) && current.is_none();
    let is_another = |wanted: &str| wanted != "*" && Some(wanted) != etag.as_deref();
    if !creates && if_match.is_some_and(is_another) {
        return ItemAnswer::error(
            412,
            "PreconditionFailed",
            "One of the specified pre-condition is not met",
        );
    }
    if matches!(request, ItemRequest::Read) {
        let (lsn, text) = current.expect("it was looked for above");
        return ItemAnswer {
            status: 200,
            body: text,
            lsn: Some(lsn),
            etag,
            charge_hundredths: 100,
            ..ItemAnswer::error(200, "", "")
        };
    }
    let is_delete = matches!(request, ItemRequest::Delete);
    let write = Write {
        document: RawDocument {
            id: id.clone(),
            partition_key: key,
            text: body.clone(),
            system_fields: SystemFields::Spliced,
        },
        delete: is_delete.then_some(Deletion::Requested),
    };
    let lsn = container.log.apply(vec![write], now);
    let (status, operation) = match (is_delete, current.is_some()) {
        (true, _) => (204, Operation::Delete),
        (false, true) => (200, Operation::Replace),
        (false, false) => (201, Operation::Create),
    };
    let written = container.log.current(&epk, &id).map(|c| c.text.clone());
    let charge_hundredths = charge_of(&body);
    ItemAnswer {
        status,
        etag: written.as_ref().and_then(|text| etag_of(text)),
        body: written.unwrap_or_default(),
        lsn: Some(lsn),
        charge_hundredths,
        substatus: None,
        violation: None,
        write: Some(WriteRecord {
            at: Instant::now(),
            container: container.rid.clone(),
            partition_key: partition_key.to_owned(),
            id,
            operation,
            body,
            charge_hundredths,
        }),
    }
}

/// The partition key that a request's header names. In a container that was made without a partition key, a
/// document without one is at `[]`; in others it is at `[{}]`.
pub(super) fn key_of(
    container: &StoredContainer,
    header: &str,
) -> Result<Vec<Value>, Box<ItemAnswer>> {
    let Ok(Value::Array(key)) = serde_json::from_str(header) else {
        let message = format!("the partition key {header} is no array");
        return Err(ItemAnswer::violation(message).into());
    };
    let undefined = || Value::Object(serde_json::Map::new());
    match (key.as_slice(), container.has_system_key) {
        ([], true) => Ok(vec![undefined()]),
        ([only], true) if *only == undefined() => {
            Err(ItemAnswer::violation("no document is at [{}] here".to_owned()).into())
        }
        (key, _) if key.len() != container.definition.paths().len() => {
            let message = format!("the partition key {header} has another number of levels");
            Err(ItemAnswer::violation(message).into())
        }
        _ => Ok(key),
    }
}

/// The charge of a write in hundredths of an RU: a kilobyte costs about a sixth of it.
pub(super) fn charge_of(body: &[u8]) -> u64 {
    500 + body.len() as u64 / 10
}

/// The status with which a write is refused, if the test wants that.
fn refusal_of(container: &StoredContainer, request: &ItemRequest, id: &str) -> Option<u16> {
    let is_write = !matches!(request, ItemRequest::Read);
    container.refused.get(id).copied().filter(|_| is_write)
}

/// The id of the item that a request is about, if the request agrees with itself.
pub(super) fn identify(
    container: &StoredContainer,
    body: &Bytes,
    id: Option<&str>,
    key: &[Value],
) -> Result<String, Box<ItemAnswer>> {
    if body.is_empty() {
        return id
            .map(str::to_owned)
            .ok_or_else(|| ItemAnswer::violation("a request for no item".to_owned()).into());
    }
    let document: Value = serde_json::from_slice(body)
        .map_err(|error| ItemAnswer::error(400, "BadRequest", &format!("no JSON: {error}")))
        .map_err(Box::new)?;
    let Some(own) = document["id"].as_str() else {
        return Err(ItemAnswer::violation("a document without an id".to_owned()).into());
    };
    if id.is_some_and(|id| id != own) {
        return Err(ItemAnswer::violation(format!(
            "the document {own} was sent to the address of {id:?}"
        ))
        .into());
    }
    let number = |value: &Value| value.as_f64();
    let same = |a: &Value, b: &Value| a == b || (number(a).is_some() && number(a) == number(b));
    let of_document = container.log.partition_key_of(&document);
    if of_document.len() != key.len() || !of_document.iter().zip(key).all(|(a, b)| same(a, b)) {
        return Err(ItemAnswer {
            substatus: Some(1001),
            ..ItemAnswer::violation(format!(
                "PartitionKey extracted from document {own} doesn't match the one in the header"
            ))
        }
        .into());
    }
    Ok(own.to_owned())
}

fn etag_of(document: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(document).ok()?;
    Some(document["_etag"].as_str()?.to_owned())
}

/// Reads the definition of a container to create: its name and its partition key.
pub(super) fn new_container(body: &[u8]) -> Option<(String, PartitionKeyDefinition)> {
    let definition: Value = serde_json::from_slice(body).ok()?;
    let name = definition["id"].as_str()?.to_owned();
    let key = serde_json::from_value(definition["partitionKey"].clone()).ok()?;
    Some((name, key))
}

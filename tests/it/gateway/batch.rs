//! Transactional batches: upserts of one partition key, all of them or none; or one read, replacement or deletion.

use std::collections::HashSet;
use std::time::Instant;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::account::StoredContainer;
use super::change_log::{Operation, RawDocument, SystemFields, Write};
use super::items::{self, ItemAnswer, ItemRequest, WriteRecord, charge_of, identify, key_of};

/// The largest number of operations and the largest body of a request.
const MAX_OPERATIONS: usize = 100;
const MAX_BYTES: usize = 2 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AskedOperation<'a> {
    operation_type: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    if_match: Option<String>,
    #[serde(borrow, default)]
    resource_body: Option<&'a RawValue>,
}

/// The answer to a batch.
pub(super) struct BatchAnswer {
    pub(super) status: u16,
    pub(super) body: Bytes,
    pub(super) lsn: Option<u64>,
    pub(super) charge_hundredths: u64,
    pub(super) violation: Option<String>,
    pub(super) writes: Vec<WriteRecord>,
}

impl From<ItemAnswer> for BatchAnswer {
    fn from(refusal: ItemAnswer) -> Self {
        Self {
            status: refusal.status,
            body: refusal.body,
            lsn: None,
            charge_hundredths: refusal.charge_hundredths,
            violation: refusal.violation,
            writes: Vec::new(),
        }
    }
}

/// Answers a batch of one read, replacement or deletion, which has the id in its body.
fn carry_out_one(
    container: &mut StoredContainer,
    asked: &AskedOperation<'_>,
    partition_key: &str,
    now: u64,
) -> Result<BatchAnswer, Box<ItemAnswer>> {
    let document = asked.resource_body.map(|body| body.get().as_bytes());
    let request = match (asked.operation_type.as_str(), document) {
        ("Read", None) => ItemRequest::Read,
        ("Replace", Some(text)) => ItemRequest::Replace(Bytes::copy_from_slice(text)),
        ("Delete", None) => ItemRequest::Delete,
        (other, _) => {
            let message = format!("a batch with {other} is not served");
            return Err(ItemAnswer::violation(message).into());
        }
    };
    let is_read = matches!(request, ItemRequest::Read);
    let answered = items::answer(
        container,
        request,
        asked.id.as_deref(),
        Some(partition_key),
        asked.if_match.as_deref(),
        now,
    );
    if answered.violation.is_some() {
        return Err(answered.into());
    }
    let mut result = json!({
        "statusCode": answered.status,
        "requestCharge": answered.charge_hundredths as f64 / 100.0,
    });
    if answered.status == 200 {
        result["eTag"] = answered.etag.into();
    }
    if answered.status == 200 && is_read {
        // By text, since a document may have numbers that no `Value` has.
        result["resourceBody"] = "@".into();
    }
    let document = String::from_utf8_lossy(&answered.body);
    let body = json!([result]).to_string().replace("\"@\"", &document);
    Ok(BatchAnswer {
        status: if answered.status < 300 { 200 } else { 207 },
        body: body.into(),
        lsn: answered.lsn,
        charge_hundredths: answered.charge_hundredths,
        violation: None,
        writes: answered.write.into_iter().collect(),
    })
}

/// Answers a batch of upserts; other operations are not served.
pub(super) fn answer(
    container: &mut StoredContainer,
    body: &Bytes,
    partition_key: Option<&str>,
    now: u64,
) -> BatchAnswer {
    match carry_out(container, body, partition_key, now) {
        Ok(answer) => answer,
        Err(refusal) => (*refusal).into(),
    }
}

fn carry_out(
    container: &mut StoredContainer,
    body: &Bytes,
    partition_key: Option<&str>,
    now: u64,
) -> Result<BatchAnswer, Box<ItemAnswer>> {
    let violation = |message: String| Box::new(ItemAnswer::violation(message));
    if body.len() > MAX_BYTES {
        let message = "Request size is too large";
        return Err(ItemAnswer::error(413, "RequestEntityTooLarge", message).into());
    }
    let asked: Vec<AskedOperation<'_>> =
        serde_json::from_slice(body).map_err(|error| violation(format!("no batch: {error}")))?;
    if asked.is_empty() || asked.len() > MAX_OPERATIONS {
        return Err(violation(format!("a batch of {} operations", asked.len())));
    }
    let partition_key =
        partition_key.ok_or_else(|| violation("a batch without a partition key".to_owned()))?;
    let key = key_of(container, partition_key)?;
    if let [one] = asked.as_slice()
        && one.operation_type != "Upsert"
    {
        return carry_out_one(container, one, partition_key, now);
    }
    let epk = container.log.epk_of(&key);
    let mut writes = Vec::with_capacity(asked.len());
    let mut records = Vec::with_capacity(asked.len());
    let mut written = HashSet::new();
    let mut refused = None;
    for (index, operation) in asked.iter().enumerate() {
        if operation.operation_type != "Upsert" {
            let message = format!("a batch with {} is not served", operation.operation_type);
            return Err(violation(message));
        }
        let Some(document) = operation.resource_body else {
            return Err(violation("an upsert without a document".to_owned()));
        };
        let text = Bytes::copy_from_slice(document.get().as_bytes());
        let id = identify(container, &text, None, &key)?;
        if let Some(status) = container.refused.get(&id) {
            refused.get_or_insert((index, *status));
        }
        let is_there = container.log.current(&epk, &id).is_some();
        let replaces = !written.insert(id.clone()) || is_there;
        records.push(WriteRecord {
            at: Instant::now(),
            container: container.rid.clone(),
            partition_key: partition_key.to_owned(),
            id: id.clone(),
            operation: match replaces {
                true => Operation::Replace,
                false => Operation::Create,
            },
            body: text.clone(),
            charge_hundredths: charge_of(&text),
        });
        writes.push(Write {
            document: RawDocument {
                id,
                partition_key: key.clone(),
                text,
                system_fields: SystemFields::Spliced,
            },
            delete: None,
        });
    }
    let result = |status: u16, charge: u64| json!({"statusCode": status, "requestCharge": charge as f64 / 100.0});
    if let Some((at, status)) = refused {
        let status_of = |index| if index == at { status } else { 424 };
        let results = (0..asked.len()).map(|index| result(status_of(index), 0));
        return Ok(BatchAnswer {
            status: 207,
            body: Value::from_iter(results).to_string().into(),
            lsn: None,
            charge_hundredths: 124,
            violation: None,
            writes: Vec::new(),
        });
    }
    let results = records.iter().map(|record| {
        let is_new = matches!(record.operation, Operation::Create);
        result(if is_new { 201 } else { 200 }, record.charge_hundredths)
    });
    let body = Value::from_iter(results).to_string().into();
    Ok(BatchAnswer {
        status: 200,
        body,
        lsn: Some(container.log.apply(writes, now)),
        charge_hundredths: records.iter().map(|record| record.charge_hundredths).sum(),
        violation: None,
        writes: records,
    })
}

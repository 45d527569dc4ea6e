//! Transactional batches: operations of one partition key in one request, all of them or none.
//!
//! Upserts are sent together for speed. A read, a replacement or a deletion is sent as a batch of one if its id does not
//! fit a URL: in a batch the id is in the body.

use std::time::Duration;

use azure_core::http::StatusCode;
use azure_data_cosmos_driver::models::{CosmosOperation, PartitionKey, ResponseBody};
use azure_data_cosmos_driver::options::ContentResponseOnWrite;
use azure_data_cosmos_driver::{CosmosError, CosmosStatus};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::client::CosmosClient;
use super::items::{
    DEFAULT_RETRY_AFTER, ItemAddress, ItemAnswer, ItemOutcome, ItemRequest, charge_of, not_done,
};

/// Maximum size of the documents in a batch, in bytes. The service accepts requests of 2 MB, which
/// includes what the batch adds to each document.
pub const MAX_BATCH_BYTES: usize = 1 << 20;

/// An operation on an item that exists.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Operation<'a> {
    operation_type: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    if_match: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_body: Option<&'a RawValue>,
}

/// The result of one operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OperationResult<'a> {
    status_code: u16,
    #[serde(default)]
    sub_status_code: Option<u16>,
    #[serde(default)]
    retry_after_milliseconds: Option<f64>,
    #[serde(default)]
    e_tag: Option<String>,
    #[serde(default, borrow)]
    resource_body: Option<&'a RawValue>,
}

impl OperationResult<'_> {
    /// The pause that the service asks for after throttling.
    fn pause(&self) -> Duration {
        let milliseconds = self.retry_after_milliseconds;
        let pause = milliseconds.and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok());
        pause.unwrap_or(DEFAULT_RETRY_AFTER)
    }
}

impl CosmosClient {
    /// Creates or replaces `documents`, which have the partition key `key`, in their order: all of
    /// them ([`ItemOutcome::WrittenTogether`]) or none. Makes one attempt, like
    /// [`CosmosClient::item`].
    ///
    /// After [`ItemOutcome::Refused`] the service may still accept each of them on its own.
    pub async fn upsert_together(&self, key: &PartitionKey, documents: &[&[u8]]) -> ItemAnswer {
        let operation = CosmosOperation::batch(self.container().clone(), key.clone())
            .with_body(body_of(documents));
        let content = ContentResponseOnWrite::Disabled;
        match self.ask_once(operation, content).await {
            Ok(response) => ItemAnswer {
                request_charge: charge_of(&response),
                outcome: match response.into_body() {
                    ResponseBody::Bytes(body) => outcome_of(&body, documents.len()),
                    _ => outcome_of(b"", documents.len()),
                },
            },
            Err(error) => ItemAnswer {
                request_charge: error.response().map_or(0.0, charge_of),
                outcome: match not_done(error, ItemRequest::Upsert(b"")) {
                    ItemOutcome::Conflict(reason) => ItemOutcome::Refused(reason),
                    other => other,
                },
            },
        }
    }

    /// Reads, replaces or deletes an item by a batch. Makes one attempt, like [`CosmosClient::item`].
    pub(super) async fn item_by_body(
        &self,
        item: &ItemAddress,
        request: ItemRequest<'_>,
    ) -> ItemAnswer {
        let any = |etag: &&str| *etag != "*";
        let (operation_type, if_match, text) = match request {
            ItemRequest::Delete(etag) => ("Delete", etag.filter(any), None),
            ItemRequest::Replace(text, etag) => ("Replace", Some(etag).filter(any), Some(text)),
            _ => ("Read", None, None),
        };
        let Ok(resource_body) = text.map(serde_json::from_slice).transpose() else {
            return ItemAnswer {
                outcome: ItemOutcome::Refused("it is not JSON".to_owned()),
                request_charge: 0.0,
            };
        };
        let content = match request {
            ItemRequest::Replace(..) => ContentResponseOnWrite::Disabled,
            _ => ContentResponseOnWrite::Enabled,
        };
        let operation = Operation {
            operation_type,
            id: &item.id,
            if_match,
            resource_body,
        };
        let body = serde_json::to_vec(&[operation]).expect("text is JSON");
        let operation =
            CosmosOperation::batch(self.container().clone(), item.key.clone()).with_body(body);
        match self.ask_once(operation, content).await {
            Ok(response) => ItemAnswer {
                request_charge: charge_of(&response),
                outcome: match response.into_body() {
                    ResponseBody::Bytes(body) => outcome_of_one(&body, request),
                    _ => outcome_of_one(b"", request),
                },
            },
            Err(error) => ItemAnswer {
                request_charge: error.response().map_or(0.0, charge_of),
                outcome: match not_done(error, request) {
                    ItemOutcome::Refused(reason) => ItemOutcome::Refused(format!(
                        "the id does not fit a URL, and the service refuses to {} it in a batch: {reason}",
                        operation_type.to_ascii_lowercase()
                    )),
                    other => other,
                },
            },
        }
    }
}

/// The outcome of a batch with one read, replacement or deletion.
fn outcome_of_one(body: &[u8], request: ItemRequest<'_>) -> ItemOutcome {
    let results: Vec<OperationResult<'_>> = serde_json::from_slice(body).unwrap_or_default();
    let [result] = results.as_slice() else {
        return ItemOutcome::Failed(failure(
            CosmosStatus::new(StatusCode::BadGateway),
            "the answer to a batch of one operation does not have one result",
        ));
    };
    match (request, result.status_code, result.resource_body) {
        (ItemRequest::Read, 200, Some(document)) => ItemOutcome::Read(
            Bytes::copy_from_slice(document.get().as_bytes()),
            result.e_tag.clone(),
        ),
        (ItemRequest::Replace(..), 200, _) => ItemOutcome::Replaced(result.e_tag.clone()),
        (ItemRequest::Delete(_), 204, _) => ItemOutcome::Deleted,
        (_, 429, _) => ItemOutcome::Throttled(result.pause()),
        (_, status, _) => {
            let mut code = CosmosStatus::new(StatusCode::from(status));
            if let Some(sub_status) = result.sub_status_code.filter(|one| *one != 0) {
                code = code.with_sub_status(sub_status);
            }
            let message = format!("status {status} for the operation of a batch");
            not_done(failure(code, &message), request)
        }
    }
}

fn failure(status: CosmosStatus, message: &str) -> CosmosError {
    CosmosError::builder()
        .with_status(status)
        .with_message(message.to_owned())
        .build()
}

/// The operations as a JSON array. The documents are copied into it unchanged.
fn body_of(documents: &[&[u8]]) -> Vec<u8> {
    const BEFORE: &[u8] = br#"{"operationType":"Upsert","resourceBody":"#;
    let bytes: usize = documents.iter().map(|document| document.len()).sum();
    let mut body = Vec::with_capacity(bytes + documents.len() * (BEFORE.len() + 2) + 2);
    body.push(b'[');
    for (index, document) in documents.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(BEFORE);
        body.extend_from_slice(document);
        body.push(b'}');
    }
    body.push(b']');
    body
}

/// The outcome of a batch of `count` upserts. If one fails, all others fail with 424. An answer without a
/// result for each of them counts as a refusal, after which each is written on its own, which is safe.
fn outcome_of(body: &[u8], count: usize) -> ItemOutcome {
    let results: Vec<OperationResult<'_>> = match serde_json::from_slice(body) {
        Ok(results) => results,
        Err(error) => {
            return ItemOutcome::Refused(format!(
                "the answer to a batch cannot be parsed: {error}"
            ));
        }
    };
    let created: Vec<bool> = results
        .iter()
        .filter(|result| matches!(result.status_code, 200 | 201))
        .map(|result| result.status_code == 201)
        .collect();
    if created.len() == count && results.len() == count {
        return ItemOutcome::WrittenTogether(created);
    }
    if let Some(throttled) = results.iter().find(|result| result.status_code == 429) {
        return ItemOutcome::Throttled(throttled.pause());
    }
    let failed = results.iter().find(|result| result.status_code != 424);
    ItemOutcome::Refused(match failed {
        Some(failed) if failed.status_code == 413 => {
            return ItemOutcome::TooLarge("status 413 for one of a batch".to_owned());
        }
        Some(failed) => format!("status {} for one of a batch", failed.status_code),
        None => format!("{} results for a batch of {count}", results.len()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cosmos::error::{Verdict, verdict};

    #[test]
    fn documents_are_copied_into_the_body_unchanged() {
        let documents: [&[u8]; 2] = [br#"{"id":"1","n":1.50}"#, b"{ }"];
        let body = body_of(&documents);
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            r#"[{"operationType":"Upsert","resourceBody":{"id":"1","n":1.50}},{"operationType":"Upsert","resourceBody":{ }}]"#
        );
        assert_eq!(
            serde_json::from_slice::<Value>(&body_of(&[])).unwrap(),
            json!([])
        );
    }

    #[test]
    fn a_batch_is_written_only_if_every_operation_succeeded() {
        let outcome = |statuses: Value, count| outcome_of(statuses.to_string().as_bytes(), count);
        let of = |statuses: &[u16]| -> Value {
            statuses
                .iter()
                .map(|status| json!({"statusCode": status, "requestCharge": 6.29}))
                .collect()
        };
        assert!(matches!(
            outcome(of(&[201, 200]), 2),
            ItemOutcome::WrittenTogether(created) if created == [true, false]
        ));
        for (results, count) in [
            (of(&[201]), 2),
            (of(&[201, 201, 201]), 2),
            (of(&[424, 409]), 2),
            (of(&[201, 424]), 2),
            (of(&[201, 201, 409]), 2),
            (json!({"message": "no"}), 1),
        ] {
            let outcome = outcome(results.clone(), count);
            assert!(
                matches!(outcome, ItemOutcome::Refused(_)),
                "{results}: {outcome:?}"
            );
        }
        assert!(matches!(outcome_of(b"", 1), ItemOutcome::Refused(_)));
    }

    #[test]
    fn the_outcome_of_one_operation_is_that_of_its_result() {
        let outcome = |request: ItemRequest<'_>, results: Value| {
            outcome_of_one(results.to_string().as_bytes(), request)
        };
        let delete = ItemRequest::Delete(None);
        let of = |status: u16| {
            outcome(
                delete,
                json!([{"statusCode": status, "requestCharge": 1.0}]),
            )
        };
        let read = br#"[{"statusCode":200,"eTag":"\"e\"","resourceBody":{"id":"a/b","n":1.10}}]"#;
        assert!(matches!(
            outcome_of_one(read, ItemRequest::Read),
            ItemOutcome::Read(json, Some(etag)) if json == r#"{"id":"a/b","n":1.10}"# && etag == "\"e\""
        ));
        // Some servers answer with the document although it was not asked for.
        let replace = ItemRequest::Replace(b"{}", "e");
        assert!(matches!(
            outcome_of_one(read, replace),
            ItemOutcome::Replaced(Some(etag)) if etag == "\"e\""
        ));
        let bare = json!([{"statusCode": 200, "subStatusCode": 0}]);
        assert!(matches!(
            outcome(replace, bare),
            ItemOutcome::Replaced(None)
        ));
        let full = json!([{"statusCode": 403, "subStatusCode": 1014}]);
        assert!(matches!(outcome(replace, full), ItemOutcome::Refused(_)));
        assert!(matches!(of(204), ItemOutcome::Deleted));
        assert!(matches!(of(404), ItemOutcome::NotFound));
        assert!(matches!(of(409), ItemOutcome::Conflict(_)));
        assert!(matches!(of(412), ItemOutcome::Changed));
        assert!(matches!(of(413), ItemOutcome::TooLarge(_)));
        assert!(matches!(of(429), ItemOutcome::Throttled(_)));
        assert!(matches!(of(400), ItemOutcome::Refused(_)));
        // Such answers are requested again.
        for transient in [
            of(449),
            of(503),
            outcome(delete, json!([{"statusCode": 404, "subStatusCode": 1002}])),
            outcome(delete, json!([])),
            outcome_of_one(b"<html>", delete),
        ] {
            let ItemOutcome::Failed(error) = transient else {
                panic!("{transient:?}");
            };
            assert!(matches!(verdict(&error), Verdict::Transient { .. }));
        }
    }

    #[test]
    fn a_throttled_operation_throttles_the_batch() {
        let results =
            json!([{"statusCode": 424}, {"statusCode": 429, "retryAfterMilliseconds": 250}]);
        let outcome = outcome_of(results.to_string().as_bytes(), 2);
        assert!(
            matches!(outcome, ItemOutcome::Throttled(pause) if pause == Duration::from_millis(250)),
            "{outcome:?}"
        );
        let results = json!([{"statusCode": 429, "retryAfterMilliseconds": -1.0}]);
        let outcome = outcome_of(results.to_string().as_bytes(), 1);
        assert!(matches!(outcome, ItemOutcome::Throttled(pause) if pause == DEFAULT_RETRY_AFTER));
    }
}

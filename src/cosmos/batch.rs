//! Transactional batches: many upserts of one partition key in one request, all of them or none.

use std::time::Duration;

use azure_data_cosmos_driver::models::{CosmosOperation, PartitionKey, ResponseBody};
use serde::Deserialize;

use super::client::CosmosClient;
use super::items::{
    DEFAULT_RETRY_AFTER, ItemAnswer, ItemOutcome, ItemRequest, charge_of, not_done,
};

/// Maximum size of the documents in a batch, in bytes. The service accepts requests of 2 MB, which
/// includes what the batch adds to each document.
pub const MAX_BATCH_BYTES: usize = 1 << 20;

/// The result of one operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OperationResult {
    status_code: u16,
    #[serde(default)]
    retry_after_milliseconds: Option<f64>,
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
        match self.ask_once(operation).await {
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
    let results: Vec<OperationResult> = match serde_json::from_slice(body) {
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
        let milliseconds = throttled.retry_after_milliseconds;
        let pause = milliseconds.and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok());
        return ItemOutcome::Throttled(pause.unwrap_or(DEFAULT_RETRY_AFTER));
    }
    let failed = results.iter().find(|result| result.status_code != 424);
    ItemOutcome::Refused(match failed {
        Some(failed) => format!("status {} for one of a batch", failed.status_code),
        None => format!("{} results for a batch of {count}", results.len()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

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

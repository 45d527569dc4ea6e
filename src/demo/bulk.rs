//! Batches of operations that are no transaction: the bulk mode of clients.
//!
//! A client collects operations on many partition keys of one partition, and sends them as one request. Each
//! succeeds or fails on its own. The emulator has transactional batches only, so here each operation becomes
//! a request.

use azure_core::http::Method;
use azure_core::http::headers::{HeaderName, Headers};
use bytes::Bytes;
use percent_encoding::utf8_percent_encode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::Answer;
use super::host::Service;
use super::patch;
use super::rid::ESCAPED;

const IS_BATCH: HeaderName = HeaderName::from_static("x-ms-cosmos-is-batch-request");
const CONTINUES_ON_ERROR: HeaderName =
    HeaderName::from_static("x-ms-cosmos-batch-continue-on-error");
const PARTITION_KEY: HeaderName = HeaderName::from_static("x-ms-documentdb-partitionkey");
const RANGE_ID: HeaderName = HeaderName::from_static("x-ms-documentdb-partitionkeyrangeid");
const SUBSTATUS: HeaderName = HeaderName::from_static("x-ms-substatus");
const CHARGE: HeaderName = HeaderName::from_static("x-ms-request-charge");
const RETRY_AFTER: HeaderName = HeaderName::from_static("x-ms-retry-after-ms");
const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-ms-session-token");
const ETAG: HeaderName = HeaderName::from_static("etag");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The service's limit for the operations of a request.
const MAX_OPERATIONS: usize = 100;

/// The status of operations after one that failed, if the client does not want to continue.
const FAILED_DEPENDENCY: u16 = 424;

/// An operation of a request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation<'a> {
    operation_type: String,
    id: Option<String>,
    /// The value of the header, a JSON array.
    partition_key: Option<String>,
    #[serde(borrow)]
    resource_body: Option<&'a RawValue>,
    if_match: Option<String>,
    if_none_match: Option<String>,
    #[serde(default)]
    minimal_return_preference: bool,
}

/// The result of an operation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_status_code: Option<u32>,
    request_charge: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_milliseconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e_tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_body: Option<Box<RawValue>>,
}

impl Outcome {
    fn of(answer: &Answer) -> Self {
        let header = |name: &HeaderName| answer.headers.get_optional_str(name);
        let is_success = (200..300).contains(&answer.status);
        Self {
            status_code: answer.status,
            sub_status_code: header(&SUBSTATUS).and_then(|code| code.parse().ok()),
            request_charge: header(&CHARGE)
                .and_then(|charge| charge.parse().ok())
                .unwrap_or(0.0),
            retry_after_milliseconds: header(&RETRY_AFTER).and_then(|pause| pause.parse().ok()),
            e_tag: header(&ETAG).map(str::to_owned),
            resource_body: std::str::from_utf8(&answer.body)
                .ok()
                .filter(|body| is_success && !body.is_empty())
                .and_then(|body| RawValue::from_string(body.to_owned()).ok()),
        }
    }

    fn not_executed() -> Self {
        Self {
            status_code: FAILED_DEPENDENCY,
            sub_status_code: None,
            request_charge: 0.0,
            retry_after_milliseconds: None,
            e_tag: None,
            resource_body: None,
        }
    }
}

/// Whether a request is such a batch. A transactional one is for one partition key, which a header names.
fn is_bulk(method: Method, headers: &Headers) -> bool {
    method == Method::Post
        && headers
            .get_optional_str(&IS_BATCH)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
        && headers.get_optional_str(&PARTITION_KEY).is_none()
}

impl Service {
    /// Executes a batch at `path`, which is that of the documents of a container; `None` if the request is
    /// none, or a transaction.
    ///
    /// # Errors
    ///
    /// If the emulator fails.
    pub(super) async fn bulk(
        &self,
        method: Method,
        path: &str,
        headers: &Headers,
        body: &[u8],
    ) -> anyhow::Result<Option<Answer>> {
        if !is_bulk(method, headers) {
            return Ok(None);
        }
        let operations: Vec<Operation<'_>> = match serde_json::from_slice(body) {
            Ok(operations) => operations,
            Err(error) => {
                let message = format!("Invalid batch JSON body: {error}");
                return Ok(Some(Answer::error(400, "BadRequest", &message)));
            }
        };
        if operations.len() > MAX_OPERATIONS {
            let message = format!("Batch request cannot exceed {MAX_OPERATIONS} operations");
            return Ok(Some(Answer::error(400, "BadRequest", &message)));
        }
        if let Some(id) = headers.get_optional_str(&RANGE_ID)
            && let Some(refusal) = self.refuse_range(path, id).await?
        {
            return Ok(Some(refusal));
        }
        let continues = headers
            .get_optional_str(&CONTINUES_ON_ERROR)
            .is_none_or(|value| value.eq_ignore_ascii_case("true"));
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(operations.len());
        // Of the last answer that has one, the session token is the newest of the partition.
        let mut last = Headers::new();
        let mut has_failed = false;
        for operation in &operations {
            if has_failed && !continues {
                outcomes.push(Outcome::not_executed());
                continue;
            }
            let answer = self.operation(path, headers, operation).await?;
            has_failed |= answer.status >= 300;
            outcomes.push(Outcome::of(&answer));
            if answer.headers.get_optional_str(&SESSION_TOKEN).is_some() {
                last = answer.headers;
            }
        }
        last.remove(ETAG);
        last.remove(SUBSTATUS);
        last.insert("content-type", "application/json");
        let charge: f64 = outcomes.iter().map(|outcome| outcome.request_charge).sum();
        last.insert(CHARGE, format!("{charge:.2}"));
        Ok(Some(Answer {
            status: if has_failed { 207 } else { 200 },
            headers: last,
            body: serde_json::to_vec(&outcomes)?.into(),
        }))
    }

    /// The refusal of a batch for a partition that was split or merged, as the client will learn from it.
    async fn refuse_range(&self, path: &str, id: &str) -> anyhow::Result<Option<Answer>> {
        let ranges = format!("{}/pkranges", path.trim_end_matches("/docs"));
        let answer = self
            .execute(Method::Get, &ranges, None, Headers::new(), Bytes::new())
            .await?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        // A container that does not exist is refused by each operation.
        let Some(ranges) = body["PartitionKeyRanges"].as_array() else {
            return Ok(Some(answer));
        };
        if ranges.iter().any(|range| range["id"] == id) {
            return Ok(None);
        }
        let mut gone = Answer::error(
            410,
            "Gone",
            "The partition key range does not exist anymore",
        );
        gone.headers.insert(SUBSTATUS, "1002");
        Ok(Some(gone))
    }

    /// Executes an operation with the headers of the whole request.
    async fn operation(
        &self,
        path: &str,
        headers: &Headers,
        operation: &Operation<'_>,
    ) -> anyhow::Result<Answer> {
        let mut headers = headers.clone();
        for name in [
            IS_BATCH,
            RANGE_ID,
            "if-match".into(),
            "if-none-match".into(),
        ] {
            headers.remove(name);
        }
        if let Some(key) = &operation.partition_key {
            headers.insert(PARTITION_KEY, key.clone());
        }
        if let Some(etag) = &operation.if_match {
            headers.insert("if-match", etag.clone());
        }
        if let Some(etag) = &operation.if_none_match {
            headers.insert("if-none-match", etag.clone());
        }
        if operation.minimal_return_preference {
            headers.insert(PREFER, "return=minimal");
        }
        let body = operation.resource_body.map(RawValue::get);
        let mut body = Bytes::from(body.unwrap_or_default().to_owned());
        let id = operation.id.as_deref().unwrap_or_default();
        let item = format!("{path}/{}", utf8_percent_encode(id, ESCAPED));
        let (method, path) = match operation.operation_type.as_str() {
            "Create" => (Method::Post, path),
            "Upsert" => {
                headers.insert("x-ms-documentdb-is-upsert", "true");
                (Method::Post, path)
            }
            _ if id.is_empty() => {
                let message = "An operation on an item needs its id";
                return Ok(Answer::error(400, "BadRequest", message));
            }
            "Replace" => (Method::Put, item.as_str()),
            "Read" => (Method::Get, item.as_str()),
            "Delete" => (Method::Delete, item.as_str()),
            "Patch" => {
                body = patch::with_member(body);
                (Method::Patch, item.as_str())
            }
            other => {
                let message = format!("`{other}` is no operation of a batch");
                return Ok(Answer::error(400, "BadRequest", &message));
            }
        };
        self.execute(method, path, None, headers, body).await
    }
}

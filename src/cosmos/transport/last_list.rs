//! Why the last list of a container's ranges could not be used, which the driver does not report.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use azure_core::http::StatusCode;
use azure_core::http::headers::HeaderName;
use azure_data_cosmos_driver::CosmosError;
use azure_data_cosmos_driver::error::CosmosStatus;
use azure_data_cosmos_driver::test::HttpResponse;
use serde_json::Value;

use super::range_list::ContainerName;
use crate::cosmos::error::{Verdict, describe, own_message, verdict};

const SUB_STATUS: HeaderName = HeaderName::from_static("x-ms-substatus");

/// Why a list could not be used.
#[derive(Debug)]
pub(in crate::cosmos) enum ListFault {
    /// The service refused it.
    Refused(Box<CosmosError>),
    /// It is not a list: what is wrong with it. Something in between may have sent it.
    Other(&'static str),
    /// It is a list, but not one that Cosmos DB sends: what is wrong with it.
    Unlike(String),
}

const UNLIKE: &str = "its list of partition key ranges is not one that Cosmos DB sends";

impl ListFault {
    /// What to do about it.
    pub(in crate::cosmos) fn verdict(&self) -> Verdict {
        match self {
            Self::Refused(refusal) => verdict(refusal),
            Self::Other(_) => Verdict::Transient { retry_after: None },
            Self::Unlike(_) => Verdict::Fatal,
        }
    }
}

impl fmt::Display for ListFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(
                f,
                "its list of partition key ranges is refused: {}",
                describe(refusal)
            ),
            Self::Other(why) => write!(f, "{UNLIKE}: {why}"),
            Self::Unlike(why) => write!(f, "{UNLIKE}: {why}"),
        }
    }
}

/// The faults of the last lists, of the containers whose list had one.
#[derive(Debug, Default)]
pub(in crate::cosmos) struct LastLists(Mutex<HashMap<ContainerName, ListFault>>);

impl LastLists {
    /// Notes an answer about a container; `None` if none came.
    pub(super) fn note(&self, name: ContainerName, answer: Option<&HttpResponse>) {
        // The list has not changed.
        if answer.is_some_and(|answer| answer.status == 304) {
            return;
        }
        let fault = answer.and_then(|answer| match answer.status {
            200..=299 => defect(&answer.body),
            _ => Some(ListFault::Refused(Box::new(refusal(answer)))),
        });
        match fault {
            Some(fault) => self.faults().insert(name, fault),
            None => self.faults().remove(&name),
        };
    }

    /// Takes the fault of a container.
    pub(in crate::cosmos) fn take(&self, name: &ContainerName) -> Option<ListFault> {
        self.faults().remove(name)
    }

    fn faults(&self) -> MutexGuard<'_, HashMap<ContainerName, ListFault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The service's error, in the form in which the driver would return it.
pub(super) fn refusal(answer: &HttpResponse) -> CosmosError {
    let mut status = CosmosStatus::new(StatusCode::from(answer.status));
    let sub_status = answer.headers.get_optional_str(&SUB_STATUS);
    if let Some(sub_status) = sub_status.and_then(|text| text.parse().ok()) {
        status = status.with_sub_status(sub_status);
    }
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let message = body.as_ref().and_then(|body| body["message"].as_str());
    let message = message.map(own_message).filter(|text| !text.is_empty());
    CosmosError::builder()
        .with_status(status)
        .with_message(message.unwrap_or("no reason is given").to_owned())
        .build()
}

/// What is wrong with a list; `None` if it is valid.
fn defect(body: &[u8]) -> Option<ListFault> {
    let Ok(list) = serde_json::from_slice::<Value>(body) else {
        return Some(ListFault::Other("it is not JSON"));
    };
    let Some(ranges) = list["PartitionKeyRanges"].as_array() else {
        return Some(ListFault::Other("it has no array `PartitionKeyRanges`"));
    };
    if ranges.is_empty() {
        return Some(ListFault::Other("it lists no ranges"));
    }
    for name in ["id", "minInclusive", "maxExclusive"] {
        for range in ranges {
            let found = match &range[name] {
                Value::String(_) => continue,
                Value::Null => {
                    return Some(ListFault::Unlike(format!("`{name}` of a range is missing")));
                }
                Value::Bool(_) => "a boolean",
                Value::Number(_) => "a number",
                Value::Array(_) => "an array",
                Value::Object(_) => "an object",
            };
            let why = format!("`{name}` of a range is {found}, not a string");
            return Some(ListFault::Unlike(why));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_cannot_be_used_is_named_by_its_fault() {
        for (body, expected) in [
            ("<html>", Some("it is not JSON")),
            ("{}", Some("it has no array `PartitionKeyRanges`")),
            (r#"{"PartitionKeyRanges":[]}"#, Some("it lists no ranges")),
            (
                r#"{"PartitionKeyRanges":[{"id":0,"minInclusive":"","maxExclusive":"FF"}]}"#,
                Some("`id` of a range is a number, not a string"),
            ),
            (
                r#"{"PartitionKeyRanges":[{"id":"0","minInclusive":""}]}"#,
                Some("`maxExclusive` of a range is missing"),
            ),
            (
                r#"{"PartitionKeyRanges":[{"id":"0","minInclusive":"","maxExclusive":"FF"}]}"#,
                None,
            ),
        ] {
            let found = defect(body.as_bytes()).map(|fault| fault.to_string());
            let expected = expected.map(|why| format!("{UNLIKE}: {why}"));
            assert_eq!(found, expected, "{body}");
        }
    }
}

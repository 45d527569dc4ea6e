//! The lists of an account, page by page to their end: databases, containers, offers.
//!
//! A list is whatever the service sends, so it is bounded: in pages, in entries, and in the time for a page.

use std::time::Duration;

use anyhow::anyhow;
use azure_data_cosmos_driver::models::{
    AccountReference, CosmosOperation, DatabaseReference, MaxItemCountHint, ResponseBody,
};
use azure_data_cosmos_driver::options::{OperationOptions, PlanOptions};
use azure_data_cosmos_driver::{CosmosDriver, CosmosError};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{ServiceError, Verdict, describe, verdict};
use super::hints::{cause_of, container_hint, unlike_hint};
use super::options::ConnectOptions;
use super::retry::Persistence;
use super::transport::Heard;
use crate::error::with_hint;

/// Deadline for one page, with the SDK's own retries.
const PAGE_DEADLINE: Duration = Duration::from_secs(20);
/// More pages come from something that repeats itself.
pub(super) const MAX_PAGES: usize = 10_000;
/// More entries than any account has.
const MAX_ENTRIES: usize = 1_000_000;
/// A longer name is not one of the service's.
const MAX_NAME: usize = 1024;

/// A list of the account.
#[derive(Debug, Clone, Copy)]
pub(super) enum List<'a> {
    /// The databases.
    Databases,
    /// The containers of a database.
    Containers(&'a str),
    /// The offers that a query selects, as the text and the value of its parameter `@rid`.
    Offers(&'a str, Option<&'a str>),
}

impl List<'_> {
    /// The member of a page that has its entries.
    fn member(self) -> &'static str {
        match self {
            Self::Databases => "Databases",
            Self::Containers(_) => "DocumentCollections",
            Self::Offers(..) => "Offers",
        }
    }

    fn operation(self, account: AccountReference) -> CosmosOperation {
        match self {
            Self::Databases => CosmosOperation::read_all_databases(account),
            Self::Containers(database) => CosmosOperation::read_all_containers(
                DatabaseReference::from_name(account, database.to_owned()),
            ),
            Self::Offers(query, rid) => {
                let parameters: Vec<serde_json::Value> = rid
                    .iter()
                    .map(|rid| serde_json::json!({ "name": "@rid", "value": rid }))
                    .collect();
                let body = serde_json::json!({ "query": query, "parameters": parameters });
                CosmosOperation::query_offers(account).with_body(body.to_string().into_bytes())
            }
        }
        .with_max_item_count(MaxItemCountHint::ServerDecides)
    }
}

/// Why there is no list.
#[derive(Debug)]
pub(super) enum ListError {
    /// The service, or the network, refused a page. It was tried so often.
    Refused(Box<CosmosError>, String),
    /// What the service sent is not a list, in words.
    Unusable(String),
}

impl From<CosmosError> for ListError {
    fn from(error: CosmosError) -> Self {
        Self::Refused(Box::new(error), String::new())
    }
}

impl ListError {
    /// The status of a refusal.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(error, _) => Some(u16::from(error.status().status_code())),
            Self::Unusable(_) => None,
        }
    }

    /// Whether the credential may not read the list.
    pub(super) fn is_denied(&self) -> bool {
        matches!(self, Self::Refused(error, _) if verdict(error) == Verdict::Denied)
    }

    /// In one line, without a hint.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Refused(error, _) => cause_of(error),
            Self::Unusable(reason) => reason.clone(),
        }
    }

    /// For the user, with a hint.
    pub(super) fn explain(self, options: &ConnectOptions, heard: &Heard) -> anyhow::Error {
        match self {
            Self::Refused(error, tries) => {
                let hint = container_hint(&error, options, heard);
                let explained = ServiceError::of(&error).with_text(cause_of(&error));
                let explained = with_hint(explained, hint);
                if tries.is_empty() {
                    explained
                } else {
                    explained.context(tries)
                }
            }
            Self::Unusable(reason) => with_hint(anyhow!(reason), unlike_hint(&options.endpoint)),
        }
    }
}

/// The name and the resource id of an entry, and all of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) rid: String,
    /// The definition as the service sent it.
    pub(super) definition: Box<RawValue>,
}

/// The entries of a list, in the order of the service. Transient errors are retried page by page.
pub(super) async fn read(
    driver: &CosmosDriver,
    list: List<'_>,
    options: OperationOptions,
    what: &str,
    persistence: &Persistence,
) -> Result<Vec<Entry>, ListError> {
    let operation = list.operation(driver.account().clone());
    let plan_options = PlanOptions::default();
    let planned = driver.plan_operation(operation, &options, None, &plan_options);
    let mut plan = Box::pin(planned).await?;
    let mut entries = Vec::new();
    let mut retries = persistence.retries();
    let mut last_continuation = None;
    let mut pages = 0;
    loop {
        let page = Box::pin(driver.execute_plan(&mut plan, None, options.clone()));
        let response = match tokio::time::timeout(PAGE_DEADLINE, page).await {
            Ok(Ok(Some(response))) => response,
            Ok(Ok(None)) => return Ok(entries),
            Ok(Err(error)) => {
                let tried = retries.clone();
                if let Verdict::Transient { retry_after } = verdict(&error)
                    && let Some(notice) = retries.again(retry_after, || describe(&error))
                {
                    persistence.pause(what, &notice).await;
                    continue;
                }
                return Err(ListError::Refused(Box::new(error), tried.tries()));
            }
            Err(_) => {
                let seconds = PAGE_DEADLINE.as_secs();
                let reason = format!("no answer within {seconds} s");
                return Err(ListError::Unusable(reason));
            }
        };
        retries.reset();
        pages += 1;
        let continuation = response.headers().continuation.clone();
        let body = match response.into_body() {
            ResponseBody::Bytes(body) => body,
            ResponseBody::NoPayload | ResponseBody::Items(_) => {
                return Err(ListError::Unusable("a page came without a body".to_owned()));
            }
        };
        entries.extend(entries_of(list.member(), &body)?);
        let is_endless = (continuation.is_some() && continuation == last_continuation)
            || pages >= MAX_PAGES
            || entries.len() > MAX_ENTRIES;
        if is_endless {
            return Err(ListError::Unusable("the list does not end".to_owned()));
        }
        last_continuation = continuation;
    }
}

/// The entries of a page.
pub(super) fn entries_of(member: &str, body: &[u8]) -> Result<Vec<Entry>, ListError> {
    #[derive(Deserialize)]
    struct Head {
        id: String,
        #[serde(rename = "_rid")]
        rid: String,
    }
    type Members<'a> = std::collections::HashMap<&'a str, &'a RawValue>;
    let unusable = |what: &str| ListError::Unusable(format!("the answer is not a list: {what}"));
    let members: Members<'_> =
        serde_json::from_slice(body).map_err(|_| unusable("it is not a JSON object"))?;
    let list = members
        .get(member)
        .ok_or_else(|| unusable(&format!("it has no `{member}`")))?;
    let list: Vec<Box<RawValue>> = serde_json::from_str(list.get())
        .map_err(|_| unusable(&format!("`{member}` is not an array")))?;
    let entry = |definition: Box<RawValue>| {
        let head: Option<Head> = serde_json::from_str(definition.get()).ok();
        let head = head.filter(|head| !head.id.is_empty() && head.id.len() <= MAX_NAME);
        let Head { id, rid } =
            head.ok_or_else(|| unusable(&format!("an entry of `{member}` has no id")))?;
        Ok(Entry {
            name: id,
            rid,
            definition,
        })
    };
    let entries: Vec<Entry> = list
        .into_iter()
        .map(entry)
        .collect::<Result<_, ListError>>()?;
    let count = members.get("_count");
    let count: Option<usize> = count.and_then(|count| serde_json::from_str(count.get()).ok());
    match count.filter(|count| *count > entries.len()) {
        Some(count) => Err(unusable(&format!(
            "it has {} of the {count} entries that it counts",
            entries.len()
        ))),
        None => Ok(entries),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str) -> Result<Vec<String>, String> {
        entries_of("Databases", body.as_bytes())
            .map(|entries| entries.into_iter().map(|entry| entry.name).collect())
            .map_err(|error| error.text())
    }

    #[test]
    fn a_page_has_entries_or_the_reason_why_it_is_no_page() {
        let page = r#"{"_rid":"","Databases":[{"id":"a","_rid":"x"},{"_rid":"y","id":"b","more":1}],"_count":2}"#;
        assert_eq!(names(page).unwrap(), ["a", "b"]);
        assert_eq!(names(r#"{"Databases":[]}"#).unwrap(), Vec::<String>::new());
        for (body, reason) in [
            ("", "not a JSON object"),
            ("<html>", "not a JSON object"),
            ("[]", "not a JSON object"),
            ("{}", "no `Databases`"),
            (r#"{"Databases":null}"#, "not an array"),
            (r#"{"Databases":{}}"#, "not an array"),
            (r#"{"Databases":[1]}"#, "no id"),
            (r#"{"Databases":[{"id":7,"_rid":"x"}]}"#, "no id"),
            (r#"{"Databases":[{"id":"","_rid":"x"}]}"#, "no id"),
            (r#"{"Databases":[{"id":"a"}]}"#, "no id"),
            (
                r#"{"Databases":[{"id":"a","_rid":"x"}],"_count":2}"#,
                "1 of the 2 entries",
            ),
        ] {
            let found = names(body).unwrap_err();
            assert!(found.contains(reason), "{body}: {found}");
        }
    }
}

//! Point operations on the items of a container.

use std::time::Duration;

use azure_core::http::Etag;
use azure_data_cosmos_driver::CosmosError;
use azure_data_cosmos_driver::models::{
    CosmosOperation, CosmosResponse, ItemReference, PartitionKey, Precondition, ResponseBody,
};
use azure_data_cosmos_driver::options::{
    ContentResponseOnWrite, OperationOptions, ThrottlingRetryOptions,
};
use bytes::Bytes;

use super::client::CosmosClient;
use super::error::{Verdict, describe, verdict};

/// Which item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ItemAddress {
    /// Its partition key.
    pub key: PartitionKey,
    /// Its id.
    pub id: String,
}

/// What to do with an item.
#[derive(Debug, Clone, Copy)]
pub enum ItemRequest<'a> {
    /// Read it.
    Read,
    /// Create or replace it with this JSON text.
    Upsert(&'a [u8]),
    /// Create it with this JSON text.
    Create(&'a [u8]),
    /// Replace it with this JSON text if it still has this ETag.
    Replace(&'a [u8], &'a str),
    /// Delete it; if an ETag is given, only if it still has that.
    Delete(Option<&'a str>),
}

/// What became of a request.
#[derive(Debug)]
pub enum ItemOutcome {
    /// It was read: its JSON text, and its ETag if the answer has it.
    Read(Bytes, Option<String>),
    /// It was created, with this ETag if the answer has it.
    Created(Option<String>),
    /// It was replaced, with this ETag if the answer has it.
    Replaced(Option<String>),
    /// All items of a batch were written: for each, whether it was created.
    WrittenTogether(Vec<bool>),
    /// It was deleted.
    Deleted,
    /// The item does not exist.
    NotFound,
    /// Another item has the same id or unique key: the service's message.
    Conflict(String),
    /// It has a different ETag.
    Changed,
    /// The request rate is too large: the pause that the service asks for.
    Throttled(Duration),
    /// The request, or the item, is larger than the service accepts: its message.
    TooLarge(String),
    /// The service does not accept this item, now or later: its message.
    Refused(String),
    /// Any other error.
    Failed(CosmosError),
}

/// The answer of the service to a request for an item.
#[derive(Debug)]
pub struct ItemAnswer {
    /// What became of the request.
    pub outcome: ItemOutcome,
    /// Request units charged for it.
    pub request_charge: f64,
}

/// The pause after throttling if the answer has no `Retry-After`.
pub(super) const DEFAULT_RETRY_AFTER: Duration = Duration::from_millis(100);

impl CosmosClient {
    /// Makes one attempt; the SDK retries only failures of the network and of partitions. Throttling is
    /// returned as an outcome, since the caller knows the order of the writes.
    pub async fn item(&self, item: &ItemAddress, request: ItemRequest<'_>) -> ItemAnswer {
        // These have the id in the body.
        let has_id_in_url = !matches!(request, ItemRequest::Upsert(_) | ItemRequest::Create(_));
        if has_id_in_url && !fits_url(&item.id) {
            return self.item_by_body(item, request).await;
        }
        let reference =
            ItemReference::from_name(self.container(), item.key.clone(), item.id.clone());
        let if_match = |etag: &str| Precondition::if_match(Etag::from(etag.to_owned()));
        let operation = match request {
            ItemRequest::Read => CosmosOperation::read_item(reference),
            ItemRequest::Upsert(json) => {
                CosmosOperation::upsert_item(reference).with_body(json.to_vec())
            }
            ItemRequest::Create(json) => {
                CosmosOperation::create_item(reference).with_body(json.to_vec())
            }
            ItemRequest::Replace(json, etag) => CosmosOperation::replace_item(reference)
                .with_body(json.to_vec())
                .with_precondition(if_match(etag)),
            ItemRequest::Delete(None) => CosmosOperation::delete_item(reference),
            ItemRequest::Delete(Some(etag)) => {
                CosmosOperation::delete_item(reference).with_precondition(if_match(etag))
            }
        };
        match self
            .ask_once(operation, ContentResponseOnWrite::Disabled)
            .await
        {
            Ok(response) => ItemAnswer {
                request_charge: charge_of(&response),
                outcome: done(response, request),
            },
            Err(error) => ItemAnswer {
                request_charge: error.response().map_or(0.0, charge_of),
                outcome: not_done(error, request),
            },
        }
    }

    /// Sends a request, which the driver does not retry after throttling. The answer to a write has the
    /// document only if `content` is enabled.
    pub(super) async fn ask_once(
        &self,
        operation: CosmosOperation,
        content: ContentResponseOnWrite,
    ) -> Result<CosmosResponse, CosmosError> {
        let options = self.item_options(content);
        Box::pin(
            self.driver()
                .execute_singleton_operation(operation, options),
        )
        .await
    }

    fn item_options(&self, content: ContentResponseOnWrite) -> OperationOptions {
        let mut options = self.operation_options();
        options.content_response_on_write = Some(content);
        let mut throttling = ThrottlingRetryOptions::default();
        throttling.max_retry_count = Some(0);
        options.throttling_retry_options = Some(throttling);
        options
    }
}

/// Whether a request can have the id in its URL. The service takes any text for an id, but some of it would
/// name another resource in a URL, or be changed on the way: the SDK escapes only what it must, and what is
/// between it and the service may normalize paths.
fn fits_url(id: &str) -> bool {
    /// What servers accept in one segment of a path, by default.
    const MAX_BYTES: usize = 255;
    const PLAIN: &[u8] = b"-_.~:@!$&'()*,;= ";
    let is_plain = |c: char| c.is_alphanumeric() || (c.is_ascii() && PLAIN.contains(&(c as u8)));
    let ends_plainly = !id.starts_with(' ') && !id.ends_with([' ', '.']);
    !id.is_empty() && id.len() <= MAX_BYTES && ends_plainly && id.chars().all(is_plain)
}

pub(super) fn charge_of(response: &CosmosResponse) -> f64 {
    let charge = response.headers().request_charge;
    charge.map_or(0.0, |charge| charge.value())
}

fn done(response: CosmosResponse, request: ItemRequest<'_>) -> ItemOutcome {
    let etag = response.headers().etag.as_ref().map(ToString::to_string);
    let created = u16::from(response.status().status_code()) == 201;
    match request {
        ItemRequest::Read => match response.into_body() {
            ResponseBody::Bytes(body) => ItemOutcome::Read(body, etag),
            _ => ItemOutcome::NotFound,
        },
        ItemRequest::Delete(_) => ItemOutcome::Deleted,
        _ if created => ItemOutcome::Created(etag),
        _ => ItemOutcome::Replaced(etag),
    }
}

pub(super) fn not_done(error: CosmosError, request: ItemRequest<'_>) -> ItemOutcome {
    /// The items of one partition key have reached the maximum size.
    const PARTITION_KEY_FULL: u16 = 1014;
    let status = error.status();
    let sub_status = status.sub_status().map_or(0, |s| s.value());
    let names_the_item = !matches!(request, ItemRequest::Upsert(_) | ItemRequest::Create(_));
    match u16::from(status.status_code()) {
        404 if sub_status == 0 && names_the_item => ItemOutcome::NotFound,
        409 => ItemOutcome::Conflict(describe(&error)),
        412 => ItemOutcome::Changed,
        // Only an answer of the service: the SDK has sub-statuses of its own.
        429 if error.response().is_some() => ItemOutcome::Throttled(
            match verdict(&error) {
                Verdict::Transient { retry_after } => retry_after,
                _ => None,
            }
            .unwrap_or(DEFAULT_RETRY_AFTER),
        ),
        403 if sub_status == PARTITION_KEY_FULL => ItemOutcome::Refused(describe(&error)),
        413 => ItemOutcome::TooLarge(describe(&error)),
        400 if sub_status < 20_000 && verdict(&error) != Verdict::ContainerGone => {
            ItemOutcome::Refused(describe(&error))
        }
        _ => ItemOutcome::Failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_a_url_might_change_is_not_put_into_one() {
        for id in [
            "1", "item-7", "a b", "a@b.de", "user:7", "..a", ".a", "é", "注文", "(1)", "a=b;c,d",
        ] {
            assert!(fits_url(id), "{id}");
        }
        assert!(fits_url(&"x".repeat(255)));
        assert!(!fits_url(&"x".repeat(256)));
        for id in [
            "",
            ".",
            "..",
            "...",
            "a.",
            " a",
            "a ",
            "a/b",
            "a\\b",
            "a?b",
            "a#b",
            "100%",
            "%2e",
            "a+b",
            "a|b",
            "a\"b",
            "<a>",
            "{a}",
            "[a]",
            "a^b",
            "a`b",
            "a\tb",
            "a\nb",
            "\u{7f}",
            "\u{85}",
            "\u{a0}",
            "🦀",
            "a\u{301}",
            "\u{202e}a",
        ] {
            assert!(!fits_url(id), "{id:?}");
        }
    }
}

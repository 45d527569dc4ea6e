//! The time of the service, as its answers have it.

use azure_core::time::{OffsetDateTime, parse_rfc7231};
use reqwest::header::DATE;

/// When an answer was written, by its `Date`.
pub(super) fn date_of(response: &reqwest::Response) -> Option<OffsetDateTime> {
    let date = response.headers().get(DATE)?;
    parse_rfc7231(date.to_str().ok()?).ok()
}

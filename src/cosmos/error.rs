//! What an error of the service means, and how it is displayed.
//!
//! The SDK retries before it returns an error; [`verdict`] classifies one that it has given up on.

use std::error::Error;
use std::time::Duration;

use azure_data_cosmos_driver::{CosmosError, CosmosStatus};

use crate::redact::redact;

/// The longest text that [`describe`] returns, in characters.
const MAX_DESCRIPTION: usize = 400;
/// How many causes of an error are examined; longer chains are damaged.
const MAX_CAUSES: usize = 16;

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Wait and retry.
    Transient {
        /// The pause that the service asked for, if it did.
        retry_after: Option<Duration>,
    },
    /// The page would exceed the service's limits: request fewer documents.
    PageTooLarge,
    /// The service does not accept the position: its token is malformed, or the changes after it are no
    /// longer kept. Starting over silently would lose or repeat changes.
    TokenRefused,
    /// The container, or its database, does not exist, or no longer with this name and RID.
    ContainerGone,
    /// The credential is not allowed to do this.
    Denied,
    /// A retry cannot help.
    Fatal,
}

/// Decides what to do about `error`.
pub fn verdict(error: &CosmosError) -> Verdict {
    let retry_after = error
        .response()
        .and_then(|response| response.headers().retry_after_ms)
        .map(Duration::from_millis);
    let message = service_message(error).unwrap_or_default();
    match classify(error.status(), &format!("{error} {message}")) {
        Verdict::Transient { .. } => Verdict::Transient { retry_after },
        other => other,
    }
}

/// [`verdict`] by status and message alone.
fn classify(status: CosmosStatus, message: &str) -> Verdict {
    const TRANSIENT: Verdict = Verdict::Transient { retry_after: None };
    let code = u16::from(status.status_code());
    let sub_status = status.sub_status().map_or(0, |s| s.value());
    match (code, sub_status) {
        // Tokens that the SDK itself refuses: malformed, for another kind of operation, or of a shape
        // that does not fit the operation.
        (_, 20007 | 20116 | 20117 | 20203 | 20204 | 20205 | 20213 | 20214) => Verdict::TokenRefused,

        // A redirect that was not followed: from something in between, which may be gone soon.
        (300..=303 | 305..=399, _) => TRANSIENT,

        (400, 1024) => Verdict::ContainerGone,
        (400, 20100..=20399) => Verdict::Fatal,
        (400, _) => classify_bad_request(message),
        (413, _) => Verdict::PageTooLarge,

        // No token was issued (20402): often only for a moment, while the identity provider or the
        // metadata service is busy. Expired or not yet valid (5005, 5006): clocks differ.
        (401, 20402 | 5005 | 5006) => TRANSIENT,
        // The service's own identity lookups failed.
        (403, 5201) => TRANSIENT,
        (401 | 403, _) => Verdict::Denied,

        // 1002: the replica lags behind the session. 1013: being created. 1023: being loaded.
        // 1030: the authorization is not cached yet. 1035..=1037: a partition is being moved.
        (404, 1002 | 1013 | 1023 | 1030 | 1035..=1037) => TRANSIENT,
        // 20301: a throughput offer, not a container.
        (404, 20301) => Verdict::Fatal,
        (404, _) => Verdict::ContainerGone,

        (408 | 429 | 449, _) => TRANSIENT,
        // The history after this position is no longer kept.
        (410, 1024) => Verdict::TokenRefused,
        (410, _) => TRANSIENT,

        // 20020: a response that was cut or altered on its way. 20206: a split took longer than the
        // SDK's retries. 20302: the topology changed meanwhile.
        (500, 20020 | 20206 | 20302) => TRANSIENT,
        // The SDK's own invariants.
        (500, 20100..=20399) => Verdict::Fatal,
        (500 | 502..=504, _) => TRANSIENT,
        _ => Verdict::Fatal,
    }
}

/// Bad requests differ by their message only.
fn classify_bad_request(message: &str) -> Verdict {
    let message = message.to_ascii_lowercase();
    let has_any = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    if has_any(&[
        "reduce page size",
        "page size is too",
        "response size is too",
    ]) {
        Verdict::PageTooLarge
    } else if has_any(&["continuation", "retention", "if-none-match", "etag", "lsn"]) {
        Verdict::TokenRefused
    } else {
        Verdict::Fatal
    }
}

/// An error of the service, as one bounded line without secrets.
#[derive(Debug)]
pub struct ServiceError {
    /// The HTTP status.
    pub status: u16,
    /// What to do about it.
    pub verdict: Verdict,
    text: String,
}

impl ServiceError {
    pub(super) fn of(error: &CosmosError) -> Self {
        Self {
            status: u16::from(error.status().status_code()),
            verdict: verdict(error),
            text: describe(error),
        }
    }

    /// With another text, which is one bounded line without secrets too.
    pub(super) fn with_text(self, text: String) -> Self {
        Self { text, ..self }
    }
}

impl std::fmt::Display for ServiceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for ServiceError {}

/// The container was deleted and created again under its name: what is read now is another one's.
#[derive(Debug)]
pub struct ContainerReplaced {
    /// The RID of the container that is there now.
    pub found: String,
    /// The RID of the container that was being read.
    pub expected: String,
}

impl std::fmt::Display for ContainerReplaced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { found, expected } = self;
        write!(
            f,
            "the container was deleted and created again: its RID is {found}, it was {expected}"
        )
    }
}

impl std::error::Error for ContainerReplaced {}

/// A query has rows that are not objects, so they have no columns.
#[derive(Debug)]
pub struct RowsWithoutFields;

impl std::fmt::Display for RowsWithoutFields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "the query has rows that are not objects, so there is nothing to make columns of",
        )
    }
}

impl std::error::Error for RowsWithoutFields {}

/// `error` in one bounded line without secrets: status, name of the sub-status, message, and the
/// innermost cause if that adds anything.
pub fn describe(error: &CosmosError) -> String {
    let status = error.status();
    let mut text = u16::from(status.status_code()).to_string();
    if let Some(sub_status) = status.sub_status().filter(|s| s.value() != 0) {
        text.push_str(&format!("/{}", sub_status.value()));
        if let Some(name) = status.name() {
            text.push_str(&format!(" {name}"));
        }
    }
    let header = error.to_string();
    // `CosmosError` displays as `STATUS: MESSAGE`, where STATUS is displayed as it is here.
    let message = header
        .strip_prefix(&status.to_string())
        .unwrap_or(&header)
        .trim_start_matches(':');
    let mut message = service_message(error).unwrap_or_else(|| message.trim().to_owned());
    let cause = innermost_cause(error);
    // The HTTP client's own sentence only announces its cause.
    if cause.is_some()
        && let Some(at) = message.find(": error sending request for url (")
    {
        message.truncate(at);
    }
    let cause = cause.filter(|cause| !message.contains(cause.as_str()));
    text.push_str(": ");
    text.push_str(&message);
    if let Some(cause) = cause {
        text.push_str(": ");
        text.push_str(&cause);
    }
    one_line(&text)
}

/// `text` as one bounded line without secrets.
pub(crate) fn one_line(text: &str) -> String {
    let redacted = redact(text);
    let mut line = String::new();
    for word in redacted.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    if let Some((cut, _)) = line.char_indices().nth(MAX_DESCRIPTION) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

/// The `message` of the service's JSON body, without what it appends for its own support.
pub(super) fn service_message(error: &CosmosError) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Body {
        message: String,
    }
    let body = error.response()?.body().clone().single().ok()?;
    let Body { message } = serde_json::from_slice(&body).ok()?;
    let message = own_message(&message);
    Some(message.to_owned()).filter(|m| !m.is_empty())
}

/// A message of the service without what it appends for its own support.
pub(super) fn own_message(message: &str) -> &str {
    // Newer services nest {"Errors":["…"]}, older ones append the activity.
    let message = message.split("ActivityId:").next().unwrap_or_default();
    message.trim().trim_start_matches("Message:").trim()
}

/// The error of the operating system or the innermost library.
fn innermost_cause(error: &CosmosError) -> Option<String> {
    causes(error).last().map(|cause| cause.to_string())
}

/// The causes of `error`, from the outside in.
pub(crate) fn causes(error: &CosmosError) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source()).take(MAX_CAUSES)
}

#[cfg(test)]
mod tests;

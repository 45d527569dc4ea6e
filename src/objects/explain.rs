//! What a store said, and what to do about it.

use anyhow::anyhow;
use object_store::Error;

use crate::error::with_hint;

const NO_CONTAINER: &[&str] = &["ContainerNotFound", "ContainerBeingDeleted", "NoSuchBucket"];

const ANOTHER_REGION: &[&str] = &[
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "Received redirect without LOCATION",
];

const AUTHENTICATION: &str = "check the credential of the storage account (its key, its signature, or the identity in the \
    environment): a signature may have expired, and the clock of this machine must be right";

const PERMISSION: &str = "give the identity the role Storage Blob Data Contributor on the container, or the signature the \
    permissions `r`, `l`, `c` and `w`; to verify and to replay, Storage Blob Data Reader, or `r` and `l`, are enough";

const DENIED: &str = "the credential has expired, or may not do this: set a new one, or give the identity the \
    permissions that docs/object-stores.md lists";

const PERMISSION_OF_S3: &str = "give the identity s3:ListBucket on the bucket, and on its objects s3:GetObject, \
    s3:PutObject and s3:AbortMultipartUpload; to verify and to replay, the first two are enough";

/// Words of a store, and what to do about them. The first that match are it.
const HINTS: [(&[&str], &str); 15] = [
    (
        NO_CONTAINER,
        "create the container or the bucket first, or check its name",
    ),
    (
        &["RequestTimeTooSkewed", "Request date header too old"],
        "check the clock of this machine: the store refuses requests that are 15 minutes too early or too late",
    ),
    (
        &[
            "Signature not valid in the specified time frame",
            "ExpiredToken",
        ],
        "the credential has expired: set a new one, and resume",
    ),
    (
        &[
            "AuthenticationFailed",
            "InvalidAuthenticationInfo",
            "NoAuthenticationInformation",
        ],
        AUTHENTICATION,
    ),
    (
        &[
            "AuthorizationPermissionMismatch",
            "InsufficientAccountPermissions",
        ],
        PERMISSION,
    ),
    (
        &["AuthorizationFailure"],
        "the firewall of the storage account may refuse this machine: allow its network",
    ),
    (
        &[
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "InvalidToken",
        ],
        "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the profile of AWS",
    ),
    (&["AccessDenied"], PERMISSION_OF_S3),
    (
        ANOTHER_REGION,
        "the bucket may be in another region: set AWS_REGION to it",
    ),
    (
        &["169.254.169.254"],
        "there is no credential in the environment, and this machine has no identity: set the variables of a \
         credential",
    ),
    (
        &["LeaseIdMissing", "BlobImmutableDueToPolicy"],
        "a lease or a policy keeps the object as it is: end it, or export to a place without one",
    ),
    (
        &["InvalidBlockList"],
        "Azure removes the parts of an upload a week after the last one",
    ),
    (
        &["NoSuchUpload"],
        "a lifecycle rule removes uploads that are not completed for long",
    ),
    (
        &["NotImplemented"],
        "this store has no conditional writes, so it cannot keep the state of an export: keep that on a disk, for an \
         export to another path: --state FILE",
    ),
    (
        &[
            "ServerBusy",
            "TooManyRequests",
            "OperationTimedOut",
            "SlowDown",
        ],
        "the store is busy: resume later",
    ),
];

/// Whether `text` says that there is no container.
pub(super) fn is_missing_container(text: &str) -> bool {
    NO_CONTAINER.iter().any(|code| text.contains(code))
}

/// Whether `text` says that the bucket is in another region.
pub(super) fn is_of_another_region(text: &str) -> bool {
    ANOTHER_REGION.iter().any(|word| text.contains(word))
}

/// The error of a call that does `verb` to the object or the place `shown`.
pub(super) fn explained(verb: &str, shown: &str, error: Error) -> anyhow::Error {
    let text = error.to_string();
    let of_words = HINTS
        .iter()
        .find(|(words, _)| words.iter().any(|word| text.contains(word)));
    let hint = of_words.map(|(_, hint)| *hint).or(match &error {
        // An answer to HEAD has no words.
        Error::PermissionDenied { .. } => Some(DENIED),
        Error::Unauthenticated { .. } => Some(AUTHENTICATION),
        _ => None,
    });
    let error = match said(&text) {
        Some(said) => anyhow!(said),
        None => anyhow::Error::new(error),
    };
    let error = error.context(format!("cannot {verb} `{shown}`"));
    match hint {
        Some(hint) => with_hint(error, hint),
        None => error,
    }
}

/// What the store said, without the request and the markup around it.
fn said(text: &str) -> Option<String> {
    let (before, answer) = text.split_once("status code: ")?;
    let (status, body) = answer.split_once(':').unwrap_or((answer, ""));
    let element = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once("</")?;
        let first = text.lines().next().unwrap_or_default().trim();
        (!first.is_empty()).then(|| first.to_owned())
    };
    let mut said = format!("the store answered {status}");
    let code = element("Code");
    // An answer that is not from a store can be a page of any length.
    if code.is_none() && !body.trim().is_empty() {
        return None;
    }
    let more = [element("Message"), element("AuthenticationErrorDetail")];
    let more = more
        .into_iter()
        .flatten()
        .filter(|more| Some(more) != code.as_ref());
    for more in code.iter().cloned().chain(more) {
        said.push_str(": ");
        said.push_str(more.trim_end_matches('.'));
    }
    let retries = before
        .split_once("after ")
        .and_then(|(_, rest)| rest.split_once(" retries"));
    if let Some((retries, _)) = retries.filter(|(retries, _)| *retries != "0") {
        said.push_str(&format!(" (after {retries} retries)"));
    }
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_said_is_taken_out_of_the_request_and_the_markup() {
        let text = "Generic MicrosoftAzure error: Error performing PUT http://x/a?comp=block in 1.2s, after 3 retries, \
            max_retries: 3, retry_timeout: 180s  - Server returned non-2xx status code: 403 Forbidden: \
            \u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>AuthenticationFailed</Code><Message>Server \
            failed to authenticate the request.\nRequestId:7\nTime:2026-11-28T12:00:00Z</Message>\
            <AuthenticationErrorDetail>Request date header too old: '…'</AuthenticationErrorDetail></Error>";
        assert_eq!(
            said(text).unwrap(),
            "the store answered 403 Forbidden: AuthenticationFailed: Server failed to authenticate the request: \
             Request date header too old: '…' (after 3 retries)"
        );
        assert_eq!(
            said("Error performing HEAD http://x/a in 1ms - Server returned non-2xx status code: 403 Forbidden: ")
                .unwrap(),
            "the store answered 403 Forbidden"
        );
        assert_eq!(said("Error performing GET: connection refused"), None);
        assert_eq!(said("non-2xx status code: 502 Bad Gateway: <html>"), None);
    }
}

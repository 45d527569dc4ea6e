use azure_core::http::StatusCode;

use super::*;

const KEY: &str =
    "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC1zZWNyZXQtc2U=";
const SIGNATURE: &str = "Yjc4MjNmOTJjNGE4ZTYxZDBiNWY3YTM5YzJlMWQ4ZjY=";
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl-X_Y";

fn error(code: u16, sub_status: u16, message: &str) -> CosmosError {
    let mut status = CosmosStatus::new(StatusCode::from(code));
    if sub_status != 0 {
        status = status.with_sub_status(sub_status);
    }
    CosmosError::builder()
        .with_status(status)
        .with_message(message.to_owned())
        .build()
}

const TRANSIENT: Verdict = Verdict::Transient { retry_after: None };

#[track_caller]
fn assert_verdict(expected: Verdict, statuses: &[(u16, u16)]) {
    for &(code, sub_status) in statuses {
        assert_eq!(
            verdict(&error(code, sub_status, "message")),
            expected,
            "{code}/{sub_status}"
        );
    }
}

#[test]
fn throttling_timeouts_and_outages_are_transient() {
    assert_verdict(
        TRANSIENT,
        &[
            (429, 0),
            (429, 3200),
            (449, 0),
            (408, 0),
            (408, 20008),
            (500, 0),
            (502, 0),
            (503, 0),
            (504, 0),
        ],
    );
}

#[test]
fn the_sdks_network_errors_are_transient() {
    assert_verdict(
        TRANSIENT,
        &[
            (503, 20003),
            (503, 20010),
            (503, 20011),
            (503, 20012),
            (503, 20014),
            (503, 20015),
            (500, 20020),
        ],
    );
}

#[test]
fn a_topology_change_is_transient() {
    assert_verdict(
        TRANSIENT,
        &[
            (410, 0),
            (410, 1000),
            (410, 1002),
            (410, 1007),
            (410, 1008),
            (500, 20206),
            (500, 20302),
            (503, 20305),
            (503, 20310),
            (503, 20311),
            (503, 20312),
            (404, 1002),
            (404, 1013),
        ],
    );
}

#[test]
fn a_token_that_was_not_issued_is_transient() {
    assert_verdict(TRANSIENT, &[(401, 20402), (401, 5005), (401, 5006)]);
}

#[test]
fn a_refusal_is_not_retried() {
    assert_verdict(
        Verdict::Denied,
        &[
            (401, 0),
            (401, 20401),
            (403, 0),
            (403, 5301),
            (403, 5302),
            (403, 5202),
        ],
    );
}

#[test]
fn a_container_that_does_not_exist_is_gone() {
    assert_verdict(
        Verdict::ContainerGone,
        &[(404, 0), (404, 1003), (400, 1024), (404, 1031)],
    );
}

#[test]
fn a_bad_request_is_classified_by_its_message() {
    for (message, expected) in [
        (
            "BadRequest. Details: Reduce page size and try again.",
            Verdict::PageTooLarge,
        ),
        ("page size is too big", Verdict::PageTooLarge),
        ("Invalid continuation token", Verdict::TokenRefused),
        (
            "the start is outside of the retention window",
            Verdict::TokenRefused,
        ),
        ("If-None-Match header is malformed", Verdict::TokenRefused),
        ("Partition key is wrong", Verdict::Fatal),
    ] {
        assert_eq!(verdict(&error(400, 0, message)), expected, "{message}");
    }
}

#[test]
fn a_token_that_the_sdk_refuses_is_refused() {
    assert_verdict(
        Verdict::TokenRefused,
        &[
            (400, 20007),
            (400, 20116),
            (400, 20117),
            (500, 20203),
            (500, 20205),
            (500, 20213),
            (410, 1024),
        ],
    );
}

#[test]
fn an_error_that_no_retry_fixes_is_fatal() {
    assert_verdict(
        Verdict::Fatal,
        &[
            (400, 0),
            (400, 1001),
            (400, 20118),
            (405, 0),
            (409, 0),
            (412, 0),
            (500, 20201),
            (500, 20212),
            (500, 20216),
        ],
    );
}

#[test]
fn a_description_names_status_sub_status_message_and_innermost_cause() {
    let error = CosmosError::builder()
        .with_status(CosmosStatus::new(StatusCode::from(503)).with_sub_status(20003))
        .with_message("error sending request")
        .with_source(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))
        .build();
    assert_eq!(
        describe(&error),
        "503/20003 TransportGenerated503: error sending request: connection refused"
    );
    assert_eq!(
        describe(&self::error(404, 0, "no such thing")),
        "404: no such thing"
    );
}

#[test]
fn a_description_is_one_bounded_line() {
    let text = describe(&error(
        500,
        0,
        &format!("a\r\n\tb\u{1b}[31m {}", "ü ".repeat(5000)),
    ));
    assert!(text.starts_with("500: a b [31m ü"), "{text}");
    assert_eq!(text.chars().count(), MAX_DESCRIPTION + 1);
    assert!(!text.contains(char::is_control));
}

#[test]
fn a_description_has_no_key_signature_or_token() {
    let encoded = "type%3dmaster%26ver%3d1.0%26sig%3dYjc4MjNmOTJj%2bQ%3d%3d";
    for (text, expected) in [
        (format!("key {KEY}!"), "500: key ***!".to_owned()),
        (format!("[{SIGNATURE}]"), "500: [***]".to_owned()),
        (
            format!("token {TOKEN} end"),
            "500: token *** end".to_owned(),
        ),
        (
            format!("Authorization: Bearer {TOKEN}, x"),
            "500: Authorization: Bearer ***, x".to_owned(),
        ),
        (
            encoded.to_owned(),
            "500: type%3dmaster%26ver%3d1.0%26sig%3d***".to_owned(),
        ),
        (
            "type=master&ver=1.0&SIG=abc123&x=1".to_owned(),
            "500: type=master&ver=1.0&SIG=***&x=1".to_owned(),
        ),
        (
            "AccountEndpoint=https://a/;AccountKey=short==;".to_owned(),
            "500: AccountEndpoint=https://a/;AccountKey=***;".to_owned(),
        ),
    ] {
        assert_eq!(describe(&error(500, 0, &text)), expected);
    }
}

#[test]
fn text_without_secrets_is_unchanged() {
    for text in [
        "dbs/shop/colls/orders/pkranges/0 at https://shop.documents.azure.com:443/dbs",
        "ActivityId 3f2504e0-4f89-11d3-9a0c-0305e82c3301 rid kLptAJm0ZQ8=",
        "range [05C1D9CD673390FF05C1D9CD673390FF05C1D9CD673390FF, FF)",
    ] {
        assert_eq!(describe(&error(500, 0, text)), format!("500: {text}"));
    }
}

#[test]
fn the_cause_of_an_error_is_redacted_too() {
    let error = CosmosError::builder()
        .with_status(CosmosStatus::new(StatusCode::from(503)))
        .with_message("failed")
        .with_source(std::io::Error::other(format!("sent {SIGNATURE}")))
        .build();
    assert_eq!(describe(&error), "503: failed: sent ***");
}

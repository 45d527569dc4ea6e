//! Answers that the script replaces or changes.

use serde_json::{Value, json};

use super::careless_client::{DATE, DOCS, feed, send, take_apart};
use super::driver_reader::connect;
use super::{assert_clean, start, write};
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, KEY, RequestKind, sign};

/// Requests of every kind, as method and path.
const KINDS: [(RequestKind, &str, &str); 10] = [
    (RequestKind::Account, "GET", "/"),
    (RequestKind::DatabaseFeed, "GET", "/dbs"),
    (RequestKind::Database, "GET", "/dbs/db"),
    (RequestKind::ContainerFeed, "GET", "/dbs/db/colls"),
    (RequestKind::Container, "GET", "/dbs/db/colls/coll"),
    (
        RequestKind::PartitionKeyRanges,
        "GET",
        "/dbs/db/colls/coll/pkranges",
    ),
    (RequestKind::ChangeFeed, "GET", DOCS),
    (RequestKind::ContainerCreate, "POST", "/dbs/db/colls"),
    (RequestKind::ItemRead, "GET", "/dbs/db/colls/coll/docs/0001"),
    (RequestKind::ItemWrite, "POST", DOCS),
];

fn names(answer: &super::careless_client::Answer) -> Vec<&str> {
    let names = answer.headers.iter().map(|(name, _)| name.as_str());
    names
        .filter(|name| !["date", "connection", "content-length"].contains(name))
        .collect()
}

#[test]
fn any_answer_can_replace_any_other() {
    let (gateway, container) = start(1);
    write(&container, 0..3);
    let before = container.changes();
    for (number, (kind, method, path)) in KINDS.into_iter().enumerate() {
        gateway.push_fault(Fault::on(
            kind,
            Action::Answer {
                status: 200,
                headers: vec![("etag", "\"5\"".to_owned()), ("X-Odd", "a b".to_owned())],
                body: "<html>".into(),
            },
        ));
        let a_im: &[(&str, &str)] = match kind {
            RequestKind::ChangeFeed => &[("A-IM", "Incremental Feed")],
            _ => &[],
        };
        let answer = take_apart(send(&gateway, method, path, a_im, "{}"));
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "<html>"),
            "{kind:?}"
        );
        assert_eq!(answer.header("x-odd"), Some("a b"));
        let own = ["content-type", "x-ms-request-charge", "etag", "x-odd"];
        assert_eq!(names(&answer), own, "{kind:?}");
        let log = gateway.request_log();
        let record = &log[number];
        assert_eq!((record.kind, record.status), (kind, Some(200)));
        assert_eq!(
            (record.etag.as_deref(), record.lsn),
            (Some("\"5\""), Some(5))
        );
    }
    gateway.push_fault(Fault::on(
        RequestKind::Account,
        Action::Answer {
            status: 418,
            headers: vec![("content-type", "text/html".to_owned())],
            body: "".into(),
        },
    ));
    let answer = take_apart(send(&gateway, "GET", "/", &[], ""));
    assert_eq!(answer.status, 418);
    assert_eq!(answer.header("content-type"), Some("text/html"));
    assert_eq!(container.changes(), before);
    assert_clean(&gateway);
}

#[test]
fn a_false_304_has_the_given_etag_or_that_of_the_request() {
    let (gateway, container) = start(1);
    write(&container, 0..9);
    let first = feed(&gateway, "0", &[("x-ms-max-item-count", "3")]);
    assert_eq!((first.status, first.etag()), (200, Some("\"3\"")));
    let at = ("If-None-Match", "\"3\"");
    let pin = ("If-None-Match", "*");
    for (etag, header, expected) in [
        (None, Some(at), Some("\"3\"")),
        (None, Some(pin), None),
        (None, None, None),
        (Some("\"2\""), Some(at), Some("\"2\"")),
        (Some("\"8\""), Some(pin), Some("\"8\"")),
        (Some(""), Some(at), Some("")),
    ] {
        gateway.push_fault(Fault::on(
            RequestKind::ChangeFeed,
            Action::NotModified {
                etag: etag.map(str::to_owned),
            },
        ));
        let headers: Vec<_> = header.into_iter().collect();
        let answer = feed(&gateway, "0", &headers);
        assert_eq!((answer.status, answer.etag()), (304, expected), "{etag:?}");
        assert_eq!(answer.body, "");
        assert_eq!(answer.header("x-ms-session-token"), None);
    }
    for (behind, header, expected) in [
        (2, at, Some("\"1\"")),
        (9, at, Some("\"0\"")),
        (2, pin, None),
    ] {
        gateway.push_fault(Fault::on(
            RequestKind::ChangeFeed,
            Action::NotModifiedBehind(behind),
        ));
        let answer = feed(&gateway, "0", &[header]);
        assert_eq!((answer.status, answer.etag()), (304, expected), "{behind}");
    }
    // Whoever was given a token may use it.
    let rest = feed(&gateway, "0", &[("If-None-Match", "\"8\"")]);
    assert_eq!((rest.status, rest.fields("id")), (200, vec![json!("0008")]));
    assert_clean(&gateway);
    // It is not a useful answer to the caller, but the kind is served like any other.
    gateway.push_fault(Fault::on(
        RequestKind::Container,
        Action::NotModified { etag: None },
    ));
    assert_eq!(send(&gateway, "GET", "/dbs/db/colls/coll", &[], "").0, 304);
}

#[test]
fn a_good_page_is_edited() {
    let (gateway, container) = start(1);
    write(&container, 0..3);
    let on_feed = |action| Fault::on(RequestKind::ChangeFeed, action);
    gateway.push_fault(on_feed(Action::edit_json(|page| {
        page["_rid"] = "another".into();
        page["_count"] = 7.into();
        page["Documents"][1] = Value::Null;
    })));
    let answer = feed(&gateway, "0", &[]);
    let page: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(
        (&page["_rid"], &page["_count"]),
        (&json!("another"), &json!(7))
    );
    assert_eq!(page["Documents"][1], Value::Null);
    assert_eq!(page["Documents"][2]["id"], "0002");
    assert_eq!((answer.status, answer.etag()), (200, Some("\"3\"")));

    for (edited, lsn) in [(None, None), (Some(""), None), (Some("\"2\""), Some(2))] {
        gateway.push_fault(on_feed(Action::edit_etag(move |etag| {
            assert_eq!(etag.as_deref(), Some("\"3\""));
            edited.map(str::to_owned)
        })));
        let answer = feed(&gateway, "0", &[]);
        assert_eq!((answer.status, answer.etag()), (200, edited));
        assert_eq!(answer.fields("id").len(), 3);
        let record = gateway.request_log().pop().unwrap();
        assert_eq!((record.etag.as_deref(), record.lsn), (edited, lsn));
    }
    assert_clean(&gateway);
}

#[test]
fn a_page_goes_back_behind_the_token() {
    let (gateway, container) = start(1);
    write(&container, 0..9);
    assert_eq!(feed(&gateway, "0", &[]).etag(), Some("\"9\""));
    let at = ("If-None-Match", "\"9\"");
    for (back, from) in [(2, 8), (9, 1), (u64::MAX, 1)] {
        gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::GoBack(back)));
        let answer = feed(&gateway, "0", &[at]);
        assert_eq!((answer.status, answer.etag()), (200, Some("\"9\"")));
        let lsns: Vec<u64> = (from..=9).collect();
        assert_eq!(answer.fields("_lsn"), lsns);
    }
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::GoBack(3)));
    assert_eq!(feed(&gateway, "0", &[("If-None-Match", "*")]).status, 304);
    assert_clean(&gateway);
}

#[tokio::test]
async fn the_account_has_the_given_consistency_and_locations() {
    let given = json!([{"name": "Moon", "databaseAccountEndpoint": "mailto:a@b"}]);
    let gateway = Gateway::start(GatewayOptions {
        consistency: "Eventual",
        locations: Some(given.clone()),
        ..GatewayOptions::default()
    });
    let account = || -> Value {
        let signature = sign(KEY, "get", "", "", DATE);
        let headers = [("authorization", signature.as_str()), ("x-ms-date", DATE)];
        serde_json::from_str(&take_apart(send(&gateway, "GET", "/", &headers, "")).body).unwrap()
    };
    let told = account();
    assert_eq!(
        told["userConsistencyPolicy"]["defaultConsistencyLevel"],
        "Eventual"
    );
    assert_eq!(told["writableLocations"], given);
    assert_eq!(told["readableLocations"], given);

    gateway.set_locations(json!({"readableLocations": given}));
    let told = account();
    let endpoint = gateway.endpoint();
    assert_eq!(
        told["writableLocations"][0]["databaseAccountEndpoint"],
        endpoint
    );
    assert_eq!(told["readableLocations"], given);

    gateway.set_locations(json!("nowhere"));
    assert_eq!(account()["writableLocations"], "nowhere");

    let here = json!([{"name": "East US", "databaseAccountEndpoint": endpoint}]);
    gateway.set_locations(here);
    connect(&endpoint, KEY, true).await.unwrap();
    assert_clean(&gateway);
}

#[test]
fn a_request_is_recorded_with_its_headers_and_times() {
    let (gateway, container) = start(1);
    write(&container, 0..1);
    let headers = [
        ("x-ms-consistency-level", "Session"),
        ("x-ms-session-token", "0:1#1"),
        ("X-Own", "value"),
    ];
    assert_eq!(feed(&gateway, "0", &headers).status, 200);
    let record = gateway.request_log().pop().unwrap();
    assert_eq!(record.consistency_level.as_deref(), Some("Session"));
    assert_eq!(record.session_token.as_deref(), Some("0:1#1"));
    assert_eq!(record.header("x-own"), Some("value"));
    assert!(record.departed.unwrap() >= record.arrived);
    assert_eq!(
        (record.etag.as_deref(), record.replica_lsn),
        (Some("\"1\""), Some(1))
    );
    assert!(record.is_page() && !record.is_pin());
}

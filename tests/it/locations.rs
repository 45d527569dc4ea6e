//! The locations of the account: addresses to which nothing may be sent, and malformed answers.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::bad_input::refuse;
use crate::command::{
    CONTAINER, DATABASE, against, assert_latest, export, lines, resume, run, succeed,
};
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, RequestKind};
use crate::orders::{fill, filled};

fn with_locations(locations: Value) -> Gateway {
    let gateway = Gateway::start(GatewayOptions {
        locations: Some(locations),
        ..GatewayOptions::default()
    });
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 1);
    fill(&container, 0..10);
    gateway
}

fn at(location: &str) -> Value {
    json!([{"name": "East US", "databaseAccountEndpoint": location}])
}

#[test]
fn a_forbidden_location_is_refused_by_name() {
    for (location, shown, why) in [
        (
            "http://gateway-eastus.example/",
            "http://gateway-eastus.example/",
            "uses plain http",
        ),
        (
            "http://127.0.0.2:1/",
            "http://127.0.0.2:1/",
            "uses plain http",
        ),
        (
            "javascript:alert(1)",
            "javascript:alert(1)",
            "scheme `javascript`",
        ),
        ("data:text/plain,x", "data:text/plain,x", "scheme `data`"),
        (
            "mailto:a@example.com",
            "mailto:a@example.com",
            "scheme `mailto`",
        ),
        ("file:///etc/passwd", "file:///etc/passwd", "scheme `file`"),
        ("ftp://127.0.0.1/", "ftp://127.0.0.1/", "scheme `ftp`"),
        ("urn:a", "urn:a", "scheme `urn`"),
        ("about:blank", "about:blank", "scheme `about`"),
        ("unix:/run/x", "unix:/run/x", "scheme `unix`"),
        ("https://", "https://", "is not a URL"),
        ("", "", "is not a URL"),
        ("/dbs", "/dbs", "is not a URL"),
        (
            "https://user:pw@example.com/",
            "https://user:pw@example.com/",
            "user name",
        ),
        (
            "https://example.com/dbs/other/",
            "https://example.com/dbs/other/",
            "after the host",
        ),
        (
            "javascript:\u{1b}[31m\u{202e}\nhint: all is well",
            r"javascript:\u{1b}[31m\u{202e}\nhint: all is well",
            "scheme `javascript`",
        ),
    ] {
        for list in ["writableLocations", "readableLocations"] {
            let mut locations = json!({});
            locations[list] = at(location);
            let gateway = with_locations(locations);
            for arguments in [&["ranges", "-v"][..], &["export", "-o", "-", "-v"]] {
                let message = format!("the account names the location `{shown}`, which ");
                let parts = [&message, why, "nothing was sent there"];
                let ended = refuse(against(&gateway).args(arguments), 1, &parts);
                // It does not pass by itself.
                assert!(!ended.stderr.contains("; retry "), "{}", ended.stderr);
            }
            let requests = gateway.request_log();
            assert!(
                requests.iter().all(|r| r.kind == RequestKind::Account),
                "{requests:?}"
            );
        }
    }
}

#[test]
fn every_list_of_locations_is_checked() {
    for list in [
        "thinClientWritableLocations",
        "thinClientReadableLocations",
        "others",
    ] {
        let (gateway, _) = filled(1, 1);
        let edit = move |account: &mut Value| account[list] = at("http://elsewhere.example/");
        gateway.push_fault(Fault::on(RequestKind::Account, Action::edit_json(edit)).always());
        let parts = ["the location `http://elsewhere.example/`", "plain http"];
        refuse(against(&gateway).arg("ranges"), 1, &parts);
    }
}

#[test]
fn an_https_account_may_not_have_http_locations() {
    let gateway = Gateway::start(GatewayOptions {
        tls: true,
        locations: Some(at("http://127.0.0.1:1/")),
        ..GatewayOptions::default()
    });
    gateway.create_container(DATABASE, CONTAINER, "/pk", 1);
    let parts = ["the location `http://127.0.0.1:1/`", "plain http"];
    refuse(against(&gateway).arg("ranges"), 1, &parts);
}

#[test]
fn a_resume_keeps_its_state_when_the_account_has_unusable_locations() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    gateway.set_locations(at("file:///tmp"));
    let parts = ["the location `file:///tmp`", "nothing was sent there"];
    refuse(&mut resume(&gateway, &out), 3, &parts);
    gateway.set_locations(at(&gateway.endpoint()));
    succeed(&mut resume(&gateway, &out));
}

#[test]
fn unusable_later_locations_are_refused_and_earlier_ones_stay() {
    // Answers at which the SDK reads the account again.
    for (status, substatus) in [(403, 1008), (403, 3)] {
        let (gateway, container) = filled(1, 200);
        let gateway = Arc::new(gateway);
        let handle = Arc::downgrade(&gateway);
        let change = Action::call(move || {
            if let Some(gateway) = handle.upgrade() {
                gateway.set_locations(at("javascript:alert(1)"));
            }
        });
        gateway.push_fault(Fault::on(RequestKind::ChangeFeed, change).page(2));
        let fault = Action::status(status, substatus);
        gateway.push_fault(Fault::on(RequestKind::ChangeFeed, fault).page(3));
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let mut command = export(&gateway, &out);
        let ended = succeed(command.args(["--page-size", "50", "-vv"]));
        assert!(gateway.requests(RequestKind::Account) > 1);
        let message = "the account names the location `javascript:alert(1)`";
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
        assert_latest(&lines(&out), &container);
    }
}

/// Every place of a value, as a JSON pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                places(value, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                places(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// The forbidden and allowed values of a location.
fn oddities() -> Vec<Value> {
    vec![
        Value::Null,
        json!(""),
        json!("\u{0}/..%2f?#\u{202e}"),
        json!(-1),
        json!(1e300),
        json!(true),
        json!([]),
        json!({}),
        json!("FF".repeat(5000)),
        json!("zz"),
    ]
}

/// The answer of a healthy gateway to a kind of request.
fn sample_of(kind: RequestKind) -> Value {
    let (gateway, _) = filled(2, 5);
    let seen = Arc::new(Mutex::new(Value::Null));
    let keep = Arc::clone(&seen);
    let look = Action::edit_json(move |value| *keep.lock().unwrap() = value.clone());
    gateway.push_fault(Fault::on(kind, look).always());
    succeed(against(&gateway).args(["export", "-o", "-"]));
    let seen = seen.lock().unwrap().clone();
    assert!(seen.is_object());
    seen
}

/// Runs an export against a gateway that has put `oddity` in `place` of its answers of a kind.
#[track_caller]
fn survive(kind: RequestKind, place: &str, oddity: Option<Value>) {
    let (gateway, _) = filled(2, 5);
    let (at, put) = (place.to_owned(), oddity.clone());
    let edit = move |value: &mut Value| match (&put, at.rsplit_once('/')) {
        (Some(put), _) => {
            if let Some(place) = value.pointer_mut(&at) {
                place.clone_from(put);
            }
        }
        (None, Some((parent, name))) => match value.pointer_mut(parent) {
            Some(Value::Object(members)) => {
                members.remove(name);
            }
            Some(Value::Array(values)) => {
                values.remove(name.parse().unwrap());
            }
            _ => {}
        },
        (None, None) => {}
    };
    gateway.push_fault(Fault::on(kind, Action::edit_json(edit)).always());
    let ended = run(against(&gateway).args(["export", "-o", "-", "--max-retries", "0"]));
    let what = format!("{kind:?} {place} {oddity:?}");
    assert!(
        matches!(ended.code, Some(0..=3)),
        "{what}: {:?} {}",
        ended.code,
        ended.stderr
    );
    assert!(
        !ended.stderr.contains("panicked"),
        "{what}: {}",
        ended.stderr
    );
    if ended.code != Some(0) {
        assert!(ended.stderr.contains("error: "), "{what}: {}", ended.stderr);
    } else {
        let lines = ended.stdout.lines().count();
        assert_eq!(lines, 5, "{what}: {}", ended.stderr);
    }
}

#[test]
fn an_odd_answer_is_an_error_and_not_a_panic() {
    for kind in [
        RequestKind::Account,
        RequestKind::Container,
        RequestKind::PartitionKeyRanges,
    ] {
        let mut all = Vec::new();
        places(&sample_of(kind), "", &mut all);
        let mut failures = Vec::new();
        for (index, place) in all.iter().enumerate() {
            // Three of them, others at each place.
            let some = oddities()
                .into_iter()
                .cycle()
                .skip(index)
                .step_by(3)
                .take(3);
            for oddity in std::iter::once(None).chain(some.map(Some)) {
                if std::panic::catch_unwind(|| survive(kind, place, oddity.clone())).is_err() {
                    failures.push(format!("{kind:?} {place} {oddity:?}"));
                }
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}

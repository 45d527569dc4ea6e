//! What goes wrong before the first page: with the account, the container, its ranges, and the
//! requests beside them. What may pass by itself is tried again, as a page is; the rest is refused at
//! once.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::bad_input::{assert_explained, refuse, stranger};
use crate::closed_port::ClosedPort;
use crate::command::{
    CONTAINER, DATABASE, against, assert_latest, export, lines, resume, run, spawn, split_lines,
    succeed,
};
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, RequestKind};
use crate::orders::filled;

fn html(status: u16) -> Action {
    Action::Answer {
        status,
        headers: vec![("content-type", "text/html".to_owned())],
        body: "<html><body><h1>Bad gateway</h1></body></html>".into(),
    }
}

/// Transient errors.
const STATUSES: [u16; 7] = [408, 410, 449, 500, 502, 503, 504];

/// What passes by itself.
fn transient() -> Vec<(String, Action)> {
    let mut all: Vec<(String, Action)> = STATUSES
        .iter()
        .map(|&status| (status.to_string(), Action::status(status, 0)))
        .collect();
    for (name, action) in [
        ("a throttled request", Action::throttle(1)),
        ("a reset", Action::ResetBeforeHeaders),
        ("a torn body", Action::TruncateBody { after: 20 }),
        ("half a body", Action::CorruptBody),
        ("a web page", html(200)),
        ("a web page of a proxy", html(502)),
        ("an empty body", Action::ReplaceBody("".into())),
        ("other JSON", Action::ReplaceBody("{}".into())),
    ] {
        all.push((name.to_owned(), action));
    }
    all
}

const KINDS: [RequestKind; 3] = [
    RequestKind::Account,
    RequestKind::Container,
    RequestKind::PartitionKeyRanges,
];

/// An export to standard output that logs its retries.
fn printed_export(gateway: &Gateway, arguments: &[&str]) -> Command {
    let mut command = against(gateway);
    command.args(["export", "-o", "-", "-v"]).args(arguments);
    command
}

#[test]
fn one_fault_of_any_kind_ends_nothing() {
    for kind in KINDS {
        for (name, action) in transient() {
            let (gateway, container) = filled(1, 10);
            let healthy = match kind {
                // It is requested in parallel with the container, and again if that fails.
                RequestKind::PartitionKeyRanges => 2,
                _ => 1,
            };
            gateway.push_fault(Fault::on(kind, action));
            let ended = succeed(&mut printed_export(&gateway, &[]));
            assert_latest(&split_lines(ended.stdout.as_bytes()), &container);
            assert!(gateway.requests(kind) > healthy, "{kind:?}, {name}");
            // The SDK tries the others again by itself.
            let is_told =
                kind == RequestKind::Account && STATUSES.iter().any(|s| *s.to_string() == name);
            if is_told {
                let told = format!("cannot connect to {}: {name}: ", gateway.endpoint());
                assert!(ended.stderr.contains(&told), "{}", ended.stderr);
                let told = "; retry 1 of 15 in 0.1 s\n";
                assert!(ended.stderr.contains(told), "{}", ended.stderr);
            }
            assert!(gateway.violations().is_empty(), "{kind:?}, {name}");
        }
    }
}

#[test]
fn a_fault_that_outlasts_the_sdks_retries_ends_nothing() {
    for kind in KINDS {
        for action in [
            Action::status(503, 0),
            Action::status(500, 0),
            Action::ResetBeforeHeaders,
        ] {
            let times = match action {
                Action::ResetBeforeHeaders => 10,
                _ => 6,
            };
            let (gateway, container) = filled(1, 10);
            gateway.push_fault(Fault::on(kind, action).times(times));
            let ended = succeed(&mut printed_export(&gateway, &[]));
            assert_latest(&split_lines(ended.stdout.as_bytes()), &container);
            assert!(gateway.requests(kind) > times, "{kind:?}");
            assert!(
                ended.stderr.contains("; retry 1 of 15 in "),
                "{}",
                ended.stderr
            );
        }
    }
}

#[test]
fn a_permanent_fault_is_reported_with_the_number_of_attempts() {
    for kind in KINDS {
        for (name, action) in transient() {
            // The SDK alone tries it for half a minute.
            if name == "449" && kind != RequestKind::Account {
                continue;
            }
            let (gateway, _) = filled(1, 1);
            gateway.push_fault(Fault::on(kind, action).always());
            let mut command = printed_export(&gateway, &["--max-retries", "2"]);
            let ended = refuse(&mut command, 1, &["gave up after 3 tries"]);
            let retries = ended.stderr.matches("; retry ").count();
            assert_eq!(retries, 2, "{kind:?}, {name}: {}", ended.stderr);
            let is_web_page = name.starts_with("a web page") || name.contains("JSON");
            if !is_web_page {
                continue;
            }
            let (gateway, _) = filled(1, 1);
            gateway.push_fault(Fault::on(kind, html(200)).always());
            let mut command = printed_export(&gateway, &["--max-retries", "0"]);
            let ended = refuse(&mut command, 1, &[]);
            assert!(!ended.stderr.contains("retry"), "{}", ended.stderr);
        }
    }
}

#[test]
fn permanent_errors_are_not_retried() {
    for kind in KINDS {
        for (action, part) in [
            (Action::status(401, 0), "401"),
            (Action::status(403, 5300), "403"),
            (Action::status(400, 0), "400"),
            (Action::status(404, 0), ""),
            (Action::status(405, 0), "405"),
        ] {
            let (gateway, _) = filled(1, 1);
            gateway.push_fault(Fault::on(kind, action).always());
            let ended = refuse(&mut printed_export(&gateway, &[]), 1, &[part]);
            assert!(!ended.stderr.contains("; retry "), "{}", ended.stderr);
            assert!(!ended.stderr.contains("gave up"), "{}", ended.stderr);
        }
    }
}

#[test]
fn every_command_survives_one_fault_of_each_first_request() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source.jsonl");
    std::fs::write(&source, "{\"id\":\"a\",\"pk\":\"b\"}\n").unwrap();
    let source = source.to_str().unwrap();
    for arguments in [
        &["ranges"][..],
        &["tail", "--from", "beginning", "--until-caught-up"],
        &["schema"],
        &["replay", source],
        &[
            "replay",
            "--create",
            "--partition-key",
            "/pk",
            "-c",
            "new",
            source,
        ],
        &["replay", "--from-container", "shop/orders", "-c", "copy"],
    ] {
        for kind in KINDS {
            let (gateway, _) = filled(1, 10);
            gateway.create_container(DATABASE, "copy", "/pk", 1);
            gateway.push_fault(Fault::on(kind, Action::status(503, 0)).times(6));
            let mut command = against(&gateway);
            succeed(command.args(arguments));
            assert!(gateway.requests(kind) > 6, "{kind:?} {arguments:?}");
        }
    }
    for kind in KINDS {
        let (gateway, container) = filled(1, 10);
        let out = directory.path().join(format!("{kind:?}"));
        succeed(&mut export(&gateway, &out));
        crate::orders::fill(&container, 10..20);
        gateway.push_fault(Fault::on(kind, Action::status(503, 0)).times(6));
        succeed(&mut resume(&gateway, &out));
        assert_latest(&lines(&out), &container);
    }
}

#[test]
fn a_resume_takes_max_retries_from_the_state() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(export(&gateway, &out).args(["--max-retries", "1"]));
    gateway.push_fault(Fault::on(RequestKind::Account, Action::status(503, 0)).always());
    refuse(
        &mut resume(&gateway, &out),
        3,
        &["gave up after 2 tries", "cosmos-tail resume --state"],
    );
}

#[test]
fn a_container_is_created_although_the_first_requests_fail() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source.jsonl");
    std::fs::write(&source, "{\"id\":\"a\",\"pk\":\"b\"}\n").unwrap();
    for (action, times) in [
        (Action::status(503, 0), 3),
        (Action::status(500, 0), 3),
        (Action::ResetBeforeHeaders, 3),
        // It is created, but the answer is lost.
        (Action::TruncateBody { after: 5 }, 1),
        (html(502), 3),
    ] {
        let (gateway, _) = filled(1, 1);
        let fault = Fault::on(RequestKind::ContainerCreate, action.clone());
        gateway.push_fault(fault.times(times));
        let mut command = against(&gateway);
        command.args(["replay", "--create", "--partition-key", "/pk", "-c", "new"]);
        succeed(command.arg(&source));
        assert!(
            gateway.requests(RequestKind::ContainerCreate) > times,
            "{action:?}"
        );
        let created = gateway.container(DATABASE, "new").unwrap();
        assert_eq!(created.latest().len(), 1);
    }
}

#[test]
fn a_start_at_now_is_pinned_although_the_first_requests_fail() {
    let (gateway, container) = filled(2, 50);
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::status(503, 0)).times(8));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let ended = succeed(export(&gateway, &out).args(["--from", "now", "-v"]));
    assert!(
        ended
            .stderr
            .contains("cannot get the current position of the feed range [,")
            && ended.stderr.contains("): 503: ")
            && ended.stderr.contains("; retry 1 of 15 in "),
        "{}",
        ended.stderr
    );
    crate::orders::fill(&container, 50..60);
    succeed(&mut resume(&gateway, &out));
    assert_eq!(lines(&out).len(), 10);
}

#[test]
fn a_missing_container_and_a_missing_database_have_different_errors() {
    let (gateway, _) = filled(1, 1);
    gateway.push_fault(Fault::on(RequestKind::Database, Action::status(503, 0)).times(6));
    let mut command = against(&gateway);
    command
        .env("AZURE_COSMOS_CONTAINER", "nowhere")
        .arg("ranges");
    refuse(&mut command, 1, &["there is no container `nowhere`"]);
    assert!(gateway.requests(RequestKind::Database) > 6);
}

/// The longest time for a wrong address, which should fail within moments.
const WITHIN_SECONDS: Duration = Duration::from_secs(15);

#[test]
fn a_wrong_address_is_reported_within_seconds() {
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 5\r\nconnection: close\r\n\r\n<html";
    let (gateway, _) = filled(1, 1);
    let closed = ClosedPort::new();
    let refused = closed.number();
    for (endpoint, part) in [
        (format!("http://127.0.0.1:{refused}/"), "no connection to"),
        (
            format!("http://127.0.0.1:{}/", stranger(page)),
            "is not a Cosmos DB account",
        ),
        (
            format!("http://127.0.0.1:{}/", stranger("SSH-2.0-OpenSSH_9.6\r\n")),
            "does not speak HTTP",
        ),
    ] {
        let started = Instant::now();
        let mut command = against(&gateway);
        command.env("AZURE_COSMOS_ENDPOINT", &endpoint);
        // Without -v, too, the user soon sees why it takes a while.
        let warning = format!("warning: cannot connect to {endpoint}: ");
        let parts = [part, "gave up after ", &warning, "; trying again"];
        refuse(command.arg("ranges"), 1, &parts);
        assert!(started.elapsed() < WITHIN_SECONDS, "{endpoint}");
    }
}

/// Hands every connection to `port` on to the gateway.
fn forward(listener: TcpListener, gateway: &Gateway) {
    let target = url::Url::parse(&gateway.endpoint()).unwrap();
    let target = ("127.0.0.1", target.port().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (Ok(mut near), Ok(mut far)) = (connection, TcpStream::connect(target)) else {
                return;
            };
            let (mut near_too, mut far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut near_too, &mut far_too).ok());
            std::thread::spawn(move || std::io::copy(&mut far, &mut near).ok());
        }
    });
}

#[test]
fn an_account_that_starts_a_moment_later_is_reached() {
    let (gateway, container) = filled(1, 10);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let mut command = printed_export(&gateway, &[]);
    let mut child = spawn(command.env("AZURE_COSMOS_ENDPOINT", format!("http://{address}/")));
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut told = String::new();
    while !told.contains("; retry 2 of 15 in ") {
        assert_ne!(stderr.read_line(&mut told).unwrap(), 0, "{told}");
    }
    forward(TcpListener::bind(address).unwrap(), &gateway);
    let rest = std::thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stderr, &mut text).unwrap();
        text
    });
    let output = child.wait_with_output().unwrap();
    let rest = rest.join().unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}{rest}");
    assert_latest(&split_lines(&output.stdout), &container);
}

#[cfg(unix)]
#[test]
fn a_wait_between_two_attempts_can_be_interrupted() {
    for kind in KINDS {
        let (gateway, _) = filled(1, 1);
        gateway.push_fault(Fault::on(kind, Action::status(503, 0)).always());
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let child = spawn(&mut export(&gateway, &out));
        // Long enough for pauses of seconds.
        gateway.wait_for(kind, if kind == RequestKind::Account { 6 } else { 22 });
        let started = Instant::now();
        crate::command::interrupt(&child);
        let ended = crate::command::wait(child);
        assert!(started.elapsed() < Duration::from_secs(5));
        let parts = [
            "stopped before",
            "nothing was changed; run the command again",
        ];
        assert_explained(&ended, 130, &parts);
        assert!(!out.exists());
    }
}

#[test]
fn an_http_1_only_account_is_retried_too() {
    let gateway = Gateway::start(GatewayOptions {
        http1_only: true,
        ..GatewayOptions::default()
    });
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 1);
    crate::orders::fill(&container, 0..10);
    for action in [Action::status(503, 0), Action::ResetBeforeHeaders] {
        gateway.push_fault(Fault::on(RequestKind::Account, action).times(3));
        let ended = run(&mut printed_export(&gateway, &[]));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("; retry 1 of 15"), "{}", ended.stderr);
        assert_latest(&split_lines(ended.stdout.as_bytes()), &container);
    }
}

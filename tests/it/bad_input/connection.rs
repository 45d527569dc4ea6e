//! The account: missing, invalid, refused, or another one than before.

use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Weak};

use super::{assert_explained, refuse, snapshot, stranger, without};
use crate::closed_port::ClosedPort;
use crate::command::{
    CONTAINER, DATABASE, against, assert_latest, export, files, interrupt, lines, lines_of, resume,
    run, spawn, state_directory, succeed, wait,
};
use crate::gateway::{Action, Container, Fault, Gateway, GatewayOptions, RequestKind};
use crate::orders::{fill, filled};

// Which account, which container.

#[test]
fn a_missing_value_is_named_with_its_flag_and_variable() {
    let (gateway, _) = filled(1, 1);
    for (variable, parts) in [
        (
            "AZURE_COSMOS_ENDPOINT",
            ["no endpoint", "--endpoint", "AZURE_COSMOS_ENDPOINT"],
        ),
        (
            "AZURE_COSMOS_DATABASE",
            ["no database", "-d", "AZURE_COSMOS_DATABASE"],
        ),
        (
            "AZURE_COSMOS_CONTAINER",
            ["no container", "-c", "AZURE_COSMOS_CONTAINER"],
        ),
    ] {
        for arguments in [&["ranges"][..], &["export", "-o", "-"]] {
            refuse(&mut without(&gateway, variable, arguments), 2, &parts);
        }
    }
    assert_eq!(gateway.total_requests(), 0);
}

#[test]
fn an_invalid_endpoint_is_refused_before_anything_is_sent() {
    let (gateway, _) = filled(1, 1);
    for (endpoint, parts) in [
        ("http://example.com/", &["plain http", "use https"][..]),
        ("http://10.0.0.1:8081/", &["plain http"]),
        ("ftp://127.0.0.1/", &["ftp"]),
        ("https://", &["not a URL"]),
        ("https://[::1", &["not a URL"]),
        ("not a url at all", &["not a URL"]),
        (
            "https://user:secret@127.0.0.1/",
            &["user name or a password"],
        ),
        ("https://127.0.0.1/dbs/shop", &["something after the host"]),
    ] {
        let mut command = against(&gateway);
        command.env("AZURE_COSMOS_ENDPOINT", endpoint).arg("ranges");
        let ended = refuse(&mut command, 2, parts);
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    }
    assert_eq!(gateway.total_requests(), 0);
}

#[test]
fn a_wrong_key_is_refused_by_the_service_and_leaves_nothing() {
    let (gateway, _) = filled(1, 1);
    let directory = tempfile::tempdir().unwrap();
    let wrong = "d3Jvbmcga2V5IHdyb25nIGtleSB3cm9uZyBrZXkgd3Jvbmc=";
    let parts = [
        "401",
        "the key belongs to this account",
        &gateway.endpoint(),
    ];
    refuse(
        against(&gateway)
            .env("AZURE_COSMOS_KEY", wrong)
            .arg("ranges"),
        1,
        &parts,
    );
    let out = directory.path().join("out");
    refuse(
        export(&gateway, &out).env("AZURE_COSMOS_KEY", wrong),
        1,
        &parts,
    );
    assert!(!out.exists());
    // A resume keeps its state, and says so.
    succeed(&mut export(&gateway, &out));
    let before = snapshot(&out);
    let parts = ["401", "the key belongs", "cosmos-tail resume --state"];
    refuse(
        resume(&gateway, &out).env("AZURE_COSMOS_KEY", wrong),
        3,
        &parts,
    );
    assert_eq!(snapshot(&out), before);
}

#[test]
fn a_malformed_key_is_neither_sent_nor_shown() {
    let (gateway, _) = filled(1, 1);
    let directory = tempfile::tempdir().unwrap();
    for key in ["not-base64!", "c2hvcnQ", "ключ"] {
        let parts = ["AZURE_COSMOS_KEY is not an account key", "Keys page"];
        let ended = refuse(
            against(&gateway).env("AZURE_COSMOS_KEY", key).arg("ranges"),
            2,
            &parts,
        );
        assert!(!ended.stderr.contains(key), "{}", ended.stderr);
        let file = directory.path().join("key");
        std::fs::write(&file, key).unwrap();
        let mut command = without(&gateway, "AZURE_COSMOS_KEY", &["ranges", "--key-file"]);
        let ended = refuse(command.arg(&file), 2, &["is not an account key"]);
        assert!(!ended.stderr.contains(key), "{}", ended.stderr);
    }
    let mut command = without(&gateway, "AZURE_COSMOS_KEY", &["ranges", "--key-file"]);
    let missing = directory.path().join("missing");
    refuse(command.arg(&missing), 1, &[missing.to_str().unwrap()]);
    // Nobody can type a key into a closed standard input.
    let mut command = without(&gateway, "AZURE_COSMOS_KEY", &["ranges", "--key-file", "-"]);
    refuse(&mut command, 2, &["standard input"]);
    assert_eq!(gateway.total_requests(), 0);
}

#[test]
fn an_unknown_database_or_container_is_named() {
    let (gateway, _) = filled(1, 1);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    for (variable, parts) in [
        (
            "AZURE_COSMOS_DATABASE",
            ["there is no database `nowhere`", "-d"],
        ),
        (
            "AZURE_COSMOS_CONTAINER",
            ["there is no container `nowhere`", "-c"],
        ),
    ] {
        refuse(
            against(&gateway).env(variable, "nowhere").arg("ranges"),
            1,
            &parts,
        );
        refuse(export(&gateway, &out).env(variable, "nowhere"), 1, &parts);
    }
    assert!(!out.exists());
}

#[test]
fn an_address_that_is_not_an_account_is_recognized() {
    let (gateway, _) = filled(1, 1);
    let closed = ClosedPort::new();
    let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 26\r\nconnection: close\r\n\r\n\
                <html><h1>Hello</h1></html";
    for (port, parts) in [
        (
            closed.number(),
            &["no connection to", "check the endpoint"][..],
        ),
        (stranger(html), &["not a Cosmos DB account"]),
        (
            stranger("SSH-2.0-OpenSSH_9.6\r\n"),
            &["does not speak HTTP"],
        ),
        (stranger(""), &["closed without an answer"]),
    ] {
        let mut command = against(&gateway);
        command.env("AZURE_COSMOS_ENDPOINT", format!("http://127.0.0.1:{port}/"));
        refuse(command.arg("ranges"), 1, parts);
    }
}

#[cfg(unix)]
#[test]
fn a_run_that_waits_for_an_account_can_be_interrupted() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    for arguments in [&["ranges"][..], &["export", "-o", out.to_str().unwrap()]] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut command = against(&gateway);
        command.env(
            "AZURE_COSMOS_ENDPOINT",
            format!("http://{}/", listener.local_addr().unwrap()),
        );
        let child = spawn(command.args(arguments));
        // The first connection only checks the port, the second one is to be answered.
        let connections = [listener.accept().unwrap(), listener.accept().unwrap()];
        interrupt(&child);
        let ended = wait(child);
        assert_explained(
            &ended,
            130,
            &["stopped before the account answered", "nothing was changed"],
        );
        drop(connections);
    }
    assert!(!out.exists());
}

#[test]
fn a_resume_that_reaches_nobody_can_be_repeated() {
    let (gateway, _) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let before = snapshot(&out);
    let mut command = resume(&gateway, &out);
    drop(gateway);
    refuse(
        &mut command,
        3,
        &[
            "no connection to",
            "check the endpoint",
            "cosmos-tail resume --state",
        ],
    );
    assert_eq!(snapshot(&out), before);
}

#[test]
fn a_gateway_that_speaks_only_http_1_works_without_a_flag() {
    let gateway = Gateway::start(GatewayOptions {
        http1_only: true,
        ..GatewayOptions::default()
    });
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    fill(&container, 0..200);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    assert_latest(&lines(&out), &container);
    assert!(gateway.request_log().iter().all(|record| !record.http2));
}

#[test]
fn missing_feed_ranges_are_an_error_without_output() {
    let (gateway, _) = filled(1, 1);
    let refused = || Fault::on(RequestKind::PartitionKeyRanges, Action::status(403, 5300));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    gateway.push_fault(refused().always());
    let parts = [
        "cannot open container `orders`",
        "its list of partition key ranges is refused: 403/5300",
        "that the key belongs to this account",
    ];
    refuse(against(&gateway).arg("ranges"), 1, &parts);
    refuse(&mut export(&gateway, &out), 1, &parts);
    assert!(!out.exists());
    gateway.clear_faults();
    succeed(&mut export(&gateway, &out));
    // The state is kept, and a resume continues once there is an answer.
    gateway.push_fault(refused().always());
    let parts = [
        "cannot open container `orders`",
        "its list of partition key ranges is refused: 403/5300",
        "resume --state",
    ];
    refuse(&mut resume(&gateway, &out), 3, &parts);
}

// Another container under the same name.

/// Deletes the container `orders` and creates it again with other documents.
fn recreate(gateway: &Gateway, partitions: usize, documents: std::ops::Range<usize>) -> Container {
    gateway.delete_container(DATABASE, CONTAINER);
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", partitions);
    fill(&container, documents);
    container
}

#[test]
fn a_container_that_was_recreated_between_runs_is_not_read() {
    let (gateway, _) = filled(2, 300);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let before = snapshot(&out);
    recreate(&gateway, 2, 0..50);
    let parts = [
        "the container `orders` is not the one of the state",
        "RID",
        "export it to a new place",
    ];
    refuse(&mut resume(&gateway, &out), 1, &parts);
    assert_eq!(snapshot(&out), before);
    gateway.delete_container(DATABASE, CONTAINER);
    refuse(
        &mut resume(&gateway, &out),
        1,
        &["there is no container `orders`"],
    );
    assert_eq!(snapshot(&out), before);
}

#[test]
fn a_container_that_is_recreated_during_an_export_is_not_read() {
    for partitions in [3, 2] {
        let gateway = Arc::new(Gateway::start(GatewayOptions::default()));
        let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 3);
        fill(&container, 0..900);
        let first: Vec<Vec<u8>> = container
            .latest()
            .iter()
            .map(|served| served.text.to_vec())
            .collect();
        let handle: Weak<Gateway> = Arc::downgrade(&gateway);
        let again = Action::call(move || {
            if let Some(gateway) = handle.upgrade() {
                recreate(&gateway, partitions, 1_000_000..1_000_500);
            }
        });
        gateway.push_fault(
            Fault::on(RequestKind::ChangeFeed, again)
                .partition("1")
                .page(4),
        );
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let mut command = export(&gateway, &out);
        command.args(["--page-size", "20", "--concurrency", "1"]);
        let parts = ["feed ranges failed: range", "export it to a new place"];
        refuse(&mut command, 3, &parts);
        for line in all_lines(&out) {
            assert!(
                first.contains(&line),
                "{} is of the new container",
                String::from_utf8_lossy(&line)
            );
        }
        gateway.clear_faults();
        let before = snapshot(&out);
        refuse(
            &mut resume(&gateway, &out),
            1,
            &["is not the one of the state"],
        );
        assert_eq!(snapshot(&out), before);
    }
}

/// The lines of finished and of open files.
fn all_lines(out: &Path) -> Vec<Vec<u8>> {
    let mut all = lines(out);
    for open in files(out, "open") {
        all.extend(lines_of(&open));
    }
    all
}

#[test]
fn a_state_of_another_container_is_refused() {
    let (gateway, _) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let path = state_directory(&out).join("state.json");
    let mut state = cosmos_tail::state::file::load(&path).unwrap();
    let other = gateway.create_container(DATABASE, "others", "/pk", 2);
    // With edited names in the state, the RID shows it.
    state.source.container = "others".to_owned();
    std::fs::write(&path, cosmos_tail::state::file::render(&state).unwrap()).unwrap();
    let before = snapshot(&out);
    refuse(
        &mut resume(&gateway, &out),
        1,
        &["`others` is not the one of the state", other.rid()],
    );
    // With an edited RID too, the positions show it.
    state.source.container_rid = other.rid().to_owned();
    std::fs::write(&path, cosmos_tail::state::file::render(&state).unwrap()).unwrap();
    let ended = run(&mut resume(&gateway, &out));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("the position of range 0 cannot be used"),
        "{}",
        ended.stderr
    );
    assert_eq!(snapshot(&out).len(), before.len());
}

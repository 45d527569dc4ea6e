//! The same over TLS: exports, faults and a replay over both versions of HTTP, and a self-signed certificate,
//! which is accepted only on request.

use std::process::Command;
use std::time::Duration;

use crate::bad_input::{assert_explained, snapshot};
use crate::command::{DATABASE, against, assert_latest, assert_same, cosmos_tail};
use crate::command::{export, lines, resume, run, succeed};
use crate::faults::survive_with;
use crate::gateway::{Action, Gateway, GatewayOptions, StaticGateway, StaticOptions};
use crate::orders::{fill, filled_with};
use crate::replay::{COPY, assert_no_violations, content, replay};
use crate::secrets::{listen, look_at_files};

fn over_tls(http1_only: bool) -> GatewayOptions {
    GatewayOptions {
        tls: true,
        http1_only,
        ..GatewayOptions::default()
    }
}

/// Asserts that all requests used this version of HTTP.
#[track_caller]
fn assert_spoken(gateway: &Gateway, http1_only: bool) {
    let log = gateway.request_log();
    assert!(!log.is_empty());
    assert!(log.iter().all(|record| record.http2 != http1_only));
}

#[test]
fn an_export_and_its_resume_are_complete() {
    for http1_only in [false, true] {
        let (gateway, container) = filled_with(over_tls(http1_only), 3, 1_000);
        assert!(gateway.endpoint().starts_with("https://127.0.0.1:"));
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let ended = listen(&mut export(&gateway, &out));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_latest(&lines(&out), &container);
        fill(&container, 1_000..1_400);
        let ended = listen(&mut resume(&gateway, &out));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_latest(&lines(&out), &container);
        assert_spoken(&gateway, http1_only);
        assert_no_violations(&gateway);
        look_at_files(&out);
        look_at_files(&crate::command::state_directory(&out));
    }
}

#[test]
fn an_export_of_large_pages_is_complete() {
    for http1_only in [false, true] {
        let gateway = Gateway::start_static(StaticOptions {
            ranges: 2,
            pages_per_range: 4,
            documents_per_page: 1_000,
            document_bytes: 2_048,
            tls: true,
            http1_only,
            ..StaticOptions::default()
        });
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let mut command = cosmos_tail();
        command.env(
            "AZURE_COSMOS_CONNECTION_STRING",
            gateway.connection_string(),
        );
        command.args(["export", "-d", StaticGateway::DATABASE]);
        command.args(["-c", StaticGateway::CONTAINER, "-o"]);
        let ended = listen(command.arg(&out));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(lines(&out).len() as u64, gateway.total_documents());
    }
}

#[test]
fn broken_connections_and_bodies_are_read_again() {
    for http1_only in [false, true] {
        survive_with(
            &over_tls(http1_only),
            &[
                ("reset before the answer", Action::ResetBeforeHeaders, 2),
                (
                    "body cut in the middle",
                    Action::TruncateBody { after: 1_700 },
                    2,
                ),
                (
                    "a trickle",
                    Action::Trickle {
                        bytes: 97,
                        every: Duration::from_millis(1),
                    },
                    1,
                ),
            ],
        );
    }
}

#[test]
fn a_replay_is_whole() {
    for http1_only in [false, true] {
        let (gateway, container) = filled_with(over_tls(http1_only), 2, 300);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let ended = listen(&mut export(&gateway, &out));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let mut command = replay(&gateway, &out);
        let ended = listen(command.args(["--create", "--partition-key", "/pk"]));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let copy = gateway.container(DATABASE, COPY).unwrap();
        assert_same(&content(&copy), &content(&container));
        assert_spoken(&gateway, http1_only);
        assert_no_violations(&gateway);
    }
}

/// The command with a connection string that does not accept the certificate.
fn strictly(gateway: &Gateway, mut command: Command) -> Command {
    let string = gateway.connection_string();
    let (string, _) = string
        .split_once("DisableServerCertificateValidation")
        .unwrap();
    command.env("AZURE_COSMOS_CONNECTION_STRING", string);
    command
}

#[test]
fn a_self_signed_certificate_is_refused_unless_accepted() {
    for http1_only in [false, true] {
        let (gateway, _) = filled_with(over_tls(http1_only), 2, 20);
        let directory = tempfile::tempdir().unwrap();
        let whole = directory.path().join("whole");
        succeed(&mut export(&gateway, &whole));
        let before = (snapshot(&whole), gateway.total_requests());
        let out = directory.path().join("out");
        let mut ranges = against(&gateway);
        ranges.arg("ranges");
        for (command, code) in [
            (ranges, 1),
            (export(&gateway, &out), 1),
            (resume(&gateway, &whole), 3),
        ] {
            let ended = listen(&mut strictly(&gateway, command));
            assert_explained(
                &ended,
                code,
                &[
                    &format!("cannot connect to {}", gateway.endpoint()),
                    "certificate",
                    "UnknownIssuer",
                    "DisableServerCertificateValidation=true",
                ],
            );
        }
        assert!(!out.exists());
        assert_eq!((snapshot(&whole), gateway.total_requests()), before);
    }
}

/// `command` on a system without certificates of authorities.
fn without_authorities(mut command: Command) -> Command {
    let nothing = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls.rs");
    command
        .env("SSL_CERT_FILE", nothing)
        .env_remove("SSL_CERT_DIR");
    command
}

#[test]
fn a_system_without_ca_certificates_can_do_what_needs_none() {
    // Plain text, and a certificate that is accepted unseen.
    for tls in [false, true] {
        let options = GatewayOptions {
            tls,
            ..GatewayOptions::default()
        };
        let (gateway, container) = filled_with(options, 2, 20);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        succeed(&mut without_authorities(export(&gateway, &out)));
        assert_latest(&lines(&out), &container);
    }
}

#[test]
fn a_system_without_ca_certificates_is_reported_as_such() {
    let (gateway, _) = filled_with(over_tls(false), 1, 1);
    let mut ranges = against(&gateway);
    ranges.arg("ranges");
    let ended = run(&mut without_authorities(strictly(&gateway, ranges)));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let hint = "hint: install the system's CA certificates (on Debian, Alpine and Fedora the package \
        ca-certificates), or set SSL_CERT_FILE to a PEM file that contains them";
    let cause = "  Caused by: this system has no CA certificates, so no server can be verified";
    let told: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(
        told[..2],
        [
            &format!("error: cannot connect to {}", gateway.endpoint()),
            cause
        ]
    );
    assert!(
        told[2].starts_with(&format!("{hint}; for a server on this machine")),
        "{told:?}"
    );
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(gateway.total_requests(), 0);

    // The library that requests tokens panics if it finds none.
    for (auth, name) in [
        ("environment", "the service principal app"),
        ("workload-identity", "the workload identity app"),
        ("managed-identity", "the managed identity app"),
    ] {
        let mut command = cosmos_tail();
        command
            .args(["ranges", "--auth", auth])
            .env("AZURE_COSMOS_ENDPOINT", gateway.endpoint())
            .env("AZURE_COSMOS_DATABASE", DATABASE)
            .env("AZURE_COSMOS_CONTAINER", "orders")
            .env("AZURE_TENANT_ID", "00000000-0000-0000-0000-000000000000")
            .env("AZURE_CLIENT_ID", "app")
            .env("AZURE_CLIENT_SECRET", "secret")
            .env("AZURE_FEDERATED_TOKEN_FILE", "/dev/null");
        let ended = run(&mut without_authorities(command));
        assert_eq!(ended.code, Some(1), "{auth}: {}", ended.stderr);
        let expected = format!(
            "error: cannot connect to {}\n  Caused by: cannot get a token with {name}\n{cause}\n{hint}\n",
            gateway.endpoint()
        );
        assert_eq!(ended.stderr, expected, "{auth}");
    }
}

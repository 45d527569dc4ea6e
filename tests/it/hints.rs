//! The whole message of a failing first request: the hint fits the cause.

use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, date_time_ymd};
use tokio::io::AsyncReadExt;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::bad_input::stranger;
use crate::command::{CONTAINER, DATABASE, Ended, against, cosmos_tail, run};
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, KEY, RequestKind};
use crate::orders::filled;

const ACCEPT: &str = "for a server on this machine, `--endpoint emulator` accepts any certificate, \
    and so does DisableServerCertificateValidation=true in AZURE_COSMOS_CONNECTION_STRING";

/// A server that ends TLS with this certificate and answers nothing: its port.
fn tls_server(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> u16 {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((connection, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(mut stream) = acceptor.accept(connection).await {
                        let mut all = Vec::new();
                        stream.read_to_end(&mut all).await.ok();
                    }
                });
            }
        });
    });
    port
}

/// What `ranges` prints about an account at this port, without the port, and without the numbers in the
/// sentences of the TLS library.
fn told(port: u16, roots: &std::path::Path) -> Vec<String> {
    let mut command = cosmos_tail();
    command
        .env("SSL_CERT_FILE", roots)
        .env(
            "AZURE_COSMOS_ENDPOINT",
            format!("https://127.0.0.1:{port}/"),
        )
        .env("AZURE_COSMOS_KEY", KEY)
        .env("AZURE_COSMOS_DATABASE", DATABASE)
        .env("AZURE_COSMOS_CONTAINER", CONTAINER);
    let ended = run(command.arg("ranges"));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let text = ended.stderr.replace(&format!(":{port}"), ":PORT");
    text.lines()
        .map(|line| match line.split_once("verification time") {
            Some((before, _)) => before.to_owned(),
            None => line.to_owned(),
        })
        .collect()
}

#[test]
fn each_fault_of_a_certificate_has_a_hint_of_its_own() {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (trusted, unknown) = (authority("trusted"), authority("unknown"));
    let roots = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&roots, trusted.pem()).unwrap();
    let params = |name: &str, from: i32, to: i32| {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        params
    };
    let connect = "error: cannot connect to https://127.0.0.1:PORT/";
    let refused =
        "  Caused by: the server's certificate is not accepted: invalid peer certificate: ";
    let unknown_authority = "the certificate is self-signed or signed by an unknown authority, such as that \
        of a proxy that inspects TLS: add the authority to the system's trusted certificates, or on Linux \
        set SSL_CERT_FILE to a PEM file that contains it; ";
    for (what, params, issuer, cause, hint) in [
        (
            "expired",
            params("127.0.0.1", 2001, 2002),
            Some(&trusted),
            "certificate expired: ",
            "the server's certificate has expired, or the clock of this machine is ahead: the \
            server's operator has to renew it; ",
        ),
        (
            "not yet valid",
            params("127.0.0.1", 4000, 4001),
            Some(&trusted),
            "certificate not valid yet: ",
            "the server's certificate is not valid yet: the clock of this machine is probably behind; ",
        ),
        (
            "of another name",
            params("shop.example", 2001, 4001),
            Some(&trusted),
            "certificate not valid for name \"127.0.0.1\"; certificate is only valid for \
             DnsName(\"shop.example\")",
            "the certificate is for another host name: use a name that it is valid for as the \
            endpoint, or find out what answers in the account's place (a proxy, an entry in the \
            hosts file, private \
             DNS); ",
        ),
        (
            "of an unknown authority",
            params("127.0.0.1", 2001, 4001),
            Some(&unknown),
            "UnknownIssuer",
            unknown_authority,
        ),
        (
            "self-signed",
            params("127.0.0.1", 2001, 4001),
            None,
            "UnknownIssuer",
            unknown_authority,
        ),
    ] {
        let key = KeyPair::generate().unwrap();
        let certificate = match issuer {
            Some(issuer) => params.signed_by(&key, issuer).unwrap(),
            None => params.self_signed(&key).unwrap(),
        };
        let port = tls_server(vec![certificate.der().clone()], &key);
        let expected = [
            connect.to_owned(),
            format!("{refused}{cause}"),
            format!("hint: {hint}{ACCEPT}"),
        ];
        assert_eq!(told(port, roots.path()), expected, "{what}");
    }
}

/// What a command prints, without the gateway's address.
fn said(gateway: &Gateway, ended: &Ended) -> String {
    ended.stderr.replace(&gateway.endpoint(), "ENDPOINT")
}

/// A command that asks for each thing once.
const ONCE: [&str; 5] = ["export", "-o", "-", "--max-retries", "0"];

fn refused(gateway: &Gateway, kind: RequestKind, action: Action, arguments: &[&str]) -> String {
    gateway.clear_faults();
    gateway.push_fault(Fault::on(kind, action).always());
    let ended = run(against(gateway).args(arguments));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    said(gateway, &ended)
}

#[track_caller]
fn assert_hint(told: &str, hint: &str) {
    let hints: Vec<&str> = told
        .lines()
        .filter(|line| line.starts_with("hint: "))
        .collect();
    assert_eq!(hints, [format!("hint: {hint}")], "{told}");
}

const NOT_AN_ACCOUNT: &str = "the server at this address is not a Cosmos DB account (NoSQL API); the \
    endpoint of an account looks like https://NAME.documents.azure.com:443/";
const OUTAGE: &str = "the service is unavailable: try again later";
const UNLIKE: &str = "ENDPOINT does not answer like Cosmos DB: if it is an emulator, it lacks what an \
    export needs; Microsoft's emulator and `cosmos-tail demo` have it";
const SLOW: &str = "the service took too long to answer: try again later";
const MOVING: &str = "the resource is being moved or changed: try again in a moment";
const PROXY: &str =
    "the proxy requires authentication: set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT";
const CLOSED: &str = "the connection was closed without an answer, perhaps by a proxy, a firewall or \
    a service that does not speak HTTP: try again, or check host, port and scheme";

#[test]
fn each_status_of_an_account_has_its_hint() {
    let (gateway, _) = filled(1, 1);
    for (status, hint) in [
        (400, NOT_AN_ACCOUNT),
        (404, NOT_AN_ACCOUNT),
        (405, NOT_AN_ACCOUNT),
        (407, PROXY),
        (408, SLOW),
        (410, MOVING),
        (449, MOVING),
        (500, OUTAGE),
        (501, NOT_AN_ACCOUNT),
        (502, OUTAGE),
        (503, OUTAGE),
        (504, OUTAGE),
    ] {
        let told = refused(
            &gateway,
            RequestKind::Account,
            Action::status(status, 0),
            &ONCE,
        );
        assert!(
            told.starts_with("error: cannot connect to ENDPOINT\n"),
            "{told}"
        );
        assert_hint(&told, hint);
    }
    let told = refused(
        &gateway,
        RequestKind::Account,
        Action::ResetBeforeHeaders,
        &ONCE,
    );
    assert_hint(&told, CLOSED);
}

#[test]
fn each_status_of_a_container_and_its_ranges_has_its_hint() {
    let (gateway, _) = filled(1, 1);
    for kind in [RequestKind::Container, RequestKind::PartitionKeyRanges] {
        for (status, hint) in [
            (400, UNLIKE),
            (405, UNLIKE),
            (407, PROXY),
            (408, SLOW),
            (500, OUTAGE),
            (503, OUTAGE),
            (
                403,
                "check that the account's firewall admits this machine, that the key belongs to this \
                 account and may read it, and that this machine's clock is right",
            ),
        ] {
            let told = refused(&gateway, kind, Action::status(status, 0), &ONCE);
            let begin = "error: cannot open container `orders` of database `shop`\n";
            assert!(told.starts_with(begin), "{told}");
            assert_hint(&told, hint);
        }
    }
    for (body, why) in [
        ("<html>hello", "it is not JSON"),
        ("{}", "it has no array `PartitionKeyRanges`"),
        (r#"{"PartitionKeyRanges":[]}"#, "it lists no ranges"),
        (
            r#"{"PartitionKeyRanges":[{"id":0,"minInclusive":"","maxExclusive":"FF"}]}"#,
            "`id` of a range is a number, not a string",
        ),
    ] {
        let body = Action::ReplaceBody(body.into());
        let told = refused(&gateway, RequestKind::PartitionKeyRanges, body, &ONCE);
        assert_eq!(
            told,
            format!(
                "error: cannot open container `orders` of database `shop`\n  Caused by: its list of \
                 partition key ranges is not one that Cosmos DB sends: {why}\nhint: {UNLIKE}\n"
            )
        );
    }
}

#[test]
fn a_failed_creation_does_not_send_the_user_to_the_portal() {
    let (gateway, _) = filled(1, 1);
    let file = tempfile::NamedTempFile::with_suffix(".jsonl").unwrap();
    let source = file.path().to_str().unwrap().to_owned();
    let create = [
        "replay",
        &source,
        "-c",
        "new",
        "--create",
        "--partition-key",
        "/pk",
        "--max-retries",
        "0",
    ];
    for (action, hint) in [
        (Action::status(503, 0), OUTAGE),
        (Action::status(408, 0), SLOW),
        (Action::status(449, 0), MOVING),
        (Action::ResetBeforeHeaders, CLOSED),
        (
            Action::status(400, 0),
            "create it in the portal, or run: az cosmosdb sql container create",
        ),
        (Action::status(404, 0), "create the database `shop` first"),
    ] {
        let told = refused(&gateway, RequestKind::ContainerCreate, action, &create);
        let begin = "error: cannot create container `new` of database `shop`\n";
        assert!(told.starts_with(begin), "{told}");
        assert_hint(&told, hint);
    }
}

#[test]
fn an_address_from_the_account_is_named() {
    let other = Gateway::start(GatewayOptions::default());
    let (gateway, _) = filled(1, 1);
    let html =
        stranger("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\nconnection: close\r\n\r\nnone");
    let named = "the account at ENDPOINT names LOCATION as its address (writableLocations and \
        readableLocations, West)";
    let origin = "which the account at ENDPOINT names as its address (writableLocations and readableLocations, \
        West)";
    for (location, cause, hint) in [
        (
            other.endpoint(),
            "  Caused by: LOCATION answers: 404".to_owned(),
            format!(
                "{named}, and the request was sent there: check that it can be reached from here and is the \
                 same account; with --limit-to-endpoint all requests go to ENDPOINT"
            ),
        ),
        (
            format!("http://127.0.0.1:{html}/"),
            format!("  Caused by: no answer from LOCATION, {origin}: "),
            "check that this address is the account's and can be reached from here; if only ENDPOINT can, add \
             --limit-to-endpoint"
                .to_owned(),
        ),
    ] {
        let locations = serde_json::json!([{"name": "West", "databaseAccountEndpoint": location}]);
        let account = serde_json::json!({
            "id": "account", "_rid": "account.documents.azure.com", "_self": "",
            "writableLocations": locations, "readableLocations": locations,
            "enableMultipleWriteLocations": false,
            "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
            "userReplicationPolicy": {"minReplicaSetSize": 3, "maxReplicasetSize": 4},
            "systemReplicationPolicy": {"minReplicaSetSize": 3, "maxReplicasetSize": 4},
            "readPolicy": {"primaryReadCoefficient": 1, "secondaryReadCoefficient": 1},
            "queryEngineConfiguration": "{}",
        });
        let body = Action::ReplaceBody(account.to_string().into());
        let told = refused(&gateway, RequestKind::Account, body, &["ranges"]);
        let told = told.replace(&location, "LOCATION");
        assert!(told.contains(&cause), "{told}");
        assert_hint(&told, &hint);
    }
}

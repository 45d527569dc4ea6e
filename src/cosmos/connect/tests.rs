//! Endpoints that go wrong, each a few lines on a loopback port.

use std::time::Instant;

use azure_core::http::StatusCode;
use azure_data_cosmos_driver::CosmosStatus;
use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use azure_data_cosmos_driver::options::AvailabilityStrategy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

use super::*;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::options::{
    CredentialOptions, EntraIdOptions, NamesFrom, Routing, SecretText, ThroughputControl,
    TokenOptions,
};
use crate::error::{ExitCode, exit_code, render};

/// The key that no message may repeat.
const CANARY: &str = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmFyeQ==";

/// A port on which every connection gets the same answer.
struct Endpoint {
    url: String,
    server: JoinHandle<()>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What a connection gets.
#[derive(Clone)]
enum Answer {
    /// The connection is closed at once.
    Close,
    /// These bytes for any request, then the end.
    Greeting(&'static str),
    /// Everything is read and nothing is ever sent.
    Silence,
    /// Only HTTP/1.1: by path, a status line with headers, and a body.
    Http11(fn(&str) -> (String, String)),
}

async fn serve(answer: Answer) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(talk(stream, answer.clone()));
        }
    });
    Endpoint { url, server }
}

/// Answers one connection; a client that hangs up ends it.
async fn talk(mut stream: TcpStream, answer: Answer) -> Option<()> {
    match answer {
        Answer::Close => {}
        Answer::Greeting(text) => {
            // An end that comes before the request is sent is another fault than these bytes.
            stream.readable().await.ok()?;
            stream.write_all(text.as_bytes()).await.ok()?;
            stream.shutdown().await.ok()?;
            drain(&mut stream).await;
        }
        Answer::Silence => drain(&mut stream).await,
        Answer::Http11(respond) => {
            let mut request = Vec::new();
            loop {
                let mut buffer = [0; 4096];
                let read = stream.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
                request.extend_from_slice(&buffer[..read]);
                let Some(end) = request.windows(4).position(|w| w == b"\r\n\r\n") else {
                    continue;
                };
                let head = String::from_utf8(request.drain(..end + 4).collect()).ok()?;
                let mut words = head.split_whitespace().skip(1);
                let (path, version) = (words.next()?, words.next()?);
                if version != "HTTP/1.1" {
                    let refusal = b"HTTP/1.1 505 HTTP Version Not Supported\r\n\
                        content-length: 0\r\nconnection: close\r\n\r\n";
                    return stream.write_all(refusal).await.ok();
                }
                let (status, body) = respond(path);
                let response = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(response.as_bytes()).await.ok()?;
            }
        }
    }
    Some(())
}

async fn drain(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    while matches!(stream.read(&mut buffer).await, Ok(n) if n > 0) {}
}

fn options(url: &str) -> ConnectOptions {
    ConnectOptions {
        endpoint: Url::parse(url).unwrap(),
        database: "shop".to_owned(),
        container: "orders".to_owned(),
        names_from: NamesFrom::default(),
        credential: CredentialOptions::Key(SecretText::new(CANARY)),
        key_reader: None,
        accept_self_signed: false,
        throughput: ThroughputControl::default(),
        token: TokenOptions::default(),
        routing: Routing::default(),
        via_arm: None,
    }
}

/// The rendered error of connecting, which must come within `seconds`.
async fn failure(options: &ConnectOptions, seconds: u64) -> String {
    let started = Instant::now();
    let error = CosmosClient::connect(options).await.expect_err("must fail");
    let took = started.elapsed();
    let text = render(&error);
    assert!(took < Duration::from_secs(seconds), "{took:?}: {text}");
    assert_eq!(exit_code(&error), ExitCode::Failed);
    assert!(!format!("{text}{error:?}").contains(CANARY), "{text}");
    assert!(text.contains("\nhint: "), "{text}");
    assert!(text.lines().all(|line| line.len() < 600), "{text}");
    text
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "expected {part:?} in:\n{text}");
    }
}

/// An endpoint that gives every request this answer.
async fn answering(respond: fn(&str) -> (String, String)) -> Endpoint {
    serve(Answer::Http11(respond)).await
}

#[tokio::test]
async fn a_closed_port_is_reported_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let text = failure(&options(&format!("http://{address}/")), 5).await;
    assert_says(
        &text,
        &[
            &format!("error: cannot connect to http://{address}/\n"),
            &format!("Caused by: no connection to {address}\n"),
            "hint: check the endpoint, and whether this machine may reach it",
        ],
    );
}

#[tokio::test]
async fn a_port_that_hangs_up_is_reported() {
    let endpoint = serve(Answer::Close).await;
    let text = failure(&options(&endpoint.url), 10).await;
    assert_says(
        &text,
        &[
            "the connection failed: ",
            "the connection was closed without an answer",
        ],
    );
}

#[tokio::test]
async fn a_port_of_another_protocol_is_reported() {
    let endpoint = serve(Answer::Greeting("SSH-2.0-OpenSSH_9.6\r\n")).await;
    let text = failure(&options(&endpoint.url), 10).await;
    assert_says(
        &text,
        &[
            "the connection failed: ",
            "does not speak HTTP like a Cosmos DB account",
        ],
    );
}

#[tokio::test]
async fn a_port_without_tls_is_reported() {
    let endpoint = serve(Answer::Greeting("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let text = failure(&options(&endpoint.url.replace("http", "https")), 10).await;
    assert_says(
        &text,
        &[
            "the connection failed: ",
            "does not speak HTTPS like a Cosmos DB account",
        ],
    );
}

#[tokio::test]
async fn a_silent_port_is_reported_in_bounded_time() {
    let endpoint = serve(Answer::Silence).await;
    let text = failure(&options(&endpoint.url), 20).await;
    assert_says(&text, &["timed out", "but does not answer"]);
}

#[tokio::test]
async fn a_port_that_does_not_answer_tls_is_reported_in_bounded_time() {
    let endpoint = serve(Answer::Silence).await;
    let text = failure(&options(&endpoint.url.replace("http", "https")), 25).await;
    assert_says(&text, &["timed out", "but does not answer"]);
}

#[tokio::test]
async fn a_web_page_is_not_taken_for_an_account() {
    let endpoint = answering(|_| {
        (
            "200 OK\r\ncontent-type: text/html".to_owned(),
            "<html>hello</html>".to_owned(),
        )
    })
    .await;
    let text = failure(&options(&endpoint.url), 10).await;
    assert_says(
        &text,
        &["the answer is not that of", "is not a Cosmos DB account"],
    );
}

#[tokio::test]
async fn a_wrong_key_is_reported() {
    let endpoint = answering(|_| {
        let body = r#"{"code":"Unauthorized","message":"The input authorization token can't serve the request.\r\nActivityId: 1b"}"#;
        ("401 Unauthorized".to_owned(), body.to_owned())
    })
    .await;
    let text = failure(&options(&endpoint.url), 10).await;
    assert_says(
        &text,
        &[
            "Caused by: 401: The input authorization token can't serve the request.\n",
            "hint: check that the key belongs to this account",
        ],
    );
}

#[tokio::test]
async fn disabled_keys_and_closed_networks_are_reported() {
    let endpoint = answering(|_| {
        let body = r#"{"code":"Unauthorized","message":"Local Authorization is disabled. Use an AAD token."}"#;
        ("401 Unauthorized\r\nx-ms-substatus: 5202".to_owned(), body.to_owned())
    })
    .await;
    let text = failure(&options(&endpoint.url), 10).await;
    assert_says(
        &text,
        &[
            "401/5202 LocalAuthDisabled: Local Auth",
            "use an Entra ID credential",
        ],
    );

    let endpoint = answering(|_| {
        let body = r#"{"code":"Forbidden","message":"Request originated from IP 192.0.2.1 through public internet. This is blocked by your Cosmos DB account firewall settings."}"#;
        ("403 Forbidden".to_owned(), body.to_owned())
    })
    .await;
    let text = failure(&options(&endpoint.url), 10).await;
    assert_says(
        &text,
        &["403: Request originated from IP", "network settings"],
    );
}

#[test]
fn a_missing_role_is_reported() {
    let status = CosmosStatus::new(StatusCode::Forbidden).with_sub_status(5301);
    let error = CosmosError::builder()
        .with_status(status)
        .with_message("principal does not have required RBAC permissions")
        .build();
    let mut options = options("https://shop.documents.azure.com/");
    options.credential = CredentialOptions::EntraId(EntraIdOptions::AzureCli { by_default: true });
    assert_says(
        &account_hint(&error, &options),
        &["Cosmos DB Built-in Data Reader"],
    );
}

#[test]
fn an_untrusted_certificate_is_reported() {
    let error = CosmosError::builder()
        .with_status(CosmosStatus::new(StatusCode::ServiceUnavailable).with_sub_status(20010))
        .with_message("error sending request for url (https://localhost:8081/)")
        .with_source(std::io::Error::other(
            "invalid peer certificate: UnknownIssuer",
        ))
        .build();
    assert_eq!(
        describe(&error),
        "503/20010: error sending request for url (https://localhost:8081/): \
         invalid peer certificate: UnknownIssuer"
    );
    for (endpoint, says) in [
        ("https://localhost:8081/", "`--endpoint emulator` accepts"),
        (
            "https://[::1]:8081/",
            "DisableServerCertificateValidation=true",
        ),
        ("https://shop.documents.azure.com/", "inspects TLS"),
    ] {
        assert_says(&account_hint(&error, &options(endpoint)), &[says]);
    }
}

#[tokio::test]
async fn an_outage_is_reported() {
    let endpoint = answering(|_| ("503 Unavailable".to_owned(), "{}".to_owned())).await;
    let text = failure(&options(&endpoint.url), 10).await;
    assert_says(
        &text,
        &[
            "Caused by: 503: ",
            "hint: the service is unavailable: try again later",
        ],
    );
}

#[test]
fn every_operation_reads_text_and_asks_one_region() {
    let options = operation_options(ThroughputControl::default());
    assert_eq!(options.binary_encoding.map(|b| b.enabled), Some(false));
    assert_eq!(
        options.availability_strategy,
        Some(AvailabilityStrategy::Disabled)
    );
}

#[cfg(feature = "demo")]
mod emulated {
    use std::borrow::Cow;
    use std::convert::Infallible;

    use azure_core::http::{Method, Request};
    use azure_data_cosmos_driver::in_memory_emulator::{
        InMemoryEmulatorHttpClient, VirtualAccountConfig, VirtualRegion,
    };
    use http_body_util::{BodyExt, Full};
    use hyper::body::{Bytes, Incoming};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    use super::*;

    /// The SDK's in-memory account with database `shop` and container `orders`.
    async fn account(version: HttpVersion) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let region = VirtualRegion::new("East US", Url::parse(&url).unwrap());
        let config = VirtualAccountConfig::new(vec![region]).unwrap();
        let emulator = Arc::new(InMemoryEmulatorHttpClient::new(config));
        let store = emulator.store();
        store.create_database("shop");
        store.create_container(
            "shop",
            "orders",
            PartitionKeyDefinition::new(vec![Cow::Borrowed("/customer")]),
        );
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (emulator, io) = (Arc::clone(&emulator), TokioIo::new(stream));
                tokio::spawn(async move {
                    let respond = |request| respond(Arc::clone(&emulator), request);
                    let service = hyper::service::service_fn(respond);
                    match version {
                        HttpVersion::Http11 => {
                            let server = hyper::server::conn::http1::Builder::new();
                            server.serve_connection(io, service).await
                        }
                        HttpVersion::Http2 => {
                            let executor = TokioExecutor::new();
                            let server = hyper::server::conn::http2::Builder::new(executor);
                            server.serve_connection(io, service).await
                        }
                    }
                });
            }
        });
        Endpoint { url, server }
    }

    async fn respond(
        emulator: Arc<InMemoryEmulatorHttpClient>,
        request: hyper::Request<Incoming>,
    ) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
        let authority = match request.headers().get("host") {
            Some(host) => host.to_str().unwrap().to_owned(),
            None => request.uri().authority().unwrap().to_string(),
        };
        let path = request.uri().path_and_query().unwrap().as_str();
        let url = Url::parse(&format!("http://{authority}{path}")).unwrap();
        let method = match request.method().as_str() {
            "GET" => Method::Get,
            _ => Method::Post,
        };
        let mut asked = Request::new(url, method);
        for (name, value) in request.headers() {
            asked.insert_header(name.as_str().to_owned(), value.to_str().unwrap().to_owned());
        }
        asked.set_body(request.into_body().collect().await.unwrap().to_bytes());
        let answer = emulator.execute_request(&asked).await.unwrap();
        let (status, headers, body) = answer.deconstruct();
        let mut response = hyper::Response::builder().status(u16::from(status));
        for (name, value) in headers.iter() {
            response = response.header(name.as_str(), value.as_str());
        }
        let body = body.collect().await.unwrap();
        Ok(response.body(Full::new(body)).unwrap())
    }

    #[tokio::test]
    async fn an_account_is_connected_with_the_http_version_that_it_speaks() {
        for version in [HttpVersion::Http2, HttpVersion::Http11] {
            let endpoint = account(version).await;
            let client = CosmosClient::connect(&options(&endpoint.url))
                .await
                .unwrap();
            assert_eq!(client.http_version(), version);
            assert_eq!(client.endpoint().as_str(), endpoint.url);
            assert_eq!(client.database_name(), "shop");
            assert_eq!(client.container_name(), "orders");
            assert_eq!(client.partition_key_definition().paths(), ["/customer"]);
            assert!(!client.rid().is_empty());
            let user_agent = client.driver().user_agent().as_str().to_owned();
            let name = concat!(" cosmos-tail-", env!("CARGO_PKG_VERSION"));
            assert!(user_agent.ends_with(name), "{user_agent}");
        }
    }

    #[tokio::test]
    async fn a_missing_container_is_distinguished_from_a_missing_database() {
        let endpoint = account(HttpVersion::Http2).await;
        let mut wrong = options(&endpoint.url);
        wrong.container = "order".to_owned();
        let text = failure(&wrong, 10).await;
        assert_says(
            &text,
            &[
                "error: cannot open container `order` of database `shop`\n",
                "Caused by: there is no container `order` in the database `shop`\n",
                "hint: did you mean `orders`? the containers are: orders",
                "; name one with -c (AZURE_COSMOS_CONTAINER)\n",
            ],
        );
        wrong.database = "shoe".to_owned();
        let text = failure(&wrong, 10).await;
        assert_says(
            &text,
            &[
                "error: cannot open container `order` of database `shoe`\n",
                "there is no database `shoe` in the account at ",
                "hint: did you mean `shop`? the databases are: shop; name one with -d (AZURE_COSMOS_DATABASE)\n",
            ],
        );
    }
}

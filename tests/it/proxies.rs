//! A proxy that refuses, or that cannot be reached; and what goes through one.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;

use crate::closed_port::ClosedPort;
use crate::command::{Ended, cosmos_tail, fail, succeed};
use crate::gateway::KEY;
use crate::store_scene::StoreScene;
use crate::tunnel::Tunnel;

/// A proxy that answers so to each request: its port.
fn proxy(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            // To the blank line that ends the request.
            let request = BufReader::new(&connection).lines().map_while(Result::ok);
            let read: Vec<String> = request.take_while(|line| !line.is_empty()).collect();
            assert!(!read.is_empty());
            let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
            connection.write_all(answer.as_bytes()).ok();
        }
    });
    port
}

fn through(variable: &str, port: u16, arguments: &[&str]) -> Ended {
    let mut command = cosmos_tail();
    command
        .env("AZURE_COSMOS_CONNECTION_POOL_IS_PROXY_ALLOWED", "true")
        .env("AZURE_COSMOS_ENDPOINT", "https://shop.documents.azure.com/")
        .env("AZURE_COSMOS_KEY", KEY)
        .env("AZURE_COSMOS_DATABASE", "shop")
        .env("AZURE_COSMOS_CONTAINER", "orders")
        .env(variable, format!("http://ada:s3cr3t@127.0.0.1:{port}"));
    fail(command.args(arguments), 1)
}

/// The cause and the hint of a failure, without the retries before it.
fn end_of(ended: &Ended) -> String {
    let at = ended.stderr.rfind("  Caused by: ").unwrap();
    ended.stderr[at..].to_owned()
}

#[test]
fn a_proxy_that_refuses_is_named_with_its_variable_and_without_its_password() {
    let closed = ClosedPort::new();
    let wants_password = proxy("407 Proxy Authentication Required");
    let refuses = proxy("403 Forbidden");
    let once = &["export", "-o", "-", "--max-retries", "0"][..];
    for (variable, port, arguments, cause, hint) in [
        (
            "HTTPS_PROXY",
            wants_password,
            &["ranges"][..],
            "requires a user name and a password",
            "set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT",
        ),
        (
            "ALL_PROXY",
            refuses,
            once,
            "refuses a connection to shop.documents.azure.com:443",
            "ask for shop.documents.azure.com:443 to be allowed by the proxy; or, if it can be reached without \
             one, unset ALL_PROXY or add the host to NO_PROXY",
        ),
        (
            "https_proxy",
            closed.number(),
            once,
            "cannot be reached: ",
            "check https_proxy; if the account can be reached without a proxy, unset it or add the host to \
             NO_PROXY",
        ),
    ] {
        let ended = through(variable, port, arguments);
        let end = end_of(&ended);
        let start = format!("  Caused by: the proxy http://127.0.0.1:{port} ({variable}) {cause}");
        assert!(end.starts_with(&start), "{}", ended.stderr);
        assert!(
            end.ends_with(&format!("\nhint: {hint}\n")),
            "{}",
            ended.stderr
        );
        for secret in ["ada", "s3cr3t"] {
            assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
        }
    }
}

#[test]
fn requests_to_a_store_go_through_the_proxy_but_those_to_hosts_of_no_proxy_do_not() {
    // The store takes requests in the form for proxies too. Its own name leads nowhere.
    for (variable, url, no_proxy, is_through) in [
        ("HTTP_PROXY", "http://store.invalid", "", true),
        ("http_proxy", "http://store.invalid", "", true),
        (
            "ALL_PROXY",
            "http://store.invalid",
            "elsewhere.invalid",
            true,
        ),
        ("HTTP_PROXY", "", "127.0.0.1", false),
        ("ALL_PROXY", "", "10.0.0.0/8,127.0.0.0/8", false),
    ] {
        let scene = StoreScene::new(2, 60);
        let own = scene.store.url();
        let proxy = Tunnel::to(&own);
        let named = proxy.endpoint();
        let url = if url.is_empty() { own.as_str() } else { url };
        let reach = |command: &mut Command| {
            let ended = succeed(
                command
                    .env("AZURITE_BLOB_STORAGE_URL", url)
                    .env(variable, named.trim_end_matches('/'))
                    .env("NO_PROXY", no_proxy),
            );
            assert_eq!(proxy.connections() > 0, is_through, "{variable}: {ended:?}");
        };
        // The account has no part in it, unless it is allowed to.
        reach(&mut scene.next_command());
        reach(&mut scene.next_command());
        scene.judge().unwrap();
    }
}

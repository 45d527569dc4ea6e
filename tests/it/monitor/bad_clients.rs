//! Clients of the endpoints that do what no good client does: the job goes on.

use super::*;
use crate::command::{CONTAINER, against};
use crate::gateway::KEY;
use crate::orders::{fill, filled};

fn started() -> (Gateway, crate::gateway::Container, Served) {
    let (gateway, container) = filled(2, 50);
    let mut command = against(&gateway);
    command.args(["tail", "--from", "beginning", "--poll-interval", "20ms"]);
    let served = Served::start(command.arg("--metrics-per-range"));
    served.wait_for_status("/readyz", 200);
    (gateway, container, served)
}

/// The tail still reads every document, and ends as always.
#[track_caller]
fn assert_unharmed(container: &crate::gateway::Container, served: Served) {
    fill(container, 50..100);
    wait_until("the documents", || {
        let progress = served.progress();
        if progress["documents"] == 100 {
            Ok(())
        } else {
            Err(progress.to_string())
        }
    });
    let ended = served.stop();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 100);
}

#[test]
fn other_paths_and_methods_are_refused() {
    let (_gateway, container, served) = started();
    for path in [
        "/",
        "/metrics/",
        "/metrics/x",
        "/healthz2",
        "/..%2fmetrics",
        "//metrics",
        "/METRICS",
    ] {
        let answer = served.get(path);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        assert!(answer.body.contains("/progress"), "{answer:?}");
    }
    for path in ["/metrics", "/healthz", "/readyz", "/progress"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
            let answer = ask(served.address, method, path);
            assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
            assert!(answer.head.contains("allow: get, head"), "{answer:?}");
        }
        let head = ask(served.address, "HEAD", path);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        // A query is none of our business.
        assert_eq!(served.get(&format!("{path}?x=1")).status, 200);
    }
    let types = [
        (
            "/metrics",
            "content-type: text/plain; version=0.0.4; charset=utf-8",
        ),
        ("/progress", "content-type: application/json"),
    ];
    for (path, kind) in types {
        assert!(served.get(path).head.contains(kind), "{path}");
    }
    assert_unharmed(&container, served);
}

#[test]
fn a_thousand_connections_do_not_keep_anybody_out() {
    let (_gateway, container, served) = started();
    let mut open: Vec<TcpStream> = Vec::new();
    for number in 0..1000 {
        let mut stream = TcpStream::connect(served.address).unwrap();
        if number % 2 == 0 {
            // Half a request. The server may have closed an older connection, never this one.
            stream.write_all(b"GET /metrics HTT").unwrap();
        }
        open.push(stream);
        if number % 100 == 99 {
            assert_eq!(served.get("/healthz").status, 200);
        }
    }
    let samples = served.metrics();
    if cfg!(target_os = "linux") {
        let descriptors = samples["process_open_fds"];
        assert!(descriptors < 200.0, "{descriptors}");
    }
    assert_unharmed(&container, served);
}

#[test]
fn half_a_request_is_not_awaited_for_ever() {
    let (_gateway, container, served) = started();
    let halves: [&[u8]; 3] = [b"", b"GET /metrics HTTP/1.1\r\nHost: a", b"GET"];
    let mut open: Vec<TcpStream> = halves
        .iter()
        .map(|half| {
            let mut stream = TcpStream::connect(served.address).unwrap();
            stream.write_all(half).unwrap();
            stream
        })
        .collect();
    assert_eq!(served.get("/healthz").status, 200);
    for stream in &mut open {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        // Closed, whether or not with an answer first.
        stream.read_to_end(&mut rest).ok();
        let text = String::from_utf8_lossy(&rest);
        assert!(!text.contains("200 OK"), "{text}");
    }
    assert_unharmed(&container, served);
}

#[test]
fn nonsense_and_huge_headers_are_refused() {
    let (_gateway, container, served) = started();
    let huge = format!(
        "GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1000));
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "m".repeat(1 << 20));
    let nonsense: [&[u8]; 8] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /metrics HTTP/9.9\r\n\r\n",
        huge.as_bytes(),
        many.as_bytes(),
        long.as_bytes(),
    ];
    for bytes in nonsense {
        let mut stream = TcpStream::connect(served.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // The server may close before it has all of it.
        stream.write_all(bytes).ok();
        stream.shutdown(std::net::Shutdown::Write).ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.starts_with("HTTP/1.1 200"), "{text}");
    }
    assert_unharmed(&container, served);
}

#[test]
fn a_client_that_does_not_read_keeps_nobody_waiting() {
    let (_gateway, container, served) = started();
    let mut open = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(served.address).unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        open.push(stream);
    }
    assert_eq!(served.get("/metrics").status, 200);
    assert_unharmed(&container, served);
}

#[test]
fn nothing_of_the_data_and_no_secret_is_served() {
    let (gateway, container, served) = started();
    for path in ["/metrics", "/progress", "/healthz", "/readyz"] {
        let body = served.get(path).body;
        for secret in [
            KEY,
            "item-1",
            "key-1",
            "some text",
            CONTAINER,
            &gateway.endpoint(),
        ] {
            assert!(!body.contains(secret), "{path} has `{secret}`: {body}");
        }
    }
    assert_unharmed(&container, served);
}

//! A client that sends any text over HTTP/1.1, and returns every byte of the answer.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::gateway::{Gateway, KEY, sign};

pub(super) const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
pub(super) const DOCS: &str = "/dbs/db/colls/coll/docs";

/// An answer, as received.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case, in the order of the answer.
    pub(super) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(own, _)| own == name);
        header.map(|(_, value)| value.as_str())
    }

    pub(super) fn etag(&self) -> Option<&str> {
        self.header("etag")
    }

    /// The values of a field of the documents of a page.
    pub(super) fn fields(&self, name: &str) -> Vec<serde_json::Value> {
        if self.body.is_empty() {
            return Vec::new();
        }
        let page: serde_json::Value = serde_json::from_str(&self.body).expect("a page is JSON");
        let documents = page["Documents"].as_array().expect("a page has documents");
        documents.iter().map(|item| item[name].clone()).collect()
    }
}

/// Sends a request with these headers.
pub(crate) fn send(
    gateway: &Gateway,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String) {
    let address = gateway.endpoint();
    let address = address
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let mut stream = TcpStream::connect(&address).expect("the gateway listens");
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(body);
    stream
        .write_all(request.as_bytes())
        .expect("the request is sent");
    let mut response = String::new();
    stream
        .read_to_string(&mut response)
        .expect("the response is read");
    let status = response[9..12].parse().expect("a status line");
    (status, response)
}

pub(super) fn get(gateway: &Gateway, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    send(gateway, "GET", path, headers, "")
}

/// A change feed request to a partition, with more headers.
pub(super) fn poll(
    gateway: &Gateway,
    path: &str,
    partition: &str,
    more: &[(&str, &str)],
) -> (u16, String) {
    let signature = sign(KEY, "get", "docs", "dbs/db/colls/coll", DATE);
    let mut headers = vec![
        ("authorization", signature.as_str()),
        ("x-ms-date", DATE),
        ("A-IM", "Incremental Feed"),
        ("x-ms-documentdb-partitionkeyrangeid", partition),
    ];
    headers.extend_from_slice(more);
    get(gateway, path, &headers)
}

/// The same, parsed.
pub(super) fn feed(gateway: &Gateway, partition: &str, more: &[(&str, &str)]) -> Answer {
    take_apart(poll(gateway, DOCS, partition, more))
}

pub(crate) fn take_apart((status, response): (u16, String)) -> Answer {
    let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body");
    let headers = head.lines().skip(1).map(|line| {
        let (name, value) = line.split_once(':').expect("a header has a colon");
        (name.to_ascii_lowercase(), value.trim().to_owned())
    });
    Answer {
        status,
        headers: headers.collect(),
        body: body.to_owned(),
    }
}

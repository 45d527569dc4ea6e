//! Requests for the documents of the demo container.

use azure_core::http::Method;
use azure_core::http::headers::Headers;
use bytes::Bytes;

use super::documents::Document;
use super::request::Request;

/// The name of the database.
pub(super) const DATABASE: &str = "shop";
/// The name of the container.
pub(super) const CONTAINER: &str = "orders";

/// The path of the container's documents, or of the one with this id, which must need no escaping.
pub(super) fn docs_path(id: Option<&str>) -> String {
    let docs = format!("/dbs/{DATABASE}/colls/{CONTAINER}/docs");
    match id {
        Some(id) => format!("{docs}/{id}"),
        None => docs,
    }
}

/// The header with the partition key of a customer, whose id must need no escaping.
pub(super) fn partition_key(customer_id: &str) -> String {
    format!("[\"{customer_id}\"]")
}

/// A write that does not want the document in the answer.
pub(super) fn write(method: Method, path: &str, document: Document) -> Request {
    let mut headers = Headers::new();
    headers.insert("prefer", "return=minimal");
    headers.insert(
        "x-ms-documentdb-partitionkey",
        partition_key(&document.customer_id),
    );
    let body = match method {
        Method::Delete => Bytes::new(),
        _ => Bytes::from(document.json),
    };
    Request {
        headers,
        body,
        ..Request::new(method, path)
    }
}

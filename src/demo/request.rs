//! What a request to the account is about, by its method, path and headers: the same rules as the emulator's.

use azure_core::http::Method;
use azure_core::http::headers::{HeaderName, Headers};
use bytes::Bytes;
use percent_encoding::percent_decode_str;

/// A request whose signature is valid. Its path has the names of the resources, percent-encoded.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: Headers,
    pub(super) body: Bytes,
}

/// A write to items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemWrite {
    /// A document in the body: create or upsert.
    Put,
    /// A document in the body that replaces the one in the path.
    Replace,
    /// Changes to the one in the path.
    Patch,
    /// The one in the path is deleted.
    Delete,
    /// Several of these in one transaction.
    Batch,
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// It reads the change feed.
    Feed,
    /// It lists the partitions.
    Ranges,
    /// It reads or queries items.
    Read,
    Write(ItemWrite),
    CreateContainer,
    ReplaceContainer,
    DeleteContainer,
    DeleteDatabase,
    Other,
}

/// What a request does, and to what. A name that the path does not have is empty.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) action: Action,
    pub(super) database: String,
    pub(super) container: String,
    pub(super) item: String,
}

impl Request {
    pub(super) fn new(method: Method, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            query: None,
            headers: Headers::new(),
            body: Bytes::new(),
        }
    }

    /// A header that is not empty.
    pub(super) fn header(&self, name: &'static str) -> Option<&str> {
        let name = HeaderName::from_static(name);
        self.headers
            .get_optional_str(&name)
            .filter(|value| !value.is_empty())
    }

    pub(super) fn has_header(&self, name: &'static str) -> bool {
        let name = HeaderName::from_static(name);
        self.headers.get_optional_str(&name).is_some()
    }

    pub(super) fn set_header(&mut self, name: &'static str, value: String) {
        self.headers.insert(HeaderName::from_static(name), value);
    }

    pub(super) fn remove_header(&mut self, name: &'static str) {
        self.headers.remove(HeaderName::from_static(name));
    }

    fn is_set(&self, name: &'static str) -> bool {
        self.header(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(super) fn target(&self) -> Target {
        let names: Vec<String> = self
            .path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let kinds: Vec<&str> = names.iter().step_by(2).map(String::as_str).collect();
        let name = |index: usize| names.get(index).cloned().unwrap_or_default();
        Target {
            action: self.action(&kinds, names.len()),
            database: name(1),
            container: name(3),
            item: name(5),
        }
    }

    fn action(&self, kinds: &[&str], depth: usize) -> Action {
        let is_query = self.is_set("x-ms-documentdb-isquery")
            || self.is_set("x-ms-documentdb-query")
            || self.is_set("x-ms-cosmos-is-query-plan-request");
        match (self.method, kinds, depth) {
            (Method::Delete, ["dbs"], 2) => Action::DeleteDatabase,
            (Method::Post, ["dbs", "colls"], 3) if !is_query => Action::CreateContainer,
            (Method::Put, ["dbs", "colls"], 4) => Action::ReplaceContainer,
            (Method::Delete, ["dbs", "colls"], 4) => Action::DeleteContainer,
            (Method::Get, ["dbs", "colls", "pkranges"], 5) => Action::Ranges,
            (Method::Get, ["dbs", "colls", "docs"], 5) if self.header("a-im").is_some() => {
                Action::Feed
            }
            (Method::Post, ["dbs", "colls", "docs"], 5) if !is_query => {
                Action::Write(if self.is_set("x-ms-cosmos-is-batch-request") {
                    ItemWrite::Batch
                } else {
                    ItemWrite::Put
                })
            }
            (Method::Put, ["dbs", "colls", "docs"], 6) => Action::Write(ItemWrite::Replace),
            (Method::Patch, ["dbs", "colls", "docs"], 6) => Action::Write(ItemWrite::Patch),
            (Method::Delete, ["dbs", "colls", "docs"], 6) => Action::Write(ItemWrite::Delete),
            (_, ["dbs", "colls", "docs"], _) => Action::Read,
            _ => Action::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_by_its_method_path_and_headers() {
        let docs = "/dbs/a%20b/colls/colls/docs";
        for (method, path, header, action) in [
            (Method::Get, docs, "a-im", Action::Feed),
            (Method::Get, docs, "", Action::Read),
            (Method::Post, docs, "", Action::Write(ItemWrite::Put)),
            (
                Method::Post,
                docs,
                "x-ms-cosmos-is-batch-request",
                Action::Write(ItemWrite::Batch),
            ),
            (Method::Post, docs, "x-ms-documentdb-isquery", Action::Read),
            (Method::Get, "/dbs/a/colls/b/docs/c", "a-im", Action::Read),
            (
                Method::Delete,
                "/dbs/a/colls/b/docs/c",
                "",
                Action::Write(ItemWrite::Delete),
            ),
            (
                Method::Delete,
                "/dbs/a/colls/b",
                "",
                Action::DeleteContainer,
            ),
            (Method::Delete, "/dbs/colls", "", Action::DeleteDatabase),
            (Method::Get, "/dbs/a/colls/b/pkranges", "", Action::Ranges),
            (Method::Post, "/dbs/a/colls", "", Action::CreateContainer),
            (Method::Get, "/offers/docs", "", Action::Other),
        ] {
            let mut request = Request::new(method, path);
            if !header.is_empty() {
                request.headers.insert(header, "True");
            }
            assert_eq!(request.target().action, action, "{method} {path} {header}");
        }
        let target = Request::new(Method::Get, docs).target();
        assert_eq!((&*target.database, &*target.container), ("a b", "colls"));
    }
}

//! Resource ids: the other way to address a resource, and what answers say about its owner.
//!
//! The service knows each resource by two paths, `/dbs/shop/colls/orders` and
//! `/dbs/AAAAAQ==/colls/AAAAAYAAAAE=`. Clients read a resource id from an answer, or from a `_self` link,
//! and address by it from then on. The emulator knows names only, so a path is translated before it is
//! executed.

use std::borrow::Cow;

use anyhow::Context;
use azure_core::http::Method;
use azure_core::http::headers::{HeaderName, Headers};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

use super::answer::Answer;
use super::host::Service;
use super::offers;

/// What need not be escaped in a segment of a path.
pub(super) const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The range that a request is for: `0`, or with the resource id of its container `AAAAAYAAAAE=,0`.
const RANGE_ID: HeaderName = HeaderName::from_static("x-ms-documentdb-partitionkeyrangeid");
const PARTITION_KEY: HeaderName = HeaderName::from_static("x-ms-documentdb-partitionkey");
/// The path of the owner by names.
const OWNER_NAME: HeaderName = HeaderName::from_static("x-ms-alt-content-path");
/// The resource id of the owner.
const OWNER_RID: HeaderName = HeaderName::from_static("x-ms-content-path");

/// Lengths of resource ids in bytes.
const DATABASE: usize = 4;
const CONTAINER: usize = 8;
const DOCUMENT: usize = 16;

/// The bytes of a resource id with `length` bytes, or `None` if the segment of a path does not have its form.
fn bytes_of(segment: &str, length: usize) -> Option<Vec<u8>> {
    // A path cannot contain the slash of base64.
    let bytes = STANDARD.decode(segment.replace('-', "/")).ok()?;
    (bytes.len() == length).then_some(bytes)
}

/// Where a request goes.
pub(super) struct Address<'a> {
    /// The path by names, percent-encoded. Where nothing has a resource id, it is kept, and not found.
    pub(super) path: Cow<'a, str>,
    /// Whether the resource whose link is signed is addressed by its resource id.
    pub(super) is_by_rid: bool,
}

impl Service {
    /// Translates a path, which has no trailing slash. A name that has the form of a resource id is a name.
    ///
    /// # Errors
    ///
    /// If the emulator fails.
    pub(super) async fn address<'a>(
        &self,
        path: &'a str,
        headers: &Headers,
    ) -> anyhow::Result<Address<'a>> {
        let mut address = Address {
            path: path.into(),
            is_by_rid: false,
        };
        let segments: Vec<Cow<'_, str>> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy())
            .collect();
        let mut names = String::new();
        let mut has_rid = false;
        for pair in segments.chunks(2) {
            let [kind, segment] = pair else {
                names.push('/');
                names.push_str(&pair[0]);
                break;
            };
            let name = match kind.as_ref() {
                "dbs" => self.name(&names, kind, segment, DATABASE).await?,
                "colls" => self.name(&names, kind, segment, CONTAINER).await?,
                "docs" => self.document(&names, segment, headers).await?,
                "offers" => offers::name(segment).map_or(Found::Name, Found::Rid),
                _ => Found::Name,
            };
            address.is_by_rid = name != Found::Name;
            let name = match &name {
                Found::Rid(name) => {
                    has_rid = true;
                    name
                }
                Found::Name | Found::Nothing => segment.as_ref(),
            };
            names.push_str(&format!("/{kind}/{}", utf8_percent_encode(name, ESCAPED)));
        }
        if has_rid {
            address.path = names.into();
        }
        Ok(address)
    }

    /// What a segment of a path names among the databases of the account, or the containers of the database
    /// at `owner`.
    async fn name(
        &self,
        owner: &str,
        kind: &str,
        segment: &str,
        length: usize,
    ) -> anyhow::Result<Found> {
        if bytes_of(segment, length).is_none() {
            return Ok(Found::Name);
        }
        let path = format!("{owner}/{kind}");
        let feed = self.read(&path).await?;
        let member = if kind == "dbs" {
            "Databases"
        } else {
            "DocumentCollections"
        };
        let resources = feed[member].as_array().map_or(&[][..], Vec::as_slice);
        Ok(Found::among(resources, segment))
    }

    /// What a segment of a path names among the documents with the partition key of the request.
    async fn document(
        &self,
        container: &str,
        segment: &str,
        headers: &Headers,
    ) -> anyhow::Result<Found> {
        let Some(bytes) = bytes_of(segment, DOCUMENT) else {
            return Ok(Found::Name);
        };
        let owner = self.rid(container).await?;
        if owner.and_then(|rid| bytes_of(&rid, CONTAINER)) != Some(bytes[..CONTAINER].to_vec()) {
            return Ok(Found::Name);
        }
        let query = serde_json::json!({
            "query": "SELECT c.id, c._rid FROM c WHERE c._rid = @segment OR c.id = @segment",
            "parameters": [{ "name": "@segment", "value": segment }],
        });
        let mut query_headers = Headers::new();
        query_headers.insert("x-ms-documentdb-isquery", "true");
        query_headers.insert("content-type", "application/query+json");
        query_headers.insert("x-ms-documentdb-query-enablecrosspartition", "true");
        if let Some(key) = headers.get_optional_str(&PARTITION_KEY) {
            query_headers.insert(PARTITION_KEY, key.to_owned());
        }
        let path = format!("{container}/docs");
        let body = Bytes::from(query.to_string());
        let answer = self
            .execute(Method::Post, &path, None, query_headers, body)
            .await?;
        let found: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let documents = found["Documents"].as_array().map_or(&[][..], Vec::as_slice);
        Ok(Found::among(documents, segment))
    }

    /// Takes the resource id of the container from the header that names a partition.
    ///
    /// # Errors
    ///
    /// The answer to a request that is for a partition of another container, such as one with this name that
    /// was deleted.
    pub(super) async fn address_range(
        &self,
        path: &str,
        headers: &mut Headers,
    ) -> anyhow::Result<Result<(), Answer>> {
        let Some((rid, id)) = headers
            .get_optional_str(&RANGE_ID)
            .and_then(|value| value.split_once(','))
            .map(|(rid, id)| (rid.to_owned(), id.to_owned()))
        else {
            return Ok(Ok(()));
        };
        if let Some(container) = owner(path)
            && let Some(current) = self.rid(container).await?
            && current != rid
        {
            let mut stale = Answer::error(410, "Gone", "The name cache is stale");
            stale.headers.insert("x-ms-substatus", "1000");
            return Ok(Err(stale));
        }
        headers.insert(RANGE_ID, id);
        Ok(Ok(()))
    }

    /// Completes an answer: with the owner of its resources, and the resource ids of offers. `path` is by
    /// names.
    ///
    /// # Errors
    ///
    /// If the emulator fails.
    pub(super) async fn complete(&self, path: &str, answer: &mut Answer) -> anyhow::Result<()> {
        if path.starts_with("/offers")
            && let Ok(mut body) = serde_json::from_slice(&answer.body)
        {
            offers::translate(&mut body);
            answer.body = body.to_string().into();
        }
        if answer.status < 400
            && let Some(owner) = owner(path)
            && let Some(rid) = self.rid(owner).await?
        {
            let name = owner.trim_start_matches('/').to_owned();
            answer.headers.insert(OWNER_NAME, name);
            answer.headers.insert(OWNER_RID, rid);
        }
        Ok(())
    }

    /// The resource id of the database or container at a path by names, or `None` if there is none.
    async fn rid(&self, path: &str) -> anyhow::Result<Option<String>> {
        let resource = self.read(path).await?;
        Ok(resource["_rid"].as_str().map(str::to_owned))
    }

    async fn read(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self
            .execute(Method::Get, path, None, Headers::new(), Bytes::new())
            .await?;
        serde_json::from_slice(&answer.body)
            .with_context(|| format!("the demo account cannot read {path}"))
    }
}

/// What a segment of a path names.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// Something that has it as its name, or that does not have to exist.
    Name,
    /// The resource of this name has it as its resource id.
    Rid(String),
    /// It has the form of a resource id, and no resource has it.
    Nothing,
}

impl Found {
    fn among(resources: &[Value], segment: &str) -> Self {
        if resources.iter().any(|resource| resource["id"] == segment) {
            return Self::Name;
        }
        resources
            .iter()
            .find(|resource| resource["_rid"] == segment)
            .and_then(|resource| resource["id"].as_str())
            .map_or(Self::Nothing, |name| Self::Rid(name.to_owned()))
    }
}

/// The path of the database or container that owns the resources at `path`; databases have no owner.
fn owner(path: &str) -> Option<&str> {
    let ends: Vec<usize> = path
        .match_indices('/')
        .map(|(index, _)| index)
        .chain([path.len()])
        .skip(1)
        .collect();
    // Of `/dbs/a/colls/b/docs/c` the second segment ends the database, the fourth the container.
    match ends.len() {
        3 | 4 if path.starts_with("/dbs/") => Some(&path[..ends[1]]),
        5.. if path.starts_with("/dbs/") => Some(&path[..ends[3]]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_id_has_its_length_and_no_slash() {
        assert!(bytes_of("AAAAAQ==", DATABASE).is_some());
        assert!(bytes_of("AAAAAYAAAAE=", CONTAINER).is_some());
        assert!(bytes_of("-v--AIAAAAE=", CONTAINER).is_some());
        for text in ["", "shop", "AAAAAQ", "AAAAAQ= ", "AAAAAYAAAAE=", "ключ"] {
            assert_eq!(bytes_of(text, DATABASE), None, "{text}");
        }
    }

    #[test]
    fn a_containers_owner_is_its_database_and_all_below_it_is_owned_by_the_container() {
        for (path, expected) in [
            ("", None),
            ("/dbs", None),
            ("/dbs/a", None),
            ("/offers/a", None),
            ("/dbs/a/colls", Some("/dbs/a")),
            ("/dbs/a/colls/b", Some("/dbs/a")),
            ("/dbs/a/colls/b/docs", Some("/dbs/a/colls/b")),
            ("/dbs/a/colls/b/docs/c", Some("/dbs/a/colls/b")),
            ("/dbs/a/colls/b/pkranges", Some("/dbs/a/colls/b")),
        ] {
            assert_eq!(owner(path), expected, "{path}");
        }
    }
}

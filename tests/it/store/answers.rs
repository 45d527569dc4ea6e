//! What the calls of Azure Blob Storage do and answer.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::Response;
use serde_json::Value;

use super::blobs::{Blob, Changed, Condition};
use super::server::{Answer, Request};
use super::{CallKind, Stored};

const MODIFIED: &str = "Sat, 28 Nov 2026 12:00:00 GMT";
/// Names in an answer to a list.
const PAGE: usize = 50;

/// An answer with a code of Azure, and perhaps a message after it.
pub(super) fn refused(status: u16, said: &str) -> Answer {
    let (code, message) = said.split_once(": ").unwrap_or((said, said));
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    Response::builder()
        .status(status)
        .header("x-ms-error-code", code)
        .body(Bytes::from(text).into())
        .unwrap()
}

fn etag(version: u64) -> String {
    format!("\"0x{version:016X}\"")
}

fn version_of(etag: &str) -> Option<u64> {
    u64::from_str_radix(etag.trim_matches('"').strip_prefix("0x")?, 16).ok()
}

/// Carries out a call.
pub(super) fn answer(stored: &mut Stored, request: &Request, is_stale: bool) -> Answer {
    let name = request.call.name.as_str();
    match request.call.kind {
        CallKind::Get => read(stored.blobs.get(name, is_stale), request),
        CallKind::Head => looked_at(stored.blobs.get(name, is_stale)),
        CallKind::List => list(&stored.blobs.list(name, is_stale), request),
        CallKind::Put => {
            let condition = match (request.header("if-none-match"), request.header("if-match")) {
                (Some(_), _) => Condition::Absent,
                (None, Some(version)) => Condition::Version(version_of(version).unwrap_or(0)),
                (None, None) => Condition::None,
            };
            stored.watch_manifest(name, &request.body);
            let put = stored.blobs.put(name, request.body.clone(), condition);
            if matches!(put, Changed::Done(_)) {
                stored.watch_state(name, &request.body);
            }
            changed(put)
        }
        CallKind::Part => {
            let id = request.query("blockid").unwrap_or_default().to_owned();
            stored.blobs.put_block(name, id, request.body.clone());
            changed(Changed::Done(0))
        }
        CallKind::Complete => {
            let ids = block_ids(&request.body);
            stored.watch_completion(name, &ids);
            changed(stored.blobs.complete(name, &ids))
        }
        CallKind::Delete => changed(stored.blobs.delete(name)),
    }
}

fn changed(changed: Changed) -> Answer {
    match changed {
        Changed::Done(version) => Response::builder()
            .status(201)
            .header("etag", etag(version))
            .header("last-modified", MODIFIED)
            .body(Bytes::new().into())
            .unwrap(),
        Changed::Exists => refused(409, "BlobAlreadyExists"),
        Changed::OtherVersion => refused(412, "ConditionNotMet"),
        Changed::NoSuchBlock => refused(400, "InvalidBlockList"),
        Changed::Missing => refused(404, "BlobNotFound"),
    }
}

fn read(blob: Option<Blob>, request: &Request) -> Answer {
    let Some(blob) = blob else {
        return refused(404, "BlobNotFound");
    };
    let all = blob.bytes.len();
    let range = request.header("range").and_then(|range| {
        let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
        let from: usize = from.parse().ok()?;
        let to = to.parse().map_or(all, |to: usize| all.min(to + 1));
        (from < to).then_some(from..to)
    });
    let answer = Response::builder()
        .header("etag", etag(blob.version))
        .header("last-modified", MODIFIED);
    match range {
        None => answer.body(blob.bytes.into()),
        Some(range) => answer
            .status(206)
            .header(
                "content-range",
                format!("bytes {}-{}/{all}", range.start, range.end - 1),
            )
            .body(blob.bytes.slice(range).into()),
    }
    .unwrap()
}

fn looked_at(blob: Option<Blob>) -> Answer {
    let Some(blob) = blob else {
        return refused(404, "BlobNotFound");
    };
    Response::builder()
        .header("etag", etag(blob.version))
        .header("last-modified", MODIFIED)
        .header("content-length", blob.bytes.len())
        .body(Bytes::new().into())
        .unwrap()
}

fn list(found: &[(String, Blob)], request: &Request) -> Answer {
    let from = request.query("marker").unwrap_or_default();
    let rest: Vec<&(String, Blob)> = found
        .iter()
        .filter(|(name, _)| name.as_str() >= from)
        .collect();
    let mut text =
        String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>");
    for (name, blob) in rest.iter().take(PAGE) {
        let name = name.replace('&', "&amp;").replace('<', "&lt;");
        write!(
            text,
            "<Blob><Name>{name}</Name><Properties><Last-Modified>{MODIFIED}</Last-Modified>\
             <Etag>{}</Etag><Content-Length>{}</Content-Length>\
             <Content-Type>application/octet-stream</Content-Type></Properties></Blob>",
            etag(blob.version),
            blob.bytes.len()
        )
        .unwrap();
    }
    let next = rest
        .get(PAGE)
        .map(|(name, _)| name.as_str())
        .unwrap_or_default();
    write!(
        text,
        "</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>"
    )
    .unwrap();
    Response::new(Bytes::from(text).into())
}

/// The ids in a list of blocks, as they are in the requests for blocks.
fn block_ids(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let after = text.split("<Uncommitted>").skip(1);
    let ids = after.filter_map(|text| text.split('<').next());
    ids.map(|id| {
        assert!(STANDARD.decode(id).is_ok(), "`{id}`");
        id.to_owned()
    })
    .collect()
}

impl Stored {
    /// A state seals names.
    fn watch_state(&mut self, name: &str, bytes: &[u8]) {
        if name.ends_with("/state.json") || name.contains("/_cosmos-tail/ranges/") {
            self.watch_sealed(bytes);
        }
    }

    fn watch_sealed(&mut self, state: &[u8]) {
        let state: Value = serde_json::from_slice(state).unwrap();
        let sealed = state["state"]["sealed"].as_array();
        let names = sealed.into_iter().flatten().map(|file| &file["place"]);
        let names = names.filter_map(Value::as_str).map(str::to_owned);
        self.watch.sealed.extend(names);
    }

    /// A manifest object never changes.
    fn watch_manifest(&mut self, name: &str, bytes: &[u8]) {
        let there = self.blobs.get(name, false);
        if name.contains("/manifest/") && there.is_some_and(|there| there.bytes != bytes) {
            let violation = format!("{name} would be another one");
            self.watch.violations.push(violation);
        }
    }

    /// An object is completed after a commit that seals it, and never with other contents.
    fn watch_completion(&mut self, name: &str, ids: &[String]) {
        // It is replaced as a whole, so it can be read at any time.
        let states = self.watch.state_files.iter().map(std::fs::read);
        for state in states.flatten().collect::<Vec<_>>() {
            self.watch_sealed(&state);
        }
        // Below the address, it can be in a partition.
        let mut sealed = self.watch.sealed.iter();
        let is_own = |own: &String| {
            name.strip_suffix(own.as_str())
                .is_some_and(|rest| rest.ends_with('/'))
        };
        if !sealed.any(is_own) {
            let violation = format!("{name} is completed before it is sealed");
            self.watch.violations.push(violation);
        }
        let (there, new) = (self.blobs.get(name, false), self.blobs.of_blocks(name, ids));
        if let (Some(there), Some(new)) = (there, new)
            && there.bytes != new
        {
            let violation = format!("{name} is completed with other contents");
            self.watch.violations.push(violation);
        }
    }
}

//! Items of large containers, which are in the log only, visit the emulator for as long as it judges a request.
//!
//! An item in the emulator takes about 3.5 KB, whatever its length, and one in the log about as many bytes as
//! its text has. So a container with many items is kept in the log, and the emulator's is empty. A
//! request to items is still judged by the emulator: those that it names are created there, the request is
//! executed, and they are deleted again. A visitor gets another resource id and ETag there, which
//! are replaced in both directions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use azure_core::http::Method;
use azure_core::http::headers::HeaderName;
use azure_data_cosmos_driver::binary_json;
use bytes::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::answer::Answer;
use super::log::{ContainerLog, Key, Scope, Version};
use super::lsns;
use super::recorder::Recorder;
use super::request::{ItemWrite, Request, Target};
use super::transaction::{Effect, effects};

const PARTITION_KEY: &str = "x-ms-documentdb-partitionkey";
const ETAG: HeaderName = HeaderName::from_static("etag");

/// The members of an operation of a batch that are a condition.
const CONDITIONS: [&str; 2] = ["ifMatch", "ifNoneMatch"];

/// What names a version of a document.
#[derive(Debug, Deserialize)]
struct Identity {
    #[serde(rename = "_rid")]
    rid: String,
    #[serde(rename = "_etag")]
    etag: String,
}

impl Identity {
    fn of(document: &[u8]) -> Result<Self> {
        serde_json::from_slice(document).context("a document has its system properties")
    }
}

/// An item that is in the emulator for the time of a request.
struct Visitor {
    id: String,
    version: Arc<Version>,
    own: Identity,
    /// What it is named in the emulator.
    there: Identity,
}

/// The items that a request names.
struct Named {
    key: Key,
    ids: BTreeSet<String>,
}

/// The operations of a batch, each with its members.
type Operations = Vec<BTreeMap<String, Box<RawValue>>>;

impl Recorder {
    /// Executes a request to items of a large container. `write` is `None` for a read.
    ///
    /// # Errors
    ///
    /// If the emulator itself fails.
    pub(super) async fn visit(
        &self,
        log: &ContainerLog,
        mut request: Request,
        target: &Target,
        write: Option<ItemWrite>,
    ) -> Result<Answer> {
        request.remove_header("x-ms-cosmos-supported-serialization-formats");
        let docs = docs_path(&request.path, write);
        let named = named(&request, target, write, log);
        let mut visitors = Vec::new();
        if let Some(named) = &named {
            visitors = self.admit(log, &docs, named).await?;
        }
        translate_conditions(&mut request, write, &visitors);
        let key = request.header(PARTITION_KEY).map(str::to_owned);
        let operations = match write {
            Some(ItemWrite::Batch) => request.body.clone(),
            _ => Bytes::new(),
        };
        let mut answer = self.emulate(request).await?;
        translate_answer(&mut answer, write, &operations, &visitors)?;
        if write.is_none() {
            let lsn = visitors.first().map(|visitor| visitor.version.lsn());
            lsns::set_of_read(&mut answer, log, lsn);
        }

        let mut leaving: BTreeSet<String> =
            visitors.iter().map(|visitor| visitor.id.clone()).collect();
        if let Some(write) = write
            && matches!(answer.status, 200 | 201)
        {
            for effect in effects(write, &target.item, &operations, &answer.body)? {
                if let Effect::Put { id, .. } = effect {
                    leaving.insert(id);
                }
            }
        }
        if !leaving.is_empty() {
            let key = match (key, &named) {
                (_, Some(named)) => named.key.to_header(),
                (Some(key), None) => key,
                (None, None) => anyhow::bail!("an item was written without a partition key"),
            };
            for id in leaving {
                self.dismiss(&docs, &id, &key).await?;
            }
        }
        Ok(answer)
    }

    /// Creates those of the named items that exist. None is admitted to a partition that is being split or
    /// merged, which refuses the request too.
    async fn admit(&self, log: &ContainerLog, docs: &str, named: &Named) -> Result<Vec<Visitor>> {
        let mut visitors = Vec::new();
        // What is no key of the container is refused by the emulator.
        let Ok((epk, _)) = log.keys().hashes(&named.key) else {
            return Ok(visitors);
        };
        for id in &named.ids {
            let Some(version) = log.latest(&epk, id) else {
                continue;
            };
            let mut request = Request::new(Method::Post, docs);
            request.set_header(PARTITION_KEY, named.key.to_header());
            request.body = Bytes::copy_from_slice(version.document());
            let answer = self.emulate(request).await?;
            if answer.status == 410 {
                break;
            }
            ensure!(
                answer.status == 201,
                "the demo account cannot show an item to the emulator: status {}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
            visitors.push(Visitor {
                id: id.clone(),
                own: Identity::of(version.document())?,
                there: Identity::of(&answer.body)?,
                version: Arc::clone(version),
            });
        }
        Ok(visitors)
    }

    /// Deletes an item in the emulator. It may be gone already.
    async fn dismiss(&self, docs: &str, id: &str, key: &str) -> Result<()> {
        let path = format!("{docs}/{}", utf8_percent_encode(id, NON_ALPHANUMERIC));
        let mut request = Request::new(Method::Delete, &path);
        request.set_header(PARTITION_KEY, key.to_owned());
        let answer = self.emulate(request).await?;
        ensure!(
            matches!(answer.status, 204 | 404),
            "the demo account cannot remove an item from the emulator: status {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        Ok(())
    }

    /// Removes all items of a container from the emulator, which from now on only visit it. `docs` is the path
    /// of its documents. A partition that is being split or merged lets none go: a later write does.
    ///
    /// # Errors
    ///
    /// If the emulator fails.
    pub(super) async fn move_out(&self, log: &mut ContainerLog, docs: &str) -> Result<()> {
        if log.partitions().iter().any(|log| log.is_locked()) {
            return Ok(());
        }
        for version in log.items(&Scope::everything(), None) {
            let document: Value = serde_json::from_slice(version.document())?;
            let key = log.keys().key_of(&document).to_header();
            self.dismiss(docs, version.id(), &key).await?;
        }
        log.set_large();
        Ok(())
    }
}

/// The path of the documents that a request is for.
fn docs_path(path: &str, write: Option<ItemWrite>) -> String {
    let is_of_docs = matches!(write, Some(ItemWrite::Put | ItemWrite::Batch));
    let docs = if is_of_docs {
        path
    } else {
        path.rsplit_once('/').map_or(path, |(docs, _)| docs)
    };
    docs.to_owned()
}

/// The document in the body of a request, which may be in the binary form.
fn document(body: &[u8]) -> Option<Value> {
    if body.starts_with(&[0x80]) {
        binary_json::decode(body).ok()
    } else {
        serde_json::from_slice(body).ok()
    }
}

/// The items that a request names; `None` if the emulator will refuse it.
fn named(
    request: &Request,
    target: &Target,
    write: Option<ItemWrite>,
    log: &ContainerLog,
) -> Option<Named> {
    let id = |document: &Value| document["id"].as_str().map(str::to_owned);
    let mut ids = BTreeSet::new();
    let mut body = None;
    match write {
        Some(ItemWrite::Put) => {
            let document = document(&request.body)?;
            ids.insert(id(&document)?);
            body = Some(document);
        }
        Some(ItemWrite::Replace) => {
            body = document(&request.body);
            ids.insert(target.item.clone());
            // A document of another id renames the item.
            ids.extend(body.as_ref().and_then(id));
        }
        Some(ItemWrite::Batch) => {
            let operations = document(&request.body)?;
            for operation in operations.as_array()? {
                ids.extend(id(operation).or_else(|| id(&operation["resourceBody"])));
            }
        }
        Some(ItemWrite::Patch | ItemWrite::Delete) | None => {
            ids.insert(target.item.clone());
        }
    }
    let header = request.header(PARTITION_KEY).map(Key::of_header);
    let key = match (header, &body) {
        (Some(key), _) => key.ok()??,
        (None, Some(document)) if document.is_object() => log.keys().key_of(document),
        (None, _) => return None,
    };
    Some(Named { key, ids })
}

/// The ETag of a visitor in the emulator, if `etag` is its own.
fn etag_there<'a>(etag: &str, visitors: &'a [Visitor]) -> Option<&'a str> {
    let visitor = visitors.iter().find(|visitor| visitor.own.etag == etag)?;
    Some(&visitor.there.etag)
}

fn translate_conditions(request: &mut Request, write: Option<ItemWrite>, visitors: &[Visitor]) {
    for name in ["if-match", "if-none-match"] {
        let etag = request
            .header(name)
            .and_then(|etag| etag_there(etag, visitors));
        if let Some(etag) = etag {
            request.set_header(name, etag.to_owned());
        }
    }
    if write == Some(ItemWrite::Batch)
        && let Some(body) = translate_operations(&request.body, visitors)
    {
        request.body = body;
    }
}

/// The operations of a batch with translated conditions; `None` if there is nothing to translate.
fn translate_operations(body: &[u8], visitors: &[Visitor]) -> Option<Bytes> {
    let mut operations: Operations = serde_json::from_slice(body).ok()?;
    let mut is_translated = false;
    for operation in &mut operations {
        for condition in CONDITIONS {
            let Some(value) = operation.get_mut(condition) else {
                continue;
            };
            let etag: Option<String> = serde_json::from_str(value.get()).ok();
            if let Some(there) = etag.and_then(|etag| etag_there(&etag, visitors)) {
                *value = to_raw_value(there).ok()?;
                is_translated = true;
            }
        }
    }
    is_translated.then(|| serde_json::to_vec(&operations).ok().map(Bytes::from))?
}

/// Replaces what visitors are named in the emulator.
fn translate_answer(
    answer: &mut Answer,
    write: Option<ItemWrite>,
    operations: &Bytes,
    visitors: &[Visitor],
) -> Result<()> {
    if visitors.is_empty() {
        return Ok(());
    }
    let etag = answer.headers.get_optional_str(&ETAG);
    let visitor = visitors
        .iter()
        .find(|visitor| etag == Some(visitor.there.etag.as_str()));
    if let Some(visitor) = visitor {
        answer.headers.insert(ETAG, visitor.own.etag.clone());
        if write.is_none() && answer.status == 200 {
            answer.body = Bytes::copy_from_slice(visitor.version.document());
            return Ok(());
        }
    }
    // These are found nowhere else in a text: the emulator made them for this request.
    let mut text = String::from_utf8_lossy(&answer.body).into_owned();
    for visitor in visitors {
        text = text.replace(&visitor.there.rid, &visitor.own.rid);
        let bare = |etag: &str| etag.trim_matches('"').to_owned();
        text = text.replace(&bare(&visitor.there.etag), &bare(&visitor.own.etag));
    }
    answer.body = text.into();
    if write == Some(ItemWrite::Batch) && answer.is_success() {
        answer.body = with_documents_read(&answer.body, operations, visitors)?;
    }
    Ok(())
}

/// The results of a batch with the documents that it read as the log has them: their time is another one in the
/// emulator.
fn with_documents_read(body: &Bytes, operations: &Bytes, visitors: &[Visitor]) -> Result<Bytes> {
    let Ok(mut results) = serde_json::from_slice::<Operations>(body) else {
        return Ok(body.clone());
    };
    let operations: Vec<Value> = serde_json::from_slice(operations)?;
    for (result, operation) in results.iter_mut().zip(&operations) {
        let Some(read) = result.get("resourceBody") else {
            continue;
        };
        if operation["operationType"] != "Read" {
            continue;
        }
        let etag = Identity::of(read.get().as_bytes())?.etag;
        let visitor = visitors.iter().find(|visitor| visitor.own.etag == etag);
        if let Some(visitor) = visitor {
            let document = String::from_utf8(visitor.version.document().to_vec())?;
            let document = RawValue::from_string(document)?;
            result.insert("resourceBody".to_owned(), document);
        }
    }
    Ok(serde_json::to_vec(&results)?.into())
}

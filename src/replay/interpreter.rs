//! What a record of the source does: to which item of the target, what is written, or why it cannot be
//! applied.

use anyhow::Result;
use bytes::Bytes;
use serde_json::Value;

use super::content::without_system_fields;
use super::id_remedy::remedy;
use super::item_write::{Action, Defect, ItemWrite};
use super::lifetime::{Alive, Lifetime};
use super::source_item::{Fingerprints, SourceItem};
use super::spelling::fit_for_sending;
use super::transform::Transform;
use crate::cosmos::definition::DefaultTtl;
use crate::cosmos::epk::{no_value, partition_key};
use crate::cosmos::items::ItemAddress;
use crate::feed::RecordForm;
use crate::feed::page::{ItemRef, OperationType, Page, members};
use crate::render::Filter;
use crate::render::change::{Change, KeyPath, parse_key_path, value_at, write_nested};
use crate::settings::{MissingKey, ReplayPlan, TimeWindow, Ttl};
use crate::source::Input;

/// The longest id that the service accepts, in bytes.
const MAX_ID_BYTES: usize = 1023;

/// The members that earlier builds of `tail` wrote for a deletion, beside the id and the partition key.
const EARLIER_DELETION: [&str; 4] = ["_deleted", "_timeToLiveExpired", "_ts", "_lsn"];

/// What a record means.
#[derive(Debug)]
pub(crate) enum Meaning {
    /// A change that can be applied.
    Write(ItemWrite),
    /// A change outside the time window.
    OutsideWindow,
    /// A document for which the program returns nothing.
    Dropped,
    /// A document whose time to live had passed when it was exported.
    Expired,
    /// Nothing declares what the source holds, and this is not certainly a document.
    Unclear(Unclear),
}

/// Why a record is not certainly a document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unclear {
    pub(crate) reason: &'static str,
    pub(crate) hint: &'static str,
}

/// A record that has the form of an envelope.
const ENVELOPE: Unclear = Unclear {
    reason: "it looks like a change in its envelope, but nothing says that the source holds changes",
    hint: "if it does, say so: --input changes (otherwise --input documents); such as `cosmos-tail tail --mode all | \
        cosmos-tail replay - --input changes`",
};

/// A record that [may be a deletion](is_earlier_deletion).
const EARLIER: Unclear = Unclear {
    reason: "it may be a document, or a deletion as earlier versions of `tail` printed it, and nothing says \
        which",
    hint: "if it is a document, use --input documents; docs/replay.md shows how to turn a file with such \
        deletions into changes for --input changes",
};

/// Interprets records.
#[derive(Debug, Clone)]
pub(crate) struct Interpreter {
    /// The paths of the target's partition key; none if there is no target.
    key_paths: Vec<KeyPath>,
    /// The paths of the source's partition key, if they are known.
    source_paths: Option<Vec<KeyPath>>,
    /// Whether documents without a value at the target's partition key are refused.
    refuses_missing_key: bool,
    /// Distinguishes the documents of the source.
    fingerprints: Fingerprints,
    /// Which changes are replayed.
    window: TimeWindow,
    /// What becomes of the time to live of documents.
    lifetime: Lifetime,
    /// The program that documents go through.
    transform: Option<Transform>,
}

/// The item of the target that a change is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Destination {
    item: ItemAddress,
    /// The first path of the target's partition key at which it has no value.
    missing_path: Option<String>,
}

impl Interpreter {
    /// An interpreter for a target whose partition key has these paths; none for standard output.
    pub(super) fn new(key_paths: Vec<KeyPath>, plan: &ReplayPlan) -> Self {
        Self {
            key_paths,
            source_paths: None,
            refuses_missing_key: plan.missing_key == Some(MissingKey::Refuse),
            fingerprints: Fingerprints::default(),
            window: plan.window,
            lifetime: Lifetime::new(plan.ttl),
            transform: plan.transform.clone().map(Transform::new),
        }
    }

    /// An interpreter of all that a replay with nothing but this program would write to a target whose partition key
    /// has these paths.
    pub(crate) fn reading(key_paths: Vec<KeyPath>, program: Option<Filter>) -> Self {
        Self {
            key_paths,
            source_paths: None,
            refuses_missing_key: false,
            fingerprints: Fingerprints::default(),
            window: TimeWindow::default(),
            lifetime: Lifetime::new(Ttl::Keep),
            transform: program.map(Transform::new),
        }
    }

    /// Whether two documents of the source can become one, since its partition key is another one.
    pub(crate) fn has_another_key(&self) -> bool {
        let own = self.source_paths.as_ref();
        own.is_some_and(|own| *own != self.key_paths)
    }

    /// The same for a source whose partition key has these paths; none if that is not known.
    pub(crate) fn of_source(&self, paths: Option<&[String]>) -> Self {
        let parse = |paths: &[String]| paths.iter().map(|path| parse_key_path(path)).collect();
        Self {
            source_paths: paths.map(parse),
            ..self.clone()
        }
    }

    /// The same for the records of this input.
    ///
    /// # Errors
    ///
    /// If what is beside it is needed, and cannot be used.
    pub(crate) fn of_input(&self, input: &Input) -> Result<Self> {
        Ok(Self {
            lifetime: self.lifetime.of_export(&input.exported)?,
            ..self.of_source(input.partition_key.as_deref())
        })
    }

    /// The same for the changes of a container with this partition key and this default time to live.
    pub(crate) fn of_container(&self, paths: &[String], default: DefaultTtl) -> Self {
        Self {
            lifetime: self.lifetime.of_container(default),
            ..self.of_source(Some(paths))
        }
    }

    /// What the record `json` means, which is declared to be `form`. If nothing is declared, it is a document,
    /// unless it looks like something else.
    ///
    /// # Errors
    ///
    /// If it is not of this form, or cannot be applied.
    pub(crate) fn interpret(
        &self,
        json: &Bytes,
        form: Option<RecordForm>,
    ) -> Result<Meaning, Defect> {
        let page = match form {
            Some(RecordForm::Documents) => Page::of_document(json.clone()),
            Some(RecordForm::Changes) | None => Page::of_change(json.clone()),
        };
        let page = page.map_err(|error| Defect::new(error.to_string()))?;
        let item = page
            .items()
            .next()
            .ok_or_else(|| Defect::new("it has no document"))?;
        match form {
            Some(RecordForm::Changes) if !item.is_envelope() => {
                return Err(Defect::new(
                    "it is not the envelope of a change: that has `current` or `metadata`, and no `id`",
                ));
            }
            None if item.is_envelope() => {
                return Ok(Meaning::Unclear(ENVELOPE));
            }
            None if is_earlier_deletion(item.json(), &self.key_paths) => {
                return Ok(Meaning::Unclear(EARLIER));
            }
            _ => {}
        }
        self.interpret_item(item)
    }

    /// What an item of a feed means.
    ///
    /// # Errors
    ///
    /// As [`Interpreter::interpret`].
    pub(crate) fn interpret_item(&self, item: ItemRef<'_>) -> Result<Meaning, Defect> {
        let change = Change::of(item);
        let seconds = change.metadata.crts.or(change.document_ts);
        if !self.window.is_unbounded() {
            match seconds {
                Some(seconds) if self.window.holds(seconds) => {}
                Some(_) => return Ok(Meaning::OutsideWindow),
                None => return Err(Defect::without_time()),
            }
        }
        let content = match self.content_of(item)? {
            Content::Document(document) => {
                // A change whose document has no time has one of its own.
                let written = change.document_ts.or(change.metadata.crts);
                match self.lifetime.apply(document, written)? {
                    Alive::Document(document) => Content::Document(document),
                    Alive::Expired => return Ok(Meaning::Expired),
                }
            }
            Content::Deletion { expired } => Content::Deletion { expired },
        };
        let (destination, action) = match (content, &self.transform) {
            (Content::Document(document), None) => (
                self.destination_of(&change)?,
                Action::Put(self.text_to_write(&document)),
            ),
            (Content::Document(document), Some(transform)) => {
                let Some(made) = transform.apply(&document)? else {
                    return Ok(Meaning::Dropped);
                };
                let destination = self.destination_of(&Change::of_document(&made))?;
                if change.metadata.operation_type.is_some() {
                    self.check_deletable(&change, transform, &destination.item)?;
                }
                (destination, Action::Put(self.text_to_write(&made)))
            }
            (Content::Deletion { expired }, transform) => {
                let destination = match transform {
                    Some(transform) => self.destination_of_deletion(&change, transform)?,
                    None => self.destination_of(&change)?,
                };
                (destination, Action::Delete { expired })
            }
        };
        if let Some(path) = &destination.missing_path
            && self.refuses_missing_key
        {
            let id = &destination.item.id;
            return Err(Defect::new(format!("item {id:?} {}", missing_at(path))));
        }
        Ok(Meaning::Write(ItemWrite {
            item: destination.item,
            action,
            seconds,
            missing_path: destination.missing_path,
            source: self.source_of(&change),
        }))
    }

    /// The text that is written for a document.
    fn text_to_write(&self, document: &[u8]) -> Vec<u8> {
        let text = without_system_fields(document);
        if self.key_paths.is_empty() {
            text
        } else {
            fit_for_sending(text)
        }
    }

    /// What the change `item` leaves of its item.
    fn content_of<'a>(&self, item: ItemRef<'a>) -> Result<Content<&'a [u8]>, Defect> {
        let Some(document) = item.document() else {
            let metadata = item.metadata().unwrap_or_default();
            return match metadata.operation_type {
                Some(OperationType::Delete) => Ok(Content::Deletion {
                    expired: metadata.time_to_live_expired,
                }),
                _ => Err(Defect::new(
                    "the envelope has no document in `current` and is not a deletion",
                )),
            };
        };
        if document.first() != Some(&b'{') {
            return Err(Defect::new("it is not a JSON object"));
        }
        Ok(Content::Document(document))
    }

    /// The item of the target that a change is about.
    fn destination_of(&self, change: &Change<'_>) -> Result<Destination, Defect> {
        let id = id_of(change).map_err(|defect| Defect {
            hint: self.id_remedy(change),
            ..defect
        })?;
        let found = self.key_of(change)?;
        let mut missing_path = None;
        let mut values = Vec::with_capacity(self.key_paths.len());
        for path in &self.key_paths {
            let value = found.iter().find(|(found, _)| found == path);
            // The service, too, takes an object or an array for no value.
            let value = value.filter(|(_, value)| !matches!(value.first(), Some(b'{' | b'[')));
            let Some((_, value)) = value else {
                missing_path.get_or_insert_with(|| shown(path));
                values.push(no_value());
                continue;
            };
            let value: Value = serde_json::from_slice(value).map_err(|error| {
                Defect::new(format!("the partition key cannot be used: {error}"))
            })?;
            values.push(value);
        }
        let key = partition_key(&values).map_err(|error| Defect::new(format!("{error:#}")))?;
        Ok(Destination {
            item: ItemAddress { key, id },
            missing_path,
        })
    }

    /// The way out of a document without a usable id.
    fn id_remedy(&self, change: &Change<'_>) -> Option<String> {
        let program = self.transform.as_ref().map(Transform::text);
        match change.document {
            // The deletion of the document would have to have the same id.
            Some(document) if change.metadata.operation_type.is_none() => remedy(document, program),
            _ => None,
        }
    }

    /// What is known of a change's values at the paths of the target's partition key. A value that is not
    /// there is one that the document does not have.
    fn key_of<'a>(&self, change: &Change<'a>) -> Result<Vec<(KeyPath, &'a [u8])>, Defect> {
        if change.document.is_some() || self.key_paths.is_empty() {
            return Ok(change.partition_key(&self.key_paths));
        }
        // A deletion has the partition key of the source, and perhaps the previous version.
        let source_paths = self.source_paths.as_ref();
        let own = match source_paths {
            Some(paths) => change.partition_key(paths),
            None => change.named_partition_key(&self.key_paths),
        };
        let is_same = match source_paths {
            Some(paths) => *paths == self.key_paths,
            None => own.iter().all(|(path, _)| self.key_paths.contains(path)),
        };
        if is_same && change.has_partition_key() {
            return Ok(own);
        }
        let mut found = Vec::with_capacity(self.key_paths.len());
        for path in &self.key_paths {
            let value = own.iter().find(|(own, _)| own == path);
            let value = match (value, change.previous) {
                (Some((_, value)), _) => Some(*value),
                (None, _) if *path == ["id"] => change.id,
                (None, Some(previous)) => value_at(previous, path),
                (None, None) => {
                    return Err(Defect::new(format!(
                        "the deletion does not say what the document had at `{}`, the partition key of the \
                         target",
                        shown(path)
                    )));
                }
            };
            found.extend(value.map(|value| (path.clone(), value)));
        }
        Ok(found)
    }

    /// Which document of the source a change is about. None if it can only be the one that every other change
    /// of its item is about.
    fn source_of(&self, change: &Change<'_>) -> Option<SourceItem> {
        let id = id_of(change).ok()?;
        let Some(paths) = &self.source_paths else {
            let rid = change
                .document
                .and_then(|document| value_at(document, &["_rid".to_owned()]));
            return (rid.is_some() || self.transform.is_some() || change.document.is_none())
                .then(|| self.fingerprints.by_rid(&id, rid));
        };
        if *paths == self.key_paths && self.transform.is_none() {
            return None;
        }
        let own = change.partition_key(paths);
        let value_of = |path: &KeyPath| {
            let value = own.iter().find(|(own, _)| own == path);
            let value = value.and_then(|(_, value)| serde_json::from_slice(value).ok());
            value.filter(|value: &Value| !value.is_array() && !value.is_object())
        };
        let values = paths
            .iter()
            .map(|path| value_of(path).unwrap_or_else(no_value));
        let key = partition_key(&values.collect::<Vec<_>>()).ok()?;
        Some(self.fingerprints.by_key(&id, &key))
    }

    /// The item that a deletion is about. The source knows only its id and partition key, so the program is
    /// run on an object of just these. If it needs more and returns no usable item, the deletion stays as
    /// it is.
    fn destination_of_deletion(
        &self,
        change: &Change<'_>,
        transform: &Transform,
    ) -> Result<Destination, Defect> {
        let unchanged = self.destination_of(change);
        let id_path = ["id".to_owned()];
        let known_paths = self.source_paths.as_ref().unwrap_or(&self.key_paths);
        let key = match &self.source_paths {
            Some(paths) => change.partition_key(paths),
            None => change.named_partition_key(&self.key_paths),
        };
        let mut known: Vec<(&[String], &[u8])> = vec![(&id_path, change.id.unwrap_or_default())];
        known.extend(key.iter().map(|(path, value)| (path.as_slice(), *value)));
        let mut object = b"{".to_vec();
        write_nested(&known, &mut object);
        object.push(b'}');
        let made = transform.apply(&object).ok().flatten();
        let made = made.and_then(|made| self.destination_of(&Change::of_document(&made)).ok());
        // What the program was not given it cannot have left out.
        let is_meant = |made: &Destination| {
            made.missing_path.is_none()
                || self.key_paths.iter().all(|path| known_paths.contains(path))
        };
        let Some(target) = made.filter(is_meant) else {
            return unchanged;
        };
        let source_id = id_of(change)?;
        if self.key_paths.is_empty() && target.item.id != source_id {
            return Err(Defect::new(format!(
                "the deletion of item {source_id:?} is written unchanged, but --transform changes its id"
            )));
        }
        Ok(target)
    }

    /// Checks that a later deletion of the document would be about `made`, the item it was turned into.
    fn check_deletable(
        &self,
        change: &Change<'_>,
        transform: &Transform,
        made: &ItemAddress,
    ) -> Result<(), Defect> {
        match self.destination_of_deletion(change, transform) {
            Ok(deleted) if deleted.item == *made => Ok(()),
            _ => Err(Defect::new(format!(
                "--transform turns it into item {:?}, which its deletion would miss: in an all-versions \
                 feed, ids and partition keys can only be derived from each other, and with --stdout \
                 ids have to stay",
                made.id
            ))),
        }
    }
}

/// A path, as containers define it.
fn shown(path: &KeyPath) -> String {
    format!("/{}", path.join("/"))
}

/// What a document lacks that has no value at `path`.
pub(super) fn missing_at(path: &str) -> String {
    format!("has no value at `{path}`, the partition key of the target")
}

/// What a change leaves of its item.
enum Content<D> {
    /// A document.
    Document(D),
    /// Nothing, perhaps because its time to live expired.
    Deletion { expired: bool },
}

/// Whether `document` may be a deletion as earlier builds of `tail` printed it: with the service's `_ts` or `_lsn`,
/// and nothing but the id and the partition key beside `_deleted`. A document of the service has more system
/// fields, and one that was exported without them has none.
fn is_earlier_deletion(document: &[u8], key_paths: &[KeyPath]) -> bool {
    let (mut is_deleted, mut is_of_the_service) = (false, false);
    for member in members(document) {
        let is_key = |path: &KeyPath| path.first().is_some_and(|name| member.is_named(name));
        let is_known = member.is_named("id")
            || EARLIER_DELETION.iter().any(|name| member.is_named(name))
            // Without a target the partition key is not known.
            || key_paths.is_empty()
            || key_paths.iter().any(is_key);
        if !is_known || member.is_named("_etag") || member.is_named("_rid") {
            return false;
        }
        is_deleted |= member.value == b"true" && member.is_named("_deleted");
        is_of_the_service |= member.is_named("_ts") || member.is_named("_lsn");
    }
    is_deleted && is_of_the_service
}

fn id_of(change: &Change<'_>) -> Result<String, Defect> {
    let Some(json) = change.id else {
        return Err(Defect::new("it has no `id`"));
    };
    let id: String = serde_json::from_slice(json).map_err(|_| {
        let kind = if json.first() == Some(&b'"') {
            "Unicode text"
        } else {
            "a string"
        };
        let json = String::from_utf8_lossy(json);
        let json: String = json.chars().take(40).collect();
        Defect::new(format!("the id {json} is not {kind}"))
    })?;
    match id.len() {
        0 => Err(Defect::new("the id is empty")),
        1..=MAX_ID_BYTES => Ok(id),
        length => Err(Defect::new(format!(
            "the id has {length} bytes, but the service allows {MAX_ID_BYTES}"
        ))),
    }
}

#[cfg(test)]
mod tests;

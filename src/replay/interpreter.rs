//! What a record of the source does: to which item of the target, what is written, or why it cannot be
//! applied.

use bytes::Bytes;
use serde_json::Value;

use super::content::without_system_fields;
use super::item_write::{Action, Defect, ItemWrite};
use super::transform::Transform;
use crate::cosmos::epk::partition_key;
use crate::cosmos::items::ItemAddress;
use crate::feed::RecordForm;
use crate::feed::page::{ItemRef, OperationType, Page, members};
use crate::render::change::{Change, KeyPath, write_nested};
use crate::settings::{ReplayPlan, TimeWindow};

/// The longest id that the service accepts, in bytes.
const MAX_ID_BYTES: usize = 1023;

/// The members that earlier builds of `tail` wrote for a deletion, beside the id and the partition key.
const EARLIER_DELETION: [&str; 4] = ["_deleted", "_timeToLiveExpired", "_ts", "_lsn"];

/// What a record means.
#[derive(Debug)]
pub(super) enum Meaning {
    /// A change that can be applied.
    Write(ItemWrite),
    /// A change outside the time window.
    OutsideWindow,
    /// A document for which the program returns nothing.
    Dropped,
    /// Nothing declares what the source holds, and this is not certainly a document.
    Unclear(Unclear),
}

/// Why a record is not certainly a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unclear {
    pub(super) reason: &'static str,
    pub(super) hint: &'static str,
}

/// A record that has the form of an envelope.
const ENVELOPE: Unclear = Unclear {
    reason: "it looks like a change in its envelope, but nothing says that the source holds changes",
    hint: "declare what the source holds: --input changes or --input documents",
};

/// A record that [may be a deletion](is_earlier_deletion).
const EARLIER: Unclear = Unclear {
    reason: "it may be a document, or a deletion as earlier versions of `tail` printed it, and nothing says \
        which",
    hint: "if it is a document, use --input documents; docs/replay.md shows how to turn a file with such \
        deletions into changes for --input changes",
};

/// Interprets records.
#[derive(Debug)]
pub(super) struct Interpreter {
    /// The paths of the target's partition key; none if there is no target.
    key_paths: Vec<KeyPath>,
    /// Which changes are replayed.
    window: TimeWindow,
    /// The program that documents go through.
    transform: Option<Transform>,
}

impl Interpreter {
    /// An interpreter for a target whose partition key has these paths; none for standard output.
    pub(super) fn new(key_paths: Vec<KeyPath>, plan: &ReplayPlan) -> Self {
        Self {
            key_paths,
            window: plan.window,
            transform: plan.transform.clone().map(Transform::new),
        }
    }

    /// What the record `json` means, which is declared to be `form`. If nothing is declared, it is a document,
    /// unless it looks like something else.
    ///
    /// # Errors
    ///
    /// If it is not of this form, or cannot be applied.
    pub(super) fn interpret(
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
    pub(super) fn interpret_item(&self, item: ItemRef<'_>) -> Result<Meaning, Defect> {
        let change = Change::of(item);
        let seconds = change.metadata.crts.or(change.document_ts);
        if !self.window.is_unbounded() {
            match seconds {
                Some(seconds) if self.window.holds(seconds) => {}
                Some(_) => return Ok(Meaning::OutsideWindow),
                None => return Err(Defect::without_time()),
            }
        }
        let (item, action) = match (self.content_of(item)?, &self.transform) {
            (Content::Document(document), None) => (
                self.address_of(&change)?,
                Action::Put(without_system_fields(document)),
            ),
            (Content::Document(document), Some(transform)) => {
                let Some(made) = transform.apply(document)? else {
                    return Ok(Meaning::Dropped);
                };
                let item = self.address_of(&Change::of_document(&made))?;
                if change.metadata.operation_type.is_some() {
                    self.check_deletable(&change, transform, &item)?;
                }
                (item, Action::Put(without_system_fields(&made)))
            }
            (Content::Deletion { expired }, transform) => {
                let item = match transform {
                    Some(transform) => self.address_of_deletion(&change, transform)?,
                    None => self.address_of(&change)?,
                };
                (item, Action::Delete { expired })
            }
        };
        Ok(Meaning::Write(ItemWrite {
            item,
            action,
            seconds,
        }))
    }

    /// What the change `item` leaves of its item.
    fn content_of<'a>(&self, item: ItemRef<'a>) -> Result<Content<'a>, Defect> {
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
    fn address_of(&self, change: &Change<'_>) -> Result<ItemAddress, Defect> {
        let id = id_of(change)?;
        let found = change.partition_key(&self.key_paths);
        let mut values = Vec::with_capacity(self.key_paths.len());
        for path in &self.key_paths {
            let Some((_, value)) = found.iter().find(|(found, _)| found == path) else {
                return Err(Defect {
                    reason: format!(
                        "item {id:?} has no value at `/{}`, the partition key of the target",
                        path.join("/")
                    ),
                    lacks_key: true,
                });
            };
            let value: Value = serde_json::from_slice(value).map_err(|error| {
                Defect::new(format!("the partition key cannot be used: {error}"))
            })?;
            values.push(value);
        }
        let key = partition_key(&values).map_err(|error| Defect::new(format!("{error:#}")))?;
        Ok(ItemAddress { key, id })
    }

    /// The item that a deletion is about. The source knows only its id and partition key, so the program is
    /// run on an object of just these. If it needs more and returns no usable item, the deletion stays as
    /// it is.
    fn address_of_deletion(
        &self,
        change: &Change<'_>,
        transform: &Transform,
    ) -> Result<ItemAddress, Defect> {
        let source = self.address_of(change)?;
        let id_path = ["id".to_owned()];
        let key = change.partition_key(&self.key_paths);
        let mut known: Vec<(&[String], &[u8])> = vec![(&id_path, change.id.unwrap_or_default())];
        known.extend(key.iter().map(|(path, value)| (path.as_slice(), *value)));
        let mut object = b"{".to_vec();
        write_nested(&known, &mut object);
        object.push(b'}');
        let made = transform.apply(&object).ok().flatten();
        let address = made.and_then(|made| self.address_of(&Change::of_document(&made)).ok());
        let target = address.unwrap_or(source.clone());
        if self.key_paths.is_empty() && target != source {
            return Err(Defect::new(format!(
                "the deletion of item {:?} is written unchanged, but --transform changes its id",
                source.id
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
        match self.address_of_deletion(change, transform) {
            Ok(deleted) if deleted == *made => Ok(()),
            _ => Err(Defect::new(format!(
                "--transform turns it into item {:?}, which its deletion would miss: in an all-versions \
                 feed, ids and partition keys can only be derived from each other, and with --stdout \
                 ids have to stay",
                made.id
            ))),
        }
    }
}

/// What a change leaves of its item.
enum Content<'a> {
    /// The document as it is in the source.
    Document(&'a [u8]),
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
        let json = String::from_utf8_lossy(json);
        let json: String = json.chars().take(40).collect();
        Defect::new(format!("the id {json} is not a string"))
    })?;
    let forbidden = id.chars().find(|c| matches!(c, '/' | '\\' | '?' | '#'));
    if let Some(forbidden) = forbidden {
        return Err(Defect::new(format!(
            "the id {id:?} has a `{forbidden}`, which the service forbids in ids"
        )));
    }
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

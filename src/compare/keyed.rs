//! Records by the document that they are about: its partition key and id, where it is among the hashed keys, and
//! what the record leaves of it.

use std::borrow::Cow;

use anyhow::{Result, anyhow};
use azure_data_cosmos_driver::models::PartitionKeyDefinition;
use serde_json::Value;

use crate::content::canonical::Content;
use crate::content::digest::{Bucket, Left};
use crate::content::form::Form;
use crate::content::hashes::{Hashes, Name};
use crate::content::key::{Named, Values, Writing, hash_of_key, name_and_write, name_of};
use crate::cosmos::epk::{hash_of_partition_key, key_text, no_value, partition_key};
use crate::error::{usage, with_hint};
use crate::feed::RecordForm;
use crate::feed::page::{ItemRef, Page, SYSTEM_FIELDS, elements};
use crate::render::change::KeyPath;
use crate::replay::{Action, Defect, Interpreter, Meaning, SourceItem};
use crate::source::Text;

/// Where documents are among the hashed keys.
#[derive(Debug, Clone)]
pub(super) enum Spread {
    /// By the hash of their partition key and id, which is of this process.
    ByName,
    /// By the hash of their partition key in a container with this definition, so that a range of buckets is a range
    /// of the container.
    ByContainer(PartitionKeyDefinition),
}

/// Finds the document that a record is about.
#[derive(Debug, Clone)]
pub(super) struct Keyer {
    pub(super) hashes: Hashes,
    pub(super) content: Content,
    pub(super) spread: Spread,
    /// The number of buckets is two to the power of this.
    pub(super) bucket_bits: u32,
    /// The paths of the partition key.
    pub(super) key_paths: Vec<KeyPath>,
    /// What a record means.
    pub(super) interpreter: Interpreter,
    /// Whether documents go through a program.
    pub(super) has_program: bool,
    /// Whether documents are taken by their texts where that is possible, instead of their canonical forms.
    pub(super) by_text: bool,
}

/// A record, by its document.
#[derive(Debug)]
pub(super) struct Keyed<'a> {
    pub(super) bucket: Bucket,
    pub(super) name: Name,
    /// The document that is left; none if it is deleted.
    pub(super) document: Option<Cow<'a, [u8]>>,
    /// What is compared of it, if that was written when its key was found.
    form: Option<&'a [u8]>,
    /// Whether it would be a deletion if nothing said that it is a document.
    is_marked: bool,
    /// Whether a container may have it in another range than that of its bucket: its key has a zero below zero, which some
    /// SDKs hash like any zero and some do not.
    pub(super) is_elsewhere: bool,
    /// Which document of the side it is, where two of them can become one.
    pub(super) origin: Option<SourceItem>,
    /// The JSON text of its id, and that of the values of its partition key.
    id: Cow<'a, [u8]>,
    key: Values<'a>,
}

/// Which document, as a report names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    /// The JSON text of the values of its partition key, as an array.
    pub(super) key: String,
    /// The JSON text of its id.
    pub(super) id: String,
}

/// What is wrong with a record.
#[derive(Debug)]
pub(super) struct Unusable {
    reason: String,
    hint: Option<String>,
    is_usage: bool,
}

impl Unusable {
    /// The error of the record at `place`.
    pub(super) fn at(self, place: &str) -> anyhow::Error {
        let message = format!("{place}: {}", self.reason);
        match self.hint {
            Some(hint) if self.is_usage => usage(message, hint),
            Some(hint) => with_hint(anyhow!(message), hint),
            None => anyhow!(message),
        }
    }
}

impl From<Defect> for Unusable {
    fn from(defect: Defect) -> Self {
        Self {
            reason: defect.reason,
            hint: defect.hint,
            is_usage: false,
        }
    }
}

impl Keyed<'_> {
    /// Whether it is a document wherever its text is the record.
    pub(super) fn is_text(&self) -> bool {
        self.form.is_some() && !self.is_marked
    }

    pub(super) fn address(&self) -> Address {
        let text = |json: &[u8]| String::from_utf8_lossy(json).into_owned();
        let values: Vec<String> = self.key.iter().map(|value| text(value)).collect();
        Address {
            key: format!("[{}]", values.join(",")),
            id: text(&self.id),
        }
    }
}

impl Keyer {
    pub(super) fn buckets(&self) -> u32 {
        1 << self.bucket_bits
    }

    /// Passes what the record of a file means to `visit`, if it means anything. With `written` every document is compared,
    /// so what is compared of it is written there in one pass with its key.
    pub(super) fn record(
        &self,
        json: &Text<'_>,
        form: Option<RecordForm>,
        written: Option<&mut Form>,
        visit: impl FnOnce(Keyed<'_>) -> Result<()>,
    ) -> Result<Result<(), Unusable>> {
        // Whatever is unusual is looked at once more below.
        if form != Some(RecordForm::Changes)
            && self.is_direct()
            && let Some(written) = written
            && let Some(keyed) = self.written(json, form.is_none(), written)
        {
            return visit(keyed).map(Ok);
        }
        if form == Some(RecordForm::Documents) && self.is_direct() {
            let page = match Page::of_document(json.to_bytes()) {
                Ok(page) => page,
                Err(error) => return Ok(Err(Defect::new(error.to_string()).into())),
            };
            let document = page.items().next().and_then(|item| item.document());
            if let Some(keyed) = document.and_then(|document| self.document(document)) {
                return visit(keyed).map(Ok);
            }
        }
        self.meaning(self.interpreter.interpret(&json.to_bytes(), form), visit)
    }

    /// The same for an item of a feed.
    pub(super) fn item(
        &self,
        item: ItemRef<'_>,
        written: Option<&mut Form>,
        visit: impl FnOnce(Keyed<'_>) -> Result<()>,
    ) -> Result<Result<(), Unusable>> {
        if self.is_direct()
            && let Some(document) = item.document()
        {
            let keyed = match written {
                Some(written) if self.content.is_plain() => self.written(document, false, written),
                _ => self.document(document),
            };
            if let Some(keyed) = keyed {
                return visit(keyed).map(Ok);
            }
        }
        self.meaning(self.interpreter.interpret_item(item), visit)
    }

    /// Whether documents are compared as they are, and each is one of its own.
    pub(super) fn is_direct(&self) -> bool {
        !self.has_program && !self.interpreter.has_another_key()
    }

    /// Whether the same texts are the same content.
    ///
    /// A text has no system fields, so it does not say which document it is if a partition key is one of them.
    pub(super) fn can_compare_texts(&self) -> bool {
        let begins_with_one = |path: &KeyPath| {
            let first = path.first().map(String::as_str);
            first.is_none_or(|first| SYSTEM_FIELDS.contains(&first))
        };
        self.is_direct() && self.content.is_plain() && !self.key_paths.iter().any(begins_with_one)
    }

    fn meaning(
        &self,
        meaning: Result<Meaning, Defect>,
        visit: impl FnOnce(Keyed<'_>) -> Result<()>,
    ) -> Result<Result<(), Unusable>> {
        let write = match meaning {
            Ok(Meaning::Write(write)) => write,
            // What is not written leaves everything as it is.
            Ok(Meaning::Dropped | Meaning::Expired | Meaning::OutsideWindow) => return Ok(Ok(())),
            Ok(Meaning::Unclear(unclear)) => {
                return Ok(Err(Unusable {
                    reason: unclear.reason.to_owned(),
                    hint: Some(unclear.hint.to_owned()),
                    is_usage: true,
                }));
            }
            Err(defect) => return Ok(Err(defect.into())),
        };
        let text = key_text(&write.item.key)?;
        let values = elements(text.as_bytes()).map(|value| Cow::Owned(value.to_vec()));
        let id = serde_json::to_vec(&write.item.id)?;
        let document = match write.action {
            Action::Put(document) => Some(Cow::Owned(document)),
            Action::Delete { .. } => None,
        };
        let Some(keyed) = self.keyed(Cow::Owned(id), values.collect(), document) else {
            return Ok(Err(Defect::new("its partition key cannot be used").into()));
        };
        let origin = write.source;
        visit(Keyed { origin, ..keyed }).map(Ok)
    }

    /// A document that is compared as it is; none if there is anything unusual about its id or its key.
    fn document<'a>(&self, document: &'a [u8]) -> Option<Keyed<'a>> {
        self.named(name_of(&self.hashes, &self.key_paths, document)?, document)
    }

    /// The same with what is compared of it, its text or its form; none also if it is not a document. If nothing says what it is, it is one if it
    /// has an id, which no envelope of a change has, and is not marked as deleted, as the deletions of `tail` are.
    fn written<'a>(
        &self,
        document: &'a [u8],
        is_undeclared: bool,
        form: &'a mut Form,
    ) -> Option<Keyed<'a>> {
        let writing = match self.by_text {
            true => Writing::Text,
            false if self.content.is_plain() => Writing::Form,
            false => return None,
        };
        let named = name_and_write(&self.hashes, &self.key_paths, document, writing, form)?;
        if is_undeclared && named.is_marked {
            return None;
        }
        self.named(named, document)
    }

    fn named<'a>(&self, named: Named<'a>, document: &'a [u8]) -> Option<Keyed<'a>> {
        Some(Keyed {
            bucket: self.bucket(named.name, &named.values)?,
            name: named.name,
            document: Some(Cow::Borrowed(document)),
            form: named.written,
            is_marked: named.is_marked,
            is_elsewhere: named.has_negative_zero,
            origin: None,
            id: Cow::Borrowed(named.id),
            key: named.values,
        })
    }

    fn keyed<'a>(
        &self,
        id: Cow<'a, [u8]>,
        values: Values<'a>,
        document: Option<Cow<'a, [u8]>>,
    ) -> Option<Keyed<'a>> {
        let (name, is_elsewhere) = hash_of_key(&self.hashes, &values, &id, &mut Vec::new())?;
        Some(Keyed {
            bucket: self.bucket(name, &values)?,
            name,
            document,
            form: None,
            is_marked: false,
            is_elsewhere,
            origin: None,
            id,
            key: values,
        })
    }

    fn bucket(&self, name: Name, values: &[Cow<'_, [u8]>]) -> Option<Bucket> {
        let place = match &self.spread {
            Spread::ByName => (name >> 64) as u64,
            Spread::ByContainer(definition) => {
                let values = values.iter().map(|value| match value.first()? {
                    b'{' | b'[' => Some(no_value()),
                    _ => serde_json::from_slice::<Value>(value).ok(),
                });
                let values: Vec<Value> = values.collect::<Option<_>>()?;
                let key = partition_key(&values).ok()?;
                // The highest two bits are never used.
                hash_of_partition_key(&key, definition).ok()? << 2
            }
        };
        Some((place >> (64 - self.bucket_bits)) as Bucket)
    }

    /// What is left of a document, as a digest adds it. `buffer` is reused.
    pub(super) fn left(&self, record: &Keyed<'_>, buffer: &mut Form) -> Left {
        let Some(document) = &record.document else {
            return Left::Nothing;
        };
        if let Some(form) = record.form {
            return Left::Content(self.hashes.content(form));
        }
        self.content.write(document, buffer);
        Left::Content(self.hashes.content(buffer.bytes()))
    }
}

//! A record as it is in the source.

use bytes::Bytes;

use crate::feed::RecordForm;
use crate::feed::page::{ItemRef, Page};

/// A record as it is in the source, which a dead letter keeps.
#[derive(Debug, Clone)]
pub(super) struct Original {
    pub(super) json: Bytes,
    pub(super) form: RecordForm,
}

impl Original {
    /// A record of a file or a stream. It is a document unless it is declared to be something else.
    pub(super) fn of_record(json: Bytes, form: Option<RecordForm>) -> Self {
        Self {
            json,
            form: form.unwrap_or(RecordForm::Documents),
        }
    }

    /// An item of a feed.
    pub(super) fn of_item(item: ItemRef<'_>) -> Self {
        Self {
            json: Bytes::copy_from_slice(item.json()),
            form: if item.is_envelope() {
                RecordForm::Changes
            } else {
                RecordForm::Documents
            },
        }
    }

    /// A page with the record as its one item; none if the record is not of its form.
    pub(super) fn page(&self) -> Option<Page> {
        match self.form {
            RecordForm::Documents => Page::of_document(self.json.clone()).ok(),
            RecordForm::Changes => {
                let page = Page::of_change(self.json.clone()).ok()?;
                let is_envelope = page.items().all(|item| item.is_envelope());
                is_envelope.then_some(page)
            }
        }
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        self.json.len()
    }
}

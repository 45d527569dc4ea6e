//! Turns rows of an export back into documents and changes.

use crate::feed::RecordForm;
use crate::schema::{
    CellTexts, Column, EXTRA, METADATA, OPERATION_LSN, OPERATION_NUMBER, PREVIOUS, Rebuilder,
    Schema, TableForm, raw,
};

/// The meaning of the columns of a file.
#[derive(Debug)]
pub(super) struct Rows {
    /// How to rebuild documents; none if they have a column of their own.
    documents: Option<Rebuilder>,
    /// The first column of the document.
    first: usize,
    /// The overflow column, or that of the whole document.
    rest: usize,
    change: Option<ChangeColumns>,
}

/// The columns of an envelope.
#[derive(Debug, Clone, Copy)]
struct ChangeColumns {
    previous: usize,
    metadata: usize,
}

/// One row of a file: the cells of its columns as JSON text.
pub(super) trait RowCells {
    /// The cells of the document, as the schema says.
    type Document<'a>: CellTexts
    where
        Self: 'a;

    /// The text of a JSON column, which was checked; none for null.
    fn json(&self, column: usize) -> Result<Option<&str>, String>;

    /// The cells of the document's columns, which begin at `first`.
    fn document(&self, first: usize) -> Self::Document<'_>;
}

impl Rows {
    /// Finds the columns of a file by name; `name_of` returns the name of a column of `schema` in each form. Without a
    /// schema, documents have a column of their own.
    ///
    /// # Errors
    ///
    /// If the file has other columns. The error is a sentence for the user.
    pub(super) fn new(
        schema: Option<&Schema>,
        names: &[&str],
        name_of: impl Fn(&Column, TableForm) -> String,
    ) -> Result<Self, String> {
        let at = |name: &str| names.iter().position(|known| *known == name);
        let needed = |name: &str| at(name).ok_or_else(|| format!("it has no column `{name}`"));
        let change = match at(METADATA) {
            Some(metadata) => Some(ChangeColumns {
                previous: needed(PREVIOUS)?,
                metadata,
            }),
            None => None,
        };
        let first = match change {
            Some(change) => change.metadata + 1,
            // `_operation_lsn` was never the name of a document's column.
            None if names.starts_with(&[OPERATION_LSN, OPERATION_NUMBER]) => 2,
            None => 0,
        };
        let Some(schema) = schema else {
            return Ok(Self {
                documents: None,
                first,
                rest: needed(raw::DOCUMENT)?,
                change,
            });
        };
        let expected = schema.columns().iter().map(|column| {
            let of = |form| name_of(column, form);
            [of(TableForm::Ordered), of(TableForm::First)]
        });
        let extra = [EXTRA.to_owned(), EXTRA.to_owned()];
        let mut found = names.get(first..).unwrap_or_default().iter();
        for [name, first_name] in expected.chain([extra]) {
            match found.next() {
                Some(&known) if known == name || known == first_name => {}
                Some(known) => {
                    return Err(format!("it has a column `{known}` instead of `{name}`"));
                }
                None => return Err(format!("it has no column `{name}`")),
            }
        }
        if let Some(known) = found.next() {
            return Err(format!("it has an extra column `{known}`"));
        }
        Ok(Self {
            documents: Some(Rebuilder::new(schema)),
            first,
            rest: names.len() - 1,
            change,
        })
    }

    /// What the rows are. The names of the columns of a change are reserved, so that no column of a document
    /// can have them.
    pub(super) fn form(&self) -> RecordForm {
        if self.change.is_some() {
            RecordForm::Changes
        } else {
            RecordForm::Documents
        }
    }

    /// The number of the first column of the document.
    pub(super) fn first(&self) -> usize {
        self.first
    }

    /// The JSON columns beside those of the document.
    pub(super) fn json_columns(&self) -> impl Iterator<Item = usize> {
        let change = self.change.map(|change| [change.previous, change.metadata]);
        change.into_iter().flatten().chain([self.rest])
    }

    /// Appends the document of a row, or its change in an envelope.
    ///
    /// # Errors
    ///
    /// If a cell does not fit its column. The error is a sentence for the user.
    pub(super) fn append(&self, cells: &impl RowCells, out: &mut Vec<u8>) -> Result<(), String> {
        let Some(change) = self.change else {
            return self.append_document(cells, out);
        };
        out.extend_from_slice(b"{\"current\":");
        self.append_document(cells, out)?;
        for (name, column) in [("previous", change.previous), ("metadata", change.metadata)] {
            if let Some(json) = cells.json(column)? {
                out.extend_from_slice(format!(",\"{name}\":{json}").as_bytes());
            }
        }
        out.push(b'}');
        Ok(())
    }

    fn append_document(&self, cells: &impl RowCells, out: &mut Vec<u8>) -> Result<(), String> {
        let rest = cells.json(self.rest)?;
        match &self.documents {
            Some(documents) => {
                let document = cells.document(self.first);
                documents.append(&document, rest.map(str::as_bytes), out)
            }
            // A deleted item has no document.
            None => {
                out.extend_from_slice(rest.unwrap_or("{}").as_bytes());
                Ok(())
            }
        }
    }
}

/// Checks that `text` is one JSON value, and trims the whitespace around it.
pub(super) fn checked(text: &str) -> Result<&str, String> {
    match serde_json::from_str::<&serde_json::value::RawValue>(text) {
        Ok(value) => Ok(value.get()),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

//! Rows of an export, and the documents and changes that they are.

use crate::schema::{CellTexts, Column, EXTRA, METADATA, PREVIOUS, Rebuilder, Schema, raw};

/// Which column of a file is what.
#[derive(Debug)]
pub(super) struct Rows {
    /// How documents are given back; none if they are a column of their own.
    documents: Option<Rebuilder>,
    /// Where the columns of the document begin.
    first: usize,
    /// The column of what did not fit, or of the whole document.
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

    /// The text of a column that holds JSON, which was checked; none for null.
    fn json(&self, column: usize) -> Result<Option<&str>, String>;

    /// The cells of the document's columns, which begin at `first`.
    fn document(&self, first: usize) -> Self::Document<'_>;
}

impl Rows {
    /// Finds the columns of a file by their names, which `name_of` gives to those of `schema`. Without
    /// a schema documents are a column of their own.
    ///
    /// # Errors
    ///
    /// If the file has other columns. A sentence for the user.
    pub(super) fn new(
        schema: Option<&Schema>,
        names: &[&str],
        name_of: impl Fn(&Column) -> String,
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
        let first = change.map_or(0, |change| change.metadata + 1);
        let Some(schema) = schema else {
            return Ok(Self {
                documents: None,
                first,
                rest: needed(raw::DOCUMENT)?,
                change,
            });
        };
        let expected = schema.columns().iter().map(name_of);
        let mut found = names.get(first..).unwrap_or_default().iter();
        for name in expected.chain([EXTRA.to_owned()]) {
            match found.next() {
                Some(&known) if known == name => {}
                Some(known) => {
                    return Err(format!("it has a column `{known}` instead of `{name}`"));
                }
                None => return Err(format!("it has no column `{name}`")),
            }
        }
        if let Some(known) = found.next() {
            return Err(format!("it has a column `{known}` too many"));
        }
        Ok(Self {
            documents: Some(Rebuilder::new(schema)),
            first,
            rest: names.len() - 1,
            change,
        })
    }

    /// The columns that hold JSON beside those of the document.
    pub(super) fn json_columns(&self) -> impl Iterator<Item = usize> {
        let change = self.change.map(|change| [change.previous, change.metadata]);
        change.into_iter().flatten().chain([self.rest])
    }

    /// Appends what a row is: a document, or a change in its envelope.
    ///
    /// # Errors
    ///
    /// If a cell holds what it cannot hold. A sentence for the user.
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
            // What was deleted has no document.
            None => {
                out.extend_from_slice(rest.unwrap_or("{}").as_bytes());
                Ok(())
            }
        }
    }
}

/// Checks that `text` is one JSON value, and takes the whitespace around it away.
pub(super) fn checked(text: &str) -> Result<&str, String> {
    match serde_json::from_str::<&serde_json::value::RawValue>(text) {
        Ok(value) => Ok(value.get()),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

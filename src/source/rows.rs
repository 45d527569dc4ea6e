//! Turns rows of an export back into documents and changes.

use crate::feed::RecordForm;
use crate::feed::page::members;
use crate::schema::{
    CellTexts, Column, EXTRA, METADATA, NULLS, OPERATION_LSN, OPERATION_NUMBER, PREVIOUS,
    Rebuilder, Schema, TableForm, raw,
};

/// The meaning of the columns of a file.
#[derive(Debug)]
pub(super) struct Rows {
    /// How to rebuild documents; none if they have a column of their own.
    documents: Option<Rebuilder>,
    /// The first column of the document.
    first: usize,
    /// The column of nulls.
    nulls: Option<usize>,
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
                nulls: None,
                rest: needed(raw::DOCUMENT)?,
                change,
            });
        };
        let expected = schema.columns().iter().map(|column| {
            let of = |form| name_of(column, form);
            [of(TableForm::Ordered), of(TableForm::First)]
        });
        // The column before the last one, which no column of a document can be.
        let nulls = names.len().checked_sub(2).filter(|at| names[*at] == NULLS);
        let nulls = nulls.filter(|at| *at >= first);
        let rest = nulls.map(|_| NULLS).into_iter().chain([EXTRA]);
        let rest = rest.map(|name| [name.to_owned(), name.to_owned()]);
        let mut found = names.get(first..).unwrap_or_default().iter();
        for [name, first_name] in expected.chain(rest) {
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
            nulls,
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
        change
            .into_iter()
            .flatten()
            .chain(self.nulls)
            .chain([self.rest])
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
        // The columns of an item that is gone show its id and its partition key, which are in the metadata.
        let is_gone =
            cells.json(change.metadata)?.is_some_and(is_delete) && cells.json(self.rest)?.is_none();
        if is_gone {
            out.extend_from_slice(b"{}");
        } else {
            self.append_document(cells, out)?;
        }
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
                let nulls = self.nulls.map(|column| cells.json(column)).transpose()?;
                let over = match (nulls.flatten(), rest) {
                    (Some(nulls), Some(rest)) => Some(merged(nulls.as_bytes(), rest.as_bytes())),
                    (one, other) => one.or(other).map(|text| text.as_bytes().to_vec()),
                };
                documents.append(&document, over.as_deref(), out)
            }
            // A deleted item has no document.
            None => {
                out.extend_from_slice(rest.unwrap_or("{}").as_bytes());
                Ok(())
            }
        }
    }
}

/// Two overlays as one: members of both are objects on the way to different members.
fn merged(one: &[u8], other: &[u8]) -> Vec<u8> {
    if one.first() != Some(&b'{') || other.first() != Some(&b'{') {
        return other.to_vec();
    }
    let mut out = vec![b'{'];
    let mut add = |name: &[u8], value: &[u8]| {
        if out.len() > 1 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(name);
        out.extend_from_slice(b"\":");
        out.extend_from_slice(value);
    };
    let is_in = |name: &[u8], object: &[u8]| members(object).any(|member| member.raw_name == name);
    for member in members(one).filter(|member| !is_in(member.raw_name, other)) {
        add(member.raw_name, member.value);
    }
    for member in members(other) {
        let known = members(one).find(|known| known.raw_name == member.raw_name);
        match known {
            Some(known) => add(member.raw_name, &merged(known.value, member.value)),
            None => add(member.raw_name, member.value),
        }
    }
    out.push(b'}');
    out
}

/// Whether the metadata of a change is that of a deletion.
fn is_delete(metadata: &str) -> bool {
    let named = members(metadata.as_bytes()).filter(|member| member.is_named("operationType"));
    // The last of duplicates counts.
    named
        .last()
        .is_some_and(|member| member.value == b"\"delete\"")
}

/// Checks that `text` is one JSON value, and trims the whitespace around it.
pub(super) fn checked(text: &str) -> Result<&str, String> {
    match serde_json::from_str::<&serde_json::value::RawValue>(text) {
        Ok(value) => Ok(value.get()),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

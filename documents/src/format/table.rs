//! Rows of formats with columns: the cells of the change, those of the document, and the overflow.

use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, anyhow};

use super::options::Extra;
use crate::error::with_hint;
use crate::feed::FeedMode;
use crate::feed::page::{ItemRef, OperationType};
use crate::render::change::{Change, KeyPath, parse_key_path};
use crate::schema::{
    Cell, Column, ColumnType, EXTRA, FieldPath, Fraction, Lists, METADATA, MisfitKind, NULLS,
    OPERATION, OPERATION_LSN, OPERATION_NUMBER, OPERATION_TIME, PREVIOUS, Row, Schema, Shredder,
    TableForm, TableLayout, fit, misfit, raw,
};

/// The columns of a file, and how changes become rows of them.
pub(super) struct Table {
    columns: Vec<Column>,
    leading: Vec<Leading>,
    documents: Option<Documents>,
    mode: FeedMode,
    form: TableForm,
    key_paths: Vec<KeyPath>,
}

/// How to spread documents over columns.
struct Documents {
    schema: Schema,
    shredder: Shredder,
}

impl Documents {
    /// Sets the columns of the id and the partition key of an item that is gone.
    fn identify<'a>(
        &self,
        change: &Change<'a>,
        key_paths: &[KeyPath],
        accepts: &impl Fn(&Cell<'a>) -> bool,
        row: &mut Row<'a>,
    ) {
        if change.metadata.operation_type != Some(OperationType::Delete) {
            return;
        }
        if let Some(id) = change.id {
            self.shredder.set(&[raw::ID.to_owned()], id, accepts, row);
        }
        for (path, value) in change.partition_key(key_paths) {
            self.shredder.set(&path, value, accepts, row);
        }
    }
}

/// A column before those of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leading {
    Operation,
    OperationLsn,
    OperationNumber,
    OperationTime,
    Previous,
    Metadata,
    Id,
    PartitionKey,
    Timestamp,
    Lsn,
    Document,
}

impl Leading {
    fn column(self) -> Column {
        let (name, column_type) = match self {
            Self::Operation => (OPERATION, ColumnType::String),
            Self::OperationLsn => (OPERATION_LSN, ColumnType::Int64),
            Self::OperationNumber => (OPERATION_NUMBER, ColumnType::Int64),
            Self::OperationTime => (OPERATION_TIME, ColumnType::Timestamp(Fraction::Digits(0))),
            Self::Previous => (PREVIOUS, ColumnType::Json),
            Self::Metadata => (METADATA, ColumnType::Json),
            Self::Id => (raw::ID, ColumnType::String),
            Self::PartitionKey => (raw::PARTITION_KEY, ColumnType::Json),
            Self::Timestamp => (raw::TIMESTAMP, ColumnType::Int64),
            Self::Lsn => (raw::LSN, ColumnType::Int64),
            Self::Document => (raw::DOCUMENT, ColumnType::Json),
        };
        Column {
            path: FieldPath::top(name),
            column_type,
        }
    }
}

/// One row. It is reused for the items of one page.
pub(super) struct TableRow<'a> {
    leading: Vec<Cell<'a>>,
    /// The partition key as a JSON array, which is not part of the document.
    key: Vec<u8>,
    document: Option<Row<'a>>,
    has_document: bool,
    /// Whether there is a column of nulls.
    has_nulls: bool,
    /// Whether the overflow is left out.
    drops_extra: bool,
}

impl<'a> TableRow<'a> {
    /// The cells before the document's.
    pub(super) fn leading(&self) -> impl Iterator<Item = Cell<'_>> {
        self.leading.iter().map(|cell| match cell {
            // The only cell that nothing else makes: its text is here.
            Cell::Object => Cell::Json(&self.key),
            other => *other,
        })
    }

    /// The cells of the document, if the layout has any.
    pub(super) fn document(&self) -> Option<&[Cell<'a>]> {
        self.document.as_ref().map(Row::cells)
    }

    /// The cells of the elements of their lists.
    pub(super) fn lists(&self) -> Lists<'_, 'a> {
        self.document.as_ref().map_or(Lists::NONE, Row::lists)
    }

    /// The cells after the document's: those of the nulls, if there is such a column, and the overflow.
    pub(super) fn rest(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let document = self.document.as_ref().filter(|_| self.has_document);
        let nulls = self.has_nulls.then(|| document.and_then(Row::nulls));
        nulls.into_iter().chain([self.extra()])
    }

    /// The overflow.
    pub(super) fn extra(&self) -> Option<&[u8]> {
        let document = self.document.as_ref()?;
        let is_written = self.has_document && !self.drops_extra;
        is_written.then(|| document.extra()).flatten()
    }
}

impl Table {
    /// The columns of `layout`. With `flat`, a struct becomes a column for each of its fields.
    pub(super) fn new(
        layout: &TableLayout,
        form: TableForm,
        mode: FeedMode,
        key_paths: &[String],
        flat: bool,
    ) -> Self {
        let mut leading = Vec::new();
        let is_raw = matches!(layout, TableLayout::Raw);
        if is_raw || mode == FeedMode::AllVersionsAndDeletes {
            leading.push(Leading::Operation);
        }
        let is_ordered = form.is_ordered();
        if is_ordered || mode == FeedMode::AllVersionsAndDeletes {
            leading.push(Leading::OperationLsn);
        }
        if is_ordered {
            leading.push(Leading::OperationNumber);
        }
        if mode == FeedMode::AllVersionsAndDeletes {
            leading.extend([Leading::OperationTime, Leading::Previous, Leading::Metadata]);
        }
        if is_raw {
            leading.extend([
                Leading::Id,
                Leading::PartitionKey,
                Leading::Timestamp,
                Leading::Lsn,
                Leading::Document,
            ]);
        }
        let mut columns: Vec<Column> = leading.iter().map(|one| one.column()).collect();
        let documents = match layout {
            TableLayout::Raw => None,
            TableLayout::Columns {
                schema,
                without_system_fields,
            } => {
                let schema = if flat {
                    schema.flattened()
                } else {
                    schema.clone()
                };
                columns.extend(schema.columns().iter().cloned());
                if form.nulls_fit() {
                    columns.push(Column {
                        path: FieldPath::top(NULLS),
                        column_type: ColumnType::Json,
                    });
                }
                columns.push(Column {
                    path: FieldPath::top(EXTRA),
                    column_type: ColumnType::Json,
                });
                Some(Documents {
                    // Text has no unit.
                    shredder: Shredder::with(
                        &schema,
                        *without_system_fields,
                        form.unit().filter(|_| !flat),
                        form.nulls_fit(),
                    ),
                    schema,
                })
            }
        };
        Self {
            columns,
            leading,
            documents,
            mode,
            form,
            key_paths: key_paths.iter().map(|path| parse_key_path(path)).collect(),
        }
    }

    /// As [`Table::new`], with the layout that was set.
    pub(super) fn of_known(
        layout: &Arc<OnceLock<TableLayout>>,
        form: TableForm,
        mode: FeedMode,
        key_paths: &[String],
        flat: bool,
    ) -> Result<Self> {
        let layout = layout.get();
        let layout = layout.context("a file was begun before its columns were known")?;
        Ok(Self::new(layout, form, mode, key_paths, flat))
    }

    /// All columns, in their order: the leading ones, the document's, and the overflow.
    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How the table is written.
    pub(super) fn form(&self) -> TableForm {
        self.form
    }

    /// The columns that the document is spread over, if the layout has any.
    pub(super) fn schema(&self) -> Option<&Schema> {
        self.documents.as_ref().map(|documents| &documents.schema)
    }

    /// How many columns come before those of the document.
    pub(super) fn leading(&self) -> usize {
        self.leading.len()
    }

    /// A row to read items into.
    pub(super) fn row<'a>(&self) -> TableRow<'a> {
        TableRow {
            leading: Vec::with_capacity(self.leading.len()),
            key: Vec::new(),
            document: self
                .documents
                .as_ref()
                .map(|documents| documents.shredder.row()),
            has_document: false,
            has_nulls: self.form.nulls_fit(),
            drops_extra: false,
        }
    }

    /// Reads an item into `row`; `number` is its number among those of its LSN. Returns whether it makes a row: with latest versions, only documents do;
    /// otherwise every change does.
    pub(super) fn read<'a>(
        &self,
        item: ItemRef<'a>,
        number: i64,
        accepts: &impl Fn(&Cell<'a>) -> bool,
        row: &mut TableRow<'a>,
    ) -> bool {
        let document = item.document();
        if document.is_none() && self.mode == FeedMode::LatestVersion {
            return false;
        }
        if !self.leading.is_empty() {
            self.read_leading(item, number, row);
        }
        row.has_document = document.is_some();
        if let (Some(documents), Some(cells)) = (&self.documents, &mut row.document) {
            match document {
                Some(document) => documents.shredder.read(document, accepts, cells),
                None => {
                    cells.clear();
                    documents.identify(&Change::of(item), &self.key_paths, accepts, cells);
                }
            }
        }
        true
    }

    /// Decides what happens to what fits no column of the row. `null` is the text of a cell without a value, in formats
    /// that have one. Returns whether it is left out.
    ///
    /// # Errors
    ///
    /// If it must not be: names the document, the column and the kind of the value.
    pub(super) fn settle(
        &self,
        extra: Extra,
        null: Option<&[u8]>,
        item: ItemRef<'_>,
        row: &mut TableRow<'_>,
    ) -> Result<bool> {
        row.drops_extra = false;
        match (extra, row.extra(), &self.documents) {
            (Extra::Keep, ..) | (_, None, _) | (Extra::Fail, _, None) => Ok(false),
            (Extra::Drop, Some(_), _) => {
                row.drops_extra = true;
                Ok(true)
            }
            (Extra::Fail, Some(overflow), Some(Documents { schema, .. })) => {
                let id = Change::of(item)
                    .id
                    .map_or("null".into(), String::from_utf8_lossy);
                let misfit = misfit(schema, overflow, null);
                let first = match misfit.kind {
                    MisfitKind::NewField => "`resume --widen` adds columns for new fields",
                    MisfitKind::NullText => "an export to a new place can have another --null",
                    MisfitKind::OtherType => "the type of a column never changes",
                };
                Err(with_hint(
                    anyhow!("the document {id} does not fit the columns: {}", misfit.why),
                    format!(
                        "{first}; `resume --extra keep` puts such values into `_extra`, and `resume --extra drop` \
                         leaves them out"
                    ),
                ))
            }
        }
    }

    fn read_leading<'a>(&self, item: ItemRef<'a>, number: i64, row: &mut TableRow<'a>) {
        let change = Change::of(item);
        let json = |text: Option<&'a [u8]>| text.map_or(Cell::Null, Cell::Json);
        let text = |json: Option<&'a [u8]>| {
            let text = json.and_then(fit::string);
            text.map_or(Cell::Null, Cell::Text)
        };
        row.leading.clear();
        for column in &self.leading {
            row.leading.push(match column {
                Leading::Operation => text(change.metadata.operation),
                Leading::OperationLsn | Leading::Lsn => {
                    let lsn = change.lsn().and_then(|lsn| i64::try_from(lsn).ok());
                    lsn.map_or(Cell::Null, Cell::Integer)
                }
                Leading::OperationNumber => Cell::Integer(number),
                Leading::OperationTime => {
                    let crts = change.metadata.crts;
                    let moment = crts.and_then(|seconds| seconds.checked_mul(1_000_000));
                    moment.map_or(Cell::Null, Cell::Moment)
                }
                Leading::Previous => json(change.previous.filter(|json| *json != b"null")),
                Leading::Metadata => json(item.metadata_json()),
                Leading::Id => text(change.id),
                Leading::PartitionKey => {
                    self.write_key(&change, &mut row.key);
                    Cell::Object
                }
                Leading::Timestamp => change.document_ts.map_or(Cell::Null, Cell::Integer),
                Leading::Document => json(change.document),
            });
        }
    }

    /// Writes the partition key as a JSON array of its levels, with `{}` in the place of a missing value, as the
    /// service does.
    fn write_key(&self, change: &Change<'_>, key: &mut Vec<u8>) {
        let values = change.partition_key(&self.key_paths);
        key.clear();
        key.push(b'[');
        for path in &self.key_paths {
            let value = values.iter().find(|(known, _)| known == path);
            if key.len() > 1 {
                key.push(b',');
            }
            key.extend_from_slice(value.map_or(b"{}", |(_, value)| value));
        }
        key.push(b']');
    }
}

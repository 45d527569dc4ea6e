//! Rows in memory as arrays of Arrow: what the formats of typed columns write.

mod builder;

use std::iter::Peekable;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, anyhow};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema as ArrowSchema, SchemaRef};

use self::builder::ColumnBuilder;
use super::encoder::{Encoded, EncoderOptions, FileAbout};
use super::options::Extra;
use super::order::Order;
use super::table::Table;
use crate::feed::page::ItemRef;
use crate::feed::{FeedMode, RangeId};
use crate::schema::arrow::column_field;
use crate::schema::{
    Cell, Column, ColumnType, FieldPath, Lists, Schema, TableForm, TableLayout, metadata, raw,
};

/// How many bytes of documents make a batch.
pub(super) const BATCH_BYTES: usize = 1 << 20;

/// How changes become rows of columns.
pub(super) struct Rows {
    pub(super) mode: FeedMode,
    key_paths: Vec<String>,
    layout: Arc<OnceLock<TableLayout>>,
    form: TableForm,
    extra: Extra,
    order: Order,
}

/// The rows that are being collected.
pub(super) struct Columns {
    table: Table,
    schema: SchemaRef,
    builders: Vec<ColumnBuilder>,
    rows: usize,
    /// Bytes of the collected documents, which are cheaper to count than those of the columns.
    bytes: usize,
}

impl Rows {
    pub(super) fn new(options: &EncoderOptions) -> Self {
        Self {
            mode: options.mode,
            key_paths: options.partition_key_paths.clone(),
            layout: Arc::clone(&options.layout),
            form: options.form,
            extra: options.extra,
            order: Order::default(),
        }
    }

    /// Columns of the layout, which must be known.
    pub(super) fn columns(&self) -> Result<Columns> {
        let table = Table::of_known(&self.layout, self.form, self.mode, &self.key_paths, false)?;
        Ok(Columns::new(table))
    }

    /// Columns of the layout; if it is not known, of one that has only what every document has.
    pub(super) fn columns_or_id(&self) -> Result<Columns> {
        if self.layout.get().is_some() {
            return self.columns();
        }
        let id = Column {
            path: FieldPath::top(raw::ID),
            column_type: ColumnType::String,
        };
        let layout = TableLayout::Columns {
            schema: Schema::new(vec![id]).map_err(|why| anyhow!("{why}"))?,
            without_system_fields: false,
        };
        let table = Table::new(&layout, self.form, self.mode, &self.key_paths, false);
        Ok(Columns::new(table))
    }

    /// Appends rows of the items to `columns` until these hold `bytes` of documents.
    pub(super) fn append<'a>(
        &mut self,
        range: RangeId,
        items: &mut Peekable<impl Iterator<Item = ItemRef<'a>>>,
        bytes: usize,
        columns: &mut Columns,
        encoded: &mut Encoded,
    ) -> Result<()> {
        let mut row = columns.table.row();
        while columns.bytes < bytes {
            let Some(item) = items.next() else { break };
            let number = self.order.number(range, item);
            if !columns.table.read(item, number, &|_| true, &mut row) {
                continue;
            }
            let is_dropped = columns.table.settle(self.extra, None, item, &mut row)?;
            encoded.dropped += u64::from(is_dropped);
            let (leading, documents) = columns.builders.split_at_mut(columns.table.leading());
            let mut cells = row.leading();
            for builder in leading {
                builder.append(&mut cells, Lists::NONE)?;
            }
            if let Some(cells) = row.document() {
                let mut cells = cells.iter().copied();
                let of_rest = documents.len() - row.rest().count();
                let (documents, rest) = documents.split_at_mut(of_rest);
                for builder in documents {
                    builder.append(&mut cells, row.lists())?;
                }
                for (builder, json) in rest.iter_mut().zip(row.rest()) {
                    let cell = json.map_or(Cell::Null, Cell::Json);
                    builder.append(&mut std::iter::once(cell), Lists::NONE)?;
                }
            }
            columns.rows += 1;
            columns.bytes += item.json().len();
            encoded.rows += 1;
            encoded.overflowed += u64::from(row.extra().is_some());
        }
        Ok(())
    }
}

impl Columns {
    fn new(table: Table) -> Self {
        let form = table.form();
        let fields = table.columns().iter().map(|one| column_field(one, form));
        let fields: Vec<_> = fields.collect();
        let types = table.columns().iter().map(|column| &column.column_type);
        Self {
            builders: types
                .map(|one| ColumnBuilder::new(one, form.unit()))
                .collect(),
            schema: Arc::new(ArrowSchema::new(fields)),
            table,
            rows: 0,
            bytes: 0,
        }
    }

    /// How many rows are collected.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// How many bytes of documents they are.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The columns as Arrow has them.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns of documents; none if these have one of their own.
    pub(super) fn documents(&self) -> Option<&Schema> {
        self.table.schema()
    }

    /// Takes the rows out.
    pub(super) fn take(&mut self) -> Result<RecordBatch> {
        let arrays: Result<Vec<ArrayRef>> =
            self.builders.iter_mut().map(ColumnBuilder::take).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        self.bytes = 0;
        let schema = Arc::clone(&self.schema);
        RecordBatch::try_new_with_options(schema, arrays?, &options)
            .context("rows do not make a batch")
    }
}

/// What a file says of itself: pairs of a key and a value.
pub(super) fn about_file(
    about: &FileAbout<'_>,
    documents: Option<&Schema>,
) -> Result<Vec<(&'static str, String)>> {
    let mut said = vec![
        (metadata::EXPORT_ID, about.export_id.to_string()),
        (metadata::CONTAINER, about.container.to_owned()),
        (metadata::START, serde_json::to_string(about.start)?),
        (metadata::END, serde_json::to_string(about.end)?),
    ];
    if let Some(schema) = documents {
        said.push((metadata::SCHEMA, serde_json::to_string(schema)?));
    }
    Ok(said)
}

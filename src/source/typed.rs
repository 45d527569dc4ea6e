//! Rows of typed columns, as files of an export have them: Parquet and Arrow.

use anyhow::{Context, Result, anyhow};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float64Type, Int64Type, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::Schema as ArrowSchema;

use super::batches::{Batches, damaged};
use super::caught::caught;
use super::record::{Mark, Record, RecordReader};
use super::rows::{RowCells, Rows, checked};
use crate::error::with_hint;
use crate::feed::RecordForm;
use crate::schema::arrow::column_field;
use crate::schema::fit::{TimeUnit, write_moment};
use crate::schema::{CellTexts, ColumnType, Schema, TableForm, metadata};

/// Reads rows.
pub(super) struct TypedRows {
    /// The name of the file, for messages.
    name: String,
    rows: Rows,
    types: Vec<ColumnType>,
    batches: Box<dyn Batches>,
    batch: Option<Batch>,
    /// How many rows were read.
    row: u64,
}

/// Decoded rows.
struct Batch {
    rows: RecordBatch,
    /// The document's cells, a struct's own before those of its fields.
    cells: Vec<(ArrayRef, ColumnType)>,
    next: usize,
}

impl TypedRows {
    /// The rows of `batches`, which begin after row `row` and have the columns `arrow`. `said` is what the file says
    /// of itself.
    ///
    /// # Errors
    ///
    /// If it was not written by an export, or differs from what that says.
    pub(super) fn new<'a>(
        name: String,
        arrow: &ArrowSchema,
        said: impl Fn(&str) -> Option<&'a str>,
        batches: Box<dyn Batches>,
        row: u64,
    ) -> Result<Self> {
        if said(metadata::EXPORT_ID).is_none() {
            return Err(with_hint(
                anyhow!(
                    "{name} was not written by an export: its metadata does not describe its columns"
                ),
                "only files that `export` wrote can be read back; convert others to JSON lines",
            ));
        }
        let schema: Option<Schema> = said(metadata::SCHEMA)
            .map(serde_json::from_str)
            .transpose()
            .with_context(|| format!("the schema in the metadata of {name} is damaged"))?;
        let names: Vec<&str> = arrow
            .fields()
            .iter()
            .map(|one| one.name().as_str())
            .collect();
        let mismatch = |why: String| anyhow!("{name} differs from what its export says: {why}");
        let rows = Rows::new(schema.as_ref(), &names, |column, form| {
            column_field(column, form).name().clone()
        })
        .map_err(mismatch)?;
        let columns = schema.as_ref().map_or(&[][..], Schema::columns);
        for (column, found) in columns.iter().zip(arrow.fields().iter().skip(rows.first())) {
            let found = found.data_type();
            let is_of = |form| found.equals_datatype(column_field(column, form).data_type());
            if ![TableForm::Ordered, TableForm::First]
                .into_iter()
                .any(is_of)
            {
                return Err(mismatch(format!(
                    "its column {column} has the type {found}"
                )));
            }
        }
        for column in rows.json_columns() {
            if !arrow.field(column).data_type().is_string() {
                return Err(mismatch(format!(
                    "its column {} is not text",
                    names[column]
                )));
            }
        }
        Ok(Self {
            types: columns
                .iter()
                .map(|column| column.column_type.clone())
                .collect(),
            name,
            rows,
            batches,
            batch: None,
            row,
        })
    }

    /// What the rows are, by their columns.
    pub(super) fn form(&self) -> RecordForm {
        self.rows.form()
    }

    /// The current batch, or the next one once its rows are read. None at the end.
    fn batch(&mut self) -> Result<Option<&mut Batch>> {
        let is_read = |batch: &Batch| batch.next == batch.rows.num_rows();
        while self.batch.as_ref().is_none_or(is_read) {
            let rows = self.batches.next();
            let rows =
                rows.with_context(|| format!("cannot read {} after row {}", self.name, self.row))?;
            let Some(rows) = rows else {
                return Ok(None);
            };
            let mut cells = Vec::new();
            let columns = rows.columns().iter().skip(self.rows.first());
            for (column, column_type) in columns.zip(&self.types) {
                add_cells(column, column_type, &mut cells);
            }
            self.batch = Some(Batch {
                rows,
                cells,
                next: 0,
            });
        }
        Ok(self.batch.as_mut())
    }
}

fn add_cells(array: &ArrayRef, column_type: &ColumnType, cells: &mut Vec<(ArrayRef, ColumnType)>) {
    cells.push((array.clone(), column_type.clone()));
    if let ColumnType::Struct(fields) = column_type {
        for (array, field) in array.as_struct().columns().iter().zip(fields) {
            add_cells(array, &field.field_type, cells);
        }
    }
}

impl RecordReader for TypedRows {
    fn next(&mut self) -> Result<Option<Record>> {
        caught(|| self.read()).unwrap_or_else(|| Err(damaged(&self.name, self.row)))
    }
}

impl TypedRows {
    fn read(&mut self) -> Result<Option<Record>> {
        let Some(batch) = self.batch()? else {
            return Ok(None);
        };
        let (row, mut json) = (batch.next, Vec::new());
        batch.next += 1;
        self.row += 1;
        if let Some(batch) = &self.batch {
            let appended = self.rows.append(&RowOf { batch, row }, &mut json);
            appended.map_err(|why| anyhow!("row {} of {}: {why}", self.row, self.name))?;
        }
        let end = Mark {
            offset: self.row,
            line: self.row,
            within: None,
        };
        Ok(Some(Record {
            json: json.into(),
            form: Some(self.form()),
            end,
            raw_end: self.batches.raw_end(self.row),
        }))
    }
}

/// One row of a batch.
struct RowOf<'a> {
    batch: &'a Batch,
    row: usize,
}

impl RowCells for RowOf<'_> {
    type Document<'b>
        = &'b Self
    where
        Self: 'b;

    fn json(&self, column: usize) -> Result<Option<&str>, String> {
        let texts = self.batch.rows.column(column).as_string::<i32>();
        if texts.is_valid(self.row) {
            checked(texts.value(self.row)).map(Some)
        } else {
            Ok(None)
        }
    }

    fn document(&self, _first: usize) -> &Self {
        self
    }
}

impl CellTexts for &RowOf<'_> {
    fn is_there(&self, cell: usize) -> bool {
        self.batch.cells[cell].0.is_valid(self.row)
    }

    fn append(&self, cell: usize, out: &mut Vec<u8>) -> Result<(), String> {
        let (array, column_type) = &self.batch.cells[cell];
        append_value(array, self.row, column_type, out)
    }
}

/// Appends the JSON text of a value that is there.
fn append_value(
    array: &dyn Array,
    row: usize,
    column_type: &ColumnType,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    match column_type {
        ColumnType::Boolean => append(&array.as_boolean().value(row), out),
        ColumnType::Int64 => append(&array.as_primitive::<Int64Type>().value(row), out),
        ColumnType::Double => {
            let value = array.as_primitive::<Float64Type>().value(row);
            if !value.is_finite() {
                return Err(format!("{value} is not a JSON number"));
            }
            append(&value, out)
        }
        ColumnType::String => append(array.as_string::<i32>().value(row), out),
        ColumnType::Json => {
            let text = checked(array.as_string::<i32>().value(row))?;
            out.extend_from_slice(text.as_bytes());
            Ok(())
        }
        ColumnType::Timestamp(fraction) => {
            let micros = array.as_primitive_opt::<TimestampMicrosecondType>();
            let (moment, unit) = match micros {
                Some(micros) => (micros.value(row), TimeUnit::Microseconds),
                None => (
                    array.as_primitive::<TimestampNanosecondType>().value(row),
                    TimeUnit::Nanoseconds,
                ),
            };
            out.push(b'"');
            write_moment(moment, unit, *fraction, out);
            out.push(b'"');
            Ok(())
        }
        ColumnType::List(element) => {
            let values = array.as_list::<i32>().value(row);
            out.push(b'[');
            for index in 0..values.len() {
                if index > 0 {
                    out.push(b',');
                }
                if values.is_valid(index) {
                    append_value(&values, index, element, out)?
                } else {
                    out.extend_from_slice(b"null")
                }
            }
            out.push(b']');
            Ok(())
        }
        ColumnType::Struct(fields) => {
            out.push(b'{');
            let mut is_first = true;
            for (values, field) in array.as_struct().columns().iter().zip(fields) {
                if values.is_null(row) {
                    continue;
                }
                if !std::mem::take(&mut is_first) {
                    out.push(b',');
                }
                append(&field.name, out)?;
                out.push(b':');
                append_value(values, row, &field.field_type, out)?;
            }
            out.push(b'}');
            Ok(())
        }
    }
}

fn append(value: &(impl serde::Serialize + ?Sized), out: &mut Vec<u8>) -> Result<(), String> {
    serde_json::to_writer(out, value).map_err(|error| error.to_string())
}

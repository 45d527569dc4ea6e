//! The dictionary of the column that says what happened: four words, over and over.
//!
//! Other columns have none: whether one pays depends on the values, and a column whose type differed from file to file
//! would keep readers from taking several files for one table.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Int32Array, RecordBatch, RecordBatchOptions, StringArray,
};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};

use crate::schema::OPERATION;

/// What the service reports, and what a snapshot adds.
const KNOWN: [&str; 4] = ["create", "replace", "delete", "snapshot"];

/// The words of a file or a stream so far.
pub(super) struct Operations {
    words: Vec<String>,
    /// The same as an array, which is written once as long as it is the same one.
    array: ArrayRef,
}

impl Operations {
    pub(super) fn new() -> Self {
        Self {
            words: KNOWN.map(str::to_owned).to_vec(),
            array: Arc::new(StringArray::from(KNOWN.to_vec())),
        }
    }

    /// `schema`, with a dictionary for the column.
    pub(super) fn schema(schema: &Schema) -> Schema {
        let fields = schema.fields().iter().map(|field| match is_of(field) {
            true => Arc::new(Field::new_dictionary(
                OPERATION,
                DataType::Int32,
                DataType::Utf8,
                true,
            )),
            false => Arc::clone(field),
        });
        Schema::new(fields.collect::<Vec<FieldRef>>())
    }

    /// The same rows, with the dictionary of the column. `schema` has it.
    pub(super) fn encode(&mut self, rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
        let found = rows.schema();
        let mut columns = Vec::with_capacity(rows.num_columns());
        for (field, column) in found.fields().iter().zip(rows.columns()) {
            columns.push(match is_of(field) {
                true => self.encode_column(column)?,
                false => Arc::clone(column),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
            .context("rows do not make a batch")
    }

    fn encode_column(&mut self, column: &ArrayRef) -> Result<ArrayRef> {
        let known = self.words.len();
        let keys = column.as_string::<i32>().iter().map(|word| {
            let word = word?;
            let at = self.words.iter().position(|known| known == word);
            let at = at.unwrap_or_else(|| {
                self.words.push(word.to_owned());
                self.words.len() - 1
            });
            i32::try_from(at).ok()
        });
        let keys: Int32Array = keys.collect();
        if self.words.len() > known {
            self.array = Arc::new(StringArray::from_iter_values(&self.words));
        }
        let words = Arc::clone(&self.array);
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(
            keys, words,
        )?))
    }
}

/// Whether the column is the one that cosmos-tail adds: no column of a document has its name.
fn is_of(field: &Field) -> bool {
    field.name() == OPERATION && *field.data_type() == DataType::Utf8
}

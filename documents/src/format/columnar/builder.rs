//! Columns in memory: cells are appended row by row, and arrays are taken out.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, StringArray, StructArray,
    TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{FieldRef, Fields};

use crate::schema::arrow::{UTC, element_field, struct_fields};
use crate::schema::fit::TimeUnit;
use crate::schema::{Cell, ColumnType, Elements, Lists};

/// The values of one column. Times are in one unit for all columns, or in that of their column.
#[derive(Debug)]
pub(super) struct ColumnBuilder {
    values: Values,
    nulls: NullBufferBuilder,
    length: usize,
}

#[derive(Debug)]
enum Values {
    Boolean(BooleanBufferBuilder),
    Int64(Vec<i64>),
    Double(Vec<f64>),
    Timestamp(Vec<i64>, TimeUnit),
    /// All texts concatenated, and where each ends.
    Text(Vec<u8>, Vec<i32>),
    /// The same for JSON texts.
    Json(Vec<u8>, Vec<i32>),
    /// The elements of all lists, and where each ends.
    List(Box<ColumnBuilder>, FieldRef, Vec<i32>),
    Struct(Vec<ColumnBuilder>, Fields),
}

impl ColumnBuilder {
    pub(super) fn new(column_type: &ColumnType, unit: Option<TimeUnit>) -> Self {
        let values = match column_type {
            ColumnType::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            ColumnType::Int64 => Values::Int64(Vec::new()),
            ColumnType::Double => Values::Double(Vec::new()),
            ColumnType::Timestamp(fraction) => {
                Values::Timestamp(Vec::new(), unit.unwrap_or(fraction.unit()))
            }
            ColumnType::String => Values::Text(Vec::new(), vec![0]),
            ColumnType::Json => Values::Json(Vec::new(), vec![0]),
            ColumnType::List(element) => Values::List(
                Box::new(Self::new(element, unit)),
                element_field(element, unit),
                vec![0],
            ),
            ColumnType::Struct(fields) => Values::Struct(
                fields
                    .iter()
                    .map(|field| Self::new(&field.field_type, unit))
                    .collect(),
                struct_fields(fields, unit),
            ),
        };
        Self {
            values,
            nulls: NullBufferBuilder::new(0),
            length: 0,
        }
    }

    /// Appends the next of `cells`, followed by those of its fields if it is a struct. `lists` has the elements
    /// of lists.
    ///
    /// # Errors
    ///
    /// If the text of the column exceeds 2 GiB.
    pub(super) fn append<'c>(
        &mut self,
        cells: &mut impl Iterator<Item = Cell<'c>>,
        lists: Lists<'_, 'c>,
    ) -> Result<()> {
        let cell = cells.next().context("a row has too few cells")?;
        if let Values::Struct(fields, _) = &mut self.values {
            for field in fields {
                field.append(cells, lists)?;
            }
            self.note(cell == Cell::Object);
            return Ok(());
        }
        match (&mut self.values, cell) {
            (Values::Boolean(values), Cell::Boolean(value)) => values.append(value),
            (Values::Int64(values), Cell::Int64(value, _) | Cell::Integer(value))
            | (
                Values::Timestamp(values, _),
                Cell::Timestamp(value, _) | Cell::Rounded(value) | Cell::Moment(value),
            ) => {
                values.push(value);
            }
            (Values::Double(values), Cell::Double(value, _)) => values.push(value),
            (Values::Text(text, ends), Cell::Text(value)) => {
                value.append_to(text);
                ends.push(end_of(text.len())?);
            }
            (Values::Json(text, ends), Cell::Json(json)) => {
                text.extend_from_slice(json);
                ends.push(end_of(text.len())?);
            }
            (Values::List(element, _, ends), Cell::List(_, elements)) => {
                element.append_elements(elements, lists)?;
                ends.push(end_of(element.length)?);
            }
            _ => {
                self.append_nothing();
                return Ok(());
            }
        }
        self.note(true);
        Ok(())
    }

    fn append_elements(&mut self, elements: Elements, lists: Lists<'_, '_>) -> Result<()> {
        let (mut cells, lists) = lists.of(elements);
        for _ in 0..elements.count() {
            self.append(&mut cells, lists)?;
        }
        Ok(())
    }

    /// Appends a null.
    fn append_nothing(&mut self) {
        match &mut self.values {
            Values::Boolean(values) => values.append(false),
            Values::Int64(values) | Values::Timestamp(values, _) => values.push(0),
            Values::Double(values) => values.push(0.0),
            Values::Text(_, ends) | Values::Json(_, ends) | Values::List(_, _, ends) => {
                ends.push(ends.last().copied().unwrap_or_default());
            }
            Values::Struct(columns, _) => columns.iter_mut().for_each(Self::append_nothing),
        }
        self.note(false);
    }

    fn note(&mut self, is_there: bool) {
        self.nulls.append(is_there);
        self.length += 1;
    }

    /// Takes the values out, and reserves memory for as many.
    ///
    /// # Errors
    ///
    /// If they are not an array, which is a bug.
    pub(super) fn take(&mut self) -> Result<ArrayRef> {
        let nulls = self.nulls.finish();
        let length = std::mem::take(&mut self.length);
        let take_ends = |ends: &mut Vec<i32>| {
            let taken = take_all(ends);
            ends.push(0);
            OffsetBuffer::new(ScalarBuffer::from(taken))
        };
        Ok(match &mut self.values {
            Values::Boolean(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Values::Int64(values) => Arc::new(Int64Array::try_new(take_all(values).into(), nulls)?),
            Values::Double(values) => {
                Arc::new(Float64Array::try_new(take_all(values).into(), nulls)?)
            }
            Values::Timestamp(values, unit) => {
                let values = take_all(values).into();
                match unit {
                    TimeUnit::Microseconds => Arc::new(
                        TimestampMicrosecondArray::try_new(values, nulls)?.with_timezone(UTC),
                    ),
                    TimeUnit::Nanoseconds => Arc::new(
                        TimestampNanosecondArray::try_new(values, nulls)?.with_timezone(UTC),
                    ),
                }
            }
            Values::Text(text, ends) | Values::Json(text, ends) => {
                let text = Buffer::from_vec(take_all(text));
                Arc::new(StringArray::try_new(take_ends(ends), text, nulls)?)
            }
            Values::List(element, field, ends) => {
                let elements = element.take()?;
                let field = Arc::clone(field);
                Arc::new(ListArray::try_new(field, take_ends(ends), elements, nulls)?)
            }
            Values::Struct(columns, fields) => {
                let columns: Result<Vec<ArrayRef>> = columns.iter_mut().map(Self::take).collect();
                let fields = fields.clone();
                Arc::new(StructArray::try_new_with_length(
                    fields, columns?, nulls, length,
                )?)
            }
        })
    }
}

/// Takes the values out. The next batch will be about as large, so its memory is reserved at once.
fn take_all<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = Vec::with_capacity(values.len());
    std::mem::replace(values, room)
}

/// The end of a value, as an Arrow offset.
fn end_of(length: usize) -> Result<i32> {
    i32::try_from(length).context("the values of a column exceed 2 GiB")
}

//! Rows of columns that no export wrote: a document has a member for each value that is not null.

use std::io::Write;

use anyhow::{Context, Result, anyhow};
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, ArrowNativeTypeOp, RecordBatch};
use arrow_schema::{DataType, TimeUnit as Unit};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::batches::{Batches, damaged};
use super::caught::caught;
use super::record::{Mark, Record, RecordReader};
use super::rows::checked;
use crate::error::with_hint;
use crate::feed::RecordForm;
use crate::schema::Fraction;
use crate::schema::fit::{TimeUnit, write_moment};

/// The most nesting of a column.
pub(super) const MAX_DEPTH: usize = 100;

/// Reads rows.
pub(super) struct OtherRows {
    name: String,
    /// The name of each column as JSON.
    columns: Vec<(String, Shape)>,
    batches: Box<dyn Batches>,
    batch: Option<RecordBatch>,
    next: usize,
    form: Option<RecordForm>,
    row: u64,
}

/// What the type of a column leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// Its type says everything.
    Plain,
    /// Text that is JSON.
    Json,
    /// 16 bytes that are a UUID.
    Uuid,
    /// Elements of this shape.
    List(Box<Shape>),
    /// Members with these names, as JSON.
    Struct(Vec<(String, Shape)>),
    /// Values of this shape.
    Map(Box<Shape>),
}

impl OtherRows {
    /// The rows of `batches`, which begin after row `row`. `form` is what they are declared to be.
    pub(super) fn new(
        name: String,
        columns: Vec<(String, Shape)>,
        batches: Box<dyn Batches>,
        form: Option<RecordForm>,
        row: u64,
    ) -> Self {
        Self {
            name,
            columns,
            batches,
            batch: None,
            next: 0,
            form,
            row,
        }
    }

    fn read(&mut self) -> Result<Option<Record>> {
        while self
            .batch
            .as_ref()
            .is_none_or(|batch| batch.num_rows() == self.next)
        {
            let batch = self.batches.next();
            let batch = batch
                .with_context(|| format!("cannot read {} after row {}", self.name, self.row))?;
            let Some(batch) = batch else {
                return Ok(None);
            };
            self.batch = Some(batch);
            self.next = 0;
        }
        let arrays = self.batch.as_ref().map_or(&[][..], RecordBatch::columns);
        let mut json = Vec::new();
        self.row += 1;
        append_object(arrays, &self.columns, self.next, &mut json)
            .map_err(|why| anyhow!("row {} of {}: {why}", self.row, self.name))?;
        self.next += 1;
        Ok(Some(Record {
            json: json.into(),
            form: self.form,
            end: Mark {
                offset: self.row,
                line: self.row,
                within: None,
            },
            raw_end: self.batches.raw_end(self.row),
        }))
    }
}

impl RecordReader for OtherRows {
    fn next(&mut self) -> Result<Option<Record>> {
        caught(|| self.read()).unwrap_or_else(|| Err(damaged(&self.name, self.row)))
    }
}

/// The error of a column whose values have no form in JSON, which has `what` instead.
pub(super) fn without_form(column: &str, name: &str, what: &str) -> anyhow::Error {
    with_hint(
        anyhow!("the column `{column}` of {name} has {what}"),
        "leave the column out, or convert it, for example to text",
    )
}

/// Whether a value of this type, which has no others in it, has a form in JSON.
pub(super) fn has_json(leaf: &DataType) -> bool {
    use DataType::*;
    matches!(
        leaf,
        Null | Boolean
            | Int8
            | Int16
            | Int32
            | Int64
            | UInt8
            | UInt16
            | UInt32
            | UInt64
            | Float16
            | Float32
            | Float64
            | Decimal32(..)
            | Decimal64(..)
            | Decimal128(..)
            | Decimal256(..)
            | Utf8
            | LargeUtf8
            | Utf8View
            | Binary
            | LargeBinary
            | BinaryView
            | FixedSizeBinary(_)
            | Date32
            | Date64
            | Time32(_)
            | Time64(_)
            | Timestamp(..)
    )
}

pub(super) fn json_of(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn append_object(
    arrays: &[ArrayRef],
    members: &[(String, Shape)],
    row: usize,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    out.push(b'{');
    let mut is_first = true;
    for (array, (name, shape)) in arrays.iter().zip(members) {
        if is_null(array, row) {
            continue;
        }
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        append(array, row, shape, out).map_err(|why| format!("column {name}: {why}"))?;
    }
    out.push(b'}');
    Ok(())
}

fn is_null(array: &dyn Array, row: usize) -> bool {
    *array.data_type() == DataType::Null || array.is_null(row)
}

/// Appends a value, or null.
fn append_or_null(
    array: &dyn Array,
    row: usize,
    shape: &Shape,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    if is_null(array, row) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    append(array, row, shape, out)
}

/// Appends a value that is there.
fn append(array: &dyn Array, row: usize, shape: &Shape, out: &mut Vec<u8>) -> Result<(), String> {
    match (array.data_type(), shape) {
        (DataType::Struct(_), Shape::Struct(members)) => {
            append_object(array.as_struct().columns(), members, row, out)
        }
        (DataType::List(_), Shape::List(element)) => {
            append_list(&array.as_list::<i32>().value(row), element, out)
        }
        (DataType::LargeList(_), Shape::List(element)) => {
            append_list(&array.as_list::<i64>().value(row), element, out)
        }
        (DataType::FixedSizeList(..), Shape::List(element)) => {
            append_list(&array.as_fixed_size_list().value(row), element, out)
        }
        (DataType::Map(..), Shape::Map(value)) => {
            let entries = array.as_map().value(row);
            out.push(b'{');
            for entry in 0..entries.len() {
                if entry > 0 {
                    out.push(b',');
                }
                let from = out.len();
                append_or_null(entries.column(0), entry, &Shape::Plain, out)?;
                if out[from] != b'"' {
                    out.insert(from, b'"');
                    out.push(b'"');
                }
                out.push(b':');
                append_or_null(entries.column(1), entry, value, out)?;
            }
            out.push(b'}');
            Ok(())
        }
        (DataType::Dictionary(..), _) => {
            let words = array
                .as_any_dictionary_opt()
                .ok_or("a dictionary without words")?;
            let word = words.normalized_keys()[row];
            append_or_null(words.values(), word, shape, out)
        }
        (_, Shape::Json) => {
            let text = match array.data_type() {
                DataType::LargeUtf8 => array.as_string::<i64>().value(row),
                DataType::Utf8View => array.as_string_view().value(row),
                _ => array.as_string::<i32>().value(row),
            };
            let text = checked(text)?;
            out.extend_from_slice(text.as_bytes());
            Ok(())
        }
        (_, Shape::Uuid) => {
            let uuid = uuid::Uuid::from_slice(array.as_fixed_size_binary().value(row));
            let uuid = uuid.map_err(|error| error.to_string())?;
            append_text(&uuid.to_string(), out)
        }
        _ => append_scalar(array, row, out),
    }
}

fn append_list(values: &ArrayRef, element: &Shape, out: &mut Vec<u8>) -> Result<(), String> {
    out.push(b'[');
    for index in 0..values.len() {
        if index > 0 {
            out.push(b',');
        }
        append_or_null(values, index, element, out)?;
    }
    out.push(b']');
    Ok(())
}

fn append_text(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    serde_json::to_writer(out, text).map_err(|error| error.to_string())
}

fn append_shown(value: impl std::fmt::Display, out: &mut Vec<u8>) -> Result<(), String> {
    write!(out, "{value}").map_err(|error| error.to_string())
}

fn append_float<F: serde::Serialize + Copy + Into<f64>>(
    value: F,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let wide: f64 = value.into();
    if !wide.is_finite() {
        return Err(format!("{wide} is not a JSON number"));
    }
    // In the digits that its own width needs.
    serde_json::to_writer(out, &value).map_err(|error| error.to_string())
}

fn append_scalar(array: &dyn Array, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
    macro_rules! value {
        ($kind:ty) => {
            array.as_primitive::<$kind>().value(row)
        };
    }
    match array.data_type() {
        DataType::Boolean => append_shown(array.as_boolean().value(row), out),
        DataType::Int8 => append_shown(value!(Int8Type), out),
        DataType::Int16 => append_shown(value!(Int16Type), out),
        DataType::Int32 => append_shown(value!(Int32Type), out),
        DataType::Int64 => append_shown(value!(Int64Type), out),
        DataType::UInt8 => append_shown(value!(UInt8Type), out),
        DataType::UInt16 => append_shown(value!(UInt16Type), out),
        DataType::UInt32 => append_shown(value!(UInt32Type), out),
        DataType::UInt64 => append_shown(value!(UInt64Type), out),
        DataType::Float16 => append_float(value!(Float16Type).to_f32(), out),
        DataType::Float32 => append_float(value!(Float32Type), out),
        DataType::Float64 => append_float(value!(Float64Type), out),
        DataType::Decimal32(_, scale) => append_decimal(value!(Decimal32Type), *scale, out),
        DataType::Decimal64(_, scale) => append_decimal(value!(Decimal64Type), *scale, out),
        DataType::Decimal128(_, scale) => append_decimal(value!(Decimal128Type), *scale, out),
        DataType::Decimal256(_, scale) => append_decimal(value!(Decimal256Type), *scale, out),
        DataType::Utf8 => append_text(array.as_string::<i32>().value(row), out),
        DataType::LargeUtf8 => append_text(array.as_string::<i64>().value(row), out),
        DataType::Utf8View => append_text(array.as_string_view().value(row), out),
        DataType::Binary => append_bytes(array.as_binary::<i32>().value(row), out),
        DataType::LargeBinary => append_bytes(array.as_binary::<i64>().value(row), out),
        DataType::BinaryView => append_bytes(array.as_binary_view().value(row), out),
        DataType::FixedSizeBinary(_) => append_bytes(array.as_fixed_size_binary().value(row), out),
        DataType::Date32 => append_date(value!(Date32Type), out),
        DataType::Date64 => append_moment(value!(Date64Type), 1_000, false, out),
        DataType::Time32(Unit::Second) => append_clock(value!(Time32SecondType), 1, out),
        DataType::Time32(_) => append_clock(value!(Time32MillisecondType), 1_000, out),
        DataType::Time64(Unit::Nanosecond) => {
            append_clock(value!(Time64NanosecondType), 1_000_000_000, out)
        }
        DataType::Time64(_) => append_clock(value!(Time64MicrosecondType), 1_000_000, out),
        DataType::Timestamp(unit, zone) => {
            let (moment, per_second) = match unit {
                Unit::Second => (value!(TimestampSecondType), 1),
                Unit::Millisecond => (value!(TimestampMillisecondType), 1_000),
                Unit::Microsecond => (value!(TimestampMicrosecondType), 1_000_000),
                Unit::Nanosecond => (value!(TimestampNanosecondType), 1_000_000_000),
            };
            append_moment(moment, per_second, zone.is_some(), out)
        }
        other => Err(format!("a value of the type {other} has no form in JSON")),
    }
}

fn append_bytes(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    append_text(&BASE64_STANDARD.encode(bytes), out)
}

/// The digits, with the point where the scale has it.
fn append_decimal(
    unscaled: impl ArrowNativeTypeOp + std::fmt::Display,
    scale: i8,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let text = unscaled.to_string();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    let scale = i32::from(scale);
    if scale <= 0 {
        let zeros = if digits == "0" {
            0
        } else {
            scale.unsigned_abs() as usize
        };
        return append_shown(format_args!("{sign}{digits}{}", "0".repeat(zeros)), out);
    }
    let places = scale as usize;
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    append_shown(format_args!("{sign}{whole}.{fraction}"), out)
}

fn append_date(days: i32, out: &mut Vec<u8>) -> Result<(), String> {
    // 1970-01-01.
    const EPOCH: i32 = 2_440_588;
    let date = days
        .checked_add(EPOCH)
        .and_then(|day| time::Date::from_julian_day(day).ok())
        .filter(|date| date.year() >= 0)
        .ok_or_else(|| format!("{days} days after 1970 are in no year from 0 to 9999"))?;
    let month = u8::from(date.month());
    append_shown(
        format_args!("\"{:04}-{month:02}-{:02}\"", date.year(), date.day()),
        out,
    )
}

fn append_clock(moment: impl Into<i64>, per_second: i64, out: &mut Vec<u8>) -> Result<(), String> {
    let moment: i64 = moment.into();
    let (seconds, part) = (moment.div_euclid(per_second), moment.rem_euclid(per_second));
    if !(0..86_400).contains(&seconds) {
        return Err(format!("{moment} is no time of a day"));
    }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let nanoseconds = format!("{:09}", part * (1_000_000_000 / per_second));
    let fraction = nanoseconds.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    append_shown(
        format_args!(
            "\"{hours:02}:{minutes:02}:{:02}{point}{fraction}\"",
            seconds % 60
        ),
        out,
    )
}

fn append_moment(
    moment: i64,
    per_second: i64,
    is_utc: bool,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let seconds = moment.div_euclid(per_second);
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .filter(|time| time.year() >= 0)
        .ok_or_else(|| format!("the time {moment} is in no year from 0 to 9999"))?;
    out.push(b'"');
    // In this range, microseconds fit in 64 bits.
    let (moment, unit) = match per_second {
        1_000_000_000 => (moment, TimeUnit::Nanoseconds),
        _ => (moment * (1_000_000 / per_second), TimeUnit::Microseconds),
    };
    write_moment(moment, unit, Fraction::Shortest, out);
    if !is_utc {
        // It has no zone, so none is made up.
        out.pop();
    }
    out.push(b'"');
    Ok(())
}

//! Parquet that no export wrote: a document has a member for each value that is not null.

use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef, ArrowNativeTypeOp, RecordBatch};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, TimeUnit as Unit};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{LogicalType, Type as PhysicalType};
use parquet::schema::types::SchemaDescriptor;

use super::caught::caught;
use super::chunks::FileChunks;
use super::other_csv::refuse_ours;
use super::parquet::{BATCH_ROWS, damaged};
use super::record::{Mark, Record, RecordReader};
use super::rows::checked;
use crate::error::with_hint;
use crate::feed::RecordForm;
use crate::schema::Fraction;
use crate::schema::fit::{TimeUnit, write_moment};
use crate::schema::metadata;

/// The most nesting of a column.
const MAX_DEPTH: usize = 100;

/// Reads rows.
pub(super) struct OtherParquet {
    name: String,
    columns: Vec<(String, Shape)>,
    batches: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    next: usize,
    form: Option<RecordForm>,
    row: u64,
    all_rows: u64,
    length: u64,
}

/// What the type of a column leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
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

/// Whether `file` was not written by an export. A file that cannot be read may have been.
pub(super) fn is_of_others(file: &FileChunks) -> bool {
    let load = || ArrowReaderMetadata::load(file, ArrowReaderOptions::new());
    let Some(Ok(loaded)) = caught(load) else {
        return false;
    };
    let said = loaded.metadata().file_metadata().key_value_metadata();
    let mut pairs = said.into_iter().flatten();
    !pairs.any(|pair| pair.key == metadata::EXPORT_ID)
}

impl OtherParquet {
    /// Starts at the row after `mark`. `form` is what the rows are declared to be.
    ///
    /// # Errors
    ///
    /// If a column has a type that JSON has no form for, or there are fewer rows than the mark.
    pub(super) fn new(
        file: FileChunks,
        name: String,
        form: Option<RecordForm>,
        mark: Mark,
    ) -> Result<Self> {
        let error = damaged(&name, mark.line);
        caught(|| Self::open(file, name, form, mark)).unwrap_or(Err(error))
    }

    fn open(file: FileChunks, name: String, form: Option<RecordForm>, mark: Mark) -> Result<Self> {
        let failed = || format!("cannot read {name}");
        let length = parquet::file::reader::Length::len(&file);
        // What writers add about Arrow changes only how values are kept in memory.
        let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let mut loaded = ArrowReaderMetadata::load(&file, plain).with_context(failed)?;
        let all_rows = u64::try_from(loaded.metadata().file_metadata().num_rows())?;
        if mark.line > all_rows {
            bail!("{name} is shorter than the part of it that was read before");
        }
        let names: Vec<&str> = loaded
            .schema()
            .fields()
            .iter()
            .map(|one| one.name().as_str())
            .collect();
        refuse_ours(&names, &name)?;
        if let Some(schema) = with_wide_times(loaded.schema(), loaded.parquet_schema()) {
            let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
            loaded = ArrowReaderMetadata::try_new(Arc::clone(loaded.metadata()), options)
                .with_context(failed)?;
        }
        let mut leaves = Leaves::of(loaded.parquet_schema());
        let columns = loaded.schema().fields().iter().map(|field| {
            let shape = leaves.shape(field, 0).map_err(|what| {
                with_hint(
                    anyhow!("the column `{}` of {name} has {what}", field.name()),
                    "leave the column out, or convert it, for example to text",
                )
            })?;
            Ok((json_of(field.name()), shape))
        });
        let columns = columns.collect::<Result<_>>()?;
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(file, loaded)
            .with_batch_size(BATCH_ROWS)
            .with_offset(usize::try_from(mark.line)?)
            .build()
            .with_context(failed)?;
        Ok(Self {
            name,
            columns,
            batches,
            batch: None,
            next: 0,
            form,
            row: mark.line,
            all_rows,
            length,
        })
    }

    fn read(&mut self) -> Result<Option<Record>> {
        while self
            .batch
            .as_ref()
            .is_none_or(|batch| batch.num_rows() == self.next)
        {
            let Some(batch) = self.batches.next() else {
                return Ok(None);
            };
            let batch = batch
                .with_context(|| format!("cannot read {} after row {}", self.name, self.row))?;
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
            raw_end: (self.length as f64 * (self.row as f64 / self.all_rows.max(1) as f64)) as u64,
        }))
    }
}

impl RecordReader for OtherParquet {
    fn next(&mut self) -> Result<Option<Record>> {
        caught(|| self.read()).unwrap_or_else(|| Err(damaged(&self.name, self.row)))
    }
}

/// The columns of Parquet below those of Arrow, in the same order.
struct Leaves<'a> {
    schema: &'a SchemaDescriptor,
    next: usize,
}

impl<'a> Leaves<'a> {
    fn of(schema: &'a SchemaDescriptor) -> Self {
        Self { schema, next: 0 }
    }

    /// The physical and the logical type of the next leaf.
    fn take(&mut self) -> (Option<PhysicalType>, Option<LogicalType>) {
        let at = self.next;
        self.next += 1;
        if at >= self.schema.num_columns() {
            return (None, None);
        }
        let column = self.schema.column(at);
        (
            Some(column.physical_type()),
            column.logical_type_ref().cloned(),
        )
    }

    /// The shape of a column. The error is what it has instead.
    fn shape(&mut self, field: &Field, depth: usize) -> Result<Shape, String> {
        if depth > MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} levels"));
        }
        match field.data_type() {
            DataType::Struct(fields) => {
                let fields = fields
                    .iter()
                    .map(|field| Ok((json_of(field.name()), self.shape(field, depth + 1)?)));
                Ok(Shape::Struct(fields.collect::<Result<_, String>>()?))
            }
            DataType::List(element)
            | DataType::LargeList(element)
            | DataType::FixedSizeList(element, _) => {
                Ok(Shape::List(Box::new(self.shape(element, depth + 1)?)))
            }
            DataType::Map(entries, _) => {
                let DataType::Struct(fields) = entries.data_type() else {
                    return Err("a map without entries".to_owned());
                };
                let [key, value] = &fields[..] else {
                    return Err("a map without values".to_owned());
                };
                if self.shape(key, depth + 1)? != Shape::Plain {
                    return Err("a map whose keys are no text or numbers".to_owned());
                }
                Ok(Shape::Map(Box::new(self.shape(value, depth + 1)?)))
            }
            leaf => {
                let (_, logical) = self.take();
                match (leaf, logical) {
                    (DataType::Utf8, Some(LogicalType::Json)) => Ok(Shape::Json),
                    (DataType::FixedSizeBinary(16), Some(LogicalType::Uuid)) => Ok(Shape::Uuid),
                    (leaf, _) if has_json(leaf) => Ok(Shape::Plain),
                    (leaf, _) => Err(format!("the type {leaf}, for which JSON has no form")),
                }
            }
        }
    }

    /// The field with times of 96 bits in microseconds instead of nanoseconds, which end in 2262.
    fn widened(&mut self, field: &FieldRef) -> FieldRef {
        let with = |data_type: DataType| Arc::new(field.as_ref().clone().with_data_type(data_type));
        match field.data_type() {
            DataType::Struct(fields) => {
                let fields: Fields = fields.iter().map(|field| self.widened(field)).collect();
                with(DataType::Struct(fields))
            }
            DataType::List(element) => with(DataType::List(self.widened(element))),
            DataType::LargeList(element) => with(DataType::LargeList(self.widened(element))),
            DataType::FixedSizeList(element, length) => {
                with(DataType::FixedSizeList(self.widened(element), *length))
            }
            DataType::Map(entries, sorted) => with(DataType::Map(self.widened(entries), *sorted)),
            _ => match self.take() {
                // Such a time is in UTC.
                (Some(PhysicalType::INT96), _) => {
                    with(DataType::Timestamp(Unit::Microsecond, Some("UTC".into())))
                }
                _ => Arc::clone(field),
            },
        }
    }
}

/// The schema with [wide times](Leaves::widened); none if that is the same.
fn with_wide_times(schema: &Schema, parquet: &SchemaDescriptor) -> Option<Schema> {
    let mut leaves = Leaves::of(parquet);
    let fields: Fields = schema
        .fields()
        .iter()
        .map(|field| leaves.widened(field))
        .collect();
    (fields != *schema.fields()).then(|| Schema::new(fields))
}

/// Whether a value of this type, which has no others in it, has a form in JSON.
fn has_json(leaf: &DataType) -> bool {
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
            | Binary
            | LargeBinary
            | FixedSizeBinary(_)
            | Date32
            | Time32(_)
            | Time64(_)
            | Timestamp(..)
    )
}

fn json_of(text: &str) -> String {
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
        (_, Shape::Json) => {
            let text = checked(array.as_string::<i32>().value(row))?;
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
        DataType::Binary => append_bytes(array.as_binary::<i32>().value(row), out),
        DataType::LargeBinary => append_bytes(array.as_binary::<i64>().value(row), out),
        DataType::FixedSizeBinary(_) => append_bytes(array.as_fixed_size_binary().value(row), out),
        DataType::Date32 => append_date(value!(Date32Type), out),
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use arrow_array::builder::*;
    use arrow_array::*;
    use parquet::arrow::ArrowWriter;

    use super::*;

    fn written(columns: Vec<(&str, ArrayRef)>) -> FileChunks {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        FileChunks::new(Box::new(Cursor::new(bytes))).unwrap()
    }

    fn read(file: FileChunks, line: u64) -> Result<Vec<String>, String> {
        let mark = Mark {
            line,
            ..Mark::default()
        };
        assert!(is_of_others(&file));
        let rows = || -> Result<Vec<String>> {
            let mut reader = OtherParquet::new(file, "it".to_owned(), None, mark)?;
            let mut found = Vec::new();
            while let Some(record) = reader.next()? {
                found.push(String::from_utf8(record.json.to_vec())?);
            }
            Ok(found)
        };
        rows().map_err(|error| format!("{error:#}"))
    }

    fn array(array: impl Array + 'static) -> ArrayRef {
        Arc::new(array)
    }

    #[test]
    fn every_value_has_its_form() {
        let micros = TimestampMicrosecondArray::from(vec![1_790_000_000_120_000]);
        for (value, json) in [
            (array(BooleanArray::from(vec![true])), "true"),
            (array(Int8Array::from(vec![-5])), "-5"),
            (
                array(UInt64Array::from(vec![u64::MAX])),
                "18446744073709551615",
            ),
            (
                array(Int64Array::from(vec![i64::MIN])),
                "-9223372036854775808",
            ),
            (array(Float32Array::from(vec![0.1])), "0.1"),
            (array(Float64Array::from(vec![0.1])), "0.1"),
            (
                array(
                    Decimal128Array::from(vec![1250])
                        .with_precision_and_scale(9, 2)
                        .unwrap(),
                ),
                "12.50",
            ),
            (
                array(
                    Decimal128Array::from(vec![-5])
                        .with_precision_and_scale(38, 3)
                        .unwrap(),
                ),
                "-0.005",
            ),
            (
                array(
                    Decimal128Array::from(vec![7])
                        .with_precision_and_scale(5, 0)
                        .unwrap(),
                ),
                "7",
            ),
            (array(StringArray::from(vec!["a\"\n"])), r#""a\"\n""#),
            (array(LargeStringArray::from(vec!["é"])), "\"é\""),
            (array(StringViewArray::from(vec!["view"])), "\"view\""),
            (
                array(DictionaryArray::<Int32Type>::from_iter(["word"])),
                "\"word\"",
            ),
            (array(BinaryArray::from(vec![&b"\xff\0"[..]])), "\"/wA=\""),
            (array(Date32Array::from(vec![20_454])), "\"2026-01-01\""),
            (array(Date32Array::from(vec![-1])), "\"1969-12-31\""),
            (
                array(micros.clone().with_timezone("Europe/Berlin")),
                "\"2026-09-21T14:13:20.12Z\"",
            ),
            (array(micros), "\"2026-09-21T14:13:20.12\""),
            (
                array(TimestampNanosecondArray::from(vec![1]).with_timezone_utc()),
                "\"1970-01-01T00:00:00.000000001Z\"",
            ),
            (
                array(TimestampMillisecondArray::from(vec![-1]).with_timezone_utc()),
                "\"1969-12-31T23:59:59.999Z\"",
            ),
            (
                array(Time64MicrosecondArray::from(vec![3_723_500_000])),
                "\"01:02:03.5\"",
            ),
            (
                array(Time32MillisecondArray::from(vec![86_399_000])),
                "\"23:59:59\"",
            ),
        ] {
            let shown = format!("{:?}", value.data_type());
            let found = read(written(vec![("v", value)]), 0).unwrap();
            assert_eq!(found, [format!("{{\"v\":{json}}}")], "{shown}");
        }
    }

    #[test]
    fn nested_values_and_nulls_are_objects_and_arrays() {
        let names: ArrayRef = array(StringArray::from(vec![Some("Ada"), None]));
        let ages: ArrayRef = array(Int32Array::from(vec![None, Some(7)]));
        let customer = StructArray::from(vec![
            (Arc::new(Field::new("name", DataType::Utf8, true)), names),
            (Arc::new(Field::new("age", DataType::Int32, true)), ages),
        ]);
        let mut tags = ListBuilder::new(StringBuilder::new());
        tags.append_value([Some("a"), None]);
        tags.append_null();
        let mut prices = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
        prices.keys().append_value("EUR");
        prices.values().append_value(5);
        prices.keys().append_value("US\"D");
        prices.values().append_null();
        prices.append(true).unwrap();
        prices.append(false).unwrap();
        let file = written(vec![
            ("id", array(StringArray::from(vec!["1", "2"]))),
            ("customer", array(customer)),
            ("tags", array(tags.finish())),
            ("prices", array(prices.finish())),
        ]);
        let expected = [
            r#"{"id":"1","customer":{"name":"Ada"},"tags":["a",null],"prices":{"EUR":5,"US\"D":null}}"#,
            r#"{"id":"2","customer":{"age":7}}"#,
        ];
        assert_eq!(read(file.clone(), 0).unwrap(), expected);
        assert_eq!(read(file.clone(), 1).unwrap(), expected[1..]);
        assert_eq!(read(file, 2).unwrap(), [""; 0]);
    }

    #[test]
    fn what_json_has_no_form_for_is_named() {
        for (name, value, why) in [
            (
                "v",
                array(Float64Array::from(vec![f64::NAN])),
                "row 1 of it: column \"v\": NaN is not",
            ),
            (
                "v",
                array(TimestampMicrosecondArray::from(vec![i64::MAX])),
                "is in no year from 0 to 9999",
            ),
            (
                "_extra",
                array(StringArray::from(vec!["{}"])),
                "the column `_extra` of an export",
            ),
        ] {
            let found = read(written(vec![(name, value)]), 0).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
    }
}

//! Parquet that no export wrote.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, TimeUnit as Unit};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::{LogicalType, Type as PhysicalType};
use parquet::schema::types::SchemaDescriptor;

use super::batches::damaged;
use super::caught::caught;
use super::chunks::FileChunks;
use super::other_csv::refuse_ours;
use super::other_rows::{MAX_DEPTH, OtherRows, Shape, has_json, json_of, without_form};
use super::parquet::ParquetBatches;
use super::record::Mark;
use crate::feed::RecordForm;
use crate::schema::metadata;

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

/// The rows after `mark`. `form` is what they are declared to be.
///
/// # Errors
///
/// If a column has a type that JSON has no form for, or there are fewer rows than the mark.
pub(super) fn other_parquet(
    file: FileChunks,
    name: String,
    form: Option<RecordForm>,
    mark: Mark,
) -> Result<OtherRows> {
    let error = damaged(&name, mark.line);
    caught(|| open(file, name, form, mark)).unwrap_or(Err(error))
}

fn open(file: FileChunks, name: String, form: Option<RecordForm>, mark: Mark) -> Result<OtherRows> {
    let failed = || format!("cannot read {name}");
    // What writers add about Arrow changes only how values are kept in memory.
    let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let mut loaded = ArrowReaderMetadata::load(&file, plain).with_context(failed)?;
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
        let shape = leaves
            .shape(field, 0)
            .map_err(|what| without_form(field.name(), &name, &what))?;
        Ok((json_of(field.name()), shape))
    });
    let columns = columns.collect::<Result<_>>()?;
    let batches = ParquetBatches::open(file, loaded, &name, mark)?;
    let batches = Box::new(batches);
    Ok(OtherRows::new(name, columns, batches, form, mark.line))
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use arrow_array::builder::*;
    use arrow_array::types::Int32Type;
    use arrow_array::*;
    use parquet::arrow::ArrowWriter;

    use super::super::record::RecordReader;
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
            let mut reader = other_parquet(file, "it".to_owned(), None, mark)?;
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

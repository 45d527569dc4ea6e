//! The Arrow form of columns: what stands in the files that are written, and is expected of those
//! that are read.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit as ArrowUnit};

use super::column::{Column, ColumnType, Field as StructField};
use super::fit::TimeUnit;

/// The time zone of every moment.
pub const UTC: &str = "UTC";
/// What readers of Parquet expect a list's elements to be called.
const ELEMENT: &str = "element";

/// The Arrow field of a column. Its name is the text of its path; but a path of one name is that
/// name, without quotes, unless it would be taken for a path or for quoted.
pub fn column_field(column: &Column) -> Field {
    let name = match column.path.names() {
        [name] if !name.contains(['.', '"']) => name.clone(),
        _ => column.path.to_string(),
    };
    field(&name, &column.column_type)
}

/// The Arrow field of a list's elements.
pub fn element_field(element: &ColumnType) -> FieldRef {
    Arc::new(field(ELEMENT, element))
}

/// The Arrow fields of a struct.
pub fn struct_fields(fields: &[StructField]) -> Fields {
    let fields = fields.iter().map(|one| field(&one.name, &one.field_type));
    fields.collect()
}

fn field(name: &str, column_type: &ColumnType) -> Field {
    Field::new(name, data_type(column_type), true)
}

fn data_type(column_type: &ColumnType) -> DataType {
    match column_type {
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Double => DataType::Float64,
        ColumnType::String | ColumnType::Json => DataType::Utf8,
        ColumnType::Timestamp(fraction) => {
            let unit = match fraction.unit() {
                TimeUnit::Microseconds => ArrowUnit::Microsecond,
                TimeUnit::Nanoseconds => ArrowUnit::Nanosecond,
            };
            DataType::Timestamp(unit, Some(UTC.into()))
        }
        ColumnType::List(element) => DataType::List(element_field(element)),
        ColumnType::Struct(fields) => DataType::Struct(struct_fields(fields)),
    }
}

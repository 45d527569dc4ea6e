//! The Arrow form of columns: of the files that are written, and expected of those that are read.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit as ArrowUnit};

use super::column::{Column, ColumnType, Field as StructField};
use super::fit::TimeUnit;

/// The time zone of every timestamp.
pub const UTC: &str = "UTC";
/// The name that readers of Parquet expect for the elements of a list.
const ELEMENT: &str = "element";

/// The Arrow field of a column. Its name is the text of its path. A path of one name is just that name,
/// without quotes, unless it could be mistaken for a longer path or a quoted name.
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

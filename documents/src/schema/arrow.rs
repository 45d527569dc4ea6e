//! The Arrow form of columns: of the files that are written, and expected of those that are read.

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit as ArrowUnit};

use super::column::{Column, ColumnType, Field as StructField};
use super::fit::TimeUnit;
use super::table_layout::TableForm;

/// The time zone of every timestamp.
pub const UTC: &str = "UTC";
/// The name that readers of Parquet expect for the elements of a list.
const ELEMENT: &str = "element";

/// The Arrow field of a column. In the first form, a path of one name is just that name, without quotes, unless
/// it could be mistaken for a longer path or a quoted name, and other paths are written as in a schema file.
pub fn column_field(column: &Column, form: TableForm) -> Field {
    let name = match column.path.names() {
        _ if !form.is_first() => column.path.column_name(),
        [name] if !name.contains(['.', '"']) => name.clone(),
        _ => column.path.to_string(),
    };
    field(&name, &column.column_type, form.unit())
}

/// The Arrow field of a list's elements.
pub fn element_field(element: &ColumnType, unit: Option<TimeUnit>) -> FieldRef {
    Arc::new(field(ELEMENT, element, unit))
}

/// The Arrow fields of a struct.
pub fn struct_fields(fields: &[StructField], unit: Option<TimeUnit>) -> Fields {
    let fields = fields
        .iter()
        .map(|one| field(&one.name, &one.field_type, unit));
    fields.collect()
}

fn field(name: &str, column_type: &ColumnType, unit: Option<TimeUnit>) -> Field {
    Field::new(name, data_type(column_type, unit), true)
}

fn data_type(column_type: &ColumnType, unit: Option<TimeUnit>) -> DataType {
    match column_type {
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Double => DataType::Float64,
        ColumnType::String | ColumnType::Json => DataType::Utf8,
        ColumnType::Timestamp(fraction) => {
            let unit = match unit.unwrap_or(fraction.unit()) {
                TimeUnit::Microseconds => ArrowUnit::Microsecond,
                TimeUnit::Nanoseconds => ArrowUnit::Nanosecond,
            };
            DataType::Timestamp(unit, Some(UTC.into()))
        }
        ColumnType::List(element) => DataType::List(element_field(element, unit)),
        ColumnType::Struct(fields) => DataType::Struct(struct_fields(fields, unit)),
    }
}

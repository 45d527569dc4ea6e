//! Which columns are worth a dictionary, judged by the first rows of a file.
//!
//! A dictionary costs a lookup for every value, until it has grown too large and is abandoned. For
//! identifiers and measurements, which hardly ever repeat, that work is wasted.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float64Type, Int64Type, TimestampMicrosecondType, TimestampNanosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use parquet::schema::types::ColumnPath;

/// The smallest number of values to judge by.
const MIN_VALUES: usize = 64;

/// The columns of `rows` in which more than nine in ten values are unique.
pub(super) fn columns_without(rows: &RecordBatch) -> Vec<ColumnPath> {
    let mut found = Vec::new();
    let hasher = RandomState::new();
    for (field, array) in rows.schema().fields().iter().zip(rows.columns()) {
        look_at(array, &mut vec![field.name().clone()], &hasher, &mut found);
    }
    found
}

fn look_at(
    array: &ArrayRef,
    path: &mut Vec<String>,
    hasher: &RandomState,
    found: &mut Vec<ColumnPath>,
) {
    let hashes: Box<dyn Iterator<Item = u64> + '_> = match array.data_type() {
        DataType::Struct(fields) => {
            for (field, column) in fields.iter().zip(array.as_struct().columns()) {
                path.push(field.name().clone());
                look_at(column, path, hasher, found);
                path.pop();
            }
            return;
        }
        DataType::List(element) => {
            // The names of the levels of a list in Parquet.
            path.extend(["list".to_owned(), element.name().clone()]);
            look_at(array.as_list::<i32>().values(), path, hasher, found);
            path.truncate(path.len() - 2);
            return;
        }
        DataType::Utf8 => {
            let texts = array.as_string::<i32>().iter().flatten();
            Box::new(texts.map(|text| hasher.hash_one(text)))
        }
        DataType::Int64 => {
            let values = array.as_primitive::<Int64Type>().iter().flatten();
            Box::new(values.map(|value| hasher.hash_one(value)))
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>().iter().flatten();
            Box::new(values.map(|value| hasher.hash_one(value.to_bits())))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let values = array.as_primitive::<TimestampMicrosecondType>();
            let values = values.iter().flatten();
            Box::new(values.map(|value| hasher.hash_one(value)))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let values = array.as_primitive::<TimestampNanosecondType>();
            let values = values.iter().flatten();
            Box::new(values.map(|value| hasher.hash_one(value)))
        }
        // Parquet has no dictionaries of booleans, and we have no columns of other types.
        _ => return,
    };
    let mut values = 0;
    let different: HashSet<u64> = hashes.inspect(|_| values += 1).collect();
    if values >= MIN_VALUES && different.len() * 10 > values * 9 {
        found.push(ColumnPath::new(path.clone()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, ListArray, StringArray, StructArray};
    use arrow_buffer::OffsetBuffer;
    use arrow_schema::Field;

    use super::*;

    fn texts(of: impl Fn(usize) -> String) -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..1000).map(of)))
    }

    #[test]
    fn only_columns_of_unique_values_have_none() {
        let ids = texts(|number| format!("order-{number}"));
        let states = texts(|number| format!("state-{}", number % 7));
        let sparse: ArrayRef = Arc::new(StringArray::from_iter(
            (0..1000).map(|number| (number < 10).then(|| number.to_string())),
        ));
        let amounts: ArrayRef = Arc::new(Int64Array::from_iter_values((0..1000).map(|n| n * 3)));
        let customer: ArrayRef = Arc::new(StructArray::from(vec![
            (
                Arc::new(Field::new("name.first", DataType::Utf8, true)),
                Arc::clone(&ids),
            ),
            (
                Arc::new(Field::new("country", DataType::Utf8, true)),
                Arc::clone(&states),
            ),
        ]));
        let lines: ArrayRef = Arc::new(ListArray::new(
            Arc::new(Field::new("element", DataType::Int64, true)),
            OffsetBuffer::from_lengths((0..1000).map(|_| 1)),
            Arc::clone(&amounts),
            None,
        ));
        let columns = [
            ("id", ids),
            ("state", states),
            ("sparse", sparse),
            ("customer", customer),
            ("lines", lines),
        ];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let found = columns_without(&rows);
        let found: Vec<Vec<String>> = found.iter().map(|path| path.parts().to_vec()).collect();
        assert_eq!(
            found,
            [
                vec!["id"],
                vec!["customer", "name.first"],
                vec!["lines", "list", "element"],
            ]
        );
    }
}

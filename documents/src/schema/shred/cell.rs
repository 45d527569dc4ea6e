//! One cell of a row, and the value that makes it.

use crate::schema::column::ColumnType;
use crate::schema::fit::{self, Text, TimeUnit};

/// The value of one column in a row. It borrows from the document.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Nothing: the document has no such member, or its value does not fit.
    Null,
    /// Of a [`ColumnType::Boolean`].
    Boolean(bool),
    /// Of a [`ColumnType::Int64`], and its JSON text.
    Int64(i64, &'a [u8]),
    /// Of a [`ColumnType::Double`], and its JSON text.
    Double(f64, &'a [u8]),
    /// Of a [`ColumnType::String`].
    Text(Text<'a>),
    /// Of a [`ColumnType::Timestamp`], in its unit, and its text.
    Timestamp(i64, Text<'a>),
    /// The same in microseconds, where the text has a finer fraction. The text goes to the overflow too.
    Rounded(i64),
    /// Of a [`ColumnType::Json`]: the JSON text.
    Json(&'a [u8]),
    /// Of a [`ColumnType::List`]: the JSON text of an array whose elements all fit, and the place of [their
    /// cells](super::Row::lists).
    List(&'a [u8], Elements),
    /// Of a [`ColumnType::Int64`] without JSON text, since it is not part of a document.
    Integer(i64),
    /// Of a [`ColumnType::Timestamp`] of whole seconds, in microseconds, that is not part of a document.
    Moment(i64),
    /// Of a [`ColumnType::Struct`]: the value is an object. Its fields have cells of their own.
    Object,
}

/// The elements of one list of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elements {
    pub(super) start: u32,
    pub(super) count: u32,
}

impl Elements {
    /// How many there are.
    pub fn count(self) -> usize {
        self.count as usize
    }
}

/// The cell of `json` in a leaf, if it fits. Times are in the `unit`, or in that of their column.
pub(super) fn cell_of<'a>(
    column_type: &ColumnType,
    unit: Option<TimeUnit>,
    json: &'a [u8],
) -> Option<Cell<'a>> {
    match column_type {
        ColumnType::Boolean => match json {
            b"true" => Some(Cell::Boolean(true)),
            b"false" => Some(Cell::Boolean(false)),
            _ => None,
        },
        ColumnType::Int64 => fit::int64(json).map(|value| Cell::Int64(value, json)),
        ColumnType::Double => fit::double(json).map(|value| Cell::Double(value, json)),
        ColumnType::String => fit::string(json).map(Cell::Text),
        ColumnType::Timestamp(fraction) => {
            let text = fit::string(json)?;
            if unit == Some(TimeUnit::Microseconds) {
                let (moment, is_whole) = fit::microseconds(&text.decoded(), *fraction)?;
                return Some(if is_whole {
                    Cell::Timestamp(moment, text)
                } else {
                    Cell::Rounded(moment)
                });
            }
            let moment = fit::timestamp(&text.decoded(), *fraction)?;
            Some(Cell::Timestamp(moment, text))
        }
        ColumnType::Json => Some(Cell::Json(json)),
        // These are not leaves.
        ColumnType::List(_) | ColumnType::Struct(_) => None,
    }
}

/// The cell of a string: the same as [`cell_of`], but faster.
#[inline(always)]
pub(super) fn cell_of_string<'a>(
    column_type: &ColumnType,
    unit: Option<TimeUnit>,
    json: &'a [u8],
    has_escapes: bool,
) -> Option<Cell<'a>> {
    match column_type {
        ColumnType::String if !has_escapes => {
            Some(Cell::Text(Text::Plain(json.get(1..json.len() - 1)?)))
        }
        ColumnType::Json => Some(Cell::Json(json)),
        ColumnType::String | ColumnType::Timestamp(_) => cell_of(column_type, unit, json),
        _ => None,
    }
}

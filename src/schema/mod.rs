//! The columns that documents are spread over, and what fits them.
//!
//! Documents have no schema; files for analysis have one. Here is the model that inference, the
//! text form, the encoders and the decoders share, and the rule that makes columns lossless:
//!
//! > A value **fits** its column if the cell gives the value back. What does not fit, and what has
//! > no column, is kept as JSON in the overflow column [`EXTRA`], under its own path.
//!
//! # Giving a document back
//!
//! Put every cell that is not null at its path (a struct that is not null is an object, even if
//! it has no field that is not null), then merge the object in `_extra` over it: objects merge
//! member by member, anything else replaces what is there. If `_extra` is no object, it is the
//! document itself.
//!
//! # What fits
//!
//! | type | fits |
//! |---|---|
//! | `boolean` | `true`, `false` |
//! | `int64` | a number written as an integer within 64 bits, not `-0` |
//! | `double` | a number, if the nearest double, written with as few digits as tell it apart, is the same decimal number |
//! | `string` | a string, unless it holds a lone surrogate, which no UTF-8 can |
//! | `timestamp…` | a string that is written exactly as the type says, see [`Fraction`] |
//! | `json` | anything, `null` too: its text |
//! | `list<T>` | an array of which each element is `null` or fits `T` as a whole |
//! | `struct<…>` | an object, and each member for itself: one that does not fit goes to `_extra`. Within a list only an object that fits as a whole |
//!
//! `null` fits only `json`, and the elements of lists: an empty cell means that the member is
//! missing. All members of a name that an object has twice go to `_extra`, as does the member if
//! its name is one of [`RESERVED`].

pub mod arrow;
pub mod file;
pub mod fit;
mod infer;
mod list;
mod rebuild;
mod shred;
mod text;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use infer::{Inference, InferenceOptions, Inferred, Place, SampleSize};
pub use list::ColumnList;
pub use rebuild::{CellTexts, Rebuilder};
pub use shred::{Cell, Elements, Lists, Row, Shredder};
pub use text::{TextError, parse_column};

/// The column that holds what did not fit: a JSON object, or null if everything did.
pub const EXTRA: &str = "_extra";
/// In mode `all`: what happened, as the service names it (`create`, `replace`, `delete`).
pub const OPERATION: &str = "_operation";
/// In mode `all`: the LSN of the change.
pub const OPERATION_LSN: &str = "_operation_lsn";
/// In mode `all`: when it happened, to the second.
pub const OPERATION_TIME: &str = "_operation_time";
/// In mode `all`: the document before the change, as JSON, where the container keeps it.
pub const PREVIOUS: &str = "_previous";
/// In mode `all`: all that the service says of the change, as JSON.
pub const METADATA: &str = "_metadata";

/// The columns of [`Layout::Raw`], beside those of the operation.
pub mod raw {
    /// The document's id.
    pub const ID: &str = "id";
    /// The values of the partition key, as a JSON array; `{}` stands for one that is missing.
    pub const PARTITION_KEY: &str = "_partition_key";
    /// The document's `_ts`: when it was written, in seconds since 1970.
    pub const TIMESTAMP: &str = "_ts";
    /// The LSN of the change.
    pub const LSN: &str = "_lsn";
    /// The document, as JSON.
    pub const DOCUMENT: &str = "document";
}

/// Keys of what a Parquet file says of itself, in its key-value metadata.
pub mod metadata {
    /// The id of the export, a UUID.
    pub const EXPORT_ID: &str = "cosmos-tail.export_id";
    /// The name of the container.
    pub const CONTAINER: &str = "cosmos-tail.container";
    /// Where the file's ranges stood before its first row: JSON, as in the manifest.
    pub const START: &str = "cosmos-tail.start";
    /// Where they stood after its last row.
    pub const END: &str = "cosmos-tail.end";
    /// The columns of the document, as a JSON array with the text of a column each; missing for
    /// [`Layout::Raw`](super::Layout::Raw).
    pub const SCHEMA: &str = "cosmos-tail.schema";
}

/// Top-level names that no column of a document can have.
pub const RESERVED: [&str; 6] = [
    EXTRA,
    OPERATION,
    OPERATION_LSN,
    OPERATION_TIME,
    PREVIOUS,
    METADATA,
];

/// The members that the service adds to each document, in the order that inferred columns have.
pub const SYSTEM_FIELDS: [&str; 6] = ["_ts", "_etag", "_rid", "_lsn", "_self", "_attachments"];

/// How documents become rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Layout {
    /// A column for each field of a schema, and one for what does not fit.
    Columns {
        /// The columns, in their order.
        schema: Schema,
        /// Whether [`SYSTEM_FIELDS`] without a column of their own are dropped rather than kept in
        /// the overflow column.
        without_system_fields: bool,
    },
    /// The same few columns for every container: the document is one of them, as JSON.
    Raw,
}

/// The columns of an export, in their order. At least one; no path is within another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    columns: Vec<Column>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Where its values are in a document; its text is the column's name.
    pub path: FieldPath,
    /// What its values are.
    pub column_type: ColumnType,
}

/// The names that lead to a value, from the outside in. At least one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath(Vec<String>);

/// What the values of a column are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnType {
    /// `true` or `false`.
    Boolean,
    /// An integer of 64 bits with a sign.
    Int64,
    /// A floating-point number of 64 bits.
    Double,
    /// Text.
    String,
    /// A moment in UTC, written as ISO 8601.
    Timestamp(Fraction),
    /// Any value, as its JSON text.
    Json,
    /// An array.
    List(Box<ColumnType>),
    /// An object with these fields, at least one.
    Struct(Vec<Field>),
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub field_type: ColumnType,
}

/// How the fraction of a second of a timestamp is written in `YYYY-MM-DDTHH:MM:SS[.fraction]Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fraction {
    /// Without zeros at its end, and without the point if nothing is left; at most nine digits.
    Shortest,
    /// With so many digits, 0 to 9.
    Digits(u8),
}

impl FieldPath {
    /// A path of one name.
    pub fn top(name: impl Into<String>) -> Self {
        Self(vec![name.into()])
    }

    /// A path of these names. None if there are no names.
    pub fn new(names: Vec<String>) -> Option<Self> {
        (!names.is_empty()).then_some(Self(names))
    }

    /// The names, from the outside in.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The outermost name.
    pub fn first(&self) -> &str {
        &self.0[0]
    }

    /// The innermost name, and those that lead to it.
    pub fn split_last(&self) -> (&str, &[String]) {
        let last = self.0.len() - 1;
        (&self.0[last], &self.0[..last])
    }

    /// This path with another name at its end.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let mut names = self.0.clone();
        names.push(name.to_owned());
        Self(names)
    }
}

/// The names with points between them; a name that could be mistaken is quoted as in JSON.
impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            write_name(name, f)?;
        }
        Ok(())
    }
}

/// Writes a name, quoted as in JSON unless it consists of letters, digits, `_`, `-` and `$`.
pub(crate) fn write_name(name: &str, f: &mut impl fmt::Write) -> fmt::Result {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$');
    if !name.is_empty() && name.chars().all(plain) {
        return f.write_str(name);
    }
    f.write_str(&serde_json::Value::from(name).to_string())
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Int64 => f.write_str("int64"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Timestamp(Fraction::Shortest) => f.write_str("timestamp"),
            Self::Timestamp(Fraction::Digits(digits)) => write!(f, "timestamp({digits})"),
            Self::Json => f.write_str("json"),
            Self::List(element) => write!(f, "list<{element}>"),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (index, field) in fields.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    write_name(&field.name, f)?;
                    write!(f, ": {}", field.field_type)?;
                }
                f.write_str(">")
            }
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.column_type)
    }
}

impl Schema {
    /// A schema of these columns.
    ///
    /// # Errors
    ///
    /// If there are none, a path lies within another or is there twice, a column has a reserved
    /// name, or a struct has no field or one name twice. A sentence for the user.
    pub fn new(columns: Vec<Column>) -> Result<Self, String> {
        if columns.is_empty() {
            return Err("a schema needs at least one column".to_owned());
        }
        for (index, column) in columns.iter().enumerate() {
            check_column(column, &columns[..index])?;
        }
        Ok(Self { columns })
    }

    /// The columns, in their order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The same values without structs: each field of a struct is a column of its own, as text
    /// formats need it. Lists become JSON text.
    #[must_use]
    pub fn flattened(&self) -> Self {
        fn flatten(path: &FieldPath, column_type: &ColumnType, columns: &mut Vec<Column>) {
            match column_type {
                ColumnType::Struct(fields) => {
                    for field in fields {
                        flatten(&path.join(&field.name), &field.field_type, columns);
                    }
                }
                ColumnType::List(_) => columns.push(Column {
                    path: path.clone(),
                    column_type: ColumnType::Json,
                }),
                other => columns.push(Column {
                    path: path.clone(),
                    column_type: other.clone(),
                }),
            }
        }
        let mut columns = Vec::new();
        for column in &self.columns {
            flatten(&column.path, &column.column_type, &mut columns);
        }
        Self { columns }
    }
}

/// Checks a column that is to stand behind others. A sentence for the user if it cannot.
fn check_column(column: &Column, others: &[Column]) -> Result<(), String> {
    if RESERVED.contains(&column.path.first()) {
        return Err(format!(
            "`{}` is a name that cosmos-tail gives to a column of its own",
            column.path.first()
        ));
    }
    check_type(&column.column_type).map_err(|why| format!("column {}: {why}", column.path))?;
    for other in others {
        let (a, b) = (column.path.names(), other.path.names());
        if a == b {
            return Err(format!("column {} is there twice", column.path));
        }
        if a.starts_with(b) || b.starts_with(a) {
            return Err(format!(
                "columns {} and {} overlap: one lies within the other",
                other.path, column.path
            ));
        }
    }
    Ok(())
}

fn check_type(column_type: &ColumnType) -> Result<(), String> {
    match column_type {
        ColumnType::List(element) => check_type(element),
        ColumnType::Struct(fields) => {
            if fields.is_empty() {
                return Err("a struct needs at least one field".to_owned());
            }
            for (index, field) in fields.iter().enumerate() {
                if fields[..index].iter().any(|other| other.name == field.name) {
                    return Err(format!("the field `{}` is there twice", field.name));
                }
                check_type(&field.field_type)?;
            }
            Ok(())
        }
        ColumnType::Timestamp(Fraction::Digits(digits)) if *digits > 9 => {
            Err("a timestamp has at most 9 digits after its seconds".to_owned())
        }
        _ => Ok(()),
    }
}

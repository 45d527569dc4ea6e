//! The model of a schema: columns, their places in a document, and their types.

use std::collections::HashMap;
use std::fmt;

use super::names::{RESERVED, is_reserved};

/// The columns of an export, in their order. There is at least one, and no path is within another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    pub(super) columns: Vec<Column>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Where its values are in a document. The text of the path is the column's name.
    pub path: FieldPath,
    /// The type of its values.
    pub column_type: ColumnType,
}

/// The names that lead to a value, from the outside in. At least one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath(Vec<String>);

/// The type of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnType {
    /// `true` or `false`.
    Boolean,
    /// A signed 64-bit integer.
    Int64,
    /// A 64-bit floating-point number.
    Double,
    /// Text.
    String,
    /// A time in UTC, written as ISO 8601.
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
    /// The type of its values.
    pub field_type: ColumnType,
}

/// How the fraction of a second of a timestamp is written in `YYYY-MM-DDTHH:MM:SS[.fraction]Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fraction {
    /// At most nine digits, without zeros at the end, and without the point if no digit remains.
    Shortest,
    /// This many digits, 0 to 9.
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

    /// This path with another name appended.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        let mut names = self.0.clone();
        names.push(name.to_owned());
        Self(names)
    }
}

impl FieldPath {
    /// The name of the path as a column: the names with points between them. Only a name that would be ambiguous is
    /// quoted as in JSON: one with a point, a quote or a control character in it, or without characters.
    pub fn column_name(&self) -> String {
        let mut text = String::new();
        for (index, name) in self.0.iter().enumerate() {
            if index > 0 {
                text.push('.');
            }
            let is_ambiguous = |c: char| matches!(c, '.' | '"') || c.is_control();
            if name.is_empty() || name.contains(is_ambiguous) {
                text.push_str(&serde_json::Value::from(name.as_str()).to_string());
            } else {
                text.push_str(name);
            }
        }
        text
    }
}

/// The names with points between them. An ambiguous name is quoted as in JSON.
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
fn write_name(name: &str, f: &mut impl fmt::Write) -> fmt::Result {
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
    /// If there are none, a path is within another or is repeated, a column has a reserved name, or a struct
    /// has no field or repeats one. The error is a sentence for the user.
    pub fn new(columns: Vec<Column>) -> Result<Self, String> {
        if columns.is_empty() {
            return Err("a schema needs at least one column".to_owned());
        }
        for (index, column) in columns.iter().enumerate() {
            check_column(column, &columns[..index])?;
        }
        Ok(Self { columns })
    }

    /// Adds a column after the others. It may be a field of a struct that the struct does not have.
    ///
    /// # Errors
    ///
    /// As [`Schema::new`]; if its name differs from another one by case only, which most engines take for the same. The error is a sentence for the user.
    pub(super) fn push(&mut self, column: Column) -> Result<(), String> {
        check_name(&column.path)?;
        check_column(&column, &self.columns)?;
        let folded = |path: &[String]| -> Vec<String> {
            path.iter().map(|name| name.to_lowercase()).collect()
        };
        let leaves = self.flattened().columns;
        let mut names = HashMap::new();
        for leaf in &leaves {
            let path = leaf.path.names();
            names.extend((1..=path.len()).map(|end| (folded(&path[..end]), &path[..end])));
        }
        let added = Self {
            columns: vec![column.clone()],
        }
        .flattened()
        .columns;
        for leaf in &added {
            let path = leaf.path.names();
            let differs = |end: &usize| {
                let known = names.get(&folded(&path[..*end]));
                known.is_some_and(|known| **known != path[..*end])
            };
            if (1..=path.len()).any(|end| differs(&end)) {
                return Err(format!(
                    "the column {} differs from another one by case only",
                    column.path
                ));
            }
        }
        self.columns.push(column);
        Ok(())
    }

    /// The schema with these columns after its own.
    ///
    /// # Errors
    ///
    /// If one of them cannot have its name, or there are too many.
    pub fn widened(&self, columns: impl IntoIterator<Item = Column>) -> Result<Self, String> {
        let mut schema = self.clone();
        columns
            .into_iter()
            .try_for_each(|column| schema.push(column))?;
        Ok(schema)
    }

    /// The columns, in their order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The same values without structs, as text formats need them: each field of a struct becomes a column.
    /// Lists become JSON text.
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

/// Checks the name of a column that a user requests. Columns of earlier states have been checked, when fewer
/// names were reserved. The error is a sentence for the user.
pub(super) fn check_name(path: &FieldPath) -> Result<(), String> {
    if is_reserved(path.first()) {
        return Err(format!(
            "`{}` is a reserved name: cosmos-tail has a column of its own with it",
            path.first()
        ));
    }
    Ok(())
}

/// Checks a column that is added after others. The error is a sentence for the user.
pub(super) fn check_column(column: &Column, others: &[Column]) -> Result<(), String> {
    if RESERVED.contains(&column.path.first()) {
        return check_name(&column.path);
    }
    check_type(&column.column_type).map_err(|why| format!("column {}: {why}", column.path))?;
    for other in others {
        let (a, b) = (column.path.names(), other.path.names());
        if a == b {
            return Err(format!("column {} is repeated", column.path));
        }
        // A field that was added to a struct later is a column of its own.
        if a.starts_with(b) && is_free(&other.column_type, &a[b.len()..]) {
            continue;
        }
        if a.starts_with(b) || b.starts_with(a) {
            return Err(format!(
                "columns {} and {} overlap: one is within the other",
                other.path, column.path
            ));
        }
    }
    Ok(())
}

/// Whether nothing is at `path` within a struct, and something can be.
fn is_free(column_type: &ColumnType, path: &[String]) -> bool {
    let (ColumnType::Struct(fields), Some((name, rest))) = (column_type, path.split_first()) else {
        return false;
    };
    let field = fields.iter().find(|field| field.name == *name);
    field.is_none_or(|field| is_free(&field.field_type, rest))
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
                    return Err(format!("the field `{}` is repeated", field.name));
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

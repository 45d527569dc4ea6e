//! Rebuilds documents from their cells: the rule of the [module above](super), in reverse.

use std::collections::HashMap;

use super::column::{ColumnType, Schema};
use super::member_name::decoded_name;
use crate::feed::page::members;

/// The cells of one row, each as the JSON text of its value.
pub trait CellTexts {
    /// Whether there is a value. For a struct: whether it is an object.
    fn is_there(&self, cell: usize) -> bool;

    /// Appends the JSON text of a value that is there and is not a struct.
    ///
    /// # Errors
    ///
    /// If it has no such text. The error is a sentence for the user.
    fn append(&self, cell: usize, out: &mut Vec<u8>) -> Result<(), String>;
}

/// Rebuilds the documents of one schema.
#[derive(Debug)]
pub struct Rebuilder {
    document: Object,
}

#[derive(Debug, Default)]
struct Object {
    /// The cell that says whether it is there, if it is a struct.
    presence: Option<usize>,
    members: Vec<Member>,
    by_name: HashMap<Box<[u8]>, usize>,
}

#[derive(Debug)]
struct Member {
    /// The name as a JSON string, and a colon.
    start: Box<[u8]>,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Cell(usize),
    Object(Object),
}

impl Rebuilder {
    /// A rebuilder for rows of `schema`, with the cells of a [`Row`](super::Row).
    pub fn new(schema: &Schema) -> Self {
        let mut document = Object::default();
        let mut cells = 0;
        for column in schema.columns() {
            let mut object = &mut document;
            let (last, path) = column.path.split_last();
            for name in path {
                object = object.object(name);
            }
            object.add(last, &column.column_type, &mut cells);
        }
        Self { document }
    }

    /// Appends the document of a row. `extra` is its overflow: valid JSON without whitespace around it.
    ///
    /// # Errors
    ///
    /// If a cell does not fit its column. The error is a sentence for the user.
    pub fn append(
        &self,
        cells: &impl CellTexts,
        extra: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        match extra {
            Some(whole) if !is_object(whole) => {
                out.extend_from_slice(whole);
                Ok(())
            }
            extra => self.document.append(cells, extra, out),
        }
    }
}

impl Object {
    /// The object of this name. It is added if there is none.
    fn object(&mut self, name: &str) -> &mut Self {
        let index = match self.by_name.get(name.as_bytes()) {
            Some(&index) => index,
            None => self.push(name, Value::Object(Self::default())),
        };
        match &mut self.members[index].value {
            Value::Object(object) => object,
            // Paths do not overlap.
            Value::Cell(_) => unreachable!("a column lies within another"),
        }
    }

    fn add(&mut self, name: &str, column_type: &ColumnType, cells: &mut usize) {
        let cell = *cells;
        *cells += 1;
        let ColumnType::Struct(fields) = column_type else {
            self.push(name, Value::Cell(cell));
            return;
        };
        let mut object = Self {
            presence: Some(cell),
            ..Self::default()
        };
        for field in fields {
            object.add(&field.name, &field.field_type, cells);
        }
        self.push(name, Value::Object(object));
    }

    fn push(&mut self, name: &str, value: Value) -> usize {
        let start = format!("{}:", serde_json::Value::from(name));
        self.by_name
            .insert(name.as_bytes().into(), self.members.len());
        self.members.push(Member {
            start: start.into_bytes().into(),
            value,
        });
        self.members.len() - 1
    }

    fn is_there(&self, cells: &impl CellTexts) -> bool {
        self.presence.is_some_and(|cell| cells.is_there(cell))
            || self.members.iter().any(|member| match &member.value {
                Value::Cell(cell) => cells.is_there(*cell),
                Value::Object(object) => object.is_there(cells),
            })
    }

    fn append(
        &self,
        cells: &impl CellTexts,
        extra: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        // For each member, its last value in the overflow, which is the only one if both are objects.
        let mut overlaid: Vec<Option<&[u8]>> = Vec::new();
        if let Some(extra) = extra {
            overlaid.resize(self.members.len(), None);
            for member in members(extra) {
                if let Some(index) = self.find(member.raw_name) {
                    overlaid[index] = Some(member.value);
                }
            }
        }
        let overlaid = |index: usize| overlaid.get(index).copied().flatten();
        out.push(b'{');
        for (index, member) in self.members.iter().enumerate() {
            match (&member.value, overlaid(index)) {
                (Value::Cell(cell), None) if cells.is_there(*cell) => {
                    member.begin(out);
                    cells.append(*cell, out)?;
                }
                (Value::Object(object), over)
                    if over.is_none_or(is_object) && object.is_there(cells) =>
                {
                    member.begin(out);
                    object.append(cells, over, out)?;
                }
                _ => {}
            }
        }
        for member in extra.into_iter().flat_map(members) {
            let merged = self.find(member.raw_name).is_some_and(|index| {
                matches!(&self.members[index].value, Value::Object(object)
                    if is_object(member.value) && object.is_there(cells))
            });
            if !merged {
                separate(out);
                out.push(b'"');
                out.extend_from_slice(member.raw_name);
                out.extend_from_slice(b"\":");
                out.extend_from_slice(member.value);
            }
        }
        out.push(b'}');
        Ok(())
    }

    fn find(&self, raw_name: &[u8]) -> Option<usize> {
        match memchr::memchr(b'\\', raw_name) {
            None => self.by_name.get(raw_name).copied(),
            Some(_) => self.by_name.get(&*decoded_name(raw_name)?).copied(),
        }
    }
}

impl Member {
    fn begin(&self, out: &mut Vec<u8>) {
        separate(out);
        out.extend_from_slice(&self.start);
    }
}

fn is_object(json: &[u8]) -> bool {
    json.first() == Some(&b'{')
}

/// Appends a comma, unless an object has just begun.
fn separate(out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::parse_column;

    struct Texts<'a>(&'a [&'a str]);

    impl CellTexts for Texts<'_> {
        fn is_there(&self, cell: usize) -> bool {
            !self.0[cell].is_empty()
        }

        fn append(&self, cell: usize, out: &mut Vec<u8>) -> Result<(), String> {
            out.extend_from_slice(self.0[cell].as_bytes());
            Ok(())
        }
    }

    #[test]
    fn cells_and_overflow_rebuild_the_document() {
        let lines = [
            "id string",
            "c struct<n: int64, d: struct<x: json>>",
            "a.b int64",
        ];
        let columns = lines.iter().map(|line| parse_column(line).unwrap());
        let rebuilder = Rebuilder::new(&Schema::new(columns.collect()).unwrap());
        let none = ["", "", "", "", "", ""];
        for (cells, extra, expected) in [
            (none, None, "{}"),
            (none, Some("[1]"), "[1]"),
            (
                ["\"i\"", "{}", "7", "{}", "null", "9"],
                None,
                r#"{"id":"i","c":{"n":7,"d":{"x":null}},"a":{"b":9}}"#,
            ),
            (["", "{}", "", "", "", ""], None, r#"{"c":{}}"#),
            (["", "{}", "", "{}", "", ""], None, r#"{"c":{"d":{}}}"#),
            (
                ["\"i\"", "{}", "7", "", "", "9"],
                Some(r#"{"new":1,"c":{"d":5,"e":{}},"a":{"q":null}}"#),
                r#"{"id":"i","c":{"n":7,"d":5,"e":{}},"a":{"b":9,"q":null},"new":1}"#,
            ),
            (
                none,
                Some(r#"{"id":1,"\u0069d":2,"c":{"n":"x"},"c":4,"a":null}"#),
                r#"{"id":1,"\u0069d":2,"c":{"n":"x"},"c":4,"a":null}"#,
            ),
            (
                ["\"i\"", "", "", "", "", ""],
                Some(r#"{"id":5,"c":{}}"#),
                r#"{"id":5,"c":{}}"#,
            ),
        ] {
            let mut out = Vec::new();
            rebuilder
                .append(&Texts(&cells), extra.map(str::as_bytes), &mut out)
                .unwrap();
            assert_eq!(
                String::from_utf8(out).unwrap(),
                expected,
                "{cells:?} {extra:?}"
            );
        }
    }
}

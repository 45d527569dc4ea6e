//! The file form of a schema: one `PATH TYPE` per line.
//!
//! Blank lines are ignored, and so is everything after a `#` at the beginning of a line or after a column.
//! Each line is a column of its own: `customer.name string` takes one field out of an object,
//! `customer struct<name: string>` is the object.

use std::fmt;

use super::column::{Column, Schema, check_column, check_name};
use super::text::parse_line;

/// Why a text is not a schema, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// The number of the line, from 1; none if the fault is in the whole.
    pub line: Option<usize>,
    /// The reason: a sentence for the user.
    pub reason: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for FileError {}

/// Parses the content of a file.
///
/// # Errors
///
/// The first line that is wrong, and why.
pub fn parse(content: &[u8]) -> Result<Schema, FileError> {
    let text = std::str::from_utf8(content).map_err(|error| FileError {
        line: Some(1 + memchr::memchr_iter(b'\n', &content[..error.valid_up_to()]).count()),
        reason: "it is not UTF-8".to_owned(),
    })?;
    // Some editors begin UTF-8 with a byte-order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut columns: Vec<Column> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let fault = |reason| FileError {
            line: Some(number),
            reason,
        };
        let column = parse_line(line).map_err(|why| fault(why.to_string()))?;
        check_name(&column.path)
            .and_then(|()| check_column(&column, &columns))
            .map_err(fault)?;
        columns.push(column);
    }
    Schema::new(columns).map_err(|reason| FileError { line: None, reason })
}

/// The content of a file that [`parse`] reads.
pub fn render(schema: &Schema) -> String {
    let lines = schema.columns().iter().map(|column| format!("{column}\n"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_column_per_line() {
        let content = "\u{feff}# shop/orders\n\n  id   string\r\n\t# key\n\"a b\".c list<int64># why\n\
                       x struct<y: json> # last";
        let schema = parse(content.as_bytes()).unwrap();
        let text = "id string\n\"a b\".c list<int64>\nx struct<y: json>\n";
        assert_eq!(render(&schema), text);
        assert_eq!(parse(text.as_bytes()).unwrap(), schema);
    }

    #[test]
    fn an_error_names_its_line() {
        for (content, line, reason) in [
            (&b""[..], None, "at least one column"),
            (b"# nothing\n", None, "at least one column"),
            (
                b"id string\n\ntotal\n",
                Some(3),
                "at character 6: a type is missing",
            ),
            (
                b"id string\r\ntotal decimal\r\n",
                Some(2),
                "at character 7: `decimal` is not a type",
            ),
            (
                b"id string\n# again\nid json\n",
                Some(3),
                "column id is repeated",
            ),
            (b"a.b int64\na json\n", Some(2), "columns a.b and a overlap"),
            (
                b"id string\n_extra json\n",
                Some(2),
                "`_extra` is a reserved name",
            ),
            (
                b"a struct<x: int64, x: json>",
                Some(1),
                "column a: the field `x` is repeated",
            ),
            (b"id # string", Some(1), "at character 4: a type is missing"),
            (b"id string\n\xff string\n", Some(2), "not UTF-8"),
        ] {
            let error = parse(content).unwrap_err();
            assert_eq!(error.line, line, "{error}");
            assert!(error.reason.contains(reason), "{error}");
        }
    }
}

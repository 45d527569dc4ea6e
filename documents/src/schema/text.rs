//! The text form of columns: `customer.name string`, `tags list<string>`.
//!
//! ```text
//! column = path " " type
//! path   = name *( "." name )
//! name   = letters, digits, "_", "-" and "$", or a JSON string in quotes
//! type   = "boolean" | "int64" | "double" | "string" | "timestamp" [ "(" digit ")" ] | "json"
//!        | "list<" type ">" | "struct<" name ":" type *( "," name ":" type ) ">"
//! ```
//!
//! Blanks are allowed between any two of these. In a list of columns, where commas and colons end a name, a name can
//! have blanks and some other characters without quotes.

use std::fmt;

use super::column::{Column, ColumnType, Field, FieldPath, Fraction, Schema};

/// Types that are nested deeper than this are refused: nobody writes them by hand, and every level costs a
/// column.
const MAX_NESTING: usize = 32;

/// Why a text is not a column, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextError {
    /// How many characters come before the fault.
    pub at: usize,
    /// The reason: a sentence for the user, without the position.
    pub reason: String,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.at + 1, self.reason)
    }
}

/// Parses `PATH TYPE`.
///
/// # Errors
///
/// What was expected, and where.
pub fn parse_column(text: &str) -> Result<Column, TextError> {
    let mut parser = Parser::new(text);
    let path = parser.path()?;
    let column_type = parser.column_type(0)?;
    parser.end()?;
    Ok(Column { path, column_type })
}

/// Parses `PATH TYPE`, which a comment that begins with `#` may follow.
pub(super) fn parse_line(text: &str) -> Result<Column, TextError> {
    let mut parser = Parser::new(text);
    let path = parser.path()?;
    let column_type = parser.column_type(0)?;
    if !parser.take('#') {
        parser.end()?;
    }
    Ok(Column { path, column_type })
}

/// Parses a list of `PATH[:TYPE]` with commas between them.
///
/// # Errors
///
/// What was expected, and where.
pub(super) fn parse_list(text: &str) -> Result<Vec<(FieldPath, Option<ColumnType>)>, TextError> {
    let mut parser = Parser::new(text);
    let mut columns = Vec::new();
    loop {
        let path = parser.path_of_list()?;
        let column_type = if parser.take(':') {
            Some(parser.column_type(0)?)
        } else {
            None
        };
        columns.push((path, column_type));
        if !parser.take(',') {
            parser.end()?;
            return Ok(columns);
        }
    }
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '$')
}

/// Whether a name of a list can have `c` without quotes. Not what may be meant to separate names, as `;` or `|`.
fn is_plain_in_list(c: char) -> bool {
    is_plain(c) || " /()#%&+@!?='".contains(c)
}

struct Parser<'a> {
    text: &'a str,
    /// The next byte.
    at: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn fault(&self, reason: impl Into<String>) -> TextError {
        TextError {
            at: self.text[..self.at].chars().count(),
            reason: reason.into(),
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        self.skip_blanks();
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char, after: &str) -> Result<(), TextError> {
        if self.take(wanted) {
            Ok(())
        } else {
            Err(self.fault(format!("expected `{wanted}` after {after}")))
        }
    }

    fn end(&mut self) -> Result<(), TextError> {
        self.skip_blanks();
        match self.rest().chars().next() {
            None => Ok(()),
            Some(c) => Err(self.fault(format!("`{c}` is not expected here"))),
        }
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !is_plain(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn name(&mut self) -> Result<String, TextError> {
        self.skip_blanks();
        if !self.rest().starts_with('"') {
            return match self.word() {
                "" => Err(self.fault(
                    "expected a name; put one with characters other than letters, digits, `_`, `-` \
                     and `$` in quotes",
                )),
                word => Ok(word.to_owned()),
            };
        }
        let mut strings = serde_json::Deserializer::from_str(self.rest()).into_iter::<String>();
        match strings.next() {
            Some(Ok(name)) => {
                self.at += strings.byte_offset();
                Ok(name)
            }
            _ => Err(self.fault("the quoted name is not a JSON string")),
        }
    }

    fn path(&mut self) -> Result<FieldPath, TextError> {
        let mut path = FieldPath::top(self.name()?);
        while self.take('.') {
            path = path.join(&self.name()?);
        }
        Ok(path)
    }

    /// A path where a comma or a colon follows, so that its names can have blanks, as `First Name` has.
    fn path_of_list(&mut self) -> Result<FieldPath, TextError> {
        let mut path = FieldPath::top(self.name_of_list()?);
        while self.take('.') {
            path = path.join(&self.name_of_list()?);
        }
        Ok(path)
    }

    fn name_of_list(&mut self) -> Result<String, TextError> {
        self.skip_blanks();
        if self.rest().starts_with('"') {
            return self.name();
        }
        let rest = self.rest();
        let length = rest.find(|c| !is_plain_in_list(c)).unwrap_or(rest.len());
        let name = rest[..length].trim_end();
        if name.is_empty() {
            return self.name();
        }
        self.at += name.len();
        Ok(name.to_owned())
    }

    fn column_type(&mut self, nesting: usize) -> Result<ColumnType, TextError> {
        if nesting > MAX_NESTING {
            return Err(self.fault(format!("types nest at most {MAX_NESTING} deep")));
        }
        self.skip_blanks();
        let start = self.at;
        Ok(match self.word() {
            "boolean" => ColumnType::Boolean,
            "int64" => ColumnType::Int64,
            "double" => ColumnType::Double,
            "string" => ColumnType::String,
            "json" => ColumnType::Json,
            "timestamp" if self.take('(') => {
                let digits = self.digits()?;
                self.expect(')', "the number of digits")?;
                ColumnType::Timestamp(Fraction::Digits(digits))
            }
            "timestamp" => ColumnType::Timestamp(Fraction::Shortest),
            "list" => {
                self.expect('<', "`list`")?;
                let element = self.column_type(nesting + 1)?;
                self.expect('>', "the type of the list's elements")?;
                ColumnType::List(Box::new(element))
            }
            "struct" => {
                self.expect('<', "`struct`")?;
                let mut fields = Vec::new();
                loop {
                    let name = self.name()?;
                    self.expect(':', "the name of a field")?;
                    let field_type = self.column_type(nesting + 1)?;
                    fields.push(Field { name, field_type });
                    if !self.take(',') {
                        break;
                    }
                }
                self.expect('>', "the fields of the struct")?;
                ColumnType::Struct(fields)
            }
            word => {
                self.at = start;
                return Err(self.fault(match word {
                    "" => "a type is missing: boolean, int64, double, string, timestamp, json, \
                           list<…> or struct<…>"
                        .to_owned(),
                    word => format!(
                        "`{word}` is not a type; types are boolean, int64, double, string, timestamp, \
                         json, list<…> and struct<…>"
                    ),
                }));
            }
        })
    }

    fn digits(&mut self) -> Result<u8, TextError> {
        self.skip_blanks();
        let start = self.at;
        match self.word().parse() {
            Ok(digits @ 0..=9) => Ok(digits),
            _ => {
                self.at = start;
                Err(self.fault("expected a number of digits from 0 to 9"))
            }
        }
    }
}

/// As an array with the text of each column.
impl serde::Serialize for Schema {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.columns.iter().map(ToString::to_string))
    }
}

impl<'de> serde::Deserialize<'de> for Schema {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let lines = Vec::<String>::deserialize(deserializer)?;
        let columns: Result<Vec<Column>, _> = lines
            .iter()
            .map(|line| {
                parse_column(line)
                    .map_err(|why| D::Error::custom(format!("column `{line}`: {why}")))
            })
            .collect();
        Self::new(columns?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_read_as_it_is_written() {
        for text in [
            "id string",
            "customer.name json",
            r#""a.b"."x y"."" int64"#,
            "größe-1.$x timestamp",
            "at timestamp(7)",
            r#"lines list<struct<sku: string, "n m": double, tags: list<boolean>>>"#,
        ] {
            assert_eq!(parse_column(text).unwrap().to_string(), text);
        }
        let spaced = parse_column(" a . b   struct < x :int64 , y: list< json > > ").unwrap();
        assert_eq!(spaced.to_string(), "a.b struct<x: int64, y: list<json>>");
    }

    #[test]
    fn a_list_may_omit_types() {
        let columns = parse_list(r#"id, customer.name,total:double,"a,b":list<int64>"#).unwrap();
        let texts: Vec<String> = columns
            .iter()
            .map(|(path, given)| {
                format!(
                    "{path} {}",
                    given.as_ref().map(ToString::to_string).unwrap_or_default()
                )
            })
            .collect();
        assert_eq!(
            texts,
            [
                "id ",
                "customer.name ",
                "total double",
                r#""a,b" list<int64>"#
            ]
        );
    }

    #[test]
    fn an_error_names_its_position() {
        for (text, at, reason) in [
            ("", 0, "expected a name"),
            ("id", 2, "a type is missing"),
            ("id strin", 3, "`strin` is not a type"),
            ("id string x", 10, "`x` is not expected"),
            ("größe list<int64", 16, "expected `>`"),
            ("a struct<>", 9, "expected a name"),
            ("a struct<b int64>", 11, "expected `:`"),
            ("a timestamp(10)", 12, "0 to 9"),
            ("a..b string", 2, "expected a name"),
            (r#""a string"#, 0, "not a JSON string"),
        ] {
            let error = parse_column(text).unwrap_err();
            assert!(
                error.at == at && error.reason.contains(reason),
                "{text}: {error:?}"
            );
        }
        let deep = format!("a {}int64{}", "list<".repeat(50), ">".repeat(50));
        assert!(
            parse_column(&deep)
                .unwrap_err()
                .reason
                .contains("at most 32")
        );
        assert!(parse_list("id,").is_err());
    }

    #[test]
    fn a_schema_is_checked_as_a_whole() {
        let schema = |lines: &[&str]| {
            Schema::new(
                lines
                    .iter()
                    .map(|line| parse_column(line).unwrap())
                    .collect(),
            )
        };
        assert!(schema(&["id string", "a.b int64", "a.c int64"]).is_ok());
        for (lines, reason) in [
            (&[][..], "at least one"),
            (&["a int64", "a json"], "repeated"),
            (&["a.b int64", "a json"], "overlap"),
            (&["_extra json"], "reserved name"),
            (&["a struct<x: int64, x: json>"], "`x` is repeated"),
        ] {
            assert!(schema(lines).unwrap_err().contains(reason), "{lines:?}");
        }
        let text = r#"["id string","c struct<n: string, t: list<int64>>"]"#;
        let parsed: Schema = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&parsed).unwrap(), text);
        let flat: Vec<String> = parsed
            .flattened()
            .columns()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(flat, ["id string", "c.n string", "c.t json"]);
    }
}

//! Why a document does not fit its columns, in words.

use std::collections::BTreeMap;

use super::column::{ColumnType, FieldPath, Schema};
use super::fit;
use super::member_name::decoded_name;
use super::widen::{Node, Seen, kind_of, known, note};
use crate::feed::page::members;

/// The first value of a document that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// What is wrong with it: a sentence without its end.
    pub why: String,
    /// What to do about it.
    pub kind: MisfitKind,
}

/// What can be done about a value that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MisfitKind {
    /// Its field has no column.
    NewField,
    /// It is the text of a cell without a value.
    NullText,
    /// Its column has another type.
    OtherType,
}

/// What does not fit `schema` in a document with this overflow. `null` is the text of a cell without a value, in
/// formats that have one.
pub fn misfit(schema: &Schema, extra: &[u8], null: Option<&[u8]>) -> Misfit {
    let mut seen = BTreeMap::new();
    let known = known(schema);
    note(extra, &known, &mut Vec::new(), &mut seen, &mut Vec::new());
    let Some((names, seen)) = seen.into_iter().next() else {
        return Misfit {
            why: format!("it is {}", article(kind_of(extra))),
            kind: MisfitKind::OtherType,
        };
    };
    let value = value_at(extra, &names).unwrap_or_default();
    let own = known.at(&names);
    let path = FieldPath::new(names).map_or_else(String::new, |path| path.to_string());
    let (why, kind) = why(value, &seen, own, null);
    Misfit {
        why: format!("`{path}` {why}"),
        kind,
    }
}

fn why(value: &[u8], seen: &Seen, own: Option<&Node>, null: Option<&[u8]>) -> (String, MisfitKind) {
    let kind = article(kind_of(value));
    let own = match own {
        Some(Node::Column(own)) => own,
        Some(Node::Object(_)) => {
            let why = format!("is {kind}, but its columns are those of an object");
            return (why, MisfitKind::OtherType);
        }
        None => {
            return (
                format!("is {kind}, and has no column"),
                MisfitKind::NewField,
            );
        }
    };
    // This is one document.
    if seen.documents > 1 {
        let why = format!("occurs {} times", seen.documents);
        return (why, MisfitKind::OtherType);
    }
    let text = fit::string(value).map(fit::Text::decoded);
    if let Some(null) = null {
        if text.as_deref().unwrap_or(value) == null {
            let what = if null.is_empty() {
                "is an empty string, which reads like a cell without a value"
            } else {
                "reads like a cell without a value"
            };
            return (what.to_owned(), MisfitKind::NullText);
        }
        if text.is_some_and(|text| text.contains(&0)) {
            let why = "has a NUL character, at which some readers of CSV stop".to_owned();
            return (why, MisfitKind::OtherType);
        }
    }
    let is_of_its_kind = match own {
        ColumnType::Boolean => false,
        ColumnType::Int64 | ColumnType::Double => kind_of(value) == "number",
        ColumnType::String | ColumnType::Timestamp(_) => kind_of(value) == "string",
        ColumnType::List(_) => kind_of(value) == "array",
        ColumnType::Struct(_) => kind_of(value) == "object",
        ColumnType::Json => true,
    };
    let why = if is_of_its_kind {
        format!("is {kind} that does not fit its column, {own}")
    } else {
        format!("is {kind}, but its column is {own}")
    };
    (why, MisfitKind::OtherType)
}

/// The value at a path of an object.
fn value_at<'a>(object: &'a [u8], path: &[String]) -> Option<&'a [u8]> {
    let (name, rest) = path.split_first()?;
    let is_it = |raw: &[u8]| decoded_name(raw).is_some_and(|own| own == name.as_bytes());
    let value = members(object).find(|member| is_it(member.raw_name))?.value;
    if rest.is_empty() {
        return Some(value);
    }
    value_at(value, rest)
}

fn article(kind: &str) -> String {
    let article = match kind {
        "null" => return kind.to_owned(),
        "array" | "object" => "an",
        _ => "a",
    };
    format!("{article} {kind}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::parse_column;

    #[test]
    fn the_reason_names_the_field_and_what_its_column_takes() {
        let columns = [
            "n int64",
            "s string",
            "b boolean",
            "t timestamp(3)",
            "l list<int64>",
            "o struct<a: string>",
            "j json",
        ];
        let columns = columns.iter().map(|line| parse_column(line).unwrap());
        let schema = Schema::new(columns.collect()).unwrap();
        for (extra, null, why, kind) in [
            (
                r#"{"x":{}}"#,
                None,
                "`x` is an object, and has no column",
                MisfitKind::NewField,
            ),
            (
                r#"{"o":{"x":null}}"#,
                None,
                "`o.x` is null, and has no column",
                MisfitKind::NewField,
            ),
            (
                r#"{"o":{"a":1}}"#,
                None,
                "`o.a` is a number, but its column is string",
                MisfitKind::OtherType,
            ),
            (
                r#"{"o":[]}"#,
                None,
                "`o` is an array, but its columns are those of an object",
                MisfitKind::OtherType,
            ),
            (
                r#"{"n":0.5}"#,
                None,
                "`n` is a number that does not fit its column, int64",
                MisfitKind::OtherType,
            ),
            (
                r#"{"t":"now"}"#,
                None,
                "`t` is a string that does not fit its column, timestamp(3)",
                MisfitKind::OtherType,
            ),
            (
                r#"{"l":["a"]}"#,
                None,
                "`l` is an array that does not fit its column, list<int64>",
                MisfitKind::OtherType,
            ),
            (
                r#"{"n":1,"n":2}"#,
                None,
                "`n` occurs 2 times",
                MisfitKind::OtherType,
            ),
            (
                r#"{"s":"\ud800"}"#,
                Some(&b""[..]),
                "`s` is a string that does not fit its column, string",
                MisfitKind::OtherType,
            ),
            (
                r#"{"s":""}"#,
                Some(b""),
                "`s` is an empty string, which reads like a cell without a value",
                MisfitKind::NullText,
            ),
            (
                r#"{"s":"N\u0041"}"#,
                Some(b"NA"),
                "`s` reads like a cell without a value",
                MisfitKind::NullText,
            ),
            (
                r#"{"b":true}"#,
                Some(b"true"),
                "`b` reads like a cell without a value",
                MisfitKind::NullText,
            ),
            (
                r#"{"s":"a\u0000"}"#,
                Some(b""),
                "`s` has a NUL character, at which some readers of CSV stop",
                MisfitKind::OtherType,
            ),
            ("[1]", None, "it is an array", MisfitKind::OtherType),
        ] {
            let found = misfit(&schema, extra.as_bytes(), null);
            assert_eq!((&*found.why, found.kind), (why, kind), "{extra}");
        }
    }
}

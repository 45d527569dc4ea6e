//! The text of queries: the service's string literals as the emulator writes them, and back.
//!
//! To the service, `"…"` and `'…'` are strings with the escapes of JSON. To the emulator `'…'` is one without
//! escapes, in which `''` stands for a quotation mark, and `"…"` is an identifier: `c["id"]`, as clients
//! write it, would be a member that no document has.

use std::collections::BTreeMap;

use azure_core::http::headers::{HeaderName, Headers};
use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::sql::Query;

/// Headers of which each marks a query.
const QUERY: [HeaderName; 2] = [
    HeaderName::from_static("x-ms-documentdb-isquery"),
    HeaderName::from_static("x-ms-documentdb-query"),
];
const PLAN: HeaderName = HeaderName::from_static("x-ms-cosmos-is-query-plan-request");

/// Whether a request is a query, or asks for its plan.
pub(super) fn is_query(headers: &Headers) -> bool {
    is_plan(headers) || QUERY.iter().any(|mark| is_true(headers, mark))
}

/// Whether a request asks for the plan of a query.
pub(super) fn is_plan(headers: &Headers) -> bool {
    is_true(headers, &PLAN)
}

fn is_true(headers: &Headers, name: &HeaderName) -> bool {
    headers
        .get_optional_str(name)
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// The body of a query with the text as the emulator reads it. `name` gives the emulator's name for a string
/// in it, if that differs. A body that is no query stays as it is, and is refused by the emulator.
pub(super) fn for_emulator(body: Bytes, name: fn(&str) -> Option<String>) -> Bytes {
    let translate = || {
        let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&body).ok()?;
        let text: String = serde_json::from_str(members.get("query")?.get()).ok()?;
        let text = rewrite(&text, Literal::of_service, |literal| {
            literal.named(name).for_emulator()
        });
        members.insert("query".to_owned(), to_raw_value(&text).ok()?);
        if let Some(parameters) = members.get_mut("parameters") {
            let mut values: Vec<BTreeMap<String, Box<RawValue>>> =
                serde_json::from_str(parameters.get()).ok()?;
            for value in values.iter_mut().filter_map(|value| value.get_mut("value")) {
                if let Ok(text) = serde_json::from_str::<String>(value.get())
                    && let Some(name) = name(&text)
                {
                    *value = to_raw_value(&name).ok()?;
                }
            }
            *parameters = to_raw_value(&values).ok()?;
        }
        serde_json::to_vec(&members).ok()
    };
    translate().map_or_else(|| body.clone(), Bytes::from)
}

/// A text of a query, or a part of one, as the emulator reads it.
pub(super) fn text_for_emulator(text: &str) -> String {
    rewrite(text, Literal::of_service, |literal| literal.for_emulator())
}

/// The query for each partition of an aggregate as one that the emulator evaluates: its rows are to be
/// [`wrapped`]. `None` if it is another one.
pub(super) fn unwrapped(body: &[u8]) -> Option<Bytes> {
    let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).ok()?;
    let text: String = serde_json::from_str(members.get("query")?.get()).ok()?;
    let text = Query::parse(&text)?.of_item()?;
    members.insert("query".to_owned(), to_raw_value(&text).ok()?);
    serde_json::to_vec(&members).ok().map(Bytes::from)
}

/// The answer to a query that was [`unwrapped`].
pub(super) fn wrapped(body: Bytes) -> Bytes {
    let translate = || {
        let mut page: Value = serde_json::from_slice(&body).ok()?;
        for row in page["Documents"].as_array_mut()? {
            *row = match row.take() {
                // There is no value of no rows.
                Value::Null => json!([{}]),
                value => json!([{ "item": value }]),
            };
        }
        serde_json::to_vec(&page).ok()
    };
    translate().map_or_else(|| body.clone(), Bytes::from)
}

/// The answer with a plan: the query for each partition, which the client sends next, as the service reads it.
/// `asked` is the body that the emulator got. It has no such query for aggregates.
pub(super) fn for_client(body: Bytes, asked: &[u8]) -> Bytes {
    let translate = || {
        let mut plan: Value = serde_json::from_slice(&body).ok()?;
        let aggregates = plan.pointer_mut("/queryInfo/aggregates");
        let aggregates = aggregates.and_then(Value::as_array_mut);
        let has_aggregates = aggregates.as_ref().is_some_and(|names| !names.is_empty());
        for name in aggregates.into_iter().flatten() {
            if name == "Avg" {
                // As the service names it.
                *name = "Average".into();
            }
        }
        let query = plan.pointer_mut("/queryInfo/rewrittenQuery")?;
        if has_aggregates && query.as_str().is_some_and(str::is_empty) {
            let asked: Value = serde_json::from_slice(asked).ok()?;
            *query = Query::parse(asked["query"].as_str()?)?
                .for_each_partition()?
                .into();
        }
        let text = query.as_str().filter(|text| !text.is_empty())?;
        *query = rewrite(text, Literal::of_emulator, |literal| literal.for_service()).into();
        serde_json::to_vec(&plan).ok()
    };
    translate().map_or_else(|| body.clone(), Bytes::from)
}

/// Replaces each string literal of a query. Comments are kept.
fn rewrite(
    text: &str,
    read: fn(&str) -> Option<Literal>,
    write: impl Fn(Literal) -> String,
) -> String {
    let mut rewritten = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kept = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.find("*/").map_or(rest.len(), |end| end + 4)
        } else if let Some(literal) = read(rest) {
            rest = &rest[literal.length..];
            rewritten.push_str(&write(literal));
            continue;
        } else {
            first.len_utf8()
        };
        rewritten.push_str(&rest[..kept]);
        rest = &rest[kept..];
    }
    rewritten
}

/// A string literal.
struct Literal {
    value: String,
    /// Bytes in the text, with the quotation marks.
    length: usize,
}

impl Literal {
    /// The literal of the service's that a text begins with.
    fn of_service(text: &str) -> Option<Self> {
        let mut characters = text.char_indices();
        let (_, mark) = characters
            .next()
            .filter(|(_, mark)| "'\"".contains(*mark))?;
        // As a string of JSON, which has the same escapes, apart from the other quotation mark.
        let mut json = String::from('"');
        while let Some((index, character)) = characters.next() {
            match character {
                _ if character == mark => {
                    json.push('"');
                    return Some(Self {
                        value: serde_json::from_str(&json).ok()?,
                        length: index + 1,
                    });
                }
                '\\' => match characters.next()?.1 {
                    '\'' => json.push('\''),
                    escaped => json.extend(['\\', escaped]),
                },
                '"' => json.push_str("\\\""),
                // JSON has no control characters in strings, queries of several lines do.
                character if character.is_ascii_control() => {
                    json.push_str(&format!("\\u{:04x}", u32::from(character)));
                }
                character => json.push(character),
            }
        }
        None
    }

    /// The literal of the emulator's that a text begins with.
    fn of_emulator(text: &str) -> Option<Self> {
        let inner = text.strip_prefix('\'')?;
        let mut value = String::new();
        let mut characters = inner.char_indices().peekable();
        while let Some((index, character)) = characters.next() {
            if character == '\'' && characters.next_if(|(_, next)| *next == '\'').is_none() {
                let length = 1 + index + 1;
                return Some(Self { value, length });
            }
            value.push(character);
        }
        None
    }

    fn named(self, name: fn(&str) -> Option<String>) -> Self {
        match name(&self.value) {
            Some(value) => Self { value, ..self },
            None => self,
        }
    }

    fn for_emulator(&self) -> String {
        format!("'{}'", self.value.replace('\'', "''"))
    }

    fn for_service(&self) -> String {
        Value::from(self.value.as_str()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emulated(text: &str) -> String {
        text_for_emulator(text)
    }

    #[test]
    fn string_literals_of_the_service_become_those_of_the_emulator() {
        for (service, emulator) in [
            (r#"c["id"] = "a""#, "c['id'] = 'a'"),
            (
                r#"c.x = 'it\'s' OR c.y = "it's""#,
                "c.x = 'it''s' OR c.y = 'it''s'",
            ),
            (r#""say \"hi\" \\ \u00fc\n""#, "'say \"hi\" \\ ü\n'"),
            (r#"'"' "'" ''"#, r#"'"' '''' ''"#),
            (r#"{"a": "é🦆"}"#, "{'a': 'é🦆'}"),
            ("'it''s'", "'it''s'"),
            (
                "c.x -- don't\n= 'a' /* \"b\" */",
                "c.x -- don't\n= 'a' /* \"b\" */",
            ),
            // What is no literal is left for the emulator to refuse.
            (r#"c.x = "open"#, r#"c.x = "open"#),
            (r"c.x = 'bad \q'", r"c.x = 'bad \q'"),
            ("/*/ \"a\" */ \"b\"", "/*/ \"a\" */ 'b'"),
            ("/* open", "/* open"),
            ("'", "'"),
            ("", ""),
        ] {
            assert_eq!(emulated(service), emulator, "{service}");
        }
    }

    #[test]
    fn a_rewritten_query_comes_back_with_the_same_literals() {
        for value in ["plain", "it's", r#"a\b"c'\"#, "\n\t", "''", "é🦆", ""] {
            let literal = Literal {
                value: value.to_owned(),
                length: 0,
            };
            let emulator = literal.for_emulator();
            let service = rewrite(&emulator, Literal::of_emulator, |literal| {
                literal.for_service()
            });
            assert_eq!(emulated(&service), emulator, "{value}");
        }
    }

    #[test]
    fn parameters_are_not_touched_and_a_body_that_is_no_query_stays() {
        let body = br#"{"query":"SELECT * FROM c WHERE c[\"a\"] = @b","parameters":[{"name":"@b","value":1e400}]}"#;
        let translated = for_emulator(Bytes::from_static(body), |_| None);
        let translated = std::str::from_utf8(&translated).unwrap();
        assert!(translated.contains(r#""query":"SELECT * FROM c WHERE c['a'] = @b""#));
        assert!(translated.contains(r#"[{"name":"@b","value":1e400}]"#));
        let named = for_emulator(
            Bytes::from_static(
                br#"{"query":"c.a = \"x\"","parameters":[{"name":"@b","value":"x"}]}"#,
            ),
            |text| (text == "x").then(|| "it's".to_owned()),
        );
        assert_eq!(
            named,
            r#"{"parameters":[{"name":"@b","value":"it's"}],"query":"c.a = 'it''s'"}"#
        );
        for other in ["", "[]", "{}", r#"{"query":1}"#, "SELECT \"a\""] {
            assert_eq!(for_emulator(Bytes::from(other), |_| None), other);
            assert_eq!(for_client(Bytes::from(other), b""), other);
        }
    }
}

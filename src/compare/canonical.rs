//! The canonical form of a document: the same bytes for the same content.
//!
//! Members are sorted by name, of several with one name the last counts, strings are without escapes, and numbers
//! are their values. What the service adds to a document is left out. Each value says how long it is, or ends with
//! a byte of its own, so that two contents never have the same form.

use std::borrow::Cow;

use super::ignored::Ignored;
use super::number::write_number;
use crate::feed::page::{SYSTEM_FIELDS, elements, members, write_without_system_fields};
use crate::render::decode_string;

/// Values that are nested deeper are compared as text.
const MAX_DEPTH: usize = 96;

/// How content is compared.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    /// Whether the bytes must be the same.
    pub(super) exact: bool,
    /// What is not compared.
    pub(super) ignored: Ignored,
}

impl Content {
    /// Appends the canonical form of `document`, which is validated JSON.
    pub(super) fn write(&self, document: &[u8], out: &mut Vec<u8>) {
        if !self.ignored.is_empty() {
            let kept = self.kept(document);
            self.write_kept(&kept, out);
        } else if self.exact {
            write_without_system_fields(document, out);
        } else {
            write_object(document, true, MAX_DEPTH, out);
        }
    }

    /// The text of `document` that is compared: without what the service adds, and without what is ignored.
    pub(super) fn kept(&self, document: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(document.len());
        if self.ignored.is_empty() {
            write_without_system_fields(document, &mut kept);
        } else {
            let mut own = Vec::with_capacity(document.len());
            write_without_system_fields(document, &mut own);
            self.ignored.write_others(&own, &mut kept);
        }
        kept
    }

    fn write_kept(&self, kept: &[u8], out: &mut Vec<u8>) {
        if self.exact {
            out.extend_from_slice(kept);
        } else {
            write_object(kept, false, MAX_DEPTH, out);
        }
    }

    /// Whether two values have the same content.
    pub(super) fn is_same_value(&self, a: &[u8], b: &[u8]) -> bool {
        let form = |value: &[u8]| {
            let mut form = Vec::new();
            write_value(value, MAX_DEPTH, &mut form);
            form
        };
        a == b || (!self.exact && form(a) == form(b))
    }
}

/// Whether two documents, which are validated JSON, have the same content.
pub(crate) fn has_same_content(a: &[u8], b: &[u8]) -> bool {
    let form = |document: &[u8]| {
        let mut form = Vec::new();
        Content::default().write(document, &mut form);
        form
    };
    form(a) == form(b)
}

/// Appends the canonical form of a value: a scalar of a partition key, for example.
pub(super) fn write_scalar(value: &[u8], out: &mut Vec<u8>) {
    write_value(value, MAX_DEPTH, out);
}

fn write_value(value: &[u8], depth: usize, out: &mut Vec<u8>) {
    match value.first() {
        Some(b'{') if depth > 0 => write_object(value, false, depth - 1, out),
        Some(b'[') if depth > 0 => {
            out.push(b'[');
            for element in elements(value) {
                write_value(element, depth - 1, out);
            }
            out.push(b']');
        }
        Some(b'{' | b'[') => write_text(b'r', value, out),
        Some(b'"') => write_text(b's', &decoded(&value[1..value.len() - 1]), out),
        Some(literal @ (b't' | b'f' | b'n')) => out.push(*literal),
        _ => write_number(value, out),
    }
}

fn write_text(kind: u8, text: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&(text.len() as u64).to_le_bytes()[..5]);
    out.extend_from_slice(text);
}

fn decoded(raw: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', raw).is_some() {
        decode_string(raw)
    } else {
        Cow::Borrowed(raw)
    }
}

fn write_object(object: &[u8], without_system_fields: bool, depth: usize, out: &mut Vec<u8>) {
    let mut sorted: Vec<(Cow<'_, [u8]>, &[u8])> = Vec::with_capacity(24);
    for member in members(object) {
        let name = decoded(member.raw_name);
        if without_system_fields && is_system_field(&name) {
            continue;
        }
        sorted.push((name, member.value));
    }
    // Stable, so that the last of several with one name is the last here.
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    out.push(b'{');
    for (at, (name, value)) in sorted.iter().enumerate() {
        if sorted.get(at + 1).is_some_and(|(next, _)| next == name) {
            continue;
        }
        write_text(b's', name, out);
        write_value(value, depth, out);
    }
    out.push(b'}');
}

fn is_system_field(name: &[u8]) -> bool {
    name.first() == Some(&b'_') && SYSTEM_FIELDS.iter().any(|field| field.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(document: &str) -> Vec<u8> {
        let mut form = Vec::new();
        Content::default().write(document.as_bytes(), &mut form);
        form
    }

    #[test]
    fn the_same_content_has_the_same_form() {
        for (a, b) in [
            (r#"{"a":1,"b":2}"#, r#"{ "b" : 2.0, "a" : 1e0 }"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":"\u0041\/"}"#, r#"{"a":"A/"}"#),
            (r#"{"\u0061":1}"#, r#"{"a":1}"#),
            (
                r#"{"a":{"x":[1,{}],"y":null}}"#,
                r#"{"a":{"y":null,"x":[1.0,{}]}}"#,
            ),
            (
                r#"{"a":1,"_ts":5,"_etag":"x"}"#,
                r#"{"a":1,"_rid":"r","\u005fts":6}"#,
            ),
            (r#"{"a":"\ud800"}"#, r#"{"a":"\uD800"}"#),
        ] {
            assert_eq!(form(a), form(b), "{a} {b}");
        }
    }

    #[test]
    fn other_content_has_another_form() {
        let all = [
            r#"{}"#,
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":[1]}"#,
            r#"{"a":[[1]]}"#,
            r#"{"a":{}}"#,
            r#"{"a":[]}"#,
            r#"{"a":null}"#,
            r#"{"a":false}"#,
            r#"{"a":""}"#,
            r#"{"a":[1,2]}"#,
            r#"{"a":[2,1]}"#,
            r#"{"a":1,"b":null}"#,
            r#"{"a":{"_ts":1}}"#,
            r#"{"a":{"_ts":2}}"#,
            r#"{"A":1}"#,
            r#"{"a":"\u00e9"}"#,
            r#"{"a":"e\u0301"}"#,
        ];
        for (at, a) in all.iter().enumerate() {
            for b in &all[..at] {
                assert_ne!(form(a), form(b), "{a} {b}");
            }
        }
    }

    #[test]
    fn deep_nesting_is_compared_as_text() {
        let deep = |inner: &str| {
            let (open, close) = ("[".repeat(50_000), "]".repeat(50_000));
            form(&format!("{{\"a\":{open}{inner}{close}}}"))
        };
        assert_eq!(deep("1"), deep("1"));
        assert_ne!(deep("1"), deep("2"));
    }

    #[test]
    fn exact_compares_bytes() {
        let exact = Content {
            exact: true,
            ignored: Ignored::default(),
        };
        let form = |document: &str| {
            let mut form = Vec::new();
            exact.write(document.as_bytes(), &mut form);
            form
        };
        assert_eq!(form(r#"{"a":1,"_ts":5}"#), form(r#"{"_ts":6,"a":1}"#));
        assert_ne!(form(r#"{"a":1}"#), form(r#"{"a":1.0}"#));
        assert_ne!(form(r#"{"a":1,"b":2}"#), form(r#"{"b":2,"a":1}"#));
    }
}

//! What is compared of a document: its canonical form, or its text, without what is left out.

use super::form::Form;
use super::ignored::Ignored;
use super::written::write_text;
use crate::feed::page::write_without_system_fields;

/// How content is compared.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// Whether the bytes must be the same.
    pub exact: bool,
    /// What is not compared.
    pub ignored: Ignored,
}

impl Content {
    /// Whether the form is that of the whole document.
    pub fn is_plain(&self) -> bool {
        !self.exact && self.ignored.is_empty()
    }

    /// Writes what is compared of `document`, which is validated JSON.
    pub fn write(&self, document: &[u8], form: &mut Form) {
        form.clear();
        if !self.ignored.is_empty() {
            self.write_kept(&self.kept(document), form);
        } else if self.exact {
            write_without_system_fields(document, form.bytes_mut());
        } else {
            write_object(document, true, form);
        }
    }

    /// The text of `document` that is compared: without what the service adds, and without what is ignored.
    pub fn kept(&self, document: &[u8]) -> Vec<u8> {
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

    fn write_kept(&self, kept: &[u8], form: &mut Form) {
        if self.exact {
            form.bytes_mut().extend_from_slice(kept);
        } else {
            write_object(kept, false, form);
        }
    }

    /// Whether two values have the same content.
    pub fn is_same_value(&self, a: &[u8], b: &[u8]) -> bool {
        let form = |value: &[u8]| {
            let mut form = Form::default();
            if form.write_value(value).is_err() {
                write_raw(value, &mut form);
            }
            form
        };
        a == b || (!self.exact && form(a).bytes() == form(b).bytes())
    }
}

/// Whether two documents, which are validated JSON, have the same content.
pub fn has_same_content(a: &[u8], b: &[u8]) -> bool {
    let form = |document: &[u8]| {
        let mut form = Form::default();
        Content::default().write(document, &mut form);
        form
    };
    form(a).bytes() == form(b).bytes()
}

fn write_object(object: &[u8], is_document: bool, form: &mut Form) {
    if form.write_object(object, is_document, |_| ()).is_err() {
        write_raw(object, form);
    }
}

/// What is no valid JSON is compared as text.
fn write_raw(text: &[u8], form: &mut Form) {
    form.clear();
    write_text(b'r', text, form.bytes_mut());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(document: &str) -> Vec<u8> {
        let mut form = Form::default();
        Content::default().write(document.as_bytes(), &mut form);
        form.bytes().to_vec()
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
    fn values_count_at_any_depth() {
        let deep = |inner: &str| {
            let (open, close) = ("[".repeat(50_000), "]".repeat(50_000));
            form(&format!("{{\"a\":{open}{inner}{close}}}"))
        };
        assert_eq!(deep("1"), deep("1"));
        assert_eq!(deep("1"), deep("1.0"));
        assert_eq!(deep(r#"{"x":1,"y":2}"#), deep(r#"{"y":2,"x":1}"#));
        assert_ne!(deep("1"), deep("2"));
    }

    #[test]
    fn exact_compares_bytes() {
        let exact = Content {
            exact: true,
            ignored: Ignored::default(),
        };
        let form = |document: &str| {
            let mut form = Form::default();
            exact.write(document.as_bytes(), &mut form);
            form.bytes().to_vec()
        };
        assert_eq!(form(r#"{"a":1,"_ts":5}"#), form(r#"{"_ts":6,"a":1}"#));
        assert_ne!(form(r#"{"a":1}"#), form(r#"{"a":1.0}"#));
        assert_ne!(form(r#"{"a":1,"b":2}"#), form(r#"{"b":2,"a":1}"#));
    }
}

//! The text of a document that is the same wherever the document was copied as it is: its members as they are written,
//! without those that the service adds. The text is checked meanwhile.
//!
//! Documents with the same text have the same content. Those with another text may have it too, so texts only tell
//! which documents need no canonical form.

use std::ops::Range;

use super::form::is_system_field;
use super::written::decoded;
use crate::feed::page::{Fault, Member, PageErrorKind, Scanner, checked};

/// The members of `document` that are compared, in the order and the spelling that they have there. `joined` is used
/// if they are not all together. Passes all members to `take`, also those that the service adds.
///
/// # Errors
///
/// If `document` is not one object, valid JSON and UTF-8.
pub fn kept_text<'a>(
    document: &'a [u8],
    joined: &'a mut Vec<u8>,
    mut take: impl FnMut(Member<'a>),
) -> Result<&'a [u8], Fault> {
    joined.clear();
    let last = checked(document, |scanner| {
        let mut kept = Kept {
            document,
            joined,
            run: 0..0,
            has_ended: false,
        };
        scan(scanner, document, |member, span| {
            if is_system_name(member.raw_name) {
                kept.has_ended = true;
            } else {
                kept.add(span);
            }
            take(member);
        })?;
        if !kept.joined.is_empty() {
            kept.join();
        }
        Ok(kept.run)
    })?;
    Ok(if joined.is_empty() {
        &document[last]
    } else {
        joined
    })
}

/// Passes the members of an object to `take`, each with where it is, from its name to the end of its value.
fn scan<'a>(
    scanner: &mut Scanner<'a>,
    text: &'a [u8],
    mut take: impl FnMut(Member<'a>, Range<usize>),
) -> Result<(), Fault> {
    let (first, start) = scanner.token(0);
    if first != b'{' {
        return Err(scanner.fault(PageErrorKind::NotAnObject, start));
    }
    let (mut byte, mut at) = scanner.token(start + 1);
    while byte != b'}' {
        if byte != b'"' {
            return Err(scanner.fault(PageErrorKind::ExpectedName, at));
        }
        let name_end = scanner.string(at + 1)?;
        let colon = scanner.colon(name_end)?;
        let (_, value) = scanner.token(colon);
        let end = scanner.value(value)?;
        let member = Member {
            raw_name: &text[at + 1..name_end - 1],
            value: &text[value..end],
        };
        take(member, at..end);
        (byte, at) = match scanner.token(end) {
            (b',', comma) => match scanner.token(comma + 1) {
                (b'"', quote) => (b'"', quote),
                (_, wrong) => return Err(scanner.fault(PageErrorKind::ExpectedName, wrong)),
            },
            (b'}', end) => (b'}', end),
            (_, wrong) => return Err(scanner.fault(PageErrorKind::ExpectedCommaOrEnd, wrong)),
        };
    }
    match scanner.token(at + 1) {
        (_, rest) if rest == text.len() => Ok(()),
        (_, rest) => Err(scanner.fault(PageErrorKind::TrailingData, rest)),
    }
}

/// Whether this is the name of what the service adds, as it is written.
fn is_system_name(raw: &[u8]) -> bool {
    // No other name begins with an underscore, escaped or not.
    matches!(raw.first(), Some(b'_' | b'\\')) && is_system_field(&decoded(raw))
}

/// The members that are kept so far.
struct Kept<'a, 'j> {
    document: &'a [u8],
    /// The runs of kept members before the last one, each with a comma.
    joined: &'j mut Vec<u8>,
    /// Where the last run is.
    run: Range<usize>,
    /// Whether a member was left out after it.
    has_ended: bool,
}

impl Kept<'_, '_> {
    fn add(&mut self, member: Range<usize>) {
        if self.run.is_empty() {
            self.run = member;
        } else if self.has_ended {
            self.join();
            self.joined.push(b',');
            self.run = member;
        } else {
            self.run.end = member.end;
        }
        self.has_ended = false;
    }

    fn join(&mut self) {
        self.joined
            .extend_from_slice(&self.document[self.run.clone()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::canonical::has_same_content;
    use proptest::prelude::*;

    fn kept(document: &str) -> Option<String> {
        let mut joined = Vec::new();
        let kept = kept_text(document.as_bytes(), &mut joined, |_| ()).ok()?;
        Some(String::from_utf8(kept.to_vec()).unwrap())
    }

    #[test]
    fn what_the_service_adds_is_left_out_wherever_it_is() {
        for (document, expected) in [
            (r#"{"a":1, "b":2}"#, r#""a":1, "b":2"#),
            (r#"{"a":1,"b":2,"_ts":5,"_etag":"\"x\""}"#, r#""a":1,"b":2"#),
            (r#"{"_ts":5,"a":1,"b":2}"#, r#""a":1,"b":2"#),
            (
                r#"{"a":1,"_ts":5,"b":2,"_rid":"r","c":3}"#,
                r#""a":1,"b":2,"c":3"#,
            ),
            (r#"{"a":1,"\u005fts":5 , "_ts":6}"#, r#""a":1"#),
            (r#"{"a":{"_ts":1},"_tsx":2}"#, r#""a":{"_ts":1},"_tsx":2"#),
            (r#"{"_ts":5}"#, ""),
            ("{}", ""),
        ] {
            assert_eq!(kept(document).as_deref(), Some(expected), "{document}");
        }
    }

    #[test]
    fn what_is_not_an_object_of_json_has_no_text() {
        for text in [
            "",
            "[]",
            r#"{"a":1"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a" 1}"#,
            r#"{a:1}"#,
            r#"{"a":01}"#,
            r#"{"a":1}{}"#,
            r#"{"a":"\x"}"#,
        ] {
            assert_eq!(kept(text), None, "{text}");
        }
        assert!(kept_text(b"{\"a\":\"\xff\"}", &mut Vec::new(), |_| ()).is_err());
    }

    /// Members with few names and values, so that names repeat and documents are often the same.
    fn document() -> impl Strategy<Value = String> {
        let name = proptest::sample::select(vec![
            "id",
            "a",
            "\\u0061",
            "_ts",
            "\\u005fts",
            "_etag",
            "_x",
        ]);
        let value = proptest::sample::select(vec![
            "1",
            "1.0",
            "2",
            "\"x\"",
            "\"\\u0078\"",
            "{\"_ts\":1}",
            "[1, 2]",
        ]);
        let space = proptest::sample::select(vec!["", "", "", " "]);
        proptest::collection::vec((name, value, space), 0..5).prop_map(|members| {
            let members: Vec<String> = members
                .into_iter()
                .map(|(name, value, space)| format!("{space}\"{name}\":{value}"))
                .collect();
            format!("{{{}}}", members.join(","))
        })
    }

    proptest! {
        #[test]
        fn the_same_text_is_the_same_content(a in document(), b in document()) {
            let is_same = has_same_content(a.as_bytes(), b.as_bytes());
            prop_assert!(is_same || kept(&a) != kept(&b), "{} {}", a, b);
        }

        #[test]
        fn other_system_fields_leave_the_text_as_it_is(document in document(), ts in any::<u32>()) {
            let without = document.trim_end_matches('}');
            let comma = if without == "{" { "" } else { "," };
            let with = if document.ends_with("}}") {
                // The last value is an object, whose end was cut off too.
                format!("{without}}}{comma}\"_ts\":{ts},\"_rid\":\"r\"}}")
            } else {
                format!("{without}{comma}\"_ts\":{ts},\"_rid\":\"r\"}}")
            };
            prop_assert_eq!(kept(&with), kept(&document), "{}", with);
        }
    }
}

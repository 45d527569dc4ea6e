//! The canonical form of a value, written in one pass over its text, which is checked meanwhile.
//!
//! Members are sorted by name, of several with one name the last counts, strings are without escapes, and numbers
//! are their values. Each value says how long it is, or ends with a byte of its own, so that two contents never have
//! the same form.

use super::deep::write_deep;
use super::number::write_number;
use super::written::{TEXT_HEAD, decoded, write_text};
use crate::feed::page::{Fault, Member, PageErrorKind, SYSTEM_FIELDS, Scanner, checked};

/// Values that are nested deeper are written without recursion.
const MAX_DEPTH: usize = 96;

/// A canonical form, and the space to write it. It is used again for one document after the other.
#[derive(Debug, Default)]
pub struct Form {
    bytes: Vec<u8>,
    /// The members of the objects that are being written, the innermost last.
    members: Vec<Written>,
    /// Members in their order, before they are put back.
    sorted: Vec<u8>,
    /// The form of the key of the document.
    key: Vec<u8>,
}

/// A member that was written: its name and its value.
#[derive(Debug, Clone, Copy)]
struct Written {
    /// The first bytes of its name, so that most names are compared at once.
    prefix: u64,
    start: usize,
    name_end: usize,
    end: usize,
}

impl Form {
    /// Forgets what was written; its memory stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// What is written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is written, and space for the key of the document.
    pub fn with_key(&mut self) -> (&mut Vec<u8>, &mut Vec<u8>) {
        (&mut self.bytes, &mut self.key)
    }

    /// Appends text as it is.
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Appends the form of an object, and passes its members to `take`, also those that the service adds, which are left
    /// out of the form if it is a document.
    ///
    /// # Errors
    ///
    /// If `text` is not one object, valid JSON and UTF-8.
    pub fn write_object<'a>(
        &mut self,
        text: &'a [u8],
        is_document: bool,
        mut take: impl FnMut(Member<'a>),
    ) -> Result<(), Fault> {
        self.members.clear();
        checked(text, |scanner| {
            let (first, start) = scanner.token(0);
            if first != b'{' {
                return Err(scanner.fault(PageErrorKind::NotAnObject, start));
            }
            let mut writer = Writer {
                text,
                scanner,
                form: self,
            };
            let end = writer.object(start, MAX_DEPTH, is_document, &mut take)?;
            match scanner.token(end) {
                (_, rest) if rest == text.len() => Ok(()),
                (_, rest) => Err(scanner.fault(PageErrorKind::TrailingData, rest)),
            }
        })
    }

    /// Appends the form of a value.
    ///
    /// # Errors
    ///
    /// As [`Form::write_object`].
    pub fn write_value(&mut self, text: &[u8]) -> Result<(), Fault> {
        self.members.clear();
        checked(text, |scanner| {
            let mut writer = Writer {
                text,
                scanner,
                form: self,
            };
            writer.value(0, MAX_DEPTH).map(drop)
        })
    }

    /// Puts the members that were written from `first` on into their order.
    #[inline(never)]
    fn sort(&mut self, first: usize) {
        let Self {
            bytes,
            members,
            sorted,
            ..
        } = self;
        let members = &mut members[first..];
        let Some(start) = members.first().map(|member| member.start) else {
            return;
        };
        // Stable, so that the last of several with one name is the last here.
        members.sort_by(|a, b| a.cmp_name(b, bytes));
        sorted.clear();
        for (at, member) in members.iter().enumerate() {
            let is_repeated = members
                .get(at + 1)
                .is_some_and(|next| next.cmp_name(member, bytes).is_eq());
            if !is_repeated {
                sorted.extend_from_slice(&bytes[member.start..member.end]);
            }
        }
        bytes.truncate(start);
        bytes.extend_from_slice(sorted);
    }
}

impl Written {
    #[inline]
    fn cmp_name(&self, other: &Self, bytes: &[u8]) -> std::cmp::Ordering {
        let name = |member: &Self| &bytes[member.start + TEXT_HEAD..member.name_end];
        self.prefix
            .cmp(&other.prefix)
            .then_with(|| name(self).cmp(name(other)))
    }
}

/// Writes the form of one text.
struct Writer<'a, 's> {
    text: &'a [u8],
    scanner: &'s mut Scanner<'a>,
    form: &'s mut Form,
}

impl<'a> Writer<'a, '_> {
    /// Appends the value at `at`, and returns its end.
    fn value(&mut self, at: usize, depth: usize) -> Result<usize, Fault> {
        let (first, start) = self.scanner.token(at);
        match first {
            b'"' => {
                let end = self.scanner.string(start + 1)?;
                let value = decoded(&self.text[start + 1..end - 1]);
                write_text(b's', &value, &mut self.form.bytes);
                Ok(end)
            }
            b'{' if depth > 0 => self.object(start, depth - 1, false, &mut |_| ()),
            b'[' if depth > 0 => self.array(start, depth - 1),
            b'{' | b'[' => {
                let end = self.scanner.value(start)?;
                write_deep(&self.text[start..end], &mut self.form.bytes);
                Ok(end)
            }
            _ => {
                let end = self.scanner.value(start)?;
                match first {
                    b't' | b'f' | b'n' => self.form.bytes.push(first),
                    _ => write_number(&self.text[start..end], &mut self.form.bytes),
                }
                Ok(end)
            }
        }
    }

    fn array(&mut self, open: usize, depth: usize) -> Result<usize, Fault> {
        self.form.bytes.push(b'[');
        let mut at = open + 1;
        if let (b']', end) = self.scanner.token(at) {
            self.form.bytes.push(b']');
            return Ok(end + 1);
        }
        loop {
            let end = self.value(at, depth)?;
            match self.scanner.token(end) {
                (b',', comma) => at = comma + 1,
                (b']', end) => {
                    self.form.bytes.push(b']');
                    return Ok(end + 1);
                }
                (_, wrong) => {
                    return Err(self.scanner.fault(PageErrorKind::ExpectedCommaOrEnd, wrong));
                }
            }
        }
    }

    fn object(
        &mut self,
        open: usize,
        depth: usize,
        is_document: bool,
        take: &mut impl FnMut(Member<'a>),
    ) -> Result<usize, Fault> {
        let first = self.form.members.len();
        let mut is_sorted = true;
        self.form.bytes.push(b'{');
        let (mut byte, mut at) = self.scanner.token(open + 1);
        while byte != b'}' {
            if byte != b'"' {
                return Err(self.scanner.fault(PageErrorKind::ExpectedName, at));
            }
            let name_end = self.scanner.string(at + 1)?;
            let raw_name = &self.text[at + 1..name_end - 1];
            let (_, value) = {
                let colon = self.scanner.colon(name_end)?;
                self.scanner.token(colon)
            };
            let name = decoded(raw_name);
            let end = if is_document && is_system_field(&name) {
                self.scanner.value(value)?
            } else {
                let start = self.form.bytes.len();
                write_text(b's', &name, &mut self.form.bytes);
                let name_end = self.form.bytes.len();
                let end = self.value(value, depth)?;
                let written = Written {
                    prefix: prefix(&name),
                    start,
                    name_end,
                    end: self.form.bytes.len(),
                };
                let members = &self.form.members[first..];
                is_sorted = is_sorted
                    && members
                        .last()
                        .is_none_or(|last| last.cmp_name(&written, &self.form.bytes).is_lt());
                self.form.members.push(written);
                end
            };
            take(Member {
                raw_name,
                value: &self.text[value..end],
            });
            (byte, at) = match self.scanner.token(end) {
                (b',', comma) => match self.scanner.token(comma + 1) {
                    (b'"', quote) => (b'"', quote),
                    (_, wrong) => {
                        return Err(self.scanner.fault(PageErrorKind::ExpectedName, wrong));
                    }
                },
                (b'}', end) => (b'}', end),
                (_, wrong) => {
                    return Err(self.scanner.fault(PageErrorKind::ExpectedCommaOrEnd, wrong));
                }
            };
        }
        if !is_sorted {
            self.form.sort(first);
        }
        self.form.members.truncate(first);
        self.form.bytes.push(b'}');
        Ok(at + 1)
    }
}

/// The first bytes of a name, in the order of names.
#[inline]
fn prefix(name: &[u8]) -> u64 {
    if let Some(first) = name.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut first = [0; 8];
    first[..name.len()].copy_from_slice(name);
    u64::from_be_bytes(first)
}

/// Appends the form of a string, whose JSON text has quotes.
pub fn write_string(json: &[u8], out: &mut Vec<u8>) {
    write_text(b's', &decoded(&json[1..json.len() - 1]), out);
}

/// Whether the service adds a member of this name.
pub fn is_system_field(name: &[u8]) -> bool {
    name.first() == Some(&b'_') && SYSTEM_FIELDS.iter().any(|field| field.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn form(text: &str) -> Option<Vec<u8>> {
        let mut form = Form::default();
        form.write_object(text.as_bytes(), false, |_| ()).ok()?;
        Some(form.bytes().to_vec())
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<Option<bool>>().prop_map(|value| serde_json::json!(value)),
            (-3_i64..3).prop_map(|value| serde_json::json!(value)),
            (-3_i64..3).prop_map(|value| serde_json::json!(value as f64 / 4.0)),
            "[\"\\\\a-cé]{0,10}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                object(inner),
            ]
        })
    }

    /// Names that are alike in their first bytes.
    fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
        proptest::collection::hash_map("(abcdefgh)?[a-c\"é]{0,2}", value, 0..8)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    }

    /// The text of a value in which everything that does not count is drawn: the order of members, earlier members of a
    /// name, escapes, whitespace and how numbers are written.
    fn spelled(value: &Value, random: &mut fastrand::Rng) -> String {
        let space = |random: &mut fastrand::Rng| ["", "", " ", "\n\t"][random.usize(..4)];
        let text = match value {
            Value::Object(members) => {
                let mut all: Vec<(String, String)> = members
                    .iter()
                    .map(|(name, value)| (string(name, random), spelled(value, random)))
                    .collect();
                random.shuffle(&mut all);
                if let Some((name, _)) = members.iter().next()
                    && random.bool()
                {
                    all.insert(0, (string(name, random), "[{}]".to_owned()));
                }
                let all: Vec<String> = all
                    .into_iter()
                    .map(|(name, value)| format!("{name}{}:{value}", space(random)))
                    .collect();
                format!("{{{}{}}}", space(random), all.join(","))
            }
            Value::Array(elements) => {
                let all: Vec<String> = elements
                    .iter()
                    .map(|element| spelled(element, random))
                    .collect();
                format!("[{}{}]", all.join(","), space(random))
            }
            Value::String(text) => string(text, random),
            Value::Number(number) => {
                let number = number.as_f64().unwrap();
                match random.usize(..3) {
                    0 => format!("{number}"),
                    1 => format!("{number:e}"),
                    _ => format!("{number:.3}"),
                }
            }
            other => other.to_string(),
        };
        format!("{}{text}{}", space(random), space(random))
    }

    fn string(text: &str, random: &mut fastrand::Rng) -> String {
        let characters = text.chars().map(|c| match c {
            _ if random.usize(..4) == 0 => format!("\\u{:04x}", u32::from(c)),
            '"' | '\\' => format!("\\{c}"),
            c => c.to_string(),
        });
        format!("\"{}\"", characters.collect::<String>())
    }

    proptest! {
        #[test]
        fn a_value_has_one_form_however_it_is_written(value in object(value()), seed in any::<u64>()) {
            let mut random = fastrand::Rng::with_seed(seed);
            let [a, b] = [spelled(&value, &mut random), spelled(&value, &mut random)];
            let found = form(&a);
            prop_assert!(found.is_some(), "{a}");
            prop_assert_eq!(found, form(&b), "{}\n{}", a, b);
        }

        #[test]
        fn two_values_have_two_forms(a in object(value()), b in object(value())) {
            let normal = |value: &Value| serde_json::from_str::<Value>(&value.to_string()).unwrap();
            let is_same = form(&a.to_string()) == form(&b.to_string());
            // `1.0` and `1` are two to serde_json.
            prop_assert!(!is_same || by_value(&normal(&a)) == by_value(&normal(&b)), "{} {}", a, b);
        }

        /// Wherever the levels end that are written by recursion.
        #[test]
        fn depth_changes_nothing(value in object(value()), depth in MAX_DEPTH - 6..MAX_DEPTH + 2, seed in any::<u64>()) {
            let mut random = fastrand::Rng::with_seed(seed);
            let [a, b] = [(), ()].map(|()| {
                let (open, close) = ("[".repeat(depth), "]".repeat(depth));
                format!("{{\"a\":{open}{}{close}}}", spelled(&value, &mut random))
            });
            let found = form(&a).unwrap();
            prop_assert_eq!(&found, &form(&b).unwrap(), "{}\n{}", a, b);
            // What is nested has the form that it has by itself.
            let own = form(&value.to_string()).unwrap();
            prop_assert!(found.windows(own.len()).any(|part| part == own), "{}", a);
        }

        #[test]
        fn text_is_refused_exactly_when_serde_json_refuses_it(
            text in "[{}\\[\\]\",:a1. \\\\ué\\-]{0,12}",
        ) {
            let text = format!("{{{text}}}");
            let is_valid = serde_json::from_str::<Box<serde_json::value::RawValue>>(&text).is_ok();
            prop_assert_eq!(form(&text).is_some(), is_valid, "{}", text);
        }
    }

    /// Every number as a double.
    fn by_value(value: &Value) -> Value {
        match value {
            Value::Number(number) => serde_json::json!(number.as_f64().map(|number| number + 0.0)),
            Value::Array(elements) => elements.iter().map(by_value).collect(),
            Value::Object(members) => {
                let members = members.iter();
                Value::Object(
                    members
                        .map(|(name, value)| (name.clone(), by_value(value)))
                        .collect(),
                )
            }
            other => other.clone(),
        }
    }

    #[test]
    fn members_are_passed_on_as_they_are() {
        let text = r#" {"b" : [1] , "_ts":5,"a\u0062":"x"} "#;
        let mut found = Vec::new();
        let mut form = Form::default();
        let taken = form.write_object(text.as_bytes(), true, |member| {
            found.push((member.raw_name.to_vec(), member.value.to_vec()));
        });
        taken.unwrap();
        let found: Vec<(&[u8], &[u8])> = found.iter().map(|(a, b)| (&**a, &**b)).collect();
        let expected: [(&[u8], &[u8]); 3] =
            [(b"b", b"[1]"), (b"_ts", b"5"), (b"a\\u0062", b"\"x\"")];
        assert_eq!(found, expected);
        for text in ["5", "[]", "{} {}", "{\"a\":1,}", "{\"a\"}", ""] {
            assert!(
                Form::default()
                    .write_object(text.as_bytes(), true, |_| ())
                    .is_err(),
                "{text}"
            );
        }
    }
}

//! The shortest spelling of a document.
//!
//! The service limits the length of a request. A document that it holds can exceed the limit in another
//! spelling: with whitespace, with `\u` escapes, as many programs write them, or with numbers of hundreds of
//! digits.

use crate::feed::page::scientific;

/// Documents up to this length are sent as they are spelled: in any spelling they are far from the limit.
const MAX_UNCHANGED_BYTES: usize = 1 << 20;

/// The longest number that the shortest form of a double needs.
const MAX_NUMBER_BYTES: usize = 24;

/// `document`, in its shortest spelling if it is long.
pub(super) fn fit_for_sending(document: Vec<u8>) -> Vec<u8> {
    if document.len() > MAX_UNCHANGED_BYTES {
        shortest(&document)
    } else {
        document
    }
}

/// The shortest spelling of JSON text that was checked, with the same values in the same order.
fn shortest(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some((&first, after)) = rest.split_first() {
        rest = match first {
            b' ' | b'\t' | b'\n' | b'\r' => after,
            b'"' => string(after, &mut out),
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                let length = rest.iter().take_while(|byte| is_part(byte)).count();
                let (number, after) = rest.split_at(length);
                write_number(number, &mut out);
                after
            }
            other => {
                out.push(other);
                after
            }
        };
    }
    out
}

/// Writes the string whose opening quote is before `rest`. Returns what follows it.
fn string<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    out.push(b'"');
    loop {
        let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\'));
        let (plain, after) = rest.split_at(plain.count());
        out.extend_from_slice(plain);
        rest = match after {
            [b'\\', b'/', after @ ..] => {
                out.push(b'/');
                after
            }
            [b'\\', b'u', ..] => match escaped(after) {
                Some((character, after)) => {
                    write_character(character, out);
                    after
                }
                // A surrogate without its other half has no other spelling.
                None => {
                    let (escape, after) = after.split_at(after.len().min(6));
                    out.extend_from_slice(escape);
                    after
                }
            },
            [b'\\', escape, after @ ..] => {
                out.extend_from_slice(&[b'\\', *escape]);
                after
            }
            [b'"', after @ ..] => {
                out.push(b'"');
                return after;
            }
            _ => return &[],
        };
    }
}

/// The character that `text` begins with as `\u` escapes, and what follows it.
fn escaped(text: &[u8]) -> Option<(char, &[u8])> {
    let unit = |text: &[u8]| {
        let digits = text.strip_prefix(b"\\u")?.get(..4)?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let first = unit(text)?;
    let after = &text[6..];
    match char::decode_utf16([first]).next()? {
        Ok(character) => Some((character, after)),
        Err(_) => {
            let pair = [first, unit(after)?];
            let character = char::decode_utf16(pair).next()?.ok()?;
            Some((character, &after[6..]))
        }
    }
}

fn write_character(character: char, out: &mut Vec<u8>) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\0'..='\u{1f}' => {
            out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
        }
        other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Writes a number: as it is, unless it is long and has a shorter form of exactly the same value.
fn write_number(number: &[u8], out: &mut Vec<u8>) {
    let shorter = if number.len() > MAX_NUMBER_BYTES {
        scientific(number).filter(|shorter| shorter.len() < number.len())
    } else {
        None
    };
    match shorter {
        Some(shorter) => out.extend_from_slice(shorter.as_bytes()),
        None => out.extend_from_slice(number),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[track_caller]
    fn assert_shortest(json: &str, expected: &str) {
        let short = String::from_utf8(shortest(json.as_bytes())).unwrap();
        assert_eq!(short, expected, "{json}");
    }

    #[test]
    fn escapes_and_whitespace_are_written_in_their_shortest_form() {
        assert_shortest(
            "{ \"a\" : [ 1.50 , true ,\tnull ],\r\n\"b c\" : \" x \" }",
            r#"{"a":[1.50,true,null],"b c":" x "}"#,
        );
        assert_shortest(
            r#"["\u00e9\ud83e\udd80\u0041\/","\u0022\u005c\u000a\u0001\u007f\n\"\\u0041"]"#,
            "[\"é🦀A/\",\"\\\"\\\\\\n\\u0001\u{7f}\\n\\\"\\\\u0041\"]",
        );
        // Halves of surrogate pairs.
        for lone in [
            r#""\ud83e""#,
            r#""\ud83e\u0041""#,
            r#""\udd80x""#,
            r#""\ud83e\ud83ex""#,
        ] {
            let parsed = |json: &str| json.to_lowercase();
            let short = String::from_utf8(shortest(lone.as_bytes())).unwrap();
            assert!(parsed(&short).contains("\\ud"), "{lone}: {short}");
        }
        assert_shortest(r#""\ud83e\u0041""#, r#""\ud83eA""#);
    }

    #[test]
    fn long_numbers_keep_their_value() {
        for (number, expected) in [
            ("1.10", "1.10"),
            (
                "123456789012345678901234567890123",
                "123456789012345678901234567890123",
            ),
            ("100000000000000000000000000000000000", "1e35"),
            ("-0.000000000000000000000000000120", "-12e-29"),
            ("0.0000000000000000000000000000000", "0"),
            ("-0.000000000000000000000000000000", "-0"),
            ("1000000000000000000000000000000E-30", "1"),
            (
                "1e99999999999999999999999999999999",
                "1e99999999999999999999999999999999",
            ),
        ] {
            assert_shortest(number, expected);
        }
    }

    #[test]
    fn only_long_documents_are_respelled() {
        let short = br#"{ "a": "\u0041" }"#.to_vec();
        assert_eq!(fit_for_sending(short.clone()), short);
        let long = format!(r#"{{"a":"{}"}}"#, r"\u00e9".repeat(200_000));
        let expected = format!(r#"{{"a":"{}"}}"#, "é".repeat(200_000));
        assert_eq!(fit_for_sending(long.into_bytes()), expected.into_bytes());
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<Option<bool>>().prop_map(|value| serde_json::json!(value)),
            any::<i64>().prop_map(|value| serde_json::json!(value)),
            any::<f64>().prop_map(|value| serde_json::json!(value)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Every character beyond ASCII as an escape, as many programs write it.
    fn in_ascii(json: &str) -> String {
        let mut out = String::new();
        for character in json.chars() {
            if character.is_ascii() {
                out.push(character);
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
        }
        out
    }

    proptest! {
        #[test]
        fn any_document_keeps_its_values(value in json()) {
            let compact = value.to_string();
            for spelled in [
                compact.clone(),
                serde_json::to_string_pretty(&value).unwrap(),
                in_ascii(&compact),
            ] {
                let short = shortest(spelled.as_bytes());
                prop_assert!(short.len() <= compact.len());
                prop_assert_eq!(&serde_json::from_slice::<Value>(&short).unwrap(), &value);
            }
        }
    }
}

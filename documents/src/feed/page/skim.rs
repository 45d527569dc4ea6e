//! Walks over text that a page has validated: finds the ends of values, without any checks.
//!
//! On other text every function ends, with `None` or a position without a meaning.

use super::wide;

/// The next byte that is not whitespace, and its position; NUL at the end.
#[inline(always)]
pub fn token(bytes: &[u8], mut at: usize) -> (u8, usize) {
    loop {
        match bytes.get(at) {
            Some(&byte) if byte > b' ' => return (byte, at),
            Some(_) => at += 1,
            None => return (0, at),
        }
    }
}

/// The end of the string whose opening quote is before `at`, and whether it has escapes.
#[inline(always)]
pub fn string_end(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    let stop = wide::valid_string_stop(bytes, at);
    match bytes.get(stop) {
        Some(b'"') => Some((stop + 1, false)),
        Some(b'\\') => Some((escaped_string_end(bytes, stop)?, true)),
        _ => None,
    }
}

#[inline(never)]
fn escaped_string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at = wide::valid_string_stop(bytes, at + 2),
            _ => return None,
        }
    }
}

/// The end of the value that starts with the byte `first` at `at`.
#[inline(always)]
pub fn value_end(bytes: &[u8], first: u8, at: usize) -> Option<usize> {
    match first {
        b'"' => Some(string_end(bytes, at + 1)?.0),
        b'{' | b'[' => container_end(bytes, at),
        _ => Some(scalar_end(bytes, at)).filter(|end| *end > at),
    }
}

/// The end of the number or literal at `at`.
#[inline(always)]
pub fn scalar_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = bytes.get(at) {
        if matches!(byte, b',' | b']' | b'}') || byte <= b' ' {
            break;
        }
        at += 1;
    }
    at
}

/// The end of the object or array at `at`.
fn container_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        at = wide::structure_stop(bytes, at);
        match bytes.get(at)? {
            b'"' => {
                at = string_end(bytes, at + 1)?.0;
                continue;
            }
            b'{' | b'[' => depth += 1,
            _ => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::page::scanner::Scanner;
    use proptest::prelude::*;

    fn assert_same_end(json: &str) {
        for after in ["", ",", "]", "}", " ,", "\n}"] {
            let text = format!("{json}{after}");
            let bytes = text.as_bytes();
            let end = Scanner::new(bytes).value(0).ok();
            assert_eq!(value_end(bytes, bytes[0], 0), end, "{text}");
        }
    }

    #[test]
    fn values_end_where_the_scanner_found_their_end() {
        for json in [
            "0",
            "-1.5e+3",
            "true",
            "false",
            "null",
            r#""""#,
            r#""a\"b\\""#,
            r#""\\\\\"""#,
            "[]",
            "{}",
            "[[],[{}]]",
            r#"{"a":"]}","b":["[{\"",{"c":[1, 2 ,3]}]}"#,
            r#"["0123456789abcdef","\u0041",{"x" : null }]"#,
        ] {
            assert_same_end(json);
        }
    }

    #[test]
    fn text_that_is_not_json_does_not_panic() {
        for text in ["[", "{\"a", "\"abc", "\"\\", "[\"\\\"", "]", "[}", ""] {
            let bytes = text.as_bytes();
            let _whatever = value_end(bytes, bytes.first().copied().unwrap_or(0), 0);
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<Option<bool>>().prop_map(|value| serde_json::json!(value)),
            any::<i64>().prop_map(|value| serde_json::json!(value)),
            any::<f64>().prop_map(|value| serde_json::json!(value)),
            "[\\\\\"a-z{}\\[\\], \\n]{0,40}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(6, 60, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
                proptest::collection::hash_map("[\\\\\"a-z{}]{0,12}", inner, 0..8)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_ends_where_the_scanner_says(value in json(), pretty in any::<bool>()) {
            assert_same_end(&match pretty {
                true => serde_json::to_string_pretty(&value).unwrap(),
                false => value.to_string(),
            });
        }
    }
}

//! JSON text as a sequence of tokens that borrow from it.
//!
//! The text has to be validated, as every part of a [`Page`](crate::feed::page::Page) is: anything that is not
//! JSON ends the sequence. Nothing is interpreted, so numbers keep their text, objects their order and
//! duplicates, strings their escapes.

use std::borrow::Cow;

use super::terminal::colour;

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `{` or `[`.
    Open(u8),
    /// `}` or `]`.
    Close(u8),
    Comma,
    Colon,
    /// The name of a member, with its quotes.
    Name(&'a [u8]),
    /// A string, with its quotes.
    String(&'a [u8]),
    Number(&'a [u8]),
    /// `true`, `false` or `null`.
    Literal(&'a [u8]),
}

impl Token<'_> {
    /// Its colour on a terminal; empty if it has none.
    pub(super) fn colour(&self) -> &'static str {
        match self {
            Self::Name(_) => colour::NAME,
            Self::String(_) => colour::STRING,
            Self::Literal(text) if text.starts_with(b"n") => colour::NULL,
            _ => "",
        }
    }
}

/// Iterator over the tokens of a text; see [`tokens`].
pub(super) struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The tokens of `json`, without whitespace.
pub(super) fn tokens(json: &[u8]) -> Tokens<'_> {
    Tokens { bytes: json, at: 0 }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let start = self.skip_whitespace(self.at);
        let first = *self.bytes.get(start)?;
        let end = match first {
            b'"' => string_end(self.bytes, start + 1),
            b'{' | b'[' | b'}' | b']' | b',' | b':' => start + 1,
            _ => run_end(self.bytes, start),
        };
        self.at = end;
        let text = &self.bytes[start..end];
        Some(match first {
            b'{' | b'[' => Token::Open(first),
            b'}' | b']' => Token::Close(first),
            b',' => Token::Comma,
            b':' => Token::Colon,
            b'"' => match self.bytes.get(self.skip_whitespace(end)) {
                Some(b':') => Token::Name(text),
                _ => Token::String(text),
            },
            b't' | b'f' | b'n' => Token::Literal(text),
            _ => Token::Number(text),
        })
    }
}

impl Tokens<'_> {
    /// Where the last token ended.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn skip_whitespace(&self, mut at: usize) -> usize {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(at) {
            at += 1;
        }
        at
    }
}

/// The end of the string whose opening quote is before `at`.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(stop) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += stop;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// The end of the number or literal at `start`. It is at least one byte long, so that invalid text cannot
/// cause an endless loop.
fn run_end(bytes: &[u8], start: usize) -> usize {
    let stops = |byte: &u8| b" \t\n\r,:]}[{\"".contains(byte);
    let len = bytes[start + 1..].iter().position(stops);
    len.map_or(bytes.len(), |len| start + 1 + len)
}

/// The text of a JSON string, which is given with or without its quotes.
///
/// UTF-8 cannot represent a lone surrogate. It becomes the three bytes that UTF-8 would use (WTF-8), so that
/// `write_string` can write the same escape back.
pub fn decode_string(json: &[u8]) -> Cow<'_, [u8]> {
    let inner = match json {
        [b'"', inner @ .., b'"'] => inner,
        inner => inner,
    };
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut text = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        text.extend_from_slice(&rest[..at]);
        rest = decode_escape(&rest[at + 1..], &mut text);
    }
    text.extend_from_slice(rest);
    Cow::Owned(text)
}

/// Decodes the escape whose backslash is before `rest`. Returns the text after it.
fn decode_escape<'a>(rest: &'a [u8], text: &mut Vec<u8>) -> &'a [u8] {
    let Some((kind, mut rest)) = rest.split_first() else {
        return rest;
    };
    text.push(match kind {
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => {
            let Some(mut unit) = hex_unit(rest) else {
                return rest;
            };
            rest = &rest[4..];
            let low = rest.strip_prefix(b"\\u").and_then(hex_unit);
            if let (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) = (unit, low) {
                unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                rest = &rest[6..];
            }
            match char::from_u32(unit) {
                Some(c) => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                None => text.extend_from_slice(&surrogate_bytes(unit)),
            }
            return rest;
        }
        other => *other,
    });
    rest
}

fn hex_unit(digits: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(digits.get(..4)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

/// The three bytes of a surrogate in WTF-8.
fn surrogate_bytes(unit: u32) -> [u8; 3] {
    let low_bits = |shift: u32| 0x80 | (unit >> shift & 0x3f) as u8;
    [0xed, low_bits(6), low_bits(0)]
}

/// Appends `text` as a JSON string with quotes. The surrogates of [`decode_string`] become escapes again;
/// other bytes that are not UTF-8 become U+FFFD.
pub(super) fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        for piece in chunk.valid().as_bytes().split_inclusive(needs_escape) {
            match piece.split_last() {
                Some((last, plain)) if needs_escape(last) => {
                    out.extend_from_slice(plain);
                    write_escape(*last, out);
                }
                _ => out.extend_from_slice(piece),
            }
        }
        // A surrogate arrives as three chunks of one invalid byte each.
        let invalid = chunk.invalid();
        if invalid.is_empty() {
            continue;
        }
        let offset = invalid.as_ptr() as usize - text.as_ptr() as usize;
        match (surrogate_at(text, offset), offset) {
            (Some(unit), _) => out.extend_from_slice(format!("\\u{unit:04x}").as_bytes()),
            (None, 1..) if surrogate_at(text, offset - 1).is_some() => {}
            (None, 2..) if surrogate_at(text, offset - 2).is_some() => {}
            _ => out.extend_from_slice("\u{fffd}".as_bytes()),
        }
    }
    out.push(b'"');
}

fn surrogate_at(text: &[u8], at: usize) -> Option<u32> {
    match text.get(at..)?.first_chunk()? {
        [0xed, middle @ 0xa0..=0xbf, last @ 0x80..=0xbf] => {
            Some(0xd000 | u32::from(middle & 0x3f) << 6 | u32::from(last & 0x3f))
        }
        _ => None,
    }
}

fn needs_escape(byte: &u8) -> bool {
    *byte < 0x20 || matches!(byte, b'"' | b'\\')
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_texts_own_bytes() {
        let found: Vec<_> = tokens(br#" {"a\"" : [1.10, -0,true ,"x:y"],"b":{}}"#).collect();
        use Token::{Close, Colon, Comma, Literal, Name, Number, Open, String};
        let expected = [
            Open(b'{'),
            Name(br#""a\"""#),
            Colon,
            Open(b'['),
            Number(b"1.10"),
            Comma,
            Number(b"-0"),
            Comma,
            Literal(b"true"),
            Comma,
            String(br#""x:y""#),
            Close(b']'),
            Comma,
            Name(br#""b""#),
            Colon,
            Open(b'{'),
            Close(b'}'),
            Close(b'}'),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn text_that_is_not_json_ends_without_a_panic() {
        for text in ["\"", "\"\\", "\"a", "{\"a\":", "@", "\u{7f}", "nul", "1e"] {
            assert!(tokens(text.as_bytes()).count() <= 4, "{text}");
        }
    }

    #[test]
    fn strings_are_decoded_and_written_back() {
        let cases: [(&str, &[u8], &str); 9] = [
            (r#""plain é""#, "plain é".as_bytes(), r#""plain é""#),
            (
                r#""\"\\\/\b\f\n\r\t""#,
                b"\"\\/\x08\x0c\n\r\t",
                r#""\"\\/\b\f\n\r\t""#,
            ),
            (r#""\u00e9\u0041""#, "éA".as_bytes(), r#""éA""#),
            (r#""\ud83d\uDE00""#, "😀".as_bytes(), r#""😀""#),
            (r#""\ud83dx""#, b"\xed\xa0\xbdx", r#""\ud83dx""#),
            (r#""\ude00""#, b"\xed\xb8\x80", r#""\ude00""#),
            (
                r#""\ude00\ud83d""#,
                b"\xed\xb8\x80\xed\xa0\xbd",
                r#""\ude00\ud83d""#,
            ),
            (r#""\u0000\u001b""#, b"\0\x1b", r#""\u0000\u001b""#),
            (r#""""#, b"", r#""""#),
        ];
        for (json, text, written) in cases {
            let decoded = decode_string(json.as_bytes());
            assert_eq!(&*decoded, text, "{json}");
            let mut out = Vec::new();
            write_string(&decoded, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), written);
        }
        let mut out = Vec::new();
        write_string(b"a\xffb\xed\xa0", &mut out);
        let replaced = String::from_utf8(out).unwrap();
        assert_eq!(replaced, "\"a\u{fffd}b\u{fffd}\u{fffd}\"");
    }
}

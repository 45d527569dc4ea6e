//! What may reach a terminal, and in which colours.
//!
//! A document can hold any character. On a terminal some of them are commands: an escape sequence
//! moves the cursor or changes the title, a bidirectional override makes text read differently
//! from what it is. None of them gets through: they are shown as the escapes of their code points.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The colours of jq, but for punctuation, which stays as it is.
pub(super) mod colour {
    pub(crate) const NAME: &str = "\x1b[34;1m";
    pub(crate) const STRING: &str = "\x1b[32m";
    pub(crate) const NULL: &str = "\x1b[90m";
    pub(crate) const DIM: &str = "\x1b[2m";
    pub(crate) const BOLD: &str = "\x1b[1m";
    pub(crate) const CYAN: &str = "\x1b[36m";
    pub(crate) const GREEN: &str = "\x1b[32m";
    pub(crate) const YELLOW: &str = "\x1b[33m";
    pub(crate) const RED: &str = "\x1b[31m";
    pub(crate) const RESET: &str = "\x1b[0m";
}

/// Whether a terminal may take `c` for a command, or show what is around it in another order:
/// C0, DEL and C1 controls, bidirectional marks, embeddings, overrides and isolates, and the line
/// and paragraph separators.
pub(super) fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f'
        | '\x7f'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}')
}

/// Text for a terminal: every character that could be taken for a command is shown as
/// `\u{…}`, line feeds and tabs included.
///
/// For identifiers, values and parts of messages that come from data, from the service or from
/// what was typed.
pub fn escape_for_terminal(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            escaped.extend(c.escape_unicode());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Appends a token of JSON for a terminal: characters that could be taken for commands become
/// escapes of JSON, so that the value stays the same. Bytes that are no UTF-8 become U+FFFD.
pub(super) fn write_json_token(token: &[u8], out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(token);
    if !text.contains(is_unsafe) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            // All of them lie in the basic plane: four digits are enough. Writing to a text
            // cannot fail.
            write!(escaped, "\\u{:04x}", u32::from(c)).ok();
        } else {
            escaped.push(c);
        }
    }
    out.extend_from_slice(escaped.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_overrides_are_shown_as_escapes() {
        for (text, escaped) in [
            ("plain é 日本 😀 a\u{200d}b", "plain é 日本 😀 a\u{200d}b"),
            ("\x1b[2Jgone", "\\u{1b}[2Jgone"),
            ("a\nb\tc\rd\0", "a\\u{a}b\\u{9}c\\u{d}d\\u{0}"),
            (
                "\x7f\u{80}\u{9b}31m\u{9f}",
                "\\u{7f}\\u{80}\\u{9b}31m\\u{9f}",
            ),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
            ("\u{61c}\u{200e}\u{200f}", "\\u{61c}\\u{200e}\\u{200f}"),
            (
                "\u{2066}\u{2069}\u{2028}\u{2029}",
                "\\u{2066}\\u{2069}\\u{2028}\\u{2029}",
            ),
        ] {
            assert_eq!(escape_for_terminal(text), escaped);
        }
    }

    #[test]
    fn a_token_of_json_keeps_its_value() {
        let mut out = Vec::new();
        write_json_token("\"\u{9b}2J\u{7f}\u{202e}é\"".as_bytes(), &mut out);
        assert_eq!(out, "\"\\u009b2J\\u007f\\u202eé\"".as_bytes());
        let value: String = serde_json::from_slice(&out).unwrap();
        assert_eq!(value, "\u{9b}2J\u{7f}\u{202e}é");
        out.clear();
        write_json_token(b"\"\xff\x1b\"", &mut out);
        assert_eq!(out, "\"\u{fffd}\\u001b\"".as_bytes());
    }
}

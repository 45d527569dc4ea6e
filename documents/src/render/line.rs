//! A line of coloured text that is cut to the width of a terminal.

use super::terminal::colour;
use super::tokens::{Token, tokens};
use crate::escape::write_json_token;
use crate::feed::page::{SYSTEM_FIELDS, members};
use crate::width::{ELLIPSIS, units};

/// More bytes of a text than this for each free column are not looked at: its end cannot be shown.
const MAX_BYTES_PER_COLUMN: usize = 64;

/// A line. What is appended beyond its width is not kept.
#[derive(Debug)]
pub(super) struct Line {
    width: Option<usize>,
    text: String,
    /// The end of each piece, and its colour.
    pieces: Vec<(usize, &'static str)>,
    /// The columns of the text.
    used: usize,
    /// Spaces before the next piece. There are none at the end of a line.
    spaces: usize,
    /// The length of the text that leaves a column for the mark of a cut.
    cut: usize,
    is_over: bool,
}

impl Line {
    /// An empty line of at most `width` columns.
    pub(super) fn new(width: Option<usize>) -> Self {
        Self {
            width,
            text: String::new(),
            pieces: Vec::new(),
            used: 0,
            spaces: 0,
            cut: 0,
            is_over: false,
        }
    }

    /// Appends a piece of text, which is safe for a terminal.
    pub(super) fn push(&mut self, text: &str, colour: &'static str) {
        if text.is_empty() || self.is_over {
            return;
        }
        if self.spaces > 0 {
            let spaces = " ".repeat(std::mem::take(&mut self.spaces));
            self.append(&spaces, "");
        }
        self.append(text, colour);
    }

    /// Leaves this many columns free before the next piece.
    pub(super) fn space(&mut self, columns: usize) {
        self.spaces += columns;
    }

    /// Appends JSON text, without whitespace between its tokens, in the colours of JSON.
    pub(super) fn push_json(&mut self, json: &[u8]) {
        for token in tokens(json) {
            if self.is_over {
                return;
            }
            self.push_token(token);
        }
    }

    /// Appends a document without its system fields.
    pub(super) fn push_document(&mut self, document: &[u8]) {
        if document.first() != Some(&b'{') {
            return self.push_json(document);
        }
        self.push("{", "");
        let mut is_first = true;
        for member in members(document) {
            if self.is_over {
                return;
            }
            if SYSTEM_FIELDS.iter().any(|name| member.is_named(name)) {
                continue;
            }
            if !is_first {
                self.push(",", "");
            }
            is_first = false;
            self.push("\"", colour::NAME);
            self.push_raw(member.raw_name, colour::NAME);
            self.push("\"", colour::NAME);
            self.push(":", "");
            self.push_json(member.value);
        }
        self.push("}", "");
    }

    fn push_token(&mut self, token: Token<'_>) {
        let colour = token.colour();
        match token {
            Token::Open(byte) | Token::Close(byte) => {
                self.push(char::from(byte).encode_utf8(&mut [0; 4]), colour);
            }
            Token::Comma => self.push(",", colour),
            Token::Colon => self.push(":", colour),
            Token::Name(text)
            | Token::String(text)
            | Token::Number(text)
            | Token::Literal(text) => self.push_raw(text, colour),
        }
    }

    /// Appends the text of a token, as far as it can be shown.
    fn push_raw(&mut self, token: &[u8], colour: &'static str) {
        let end = match self.width {
            Some(width) => {
                let free = width.saturating_sub(self.used) + 2;
                token.len().min(free * MAX_BYTES_PER_COLUMN)
            }
            None => token.len(),
        };
        let mut text = Vec::new();
        write_json_token(&token[..end], &mut text);
        self.push(&String::from_utf8_lossy(&text), colour);
        self.is_over |= end < token.len();
    }

    fn append(&mut self, text: &str, colour: &'static str) {
        for unit in units(text) {
            self.text.push_str(unit.text);
            self.used += unit.width;
            match self.width {
                Some(width) if self.used > width => {
                    self.is_over = true;
                    break;
                }
                Some(width) if self.used < width => self.cut = self.text.len(),
                _ => {}
            }
        }
        // Quotes and the text between them are one piece.
        match self.pieces.last_mut() {
            Some((end, last)) if *last == colour => *end = self.text.len(),
            _ => self.pieces.push((self.text.len(), colour)),
        }
    }

    /// The columns that are used.
    pub(super) fn used(&self) -> usize {
        self.used + self.spaces
    }

    /// The columns that are free, of a line that is cut.
    pub(super) fn free(&self) -> Option<usize> {
        Some(self.width?.saturating_sub(self.used()))
    }

    /// Whether nothing more can be shown.
    pub(super) fn is_full(&self) -> bool {
        self.is_over
    }

    /// Appends the line to `out`, with a line feed.
    pub(super) fn write(&self, is_coloured: bool, out: &mut Vec<u8>) {
        let end = if self.is_over {
            self.cut
        } else {
            self.text.len()
        };
        let mut start = 0;
        for &(piece_end, colour) in &self.pieces {
            let piece = &self.text[start..piece_end.min(end).max(start)];
            start += piece.len();
            if piece.is_empty() {
                continue;
            }
            let is_coloured = is_coloured && !colour.is_empty();
            if is_coloured {
                out.extend_from_slice(colour.as_bytes());
            }
            out.extend_from_slice(piece.as_bytes());
            if is_coloured {
                out.extend_from_slice(colour::RESET.as_bytes());
            }
        }
        if self.is_over && self.width != Some(0) {
            out.extend_from_slice(ELLIPSIS.as_bytes());
        }
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(line: &Line, is_coloured: bool) -> String {
        let mut out = Vec::new();
        line.write(is_coloured, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn document(width: usize, document: &str) -> String {
        let mut line = Line::new(Some(width));
        line.push_document(document.as_bytes());
        written(&line, false)
    }

    #[test]
    fn a_document_is_cut_at_a_character() {
        let text =
            r#"{ "_rid":"x", "n\u0061me" : "日本\u00e9e", "_ts":1, "l": [1, {}] , "_lsn":7}"#;
        for (width, expected) in [
            (38, "{\"n\\u0061me\":\"日本\\u00e9e\",\"l\":[1,{}]}\n"),
            (37, "{\"n\\u0061me\":\"日本\\u00e9e\",\"l\":[1,{}…\n"),
            (25, "{\"n\\u0061me\":\"日本\\u00e9…\n"),
            (24, "{\"n\\u0061me\":\"日本…\n"),
            (18, "{\"n\\u0061me\":\"日…\n"),
            (16, "{\"n\\u0061me\":\"…\n"),
            (4, "{\"n…\n"),
            (1, "…\n"),
            (0, "\n"),
        ] {
            assert_eq!(document(width, text), expected, "{width}");
        }
        assert_eq!(document(80, "5"), "5\n");
        assert_eq!(document(80, "{}"), "{}\n");
        assert_eq!(document(80, r#"{"_ts":1}"#), "{}\n");
    }

    #[test]
    fn a_line_has_no_spaces_at_its_end_and_every_colour_is_reset() {
        let mut line = Line::new(Some(8));
        line.push("ab", colour::BOLD);
        line.space(2);
        assert_eq!(written(&line, false), "ab\n");
        assert_eq!((line.used(), line.free()), (4, Some(4)));
        line.push_json(br#""xyz""#);
        assert!(line.is_full());
        assert_eq!(
            written(&line, true),
            "\x1b[1mab\x1b[0m  \x1b[32m\"xy\x1b[0m…\n"
        );
    }

    #[test]
    fn a_huge_string_is_not_looked_at_to_its_end() {
        let marks = format!("{{\"a\":\"e{}\"}}", "\u{301}".repeat(1_000_000));
        assert_eq!(document(80, &marks), "{\"a\":\"\u{fffd}…\n");
    }
}

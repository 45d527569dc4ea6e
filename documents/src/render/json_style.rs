//! JSON text in another style, token by token: on one line or indented, with or without colour.

use super::terminal::colour;
use super::tokens::{Token, tokens};
use crate::escape::write_json_token;

/// Deeper objects and arrays stay on one line: indentation grows with the square of the depth, and a document
/// of two megabytes can be a million levels deep.
const MAX_INDENTED_DEPTH: usize = 64;

/// The style of JSON text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct JsonStyle {
    /// Indented by two spaces per level, with one member per line.
    pub(super) indented: bool,
    /// For a terminal: characters that it could take for a command are escaped.
    pub(super) escaped: bool,
    /// With colours.
    pub(super) coloured: bool,
}

impl JsonStyle {
    /// Appends `json` in this style, without a line feed at the end. Tokens keep their text.
    pub(super) fn write(self, json: &[u8], out: &mut Vec<u8>) {
        let mut tokens = tokens(json).peekable();
        let mut depth = 0usize;
        while let Some(token) = tokens.next() {
            match token {
                Token::Open(byte) => {
                    out.push(byte);
                    depth += 1;
                    if let Some(Token::Close(_)) = tokens.peek() {
                        continue;
                    }
                    self.line_break(depth, out);
                }
                Token::Close(byte) => {
                    // An empty object or array stays on one line.
                    if !matches!(out.last(), Some(b'{' | b'[')) {
                        self.line_break_after(depth, out);
                    }
                    depth = depth.saturating_sub(1);
                    out.push(byte);
                }
                Token::Comma => {
                    out.push(b',');
                    self.line_break(depth, out);
                }
                Token::Colon => {
                    out.push(b':');
                    if self.indented {
                        out.push(b' ');
                    }
                }
                Token::Name(text)
                | Token::String(text)
                | Token::Number(text)
                | Token::Literal(text) => self.text(text, token.colour(), out),
            }
        }
    }

    fn line_break(self, depth: usize, out: &mut Vec<u8>) {
        if self.indented && depth <= MAX_INDENTED_DEPTH {
            out.push(b'\n');
            out.resize(out.len() + 2 * depth, b' ');
        }
    }

    /// The line break before the end of the object or array at `depth`.
    fn line_break_after(self, depth: usize, out: &mut Vec<u8>) {
        if depth <= MAX_INDENTED_DEPTH {
            self.line_break(depth.saturating_sub(1), out);
        }
    }

    fn text(self, text: &[u8], colour: &str, out: &mut Vec<u8>) {
        let coloured = self.coloured && !colour.is_empty();
        if coloured {
            out.extend_from_slice(colour.as_bytes());
        }
        if self.escaped {
            write_json_token(text, out);
        } else {
            out.extend_from_slice(text);
        }
        if coloured {
            out.extend_from_slice(colour::RESET.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn styled(json: &str, style: JsonStyle) -> String {
        let mut out = Vec::new();
        style.write(json.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    const INDENTED: JsonStyle = JsonStyle {
        indented: true,
        escaped: false,
        coloured: false,
    };

    #[test]
    fn indented_text_keeps_numbers_order_and_duplicates() {
        let json = r#"{"b":18446744073709551617,"a":[1.10,{"c":-0,"c":1e400}],"e":{},"f":[ ] , "g":"\u00e9"}"#;
        let expected = r#"{
  "b": 18446744073709551617,
  "a": [
    1.10,
    {
      "c": -0,
      "c": 1e400
    }
  ],
  "e": {},
  "f": [],
  "g": "\u00e9"
}"#;
        assert_eq!(styled(json, INDENTED), expected);
    }

    #[test]
    fn indentation_of_a_deep_document_is_bounded() {
        let json = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let text = styled(&json, INDENTED);
        assert!(text.len() < json.len() + 20_000, "{}", text.len());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2 * MAX_INDENTED_DEPTH + 1);
        assert!(lines[64].ends_with("[[1]]") || lines[64].contains("[[[[1"));
        assert_eq!(lines.last(), Some(&"]"));
        assert_eq!(styled(&text, JsonStyle::default()), json);
    }

    #[test]
    fn one_line_has_no_whitespace_and_every_colour_is_reset() {
        let json = "{\"a\" : [\n1, null, \"x\",true]}";
        let one_line = JsonStyle::default();
        assert_eq!(styled(json, one_line), r#"{"a":[1,null,"x",true]}"#);
        let coloured = JsonStyle {
            coloured: true,
            ..one_line
        };
        assert_eq!(
            styled(json, coloured),
            "{\x1b[34;1m\"a\"\x1b[0m:[1,\x1b[90mnull\x1b[0m,\x1b[32m\"x\"\x1b[0m,true]}"
        );
    }

    #[test]
    fn a_string_that_ends_with_a_bracket_is_not_an_empty_array() {
        assert_eq!(styled(r#"["["]"#, INDENTED), "[\n  \"[\"\n]");
    }
}

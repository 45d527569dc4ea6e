//! What of a text may reach a terminal, and how the rest is shown.
//!
//! Names, answers of a service and documents can hold any character. On a terminal some of them are
//! commands: an escape sequence moves the cursor or changes the title, a bidirectional override makes
//! text read differently from what it is, and a line feed begins a line that looks like one of ours.
//! None of them gets through: they are shown as the escapes of their code points.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Write as _;

/// Whether a terminal may take `c` for a command, show what is around it in another order, or show
/// nothing for it: C0, DEL and C1 controls, bidirectional marks, embeddings, overrides and isolates,
/// the line and paragraph separators, and what has no width but the joiners, which scripts and emoji
/// need.
pub(crate) fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f'
        | '\x7f'..='\u{9f}'
        | '\u{61c}'
        | '\u{200b}'
        | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}')
}

/// Text for a terminal: every character that could be taken for a command is shown as
/// `\u{…}`, line feeds and tabs included.
///
/// For identifiers, values and messages that hold something that comes from data, from the service
/// or from what was typed.
pub fn escape_for_terminal(text: &str) -> Cow<'_, str> {
    escape(text, is_unsafe)
}

/// The same for a text of several lines of ours: line feeds stay.
pub(crate) fn escape_lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && is_unsafe(c))
}

fn escape(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_escaped(c) {
            escaped.extend(c.escape_unicode());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// JSON text for a terminal: characters that could be taken for commands become escapes of JSON, so
/// that the value stays the same. Outside of strings there must be none but line feeds, which stay:
/// within strings JSON has none.
pub(crate) fn escape_json(text: &str) -> Cow<'_, str> {
    json_escapes(text, |c| c != '\n' && is_unsafe(c))
}

fn json_escapes(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_escaped(c) {
            // All of them lie in the basic plane: four digits are enough. Writing to a text
            // cannot fail.
            write!(escaped, "\\u{:04x}", u32::from(c)).ok();
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Appends a token of JSON for a terminal, with the escapes of [`escape_json`]. Bytes that are no
/// UTF-8 become U+FFFD.
pub(crate) fn write_json_token(token: &[u8], out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(token);
    out.extend_from_slice(json_escapes(&text, is_unsafe).as_bytes());
}

/// Lines of data that go to a terminal instead of a file: in JSON the values stay the same. Tabs and
/// both ends of lines stay. Bytes that are no UTF-8 become U+FFFD.
pub(crate) fn escape_data(lines: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(lines);
    let is_escaped = |c: char| !matches!(c, '\n' | '\t') && is_unsafe(c);
    let lines = text
        .split("\r\n")
        .map(|line| json_escapes(line, is_escaped));
    lines.collect::<Vec<_>>().join("\r\n").into_bytes()
}

/// `word` as it has to be typed into a shell: as it is, in quotes if a shell would read it otherwise.
/// What could be taken for a command by the terminal, and what is no UTF-8, becomes octets of the
/// quotes `$'…'`, which bash, zsh and ksh read.
pub(crate) fn shell_word(word: &(impl AsRef<OsStr> + ?Sized)) -> String {
    let word = word.as_ref();
    let bytes = word.as_encoded_bytes();
    let is_plain =
        |c: char| c.is_alphanumeric() || "_-./,:@%+=".contains(c) || (cfg!(windows) && c == '\\');
    match word.to_str() {
        Some(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
        Some(text) if cfg!(windows) => format!("\"{}\"", escape_for_terminal(text)),
        Some(text) if !text.contains(is_unsafe) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => {
            let mut quoted = String::from("$'");
            for chunk in bytes.utf8_chunks() {
                for c in chunk.valid().chars() {
                    match c {
                        '\'' | '\\' => quoted.extend(['\\', c]),
                        _ if is_unsafe(c) => {
                            let mut buffer = [0; 4];
                            write_octets(c.encode_utf8(&mut buffer).as_bytes(), &mut quoted);
                        }
                        _ => quoted.push(c),
                    }
                }
                write_octets(chunk.invalid(), &mut quoted);
            }
            quoted.push('\'');
            quoted
        }
    }
}

/// Octal, since what follows a hexadecimal escape could be read as more of its digits.
fn write_octets(bytes: &[u8], quoted: &mut String) {
    for byte in bytes {
        // Writing to a text cannot fail.
        write!(quoted, "\\{byte:03o}").ok();
    }
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
            (
                "a\u{200b}b\u{2060}\u{feff}\u{fff9}",
                "a\\u{200b}b\\u{2060}\\u{feff}\\u{fff9}",
            ),
        ] {
            assert_eq!(escape_for_terminal(text), escaped);
            assert_eq!(
                escape_lines(text),
                escaped.replace("\\u{a}", "\n"),
                "{escaped}"
            );
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

    #[test]
    fn data_keeps_its_lines() {
        assert_eq!(
            escape_data("a\tb\r\n\"\rc\x1b[31m\u{9b}\n\"\r\n".as_bytes()),
            b"a\tb\r\n\"\\u000dc\\u001b[31m\\u009b\n\"\r\n"
        );
        assert_eq!(escape_data(b"\xff\n"), "\u{fffd}\n".as_bytes());
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_a_word_as_what_it_was() {
        use std::os::unix::ffi::OsStrExt;
        for (word, quoted) in [
            (&b"/tmp/out-1/state.json"[..], "/tmp/out-1/state.json"),
            ("/tmp/été".as_bytes(), "/tmp/été"),
            (b"", "''"),
            (b"two words", "'two words'"),
            (b"it's $HOME", r"'it'\''s $HOME'"),
            (b"a\x1b[2J'\n1", r"$'a\033[2J\'\0121'"),
            ("\u{202e}x".as_bytes(), r"$'\342\200\256x'"),
            (b"\xff\\", r"$'\377\\'"),
        ] {
            assert_eq!(shell_word(OsStr::from_bytes(word)), quoted);
            let Ok(bash) = std::process::Command::new("bash")
                .args(["-c", &format!("printf %s {quoted}")])
                .output()
            else {
                continue;
            };
            assert_eq!(bash.stdout, word, "{quoted}");
        }
    }
}

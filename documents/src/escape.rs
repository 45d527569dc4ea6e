//! Escapes text for a terminal.
//!
//! Names, answers of the service and documents can contain any character. On a terminal, some
//! characters are commands: an escape sequence moves the cursor or changes the title, a bidirectional
//! override displays text in another order, and a line feed starts a line that looks like one of ours.
//! None of these reaches the terminal: each is shown as the escape of its code point.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Write as _;

/// Whether a terminal may treat `c` as a command, reorder the text around it, or show nothing for it:
/// C0, DEL and C1 controls; bidirectional marks, embeddings, overrides and isolates; the line and
/// paragraph separators; and zero-width characters, except the joiners, which scripts and emoji need.
pub fn is_unsafe(c: char) -> bool {
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

/// Text for a terminal: every unsafe character becomes `\u{…}`, including line feeds and tabs.
///
/// For identifiers, values and messages with text from documents, from the service or from the command
/// line.
pub fn escape_for_terminal(text: &str) -> Cow<'_, str> {
    escape(text, is_unsafe)
}

/// As [`escape_for_terminal`], for text with our own line breaks, which are kept.
pub fn escape_lines(text: &str) -> Cow<'_, str> {
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

/// JSON text for a terminal: unsafe characters become JSON escapes, so the value is unchanged. Line
/// feeds are kept: JSON has none within strings. Outside of strings there must be no other unsafe
/// character.
pub fn escape_json(text: &str) -> Cow<'_, str> {
    json_escapes(text, |c| c != '\n' && is_unsafe(c))
}

fn json_escapes(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_escaped(c) {
            // All unsafe characters are in the basic plane, so four digits are enough. Writing to a
            // string cannot fail.
            write!(escaped, "\\u{:04x}", u32::from(c)).ok();
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Appends a JSON token for a terminal, escaped as by [`escape_json`]. Bytes that are not UTF-8 become
/// U+FFFD.
pub fn write_json_token(token: &[u8], out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(token);
    out.extend_from_slice(json_escapes(&text, is_unsafe).as_bytes());
}

/// Lines of data for a terminal: JSON values are unchanged. Tabs and both kinds of line ends are kept.
/// Bytes that are not UTF-8 become U+FFFD.
pub fn escape_data(lines: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(lines);
    let is_escaped = |c: char| !matches!(c, '\n' | '\t') && is_unsafe(c);
    let lines = text
        .split("\r\n")
        .map(|line| json_escapes(line, is_escaped));
    lines.collect::<Vec<_>>().join("\r\n").into_bytes()
}

/// The shells that a printed command is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shell {
    /// bash, zsh, ksh.
    Posix,
    /// PowerShell and cmd.
    Windows,
}

/// `word` as it must be typed into a shell of this system, quoted if necessary. Every command that is printed
/// to be copied quotes its words with it.
pub fn shell_word(word: &(impl AsRef<OsStr> + ?Sized)) -> String {
    let shell = if cfg!(windows) {
        Shell::Windows
    } else {
        Shell::Posix
    };
    shell.quote(word.as_ref())
}

impl Shell {
    fn quote(self, word: &OsStr) -> String {
        let more = match self {
            Self::Posix => "_-./,:@%+=",
            // In PowerShell a comma makes a list, and `@` and `%` are operators.
            Self::Windows => "_-./:+=\\",
        };
        let is_plain = |c: char| c.is_alphanumeric() || more.contains(c);
        match word.to_str() {
            // zsh expands a word that begins with `=`.
            Some(text)
                if !text.is_empty() && !text.starts_with('=') && text.chars().all(is_plain) =>
            {
                text.to_owned()
            }
            Some(text) if self == Self::Windows => windows_quoted(text),
            None if self == Self::Windows => windows_quoted(&word.to_string_lossy()),
            Some(text) if !text.contains(is_unsafe) => format!("'{}'", text.replace('\'', r"'\''")),
            _ => posix_escaped(word.as_encoded_bytes()),
        }
    }
}

/// Double quotes, which PowerShell and cmd both understand. They do not protect `$` and the backtick in
/// PowerShell, so text with one of them gets single quotes, which cmd does not understand.
fn windows_quoted(text: &str) -> String {
    let text = escape_for_terminal(text);
    if text.contains(['$', '`', '"']) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    format!("\"{text}\"")
}

/// `$'…'`, which bash, zsh and ksh understand, with octal escapes for unsafe characters and for bytes that are
/// not UTF-8.
fn posix_escaped(word: &[u8]) -> String {
    let mut quoted = String::from("$'");
    for chunk in word.utf8_chunks() {
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

/// Octal, because a hexadecimal escape could absorb the digits that follow it.
fn write_octets(bytes: &[u8], quoted: &mut String) {
    for byte in bytes {
        // Writing to a string cannot fail.
        write!(quoted, "\\{byte:03o}").ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_overrides_are_escaped() {
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
    fn an_escaped_json_token_keeps_its_value() {
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
    fn escaped_data_keeps_its_lines() {
        assert_eq!(
            escape_data("a\tb\r\n\"\rc\x1b[31m\u{9b}\n\"\r\n".as_bytes()),
            b"a\tb\r\n\"\\u000dc\\u001b[31m\\u009b\n\"\r\n"
        );
        assert_eq!(escape_data(b"\xff\n"), "\u{fffd}\n".as_bytes());
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_back_the_quoted_word() {
        use std::os::unix::ffi::OsStrExt;
        for (word, quoted) in [
            (&b"/tmp/out-1/state.json"[..], "/tmp/out-1/state.json"),
            ("/tmp/été".as_bytes(), "/tmp/été"),
            (b"", "''"),
            (b"two words", "'two words'"),
            (b"=ls", "'=ls'"),
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
    #[test]
    fn a_word_for_windows_has_quotes_that_powershell_and_cmd_understand() {
        for (word, quoted) in [
            (r"C:\data\state.json", r"C:\data\state.json"),
            (r"C:\sp dir\state.json", "\"C:\\sp dir\\state.json\""),
            ("", "\"\""),
            ("a,b", "\"a,b\""),
            ("50%", "\"50%\""),
            ("it's", "\"it's\""),
            ("$env:x's", "'$env:x''s'"),
            ("a`b", "'a`b'"),
            ("a\x1bb", "\"a\\u{1b}b\""),
        ] {
            assert_eq!(Shell::Windows.quote(OsStr::new(word)), quoted);
        }
    }
}

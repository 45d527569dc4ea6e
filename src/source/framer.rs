//! Finds the end of a JSON value in bytes that come in pieces.
//!
//! It follows brackets and strings, with a stack of its own instead of recursion, and does not check
//! anything else: whoever takes the value does.

/// The longest value that is read, in bytes: a document has up to 2 MB, and an envelope has two.
pub(super) const MAX_VALUE: usize = 64 << 20;

/// Collects the text of one value. Whitespace outside of strings is left out, except where it separates
/// tokens; all other bytes stay as they are.
#[derive(Debug, Default)]
pub(super) struct Framer {
    text: Vec<u8>,
    /// The closing brackets that are expected, the innermost last.
    open: Vec<u8>,
    in_string: bool,
    is_escaped: bool,
    /// The last byte that was no whitespace; none before the first.
    last: Option<u8>,
    has_space: bool,
}

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// All of it belongs to the value, which continues.
    More,
    /// The value ends after this many bytes.
    Ended(usize),
    /// After this many bytes, no end of the value can be found any more.
    Broken(usize, Fault),
}

/// Why the end of a value cannot be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A closing bracket of the other kind.
    Bracket { found: u8, expected: u8 },
    /// A value directly after another one.
    Value(u8),
    /// A line break within a string, where JSON has `\n`.
    LineBreak,
    /// It is longer than [`MAX_VALUE`].
    TooLong,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bracket { found, expected } => write!(
                f,
                "`{}` where `{}` is expected",
                char::from(*found),
                char::from(*expected)
            ),
            Self::Value(found) => write!(
                f,
                "`{}` where a comma or an end is expected",
                char::from(*found)
            ),
            Self::LineBreak => f.write_str("a string that does not end on its line"),
            Self::TooLong => write!(f, "a document of more than {} MiB", MAX_VALUE >> 20),
        }
    }
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn is_structural(byte: u8) -> bool {
    matches!(byte, b'{' | b'}' | b'[' | b']' | b':' | b',')
}

impl Framer {
    /// Takes the next piece. The first one begins with the value.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Progress {
        let mut at = 0;
        while at < bytes.len() {
            let progress = if self.in_string {
                self.string(bytes, at)
            } else {
                self.token(bytes[at], at)
            };
            match progress {
                Ok(next) => at = next,
                Err(progress) => return progress,
            }
            if self.text.len() > MAX_VALUE {
                return Progress::Broken(at, Fault::TooLong);
            }
        }
        Progress::More
    }

    /// The text of the value that ended.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self).text
    }

    /// Continues a string at `at`.
    fn string(&mut self, bytes: &[u8], at: usize) -> Result<usize, Progress> {
        if self.is_escaped {
            if bytes[at] == b'\n' {
                return Err(Progress::Broken(at, Fault::LineBreak));
            }
            self.is_escaped = false;
            self.text.push(bytes[at]);
            return Ok(at + 1);
        }
        let rest = &bytes[at..];
        let Some(plain) = memchr::memchr3(b'"', b'\\', b'\n', rest) else {
            self.text.extend_from_slice(rest);
            return Ok(bytes.len());
        };
        self.text.extend_from_slice(&rest[..plain]);
        let (at, byte) = (at + plain, rest[plain]);
        if byte == b'\n' {
            return Err(Progress::Broken(at, Fault::LineBreak));
        }
        self.text.push(byte);
        if byte == b'\\' {
            self.is_escaped = true;
        } else {
            self.in_string = false;
            if self.open.is_empty() {
                return Err(Progress::Ended(at + 1));
            }
        }
        Ok(at + 1)
    }

    /// Takes a byte outside of strings.
    fn token(&mut self, byte: u8, at: usize) -> Result<usize, Progress> {
        // A number or a word that is no member ends where something else begins.
        let ends_scalar = self.open.is_empty() && self.last.is_some();
        if ends_scalar && (is_space(byte) || is_structural(byte) || byte == b'"') {
            return Err(Progress::Ended(at));
        }
        match byte {
            _ if is_space(byte) => {
                self.has_space = true;
                return Ok(at + 1);
            }
            b'{' | b'[' => {
                let follows_value = self
                    .last
                    .is_some_and(|last| !matches!(last, b'{' | b'[' | b',' | b':'));
                if follows_value {
                    return Err(Progress::Broken(at, Fault::Value(byte)));
                }
                self.open.push(if byte == b'{' { b'}' } else { b']' });
            }
            b'}' | b']' => {
                let expected = self.open.pop().unwrap_or(b',');
                if expected != byte {
                    return Err(Progress::Broken(
                        at,
                        Fault::Bracket {
                            found: byte,
                            expected,
                        },
                    ));
                }
            }
            b'"' => self.in_string = true,
            _ => {}
        }
        let separates = |last: u8| !is_structural(last) && !is_structural(byte);
        if std::mem::take(&mut self.has_space) && self.last.is_some_and(separates) {
            self.text.push(b' ');
        }
        self.text.push(byte);
        self.last = Some(byte);
        if matches!(byte, b'}' | b']') && self.open.is_empty() {
            return Err(Progress::Ended(at + 1));
        }
        Ok(at + 1)
    }
}

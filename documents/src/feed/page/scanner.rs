//! The JSON grammar: finds the end of a value, and refuses text that does not follow RFC 8259.
//!
//! Values are not interpreted, so nothing is altered and nothing is too big: numbers of any length, strings
//! with lone surrogate escapes, any depth. There is no recursion; one bit for each level records whether
//! an object or an array is open.

use super::error::{Fault, PageErrorKind as Kind};
use super::wide;

/// Scans one text. Positions are byte offsets into it. Outside of strings the grammar allows only ASCII; within
/// strings UTF-8 is not checked (see `is_ascii`).
pub struct Scanner<'a> {
    bytes: &'a [u8],
    /// Whether whitespace with a CR or LF was passed; set by the scanner, reset by its owner.
    pub(super) line_break: bool,
    /// The bits seen in strings.
    seen: wide::Seen,
    /// Levels that no longer fit in [`Nesting::top`].
    outer: Vec<u64>,
}

/// The containers that are open, innermost in the lowest bit: 1 for an object, 0 for an array.
#[derive(Clone, Copy)]
struct Nesting {
    top: u64,
    depth: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            line_break: false,
            seen: wide::Seen::default(),
            outer: Vec::new(),
        }
    }

    /// Whether all scanned text is ASCII.
    pub(super) fn is_ascii(&self) -> bool {
        self.seen.is_ascii()
    }

    /// Skips whitespace. Returns the next byte and its position; at the end NUL, which no token starts with.
    #[inline(always)]
    pub fn token(&mut self, at: usize) -> (u8, usize) {
        token(self.bytes, at, &mut self.line_break)
    }

    /// The end of the value at `at`, which may be preceded by whitespace.
    pub fn value(&mut self, at: usize) -> Result<usize, Fault> {
        self.scan(at, Nesting { top: 0, depth: 0 })
    }

    /// The end of the object whose member's name and colon were just read.
    pub(super) fn rest_of_object(&mut self, at: usize) -> Result<usize, Fault> {
        self.scan(at, Nesting { top: 1, depth: 1 })
    }

    /// The end of the string whose opening quote is before `at`.
    pub fn string(&mut self, at: usize) -> Result<usize, Fault> {
        string(self.bytes, at, &mut self.seen)
    }

    /// The position after the colon that must follow a member's name.
    #[inline(always)]
    pub fn colon(&mut self, at: usize) -> Result<usize, Fault> {
        colon(self.bytes, at, &mut self.line_break)
    }

    /// What is wrong at a position, with the bytes around it.
    #[cold]
    pub fn fault(&self, kind: Kind, at: usize) -> Fault {
        Fault::at(kind, at, self.bytes)
    }

    fn scan(&mut self, mut at: usize, mut nesting: Nesting) -> Result<usize, Fault> {
        let bytes = self.bytes;
        let mut seen = self.seen;
        self.outer.clear();
        loop {
            let (byte, start) = self.token(at);
            at = match byte {
                b'"' => string(bytes, start + 1, &mut seen)?,
                b'0'..=b'9' | b'-' => number(bytes, start)?,
                b'{' => match self.token(start + 1) {
                    (b'"', quote) => {
                        self.push(&mut nesting, true);
                        at = name(bytes, quote, &mut self.line_break, &mut seen)?;
                        continue;
                    }
                    (b'}', end) => end + 1,
                    (_, wrong) => return Err(self.fault(Kind::ExpectedName, wrong)),
                },
                b'[' => match self.token(start + 1) {
                    (b']', end) => end + 1,
                    (_, first) => {
                        self.push(&mut nesting, false);
                        at = first;
                        continue;
                    }
                },
                b't' => literal(bytes, start, b"true")?,
                b'f' => literal(bytes, start, b"false")?,
                b'n' => literal(bytes, start, b"null")?,
                _ => return Err(self.fault(Kind::ExpectedValue, start)),
            };
            // After a value: containers may end, then the innermost one continues.
            loop {
                if nesting.depth == 0 {
                    self.seen = seen;
                    return Ok(at);
                }
                let (byte, next) = self.token(at);
                at = next + 1;
                if byte == b',' {
                    if nesting.top & 1 == 1 {
                        let (b'"', quote) = self.token(at) else {
                            let (_, wrong) = self.token(at);
                            return Err(self.fault(Kind::ExpectedName, wrong));
                        };
                        at = name(bytes, quote, &mut self.line_break, &mut seen)?;
                    }
                    break;
                }
                // `]` and `}` differ by the bit 0x20.
                if byte != b']' | ((nesting.top & 1) << 5) as u8 {
                    return Err(self.fault(Kind::ExpectedCommaOrEnd, next));
                }
                self.pop(&mut nesting);
            }
        }
    }

    #[inline(always)]
    fn push(&mut self, nesting: &mut Nesting, object: bool) {
        if nesting.depth.is_multiple_of(64) && nesting.depth > 0 {
            self.outer.push(nesting.top);
        }
        nesting.top = nesting.top << 1 | u64::from(object);
        nesting.depth += 1;
    }

    #[inline(always)]
    fn pop(&mut self, nesting: &mut Nesting) {
        nesting.depth -= 1;
        nesting.top >>= 1;
        if nesting.depth.is_multiple_of(64) && nesting.depth > 0 {
            nesting.top = self.outer.pop().unwrap_or_default();
        }
    }
}

/// See [`Scanner::token`].
#[inline(always)]
fn token(bytes: &[u8], at: usize, line_break: &mut bool) -> (u8, usize) {
    match bytes.get(at) {
        Some(&byte) if byte > b' ' => (byte, at),
        _ => token_after_whitespace(bytes, at, line_break),
    }
}

#[cold]
#[inline(never)]
fn token_after_whitespace(bytes: &[u8], mut at: usize, line_break: &mut bool) -> (u8, usize) {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' => {}
            b'\n' | b'\r' => *line_break = true,
            _ => return (byte, at),
        }
        at += 1;
    }
    (0, at)
}

/// See [`Scanner::colon`].
#[inline(always)]
fn colon(bytes: &[u8], at: usize, line_break: &mut bool) -> Result<usize, Fault> {
    match token(bytes, at, line_break) {
        (b':', at) => Ok(at + 1),
        (_, at) => Err(Fault::at(Kind::ExpectedColon, at, bytes)),
    }
}

/// The position after the name that begins with the quote at `quote`, and its colon.
#[inline(always)]
fn name(
    bytes: &[u8],
    quote: usize,
    line_break: &mut bool,
    seen: &mut wide::Seen,
) -> Result<usize, Fault> {
    colon(bytes, string(bytes, quote + 1, seen)?, line_break)
}

/// The end of the string whose opening quote is before `at`.
#[inline(always)]
fn string(bytes: &[u8], mut at: usize, seen: &mut wide::Seen) -> Result<usize, Fault> {
    loop {
        at = wide::string_stop(bytes, at, seen);
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape(bytes, at)?,
            _ => return Err(Fault::at(Kind::ControlCharacter, at, bytes)),
        }
    }
}

/// The end of the escape at `at`.
#[inline(always)]
fn escape(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            // The grammar allows a lone surrogate: it is kept unchanged.
            let digits = bytes.get(at + 2..).unwrap_or_default();
            match digits.iter().take(4).position(|b| !b.is_ascii_hexdigit()) {
                Some(wrong) => Err(Fault::at(Kind::InvalidEscape, at + 2 + wrong, bytes)),
                None if digits.len() < 4 => Err(Fault::at(Kind::Truncated, bytes.len(), bytes)),
                None => Ok(at + 6),
            }
        }
        _ => Err(Fault::at(Kind::InvalidEscape, at + 1, bytes)),
    }
}

/// The end of the number at `at`.
#[inline(always)]
fn number(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    let start = at + usize::from(bytes[at] == b'-');
    let mut end = digits(bytes, start)?;
    if (bytes[start] == b'0') & (end > start + 1) {
        return Err(Fault::at(Kind::InvalidNumber, start + 1, bytes));
    }
    if bytes.get(end) == Some(&b'.') {
        end = digits(bytes, end + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let sign = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        end = digits(bytes, end + 1 + usize::from(sign))?;
    }
    Ok(end)
}

/// The end of the digits at `at`. There must be at least one.
#[inline(always)]
fn digits(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    let end = wide::digits_end(bytes, at);
    if end <= at {
        return Err(Fault::at(Kind::InvalidNumber, at, bytes));
    }
    Ok(end)
}

/// The end of the literal at `at`.
#[inline(always)]
fn literal<const N: usize>(bytes: &[u8], at: usize, text: &[u8; N]) -> Result<usize, Fault> {
    if bytes.get(at..).and_then(<[u8]>::first_chunk) == Some(text) {
        Ok(at + N)
    } else {
        Err(wrong_literal(bytes, at, text))
    }
}

#[cold]
#[inline(never)]
fn wrong_literal(bytes: &[u8], at: usize, text: &[u8]) -> Fault {
    let same = bytes[at..].iter().zip(text).take_while(|(a, b)| a == b);
    Fault::at(Kind::ExpectedValue, at + same.count(), bytes)
}

/// Whether a member's name, the text between its quotes, means `name`. Names may have escapes.
#[inline]
pub(super) fn is_name(raw: &[u8], name: &str) -> bool {
    for (at, expected) in name.bytes().enumerate() {
        match raw.get(at) {
            Some(b'\\') => return is_escaped_name(raw, name),
            Some(found) if *found == expected => {}
            _ => return false,
        }
    }
    raw.len() == name.len()
}

#[cold]
#[inline(never)]
fn is_escaped_name(raw: &[u8], name: &str) -> bool {
    let quoted = [b"\"", raw, b"\""].concat();
    // A name with a lone surrogate cannot be decoded, and is not one of ours.
    serde_json::from_slice::<String>(&quoted).is_ok_and(|decoded| decoded == name)
}

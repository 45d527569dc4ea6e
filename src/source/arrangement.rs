//! How the JSON values of a text are arranged: one per line, or in any other way.

use std::io::{self, BufRead, Cursor, Read};

use super::framer::{Framer, Progress, is_space};

/// The byte-order mark of UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whitespace before the first value that is looked at.
const MAX_SPACE: usize = 1 << 20;

/// How the values of a text are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrangement {
    /// One per line. Whatever is wrong with a line says nothing about the others.
    Lines,
    /// In arrays, over several lines, or one directly after the other.
    Values,
}

/// Finds out how the values are arranged, by the first one: lines if it ends where its line ends. Returns the
/// text from its beginning.
///
/// # Errors
///
/// If it cannot be read so far.
pub(super) fn recognize(
    mut bytes: Box<dyn BufRead + Send>,
) -> io::Result<(Arrangement, Box<dyn BufRead + Send>)> {
    let mut beginning = Vec::new();
    let mut look = Look::default();
    let found = loop {
        let piece = match bytes.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            piece => piece?,
        };
        if piece.is_empty() {
            break look.end();
        }
        let found = look.feed(piece);
        let length = piece.len();
        beginning.extend_from_slice(piece);
        bytes.consume(length);
        if let Some(found) = found {
            break found;
        }
    };
    Ok((found, Box::new(Cursor::new(beginning).chain(bytes))))
}

/// What is known of the first value.
#[derive(Debug, Default)]
struct Look {
    stage: Stage,
    /// How many bytes there were before it.
    before: usize,
    framer: Framer,
    lines: Lines,
}

#[derive(Debug, Default, Clone, Copy)]
enum Stage {
    #[default]
    Before,
    Value,
    After,
}

impl Look {
    fn feed(&mut self, piece: &[u8]) -> Option<Arrangement> {
        let mut at = 0;
        while at < piece.len() {
            let byte = piece[at];
            match self.stage {
                Stage::Before
                    if is_space(byte) || BYTE_ORDER_MARK.get(self.before) == Some(&byte) =>
                {
                    at += 1;
                    self.before += 1;
                    if self.before > MAX_SPACE {
                        return Some(Arrangement::Lines);
                    }
                }
                Stage::Before => match byte {
                    b'[' => return Some(Arrangement::Values),
                    b'{' => self.stage = Stage::Value,
                    _ => return Some(Arrangement::Lines),
                },
                Stage::Value => {
                    let rest = &piece[at..];
                    match self.framer.feed(rest) {
                        Progress::More => {
                            self.lines.note(rest);
                            return None;
                        }
                        Progress::Ended(length) => {
                            self.lines.note(&rest[..length]);
                            self.stage = Stage::After;
                            at += length;
                        }
                        Progress::Broken(length, _) => {
                            self.lines.note(&rest[..length]);
                            self.lines.note_next(rest[length..].first());
                            return Some(self.without_end());
                        }
                    }
                }
                Stage::After => match byte {
                    b' ' | b'\t' | b'\r' => at += 1,
                    b'{' | b'[' => return Some(Arrangement::Values),
                    _ => return Some(self.with_end()),
                },
            }
        }
        None
    }

    /// At the end of the text.
    fn end(&self) -> Arrangement {
        match self.stage {
            Stage::Before => Arrangement::Lines,
            Stage::Value => self.without_end(),
            Stage::After => self.with_end(),
        }
    }

    fn with_end(&self) -> Arrangement {
        if self.lines.are_several {
            Arrangement::Values
        } else {
            Arrangement::Lines
        }
    }

    /// The first value has no end. If another document begins on the second line, the first line is only cut
    /// off.
    fn without_end(&self) -> Arrangement {
        if self.lines.are_several && self.lines.second != Some(b'{') {
            Arrangement::Values
        } else {
            Arrangement::Lines
        }
    }
}

/// The lines of a value.
#[derive(Debug, Default)]
struct Lines {
    are_several: bool,
    /// The first byte of the second line.
    second: Option<u8>,
}

impl Lines {
    fn note(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if !self.are_several {
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                return;
            };
            self.are_several = true;
            rest = &bytes[end + 1..];
        }
        self.note_next(rest.first());
    }

    fn note_next(&mut self, byte: Option<&u8>) {
        if self.are_several && self.second.is_none() {
            self.second = byte.copied();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out one piece after the other.
    struct Pieces(Vec<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.0.first_mut() else {
                return Ok(0);
            };
            let length = piece.len().min(buffer.len());
            buffer[..length].copy_from_slice(&piece[..length]);
            piece.drain(..length);
            if piece.is_empty() {
                self.0.remove(0);
            }
            Ok(length)
        }
    }

    #[test]
    fn the_first_value_shows_how_all_are_arranged() {
        use Arrangement::{Lines, Values};
        for (text, expected) in [
            ("", Lines),
            (" \n\t", Lines),
            ("{\"id\":\"1\"}\n", Lines),
            ("{\"id\":\"1\"}", Lines),
            ("\u{feff}\n {\"id\":\"1\"} \r\n{", Lines),
            ("{\"id\":\"{\"}\n{", Lines),
            ("{} x", Lines),
            ("{},\n{}", Lines),
            ("id,n\n", Lines),
            ("\"a\"", Lines),
            // Lines whose first one is cut off.
            ("{\"id\":\"1\n{\"id\":\"2\"}\n", Lines),
            (
                "{\"id\":\"1\",\"x\":\n{\"id\":\"2\"}\n{\"id\":\"3\"}\n",
                Lines,
            ),
            ("{\"id\":\"1\",\"x\":[1\n{\"id\":\"2\"}\n", Lines),
            ("{\"id\":\"1\",\"x\":[1]]\n{\"id\":\"2\"}\n", Lines),
            ("{\"id\":", Lines),
            ("[", Values),
            ("\u{feff} \n[{", Values),
            ("{}{}", Values),
            ("{} {}", Values),
            ("{}[]", Values),
            ("{\n}", Values),
            ("{\r\n  \"id\": \"1\"\r\n}\r\n", Values),
            ("{\n \"id\": \"1\",", Values),
            ("{\n \"id\": \"1\"]", Values),
        ] {
            for size in 1..=text.len().max(1) {
                let pieces = text.as_bytes().chunks(size).map(<[u8]>::to_vec);
                let pieces = Pieces(pieces.collect());
                let bytes: Box<dyn BufRead + Send> = Box::new(io::BufReader::new(pieces));
                let (found, mut bytes) = recognize(bytes).unwrap();
                assert_eq!(found, expected, "{text:?}, {size}");
                let mut all = String::new();
                bytes.read_to_string(&mut all).unwrap();
                assert_eq!(all, text);
            }
        }
    }
}

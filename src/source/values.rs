//! JSON values in any arrangement that is not one per line: in arrays, over several lines, or one directly
//! after the other.
//!
//! Reading ends at the first place that is not JSON between two values, since nothing shows where the next one
//! begins. Whether a value itself is valid is not checked here.

use std::io::BufRead;

use anyhow::{Result, anyhow};
use bytes::Bytes;

use super::arrangement::BYTE_ORDER_MARK;
use super::declaration::Declarations;
use super::framer::{Framer, Progress, is_space};
use super::opened::{Opened, WHOLE_COPY, broken};
use super::record::{Mark, Record, RecordReader, Within};
use crate::error::with_hint;

/// Reads the elements of arrays, and the values outside of arrays.
pub(super) struct JsonValues {
    opened: Opened,
    declarations: Declarations,
    /// How many bytes were consumed.
    offset: u64,
    line: u64,
    /// How many bytes of the line were consumed.
    column: u64,
    /// How many values were read.
    values: u64,
    place: Place,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A value, an array or the end.
    Outside,
    /// The first element of an array, or its end.
    ArrayBegun,
    /// A comma, or the end of the array.
    ElementEnded,
    /// An element.
    AfterComma,
}

impl JsonValues {
    /// Starts after `mark`.
    pub(super) fn new(opened: Opened, mark: Mark, declarations: Declarations) -> Self {
        let within = mark.within.unwrap_or_default();
        Self {
            opened,
            declarations,
            offset: mark.offset,
            line: within.line.max(1),
            column: within.column,
            values: mark.line,
            place: if within.array {
                Place::ElementEnded
            } else {
                Place::Outside
            },
        }
    }

    /// The rest of what was read; empty at the end of the input.
    fn piece(&mut self) -> Result<&[u8]> {
        let Opened { name, bytes, .. } = &mut self.opened;
        bytes.fill_buf().map_err(|error| broken(name, error))
    }

    fn consume(&mut self, length: usize) -> Result<()> {
        let piece = self.piece()?;
        let consumed = &piece[..length];
        let lines = memchr::memchr_iter(b'\n', consumed).count() as u64;
        let last = memchr::memrchr(b'\n', consumed).map(|last| length - last - 1);
        match last {
            Some(column) => self.column = column as u64,
            None => self.column += length as u64,
        }
        self.line += lines;
        self.offset += length as u64;
        self.opened.bytes.consume(length);
        Ok(())
    }

    /// The next byte that is no whitespace; none at the end.
    fn significant(&mut self) -> Result<Option<u8>> {
        loop {
            let is_first = self.offset < BYTE_ORDER_MARK.len() as u64;
            let mark = BYTE_ORDER_MARK.get(self.offset as usize).copied();
            let piece = self.piece()?;
            let Some(&first) = piece.first() else {
                return Ok(None);
            };
            if is_first && mark == Some(first) {
                self.consume(1)?;
                // It has no width.
                self.column = 0;
                continue;
            }
            let space = piece.iter().take_while(|byte| is_space(**byte)).count();
            if space == 0 {
                return Ok(Some(first));
            }
            self.consume(space)?;
        }
    }

    /// The error of something at this place that does not belong there.
    fn unexpected(&self, what: &str) -> anyhow::Error {
        with_hint(
            anyhow!(
                "{} is not JSON from line {}, column {} on: {what}",
                self.opened.name,
                self.line,
                self.column + 1
            ),
            "everything before that was read; correct the file, or have `jq -c` or another program write one \
             document per line",
        )
    }

    /// The error of an input that ends too early.
    fn cut(&self, within: &str) -> anyhow::Error {
        with_hint(
            anyhow!(
                "{} is truncated: it ends within {within}, after {} complete {}",
                self.opened.name,
                self.values,
                if self.values == 1 {
                    "record"
                } else {
                    "records"
                }
            ),
            WHOLE_COPY,
        )
    }

    /// The value that begins here.
    fn value(&mut self) -> Result<Record> {
        let first_line = self.line;
        let mut framer = Framer::default();
        loop {
            let piece = self.piece()?;
            if piece.is_empty() {
                return Err(self.cut(&format!("the document that begins on line {first_line}")));
            }
            let length = piece.len();
            match framer.feed(piece) {
                Progress::More => self.consume(length)?,
                Progress::Ended(length) => {
                    self.consume(length)?;
                    break;
                }
                Progress::Broken(length, fault) => {
                    self.consume(length)?;
                    let what = if self.line == first_line {
                        fault.to_string()
                    } else {
                        format!("{fault}, in the document that begins on line {first_line}")
                    };
                    return Err(self.unexpected(&what));
                }
            }
        }
        self.values += 1;
        let is_in_array = self.place != Place::Outside;
        if is_in_array {
            self.place = Place::ElementEnded;
        }
        Ok(Record {
            json: Bytes::from(framer.take()),
            form: self.declarations.form(),
            end: Mark {
                offset: self.offset,
                line: self.values,
                within: Some(Within {
                    array: is_in_array,
                    line: self.line,
                    column: self.column,
                    first_line,
                }),
            },
            raw_end: self.opened.blocks.raw_at(self.offset),
        })
    }

    /// The next value, which may declare what the following ones are.
    pub(super) fn read(&mut self) -> Result<Option<Record>> {
        use Place::{AfterComma, ArrayBegun, ElementEnded, Outside};
        loop {
            let Some(byte) = self.significant()? else {
                return match self.place {
                    Outside => Ok(None),
                    _ => Err(self.cut("an array")),
                };
            };
            self.place = match (self.place, byte) {
                (Outside, b'{') => return self.value().map(Some),
                (Outside, b'[') => ArrayBegun,
                (Outside, _) if self.values == 0 => {
                    return Err(self.unexpected("a document or an array is expected"));
                }
                (Outside, _) => {
                    return Err(self.unexpected(&format!(
                        "{} where a document, an array or the end is expected",
                        shown(byte)
                    )));
                }
                (ArrayBegun | ElementEnded, b']') => Outside,
                (ElementEnded, b',') => AfterComma,
                (ElementEnded, _) => {
                    return Err(self.unexpected(&format!(
                        "{} where a comma or the end of the array is expected",
                        shown(byte)
                    )));
                }
                (AfterComma, b']') => {
                    return Err(self.unexpected("the array ends after a comma"));
                }
                (ArrayBegun | AfterComma, b',' | b':' | b'}') => {
                    return Err(
                        self.unexpected(&format!("{} where a document is expected", shown(byte)))
                    );
                }
                (ArrayBegun | AfterComma, _) => return self.value().map(Some),
            };
            self.consume(1)?;
        }
    }
}

/// A byte, as messages show it.
fn shown(byte: u8) -> String {
    if byte.is_ascii_graphic() {
        format!("`{}`", char::from(byte))
    } else {
        format!("the byte 0x{byte:02x}")
    }
}

impl RecordReader for JsonValues {
    fn next(&mut self) -> Result<Option<Record>> {
        while let Some(record) = self.read()? {
            if !self.declarations.take(&record.json, &self.opened.name)? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}

//! JSON lines: one document or change per line.

use std::io::{BufRead, ErrorKind, Read};

use anyhow::{Result, bail};
use bytes::Bytes;

use super::arrangement::BYTE_ORDER_MARK;
use super::declaration::{Declarations, declares};
use super::framer::MAX_VALUE;
use super::opened::{Opened, broken};
use super::record::{Mark, Passing, Record, RecordReader, Text};
use crate::feed::page::first_line;

/// The longest line that is read, in bytes.
const MAX_LINE: u64 = MAX_VALUE as u64;

/// After so many lines that are not kept it is found out again how much was read before decompression.
const LINES: u64 = 64;

/// Reads lines, and skips empty ones.
pub(super) struct JsonLines {
    opened: Opened,
    mark: Mark,
    declarations: Declarations,
    /// Bytes of the buffer that are gone once the next line is asked for.
    passed: usize,
    /// How many bytes before decompression were read, a few lines ago.
    raw: u64,
}

impl JsonLines {
    /// Starts at the line after `mark`.
    pub(super) fn new(opened: Opened, mark: Mark, declarations: Declarations) -> Self {
        Self {
            opened,
            mark,
            declarations,
            passed: 0,
            raw: 0,
        }
    }

    /// The next line that is not empty.
    pub(super) fn line(&mut self) -> Result<Option<Record>> {
        self.pass();
        loop {
            let number = self.mark.line + 1;
            let (mut json, read) = match self.buffered()? {
                Some(line) => line,
                None => match self.unbuffered(number)? {
                    Some(line) => line,
                    None => return Ok(None),
                },
            };
            let is_first = self.mark.offset == 0;
            self.mark = Mark {
                offset: self.mark.offset + read as u64,
                line: number,
                within: None,
            };
            if is_first && json.starts_with(BYTE_ORDER_MARK) {
                json = json.slice(BYTE_ORDER_MARK.len()..);
            }
            if !json.is_empty() {
                return Ok(Some(Record {
                    json,
                    form: self.declarations.form(),
                    end: self.mark,
                    raw_end: self.opened.blocks.raw_at(self.mark.offset),
                }));
            }
        }
    }
}

impl JsonLines {
    /// The line that was looked at last is read.
    fn pass(&mut self) {
        self.opened.bytes.consume(std::mem::take(&mut self.passed));
    }

    /// The next line, if all of it is in the buffer, without whitespace at its end; and how many bytes it has with it.
    fn line_in_buffer(&mut self) -> Result<Option<(&[u8], usize)>> {
        let buffer = match self.opened.bytes.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(None),
            Err(error) => return Err(broken(&self.opened.name, error)),
        };
        Ok(first_line(buffer))
    }

    /// A copy of it.
    fn buffered(&mut self) -> Result<Option<(Bytes, usize)>> {
        let Some((line, read)) = self.line_in_buffer()? else {
            return Ok(None);
        };
        let json = Bytes::copy_from_slice(line);
        self.opened.bytes.consume(read);
        Ok(Some((json, read)))
    }

    /// The same of a line that is longer, or the last one; none at the end.
    fn unbuffered(&mut self, number: u64) -> Result<Option<(Bytes, usize)>> {
        let mut line = Vec::new();
        let read = (&mut self.opened.bytes)
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .map_err(|error| broken(&self.opened.name, error))?;
        if read == 0 {
            return Ok(None);
        }
        if read as u64 == MAX_LINE && line.last() != Some(&b'\n') {
            bail!(
                "line {number} of {} is longer than {} MiB, so this is not a file of JSON lines",
                self.opened.name,
                MAX_LINE >> 20
            );
        }
        line.truncate(line.trim_ascii_end().len());
        Ok(Some((Bytes::from(line), read)))
    }
}

impl RecordReader for JsonLines {
    fn next(&mut self) -> Result<Option<Record>> {
        while let Some(line) = self.line()? {
            if !self.declarations.take(&line.json, &self.opened.name)? {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    fn next_passing(&mut self) -> Result<Option<Passing<'_>>> {
        self.pass();
        // What is unusual about a line or its place is found out with a copy of it.
        let is_first = self.mark.offset == 0;
        let line = self.line_in_buffer()?;
        let line = line.filter(|(text, _)| !is_first && !text.is_empty() && !declares(text));
        let Some((length, read)) = line.map(|(text, read)| (text.len(), read)) else {
            return Ok(self.next()?.map(Passing::from));
        };
        self.mark = Mark {
            offset: self.mark.offset + read as u64,
            line: self.mark.line + 1,
            within: None,
        };
        if self.mark.line.is_multiple_of(LINES) {
            self.raw = self.opened.blocks.raw_at(self.mark.offset);
        }
        self.declarations.none_declares();
        self.passed = read;
        let buffer = self.opened.bytes.fill_buf();
        let buffer = buffer.map_err(|error| broken(&self.opened.name, error))?;
        Ok(Some(Passing {
            json: Text::Read(&buffer[..length]),
            form: self.declarations.form(),
            end: self.mark,
            raw_end: self.raw,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;
    use crate::source::opened::Kind;

    /// A line and where it ends.
    type Line = (Vec<u8>, u64, u64);

    /// All lines, read through a buffer of so many bytes.
    fn lines(text: &'static [u8], buffer: usize) -> Vec<Line> {
        let bytes = Box::new(BufReader::with_capacity(buffer, text));
        let opened = Opened::of_bytes(bytes, "x".to_owned(), Kind::Text);
        let mut lines = JsonLines::new(opened, Mark::default(), Declarations::default());
        let next = || lines.line().unwrap();
        std::iter::from_fn(next)
            .map(|line| (line.json.to_vec(), line.end.offset, line.end.line))
            .collect()
    }

    #[test]
    fn lines_are_the_same_wherever_the_buffer_ends() {
        for (text, expected) in [
            (
                &b"\xef\xbb\xbf{\"a\":1}\n\n{}  \r\n \n{\"b\":2}\n"[..],
                &[
                    (&b"{\"a\":1}"[..], 11, 1),
                    (b"{}", 18, 3),
                    (b"{\"b\":2}", 28, 5),
                ][..],
            ),
            (b"{} \n1", &[(b"{}", 4, 1), (b"1", 5, 2)]),
            (b" {}", &[(b" {}", 3, 1)]),
            (b"\n\n", &[]),
            (b"", &[]),
        ] {
            let expected: Vec<Line> = expected
                .iter()
                .map(|(json, offset, line)| (json.to_vec(), *offset, *line))
                .collect();
            for buffer in 1..40 {
                assert_eq!(lines(text, buffer), expected, "{buffer}");
            }
        }
    }
}

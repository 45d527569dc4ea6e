//! JSON lines: one document or change per line.

use std::io::{BufRead, ErrorKind, Read};

use anyhow::{Result, bail};
use bytes::Bytes;

use super::arrangement::BYTE_ORDER_MARK;
use super::declaration::Declarations;
use super::framer::MAX_VALUE;
use super::opened::{Opened, broken};
use super::record::{Mark, Record, RecordReader};

/// The longest line that is read, in bytes.
const MAX_LINE: u64 = MAX_VALUE as u64;

/// Reads lines, and skips empty ones.
pub(super) struct JsonLines {
    opened: Opened,
    mark: Mark,
    declarations: Declarations,
}

impl JsonLines {
    /// Starts at the line after `mark`.
    pub(super) fn new(opened: Opened, mark: Mark, declarations: Declarations) -> Self {
        Self {
            opened,
            mark,
            declarations,
        }
    }

    /// The next line that is not empty.
    pub(super) fn line(&mut self) -> Result<Option<Record>> {
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
    /// The next line, if all of it is in the buffer, without whitespace at its end; and its bytes with it.
    fn buffered(&mut self) -> Result<Option<(Bytes, usize)>> {
        let buffer = match self.opened.bytes.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(None),
            Err(error) => return Err(broken(&self.opened.name, error)),
        };
        let Some(end) = memchr::memchr(b'\n', buffer) else {
            return Ok(None);
        };
        let json = Bytes::copy_from_slice(buffer[..end].trim_ascii_end());
        self.opened.bytes.consume(end + 1);
        Ok(Some((json, end + 1)))
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

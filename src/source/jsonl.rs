//! JSON lines: one document or change per line.

use std::io::{BufRead, Read};

use anyhow::{Result, bail};
use bytes::Bytes;

use super::opened::{Opened, broken};
use super::record::{Mark, Record, RecordReader};

/// The longest line that is read, in bytes: a document has up to 2 MB, and an envelope has two.
const MAX_LINE: u64 = 64 << 20;

/// Reads lines, and skips empty ones.
pub(super) struct JsonLines {
    opened: Opened,
    mark: Mark,
}

impl JsonLines {
    pub(super) fn new(opened: Opened, mark: Mark) -> Self {
        Self { opened, mark }
    }
}

impl RecordReader for JsonLines {
    fn next(&mut self) -> Result<Option<Record>> {
        loop {
            let mut line = Vec::new();
            let read = (&mut self.opened.bytes)
                .take(MAX_LINE)
                .read_until(b'\n', &mut line)
                .map_err(|error| broken(&self.opened.name, error))?;
            if read == 0 {
                return Ok(None);
            }
            let number = self.mark.line + 1;
            if read as u64 == MAX_LINE && line.last() != Some(&b'\n') {
                bail!(
                    "line {number} of {} is longer than {} MiB, so this is not a file of JSON lines",
                    self.opened.name,
                    MAX_LINE >> 20
                );
            }
            let is_first = self.mark.offset == 0;
            self.mark = Mark {
                offset: self.mark.offset + read as u64,
                line: number,
            };
            while line.last().is_some_and(u8::is_ascii_whitespace) {
                line.pop();
            }
            let mut json = Bytes::from(line);
            if is_first && json.starts_with(b"\xef\xbb\xbf") {
                json = json.slice(3..);
            }
            if !json.is_empty() {
                return Ok(Some(Record {
                    json,
                    end: self.mark,
                }));
            }
        }
    }
}

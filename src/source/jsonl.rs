//! JSON lines: one document or change per line.

use std::io::{BufRead, Read};

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
                within: None,
            };
            while line.last().is_some_and(u8::is_ascii_whitespace) {
                line.pop();
            }
            let mut json = Bytes::from(line);
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

//! JSON lines: one document or change per line.

use std::io::{BufRead, Read};

use anyhow::{Result, bail};
use bytes::Bytes;

use super::declaration::{Declaration, declared_by};
use super::opened::{Opened, broken};
use super::record::{Mark, Record, RecordReader};

/// The longest line that is read, in bytes: a document has up to 2 MB, and an envelope has two.
const MAX_LINE: u64 = 64 << 20;

/// Reads lines, and skips empty ones.
pub(super) struct JsonLines {
    opened: Opened,
    mark: Mark,
    /// What the lines are, if that is declared.
    declared: Option<Declaration>,
    /// Whether there were lines before anything declared what they are.
    has_undeclared: bool,
}

impl JsonLines {
    /// Starts at the line after `mark`. `first` is the first line, if it is before that.
    ///
    /// # Errors
    ///
    /// If the first line contradicts what is `declared`.
    pub(super) fn new(
        opened: Opened,
        mark: Mark,
        declared: Option<Declaration>,
        first: Option<Record>,
    ) -> Result<Self> {
        let mut this = Self {
            opened,
            mark,
            declared,
            has_undeclared: false,
        };
        if let Some(first) = first {
            this.has_undeclared = !this.is_heading(&first)? && this.declared.is_none();
        }
        Ok(this)
    }

    /// Whether `line` is no record, but declares what the following lines are.
    fn is_heading(&mut self, line: &Record) -> Result<bool> {
        let Some(form) = declared_by(&line.json) else {
            return Ok(false);
        };
        let heading = Declaration {
            form,
            by: "a line in it",
        };
        // Lines of which nothing is declared are documents.
        let before = self
            .declared
            .take()
            .or_else(|| self.has_undeclared.then(Declaration::by_default));
        self.declared = Some(Declaration::agree(before, heading, &self.opened.name)?);
        Ok(true)
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
                    form: self.declared.as_ref().map(|declared| declared.form),
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
            if !self.is_heading(&line)? {
                self.has_undeclared |= line.form.is_none();
                return Ok(Some(line));
            }
        }
        Ok(None)
    }
}

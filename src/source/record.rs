//! Records, and their positions in an input.

use std::ops::Deref;

use anyhow::Result;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::feed::RecordForm;

/// A position in one input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// How many bytes of the input were read, after decompression.
    pub offset: u64,
    /// How many lines, rows or values were read.
    pub line: u64,
    /// Where this is among JSON values that are not one per line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
}

/// A position among JSON values that are not one per line, at the end of one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// Whether it is within an array.
    pub array: bool,
    /// The number of its line, from 1.
    pub line: u64,
    /// How many bytes of that line are before it.
    pub column: u64,
    /// The line on which the value begins.
    #[serde(skip)]
    pub first_line: u64,
}

/// One document or change.
#[derive(Debug, Clone)]
pub struct Record {
    /// The JSON text as it is in the source, not yet checked.
    pub json: Bytes,
    /// What it is; none if nothing declares it.
    pub form: Option<RecordForm>,
    /// The position after it. Its own number is [`Mark::line`].
    pub end: Mark,
    /// How many bytes of the input, before decompression, end with it, as far as that can be known.
    pub raw_end: u64,
}

/// A document or change that is not kept: its text may be where the reader has it.
#[derive(Debug)]
pub struct Passing<'a> {
    /// As in a [`Record`].
    pub json: Text<'a>,
    /// As in a [`Record`].
    pub form: Option<RecordForm>,
    /// As in a [`Record`].
    pub end: Mark,
    /// As in a [`Record`], or a little less.
    pub raw_end: u64,
}

/// The text of a record.
#[derive(Debug, Clone)]
pub enum Text<'a> {
    /// In the buffer of its reader.
    Read(&'a [u8]),
    /// In memory of its own.
    Own(Bytes),
}

impl Deref for Text<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Read(text) => text,
            Self::Own(text) => text,
        }
    }
}

impl Text<'_> {
    /// The text, in memory of its own.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Read(text) => Bytes::copy_from_slice(text),
            Self::Own(text) => text.clone(),
        }
    }
}

impl From<Record> for Passing<'_> {
    fn from(record: Record) -> Self {
        Self {
            json: Text::Own(record.json),
            form: record.form,
            end: record.end,
            raw_end: record.raw_end,
        }
    }
}

/// Reads the records of one input, in their order.
pub trait RecordReader: Send {
    /// The next record; none at the end.
    ///
    /// # Errors
    ///
    /// If the input cannot be read further. Nothing is known about the rest of it.
    fn next(&mut self) -> Result<Option<Record>>;

    /// The next record, for whoever looks at one after the other and keeps none: it is copied only where it has to be.
    ///
    /// # Errors
    ///
    /// As [`RecordReader::next`].
    fn next_passing(&mut self) -> Result<Option<Passing<'_>>> {
        Ok(self.next()?.map(Passing::from))
    }
}

//! CSV by RFC 4180: a header in every file, lines that end in CR LF, a cell for each column.
//!
//! A cell without a value holds the text for that; a value that looks the same goes to the overflow
//! column, so that the two can be told apart by every reader. So does text with a NUL, at which
//! readers stop.

use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use csv::{Terminator, Writer, WriterBuilder};

use super::format::{Encoded, Encoder, EncoderOptions};
use super::table::Table;
use crate::feed::page::Page;
use crate::feed::{FeedMode, RangeId};
use crate::schema::fit::{Text, write_timestamp};
use crate::schema::{Cell, Fraction, Layout};
use crate::state::model::CsvOptions;

/// Writes documents as CSV.
pub(super) struct Csv {
    mode: FeedMode,
    options: CsvOptions,
    key_paths: Vec<String>,
    layout: Arc<OnceLock<Layout>>,
    table: Option<Table>,
    /// The text of the cell that is being written.
    scratch: Vec<u8>,
}

impl Csv {
    pub(super) fn new(options: &EncoderOptions) -> Self {
        Self {
            mode: options.mode,
            options: options.csv.clone(),
            key_paths: options.partition_key_paths.clone(),
            layout: Arc::clone(&options.layout),
            table: None,
            scratch: Vec::new(),
        }
    }

    fn table(&mut self) -> Result<&Table> {
        if self.table.is_none() {
            let table = Table::of_known(&self.layout, self.mode, &self.key_paths, true)?;
            self.table = Some(table);
        }
        self.table.as_ref().context("CSV has no columns")
    }

    fn writer(&self, out: &mut Vec<u8>) -> Writer<Vec<u8>> {
        WriterBuilder::new()
            // It was ASCII when it was typed.
            .delimiter(u8::try_from(self.options.delimiter).unwrap_or(b','))
            .terminator(Terminator::CRLF)
            .from_writer(std::mem::take(out))
    }
}

impl Encoder for Csv {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let safe = self.options.safe;
        let columns = self.table()?.columns();
        let names: Vec<String> = columns
            .iter()
            .map(|column| column.path.to_string())
            .collect();
        let mut writer = self.writer(out);
        for name in names {
            write_text(name.as_bytes(), safe, &mut self.scratch, &mut writer)?;
        }
        writer.write_record(None::<&[u8]>)?;
        *out = writer.into_inner().context("cannot write CSV")?;
        Ok(())
    }

    fn makes_rows(&self, page: &Page) -> bool {
        makes_rows(self.mode, page)
    }

    fn encode(&mut self, _: RangeId, page: &Page, out: &mut Vec<u8>) -> Result<Encoded> {
        let mut encoded = Encoded::whole(0);
        if !self.makes_rows(page) {
            return Ok(encoded);
        }
        self.table()?;
        let Some(table) = &self.table else {
            return Ok(encoded);
        };
        let null = self.options.null.as_bytes();
        let accepts = |cell: &Cell<'_>| is_told_from_null(cell, null);
        let mut row = table.row();
        let mut writer = self.writer(out);
        for item in page.items() {
            if !table.read(item, &accepts, &mut row) {
                continue;
            }
            for cell in row.leading() {
                match cell {
                    Cell::Json(json) => write_rest(json, null, &mut writer)?,
                    cell => write_cell(cell, &self.options, &mut self.scratch, &mut writer)?,
                }
            }
            if let Some(cells) = row.document() {
                for cell in cells {
                    write_cell(*cell, &self.options, &mut self.scratch, &mut writer)?;
                }
                match row.extra() {
                    Some(extra) => write_rest(extra, null, &mut writer)?,
                    None => writer.write_field(null)?,
                }
            }
            writer.write_record(None::<&[u8]>)?;
            encoded.rows += 1;
            encoded.overflowed += u64::from(row.extra().is_some());
        }
        *out = writer.into_inner().context("cannot write CSV")?;
        Ok(encoded)
    }
}

/// Whether a page has a row for a table.
pub(super) fn makes_rows(mode: FeedMode, page: &Page) -> bool {
    match mode {
        FeedMode::LatestVersion => page.items().any(|item| item.document().is_some()),
        FeedMode::AllVersionsAndDeletes => !page.is_empty(),
    }
}

/// Whether a reader that is told what stands for no value takes the cell for one.
fn is_told_from_null(cell: &Cell<'_>, null: &[u8]) -> bool {
    match cell {
        Cell::Text(Text::Plain(text)) => *text != null,
        Cell::Text(escaped) => {
            let text = escaped.decoded();
            *text != *null && !text.contains(&0)
        }
        Cell::Boolean(true) => null != b"true",
        Cell::Boolean(false) => null != b"false",
        Cell::Int64(_, json) | Cell::Double(_, json) | Cell::Json(json) | Cell::List(json, _) => {
            *json != null
        }
        Cell::Timestamp(_, text) => *text.decoded() != *null,
        Cell::Null | Cell::Integer(_) | Cell::Moment(_) | Cell::Object => true,
    }
}

/// JSON that has no other place to go to: it is told from no value by a space.
fn write_rest(json: &[u8], null: &[u8], writer: &mut Writer<Vec<u8>>) -> Result<()> {
    match json == null {
        true => writer.write_field([json, b" "].concat())?,
        false => writer.write_field(json)?,
    }
    Ok(())
}

fn write_cell(
    cell: Cell<'_>,
    options: &CsvOptions,
    scratch: &mut Vec<u8>,
    writer: &mut Writer<Vec<u8>>,
) -> Result<()> {
    match cell {
        // A struct is its fields' columns here.
        Cell::Null | Cell::Object => writer.write_field(&options.null)?,
        Cell::Boolean(value) => writer.write_field(if value { "true" } else { "false" })?,
        Cell::Int64(_, json) | Cell::Double(_, json) | Cell::Json(json) | Cell::List(json, _) => {
            writer.write_field(json)?;
        }
        Cell::Text(Text::Plain(text)) => write_text(text, options.safe, scratch, writer)?,
        Cell::Text(text @ Text::Escaped(_)) => {
            let text = text.decoded();
            write_text(&text, options.safe, scratch, writer)?;
        }
        Cell::Timestamp(_, text) => writer.write_field(&*text.decoded())?,
        Cell::Integer(value) => {
            scratch.clear();
            write!(scratch, "{value}")?;
            writer.write_field(&*scratch)?;
        }
        Cell::Moment(microseconds) => {
            scratch.clear();
            write_timestamp(microseconds, Fraction::Digits(0), scratch);
            writer.write_field(&*scratch)?;
        }
    }
    Ok(())
}

/// Text that a person wrote, defused if that is wanted: what begins like this is a formula for a
/// spreadsheet.
fn write_text(
    text: &[u8],
    safe: bool,
    scratch: &mut Vec<u8>,
    writer: &mut Writer<Vec<u8>>,
) -> Result<()> {
    if safe
        && matches!(
            text.first(),
            Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r')
        )
    {
        scratch.clear();
        scratch.push(b'\'');
        scratch.extend_from_slice(text);
        writer.write_field(&*scratch)?;
    } else {
        writer.write_field(text)?;
    }
    Ok(())
}

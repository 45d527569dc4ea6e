//! CSV by RFC 4180: a header in every file, lines that end in CR LF, a cell for each column.
//!
//! A cell without a value has the null text. A value with the same text goes to the overflow column, so that
//! every reader can distinguish the two. So does text with a NUL, at which some readers stop.
//!
//! Fields are written here and not by the crate `csv`, which would search each of them for characters that
//! need quotes. Most fields are known to have none.

use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};

use super::encoder::{Encoded, Encoder, EncoderOptions, FileAbout};
use super::options::{CsvOptions, Extra};
use super::order::Order;
use super::table::Table;
use crate::feed::page::Page;
use crate::feed::{FeedMode, RangeId};
use crate::schema::fit::{Text, write_timestamp};
use crate::schema::{Cell, Column, Fraction, TableForm, TableLayout};

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Writes documents as CSV.
pub(super) struct Csv {
    mode: FeedMode,
    options: CsvOptions,
    key_paths: Vec<String>,
    layout: Arc<OnceLock<TableLayout>>,
    form: TableForm,
    extra: Extra,
    order: Order,
    table: Option<Table>,
}

impl Csv {
    pub(super) fn new(options: &EncoderOptions) -> Self {
        Self {
            mode: options.mode,
            options: options.csv.clone(),
            key_paths: options.partition_key_paths.clone(),
            layout: Arc::clone(&options.layout),
            form: options.form,
            extra: options.extra,
            order: Order::default(),
            table: None,
        }
    }

    fn table(&mut self) -> Result<&Table> {
        if self.table.is_none() {
            let table = Table::of_known(&self.layout, self.form, self.mode, &self.key_paths, true)?;
            self.table = Some(table);
        }
        self.table.as_ref().context("CSV has no columns")
    }

    fn lines<'o>(&self, out: &'o mut Vec<u8>) -> Lines<'o> {
        Lines {
            out,
            // The command line allows ASCII only.
            delimiter: u8::try_from(self.options.delimiter).unwrap_or(b','),
            is_begun: false,
        }
    }
}

impl Encoder for Csv {
    fn begin(&mut self, _: &FileAbout<'_>, out: &mut Vec<u8>) -> Result<()> {
        let (form, options) = (self.form, self.options.clone());
        let columns = self.table()?.columns().iter();
        let names: Vec<String> = columns
            .map(|column| header_name(column, form, &options))
            .collect();
        if options.bom {
            out.extend_from_slice(BYTE_ORDER_MARK);
        }
        let mut lines = self.lines(out);
        for name in names {
            lines.field(name.as_bytes());
        }
        lines.end();
        Ok(())
    }

    fn makes_rows(&self, page: &Page) -> bool {
        makes_rows(self.mode, page)
    }

    fn encode(&mut self, range: RangeId, page: &Page, out: &mut Vec<u8>) -> Result<Encoded> {
        let mut encoded = Encoded::whole(0);
        if !self.makes_rows(page) {
            return Ok(encoded);
        }
        self.table()?;
        let Some(table) = &self.table else {
            return Ok(encoded);
        };
        let null = self.options.null.as_bytes();
        let accepts = |cell: &Cell<'_>| differs_from_null(cell, null);
        let mut order = std::mem::take(&mut self.order);
        let mut row = table.row();
        let mut lines = self.lines(out);
        for item in page.items() {
            let number = order.number(range, item);
            if !table.read(item, number, &accepts, &mut row) {
                continue;
            }
            encoded.dropped += u64::from(table.settle(self.extra, Some(null), item, &mut row)?);
            for cell in row.leading() {
                match cell {
                    Cell::Json(json) => write_rest(json, null, &mut lines),
                    cell => write_cell(cell, &self.options, &mut lines),
                }
            }
            if let Some(cells) = row.document() {
                for cell in cells {
                    write_cell(*cell, &self.options, &mut lines);
                }
                for rest in row.rest() {
                    match rest {
                        Some(json) => write_rest(json, null, &mut lines),
                        None => lines.field(null),
                    }
                }
            }
            lines.end();
            encoded.rows += 1;
            encoded.overflowed += u64::from(row.extra().is_some());
        }
        self.order = order;
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

/// Whether a reader that knows the null text reads the cell as a value.
fn differs_from_null(cell: &Cell<'_>, null: &[u8]) -> bool {
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
        Cell::Null | Cell::Integer(_) | Cell::Moment(_) | Cell::Rounded(_) | Cell::Object => true,
    }
}

/// Writes JSON that has no overflow column to go to. If it is the null text, a space distinguishes it.
fn write_rest(json: &[u8], null: &[u8], lines: &mut Lines<'_>) {
    if json == null {
        lines.field(&[json, b" "].concat())
    } else {
        lines.field(json)
    }
}

fn write_cell(cell: Cell<'_>, options: &CsvOptions, lines: &mut Lines<'_>) {
    match cell {
        // A struct consists of the columns of its fields.
        Cell::Null | Cell::Object => lines.field(options.null.as_bytes()),
        Cell::Boolean(value) => lines.plain_field(if value { b"true" } else { b"false" }),
        Cell::Int64(_, json) | Cell::Double(_, json) => lines.plain_field(json),
        Cell::Json(json) | Cell::List(json, _) => lines.field(json),
        Cell::Text(text) if options.safe => write_text(&text.decoded(), true, lines),
        Cell::Text(Text::Plain(text)) | Cell::Timestamp(_, Text::Plain(text)) => {
            lines.plain_field(text);
        }
        Cell::Text(text) | Cell::Timestamp(_, text) => lines.field(&text.decoded()),
        Cell::Integer(value) => lines.plain_field(value.to_string().as_bytes()),
        Cell::Moment(microseconds) | Cell::Rounded(microseconds) => {
            let mut text = Vec::new();
            write_timestamp(microseconds, Fraction::Digits(0), &mut text);
            lines.plain_field(&text);
        }
    }
}

/// The name of a column in the header of files in this form.
pub fn header_name(column: &Column, form: TableForm, options: &CsvOptions) -> String {
    let name = if form.is_first() {
        column.path.to_string()
    } else {
        column.path.column_name()
    };
    if options.safe && begins_a_formula(name.as_bytes()) {
        format!("'{name}")
    } else {
        name
    }
}

/// Whether a spreadsheet would take the text for a formula.
fn begins_a_formula(text: &[u8]) -> bool {
    matches!(
        text.first(),
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r')
    )
}

/// Writes text. With `safe`, text that a spreadsheet would take for a formula gets a `'` in front.
fn write_text(text: &[u8], safe: bool, lines: &mut Lines<'_>) {
    if safe && begins_a_formula(text) {
        lines.field(&[b"'", text].concat())
    } else {
        lines.field(text)
    }
}

/// Writes lines field by field. A line has at least two fields, so no line is empty.
struct Lines<'o> {
    out: &'o mut Vec<u8>,
    delimiter: u8,
    /// Whether the line has a field.
    is_begun: bool,
}

impl Lines<'_> {
    fn separate(&mut self) {
        if self.is_begun {
            self.out.push(self.delimiter);
        }
        self.is_begun = true;
    }

    /// Adds any text.
    fn field(&mut self, text: &[u8]) {
        let needs_quotes = memchr::memchr3(b'"', b'\r', b'\n', text).is_some();
        if needs_quotes || memchr::memchr(self.delimiter, text).is_some() {
            self.quoted_field(text)
        } else {
            self.separate();
            self.out.extend_from_slice(text);
        }
    }

    /// Adds text without quotes and line ends, such as numbers and JSON strings without escapes.
    fn plain_field(&mut self, text: &[u8]) {
        match memchr::memchr(self.delimiter, text) {
            Some(_) => self.quoted_field(text),
            None => {
                self.separate();
                self.out.extend_from_slice(text);
            }
        }
    }

    fn quoted_field(&mut self, text: &[u8]) {
        self.separate();
        self.out.push(b'"');
        let mut rest = text;
        while let Some(quote) = memchr::memchr(b'"', rest) {
            self.out.extend_from_slice(&rest[..=quote]);
            self.out.push(b'"');
            rest = &rest[quote + 1..];
        }
        self.out.extend_from_slice(rest);
        self.out.push(b'"');
    }

    fn end(&mut self) {
        self.out.extend_from_slice(b"\r\n");
        self.is_begun = false;
    }
}

#[cfg(test)]
mod tests {
    use csv::{Terminator, WriterBuilder};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_are_the_same_as_from_the_csv_crate(
            lines in proptest::collection::vec(
                proptest::collection::vec("[ab\",;:\r\n\té.1-]{0,12}", 2..5), 0..5),
            delimiter in proptest::sample::select(b",;\t:1 -".to_vec()),
        ) {
            let mut out = Vec::new();
            let mut written = Lines { out: &mut out, delimiter, is_begun: false };
            let mut expected = WriterBuilder::new()
                .delimiter(delimiter)
                .terminator(Terminator::CRLF)
                .flexible(true)
                .from_writer(Vec::new());
            for line in &lines {
                for (number, text) in line.iter().enumerate() {
                    if text.contains(['"', '\r', '\n']) || number % 2 == 0 { written.field(text.as_bytes()) } else { written.plain_field(text.as_bytes()) }
                }
                written.end();
                expected.write_record(line).unwrap();
            }
            prop_assert_eq!(out, expected.into_inner().unwrap());
        }
    }
}

//! How a change is shown: to a program that reads a pipe, or to a person at a terminal.
//!
//! A **pipe** gets one JSON document per line. Without `--fields` and `--jq` it is the service's own text:
//! copied, not parsed. A **terminal** gets one line per change, cut to its width: a few aligned columns (time in
//! UTC, operation, id, partition key), then the document without its system fields. It gets no character of the
//! data that it could take for a command; see [`crate::escape`].
//!
//! Nothing here does I/O, and only `--jq` parses documents into values. Numbers, order, duplicates and
//! escapes stay as they were, in every format.
//!
//! # What changed
//!
//! [`ChangeFormat::Diff`] and [`ChangeFormat::DiffJson`] compare the document with its previous image, and show the
//! fields that differ.
//!
//! # Deleted items
//!
//! A deletion has no document. Where documents are shown, it is shown in its envelope: a document may have any
//! member, but it always has an `id`, which an envelope never has.
//!
//! # Fields and filters
//!
//! [`Fields`] leaves out parts of a document; in an envelope it applies to `current` and `previous`.
//! [`Filter`] replaces the change with the outputs of a program: each on its own line, on a terminal in
//! colour but without columns. If there is no output, nothing is shown.

pub mod change;
mod columns;
mod diff;
mod envelope;
mod fields;
mod filter;
mod json_style;
mod line;
mod terminal;
mod tokens;
mod what_changed;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;

pub use diff::{Difference, differences};
pub use fields::Fields;
pub use filter::{Filter, MAX_DEPTH, MAX_OUTPUT_BYTES, MAX_OUTPUTS};
pub use tokens::decode_string;

use std::borrow::Cow;

use crate::escape::escape_data;
use crate::feed::RangeId;
use crate::feed::page::{ItemRef, write_line};
use change::{Change, KeyPath, parse_key_path};
use columns::{Columns, Style, Times};
use json_style::JsonStyle;
use terminal::colour;
use what_changed::{Images, previous_image, write_object};

/// The form in which a change is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ChangeFormat {
    /// The document on one line.
    #[default]
    Json,
    /// The document, indented.
    Pretty,
    /// On one line an object with `current`, `previous`, `metadata` and `range`.
    Envelope,
    /// On one line the columns of the change, and the document without its system fields.
    Line,
    /// On one line the columns of the change, and the fields that differ.
    Diff,
    /// The same as an object.
    DiffJson,
}

impl ChangeFormat {
    /// Whether a change has columns on a terminal.
    fn has_columns(self, is_terminal: bool) -> bool {
        match self {
            Self::Line | Self::Diff => true,
            Self::Pretty => is_terminal,
            Self::Json | Self::Envelope | Self::DiffJson => false,
        }
    }
}

/// The input of a filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FilterInput {
    /// The document, or the envelope of a deletion.
    #[default]
    Document,
    /// The envelope, as [`ChangeFormat::Envelope`] shows it.
    Envelope,
}

/// A terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Whether to show colours.
    pub color: bool,
}

/// How changes are shown.
#[derive(Debug, Clone, Default)]
pub struct RenderOptions {
    /// The form. With a filter, that of the outputs: indented or on one line.
    pub format: ChangeFormat,
    /// The parts of documents to show; everything if none.
    pub fields: Option<Fields>,
    /// The program whose outputs are shown.
    pub filter: Option<Filter>,
    /// Whether strings among these outputs are shown as their text, without quotes.
    pub raw_output: bool,
    /// The input of that program. [`ChangeFormat::Envelope`] implies [`FilterInput::Envelope`].
    pub filter_input: FilterInput,
    /// The terminal to show changes on; none for a pipe or a file.
    pub terminal: Option<Terminal>,
    /// The paths of the container's partition key, as the container defines them: `/tenant/id`.
    pub partition_key_paths: Vec<String>,
    /// Whether the feed has only the latest versions: then no operation is shown, since it is not known.
    pub latest_only: bool,
    /// The width to which [`ChangeFormat::Line`] and [`ChangeFormat::Diff`] are cut, in columns; none for whole
    /// lines. [`Renderer::set_width`] changes it.
    pub width: Option<usize>,
}

/// Shows changes, one after another. It keeps the widths of columns, the day, and its buffers.
#[derive(Debug, Clone)]
pub struct Renderer {
    format: ChangeFormat,
    fields: Option<Fields>,
    filter: Option<Filter>,
    raw_output: bool,
    filter_input: FilterInput,
    style: JsonStyle,
    key_paths: Vec<KeyPath>,
    columns: Option<Columns>,
    width: Option<usize>,
    text: Vec<u8>,
}

impl Renderer {
    /// A renderer with these options.
    pub fn new(options: RenderOptions) -> Self {
        let terminal = options.terminal;
        let color = terminal.is_some_and(|terminal| terminal.color);
        let key_paths: Vec<KeyPath> = options
            .partition_key_paths
            .iter()
            .map(|path| parse_key_path(path))
            .collect();
        // The outputs of a filter are what the user chose.
        let has_columns =
            options.filter.is_none() && options.format.has_columns(terminal.is_some());
        let style = Style {
            times: if terminal.is_some() {
                Times::OfDay
            } else {
                Times::Full
            },
            coloured: color,
            latest_only: options.latest_only,
        };
        Self {
            style: JsonStyle {
                indented: options.format == ChangeFormat::Pretty,
                escaped: terminal.is_some(),
                coloured: color,
            },
            columns: has_columns.then(|| Columns::new(style, &key_paths)),
            filter_input: match options.format {
                ChangeFormat::Envelope => FilterInput::Envelope,
                _ => options.filter_input,
            },
            format: options.format,
            fields: options.fields,
            filter: options.filter,
            raw_output: options.raw_output,
            key_paths,
            width: options.width,
            text: Vec::new(),
        }
    }

    /// Sets the width to which lines are cut, of a terminal that was resized.
    pub fn set_width(&mut self, width: Option<usize>) {
        self.width = width;
    }

    /// Appends the change `item` of `range` to `out`, as whole lines. Returns whether anything was appended.
    ///
    /// # Errors
    ///
    /// If the filter fails on this change: a message for standard error on one line, safe for a terminal,
    /// without a prefix such as `error:`. Outputs before the error have been appended and should be written.
    /// The next change can be shown as usual.
    pub fn render(
        &mut self,
        item: ItemRef<'_>,
        range: RangeId,
        out: &mut Vec<u8>,
    ) -> Result<bool, String> {
        let plain = self.fields.is_none() && self.filter.is_none();
        if plain
            && self.style == JsonStyle::default()
            && self.format == ChangeFormat::Json
            && let Some(document) = item.document()
        {
            write_line(document, item.has_line_break(), out);
            return Ok(true);
        }
        let change = Change::of(item);
        if self.filter.is_none() && matches!(self.format, ChangeFormat::Line | ChangeFormat::Diff) {
            self.write_line(item, &change, out);
            return Ok(true);
        }
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        self.write_text(item, &change, range, &mut text);
        let shown = match &self.filter {
            Some(filter) => self.run(filter, &text, &change, range, out),
            None => {
                if let Some(columns) = &mut self.columns {
                    let title = columns.begin(&change, &self.key_paths, None, out);
                    title.write(self.style.coloured, out);
                }
                self.write_styled(&text, item.has_line_break(), out);
                Ok(true)
            }
        };
        self.text = text;
        shown
    }

    /// Appends the only line of a change.
    fn write_line(&mut self, item: ItemRef<'_>, change: &Change<'_>, out: &mut Vec<u8>) {
        let Some(columns) = &mut self.columns else {
            return;
        };
        let mut line = columns.begin(change, &self.key_paths, self.width, out);
        line.space(1);
        if self.format == ChangeFormat::Diff {
            let images = Images::of(change, self.fields.as_ref());
            images.compare(change).show(item, &mut line);
        } else {
            let previous = previous_image(change).filter(|_| change.is_delete());
            if change.document.is_none() && previous.is_some() {
                line.push("was ", colour::DIM);
            }
            match change.document.or(previous) {
                Some(document) if self.fields.is_some() => {
                    line.push_json(&self.selected(document));
                }
                Some(document) => line.push_document(document),
                None if change.is_delete() => {}
                None => line.push_json(item.json()),
            }
        }
        line.write(self.style.coloured, out);
    }

    /// A document, or the selected parts of it.
    fn selected<'d>(&self, document: &'d [u8]) -> Cow<'d, [u8]> {
        match &self.fields {
            Some(fields) if document.first() == Some(&b'{') => {
                let mut selected = Vec::new();
                fields.write(document, &mut selected);
                Cow::Owned(selected)
            }
            _ => Cow::Borrowed(document),
        }
    }

    /// Appends the JSON text that is shown or filtered, as the service wrote it.
    fn write_text(
        &self,
        item: ItemRef<'_>,
        change: &Change<'_>,
        range: RangeId,
        out: &mut Vec<u8>,
    ) {
        if self.filter.is_none() && self.format == ChangeFormat::DiffJson {
            let images = Images::of(change, self.fields.as_ref());
            let what = images.compare(change);
            return write_object(change, &what, &self.key_paths, range, out);
        }
        let select = |document: &[u8], out: &mut Vec<u8>| {
            out.extend_from_slice(&self.selected(document));
        };
        let as_envelope = match self.filter {
            Some(_) => self.filter_input == FilterInput::Envelope,
            None => self.format == ChangeFormat::Envelope,
        };
        if as_envelope {
            return envelope::write_envelope(item, change, range, select, out);
        }
        match change.document {
            Some(document) => select(document, out),
            None if change.is_delete() => {
                envelope::write_envelope(item, change, range, select, out);
            }
            // Neither a document nor a deletion: an unknown change is shown whole.
            None => out.extend_from_slice(item.json()),
        }
    }

    /// Appends JSON text in the style, with a line feed at the end.
    fn write_styled(&self, text: &[u8], has_line_break: bool, out: &mut Vec<u8>) {
        if self.style == JsonStyle::default() {
            write_line(text, has_line_break, out);
        } else {
            self.style.write(text, out);
            out.push(b'\n');
        }
    }

    /// Appends the text of a JSON string. On a terminal it keeps its tabs and line breaks, and nothing else that
    /// a terminal could take for a command.
    fn write_raw(&self, string: &[u8], out: &mut Vec<u8>) {
        let text = decode_string(string);
        if self.style.escaped {
            out.extend_from_slice(&escape_data(&text));
        } else {
            // UTF-8 has no lone surrogates.
            out.extend_from_slice(String::from_utf8_lossy(&text).as_bytes());
        }
        out.push(b'\n');
    }

    fn run(
        &self,
        filter: &Filter,
        text: &[u8],
        change: &Change<'_>,
        range: RangeId,
        out: &mut Vec<u8>,
    ) -> Result<bool, String> {
        let outputs = filter.run(text, |output| {
            if self.raw_output && output.first() == Some(&b'"') {
                self.write_raw(output, out);
            } else {
                self.write_styled(output, false, out);
            }
        });
        match outputs {
            Ok(outputs) => Ok(outputs > 0),
            Err(error) => {
                let id = columns::plain_value(change.id.unwrap_or(b"?"));
                let short: String = id.chars().take(100).collect();
                Err(format!("--jq: {error} (id {short}, range {range})"))
            }
        }
    }
}

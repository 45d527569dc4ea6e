//! CSV files of an export.

use std::io::{self, Read};

use anyhow::{Result, anyhow, bail};
use csv::{ReaderBuilder, StringRecord};

use super::opened::broken;
use super::progress::Blocks;
use super::record::{Mark, Record, RecordReader};
use super::rows::{RowCells, Rows, checked};
use crate::feed::RecordForm;
use crate::format::{CsvOptions, header_name};
use crate::schema::fit;
use crate::schema::{CellTexts, Column, ColumnType, Schema};

/// Reads rows of a whole file, which begins with its header.
pub struct CsvRows<R> {
    /// The name of the file, for messages.
    name: String,
    reader: csv::Reader<LastByte<R>>,
    rows: Rows,
    types: Vec<ColumnType>,
    null: String,
    record: StringRecord,
    /// How many rows were read.
    row: u64,
    /// How many bytes before decompression they were, if that is counted.
    blocks: Blocks,
}

impl<R: Read + Send> CsvRows<R> {
    /// Starts at the row after `mark`. Without a schema, documents have a column of their own.
    ///
    /// # Errors
    ///
    /// If the columns of the file differ from the schema, or it has fewer rows than the mark.
    pub fn new(
        bytes: R,
        name: String,
        schema: Option<&Schema>,
        options: &CsvOptions,
        mark: Mark,
    ) -> Result<Self> {
        Self::of_one(bytes, name, &[schema], options, mark)
    }

    /// The same for the schema that the header is of: the columns of an export may have been widened.
    ///
    /// # Errors
    ///
    /// As [`CsvRows::new`]; the columns are compared with those of the first schema.
    pub fn of_one(
        bytes: R,
        name: String,
        schemas: &[Option<&Schema>],
        options: &CsvOptions,
        mark: Mark,
    ) -> Result<Self> {
        let mut reader = ReaderBuilder::new()
            .delimiter(u8::try_from(options.delimiter).unwrap_or(b','))
            .from_reader(LastByte {
                inner: bytes,
                last: b'\n',
            });
        let header = reader.headers().map_err(|error| unreadable(&name, error))?;
        let names: Vec<&str> = header.iter().collect();
        let name_of = |column: &Column, form| header_name(column, form, options);
        let mut found = None;
        for schema in schemas {
            let schema = schema.map(Schema::flattened);
            match (Rows::new(schema.as_ref(), &names, name_of), &found) {
                (Ok(rows), _) => {
                    found = Some(Ok((rows, schema)));
                    break;
                }
                (Err(why), None) => found = Some(Err(why)),
                (Err(_), Some(_)) => {}
            }
        }
        let found = found.unwrap_or_else(|| Err("its columns are not known".to_owned()));
        let (rows, schema) =
            found.map_err(|why| anyhow!("{name} differs from what its export says: {why}"))?;
        let columns = schema.iter().flat_map(|schema| schema.columns());
        let mut this = Self {
            name,
            reader,
            rows,
            types: columns.map(|column| column.column_type.clone()).collect(),
            null: options.null.clone(),
            record: StringRecord::new(),
            row: 0,
            blocks: Blocks::default(),
        };
        while this.row < mark.line {
            if !this.read()? {
                bail!(
                    "{} is shorter than the part of it that was read before",
                    this.name
                );
            }
        }
        Ok(this)
    }

    /// With the blocks in which the bytes are read.
    pub(super) fn counted_by(mut self, blocks: Blocks) -> Self {
        self.blocks = blocks;
        self
    }

    /// What the rows are, by their columns.
    pub(super) fn form(&self) -> RecordForm {
        self.rows.form()
    }

    fn read(&mut self) -> Result<bool> {
        let found = self.reader.read_record(&mut self.record);
        let found = found.map_err(|error| unreadable(&self.name, error))?;
        self.row += u64::from(found);
        // The last line may be cut off and still look whole.
        if self.reader.is_done() && self.reader.get_ref().last != b'\n' {
            bail!(
                "{} is truncated: its last row, {}, has no end",
                self.name,
                self.row
            );
        }
        Ok(found)
    }
}

/// The error of a file that cannot be read further. An error of its decompression says more than one of
/// CSV.
pub(super) fn unreadable(name: &str, error: csv::Error) -> anyhow::Error {
    if error.is_io_error() {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => broken(name, error),
            _ => anyhow!("cannot read {name}"),
        }
    } else {
        anyhow::Error::new(error).context(format!("cannot read {name}"))
    }
}

impl<R: Read + Send> RecordReader for CsvRows<R> {
    fn next(&mut self) -> Result<Option<Record>> {
        if !self.read()? {
            return Ok(None);
        }
        let cells = Cells {
            record: &self.record,
            types: &self.types,
            null: &self.null,
        };
        let mut json = Vec::new();
        self.rows
            .append(&cells, &mut json)
            .map_err(|why| anyhow!("row {} of {}: {why}", self.row, self.name))?;
        Ok(Some(Record {
            json: json.into(),
            form: Some(self.form()),
            end: Mark {
                offset: self.reader.position().byte(),
                line: self.row,
                within: None,
            },
            raw_end: self.blocks.raw_at(self.reader.position().byte()),
        }))
    }
}

struct Cells<'a> {
    record: &'a StringRecord,
    types: &'a [ColumnType],
    null: &'a str,
}

impl<'a> Cells<'a> {
    fn text(&self, column: usize) -> Option<&'a str> {
        self.record.get(column).filter(|text| *text != self.null)
    }
}

impl RowCells for Cells<'_> {
    type Document<'b>
        = DocumentCells<'b>
    where
        Self: 'b;

    fn json(&self, column: usize) -> Result<Option<&str>, String> {
        self.text(column).map(checked).transpose()
    }

    fn document(&self, first: usize) -> DocumentCells<'_> {
        DocumentCells { cells: self, first }
    }
}

struct DocumentCells<'a> {
    cells: &'a Cells<'a>,
    first: usize,
}

impl CellTexts for DocumentCells<'_> {
    fn is_there(&self, cell: usize) -> bool {
        self.cells.text(self.first + cell).is_some()
    }

    fn append(&self, cell: usize, out: &mut Vec<u8>) -> Result<(), String> {
        let text = self.cells.text(self.first + cell).unwrap_or_default();
        let column_type = &self.cells.types[cell];
        let fits = cell_fits(text, column_type, out);
        if !fits {
            return Err(format!(
                "column {}: not {column_type}: `{text}`",
                self.first + cell + 1
            ));
        }
        Ok(())
    }
}

/// Appends the JSON of a cell. Returns false, and appends nothing, if it is not of the type.
pub(super) fn cell_fits(text: &str, column_type: &ColumnType, out: &mut Vec<u8>) -> bool {
    let fits = match column_type {
        ColumnType::Boolean => matches!(text, "true" | "false"),
        ColumnType::Int64 => fit::int64(text.as_bytes()).is_some(),
        ColumnType::Double => fit::double(text.as_bytes()).is_some() && checked(text).is_ok(),
        ColumnType::String | ColumnType::Timestamp(_) => {
            out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
            return true;
        }
        ColumnType::Json | ColumnType::List(_) | ColumnType::Struct(_) => checked(text).is_ok(),
    };
    if fits {
        out.extend_from_slice(text.as_bytes());
    }
    fits
}

/// Keeps the last byte that was read.
struct LastByte<R> {
    inner: R,
    last: u8,
}

impl<R: Read> Read for LastByte<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        if let Some(&last) = buffer[..length].last() {
            self.last = last;
        }
        Ok(length)
    }
}

//! Files and streams of Arrow, of an export or of another program.

use std::io::{self, BufRead};

use anyhow::{Result, anyhow, bail};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field};

use super::batches::{Batches, damaged};
use super::caught::caught;
use super::messages::{CutOff, Messages};
use super::opened::{Kind, Opened, WHOLE_COPY, broken};
use super::other_csv::refuse_ours;
use super::other_rows::{MAX_DEPTH, OtherRows, Shape, has_json, json_of, without_form};
use super::progress::Blocks;
use super::record::{Mark, RecordReader};
use super::typed::TypedRows;
use crate::error::with_hint;
use crate::feed::RecordForm;
use crate::schema::metadata;

/// The key by which a column says that it is more than its type.
const EXTENSION: &str = "ARROW:extension:name";

/// Reads the rows of a file or a stream of Arrow called `name` after `mark`.
///
/// # Errors
///
/// If it is not Arrow, or has fewer rows than the mark.
pub fn read_arrow(
    bytes: Box<dyn BufRead + Send>,
    name: String,
    mark: Mark,
) -> Result<Box<dyn RecordReader>> {
    let opened = Opened::of_bytes(bytes, name, Kind::Arrow);
    ArrowRows::new(opened, None, mark).map(ArrowRows::into_reader)
}

/// The rows of a file or a stream.
pub(super) enum ArrowRows {
    /// Of an export.
    Ours(TypedRows),
    /// Of another program.
    Others(OtherRows),
}

impl ArrowRows {
    /// Starts at the row after `mark`. `form` is what the rows of another program are declared to be.
    ///
    /// # Errors
    ///
    /// If it is not Arrow, a column has a type that JSON has no form for, or there are fewer rows than the mark.
    pub(super) fn new(opened: Opened, form: Option<RecordForm>, mark: Mark) -> Result<Self> {
        let error = damaged(&opened.name, mark.line);
        caught(|| Self::open(opened, form, mark)).unwrap_or(Err(error))
    }

    fn open(opened: Opened, form: Option<RecordForm>, mark: Mark) -> Result<Self> {
        let name = opened.name;
        let messages = Messages::open(opened.bytes).map_err(|error| unreadable(&name, error))?;
        let schema = messages.schema().clone();
        let batches = Box::new(ArrowBatches {
            name: name.clone(),
            messages,
            blocks: opened.blocks,
            skip: mark.line,
            first: mark.line,
            rows: 0,
            start: 0,
        });
        if schema.metadata().contains_key(metadata::EXPORT_ID) {
            let said = |key: &str| schema.metadata().get(key).map(String::as_str);
            return TypedRows::new(name, &schema, said, batches, mark.line).map(Self::Ours);
        }
        let names: Vec<&str> = schema.fields().iter().map(|one| &**one.name()).collect();
        refuse_ours(&names, &name)?;
        let columns = schema.fields().iter().map(|field| {
            let shape = shape(field, 0).map_err(|what| without_form(field.name(), &name, &what))?;
            Ok((json_of(field.name()), shape))
        });
        let columns = columns.collect::<Result<_>>()?;
        let rows = OtherRows::new(name, columns, batches, form, mark.line);
        Ok(Self::Others(rows))
    }

    /// What the rows are, if their columns say so.
    pub(super) fn form(&self) -> Option<RecordForm> {
        match self {
            Self::Ours(rows) => Some(rows.form()),
            Self::Others(_) => None,
        }
    }

    /// The reader of the rows.
    pub(super) fn into_reader(self) -> Box<dyn RecordReader> {
        match self {
            Self::Ours(rows) => Box::new(rows),
            Self::Others(rows) => Box::new(rows),
        }
    }
}

/// The batches of a file or a stream.
struct ArrowBatches {
    name: String,
    messages: Messages<Box<dyn BufRead + Send>>,
    blocks: Blocks,
    /// How many rows are still to be left out.
    skip: u64,
    /// The number of rows before the current batch, how many it has, and how many bytes come before it.
    first: u64,
    rows: u64,
    start: u64,
}

impl Batches for ArrowBatches {
    fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            self.start = self.messages.offset();
            let batch = self.messages.next();
            let batch = batch.map_err(|error| unreadable(&self.name, error))?;
            let Some(batch) = batch else {
                if self.skip > 0 {
                    bail!(
                        "{} is shorter than the part of it that was read before",
                        self.name
                    );
                }
                return Ok(None);
            };
            if self.skip >= batch.rows {
                self.skip -= batch.rows;
                continue;
            }
            let rows = self.messages.decode(batch)?;
            let skip = usize::try_from(std::mem::take(&mut self.skip))?;
            let rows = rows.slice(skip, rows.num_rows() - skip);
            self.first += self.rows;
            self.rows = rows.num_rows() as u64;
            return Ok(Some(rows));
        }
    }

    fn raw_end(&self, row: u64) -> u64 {
        let length = (self.messages.offset() - self.start) as f64;
        let share = row.saturating_sub(self.first) as f64 / self.rows.max(1) as f64;
        self.blocks.raw_at(self.start + (length * share) as u64)
    }
}

/// The error of a file that cannot be read further.
fn unreadable(name: &str, error: anyhow::Error) -> anyhow::Error {
    if error.is::<CutOff>() {
        return with_hint(
            anyhow!("{name} is truncated: it is Arrow without its end"),
            WHOLE_COPY,
        );
    }
    match error.downcast::<io::Error>() {
        Ok(error) => broken(name, error),
        Err(error) => error.context(format!("{name} is not Arrow that can be read")),
    }
}

/// The shape of a column. The error is what it has instead.
fn shape(field: &Field, depth: usize) -> Result<Shape, String> {
    if depth > MAX_DEPTH {
        return Err(format!("more than {MAX_DEPTH} levels"));
    }
    match field.data_type() {
        DataType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|field| Ok((json_of(field.name()), shape(field, depth + 1)?)));
            Ok(Shape::Struct(fields.collect::<Result<_, String>>()?))
        }
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::FixedSizeList(element, _) => {
            Ok(Shape::List(Box::new(shape(element, depth + 1)?)))
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(fields) = entries.data_type() else {
                return Err("a map without entries".to_owned());
            };
            let [key, value] = &fields[..] else {
                return Err("a map without values".to_owned());
            };
            if shape(key, depth + 1)? != Shape::Plain {
                return Err("a map whose keys are no text or numbers".to_owned());
            }
            Ok(Shape::Map(Box::new(shape(value, depth + 1)?)))
        }
        DataType::Dictionary(_, words) => shape(
            &Field::new(field.name(), DataType::clone(words), true),
            depth + 1,
        ),
        leaf => {
            let is = |extension: &str| {
                let said = field.metadata().get(EXTENSION);
                said.is_some_and(|said| said == extension)
            };
            match leaf {
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View if is("arrow.json") => {
                    Ok(Shape::Json)
                }
                DataType::FixedSizeBinary(16) if is("arrow.uuid") => Ok(Shape::Uuid),
                leaf if has_json(leaf) => Ok(Shape::Plain),
                leaf => Err(format!("the type {leaf}, for which JSON has no form")),
            }
        }
    }
}

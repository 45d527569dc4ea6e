//! Which reader an input has.

use std::io::BufRead;

use anyhow::{Context, Result};

use super::arrangement::{Arrangement, recognize};
use super::arrow::ArrowRows;
use super::chunks::FileChunks;
use super::csv::CsvRows;
use super::declaration::{Declaration, Declarations};
use super::input::Input;
use super::jsonl::JsonLines;
use super::opened::{Kind, Opened, broken};
use super::other_csv::OtherCsv;
use super::other_parquet::{is_of_others, other_parquet};
use super::parquet::ParquetRows;
use super::record::{Mark, Record, RecordReader};
use super::values::JsonValues;
use crate::error::usage;
use crate::feed::RecordForm;

/// Opens `input` and skips to `mark`.
///
/// # Errors
///
/// If it cannot be opened, is not what it looks like, or ends before `mark`.
pub fn open(input: &Input, mark: Mark) -> Result<Box<dyn RecordReader>> {
    let opened = Opened::new(input, mark)?;
    match opened.kind {
        Kind::Text => {
            // The first record may declare what all records are.
            let first = match mark.offset {
                0 => None,
                _ => first_record(input, mark)?,
            };
            let first = first.as_ref().map(|first| &first.json);
            let declarations = Declarations::new(input.declared.clone(), first, &opened.name)?;
            json(opened, mark, declarations)
        }
        Kind::Csv => {
            let Some(form) = &input.csv else {
                let rows = OtherCsv::of_input(opened, input.reading.as_ref(), input.form(), mark)?;
                return Ok(Box::new(rows));
            };
            let schemas: Vec<_> = form.schemas.iter().map(Option::as_ref).collect();
            let rows = CsvRows::of_one(opened.bytes, opened.name, &schemas, &form.options, mark)?;
            let rows = rows.counted_by(opened.blocks);
            agree_with_columns(input, rows.form())?;
            Ok(Box::new(rows))
        }
        Kind::Arrow => {
            let rows = ArrowRows::new(opened, input.form(), mark)?;
            if let Some(form) = rows.form() {
                agree_with_columns(input, form)?;
            }
            Ok(rows.into_reader())
        }
        Kind::Parquet => {
            if input.is_standard_input() {
                return Err(usage(
                    "Parquet cannot be read from standard input, since reading starts at the end of the file",
                    "name the file instead",
                ));
            }
            let file =
                FileChunks::new(input.open()?).with_context(|| format!("cannot read {input}"))?;
            if is_of_others(&file) {
                let rows = other_parquet(file, input.to_string(), input.form(), mark)?;
                return Ok(Box::new(rows));
            }
            let rows = ParquetRows::new(file, input.to_string(), mark)?;
            agree_with_columns(input, rows.form())?;
            Ok(Box::new(rows))
        }
    }
}

/// Refuses an input whose columns contradict what is declared of it.
fn agree_with_columns(input: &Input, form: RecordForm) -> Result<()> {
    let columns = Declaration {
        form,
        by: "its header",
    };
    Declaration::agree(input.declared.clone(), columns, &input.to_string()).map(drop)
}

/// Reads JSON in any arrangement from `bytes`, which begin at `mark` in the input called `name`.
///
/// # Errors
///
/// If the first bytes cannot be read.
pub fn read_json(
    bytes: Box<dyn BufRead + Send>,
    name: String,
    mark: Mark,
) -> Result<Box<dyn RecordReader>> {
    json(
        Opened::of_bytes(bytes, name, Kind::Text),
        mark,
        Declarations::default(),
    )
}

/// The reader of the JSON that begins at `mark`.
fn json(
    mut opened: Opened,
    mark: Mark,
    declarations: Declarations,
) -> Result<Box<dyn RecordReader>> {
    let arrangement = match mark {
        Mark { offset: 0, .. } => {
            let (arrangement, bytes) =
                recognize(opened.bytes).map_err(|error| broken(&opened.name, error))?;
            opened.bytes = bytes;
            arrangement
        }
        Mark {
            within: Some(_), ..
        } => Arrangement::Values,
        _ => Arrangement::Lines,
    };
    Ok(match arrangement {
        Arrangement::Lines => Box::new(JsonLines::new(opened, mark, declarations)),
        Arrangement::Values => Box::new(JsonValues::new(opened, mark, declarations)),
    })
}

/// The first record of a file that is read to `mark`.
fn first_record(input: &Input, mark: Mark) -> Result<Option<Record>> {
    let opened = Opened::new(input, Mark::default())?;
    let beginning = Mark::default();
    let nothing = Declarations::default();
    match mark.within {
        None => JsonLines::new(opened, beginning, nothing).line(),
        Some(_) => JsonValues::new(opened, beginning, nothing).read(),
    }
}

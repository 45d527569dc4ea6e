//! Which reader an input has.

use anyhow::{Context, Result, anyhow};

use super::chunks::FileChunks;
use super::csv::CsvRows;
use super::declaration::Declaration;
use super::inputs::Input;
use super::jsonl::JsonLines;
use super::opened::{Kind, Opened};
use super::parquet::ParquetRows;
use super::record::{Mark, Record, RecordReader};
use crate::error::{usage, with_hint};
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
            let declared = input.declared.clone();
            // A line at the beginning may declare what all lines are.
            let first = match (&declared, mark.offset) {
                (_, 0) => None,
                _ => first_line(input)?,
            };
            Ok(Box::new(JsonLines::new(opened, mark, declared, first)?))
        }
        Kind::Csv => {
            let Some(form) = &input.csv else {
                return Err(with_hint(
                    anyhow!("the columns of {input} are not known"),
                    "they are in the state of the export: name the export's directory, or keep the state \
                     beside the file; convert other CSV to JSON lines first",
                ));
            };
            let schemas: Vec<_> = form.schemas.iter().map(Option::as_ref).collect();
            let rows = CsvRows::of_one(opened.bytes, opened.name, &schemas, &form.options, mark)?;
            let rows = rows.counted_by(opened.blocks);
            agree_with_columns(input, rows.form())?;
            Ok(Box::new(rows))
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

/// The first line of a file.
fn first_line(input: &Input) -> Result<Option<Record>> {
    let opened = Opened::new(input, Mark::default())?;
    JsonLines::new(opened, Mark::default(), None, None)?.line()
}

//! Which reader an input has.

use anyhow::{Context, Result, anyhow};

use super::chunks::FileChunks;
use super::csv::CsvRows;
use super::inputs::Input;
use super::jsonl::JsonLines;
use super::opened::{Kind, Opened};
use super::parquet::ParquetRows;
use super::record::{BytesRead, Mark, RecordReader};
use crate::error::{usage, with_hint};

/// Opens `input` and skips to `mark`.
///
/// # Errors
///
/// If it cannot be opened, is not what it looks like, or ends before `mark`.
pub fn open(input: &Input, mark: Mark, read: &BytesRead) -> Result<Box<dyn RecordReader>> {
    let opened = Opened::new(input, mark, read)?;
    match opened.kind {
        Kind::Text => Ok(Box::new(JsonLines::new(opened, mark))),
        Kind::Csv => {
            let Some(form) = &input.csv else {
                return Err(with_hint(
                    anyhow!("the columns of {input} are not known"),
                    "they are in the state of the export: name the export's directory, or keep the state \
                     beside the file; convert other CSV to JSON lines first",
                ));
            };
            let schema = form.schema.as_ref();
            let rows = CsvRows::new(opened.bytes, opened.name, schema, &form.options, mark)?;
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
            read.add(input.length);
            Ok(Box::new(rows))
        }
    }
}

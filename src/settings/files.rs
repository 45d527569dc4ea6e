//! What the files of an export are like: format, compression, and when one is finished.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::given::Given;
use super::table;
use super::value::milliseconds;
use crate::cli::choices::{ExportFormat, ExportPartition};
use crate::cli::location::Location;
use crate::destination::PartitionBy;
use crate::error::usage;
use crate::format::{Compression, CsvOptions, Extension, Format};
use crate::state::model::Settings;

// A file of Parquet or Arrow that is not finished counts for nothing, and an object is not seen, so neither may
// grow for ever.
const WHOLE_ROTATE_BYTES: u64 = 128 << 20;
const WHOLE_ROTATE_INTERVAL: Duration = Duration::from_secs(600);
const PARQUET_ROW_GROUP_BYTES: u64 = 16 << 20;

/// What files are like, resolved and validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FilesPlan {
    pub(super) format: Format,
    pub(super) compression: Compression,
    pub(super) csv: Option<CsvOptions>,
}

impl FilesPlan {
    /// Resolves what was given; the extension of `output` decides the rest.
    ///
    /// # Errors
    ///
    /// If settings contradict each other, or the extension.
    pub(super) fn new(given: &Given, output: &Location) -> Result<Self> {
        let name = output.path().and_then(Path::file_name);
        let name = name.unwrap_or_default().to_string_lossy();
        let extension = Extension::of(&name);
        let format = match given.found(&table::FORMAT)?.map(|found| found.value) {
            Some(ExportFormat::Jsonl) => Format::Jsonl,
            Some(ExportFormat::Csv) => Format::Csv,
            Some(ExportFormat::Parquet) => Format::Parquet,
            Some(ExportFormat::Arrow) => Format::Arrow,
            None => extension.map_or(Format::Jsonl, |extension| extension.format),
        };
        let default = match format {
            Format::Parquet => Compression::Snappy,
            Format::Arrow => Compression::None,
            Format::Jsonl | Format::Csv => {
                extension.map_or(Compression::None, |extension| extension.compression)
            }
        };
        let compression = given.found(&table::COMPRESSION)?;
        let compression = compression.map_or(default, |found| found.value);
        check_compression(format, compression)?;
        if format == Format::Parquet && output.is_standard_stream() {
            return Err(usage(
                "Parquet cannot be written to standard output: readers start at the end of the file",
                "--format arrow has the same columns and can be a stream; for Parquet, use -o DIR or -o FILE.parquet",
            ));
        }
        Ok(Self {
            format,
            compression,
            csv: csv_options(given, format)?,
        })
    }

    /// The extension of the files, without a dot.
    pub(super) fn extension(&self) -> &'static str {
        self.format.extension(self.compression)
    }
}

/// Checks that files of the format can be compressed so.
fn check_compression(format: Format, compression: Compression) -> Result<()> {
    match (format, compression) {
        (Format::Jsonl | Format::Csv, Compression::Snappy | Compression::Lz4) => Err(usage(
            match compression {
                Compression::Snappy => "only Parquet can be compressed with snappy",
                _ => "only Parquet and Arrow can be compressed with lz4",
            },
            "compress text with gzip or zstd",
        )),
        (Format::Arrow, Compression::Snappy | Compression::Gzip(_)) => Err(usage(
            "Arrow cannot be compressed with snappy or gzip: its format has lz4 and zstd",
            "add --compression lz4 or --compression zstd, or leave it out",
        )),
        _ => Ok(()),
    }
}

fn csv_options(given: &Given, format: Format) -> Result<Option<CsvOptions>> {
    if format != Format::Csv {
        let rows = [
            &table::DELIMITER.row,
            &table::NULL.row,
            &table::CSV_SAFE.row,
            &table::CSV_BOM.row,
        ];
        return match rows.into_iter().find(|row| given.is_typed(row)) {
            Some(row) => Err(usage(
                format!(
                    "{} is for CSV, but the format is {}",
                    row.flag(),
                    format.name()
                ),
                "add --format csv, or leave it out",
            )),
            None => Ok(None),
        };
    }
    let null = given.found(&table::NULL)?;
    let options = CsvOptions {
        delimiter: given.get(&table::DELIMITER)?,
        null: null.map_or_else(|| CsvOptions::default().null, |found| found.value),
        safe: given.is_on(&table::CSV_SAFE),
        bom: given.is_on(&table::CSV_BOM),
    };
    let special = ['"', '\r', '\n', '\0', options.delimiter];
    if options.null.contains(special) {
        return Err(usage(
            format!(
                "--null `{}` contains a character with a special meaning in CSV",
                options.null.escape_debug()
            ),
            "choose a text without quotes, line ends and the delimiter, such as NULL",
        ));
    }
    Ok(Some(options))
}

/// Sets when files of a format are finished, unless it is given.
pub(super) fn default_rotation(settings: &mut Settings, format: Format, output: &Location) {
    let is_in_parts = !output.is_standard_stream() && !format.commits_within_files();
    if is_in_parts || matches!(output, Location::Objects(_)) {
        finish_files(settings);
    }
    if format == Format::Parquet {
        settings.row_group_bytes = Some(PARQUET_ROW_GROUP_BYTES);
    }
}

/// Has files be finished as time passes, and before they are large.
pub(super) fn finish_files(settings: &mut Settings) {
    settings.rotate_bytes = Some(WHOLE_ROTATE_BYTES);
    settings.rotate_interval_ms = Some(milliseconds(WHOLE_ROTATE_INTERVAL));
}

/// How a table is to be partitioned.
pub(super) fn partition_by(given: &Given) -> Option<PartitionBy> {
    Some(match given.typed(&table::PARTITION_BY)? {
        ExportPartition::Day => PartitionBy::Day,
        ExportPartition::Hour => PartitionBy::Hour,
    })
}

/// Checks that a table is not to be partitioned, which has no directories.
///
/// # Errors
///
/// If it is.
pub(super) fn ensure_not_partitioned(given: &Given) -> Result<()> {
    if given.typed(&table::PARTITION_BY).is_some() {
        return Err(usage(
            "--partition-by is for a directory or an object store: a single file has no partitions",
            "name a directory, such as -o orders/; or leave --partition-by out",
        ));
    }
    Ok(())
}

/// Checks that row groups are set only for a format that has them.
///
/// # Errors
///
/// If the format has none.
pub(super) fn check_row_groups(given: &Given, format: Format) -> Result<()> {
    let row = &table::ROW_GROUP_SIZE.row;
    if given.is_typed(row) && format != Format::Parquet {
        return Err(usage(
            format!(
                "{} is for Parquet, but the format is {}",
                row.flag(),
                format.name()
            ),
            "leave it out; --rotate-bytes limits the size of a file",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Command;
    use crate::cli::values;
    use crate::settings::setting::{DefaultValue, Row};

    fn plan(arguments: &[&str]) -> Result<FilesPlan> {
        let all = ["cosmos-tail", "export"].iter().chain(arguments);
        let given = Given::parse(all).unwrap();
        FilesPlan::new(&given, &given.get(&table::EXPORT_OUTPUT).unwrap())
    }

    #[test]
    fn the_extension_decides_what_is_not_given() {
        for (output, format, compression, extension) in [
            ("out/", Format::Jsonl, Compression::None, "jsonl"),
            ("a.csv", Format::Csv, Compression::None, "csv"),
            ("a.b.csv.gz", Format::Csv, Compression::Gzip(6), "csv.gz"),
            (
                "a.jsonl.zst",
                Format::Jsonl,
                Compression::Zstd(3),
                "jsonl.zst",
            ),
            ("a.parquet", Format::Parquet, Compression::Snappy, "parquet"),
            ("a.arrow", Format::Arrow, Compression::None, "arrow"),
            ("a.FEATHER", Format::Arrow, Compression::None, "arrow"),
            ("a.parquet.gz", Format::Jsonl, Compression::None, "jsonl"),
            ("A.NDJSON", Format::Jsonl, Compression::None, "jsonl"),
            ("a.CSV.Gz", Format::Csv, Compression::Gzip(6), "csv.gz"),
            ("-", Format::Jsonl, Compression::None, "jsonl"),
        ] {
            let plan = plan(&["-o", output]).unwrap();
            assert_eq!(
                (plan.format, plan.compression),
                (format, compression),
                "{output}"
            );
            assert_eq!(plan.extension(), extension);
        }
        let typed = plan(&["-o", "a.gz", "--format", "csv", "--compression", "zstd:9"]).unwrap();
        assert_eq!(typed.compression, Compression::Zstd(9));
    }

    #[test]
    fn contradictions_are_refused() {
        for arguments in [
            &["-o", "x/", "--compression", "snappy"][..],
            &["-o", "x.csv", "--compression", "lz4"],
            &["-o", "x.arrow", "--compression", "snappy"],
            &["-o", "x.arrow", "--compression", "gzip"],
            &["-o", "-", "--format", "parquet"],
            &["-o", "x/", "--delimiter", ";"],
            &["-o", "x/", "--csv-safe"],
            &["-o", "x/", "--csv-bom"],
            &["-o", "x.csv", "--null", "a,b"],
        ] {
            assert!(plan(arguments).is_err(), "{arguments:?}");
        }
        assert!(plan(&["-o", "x.csv", "--null", "a,b", "--delimiter", ";"]).is_ok());
    }

    #[test]
    fn described_defaults_are_the_defaults() {
        let described = |row: &Row| match row.default {
            DefaultValue::Described(text) => text.rsplit(' ').next().unwrap().to_owned(),
            other => panic!("{}: {other:?}", row.name),
        };
        let bytes = |row| values::bytes(&described(row));
        assert_eq!(bytes(&table::ROTATE_BYTES.row), Ok(WHOLE_ROTATE_BYTES));
        assert_eq!(
            bytes(&table::ROW_GROUP_SIZE.row),
            Ok(PARQUET_ROW_GROUP_BYTES)
        );
        let interval = values::duration(&described(&table::ROTATE_INTERVAL.row));
        assert_eq!(interval, Ok(WHOLE_ROTATE_INTERVAL));
        let csv = CsvOptions::default();
        assert_eq!(
            table::DELIMITER.default_for(Command::Export).unwrap(),
            csv.delimiter
        );
        assert_eq!(
            (described(&table::NULL.row), csv.null),
            ("empty".into(), String::new())
        );
    }
}

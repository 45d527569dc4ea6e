//! What the files of an export are to be like: format, compression, and when one is finished.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::cli::{ExportFormat, FileArgs, RotationArgs};
use crate::error::usage;
use crate::format::Compression;
use crate::format::CsvOptions;
use crate::format::Format;
use crate::settings::job::milliseconds;
use crate::state::model::Settings;

/// A Parquet file that is not finished counts for nothing, so that it must not grow for ever.
const PARQUET_ROTATE_BYTES: u64 = 128 << 20;
const PARQUET_ROTATE_INTERVAL: Duration = Duration::from_secs(600);
const PARQUET_ROW_GROUP_BYTES: u64 = 16 << 20;

/// What files are like, resolved and validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FilesPlan {
    pub(super) format: Format,
    pub(super) compression: Compression,
    pub(super) csv: Option<CsvOptions>,
}

impl FilesPlan {
    /// Resolves what was typed; what was not, by the extension of `output`.
    ///
    /// # Errors
    ///
    /// If options do not go together, or contradict the extension.
    pub(super) fn new(args: &FileArgs, output: &Path) -> Result<Self> {
        let (by_extension, compressed_by_extension) = by_extension(output);
        let format = match args.format {
            Some(ExportFormat::Jsonl) => Format::Jsonl,
            Some(ExportFormat::Csv) => Format::Csv,
            Some(ExportFormat::Parquet) => Format::Parquet,
            None => by_extension.unwrap_or(Format::Jsonl),
        };
        let usual = match format {
            Format::Parquet => Compression::Snappy,
            Format::Jsonl | Format::Csv => compressed_by_extension.unwrap_or_default(),
        };
        let compression = args.compression.unwrap_or(usual);
        if format != Format::Parquet
            && matches!(compression, Compression::Snappy | Compression::Lz4)
        {
            return Err(usage(
                "only Parquet is compressed with snappy or lz4",
                "text can be compressed with gzip or zstd",
            ));
        }
        if format == Format::Parquet && output == Path::new("-") {
            return Err(usage(
                "Parquet cannot be written to standard output: a reader needs to begin at its end",
                "-o DIR or -o FILE.parquet",
            ));
        }
        Ok(Self {
            format,
            compression,
            csv: csv_options(args, format)?,
        })
    }

    /// The extension of the files, without a dot.
    pub(super) fn extension(&self) -> &'static str {
        self.format.extension(self.compression)
    }
}

fn csv_options(args: &FileArgs, format: Format) -> Result<Option<CsvOptions>> {
    if format != Format::Csv {
        let given = [
            ("--delimiter", args.delimiter.is_some()),
            ("--null", args.null.is_some()),
            ("--csv-safe", args.csv_safe),
        ];
        return match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(usage(
                format!("{flag} is of CSV, and the format is {}", format.name()),
                "add --format csv, or leave it out",
            )),
            None => Ok(None),
        };
    }
    let usual = CsvOptions::default();
    let options = CsvOptions {
        delimiter: args.delimiter.unwrap_or(usual.delimiter),
        null: args.null.clone().unwrap_or(usual.null),
        safe: args.csv_safe,
    };
    let special = ['"', '\r', '\n', '\0', options.delimiter];
    if options.null.contains(special) {
        return Err(usage(
            format!(
                "--null `{}` holds a character that has a meaning of its own in CSV",
                options.null.escape_debug()
            ),
            "choose a text without quotes, line ends and the delimiter, such as NULL",
        ));
    }
    Ok(Some(options))
}

/// What the extension of a path says.
fn by_extension(path: &Path) -> (Option<Format>, Option<Compression>) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (name, compression) = match name.rsplit_once('.') {
        Some((rest, "gz")) => (rest, Some(Compression::Gzip(6))),
        Some((rest, "zst")) => (rest, Some(Compression::Zstd(3))),
        _ => (&*name, None),
    };
    let format = match name.rsplit_once('.') {
        Some((_, "jsonl")) => Some(Format::Jsonl),
        Some((_, "csv")) => Some(Format::Csv),
        Some((_, "parquet")) if compression.is_none() => Some(Format::Parquet),
        _ => None,
    };
    (format, compression.filter(|_| format.is_some()))
}

/// What a format's files begin with, unless it is said otherwise.
pub(super) fn usual_rotation(settings: &mut Settings, format: Format) {
    if format == Format::Parquet {
        settings.rotate_bytes = Some(PARQUET_ROTATE_BYTES);
        settings.rotate_interval_ms = Some(milliseconds(PARQUET_ROTATE_INTERVAL));
        settings.row_group_bytes = Some(PARQUET_ROW_GROUP_BYTES);
    }
}

/// Changes when files are finished to what was typed.
///
/// # Errors
///
/// If the format has no row groups.
pub(super) fn override_rotation(
    settings: &mut Settings,
    args: &RotationArgs,
    format: Format,
) -> Result<()> {
    if args.row_group_size.is_some() && format != Format::Parquet {
        return Err(usage(
            format!(
                "--row-group-size is of Parquet, and the format is {}",
                format.name()
            ),
            "leave it out; --rotate-bytes says how large a file becomes",
        ));
    }
    if let Some(bytes) = args.rotate_bytes {
        settings.rotate_bytes = (bytes < u64::MAX).then_some(bytes);
    }
    if let Some(interval) = args.rotate_interval {
        settings.rotate_interval_ms = (interval < Duration::MAX).then(|| milliseconds(interval));
    }
    settings.row_group_bytes = args.row_group_size.or(settings.row_group_bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn plan(arguments: &[&str]) -> Result<FilesPlan> {
        let all = ["cosmos-tail", "export"].iter().chain(arguments);
        match Cli::parse_from(all).command {
            Command::Export(args) => FilesPlan::new(&args.files, &args.output),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_extension_says_what_was_not_typed() {
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
            ("a.parquet.gz", Format::Jsonl, Compression::None, "jsonl"),
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
    fn what_does_not_go_together_is_refused() {
        for arguments in [
            &["-o", "x/", "--compression", "snappy"][..],
            &["-o", "-", "--format", "parquet"],
            &["-o", "x/", "--delimiter", ";"],
            &["-o", "x/", "--csv-safe"],
            &["-o", "x.csv", "--null", "a,b"],
        ] {
            assert!(plan(arguments).is_err(), "{arguments:?}");
        }
        assert!(plan(&["-o", "x.csv", "--null", "a,b", "--delimiter", ";"]).is_ok());
    }
}

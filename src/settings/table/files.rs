//! What exported files are like, and when one is finished.

use std::time::Duration;

use crate::cli::Command;
use crate::cli::choices::{ExportFormat, ExportPartition};
use crate::cli::values::{self, Limit, choice_name};
use crate::format::Compression;
use crate::settings::compare;
use crate::settings::setting::{Comparison, DefaultValue, Heading, Setting, settings};
use crate::settings::value::{Value, bytes, choice, milliseconds, text};

const WRITERS: &[Command] = &[Command::Export, Command::Resume];
const ROTATING: &[Command] = &[Command::Export, Command::Resume, Command::Tail];

settings! {
    FORMAT: ExportFormat = Setting::new("format", choice("FORMAT"))
        .help("Format of the files")
        .described_default("by the extension of the output, otherwise jsonl")
        .defaults(&[(Command::Plan, DefaultValue::Described("jsonl"))])
        .frozen("format")
        .compared(|frozen, format| {
            let own = frozen.options.format.name().to_owned();
            Comparison::of(Some(own), &choice_name(format))
        })
        .of(&[Command::Export, Command::Plan])
        .under(Heading::Files)
        .brief("Format of the files");

    COMPRESSION: Compression = Setting::new("compression", Value::new("CODEC[:LEVEL]", values::compression))
        .help("none, gzip, zstd, for Parquet also snappy and lz4, for Arrow zstd and lz4; with a level: zstd:9")
        .described_default("by the extension of the output; Parquet: snappy")
        .defaults(&[(Command::Plan, DefaultValue::Described("none; Parquet: snappy"))])
        .frozen("compression")
        .compared(|frozen, compression| {
            let own = frozen.options.compression.to_string();
            Comparison::of(Some(own), &compression.to_string())
        })
        .of(&[Command::Export, Command::Plan])
        .under(Heading::Files)
        .brief("none, gzip, zstd, snappy or lz4, such as zstd:9");

    DELIMITER: char = Setting::new("delimiter", Value::new("CHARACTER", values::delimiter))
        .help("CSV: the delimiter between cells: one ASCII character, or `tab`")
        .default(",")
        .frozen("csv")
        .compared(|frozen, delimiter| {
            let csv = frozen.options.csv.as_ref();
            let own = csv.map(|csv| compare::delimiter(csv.delimiter));
            Comparison::of(own, &compare::delimiter(*delimiter))
        })
        .of(&[Command::Export, Command::Plan])
        .under(Heading::Files)
        .in_full();

    NULL: String = Setting::new("null", text("TEXT"))
        .help("CSV: the text of a cell without a value")
        .details(
            "A value equal to this text goes to the column `_extra`, so that the two stay distinct.",
        )
        .described_default("empty")
        .frozen("csv")
        .compared(|frozen, null| {
            let csv = frozen.options.csv.as_ref();
            Comparison::of(csv.map(|csv| csv.null.clone()), null)
        })
        .of(&[Command::Export, Command::Plan])
        .under(Heading::Files)
        .in_full();

    CSV_SAFE: bool = Setting::switch("csv-safe")
        .help("CSV: put a `'` before text that a spreadsheet would take for a formula; this alters data")
        .frozen("csv")
        .compared(|frozen, _| {
            let csv = frozen.options.csv.as_ref();
            compare::switch(csv.is_some_and(|csv| csv.safe))
        })
        .of(&[Command::Export, Command::Plan])
        .under(Heading::Files)
        .in_full();

    CSV_BOM: bool = Setting::switch("csv-bom")
        .help("CSV: begin each file with a byte order mark, by which Excel recognizes UTF-8")
        .frozen("csv")
        .compared(|frozen, _| {
            let csv = frozen.options.csv.as_ref();
            compare::switch(csv.is_some_and(|csv| csv.bom))
        })
        .of(&[Command::Export, Command::Plan])
        .under(Heading::Files)
        .in_full();

    ROTATE_BYTES: Limit<u64> = Setting::new("rotate-bytes", Value::new("BYTES", values::bytes_limit))
        .help("Finish a file that has reached this size, such as 1GiB, or `none`")
        .details(
            "A file of Parquet or Arrow that is not finished does not count: after a crash its changes are read again.",
        )
        .described_default("none; Parquet and Arrow: 128MiB")
        .defaults(&[(Command::Tail, DefaultValue::Described("128MiB; a file that grows: none"))])
        .kept("rotate_bytes", |settings, limit| {
            settings.rotate_bytes = match limit {
                Limit::At(bytes) => Some(bytes),
                Limit::None => None,
            };
        })
        .of(ROTATING)
        .under(Heading::Files)
        .in_full();

    ROTATE_INTERVAL: Limit<Duration> =
        Setting::new("rotate-interval", Value::new("DURATION", values::duration_limit))
            .help("Finish files at least this often, or `none`")
            .described_default("none; Parquet and Arrow: 10m")
            .defaults(&[(Command::Tail, DefaultValue::Described("10m; a file that grows: none"))])
            .kept("rotate_interval_ms", |settings, limit| {
                settings.rotate_interval_ms = match limit {
                    Limit::At(interval) => Some(milliseconds(interval)),
                    Limit::None => None,
                };
            })
            .of(ROTATING)
            .under(Heading::Files)
        .in_full();

    PARTITION_BY: ExportPartition = Setting::new("partition-by", choice("TIME"))
        .help("Put files into directories by when they were begun, in UTC: dt=2026-11-27/, or dt=2026-11-27/hour=18/")
        .details(
            "A file that is open when the day or the hour ends is finished, so each belongs to one directory. Spark, DuckDB \
             and pyarrow take the names for columns.",
        )
        .described_default("one directory")
        .frozen("partition_by")
        .compared(|frozen, by| {
            let own = frozen.options.partition_by.map(|by| by.name().to_owned());
            Comparison::of(own, &choice_name(by))
        })
        .of(&[Command::Export, Command::Plan, Command::Tail])
        .under(Heading::Files)
        .in_full();

    ROW_GROUP_SIZE: u64 = Setting::new("row-group-size", bytes())
        .help("Parquet: finish a row group that takes this much memory")
        .described_default("16MiB")
        .kept("row_group_bytes", |settings, bytes| settings.row_group_bytes = Some(bytes))
        .of(WRITERS)
        .under(Heading::Files)
        .in_full();
}

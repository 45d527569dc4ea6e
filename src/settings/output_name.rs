//! Names of outputs that look like files, but not like files of a known format.

use std::path::Path;

use crate::durable::shown_path;
use crate::error::usage;
use crate::format::{Compression, Extension, Format, is_compressed_by_name};
use crate::nearest::nearest;

/// Refuses a name with an extension that no format has: a directory of that name would be a surprise. `format`
/// is the one that was asked for, if any.
///
/// # Errors
///
/// Names the nearest extension.
pub(super) fn ensure_no_extension(path: &Path, format: Option<Format>) -> anyhow::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some((stem, found)) = name.rsplit_once('.').filter(|(_, found)| !found.is_empty()) else {
        return Ok(());
    };
    let is_nameless = stem.is_empty() && Extension::of(&format!("a{name}")).is_some();
    if stem.is_empty() && !is_nameless {
        // A hidden directory.
        return Ok(());
    }
    let found = match stem.rsplit_once('.') {
        Some((first, _)) if is_compressed_by_name(&name) => &name[first.len() + 1..],
        _ => found,
    };
    let shown = shown_path(&path);
    Err(usage(
        if is_nameless {
            format!("the output `{shown}` has no name before its extension")
        } else {
            format!("the output `{shown}` ends in `.{found}`, which no format has")
        },
        format!(
            "did you mean `{}`? A file ends in .jsonl, .ndjson, .csv, .parquet or .arrow, text also in .gz or .zst; a \
             directory of that name is written as `{shown}/`",
            shown_path(&path.with_file_name(nearest_name(&name, format)))
        ),
    ))
}

/// Refuses a new file of JSON lines whose name stands for another format: a replay would not read it.
/// `who_writes` begins the message, and `instead` the hint.
///
/// # Errors
///
/// Names the extension.
pub(super) fn ensure_json_lines(
    path: &Path,
    who_writes: &str,
    instead: &str,
) -> anyhow::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_text = match Extension::of(&name) {
        Some(extension) => extension.is_of(Format::Jsonl, Compression::None),
        None => !is_compressed_by_name(&name),
    };
    if is_text {
        return Ok(());
    }
    Err(usage(
        format!(
            "{who_writes} JSON lines, but `{}` has the name of another format",
            shown_path(&path)
        ),
        format!("name a file that ends in .jsonl; {instead}"),
    ))
}

/// The name with a known extension that is nearest to `name`.
fn nearest_name(name: &str, format: Option<Format>) -> String {
    let compressions = [
        "gz", "gzip", "bz2", "xz", "zip", "7z", "br", "zst", "zstd", "lz4", "snappy",
    ];
    let (stem, last) = name.rsplit_once('.').unwrap_or((name, ""));
    let is_compression = compressions.contains(&&*last.to_lowercase());
    let compression = match last.to_lowercase().as_str() {
        _ if !is_compression => "",
        "zst" | "zstd" => ".zst",
        _ => ".gz",
    };
    let (stem, extension) = match stem.rsplit_once('.') {
        Some((stem, extension)) if is_compression => (stem, extension),
        _ if is_compression => (stem, "jsonl"),
        _ => (stem, last),
    };
    let format = format.map_or_else(|| nearest_format(extension), Format::name);
    let compression = if [Format::Parquet, Format::Arrow]
        .map(Format::name)
        .contains(&format)
    {
        ""
    } else {
        compression
    };
    let stem = if stem.is_empty() { "FILE" } else { stem };
    format!("{stem}.{format}{compression}")
}

/// The extension of the format that is meant by another extension.
fn nearest_format(extension: &str) -> &'static str {
    match extension.to_lowercase().as_str() {
        "json" | "geojson" | "jl" | "log" | "txt" => "jsonl",
        "tsv" | "tab" | "psv" | "xls" | "xlsx" | "xlsm" | "ods" => "csv",
        "pq" | "parq" | "avro" | "orc" => "parquet",
        "arrows" | "ipc" | "feather" | "fea" => "arrow",
        other => nearest(other, &["jsonl", "ndjson", "csv", "parquet", "arrow"]).unwrap_or("jsonl"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_keeps_the_stem() {
        for (name, format, expected) in [
            ("orders.parqet", None, "orders.parquet"),
            ("orders.xlsx", None, "orders.csv"),
            ("orders.arrows", None, "orders.arrow"),
            ("orders.arow", None, "orders.arrow"),
            ("orders.feather.gz", None, "orders.arrow"),
            ("orders.tsv", None, "orders.csv"),
            ("orders.json", None, "orders.jsonl"),
            ("orders.jsnol", None, "orders.jsonl"),
            ("orders.cvs", None, "orders.csv"),
            ("orders.json.gz", None, "orders.jsonl.gz"),
            ("orders.gz", None, "orders.jsonl.gz"),
            ("orders.csv.zstd", None, "orders.csv.zst"),
            ("a.b.parquet.gz", None, "a.b.parquet"),
            ("orders.txt", Some(Format::Csv), "orders.csv"),
            ("orders.csv.bz2", Some(Format::Csv), "orders.csv.gz"),
            (".csv", None, "FILE.csv"),
        ] {
            assert_eq!(nearest_name(name, format), expected, "{name}");
        }
    }

    #[test]
    fn a_directory_has_no_extension() {
        for name in [
            "orders",
            "orders.",
            ".hidden",
            "..",
            "a/b.c/orders",
            "2026-11-28",
        ] {
            assert!(ensure_no_extension(Path::new(name), None).is_ok(), "{name}");
        }
        for name in ["orders.x", "orders.2026", ".csv", ".parquet", "a/.b.c"] {
            assert!(
                ensure_no_extension(Path::new(name), None).is_err(),
                "{name}"
            );
        }
    }
}

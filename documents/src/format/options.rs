//! The formats of files, and how each is compressed and written.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The format of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One JSON document per line.
    Jsonl,
    /// One row per line, by RFC 4180.
    Csv,
    /// Columns in row groups.
    Parquet,
    /// Columns in batches, as they are in memory: a file, or a stream.
    Arrow,
}

impl Format {
    /// The format's name, which is the extension of its files without a dot.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }

    /// The extension of files with this compression, without a dot.
    pub fn extension(self, compression: Compression) -> &'static str {
        match (self, compression) {
            (Self::Jsonl, Compression::Gzip(_)) => "jsonl.gz",
            (Self::Jsonl, Compression::Zstd(_)) => "jsonl.zst",
            (Self::Csv, Compression::Gzip(_)) => "csv.gz",
            (Self::Csv, Compression::Zstd(_)) => "csv.zst",
            _ => self.name(),
        }
    }

    /// The extension that `text` is, of any format and compression.
    pub fn extension_named(text: &str) -> Option<&'static str> {
        let compressions = [
            Compression::None,
            Compression::Gzip(1),
            Compression::Zstd(1),
        ];
        [Self::Jsonl, Self::Csv, Self::Parquet, Self::Arrow]
            .into_iter()
            .flat_map(|format| compressions.map(|compression| format.extension(compression)))
            .find(|known| *known == text)
    }

    /// Whether rows have columns, which need a [`TableLayout`](crate::schema::TableLayout).
    pub fn has_columns(self) -> bool {
        match self {
            Self::Jsonl => false,
            Self::Csv | Self::Parquet | Self::Arrow => true,
        }
    }

    /// Whether compression is within the file, rather than of the file as a whole.
    pub fn compresses_itself(self) -> bool {
        match self {
            Self::Jsonl | Self::Csv => false,
            Self::Parquet | Self::Arrow => true,
        }
    }

    /// Whether part of a file can be committed before the file is finished. Otherwise an unfinished file is
    /// worthless.
    pub fn commits_within_files(self) -> bool {
        match self {
            Self::Jsonl | Self::Csv => true,
            // Without its footer it is unreadable.
            Self::Parquet | Self::Arrow => false,
        }
    }
}

/// How files are compressed: text as a whole, in frames that end at each commit; Parquet and
/// Arrow column by column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Snappy; Parquet only.
    Snappy,
    /// LZ4; in Parquet without a frame (`LZ4_RAW`), in Arrow with one. Not of text.
    Lz4,
    /// Gzip with this level, 0 to 9.
    Gzip(u32),
    /// Zstandard with this level, 1 to 22.
    Zstd(i32),
}

impl Compression {
    /// Whether nothing is compressed.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// As it is typed.
impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Snappy => f.write_str("snappy"),
            Self::Lz4 => f.write_str("lz4"),
            Self::Gzip(level) => write!(f, "gzip:{level}"),
            Self::Zstd(level) => write!(f, "zstd:{level}"),
        }
    }
}

/// What happens to values that fit no column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Extra {
    /// They are kept in the overflow column.
    #[default]
    Keep,
    /// They are left out, and counted.
    Drop,
    /// The first one ends the export.
    Fail,
}

/// How CSV is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvOptions {
    /// The delimiter between two cells: an ASCII character.
    pub delimiter: char,
    /// The text of a cell whose member is missing. A value with the same text does not fit its cell.
    pub null: String,
    /// Whether text that a spreadsheet would take for a formula gets a `'` in front. This changes data.
    pub safe: bool,
    /// Whether each file begins with a byte order mark, by which Excel knows that it is UTF-8.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bom: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: ',',
            null: String::new(),
            safe: false,
            bom: false,
        }
    }
}

//! The formats that the ends of file names stand for.

use super::options::{Compression, Format};

/// The end of a file's name, and what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'n> {
    /// The end as it is written in the name, without the dot before it.
    pub text: &'n str,
    /// The format.
    pub format: Format,
    /// How the whole file is compressed, with the default level.
    pub compression: Compression,
}

const FORMATS: [(&str, Format); 7] = [
    (".jsonl", Format::Jsonl),
    (".ndjson", Format::Jsonl),
    (".csv", Format::Csv),
    (".parquet", Format::Parquet),
    (".arrow", Format::Arrow),
    (".feather", Format::Arrow),
    (".ipc", Format::Arrow),
];

const COMPRESSIONS: [(&str, Compression); 2] = [
    (".gz", Compression::Gzip(6)),
    (".zst", Compression::Zstd(3)),
];

impl<'n> Extension<'n> {
    /// The known extension of the file `name`, in upper or lower case. None if it has another one, or nothing
    /// before it.
    pub fn of(name: &'n str) -> Option<Self> {
        let compressed = COMPRESSIONS
            .iter()
            .find_map(|(end, compression)| Some((strip_end(name, end)?, *compression)));
        let (rest, compression) = compressed.unwrap_or((name, Compression::None));
        let (stem, format) = FORMATS
            .iter()
            .find_map(|(end, format)| Some((strip_end(rest, end)?, *format)))?;
        if stem.is_empty() || (format.compresses_itself() && !compression.is_none()) {
            return None;
        }
        Some(Self {
            text: &name[stem.len() + 1..],
            format,
            compression,
        })
    }

    /// Whether files of this format and compression have it.
    pub fn is_of(&self, format: Format, compression: Compression) -> bool {
        self.format == format
            && (format.compresses_itself()
                || std::mem::discriminant(&self.compression)
                    == std::mem::discriminant(&compression))
    }

    /// The known extensions, without the dots.
    pub fn known() -> Vec<String> {
        let mut known = Vec::new();
        for (end, format) in FORMATS {
            let plain = end.trim_start_matches('.').to_owned();
            if !format.compresses_itself() {
                known.extend(COMPRESSIONS.map(|(compressed, _)| format!("{plain}{compressed}")));
            }
            known.push(plain);
        }
        known
    }
}

/// Whether a file of this name is compressed as a whole.
pub fn is_compressed_by_name(name: &str) -> bool {
    COMPRESSIONS
        .iter()
        .any(|(end, _)| strip_end(name, end).is_some())
}

/// `name` without `end`, which is ASCII, in upper or lower case.
fn strip_end<'n>(name: &'n str, end: &str) -> Option<&'n str> {
    let at = name.len().checked_sub(end.len())?;
    let (stem, found) = name.split_at_checked(at)?;
    found.eq_ignore_ascii_case(end).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_extension_of_a_format_in_any_case() {
        use Compression::{Gzip, None as Plain, Zstd};
        for (name, text, format, compression) in [
            ("a.jsonl", "jsonl", Format::Jsonl, Plain),
            ("a.ndjson", "ndjson", Format::Jsonl, Plain),
            ("a.b.CSV", "CSV", Format::Csv, Plain),
            ("a.Csv.GZ", "Csv.GZ", Format::Csv, Gzip(6)),
            ("é.NDJSON.zst", "NDJSON.zst", Format::Jsonl, Zstd(3)),
            ("a.Parquet", "Parquet", Format::Parquet, Plain),
            ("a.arrow", "arrow", Format::Arrow, Plain),
            ("a.Feather", "Feather", Format::Arrow, Plain),
            ("a.ipc", "ipc", Format::Arrow, Plain),
        ] {
            let expected = Extension {
                text,
                format,
                compression,
            };
            assert_eq!(Extension::of(name), Some(expected), "{name}");
            assert!(expected.is_of(format, compression));
        }
        for name in [
            "",
            "a",
            "csv",
            ".csv",
            ".csv.gz",
            "a.gz",
            "a.json",
            "a.parquet.gz",
            "a.arrow.zst",
            "a.arrows",
            "a.csv.bz2",
            "a.csvé",
            "é",
        ] {
            assert_eq!(Extension::of(name), None, "{name}");
        }
    }

    #[test]
    fn the_level_of_a_compression_is_not_in_a_name() {
        let extension = Extension::of("a.csv.gz").unwrap();
        assert!(extension.is_of(Format::Csv, Compression::Gzip(9)));
        assert!(!extension.is_of(Format::Csv, Compression::None));
        assert!(!extension.is_of(Format::Jsonl, Compression::Gzip(6)));
        let parquet = Extension::of("a.parquet").unwrap();
        assert!(parquet.is_of(Format::Parquet, Compression::Zstd(3)));
    }

    #[test]
    fn every_known_extension_is_recognized() {
        for known in Extension::known() {
            assert_eq!(Extension::of(&format!("a.{known}")).unwrap().text, known);
        }
    }
}

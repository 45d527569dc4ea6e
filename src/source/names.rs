//! What the name of a file says about it, where its content does not.

use crate::format::{Extension, Format};

/// How the names of files end that were compressed as a whole.
pub(super) const COMPRESSED: [&str; 4] = [".gz", ".zst", ".bz2", ".xz"];

/// How the names of other files end that are read as CSV.
const OTHER_CSV: [&str; 2] = [".tsv", ".tab"];

/// The format that the name of a file stands for, however often the file was compressed.
pub(super) fn format_of(name: &str) -> Option<Format> {
    let mut rest = name;
    while let Some(stem) = without_compression(rest) {
        rest = stem;
    }
    let is_other_csv = OTHER_CSV.iter().any(|end| without(rest, end).is_some());
    if is_other_csv {
        return Some(Format::Csv);
    }
    Extension::of(rest).map(|extension| extension.format)
}

/// Whether a file of this name is compressed as a whole.
pub(super) fn is_compressed_by_name(name: &str) -> bool {
    without_compression(name).is_some()
}

/// The name of a file before it was compressed as a whole; none if it was not.
pub(super) fn without_compression(name: &str) -> Option<&str> {
    COMPRESSED.iter().find_map(|end| without(name, end))
}

/// `name` without `end`, which is ASCII, in upper or lower case; none if nothing is before it.
fn without<'n>(name: &'n str, end: &str) -> Option<&'n str> {
    let at = name.len().checked_sub(end.len())?;
    let (stem, found) = name.split_at_checked(at)?;
    (found.eq_ignore_ascii_case(end) && !stem.is_empty()).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_compressed_file_says_what_is_in_it() {
        for (name, format, is_compressed) in [
            ("a.csv", Some(Format::Csv), false),
            ("a.CSV.Bz2", Some(Format::Csv), true),
            ("a.tsv.xz", Some(Format::Csv), true),
            ("a.parquet.gz", Some(Format::Parquet), true),
            ("a.jsonl.gz.zst", Some(Format::Jsonl), true),
            ("a.json.xz", None, true),
            ("a.json", None, false),
            (".gz", None, false),
            (".csv.gz", None, true),
            ("é.gz", None, true),
            ("", None, false),
        ] {
            assert_eq!(format_of(name), format, "{name}");
            assert_eq!(is_compressed_by_name(name), is_compressed, "{name}");
        }
    }
}

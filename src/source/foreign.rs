//! Inputs that are recognized, and cannot be read as they are: each is named, with the way out.

use anyhow::anyhow;

use crate::error::with_hint;

/// How many of an input's first bytes are looked at. A tar archive is recognized by its 258th byte and those
/// after it.
pub(super) const BEGINNING_BYTES: usize = 512;

/// Whether no more than these two bytes are needed: JSON begins with them.
pub(super) fn is_json(first_two: &[u8]) -> bool {
    matches!(first_two, [b'{' | b'[' | b' ' | b'\t' | b'\r' | b'\n', second] if *second != 0)
}

/// The error of the input called `name`, which begins with these bytes; none if it may be JSON or CSV.
pub(super) fn refuse(name: &str, beginning: &[u8]) -> Option<anyhow::Error> {
    let utf_16 = |order: &str| {
        Some(with_hint(
            anyhow!("{name} is UTF-16 text, and JSON and CSV are read as UTF-8"),
            format!(
                "convert it, and replay standard input or the new file: iconv -f UTF-16{order} -t UTF-8 FILE"
            ),
        ))
    };
    let other =
        |what: &str, hint: &str| Some(with_hint(anyhow!("{name} is {what}"), hint.to_owned()));
    match beginning {
        // A byte-order mark also says which order it is.
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => utf_16(""),
        [0, second, ..] if *second != 0 => utf_16("BE"),
        [first, 0, ..] if *first != 0 => utf_16("LE"),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => other(
            "a zip archive, or a spreadsheet, which is one",
            "of an archive, replay what is in it: unzip -p FILE | cosmos-tail replay -; of a spreadsheet, save \
             it as CSV",
        ),
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => other(
            "a 7z archive",
            "replay what is in it: 7z x -so FILE | cosmos-tail replay -",
        ),
        [0x04, 0x22, 0x4d, 0x18, ..] => other(
            "compressed by lz4, which is not read",
            "decompress it: lz4 -dc FILE | cosmos-tail replay -",
        ),
        [0x1f, 0x9d, ..] => other(
            "compressed by compress, which is not read",
            "decompress it: gzip -dc FILE | cosmos-tail replay -",
        ),
        [b'O', b'b', b'j', 1, ..] => other(
            "an Avro file, which is not read",
            "convert it to Parquet or JSON lines",
        ),
        [b'O', b'R', b'C', ..] if !beginning.is_ascii() => other(
            "an ORC file, which is not read",
            "convert it to Parquet or JSON lines",
        ),
        _ if beginning.get(257..262) == Some(b"ustar") => other(
            "a tar archive",
            "replay what is in it: tar -xOf FILE | cosmos-tail replay -",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_is_named() {
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        for (beginning, expected) in [
            (&b"\xff\xfe{\0\n\0"[..], "UTF-16 text"),
            (b"\xfe\xff\0{", "UTF-16 text"),
            (b"{\0\"\0", "UTF-16 text"),
            (b"\0[\0{", "UTF-16 text"),
            (b"PK\x03\x04", "a zip archive"),
            (b"PK\x05\x06", "a zip archive"),
            (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
            (b"\x04\x22\x4d\x18", "lz4"),
            (b"\x1f\x9d\x90", "compress"),
            (b"Obj\x01", "Avro"),
            (b"ORC\x0a\xff", "ORC"),
            (&tar, "a tar archive"),
        ] {
            let found = refuse("it", beginning).unwrap().to_string();
            assert!(found.contains(expected), "{found}");
            assert!(!is_json(&beginning[..2]), "{expected}");
        }
        for beginning in [
            "",
            "{",
            "{}",
            "[",
            "\u{feff}{}",
            "id,n\n",
            "ORCHID,n\n",
            "PK,n\n",
            "\0\0",
        ] {
            assert!(refuse("it", beginning.as_bytes()).is_none(), "{beginning}");
        }
    }
}

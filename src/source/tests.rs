//! Damaged files, and files of other programs.

use std::sync::{Arc, OnceLock};

use ::bytes::Bytes;

use super::property_tests::encoded;
use super::{CsvRows, Mark, ParquetRows, Record, RecordReader, read_arrow};
use crate::feed::FeedMode;
use crate::feed::page::Page;
use crate::format::Compression;
use crate::format::CsvOptions;
use crate::format::EncoderOptions;
use crate::format::Format;
use crate::schema::{Schema, TableForm, TableLayout, parse_column};

fn schema() -> Schema {
    let lines = ["id string", "n int64", "d double", "ok boolean", "j json"];
    let columns = lines.iter().map(|line| parse_column(line).unwrap());
    Schema::new(columns.collect()).unwrap()
}

/// All records, or the error.
fn read(reader: anyhow::Result<impl RecordReader>) -> Result<Vec<Record>, String> {
    let mut reader = reader.map_err(|error| format!("{error:#}"))?;
    let next = || {
        reader
            .next()
            .map_err(|error| format!("{error:#}"))
            .transpose()
    };
    std::iter::from_fn(next).collect()
}

fn csv(text: &str) -> Result<Vec<Record>, String> {
    let options = CsvOptions::default();
    let name = "`x.csv`".to_owned();
    read(CsvRows::new(
        text.as_bytes(),
        name,
        Some(&schema()),
        &options,
        Mark::default(),
    ))
}

const HEADER: &str = "id,n,d,ok,j,_extra\r\n";

#[test]
fn truncated_or_changed_csv_is_refused_with_its_row() {
    let whole = format!("{HEADER}a,1,1.5,true,[],\r\nb,,,,,\"{{\"\"x\"\":1}}\"\r\n");
    let records = csv(&whole).unwrap();
    let json = |index: usize| std::str::from_utf8(&records[index].json).unwrap();
    assert_eq!(json(0), r#"{"id":"a","n":1,"d":1.5,"ok":true,"j":[]}"#);
    assert_eq!(json(1), r#"{"id":"b","x":1}"#);
    assert_eq!(records[1].end.line, 2);
    // Wherever it is truncated, no partial row passes for a whole one.
    for end in HEADER.len()..whole.len() {
        let kept = &whole[..end];
        match csv(kept) {
            Ok(records) => assert!(kept.ends_with('\n'), "{} of {kept:?}", records.len()),
            Err(why) => assert!(why.contains("`x.csv`"), "{why}"),
        }
    }
    for (row, why) in [
        ("a,x,,,,", "row 1 of `x.csv`: column 2: not int64: `x`"),
        ("a,1.0,,,,", "not int64"),
        ("a,,1e400,,,", "not double"),
        ("a,,inf,,,", "not double"),
        ("a,,,yes,,", "not boolean"),
        ("a,,,,\"1,\"\"x\"\":2\",", "not json"),
        ("a,,,,,{", "not JSON"),
        ("a,,,,", "5 fields"),
    ] {
        let found = csv(&format!("{HEADER}{row}\r\n")).unwrap_err();
        assert!(found.contains(why), "{found}");
    }
    for (header, why) in [
        (
            "id,n,d,ok,_extra",
            "it has a column `_extra` instead of `j`",
        ),
        ("id,n,d,ok,j", "it has no column `_extra`"),
        ("id,n,d,ok,j,_extra,k", "it has an extra column `k`"),
        ("", "it has no column `id`"),
    ] {
        let found = csv(&format!("{header}\r\n")).unwrap_err();
        assert!(found.contains(why), "{found}");
    }
    let past = Mark {
        line: 3,
        ..Mark::default()
    };
    let options = CsvOptions::default();
    let reader = CsvRows::new(
        whole.as_bytes(),
        "it".to_owned(),
        Some(&schema()),
        &options,
        past,
    );
    assert!(
        read(reader)
            .unwrap_err()
            .contains("it is shorter than the part of it that was read")
    );
}

fn parquet() -> Vec<u8> {
    columnar(Format::Parquet, false, Compression::Snappy)
}

fn columnar(format: Format, is_stream: bool, compression: Compression) -> Vec<u8> {
    let layout = TableLayout::Columns {
        schema: schema(),
        without_system_fields: false,
    };
    let options = EncoderOptions {
        format,
        is_stream,
        mode: FeedMode::LatestVersion,
        compression,
        csv: CsvOptions::default(),
        row_group_bytes: 1 << 20,
        partition_key_paths: vec!["/pk".to_owned()],
        layout: Arc::new(OnceLock::from(layout)),
        form: TableForm::First,
        extra: crate::format::Extra::Keep,
    };
    let body = r#"{"Documents":[{"id":"a","n":1,"d":1.5,"ok":true,"j":[]},{"id":"b","x":1}]}"#;
    encoded(
        options,
        &Page::parse(Bytes::from_static(body.as_bytes())).unwrap(),
    )
}

fn read_parquet(bytes: Vec<u8>) -> Result<Vec<Record>, String> {
    let name = "`x.parquet`".to_owned();
    read(ParquetRows::new(Bytes::from(bytes), name, Mark::default()))
}

#[test]
fn truncated_parquet_and_that_of_other_programs_is_refused() {
    let whole = parquet();
    assert_eq!(read_parquet(whole.clone()).unwrap().len(), 2);
    for end in [0, 4, 100, whole.len() - 9, whole.len() - 1] {
        let found = read_parquet(whole[..end].to_vec()).unwrap_err();
        assert!(
            found.contains("`x.parquet` is not a complete Parquet file"),
            "{found}"
        );
    }
    let replaced = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let mut bytes = whole.clone();
        let at: Vec<usize> = memchr::memmem::find_iter(&whole, from).collect();
        for at in at {
            bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        }
        read_parquet(bytes).unwrap_err()
    };
    let found = replaced("cosmos-tail.export_id", "cosmos-tail.exported_");
    assert!(found.contains("was not written by an export"), "{found}");
    let found = replaced("\"n int64\"", "\"n  json\"");
    assert!(
        found.contains("its column n json has the type Int64"),
        "{found}"
    );
    let found = replaced("\"n int64\"", "\"m int64\"");
    assert!(
        found.contains("it has a column `n` instead of `m`"),
        "{found}"
    );
}

#[test]
fn a_changed_byte_of_parquet_is_at_most_an_error() {
    let whole = parquet();
    let (mut refused, mut damaged) = (0, 0);
    for at in 0..whole.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= change;
            if let Err(why) = read_parquet(bytes) {
                assert!(why.contains("`x.parquet`"), "byte {at}: {why}");
                refused += 1;
                damaged += usize::from(why.contains("is damaged"));
            }
        }
    }
    // The library reports most of them, and panics on some.
    assert!(refused > whole.len() && damaged > 0, "{refused}, {damaged}");
}

/// A file and a stream, with and without compression.
fn arrow() -> [Vec<u8>; 3] {
    [
        columnar(Format::Arrow, false, Compression::None),
        columnar(Format::Arrow, true, Compression::Zstd(1)),
        columnar(Format::Arrow, false, Compression::Lz4),
    ]
}

fn read_arrow_bytes(bytes: Vec<u8>) -> Result<Vec<Record>, String> {
    let open = || -> anyhow::Result<Vec<Record>> {
        let bytes = Box::new(std::io::Cursor::new(bytes));
        let mut rows = read_arrow(bytes, "`x.arrow`".to_owned(), Mark::default())?;
        let mut records = Vec::new();
        while let Some(record) = rows.next()? {
            records.push(record);
        }
        Ok(records)
    };
    open().map_err(|error| format!("{error:#}"))
}

#[test]
fn truncated_arrow_is_refused_wherever_it_ends() {
    for whole in arrow() {
        assert_eq!(read_arrow_bytes(whole.clone()).unwrap().len(), 2);
        for end in 0..whole.len() {
            let found = read_arrow_bytes(whole[..end].to_vec()).unwrap_err();
            assert!(found.contains("`x.arrow` is"), "{end}: {found}");
        }
    }
}

#[test]
fn a_changed_byte_of_arrow_is_at_most_an_error() {
    for whole in arrow() {
        let mut refused = 0;
        for at in 0..whole.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= change;
                if let Err(why) = read_arrow_bytes(bytes) {
                    assert!(why.contains("`x.arrow`"), "byte {at}: {why}");
                    refused += 1;
                }
            }
        }
        assert!(refused > whole.len() / 4, "{refused} of {}", whole.len());
    }
}

//! Both formats with columns, written here and read by the reference implementations.

use std::sync::{Arc, OnceLock};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::encoder::{EncoderOptions, FileAbout};
use super::encoders::encoders;
use crate::feed::page::Page;
use crate::feed::{FeedMode, RangeId};
use crate::format::Compression;
use crate::format::CsvOptions;
use crate::format::Format;
use crate::schema::{Schema, TableForm, TableLayout, parse_column};

fn page(documents: &[&str]) -> Page {
    let body = format!(r#"{{"Documents":[{}]}}"#, documents.join(","));
    Page::parse(Bytes::from(body)).unwrap()
}

fn columns(lines: &[&str]) -> TableLayout {
    let columns = lines.iter().map(|line| parse_column(line).unwrap());
    TableLayout::Columns {
        schema: Schema::new(columns.collect()).unwrap(),
        without_system_fields: false,
    }
}

fn options(format: Format, mode: FeedMode, layout: TableLayout) -> EncoderOptions {
    EncoderOptions {
        format,
        is_stream: false,
        mode,
        compression: Compression::None,
        csv: CsvOptions::default(),
        row_group_bytes: 1 << 20,
        partition_key_paths: vec!["/pk".to_owned()],
        layout: Arc::new(OnceLock::from(layout)),
        form: TableForm::First,
        extra: crate::format::Extra::Keep,
    }
}

/// The bytes of one file, and how many of its rows have an overflow.
fn file(options: EncoderOptions, pages: &[Page]) -> (Vec<u8>, u64) {
    let mut encoder = encoders(options)().unwrap();
    let mut out = Vec::new();
    let about = FileAbout {
        export_id: uuid::Uuid::nil(),
        container: "orders",
        start: &[],
        end: &[],
    };
    encoder.begin(&about, &mut out).unwrap();
    let mut overflowed = 0;
    for page in pages {
        let encoded = encoder.encode(RangeId(0), page, &mut out).unwrap();
        assert!(encoded.is_whole);
        overflowed += encoded.overflowed;
    }
    encoder.finish(&about, &mut out).unwrap();
    assert_eq!(encoder.buffered_bytes(), 0);
    (out, overflowed)
}

fn csv(options: EncoderOptions, documents: &[&str]) -> (String, u64) {
    let (bytes, overflowed) = file(options, &[page(documents)]);
    (String::from_utf8(bytes).unwrap(), overflowed)
}

#[test]
fn csv_follows_rfc_4180_and_distinguishes_missing_from_empty() {
    let layout = columns(&[
        "id string",
        "c struct<n: int64, t: list<string>>",
        "ok boolean",
    ]);
    let options = options(Format::Csv, FeedMode::LatestVersion, layout);
    let (text, overflowed) = csv(
        options,
        &[
            r#"{"id":"a,\"b\"\r\nc","c":{"n":7,"t":["x"]},"ok":true}"#,
            r#"{"id":"","c":{"n":null}}"#,
            r#"{"id":"nul\u0000"}"#,
            "{}",
            "[1]",
        ],
    );
    let expected = [
        "id,c.n,c.t,ok,_extra",
        "\"a,\"\"b\"\"\r\nc\",7,\"[\"\"x\"\"]\",true,",
        r#",,,,"{""id"":"""",""c"":{""n"":null}}""#,
        r#",,,,"{""id"":""nul\u0000""}""#,
        ",,,,",
        ",,,,[1]",
    ];
    assert_eq!(text, expected.map(|line| format!("{line}\r\n")).concat());
    assert_eq!(overflowed, 3);
}

#[test]
fn csv_options_change_the_form() {
    let layout = columns(&["id string", "\"=x\" int64"]);
    assert!(matches!(layout, TableLayout::Columns { .. }));
    let mut options = options(Format::Csv, FeedMode::LatestVersion, layout);
    options.csv = CsvOptions {
        delimiter: ';',
        null: "NULL".to_owned(),
        safe: true,
        bom: false,
    };
    let documents = [
        r#"{"id":"=1+1","=x":-5}"#,
        r#"{"id":"NULL"}"#,
        r#"{"id":""}"#,
    ];
    let (text, _) = csv(options, &documents);
    let expected = [
        "id;\"\"\"=x\"\"\";_extra",
        "'=1+1;-5;NULL",
        "NULL;NULL;\"{\"\"id\"\":\"\"NULL\"\"}\"",
        ";NULL;NULL",
    ];
    assert_eq!(text, expected.map(|line| format!("{line}\r\n")).concat());
}

#[test]
fn names_in_headers_are_quoted_only_where_they_would_be_ambiguous() {
    let layout = columns(&[
        "\"First Name\" string",
        "c struct<\"zip code\": string, \"a.b\": int64>",
        r#""a.b" int64"#,
        r#""say \"x\"" int64"#,
        r#""" int64"#,
        r#""=x" int64"#,
        "\"a,b\".\"c d\" int64",
    ]);
    let mut options = options(Format::Csv, FeedMode::LatestVersion, layout);
    options.form = TableForm::Ordered;
    options.csv.safe = true;
    let (text, _) = csv(options.clone(), &[]);
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let expected = [
        "_operation_lsn",
        "_operation_number",
        "First Name",
        "c.zip code",
        r#"c."a.b""#,
        r#""a.b""#,
        r#""say \"x\"""#,
        r#""""#,
        "'=x",
        "a,b.c d",
        "_extra",
    ];
    assert_eq!(reader.headers().unwrap(), &expected[..]);
    assert!(text.starts_with("_operation_lsn,_operation_number,First Name,c.zip code,"));
    options.format = Format::Parquet;
    let (_, bytes) = parquet(options, &[]);
    let reader = SerializedFileReader::new(bytes).unwrap();
    let root = reader.metadata().file_metadata().schema().get_fields();
    let names: Vec<&str> = root.iter().map(|field| field.name()).collect();
    assert_eq!(
        names,
        [
            "_operation_lsn",
            "_operation_number",
            "First Name",
            "c",
            r#""a.b""#,
            r#""say \"x\"""#,
            r#""""#,
            "=x",
            "a,b.c d",
            "_extra"
        ]
    );
}

#[test]
fn changes_of_one_transaction_are_numbered() {
    let layout = columns(&["id string"]);
    let documents = [
        r#"{"id":"a","_lsn":7}"#,
        r#"{"id":"b","_lsn":7}"#,
        r#"{"id":"c","_lsn":8}"#,
        r#"{"id":"d"}"#,
        r#"{"id":"e"}"#,
    ];
    for layout in [layout, TableLayout::Raw] {
        let mut options = options(Format::Csv, FeedMode::LatestVersion, layout);
        options.form = TableForm::Ordered;
        let (text, _) = csv(options, &documents);
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        let at = |name: &str| header.iter().position(|found| found == name).unwrap();
        let (lsn, number, id) = (at("_operation_lsn"), at("_operation_number"), at("id"));
        let rows = reader.records().map(Result::unwrap);
        let rows: Vec<String> = rows
            .map(|row| format!("{} {} {}", &row[id], &row[lsn], &row[number]))
            .collect();
        assert_eq!(rows, ["a 7 1", "b 7 2", "c 8 1", "d  1", "e  2"]);
    }
}

#[test]
fn times_are_in_microseconds_and_the_rest_of_a_fraction_is_in_the_overflow() {
    let layout = columns(&["t timestamp(7)", "s timestamp", "l list<timestamp(7)>"]);
    let documents = [
        r#"{"t":"2026-01-01T00:00:00.1234560Z","s":"2026-01-01T00:00:00.5Z","l":["2026-01-01T00:00:00.1234560Z"]}"#,
        r#"{"t":"2026-01-01T00:00:00.1234567Z","s":"1969-12-31T23:59:59.999999999Z","l":["2026-01-01T00:00:00.1234567Z"]}"#,
        r#"{"t":"9999-12-31T23:59:59.9999990Z","s":"soon","l":[]}"#,
    ];
    let mut options = options(Format::Parquet, FeedMode::LatestVersion, layout);
    options.form = TableForm::Ordered;
    let (batches, _) = parquet(options.clone(), &[page(&documents)]);
    let column = |name: &str| batches[0].column_by_name(name).unwrap();
    let micros = |name: &str| {
        let times = column(name).as_primitive::<arrow_array::types::TimestampMicrosecondType>();
        times.iter().collect::<Vec<_>>()
    };
    let second = 1_767_225_600_000_000;
    assert_eq!(
        micros("t"),
        [
            Some(second + 123_456),
            Some(second + 123_456),
            Some(253_402_300_799_999_999)
        ]
    );
    assert_eq!(micros("s"), [Some(second + 500_000), Some(-1), None]);
    let lists = column("l").as_list::<i32>();
    assert!(!lists.is_null(0) && lists.is_null(1) && !lists.is_null(2));
    let extra = column("_extra").as_string::<i32>();
    assert!(extra.is_null(0));
    assert_eq!(
        extra.value(1),
        r#"{"t":"2026-01-01T00:00:00.1234567Z","s":"1969-12-31T23:59:59.999999999Z","l":["2026-01-01T00:00:00.1234567Z"]}"#
    );
    assert_eq!(extra.value(2), r#"{"s":"soon"}"#);
    // Text has no unit.
    options.format = Format::Csv;
    let (text, overflowed) = csv(options, &documents);
    assert!(text.contains(",2026-01-01T00:00:00.1234567Z,1969-12-31T23:59:59.999999999Z,"));
    assert_eq!(overflowed, 1);
}

#[test]
fn rows_of_changes_begin_with_the_operation() {
    let changes = [
        r#"{"current":{"id":"a","n":1},"metadata":{"operationType":"create","lsn":3,"crts":60}}"#,
        r#"{"current":{"id":"a","n":"x"},"previous":{"id":"a","n":1},"metadata":{"operationType":"replace","lsn":4,"crts":61}}"#,
        r#"{"current":{},"metadata":{"operationType":"delete","lsn":5,"crts":62,"id":"a","partitionKey":["p"]}}"#,
    ];
    let all = |layout| {
        let options = options(Format::Csv, FeedMode::AllVersionsAndDeletes, layout);
        csv(options, &changes).0
    };
    let text = all(columns(&["id string", "n int64"]));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "_operation,_operation_lsn,_operation_time,_previous,_metadata,id,n,_extra"
    );
    assert!(
        lines[1].starts_with("create,3,1970-01-01T00:01:00Z,,\"{"),
        "{text}"
    );
    assert!(lines[1].ends_with(",a,1,"), "{text}");
    assert!(lines[2].contains(r#""{""id"":""a"",""n"":1}""#), "{text}");
    assert!(lines[2].ends_with(r#",a,,"{""n"":""x""}""#), "{text}");
    assert!(
        lines[3].starts_with("delete,5,") && lines[3].ends_with("\",a,,"),
        "{text}"
    );
    let text = all(TableLayout::Raw);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "_operation,_operation_lsn,_operation_time,_previous,_metadata,id,_partition_key,_ts,_lsn,document"
    );
    assert!(
        lines[1].ends_with(r#",a,[{}],,3,"{""id"":""a"",""n"":1}""#),
        "{text}"
    );
    assert!(lines[3].ends_with(r#",a,"[""p""]",,5,"#), "{text}");
}

fn parquet(options: EncoderOptions, pages: &[Page]) -> (Vec<RecordBatch>, Bytes) {
    let (bytes, _) = file(options, pages);
    let bytes = Bytes::from(bytes);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).unwrap();
    let batches = reader.with_batch_size(10_000).build().unwrap();
    (batches.map(Result::unwrap).collect(), bytes)
}

#[test]
fn parquet_has_typed_columns() {
    let layout = columns(&[
        "id string",
        "total double",
        "at timestamp(0)",
        "c struct<n: int64, deep: struct<ok: boolean>>",
        "l list<struct<x: int64, t: list<string>, j: json>>",
        "a.b int64",
    ]);
    let documents = [
        r#"{"id":"\u00e9","total":1.5,"at":"1970-01-01T00:00:01Z","c":{"n":7,"deep":{"ok":true}},"l":[{"x":1,"t":["p",null,"q"]},null,{"j":"s"},{"j":null}],"a":{"b":9}}"#,
        r#"{"c":{},"l":[],"new":1}"#,
        "{}",
    ];
    let options = options(Format::Parquet, FeedMode::LatestVersion, layout);
    let (batches, _) = parquet(options, &[page(&documents[..1]), page(&documents[1..])]);
    let [batch] = &batches[..] else {
        panic!("{}", batches.len())
    };
    let names: Vec<_> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(names, ["id", "total", "at", "c", "l", "a.b", "_extra"]);
    let column = |name: &str| batch.column_by_name(name).unwrap();
    assert_eq!(column("id").as_string::<i32>().value(0), "é");
    assert_eq!(column("total").as_primitive::<Float64Type>().value(0), 1.5);
    let at = column("at").as_primitive::<TimestampMicrosecondType>();
    assert_eq!((at.value(0), at.is_null(1)), (1_000_000, true));
    assert_eq!(column("a.b").as_primitive::<Int64Type>().value(0), 9);
    let c = column("c").as_struct();
    assert_eq!(
        (c.is_null(0), c.is_null(1), c.is_null(2)),
        (false, false, true)
    );
    assert!(c.column(1).is_null(1) && c.column(1).as_struct().column(0).as_boolean().value(0));
    let l = column("l").as_list::<i32>();
    assert_eq!(
        (l.value_length(0), l.is_null(1), l.is_null(2)),
        (4, false, true)
    );
    let elements = l.value(0);
    let elements = elements.as_struct();
    assert!(elements.is_null(1) && elements.is_valid(3));
    let texts = elements.column(1).as_list::<i32>().value(0);
    let texts = texts.as_string::<i32>();
    assert_eq!(
        (texts.value(0), texts.is_null(1), texts.value(2)),
        ("p", true, "q")
    );
    let json = elements.column(2).as_string::<i32>();
    assert!(json.is_null(0));
    assert_eq!((json.value(2), json.value(3)), ("\"s\"", "null"));
    let extra = column("_extra").as_string::<i32>();
    assert!(extra.is_null(0) && extra.is_null(2));
    assert_eq!(extra.value(1), r#"{"new":1}"#);
}

#[test]
fn row_groups_end_by_size_and_metadata_describes_the_file() {
    let layout = columns(&["id string", "text string"]);
    for compression in [
        Compression::None,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Gzip(6),
        Compression::Zstd(3),
    ] {
        let mut options = options(Format::Parquet, FeedMode::LatestVersion, layout.clone());
        options.compression = compression;
        options.row_group_bytes = 2 << 20;
        let mut random = fastrand::Rng::with_seed(7);
        let mut text = || {
            std::iter::repeat_with(|| random.alphanumeric())
                .take(2000)
                .collect()
        };
        let pages: Vec<Page> = (0..10)
            .map(|number| {
                let documents: Vec<String> = (0..500)
                    .map(|row| {
                        let text: String = text();
                        format!(r#"{{"id":"{number}-{row}","text":"{text}"}}"#)
                    })
                    .collect();
                page(&documents.iter().map(String::as_str).collect::<Vec<_>>())
            })
            .collect();
        let (batches, bytes) = parquet(options, &pages);
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 5000);
        let reader = SerializedFileReader::new(bytes).unwrap();
        let groups = reader.metadata().row_groups();
        assert!((3..=10).contains(&groups.len()), "{}", groups.len());
        let column = groups[0].column(0);
        assert!(column.statistics().is_some());
        let pairs = reader
            .metadata()
            .file_metadata()
            .key_value_metadata()
            .unwrap();
        let value = |key: &str| {
            let found = pairs.iter().find(|one| one.key == key);
            found.and_then(|one| one.value.clone()).unwrap()
        };
        assert_eq!(value("cosmos-tail.container"), "orders");
        assert_eq!(value("cosmos-tail.start"), "[]");
        assert_eq!(
            value("cosmos-tail.schema"),
            r#"["id string","text string"]"#
        );
    }
}

#[test]
fn a_file_without_rows_is_valid() {
    let layout = columns(&["id string"]);
    let options = options(Format::Parquet, FeedMode::LatestVersion, layout);
    let (batches, bytes) = parquet(options, &[]);
    assert!(batches.is_empty());
    assert_eq!(&bytes[..4], b"PAR1");
}

//! Random documents through the encoders of every table layout and back: what is read is what was
//! written.

use std::sync::{Arc, OnceLock};

use ::bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::meaning::meaning;
use super::{CsvRows, Mark, ParquetRows, RecordReader, read_arrow};
use crate::feed::page::{Page, members};
use crate::feed::{FeedMode, RangeId};
use crate::format::Compression;
use crate::format::CsvOptions;
use crate::format::EncoderOptions;
use crate::format::FileAbout;
use crate::format::Format;
use crate::format::encoders;
use crate::schema::{
    Column, ColumnType, Field, FieldPath, Fraction, Inference, InferenceOptions, Place, Schema,
    TableForm, TableLayout,
};

/// Names as they are between quotes: of columns, names that no column can have, and the same name
/// written in two ways.
const NAMES: [&str; 17] = [
    "id",
    "pk",
    "a",
    "b",
    "c",
    "\\u0061",
    "a.b",
    "",
    "é",
    "\\u00e9",
    "_extra",
    "_metadata",
    "_ts",
    "_etag",
    "\\ud800",
    "q\\\"",
    "A",
];

/// Scalars at the limits of what columns hold.
const SCALARS: [&str; 46] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "1.0",
    "1.10",
    "1e2",
    "1E-2",
    "-0.0",
    "0.1",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "1e400",
    "1e-400",
    "5e-324",
    "1.7976931348623157e308",
    "0.1000000000000000055511151231257827",
    "\"\"",
    "\" \"",
    "\"a\"",
    "\"null\"",
    "\"NULL\"",
    "\"true\"",
    "\"1\"",
    "\"=1+1\"",
    "\"a,b\"",
    "\"a\\\"b\"",
    "\"a\\r\\nb\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\ud83c\\udf88\"",
    "\"é🎈\"",
    "\"\\u00e9\"",
    "\"\\/\"",
    "\"2026-11-23T12:00:00Z\"",
    "\"2026-11-23T12:00:00.120Z\"",
    "\"2026-11-23T12:00:00.1234567Z\"",
    "\"2026-02-30T12:00:00Z\"",
    "\"{}\"",
    "\"[1]\"",
    "123456789012345678901234567890",
];

pub(super) fn json() -> impl Strategy<Value = String> {
    let scalar = select(&SCALARS[..]).prop_map(str::to_owned);
    scalar.prop_recursive(3, 24, 5, |inner| {
        let space = select(&["", "", "", " ", "\n", "\r\n\t"][..]);
        prop_oneof![
            (vec(inner.clone(), 0..5), space.clone()).prop_map(|(values, space)| {
                format!("[{space}{}{space}]", values.join(&format!("{space},")))
            }),
            (vec((select(&NAMES[..]), inner), 0..6), space)
                .prop_map(|(members, space)| object(&members, space)),
        ]
    })
}

/// An object of these values.
pub(super) fn object_text(values: &[String], space: &str) -> String {
    let names = NAMES.iter().copied();
    object(
        &names.zip(values.iter().cloned()).collect::<Vec<_>>(),
        space,
    )
}

fn object(members: &[(&str, String)], space: &str) -> String {
    let members = members.iter();
    let members = members.map(|(name, value)| format!("{space}\"{name}\"{space}:{space}{value}"));
    format!("{{{}{space}}}", members.collect::<Vec<_>>().join(","))
}

/// Mostly objects, as documents are.
fn document() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => vec((select(&NAMES[..]), json()), 0..8).prop_map(|members| object(&members, "")),
        1 => json(),
    ]
}

fn column_type() -> impl Strategy<Value = ColumnType> {
    let leaf = prop_oneof![
        Just(ColumnType::Boolean),
        Just(ColumnType::Int64),
        Just(ColumnType::Double),
        Just(ColumnType::String),
        Just(ColumnType::Json),
        (0_u8..10).prop_map(|digits| ColumnType::Timestamp(Fraction::Digits(digits))),
        Just(ColumnType::Timestamp(Fraction::Shortest)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|element| ColumnType::List(Box::new(element))),
            vec((name(), inner), 1..4).prop_filter_map("a name twice", |fields| {
                let fields = fields
                    .into_iter()
                    .map(|(name, field_type)| Field { name, field_type });
                let schema = ColumnType::Struct(fields.collect());
                let column = Column {
                    path: FieldPath::top("x"),
                    column_type: schema.clone(),
                };
                Schema::new(vec![column]).is_ok().then_some(schema)
            }),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    select(&["id", "pk", "a", "b", "c", "a.b", "", "é", "_ts", "q\"", "A"][..])
        .prop_map(str::to_owned)
}

/// As many of the columns as do not overlap.
fn schema() -> impl Strategy<Value = Schema> {
    vec((vec(name(), 1..3), column_type()), 1..8).prop_map(|columns| {
        let mut all: Vec<Column> = Vec::new();
        for (names, column_type) in columns {
            let Some(path) = FieldPath::new(names) else {
                continue;
            };
            all.push(Column { path, column_type });
            if Schema::new(all.clone()).is_err() {
                all.pop();
            }
        }
        Schema::new(all).unwrap()
    })
}

fn csv_options() -> impl Strategy<Value = CsvOptions> {
    let null = select(&["", "NULL", "null", "1", "a,b", "{}", "é"][..]);
    (select(&[',', ';', '\t', '|'][..]), null).prop_map(|(delimiter, null)| CsvOptions {
        delimiter,
        null: null.to_owned(),
        safe: false,
        bom: false,
    })
}

fn assert_same(found: &[u8], expected: &[u8]) -> Result<(), TestCaseError> {
    let text = |json| String::from_utf8_lossy(json).into_owned();
    let parsed = serde_json::from_slice::<&serde_json::value::RawValue>(found);
    prop_assert!(parsed.is_ok(), "{}", text(found));
    prop_assert_eq!(
        meaning(found),
        meaning(expected),
        "{} is not {}",
        text(found),
        text(expected)
    );
    Ok(())
}

/// The bytes of a file with one page.
pub(super) fn encoded(options: EncoderOptions, page: &Page) -> Vec<u8> {
    let mut encoder = encoders(options)().unwrap();
    let mut out = Vec::new();
    let about = FileAbout {
        export_id: uuid::Uuid::nil(),
        container: "orders",
        start: &[],
        end: &[],
    };
    encoder.begin(&about, &mut out).unwrap();
    encoder.encode(RangeId(0), page, &mut out).unwrap();
    encoder.finish(&about, &mut out).unwrap();
    out
}

/// What is read back of the items, in both formats and from every row on.
fn round_trip(
    items: &[String],
    mode: FeedMode,
    layout: &TableLayout,
    csv: &CsvOptions,
) -> Result<Vec<Vec<Bytes>>, TestCaseError> {
    let body = format!("{{\"Documents\":[{}]}}", items.join(","));
    let page = Page::parse(Bytes::from(body)).unwrap();
    let schema = match layout {
        TableLayout::Columns { schema, .. } => Some(schema),
        TableLayout::Raw => None,
    };
    let mut found = Vec::new();
    // What earlier builds wrote is read back too.
    let earlier = if items.len().is_multiple_of(2) {
        Format::Csv
    } else {
        Format::Parquet
    };
    for (format, form) in [
        (Format::Csv, TableForm::Nullable),
        (Format::Parquet, TableForm::Nullable),
        (Format::Arrow, TableForm::Nullable),
        (earlier, TableForm::First),
        (earlier, TableForm::Ordered),
    ] {
        let options = EncoderOptions {
            format,
            is_stream: false,
            mode,
            compression: match items.len() % 3 {
                0 if format == Format::Arrow => Compression::Lz4,
                1 if format == Format::Arrow => Compression::Zstd(1),
                _ => Compression::None,
            },
            csv: csv.clone(),
            row_group_bytes: 1 << 20,
            partition_key_paths: vec!["/pk".to_owned()],
            layout: Arc::new(OnceLock::from(layout.clone())),
            form,
            extra: crate::format::Extra::Keep,
        };
        let file = encoded(options, &page);
        let read = |mark| -> Vec<Bytes> {
            let name = "it".to_owned();
            let mut reader: Box<dyn RecordReader> = match format {
                Format::Csv => Box::new(CsvRows::new(&file[..], name, schema, csv, mark).unwrap()),
                Format::Arrow => {
                    let file = Box::new(std::io::Cursor::new(file.clone()));
                    read_arrow(file, name, mark).unwrap()
                }
                _ => Box::new(ParquetRows::new(Bytes::from(file.clone()), name, mark).unwrap()),
            };
            let records = std::iter::from_fn(|| reader.next().unwrap());
            records.map(|record| record.json).collect()
        };
        let all = read(Mark::default());
        if let Some(middle) = all.len().checked_sub(1) {
            let mark = Mark {
                line: middle as u64,
                ..Mark::default()
            };
            prop_assert_eq!(&read(mark)[..], &all[middle..]);
        }
        found.push(all);
    }
    Ok(found)
}

/// This many cases, or as many as `PROPTEST_CASES` says.
fn cases(few: u32) -> ProptestConfig {
    let given = ProptestConfig::default();
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => given,
        None => ProptestConfig::with_cases(few),
    }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn documents_survive_any_schema(
        documents in vec(document(), 1..8),
        schema in schema(),
        csv in csv_options(),
    ) {
        let layout = TableLayout::Columns { schema, without_system_fields: false };
        for found in round_trip(&documents, FeedMode::LatestVersion, &layout, &csv)? {
            prop_assert_eq!(found.len(), documents.len());
            for (found, document) in found.iter().zip(&documents) {
                assert_same(found, document.as_bytes())?;
            }
        }
    }

    #[test]
    fn documents_survive_a_schema_inferred_from_some_of_them(
        documents in vec(document(), 1..8),
        observed in 1_usize..8,
        detect_timestamps in any::<bool>(),
        csv in csv_options(),
    ) {
        let options = InferenceOptions {
            detect_timestamps,
            by_majority: documents.len() % 2 == 0,
            ..InferenceOptions::default()
        };
        let mut inference = Inference::new(options, vec![vec!["pk".to_owned()]]);
        for (number, document) in (0..).zip(documents.iter().take(observed)) {
            inference.observe(document.as_bytes(), Place::new(0, number));
        }
        let layout = TableLayout::Columns {
            schema: inference.finish().schema,
            without_system_fields: false,
        };
        for found in round_trip(&documents, FeedMode::LatestVersion, &layout, &csv)? {
            prop_assert_eq!(found.len(), documents.len());
            for (found, document) in found.iter().zip(&documents) {
                assert_same(found, document.as_bytes())?;
            }
        }
    }

}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn changes_survive_with_all_their_metadata(
        changes in vec((document(), proptest::option::of(document()), json()), 1..6),
        schema in proptest::option::of(schema()),
        csv in csv_options(),
    ) {
        let layout = match schema {
            Some(schema) => TableLayout::Columns { schema, without_system_fields: false },
            None => TableLayout::Raw,
        };
        let items: Vec<String> = changes.iter().map(|(current, previous, other)| {
            let previous = previous.iter().map(|json| format!(",\"previous\":{json}"));
            let previous: String = previous.collect();
            let metadata = format!("{{\"operationType\":\"replace\",\"lsn\":7,\"x\":{other}}}");
            format!("{{\"current\":{current}{previous},\"metadata\":{metadata}}}")
        }).collect();
        for found in round_trip(&items, FeedMode::AllVersionsAndDeletes, &layout, &csv)? {
            prop_assert_eq!(found.len(), items.len());
            for (found, item) in found.iter().zip(&items) {
                let wanted = members(item.as_bytes())
                    // A missing `previous` and a null one are the same.
                    .filter(|member| !(member.is_named("previous") && member.value == b"null"))
                    .map(|member| {
                        let is_none = member.is_named("current") && member.value == b"null";
                        let value = if is_none { b"{}" } else { member.value };
                        [b"\"", member.raw_name, b"\":", value].concat()
                    });
                let wanted = wanted.collect::<Vec<_>>().join(&b","[..]);
                assert_same(found, &[b"{", &wanted[..], b"}"].concat())?;
            }
        }
    }

    #[test]
    fn documents_in_a_column_of_their_own_are_unchanged(
        documents in vec(document(), 1..8),
        csv in csv_options(),
    ) {
        for found in round_trip(&documents, FeedMode::LatestVersion, &TableLayout::Raw, &csv)? {
            let found: Vec<&[u8]> = found.iter().map(|json| &json[..]).collect();
            let expected: Vec<&[u8]> = documents.iter().map(|json| json.as_bytes()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}

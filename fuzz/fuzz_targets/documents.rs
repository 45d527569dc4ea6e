//! Any documents, one per line, through the encoders of CSV, Parquet and Arrow and back: their meaning does not
//! change, whatever the columns.
#![no_main]

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use cosmos_tail::feed::page::Page;
use cosmos_tail::feed::{FeedMode, RangeId};
use cosmos_tail::format::{Compression, CsvOptions, EncoderOptions, FileAbout, Format, encoders};
use cosmos_tail::schema::{Inference, InferenceOptions, Place, Schema, TableForm, TableLayout};
use cosmos_tail::source::{CsvRows, Mark, ParquetRows, RecordReader, read_arrow};
use libfuzzer_sys::fuzz_target;

#[path = "../cases/meaning.rs"]
mod meaning;
use meaning::meaning;

fuzz_target!(|text: &[u8]| {
    let Some((&first, text)) = text.split_first() else {
        return;
    };
    let body = [
        b"{\"Documents\":[",
        &text
            .split(|byte| *byte == b'\n')
            .collect::<Vec<_>>()
            .join(&b","[..])[..],
        b"]}",
    ]
    .concat();
    let Ok(page) = Page::parse(Bytes::from(body)) else {
        return;
    };
    let documents: Vec<&[u8]> = page.items().map(|item| item.json()).collect();
    // Envelopes are split into parts, and a schema inferred from half of the documents is harder.
    if page
        .items()
        .any(|item| item.document() != Some(item.json()))
    {
        return;
    }
    let layout = match first % 4 {
        0 => TableLayout::Raw,
        seen => {
            let options = InferenceOptions {
                detect_timestamps: seen == 1,
                ..InferenceOptions::default()
            };
            let mut inference = Inference::new(options, vec![vec!["pk".to_owned()]]);
            let observed = documents.len().div_ceil(usize::from(seen));
            for (number, document) in (0..).zip(&documents[..observed]) {
                inference.observe(document, Place::new(0, number));
            }
            TableLayout::Columns {
                schema: inference.finish().schema,
                without_system_fields: false,
            }
        }
    };
    let csv = CsvOptions {
        delimiter: [',', ';', '\t', '|'][usize::from(first >> 2) % 4],
        null: ["", "NULL", "1", "a,b"][usize::from(first >> 4) % 4].to_owned(),
        safe: false,
        bom: false,
    };
    for format in [Format::Csv, Format::Parquet, Format::Arrow] {
        let file = encoded(&page, format, &layout, &csv);
        let found = read(file, format, &layout, &csv);
        assert_eq!(found.len(), documents.len());
        for (found, document) in found.iter().zip(&documents) {
            assert_eq!(meaning(found), meaning(document));
        }
    }
});

fn encoded(page: &Page, format: Format, layout: &TableLayout, csv: &CsvOptions) -> Vec<u8> {
    let options = EncoderOptions {
        format,
        is_stream: false,
        mode: FeedMode::LatestVersion,
        compression: Compression::None,
        csv: csv.clone(),
        row_group_bytes: 1 << 20,
        partition_key_paths: vec!["/pk".to_owned()],
        layout: Arc::new(OnceLock::from(layout.clone())),
        form: TableForm::Nullable,
        extra: cosmos_tail::format::Extra::Keep,
    };
    let mut encoder = encoders(options)().expect("there is an encoder");
    let mut out = Vec::new();
    let about = FileAbout {
        export_id: uuid::Uuid::nil(),
        container: "orders",
        start: &[],
        end: &[],
    };
    encoder.begin(&about, &mut out).expect("memory takes it");
    encoder
        .encode(RangeId(0), page, &mut out)
        .expect("every document has a place");
    encoder.finish(&about, &mut out).expect("memory takes it");
    out
}

fn read(file: Vec<u8>, format: Format, layout: &TableLayout, csv: &CsvOptions) -> Vec<Bytes> {
    let schema: Option<&Schema> = match layout {
        TableLayout::Columns { schema, .. } => Some(schema),
        TableLayout::Raw => None,
    };
    let (name, mark) = ("it".to_owned(), Mark::default());
    let mut reader: Box<dyn RecordReader> = match format {
        Format::Csv => Box::new(
            CsvRows::new(std::io::Cursor::new(file), name, schema, csv, mark)
                .expect("it is as its schema says"),
        ),
        Format::Arrow => read_arrow(Box::new(std::io::Cursor::new(file)), name, mark)
            .expect("it is a file of ours"),
        _ => {
            Box::new(ParquetRows::new(Bytes::from(file), name, mark).expect("it is a file of ours"))
        }
    };
    std::iter::from_fn(|| reader.next().expect("what was written can be read"))
        .map(|record| record.json)
        .collect()
}

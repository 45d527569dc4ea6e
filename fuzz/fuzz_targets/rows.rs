//! Any bytes as a file of rows to replay, CSV, Parquet or Arrow, and any text as a schema: it is refused, or its
//! records are read to the end.
#![no_main]

use bytes::Bytes;
use cosmos_tail::schema::file;
use cosmos_tail::source::{CsvRows, Mark, ParquetRows, RecordReader, read_arrow};
use cosmos_tail::format::CsvOptions;
use libfuzzer_sys::fuzz_target;

/// Rows that a small file may claim to have are not all looked at.
const ENOUGH: usize = 10_000;

fuzz_target!(|bytes: &[u8]| {
    let name = || "it".to_owned();
    if bytes.starts_with(b"PAR1") {
        let file = Bytes::copy_from_slice(bytes);
        if let Ok(rows) = ParquetRows::new(file, name(), Mark::default()) {
            drain(rows);
        }
        return;
    }
    if bytes.starts_with(b"ARROW1") || bytes.starts_with(&[0xff; 4]) {
        let file = Box::new(std::io::Cursor::new(bytes.to_vec()));
        if let Ok(rows) = read_arrow(file, name(), Mark::default()) {
            drain(rows);
        }
        return;
    }
    // Everything up to an empty line is the schema.
    let middle = bytes.windows(2).position(|two| two == b"\n\n");
    let (schema, rows) = match middle {
        Some(middle) => (file::parse(&bytes[..middle]).ok(), &bytes[middle + 2..]),
        None => (None, bytes),
    };
    let options = CsvOptions {
        delimiter: ',',
        null: "NULL".to_owned(),
        safe: false,
        bom: false,
    };
    let rows = rows.to_vec();
    let rows = std::io::Cursor::new(rows);
    if let Ok(rows) = CsvRows::new(rows, name(), schema.as_ref(), &options, Mark::default()) {
        drain(rows);
    }
});

fn drain(mut rows: impl RecordReader) {
    for _ in 0..ENOUGH {
        match rows.next() {
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

//! Turning pages into the bytes of files: JSON lines, CSV, Parquet and Arrow, on one thread.
//!
//! The documents are orders of about 1 KB with random values: some text, numbers, a nested object, a list
//! of objects, and the members that the service adds. Each page has 1,000 of them.
#![expect(clippy::unwrap_used, reason = "a bench may stop at what cannot happen")]

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use cosmos_tail::feed::page::Page;
use cosmos_tail::feed::{FeedMode, FeedRange, RangeId, RangeState};
use cosmos_tail::format::Compression;
use cosmos_tail::format::CsvOptions;
use cosmos_tail::format::EncoderOptions;
use cosmos_tail::format::FileAbout;
use cosmos_tail::format::Format;
use cosmos_tail::format::encoders;
use cosmos_tail::schema::{Schema, TableForm, TableLayout, parse_column};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const PAGES: usize = 32;

const SCHEMA: [&str; 15] = [
    "id string",
    "customerId string",
    "status string",
    "total double",
    "currency string",
    "express boolean",
    "createdAt string",
    "customer struct<name: string, email: string, address: struct<street: string, zip: string, city: string>>",
    "lines list<struct<sku: string, quantity: int64, price: double, title: string>>",
    "tags list<string>",
    "note string",
    "_rid string",
    "_etag string",
    "_ts int64",
    "_lsn int64",
];

fn words(random: &mut fastrand::Rng, count: usize) -> String {
    let mut text = String::new();
    for index in 0..count {
        let length = random.usize(2..10);
        text.extend((index > 0).then_some(' '));
        text.extend(std::iter::repeat_with(|| random.lowercase()).take(length));
    }
    text
}

fn order(random: &mut fastrand::Rng, number: usize) -> String {
    let mut lines = String::new();
    for line in 0..random.usize(1..5) {
        write!(
            lines,
            r#"{}{{"sku":"SKU-{:05}","quantity":{},"price":{}.{:02},"title":"{}"}}"#,
            if line > 0 { "," } else { "" },
            random.u32(..20_000),
            random.u8(1..10),
            random.u16(..500),
            random.u8(..100),
            words(random, 3)
        )
        .unwrap();
    }
    let status = random
        .choice(["new", "paid", "shipped", "returned"])
        .unwrap();
    format!(
        r#"{{"id":"{:032x}","customerId":"c-{:05}","status":"{status}","total":{}.{:02},"currency":"EUR","express":{},"createdAt":"2026-11-{:02}T{:02}:{:02}:07.{:03}Z","customer":{{"name":"{}","email":"{}@example.com","address":{{"street":"{} {}","zip":"{:05}","city":"{}"}}}},"lines":[{lines}],"tags":["{}","{}"],"note":"{}","_rid":"Gz8AAI1v{number:08}","_self":"dbs/Gz8AAA==/colls/Gz8AAI1vXh4=/docs/","_etag":"\"{:08x}-0000-0d00-0000-{:012x}\"","_attachments":"attachments/","_ts":{},"_lsn":{number}}}"#,
        random.u128(..),
        random.u32(..50_000),
        random.u32(..5_000),
        random.u8(..100),
        random.bool(),
        random.u8(1..29),
        random.u8(..24),
        random.u8(..60),
        random.u16(..1000),
        words(random, 2),
        words(random, 1),
        words(random, 1),
        random.u8(1..),
        random.u32(..100_000),
        words(random, 1),
        words(random, 1),
        words(random, 1),
        words(random, 12),
        random.u32(..),
        random.u64(..1 << 47),
        1_764_000_000 + number,
    )
}

fn pages() -> Vec<Page> {
    let mut random = fastrand::Rng::with_seed(7);
    let page = |page: usize| {
        let documents: Vec<String> = (0..1000)
            .map(|number| {
                let number = page * 1000 + number;
                let order = order(&mut random, number);
                format!(r#"{{"current":{order},"metadata":{{"lsn":{number},"crts":1764000000}}}}"#)
            })
            .collect();
        let body = format!(r#"{{"_rid":"x","Documents":[{}]}}"#, documents.join(","));
        Page::parse(Bytes::from(body)).unwrap()
    };
    (0..PAGES).map(page).collect()
}

fn encode(criterion: &mut Criterion) {
    let pages = pages();
    let bytes: usize = pages.iter().map(Page::body_len).sum();
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.sample_size(10);
    group.measurement_time(Duration::from_secs(5));
    let columns = SCHEMA.iter().map(|line| parse_column(line).unwrap());
    let layout = TableLayout::Columns {
        schema: Schema::new(columns.collect()).unwrap(),
        without_system_fields: true,
    };
    for (name, format, compression) in [
        ("jsonl", Format::Jsonl, Compression::None),
        ("csv", Format::Csv, Compression::None),
        ("parquet, uncompressed", Format::Parquet, Compression::None),
        ("parquet, snappy", Format::Parquet, Compression::Snappy),
        ("parquet, zstd", Format::Parquet, Compression::Zstd(3)),
        ("arrow, uncompressed", Format::Arrow, Compression::None),
        ("arrow, lz4", Format::Arrow, Compression::Lz4),
        ("arrow, zstd", Format::Arrow, Compression::Zstd(3)),
    ] {
        let new = encoders(EncoderOptions {
            format,
            is_stream: false,
            mode: FeedMode::LatestVersion,
            compression,
            csv: CsvOptions::default(),
            row_group_bytes: 16 << 20,
            partition_key_paths: Vec::new(),
            layout: Arc::new(OnceLock::from(layout.clone())),
            form: TableForm::Nullable,
            extra: cosmos_tail::format::Extra::Keep,
        });
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                let mut encoder = new().unwrap();
                let (mut out, mut length) = (Vec::new(), 0);
                let range = RangeState {
                    id: RangeId(0),
                    range: FeedRange::full(),
                    parents: Vec::new(),
                    position: None,
                    end: None,
                    snapshot: false,
                };
                let about = FileAbout {
                    export_id: uuid::Uuid::nil(),
                    container: "orders",
                    start: &[],
                    end: &[],
                };
                encoder.begin(&about, &mut out).unwrap();
                for page in &pages {
                    encoder.encode(RangeId(0), page, &mut out).unwrap();
                    encoder.moved(&range, &range, &mut out).unwrap();
                    length += out.len();
                    out.clear();
                }
                encoder.finish(&about, &mut out).unwrap();
                length + out.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);

//! Splitting a page of the feed into its items: ours against serde_json.
//!
//! Pages have 1,000 different documents of about 200 bytes, 1 KB and 20 KB, in three kinds: mostly
//! text, mostly numbers, deeply nested; all of a kind have one schema and random values. All are enveloped, as the service sends them. "write"
//! also appends every document as a line to a buffer, as an export does.
#![expect(clippy::unwrap_used, reason = "a bench may stop at what cannot happen")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use cosmos_tail::feed::page::{Page, write_line};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct RawPage<'a> {
    #[serde(borrow, rename = "Documents")]
    documents: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawEnvelopes<'a> {
    #[serde(borrow, rename = "Documents")]
    documents: Vec<RawEnvelope<'a>>,
}

#[derive(Deserialize)]
struct RawEnvelope<'a> {
    #[serde(borrow)]
    current: Option<&'a RawValue>,
    #[serde(borrow)]
    previous: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

const WORDS: [&str; 16] = [
    "invoice",
    "a",
    "of",
    "Zürich",
    "shipment",
    "is",
    "late",
    "\\n",
    "tomorrow",
    "customer",
    "warehouse",
    "the",
    "payment",
    "€",
    "delivered",
    "and",
];

fn sentence(out: &mut String, random: &mut fastrand::Rng, words: usize) {
    for _ in 0..words {
        out.push_str(WORDS[random.usize(..WORDS.len())]);
        out.push(' ');
    }
}

fn text_member(out: &mut String, random: &mut fastrand::Rng, number: usize) {
    let words = if number % 8 == 7 { 50 } else { 1 + number % 4 };
    write!(out, ",\"field{number}\":\"").unwrap();
    sentence(out, random, words);
    out.push('"');
}

fn number_member(out: &mut String, random: &mut fastrand::Rng, number: usize) {
    match number % 4 {
        0 => write!(out, ",\"n{number}\":{}", random.u32(..)),
        1 => write!(out, ",\"n{number}\":{:.4}", random.f64() * 1e3 - 500.0),
        2 => write!(out, ",\"n{number}\":{}", random.u8(..)),
        _ => write!(
            out,
            ",\"n{number}\":[{},{},{},{}]",
            random.u16(..),
            random.i8(..),
            random.f32(),
            random.bool()
        ),
    }
    .unwrap();
}

fn nested_member(out: &mut String, random: &mut fastrand::Rng, number: usize) {
    write!(out, ",\"o{number}\":").unwrap();
    let depth = 1 + number % 5;
    for level in 0..depth {
        write!(
            out,
            "{{\"level\":{level},\"tags\":[\"a\",null,{{}}],\"in\":"
        )
        .unwrap();
    }
    write!(out, "[{{\"ok\":{}}}]", random.bool()).unwrap();
    out.push_str(&"}".repeat(depth));
}

type AddMember = fn(&mut String, &mut fastrand::Rng, usize);

fn page(size: usize, add_member: AddMember) -> Bytes {
    let mut random = fastrand::Rng::with_seed(7);
    let mut body = String::from("{\"_rid\":\"Gz8AAI1vXh4=\",\"Documents\":[");
    for item in 0..1000 {
        body.push_str(if item == 0 { "" } else { "," });
        body.push_str("{\"current\":");
        let start = body.len();
        write!(
            body,
            "{{\"id\":\"{:032x}\",\"pk\":\"tenant-{}\"",
            random.u128(..),
            item % 17
        )
        .unwrap();
        // What the service appends, and the metadata, belong to the size.
        let target = start + size.saturating_sub(120);
        let mut number = 0;
        while body.len() < target {
            add_member(&mut body, &mut random, number);
            number += 1;
        }
        write!(
            body,
            ",\"_rid\":\"Gz8AAI1vXh4{item:05}AAAA==\",\"_etag\":\"\\\"{:08x}-0000-0700-0000-66f2a8b1\\\"\",\"_ts\":{}}}",
            random.u32(..),
            1_720_000_000 + item
        )
        .unwrap();
        write!(
            body,
            ",\"metadata\":{{\"lsn\":{item},\"crts\":1720322460}}}}"
        )
        .unwrap();
    }
    body.push_str("],\"_count\":1000}");
    Bytes::from(body)
}

fn split(criterion: &mut Criterion) {
    let kinds: [(&str, AddMember); 3] = [
        ("text", text_member),
        ("numbers", number_member),
        ("nested", nested_member),
    ];
    for (kind, add_member) in kinds {
        let mut group = criterion.benchmark_group(kind);
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(200))
            .measurement_time(Duration::from_millis(800));
        for size in [200, 1_000, 20_000] {
            let body = page(size, add_member);
            group.throughput(Throughput::Bytes(body.len() as u64));
            let mut buffer = Vec::new();
            group.bench_with_input(BenchmarkId::new("page", size), &body, |b, body| {
                b.iter(|| {
                    let page = Page::parse_with(body.clone(), std::mem::take(&mut buffer)).unwrap();
                    black_box(page.len());
                    buffer = page.into_items_buffer();
                });
            });
            let mut lines = Vec::new();
            group.bench_with_input(BenchmarkId::new("page-write", size), &body, |b, body| {
                b.iter(|| {
                    let page = Page::parse_with(body.clone(), std::mem::take(&mut buffer)).unwrap();
                    lines.clear();
                    for item in page.items() {
                        write_line(item.document().unwrap(), item.has_line_break(), &mut lines);
                    }
                    black_box(lines.len());
                    buffer = page.into_items_buffer();
                });
            });
            group.bench_with_input(
                BenchmarkId::new("serde-raw-items", size),
                &body,
                |b, body| {
                    b.iter(|| {
                        black_box(
                            serde_json::from_slice::<RawPage<'_>>(body)
                                .unwrap()
                                .documents
                                .len(),
                        )
                    });
                },
            );
            group.bench_with_input(
                BenchmarkId::new("serde-raw-envelopes", size),
                &body,
                |b, body| {
                    b.iter(|| {
                        let page = serde_json::from_slice::<RawEnvelopes<'_>>(body).unwrap();
                        for item in &page.documents {
                            black_box((item.current, item.previous, item.metadata));
                        }
                    });
                },
            );
            group.bench_with_input(BenchmarkId::new("serde-value", size), &body, |b, body| {
                b.iter(|| black_box(serde_json::from_slice::<serde_json::Value>(body).unwrap()));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, split);
criterion_main!(benches);

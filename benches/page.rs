//! Splitting a page of the feed into its items: ours against serde_json.
//!
//! The pages are those of `pages/mod.rs`, with documents of about 200 bytes, 1 KB and 20 KB. "write" also
//! appends every document as a line to a buffer, as an export does.
#![expect(clippy::unwrap_used, reason = "a bench may stop at what cannot happen")]

use std::hint::black_box;
use std::time::Duration;

use cosmos_tail::feed::page::{Page, write_line};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;
use serde_json::value::RawValue;

#[path = "pages/mod.rs"]
mod pages;
use pages::{KINDS, page};

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

fn split(criterion: &mut Criterion) {
    for (kind, add_member) in KINDS {
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

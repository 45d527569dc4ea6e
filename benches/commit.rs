//! The cost of a commit: of the state of many ranges alone, and with a part file of each to sync.
//!
//! Files are written where temporary files are; use a real disk there.
#![expect(clippy::unwrap_used, reason = "a bench may stop at what cannot happen")]

#[path = "../fuzz/cases/sample.rs"]
mod sample;

use std::sync::Arc;
use std::time::Duration;

use cosmos_tail::destination::*;
use cosmos_tail::feed::*;
use cosmos_tail::state::claim::Claimed;
use cosmos_tail::state::ledger::Ledger;
use cosmos_tail::state::local::LocalState;
use cosmos_tail::state::model::*;
use cosmos_tail::state::{StateAt, destination_of, file};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};

/// Bytes that are added to each part between two commits.
const ADDED: usize = 64 << 10;

fn state(ranges: u32) -> State {
    let bound = |number: u32| match number {
        0 => String::new(),
        number if number == ranges => "FF".to_owned(),
        number => format!(
            "{:08X}",
            u64::from(number) * 0x3FFF_FFFF / u64::from(ranges)
        ),
    };
    let ranges = (0..ranges).map(|number| {
        let range = FeedRange::new(&bound(number), &bound(number + 1)).unwrap();
        (range, None)
    });
    State {
        ranges: RangeSet::number(ranges).unwrap(),
        ..sample::state()
    }
}

/// The positions of all ranges after this many commits. A token of the SDK has about 200 bytes.
fn positions(ranges: u32, lsn: u64) -> Vec<(RangeId, Position)> {
    let position = |number| Position {
        token: format!("{number:08}{lsn:08}{}", "x".repeat(184)),
        lsn: Some(lsn),
    };
    (0..ranges)
        .map(|number| (RangeId(number), position(number)))
        .collect()
}

fn commit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(3));
    for (ranges, has_files) in [
        (8, false),
        (256, false),
        (10_000, false),
        (8, true),
        (32, true),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let state = state(ranges);
        let path = directory.path().join("state.json");
        let store = Box::new(LocalState::new(&path));
        let (claimed, _) = Claimed::take(store, file::claim_of).unwrap();
        let destination = destination_of(&state, directory.path(), StateAt::File(&path)).unwrap();
        let destination: Arc<dyn Destination> = Arc::from(destination);
        let mut ledger = Ledger::new(state, Arc::clone(&destination), Some(claimed));
        let mut writers: Vec<Option<Box<dyn PartWriter>>> = Vec::new();
        writers.resize_with(ranges as usize, || None);
        let mut lsn = 0;
        let mut lengths = vec![0; ranges as usize];
        let mut receipts = || -> Vec<Receipt> {
            lsn += 1;
            let all = positions(ranges, lsn);
            if !has_files {
                return vec![Receipt {
                    series: 0,
                    parts: Vec::new(),
                    positions: all,
                    written: Written::default(),
                }];
            }
            all.into_iter()
                .zip(lengths.iter_mut().zip(&mut writers))
                .map(|(position, (length, writer))| {
                    let series = position.0.0;
                    let writer = writer.get_or_insert_with(|| {
                        destination.open(PartId { series, part: 1 }).unwrap()
                    });
                    writer.append(&vec![b'x'; ADDED]).unwrap();
                    *length += ADDED as u64;
                    Receipt {
                        series,
                        parts: vec![PartReceipt {
                            part: 1,
                            length: *length,
                            rows: *length / 1024,
                            crc32c: 0,
                            sealed: false,
                            positions: vec![position],
                        }],
                        positions: Vec::new(),
                        written: Written::default(),
                    }
                })
                .collect()
        };
        let what = if has_files {
            "with a file of each"
        } else {
            "state alone"
        };
        group.bench_function(BenchmarkId::new(what, ranges), |bencher| {
            bencher.iter_batched(
                &mut receipts,
                |receipts| {
                    ledger.apply(receipts).unwrap();
                    ledger.commit().unwrap();
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, commit);
criterion_main!(benches);

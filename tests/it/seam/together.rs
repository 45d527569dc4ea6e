//! Sinks that share threads and the memory for rows.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use cosmos_tail::destination::{Destination, Ownership};
use cosmos_tail::durable::Locks;
use cosmos_tail::feed::page::Page;
use cosmos_tail::feed::{FeedRange, RangeId, RangeState};
use cosmos_tail::format::{Compression, Encoded, Encoder, FileAbout, NewEncoder};
use cosmos_tail::sink::{PageToWrite, Seal, SharedSink, SinkOptions, Together};
use tokio::sync::mpsc;

use super::memory::{Bucket, Connection, MemoryDestination};
use super::process::position;

/// What a row keeps in memory.
const ROW: usize = 10 << 10;

/// What all encoders of a test keep.
#[derive(Default)]
struct Counted {
    now: AtomicUsize,
    most: AtomicUsize,
    /// How often each has written its rows before it was asked for a file.
    cut: Mutex<HashMap<u32, usize>>,
}

/// An encoder that keeps each row until it has to write it.
struct Keeping {
    counted: Arc<Counted>,
    range: u32,
    rows: usize,
}

impl Keeping {
    fn write(&mut self, out: &mut Vec<u8>) -> usize {
        let rows = std::mem::take(&mut self.rows);
        out.extend(std::iter::repeat_n(b'.', rows));
        self.counted.now.fetch_sub(rows * ROW, Ordering::SeqCst);
        rows
    }
}

impl Encoder for Keeping {
    fn encode(&mut self, range: RangeId, page: &Page, _: &mut Vec<u8>) -> Result<Encoded> {
        self.range = range.0;
        assert!(page.len() < 5, "too many rows for this encoder");
        self.rows += page.len();
        let now = self
            .counted
            .now
            .fetch_add(page.len() * ROW, Ordering::SeqCst);
        let most = now + page.len() * ROW;
        self.counted.most.fetch_max(most, Ordering::SeqCst);
        Ok(Encoded {
            rows: page.len() as u64,
            overflowed: 0,
            dropped: 0,
            is_whole: true,
        })
    }

    fn buffered_bytes(&self) -> usize {
        self.rows * ROW
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.write(out) > 0 {
            let mut cut = self.counted.cut.lock().unwrap();
            *cut.entry(self.range).or_default() += 1;
        }
        Ok(())
    }

    fn finish(&mut self, _: &FileAbout<'_>, out: &mut Vec<u8>) -> Result<()> {
        self.write(out);
        Ok(())
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.write(&mut Vec::new());
    }
}

/// Sinks of one test.
struct Sinks {
    counted: Arc<Counted>,
    together: Arc<Together>,
    destination: Arc<dyn Destination>,
    failed: mpsc::UnboundedSender<anyhow::Error>,
}

impl Sinks {
    fn new(threads: usize, rows: usize) -> Self {
        let bucket = Arc::new(Mutex::new(Bucket::default()));
        let mut destination = MemoryDestination::new(Connection::new(&bucket));
        let ownership = Ownership {
            locks: Locks::default(),
            process: uuid::Uuid::from_u128(1),
        };
        destination.lock(ownership).unwrap();
        Self {
            counted: Arc::default(),
            together: Together::start(threads, rows * ROW).unwrap(),
            destination: Arc::new(destination),
            failed: mpsc::unbounded_channel().0,
        }
    }

    fn sink(&self) -> SharedSink {
        let counted = Arc::clone(&self.counted);
        let encoders: Box<NewEncoder> = Box::new(move || -> Result<Box<dyn Encoder>> {
            Ok(Box::new(Keeping {
                counted: Arc::clone(&counted),
                range: 0,
                rows: 0,
            }))
        });
        let options = SinkOptions {
            export_id: uuid::Uuid::nil(),
            container: "orders".to_owned(),
            compression: Compression::None,
            commits_within_files: false,
            rotate_bytes: None,
            encoder_memory: usize::MAX,
        };
        let (destination, next_parts) = (&self.destination, HashMap::new());
        let together = &self.together;
        together.sink(destination, options, encoders, &next_parts, &self.failed)
    }

    fn cut(&self) -> HashMap<u32, usize> {
        self.counted.cut.lock().unwrap().clone()
    }
}

/// A page of `rows` of the range of this number.
fn page(range: u32, rows: usize) -> PageToWrite {
    let documents: Vec<String> = (0..rows)
        .map(|number| format!(r#"{{"id":"{number}","_lsn":7}}"#))
        .collect();
    let text = format!(r#"{{"Documents":[{}]}}"#, documents.join(","));
    PageToWrite {
        before: RangeState {
            id: RangeId(range),
            range: FeedRange::full(),
            parents: Vec::new(),
            position: None,
            end: None,
            snapshot: false,
        },
        page: Page::parse(text.into()).unwrap(),
        position: position(&FeedRange::full(), 7),
        request_charge: 0.0,
        permit: None,
    }
}

async fn rows_of(sink: &SharedSink) -> u64 {
    let receipts = sink.checkpoint(&Seal::Everything).await.unwrap();
    receipts
        .iter()
        .map(|receipt| receipt.written.documents)
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_a_thousand_sinks_take_no_more_memory_than_those_of_one() {
    let (threads, bound) = (4, 100);
    let sinks = Sinks::new(threads, bound);
    let all: Vec<SharedSink> = (0..1_000).map(|_| sinks.sink()).collect();
    for _ in 0..5 {
        for (number, sink) in (0..).zip(&all) {
            sink.write(number, page(number, 1));
        }
    }
    for sink in &all {
        assert_eq!(rows_of(sink).await, 5);
    }
    let most = sinks.counted.most.load(Ordering::SeqCst) / ROW;
    assert!(most > bound / 2, "{most}");
    // Each thread may have one more, and one that others are about to write.
    assert!(most <= bound + 2 * threads, "{most}");
    assert!(!sinks.cut().is_empty());
    assert_eq!(sinks.counted.now.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sink_that_keeps_the_most_writes_its_rows_first() {
    let sinks = Sinks::new(1, 10);
    let [large, small, other] = [sinks.sink(), sinks.sink(), sinks.sink()];
    large.write(1, page(1, 4));
    large.write(1, page(1, 2));
    small.write(2, page(2, 3));
    // A checkpoint that seals nothing waits for what was queued.
    small.checkpoint(&Seal::Nothing).await.unwrap();
    assert_eq!(sinks.cut(), HashMap::new());
    other.write(3, page(3, 2));
    other.checkpoint(&Seal::Nothing).await.unwrap();
    large.checkpoint(&Seal::Nothing).await.unwrap();
    assert_eq!(sinks.cut(), HashMap::from([(1, 1)]));
    for (sink, rows) in [(&large, 6), (&small, 3), (&other, 2)] {
        assert_eq!(rows_of(sink).await, rows);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_panics_and_one_that_is_ended_leave_the_others_alone() {
    let sinks = Sinks::new(1, 10);
    let [broken, ended, other] = [sinks.sink(), sinks.sink(), sinks.sink()];
    broken.write(1, page(1, 5));
    let error = broken.checkpoint(&Seal::Everything).await.unwrap_err();
    assert!(error.to_string().contains("unexpectedly"), "{error}");
    ended.write(2, page(2, 1));
    ended.end().await;
    ended.write(2, page(2, 1));
    ended.checkpoint(&Seal::Everything).await.unwrap_err();
    ended.end().await;
    other.write(3, page(3, 1));
    assert_eq!(rows_of(&other).await, 1);
    drop((broken, ended));
    assert_eq!(sinks.counted.now.load(Ordering::SeqCst), 0);
}

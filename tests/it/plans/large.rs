//! Plans of very many ranges, and very many files. What grows with them is counted; in full, the times are printed too:
//!
//! ```sh
//! COSMOS_TAIL_TEST_PLAN_RANGES=10000 COSMOS_TAIL_TEST_PLAN_FILES=100000 \
//!     cargo test --locked --release --test it plans::large -- --nocapture --test-threads 1
//! ```
//!
//! Ten thousand ranges are those of a container of hundreds of terabytes.

use std::time::Instant;

use super::Place;
use crate::command::{all_files, lines, succeed};
use crate::gateway::RequestKind;
use crate::orders::filled;

/// The number that a variable names, or that of the suite.
fn size(name: &str, of_the_suite: usize) -> usize {
    let given = std::env::var(name);
    given.map_or(of_the_suite, |text| text.parse().unwrap())
}

/// The most memory that a process has taken that this one has waited for, in MB.
fn memory() -> i64 {
    #[cfg(unix)]
    {
        use nix::sys::resource::{UsageWho, getrusage};
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        usage.max_rss() / 1024
    }
    #[cfg(not(unix))]
    {
        0
    }
}

#[test]
fn a_plan_of_many_ranges_is_made_dealt_and_verified() {
    let ranges = size("COSMOS_TAIL_TEST_PLAN_RANGES", 400);
    let (gateway, _container) = filled(ranges, 200);
    let place = Place::new();
    let began = Instant::now();
    let made = place.make(&gateway, &[]);
    println!(
        "a plan of {ranges} ranges: {:?}, at most {} MB",
        began.elapsed(),
        memory()
    );
    assert!(
        made.stderr.contains("ranges of `orders`"),
        "{}",
        made.stderr
    );
    // One pin for each range, and one list of them.
    assert_eq!(gateway.requests(RequestKind::ChangeFeed), ranges);
    assert_eq!(gateway.requests(RequestKind::PartitionKeyRanges), 1);
    let began = Instant::now();
    for shard in 0..2 {
        let shard = format!("{shard}/2");
        succeed(place.shard(&gateway, &shard).args(["--concurrency", "64"]));
    }
    println!(
        "read by 2 shards: {:?}, at most {} MB",
        began.elapsed(),
        memory()
    );
    assert_eq!(lines(&place.out()).len(), 200);
    let began = Instant::now();
    let checked = place.verify(&["--quick"]);
    println!("verified: {:?}", began.elapsed());
    assert_eq!(
        checked.code,
        Some(0),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
}

#[cfg(target_os = "linux")]
#[test]
fn the_table_is_listed_once_for_all_shards() {
    use nix::errno::Errno;
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

    let files = size("COSMOS_TAIL_TEST_PLAN_FILES", 200);
    let (gateway, _container) = filled(4, files);
    let place = Place::new();
    place.make(&gateway, &[]);
    // A file for each document. Each is open until it is committed, and a process may not have very many.
    let shards = (files / 4000).max(8);
    for shard in 0..shards {
        let mut command = place.shard(&gateway, &format!("{shard}/{shards}"));
        succeed(command.args(["--page-size", "1", "--rotate-bytes", "1"]));
    }
    assert_eq!(all_files(&place.out()).len(), files);
    let opened = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
    opened
        .add_watch(&place.out(), AddWatchFlags::IN_OPEN)
        .unwrap();
    let began = Instant::now();
    let checked = place.verify(&["--quick"]);
    println!(
        "{files} files of {shards} shards verified: {:?}, at most {} MB",
        began.elapsed(),
        memory()
    );
    assert_eq!(
        checked.code,
        Some(0),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
    let mut listings = 0;
    loop {
        match opened.read_events() {
            Ok(events) => {
                // Of the directory itself there is no name.
                let read = events.iter().filter_map(|event| event.name.as_ref());
                assert_eq!(read.collect::<Vec<_>>(), Vec::<&std::ffi::OsString>::new());
                listings += events.len();
            }
            Err(Errno::EAGAIN) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(listings, 1);
}

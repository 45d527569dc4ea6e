//! How many instructions the splitter takes for a byte of a page, and the whole path to JSON lines,
//! beside serde_json's `from_slice::<&RawValue>` of the same page, which only finds out that it is JSON. And how
//! many times as many the path takes with `--metrics-listen`, for the latest versions (`watched`) and for all, and a
//! scrape for each 50 pages, which is one a second of an export that reads 50 MB/s; a faster one reads more pages
//! between two scrapes.
//!
//! ```text
//! cargo bench --bench instructions
//! cargo bench --bench instructions -- --most-split 0.7 --most-lines 1.0 --most-watched 1.01
//! ```
//!
//! Callgrind counts them, so they do not depend on what else the machine does; valgrind has to be
//! installed. What is measured runs in a process of its own, once with and once without rounds.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints, and may stop at what cannot happen"
)]

use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use clap::{Parser, ValueEnum};
use cosmos_tail::feed::page::Page;
use cosmos_tail::feed::{FeedMode, FeedRange, Position, RangeId, RangeState};
use cosmos_tail::format::Compression;
use cosmos_tail::format::CsvOptions;
use cosmos_tail::format::EncoderOptions;
use cosmos_tail::format::Format;
use cosmos_tail::format::encoders;
use cosmos_tail::monitor::{Begun, Monitor};
use cosmos_tail::observe::{Event, Observers};
use cosmos_tail::reader::AnsweringPartition;
use cosmos_tail::schema::{TableForm, TableLayout};
use cosmos_tail::settings::MonitorPlan;
use serde_json::value::RawValue;
use tokio::runtime::Runtime;

#[path = "pages/mod.rs"]
mod pages;
use pages::{KINDS, page};

/// Bytes of a document.
const SIZE: usize = 1_000;
/// How often a page is gone through.
const ROUNDS: usize = 5;
/// Feed ranges of a large container.
const RANGES: u32 = 10_000;
/// Pages between two scrapes, one of which comes each second: pages of 1 MB of an export that reads 50 MB/s.
const PAGES_BETWEEN_SCRAPES: f64 = 50.0;

#[derive(Debug, Parser)]
struct Options {
    /// Fail if the splitter needs more than this multiple of the instructions of serde_json, for any kind of page
    #[arg(long, value_name = "RATIO")]
    most_split: Option<f64>,
    /// The same for the path to JSON lines: splitting, writing the lines, their checksum
    #[arg(long, value_name = "RATIO")]
    most_lines: Option<f64>,
    /// Fail if metrics make the path to JSON lines take more than this multiple of its instructions
    #[arg(long, value_name = "RATIO")]
    most_watched: Option<f64>,
    /// The same for the feed of all versions, whose changes are counted by operation
    #[arg(long, value_name = "RATIO")]
    most_watched_all: Option<f64>,
    /// Fail if a scrape of 10,000 feed ranges takes more instructions than this
    #[arg(long, value_name = "INSTRUCTIONS")]
    most_scrape: Option<u64>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
    /// What to run under callgrind: the number of a kind, what to do, and how often
    #[arg(long, hide = true, num_args = 3)]
    run: Option<Vec<String>>,
}

/// What to do with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Path {
    Serde,
    Split,
    Lines,
    /// The same, with a page being observed by the metrics.
    Watched,
    /// As [`Path::Lines`], of a page of the feed of all versions.
    Changes,
    /// The same, with a page being observed by the metrics.
    WatchedChanges,
    /// Only a scrape of the metrics.
    Scrape,
    /// The same, of so many feed ranges as the largest containers have.
    ScrapeOfMany,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(run) = &options.run {
        let path = Path::from_str(&run[1], false).unwrap();
        go_through(run[0].parse().unwrap(), path, run[2].parse().unwrap());
        return ExitCode::SUCCESS;
    }
    println!(
        "{:<10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "a byte", "serde", "split", "ratio", "lines", "ratio", "watched", "all"
    );
    let mut is_too_much = false;
    for (number, (kind, add_member)) in KINDS.iter().enumerate() {
        let bytes = (page(SIZE, *add_member).len() * ROUNDS) as f64;
        let paths = [
            Path::Serde,
            Path::Split,
            Path::Lines,
            Path::Watched,
            Path::Changes,
            Path::WatchedChanges,
            Path::Scrape,
        ];
        let [
            serde,
            split,
            lines,
            watched,
            changes,
            watched_changes,
            scrape,
        ] = paths.map(|path| {
            let counted = instructions(number, path, ROUNDS);
            let without = instructions(number, path, 0);
            (counted - without) as f64 / bytes
        });
        let scrape = scrape / PAGES_BETWEEN_SCRAPES;
        let watched = [
            (watched + scrape) / lines,
            (watched_changes + scrape) / changes,
        ];
        let ratios = [split / serde, lines / serde];
        println!(
            "{kind:<10} {serde:>10.2} {split:>10.2} {:>10.2} {lines:>10.2} {:>10.2} {:>10.4} {:>10.4}",
            ratios[0], ratios[1], watched[0], watched[1]
        );
        for (what, ratio, most) in [
            ("the splitter", ratios[0], options.most_split),
            ("the path to JSON lines", ratios[1], options.most_lines),
        ] {
            if most.is_some_and(|most| ratio > most) {
                eprintln!("{what} takes {ratio:.2} times serde_json's instructions for {kind}");
                is_too_much = true;
            }
        }
        for (ratio, most) in watched
            .into_iter()
            .zip([options.most_watched, options.most_watched_all])
        {
            if most.is_some_and(|most| ratio > most) {
                eprintln!("metrics make the path {ratio:.4} times as long for {kind}");
                is_too_much = true;
            }
        }
    }
    let scrape =
        instructions(0, Path::ScrapeOfMany, ROUNDS) - instructions(0, Path::ScrapeOfMany, 0);
    let scrape = scrape / ROUNDS as u64;
    println!("a scrape of {RANGES} feed ranges takes {scrape} instructions");
    if options.most_scrape.is_some_and(|most| scrape > most) {
        eprintln!("a scrape takes too many");
        is_too_much = true;
    }
    ExitCode::from(u8::from(is_too_much))
}

/// The instructions of a process that does so many rounds.
fn instructions(kind: usize, path: Path, rounds: usize) -> u64 {
    let path = path.to_possible_value().unwrap();
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .arg("--run")
        .args([&kind.to_string(), path.get_name(), &rounds.to_string()])
        .output()
        .expect("valgrind runs: is it installed?");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let collected = said
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    collected.unwrap().1.trim().parse().unwrap()
}

fn go_through(kind: usize, path: Path, rounds: usize) {
    let of_changes = matches!(path, Path::Changes | Path::WatchedChanges);
    let mut body = page(SIZE, KINDS[kind].1);
    let mut mode = FeedMode::LatestVersion;
    if of_changes {
        mode = FeedMode::AllVersionsAndDeletes;
        let text = String::from_utf8(body.to_vec()).unwrap();
        let metadata = "\"crts\":1720322460,\"operationType\":\"replace\",\"previousImageLSN\":1}";
        body = text.replace("\"crts\":1720322460}", metadata).into();
    }
    let options = EncoderOptions {
        format: Format::Jsonl,
        is_stream: false,
        mode,
        compression: Compression::None,
        csv: CsvOptions::default(),
        row_group_bytes: 1 << 20,
        partition_key_paths: vec!["/pk".to_owned()],
        layout: Arc::new(OnceLock::from(TableLayout::Raw)),
        form: TableForm::Nullable,
        extra: cosmos_tail::format::Extra::Keep,
    };
    let mut encoder = encoders(options)().unwrap();
    let mut out = Vec::with_capacity(2 * body.len());
    let is_monitored = !matches!(
        path,
        Path::Serde | Path::Split | Path::Lines | Path::Changes
    );
    let monitor = is_monitored.then(monitor);
    let mut observers = Observers::new(match &monitor {
        Some((_, monitor)) => Vec::from_iter(monitor.begin(mode, BEGUN)),
        None => Vec::new(),
    });
    if path == Path::ScrapeOfMany {
        add_ranges(&mut observers);
    }
    let mut lsn = 0;
    for _ in 0..rounds {
        match path {
            Path::Serde => {
                black_box(serde_json::from_slice::<&RawValue>(&body).unwrap());
            }
            Path::Split => {
                black_box(split(&body).len());
            }
            Path::Lines | Path::Changes => {
                out.clear();
                encoder.encode(RangeId(0), &split(&body), &mut out).unwrap();
                black_box(crc32c::crc32c(&out));
            }
            Path::Watched | Path::WatchedChanges => {
                out.clear();
                let page = split(&body);
                lsn += 1;
                let partition = AnsweringPartition {
                    id: Some("0".to_owned()),
                    lsn: Some(1_000_000),
                };
                observers.emit(&Event::Page {
                    range: RangeId(0),
                    page: &page,
                    lsn: Some(lsn),
                    highest_lsn: Some(lsn),
                    partition: &partition,
                    request_charge: 10.0,
                });
                encoder.encode(RangeId(0), &page, &mut out).unwrap();
                black_box(crc32c::crc32c(&out));
            }
            Path::Scrape | Path::ScrapeOfMany => {
                let (_, monitor) = monitor.as_ref().unwrap();
                black_box(monitor.metrics());
            }
        }
    }
}

const BEGUN: Begun = Begun {
    follows: false,
    commits: true,
    has_ranges: true,
    is_scoped: false,
    from_beginning: true,
    applies: false,
    commits_within: Duration::from_secs(5),
};

/// Adds feed ranges that have nothing new.
fn add_ranges(observers: &mut Observers<'_>) {
    for number in 0..RANGES {
        let range = RangeState {
            id: RangeId(number),
            range: FeedRange::full(),
            parents: Vec::new(),
            position: Some(Position {
                token: String::new(),
                lsn: Some(u64::from(number)),
            }),
            end: None,
            snapshot: false,
        };
        observers.emit(&Event::Added { range: &range });
        observers.emit(&Event::CaughtUp { range: range.id });
    }
}

/// The metrics of an export, with the runtime that would serve them.
fn monitor() -> (Runtime, Monitor) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let plan = MonitorPlan {
        listen: Some(([127, 0, 0, 1], 0).into()),
        per_range: false,
        health_timeout: Duration::from_secs(60),
    };
    let monitor = runtime.block_on(Monitor::start(&plan, "export")).unwrap();
    (runtime, monitor)
}

fn split(body: &Bytes) -> Page {
    Page::parse(body.clone()).unwrap()
}

//! SIGKILL at any moment, then resume, until it is done: every change exactly once, in every format.

#![cfg(unix)]

use crate::kills::Victim;
use crate::query_oracle::QUERY;
use crate::scene::seed;

#[track_caller]
fn kill(victim: Victim, kills: usize) {
    let seed = seed();
    if let Err(wrong) = victim.kill(kills, seed) {
        panic!("{victim:?}, seed {seed}, {wrong}");
    }
}

#[test]
fn json_lines_killed_at_random_and_resumed_have_every_change_once() {
    kill(Victim::new(2000, &[]), 60);
    kill(Victim::new(2000, &["--rotate-bytes", "8KiB"]), 40);
    kill(
        Victim::new(2000, &["--compression", "zstd", "--rotate-bytes", "8KiB"]),
        40,
    );
}

#[test]
fn json_lines_killed_across_splits_and_merges_have_every_change_once() {
    kill(Victim::new(2000, &[]).across_splits(), 60);
    let rotating = &["--compression", "gzip", "--rotate-bytes", "8KiB"];
    kill(Victim::new(2000, rotating).across_splits(), 40);
}

#[test]
fn csv_killed_at_random_and_resumed_has_every_change_once() {
    kill(Victim::new(1000, &["--format", "csv"]), 40);
    let compressed = &[
        "--format",
        "csv",
        "--compression",
        "gzip",
        "--rotate-bytes",
        "8KiB",
    ];
    kill(Victim::new(1000, compressed), 40);
    let rotating = &["--format", "csv", "--rotate-bytes", "8KiB"];
    kill(Victim::new(1000, rotating).across_splits(), 40);
}

#[test]
fn parquet_killed_at_random_and_resumed_has_every_change_once() {
    let plain = &["--format", "parquet", "--compression", "none"];
    kill(Victim::new(1000, plain), 40);
    let rotating = &["--format", "parquet", "--rotate-bytes", "8KiB"];
    kill(Victim::new(1000, rotating), 50);
    kill(Victim::new(1000, rotating).across_splits(), 50);
}

#[test]
fn arrow_killed_at_random_and_resumed_has_every_change_once() {
    let rotating = &["--format", "arrow", "--rotate-bytes", "8KiB"];
    kill(Victim::new(1000, rotating).across_splits(), 40);
}

#[test]
fn killed_exports_from_lagging_replicas_have_every_change_once() {
    kill(Victim::new(1000, &[]).lagging(), 40);
    kill(Victim::new(1000, &[]).across_splits().lagging(), 20);
}

#[test]
fn killed_exports_of_rewritten_documents_have_every_document() {
    kill(
        Victim::new(1000, &["--rotate-bytes", "8KiB"]).rewritten(),
        40,
    );
    kill(Victim::new(1000, &["--format", "parquet"]).rewritten(), 20);
    kill(Victim::new(1000, &[]).lagging().rewritten(), 40);
}

#[test]
fn queries_killed_at_random_and_resumed_have_every_row_once() {
    const CSV: &[&str] = &[
        QUERY[0],
        QUERY[1],
        QUERY[2],
        QUERY[3],
        QUERY[4],
        QUERY[5],
        "--format",
        "csv",
        "--rotate-bytes",
        "8KiB",
    ];
    const PARQUET: &[&str] = &[
        QUERY[0],
        QUERY[1],
        QUERY[2],
        QUERY[3],
        QUERY[4],
        QUERY[5],
        "--format",
        "parquet",
        "--rotate-bytes",
        "8KiB",
    ];
    const LINES: &[&str] = &[
        QUERY[0],
        QUERY[1],
        QUERY[2],
        QUERY[3],
        "--compression",
        "zstd",
    ];
    kill(Victim::new(1000, CSV).across_splits(), 30);
    kill(Victim::new(1000, PARQUET).across_splits(), 30);
    kill(Victim::new(1000, LINES).across_splits(), 20);
}

//! Files: when one is finished and the next started, how they are compressed, and what is in them.

use std::path::{Path, PathBuf};
use std::process::Command;

use cosmos_tail::destination::manifest::Entry;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;

use crate::command::{
    CONTAINER, DATABASE, all_files, assert_latest, export, fail, files, interrupt, lines, lines_of,
    resume, spawn, state_directory, succeed, text_of, wait,
};
use crate::gateway::{Container, Gateway, GatewayOptions, RequestKind};
use crate::orders::{fill, filled};

/// The entries of the manifest of a directory. Each must match its file.
pub(crate) fn checked_manifest(out: &Path) -> Vec<Entry> {
    let text = std::fs::read_to_string(state_directory(out).join("manifest.ndjson")).unwrap();
    let entries: Vec<Entry> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for entry in &entries {
        let bytes = std::fs::read(out.join(&entry.file)).unwrap();
        assert_eq!(bytes.len() as u64, entry.bytes, "{}", entry.file);
        assert_eq!(crc32c::crc32c(&bytes), entry.crc32c, "{}", entry.file);
    }
    entries
}

/// Asserts that the files of each range follow one another: numbers without gaps, and each begins
/// where the one before it ended.
#[track_caller]
pub(crate) fn assert_spans_follow(entries: &[Entry]) {
    let series = |entry: &Entry| entry.file.rsplit_once('-').unwrap().0.to_owned();
    let mut by_series = std::collections::BTreeMap::<String, Vec<&Entry>>::new();
    for entry in entries {
        by_series.entry(series(entry)).or_default().push(entry);
    }
    for (series, mut entries) in by_series {
        entries.sort_by(|a, b| a.file.cmp(&b.file));
        for (number, entry) in entries.iter().enumerate() {
            let wanted = format!("{series}-{:06}.", number + 1);
            assert!(
                entry.file.starts_with(&wanted),
                "{} is not {wanted}",
                entry.file
            );
        }
        for pair in entries.windows(2) {
            let (end, start) = (&pair[0].end, &pair[1].start);
            assert_eq!(end, start, "between {} and {}", pair[0].file, pair[1].file);
        }
    }
}

#[test]
fn files_rotated_by_size_have_everything_once() {
    let (gateway, container) = filled(3, 3000);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(export(&gateway, &out).args(["--page-size", "20", "--rotate-bytes", "20KiB"]));
    assert_latest(&lines(&out), &container);
    let entries = checked_manifest(&out);
    assert!(entries.len() > 15, "{} files", entries.len());
    assert_spans_follow(&entries);
    // Pages are written whole, so a file is at most a page too large.
    assert!(entries.iter().all(|entry| entry.bytes < 40 << 10));
    // Only the last file of each range is smaller than requested.
    let smaller = entries.iter().filter(|entry| entry.bytes < 20 << 10);
    assert!(smaller.count() <= 3, "{entries:?}");
    let rows: u64 = entries.iter().map(|entry| entry.rows).sum();
    assert_eq!(rows, 3000);
    assert!(files(&state_directory(&out), "open").is_empty());
}

#[test]
fn the_metadata_of_a_parquet_file_matches_the_manifest() {
    let (gateway, container) = filled(3, 600);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let rotated = ["--page-size", "20", "--rotate-bytes", "2KiB"];
    succeed(
        export(&gateway, &out)
            .args(["--format", "parquet"])
            .args(rotated),
    );
    let entries = checked_manifest(&out);
    assert!(entries.len() > 3, "{} files", entries.len());
    let rows: u64 = entries.iter().map(|entry| entry.rows).sum();
    assert_eq!(rows, container.latest().len() as u64);
    assert_spans_follow(&entries);
    for entry in &entries {
        let file = std::fs::File::open(out.join(&entry.file)).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let about = reader.metadata().file_metadata().key_value_metadata();
        let said = |key: &str| {
            let pair = about.unwrap().iter().find(|pair| pair.key == key).unwrap();
            serde_json::from_str::<Value>(pair.value.as_ref().unwrap()).unwrap()
        };
        for (key, ranges) in [("start", &entry.start), ("end", &entry.end)] {
            let listed = serde_json::to_value(ranges).unwrap();
            assert_eq!(
                said(&format!("cosmos-tail.{key}")),
                listed,
                "{}",
                entry.file
            );
        }
    }
}

#[test]
fn one_file_that_is_rotated_has_numbered_successors() {
    let (gateway, container) = filled(3, 1000);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("all.jsonl.zst");
    succeed(export(&gateway, &out).args(["--page-size", "20", "--rotate-bytes", "2KiB"]));
    let found: Vec<PathBuf> = files(directory.path(), "zst");
    assert!(found.len() > 2, "{found:?}");
    assert!(found.contains(&out));
    assert!(found.contains(&directory.path().join("all.000002.jsonl.zst")));
    let all: Vec<Vec<u8>> = found.iter().flat_map(|path| lines_of(path)).collect();
    assert_latest(&all, &container);
}

#[test]
fn compressed_text_is_the_same_text() {
    for compression in ["gzip", "zstd", "gzip:9", "zstd:19"] {
        let (gateway, container) = filled(2, 500);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let ended = succeed(export(&gateway, &out).args([
            "--compression",
            compression,
            "--page-size",
            "20",
            // Many frames in a file.
            "--checkpoint-bytes",
            "2KiB",
        ]));
        assert_latest(&lines(&out), &container);
        let entries = checked_manifest(&out);
        assert_eq!(entries.len(), 2, "{}", ended.stderr);
        let extension = &compression[..2];
        assert!(
            entries
                .iter()
                .all(|entry| entry.file.contains(&format!(".jsonl.{}", &extension[..1]))),
            "{entries:?}"
        );
        fill(&container, 500..600);
        succeed(&mut resume(&gateway, &out));
        assert_latest(&lines(&out), &container);
    }
}

#[cfg(unix)]
#[test]
fn files_are_finished_after_a_time_while_an_export_follows() {
    let (gateway, container) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut follow = export(&gateway, &out);
    follow.args([
        "--follow",
        "--rotate-interval",
        "100ms",
        "--poll-interval",
        "20ms",
    ]);
    let child = spawn(&mut follow);
    let mut number = 100;
    // Until there are several finished files of one range; the time does not matter.
    while files_so_far(&out) < 8 {
        fill(&container, number..number + 10);
        number += 10;
        gateway.wait_until_caught_up(&container);
    }
    interrupt(&child);
    let ended = wait(child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert_latest(&lines(&out), &container);
    assert_spans_of_numbers(&checked_manifest(&out));
    assert!(files(&state_directory(&out), "open").is_empty());
}

/// Asserts that the numbers of the files have no gaps.
fn assert_spans_of_numbers(entries: &[Entry]) {
    let mut names: Vec<&str> = entries.iter().map(|entry| entry.file.as_str()).collect();
    names.sort_unstable();
    for series in ["orders-00000", "orders-00001"] {
        let of_series = names.iter().filter(|name| name.starts_with(series));
        for (number, name) in of_series.enumerate() {
            assert!(
                name.ends_with(&format!("{:06}.jsonl", number + 1)),
                "{names:?}"
            );
        }
    }
}

fn files_so_far(out: &Path) -> usize {
    if out.exists() {
        files(out, "jsonl").len()
    } else {
        0
    }
}

#[test]
fn a_resume_can_change_rotation() {
    let (gateway, container) = filled(1, 500);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    fill(&container, 500..1500);
    succeed(resume(&gateway, &out).args(["--rotate-bytes", "10KiB", "--page-size", "20"]));
    assert!(checked_manifest(&out).len() > 5);
    fill(&container, 1500..2500);
    let before = checked_manifest(&out).len();
    succeed(resume(&gateway, &out).args(["--rotate-bytes", "none"]));
    assert_eq!(checked_manifest(&out).len(), before + 1);
    assert_latest(&lines(&out), &container);
    fail(resume(&gateway, &out).args(["--row-group-size", "1MiB"]), 2);
}

/// An export of all versions, to be followed.
fn all_versions(gateway: &Gateway, out: &Path) -> Command {
    let mut command = export(gateway, out);
    command.args(["--mode", "all", "--follow", "--poll-interval", "20ms"]);
    command
}

#[cfg(unix)]
#[test]
fn all_versions_are_exported_with_their_envelopes_across_a_resume() {
    let gateway = Gateway::start(GatewayOptions {
        previous_images: true,
        ..GatewayOptions::default()
    });
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 3);
    fill(&container, 0..30);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let child = spawn(&mut all_versions(&gateway, &out));
    // The first commit has every range at its "now".
    while !state_directory(&out).join("state.json").exists() {
        std::thread::yield_now();
    }
    change(&container, 100..150);
    gateway.wait_until_caught_up(&container);
    interrupt(&child);
    assert_eq!(wait(child).code, Some(130));
    change(&container, 150..200);
    succeed(resume(&gateway, &out).arg("--no-follow"));
    let found: Vec<Value> = lines(&out)
        .iter()
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let mut told: Vec<(u64, &str, &str)> = found
        .iter()
        .map(|change| {
            let metadata = &change["metadata"];
            let operation = metadata["operationType"].as_str().unwrap();
            let id = change["current"]["id"].as_str().or(metadata["id"].as_str());
            (metadata["lsn"].as_u64().unwrap(), operation, id.unwrap())
        })
        .collect();
    told.sort_unstable();
    let changes = container.changes();
    let is_new = |id: &str| id["item-".len()..].parse::<usize>().unwrap() >= 100;
    let mut expected: Vec<(u64, &str, &str)> = changes
        .iter()
        .filter(|change| is_new(&change.id))
        .map(|change| (change.lsn, change.operation.as_str(), change.id.as_str()))
        .collect();
    expected.sort_unstable();
    assert_eq!(told, expected);
    let previous = found
        .iter()
        .filter(|change| change["previous"]["id"].is_string());
    assert_eq!(previous.count(), 100 + 34, "every replace and every delete");
}

/// Creates, replaces and deletes.
fn change(container: &Container, numbers: std::ops::Range<usize>) {
    fill(container, numbers.clone());
    fill(container, numbers.clone());
    for number in numbers.step_by(3) {
        container.delete(
            &format!("item-{number}"),
            format!("key-{}", number % 97).as_str(),
        );
    }
}

#[test]
fn contradictions_are_refused_before_anything_is_touched() {
    let (gateway, _container) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    for (output, arguments, reason) in [
        (
            "out",
            &["--mode", "all", "--from", "beginning"][..],
            "only from now on",
        ),
        ("out", &["--compression", "snappy"], "only Parquet"),
        ("out", &["--compression", "zstd:99"], "levels from 1 to 22"),
        ("out", &["--rotate-bytes", "0"], "at least 1 byte"),
        ("out", &["--rotate-interval", "0s"], "longer than zero"),
        ("out", &["--delimiter", ";"], "--delimiter is for CSV"),
        ("out", &["--row-group-size", "1MiB"], "is for Parquet"),
        (
            "out",
            &["--format", "csv", "--delimiter", ",,"],
            "one ASCII character",
        ),
        (
            "out.jsonl",
            &["--compression", "gzip"],
            "would end in `.jsonl.gz`",
        ),
        (
            "out.csv",
            &["--format", "parquet"],
            "would end in `.parquet`",
        ),
        ("-", &["--format", "parquet"], "standard output"),
    ] {
        let mut command = export(&gateway, &directory.path().join(output));
        if output == "-" {
            command = export(&gateway, Path::new("-"));
        }
        let ended = fail(command.args(arguments), 2);
        assert!(
            ended.stderr.contains(reason),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
    assert!(all_files(directory.path()).is_empty());
    assert_eq!(gateway.requests(RequestKind::ChangeFeed), 0);
}

#[test]
fn standard_output_can_be_compressed() {
    let (gateway, container) = filled(2, 300);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("piped.jsonl.gz");
    let mut command = export(&gateway, Path::new("-"));
    command
        .args(["--compression", "gzip"])
        .stdout(std::fs::File::create(&file).unwrap());
    assert!(command.status().unwrap().success());
    assert_latest(&lines_of(&file), &container);
    assert!(text_of(&file).len() as u64 > std::fs::metadata(&file).unwrap().len());
}

#[test]
fn a_container_with_any_name_is_exported_resumed_verified_and_replayed() {
    let names = [
        "x".repeat(255),
        "é".repeat(255),
        "🦀".repeat(255),
        " %".repeat(127),
        "orders.jsonl".to_owned(),
        "a.csv.gz".to_owned(),
        "orders-00000-000001".to_owned(),
    ];
    for name in &names {
        let gateway = Gateway::start(GatewayOptions::default());
        let container = gateway.create_container(DATABASE, name, "/pk", 2);
        let copy = gateway.create_container(DATABASE, "copy", "/pk", 1);
        fill(&container, 0..50);
        let directory = tempfile::tempdir().unwrap();
        for format in ["jsonl", "csv", "parquet"] {
            let out = directory.path().join(format);
            let mut command = export(&gateway, &out);
            command.env("AZURE_COSMOS_CONTAINER", name);
            succeed(command.args(["--format", format]));
            fill(&container, 30..60);
            let mut command = resume(&gateway, &out);
            succeed(command.env_remove("AZURE_COSMOS_CONTAINER"));
            let ended = crate::command::verify(&out, &["--strict"]);
            assert_eq!(ended.code, Some(0), "{name} {format}: {}", ended.stderr);
            checked_manifest(&out);
            let moved = directory.path().join("state.json");
            for state_is_there in [true, false] {
                let mut command = crate::replay::replay(&gateway, &out);
                command.env("AZURE_COSMOS_CONTAINER", "copy");
                if format != "csv" || state_is_there {
                    succeed(&mut command);
                }
                if state_is_there {
                    std::fs::rename(state_directory(&out).join("state.json"), &moved).unwrap();
                }
            }
            assert_eq!(copy.latest().len(), 60, "{name} {format}");
        }
        let violations = gateway.violations();
        assert!(violations.is_empty(), "{violations:?}");
    }
}

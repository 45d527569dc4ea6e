//! `verify`: a complete export passes, and every kind of damage is reported.

use std::path::{Path, PathBuf};

use cosmos_tail::destination::ManifestMark;
use cosmos_tail::destination::manifest::Entry;
use cosmos_tail::feed::{Position, RangeId, RangeSet};
use cosmos_tail::state::file;
use cosmos_tail::state::model::State;
use serde_json::Value;

use crate::command::{export, files, resume, run, state_directory, succeed, verify};
use crate::gateway::{Action, Container, Fault, Gateway, RequestKind, RequestRecord};
use crate::orders::{fill, filled};

/// Asserts that an export is as a finished one leaves it.
#[track_caller]
pub(crate) fn assert_verified(path: &Path) {
    let ended = verify(path, &["--strict"]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stdout, "");
}

/// Two ranges, one of which is split while it is read, in files of a few pages, and an increment.
pub(crate) fn exported(arguments: &[&str]) -> (Gateway, Container, tempfile::TempDir, PathBuf) {
    let (gateway, container) = filled(2, 1500);
    let handle = container.clone();
    let split = Action::call(move || {
        handle.split("0", 3);
    });
    let is_read = |record: &RequestRecord| record.token.as_deref() != Some("*");
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, split)
            .partition("0")
            .page(6)
            .when(is_read),
    );
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    succeed(
        command
            .args(["--page-size", "50", "--rotate-bytes", "20KiB"])
            .args(arguments),
    );
    assert_eq!(container.partitions().len(), 4, "it was split");
    fill(&container, 1500..1800);
    succeed(&mut resume(&gateway, &out));
    (gateway, container, directory, out)
}

#[test]
fn a_complete_export_passes() {
    for compression in ["none", "gzip", "zstd"] {
        let (_gateway, container, _directory, out) = exported(&["--compression", compression]);
        assert_verified(&out);
        assert_verified(&state_directory(&out).join("state.json"));
        let ended = verify(&out, &["--format", "json"]);
        let found: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(found["rows"], container.latest().len());
        assert_eq!(
            (&found["faults"], &found["notes"]),
            (&Value::Array(vec![]), &Value::Array(vec![]))
        );
        assert_eq!(ended.stderr, "");
    }
}

#[test]
fn a_single_file_of_all_ranges_passes_by_its_own_name() {
    let (gateway, container) = filled(3, 600);
    container.split("1", 2);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("all.jsonl");
    succeed(export(&gateway, &out).args(["--page-size", "50", "--rotate-bytes", "20KiB"]));
    assert!(files(directory.path(), "jsonl").len() > 2);
    assert_verified(&out);
    std::fs::rename(&out, directory.path().join("elsewhere")).unwrap();
    let ended = verify(&out, &[]);
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.stderr.contains("note: all.jsonl: was moved away"),
        "{}",
        ended.stderr
    );
}

fn load(out: &Path) -> State {
    file::load(&state_directory(out).join("state.json")).unwrap()
}

fn change_state(out: &Path, change: impl Fn(&mut State)) {
    let mut state = load(out);
    change(&mut state);
    std::fs::write(
        state_directory(out).join("state.json"),
        file::render(&state).unwrap(),
    )
    .unwrap();
}

/// Changes the entries of the manifest, and its length in the state.
fn change_manifest(out: &Path, change: impl Fn(&mut Vec<Entry>)) {
    let path = state_directory(out).join("manifest.ndjson");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut entries: Vec<Entry> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    change(&mut entries);
    let lines: Vec<String> = entries
        .iter()
        .map(|entry| serde_json::to_string(entry).unwrap() + "\n")
        .collect();
    let text = lines.concat();
    std::fs::write(&path, &text).unwrap();
    change_state(out, |state| {
        state.manifest = ManifestMark {
            length: text.len() as u64,
            entries: entries.len() as u64,
            crc32c: Some(crc32c::crc32c(text.as_bytes())),
        };
    });
}

pub(crate) fn rewrite(path: &Path, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

fn second(out: &Path) -> PathBuf {
    out.join("orders-00001-000002.jsonl")
}

/// The entry of the second file of range 1.
fn entry_of_second(entries: &mut [Entry]) -> &mut Entry {
    let wanted = |entry: &&mut Entry| entry.file == "orders-00001-000002.jsonl";
    entries.iter_mut().find(wanted).unwrap()
}

/// The position of range 1 when its first file was finished.
fn earlier(entries: &[Entry]) -> Option<Position> {
    let first = |entry: &&Entry| entry.file == "orders-00001-000001.jsonl";
    let entry = entries.iter().find(first).unwrap();
    entry.end[0].position.clone()
}

/// Each kind of damage, and its findings.
pub(crate) type Damage = (&'static str, fn(&Path), &'static [&'static str]);

pub(crate) const DAMAGE: &[Damage] = &[
    (
        "a byte of a finished file",
        |out| rewrite(&second(out), |bytes| bytes[100] ^= 1),
        &["orders-00001-000002.jsonl: has the checksum"],
    ),
    (
        "a finished file that was cut",
        |out| rewrite(&second(out), |bytes| bytes.truncate(bytes.len() - 1)),
        &["orders-00001-000002.jsonl: has ", "were committed"],
    ),
    (
        "a finished file that was added to",
        |out| rewrite(&second(out), |bytes| bytes.extend(b"{}\n")),
        &["orders-00001-000002.jsonl: has ", "were committed"],
    ),
    (
        "a line more than the manifest says, and a checksum to go with it",
        |out| {
            rewrite(&second(out), |bytes| bytes.extend(b"{}\n"));
            let bytes = std::fs::read(second(out)).unwrap();
            change_manifest(out, |entries| {
                let entry = entry_of_second(entries);
                entry.bytes += 3;
                entry.crc32c = crc32c::crc32c(&bytes);
            });
        },
        &["orders-00001-000002.jsonl: has ", " rows, but ", "counts "],
    ),
    (
        "a file of that name that nobody knows",
        |out| std::fs::write(out.join("orders-00001-000099.jsonl"), "{}\n").unwrap(),
        &["orders-00001-000099.jsonl: has the name of a finished file"],
    ),
    (
        "no manifest",
        |out| std::fs::remove_file(state_directory(out).join("manifest.ndjson")).unwrap(),
        &["manifest.ndjson: is missing"],
    ),
    (
        "a manifest that was cut",
        |out| {
            rewrite(&state_directory(out).join("manifest.ndjson"), |bytes| {
                bytes.truncate(bytes.len() - 9)
            })
        },
        &[
            "manifest.ndjson: has ",
            "its last line is incomplete",
            "lists ",
        ],
    ),
    (
        "a line of the manifest that is no JSON",
        |out| {
            rewrite(&state_directory(out).join("manifest.ndjson"), |bytes| {
                bytes[0] = b'x'
            })
        },
        &["manifest.ndjson: line 1: "],
    ),
    (
        "a manifest of another export",
        |out| change_manifest(out, |entries| entries[0].export_id = uuid::Uuid::nil()),
        &["manifest.ndjson: line 1 is of the export 00000000-"],
    ),
    (
        "a name that leads out of the directory",
        |out| {
            change_manifest(out, |entries| {
                entries[0].file = "../out/orders-00001-000002.jsonl".to_owned();
            });
        },
        &[
            "manifest.ndjson: line 1: `../out/orders-00001-000002.jsonl` is not a name of this export's files",
        ],
    ),
    (
        "a file that is listed twice",
        |out| change_manifest(out, |entries| entries.push(entries[0].clone())),
        &["is listed twice"],
    ),
    (
        "a file that the manifest has lost",
        |out| {
            change_manifest(out, |entries| {
                entries.retain(|entry| entry.file != "orders-00001-000002.jsonl");
            });
        },
        &[
            "orders-00001-000002.jsonl: has the name of a finished file",
            "orders-00001-000003.jsonl: follows part 1 of its series",
            "state.json: counts ",
        ],
    ),
    (
        "spans that overlap",
        |out| {
            change_manifest(out, |entries| {
                let of_third = |entry: &&mut Entry| entry.file == "orders-00001-000003.jsonl";
                let position = earlier(entries);
                entries.iter_mut().find(of_third).unwrap().start[0].position = position;
            });
        },
        &[
            "orders-00001-000003.jsonl: range 1 is at LSN ",
            "the changes between are in both",
        ],
    ),
    (
        "a span that begins at the beginning again",
        |out| {
            change_manifest(out, |entries| {
                entry_of_second(entries).start[0].position = None;
            });
        },
        &["orders-00001-000002.jsonl: range 1 is at the beginning, before LSN "],
    ),
    (
        "a span without anything in it",
        |out| {
            change_manifest(out, |entries| {
                let entry = entry_of_second(entries);
                entry.end = entry.start.clone();
            });
        },
        &["orders-00001-000002.jsonl: has rows, but its span of the feed is empty"],
    ),
    (
        "a position of another range",
        |out| {
            change_manifest(out, |entries| {
                let of_other = |entry: &&Entry| entry.file == "orders-00002-000001.jsonl";
                let other = entries.iter().find(of_other).unwrap().end[0]
                    .position
                    .clone();
                entry_of_second(entries).end[0].position = other;
            });
        },
        &["orders-00001-000002.jsonl: the position of range 1: a continuation token for "],
    ),
    (
        "a file of another range",
        |out| {
            change_manifest(out, |entries| {
                let of_other = |entry: &&Entry| entry.file == "orders-00002-000001.jsonl";
                let other = entries.iter().find(of_other).unwrap().clone();
                let entry = entry_of_second(entries);
                (entry.start, entry.end) = (other.start, other.end);
            });
        },
        &["orders-00001-000002.jsonl: its start: it is not of range 1 only"],
    ),
    (
        "children of which one is missing",
        |out| {
            change_manifest(out, |entries| {
                entries.retain(|entry| !entry.file.starts_with("orders-00003-"));
            });
            change_state(out, |state| {
                // As if the first child had reached the position where the third begins.
                let (mut ranges, next) = std::mem::take(&mut state.ranges).into_parts();
                ranges[0].range.max_exclusive = ranges.remove(1).range.max_exclusive;
                state.ranges = RangeSet::from_parts(ranges, next);
                state.series.retain(|series| series.id != 3);
            });
        },
        &["differs from range "],
    ),
    (
        "a range that came from itself",
        |out| {
            change_manifest(out, |entries| {
                let of_child = |entry: &&mut Entry| entry.file.starts_with("orders-00002-");
                for entry in entries.iter_mut().filter(of_child) {
                    let both = entry.start.iter_mut().chain(&mut entry.end);
                    both.for_each(|range| range.parents.push(range.id));
                }
            });
        },
        &["range 2 has a parent with the same or a later number"],
    ),
    (
        "a state that has gone back",
        |out| {
            change_manifest(out, |entries| {
                let position = earlier(entries);
                change_state(out, |state| {
                    let position = position.clone().unwrap();
                    state.ranges.advance(RangeId(1), position).unwrap();
                });
            });
        },
        &["the state: range 1 is at LSN "],
    ),
    (
        "a state that goes on with another part",
        |out| change_state(out, |state| state.series[0].next_part += 1),
        &["the state: continues with part "],
    ),
    (
        "a state that has lost count",
        |out| change_state(out, |state| state.totals.documents -= 1),
        &["state.json: counts "],
    ),
];

/// A copy of the files of a directory.
pub(crate) fn copy(from: &Path) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    for (from, to) in [
        (from.to_owned(), out.clone()),
        (state_directory(from), state_directory(&out)),
    ] {
        std::fs::create_dir(&to).unwrap();
        for path in crate::command::all_files(&from) {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
    (directory, out)
}

#[test]
fn every_kind_of_damage_is_named() {
    let (_gateway, _container, _directory, whole) = exported(&[]);
    assert!(second(&whole).exists());
    for (name, damage, parts) in DAMAGE {
        let (_directory, out) = copy(&whole);
        assert_verified(&out);
        damage(&out);
        let ended = verify(&out, &[]);
        assert_eq!(ended.code, Some(1), "{name}: {}", ended.stderr);
        for part in *parts {
            assert!(
                ended.stdout.contains(part),
                "{name}: no {part} in\n{}",
                ended.stdout
            );
        }
        assert!(ended.stderr.contains("fault"), "{name}: {}", ended.stderr);
        let quiet = verify(&out, &["--quiet"]);
        assert_eq!(
            (&quiet.stdout, quiet.stderr.as_str()),
            (&ended.stdout, ""),
            "{name}"
        );
    }
}

#[test]
fn traces_of_crashes_and_consumers_are_notes_unless_strict() {
    let (gateway, container) = filled(2, 600);
    let gone = Fault::on(RequestKind::ChangeFeed, Action::status(403, 0));
    gateway.push_fault(gone.partition("1").page(4).always());
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    run(command.args(["--page-size", "50", "--checkpoint-interval", "1ms"]));
    let open = state_directory(&out).join("orders-00001-000001.jsonl.open");
    rewrite(&open, |bytes| bytes.extend(b"{\"id\":\"never comm"));
    std::fs::write(
        state_directory(&out).join("orders-00001-000002.jsonl.open"),
        "{}\n",
    )
    .unwrap();
    std::fs::write(state_directory(&out).join("state.json.tmp"), "{").unwrap();
    rewrite(&state_directory(&out).join("manifest.ndjson"), |bytes| {
        bytes.extend(b"{\"export")
    });
    let taken = out.join("orders-00000-000001.jsonl");
    std::fs::rename(&taken, directory.path().join("taken")).unwrap();
    let ended = verify(&out, &[]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), ""),
        "{}",
        ended.stderr
    );
    let notes = [
        "note: state.json.tmp: a state that was never committed; `resume` deletes it",
        "note: manifest.ndjson: 8 bytes after the committed length; `resume` truncates them",
        "note: orders-00000-000001.jsonl: was moved away",
        "note: orders-00001-000001.jsonl.open: 17 bytes after the committed length",
        "note: orders-00001-000002.jsonl.open: nothing of it was committed; `resume` deletes it",
        "0 finished files (1 more moved away)",
        "nothing is wrong",
    ];
    for note in notes {
        assert!(
            ended.stderr.contains(note),
            "no {note} in\n{}",
            ended.stderr
        );
    }
    let strict = verify(&out, &["--strict"]);
    assert_eq!(strict.code, Some(1));
    assert_eq!(strict.stdout.lines().count(), 5, "{}", strict.stdout);

    rewrite(&open, |bytes| bytes[3] ^= 1);
    let damaged = verify(&out, &[]);
    assert_eq!(damaged.code, Some(1));
    assert!(
        damaged
            .stdout
            .starts_with("orders-00001-000001.jsonl.open: has the checksum")
    );
    rewrite(&open, |bytes| bytes[3] ^= 1);

    gateway.clear_faults();
    succeed(&mut resume(&gateway, &out));
    std::fs::rename(directory.path().join("taken"), &taken).unwrap();
    assert_verified(&out);
    crate::command::assert_latest(&crate::command::lines(&out), &container);
}

#[test]
fn a_path_without_an_export_or_in_use_is_a_usage_error() {
    let directory = tempfile::tempdir().unwrap();
    let nothing = verify(directory.path(), &[]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (Some(2), ""));
    assert!(
        nothing.stderr.contains("has no state of an export"),
        "{}",
        nothing.stderr
    );
    let missing = verify(&directory.path().join("missing"), &[]);
    assert_eq!(missing.code, Some(2), "{}", missing.stderr);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);

    let (_gateway, _container, _directory, out) = exported(&[]);
    let lock = cosmos_tail::durable::Lock::acquire(&state_directory(&out).join("state.json.lock"))
        .unwrap();
    let in_use = verify(&out, &[]);
    assert_eq!((in_use.code, in_use.stdout.as_str()), (Some(2), ""));
    assert!(
        in_use.stderr.contains("is being written"),
        "{}",
        in_use.stderr
    );
    drop(lock);
    assert_verified(&out);

    rewrite(&state_directory(&out).join("state.json"), |bytes| {
        bytes[200] ^= 1
    });
    let corrupt = verify(&out, &[]);
    assert_eq!(corrupt.code, Some(1));
    assert!(
        corrupt.stderr.contains("the state file is corrupt"),
        "{}",
        corrupt.stderr
    );
}

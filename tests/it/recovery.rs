//! What a resume does with the files on disk: it cleans up after a crash, refuses files that were changed,
//! and touches only the export's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use cosmos_tail::destination::FileState;
use cosmos_tail::destination::ManifestMark;
use cosmos_tail::destination::manifest::Entry;
use cosmos_tail::state::file;
use cosmos_tail::state::model::State;

use crate::bad_input::{refuse, snapshot};
use crate::command::{
    against, assert_latest, export, fail, files, lines, lines_of, resume, state_directory, succeed,
    verify,
};
use crate::gateway::{Action, Container, Fault, Gateway, RequestKind};
use crate::orders::{fill, filled};

/// An export that stopped early: two of three ranges are finished, and `1` has an open file with its
/// committed part.
struct Stopped {
    gateway: Gateway,
    container: Container,
    _directory: tempfile::TempDir,
    out: PathBuf,
    open: PathBuf,
}

impl Stopped {
    fn new() -> Self {
        let (gateway, container) = filled(3, 600);
        let refused = Fault::on(RequestKind::ChangeFeed, Action::status(403, 0));
        gateway.push_fault(refused.partition("1").page(4).always());
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        fail(export(&gateway, &out).args(["--page-size", "30"]), 3);
        gateway.clear_faults();
        let open = state_directory(&out).join("orders-00001-000001.jsonl.open");
        assert_eq!(
            files(&state_directory(&out), "open"),
            std::slice::from_ref(&open)
        );
        Self {
            gateway,
            container,
            _directory: directory,
            out,
            open,
        }
    }

    fn resume(&self) -> Command {
        resume(&self.gateway, &self.out)
    }

    #[track_caller]
    fn assert_whole(&self) {
        assert_latest(&lines(&self.out), &self.container);
        assert!(files(&self.out, "open").is_empty());
        let violations = self.gateway.violations();
        assert!(violations.is_empty(), "{violations:?}");
    }
}

fn append(path: &Path, text: &[u8]) {
    let mut whole = std::fs::read(path).unwrap();
    whole.extend_from_slice(text);
    std::fs::write(path, whole).unwrap();
}

// Open files.

#[test]
fn bytes_after_the_last_commit_are_truncated() {
    for garbage in [&b"{\"half\":"[..], b"{\"whole\":1}\n", &[0; 100_000]] {
        let stopped = Stopped::new();
        append(&stopped.open, garbage);
        succeed(&mut stopped.resume());
        stopped.assert_whole();
    }
}

#[test]
fn a_damaged_open_file_is_refused_until_repaired() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 5] = [
        ("were committed", |open| {
            let whole = std::fs::read(open).unwrap();
            std::fs::write(open, &whole[..whole.len() - 1]).unwrap();
        }),
        ("were committed", |open| std::fs::write(open, "").unwrap()),
        ("was committed", |open| {
            let mut whole = std::fs::read(open).unwrap();
            let middle = whole.len() / 2;
            whole[middle] ^= 1;
            std::fs::write(open, whole).unwrap();
        }),
        ("is missing", |open| std::fs::remove_file(open).unwrap()),
        ("orders-00001-000001.jsonl.open", |open| {
            std::fs::remove_file(open).unwrap();
            std::fs::create_dir(open).unwrap();
        }),
    ];
    for (part, damage) in damages {
        let stopped = Stopped::new();
        damage(&stopped.open);
        let before = snapshot(&stopped.out);
        let parts = [
            "cannot resume from",
            "orders-00001-000001.jsonl.open`",
            part,
            "--repair",
        ];
        refuse(&mut stopped.resume(), 1, &parts);
        assert_eq!(snapshot(&stopped.out), before);
        if stopped.open.is_dir() {
            // This export creates no directories of that name, so it is not removed.
            refuse(
                stopped.resume().arg("--repair"),
                1,
                &["orders-00001-000001.jsonl.open"],
            );
            std::fs::remove_dir(&stopped.open).unwrap();
        }
        let ended = succeed(stopped.resume().arg("--repair"));
        assert!(
            ended
                .stderr
                .contains("; its range is read again from the start of this file"),
            "{}",
            ended.stderr
        );
        stopped.assert_whole();
    }
}

#[test]
fn a_repair_counts_and_lists_each_document_once() {
    let stopped = Stopped::new();
    std::fs::remove_file(&stopped.open).unwrap();
    succeed(stopped.resume().arg("--repair"));
    stopped.assert_whole();
    let state = load(&stopped.out);
    assert_eq!(state.totals.documents, 600);
    let rows: u64 = manifest(&stopped.out).iter().map(|entry| entry.rows).sum();
    assert_eq!(rows, 600);
    // And with nothing to repair it is an ordinary resume.
    fill(&stopped.container, 600..650);
    succeed(stopped.resume().arg("--repair"));
    stopped.assert_whole();
}

#[test]
fn an_open_file_of_one_series_for_all_ranges_is_repaired_too() {
    let (gateway, container) = filled(3, 600);
    let refused = Fault::on(RequestKind::ChangeFeed, Action::status(403, 0));
    gateway.push_fault(refused.partition("1").page(4).always());
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("all.jsonl");
    fail(export(&gateway, &out).args(["--page-size", "30"]), 3);
    gateway.clear_faults();
    let open = directory.path().join("all.jsonl.open");
    let whole = std::fs::read(&open).unwrap();
    std::fs::write(&open, &whole[1..]).unwrap();
    let again = || {
        let mut command = against(&gateway);
        command
            .args(["resume", "--state"])
            .arg(directory.path().join("all.jsonl.state.json"));
        command
    };
    refuse(&mut again(), 1, &["all.jsonl.open", "--repair"]);
    succeed(again().arg("--repair"));
    assert_latest(&lines_of(&out), &container);
}

#[test]
fn an_unknown_open_file_is_deleted_and_reported() {
    let stopped = Stopped::new();
    let unknown = state_directory(&stopped.out).join("orders-00001-000002.jsonl.open");
    std::fs::write(&unknown, "{\"id\":\"never committed\"}\n").unwrap();
    let ended = succeed(&mut stopped.resume());
    let notice = format!(
        "deleted `{}`: nothing in it was committed",
        unknown.display()
    );
    assert!(ended.stderr.contains(&notice), "{}", ended.stderr);
    stopped.assert_whole();
}

#[test]
fn a_staged_state_that_was_never_committed_is_removed() {
    let stopped = Stopped::new();
    let staged = state_directory(&stopped.out).join("state.json.tmp");
    let mut never = load(&stopped.out);
    never.totals.documents = 1_000_000;
    let whole = file::render(&never).unwrap();
    let mut zeros = whole.clone();
    zeros[5..].fill(0);
    for text in [&whole[..], &whole[..12], &[], &zeros] {
        std::fs::write(&staged, text).unwrap();
        succeed(&mut stopped.resume());
        assert!(!staged.exists());
        stopped.assert_whole();
        assert_eq!(load(&stopped.out).totals.documents, 600);
    }
}

// Finished files and the manifest.

#[test]
fn finished_files_that_a_consumer_moved_are_not_missed() {
    let stopped = Stopped::new();
    let taken = stopped.out.join("taken");
    std::fs::create_dir(&taken).unwrap();
    for path in files(&stopped.out, "jsonl") {
        std::fs::rename(&path, taken.join(path.file_name().unwrap())).unwrap();
    }
    fill(&stopped.container, 600..700);
    succeed(&mut stopped.resume());
    let mut all = lines(&stopped.out);
    all.extend(lines(&taken));
    assert_latest(&all, &stopped.container);
    assert_eq!(files(&taken, "jsonl").len(), 2);
}

#[test]
fn a_manifest_without_committed_lines_is_refused_until_restored() {
    let stopped = Stopped::new();
    let path = state_directory(&stopped.out).join("manifest.ndjson");
    let whole = std::fs::read(&path).unwrap();
    for damaged in [None, Some(&whole[..0]), Some(&whole[..whole.len() - 1])] {
        match damaged {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let before = snapshot(&stopped.out);
        let parts = [
            "cannot resume from",
            "manifest.ndjson`",
            "restore the manifest",
        ];
        refuse(&mut stopped.resume(), 1, &parts);
        refuse(stopped.resume().arg("--repair"), 1, &parts);
        assert_eq!(snapshot(&stopped.out), before);
    }
    // Bytes after the committed part were never committed.
    append(&path, &whole);
    append(&path, b"{\"half\":");
    std::fs::write(&path, [&whole[..], b"{\"half\":"].concat()).unwrap();
    succeed(&mut stopped.resume());
    stopped.assert_whole();
    let mut listed: Vec<PathBuf> = manifest(&stopped.out)
        .iter()
        .map(|entry| stopped.out.join(&entry.file))
        .collect();
    listed.sort();
    assert_eq!(listed, files(&stopped.out, "jsonl"));
}

#[test]
fn a_file_in_the_way_of_the_next_part_stops_the_export_and_is_kept() {
    let (gateway, container) = filled(2, 200);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    let foreign = out.join("orders-00001-000002.jsonl");
    std::fs::write(&foreign, "mine").unwrap();
    fill(&container, 200..300);
    let parts = [
        "orders-00001-000002.jsonl` already exists",
        "move it away",
        "resume --state",
    ];
    refuse(&mut resume(&gateway, &out), 3, &parts);
    assert_eq!(std::fs::read(&foreign).unwrap(), b"mine");
    std::fs::remove_file(&foreign).unwrap();
    succeed(&mut resume(&gateway, &out));
    assert_latest(&lines(&out), &container);
}

#[test]
fn a_single_file_is_replaced_on_request_and_nothing_else_is() {
    let (gateway, container) = filled(2, 50);
    let directory = tempfile::tempdir().unwrap();
    for name in ["orders.csv", "orders.parquet", "orders.jsonl"] {
        let out = directory.path().join(name);
        succeed(&mut export(&gateway, &out));
        let first = std::fs::read(&out).unwrap();
        refuse(&mut export(&gateway, &out), 2, &["--force"]);
        assert_eq!(std::fs::read(&out).unwrap(), first, "{name}");
        fill(&container, 50..80);
        succeed(export(&gateway, &out).arg("--force"));
        assert_ne!(std::fs::read(&out).unwrap(), first, "{name}");
        assert_eq!(verify(&out, &["--strict"]).code, Some(0), "{name}");
    }
    assert_latest(
        &lines_of(&directory.path().join("orders.jsonl")),
        &container,
    );
    // A file that no export wrote is not one to be replaced.
    let foreign = directory.path().join("notes.jsonl");
    std::fs::write(&foreign, "mine\n").unwrap();
    refuse(
        export(&gateway, &foreign).arg("--force"),
        2,
        &["notes.jsonl"],
    );
    assert_eq!(std::fs::read(&foreign).unwrap(), b"mine\n");
}

#[test]
fn files_that_are_not_of_this_export_are_never_touched() {
    let foreign = [
        "notes.txt",
        "orders.jsonl",
        "orders.jsonl.open",
        "orders-1-1.jsonl.open",
        "orders-00001-000001.csv.open",
        "orders-00001-000001.jsonl.open.bak",
        "orders-00001-000001.jsonl.bak",
        "other-00001-000001.jsonl.open",
        "other-00001-000001.jsonl",
        "state.json.bak",
        ".hidden.open",
        "deeper/orders-00009-000001.jsonl.open",
    ];
    let stopped = Stopped::new();
    std::fs::create_dir(stopped.out.join("deeper")).unwrap();
    for name in foreign {
        std::fs::write(stopped.out.join(name), name).unwrap();
    }
    let assert_kept = || {
        for name in foreign {
            let text = std::fs::read(stopped.out.join(name));
            assert_eq!(
                text.unwrap_or_else(|error| panic!("{name}: {error}")),
                name.as_bytes()
            );
        }
    };
    std::fs::write(&stopped.open, "damaged").unwrap();
    refuse(&mut stopped.resume(), 1, &["--repair"]);
    assert_kept();
    succeed(stopped.resume().arg("--repair"));
    assert_kept();
    fill(&stopped.container, 600..700);
    succeed(&mut stopped.resume());
    assert_kept();
    let own: Vec<Vec<u8>> = files(&stopped.out, "jsonl")
        .iter()
        .filter(|path| !foreign.contains(&path.file_name().unwrap().to_str().unwrap()))
        .flat_map(|path| lines_of(path))
        .collect();
    assert_latest(&own, &stopped.container);
    succeed(export(&stopped.gateway, &stopped.out).arg("--force"));
    assert_kept();
}

// Files that were finished, with a crash before or after they got their names.

fn load(out: &Path) -> State {
    file::load(&state_directory(out).join("state.json")).unwrap()
}

fn manifest(out: &Path) -> Vec<Entry> {
    let text = std::fs::read_to_string(state_directory(out).join("manifest.ndjson")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A finished export, brought back to the moment after its last commit: the state lists every
/// file as sealed and the manifest as empty. Returns the files' names.
fn before_publishing(out: &Path) -> Vec<String> {
    let entries = manifest(out);
    let mut state = load(out);
    state.manifest = ManifestMark::default();
    for entry in &entries {
        let numbers = entry
            .file
            .strip_prefix("orders-")
            .unwrap()
            .strip_suffix(".jsonl")
            .unwrap();
        let (series, part) = numbers.split_once('-').unwrap();
        state.sealed.push(FileState {
            columns: 0,
            series: series.parse().unwrap(),
            part: part.parse().unwrap(),
            length: entry.bytes,
            rows: entry.rows,
            crc32c: entry.crc32c,
            start: entry.start.clone(),
            end: entry.end.clone(),
            place: None,
            upload: None,
            upload_began: None,
            pieces: Vec::new(),
            batch: None,
        });
    }
    std::fs::write(
        state_directory(out).join("state.json"),
        file::render(&state).unwrap(),
    )
    .unwrap();
    entries.into_iter().map(|entry| entry.file).collect()
}

struct Finished {
    gateway: Gateway,
    container: Container,
    _directory: tempfile::TempDir,
    out: PathBuf,
    names: Vec<String>,
}

impl Finished {
    fn new() -> Self {
        let (gateway, container) = filled(3, 300);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        succeed(&mut export(&gateway, &out));
        let names = before_publishing(&out);
        assert_eq!(names.len(), 3);
        Self {
            gateway,
            container,
            _directory: directory,
            out,
            names,
        }
    }

    /// The first file, with its final name and its open one.
    fn first(&self) -> (PathBuf, PathBuf) {
        let path = self.out.join(&self.names[0]);
        let open = state_directory(&self.out).join(format!("{}.open", self.names[0]));
        (path, open)
    }

    #[track_caller]
    fn assert_resumes(&self) {
        succeed(&mut resume(&self.gateway, &self.out));
        assert_latest(&lines(&self.out), &self.container);
        assert!(files(&self.out, "open").is_empty());
        let mut listed: Vec<String> = manifest(&self.out)
            .into_iter()
            .map(|entry| entry.file)
            .collect();
        let mut names = self.names.clone();
        listed.sort();
        names.sort();
        assert_eq!(listed, names, "each file is listed once");
        assert!(load(&self.out).sealed.is_empty());
    }

    #[track_caller]
    fn assert_refuses(&self, parts: &[&str]) {
        let before = snapshot(&self.out);
        refuse(&mut resume(&self.gateway, &self.out), 1, parts);
        assert_eq!(snapshot(&self.out), before);
    }
}

#[test]
fn resume_renames_finished_files_after_a_crash() {
    for published in 0..=3 {
        let finished = Finished::new();
        for name in &finished.names[published..] {
            let path = finished.out.join(name);
            std::fs::rename(
                &path,
                state_directory(&finished.out).join(format!("{name}.open")),
            )
            .unwrap();
        }
        finished.assert_resumes();
    }
}

#[test]
fn resume_lists_finished_files_after_a_crash() {
    let finished = Finished::new();
    std::fs::remove_file(state_directory(&finished.out).join("manifest.ndjson")).unwrap();
    finished.assert_resumes();
}

#[test]
fn a_finished_file_longer_than_committed_is_truncated_before_its_rename() {
    let finished = Finished::new();
    let (path, open) = finished.first();
    std::fs::rename(&path, &open).unwrap();
    append(&open, b"{\"never\":\"committed\"}\n");
    finished.assert_resumes();
}

#[test]
fn a_finished_file_that_differs_from_the_commit_is_refused() {
    // Published, and changed since.
    let finished = Finished::new();
    let (path, open) = finished.first();
    let whole = std::fs::read(&path).unwrap();
    append(&path, b"more\n");
    finished.assert_refuses(&[
        &finished.names[0],
        "were committed",
        "move it away, then resume",
    ]);
    std::fs::write(&path, &whole).unwrap();
    // Not published, and changed since.
    std::fs::write(&open, &whole[1..]).unwrap();
    std::fs::remove_file(&path).unwrap();
    finished.assert_refuses(&[
        &finished.names[0],
        "were committed",
        "restore it, or export",
    ]);
    // Both names exist.
    std::fs::write(&open, &whole).unwrap();
    std::fs::write(&path, "mine").unwrap();
    finished.assert_refuses(&["both `", "move it away, then resume"]);
    // Gone.
    std::fs::remove_file(&open).unwrap();
    std::fs::remove_file(&path).unwrap();
    finished.assert_refuses(&["and is missing", "restore it as"]);
    std::fs::write(&path, &whole).unwrap();
    finished.assert_resumes();
}

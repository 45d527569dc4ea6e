//! Trust: states with contents that they must not have, edited manifests, deleted locks, links in the place
//! of files. Each is refused with its whole message, and no file changes.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use cosmos_tail::destination::FileState;
use cosmos_tail::destination::ManifestMark;
use cosmos_tail::destination::Output;
use cosmos_tail::feed::RangeSet;
use cosmos_tail::state::file;
use cosmos_tail::state::model::State;

use crate::bad_input::snapshot;
use crate::command::{
    Ended, against, assert_latest, cosmos_tail, export, fail, files, lines, lines_of, resume, run,
    spawn, state_directory, succeed, verify, wait,
};
use crate::gateway::{Action, Container, Fault, Gateway, Hold, RequestKind};
use crate::orders::{fill, filled};

/// Runs a command that must end with `code` and print exactly `stderr`, and change nothing below `directory`.
#[track_caller]
fn refuse_whole(command: &mut Command, directory: &Path, code: i32, stderr: &str) {
    let before = (snapshot(directory), names(directory));
    let ended = run(command);
    assert_eq!(ended.stderr, stderr);
    assert_eq!(ended.code, Some(code));
    assert_eq!((snapshot(directory), names(directory)), before);
}

/// All names below a directory but those of locks.
fn names(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(names(&entry.path()));
        }
        if entry.path().extension().is_none_or(|end| end != "lock") {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

fn load(state: &Path) -> State {
    file::load(state).unwrap()
}

fn save(state: &State, path: &Path) {
    std::fs::write(path, file::render(state).unwrap()).unwrap();
}

/// Like the state of `path`, with a change, in another place.
fn forge(path: &Path, at: &Path, change: impl FnOnce(&mut State)) {
    let mut state = load(path);
    change(&mut state);
    save(&state, at);
}

/// An export to a directory that holds everything, as earlier builds wrote it.
fn old_export(gateway: &Gateway, out: &Path) -> Command {
    let mut command = export(gateway, out);
    command.arg("--state").arg(out.join("state.json"));
    command
}

fn resume_by(gateway: &Gateway, state: &Path) -> Command {
    let mut command = against(gateway);
    command.args(["resume", "--state"]).arg(state);
    command
}

/// An export with the finished files of one range and an open one, and a place for states.
struct Victim {
    gateway: Gateway,
    container: Container,
    directory: tempfile::TempDir,
    out: PathBuf,
}

impl Victim {
    fn new() -> Self {
        let (gateway, container) = filled(2, 300);
        let refused = Fault::on(RequestKind::ChangeFeed, Action::status(403, 0));
        gateway.push_fault(refused.partition("1").page(4).always());
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        fail(old_export(&gateway, &out).args(["--page-size", "30"]), 3);
        gateway.clear_faults();
        Self {
            gateway,
            container,
            directory,
            out,
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.out.join("state.json")
    }

    #[track_caller]
    fn refuse(&self, state: &Path, code: i32, stderr: &str) {
        for arguments in [&[][..], &["--repair"]] {
            let mut command = resume_by(&self.gateway, state);
            refuse_whole(command.args(arguments), self.directory.path(), code, stderr);
        }
        assert!(self.gateway.violations().is_empty());
    }

    /// It can be resumed, and is whole then.
    #[track_caller]
    fn assert_resumes(&self) {
        succeed(&mut resume(&self.gateway, &self.out));
        assert_latest(&lines(&self.out), &self.container);
        assert!(files(&self.out, "open").is_empty());
        let ended = verify(&self.out, &["--strict"]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    }
}

// States.

#[test]
fn a_state_cannot_harm_the_output_of_another_export() {
    let victim = Victim::new();
    let (out, state) = (victim.out.display().to_string(), victim.at("forged.json"));
    let shown = state.display();
    let not_proven = |why: &str| {
        format!(
            "error: cannot resume from `{shown}`\n  Caused by: nothing proves that the output `{out}` \
             belongs to this state\n  Caused by: {why}\nhint: if it does, move the state beside it, to \
             `{out}/state.json`, and name it there\n"
        )
    };
    let there = not_proven(&format!(
        "`{out}/state.json` exists, which is the state of another export"
    ));
    for path in [out.clone(), "out".into(), "out/../out".into()] {
        // The same export or another; all of the manifest or nothing; other parts.
        let forgeries: [&dyn Fn(&mut State); 4] = [
            &|_| {},
            &|state| state.export_id = uuid::Uuid::from_u128(1),
            &|state| state.manifest = ManifestMark::default(),
            &|state| state.series.clear(),
        ];
        for change in forgeries {
            forge(&victim.state(), &state, |forged| {
                forged.options.output = Output::Directory(path.clone());
                change(forged);
            });
            let directory: PathBuf = victim.directory.path().join(&path).components().collect();
            victim.refuse(&state, 1, &there.replace(&out, directory.to_str().unwrap()));
        }
    }
    std::fs::remove_file(&state).unwrap();
    victim.assert_resumes();
}

#[test]
fn a_state_cannot_harm_other_files() {
    let victim = Victim::new();
    let state = victim.at("forged.json");
    let shown = state.display();
    for (name, found) in [("notes", "notes.open"), ("notes.jsonl", "notes.jsonl")] {
        std::fs::write(victim.at(found), "mine\n").unwrap();
        let (output, file) = (victim.at(name), victim.at(found));
        let (output, file) = (output.display(), file.display());
        let stderr = format!(
            "error: cannot resume from `{shown}`\n  Caused by: nothing proves that the output `{output}` \
             belongs to this state\n  Caused by: `{file}` exists, and no manifest lists it as a file of this \
             export\nhint: if it does, move the state beside it, to `{output}.state.json`, and name it \
             there\n"
        );
        forge(&victim.state(), &state, |forged| {
            forged.options.output = Output::File(output.to_string());
            forged.manifest = ManifestMark::default();
            forged.series.clear();
            let part = FileState {
                columns: 0,
                series: 0,
                part: 1,
                length: 0,
                rows: 0,
                crc32c: 0,
                start: forged.ranges.to_vec(),
                end: forged.ranges.to_vec(),
                place: None,
                upload: None,
                upload_began: None,
                pieces: Vec::new(),
                batch: None,
            };
            forged.sealed = vec![part];
        });
        victim.refuse(&state, 1, &stderr);
        std::fs::remove_file(victim.at(found)).unwrap();
    }
    // An export appends to no file.
    std::fs::write(victim.at("notes"), "mine\n").unwrap();
    let text = std::fs::read_to_string(victim.state()).unwrap();
    let appends = reseal(&text, |inner| {
        inner.replacen("\"directory\": \".\"", "\"append\": \"notes\"", 1)
    });
    std::fs::write(&state, appends).unwrap();
    victim.refuse(
        &state,
        1,
        &format!(
            "error: cannot resume from `{shown}`\n  Caused by: the state file is corrupt: it is of an \
             export, but its output is a file that only a tail appends to\nhint: a damaged or \
             older state could lose or repeat changes, so it is not used: restore its last version, or \
             export to a new place\n"
        ),
    );
    std::fs::remove_file(&state).unwrap();
    victim.assert_resumes();
}

/// A state file with another text and a valid checksum.
fn reseal(text: &str, change: impl FnOnce(&str) -> String) -> String {
    let start = text.find("\"state\":").unwrap() + "\"state\":".len();
    let inner = text[start..].trim_end().strip_suffix('}').unwrap();
    let changed = change(inner);
    assert_ne!(changed, inner);
    let head = &text[..start];
    let at = head.find("\"crc32c\":\"").unwrap() + "\"crc32c\":\"".len();
    format!(
        "{}{:08x}{}{changed}}}\n",
        &head[..at],
        crc32c::crc32c(changed.as_bytes()),
        &head[at + 8..]
    )
}

#[test]
fn a_state_elsewhere_owns_its_output_through_the_owner_file() {
    let (gateway, container) = filled(2, 200);
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let out = at("out");
    let state = at("state.json");
    std::fs::create_dir(at("states")).unwrap();
    succeed(export(&gateway, &out).arg("--state").arg(&state));
    let own = state_directory(&out);
    let owner = own.join("state.json.owner");
    assert!(owner.exists());
    // A copy can change nothing, whatever it contains.
    let copy = at("states/copy.json");
    let export_id = load(&state).export_id;
    forge(&state, &copy, |forged| {
        let Output::Table(table) = &mut forged.options.output else {
            panic!("it is a table");
        };
        table.directory = Some(out.to_str().unwrap().into());
    });
    let (shown, out_shown) = (copy.display(), out.display());
    let stderr = format!(
        "error: cannot resume from `{shown}`\n  Caused by: the output `{out_shown}` belongs to the \
         export {export_id} with the state `{out_shown}/../state.json`\nhint: name that state; if it is \
         this one and was moved, move it back or to `{}/state.json`\n",
        own.display()
    );
    refuse_whole(
        &mut resume_by(&gateway, &copy),
        directory.path(),
        1,
        &stderr,
    );
    // Both moved as a whole.
    fill(&container, 200..250);
    let moved = tempfile::tempdir().unwrap();
    std::fs::rename(&out, moved.path().join("out")).unwrap();
    std::fs::rename(&own, state_directory(&moved.path().join("out"))).unwrap();
    std::fs::rename(&state, moved.path().join("state.json")).unwrap();
    succeed(&mut resume_by(&gateway, &moved.path().join("state.json")));
    // And the state put beside the output.
    fill(&container, 250..300);
    let out = moved.path().join("out");
    let beside = state_directory(&out).join("state.json");
    forge(&moved.path().join("state.json"), &beside, |state| {
        let Output::Table(table) = &mut state.options.output else {
            panic!("it is a table");
        };
        table.directory = None;
    });
    std::fs::remove_file(moved.path().join("state.json")).unwrap();
    succeed(&mut resume(&gateway, &out));
    assert_latest(&lines(&out), &container);
}

/// Makes the state of a directory one elsewhere, as of a build before owner files and checksums.
fn as_an_older_build_left_it(state: &Path, elsewhere: &Path) {
    forge(state, elsewhere, |state| {
        state.options.output = Output::Directory("out".into());
        state.manifest.crc32c = None;
    });
    std::fs::remove_file(state).unwrap();
}

#[test]
fn an_export_of_an_older_build_is_recognized_by_its_manifest() {
    let victim = Victim::new();
    let state = victim.at("elsewhere.json");
    as_an_older_build_left_it(&victim.state(), &state);
    succeed(&mut resume_by(&victim.gateway, &state));
    assert!(victim.out.join("state.json.owner").exists());
    assert_latest(&lines(&victim.out), &victim.container);
    assert!(load(&state).manifest.crc32c.is_some());
    let ended = verify(&state, &["--strict"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn a_crashed_export_of_an_older_build_is_recognized_too() {
    let (gateway, container) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut first = old_export(&gateway, &out);
    // The files are listed, but no state has them yet.
    first.args(["--checkpoint-interval", "1h"]);
    let ended = run(first.env("COSMOS_TAIL_FAILPOINTS", "state.create=2*off->return(kill)"));
    assert_eq!(ended.code, None, "{}", ended.stderr);
    let state = directory.path().join("elsewhere.json");
    as_an_older_build_left_it(&out.join("state.json"), &state);
    assert_eq!(load(&state).manifest.entries, 0);
    assert!(
        std::fs::metadata(out.join("manifest.ndjson"))
            .unwrap()
            .len()
            > 0
    );
    succeed(&mut resume_by(&gateway, &state));
    assert_latest(&lines(&out), &container);
}

#[test]
fn an_environment_that_contradicts_the_state_is_refused_before_any_request() {
    let victim = Victim::new();
    let before = victim.gateway.total_requests();
    let endpoint = victim.gateway.endpoint();
    for (name, value, kind, own) in [
        ("AZURE_COSMOS_CONTAINER", "other", "container", "orders"),
        ("AZURE_COSMOS_DATABASE", "other", "database", "shop"),
        (
            "AZURE_COSMOS_ENDPOINT",
            "http://127.0.0.1:9/",
            "account",
            endpoint.as_str(),
        ),
    ] {
        let flag = match kind {
            "account" => "--endpoint",
            "database" => "--database",
            _ => "--container",
        };
        let moved = match kind {
            "account" => "; if the account has this address now, add --account-moved",
            _ => "",
        };
        let stderr = |origin: &str, way: &str| {
            format!(
                "error: the state belongs to the {kind} `{own}`, but {origin} names `{value}`\nhint: if \
                 this is the right state, {way}{moved}\n"
            )
        };
        let unset = format!("unset {name}, or give {flag} {own}");
        let mut by_variable = resume(&victim.gateway, &victim.out);
        by_variable.env(name, value);
        refuse_whole(
            &mut by_variable,
            victim.directory.path(),
            2,
            &stderr(name, &unset),
        );
        let mut by_flag = resume(&victim.gateway, &victim.out);
        by_flag.args([flag, value]);
        let leave_out = stderr(flag, &format!("leave {flag} out"));
        refuse_whole(&mut by_flag, victim.directory.path(), 2, &leave_out);
    }
    assert_eq!(victim.gateway.total_requests(), before);
    victim.assert_resumes();
}

#[test]
fn a_tail_truncates_only_its_own_file() {
    let (gateway, container) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let tail = |output: &str, state: Option<&str>| {
        let mut command = against(&gateway);
        command.args(["tail", "--from", "beginning", "--until-caught-up", "-o"]);
        command.arg(at(output));
        if let Some(state) = state {
            command.arg("--state").arg(at(state));
        }
        command
    };
    succeed(&mut tail("own.jsonl", None));
    std::fs::write(at("notes.jsonl"), "mine\n").unwrap();
    forge(&at("own.jsonl.state.json"), &at("forged.json"), |forged| {
        forged.options.output = Output::Append("notes.jsonl".into());
        let (mut ranges, next) = std::mem::take(&mut forged.ranges).into_parts();
        for range in &mut ranges {
            range.position = None;
        }
        forged.ranges = RangeSet::from_parts(ranges, next);
        for series in &mut forged.series {
            let open = series.open.as_mut().unwrap();
            (open.length, open.rows, open.crc32c) = (0, 0, 0);
        }
    });
    let (state, notes) = (at("forged.json"), at("notes.jsonl"));
    let (state, notes) = (state.display(), notes.display());
    let stderr = format!(
        "error: cannot continue from `{state}`\n  Caused by: nothing proves that the output `{notes}` belongs to \
         this state\n  Caused by: `{notes}` exists, and no manifest lists it as a file of this export\n\
         hint: if it does, move the state beside it, to `{notes}.state.json`, and name it there\n"
    );
    let mut command = tail("notes.jsonl", Some("forged.json"));
    refuse_whole(&mut command, directory.path(), 1, &stderr);
    // An export with its state elsewhere continues through its owner file.
    succeed(&mut tail("far.jsonl", Some("far.json")));
    fill(&container, 100..150);
    let mut again = against(&gateway);
    again
        .args(["tail", "--until-caught-up", "-o"])
        .arg(at("far.jsonl"));
    succeed(again.arg("--state").arg(at("far.json")));
    assert_latest(&lines_of(&at("far.jsonl")), &container);
}

#[test]
fn force_removes_nothing_but_what_an_export_left() {
    let (gateway, container) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut old_export(&gateway, &out));
    let hint =
        "hint: --force removes only files of exports: move it away, or choose another output\n";
    for name in [
        "orders-00007-000001.jsonl",
        "orders-00000-000002.jsonl.open",
    ] {
        let path = out.join(name);
        std::fs::write(&path, "mine").unwrap();
        if name.ends_with("2.jsonl.open") {
            // It has the name of a file that an export may have started; only the state shows it.
            std::fs::remove_file(out.join("state.json")).unwrap();
        }
        let stderr = format!(
            "error: `{}` is not of an earlier export: no manifest and no state lists it\n{hint}",
            path.display()
        );
        let mut command = old_export(&gateway, &out);
        refuse_whole(command.arg("--force"), directory.path(), 2, &stderr);
        std::fs::remove_file(path).unwrap();
    }
    let notes = directory.path().join("notes.json");
    std::fs::write(&notes, "{\"mine\":1}").unwrap();
    let stderr = format!(
        "error: `{}` was not written by cosmos-tail\nhint: cosmos-tail needs a file of that name: \
         move it away, or use another path\n",
        notes.display()
    );
    let mut command = export(&gateway, &out);
    command.arg("--force").arg("--state").arg(&notes);
    refuse_whole(&mut command, directory.path(), 2, &stderr);
    succeed(old_export(&gateway, &out).arg("--force"));
    assert_latest(&lines(&out), &container);
}

// Manifests.

#[test]
fn every_reader_refuses_an_edited_manifest() {
    let (gateway, container) = filled(1, 200);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let rotate = ["--page-size", "50", "--rotate-bytes", "1KiB"];
    succeed(old_export(&gateway, &out).args(rotate));
    let path = out.join("manifest.ndjson");
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    assert!(lines.len() >= 3);
    let mark = load(&out.join("state.json")).manifest;
    let committed = format!("{:08x}", mark.crc32c.unwrap());
    let swapped = [&[lines[1], lines[0]], &lines[2..]].concat().join("\n") + "\n";
    let spaced = whole.replacen("\"rows\":", "\"rows\": ", 1);
    let counted = whole.replacen("\"rows\":50", "\"rows\":51", 1);
    for edited in [&swapped, &spaced, &counted] {
        assert_ne!(*edited, whole);
        std::fs::write(&path, edited).unwrap();
        let length = usize::try_from(mark.length).unwrap();
        let found = crc32c::crc32c(&edited.as_bytes()[..length]);
        let fault = format!(
            "its first {length} bytes have the checksum {found:08x}, but {committed} was committed"
        );
        let shown = path.display();
        let stderr = format!(
            "error: cannot resume from `{0}/state.json`\n  Caused by: the manifest `{shown}`: {fault}\n\
             hint: restore the manifest: without it, finished files are unaccounted for\n",
            out.display()
        );
        refuse_whole(&mut resume(&gateway, &out), directory.path(), 1, &stderr);
        refuse_whole(
            resume(&gateway, &out).arg("--repair"),
            directory.path(),
            1,
            &stderr,
        );
        let verified = verify(&out, &[]);
        assert_eq!(verified.code, Some(1));
        let first = verified.stdout.lines().next().unwrap();
        assert_eq!(first, format!("manifest.ndjson: {fault}"));
        let stderr = format!(
            "error: the manifest `{shown}`: {fault}\nhint: it was changed after the export: \
             restore it, or name the files themselves, in the order in which to apply them\n"
        );
        let mut replay = cosmos_tail();
        replay.args(["replay", "--stdout"]).arg(&out);
        refuse_whole(&mut replay, directory.path(), 1, &stderr);
    }
    std::fs::write(&path, &whole).unwrap();
    fill(&container, 200..250);
    succeed(resume(&gateway, &out).args(&rotate[2..]));
    assert_latest(&crate::command::lines(&out), &container);
    // The appended lines continue the checksum.
    let text = std::fs::read(&path).unwrap();
    let mark = load(&out.join("state.json")).manifest;
    assert_eq!(mark.length, text.len() as u64);
    assert_eq!(mark.crc32c, Some(crc32c::crc32c(&text)));
}

#[test]
fn files_out_of_order_are_noticed_even_without_a_checksum() {
    let (gateway, _) = filled(1, 200);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(old_export(&gateway, &out).args(["--page-size", "50", "--rotate-bytes", "1KiB"]));
    let (path, state) = (out.join("manifest.ndjson"), out.join("state.json"));
    let whole = std::fs::read_to_string(&path).unwrap();
    let all: Vec<&str> = whole.lines().collect();
    let swapped = [&[all[1], all[0]], &all[2..]].concat();
    let gap = [&all[..1], &all[2..]].concat();
    for (edited, fault) in [
        (
            swapped,
            "line 1: `orders-00000-000002.jsonl` is out of order: part 1 of its series does not \
             precede it",
        ),
        (
            gap,
            "line 2: `orders-00000-000003.jsonl` is out of order: part 2 of its series does not \
             precede it",
        ),
    ] {
        let text = edited.join("\n") + "\n";
        std::fs::write(&path, &text).unwrap();
        forge(&state, &state, |state| {
            state.manifest = ManifestMark {
                length: text.len() as u64,
                entries: edited.len() as u64,
                crc32c: None,
            };
        });
        let stderr = format!(
            "error: cannot resume from `{}`\n  Caused by: the manifest `{}`: {fault}\nhint: restore \
             the manifest: without it, finished files are unaccounted for\n",
            state.display(),
            path.display()
        );
        refuse_whole(&mut resume(&gateway, &out), directory.path(), 1, &stderr);
        let verified = verify(&out, &[]);
        assert_eq!(verified.code, Some(1));
        let told = format!("manifest.ndjson: {fault}\n");
        assert!(verified.stdout.contains(&told), "{}", verified.stdout);
        let stderr = format!(
            "error: the manifest `{}`: {fault}\nhint: it was changed after the export: restore \
             it, or name the files themselves, in the order in which to apply them\n",
            path.display()
        );
        let mut replay = cosmos_tail();
        replay.args(["replay", "--stdout"]).arg(&out);
        refuse_whole(&mut replay, directory.path(), 1, &stderr);
    }
}

#[test]
fn an_older_state_does_not_truncate_a_newer_manifest() {
    let (gateway, container) = filled(1, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut old_export(&gateway, &out));
    let state = out.join("state.json");
    let (older, manifest) = (std::fs::read(&state).unwrap(), out.join("manifest.ndjson"));
    fill(&container, 100..150);
    succeed(&mut resume(&gateway, &out));
    let newer = std::fs::read(&state).unwrap();
    std::fs::write(&state, older).unwrap();
    let stderr = format!(
        "error: cannot resume from `{}`\n  Caused by: the manifest `{}` lists \
         `orders-00000-000002.jsonl`, which is not in the state\nhint: restore the manifest: without it, \
         finished files are unaccounted for\n",
        state.display(),
        manifest.display()
    );
    refuse_whole(&mut resume(&gateway, &out), directory.path(), 1, &stderr);
    std::fs::write(&state, newer).unwrap();
    succeed(&mut resume(&gateway, &out));
    assert_latest(&lines(&out), &container);
}

// Locks.

/// An export whose lock is deleted while it runs, and which a second process resumes and finishes. Returns the
/// result of `verify` after the first has ended, with this defect.
pub(crate) fn second_process_after_a_deleted_lock(defect: &str) -> Ended {
    let (gateway, container) = filled(2, 600);
    let hold = Hold::new();
    let held = Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()));
    gateway.push_fault(held.partition("1").page(4));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut first = old_export(&gateway, &out);
    first.args(["--page-size", "30", "--checkpoint-interval", "1h"]);
    let first = spawn(first.env("COSMOS_TAIL_FAILPOINTS", defect));
    hold.wait_until_reached();
    std::fs::remove_file(out.join("state.json.lock")).unwrap();
    succeed(&mut resume(&gateway, &out));
    let before = snapshot(&out);
    hold.release();
    let ended = wait(first);
    if defect.is_empty() {
        let (lock, state) = (out.join("state.json.lock"), out.join("state.json"));
        let told = format!(
            "error: the lock `{}` was replaced by another file while this process held it; nothing was \
             committed after that\nhint: another process may be writing to the same files: make sure that \
             none is; do not delete lock files, a lock is released when its process ends\nhint: what \
             was committed is kept; once the cause is fixed, run: cosmos-tail resume --state {}\n",
            lock.display(),
            state.display()
        );
        assert_eq!(ended.stderr, told);
        assert_eq!(ended.code, Some(3));
        assert_eq!(snapshot(&out), before);
        assert_latest(&lines(&out), &container);
    }
    verify(&out, &["--strict"])
}

#[test]
fn a_process_whose_lock_was_deleted_commits_nothing_more() {
    let verified = second_process_after_a_deleted_lock("");
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
}

#[test]
fn a_deleted_lock_stops_the_export_even_if_nobody_takes_it() {
    let (gateway, container) = filled(2, 600);
    let hold = Hold::new();
    let held = Fault::on(RequestKind::ChangeFeed, Action::Hold(hold.clone()));
    gateway.push_fault(held.partition("1").page(4));
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let first = spawn(old_export(&gateway, &out).args(["--page-size", "30"]));
    hold.wait_until_reached();
    let lock = out.join("state.json.lock");
    std::fs::remove_file(&lock).unwrap();
    let generation = load(&out.join("state.json")).generation;
    hold.release();
    let ended = wait(first);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let told = format!("error: the lock `{}` was deleted while", lock.display());
    assert!(ended.stderr.starts_with(&told), "{}", ended.stderr);
    assert_eq!(load(&out.join("state.json")).generation, generation);
    succeed(&mut resume(&gateway, &out));
    assert_latest(&lines(&out), &container);
}

// Links and special files.

#[test]
fn nothing_is_written_through_a_link() {
    let victim = Victim::new();
    let target = victim.at("target");
    std::fs::write(&target, "precious").unwrap();
    let hint = "hint: cosmos-tail does not write through links: name the file that it points to, or \
                move the link away\n";
    let state = victim.state();
    // At a resume: the lock, the staged state, the state, the manifest, an open file.
    let lock = victim.out.join("state.json.lock");
    let in_use = format!(
        "error: the state `{}` is in use\n  Caused by: ",
        state.display()
    );
    let cannot = format!(
        "error: cannot resume from `{}`\n  Caused by: ",
        state.display()
    );
    let repair = "hint: move it away, then resume with --repair\n";
    let manifest = "hint: restore the manifest: without it, finished files are unaccounted \
                    for\n";
    for (name, before, after) in [
        ("state.json.lock", in_use.as_str(), hint),
        ("state.json.tmp", "error: ", hint),
        ("state.json", "error: ", hint),
        ("manifest.ndjson", &cannot, manifest),
        ("orders-00001-000001.jsonl.open", &cannot, repair),
    ] {
        let path = victim.out.join(name);
        let aside = victim.at("aside");
        let was_there = path.exists();
        if was_there {
            std::fs::rename(&path, &aside).unwrap();
        }
        let points_to = if was_there { &aside } else { &target };
        symlink(points_to, &path).unwrap();
        let stderr = format!(
            "{before}`{}` is a symbolic link, not a regular file\n{after}",
            path.display()
        );
        victim.refuse(&state, 1, &stderr);
        std::fs::remove_file(&path).unwrap();
        if was_there {
            std::fs::rename(&aside, &path).unwrap();
        }
    }
    assert!(lock.exists());
    assert_eq!(std::fs::read(&target).unwrap(), b"precious");
    victim.assert_resumes();
}

#[test]
fn new_files_replace_no_links_and_no_special_files() {
    let (gateway, _) = filled(1, 50);
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("target"), "precious").unwrap();
    std::fs::write(at("a.jsonl"), "{\"id\":\"1\",\"pk\":\"a\"}\n").unwrap();
    let fifo = at("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let at_link = |name: &str, code: i32, command: &mut Command| {
        for (kind, target) in [
            ("a symbolic link", at("target")),
            ("a symbolic link", at("nowhere")),
            ("a FIFO", fifo.clone()),
        ] {
            let path = at(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            if name.ends_with(".lock") && path.exists() {
                // Of a run before.
                std::fs::remove_file(&path).unwrap();
            }
            match kind {
                "a FIFO" => std::fs::rename(&target, &path).unwrap(),
                _ => symlink(&target, &path).unwrap(),
            }
            let ended = run(command);
            let told = format!("`{}` is {kind}, not a regular file\nhint: ", path.display());
            assert!(ended.stderr.contains(&told), "{name}: {}", ended.stderr);
            assert_eq!(ended.code, Some(code), "{name}: {}", ended.stderr);
            assert_eq!(std::fs::read(at("target")).unwrap(), b"precious");
            assert!(!at("nowhere").exists());
            match kind {
                "a FIFO" => std::fs::rename(&path, &target).unwrap(),
                _ => std::fs::remove_file(&path).unwrap(),
            }
        }
    };
    for force in [&[][..], &["--force"]] {
        let to = |output: &str| {
            let mut command = export(&gateway, &at(output));
            command.args(force);
            command
        };
        at_link("_out.cosmos-tail/state.json", 2, &mut to("out"));
        at_link("_out.cosmos-tail/manifest.ndjson", 2, &mut to("out"));
        at_link(
            "_out.cosmos-tail/state.json.owner",
            2,
            to("out").arg("--state").arg(at("s")),
        );
        at_link("s", 2, to("out").arg("--state").arg(at("s")));
        at_link("new.jsonl", 2, &mut to("new.jsonl"));
        at_link("_out.cosmos-tail/state.json.tmp", 1, &mut to("out"));
        at_link("_out.cosmos-tail/state.json.lock", 1, &mut to("out"));
    }
    let tail = || {
        let mut command = against(&gateway);
        command
            .args(["tail", "--until-caught-up", "-o"])
            .arg(at("t.jsonl"));
        command
    };
    at_link("t.jsonl", 2, &mut tail());
    at_link("t.jsonl.state.json", 2, &mut tail());
    at_link("t.jsonl.state.json.lock", 1, &mut tail());
    at_link("t.jsonl.state.json.tmp", 1, &mut tail());
    let replay = || {
        let mut command = against(&gateway);
        command.arg("replay").arg(at("a.jsonl"));
        command
    };
    at_link("r.json", 2, replay().arg("--state").arg(at("r.json")));
    at_link("r.json.tmp", 2, replay().arg("--state").arg(at("r.json")));
    at_link("r.json.lock", 1, replay().arg("--state").arg(at("r.json")));
    at_link("dead", 2, replay().arg("--dead-letter").arg(at("dead")));
    // Directories may be links, as `/tmp` is one on macOS.
    std::fs::create_dir(at("real")).unwrap();
    symlink(at("real"), at("link")).unwrap();
    succeed(&mut export(&gateway, &at("link/out")));
    succeed(&mut resume(&gateway, &at("real/out")));
    succeed(&mut resume(&gateway, &at("link/out")));
}

#[test]
fn a_file_that_has_the_name_of_a_lock_or_a_staged_state_is_kept() {
    let victim = Victim::new();
    let state = victim.at("Cargo");
    std::fs::rename(victim.state(), &state).unwrap();
    for (name, what, code) in [
        (
            "Cargo.lock",
            "is not a lock of cosmos-tail\nhint: cosmos-tail needs a lock file of that name: move the \
             file away, or keep the state elsewhere with --state\n",
            1,
        ),
        (
            "Cargo.tmp",
            "was not written by cosmos-tail\nhint: cosmos-tail needs a file of that name: move it away, \
             or use another path\n",
            1,
        ),
    ] {
        let path = victim.at(name);
        std::fs::write(&path, "version = 4\n").unwrap();
        let ended = run(&mut resume_by(&victim.gateway, &state));
        assert!(
            ended
                .stderr
                .ends_with(&format!("`{}` {what}", path.display())),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.code, Some(code));
        assert_eq!(std::fs::read(&path).unwrap(), b"version = 4\n");
        std::fs::remove_file(&path).unwrap();
    }
}

// All checks first.

#[test]
fn a_refused_resume_changes_nothing() {
    let (gateway, container) = filled(4, 400);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = old_export(&gateway, &out);
    // All four files are finished with one commit, and none gets its name.
    command.args(["--checkpoint-interval", "1h", "--max-retries", "0"]);
    let ended = run(command.env("COSMOS_TAIL_FAILPOINTS", "publish.rename=return(kill)"));
    assert_eq!(ended.code, None, "{}", ended.stderr);
    let open = files(&out, "open");
    let sealed = load(&out.join("state.json")).sealed;
    assert_eq!((open.len(), sealed.len()), (4, 4));
    let mut unknown = std::fs::read(&open[0]).unwrap();
    unknown.truncate(10);
    std::fs::write(out.join("orders-00001-000002.jsonl.open"), &unknown).unwrap();
    std::fs::write(out.join("state.json.tmp"), "{\"format\":\"cosmos-tail sta").unwrap();
    let last = &open[3];
    let whole = std::fs::read(last).unwrap();
    std::fs::write(last, &whole[..whole.len() - 1]).unwrap();
    let stderr = format!(
        "error: cannot resume from `{}`\n  Caused by: `{}` has {} bytes, but {} were committed\nhint: \
         the file was changed or damaged after it was finished and before it was published; restore it, \
         or export to a new place\n",
        out.join("state.json").display(),
        last.display(),
        whole.len() - 1,
        whole.len()
    );
    for arguments in [&[][..], &["--repair"]] {
        let mut again = resume(&gateway, &out);
        refuse_whole(again.args(arguments), directory.path(), 1, &stderr);
    }
    std::fs::write(last, &whole).unwrap();
    succeed(&mut resume(&gateway, &out));
    assert_latest(&lines(&out), &container);
    assert!(files(&out, "open").is_empty());
}

#[test]
fn open_files_of_other_exports_are_not_touched() {
    let victim = Victim::new();
    let foreign = [
        // Of a range that is not read; of a part that was finished before.
        "orders-00007-000001.jsonl.open",
        "orders-00000-000001.jsonl.open",
    ];
    for name in foreign {
        std::fs::write(victim.out.join(name), "mine").unwrap();
    }
    // Of another export to a single file, which keeps its state beside it.
    let other = victim.out.join("orders-00001-000002.jsonl");
    let others = ["", ".state.json", ".open"].map(|end| {
        let path = PathBuf::from(format!("{}{end}", other.display()));
        (!end.is_empty()).then(|| std::fs::write(&path, "theirs").unwrap());
        path
    });
    succeed(&mut resume(&victim.gateway, &victim.out));
    for name in foreign {
        assert_eq!(std::fs::read(victim.out.join(name)).unwrap(), b"mine");
    }
    for path in &others[1..] {
        assert_eq!(std::fs::read(path).unwrap(), b"theirs");
    }
    let verified = verify(&victim.out, &[]);
    let note =
        "note: orders-00007-000001.jsonl.open: is not of this export; `resume` leaves it alone";
    assert!(verified.stderr.contains(note), "{}", verified.stderr);
}

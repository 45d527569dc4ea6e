//! A directory of an export is a table: nothing but finished files is in it, wherever the state is, and its columns
//! may be widened.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use cosmos_tail::state::file;
use cosmos_tail::state::model::State;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};

use crate::command::{
    against, all_files, assert_latest, cosmos_tail, export, fail, files, lines, resume, run,
    state_directory, succeed, verify,
};
use crate::gateway::{Container, Gateway};
use crate::orders::{fill, filled};
use crate::scene::Scene;

/// The names in a directory.
fn names(directory: &Path) -> BTreeSet<String> {
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    all_files(directory).iter().map(name).collect()
}

fn load(out: &Path) -> State {
    file::load(&state_directory(out).join("state.json")).unwrap()
}

/// The names of a file's columns.
fn columns_of(path: &Path) -> Vec<String> {
    if path.extension().is_some_and(|extension| extension == "csv") {
        let mut reader = csv::Reader::from_path(path).unwrap();
        let header = reader.headers().unwrap();
        return header.iter().map(str::to_owned).collect();
    }
    let file = std::fs::File::open(path).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let fields = reader.metadata().file_metadata().schema().get_fields();
    fields.iter().map(|field| field.name().to_owned()).collect()
}

/// Moves a directory and its state directory.
fn moved(from: &Path, to: &Path) {
    std::fs::rename(from, to).unwrap();
    std::fs::rename(state_directory(from), state_directory(to)).unwrap();
}

#[test]
fn a_table_has_nothing_but_finished_files_at_any_time() {
    let steps = [
        "part.write=3*off->return(kill)",
        "state.rename=2*off->return(kill)",
        "publish.rename=1*off->return(kill)",
        "publish.sync-directory=return(kill)",
        "manifest.write=return(kill)",
    ];
    for format in ["jsonl", "csv", "parquet", "arrow"] {
        for step in steps {
            let scene = Scene::rotating(&["--format", format]);
            scene.go_on(step);
            for name in names(&scene.out) {
                assert!(name.ends_with(&format!(".{format}")), "{step}: {name}");
            }
            let outcome = scene.finish();
            assert_eq!(outcome, Ok(()), "{format}, {step}");
        }
    }
}

#[test]
fn a_rename_that_left_both_names_is_completed() {
    let scene = Scene::rotating(&["--format", "jsonl"]);
    let ended = scene.go_on("publish.sync-directory=return(kill)");
    assert_eq!(ended.code, None, "{}", ended.stderr);
    for path in files(&scene.out, "jsonl") {
        let open = format!("{}.open", path.file_name().unwrap().to_string_lossy());
        std::fs::copy(&path, state_directory(&scene.out).join(open)).unwrap();
    }
    assert_eq!(scene.finish(), Ok(()));
}

#[test]
fn an_export_is_moved_with_its_state_directory_and_named_in_each_way() {
    let (gateway, container) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let (first, out) = (
        directory.path().join("first"),
        directory.path().join("day=1"),
    );
    succeed(&mut export(&gateway, &first));
    moved(&first, &out);
    assert!(state_directory(&out).ends_with("_day%3D1.cosmos-tail"));
    for (number, state) in [
        state_directory(&out).join("state.json"),
        // As scripts for earlier versions name it.
        out.join("state.json"),
        out.clone(),
    ]
    .iter()
    .enumerate()
    {
        fill(&container, 100 + number * 10..110 + number * 10);
        if number < 2 {
            succeed(against(&gateway).args(["resume", "--state"]).arg(state));
            assert_latest(&lines(&out), &container);
        }
        let ended = verify(state, &["--strict"]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    }
    let mut replay = cosmos_tail();
    let told = succeed(replay.arg("replay").arg(&out).arg("--stdout"));
    assert_eq!(told.stdout.lines().count(), 120);
    let mut replay = cosmos_tail();
    let told = succeed(
        replay
            .arg("replay")
            .arg(state_directory(&out))
            .arg("--stdout"),
    );
    assert_eq!(told.stdout.lines().count(), 120);
}

#[test]
fn everything_in_one_directory_if_it_is_asked_for() {
    let (gateway, container) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let state = out.join("_cosmos-tail/state.json");
    succeed(export(&gateway, &out).arg("--state").arg(&state));
    assert_eq!(names(directory.path()), ["out".to_owned()].into());
    let moved = directory.path().join("moved");
    std::fs::rename(&out, &moved).unwrap();
    fill(&container, 100..150);
    let mut again = against(&gateway);
    succeed(
        again
            .args(["resume", "--state"])
            .arg(moved.join("state.json")),
    );
    assert_latest(&lines(&moved), &container);
    assert_eq!(verify(&moved, &["--strict"]).code, Some(0));
}

/// An export as earlier versions wrote it, with an open file.
fn old_export(gateway: &Gateway, out: &Path) {
    let mut command = export(gateway, out);
    command
        .arg("--state")
        .arg(out.join("state.json"))
        .args([
            "--page-size",
            "10",
            "--checkpoint-bytes",
            "1",
            "--checkpoint-interval",
            "1h",
        ])
        .env("COSMOS_TAIL_LOCKSTEP", "1")
        .env("COSMOS_TAIL_FAILPOINTS", "state.rename=5*off->return(kill)");
    assert_eq!(run(&mut command).code, None);
}

#[test]
fn a_directory_of_an_earlier_version_stays_as_it_is_until_it_is_replaced() {
    let (gateway, container) = filled(2, 200);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    old_export(&gateway, &out);
    assert!(!files(&out, "open").is_empty());
    // A new export does not begin over it.
    let ended = fail(&mut export(&gateway, &out), 2);
    let told = format!(
        "`{}` holds the state of an export",
        out.join("state.json").display()
    );
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    succeed(&mut resume(&gateway, &out));
    assert_latest(&lines(&out), &container);
    assert!(names(&out).contains("manifest.ndjson"));
    assert_eq!(verify(&out, &["--strict"]).code, Some(0));
    fill(&container, 200..250);
    succeed(&mut resume(&gateway, &out));
    assert_eq!(names(directory.path()), ["out".to_owned()].into());
    std::fs::write(out.join("state.json.tmp"), "{\"format\":\"cosmos-tail sta").unwrap();
    succeed(export(&gateway, &out).arg("--force"));
    assert_eq!(
        names(&out),
        files(&out, "jsonl")
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect()
    );
    assert_latest(&lines(&out), &container);
    assert_eq!(verify(&out, &["--strict"]).code, Some(0));
}

#[test]
fn an_earlier_version_that_is_writing_keeps_the_directory() {
    let (gateway, _) = filled(1, 20);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let lock = cosmos_tail::durable::Lock::acquire(&out.join("state.json.lock")).unwrap();
    for arguments in [&[][..], &["--force"]] {
        let ended = fail(export(&gateway, &out).args(arguments), 1);
        assert!(ended.stderr.contains("another process"), "{}", ended.stderr);
    }
    drop(lock);
    succeed(&mut export(&gateway, &out));
    assert_eq!(names(&out).len(), 1, "the lock would be taken for data");
}

#[test]
fn a_state_directory_that_is_a_link_and_two_exports_are_refused() {
    let (gateway, _) = filled(1, 20);
    let directory = tempfile::tempdir().unwrap();
    let (out, elsewhere) = (
        directory.path().join("out"),
        directory.path().join("elsewhere"),
    );
    std::fs::create_dir(&elsewhere).unwrap();
    let own = state_directory(&out);
    symlink(&elsewhere, &own).unwrap();
    for arguments in [&[][..], &["--force"]] {
        let ended = fail(export(&gateway, &out).args(arguments), 2);
        let told = format!("`{}` is a symbolic link, not a directory", own.display());
        assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    }
    assert!(names(&elsewhere).is_empty());
    std::fs::remove_file(&own).unwrap();
    succeed(&mut export(&gateway, &out));
    std::fs::rename(&own, elsewhere.join("own")).unwrap();
    symlink(elsewhere.join("own"), &own).unwrap();
    let ended = verify(&out, &[]);
    assert!(
        ended.stderr.contains("is a symbolic link"),
        "{}",
        ended.stderr
    );
    std::fs::remove_file(&own).unwrap();
    std::fs::rename(elsewhere.join("own"), &own).unwrap();
    std::fs::write(out.join("state.json"), "{}").unwrap();
    let ended = verify(&out, &[]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("has two exports"), "{}", ended.stderr);
}

/// What is mounted from the same file system has its device, but nothing can be renamed to it.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_is_mounted_has_its_state_inside() {
    let (gateway, container) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let (volume, out) = (
        directory.path().join("volume"),
        directory.path().join("out"),
    );
    std::fs::create_dir(&volume).unwrap();
    std::fs::create_dir(&out).unwrap();
    // A namespace of its own, where the mount ends with the process.
    let mounted = |command: Command| {
        let mut shell = Command::new("unshare");
        shell.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
        shell.arg("mount --bind \"$0\" \"$1\" && shift && exec \"$@\"");
        shell.args([&volume, &out]);
        shell.arg(command.get_program()).args(command.get_args());
        shell.env_clear();
        for (name, value) in command.get_envs() {
            value.map(|value| shell.env(name, value));
        }
        shell
    };
    if !mounted(Command::new("true"))
        .status()
        .is_ok_and(|status| status.success())
    {
        eprintln!("this system lets nobody mount a directory");
        return;
    }
    succeed(&mut mounted(export(&gateway, &out)));
    assert!(volume.join("_cosmos-tail/state.json").is_file());
    assert_eq!(
        names(directory.path()),
        ["out".to_owned(), "volume".to_owned()].into()
    );
    fill(&container, 100..150);
    let mut again = against(&gateway);
    again.arg("resume").arg(&out);
    succeed(&mut mounted(again));
    assert_latest(&lines(&volume), &container);
    assert_eq!(verify(&volume, &["--strict"]).code, Some(0));
}

// Columns that change.

/// A document with these members beside its id and key.
fn put(container: &Container, id: &str, members: Value) {
    let mut document = json!({"id": id, "pk": id});
    let (Some(whole), Value::Object(members)) = (document.as_object_mut(), members) else {
        panic!("members are an object")
    };
    whole.extend(members);
    container.upsert(document);
}

/// The documents of an export, without system fields, by id: as a replay would write them.
fn replayed(out: &Path) -> BTreeSet<String> {
    let mut replay = cosmos_tail();
    let told = succeed(replay.arg("replay").arg(out).arg("--stdout"));
    told.stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap().to_string())
        .collect()
}

/// The latest documents of a container in the same form.
fn expected(container: &Container) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for served in container.latest() {
        let mut document: Value = serde_json::from_slice(&served.text).unwrap();
        let members = document.as_object_mut().unwrap();
        members.retain(|name, _| {
            !["_rid", "_self", "_etag", "_attachments", "_ts", "_lsn"].contains(&name.as_str())
        });
        all.insert(document.to_string());
    }
    all
}

/// An export of two ranges with an open file in each, before a field was added.
fn begun(format: &str) -> (Gateway, Container, tempfile::TempDir, PathBuf) {
    let (gateway, container) = filled(2, 0);
    for number in 0..40 {
        put(
            &container,
            &format!("old-{number}"),
            json!({"n": number, "c": {"a": "x"}}),
        );
    }
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = export(&gateway, &out);
    command
        .args(["--format", format, "--page-size", "5", "--concurrency", "1"])
        .args(["--checkpoint-bytes", "1", "--checkpoint-interval", "1h"])
        .env("COSMOS_TAIL_LOCKSTEP", "1")
        .env("COSMOS_TAIL_FAILPOINTS", "state.rename=4*off->return(kill)");
    assert_eq!(run(&mut command).code, None);
    for number in 0..40 {
        let members = json!({"n": number, "c": {"a": "x", "b": number}, "tags": ["t"]});
        put(&container, &format!("new-{number}"), members);
    }
    (gateway, container, directory, out)
}

fn widen(gateway: &Gateway, out: &Path) -> Command {
    let mut command = resume(gateway, out);
    command.arg("--widen");
    command
}

#[test]
fn new_files_have_more_columns_and_old_ones_stay_as_they_are() {
    for format in ["csv", "parquet"] {
        let (gateway, container, _directory, out) = begun(format);
        let before: Vec<(PathBuf, Vec<u8>)> = files(&out, format)
            .into_iter()
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect();
        let mut diff = against(&gateway);
        let told = succeed(diff.args(["schema", "--diff"]).arg(&out));
        assert!(told.stdout.contains("c.b"), "{}", told.stdout);
        assert!(told.stdout.contains("list<string>"), "{}", told.stdout);
        assert!(
            told.stderr.contains("`resume --widen` adds 2 columns"),
            "{}",
            told.stderr
        );
        let ended = succeed(&mut widen(&gateway, &out));
        let told = "added 2 columns to new files: c.b int64, tags list<string>";
        assert!(ended.stderr.contains(told), "{format}: {}", ended.stderr);
        for (path, bytes) in &before {
            assert_eq!(std::fs::read(path).unwrap(), *bytes);
        }
        let state = load(&out);
        assert_eq!(state.earlier_layouts.len(), 1);
        let manifest =
            std::fs::read_to_string(state_directory(&out).join("manifest.ndjson")).unwrap();
        let sets: BTreeSet<u64> = manifest
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|entry| entry["columns"].as_u64().unwrap_or(0))
            .collect();
        assert_eq!(sets, [0, 1].into(), "{manifest}");
        assert_eq!(state.totals.overflowed, 0);
        let ended = verify(&out, &["--strict"]);
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        assert_eq!(replayed(&out), expected(&container), "{format}");
        // Once more: nothing is new, and an interrupted widening goes on without the flag.
        let ended = succeed(&mut widen(&gateway, &out));
        assert!(
            ended.stderr.contains("no columns were added"),
            "{}",
            ended.stderr
        );
        assert_eq!(load(&out).earlier_layouts.len(), 1);
    }
}

#[test]
fn a_state_directory_with_another_name_has_no_table() {
    let (gateway, _) = filled(1, 20);
    let directory = tempfile::tempdir().unwrap();
    let (out, other) = (directory.path().join("out"), directory.path().join("other"));
    succeed(&mut export(&gateway, &out));
    std::fs::rename(state_directory(&out), &other).unwrap();
    let mut command = against(&gateway);
    let ended = fail(
        command
            .args(["resume", "--state"])
            .arg(other.join("state.json")),
        1,
    );
    let told = format!("`{}` is not a name of a state directory", other.display());
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: rename it"), "{}", ended.stderr);
}

#[test]
fn a_crash_while_columns_are_added_loses_nothing() {
    for format in ["csv", "parquet"] {
        for step in [
            "state.create=return(kill)",
            "state.rename=return(kill)",
            "state.sync-directory=return(kill)",
            "publish.rename=return(kill)",
            "publish.sync-directory=return(kill)",
            "manifest.write=return(kill)",
            "state.rename=1*off->return(kill)",
        ] {
            let (gateway, container, _directory, out) = begun(format);
            run(widen(&gateway, &out).env("COSMOS_TAIL_FAILPOINTS", step));
            succeed(&mut widen(&gateway, &out));
            assert_eq!(load(&out).earlier_layouts.len(), 1, "{format}, {step}");
            let ended = verify(&out, &["--strict"]);
            assert_eq!(
                ended.code,
                Some(0),
                "{step}: {}{}",
                ended.stdout,
                ended.stderr
            );
            assert_eq!(replayed(&out), expected(&container), "{format}, {step}");
        }
    }
}

/// Makes of a new export without files one that an earlier version has begun: `version` and the form of its tables.
fn as_of_version(path: &Path, version: u32, table: Option<&str>) {
    let whole: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut state = whole["state"].clone();
    let options = state["options"].as_object_mut().unwrap();
    match table {
        Some(table) => options.insert("table".into(), table.into()),
        None => options.remove("table"),
    };
    let body = state.to_string();
    let crc32c = crc32c::crc32c(body.as_bytes());
    let text = format!(
        "{{\"format\":\"cosmos-tail state\",\"version\":{version},\"crc32c\":\"{crc32c:08x}\",\"state\":{body}}}\n"
    );
    std::fs::write(path, text).unwrap();
}

#[test]
fn an_export_of_an_earlier_version_keeps_its_columns_until_it_is_widened() {
    for format in ["csv", "parquet"] {
        for (table, leading) in [
            (
                Some("ordered"),
                &["_operation_lsn", "_operation_number"][..],
            ),
            (None, &[]),
        ] {
            let (gateway, container) = filled(1, 0);
            let directory = tempfile::tempdir().unwrap();
            let out = directory.path().join("out");
            let state = out.join("state.json");
            let mut command = export(&gateway, &out);
            command.args(["--format", format, "--columns", "id:string,n:int64"]);
            succeed(
                command
                    .args(["--system-fields", "drop", "--state"])
                    .arg(&state),
            );
            as_of_version(&state, 2, table);
            put(&container, "a", json!({"n": null, "more": "x"}));
            succeed(&mut resume(&gateway, &out));
            let own: Vec<&str> = leading
                .iter()
                .chain(&["id", "n", "_extra"])
                .copied()
                .collect();
            assert_eq!(columns_of(&files(&out, format)[0]), own);
            assert_eq!(file::load(&state).unwrap().totals.overflowed, 1);
            put(&container, "b", json!({"n": null, "more": "y"}));
            succeed(&mut widen(&gateway, &out));
            let more = ["id", "n", "more", "pk", "_extra"];
            let own: Vec<&str> = leading.iter().chain(&more).copied().collect();
            assert_eq!(columns_of(&files(&out, format)[1]), own);
            let ended = verify(&out, &["--strict"]);
            assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
            assert_eq!(replayed(&out), expected(&container), "{format}");
        }
    }
}

#[test]
fn what_has_no_columns_cannot_be_widened() {
    let (gateway, _) = filled(1, 10);
    let directory = tempfile::tempdir().unwrap();
    for (name, arguments, told) in [
        (
            "a",
            &["--format", "jsonl"][..],
            "the files of the export have no columns",
        ),
        (
            "b",
            &["--format", "csv", "--schema", "raw"],
            "keeps each document as a whole",
        ),
    ] {
        let out = directory.path().join(name);
        succeed(export(&gateway, &out).args(arguments));
        let ended = fail(&mut widen(&gateway, &out), 2);
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        let mut diff = against(&gateway);
        let ended = fail(diff.args(["schema", "--diff"]).arg(&out), 2);
        assert!(ended.stderr.contains("hint: "), "{}", ended.stderr);
    }
    let state = directory.path().join("stream.json");
    let mut stream = export(&gateway, Path::new("-"));
    succeed(stream.args(["--format", "csv", "--state"]).arg(&state));
    let mut command = against(&gateway);
    let ended = fail(
        command.args(["resume", "--widen", "--state"]).arg(&state),
        2,
    );
    assert!(
        ended
            .stderr
            .contains("the header was written to standard output"),
        "{}",
        ended.stderr
    );
}

#[test]
fn columns_of_a_file_are_compared_with_the_container() {
    let (gateway, container) = filled(1, 0);
    put(&container, "1", json!({"n": "text", "more": true}));
    // A null fits, as in an export with these columns.
    put(&container, "2", json!({"n": null}));
    let directory = tempfile::tempdir().unwrap();
    let schema = directory.path().join("columns.txt");
    std::fs::write(&schema, "id string\npk string\nn int64\n").unwrap();
    let mut diff = against(&gateway);
    let told = succeed(
        diff.args(["schema", "--system-fields", "drop", "--diff"])
            .arg(&schema),
    );
    assert_eq!(
        told.stdout,
        "FIELD  COLUMN  NEW COLUMN  VALUES   DOCUMENTS   SHARE\n\
         more   -       boolean     boolean          1  50.0 %\n\
         n      int64   -           string           1  50.0 %\n"
    );
    assert!(
        told.stderr.contains("compared 2 documents"),
        "{}",
        told.stderr
    );
    let mut diff = against(&gateway);
    let ended = fail(diff.args(["schema", "--diff"]).arg(directory.path()), 2);
    assert!(
        ended.stderr.contains("has no state of an export"),
        "{}",
        ended.stderr
    );
}

#[test]
fn values_that_fit_no_column_are_kept_or_dropped_or_end_the_export() {
    for format in ["csv", "parquet"] {
        let (gateway, container) = filled(1, 0);
        put(&container, "good", json!({"n": 1}));
        put(&container, "bad", json!({"n": 2, "more": {"x": 1}}));
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let columns = [
            "--format",
            format,
            "--columns",
            "id:string,pk:string,n:int64",
        ];
        let columns = columns.iter().chain(&["--system-fields", "drop"]);
        let mut command = export(&gateway, &out);
        let ended = fail(command.args(columns.clone()).args(["--extra", "fail"]), 3);
        assert!(
            ended.stderr.contains(
                "the document \"bad\" does not fit the columns: `more` is an object, and has no column"
            ),
            "{}",
            ended.stderr
        );
        assert!(
            ended.stderr.contains("hint: `resume --widen` adds columns"),
            "{}",
            ended.stderr
        );
        let again = fail(&mut resume(&gateway, &out), 3);
        assert!(
            again.stderr.contains("`more` is an object"),
            "{}",
            again.stderr
        );
        let ended = succeed(&mut widen(&gateway, &out));
        assert!(
            ended.stderr.contains("more struct<x: int64>"),
            "{}",
            ended.stderr
        );
        assert_eq!(replayed(&out), expected(&container));
        let dropped = directory.path().join("dropped");
        let mut command = export(&gateway, &dropped);
        let ended = succeed(command.args(columns.clone()).args(["--extra", "drop"]));
        let told = "1 without values that fit no column";
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        let found = replayed(&dropped);
        assert!(
            found.contains(r#"{"id":"bad","n":2,"pk":"bad"}"#),
            "{found:?}"
        );
        assert_eq!(load(&dropped).totals.dropped, 1);
    }
    let (gateway, _) = filled(1, 1);
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["--extra", "drop"][..],
        &["--format", "csv", "--schema", "raw", "--extra", "drop"],
    ] {
        let out = directory.path().join("out");
        fail(export(&gateway, &out).args(arguments), 2);
    }
}

#[test]
fn a_null_fits_and_is_not_the_same_as_nothing() {
    for format in ["csv", "parquet"] {
        let (gateway, container) = filled(1, 0);
        let typed = json!({"n": 1, "t": "x", "c": {"a": 1}, "l": [{"x": 1, "y": "a"}], "j": {}});
        put(&container, "typed", typed);
        put(
            &container,
            "null",
            json!({"n": null, "t": null, "c": null, "l": null, "j": null}),
        );
        put(
            &container,
            "within",
            json!({"c": {"a": null}, "l": [{"x": null, "y": "b"}, null]}),
        );
        put(&container, "missing", json!({"l": [{}]}));
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let ended = succeed(export(&gateway, &out).args(["--format", format]));
        assert!(
            !ended.stderr.contains("_extra"),
            "{format}: {}",
            ended.stderr
        );
        assert_eq!(load(&out).totals.overflowed, 0);
        assert_eq!(replayed(&out), expected(&container), "{format}");
    }
}

#[test]
fn each_file_of_csv_begins_with_a_byte_order_mark_if_it_is_asked_for() {
    let (gateway, container) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let arguments = [
        "--format",
        "csv",
        "--csv-bom",
        "--rotate-bytes",
        "1KiB",
        "--page-size",
        "10",
    ];
    succeed(export(&gateway, &out).args(arguments));
    let parts = files(&out, "csv");
    assert!(parts.len() > 2);
    for path in &parts {
        let bytes = std::fs::read(path).unwrap();
        assert!(bytes.starts_with(b"\xef\xbb\xbf_operation_lsn,"));
        assert_eq!(
            memchr::memmem::find_iter(&bytes, b"\xef\xbb\xbf").count(),
            1
        );
    }
    assert_eq!(verify(&out, &["--strict"]).code, Some(0));
    assert_eq!(replayed(&out), expected(&container));
}

#[test]
fn a_deletion_has_its_id_and_its_partition_key_in_their_columns() {
    for format in ["csv", "parquet"] {
        let (gateway, container) = filled(1, 3);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let arguments = [
            "--mode",
            "all",
            "--format",
            format,
            "--columns",
            "id:string,pk:string",
        ];
        succeed(export(&gateway, &out).args(arguments));
        put(&container, "gone", json!({}));
        container.delete("gone", "gone");
        succeed(&mut resume(&gateway, &out));
        let found = files(&out, format);
        let rows: Vec<(String, String, String)> = match format {
            "csv" => {
                let mut reader = csv::Reader::from_path(&found[0]).unwrap();
                let header = reader.headers().unwrap().clone();
                let at = |name: &str| header.iter().position(|own| own == name).unwrap();
                let (operation, id, key) = (at("_operation"), at("id"), at("pk"));
                let rows = reader.records().map(|row| row.unwrap());
                rows.map(|row| (row[operation].into(), row[id].into(), row[key].into()))
                    .collect()
            }
            _ => {
                let file = std::fs::File::open(&found[0]).unwrap();
                let reader = SerializedFileReader::new(file).unwrap();
                let rows = reader.get_row_iter(None).unwrap().map(|row| row.unwrap());
                rows.map(|row| {
                    let text = |name: &str| {
                        let found = row.get_column_iter().find(|(own, _)| *own == name);
                        match found.unwrap().1 {
                            Field::Str(text) => text.clone(),
                            other => panic!("{name}: {other}"),
                        }
                    };
                    (text("_operation"), text("id"), text("pk"))
                })
                .collect()
            }
        };
        let gone = |operation: &str| (operation.to_owned(), "gone".to_owned(), "gone".to_owned());
        assert_eq!(rows, [gone("create"), gone("delete")], "{format}");
        // Its document is still none.
        let mut replay = cosmos_tail();
        let told = succeed(replay.arg("replay").arg(&out).arg("--stdout"));
        let last: Value = serde_json::from_str(told.stdout.lines().last().unwrap()).unwrap();
        assert_eq!(last["current"], json!({}), "{}", told.stdout);
    }
}

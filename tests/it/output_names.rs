//! What the name of an output means: a file in any case, a directory, or nothing that can be written.

use std::path::Path;
use std::process::Command;

use crate::command::{Ended, against, cosmos_tail, export, fail, run, succeed, verify};
use crate::gateway::Gateway;
use crate::orders::{fill, filled};

/// Everything below a directory, by name.
fn tree(directory: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        if path.is_dir() {
            names.extend(tree(&path));
        }
    }
    names.sort();
    names
}

#[test]
fn a_known_extension_in_any_case_names_a_file_of_its_format() {
    for (name, second, magic) in [
        (
            "orders.CSV",
            "orders.000002.CSV",
            &b"_operation_lsn,_operation_number,id,"[..],
        ),
        ("Orders.NDJSON", "Orders.000002.NDJSON", b"{"),
        ("orders.ndjson", "orders.000002.ndjson", b"{"),
        ("orders.JsonL.GZ", "orders.000002.JsonL.GZ", &[0x1f, 0x8b]),
        ("a.b.Csv.zst", "a.b.000002.Csv.zst", &[0x28, 0xb5]),
        ("orders.PARQUET", "orders.000002.PARQUET", b"PAR1"),
        ("orders.Arrow", "orders.000002.Arrow", b"ARROW1\0\0"),
        ("orders.feather", "orders.000002.feather", b"ARROW1\0\0"),
    ] {
        let (gateway, container) = filled(2, 60);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        succeed(&mut export(&gateway, &path));
        fill(&container, 60..90);
        let state = directory.path().join(format!("{name}.state.json"));
        succeed(against(&gateway).arg("resume").arg("--state").arg(&state));
        let second = directory.path().join(second);
        for part in [&path, &second] {
            let bytes = std::fs::read(part).unwrap();
            assert!(bytes.starts_with(magic), "{}", part.display());
        }
        let found = verify(&path, &["--strict", "--format", "json"]);
        let found: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
        assert_eq!(
            (&found["rows"], &found["files"]),
            (&90.into(), &2.into()),
            "{name}: {found}"
        );
        // The files are read back as what they are, named on their own.
        let lines = succeed(
            cosmos_tail()
                .args(["replay", "--stdout"])
                .args([&path, &second]),
        );
        assert_eq!(lines.stdout.lines().count(), 90, "{name}");
    }
}

/// An export to `output`, typed in an empty directory.
fn refused_export(gateway: &Gateway, directory: &Path, output: &str) -> Ended {
    let mut command = against(gateway);
    command
        .current_dir(directory)
        .args(["export", "-o", output]);
    fail(&mut command, 2)
}

#[test]
fn an_unknown_extension_is_refused_with_the_nearest_and_writes_nothing() {
    let (gateway, _) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    for (output, meant) in [
        ("orders.parqet", "`orders.parquet`"),
        ("orders.xlsx", "`orders.csv`"),
        ("orders.tsv", "`orders.csv`"),
        ("orders.json", "`orders.jsonl`"),
        ("orders.json.gz", "`orders.jsonl.gz`"),
        ("orders.csv.bz2", "`orders.csv.gz`"),
        ("orders.parquet.gz", "`orders.parquet`"),
        ("orders.arrows", "`orders.arrow`"),
        ("orders.arrow.zst", "`orders.arrow`"),
        ("a/orders.jsonlines", "a/orders.jsonl`"),
        (".csv", "`FILE.csv`"),
    ] {
        let ended = refused_export(&gateway, directory.path(), output);
        let meant = meant.replace('/', std::path::MAIN_SEPARATOR_STR);
        assert!(ended.stderr.contains(&meant), "{output}: {}", ended.stderr);
    }
    assert_eq!(tree(directory.path()), [""; 0]);
    assert_eq!(gateway.total_requests(), 0);
}

#[test]
fn a_slash_or_an_existing_directory_makes_any_name_a_directory() {
    let (gateway, _) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("orders.v2")).unwrap();
    for (output, file) in [
        ("orders.parqet/", "orders.parqet/orders-00000-000001.jsonl"),
        ("orders.v2", "orders.v2/orders-00000-000001.jsonl"),
        ("orders.NDJSON/", "orders.NDJSON/orders-00000-000001.jsonl"),
        (
            "orders.json.gz/",
            "orders.json.gz/orders-00000-000001.jsonl",
        ),
        (".hidden", ".hidden/orders-00000-000001.jsonl"),
        ("orders", "orders/orders-00000-000001.jsonl"),
    ] {
        let mut command = against(&gateway);
        command.current_dir(directory.path());
        succeed(command.args(["export", "-o", output]));
        let part = directory.path().join(file);
        assert_eq!(
            std::fs::read_to_string(part).unwrap().lines().count(),
            5,
            "{output}"
        );
    }
}

#[test]
fn a_place_with_a_scheme_is_refused_wherever_a_path_is_taken() {
    let (gateway, _) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("a.jsonl"),
        "{\"id\":\"1\",\"pk\":\"a\"}\n",
    )
    .unwrap();
    let before = tree(directory.path());
    for place in [
        "b2://lake/orders/x.jsonl",
        "S3:/lake/orders/x.jsonl",
        "gs://lake/x.jsonl",
        "https://example.com/c/x.jsonl",
        "file:///tmp/x.jsonl",
    ] {
        for arguments in [
            &["export", "-o", place][..],
            &["export", "-o", "out/", "--state", place],
            &["export", "-o", "out.csv", "--schema", place],
            &["resume", "--state", place],
            &["verify", place],
            &["tail", "-o", place],
            &["tail", "--state", place],
            &["replay", place],
            &["replay", "a.jsonl", place],
            &["replay", "a.jsonl", "--state", place],
            &["replay", "a.jsonl", "--dead-letter", place],
            &["ranges", "--key-file", place],
        ] {
            let mut command = against(&gateway);
            let ended = fail(command.current_dir(directory.path()).args(arguments), 2);
            let says = if place.starts_with("file:") {
                "without `file:`"
            } else {
                "is not supported: cosmos-tail reads and writes local files"
            };
            assert!(
                ended.stderr.contains(says),
                "{arguments:?}: {}",
                ended.stderr
            );
        }
    }
    assert_eq!(tree(directory.path()), before);
    assert_eq!(gateway.total_requests(), 0);
}

#[test]
fn a_path_with_a_colon_is_a_path() {
    if cfg!(windows) {
        return;
    }
    let (gateway, _) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    let run_here = |arguments: &[&str]| -> Ended {
        let mut command: Command = against(&gateway);
        run(command.current_dir(directory.path()).args(arguments))
    };
    for output in [
        "12:30.jsonl",
        "2026-11-28T12:00:00Z/",
        "./s3://lake/",
        "c:/x/",
    ] {
        assert_eq!(
            run_here(&["export", "-o", output]).code,
            Some(0),
            "{output}"
        );
        assert_eq!(run_here(&["verify", output]).code, Some(0), "{output}");
    }
}

#[test]
fn a_tail_does_not_begin_a_file_of_another_format_but_continues_one() {
    let (gateway, container) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    let tail = |name: &str| -> Command {
        let mut command = against(&gateway);
        command.current_dir(directory.path());
        command.args(["tail", "--until-caught-up", "-o", name]);
        command
    };
    for name in [
        "changes.csv",
        "changes.PARQUET",
        "changes.arrow",
        "changes.jsonl.gz",
        "changes.zst",
    ] {
        let ended = fail(&mut tail(name), 2);
        assert!(
            ended.stderr.contains("a tail writes JSON lines"),
            "{}",
            ended.stderr
        );
    }
    assert_eq!(tree(directory.path()), [""; 0]);
    // A file that an earlier build has begun.
    succeed(tail("changes.jsonl").args(["--from", "beginning"]));
    for (from, to) in [
        ("changes.jsonl", "changes.csv"),
        ("changes.jsonl.state.json", "changes.csv.state.json"),
    ] {
        std::fs::rename(directory.path().join(from), directory.path().join(to)).unwrap();
    }
    let state = directory.path().join("changes.csv.state.json");
    let ended = run(&mut tail("changes.csv"));
    assert!(
        !ended.stderr.contains("a tail writes JSON lines"),
        "{}",
        ended.stderr
    );
    assert!(state.exists());
    fill(&container, 5..6);
}

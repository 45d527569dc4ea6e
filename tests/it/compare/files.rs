//! Exports in every format, and files of other programs.

use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::command::{export, fail, lines, succeed};
use crate::orders::{document, filled};
use crate::replay::{export_copy, write_lines};

/// The options of an export in each format.
const FORMATS: [&[&str]; 8] = [
    &["--format", "jsonl"],
    &["--format", "jsonl", "--compression", "zstd"],
    &["--format", "csv"],
    &[
        "--format",
        "csv",
        "--schema",
        "raw",
        "--compression",
        "gzip",
    ],
    &["--format", "parquet"],
    &["--format", "parquet", "--schema", "raw"],
    &["--format", "arrow"],
    &["--format", "csv", "--system-fields", "drop"],
];

#[test]
fn planted_differences_are_found_in_every_format() {
    let (gateway, _container) = filled(3, 300);
    let copy = gateway.create_container("shop", "copy", "/pk", 2);
    for number in 0..300 {
        let mut document = document(number);
        match number {
            7 => continue,
            8 => document["number"] = json!(8000),
            9 => document["text"] = json!("some text that makes the document a little longer."),
            10 => document["more"] = json!([1, {"a": null}]),
            _ => {}
        }
        copy.upsert(document);
    }
    copy.upsert(document(1000));
    let expected = [
        "different item-10",
        "different item-8",
        "different item-9",
        "extra item-1000",
        "missing item-7",
    ];
    let directory = tempfile::tempdir().unwrap();
    let mut sides: Vec<(PathBuf, PathBuf)> = Vec::new();
    for (number, format) in FORMATS.iter().enumerate() {
        let a = directory.path().join(format!("a{number}"));
        let b = directory.path().join(format!("b{number}"));
        succeed(export(&gateway, &a).args(*format));
        succeed(export_copy(&gateway, &b).args(*format));
        // Each format with the next one, and with a container.
        assert_found(&mut compare_with_copy(&gateway, &a), &expected);
        if let Some((_, earlier)) = sides.last() {
            assert_found(&mut compare_files(&a, earlier), &expected);
            assert_found(&mut compare_files(earlier, &b), &[]);
        }
        sides.push((a, b));
    }
    let (a, b) = &sides[0];
    let found = assert_found(&mut compare_files(a, b), &expected);
    assert_eq!(
        found.line("item-8")["differences"],
        json!([{"path": ".number"}])
    );
    assert_eq!(
        found.line("item-10")["differences"],
        json!([{"path": ".more"}])
    );
    assert_eq!(found.line("item-7")["partitionKey"], json!(["key-7"]));
    assert!(found.line("item-8")["source"]["_etag"].is_string());
    assert_eq!(found.summary["source"]["documents"], 300);
    let found = assert_found(compare_files(a, b).arg("--values"), &expected);
    assert_eq!(
        found.line("item-8")["differences"],
        json!([{"path": ".number", "source": 8, "target": 8000}])
    );
    assert_eq!(found.line("item-7")["document"]["number"], 7);
    // From the other end.
    let back = [
        "different item-10",
        "different item-8",
        "different item-9",
        "extra item-7",
        "missing item-1000",
    ];
    assert_found(&mut compare_files(b, a), &back);
}

#[test]
fn of_several_versions_the_last_one_counts() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[&str]| {
        let path = directory.path().join(name);
        write_lines(&path, content);
        path
    };
    let heading = r#"{"cosmos-tail":{"records":"changes"}}"#;
    let change = |n: u64| format!(r#"{{"current":{{"id":"1","pk":"a","n":{n}}}}}"#);
    let gone = r#"{"metadata":{"operationType":"delete","id":"1","partitionKey":{"pk":"a"}}}"#;
    let (one, two) = (change(1), change(2));
    let on_off = file("on-off", &[heading, &one, &two]);
    let off_on = file("off-on", &[heading, &two, &one]);
    let back = file("back", &[heading, &one, &two, &one]);
    let deleted = file("deleted", &[heading, &one, gone]);
    let again = file("again", &[heading, &one, gone, &one]);
    let never = file("never", &[heading, gone]);
    let compare = |a: &Path, b: &Path| {
        let mut command = compare_files(a, b);
        command.args(["--partition-key", "/pk"]);
        command
    };
    // The same versions, so that sums alone would be the same.
    assert_found(&mut compare(&on_off, &off_on), &["different 1"]);
    assert_found(&mut compare(&back, &off_on), &[]);
    assert_found(&mut compare(&back, &deleted), &["missing 1"]);
    assert_found(&mut compare(&deleted, &again), &["extra 1"]);
    assert_found(&mut compare(&again, &back), &[]);
    assert_found(&mut compare(&deleted, &never), &[]);
}

#[test]
fn a_resumed_export_is_compared_by_its_last_versions() {
    let (gateway, container) = filled(2, 100);
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (directory.path().join("a"), directory.path().join("b"));
    succeed(&mut export(&gateway, &first));
    for number in 0..50 {
        let mut changed = document(number);
        changed["number"] = json!(number + 1);
        container.upsert(changed);
    }
    succeed(&mut crate::command::resume(&gateway, &first));
    succeed(&mut export(&gateway, &second));
    assert_eq!(lines(&first).len(), 150);
    let found = assert_found(&mut compare_files(&first, &second), &[]);
    assert_eq!(found.summary["source"]["documents"], 150);
    assert_eq!(found.summary["target"]["documents"], 100);
}

#[test]
fn with_little_memory_everything_is_found_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let side = |name: &str, factor: u64| {
        let path = directory.path().join(name);
        let line = |n: u64| format!(r#"{{"id":"{n}","pk":"one","n":{}}}"#, n % 100 * factor);
        write_lines(&path, (0..16_000).map(line));
        path
    };
    let (a, b) = (side("a", 1), side("b", 2));
    let mut command = compare_files(&a, &b);
    command.args(["--partition-key", "/pk", "--memory", "1"]);
    command.args(["--max-differences", "20000"]);
    // A hundredth of them has 0.
    let found = found(&mut command);
    assert_eq!(found.summary["different"], 15_840, "{}", found.ended.stderr);
    // What there is space for.
    assert_eq!(found.report.len(), 10_000);
    let warning = "to list 5,840 more documents that differ, raise --memory";
    let announced = "32,000 records differ or may have come twice";
    assert!(
        found.ended.stderr.contains(announced),
        "{}",
        found.ended.stderr
    );
    assert!(
        found.ended.stderr.contains(warning),
        "{}",
        found.ended.stderr
    );
    let mut command = compare_files(&a, &b);
    command.args([
        "--partition-key",
        "/pk",
        "--max-differences",
        "5",
        "--report",
        "-",
    ]);
    let few = run(&mut command);
    assert_eq!(few.stdout.lines().count(), 5);
    let warning = "to list 15,835 more documents that differ, raise --max-differences";
    assert!(few.stderr.contains(warning), "{}", few.stderr);
    assert_eq!(few.code, DIFFERENT);
}

#[test]
fn texts_for_which_there_is_no_space_at_once_are_all_listed() {
    let directory = tempfile::tempdir().unwrap();
    let long = "x".repeat(600_000);
    let side = |name: &str, n: u32, numbers: &mut dyn Iterator<Item = u32>| {
        let path = directory.path().join(name);
        let line = |id| format!(r#"{{"id":"{id}","pk":"a","n":{n},"text":"{long}"}}"#);
        write_lines(&path, numbers.map(line));
        path
    };
    // In opposite orders, so that the texts of one side leave no space for those of the other.
    let a = side("a", 1, &mut (0..40));
    let b = side("b", 2, &mut (0..40).rev());
    let repair = directory.path().join("repair");
    let mut command = compare_files(&a, &b);
    command.args(["--partition-key", "/pk", "--memory", "1", "--repair-to"]);
    let found = found(command.arg(&repair));
    assert_eq!(found.report.len(), 40, "{}", found.ended.stderr);
    for line in &found.report {
        assert_eq!(line["differences"], json!([{"path": ".n"}]));
    }
    let repaired = std::fs::read(repair.join("documents.jsonl")).unwrap();
    assert_eq!(repaired.iter().filter(|byte| **byte == b'\n').count(), 40);
}

#[test]
fn a_broken_record_is_an_error_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (
        directory.path().join("a.jsonl"),
        directory.path().join("b.jsonl"),
    );
    write_lines(&a, [r#"{"id":"1","pk":"a"}"#, r#"{"id":7,"pk":"a"}"#]);
    write_lines(&b, [r#"{"id":"1","pk":"a"}"#]);
    let mut command = compare_files(&a, &b);
    let ended = fail(command.args(["--partition-key", "/pk"]), 1);
    assert!(ended.stderr.contains("line 2"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("the id 7 is not a string"),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_documents_themselves_are_compared_in_shares_that_fit() {
    let directory = tempfile::tempdir().unwrap();
    let line = |number: usize, to: usize| {
        let text = "x".repeat(if number % 100 == 7 { 20_000 } else { 200 });
        format!(
            r#"{{"id":"{number}","pk":"{}","to":{to},"text":"{text}"}}"#,
            number % 50
        )
    };
    let source = directory.path().join("source.jsonl");
    let target = directory.path().join("target.jsonl");
    write_lines(&source, (0..4000).map(|number| line(number, 0)));
    let others = (1..=4000)
        .rev()
        .map(|number| line(number, usize::from(number == 1007)));
    write_lines(&target, others);
    let by_bytes = |expected: &[&str]| {
        let mut command = compare_files(&source, &target);
        command.args(["--partition-key", "/pk", "--bytes", "--memory", "1MiB"]);
        assert_found(&mut command, expected)
    };
    let found = by_bytes(&["different 1007", "extra 4000", "missing 0"]);
    let said = &found.ended.stderr;
    assert!(
        said.contains("the documents themselves are compared, in"),
        "{said}"
    );
    // The same in another order.
    write_lines(&target, (0..4000).rev().map(|number| line(number, 0)));
    by_bytes(&[]);
}

/// A copy that another program has written has no text in common with its source; one that was changed in part has
/// some. Both are more than is compared document by document at once, with this memory.
#[test]
fn a_copy_that_is_written_differently_is_the_same() {
    const DOCUMENTS: u32 = 12_000;
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("a.jsonl");
    let as_served = |number: u32, ts: u32| {
        format!(r#"{{"id":"{number}","pk":"k{number}","n":1.0,"_rid":"r{ts}","_ts":{ts}}}"#)
    };
    write_lines(&source, (0..DOCUMENTS).map(|number| as_served(number, 1)));
    for one_of in [1, 2, 5, DOCUMENTS] {
        let other = |number: u32| {
            let n = if number == 7 { 2 } else { 1 };
            match number.is_multiple_of(one_of) || number == 7 {
                true => format!(r#"{{"_ts":2, "n":{n},"pk":"\u006b{number}", "id":"{number}"}}"#),
                false => as_served(number, 2),
            }
        };
        let target = directory.path().join(format!("{one_of}.jsonl"));
        write_lines(&target, (1..=DOCUMENTS).rev().map(other));
        let compare = |planted: &[&str], arguments: &[&str]| {
            let mut command = compare_files(&source, &target);
            command.args(["--partition-key", "/pk", "--memory", "1MiB"]);
            assert_found(command.args(arguments), planted)
        };
        let planted = ["different 7", "extra 12000", "missing 0"];
        let found = compare(&planted, &[]);
        assert_eq!(found.summary["source"]["documents"], DOCUMENTS);
        assert_eq!(found.summary["target"]["documents"], DOCUMENTS);
        compare(&planted, &["--input", "documents"]);
        compare(&planted[1..], &["--ignore", "/n"]);
        let told = [
            "the sides are written differently",
            "too many texts differ",
            "compared by their texts",
        ];
        let way = |arguments: &[&str]| {
            let stderr = compare(&planted, arguments).ended.stderr;
            let told = told.iter().position(|one| stderr.contains(one));
            told.unwrap_or_else(|| panic!("{one_of}: {stderr}"))
        };
        let ways = match one_of {
            1 => vec![0],
            DOCUMENTS => vec![2],
            // By then chance has it whether most of the documents that were looked at differ.
            _ => vec![0, 1],
        };
        let way = way(&["-v"]);
        assert!(ways.contains(&way), "{one_of}: {}", told[way]);
        let by_content = compare(&planted, &["-v", "--bytes"]).ended.stderr;
        assert!(
            told.iter().all(|one| !by_content.contains(one)),
            "{by_content}"
        );
    }
}

#[test]
fn a_broken_record_is_an_error_though_both_sides_have_it() {
    let directory = tempfile::tempdir().unwrap();
    let [source, target] = ["a.jsonl", "b.jsonl"].map(|name| directory.path().join(name));
    let good = r#"{"id":"1","pk":"a","n":1}"#;
    for broken in [
        r#"{"id":"2","pk":"a","n":}"#,
        r#"{"id":"2","pk":"a","n":[1}"#,
        r#"{"id":"2","pk":"a","n":01}"#,
        r#"{"id":2,"pk":"a"}"#,
        r#"{"pk":"a"}"#,
    ] {
        write_lines(&source, [good, broken]);
        write_lines(&target, [good, broken]);
        let mut command = compare_files(&source, &target);
        command.args(["--partition-key", "/pk", "--input", "documents"]);
        let stderr = fail(&mut command, 1).stderr;
        assert!(stderr.contains("line 2"), "{broken}: {stderr}");
    }
}

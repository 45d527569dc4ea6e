//! What counts as the same content.

use super::*;
use crate::replay::write_lines;

fn compare_lines(a: &str, b: &str) -> (tempfile::TempDir, Command) {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (
        directory.path().join("a.jsonl"),
        directory.path().join("b.jsonl"),
    );
    write_lines(&one, [a]);
    write_lines(&other, [b]);
    let mut command = compare_files(&one, &other);
    command.args(["--partition-key", "/pk"]);
    (directory, command)
}

#[test]
fn order_and_spelling_do_not_count_but_values_do() {
    let document = |rest: &str| format!(r#"{{"id":"1","pk":"a",{rest}}}"#);
    for (a, b, is_same) in [
        (r#""a":1,"b":2"#, r#""b":2,"a":1"#, true),
        (r#""a":1.0"#, r#""a":1"#, true),
        (r#""a":1e2"#, r#""a":100"#, true),
        (r#""a":0.10000000000000001"#, r#""a":0.1"#, true),
        (r#""a":9007199254740993"#, r#""a":9007199254740992"#, false),
        (r#""a":1e400"#, r#""a":10e399"#, true),
        (r#""a":1e400"#, r#""a":1e401"#, false),
        (r#""a":"\u0041""#, r#""a":"A""#, true),
        (
            r#""a":1,"_ts":5,"_etag":"x""#,
            r#""a":1,"_ts":6,"_self":"y""#,
            true,
        ),
        (r#""a":{"_ts":1}"#, r#""a":{"_ts":2}"#, false),
        (r#""a":[1,2]"#, r#""a":[2,1]"#, false),
        (r#""a":null"#, r#""b":null"#, false),
        (r#""a":"1""#, r#""a":1"#, false),
        (r#""a":"x""#, r#""a":"y""#, false),
    ] {
        let (_directory, mut command) = compare_lines(&document(a), &document(b));
        let expected: &[&str] = if is_same { &[] } else { &["different 1"] };
        assert_found(&mut command, expected);
    }
    for (a, b, is_same) in [
        (r#""a":1,"_ts":5"#, r#""a":1,"_ts":6"#, true),
        (r#""a":1.0"#, r#""a":1"#, false),
        (r#""a":1,"b":2"#, r#""b":2,"a":1"#, false),
    ] {
        let (_directory, mut command) = compare_lines(&document(a), &document(b));
        let expected: &[&str] = if is_same { &[] } else { &["different 1"] };
        assert_found(command.arg("--exact"), expected);
    }
}

#[test]
fn ignored_members_do_not_count() {
    let a = r#"{"id":"1","pk":"a","at":1,"lines":[{"price":1,"n":1},{"price":2,"n":2}]}"#;
    let b = r#"{"id":"1","pk":"a","at":2,"lines":[{"price":5,"n":1},{"price":6,"n":2}]}"#;
    let (_directory, mut command) = compare_lines(a, b);
    let found = assert_found(&mut command, &["different 1"]);
    let paths = found.line("1")["differences"].as_array().unwrap().len();
    assert_eq!(paths, 3);
    let (_directory, mut command) = compare_lines(a, b);
    let found = assert_found(command.args(["--ignore", "/at"]), &["different 1"]);
    let paths = found.line("1")["differences"].as_array().unwrap().len();
    assert_eq!(paths, 2);
    let (_directory, mut command) = compare_lines(a, b);
    let ignored = ["--ignore", "/at", "--ignore", "/lines/price"];
    assert_found(command.args(ignored), &[]);
    let (_directory, mut command) = compare_lines(a, b);
    assert_found(command.args(ignored).arg("--exact"), &[]);
}

#[test]
fn the_source_is_compared_as_it_would_be_written() {
    let a = r#"{"id":"1","pk":"a","email":"x","n":1}"#;
    let b = r#"{"id":"1","pk":"a","n":2}"#;
    let (_directory, mut command) = compare_lines(a, b);
    assert_found(command.args(["--transform", "del(.email) | .n += 1"]), &[]);
    let (_directory, mut command) = compare_lines(a, b);
    assert_found(command.args(["--transform", "empty"]), &["extra 1"]);
}

#[test]
fn a_document_is_found_by_its_key_and_its_id() {
    // Numbers of a key are hashed as doubles, and an object is no value.
    for (a, b, expected) in [
        (r#"{"id":"1","pk":1}"#, r#"{"id":"1","pk":1.0}"#, &[][..]),
        (
            r#"{"id":"1","pk":{"x":1}}"#,
            r#"{"id":"1","pk":{"x":1}}"#,
            &[],
        ),
        (
            r#"{"id":"1","pk":{"x":1}}"#,
            r#"{"id":"1","pk":{"x":2}}"#,
            &["different 1"],
        ),
        (
            r#"{"id":"1"}"#,
            r#"{"id":"1","pk":null}"#,
            &["extra 1", "missing 1"],
        ),
        (
            r#"{"id":"1","pk":"1"}"#,
            r#"{"id":"1","pk":1}"#,
            &["extra 1", "missing 1"],
        ),
        (
            r#"{"id":"1","pk":-0.0,"a":-0}"#,
            r#"{"id":"1","pk":0,"a":0.0}"#,
            &[],
        ),
        (
            r#"{"id":"1","pk":-0e7,"a":1}"#,
            r#"{"id":"1","pk":-0.0,"a":-1}"#,
            &["different 1"],
        ),
        (
            r#"{"id":"a/b ü","pk":"\u0041"}"#,
            r#"{"id":"a/b \u00fc","pk":"A"}"#,
            &[],
        ),
    ] {
        let (_directory, mut command) = compare_lines(a, b);
        assert_found(&mut command, expected);
    }
}

/// A document of a member `a` that is nested in so many arrays and objects in turn. The members of each object are in this
/// order.
fn nested(levels: usize, is_in_order: bool, inner: &str) -> String {
    let (open, close) = match is_in_order {
        true => (r#"[{"a":"#, r#","b":1.0}]"#),
        false => (r#"[{"b":1,"a":"#, "}]"),
    };
    let (open, close) = (open.repeat(levels / 2), close.repeat(levels / 2));
    format!(r#"{{"id":"1","pk":"a","deep":{open}{inner}{close}}}"#)
}

/// The service takes 128 levels, files have any.
#[test]
fn values_count_at_every_depth() {
    for levels in [94, 96, 98, 128, 10_000] {
        let one = nested(levels, true, "1");
        let same = nested(levels, false, "1e0");
        let other = nested(levels, false, "2");
        let options: &[&[&str]] = match levels {
            128 => &[&[], &["--bytes"], &["--ignore", "/x/y"]],
            _ => &[&[]],
        };
        for options in options {
            let (_directory, mut command) = compare_lines(&one, &same);
            assert_found(command.args(*options), &[]);
            let (_directory, mut command) = compare_lines(&one, &other);
            let found = assert_found(command.args(*options), &["different 1"]);
            let paths = found.line("1")["differences"].as_array().unwrap().len();
            assert_eq!(paths, 1, "{levels} {options:?}");
        }
        let (_directory, mut command) = compare_lines(&one, &same);
        assert_found(command.arg("--exact"), &["different 1"]);
        let (_directory, mut command) = compare_lines(&one, &same);
        assert_found(command.args(["--ignore", "/deep"]), &[]);
    }
}

/// Brackets without end overflow no stack, whatever reads them.
#[test]
fn brackets_alone_are_compared_too() {
    for (open, close) in [("[", "]"), (r#"{"":"#, "}")] {
        let text = |inner: &str| {
            let (open, close) = (open.repeat(1_000_000), close.repeat(1_000_000));
            format!(r#"{{"id":"1","pk":"a","deep":{open}{inner}{close}}}"#)
        };
        let (_directory, mut command) = compare_lines(&text("1"), &text("2"));
        let ended = run(command.args(["--values", "--report", "-"]));
        assert_eq!(ended.code, DIFFERENT, "{}", ended.stderr);
        let differences = ended.stdout.matches("{\"path\":\"").count();
        assert_eq!(differences, 1);
        let (_directory, mut command) = compare_lines(&text("1"), &text("1.0"));
        assert_found(&mut command, &[]);
        // A program does not take it: said, and neither the same nor different.
        let (_directory, mut command) = compare_lines(&text("1"), &text("1"));
        let ended = run(command.args(["--transform", "."]));
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(
            ended
                .stderr
                .contains("line 1: --transform failed: JSON nested deeper"),
            "{}",
            ended.stderr
        );
    }
}

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
            r#"{"id":"a/b ü","pk":"\u0041"}"#,
            r#"{"id":"a/b \u00fc","pk":"A"}"#,
            &[],
        ),
    ] {
        let (_directory, mut command) = compare_lines(a, b);
        assert_found(&mut command, expected);
    }
}

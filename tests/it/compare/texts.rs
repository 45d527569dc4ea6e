//! Files whose texts are compared: of the target nothing else is looked at while these are the same.

use super::*;
use crate::command::fail;
use crate::replay::write_lines;

const DOCUMENTS: usize = 3000;

/// What says that nothing of the target was looked at.
const NOT_LOOKED_AT: &str = "the target has the texts of the source";

/// A document with system fields of its side.
fn line(number: usize, side: usize) -> String {
    format!(
        r#"{{"id":"{number}","pk":"k{}","n":{number},"list":[1.5,"{}"],"_rid":"r{number}==","_self":"dbs/{side}/","_etag":"\"{side}-{number}\"","_attachments":"attachments/","_ts":{}}}"#,
        number % 97,
        "x".repeat(number % 200),
        1_795_000_000 + side
    )
}

/// Two sides, of which the second one is backwards.
struct Sides {
    directory: tempfile::TempDir,
    source: Vec<String>,
    target: Vec<String>,
}

impl Sides {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            source: (0..DOCUMENTS).map(|number| line(number, 0)).collect(),
            target: (0..DOCUMENTS).rev().map(|number| line(number, 1)).collect(),
        }
    }

    fn command(&self) -> Command {
        self.command_by("/pk")
    }

    /// The same with another partition key.
    fn command_by(&self, partition_key: &str) -> Command {
        let [source, target] =
            ["source.jsonl", "target.jsonl"].map(|name| self.directory.path().join(name));
        write_lines(&source, &self.source);
        write_lines(&target, &self.target);
        let mut command = compare_files(&source, &target);
        command.args(["--partition-key", partition_key, "-v"]);
        command
    }

    /// Where a document is in the target.
    fn place(number: usize) -> usize {
        DOCUMENTS - 1 - number
    }

    #[track_caller]
    fn assert_found(&self, expected: &[&str], is_looked_at: bool) {
        let found = assert_found(&mut self.command(), expected);
        let stderr = &found.ended.stderr;
        assert_eq!(!stderr.contains(NOT_LOOKED_AT), is_looked_at, "{stderr}");
        assert_eq!(found.summary["source"]["documents"], self.source.len());
        assert_eq!(found.summary["target"]["documents"], self.target.len());
    }
}

#[test]
fn a_target_with_the_same_texts_is_not_looked_at_and_one_with_others_is() {
    let same = Sides::new();
    same.assert_found(&[], false);
    for (find, replace) in [
        // One byte, one number, and nothing but the order of members.
        ("\"x\"", "\"y\""),
        ("\"n\":1,", "\"n\":2,"),
        (
            "\"n\":1,\"list\":[1.5,\"x\"],",
            "\"list\":[1.50,\"\\u0078\"],\"n\":1e0,",
        ),
    ] {
        let mut sides = Sides::new();
        let changed = &mut sides.target[Sides::place(1)];
        assert!(changed.contains(find));
        *changed = changed.replace(find, replace);
        let is_order = replace.contains("list");
        sides.assert_found(if is_order { &[] } else { &["different 1"] }, true);
    }
    let mut sides = Sides::new();
    sides.target.remove(Sides::place(17));
    sides.assert_found(&["missing 17"], true);
    sides.target.push(line(DOCUMENTS, 1));
    sides.assert_found(&["extra 3000", "missing 17"], true);
}

#[test]
fn the_same_versions_in_another_order_are_another_document() {
    let mut sides = Sides::new();
    let [one, two] = [0, 1].map(|side| line(7, side).replace("\"n\":7", "\"n\":8"));
    sides.source.push(one);
    sides.target.insert(0, two.clone());
    // Each text is there on both sides, and only the source is looked at.
    sides.assert_found(&["different 7"], false);
    sides.target.remove(0);
    sides.target.push(two);
    sides.assert_found(&[], false);
}

#[test]
fn what_no_document_ends_with_is_an_error_of_the_target() {
    for (find, replace) in [
        ("\"_ts\":1795000001}", "\"_ts\":01}"),
        ("\"_ts\":1795000001}", "\"_ts\":}"),
        ("\"_ts\":1795000001}", "\"_ts\":1795000001}}"),
        ("\"_ts\":1795000001}", "\"_ts\":1795000001"),
        ("\"dbs/1/\"", "\"dbs\\x/1/\""),
        ("\"dbs/1/\"", "\"dbs\u{1}/1/\""),
        ("\"dbs/1/\"", "\"dbs\\\""),
        ("],\"_rid\"", "]],\"_rid\""),
        ("],\"_rid\"", "]\"_rid\""),
        ("],\"_rid\"", "],,\"_rid\""),
    ] {
        let mut sides = Sides::new();
        let changed = &mut sides.target[20];
        assert!(changed.contains(find));
        *changed = changed.replacen(find, replace, 1);
        let stderr = fail(&mut sides.command(), 1).stderr;
        assert!(stderr.contains("line 21"), "{replace}: {stderr}");
    }
}

#[test]
fn whether_it_is_a_document_is_not_taken_from_the_other_side() {
    let directory = tempfile::tempdir().unwrap();
    let [source, target] = ["a.jsonl", "b.jsonl"].map(|name| directory.path().join(name));
    let document = r#"{"id":"1","pk":"a","_deleted":true,"_ts":5}"#;
    write_lines(
        &source,
        [r#"{"cosmos-tail":{"records":"documents"}}"#, document],
    );
    write_lines(&target, [document]);
    for (a, b) in [(&source, &target), (&target, &source)] {
        let mut command = compare_files(a, b);
        let stderr = fail(command.args(["--partition-key", "/pk"]), 2).stderr;
        assert!(stderr.contains("nothing says which"), "{stderr}");
    }
}

/// A text has no system fields, so it does not say which document it is.
#[test]
fn a_partition_key_that_is_a_system_field_is_not_left_out() {
    let mut sides = Sides::new();
    let of_all = |kind: &str| {
        (0..DOCUMENTS)
            .map(|number| format!("{kind} {number}"))
            .collect()
    };
    let all: Vec<Vec<String>> = ["extra", "missing"].map(of_all).into();
    let mut all = all.concat();
    all.sort_unstable();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert_found(&mut sides.command_by("/_etag"), &all);
    sides.target.clone_from(&sides.source);
    sides.target.reverse();
    assert_found(&mut sides.command_by("/_etag"), &[]);
}

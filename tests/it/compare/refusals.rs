//! What is refused, each with exit code 2.

use super::*;
use crate::bad_input::refuse;
use crate::command::{export, succeed};
use crate::orders::filled;
use crate::replay::write_lines;

#[test]
fn a_side_is_not_compared_with_itself() {
    let (gateway, _container) = filled(1, 20);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    refuse(
        &mut compare_files(&out, &out),
        2,
        &["both sides have the same file"],
    );
    let first = crate::command::files(&out, "jsonl").remove(0);
    refuse(
        &mut compare_files(&out, &first),
        2,
        &["both sides have the same file"],
    );
    let mut command = against(&gateway);
    command.args(["compare", "--from-container", "shop/orders"]);
    refuse(
        &mut command,
        2,
        &["both sides are the container shop/orders"],
    );
}

#[test]
fn sides_that_cannot_be_compared_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (
        directory.path().join("a.jsonl"),
        directory.path().join("b.jsonl"),
    );
    write_lines(&a, [r#"{"id":"1","pk":"a"}"#]);
    write_lines(&b, [r#"{"id":"1","pk":"a"}"#]);
    let missing = directory.path().join("missing");
    for (mut command, part) in [
        (
            compare_files(&a, &b),
            "neither side says which partition key",
        ),
        (compare_files(&a, &missing), "does not exist"),
        (compare_files(&a, Path::new("-")), "can be read only once"),
    ] {
        refuse(&mut command, 2, &[part]);
    }
    let mut command = compare_files(&a, &b);
    refuse(command.args(["-c", "orders"]), 2, &["two targets"]);
    let mut command = compare_files(&a, &b);
    command.args(["--partition-key", "/pk", "--report"]).arg(&b);
    refuse(&mut command, 2, &["read as a side"]);
    assert_eq!(
        std::fs::read_to_string(&b).unwrap(),
        "{\"id\":\"1\",\"pk\":\"a\"}\n"
    );
}

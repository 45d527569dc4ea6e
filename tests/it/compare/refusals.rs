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

/// Which side it is has to be said: the other one may have a throughput.
#[test]
fn a_share_of_a_throughput_that_a_side_does_not_have_is_refused_by_its_name() {
    let (gateway, container) = filled(1, 20);
    let copy = gateway.create_container("shop", "copy", "/pk", 1);
    crate::orders::fill(&copy, 0..20);
    gateway.set_offer(
        container.rid(),
        serde_json::json!({"offerThroughput": 40_000}),
    );
    let mut command = compare_containers(&gateway);
    refuse(
        command.args(["--max-ru", "20%"]),
        2,
        &[
            "cannot compare shop/copy",
            "neither the container nor its database has a throughput",
            "give --max-ru as a number of RU/s",
        ],
    );
    let limits = ["--max-ru", "8000", "--source-max-ru", "20%"];
    assert_found(compare_containers(&gateway).args(limits), &[]);
}

//! `--repair-to`: what a replay applies so that both sides are the same.

use serde_json::json;

use super::*;
use crate::bad_input::refuse;
use crate::command::succeed;
use crate::gateway::Gateway;
use crate::orders::{document, fill, filled};
use crate::replay::replay;

fn unlike() -> Gateway {
    let (gateway, _container) = filled(2, 300);
    let copy = gateway.create_container("shop", "copy", "/pk", 2);
    fill(&copy, 1..300);
    for number in 5..25 {
        let mut changed = document(number);
        changed["number"] = json!(-1);
        copy.upsert(changed);
    }
    copy.upsert(document(300));
    gateway
}

#[test]
fn a_repair_that_is_replayed_makes_both_sides_the_same() {
    let gateway = unlike();
    let directory = tempfile::tempdir().unwrap();
    let repair = directory.path().join("repair");
    let mut command = compare_containers(&gateway);
    // More than are listed.
    command.args(["--max-differences", "3", "--repair-delete", "--repair-to"]);
    let found = found(command.arg(&repair));
    assert_eq!(found.code, DIFFERENT);
    assert_eq!(found.report.len(), 3);
    let hint = format!(
        "cosmos-tail replay {}",
        repair.join("documents.jsonl").display()
    );
    assert!(found.ended.stderr.contains(&hint), "{}", found.ended.stderr);
    // Nothing is repaired by itself.
    assert_eq!(found.summary["missing"], 1);
    succeed(&mut replay(&gateway, &repair.join("documents.jsonl")));
    assert_found(&mut compare_containers(&gateway), &["extra item-300"]);
    succeed(&mut replay(&gateway, &repair.join("deletes.jsonl")));
    assert_found(&mut compare_containers(&gateway), &[]);
}

#[test]
fn a_repair_without_deletes_has_none_and_replaces_nothing() {
    let gateway = unlike();
    let directory = tempfile::tempdir().unwrap();
    let repair = directory.path().join("repair");
    let command = || {
        let mut command = compare_containers(&gateway);
        command.arg("--repair-to").arg(&repair);
        command
    };
    assert_eq!(run(&mut command()).code, DIFFERENT);
    assert!(!repair.join("deletes.jsonl").exists());
    let text = std::fs::read_to_string(repair.join("documents.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 21);
    assert!(!text.contains("_ts"), "{text}");
    refuse(&mut command(), 2, &["is not empty"]);
}

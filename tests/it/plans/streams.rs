//! Plans that follow each other without a directory: from standard input to standard output, as the Spark package reads
//! them.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::Place;
use crate::command::{
    against, assert_latest, assert_same, cosmos_tail, fail, split_lines, succeed,
};
use crate::gateway::Gateway;
use crate::orders::{document, fill, filled};

/// The text of a plan to standard output, after the one in `earlier` if there is one.
fn planned(gateway: &Gateway, earlier: Option<&Path>, arguments: &[&str]) -> String {
    let mut command = against(gateway);
    command.args(["plan", "-o", "-"]).args(arguments);
    if let Some(earlier) = earlier {
        // The plan says which container.
        command
            .env_remove("AZURE_COSMOS_DATABASE")
            .env_remove("AZURE_COSMOS_CONTAINER")
            .args(["--after", "-"]);
        from(&mut command, earlier);
    }
    succeed(&mut command).stdout
}

fn from<'a>(command: &'a mut Command, plan: &Path) -> &'a mut Command {
    command.stdin(Stdio::from(File::open(plan).unwrap()))
}

/// The transactions of each range.
fn transactions(plan: &str) -> Vec<u64> {
    let plan: Value = serde_json::from_str(plan).unwrap();
    let ranges = plan["plan"]["ranges"].as_array().unwrap();
    let transactions = ranges.iter().map(|range| range["transactions"].as_u64());
    transactions.map(Option::unwrap).collect()
}

/// What two shares of a plan on standard input have together.
fn read(gateway: &Gateway, plan: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    // Ends come in the middle of large pages, and between small ones.
    for (shard, page_size) in [("0/2", "1000"), ("1/2", "7")] {
        let mut command = against(gateway);
        command.args(["export", "--plan", "-", "--shard", shard, "-o", "-"]);
        command.args(["--page-size", page_size]);
        let ended = succeed(from(&mut command, plan));
        found.extend(split_lines(ended.stdout.as_bytes()));
    }
    found
}

#[test]
fn plans_with_exact_ends_follow_each_other_without_gaps_or_repetition() {
    for mode in ["latest", "all"] {
        let (gateway, container) = filled(2, 300);
        let place = Place::new();
        let (path, mut found) = (place.plan(), Vec::new());
        let begins = container.changes().len();
        let first = planned(&gateway, None, &["--until", "exact", "--mode", mode]);
        std::fs::write(&path, first).unwrap();
        for round in 0..4 {
            let before = container.changes().len();
            // What is written between the plan and its reading is in the pages that cross the ends.
            fill(&container, round * 20..round * 20 + 60);
            for number in 0..10 {
                container.upsert(document(1000 + round * 10 + number));
            }
            match round {
                1 => drop(container.split("0", 2)),
                2 => drop(container.delete("item-299", "key-8")),
                _ => {}
            }
            // A share that is read again, as by a task that is repeated, reads the same span.
            let once = read(&gateway, &path);
            if mode == "all" && round != 1 {
                assert_same(&read(&gateway, &path), &once);
            }
            if mode == "all" && round == 0 {
                assert_eq!((once.len(), before), (0, begins), "nothing came before");
            }
            found.extend(once);
            let next = planned(&gateway, Some(&path), &[]);
            std::fs::write(&path, next).unwrap();
        }
        found.extend(read(&gateway, &path));
        if mode == "latest" {
            // Each document as it is now; and versions of those that were rewritten after they were read. None twice.
            let latest = container.latest();
            let is_latest = |line: &Vec<u8>| latest.iter().any(|now| now.text == *line);
            let now: Vec<Vec<u8>> = found
                .iter()
                .filter(|line| is_latest(line))
                .cloned()
                .collect();
            assert_latest(&now, &container);
            let mut distinct = found.clone();
            distinct.sort();
            distinct.dedup();
            assert_eq!(distinct.len(), found.len(), "no version came twice");
        } else {
            assert_eq!(found.len(), container.changes().len() - begins);
        }
        // Nothing came since.
        let next = planned(&gateway, Some(&path), &[]);
        assert!(
            transactions(&next).iter().all(|count| *count == 0),
            "{next}"
        );
        std::fs::write(&path, next).unwrap();
        assert_eq!(read(&gateway, &path).len(), 0);
        // In the children of a split something may have come.
        let partition = container.partitions().remove(0);
        container.split(&partition.id, 2);
        let next = planned(&gateway, Some(&path), &[]);
        assert_eq!(
            transactions(&next)
                .iter()
                .filter(|count| **count > 0)
                .count(),
            2
        );
        assert!(
            gateway.violations().is_empty(),
            "{:?}",
            gateway.violations()
        );
    }
}

#[test]
fn a_plan_can_follow_another_only_from_exact_ends() {
    let (gateway, _container) = filled(2, 10);
    let place = Place::new();
    place.make(&gateway, &[]);
    let mut command = against(&gateway);
    command
        .args(["plan", "-o", "-", "--after"])
        .arg(place.plan());
    let refused = fail(&mut command, 2);
    assert!(
        refused.stderr.contains("--until exact"),
        "{}",
        refused.stderr
    );
    let mut command = against(&gateway);
    command.args(["plan", "-o", "-", "--keep"]);
    assert!(fail(&mut command, 2).stderr.contains("--keep"));
    let mut command = against(&gateway);
    command.args([
        "export",
        "--plan",
        "-",
        "--shard",
        "0/1",
        "-o",
        "-",
        "--key-file",
        "-",
    ]);
    command.env_remove("AZURE_COSMOS_KEY");
    let refused = fail(from(&mut command, &place.plan()), 2);
    assert!(
        refused.stderr.contains("both the plan and"),
        "{}",
        refused.stderr
    );
    let mut command = against(&gateway);
    command.args(["export", "--plan", "-", "--shard", "0/1", "-o", "-"]);
    let refused = fail(&mut command, 2);
    assert!(
        refused
            .stderr
            .contains("standard input cannot be used as a plan"),
        "{}",
        refused.stderr
    );
    // Shards with exact ends write to files too.
    let place = Place::new();
    place.make(&gateway, &["--until", "exact"]);
    place.read(&gateway, 3);
    assert_eq!(place.verify(&[]).code, Some(0));
}

#[test]
fn the_columns_of_a_plan_are_printed_without_an_account() {
    let (gateway, _container) = filled(2, 100);
    let place = Place::new();
    place.make(
        &gateway,
        &["--format", "arrow", "--columns", "id:string,number:int64"],
    );
    let schema = |arguments: &[&str]| {
        let mut command = cosmos_tail();
        command.args(["schema", "--plan", "-"]).args(arguments);
        from(&mut command, &place.plan());
        command.output().unwrap()
    };
    let text = schema(&[]);
    assert_eq!(text.stdout, b"id string\nnumber int64\n");
    let stream = schema(&["--arrow"]).stdout;
    let reader = arrow_ipc::reader::StreamReader::try_new(&stream[..], None).unwrap();
    let schema = reader.schema();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    assert_eq!(
        names,
        [
            "_operation_lsn",
            "_operation_number",
            "id",
            "number",
            "_nulls",
            "_extra"
        ]
    );
    assert_eq!(reader.count(), 0);
    let lines = Place::new();
    lines.make(&gateway, &[]);
    let mut command = cosmos_tail();
    command.args(["schema", "--plan"]).arg(lines.plan());
    assert!(fail(&mut command, 2).stderr.contains("have no columns"));
}

//! Documents of the source that become one item of the target are noticed.

use serde_json::json;

use super::*;
use crate::bad_input::refuse;
use crate::command::{CONTAINER, DATABASE, export, resume, succeed};
use crate::gateway::GatewayOptions;

/// A container with the key `/tenant`, and a copy with the key `/region`.
fn containers() -> (Gateway, Container, Container) {
    let gateway = Gateway::start(GatewayOptions::default());
    let source = gateway.create_container(DATABASE, CONTAINER, "/tenant", 2);
    let copy = gateway.create_container(DATABASE, COPY, "/region", 2);
    for (id, tenant, region) in [
        ("1", "a", "north"),
        ("1", "b", "north"),
        ("1", "c", "south"),
        ("2", "b", "north"),
        ("2", "b", "north"),
    ] {
        source.upsert(json!({"id": id, "tenant": tenant, "region": region}));
    }
    (gateway, source, copy)
}

const REFUSED: [&str; 3] = [
    "item \"1\"",
    "another document of the source",
    "--id-collisions overwrite",
];

#[test]
fn two_documents_that_meet_in_the_targets_key_are_refused_or_counted() {
    for format in [None, Some("jsonl"), Some("csv"), Some("parquet")] {
        let (gateway, _source, copy) = containers();
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let mut command = match format {
            Some(format) => {
                succeed(export(&gateway, &out).args(["--format", format]));
                replay(&gateway, &out)
            }
            None => {
                let mut command = against(&gateway);
                command.env("AZURE_COSMOS_CONTAINER", COPY).args([
                    "replay",
                    "--from-container",
                    &format!("{DATABASE}/{CONTAINER}"),
                ]);
                command
            }
        };
        command.args(["--summary", "json"]);
        let told = summary(&refuse(&mut command, 1, &REFUSED));
        assert_eq!(
            (&told["collisions"], &told["refused"]),
            (&json!(1), &json!(1)),
            "{format:?}: {told}"
        );
        // A dry run says the same.
        let told = summary(&refuse(command.arg("--dry-run"), 1, &REFUSED));
        assert_eq!(told["collisions"], 1, "{format:?}: {told}");

        let letters = directory.path().join("letters");
        let mut command = replay(&gateway, &out);
        if format.is_none() {
            continue;
        }
        command
            .args(["--summary", "json", "--dead-letter"])
            .arg(&letters);
        let told = summary(&refuse(&mut command, 1, &REFUSED));
        assert_eq!(told["refused"], 1, "{format:?}: {told}");
        assert_eq!(copy.latest().len(), 3, "{format:?}");
        let mut command = replay(&gateway, &out);
        command.args(["--summary", "json", "--id-collisions", "overwrite"]);
        let told = summary(&succeed(&mut command));
        assert_eq!(
            (&told["collisions"], &told["refused"], &told["changes"]),
            (&json!(1), &json!(0), &json!(4)),
            "{format:?}: {told}"
        );
        assert_eq!(copy.latest().len(), 3, "{format:?}");
        assert_no_violations(&gateway);
    }
}

#[test]
fn the_same_document_again_and_one_that_was_created_again_are_no_collision() {
    let (gateway, source, copy) = containers();
    source.delete("1", "b");
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    // Deleted and created again, with another `_rid`.
    source.delete("2", "b");
    source.upsert(json!({"id": "2", "tenant": "b", "region": "north", "version": 2}));
    source.upsert(json!({"id": "1", "tenant": "a", "region": "north", "version": 2}));
    succeed(&mut resume(&gateway, &out));
    let mut command = replay(&gateway, &out);
    let told = summary(&succeed(command.arg(&out).args(["--summary", "json"])));
    assert_eq!(
        (&told["collisions"], &told["created"], &told["replaced"]),
        (&json!(0), &json!(3), &json!(7)),
        "{told}"
    );
    assert_eq!(copy.latest().len(), 3);

    // In files whose key is not known, it is counted, since it may be a collision.
    let all = directory.path().join("all.jsonl");
    let lines = crate::command::lines(&out).into_iter().map(|line| {
        let mut document: Value = serde_json::from_slice(&line).unwrap();
        if document["id"] == "2" && document["version"] == 2 {
            document["_rid"] = "another".into();
        }
        document.to_string()
    });
    write_lines(&all, lines);
    let mut command = replay(&gateway, &all);
    let ended = succeed(command.args(["--summary", "json"]));
    assert_eq!(summary(&ended)["collisions"], 1, "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("1 document has the id and the partition key of an earlier one")
            && ended.stderr.contains("--id-collisions refuse"),
        "{}",
        ended.stderr
    );
    refuse(
        command.args(["--id-collisions", "refuse"]),
        1,
        &["item \"2\"", "another `_rid`"],
    );
    assert_no_violations(&gateway);
}

#[test]
fn a_program_that_gives_two_documents_one_id_is_noticed() {
    let gateway = Gateway::start(GatewayOptions::default());
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("a.jsonl");
    write_lines(
        &source,
        (0..4).map(|number| {
            json!({"id": format!("item-{number}"), "pk": "p", "half": number / 2}).to_string()
        }),
    );
    let mut command = replay(&gateway, &source);
    command.args([
        "--transform",
        ".id = (.half | tostring)",
        "--summary",
        "json",
    ]);
    let told = summary(&refuse(
        &mut command,
        1,
        &["item \"0\"", "--id-collisions overwrite"],
    ));
    assert_eq!(told["collisions"], 1, "{told}");
    command.args(["--id-collisions", "overwrite"]);
    let told = summary(&succeed(&mut command));
    assert_eq!(told["collisions"], 2, "{told}");
    assert_eq!(copy.latest().len(), 2);
}

#[test]
fn a_deletion_is_about_the_document_of_its_partition() {
    let gateway = Gateway::start(GatewayOptions::default());
    let source = gateway.create_container(DATABASE, CONTAINER, "/tenant", 1);
    let copy = gateway.create_container(DATABASE, COPY, "/region", 1);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(export(&gateway, &out).args(["--mode", "all"]));
    source.upsert(json!({"id": "1", "tenant": "a", "region": "north"}));
    source.upsert(json!({"id": "1", "tenant": "b", "region": "north"}));
    source.delete("1", "b");
    succeed(&mut resume(&gateway, &out));
    let letters = directory.path().join("letters");
    let mut command = replay(&gateway, &out);
    command
        .args(["--summary", "json", "--dead-letter"])
        .arg(&letters);
    // The gateway keeps no previous versions: the deletion does not say where the document was.
    let told = summary(&refuse(&mut command, 1, &REFUSED));
    assert_eq!(
        (&told["refused"], &told["deleted"]),
        (&json!(2), &json!(0)),
        "{told}"
    );
    assert_eq!(copy.latest().len(), 1);
    let letters = std::fs::read_to_string(&letters).unwrap();
    assert!(
        letters.contains("does not say what the document had at `/region`"),
        "{letters}"
    );
    assert_no_violations(&gateway);
}

#[test]
fn a_resume_says_that_it_compares_within_one_run() {
    let (gateway, source, copy) = containers();
    source.delete("1", "b");
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let command = || {
        let mut command = against(&gateway);
        command
            .env("AZURE_COSMOS_CONTAINER", COPY)
            .args([
                "replay",
                "--from-container",
                &format!("{DATABASE}/{CONTAINER}"),
            ])
            .arg("--state")
            .arg(&state);
        command
    };
    const NOTICE: &str = "not with those that earlier runs wrote";
    let first = succeed(&mut command());
    assert!(!first.stderr.contains(NOTICE), "{}", first.stderr);
    source.upsert(json!({"id": "1", "tenant": "d", "region": "north"}));
    let second = succeed(&mut command());
    assert!(second.stderr.contains(NOTICE), "{}", second.stderr);
    assert_eq!(copy.latest().len(), 3);
    assert_no_violations(&gateway);
}

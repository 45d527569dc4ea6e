//! An exported database that is made again, container by container.

use super::*;
use crate::gateway::RequestKind;
use crate::replay::content;

const TARGET: &str = "copy";

/// What makes one container different from another.
fn policies(number: u64) -> Value {
    json!({
        "indexingPolicy": {"indexingMode": "consistent", "includedPaths": [{"path": format!("/only{number}/?")}]},
        "uniqueKeyPolicy": {"uniqueKeys": [{"paths": [format!("/unique{number}")]}]},
        "defaultTtl": -1,
        "conflictResolutionPolicy": {"mode": "LastWriterWins", "conflictResolutionPath": "/at"},
        "computedProperties": [{"name": "lower", "query": "SELECT VALUE LOWER(c.text) FROM c"}],
        "vectorEmbeddingPolicy": {"vectorEmbeddings": [
            {"path": "/vector", "dataType": "float32", "dimensions": 3, "distanceFunction": "cosine"},
        ]},
        "fullTextPolicy": {"defaultLanguage": "en-US", "fullTextPaths": []},
        "clientEncryptionPolicy": {"policyFormatVersion": 2, "includedPaths": []},
        "notYetKnown": {"number": number},
    })
}

fn defined(definition: &Value) -> Value {
    let mut definition = definition.clone();
    let members = definition.as_object_mut().unwrap();
    members.retain(|name, _| !name.starts_with('_') && name != "id");
    definition
}

/// A database of containers that differ, and the export of it.
fn exported(names: &[&str]) -> Database {
    let database = Database::new(names, 2, 40);
    for (number, (_, container)) in (0..).zip(&database.containers) {
        container.define(policies(number));
    }
    database.gateway.create_database(TARGET);
    succeed(&mut database.export());
    database
}

fn replay(database: &Database, arguments: &[&str]) -> Command {
    let mut command = database.command();
    command
        .env("AZURE_COSMOS_DATABASE", TARGET)
        .args(["replay", "--max-retries", "0"])
        .arg(&database.out)
        .args(arguments);
    command
}

fn targets(database: &Database, names: &[&str]) -> Vec<Option<Container>> {
    let gateway = &database.gateway;
    names
        .iter()
        .map(|name| gateway.container(TARGET, name))
        .collect()
}

#[track_caller]
fn assert_copied(database: &Database, names: &[&str]) {
    for (name, copy) in names.iter().zip(targets(database, names)) {
        let copy = copy.unwrap_or_else(|| panic!("{name} was not made"));
        let source = database.container(name);
        assert_eq!(
            defined(&copy.definition()),
            defined(&source.definition()),
            "{name}"
        );
        crate::command::assert_same(&content(&copy), &content(source));
    }
}

#[test]
fn a_database_is_made_again_field_by_field_and_document_by_document() {
    let names = ["Orders", "orders", "für", "con"];
    let database = exported(&names);
    let ended = succeed(&mut replay(&database, &["--create"]));
    assert!(
        ended.stderr.contains("replayed 4 containers"),
        "{}",
        ended.stderr
    );
    assert_copied(&database, &names);
    // Again, it leaves the same.
    succeed(&mut replay(&database, &["--create"]));
    succeed(&mut replay(&database, &[]));
    assert_copied(&database, &names);
    assert_eq!(database.gateway.violations(), [""; 0]);
}

#[test]
fn containers_are_chosen() {
    let names = ["orders-eu", "orders-us", "log"];
    for (arguments, expected) in [
        (&["--only", "orders-*"][..], [true, true, false]),
        (
            &["--only", "log", "--only", "orders-eu"],
            [true, false, true],
        ),
        (&["--exclude", "log"], [true, true, false]),
        (
            &["--only", "orders-*", "--exclude", "*us"],
            [true, false, false],
        ),
    ] {
        let database = exported(&names);
        let all = [&["--create"], arguments].concat();
        succeed(replay(&database, &all).arg("--dry-run"));
        assert!(targets(&database, &names).iter().all(Option::is_none));
        succeed(&mut replay(&database, &all));
        let made: Vec<bool> = targets(&database, &names)
            .iter()
            .map(Option::is_some)
            .collect();
        assert_eq!(made, expected, "{arguments:?}");
    }
}

#[test]
fn a_definition_that_is_refused_is_named_and_the_others_are_made() {
    let names = ["a", "b", "c"];
    let database = exported(&names);
    database.container("b").define(json!({"onlyB": true}));
    succeed(&mut database.resume());
    let message = "The property onlyB is not one of this account";
    database.gateway.refuse_definitions_with("onlyB", message);
    let ended = fail(&mut replay(&database, &["--create"]), 1);
    for said in [
        "b: ",
        message,
        "1 of 3 containers could not be replayed: b",
        "--only NAME",
    ] {
        assert!(ended.stderr.contains(said), "no {said}: {}", ended.stderr);
    }
    assert_copied(&database, &["a", "c"]);
    // It is known before anything is written.
    let log = database.gateway.request_log();
    let refused = log.iter().position(|one| one.status == Some(400)).unwrap();
    let first = log
        .iter()
        .position(|one| one.kind == RequestKind::ItemWrite)
        .unwrap();
    assert!(refused < first);
    // With the container made by hand.
    database.gateway.create_container(TARGET, "b", "/pk", 1);
    succeed(&mut replay(&database, &["--only", "b"]));
    let made = database.gateway.container(TARGET, "b").unwrap();
    crate::command::assert_same(&content(&made), &content(database.container("b")));
}

#[test]
fn what_is_of_one_container_is_refused_by_a_replay_of_several() {
    let database = exported(&["a", "b"]);
    for (arguments, said) in [
        (
            &["-c", "x"][..],
            "--container cannot be used with several containers",
        ),
        (
            &["--state", "s"],
            "--state cannot be used with several containers",
        ),
        (
            &["--dead-letter", "d.jsonl"],
            "--dead-letter cannot be used with several containers",
        ),
        (&["--only", "x"], "there is no container `x`"),
        (&["--exclude", "*"], "there is no container to replay"),
        (
            &["--stdout"],
            "--stdout writes the changes of one container",
        ),
        (&["other.jsonl"], "there are other sources"),
    ] {
        let mut command = database.command();
        command
            .env("AZURE_COSMOS_DATABASE", TARGET)
            .arg("replay")
            .arg(&database.out)
            .args(arguments);
        refuse(&mut command, 2, &[said]);
    }
    let alone = database.directory("a");
    let mut command = database.command();
    command.args(["replay", "--only", "a"]).arg(alone);
    refuse(&mut command, 2, &["the source is not one"]);
    let mut command = database.command();
    command
        .arg("compare")
        .arg(&database.out)
        .args(["-d", TARGET, "-c", "a"]);
    refuse(
        &mut command,
        2,
        &["--container cannot be used with several containers"],
    );
}

/// A copy of the database while it is in use.
fn copy(database: &Database, pattern: &str, arguments: &[&str]) -> Command {
    let mut command = database.command();
    command
        .env("AZURE_COSMOS_DATABASE", TARGET)
        .args(["replay", "--max-retries", "0", "--from-container", pattern])
        .args(arguments);
    command
}

#[test]
fn a_database_in_use_is_copied_field_by_field_and_document_by_document() {
    let names = ["Orders", "orders", "für", "log"];
    let database = Database::new(&names, 2, 40);
    for (number, (_, container)) in (0..).zip(&database.containers) {
        container.define(policies(number));
    }
    database.gateway.create_database(TARGET);
    let ended = succeed(&mut copy(
        &database,
        "shop/*",
        &["--create", "--exclude", "log"],
    ));
    assert!(
        ended.stderr.contains("replayed 3 containers"),
        "{}",
        ended.stderr
    );
    assert_copied(&database, &names[..3]);
    assert!(targets(&database, &["log"])[0].is_none());
    // A dry run makes nothing, and what came since is copied.
    succeed(&mut copy(&database, "shop/l*", &["--create", "--dry-run"]));
    assert!(targets(&database, &["log"])[0].is_none());
    fill(database.container("orders"), 30..60);
    succeed(&mut copy(&database, "shop/*", &["--create"]));
    assert_copied(&database, &names);
    assert_eq!(database.gateway.violations(), [""; 0]);
    for (pattern, arguments, said) in [
        (
            "shop/*",
            &["-c", "x"][..],
            "--container cannot be used with several containers",
        ),
        ("shop/x*", &[], "there is no container `x*`"),
        ("shop/*", &["--only", "x"], "there is no container `x`"),
    ] {
        refuse(&mut copy(&database, pattern, arguments), 2, &[said]);
    }
    let ended = run(&mut copy(&database, "none/*", &[]));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("there is no database `none`"),
        "{}",
        ended.stderr
    );
}

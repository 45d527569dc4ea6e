//! The definition of a container beside its export, and containers that are made by it.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::bad_input::refuse;
use crate::command::{
    CONTAINER, DATABASE, assert_same, export, fail, resume, state_directory, succeed, verify,
};
use crate::gateway::{Action, Fault, GatewayOptions, RequestKind};
use crate::orders::filled;

/// What the container is defined by, beside its partition key.
fn policies() -> Value {
    json!({
        "indexingPolicy": {
            "indexingMode": "consistent", "automatic": true,
            "includedPaths": [{"path": "/*"}], "excludedPaths": [{"path": "/text/?"}],
            "compositeIndexes": [[{"path": "/a", "order": "ascending"}, {"path": "/b", "order": "descending"}]],
            "vectorIndexes": [{"path": "/vector", "type": "diskANN"}],
            "fullTextIndexes": [{"path": "/text"}],
        },
        "uniqueKeyPolicy": {"uniqueKeys": [{"paths": ["/number"]}]},
        "defaultTtl": -1,
        "conflictResolutionPolicy": {"mode": "LastWriterWins", "conflictResolutionPath": "/at"},
        "geospatialConfig": {"type": "Geometry"},
        "computedProperties": [{"name": "lower", "query": "SELECT VALUE LOWER(c.text) FROM c"}],
        "vectorEmbeddingPolicy": {"vectorEmbeddings": [
            {"path": "/vector", "dataType": "float32", "dimensions": 3, "distanceFunction": "cosine"},
        ]},
        "fullTextPolicy": {"defaultLanguage": "en-US", "fullTextPaths": []},
        "changeFeedPolicy": {"retentionDuration": 1440},
        "clientEncryptionPolicy": {"policyFormatVersion": 2, "includedPaths": []},
        "notYetKnown": {"ratio": 0.1, "list": [null, "\u{1f980}", "ü"]},
    })
}

/// A definition without what the service writes itself.
fn defined(definition: &Value) -> Value {
    let mut definition = definition.clone();
    let members = definition.as_object_mut().unwrap();
    members.retain(|name, _| !name.starts_with('_') && name != "id");
    definition
}

/// A container with a definition of its own, and an export of it.
fn exported() -> (Gateway, Container, tempfile::TempDir, PathBuf) {
    let (gateway, container) = filled(2, 50);
    container.define(policies());
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    succeed(&mut export(&gateway, &out));
    (gateway, container, directory, out)
}

fn container_json(out: &Path) -> PathBuf {
    state_directory(out).join("container.json")
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A replay that creates the container `new`.
fn create(gateway: &Gateway, source: &Path) -> Command {
    let mut command = replay(gateway, source);
    command
        .env("AZURE_COSMOS_CONTAINER", "new")
        .args(["--create", "--max-retries", "0"]);
    command
}

#[test]
fn a_container_is_made_again_field_by_field() {
    let (gateway, container, directory, out) = exported();
    let file = read(&container_json(&out));
    assert_eq!(file["definition"], container.definition());
    assert_eq!(
        (
            &file["database"],
            &file["container"],
            &file["container_rid"]
        ),
        (&json!(DATABASE), &json!(CONTAINER), &json!(container.rid()))
    );
    assert_eq!(verify(&out, &[]).code, Some(0));

    let dry = succeed(create(&gateway, &out).arg("--dry-run"));
    for part in [
        "by the definition in",
        "uniqueKeyPolicy",
        "`/pk`",
        "the default of the account",
    ] {
        assert!(dry.stderr.contains(part), "no {part}: {}", dry.stderr);
    }
    assert!(gateway.container(DATABASE, "new").is_none());

    succeed(&mut create(&gateway, &out));
    let new = gateway.container(DATABASE, "new").unwrap();
    assert_eq!(defined(&new.definition()), defined(&container.definition()));
    assert_eq!(new.definition()["id"], "new");
    assert_same(&content(&new), &content(&container));
    let log = gateway.request_log();
    let creation = log.iter().find(|r| r.kind == RequestKind::ContainerCreate);
    let bought = creation.unwrap().headers.get("x-ms-offer-throughput");
    assert!(bought.is_none(), "{bought:?}");

    // A file of the export, and a container that is there already.
    let part = crate::command::files(&out, "jsonl").remove(0);
    succeed(create(&gateway, &part).args(["-c", "newer", "--throughput", "500"]));
    let newer = gateway.container(DATABASE, "newer").unwrap();
    assert_eq!(
        defined(&newer.definition()),
        defined(&container.definition())
    );
    let log = gateway.request_log();
    let creation = log.iter().rfind(|r| r.kind == RequestKind::ContainerCreate);
    assert_eq!(creation.unwrap().headers["x-ms-offer-throughput"], "500");
    succeed(&mut create(&gateway, &out));

    // What is typed is what is made.
    succeed(create(&gateway, &out).args(["-c", "plain", "--partition-key", "/number"]));
    let plain = gateway.container(DATABASE, "plain").unwrap().definition();
    assert_eq!(plain["partitionKey"]["paths"], json!(["/number"]));
    assert!(plain.get("uniqueKeyPolicy").is_none(), "{plain}");

    // An export to one file has it beside it.
    let single = directory.path().join("one.jsonl");
    succeed(&mut export(&gateway, &single));
    let beside = directory.path().join("one.jsonl.container.json");
    assert_eq!(read(&beside)["definition"], container.definition());
    succeed(create(&gateway, &single).args(["-c", "one"]));
    let one = gateway.container(DATABASE, "one").unwrap();
    assert_eq!(defined(&one.definition()), defined(&container.definition()));
    assert_no_violations(&gateway);
}

#[test]
fn a_live_copy_takes_the_definition_of_its_source() {
    let gateway = Gateway::start(GatewayOptions::default());
    let source = gateway.create_container(DATABASE, CONTAINER, ("/tenant", "/user"), 2);
    source.define(policies());
    for number in 0..20 {
        source.upsert(json!({"id": number.to_string(), "tenant": number % 3, "user": number}));
    }
    let mut command = crate::command::against(&gateway);
    command.env("AZURE_COSMOS_CONTAINER", "new").args([
        "replay",
        "--create",
        "--from-container",
        &format!("{DATABASE}/{CONTAINER}"),
    ]);
    succeed(&mut command);
    let new = gateway.container(DATABASE, "new").unwrap();
    assert_eq!(defined(&new.definition()), defined(&source.definition()));
    assert_eq!(new.definition()["partitionKey"]["kind"], "MultiHash");
    let sorted = |container: &Container| {
        let mut documents = content(container);
        documents.sort();
        documents
    };
    assert_eq!(sorted(&new), sorted(&source));
    assert_no_violations(&gateway);
}

#[test]
fn throughput_is_recorded_as_far_as_it_can_be_read() {
    let manual = json!({"offerThroughput": 700});
    let autoscale =
        json!({"offerThroughput": 100, "offerAutopilotSettings": {"maxThroughput": 4000}});
    let throughput = |mode: &str, number: Option<u64>, shared: bool| json!({"mode": mode, "ru_per_second": number, "shared": shared});
    let run = |own: Option<&Value>, database: Option<&Value>, fault: Option<Fault>| {
        let (gateway, container) = filled(1, 5);
        if let Some(own) = own {
            gateway.set_offer(container.rid(), own.clone());
        }
        if let Some(of_all) = database {
            gateway.set_offer(&gateway.create_database(DATABASE), of_all.clone());
        }
        if let Some(fault) = fault {
            gateway.push_fault(fault.always());
        }
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let ended = succeed(&mut export(&gateway, &out));
        let file = read(&container_json(&out));
        assert_eq!(file["definition"], container.definition());
        (file["throughput"].clone(), ended.stderr)
    };
    for (own, database, expected) in [
        (Some(&manual), None, throughput("manual", Some(700), false)),
        (
            Some(&autoscale),
            Some(&manual),
            throughput("autoscale", Some(4000), false),
        ),
        (None, Some(&manual), throughput("manual", Some(700), true)),
        (None, None, throughput("none", None, false)),
    ] {
        let (found, stderr) = run(own, database, None);
        assert_eq!(found, expected);
        assert!(!stderr.contains("readable"), "{stderr}");
    }
    let denied = Fault::on(RequestKind::Offers, Action::status(403, 0));
    let (found, stderr) = run(Some(&manual), None, Some(denied));
    assert_eq!(found, throughput("not-readable", None, false));
    let part = ", throughput not readable with this credential";
    assert!(stderr.contains(part), "{stderr}");
    assert!(!stderr.contains("warning"), "{stderr}");
    let broken = Fault::on(RequestKind::Offers, Action::answer(200, None, "<html>"));
    let (found, stderr) = run(Some(&manual), None, Some(broken));
    assert_eq!(found, throughput("not-readable", None, false));
    assert!(
        stderr.contains(", throughput could not be read"),
        "{stderr}"
    );
    assert!(
        stderr.contains("warning: the throughput could not be read: "),
        "{stderr}"
    );
}

#[test]
fn a_resume_keeps_the_definition_up_to_date() {
    let (gateway, container, _directory, out) = exported();
    let path = container_json(&out);
    let before = std::fs::read(&path).unwrap();
    let ended = succeed(&mut resume(&gateway, &out));
    assert!(!ended.stderr.contains("container.json"), "{}", ended.stderr);
    assert_eq!(std::fs::read(&path).unwrap(), before);

    container.define(json!({"defaultTtl": 60}));
    let ended = succeed(&mut resume(&gateway, &out));
    assert!(
        ended
            .stderr
            .contains("differs from the one in `container.json`, which is replaced"),
        "{}",
        ended.stderr
    );
    assert_eq!(read(&path)["definition"], container.definition());

    // An older build wrote none.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(verify(&out, &["--strict"]).code, Some(0));
    refuse(
        &mut create(&gateway, &out),
        2,
        &["has no definition", "--partition-key"],
    );
    succeed(&mut resume(&gateway, &out));
    assert_eq!(read(&path)["definition"], container.definition());
    succeed(export(&gateway, &out).arg("--force"));
    assert_eq!(verify(&out, &["--strict"]).code, Some(0));
}

#[test]
fn a_definition_that_was_tampered_with_is_found() {
    let (gateway, _container, _directory, out) = exported();
    let path = container_json(&out);
    let original = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
    let with = |from: &str, to: &str| {
        assert!(original.contains(from), "{from}");
        original.replacen(from, to, 1)
    };
    let rid = read(&path)["container_rid"].as_str().unwrap().to_owned();
    let deep = "[".repeat(5000);
    let escape = "\"notYetKnown\":\"\u{1b}]0;x\u{7}\",\"x\"";
    for (contents, part) in [
        (String::new(), "EOF"),
        (original[..original.len() / 2].to_owned(), "EOF"),
        ("{\"format\":\"x\",\"version\":1}".to_owned(), "not marked"),
        (
            with("\"version\":1", "\"version\":9"),
            "newer than this build",
        ),
        (
            with(r#""paths":["/pk"]"#, r#""paths":["/number"]"#),
            "`/number`, but the state has `/pk`",
        ),
        (with(r#""paths":["/pk"]"#, r#""paths":[]"#), "0 paths"),
        (
            with(r#""paths":["/pk"]"#, "\"paths\":[\"x\\u001b[2J\"]"),
            "not the path",
        ),
        (with(&rid, "AAAA"), "of another container"),
        (with("\"notYetKnown\"", escape), "control character"),
        (
            with("\"notYetKnown\"", &format!("\"deep\":{deep},\"x\"")),
            "expected value",
        ),
        (with("\"notYetKnown\"", "\"defaultTtl\":5,\"x\""), "twice"),
        (
            format!("{original}{}", " ".repeat(20 << 20)),
            "longer than any",
        ),
    ] {
        std::fs::write(&path, &contents).unwrap();
        let mut command = create(&gateway, &out);
        let ended = run_refused(&mut command);
        assert!(ended.stderr.contains(part), "no {part}: {}", ended.stderr);
        assert!(ended.stderr.contains("--partition-key"), "{}", ended.stderr);
        assert!(
            !ended.stderr.contains(['\u{1b}', '\u{7}']),
            "{}",
            ended.stderr
        );
        assert!(gateway.container(DATABASE, "new").is_none(), "{part}");
        let verified = verify(&out, &[]);
        assert_eq!(verified.code, Some(1), "{part}: {}", verified.stdout);
        assert!(
            verified.stdout.contains("container.json"),
            "{}",
            verified.stdout
        );
        assert!(!verified.stdout.contains('\u{1b}'), "{}", verified.stdout);
    }
    // Somebody edited it on purpose.
    std::fs::write(&path, with("\"defaultTtl\":-1", "\"defaultTtl\":90")).unwrap();
    let verified = verify(&out, &[]);
    assert!(
        verified.stdout.contains("was changed after it was written"),
        "{}",
        verified.stdout
    );
    let ended = succeed(&mut create(&gateway, &out));
    assert!(
        ended.stderr.contains("was changed after the export"),
        "{}",
        ended.stderr
    );
    let new = gateway.container(DATABASE, "new").unwrap();
    assert_eq!(new.definition()["defaultTtl"], 90);
    // The documents do not depend on it.
    std::fs::write(&path, "x").unwrap();
    succeed(replay(&gateway, &out).args(["-c", "new"]));
    #[cfg(unix)]
    {
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        run_refused(create(&gateway, &out).args(["-c", "linked"]));
        assert_ne!(verify(&out, &[]).code, Some(0));
    }
    assert_no_violations(&gateway);
}

/// A run that was refused, as a wrong input is.
#[track_caller]
fn run_refused(command: &mut Command) -> Ended {
    let ended = crate::command::run(command);
    assert!(matches!(ended.code, Some(1 | 2)), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: "), "{}", ended.stderr);
    ended
}

#[test]
fn a_definition_that_the_target_refuses_names_the_way_out() {
    let (gateway, _container, _directory, out) = exported();
    gateway.refuse_definitions_with(
        "vectorEmbeddingPolicy",
        "The capability for the Vector Embedding Policy is not enabled on the account.",
    );
    let ended = fail(&mut create(&gateway, &out), 1);
    for part in [
        "is not enabled on the account",
        "see `vectorEmbeddingPolicy`",
        "--create --partition-key /pk",
    ] {
        assert!(ended.stderr.contains(part), "no {part}: {}", ended.stderr);
    }
    assert!(gateway.container(DATABASE, "new").is_none());
    succeed(create(&gateway, &out).args(["--partition-key", "/pk"]));
}

#[test]
fn a_container_is_not_created_by_guesses() {
    let (gateway, _container, directory, out) = exported();
    let lines = directory.path().join("lines.jsonl");
    write_lines(&lines, [r#"{"id":"1","pk":"p"}"#]);
    refuse(
        &mut create(&gateway, &lines),
        2,
        &["lines.jsonl` has no definition", "--partition-key"],
    );
    let mut piped = create(&gateway, Path::new("-"));
    refuse(
        piped.stdin(std::process::Stdio::null()),
        2,
        &["standard input has no definition"],
    );
    // Two exports of containers that differ.
    let other = gateway.create_container(DATABASE, "other", "/id", 1);
    other.upsert(json!({"id": "1"}));
    let second = directory.path().join("second");
    succeed(export(&gateway, &second).env("AZURE_COSMOS_CONTAINER", "other"));
    let mut both = create(&gateway, &out);
    refuse(
        both.arg(&second),
        2,
        &["two definitions", "_out.cosmos-tail", "_second.cosmos-tail"],
    );
    // It exists with another key.
    refuse(
        create(&gateway, &out).args(["-c", "other", "--dry-run"]),
        2,
        &["its partition key is `/id`, not `/pk`"],
    );
    assert!(gateway.container(DATABASE, "new").is_none());
}

//! Stored procedures, triggers, functions and client encryption keys: beside an export, and made again.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::bad_input::refuse;
use crate::command::{
    CONTAINER, DATABASE, against, assert_same, export, fail, resume, state_directory, succeed,
    verify,
};
use crate::gateway::{Action, Fault, RequestKind};
use crate::orders::filled;

const NEW: &str = "elsewhere";
const ODD: &str = "../\u{1b}[2J ü?#\\%2F";

/// A container with scripts under any names, whose policy names one of the two keys of its database.
struct Scene {
    gateway: Gateway,
    container: Container,
    _directory: tempfile::TempDir,
    out: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let (gateway, container) = filled(2, 20);
        container.define(
            json!({"clientEncryptionPolicy": {"policyFormatVersion": 2, "includedPaths": [
                {"path": "/card", "clientEncryptionKeyId": "k1", "encryptionType": "Randomized",
                 "encryptionAlgorithm": "AEAD_AES_256_CBC_HMAC_SHA256"},
            ]}}),
        );
        for (kind, companion) in companions() {
            gateway.add_companion(container.rid(), kind, companion);
        }
        let database = gateway.create_database(DATABASE);
        for id in ["k0", "k1"] {
            gateway.add_companion(&database, "clientencryptionkeys", key(id, "AAAA"));
        }
        gateway.create_database(NEW);
        // So that there are several pages.
        gateway.set_list_page(2);
        let directory = tempfile::tempdir().unwrap();
        Self {
            out: directory.path().join("out"),
            gateway,
            container,
            _directory: directory,
        }
    }

    fn export(&self) -> Ended {
        succeed(export(&self.gateway, &self.out).args(["--max-retries", "1"]))
    }

    fn file(&self) -> Value {
        let path = state_directory(&self.out).join("container.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    /// A replay that creates the container in another database.
    fn create(&self) -> Command {
        self.create_as(CONTAINER, 0)
    }

    fn create_as(&self, name: &str, retries: u32) -> Command {
        let mut command = replay(&self.gateway, &self.out);
        command
            .env("AZURE_COSMOS_DATABASE", NEW)
            .env("AZURE_COSMOS_CONTAINER", name)
            .args(["--create", "--max-retries", &retries.to_string()]);
        command
    }

    fn new_container(&self) -> Option<Container> {
        self.gateway.container(NEW, CONTAINER)
    }

    /// What the new container and its database have, without what the service writes.
    fn made(&self) -> Vec<(&'static str, Value)> {
        let container = self.new_container().expect("it was made");
        let database = self.gateway.create_database(NEW);
        let of = |owner: &str, kind: &'static str| {
            let all = self.gateway.companions(owner, kind).into_iter();
            all.map(move |one| (kind, defined(one))).collect::<Vec<_>>()
        };
        ["sprocs", "triggers", "udfs"]
            .into_iter()
            .flat_map(|kind| of(container.rid(), kind))
            .chain(of(&database, "clientencryptionkeys"))
            .collect()
    }

    fn creations(&self) -> usize {
        let log = self.gateway.request_log();
        let created = log
            .iter()
            .filter(|r| r.kind == RequestKind::CompanionCreate);
        created.count()
    }
}

fn companions() -> Vec<(&'static str, Value)> {
    let body = "function () {\n  return 'é \u{2028}';\n}";
    vec![
        ("sprocs", json!({"id": "bulk", "body": body})),
        ("sprocs", json!({"id": ODD, "body": body})),
        (
            "sprocs",
            json!({"id": "con", "body": "", "notYetKnown": 0.1}),
        ),
        (
            "triggers",
            json!({"id": "stamp", "body": body, "triggerOperation": "All", "triggerType": "Pre"}),
        ),
        (
            "udfs",
            json!({"id": "tax", "body": "function (x) { return x * 1.2; }"}),
        ),
    ]
}

fn key(id: &str, wrapped: &str) -> Value {
    json!({
        "id": id, "encryptionAlgorithm": "AEAD_AES_256_CBC_HMAC_SHA256", "wrappedDataEncryptionKey": wrapped,
        "keyWrapMetadata": {"type": "AZURE_KEY_VAULT", "name": "m", "value": "https://v.example/k", "algorithm": "RSA-OAEP"},
    })
}

fn all_made() -> Vec<(&'static str, Value)> {
    let mut all = companions();
    all.push(("clientencryptionkeys", key("k1", "AAAA")));
    all
}

fn defined(mut one: Value) -> Value {
    let members = one.as_object_mut().unwrap();
    members.retain(|name, _| !name.starts_with('_'));
    one
}

#[test]
fn scripts_and_keys_are_made_again() {
    let scene = Scene::new();
    let ended = scene.export();
    assert!(!ended.stderr.contains("readable"), "{}", ended.stderr);
    let file = scene.file();
    for (kind, member) in [
        ("sprocs", "storedProcedures"),
        ("triggers", "triggers"),
        ("udfs", "userDefinedFunctions"),
    ] {
        let own = scene.gateway.companions(scene.container.rid(), kind);
        assert_eq!(file["companions"][member], json!(own));
    }
    let keys = file["companions"]["clientEncryptionKeys"]
        .as_array()
        .unwrap();
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert_eq!(file["not_readable"], json!([]));
    assert_eq!(verify(&scene.out, &["--strict"]).code, Some(0));

    let dry = succeed(scene.create().arg("--dry-run"));
    let part = "; 3 stored procedures, 1 trigger, 1 user-defined function, 1 client encryption key; throughput";
    assert!(dry.stderr.contains(part), "{}", dry.stderr);
    assert!(scene.new_container().is_none());
    assert_eq!(scene.creations(), 0);

    let ended = succeed(scene.create().arg("-v"));
    assert!(
        !ended.stderr.contains(['\u{1b}', '\u{2028}']),
        "{}",
        ended.stderr
    );
    assert_eq!(scene.made(), all_made());
    let new = scene.new_container().unwrap();
    assert_same(&content(&new), &content(&scene.container));
    // The key is there before what names it, and the scripts before the documents.
    let log = scene.gateway.request_log();
    let created: Vec<(RequestKind, bool)> = log
        .iter()
        .filter(|r| r.method == "POST" && r.path.starts_with("/dbs/elsewhere/"))
        .map(|r| (r.kind, r.path.ends_with("clientencryptionkeys")))
        .collect();
    assert_eq!(created[0], (RequestKind::CompanionCreate, true));
    assert_eq!(created[1], (RequestKind::ContainerCreate, false));
    assert_eq!(created[2..7], [(RequestKind::CompanionCreate, false); 5]);
    assert!(
        created[7..]
            .iter()
            .all(|(kind, _)| *kind == RequestKind::ItemWrite)
    );

    // Again, there is nothing left to make.
    succeed(&mut scene.create());
    assert_eq!(scene.creations(), 6);
    // Without a definition there are none.
    succeed(scene.create_as("plain", 0).args(["--partition-key", "/pk"]));
    assert_eq!(scene.creations(), 6);
    assert_no_violations(&scene.gateway);
}

#[test]
fn a_run_that_ended_between_two_creations_is_completed_by_the_next() {
    let scene = Scene::new();
    scene.export();
    let lost = Fault::on(RequestKind::CompanionCreate, Action::ResetBeforeHeaders);
    scene.gateway.push_fault(lost.nth(4).times(1));
    fail(&mut scene.create(), 1);
    assert_eq!(scene.made().len(), 3);
    assert!(content(&scene.new_container().unwrap()).is_empty());
    // The answer is lost, and the script is there.
    let lost = Fault::on(RequestKind::CompanionCreate, Action::As(503));
    scene.gateway.push_fault(lost.nth(1).times(1));
    succeed(&mut scene.create_as(CONTAINER, 3));
    let mut made = scene.made();
    made.sort_by_key(|(kind, one)| (*kind, one["id"].to_string()));
    let mut all = all_made();
    all.sort_by_key(|(kind, one)| (*kind, one["id"].to_string()));
    assert_eq!(made, all);
    assert_no_violations(&scene.gateway);
}

#[test]
fn what_a_credential_does_not_cover_is_named() {
    let scene = Scene::new();
    for kind in [RequestKind::Companions, RequestKind::Offers] {
        scene
            .gateway
            .push_fault(Fault::on(kind, Action::status(403, 5302)).always());
    }
    let ended = scene.export();
    let part = ", throughput, stored procedures, triggers, user-defined functions and client encryption keys not \
                readable with this credential";
    assert!(ended.stderr.contains(part), "{}", ended.stderr);
    assert!(!ended.stderr.contains("warning"), "{}", ended.stderr);
    let names = [
        "stored procedures",
        "triggers",
        "user-defined functions",
        "client encryption keys",
    ];
    assert_eq!(scene.file()["not_readable"], json!(names));
    assert_eq!(scene.file()["companions"], json!({}));
    // Its encrypted documents could not be read.
    scene.gateway.clear_faults();
    let parts = [
        "lacks the client encryption keys",
        "encrypts with keys that are not known",
        "the database `elsewhere` has none of their names: \"k1\"",
        "`resume` adds them",
    ];
    refuse(&mut scene.create(), 2, &parts);
    assert!(scene.new_container().is_none());
    assert_eq!(scene.creations(), 0);
    // The database has such a key, and `-q` does not hide what is missing.
    let database = scene.gateway.create_database(NEW);
    let own = key("k1", "BBBB");
    scene
        .gateway
        .add_companion(&database, "clientencryptionkeys", own.clone());
    let ended = succeed(scene.create_as("without", 0).arg("-q"));
    let part =
        "a new container is made without: stored procedures, triggers, user-defined functions\n";
    assert!(ended.stderr.contains(part), "{}", ended.stderr);
    let without = scene.gateway.container(NEW, "without").unwrap();
    assert_same(&content(&without), &content(&scene.container));
    scene
        .gateway
        .remove_companions(&database, "clientencryptionkeys");

    // One that covers them adds them, without a word about a difference; one that does not keeps them.
    scene.gateway.clear_faults();
    let ended = succeed(&mut resume(&scene.gateway, &scene.out));
    assert!(!ended.stderr.contains("differs"), "{}", ended.stderr);
    let whole = scene.file();
    assert_eq!(whole["not_readable"], json!([]));
    let denied = Fault::on(RequestKind::Companions, Action::status(403, 5302));
    scene.gateway.push_fault(denied.always());
    let ended = succeed(&mut resume(&scene.gateway, &scene.out));
    assert!(
        ended.stderr.contains("not readable with this credential"),
        "{}",
        ended.stderr
    );
    assert_eq!(scene.file()["companions"], whole["companions"]);
    assert_eq!(scene.file()["not_readable"], json!([]));
    // The target does not show its own.
    let ended = fail(&mut scene.create(), 1);
    assert!(ended.stderr.contains("--via arm"), "{}", ended.stderr);
    scene.gateway.clear_faults();
    succeed(&mut scene.create());
    assert_eq!(scene.made().len(), 6);
    assert_no_violations(&scene.gateway);
}

#[test]
fn a_script_that_is_refused_is_named_before_any_document_is_written() {
    let scene = Scene::new();
    scene.export();
    let message = "Message: {\"Errors\":[\"Encountered exception while compiling \u{1b}[31mJavascript.\"]}\r\nActivityId: x";
    scene.gateway.refuse_companions_with("x * 1.2", message);
    let ended = fail(&mut scene.create(), 1);
    for part in [
        "cannot create the user-defined function \"tax\"",
        "400: {\"Errors\":[\"Encountered exception",
        "create one of this name yourself",
        "container.json",
    ] {
        assert!(ended.stderr.contains(part), "no {part}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains(['\u{1b}', '\r']), "{}", ended.stderr);
    let new = scene.new_container().unwrap();
    assert!(content(&new).is_empty());
    // What its owner made is kept.
    let own = json!({"id": "tax", "body": "function (x) { return 1.2 * x; }"});
    scene.gateway.add_companion(new.rid(), "udfs", own.clone());
    let ended = succeed(&mut scene.create());
    let part = "stay as they are: user-defined function \"tax\"";
    assert!(ended.stderr.contains(part), "{}", ended.stderr);
    assert_eq!(scene.made()[4], ("udfs", own));
    assert_same(&content(&new), &content(&scene.container));
}

#[test]
fn a_key_that_is_wrapped_differently_is_refused_before_a_container_is_made() {
    let scene = Scene::new();
    scene.export();
    let database = scene.gateway.create_database(NEW);
    scene
        .gateway
        .add_companion(&database, "clientencryptionkeys", key("k1", "BBBB"));
    let parts = [
        "wrapped differently: each may be another key: \"k1\"",
        "without a key of this name",
    ];
    refuse(&mut scene.create(), 2, &parts);
    assert!(scene.new_container().is_none());
    // A container that exists may have documents under this key, and a key that was wrapped anew is the same one.
    scene.gateway.create_container(NEW, CONTAINER, "/pk", 1);
    let ended = succeed(scene.create().arg("-q"));
    let part =
        "the container is used as it is, although its encrypted documents may not be readable: ";
    assert!(ended.stderr.contains(part), "{}", ended.stderr);
    assert!(ended.stderr.contains(parts[0]), "{}", ended.stderr);
    assert_same(
        &content(&scene.new_container().unwrap()),
        &content(&scene.container),
    );
}

#[test]
fn a_lying_list_is_no_list() {
    let mut scene = Scene::new();
    scene.gateway.set_list_page(100);
    let above = scene.out.clone();
    for (number, (edit, part)) in [
        (Action::answer(200, None, "<html>"), "not a JSON object"),
        (
            Action::edit_json(|page| page["_rid"] = "AAAA".into()),
            "of another container",
        ),
        (
            Action::edit_json(|page| page["_count"] = 9.into()),
            "3 of the 9 entries",
        ),
        (
            Action::edit_json(|page| page["StoredProcedures"][1]["id"] = "bulk".into()),
            "there are two stored procedures",
        ),
        (
            Action::edit_json(|page| page["StoredProcedures"][0]["id"] = 7.into()),
            "has no id",
        ),
        (
            Action::Header("x-ms-continuation", Some("2")),
            "does not end",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        scene.out = above.with_file_name(number.to_string());
        scene.gateway.clear_faults();
        let of_procedures = |record: &RequestRecord| record.path.ends_with("/sprocs");
        let fault = Fault::on(RequestKind::Companions, edit).when(of_procedures);
        scene.gateway.push_fault(fault.always());
        let ended = scene.export();
        for part in [
            "warning: the stored procedures could not be read: ",
            part,
            ", stored procedures could not be read",
        ] {
            assert!(ended.stderr.contains(part), "no {part}: {}", ended.stderr);
        }
        let file = scene.file();
        assert_eq!(file["not_readable"], json!(["stored procedures"]));
        assert!(file["companions"].get("storedProcedures").is_none());
        assert_eq!(file["companions"]["triggers"].as_array().unwrap().len(), 1);
    }
    assert_eq!(verify(&scene.out, &["--strict"]).code, Some(0));
}

#[test]
fn a_file_that_was_tampered_with_is_found() {
    let scene = Scene::new();
    scene.export();
    let path = state_directory(&scene.out).join("container.json");
    let original = std::fs::read_to_string(&path).unwrap();
    for (from, to, part) in [
        ("\"id\":\"tax\"", "\"id\":\"\"", "its id is empty"),
        ("\"id\":\"tax\"", "\"id\":[]", "invalid type"),
        ("\"id\":\"bulk\"", "\"id\":\"con\"", "two stored procedures"),
        ("\"triggers\":[", "\"triggers\":[5,", "not a JSON object"),
    ] {
        assert!(original.contains(from), "{from}");
        std::fs::write(&path, original.replacen(from, to, 1)).unwrap();
        let verified = verify(&scene.out, &[]);
        assert_eq!(verified.code, Some(1), "{}", verified.stdout);
        assert!(
            verified.stdout.contains(part),
            "no {part}: {}",
            verified.stdout
        );
        let ended = crate::command::run(&mut scene.create());
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains(part), "no {part}: {}", ended.stderr);
        assert!(scene.new_container().is_none());
    }
    // Somebody left one out on purpose.
    let mut file: Value = serde_json::from_str(&original).unwrap();
    file["companions"]["storedProcedures"]
        .as_array_mut()
        .unwrap()
        .remove(0);
    std::fs::write(&path, file.to_string()).unwrap();
    let verified = verify(&scene.out, &[]);
    assert!(
        verified.stdout.contains("was changed after"),
        "{}",
        verified.stdout
    );
    let ended = succeed(&mut scene.create());
    assert!(
        ended.stderr.contains("was changed after"),
        "{}",
        ended.stderr
    );
    assert_eq!(scene.made().len(), 5);
    // Nothing of it is taken over by a run that cannot read them itself.
    let denied = Fault::on(RequestKind::Companions, Action::status(403, 5302));
    scene.gateway.push_fault(denied.always());
    let ended = succeed(&mut resume(&scene.gateway, &scene.out));
    assert!(
        ended.stderr.contains("which is replaced"),
        "{}",
        ended.stderr
    );
    let replaced = scene.file();
    assert_eq!(replaced["companions"], json!({}));
    assert_eq!(replaced["not_readable"].as_array().unwrap().len(), 4);
    scene.gateway.clear_faults();
    // An earlier build wrote none.
    for member in ["companions", "companions_crc32c", "not_readable"] {
        file.as_object_mut().unwrap().remove(member);
    }
    std::fs::write(&path, file.to_string()).unwrap();
    succeed(&mut scene.create_as("newer", 0));
    let newer = scene.gateway.container(NEW, "newer").unwrap();
    assert!(scene.gateway.companions(newer.rid(), "sprocs").is_empty());
}

#[test]
fn a_live_copy_has_them_too() {
    let scene = Scene::new();
    let copy = |container: &str| {
        let mut command = against(&scene.gateway);
        command
            .env("AZURE_COSMOS_DATABASE", NEW)
            .args(["replay", "--create", "--max-retries", "0"])
            .args(["-c", container, "--from-container"])
            .arg(format!("{DATABASE}/{CONTAINER}"));
        command
    };
    succeed(&mut copy(CONTAINER));
    assert_eq!(scene.made(), all_made());
    let denied = Fault::on(RequestKind::Companions, Action::status(403, 5302));
    let of_source = |record: &RequestRecord| record.path.starts_with(&format!("/dbs/{DATABASE}/"));
    scene.gateway.push_fault(denied.when(of_source).always());
    let ended = succeed(copy("without").arg("-q"));
    let part =
        "made without the triggers of shop/orders: they are not readable with this credential";
    let part = part.replace("shop/orders", &format!("{DATABASE}/{CONTAINER}"));
    assert!(ended.stderr.contains(&part), "no {part}: {}", ended.stderr);
    let without = scene.gateway.container(NEW, "without").unwrap();
    assert!(
        scene
            .gateway
            .companions(without.rid(), "triggers")
            .is_empty()
    );
    // A database without such a key.
    scene.gateway.create_database("third");
    let parts = [
        "the client encryption keys of",
        "the database `third` has none of their names: \"k1\"",
        "--via arm",
    ];
    refuse(copy(CONTAINER).args(["-d", "third"]), 2, &parts);
    assert!(scene.gateway.container("third", CONTAINER).is_none());
    assert_no_violations(&scene.gateway);
}

#[test]
fn a_database_has_those_of_each_container() {
    let scene = Scene::new();
    let other = scene.gateway.create_container(DATABASE, "other", "/pk", 1);
    scene
        .gateway
        .add_companion(other.rid(), "udfs", json!({"id": "only", "body": "x"}));
    let mut export = against(&scene.gateway);
    export
        .env_remove("AZURE_COSMOS_CONTAINER")
        .args(["export", "--all-containers", "-o"])
        .arg(&scene.out);
    succeed(&mut export);
    let mut replay = against(&scene.gateway);
    replay
        .env_remove("AZURE_COSMOS_CONTAINER")
        .env("AZURE_COSMOS_DATABASE", NEW)
        .args(["replay", "--create"])
        .arg(&scene.out);
    succeed(&mut replay);
    assert_eq!(scene.made(), all_made());
    let new = scene.gateway.container(NEW, "other").unwrap();
    assert_eq!(scene.gateway.companions(new.rid(), "udfs").len(), 1);
    assert_no_violations(&scene.gateway);
}

#[test]
#[cfg(feature = "demo")]
fn an_account_without_scripts_is_not_asked_about() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut command = crate::command::cosmos_tail();
    let ended = succeed(command.args(["--demo", "export", "-o"]).arg(&out));
    assert!(!ended.stderr.contains("procedures"), "{}", ended.stderr);
    let path = state_directory(&out).join("container.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(
        (&file["companions"], &file["not_readable"]),
        (&json!({}), &json!([]))
    );
}

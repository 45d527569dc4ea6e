//! Dead letters in an object store.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::bad_input::refuse;
use crate::command::{DATABASE, Ended, run, spawn, split_lines, succeed, wait};
use crate::gateway::GatewayOptions;
use crate::store::{CallKind, Store, Trouble};

const PLACE: &str = "az://lake/letters/";
/// Every fourth of these documents is refused, since its id is a number.
const DOCUMENTS: usize = 60;

struct Scene {
    gateway: Gateway,
    copy: Container,
    directory: tempfile::TempDir,
    store: Store,
}

impl Scene {
    fn new() -> Self {
        let gateway = Gateway::start(GatewayOptions::default());
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
        let directory = tempfile::tempdir().unwrap();
        let documents = (0..DOCUMENTS).map(|number| match number % 4 {
            0 => json!({"id": number, "pk": "p"}).to_string(),
            _ => json!({"id": number.to_string(), "pk": "p"}).to_string(),
        });
        write_lines(&directory.path().join("source.jsonl"), documents);
        Self {
            gateway,
            copy,
            directory,
            store: Store::start(),
        }
    }

    fn replay(&self, source: &str) -> Command {
        let mut command = replay(&self.gateway, Path::new(source));
        command
            .current_dir(self.directory.path())
            .env("AZURE_STORAGE_USE_EMULATOR", "true")
            .env("AZURITE_BLOB_STORAGE_URL", self.store.url())
            .env("COSMOS_TAIL_IMPATIENT", "1");
        command
    }

    fn with_letters(&self, more: &[&str]) -> Command {
        let mut command = self.replay("source.jsonl");
        command.args(["--dead-letter", PLACE]).args(more);
        command
    }

    /// With a state, and a commit every few changes.
    fn resumable(&self) -> Command {
        self.with_letters(&["--state", "state.json", "--checkpoint-changes", "10"])
    }

    fn run_with(&self, trouble: Trouble, at: usize) -> Ended {
        let ended = self.run_to(trouble, at);
        self.store.clear();
        ended
    }

    /// The same; what is late by then may come while the next one runs.
    fn run_to(&self, trouble: Trouble, at: usize) -> Ended {
        let mut puts = 0;
        self.store.script(move |_, call| {
            puts += usize::from(call.kind == CallKind::Put);
            (call.kind == CallKind::Put && puts == at + 1).then_some(trouble)
        });
        let child = spawn(&mut self.resumable());
        self.store.set_victim(&child);
        wait(child)
    }

    fn state(&self) -> Value {
        let text = std::fs::read(self.directory.path().join("state.json")).unwrap();
        let state: Value = serde_json::from_slice(&text).unwrap();
        state["state"].clone()
    }

    /// How often each document has a letter, by the number in it.
    fn letters(&self) -> BTreeMap<u64, usize> {
        let mut found = BTreeMap::new();
        for bytes in self.store.objects().into_values() {
            for line in split_lines(&bytes) {
                let letter: Value = serde_json::from_slice(&line).unwrap();
                if let Some(number) = letter["current"]["id"].as_u64() {
                    *found.entry(number).or_default() += 1;
                }
            }
        }
        found
    }

    #[track_caller]
    fn assert_each_once(&self, what: &str) {
        let expected: BTreeMap<u64, usize> = (0..DOCUMENTS as u64)
            .step_by(4)
            .map(|number| (number, 1))
            .collect();
        assert_eq!(self.letters(), expected, "{what}");
    }
}

#[test]
fn each_commit_has_an_object_of_letters_which_are_replayed_from_there() {
    for more in [
        &[][..],
        &["--state", "state.json", "--checkpoint-changes", "10"],
    ] {
        let scene = Scene::new();
        refuse(
            &mut scene.with_letters(more),
            1,
            &["these are in az://lake/letters/, each with its reason"],
        );
        scene.assert_each_once("at the end");
        let objects = scene.store.objects();
        assert!(more.is_empty() || objects.len() > 3, "{}", objects.len());
        let heading = b"{\"cosmos-tail\":{\"records\":\"changes\"}}\n";
        assert!(objects.values().all(|bytes| bytes.starts_with(heading)));
        // A replay with the same place begins names of its own.
        refuse(&mut scene.with_letters(&[]), 1, &["each with its reason"]);
        assert!(scene.letters().values().all(|times| *times == 2));
        for (name, bytes) in &objects {
            assert_eq!(scene.store.objects()[name], *bytes, "{name}");
        }
        let mut command = scene.replay(PLACE);
        command.args(["--transform", ".id |= tostring"]);
        succeed(&mut command);
        assert_eq!(scene.copy.latest().len(), DOCUMENTS);
    }
}

#[test]
fn no_letter_is_lost_or_there_twice_after_a_crash_at_any_put() {
    for at in 0..5 {
        for trouble in [Trouble::KillBefore, Trouble::KillAfter] {
            let scene = Scene::new();
            let ended = scene.run_with(trouble, at);
            assert_eq!(ended.code, None, "{at}: {}", ended.stderr);
            // The second run goes another way: what it refuses is in other commits.
            let ended = run(scene
                .with_letters(&["--state", "state.json"])
                .args(["--checkpoint-changes", "16"]));
            assert_eq!(ended.code, Some(1), "{}", ended.stderr);
            scene.assert_each_once(&format!("{trouble:?} {at}"));
        }
        for trouble in [
            Trouble::Unanswered,
            Trouble::Lost,
            Trouble::Refused(503, "ServerBusy"),
        ] {
            let scene = Scene::new();
            let ended = scene.run_with(trouble, at);
            assert_eq!(ended.code, Some(1), "{at}: {}", ended.stderr);
            scene.assert_each_once(&format!("{trouble:?} {at}"));
        }
    }
}

#[test]
fn a_letter_that_arrives_when_its_process_is_dead_replaces_none_and_is_not_there() {
    for at in [0, 2] {
        for calls in 0..12 {
            let scene = Scene::new();
            let ended = scene.run_to(Trouble::KillLate(calls), at);
            assert_eq!(ended.code, None, "{at}: {}", ended.stderr);
            let ended = run(scene
                .with_letters(&["--state", "state.json"])
                .args(["--checkpoint-changes", "16"]));
            assert_eq!(ended.code, Some(1), "{}", ended.stderr);
            scene.store.clear();
            scene.assert_each_once(&format!("{at}, {calls} calls later"));
        }
    }
}

#[test]
fn each_start_has_names_of_its_own_which_come_after_those_of_the_start_before() {
    let scene = Scene::new();
    let ended = scene.run_with(Trouble::KillAfter, 2);
    assert_eq!(ended.code, None, "{}", ended.stderr);
    let first = scene.store.objects();
    let ended = run(&mut scene.resumable());
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let all = scene.store.objects();
    let last = first.keys().next_back().unwrap();
    // What was written and not committed says nothing, and the others are as they were.
    for (name, bytes) in first.iter().filter(|(name, _)| *name != last) {
        assert_eq!(all[name], *bytes, "{name}");
    }
    assert_eq!(all[last].split(|byte| *byte == b'\n').count(), 2);
    let id = |name: &str| name.rsplit('-').nth(1).unwrap().to_owned();
    let second: Vec<String> = all
        .keys()
        .filter(|name| !first.contains_key(*name))
        .cloned()
        .collect();
    assert!(!second.is_empty());
    assert!(second.iter().all(|name| id(name) > id(last)), "{second:?}");
    let state = scene.state();
    assert_eq!(state["letter_objects"]["objects"], json!(second.len()));
}

#[test]
fn a_letter_that_a_crash_left_says_nothing_if_the_next_run_keeps_them_elsewhere() {
    for elsewhere in [
        &["--dead-letter", "refused.jsonl"][..],
        &["--dead-letter", "az://lake/others/"],
    ] {
        let scene = Scene::new();
        let ended = scene.run_with(Trouble::KillAfter, 0);
        assert_eq!(ended.code, None, "{}", ended.stderr);
        assert!(!scene.letters().is_empty());
        let mut command = scene.replay("source.jsonl");
        let ended = run(command.args(["--state", "state.json"]).args(elsewhere));
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        match elsewhere[1].ends_with('/') {
            true => scene.assert_each_once("there"),
            false => assert!(scene.letters().is_empty()),
        }
    }
    // Whoever cannot reach that place any more is told.
    let scene = Scene::new();
    let ended = scene.run_with(Trouble::KillAfter, 0);
    assert_eq!(ended.code, None, "{}", ended.stderr);
    scene
        .store
        .script(|_, _| Some(Trouble::Refused(403, "AuthorizationPermissionMismatch")));
    let mut command = scene.replay("source.jsonl");
    command.args(["--state", "state.json", "--dead-letter", "refused.jsonl"]);
    let told =
        "-000001.jsonl`, if it is there, has letters of an earlier run that are not committed";
    refuse(&mut command, 1, &["`az://lake/letters/dead-letters-", told]);
}

#[test]
fn a_letter_that_a_crash_left_says_nothing_if_its_change_is_applied_since() {
    let scene = Scene::new();
    let documents = (0..DOCUMENTS).map(|id| json!({"id": id.to_string(), "n": id, "pk": "p"}));
    let lines = documents.map(|document| document.to_string());
    write_lines(&scene.directory.path().join("source.jsonl"), lines);
    scene.copy.refuse("3", 413);
    let ended = scene.run_with(Trouble::KillAfter, 0);
    assert_eq!(ended.code, None, "{}", ended.stderr);
    let text = || -> Vec<u8> { scene.store.objects().into_values().flatten().collect() };
    let has_letter = || String::from_utf8(text()).unwrap().contains("\"n\":3");
    assert!(has_letter());
    scene.copy.refuse_nothing();
    succeed(&mut scene.resumable());
    assert!(!has_letter());
}

#[test]
fn a_store_that_cannot_take_letters_stops_the_replay_before_its_state_passes_them() {
    let scene = Scene::new();
    scene.store.script(|_, call| {
        (call.kind == CallKind::Put)
            .then_some(Trouble::Refused(403, "AuthorizationPermissionMismatch"))
    });
    let ended = run(&mut scene.resumable());
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("cannot write the dead letters"),
        "{}",
        ended.stderr
    );
    scene.store.clear();
    let ended = run(&mut scene.resumable());
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    scene.assert_each_once("after the permission was given");
}

#[test]
fn a_place_of_letters_is_no_object_and_no_source() {
    let scene = Scene::new();
    let mut command = scene.replay("source.jsonl");
    command.args(["--dead-letter", "az://lake/letters.jsonl"]);
    refuse(
        &mut command,
        2,
        &["would be one object", "such as az://CONTAINER/letters/"],
    );
    refuse(&mut scene.with_letters(&[]), 1, &["each with its reason"]);
    let before = scene.store.objects();
    let mut command = scene.replay(PLACE);
    command.args(["--dead-letter", PLACE]);
    refuse(
        &mut command,
        2,
        &["the place of dead letters, `az://lake/letters/`, is read as a source"],
    );
    let mut command = scene.with_letters(&["--dry-run"]);
    refuse(
        &mut command,
        1,
        &["without --dry-run, these go to az://lake/letters/"],
    );
    assert!(scene.store.objects() == before, "a dry run wrote letters");
}

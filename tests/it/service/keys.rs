//! A key in a file that changes while a command runs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{follow, objects};
use crate::command::{
    DATABASE, against, assert_latest, export, fail, interrupt, lines, signal, spawn, succeed, wait,
};
use crate::gateway::{Action, Fault, Gateway, GatewayOptions, KEY, RequestKind};
use crate::orders::{fill, filled};

/// Other account keys.
pub(super) const NEW_KEYS: [&str; 2] = [
    "YW5vdGhlciBrZXkgb2YgdGhlIHNjcmlwdGVkIGdhdGV3YXk=",
    "YSB0aGlyZCBrZXkgb2YgdGhlIHNjcmlwdGVkIGdhdGV3YXk=",
];

/// Writes the key file as a rotation should: never half of a key.
pub(super) fn key_file(directory: &Path, key: &str) -> PathBuf {
    let path = directory.join("key");
    let new = directory.join("key.new");
    std::fs::write(&new, format!("{key}\n")).unwrap();
    std::fs::rename(new, &path).unwrap();
    path
}

/// The command, with the key from a file.
pub(super) fn with_key_file<'a>(command: &'a mut Command, path: &Path) -> &'a mut Command {
    command
        .env_remove("AZURE_COSMOS_KEY")
        .arg("--key-file")
        .arg(path)
}

pub(super) fn refused(gateway: &Gateway) -> usize {
    let log = gateway.request_log();
    log.iter().filter(|one| one.status == Some(401)).count()
}

#[track_caller]
fn assert_no_key(text: &str) {
    for key in [KEY, NEW_KEYS[0], NEW_KEYS[1]] {
        assert!(!text.contains(key), "{text}");
    }
}

#[test]
fn it_is_read_again_when_it_is_refused_and_nothing_is_lost() {
    let (gateway, container) = filled(8, 40);
    let directory = tempfile::tempdir().unwrap();
    let key = key_file(directory.path(), KEY);
    let out = directory.path().join("out");
    let mut command = follow(&gateway, &out);
    let child = spawn(with_key_file(&mut command, &key).args(["--concurrency", "8"]));
    gateway.wait_until_caught_up(&container);
    let keys = [NEW_KEYS[0], KEY, NEW_KEYS[1], NEW_KEYS[0]];
    for (round, new) in keys.into_iter().enumerate() {
        let documents = 40 + 20 * round..60 + 20 * round;
        match round {
            // Written over, so that it is empty or half for a moment.
            0 => std::fs::write(&key, new).unwrap(),
            // Asked to, it reads the key before it is refused.
            1 => {
                key_file(directory.path(), new);
                signal(&child, Signal::SIGUSR1);
            }
            2 => drop(key_file(directory.path(), new)),
            // The file follows the refusal.
            _ => {}
        }
        let before = refused(&gateway);
        gateway.set_key(new);
        fill(&container, documents);
        if round == 3 {
            let patience = Instant::now() + Duration::from_secs(60);
            while refused(&gateway) == before {
                assert!(Instant::now() < patience, "nothing is refused");
                std::thread::yield_now();
            }
            std::fs::write(&key, "").unwrap();
            key_file(directory.path(), new);
        }
        gateway.wait_until_caught_up(&container);
    }
    interrupt(&child);
    let ended = wait(child);
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert_latest(&lines(&out), &container);
    let messages = ended
        .stderr
        .matches("the account key has changed, and was read again");
    assert!(messages.count() >= 4, "{}", ended.stderr);
    assert_no_key(&ended.stderr);
    // Unsigned or wrongly signed requests are those around a change only.
    assert!(refused(&gateway) <= 4 * 8 * 2, "{}", refused(&gateway));
}

#[test]
fn one_that_stays_wrong_ends_with_the_error_and_can_be_resumed() {
    let (gateway, container) = filled(4, 40);
    let directory = tempfile::tempdir().unwrap();
    let key = key_file(directory.path(), KEY);
    let out = directory.path().join("out");
    let mut command = follow(&gateway, &out);
    let child = spawn(with_key_file(&mut command, &key));
    gateway.wait_until_caught_up(&container);
    gateway.set_key(NEW_KEYS[0]);
    let ended = wait(child);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("401"), "{}", ended.stderr);
    // Each range was refused a few times at most.
    assert!(refused(&gateway) <= 4 * 3, "{}", refused(&gateway));
    fill(&container, 40..60);
    key_file(directory.path(), NEW_KEYS[0]);
    let mut resume = crate::command::resume(&gateway, &out);
    succeed(with_key_file(&mut resume, &key).arg("--no-follow"));
    assert_latest(&lines(&out), &container);
}

#[test]
fn one_that_was_never_accepted_is_wrong_at_once() {
    let (gateway, _) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    let key = key_file(directory.path(), NEW_KEYS[0]);
    let began = Instant::now();
    let mut command = export(&gateway, &directory.path().join("out"));
    let ended = fail(with_key_file(&mut command, &key), 1);
    assert!(ended.stderr.contains("key"), "{}", ended.stderr);
    assert!(began.elapsed() < Duration::from_secs(9), "{}", ended.stderr);
}

#[test]
fn a_file_that_is_gone_is_reported_once() {
    let (gateway, container) = filled(4, 40);
    let directory = tempfile::tempdir().unwrap();
    let key = key_file(directory.path(), KEY);
    let mut command = follow(&gateway, &directory.path().join("out"));
    let command = with_key_file(&mut command, &key).args(["--log-format", "json"]);
    let child = spawn(command);
    gateway.wait_until_caught_up(&container);
    std::fs::remove_file(&key).unwrap();
    gateway.set_key(NEW_KEYS[0]);
    let ended = wait(child);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    let messages = objects(&ended.stderr);
    let warned: Vec<&Value> = messages
        .iter()
        .filter(|one| {
            one["message"]
                .as_str()
                .unwrap()
                .contains("cannot be read again")
        })
        .collect();
    let [warned] = warned[..] else {
        panic!("{}", ended.stderr)
    };
    let message = warned["message"].as_str().unwrap();
    assert_eq!(warned["level"], "warn");
    assert!(message.contains("is gone"), "{message}");
}

#[test]
fn a_pipe_is_read_once() {
    let (gateway, _) = filled(1, 5);
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let pipe = directory.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let mut command = follow(&gateway, &out);
    let child = spawn(with_key_file(&mut command, &pipe));
    std::fs::write(&pipe, KEY).unwrap();
    gateway.wait_for(RequestKind::ChangeFeed, 1);
    gateway.set_key(NEW_KEYS[0]);
    // A second open would block for good.
    assert_eq!(wait(child).code, Some(3));
}

#[test]
fn what_has_an_odd_name_is_signed_too() {
    let gateway = Gateway::start(GatewayOptions::default());
    let name = "Bestellungen für 100 % + mehr";
    let container = gateway.create_container(DATABASE, name, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let key = key_file(directory.path(), KEY);
    let changes = directory.path().join("changes.jsonl");
    let ids = ["a b", "é", "100%", "a+b", "a&b=c", "ÄÖ", "%20", "日本"];
    let documents = ids.iter().cycle().take(80).enumerate();
    let text: String = documents
        .map(|(n, id)| format!("{}\n", json!({"id": format!("{id}{n}"), "pk": id, "n": n})))
        .collect();
    std::fs::write(&changes, text).unwrap();
    // Changed in the middle of the writes.
    let (accepted, file) = (gateway.key(), directory.path().to_owned());
    let change = Action::call(move || {
        key_file(&file, NEW_KEYS[0]);
        NEW_KEYS[0].clone_into(&mut accepted.lock().unwrap());
    });
    gateway.push_fault(Fault::on(RequestKind::ItemWrite, change).nth(10));
    let mut command = against(&gateway);
    command.env("AZURE_COSMOS_CONTAINER", name);
    command.arg("replay").arg(&changes);
    succeed(with_key_file(&mut command, &key));
    assert_eq!(container.latest().len(), 80);
    assert!(refused(&gateway) > 0);
    assert_eq!(gateway.violations(), Vec::<String>::new());
}

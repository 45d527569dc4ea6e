//! Every version and every delete.

use serde_json::{Value, json};

use super::{Tailing, tail};
use crate::command::{CONTAINER, DATABASE, fail, split_lines, succeed};
use crate::gateway::{Action, Container, Fault, Gateway, GatewayOptions, RequestKind};
use crate::orders::{document, fill, filled};

/// Creates, replaces and removes ten documents, half of them by their time to live.
fn live_and_die(container: &Container) {
    for number in 100..110 {
        container.upsert(document(number));
        let mut changed = document(number);
        changed["text"] = json!("changed");
        container.replace(changed);
        let key = format!("key-{}", number % 97);
        if number % 2 == 0 {
            container.delete(&format!("item-{number}"), key.as_str());
        } else {
            container.expire(&format!("item-{number}"), key.as_str());
        }
    }
}

/// A tail of all versions, of a container in which [`live_and_die`] happened meanwhile.
fn all_versions(previous_images: bool, arguments: &[&str]) -> (Vec<Value>, Container, Gateway) {
    let gateway = Gateway::start(GatewayOptions {
        previous_images,
        ..GatewayOptions::default()
    });
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 4);
    fill(&container, 0..20);
    let tailing = Tailing::start(tail(&gateway).args(["--mode", "all"]).args(arguments));
    live_and_die(&container);
    gateway.wait_until_caught_up(&container);
    let ended = tailing.stop();
    let values = serde_json::Deserializer::from_str(&ended.stdout).into_iter::<Value>();
    let shown: Vec<Value> = values.map(Result::unwrap).collect();
    assert!(
        gateway.violations().is_empty(),
        "{:?}",
        gateway.violations()
    );
    (shown, container, gateway)
}

#[test]
fn all_versions_and_deletes_are_shown_in_envelopes() {
    for previous_images in [false, true] {
        let (shown, container, _gateway) = all_versions(previous_images, &[]);
        let operation = |change: &Value| {
            let metadata = &change["metadata"];
            let operation = metadata["operationType"].as_str().unwrap().to_owned();
            (operation, metadata["lsn"].as_u64().unwrap())
        };
        let mut found: Vec<(String, u64)> = shown.iter().map(operation).collect();
        found.sort();
        let is_new = |id: &str| id["item-".len()..].parse::<usize>().unwrap() >= 100;
        let changes = container.changes();
        let mut expected: Vec<(String, u64)> = changes
            .iter()
            .filter(|change| is_new(&change.id))
            .map(|change| (change.operation.as_str().to_owned(), change.lsn))
            .collect();
        expected.sort();
        assert_eq!((found.len(), &found), (30, &expected));
        let count =
            |wanted: &dyn Fn(&Value) -> bool| shown.iter().filter(|change| wanted(change)).count();
        assert_eq!(
            count(&|change| change["metadata"]["timeToLiveExpired"] == json!(true)),
            5
        );
        assert_eq!(count(&|change| change["metadata"]["time"].is_string()), 30);
        assert_eq!(count(&|change| change["range"].is_u64()), 30);
        let previous = count(&|change| change["previous"]["id"].is_string());
        assert_eq!(
            previous,
            if previous_images { 20 } else { 0 },
            "replaces and deletes"
        );
    }
}

#[test]
fn all_versions_and_deletes_are_shown_as_documents() {
    for (previous_images, format) in [
        (false, "json"),
        (true, "json"),
        (false, "pretty"),
        (true, "pretty"),
    ] {
        let (shown, _container, _gateway) = all_versions(previous_images, &["--format", format]);
        assert_eq!(shown.len(), 30, "{format}");
        let deletes: Vec<&Value> = shown
            .iter()
            .filter(|change| change["metadata"]["operationType"] == "delete")
            .collect();
        assert_eq!(deletes.len(), 10, "{format}");
        for delete in deletes {
            // Unlike every document, it has no id of its own.
            assert_eq!(delete.get("id"), None);
            let metadata = &delete["metadata"];
            let number: usize = metadata["id"].as_str().unwrap()["item-".len()..]
                .parse()
                .unwrap();
            assert_eq!(
                metadata["partitionKey"],
                json!([format!("key-{}", number % 97)])
            );
            assert_eq!(
                metadata["timeToLiveExpired"] == json!(true),
                number % 2 == 1
            );
        }
        assert_eq!(
            shown
                .iter()
                .filter(|change| change["text"] == json!("changed"))
                .count(),
            10,
            "{format}"
        );
    }
}

#[test]
fn all_versions_resume_at_their_positions() {
    let gateway = Gateway::start(GatewayOptions::default());
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("tail.json");
    let mut first = tail(&gateway);
    Tailing::start(first.args(["--mode", "all", "--state"]).arg(&state)).stop();
    live_and_die(&container);
    let mut second = tail(&gateway);
    let ended = succeed(
        second
            .args(["--mode", "all", "--until-caught-up", "--state"])
            .arg(&state),
    );
    assert_eq!(
        split_lines(ended.stdout.as_bytes()).len(),
        30,
        "{}",
        ended.stderr
    );
    // Versions that the container no longer keeps are reported, not skipped.
    live_and_die(&container);
    for partition in container.partitions() {
        container.forget_versions_through(&partition.id, partition.lsn);
    }
    let mut third = tail(&gateway);
    let ended = fail(
        third
            .args(["--mode", "all", "--until-caught-up", "--state"])
            .arg(&state),
        3,
    );
    assert!(ended.stderr.contains("hint: "), "{}", ended.stderr);
    let other_mode = fail(tail(&gateway).arg("--state").arg(&state), 2);
    assert!(
        other_mode
            .stderr
            .contains("a tail with --mode all, not with --mode latest"),
        "{}",
        other_mode.stderr
    );
}

#[test]
fn a_container_without_versions_has_an_error_of_its_own() {
    let (gateway, _) = filled(2, 10);
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::status(400, 0)).always());
    let ended = fail(tail(&gateway).args(["--mode", "all"]), 1);
    assert!(
        ended
            .stderr
            .contains("hint: --mode all needs an account with continuous backups"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stdout, "");
    let ended = fail(tail(&gateway).args(["--from", "10m"]), 1);
    assert!(
        ended
            .stderr
            .contains("several regions cannot start at a time"),
        "{}",
        ended.stderr
    );
}

//! What a plan and its place are not.

use std::fs;
use std::process::Command;

use super::{Place, plan};
use crate::command::{CONTAINER, DATABASE, against, all_files, export, fail, succeed};
use crate::gateway::Gateway;
use crate::orders::{fill, filled};

/// Runs a share that must be refused as typed, and leaves everything as it was.
#[track_caller]
fn refused(place: &Place, command: &mut Command, why: &str) {
    let before = tree(place);
    let ended = fail(command, 2);
    assert!(ended.stderr.contains(why), "{why}: {}", ended.stderr);
    assert_eq!(tree(place), before, "{why}");
}

/// Every file with its length.
fn tree(place: &Place) -> Vec<(std::path::PathBuf, u64)> {
    let mut found = Vec::new();
    let mut directories = vec![place.path("")];
    while let Some(directory) = directories.pop() {
        for path in all_files(&directory) {
            match path.is_dir() {
                true => directories.push(path),
                false => found.push((path.clone(), path.metadata().unwrap().len())),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_plan_that_exists_is_never_replaced() {
    let (gateway, _container) = filled(2, 10);
    let place = Place::new();
    place.make(&gateway, &[]);
    let text = fs::read(place.plan()).unwrap();
    refused(&place, &mut plan(&gateway, &place.plan(), &[]), "exists");
    assert_eq!(fs::read(place.plan()).unwrap(), text);
    // A job that is repeated keeps it, if it is the one that is meant.
    let kept = succeed(&mut plan(&gateway, &place.plan(), &["--keep"]));
    assert!(kept.stderr.contains("kept"), "{}", kept.stderr);
    refused(
        &place,
        &mut plan(&gateway, &place.plan(), &["--keep", "--format", "csv"]),
        "--format jsonl, not",
    );
    refused(
        &place,
        &mut plan(&gateway, &place.plan(), &["--keep", "--until", "pin"]),
        "another end",
    );
    assert_eq!(fs::read(place.plan()).unwrap(), text);
    // People can read it.
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("\n    \"container\": \"orders\","), "{text}");
    assert!(!text.contains(crate::gateway::KEY));
}

#[test]
fn a_plan_that_was_changed_is_refused() {
    let (gateway, _container) = filled(2, 10);
    let place = Place::new();
    place.make(&gateway, &[]);
    let whole = fs::read_to_string(place.plan()).unwrap();
    for (text, why) in [
        (
            whole.replace("orders", "others"),
            "was changed after it was written",
        ),
        (
            whole[..whole.len() / 2].to_owned(),
            "cannot be used as a plan",
        ),
        (String::new(), "cannot be used as a plan"),
        (
            whole.replacen("\"version\":1", "\"version\":2", 1),
            "plan format 2 is newer",
        ),
        (
            "{\"format\":\"cosmos-tail state\",\"version\":3}".to_owned(),
            "not marked as a plan",
        ),
    ] {
        fs::write(place.plan(), text).unwrap();
        refused(&place, &mut place.shard(&gateway, "0/2"), why);
        assert!(
            place.verify(&[]).stderr.contains("no shards")
                || place.verify(&[]).stderr.contains(why)
        );
    }
    fs::remove_file(place.plan()).unwrap();
    refused(
        &place,
        &mut place.shard(&gateway, "0/2"),
        "cannot be used as a plan",
    );
    refused(
        &place,
        place
            .shard(&gateway, "0/2")
            .arg("--plan")
            .arg(place.path("")),
        "",
    );
}

#[test]
fn a_plan_of_another_container_is_refused() {
    let (gateway, container) = filled(2, 10);
    let place = Place::new();
    place.make(&gateway, &[]);
    refused(
        &place,
        place.shard(&gateway, "0/2").args(["-c", "others"]),
        "others",
    );
    // Recreated under its name.
    drop(container);
    gateway.delete_container(DATABASE, CONTAINER);
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    fill(&container, 0..10);
    refused(
        &place,
        &mut place.shard(&gateway, "0/2"),
        "is not the one of the plan",
    );
}

#[test]
fn a_share_whose_container_was_recreated_after_it_began_is_not_tried_again() {
    let (gateway, container) = filled(2, 100);
    let place = Place::new();
    place.make(&gateway, &[]);
    succeed(&mut place.shard(&gateway, "0/2"));
    let fault = crate::gateway::Fault::on(
        crate::gateway::RequestKind::ChangeFeed,
        crate::gateway::Action::status(403, 0),
    );
    gateway.push_fault(fault);
    fail(place.shard(&gateway, "1/2").args(["--max-retries", "0"]), 3);
    gateway.clear_faults();
    drop(container);
    gateway.delete_container(DATABASE, CONTAINER);
    let container = gateway.create_container(DATABASE, CONTAINER, "/pk", 2);
    fill(&container, 0..10);
    let mut begun = place.shard(&gateway, "1/2");
    refused(&place, &mut begun, "is not the one of the state");
    // Nor is a plan of what came since.
    let mut keep = plan(&gateway, &place.plan(), &["--keep"]);
    refused(&place, &mut keep, "is not the one of the plan");
}

#[test]
fn a_share_that_does_not_exist_is_refused() {
    let (gateway, _container) = filled(2, 10);
    let place = Place::new();
    place.make(&gateway, &[]);
    refused(
        &place,
        &mut place.shard(&gateway, "5/4"),
        "the last one of 4 is 3/4",
    );
    refused(
        &place,
        &mut place.shard(&gateway, "4/4"),
        "the last one of 4 is 3/4",
    );
    refused(
        &place,
        &mut place.shard(&gateway, "0/0"),
        "1 to 100000 shares",
    );
    refused(&place, &mut place.shard(&gateway, "one"), "expected I/N");
    let mut alone = against(&gateway);
    refused(
        &place,
        alone
            .arg("export")
            .arg("--plan")
            .arg(place.plan())
            .arg("-o")
            .arg(place.out()),
        "--shard",
    );
    let mut alone = against(&gateway);
    refused(
        &place,
        alone
            .args(["export", "--shard", "0/2", "-o"])
            .arg(place.out()),
        "--plan",
    );
}

#[test]
fn another_number_of_shares_in_one_place_is_refused() {
    let (gateway, _container) = filled(4, 100);
    let place = Place::new();
    place.make(&gateway, &[]);
    succeed(&mut place.shard(&gateway, "0/4"));
    for shard in ["0/3", "1/3", "1/5"] {
        refused(&place, &mut place.shard(&gateway, shard), "are 4, not");
    }
}

#[test]
fn a_place_of_something_else_is_refused() {
    let (gateway, _container) = filled(2, 100);
    let place = Place::new();
    place.make(&gateway, &[]);
    let other = place.path("other.json");
    succeed(&mut plan(&gateway, &other, &[]));
    succeed(&mut place.shard(&gateway, "0/2"));
    // Another plan.
    for shard in ["0/2", "1/2"] {
        let mut command = against(&gateway);
        command
            .arg("export")
            .arg("--plan")
            .arg(&other)
            .args(["--shard", shard, "-o"])
            .arg(place.out());
        refused(&place, &mut command, "is of the plan");
    }
    // An export of one process, also to replace what is there; and commands of one export.
    refused(
        &place,
        &mut export(&gateway, &place.out()),
        "shards of a plan",
    );
    refused(
        &place,
        export(&gateway, &place.out()).arg("--force"),
        "shards of a plan",
    );
    refused(
        &place,
        against(&gateway).arg("resume").arg(place.out()),
        "shards of a plan",
    );
    refused(
        &place,
        against(&gateway).arg("verify").arg(place.out()),
        "shards of a plan",
    );
    refused(
        &place,
        against(&gateway).arg("lag").arg(place.out()),
        "shards of a plan",
    );
    // The output of an export.
    let place = Place::new();
    place.make(&gateway, &[]);
    succeed(&mut export(&gateway, &place.out()));
    refused(
        &place,
        &mut place.shard(&gateway, "0/2"),
        "holds the state of an export",
    );
    // Files of a share whose state was taken away.
    let place = Place::new();
    place.make(&gateway, &[]);
    place.read(&gateway, 2);
    fs::remove_dir_all(place.own()).unwrap();
    refused(&place, &mut place.shard(&gateway, "0/2"), "exists");
    // A file.
    let place = Place::new();
    place.make(&gateway, &[]);
    let mut command = against(&gateway);
    command.arg("export").arg("--plan").arg(place.plan()).args([
        "--shard",
        "0/2",
        "-o",
        "orders.jsonl",
    ]);
    command.current_dir(place.path(""));
    refused(&place, &mut command, "single file");
}

#[test]
fn what_contradicts_the_plan_is_refused() {
    let (gateway, _container) = filled(2, 100);
    let place = Place::new();
    place.make(&gateway, &["--format", "csv", "--delimiter", ";"]);
    for (flags, why) in [
        (
            &["--format", "jsonl"][..],
            "the plan has --format csv, not --format jsonl",
        ),
        (
            &["--mode", "all"],
            "the plan has --mode latest, not --mode all",
        ),
        (
            &["--from", "now"],
            "the plan has --from beginning, not --from now",
        ),
        (&["--query", "SELECT * FROM c"], "--query"),
        (&["--follow"], "--follow"),
        (&["--until", "pin"], "--until"),
        (&["--force"], "--force"),
        (&["--state", "x.json"], "--state"),
    ] {
        refused(&place, place.shard(&gateway, "0/2").args(flags), why);
    }
    succeed(place.shard(&gateway, "0/2").args([
        "--format",
        "csv",
        "--delimiter",
        ";",
        "-d",
        DATABASE,
    ]));
    for flags in [&["--follow"][..], &["--until", "pin"], &["--widen"]] {
        // What was not finished.
        let unfinished = Place::new();
        unfinished.make(&gateway, &[]);
        stop(&unfinished, &gateway);
        let mut resumed = against(&gateway);
        resumed
            .arg("resume")
            .arg("--state")
            .arg(unfinished.state(0))
            .args(flags);
        let ended = fail(&mut resumed, 2);
        assert!(
            ended.stderr.contains("is a shard of a plan"),
            "{}",
            ended.stderr
        );
    }
}

/// Begins the only share, which fails at its first page.
fn stop(place: &Place, gateway: &Gateway) {
    use crate::gateway::{Action, Fault, RequestKind};
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::status(403, 0)));
    fail(place.shard(gateway, "0/1").args(["--max-retries", "0"]), 3);
    gateway.clear_faults();
}

#[test]
fn a_plan_of_a_query_does_not_say_how_far_to_read_the_feed() {
    let (gateway, _container) = filled(2, 10);
    let place = Place::new();
    let query = ["--query", "SELECT * FROM c"];
    for (flags, why) in [
        (["--until", "pin"], "--until is about the feed"),
        (["--from", "now"], "--from is about the feed"),
        (["--mode", "all"], "a query reads documents as they are"),
    ] {
        let arguments = [query, flags].concat();
        refused(&place, &mut plan(&gateway, &place.plan(), &arguments), why);
    }
}

#[test]
fn only_what_is_complete_is_followed() {
    let (gateway, _container) = filled(2, 100);
    let place = Place::new();
    place.make(&gateway, &[]);
    let next = place.path("next.json");
    let out = place.out();
    let out = out.to_str().unwrap();
    refused(
        &place,
        &mut plan(&gateway, &next, &["--after", out]),
        "not written by the shards",
    );
    succeed(&mut place.shard(&gateway, "0/2"));
    refused(
        &place,
        &mut plan(&gateway, &next, &["--after", out]),
        "shard 1/2 of the plan",
    );
    succeed(&mut place.shard(&gateway, "1/2"));
    refused(
        &place,
        &mut plan(&gateway, &next, &["--after", out, "--from", "now"]),
        "--from",
    );
    succeed(&mut plan(&gateway, &next, &["--after", out]));
}

//! The whole of a plan: `verify`, `replay`, and what is missing.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::Place;
use crate::command::{against, all_files, fail, run, succeed};
use crate::gateway::{Container, Gateway};
use crate::orders::filled;

fn read(shards: usize) -> (Gateway, Container, Place) {
    let (gateway, container) = filled(4, 400);
    let place = Place::new();
    place.make(&gateway, &[]);
    place.read(&gateway, shards);
    (gateway, container, place)
}

fn files_of(place: &Place, shard: usize) -> Vec<PathBuf> {
    let own = format!("orders-shard{shard:05}-");
    let mut files = all_files(&place.out());
    files.retain(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with(&own)
    });
    files
}

#[test]
fn a_plan_that_was_read_is_marked_as_complete_once() {
    let (_gateway, _container, place) = read(3);
    let summary = place.own().join("summary.json");
    let checked = place.verify(&["--quick", "--format", "json"]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let found: Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!(
        (&found["shards"], &found["rows"], &found["files"]),
        (&3.into(), &400.into(), &4.into())
    );
    let text: Value = serde_json::from_slice(&fs::read(&summary).unwrap()).unwrap();
    assert_eq!(
        (&text["documents"], &text["read"]),
        (&400.into(), &false.into())
    );
    let before = fs::read(&summary).unwrap();
    assert_eq!(place.verify(&[]).code, Some(0));
    assert_eq!(fs::read(&summary).unwrap(), before, "it is created once");
}

/// What happens to a place, and what `verify` says then.
type Damage = (fn(&Place), &'static str);

const DAMAGE: [Damage; 9] = [
    (
        |place| fs::remove_dir_all(place.own().join("shard-00001")).unwrap(),
        "shard-00001: has no state: the shard 1/3 has not begun, or was taken away; it has [",
    ),
    (
        |place| {
            files_of(place, 2)
                .iter()
                .for_each(|path| fs::remove_file(path).unwrap())
        },
        "orders-shard00002-00000-000001.jsonl: is missing",
    ),
    (
        |place| fs::remove_file(place.own().join("shard-00000/manifest.ndjson")).unwrap(),
        "shard-00000/manifest.ndjson",
    ),
    (
        |place| fs::write(place.state(0), "{}").unwrap(),
        "shard-00000: ",
    ),
    (
        |place| {
            fs::copy(place.state(0), place.state(1)).unwrap();
        },
        "shard-00001",
    ),
    (
        |place| {
            let path = &files_of(place, 0)[0];
            let text = fs::read(path).unwrap();
            fs::write(path, &text[1..]).unwrap();
        },
        "orders-shard00000-00000-000001.jsonl: has ",
    ),
    (
        |place| {
            fs::write(
                place.out().join("orders-shard00007-00000-000001.jsonl"),
                "{}\n",
            )
            .unwrap()
        },
        "has the name of a file of a shard, but not of this plan",
    ),
    (
        |place| {
            fs::write(
                place.out().join("orders-shard00001-00009-000001.jsonl"),
                "{}\n",
            )
            .unwrap()
        },
        "neither the state nor the manifest lists it",
    ),
    (
        |place| fs::create_dir(place.own().join("shard-00003")).unwrap(),
        "shard-00003: is not a shard of this plan",
    ),
];

#[test]
fn whatever_is_missing_or_too_many_is_named() {
    let (gateway, _container) = filled(4, 400);
    for (damage, what) in DAMAGE {
        let place = Place::new();
        place.make(&gateway, &[]);
        place.read(&gateway, 3);
        damage(&place);
        for arguments in [&[][..], &["--quick"]] {
            let checked = place.verify(arguments);
            assert_eq!(
                checked.code,
                Some(1),
                "{what}: {}{}",
                checked.stdout,
                checked.stderr
            );
            assert!(checked.stdout.contains(what), "{what}: {}", checked.stdout);
            assert!(!place.own().join("summary.json").exists(), "{what}");
        }
    }
}

#[test]
fn bytes_that_changed_are_found_by_reading_the_files() {
    let (_gateway, _container, place) = read(3);
    let path = &files_of(&place, 1)[0];
    let mut text = fs::read(path).unwrap();
    text[20] ^= 1;
    fs::write(path, text).unwrap();
    let checked = place.verify(&[]);
    assert_eq!(checked.code, Some(1), "{}", checked.stderr);
    assert!(
        checked.stdout.contains("has the checksum"),
        "{}",
        checked.stdout
    );
    assert!(!place.own().join("summary.json").exists());
}

#[test]
fn another_plan_does_not_vouch_for_a_place() {
    let (gateway, _container, place) = read(2);
    let other = place.path("other.json");
    succeed(&mut super::plan(&gateway, &other, &[]));
    let checked = super::verify(&other, &place.out(), &[]);
    assert_eq!(checked.code, Some(2), "{}", checked.stderr);
    assert!(
        checked.stderr.contains("is of the plan"),
        "{}",
        checked.stderr
    );
    let checked = super::verify(&place.plan(), &place.path("nothing"), &[]);
    assert_eq!(checked.code, Some(2), "{}", checked.stderr);
}

#[test]
fn a_replay_reads_the_whole_place() {
    let (gateway, container, place) = read(3);
    let copy = gateway.create_container("shop", "copy", "/pk", 2);
    let mut command = against(&gateway);
    succeed(
        command
            .arg("replay")
            .arg(place.out())
            .args(["-d", "shop", "-c", "copy"]),
    );
    assert_eq!(copy.latest().len(), container.latest().len());
    // By its state directory too; and never a part of it.
    let mut named = against(&gateway);
    let dry = succeed(
        named
            .arg("replay")
            .arg(place.own())
            .args(["-c", "copy", "--dry-run"]),
    );
    assert!(dry.stderr.contains("400"), "{}", dry.stderr);
    fs::remove_dir_all(place.own().join("shard-00002")).unwrap();
    let mut command = against(&gateway);
    let refused = fail(
        command.arg("replay").arg(place.out()).args(["-c", "copy"]),
        2,
    );
    assert!(
        refused.stderr.contains("shard 2 has no state"),
        "{}",
        refused.stderr
    );
}

#[test]
fn both_directories_can_be_moved_together() {
    let (_gateway, _container, place) = read(2);
    fs::rename(place.out(), place.path("moved")).unwrap();
    fs::rename(place.own(), place.path("_moved.cosmos-tail")).unwrap();
    let checked = super::verify(&place.plan(), &place.path("moved"), &[]);
    assert_eq!(
        checked.code,
        Some(0),
        "{}{}",
        checked.stdout,
        checked.stderr
    );
    let gone = run(crate::command::cosmos_tail()
        .arg("verify")
        .arg(place.plan())
        .arg(place.out()));
    assert_eq!(gone.code, Some(2), "{}", gone.stderr);
}

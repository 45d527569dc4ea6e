//! Uploads that the store has removed, and objects that were taken away before they were listed.

use std::process::Command;

use serde_json::Value;

use crate::command::{Ended, against, assert_latest, cosmos_tail, run, split_lines, succeed};
use crate::orders::fill;
use crate::store::{CallKind, Trouble};
use crate::store_scene::{Sides, StoreScene};

const SIDES: [Sides; 2] = [Sides::Together, Sides::StateOnDisk];

fn scene(sides: Sides) -> StoreScene {
    StoreScene::new(2, 160).on(sides)
}

fn repaired(scene: &StoreScene) -> Ended {
    run(scene.next_command().arg("--repair"))
}

/// The words that were said, without how they were broken into lines.
fn words(ended: &Ended) -> String {
    let words: Vec<&str> = ended.stderr.split_whitespace().collect();
    words.join(" ")
}

#[track_caller]
fn assert_refused(ended: &Ended, parts: &[&str]) {
    let said = words(ended);
    assert_eq!(ended.code, Some(1), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// A run that dies before it completes its object of this number, from 0, which is sealed.
fn die_before_completing(scene: &StoreScene, at: usize) {
    let mut completed = 0;
    scene.go_on_with(move |_, call| {
        completed += usize::from(call.kind == CallKind::Complete);
        let dies = call.kind == CallKind::Complete && completed > at;
        dies.then_some(Trouble::KillBefore)
    });
}

/// A run that dies when an object is there and not listed. Returns its name, and its bytes; somebody takes it away.
fn take_away(scene: &StoreScene) -> (String, Vec<u8>) {
    scene.go_on_with(|_, call| {
        let is_manifest = call.kind == CallKind::Put && call.name.contains("/manifest/");
        is_manifest.then_some(Trouble::KillBefore)
    });
    let objects = scene.objects().into_iter();
    let mut data = objects.filter(|(name, _)| name.ends_with(".jsonl"));
    let (taken, bytes) = data.next().expect("an object was completed");
    scene.store.replace(&StoreScene::name(&taken), None);
    (taken, bytes)
}

#[test]
fn uploads_that_expired_after_they_were_sealed_are_read_again_by_a_repair() {
    for sides in SIDES {
        for at in 0..3 {
            let scene = scene(sides);
            die_before_completing(&scene, at);
            scene.store.forget_uploads();
            // Documents that are rewritten meanwhile are elsewhere in the feed.
            fill(&scene.container, 10..30);
            let ended = scene.go_on();
            assert_refused(&ended, &["`resume --repair` reads the span"]);
            let ended = repaired(&scene);
            assert_eq!(ended.code, Some(0), "{sides:?} {at}: {}", ended.stderr);
            assert!(words(&ended).contains("its span is read again"));
            scene.judge().unwrap();
        }
    }
}

#[test]
fn uploads_that_were_open_and_are_gone_are_read_again_without_a_repair() {
    for sides in SIDES {
        let mut open = 0;
        for at in 1..8 {
            let arguments = ["--page-size", "20", "--rotate-bytes", "16KiB"];
            let scene = StoreScene::with(2, 160, &arguments).on(sides);
            let mut sent = 0;
            scene.go_on_with(move |_, call| {
                sent += usize::from(call.kind == CallKind::Part);
                (sent > at).then_some(Trouble::KillBefore)
            });
            let state: Value = serde_json::from_slice(&scene.state()).unwrap();
            let series = state["state"]["series"].as_array().unwrap();
            let has_pieces = series.iter().any(|one| one["open"]["pieces"].is_array());
            if !has_pieces {
                continue;
            }
            open += 1;
            // However young they are: nobody can have completed them.
            match at % 2 {
                0 => scene.store.forget_uploads(),
                _ => scene.store.lose_uploads(),
            }
            fill(&scene.container, 10..30);
            let ended = scene.go_on();
            assert_eq!(ended.code, Some(0), "{sides:?} {at}: {}", ended.stderr);
            assert!(words(&ended).contains("its span is read again"));
            scene.judge().unwrap();
        }
        assert!(open > 2, "{open}");
    }
}

#[test]
fn an_object_that_was_taken_away_before_it_was_listed_is_put_back_and_never_repaired() {
    for sides in SIDES {
        let scene = scene(sides);
        let (taken, bytes) = take_away(&scene);
        let objects = scene.objects();
        scene.store.pass(6);
        for ended in [scene.go_on(), repaired(&scene)] {
            let told = [
                &format!("/{taken}` was completed, and taken away before it was listed"),
                "its upload began 2031-05-05T12:00:00Z by the clock of the store, which keeps one for 168 hours",
                "put the object back and continue without --repair, or export to a new place",
            ];
            assert_refused(&ended, &told);
            let now = scene.objects().into_keys();
            assert!(now.eq(objects.keys().cloned()), "nothing is written");
        }
        scene.store.replace(&StoreScene::name(&taken), Some(&bytes));
        scene.finish().unwrap();
    }
}

#[test]
fn what_may_have_expired_or_been_taken_away_is_named() {
    for sides in SIDES {
        for has_time in [true, false] {
            let scene = scene(sides);
            if !has_time {
                scene.store.stop_clock();
            }
            let (taken, bytes) = take_away(&scene);
            scene.store.pass(8);
            let ended = scene.go_on();
            let told = [
                &format!("/{taken}`"),
                "sealed, not listed, and not there: `",
                "if somebody has moved or deleted the object since it was completed",
                "put it back and continue without --repair, or export to a new place",
            ];
            assert_refused(&ended, &told);
            let said = words(&ended);
            let others = scene.objects().into_keys();
            let mut others = others.filter(|name| name.ends_with(".jsonl"));
            assert!(others.all(|name| !said.contains(&name)), "{said}");
            scene.store.replace(&StoreScene::name(&taken), Some(&bytes));
            scene.finish().unwrap();
        }
    }
}

#[test]
fn a_tail_is_repaired_by_its_own_command() {
    for sides in SIDES {
        let scene = StoreScene {
            is_tail: true,
            ..scene(sides)
        };
        die_before_completing(&scene, 0);
        scene.store.forget_uploads();
        fill(&scene.container, 10..30);
        let ended = scene.go_on();
        let told = "the same `tail` command with --repair reads the span of this object again";
        assert_refused(&ended, &[told]);
        let ended = repaired(&scene);
        assert_eq!(ended.code, Some(0), "{sides:?}: {}", ended.stderr);
        scene.judge().unwrap();
    }
}

#[test]
fn a_share_of_a_plan_is_repaired_by_its_own_command() {
    let scene = StoreScene::new(3, 300);
    let plan = scene.disk.path().join("plan.json");
    let mut command = against(&scene.gateway);
    succeed(command.args(["plan", "-o"]).arg(&plan));
    let share = |shard: &str| -> Command {
        let mut command = against(&scene.gateway);
        scene
            .reach(&mut command)
            .args(["export", "--shard", shard, "-o", StoreScene::address()])
            .arg("--plan")
            .arg(&plan)
            .args(["--page-size", "20", "--rotate-bytes", "4KiB"]);
        command
    };
    let share_that_dies = |kind: CallKind| {
        scene
            .store
            .script(move |_, call| (call.kind == kind).then_some(Trouble::KillBefore));
        let child = crate::command::spawn(&mut share("1/2"));
        scene.store.set_victim(&child);
        crate::command::wait(child);
        scene.store.clear();
    };
    share_that_dies(CallKind::Complete);
    scene.store.forget_uploads();
    let ended = run(&mut share("1/2"));
    let told = "the same `export --plan` command with --repair reads the span of this object again";
    assert_refused(&ended, &[told]);
    for (shard, more) in [("1/2", &["--repair"][..]), ("0/2", &[])] {
        let ended = run(share(shard).args(more));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    let objects = scene.objects().into_iter();
    let data = objects.filter(|(name, _)| !name.starts_with('_'));
    let lines: Vec<Vec<u8>> = data.flat_map(|(_, bytes)| split_lines(&bytes)).collect();
    assert_latest(&lines, &scene.container);
    let mut verify = cosmos_tail();
    let verify = scene.reach(&mut verify).arg("verify").arg(&plan);
    succeed(verify.arg(StoreScene::address()));
}

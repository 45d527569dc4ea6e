//! What belongs to an export is deleted behind its back, as a rule does that goes by age: nothing begins again in the same
//! place without a word.

use std::collections::BTreeMap;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::command::{Ended, against, fail, run, signal, spawn, succeed, wait};
use crate::orders::fill;
use crate::store::{CallKind, Trouble};
use crate::store_scene::{Sides, StoreScene};

const STATE: &str = "_cosmos-tail/state.json";
const CLAIM: &str = "_cosmos-tail/claim.json";
const SUMMARY: &str = "_cosmos-tail/manifest-summary.json";

/// An export that is done, in several objects.
fn done(sides: Sides) -> StoreScene {
    let scene = StoreScene::new(2, 60).on(sides);
    let ended = scene.go_on();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    fill(&scene.container, 60..80);
    scene
}

impl StoreScene {
    /// Deletes the objects of the export whose names begin with this. Returns them.
    fn delete(&self, begin: &str) -> BTreeMap<String, Vec<u8>> {
        let all = self.objects().into_iter();
        let gone: BTreeMap<_, _> = all.filter(|(name, _)| name.starts_with(begin)).collect();
        assert!(!gone.is_empty(), "{begin}");
        for name in gone.keys() {
            self.store.replace(&Self::name(name), None);
        }
        gone
    }

    fn restore(&self, gone: &BTreeMap<String, Vec<u8>>) {
        for (name, bytes) in gone {
            self.store.replace(&Self::name(name), Some(bytes));
        }
    }

    fn of(&self, arguments: &[&str]) -> Command {
        let mut command = against(&self.gateway);
        self.reach(&mut command).args(arguments);
        command
    }

    /// The command is refused with all of these, and changes nothing.
    #[track_caller]
    fn refuses(&self, arguments: &[&str], told: &[&str]) -> Ended {
        let before = self.store.objects();
        let ended = run(&mut self.of(arguments));
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        for told in told {
            assert!(
                ended.stderr.contains(told),
                "{arguments:?}: {}",
                ended.stderr
            );
        }
        assert!(self.store.objects() == before, "{arguments:?}");
        ended
    }
}

#[test]
fn an_export_whose_state_is_gone_does_not_begin_again_in_its_place() {
    let address = StoreScene::address();
    let neither = format!("but neither `{address}{STATE}` nor `{address}{CLAIM}` is there");
    for begin in [STATE, "_cosmos-tail/"] {
        let scene = done(Sides::Together);
        let gone = scene.delete(begin);
        let disk = scene.disk.path().join("other.json");
        let disk = disk.to_str().unwrap();
        for arguments in [
            &["export", "-o", address][..],
            &["export", "-o", address, "--state", disk],
            &[
                "export",
                "-o",
                address,
                "--state",
                "az://lake/others/state.json",
            ],
            &["export", "-o", address, "--format", "csv"],
            &["tail", "-o", address, "--until-caught-up"],
        ] {
            let is_csv = arguments.contains(&"csv") && begin != STATE;
            let told = if is_csv {
                "is not of an export"
            } else {
                &neither
            };
            scene.refuses(arguments, &[told]);
        }
        if begin == STATE {
            for command in ["resume", "verify", "lag"] {
                scene.refuses(&[command, address], &[&neither, "no lifecycle rule delete"]);
            }
        }
        assert!(!std::path::Path::new(disk).exists());
        // It goes on where it was, if it can be restored.
        scene.restore(&gone);
        let ended = scene.go_on();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        scene.judge().unwrap();
    }
}

#[test]
fn an_export_whose_claim_is_gone_goes_on_with_no_state() {
    let address = StoreScene::address();
    for sides in [Sides::StateOnDisk, Sides::StateElsewhere] {
        let scene = done(sides);
        let gone = scene.delete(CLAIM);
        let ended = scene.go_on();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let told = [&*format!("`{address}{CLAIM}` is gone"), "restore it"];
        for told in told {
            assert!(ended.stderr.contains(told), "{told}: {}", ended.stderr);
        }
        let neither = format!("nor `{address}{CLAIM}` is there");
        let others = "az://lake/others/state.json";
        scene.refuses(&["export", "-o", address], &[&neither]);
        scene.refuses(&["export", "-o", address, "--state", others], &[&neither]);
        scene.restore(&gone);
        let ended = scene.go_on();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        scene.judge().unwrap();
    }
}

#[test]
fn an_export_whose_state_is_gone_elsewhere_does_not_begin_again_in_its_place() {
    let address = StoreScene::address();
    for sides in [Sides::StateElsewhere, Sides::OutputOnDisk] {
        let scene = done(sides);
        let state = "states/orders/state.json";
        let text = scene.store.objects().remove(state).unwrap();
        scene.store.replace(state, None);
        let typed = "az://lake/states/orders/state.json";
        scene.refuses(&["resume", "--state", typed], &["there is no state at"]);
        let output = scene.output().join("");
        let output = match sides {
            Sides::OutputOnDisk => output.to_str().unwrap(),
            _ => address,
        };
        for command in ["export", "tail"] {
            scene.refuses(&[command, "-o", output, "--state", typed], &[]);
        }
        scene.store.replace(state, Some(&text));
        let ended = scene.go_on();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        scene.judge().unwrap();
    }
}

#[test]
fn a_summary_that_is_gone_is_back_with_the_next_run() {
    let scene = done(Sides::Together);
    scene.delete(SUMMARY);
    let ended = scene.go_on();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(scene.objects().contains_key(SUMMARY));
    scene.judge().unwrap();
}

#[test]
fn a_listing_that_is_gone_is_named_by_verify_and_no_change_is_written_again() {
    let scene = done(Sides::Together);
    let gone = scene.delete("_cosmos-tail/manifest/");
    let ended = scene.go_on();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let verified = scene.verify();
    assert_eq!(verified.code, Some(1), "{}", verified.stdout);
    let told = format!("{}{}", verified.stdout, verified.stderr);
    assert!(told.contains("but the state counts"), "{told}");
    scene.restore(&gone);
    scene.judge().unwrap();
}

#[test]
fn what_is_deleted_under_a_process_stops_it_and_is_not_made_again() {
    for (sides, name) in [
        (Sides::Together, STATE),
        (Sides::StateOnDisk, CLAIM),
        (Sides::StateElsewhere, CLAIM),
    ] {
        for at in [CallKind::Part, CallKind::Complete] {
            let scene = StoreScene::new(2, 120).on(sides);
            let mut seen = 0;
            scene.store.script(move |_, call| {
                seen += usize::from(call.kind == at);
                (call.kind == at && seen == 2).then_some(Trouble::Pause)
            });
            let mut child = scene.begin();
            assert!(scene.store.wait_until_paused(&mut child));
            let gone = scene.delete(name);
            scene.store.clear();
            signal(&child, Signal::SIGCONT);
            let ended = wait(child);
            assert!(matches!(ended.code, Some(1 | 3)), "{:?}", ended.code);
            let told = format!("{name}` is gone");
            assert!(ended.stderr.contains(&told), "{sides:?}: {}", ended.stderr);
            assert!(!scene.objects().contains_key(name), "{sides:?}, {at:?}");
            scene.restore(&gone);
            scene.finish().unwrap();
        }
    }
}

#[test]
fn what_a_process_leaves_alone_for_a_day_is_written_again() {
    for (sides, name) in [
        (Sides::Together, StoreScene::name(STATE)),
        (Sides::StateOnDisk, StoreScene::name(CLAIM)),
        (Sides::StateElsewhere, StoreScene::name(CLAIM)),
    ] {
        let scene = done(sides);
        let clock = scene.disk.path().join("clock");
        let set = |hours: i64| {
            let new = clock.with_extension("new");
            std::fs::write(&new, (hours * 3600).to_string()).unwrap();
            std::fs::rename(new, &clock).unwrap();
        };
        set(0);
        let mut follow = scene.next_command();
        follow.args(["--follow", "--poll-interval", "20ms"]);
        follow.env("COSMOS_TAIL_CLOCK", &clock);
        follow.env_remove("COSMOS_TAIL_LOCKSTEP");
        scene.store.script(|_, _| None);
        let child = spawn(&mut follow);
        let puts = || {
            let calls = scene.store.calls().into_iter();
            let own = calls.filter(|(call, _)| call.kind == CallKind::Put && call.name == name);
            own.count()
        };
        let wait_for = |count: usize| {
            let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
            while puts() < count {
                assert!(std::time::Instant::now() < until, "{sides:?}: {}", puts());
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        };
        wait_for(1);
        let is_read = |scene: &StoreScene| {
            let data = scene.objects().into_iter();
            data.filter(|(name, _)| !name.starts_with('_')).count()
        };
        // What came since is read, and then nothing more comes.
        let first = puts();
        for day in 1..3 {
            set(25 * day);
            wait_for(first + usize::try_from(day).unwrap());
        }
        let objects = is_read(&scene);
        assert!(objects > 0);
        signal(&child, Signal::SIGTERM);
        let ended = wait(child);
        assert_eq!(ended.code, Some(143), "{}", ended.stderr);
        scene.store.clear();
        // Another day of the same claim, by the same text.
        succeed(scene.next_command().arg("--no-follow"));
        scene.judge().unwrap();
    }
    // A state that was deleted meanwhile is not made again by that.
    let scene = done(Sides::Together);
    scene.delete(STATE);
    fail(&mut scene.of(&["resume", StoreScene::address()]), 2);
}

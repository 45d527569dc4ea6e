//! The rig of the store: exports that go wrong at every call, are resumed until they are done, and are judged by the
//! oracle.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cosmos_tail::state::file;

use crate::store::{Call, CallKind, Trouble};
use crate::store_scene::StoreScene;
use crate::store_trials::{Paused, count_calls, kills, pair, schedule, takeover};

/// The calls of an export that nothing happens to.
fn calls_of(scene: &StoreScene) -> Vec<Call> {
    scene.store.script(|_, _| None);
    let ended = scene.go_on();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let calls = scene.store.calls().into_iter().map(|(call, _)| call);
    let calls = calls.collect();
    scene.store.clear();
    scene.judge().unwrap();
    calls
}

/// Runs `one` for each of `0..count`, on a few threads. Reports everything that is wrong.
pub(super) fn each(count: usize, one: impl Fn(usize) -> Result<(), String> + Sync) {
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    if let Err(error) = one(number) {
                        wrong.lock().unwrap().push(format!("{number}: {error}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn scene() -> StoreScene {
    StoreScene::new(2, 80)
}

#[test]
fn an_export_makes_every_kind_of_call() {
    let calls = calls_of(&scene());
    let kinds: BTreeSet<CallKind> = calls.iter().map(|call| call.kind).collect();
    // Nothing is ever deleted.
    let all = [
        CallKind::Get,
        CallKind::Head,
        CallKind::List,
        CallKind::Put,
        CallKind::Part,
        CallKind::Complete,
    ];
    assert_eq!(kinds, BTreeSet::from(all));
}

#[test]
fn a_process_that_dies_at_any_call_is_resumed() {
    let count = count_calls(&scene());
    each(2 * count, |number| {
        let (at, is_after) = (number / 2, number % 2 == 1);
        let kill = if is_after {
            Trouble::KillAfter
        } else {
            Trouble::KillBefore
        };
        let scene = scene();
        let ended = scene.go_on_with(move |number, _| (number == at).then_some(kill));
        if ended.code.is_some() {
            return Err(format!("it did not die: {:?} {}", ended.code, ended.stderr));
        }
        // A second time, early in the resume.
        scene.go_on_with(move |number, _| (number == at % 7).then_some(kill));
        scene.finish()
    });
}

#[test]
fn any_call_that_fails_once_is_repeated_or_the_export_is_resumed() {
    let count = count_calls(&scene());
    let troubles = [
        Trouble::Refused(500, "InternalError"),
        Trouble::Lost,
        Trouble::Unanswered,
        Trouble::Late(3),
    ];
    each(count * troubles.len(), |number| {
        let (at, trouble) = (number / troubles.len(), troubles[number % troubles.len()]);
        let scene = scene();
        let ended = scene.go_on_with(move |number, _| (number == at).then_some(trouble));
        match ended.code {
            Some(0) => scene.judge(),
            // A late commit of one's own looks like that of another process.
            Some(1 | 3) => scene.finish(),
            other => Err(format!("{other:?}: {}", ended.stderr)),
        }
    });
}

#[test]
fn calls_that_fail_for_good_end_the_export_and_it_is_resumed() {
    let count = count_calls(&scene());
    let troubles = [
        Trouble::Refused(503, "ServerBusy"),
        Trouble::Refused(429, "TooManyRequests"),
        Trouble::Refused(403, "AuthorizationPermissionMismatch"),
        Trouble::Unanswered,
        Trouble::Stale,
    ];
    let numbers: Vec<usize> = (0..count).step_by(2).collect();
    each(numbers.len() * troubles.len(), |number| {
        let at = numbers[number / troubles.len()];
        let trouble = troubles[number % troubles.len()];
        let scene = scene();
        let ended = scene.go_on_with(move |number, _| (number >= at).then_some(trouble));
        match ended.code {
            Some(0) => scene.judge(),
            Some(1..=4) => scene.finish(),
            other => Err(format!("{other:?}: {}", ended.stderr)),
        }
    });
}

/// What the oracle finds if an export with the defect dies, or loses answers, at some call.
fn found(defect: &str, trouble: Trouble) -> Option<String> {
    let count = count_calls(&scene());
    (0..count).find_map(|at| {
        let scene = StoreScene {
            plant: format!("{defect}=return"),
            ..scene()
        };
        scene.go_on_with(move |number, _| (number == at).then_some(trouble));
        scene.finish().err()
    })
}

#[test]
fn planted_defects_are_found() {
    for (defect, trouble, expected) in [
        (
            "defect.object.completed-before-its-commit",
            Trouble::KillBefore,
            "before it is sealed",
        ),
        (
            "defect.object.recorded-before-it-is-published",
            Trouble::KillBefore,
            "before it is sealed",
        ),
        ("defect.object.unclear-commit-is-done", Trouble::Lost, ""),
    ] {
        let found = found(defect, trouble);
        let found = found.unwrap_or_else(|| panic!("{defect} is not found"));
        assert!(found.contains(expected), "{defect}: {found}");
        eprintln!("{defect}: {found}");
    }
}

#[test]
fn a_failed_part_that_is_taken_for_an_acknowledged_one_is_found() {
    let scene = StoreScene {
        plant: "defect.object.failed-part-is-acknowledged=return".to_owned(),
        ..scene()
    };
    scene.go_on_with(|_, call| (call.kind == CallKind::Part).then_some(Trouble::Lost));
    let found = scene.finish().unwrap_err();
    assert!(found.contains("before it was listed"), "{found}");
}

#[test]
fn exports_that_are_killed_five_hundred_times_at_random_are_resumed() {
    each(50, |_| kills(10, fastrand::u64(..1 << 48)));
}

#[test]
fn an_export_that_dies_or_loses_an_answer_and_whose_resume_dies_is_resumed() {
    let count = count_calls(&scene());
    each(24, |number| {
        let first = [Trouble::KillAfter, Trouble::Unanswered, Trouble::Late(5)][number % 3];
        let at = fastrand::usize(..count);
        let then = (fastrand::usize(..count), Trouble::KillBefore);
        pair((at, first), then).map_err(|error| format!("{first:?} at {at}, {then:?}: {error}"))
    });
}

#[test]
fn schedules_of_faults_that_are_drawn_end_well() {
    each(24, |_| {
        let seed = fastrand::u64(..1 << 48);
        schedule(seed, "")
            .map(drop)
            .map_err(|error| format!("seed {seed}: {error}"))
    });
}

#[test]
fn a_process_that_was_paused_across_a_takeover_names_the_one_that_won() {
    let count = count_calls(&scene());
    let lost = AtomicUsize::new(0);
    each(10, |number| {
        let paused = takeover(&scene(), number * count / 10, number % 2 == 0)?;
        lost.fetch_add(usize::from(paused == Paused::Lost), Ordering::Relaxed);
        Ok(())
    });
    assert!(lost.into_inner() >= 8);
}

#[test]
fn a_state_that_is_stored_without_a_condition_is_found() {
    let count = count_calls(&scene());
    let found = (0..count).find_map(|at| {
        let scene = StoreScene {
            plant: "defect.object.state-without-condition=return".to_owned(),
            ..scene()
        };
        takeover(&scene, at, true).err()
    });
    found.expect("the defect is not found");
}

#[test]
fn a_claim_without_its_holder_is_read() {
    let scene = scene();
    scene.go_on_with(|number, _| (number == 12).then_some(Trouble::KillAfter));
    let name = StoreScene::name("_cosmos-tail/state.json");
    let text = scene.store.objects().remove(&name).unwrap();
    let mut state: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let claim = state["claim"].as_object_mut().unwrap();
    assert!(claim.remove("holder").is_some());
    let text = String::from_utf8(text).unwrap();
    let old = text.split_once("\"claim\":").unwrap().1;
    let old = &old[..old.find(",\"state\"").unwrap()];
    let new = state["claim"].to_string();
    let text = text.replacen(old, &new, 1);
    assert!(file::claim_of(text.as_bytes()).is_some());
    scene.store.replace(&name, Some(text.as_bytes()));
    scene.finish().unwrap();
}
